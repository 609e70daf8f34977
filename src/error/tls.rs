//! What the variants of [`Error`] carry that concern TLS. Server text is escaped when shown.

use std::fmt;
use std::io;

use super::{Error, Escaped, Rejection};
use crate::certificate::{Certificate, CertificateErrors, Date};
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
///
/// `Display` says it in one bounded line, with all server text escaped: `the certificate of mail.example.com was refused
/// by the default check: self-signed, expired 2026-11-16; issued for a.example, b.example, valid 2025-11-16 to
/// 2026-11-16; SHA-256 12:34:...`, and what to do about it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateRefused {
    /// The name that the certificate had to be for.
    pub server_name: Box<str>,
    /// Every failure that was found; empty if only the event refused it. How much is found depends on the back end, see
    /// [`tls`](crate::tls).
    pub errors: CertificateErrors,
    /// True if `server_certificate_validate` decided it, false if no event was set.
    pub by_event: bool,
    /// The chain as it was received, leaf first, in DER; on native-tls the leaf alone, and nothing without the event.
    pub chain: Vec<Vec<u8>>,
    /// What the TLS library said, for people.
    pub detail: Box<str>,
    /// When it was checked.
    pub(crate) now: Date,
}

impl CertificateRefused {
    /// The server's own certificate, the first of `chain`, to look at.
    pub fn certificate(&self) -> Option<Certificate<'_>> {
        self.chain.first().map(|der| Certificate::new(der))
    }

    /// A failure, with the day where there is one. It may be that of an issuer.
    fn failure(&self, error: CertificateErrors) -> String {
        use CertificateErrors as E;

        let dates = self.certificate().and_then(|leaf| Some((leaf, leaf.not_before()?, leaf.not_after()?)));
        match dates {
            Some((leaf, _, last)) if error == E::EXPIRED && leaf.date_errors(self.now) == E::EXPIRED => {
                format!("{error} {last}")
            }
            Some((leaf, first, _)) if error == E::NOT_YET_VALID && leaf.date_errors(self.now) == error => {
                format!("{error}, but from {first} on")
            }
            Some(_) if error == E::EXPIRED || error == E::NOT_YET_VALID => format!("an issuer's is {error}"),
            _ => error.to_string(),
        }
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
        use CertificateErrors as E;

        let untrusted = E::SELF_SIGNED | E::UNKNOWN_ISSUER | E::CHAIN_ERROR;
        if self.errors.intersects(E::REVOKED | E::NO_CERTIFICATE) || self.errors.is_empty() {
            ""
        } else if self.chain.is_empty() {
            "to see it, set server_certificate_validate"
        } else if self.errors.contains(E::WEAK_KEY) {
            "the server needs a stronger key; rustls takes no such key, whatever the event says"
        } else if self.errors.intersects(untrusted) {
            "if this is the right server, trust its issuer by root_certificates_pem or pin it by tls::policy"
        } else if self.errors.contains(E::NAME_MISMATCH) {
            "connect to a name that it is for, or say by server_name which one is meant"
        } else if self.errors.contains(E::EXPIRED) {
            "the server's operator must renew it, unless this machine's clock is wrong"
        } else if self.errors.contains(E::NOT_YET_VALID) {
            "this machine's clock may be wrong"
        } else {
            ""
        }
    }
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
        let by = if self.by_event { "server_certificate_validate" } else { "the default check" };
        write!(f, "the certificate of {} was refused by {by}", Escaped(&self.server_name))?;
        if !self.errors.is_empty() {
            write!(f, ": {}", self.errors.iter().map(|error| self.failure(error)).collect::<Vec<_>>().join(", "))?;
        }
        if let Some(leaf) = self.certificate() {
            write!(f, "; issued for {}", leaf.names_for_people())?;
            if let (Some(first), Some(last)) = (leaf.not_before(), leaf.not_after()) {
                write!(f, ", valid {first} to {last}")?;
            }
            leaf.sha256().map_or(Ok(()), |sha256| write!(f, "; SHA-256 {sha256}"))?;
        }
        match self.advice() {
            "" => {}
            advice => write!(f, "; {advice}")?,
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", Escaped(&self.detail)) }
    }
}

