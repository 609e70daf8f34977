//! ENABLE (RFC 5161), ID (RFC 2971), and any command that has no verb.

use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::strings::words;
use super::tokens::{Tokens, Value};
use super::{Imap, ResponseCode};
use crate::wire::{Flaw, Wire};
use crate::{Client, Error, Limits, Result};

impl Client<Imap> {
    /// Turns extensions on (RFC 9051, 6.3.1), and returns those that the server has turned on. With `UTF8=ACCEPT` or
    /// `IMAP4rev2` mailbox names go over the wire in UTF-8 from then on; nothing changes for callers.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE UTF8=ACCEPT] ready\n\
    /// #      C: A1 ENABLE CONDSTORE X-NEW\n\
    /// #      S: * ENABLED CONDSTORE\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// assert_eq!(imap.enable(&["CONDSTORE", "X-NEW"])?, ["CONDSTORE"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer ENABLE; [`Error::Rejected`] in the wrong state.
    pub fn enable(&mut self, extensions: &[&str]) -> Result<Vec<String>> {
        self.exchange(|imap, wire| {
            let mut line = Line::new("ENABLE").needing("ENABLE");
            for extension in extensions {
                line = line.atom("extension", extension)?;
            }
            if extensions.is_empty() {
                return Err(Error::invalid("extension", "is missing"));
            }
            imap.perform(wire, (line, Enabled { names: Vec::new() }))
        })
    }

    /// Says who the client is, and returns what the server says of itself (RFC 2971). With no fields it says nothing.
    /// [`Imap::identity`] does it with the log-in.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ID] ready\n\
    /// #      C: A1 ID (\"name\" \"my-program\" \"version\" \"1.0\")\n\
    /// #      S: * ID (\"name\" \"Dovecot\" \"os\" NIL)\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let server = imap.id(&[("name", "my-program"), ("version", "1.0")])?;
    /// assert_eq!(server, [("name".to_owned(), Some("Dovecot".to_owned())), ("os".to_owned(), None)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer it; [`Error::InvalidArgument`] as for [`Imap::identity`].
    pub fn id(&mut self, fields: &[(&str, &str)]) -> Result<Vec<(String, Option<String>)>> {
        self.exchange(|imap, wire| {
            let (line, said) = identifying(fields)?;
            imap.perform(wire, (line.needing("ID"), said))
        })
    }

    /// Sends a command that has no verb, as it is, and returns all that comes before its OK, as it is: but for sections of
    /// messages, which [`fetch`](Self::fetch) gives, and for capabilities and alerts, which are where they always are. A name
    /// of a mailbox goes in by [`MailboxName::to_utf7`](super::MailboxName::to_utf7).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 QUOTA] ready\n\
    /// #      C: A1 GETQUOTAROOT INBOX\n\
    /// #      S: * QUOTAROOT INBOX \"\"\n\
    /// #      S: * QUOTA \"\" (STORAGE 10 512)\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let answer = imap.command("GETQUOTAROOT INBOX")?;
    /// assert_eq!(answer.lines[1], b"* QUOTA \"\" (STORAGE 10 512)");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF, NUL, what is not ASCII, a trailing `{5}`, and for commands that log in or
    /// change what the bytes mean (STARTTLS, AUTHENTICATE, IDLE, APPEND, ..); [`Error::Rejected`] for NO and BAD;
    /// [`Error::Limit`] for more than `limits.collected` bytes.
    pub fn command(&mut self, command: &str) -> Result<RawAnswer> {
        self.exchange(|imap, wire| imap.perform(wire, anything(command)?))
    }
}

/// What a server has answered to [`Client::command`](crate::Client::command).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawAnswer {
    /// The untagged responses as they were sent, each with its literals and without its line end.
    pub lines: Vec<Vec<u8>>,
    /// The response code of the tagged OK.
    pub code: Option<ResponseCode>,
    /// The text of the tagged OK.
    pub text: String,
}

pub(super) fn anything(command: &str) -> Result<(Line<'_>, Raw)> {
    Ok((Line::of_the_callers(command)?, Raw::default()))
}

/// The answer to a command of the caller's.
#[derive(Default)]
pub(super) struct Raw {
    lines: Vec<Vec<u8>>,
}

