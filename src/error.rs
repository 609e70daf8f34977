//! The one error type. Every variant says what was being done, to whom, in which phase; whether the client is still
//! usable is a fact about the client ([`Client::is_open`](crate::Client::is_open)), which [`Error::is_fatal`] repeats.
//! Text that came from a server is escaped when shown and kept to its first 512 bytes.

mod payload;
mod sasl;
mod tls;

use std::io;

pub use payload::{
    Attempt, ConnectError, Context, Escaped, InvalidArgument, LimitExceeded, NoMechanism, Phase, ProtocolError,
    Rejection, Severity, Timeout,
};
pub use sasl::{SaslCause, SaslError};
pub use tls::{CertificateRefused, HandshakeCause, HandshakeError, StartTlsCause, StartTlsError, WrongMode};

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// All that can go wrong.
///
/// Match on it only for what you handle; the predicates ([`is_timeout`](Self::is_timeout),
/// [`is_certificate`](Self::is_certificate), [`rejection`](Self::rejection), ...) answer the usual questions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument of the caller was refused before a byte was written. The client stays usable, but for a body that
    /// turned out bad while it was sent.
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
    #[error("{0}: interrupted from another thread")]
    Interrupted(Box<Context>),
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
    #[error("{0}")]
    Limit(Box<LimitExceeded>),
    /// The server refused a command: `550`, `NO`, `-ERR`. The client stays usable, unless the server said goodbye.
    #[error("{0}")]
    Rejected(Box<Rejection>),
    /// What the server said in a SASL exchange was wrong or not to be trusted. The exchange was cancelled; the client
    /// stays usable, unless the server did not agree to that.
    #[error("{0}")]
    Sasl(Box<SaslError>),
    /// `start_tls` failed; the connection is closed and no credentials were sent.
    #[error(transparent)]
    StartTls(Box<StartTlsError>),
    /// The certificate was refused, by the default check or by the event. The client is closed.
    #[error("{0}")]
    Certificate(Box<CertificateRefused>),
    /// The TLS handshake failed for another reason than the certificate. The client is closed.
    #[error(transparent)]
    Handshake(Box<HandshakeError>),
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
    /// The caller's own reader or writer failed.
    #[error("{what} failed")]
    Caller {
        /// Which one: "the body's reader".
        what: &'static str,
        /// Its error.
        source: io::Error,
        /// True if the client was closed, since a reader left half a body. What a writer did not take is read away.
        closed: bool,
    },
}

fn list(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) }
}

impl Error {
    /// An argument was refused before a byte was written; never repeat a secret in `reason`.
    pub fn invalid(argument: &'static str, reason: impl Into<Box<str>>) -> Self {
        Self::InvalidArgument(Box::new(InvalidArgument { argument, reason: reason.into(), closed: false }))
    }

    /// A handshake that failed for another reason than the certificate; for implementations of
    /// [`Tls`](crate::tls::Tls).
    pub fn handshake(peer: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Handshake(Box::new(HandshakeError {
            peer: peer.into(),
            cause: HandshakeCause::Other,
            source: source.into(),
        }))
    }

    /// A SASL exchange that has to be cancelled; for implementations of [`Mechanism`](crate::sasl::Mechanism).
    pub fn sasl(mechanism: &str, cause: SaslCause) -> Self {
        Self::Sasl(Box::new(SaslError { peer: "".into(), mechanism: mechanism.into(), cause, closed: false }))
    }

    /// Something this build, protocol or server cannot do.
    pub fn unsupported(what: impl Into<Box<str>>) -> Self {
        Self::Unsupported(what.into())
    }

    /// An upgrade that failed, for protocols that know the cause.
    pub fn start_tls(peer: &str, cause: StartTlsCause) -> Self {
        Self::StartTls(Box::new(StartTlsError { peer: peer.into(), cause }))
    }