/// A TLS handshake that failed for another reason than the certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("TLS handshake with {peer} failed{cause}")]
pub struct HandshakeError {
    /// To whom.
    pub peer: Box<str>,
    /// What the failure means, where that can be told.
    pub cause: HandshakeCause,
    /// What the TLS library or the transport said.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What a failed handshake means, as far as the server's alert (RFC 8446 6) tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeCause {
    /// Nothing of the below; the source says more.
    #[default]
    Other,
    /// The server speaks no version of TLS that is allowed here.
    TlsVersion,
    /// The server found nothing that both sides can do: no version of TLS, no cipher suite or no kind of key.
    NothingInCommon,
    /// The server closed the connection instead of saying anything. It need not have a reason to do with TLS, but Dovecot,
    /// for one, does that where it speaks no version that is allowed here.
    HungUp,
    /// The server knows nothing of the protocol by the name that TLS told it (ALPN, RFC 7301).
    ApplicationProtocol,
    /// The server demands a certificate of the client, and none was given. With TLS 1.3 it says so after the handshake,
    /// as the answer to whatever is asked first.
    ClientCertificateMissing,
    /// The server did not take the certificate of the client.
    ClientCertificateRefused,
}

/// Empty, or `: ` and what to do.
impl fmt::Display for HandshakeCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "",
            Self::TlsVersion => {
                ": the server speaks no version of TLS that is allowed here (see Connector::min_tls_version)"
            }
            Self::NothingInCommon => {
                ": the server and this side have no version of TLS, no cipher suite or no kind of key in common"
            }
            Self::HungUp => {
                ": the server hung up at once, as some do that speak no version of TLS that is allowed here"
            }
            Self::ApplicationProtocol => {
                ": the server refused the protocol by its ALPN name (Connector::alpn(false) does not send it)"
            }
            Self::ClientCertificateMissing => {
                ": the server demands a client certificate, and none was given (see Connector::client_identity_pem)"
            }
            Self::ClientCertificateRefused => ": the server refused the client certificate",
        })
    }
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
    use CertificateErrors as E;

    fn refused(errors: E, chain: Vec<Vec<u8>>) -> CertificateRefused {
        let now = Date::new(1_800_000_000);
        CertificateRefused { server_name: "mail.lan".into(), errors, by_event: true, chain, detail: "".into(), now }
    }

    fn certificate(names: Vec<String>, last_year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 2);
        params.not_after = rcgen::date_time_ymd(last_year, 11, 16);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn no_text_shows_the_bytes_of_a_certificate() {
        let refused = refused(E::SELF_SIGNED, vec![vec![77; 300], vec![77; 20]]);
        let shown = format!("{refused:?} {}", refused.to_string().split("SHA-256").next().unwrap());
        assert!(shown.contains("300 bytes") && shown.contains("self-signed") && !shown.contains("77"), "{shown}");
    }

    #[test]
    fn a_refusal_says_what_is_wrong_who_said_so_and_what_to_do() {
        let der = certificate(vec!["a.example".to_owned(), "b.example".to_owned(), "192.0.2.1".to_owned()], 2026);
        let fingerprint = Certificate::new(&der).sha256().map_or(String::new(), |sha256| format!("; SHA-256 {sha256}"));
        let mut error = refused(E::EXPIRED | E::SELF_SIGNED | E::NAME_MISMATCH, vec![der]);
        error.detail = "bad\r\nnews".into();
        let expected = "the certificate of mail.lan was refused by server_certificate_validate: self-signed, \
                        expired 2026-11-16, issued for another name; issued for a.example, b.example, 192.0.2.1, \
                        valid 2025-01-02 to 2026-11-16";
        let advice = "if this is the right server, trust its issuer by root_certificates_pem or pin it by tls::policy";
        assert_eq!(error.to_string(), format!("{expected}{fingerprint}; {advice} (bad\\r\\nnews)"));
        (error.by_event, error.errors) = (false, E::NAME_MISMATCH);
        let text = error.to_string();
        assert!(text.contains("by the default check: issued for another name;") && text.contains("by server_name"));
    }

    #[test]
    fn the_date_of_an_issuer_is_not_taken_for_the_certificates_own() {
        let mut error = refused(E::EXPIRED, vec![certificate(vec!["a.example".to_owned()], 2030)]);
        assert!(error.to_string().contains("validate: an issuer's is expired; issued for a.example, valid"), "{error}");
        assert!(error.to_string().contains("must renew it"), "{error}");
        (error.errors, error.now) = (E::NOT_YET_VALID, Date::new(1_000_000_000));
        assert!(error.to_string().contains("not yet valid, but from 2025-01-02 on;"), "{error}");
        assert!(error.to_string().contains("this machine's clock"), "{error}");
        error.chain.clear();
        assert!(error.to_string().ends_with("not yet valid; to see it, set server_certificate_validate"), "{error}");
    }

    #[test]
    fn ten_thousand_names_do_not_make_a_long_text() {
        let names = (0..10_000).map(|n| format!("{n}.{}.example", "x".repeat(60))).collect();
        let mut error = refused(E::NAME_MISMATCH, vec![certificate(names, 2030)]);
        error.detail = "\u{1b}".repeat(512).into();
        let text = error.to_string();
        assert!(text.len() < 5_000 && text.contains("and 9995 more") && !text.contains(char::is_control), "{text}");
    }
}
