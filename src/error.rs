//! The one error type. Every variant says what was being done, to whom, in which phase; whether the client is still
//! usable is a fact about the client ([`Client::is_open`](crate::Client::is_open)), which [`Error::is_fatal`] repeats.
//! Text that came from a server is escaped when shown and kept to its first 512 bytes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::ports::Security;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// All that can go wrong.
///
/// Match on it only for what you handle; the predicates ([`is_timeout`](Self::is_timeout),
/// [`is_certificate`](Self::is_certificate), [`rejection`](Self::rejection), ...) answer the usual questions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument of the caller was refused before a byte was written. The client stays usable.
    #[error("{0}")]
    InvalidArgument(Box<InvalidArgument>),
    /// A call in the wrong state (TLS twice, STARTTLS after login). Refused before a byte was sent; the client stays
    /// usable.
    #[error("{0}")]
    WrongState(&'static str),
    /// This build, this protocol or this server cannot do what was asked. The client stays usable.
    #[error("{0}")]
    Unsupported(Box<str>),
    /// Rule 3: no password, token or hash goes over a link that is neither TLS nor local. The client stays usable.
    #[error(
        "refused to log in to {0} over an unencrypted connection: use start_tls, connect_ssl or connect_start_tls \
             (or danger_plaintext_auth, if there is no other way)"
    )]
    InsecureLogin(Box<str>),
    /// The server offers no way to log in that this client can use. The client stays usable.
    #[error("{0}")]
    NoMechanism(Box<NoMechanism>),
    /// The host name could not be resolved.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The name as it was given.
        host: Box<str>,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address of the host could be connected to.
    #[error("{0}")]
    Connect(Box<ConnectError>),
    /// A deadline passed. The client is closed.
    #[error("{0}")]
    Timeout(Box<Timeout>),
    /// [`Interrupt::interrupt`](crate::Interrupt::interrupt) was called. The client is closed.
    #[error("interrupted from another thread")]
    Interrupted,
    /// Reading from or writing to the connection failed. The client is closed.
    #[error("{at}: input or output failed")]
    Io {
        /// What was being done, and to whom.
        at: Box<Context>,
        /// What the operating system or the TLS library said.
        source: io::Error,
    },
    /// The connection ended where an answer was due. The client is closed.
    #[error("{0}: the server closed the connection")]
    ConnectionLost(Box<Context>),
    /// The client was closed by an earlier error, time-out or interrupt.
    #[error("the connection is closed, by an earlier error")]
    Closed,
    /// The server broke the protocol. The client is closed.
    #[error("{0}")]
    Protocol(Box<ProtocolError>),
    /// The server sent more than a limit allows. The client is closed.
    #[error("{at}: more than {max} {what}")]
    Limit {
        /// What was being done, and to whom.
        at: Box<Context>,
        /// What is limited, with its unit: "bytes in a reply line".
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The server refused a command: `550`, `NO`, `-ERR`. The client stays usable, unless the server said goodbye.
    #[error("{0}")]
    Rejected(Box<Rejection>),
    /// `start_tls` failed; the connection is closed and no credentials were sent.
    #[error("{0}")]
    StartTls(Box<StartTlsError>),
    /// The certificate was refused, by the default check or by the event. The client is closed.
    #[error("{0}")]
    Certificate(Box<CertificateRefused>),
    /// The TLS handshake failed for another reason than the certificate. The client is closed.
    #[error("TLS handshake with {peer} failed")]
    Handshake {
        /// To whom.
        peer: Box<str>,
        /// What the TLS library or the transport said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Plain text where TLS was expected, or the reverse: the wrong verb for this port. The client is closed.
    #[error("{0}")]
    WrongMode(Box<WrongMode>),
    /// There is no root certificate to check the server's certificate against.
    #[error("no root certificates: the system has none (install the package ca-certificates, or name a file in \
             SSL_CERT_FILE or a directory in SSL_CERT_DIR), and none were added{}", list(.errors))]
    NoRootCertificates {
        /// What went wrong when the system's were read.
        errors: Vec<String>,
    },
    /// The caller's own reader or writer failed. After a half-sent body the client is closed.
    #[error("{what} failed")]
    Caller {
        /// Which one: "the body's reader".
        what: &'static str,
        /// Its error.
        source: io::Error,
    },
}

