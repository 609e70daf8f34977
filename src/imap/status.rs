//! STATUS (RFC 9051, 6.3.11): numbers of a mailbox that need not be open.

use std::borrow::Cow;

use super::Imap;
use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::names::{MailboxName, Names};
use super::tokens::{Tokens, Value};
use crate::wire::Flaw;
use crate::{Client, Limits, Result};

impl Client<Imap> {
    /// Asks for numbers of a mailbox, named in UTF-8. `items` is as in RFC 9051, 6.3.11: `MESSAGES`,
    /// `UIDNEXT UIDVALIDITY UNSEEN`, `SIZE`, `HIGHESTMODSEQ`, ..
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// let status = imap.status("INBOX", "MESSAGES UNSEEN")?;
    /// assert_eq!((status.messages, status.unseen), (Some(1), Some(1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if there is none of that name, or an item is not known;
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if an item is no word.
    pub fn status<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>, items: &str) -> Result<MailboxStatus> {
        self.exchange(|imap, wire| imap.perform(wire, status_of(mailbox, items)?))
    }
}

/// What STATUS told of a mailbox. What a server left out is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxStatus {
    /// Its name, in UTF-8. One that does not decode is lossily shown; a command takes the status itself in its place, or
    /// [`MailboxName::raw`].
    pub mailbox: String,
    /// The name as the server sent it.
    pub raw: Vec<u8>,
    /// How many messages there are.
    pub messages: Option<u32>,
    /// How many of them no session was told of before.
    pub recent: Option<u32>,
    /// The UID that the next message will get at least.
    pub uid_next: Option<u32>,
    /// UIDs hold as long as this stays the same.
    pub uid_validity: Option<u32>,
    /// How many messages are not seen.
    pub unseen: Option<u32>,
    /// How many messages are marked as deleted, RFC 9051.
    pub deleted: Option<u32>,
    /// All bytes of its messages, RFC 8438.
    pub size: Option<u64>,
    /// The highest mod-sequence, RFC 7162.
    pub highest_mod_seq: Option<u64>,
    /// The largest message that it takes, RFC 7889.
    pub append_limit: Option<u64>,
    /// All other items by their names, in upper case, each value as it was sent.
    pub others: Vec<(String, Vec<u8>)>,
}

impl MailboxStatus {
    /// Reads `name (ITEM value ..)`; none if it is not in that form.
    pub(super) fn parse(rest: &[u8], names: Names, limits: &Limits) -> Option<Self> {
        let mut tokens = Tokens::new(rest, 0, limits);
        let name = tokens.value().ok()??.text()?;
        let (raw, items) = match tokens.value().ok()? {
            Some(Value::List(items)) if tokens.peek().is_none() => (name.into_owned(), items),
            _ => unquoted(rest)?,
        };
        let mut status = Self { mailbox: names.shown(&raw), raw, ..Self::default() };
        let mut items = Tokens::new(items, 1, limits);
        while let Ok(Some(name)) = items.value() {
            let Ok(Some(value)) = items.value() else { break };
            if let Some(name) = name.text() {
                status.item(&String::from_utf8_lossy(&name).to_ascii_uppercase(), &value);
            }
        }
        Some(status)
    }

    fn item(&mut self, name: &str, value: &Value<'_>) {
        let large = value.number();
        let small = large.and_then(|number| u32::try_from(number).ok());
        match name {
            "MESSAGES" => self.messages = small,
            "RECENT" => self.recent = small,
            "UIDNEXT" => self.uid_next = small,
            "UIDVALIDITY" => self.uid_validity = small,
            "UNSEEN" => self.unseen = small,
            "DELETED" => self.deleted = small,
            "SIZE" => self.size = large,
            "HIGHESTMODSEQ" => self.highest_mod_seq = large,
            "APPENDLIMIT" => self.append_limit = large,
            _ => {
                let raw = match value {
                    Value::List(bytes) | Value::Broken(bytes) => bytes.to_vec(),
                    value => value.text().unwrap_or_default().into_owned(),
                };
                self.others.push((name.to_owned(), raw));
            }
        }
    }
}

/// `a b (MESSAGES 3)`: Mailutils quotes no name. The items are the last list.
fn unquoted(rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let rest = rest.trim_ascii_end();
    let mut depth = 0;
    let start = rest.iter().rposition(|byte| {
        depth += match byte {
            b')' => 1,
            b'(' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let (name, items) = rest.split_at_checked(start)?;
    items.starts_with(b"(").then(|| (name.trim_ascii_end().to_vec(), items))
}

pub(super) fn status_of<'a>(mailbox: impl Into<MailboxName<'a>>, items: &str) -> Result<(Line<'a>, Asked)> {
    let mailbox = mailbox.into();
    let wanted = String::from_utf8_lossy(mailbox.bytes()).into_owned();
    let raw = if mailbox.ambiguous().is_none() { Some(mailbox.bytes().to_vec()) } else { None };
    let line = Line::new("STATUS").mailbox(mailbox)?.words("status items", items)?;
    Ok((line, Asked { wanted, raw, names: Names::default(), told: None, named: false }))
}

/// The answer to STATUS.
pub(super) struct Asked {
    wanted: String,
    /// It on the wire, unless that hangs on how names stand there.
    raw: Option<Vec<u8>>,
    names: Names,
    told: Option<MailboxStatus>,
    /// What was told has the name that was asked for.
    named: bool,
}

impl Asked {
    /// The mailbox as it was asked for.
    fn on_wire(&self) -> Cow<'_, [u8]> {
        let encoded = || match self.names.encode(&self.wanted) {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        };
        self.raw.as_deref().map_or_else(encoded, Cow::Borrowed)
    }

    fn is(&self, raw: &[u8]) -> bool {
        let name = self.on_wire();
        // RFC 9051, 5.1: of all names this one has no case.
        name == raw || name.eq_ignore_ascii_case(b"INBOX") && raw.eq_ignore_ascii_case(&name)
    }

    /// False if a look at the name alone shows that it is another mailbox's.
    fn may_be(&self, rest: &[u8], limits: &Limits) -> bool {
        let first = Tokens::new(rest, 0, limits).value();
        let first = first.ok().flatten();
        let first = first.as_ref().and_then(Value::text);
        first.is_some_and(|name| self.is(&name)) || rest.starts_with(&self.on_wire())
    }
}

impl Collect for Asked {
    type Output = MailboxStatus;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if self.named || !data.is("STATUS", false) || !self.may_be(data.rest, limits) {
            return Ok(false);
        }
        let status = MailboxStatus::parse(data.rest, self.names, limits).filter(|status| self.is(&status.raw));
        self.named = status.is_some();
        self.told = status.or(self.told.take());
        Ok(self.named)
    }

    /// The server may call the mailbox otherwise and say no more, or tell of another one (RFC 5465): until the end nobody
    /// knows, so that it is news too.
    fn note(&mut self, data: &Untagged<'_>, limits: &Limits) {
        let other = data.is("STATUS", false) && !self.named;
        let status = other.then(|| MailboxStatus::parse(data.rest, self.names, limits)).flatten();
        self.told = status.or(self.told.take());
    }

    fn sent_as(&mut self, _: u32, names: Names) {
        self.names = names;
    }

    fn done(self, _: &Completion) -> MailboxStatus {
        let raw = self.on_wire().into_owned();
        self.told.unwrap_or_else(|| {
            let mailbox = self.names.shown(&raw);
            MailboxStatus { mailbox, raw, ..MailboxStatus::default() }
        })
    }
}
