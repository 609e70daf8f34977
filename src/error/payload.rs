//! What the variants of [`Error`](super::Error) carry. Text that came from a server is escaped when shown.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Text of a server as it is shown: with its control characters escaped, so that it cannot steer a terminal.
///
/// ```
/// use mailconnect::errors::Escaped;
/// assert_eq!(Escaped("don't \x1b[31mpanic").to_string(), "don't \\u{1b}[31mpanic");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

/// Which argument was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidArgument {
    /// The argument's name: "address", "password", "mailbox".
    pub argument: &'static str,
    /// Why: "contains a line feed at offset 7". Never repeats a secret.
    pub reason: Box<str>,
    /// True if the client was closed: half a body had been announced or sent, and cannot be taken back.
    pub closed: bool,
}

impl fmt::Display for InvalidArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: {}", self.argument, self.reason)
    }
}

/// What a connection is doing; each phase has its time-out in [`Timeouts`](crate::Timeouts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Asking the name service for addresses.
    Resolve,
    /// Waiting for a connection.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Waiting for the server's greeting.
    Greeting,
    /// Asking for an upgrade to TLS.
    StartTls,
    /// Logging in.
    Login,
    /// A command and its answer.
    Command,
    /// Sending or receiving a body.
    Body,
    /// Waiting for the answer to a whole body, or to a command that may take long; see
    /// [`Timeouts::final_answer`](crate::Timeouts::final_answer).
    FinalAnswer,
    /// Saying goodbye.
    Quit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the name",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::Greeting => "waiting for the greeting",
            Self::StartTls => "asking for TLS",
            Self::Login => "logging in",
            Self::Command => "a command",
            Self::Body => "transferring a body",
            Self::FinalAnswer => "waiting for the final answer",
            Self::Quit => "saying goodbye",
        })
    }
}

/// What was being done, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The phase.
    pub phase: Phase,
    /// The server as it was named: `mail.example.com:587`.
    pub peer: Box<str>,
    /// The command whose answer was due: `DATA`. Empty if none was.
    pub command: &'static str,
    /// See [`Error::outcome_unknown`](crate::Error::outcome_unknown).
    pub outcome_unknown: bool,
    /// What to try instead, where the failure itself is a hint.
    pub hint: Option<Box<str>>,
}

impl Context {
    /// A context with no command under way.
    pub fn new(phase: Phase, peer: &str) -> Self {
        Self { phase, peer: peer.into(), command: "", outcome_unknown: false, hint: None }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.phase)?;
        if !self.command.is_empty() {
            write!(f, " ({})", self.command)?;
        }
        if self.outcome_unknown {
            f.write_str("; whether it was carried out is unknown")?;
        }
        if let Some(hint) = &self.hint { write!(f, " [{hint}]") } else { Ok(()) }
    }
}

/// Which deadline passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeout {
    /// What was being done, and to whom.
    pub at: Context,
    /// How long it was allowed to take, if one phase's time-out was the limit.
    pub limit: Option<Duration>,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: timed out", self.at)?;
        if let Some(limit) = self.limit {
            write!(f, " after {} s", limit.as_secs_f32())?;
        }
        Ok(())
    }
}

/// Every address that was tried, and why each failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectError {
    /// The server as it was named.
    pub peer: Box<str>,
    /// In the order in which they were tried.
    pub attempts: Vec<Attempt>,
}

/// One address that could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address; none for a Unix socket or a caller's own dialer.
    pub address: Option<SocketAddr>,
    /// Why it failed.
    pub error: io::Error,
}

impl Attempt {
    pub(crate) fn new(address: Option<SocketAddr>, error: io::Error) -> Self {
        Self { address, error }
    }
}

impl ConnectError {
    pub(crate) fn new(peer: &str, attempts: Vec<Attempt>) -> Self {
        Self { peer: peer.into(), attempts }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}", self.peer)?;
        for (n, attempt) in self.attempts.iter().enumerate() {
            f.write_str(if n == 0 { ": " } else { "; " })?;
            match attempt.address {
                Some(address) => write!(f, "{address}: {}", attempt.error)?,
                None => write!(f, "{}", attempt.error)?,
            }
        }
        Ok(())
    }
}

/// What the server did that the protocol does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolError {
    /// What was being done, and to whom.
    pub at: Context,
    /// What was wrong.
    pub what: Box<str>,
    /// The bytes in question, lossily as text, at most 512 of them.
    pub received: Box<str>,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)?;
        if self.received.is_empty() { Ok(()) } else { write!(f, ": `{}`", Escaped(&self.received)) }
    }
}