fn list(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) }
}

impl Error {
    /// An argument was refused before a byte was written; never repeat a secret in `reason`.
    pub fn invalid(argument: &'static str, reason: impl Into<Box<str>>) -> Self {
        Self::InvalidArgument(Box::new(InvalidArgument { argument, reason: reason.into() }))
    }

    /// Something this build, protocol or server cannot do.
    pub fn unsupported(what: impl Into<Box<str>>) -> Self {
        Self::Unsupported(what.into())
    }

    /// True if the client that returned this error is closed for good.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::InvalidArgument(_) | Self::WrongState(_) | Self::Unsupported(_) => false,
            Self::InsecureLogin(_) | Self::NoMechanism(_) => false,
            Self::Rejected(rejection) => rejection.closing,
            _ => true,
        }
    }

    /// True if a deadline passed.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Io { source, .. } => is_timeout_kind(source.kind()),
            Self::Connect(error) => error.attempts.iter().all(|attempt| is_timeout_kind(attempt.error.kind())),
            Self::StartTls(error) => error.inner().is_some_and(Self::is_timeout),
            _ => false,
        }
    }

    /// True if the server's or the network's answer may be another one later: a `4yz`, `[UNAVAILABLE]`, `[SYS/TEMP]`,
    /// a time-out, a connection that was refused or lost.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Io { .. } | Self::ConnectionLost(_) | Self::Connect(_) => true,
            _ => self.rejection().is_some_and(|rejection| rejection.severity == Severity::Transient),
        }
    }

    /// True if the server refused for good: `5yz`, or a `NO` or `-ERR` that does not say that it is temporary.
    pub fn is_permanent(&self) -> bool {
        self.rejection().is_some_and(|rejection| rejection.severity == Severity::Permanent)
    }

    /// True if the server's certificate was refused; looks through [`Error::StartTls`].
    pub fn is_certificate(&self) -> bool {
        self.certificate().is_some()
    }

    /// What was wrong with the certificate, if that was the reason; looks through [`Error::StartTls`].
    pub fn certificate(&self) -> Option<&CertificateRefused> {
        match self {
            Self::Certificate(refused) => Some(refused),
            Self::StartTls(error) => error.inner()?.certificate(),
            _ => None,
        }
    }

    /// The server's refusal, if that was the reason; looks through [`Error::StartTls`].
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::StartTls(error) => match &error.cause {
                StartTlsCause::Refused(rejection) => Some(rejection),
                _ => error.inner()?.rejection(),
            },
            _ => None,
        }
    }

    /// True if a command that changes the server's state (a message, a deletion) was sent whole and its answer was
    /// lost: it may have been done or not.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Io { at, .. } | Self::ConnectionLost(at) | Self::Limit { at, .. } => at.outcome_unknown,
            Self::Timeout(timeout) => timeout.at.outcome_unknown,
            Self::Protocol(error) => error.at.outcome_unknown,
            _ => false,
        }
    }
}

fn is_timeout_kind(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
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
    /// Waiting for the answer to a whole body.
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
            Self::FinalAnswer => "waiting for the answer to a body",
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
    /// See [`Error::outcome_unknown`].
    pub outcome_unknown: bool,
}

impl Context {
    /// A context with no command under way.
    pub fn new(phase: Phase, peer: &str) -> Self {
        Self { phase, peer: peer.into(), command: "", outcome_unknown: false }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.phase)?;
        if !self.command.is_empty() {
            write!(f, " ({})", self.command)?;
        }
        if self.outcome_unknown { f.write_str("; whether it was carried out is unknown") } else { Ok(()) }
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
    /// What to try instead, where the silence itself is a hint.
    pub hint: Option<Box<str>>,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: timed out", self.at)?;
        if let Some(limit) = self.limit {
            write!(f, " after {} s", limit.as_secs_f32())?;
        }
        if let Some(hint) = &self.hint { write!(f, " ({hint})") } else { Ok(()) }
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
        if self.received.is_empty() { Ok(()) } else { write!(f, ": `{}`", self.received.escape_debug()) }
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
    /// The enhanced status or response code, if there was one.
    pub code: Option<Box<str>>,
    /// The text, a line each.
    pub lines: Vec<String>,
    /// Whether it may pass.
    pub severity: Severity,
    /// True if the server closes the connection with it (`421`, `BYE`).
    pub closing: bool,
}