impl Collect for Raw {
    type Output = RawAnswer;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if self.lines.len() >= limits.list_entries {
            return Err(Flaw::TooMuch { what: "lines of an answer", max: limits.list_entries as u64 });
        }
        self.lines.push(data.whole.to_vec());
        Ok(true)
    }

    fn done(self, done: &Completion) -> RawAnswer {
        let code = done.code().map(|code| ResponseCode::new(&code));
        RawAnswer { lines: self.lines, code, text: String::from_utf8_lossy(done.text()).into_owned() }
    }
}

/// The answer to ENABLE. What it means for names is seen to where every response is.
struct Enabled {
    names: Vec<String>,
}

impl Collect for Enabled {
    type Output = Vec<String>;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if !data.is("ENABLED", false) {
            return Ok(false);
        }
        self.names.extend(words(data.rest).map(|name| String::from_utf8_lossy(name).into_owned()));
        if self.names.len() > limits.capabilities {
            return Err(Flaw::TooMuch { what: "capabilities", max: limits.capabilities as u64 });
        }
        Ok(true)
    }

    fn done(self, _: &Completion) -> Vec<String> {
        self.names
    }
}

// ---- ID ----

/// When [`Imap::identity`] is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdTime {
    /// Before the log-in.
    BeforeLogin,
    /// Right after it.
    AfterLogin,
}

/// What ID says, and when.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) time: IdTime,
    fields: Vec<(String, String)>,
}

impl Identity {
    pub(super) fn new<'f>(time: IdTime, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self> {
        let fields: Vec<(&str, &str)> = fields.into_iter().collect();
        identifying(&fields)?;
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(Self { time, fields: fields.into_iter().map(owned).collect() })
    }

    pub(super) fn line(&self) -> Result<(Line<'static>, Said)> {
        let fields: Vec<(&str, &str)> = self.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        identifying(&fields)
    }
}

impl Imap {
    /// Says who the client is, if that is asked for at this time and the server wants to know. A refusal is no error:
    /// nothing may depend on it, RFC 2971 3.
    pub(super) fn identify(&mut self, wire: &mut Wire, time: IdTime) -> Result<()> {
        let Some(identity) = self.identity.clone().filter(|identity| identity.time == time) else { return Ok(()) };
        if !self.learn_capabilities(wire)?.has("ID") {
            return Ok(());
        }
        match self.perform(wire, identity.line()?) {
            Err(error) if error.is_fatal() => Err(error),
            _ => Ok(()),
        }
    }
}

fn identifying(fields: &[(&str, &str)]) -> Result<(Line<'static>, Said)> {
    const ARGUMENT: &str = "identity";
    // RFC 2971, 3.3.
    let fits = |(name, value): &(&str, &str)| name.len() <= 30 && value.len() <= 1024;
    if fields.len() > 30 || !fields.iter().all(fits) {
        return Err(Error::invalid(ARGUMENT, "has more than 30 fields, or a field that is too long"));
    }
    if fields.is_empty() {
        return Ok((Line::new("ID").own(" NIL"), Said(Vec::new())));
    }
    let mut line = Line::new("ID").own(" (");
    for (n, (name, value)) in fields.iter().enumerate() {
        line = line.own(if n == 0 { "" } else { " " }).glued(ARGUMENT, name)?.any_string(ARGUMENT, value)?;
    }
    Ok((line.own(")"), Said(Vec::new())))
}

/// The answer to ID.
pub(super) struct Said(Vec<(String, Option<String>)>);

impl Collect for Said {
    type Output = Vec<(String, Option<String>)>;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if !data.is("ID", false) {
            return Ok(false);
        }
        let Some(Value::List(fields)) = Tokens::new(data.rest, 0, limits).value()? else { return Ok(true) };
        let mut tokens = Tokens::new(fields, 1, limits);
        let shown = |value: Value<'_>| value.text().map(|text| String::from_utf8_lossy(&text).into_owned());
        while let Some(name) = tokens.value()? {
            let value = tokens.value()?.and_then(shown);
            if self.0.len() < limits.capabilities {
                self.0.extend(shown(name).map(|name| (name, value)));
            }
        }
        Ok(true)
    }

    fn done(self, _: &Completion) -> Self::Output {
        self.0
    }
}
