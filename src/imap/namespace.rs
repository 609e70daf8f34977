//! NAMESPACE (RFC 9051, 6.3.10; RFC 2342): what the names of mailboxes begin with, by whose they are.

use std::borrow::Cow;

use super::Imap;
use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::names::Names;
use super::strings::unescape;
use super::tokens::{Token, Tokens};
use crate::wire::Flaw;
use crate::{Client, Limits, Result};

impl Client<Imap> {
    /// What stands before the names of one's own mailboxes, of other users' and of shared ones, and what separates their
    /// levels (RFC 9051, 6.3.10).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 NAMESPACE] ready\n\
    /// #      C: A1 NAMESPACE\n\
    /// #      S: * NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"shared.\" \".\"))\n\
    /// #      S: A1 OK done\n\
    /// #      C: A2 LIST \"shared.\" \"*\"\n\
    /// #      S: A2 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let spaces = imap.namespace()?;
    /// assert_eq!(spaces.personal[0].prefix, "INBOX.");
    /// assert!(spaces.other_users.is_empty());
    /// for space in &spaces.shared {
    ///     let all = imap.list(space, "*")?; // also if the prefix does not decode
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the server does not offer it.
    pub fn namespace(&mut self) -> Result<Namespaces> {
        self.exchange(|imap, wire| {
            let line = Line::new("NAMESPACE").needing("NAMESPACE");
            imap.perform(wire, (line, Spaces::default()))
        })
    }
}

/// Where mailboxes are, by whose they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespaces {
    /// One's own.
    pub personal: Vec<Namespace>,
    /// Other users'.
    pub other_users: Vec<Namespace>,
    /// Those that are shared.
    pub shared: Vec<Namespace>,
}

/// What the names of some mailboxes begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// The beginning, in UTF-8, mostly with the delimiter at its end. One that does not decode is lossily shown;
    /// [`list`](crate::Client::list) takes the namespace itself in its place.
    pub prefix: String,
    /// The beginning as the server sent it.
    pub raw: Vec<u8>,
    /// What separates the levels of the names; none for flat ones.
    pub delimiter: Option<char>,
}

#[derive(Default)]
struct Spaces {
    names: Names,
    found: Namespaces,
}

impl Collect for Spaces {
    type Output = Namespaces;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if !data.is("NAMESPACE", false) {
            return Ok(false);
        }
        let mut tokens = Tokens::new(data.rest, 0, limits);
        let Namespaces { personal, other_users, shared } = &mut self.found;
        for spaces in [personal, other_users, shared] {
            *spaces = read(&mut tokens, self.names)?;
        }
        Ok(true)
    }

    fn sent_as(&mut self, _: u32, names: Names) {
        self.names = names;
    }

    fn done(self, _: &Completion) -> Namespaces {
        self.found
    }
}

/// `((prefix delimiter ..) ..)` or NIL; extensions are passed over.
fn read(tokens: &mut Tokens<'_>, names: Names) -> Result<Vec<Namespace>, Flaw> {
    let (mut spaces, mut depth, mut strings) = (Vec::new(), 0, Vec::new());
    while let Some(first) = tokens.peek() {
        // The delimiter is the second string.
        if (first, depth, strings.len()) == (b'"', 2, 1) {
            strings.push(tokens.delimiter()?.and_then(|delimiter| delimiter.text().map(Cow::into_owned)));
            continue;
        }
        let Some(token) = tokens.next()? else { break };
        match token {
            Token::Open => depth += 1,
            Token::Close => {
                if depth == 2 {
                    let mut strings = strings.drain(..);
                    let (prefix, delimiter) = (strings.next().flatten(), strings.next().flatten());
                    spaces.extend(prefix.map(|raw: Vec<u8>| Namespace {
                        prefix: names.shown(&raw),
                        raw,
                        delimiter: delimiter.and_then(|text: Vec<u8>| text.first().map(|&byte| char::from(byte))),
                    }));
                }
                depth -= 1;
            }
            Token::Quoted(inside) if depth == 2 => strings.push(Some(unescape(inside).into_owned())),
            Token::Literal(bytes) if depth == 2 => strings.push(Some(bytes.to_vec())),
            _ if depth == 2 => strings.push(None),
            _ => {}
        }
        if depth <= 0 {
            break;
        }
    }
    Ok(spaces)
}