/// Whether a refusal may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Severity {
    /// The same command may be taken later.
    Transient,
    /// The same command will be refused again.
    Permanent,
}

/// Which limit the server exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitExceeded {
    /// What was being done, and to whom.
    pub at: Context,
    /// What is limited, with its unit: "bytes in a reply line".
    pub what: &'static str,
    /// The limit.
    pub max: u64,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: more than {} {}", self.at, self.max, self.what)
    }
}

/// A command that the server refused, in the terms of every protocol.
///
/// | | status | code |
/// |---|---|---|
/// | SMTP | `550` | `5.1.1` |
/// | IMAP | `NO` | `AUTHENTICATIONFAILED` |
/// | POP3 | `-ERR` | `SYS/TEMP` |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The command: `RCPT`.
    pub command: Box<str>,
    /// The server's status: `550`, `NO`, `BAD`, `-ERR`.
    pub status: Box<str>,
    /// The enhanced status or response code, if there was one: whole, where a text shows its first 512 bytes.
    pub code: Option<Box<str>>,
    /// The text, a line each.
    pub lines: Vec<String>,
    /// What the server told of the reason before it refused: the JSON of a token that it does not take (RFC 7628), the
    /// error of SCRAM (RFC 5802). As it came, up to 512 characters.
    pub detail: Option<Box<str>>,
    /// What else it may mean, and what to try then.
    pub hint: Option<Box<str>>,
    /// Whether it may pass.
    pub severity: Severity,
    /// True if the connection ends with it: the server says that it closes (`421`, `BYE`), or it refused where nothing can
    /// follow (in place of a greeting, in the middle of a message).
    pub closing: bool,
    /// True if it is a goodbye that came in place of an answer (IMAP's `BYE`, which answers no command), and a command that
    /// changes the server's state had been sent whole; see [`Error::outcome_unknown`](crate::Error::outcome_unknown). SMTP's
    /// `421` is the answer to the command, and POP3 has no goodbye of its own.
    pub outcome_unknown: bool,
}

impl Rejection {
    /// A refusal that leaves the connection open.
    pub fn new(command: &str, status: &str, severity: Severity, lines: Vec<String>) -> Self {
        let (command, status) = (command.into(), status.into());
        Self {
            command,
            status,
            code: None,
            lines,
            detail: None,
            hint: None,
            severity,
            closing: false,
            outcome_unknown: false,
        }
    }
}

/// Bytes of a response code that a text shows; the code itself is kept whole.
const SHOWN: usize = 512;

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused {}: {}", self.command, self.status)?;
        if let Some(code) = &self.code {
            let end = (0..=SHOWN).rev().find(|end| code.is_char_boundary(*end)).unwrap_or_default();
            let shown = code.get(..end).unwrap_or(code);
            write!(f, " [{}{}]", Escaped(shown), if shown.len() < code.len() { ".." } else { "" })?;
        }
        for (n, line) in self.lines.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { " " } else { " / " }, Escaped(line))?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "; it gave as the reason: {}", Escaped(detail))?;
        }
        if self.outcome_unknown {
            f.write_str("; whether the command under way was carried out is unknown")?;
        }
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

/// What was offered for logging in, and what this client could have used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoMechanism {
    /// The server as it was named.
    pub peer: Box<str>,
    /// SASL names as the server offers them.
    pub offered: Vec<String>,
    /// SASL names that this call could have used.
    pub possible: Vec<String>,
    /// True if the connection has TLS; without it many servers offer nothing.
    pub secure: bool,
}

impl fmt::Display for NoMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
        let (offered, possible) = (join(&self.offered), join(&self.possible));
        write!(f, "{} offers no way to log in that can be used: offered {}", self.peer, Escaped(&offered))?;
        write!(f, "; possible {possible}")?;
        let only = |names: &[&'static str]| {
            let has = |all: &[String], name: &str| all.iter().any(|known| known.eq_ignore_ascii_case(name));
            names.iter().copied().find(|name| has(&self.offered, name) && !has(&self.possible, name))
        };
        if let Some(name) = only(&["CRAM-MD5", "APOP"]) {
            write!(f, "; {name} on request only, see Connector::mechanisms")?;
        }
        if let Some(name) = only(&["OAUTHBEARER", "XOAUTH2"]) {
            write!(f, "; {name} takes a token, not a password: see authenticate")?;
        }
        if self.secure { Ok(()) } else { f.write_str("; many servers offer more after start_tls") }
    }
}
