//! What the variants of [`Error`] carry that concern TLS. Server text is escaped when shown.

use std::fmt;
use std::io;

use super::{Error, Escaped, Rejection};
use crate::ports::Security;

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
    pub(super) fn inner(&self) -> Option<&Error> {
        match &self.cause {
            StartTlsCause::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// What is behind the cause, whose own text is in this one's.
impl std::error::Error for StartTlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner()?.source()
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
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateRefused {
    /// The name that the certificate had to be for.
    pub server_name: Box<str>,
    /// Every failure that was found; empty if only the event refused it. How much is found depends on the back end, see
    /// [`tls`](crate::tls).
    pub errors: crate::tls_info::CertificateErrors,
    /// True if `server_certificate_validate` decided it, false if no event was set.
    pub by_event: bool,
    /// The chain as it was received, leaf first, in DER; on native-tls the leaf alone, and nothing without the event.
    pub chain: Vec<Vec<u8>>,
    /// What the TLS library said, for people.
    pub detail: Box<str>,
}

/// The certificates by their sizes: their bytes would bury the reason where a program prints what its `main` returns.
impl fmt::Debug for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.chain.iter().map(|certificate| format!("{} bytes", certificate.len())).collect();
        f.debug_struct("CertificateRefused")
            .field("server_name", &self.server_name)
            .field("errors", &self.errors)
            .field("by_event", &self.by_event)
            .field("chain", &sizes)
            .field("detail", &self.detail)
            .finish()
    }
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
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", Escaped(&self.detail)) }
    }
}

/// A TLS handshake that failed for another reason than the certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("TLS handshake with {peer} failed")]
pub struct HandshakeError {
    /// To whom.
    pub peer: Box<str>,
    /// What the TLS library or the transport said.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl HandshakeError {
    /// The transport's failure, if that was the reason.
    pub(super) fn io(&self) -> Option<&io::Error> {
        self.source.downcast_ref()
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
        let received = Escaped(&self.received);
        match self.security {
            Security::Tls | Security::StartTls => write!(f, "{} answered `{received}` instead of TLS", self.peer)?,
            Security::Plain => write!(f, "{} speaks TLS from the first byte", self.peer)?,
        }
        write!(f, ": {}", self.advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_shows_the_bytes_of_a_certificate() {
        let errors = crate::tls_info::CertificateErrors::SELF_SIGNED;
        let chain = vec![vec![77; 300], vec![77; 20]];
        let refused =
            CertificateRefused { server_name: "mail.lan".into(), errors, by_event: true, chain, detail: "".into() };
        let shown = format!("{refused:?} {refused}");
        assert!(shown.contains("300 bytes") && shown.contains("self-signed") && !shown.contains("77"), "{shown}");
    }
}