impl Rejection {
    /// A refusal that leaves the connection open.
    pub fn new(command: &str, status: &str, severity: Severity, lines: Vec<String>) -> Self {
        let (command, status) = (command.into(), status.into());
        Self { command, status, code: None, lines, severity, closing: false }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused {}: {}", self.command, self.status)?;
        if let Some(code) = &self.code {
            write!(f, " [{}]", code.escape_debug())?;
        }
        for (n, line) in self.lines.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { " " } else { " / " }, line.escape_debug())?;
        }
        Ok(())
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
        write!(f, "{} offers no way to log in that can be used: offered {}", self.peer, offered.escape_debug())?;
        write!(f, "; possible {possible}")?;
        if self.secure { Ok(()) } else { f.write_str("; many servers offer more after start_tls") }
    }
}

/// Why an upgrade failed. There is no third outcome beside this and success.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartTlsError {
    /// The server as it was named.
    pub peer: Box<str>,
    /// Why.
    pub cause: StartTlsCause,
}

/// Why an upgrade failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartTlsCause {
    /// The server does not offer it.
    NotOffered,
    /// The server refused the command.
    Refused(Box<Rejection>),
    /// The session was authenticated from the start (`PREAUTH`), so no upgrade can be trusted.
    Preauth,
    /// The server sent something before it was asked.
    EarlyAnswer,
    /// This many bytes of plain text came after the server's go-ahead.
    EarlyData(usize),
    /// Everything else: a time-out, the handshake, the certificate, no TLS in this build.
    Failed(Box<Error>),
}

impl StartTlsError {
    fn inner(&self) -> Option<&Error> {
        match &self.cause {
            StartTlsCause::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for StartTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: start_tls failed: ", self.peer)?;
        match &self.cause {
            StartTlsCause::NotOffered => f.write_str("the server does not offer it"),
            StartTlsCause::Refused(rejection) => write!(f, "{rejection}"),
            StartTlsCause::Preauth => f.write_str("the session is authenticated already (PREAUTH)"),
            StartTlsCause::EarlyAnswer => f.write_str("the server answered before it was asked"),
            StartTlsCause::EarlyData(n) => write!(f, "{n} bytes of plain text after the go-ahead"),
            StartTlsCause::Failed(error) => write!(f, "{error}"),
        }
    }
}

/// A certificate that was refused: what was wrong with it, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateRefused {
    /// The name that the certificate had to be for.
    pub server_name: Box<str>,
    /// Every failure that was found; empty if only the event refused it.
    pub errors: crate::tls_info::CertificateErrors,
    /// True if `server_certificate_validate` decided it, false if no event was set.
    pub by_event: bool,
    /// The chain as it was received, leaf first, in DER.
    pub chain: Vec<Vec<u8>>,
    /// What the TLS library said, for people.
    pub detail: Box<str>,
}

impl fmt::Display for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate of {} was refused", self.server_name)?;
        if self.by_event {
            f.write_str(" by server_certificate_validate")?;
        }
        if !self.errors.is_empty() {
            write!(f, ": {}", self.errors)?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail.escape_debug()) }
    }
}

/// Plain text where TLS was expected, or the reverse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongMode {
    /// The server as it was named.
    pub peer: Box<str>,
    /// How the connection was opened.
    pub security: Security,
    /// The first bytes of the server, lossily as text, at most 512 of them.
    pub received: Box<str>,
    /// Which verb and port to use instead.
    pub advice: Box<str>,
}

impl fmt::Display for WrongMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let received = self.received.escape_debug();
        match self.security {
            Security::Tls | Security::StartTls => write!(f, "{} answered `{received}` instead of TLS", self.peer)?,
            Security::Plain => write!(f, "{} speaks TLS from the first byte", self.peer)?,
        }
        write!(f, ": {}", self.advice)
    }
}