    /// True if the client that returned this error is closed for good.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::InvalidArgument(argument) => argument.closed,
            Self::Caller { closed, .. } => *closed,
            Self::Sasl(error) => error.closed,
            Self::WrongState(_) | Self::Unsupported(_) | Self::InsecureLogin(_) | Self::NoMechanism(_) => false,
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
            Self::Handshake(error) => error.io().is_some_and(|source| is_timeout_kind(source.kind())),
            Self::StartTls(error) => error.inner().is_some_and(Self::is_timeout),
            _ => false,
        }
    }

    /// True if the server's or the network's answer may be another one later: a `4yz`, `[UNAVAILABLE]`, `[SYS/TEMP]`,
    /// `Request is throttled`, a `BYE`, a time-out, a connection that was refused or lost, a name that could not be looked
    /// up; looks through [`Error::StartTls`]. A name that does not exist is one of these, since the system's resolver does
    /// not tell it from a name service that is down: whoever tries again should not do so for ever.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Io { .. } | Self::ConnectionLost(_) | Self::Connect(_) => true,
            Self::Resolve { source, .. } => source.kind() != io::ErrorKind::InvalidInput,
            Self::Handshake(error) => error.io().is_some(),
            Self::StartTls(error) if error.inner().is_some_and(Self::is_transient) => true,
            _ => self.rejection().is_some_and(|rejection| rejection.severity == Severity::Transient),
        }
    }

    /// True if the server refused for good: `5yz`, or a `NO` or `-ERR` that does not say that it is temporary, or a `BYE`
    /// whose code says that the next connection will end so too.
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

    /// How the TLS handshake failed, if that was the reason and it was not the server's certificate; looks through
    /// [`Error::StartTls`].
    pub fn failed_handshake(&self) -> Option<&HandshakeError> {
        match self {
            Self::Handshake(failed) => Some(failed),
            Self::StartTls(error) => error.inner()?.failed_handshake(),
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
    /// lost, also to a goodbye that came in its place: it may have been done or not.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Rejected(rejection) => rejection.outcome_unknown,
            _ => self.context().is_some_and(|at| at.outcome_unknown),
        }
    }

    pub(crate) fn context(&self) -> Option<&Context> {
        match self {
            Self::Io { at, .. } | Self::ConnectionLost(at) | Self::Interrupted(at) => Some(at),
            Self::Limit(exceeded) => Some(&exceeded.at),
            Self::Timeout(timeout) => Some(&timeout.at),
            Self::Protocol(error) => Some(&error.at),
            _ => None,
        }
    }
}

impl Error {
    /// It with every text that a server has sent passed through `clean`.
    pub(crate) fn scrubbed(mut self, clean: &dyn Fn(&str) -> String) -> Self {
        let scrub = |rejection: &mut Rejection| {
            rejection.lines.iter_mut().for_each(|line| *line = clean(line));
            for text in [&mut rejection.code, &mut rejection.detail] {
                *text = text.as_deref().map(|text| clean(text).into());
            }
        };
        match &mut self {
            Self::Rejected(rejection) => scrub(rejection),
            Self::WrongMode(error) => error.received = clean(&error.received).into(),
            Self::Protocol(error) => error.received = clean(&error.received).into(),
            Self::NoMechanism(error) => error.offered.iter_mut().for_each(|name| *name = clean(name)),
            Self::StartTls(error) => match &mut error.cause {
                StartTlsCause::Refused(rejection) => scrub(rejection),
                StartTlsCause::Failed(inner) => {
                    let inner_error = std::mem::replace(&mut **inner, Self::Closed);
                    **inner = inner_error.scrubbed(clean);
                }
                _ => {}
            },
            _ => {}
        }
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a name exists is not told apart from a name service that is down, so each may pass but what no name can be.
    #[test]
    fn a_look_up_that_failed_may_do_better_later() {
        let kinds = [
            (io::ErrorKind::Other, true),
            (io::ErrorKind::NotFound, true),
            (io::ErrorKind::NetworkUnreachable, true),
            (io::ErrorKind::InvalidInput, false), // a name with NUL in it
        ];
        for (kind, passes) in kinds {
            let error = Error::Resolve { host: "mail.example.com".into(), source: kind.into() };
            assert_eq!((error.is_transient(), error.is_permanent()), (passes, false), "{kind}");
        }
    }
}
