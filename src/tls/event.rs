//! The event `server_certificate_validate`: sees every certificate, and may change the verdict.

use std::fmt;
use std::sync::Arc;

use super::{Certificate, CertificateErrors, SslPolicyErrors, TlsBackend};
use crate::certificate::Date;
use crate::error::{CertificateRefused, Error};

/// The certificate of the server that is being connected to, what the default check found, and the verdict.
///
/// Passed to the function given to
/// [`Connector::server_certificate_validate`](crate::Connector::server_certificate_validate), exactly once a
/// connection and for good certificates too, before a byte of the protocol goes over the secured link. Whatever it
/// decides, the handshake's own signature is checked: the server must hold the certificate's key. If the function
/// panics, nothing is accepted.
///
/// [`policy`](crate::tls::policy) has functions for the usual cases.
#[derive(Clone)]
#[non_exhaustive]
pub struct CertificateEvent {
    /// The verdict: preset to that of the default check, and final when the function returns.
    pub is_valid: bool,
    host: String,
    port: u16,
    protocol: &'static str,
    backend: TlsBackend,
    chain: Vec<Vec<u8>>,
    findings: Findings,
}

impl CertificateEvent {
    /// The name that the certificate must be for: the host that was dialled, or what
    /// [`Connector::server_name`](crate::Connector::server_name) says.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port that was dialled; 0 for a Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is spoken: [`Protocol::NAME`](crate::Protocol::NAME), so `SMTP`, `IMAP`, `POP3` or another crate's.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Who does TLS, and so what can be known: [`tls`](crate::tls) has the table.
    pub fn backend(&self) -> TlsBackend {
        self.backend
    }

    /// The certificates as the server sent them, leaf first, in DER; on native-tls the leaf alone.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The server's own certificate, the first of [`chain`](Self::chain), to look at.
    pub fn certificate(&self) -> Certificate<'_> {
        Certificate::new(self.chain.first().map(Vec::as_slice).unwrap_or_default())
    }

    /// All of [`chain`](Self::chain), to look at.
    pub fn certificates(&self) -> impl Iterator<Item = Certificate<'_>> {
        self.chain.iter().map(|der| Certificate::new(der))
    }

    /// What the default check found wrong; empty exactly if it passed.
    ///
    /// The name, the certificate's own dates, whether it is self-signed and whether its key is too short are always
    /// looked at; of what is wrong on the way to a root at least the first is there, and one `EXPIRED` speaks for the
    /// whole chain. Where no path of good signatures to a trusted root was found, it holds `SELF_SIGNED`,
    /// `UNKNOWN_ISSUER` or `CHAIN_ERROR` whatever else is wrong: who forgives only an old date trusts no stranger.
    pub fn errors(&self) -> CertificateErrors {
        self.findings.errors
    }

    /// True if a path of good signatures leads from the certificate to a trusted root, or the caller trusts the
    /// certificate itself. Its name or a date may still be wrong. False whenever no path was built: nobody knows then
    /// whose certificate this is.
    pub fn chain_verified(&self) -> bool {
        self.findings.chain_verified
    }

    /// [`errors`](Self::errors) folded to the three flags of .NET.
    pub fn ssl_policy_errors(&self) -> SslPolicyErrors {
        self.findings.errors.into()
    }

    /// What the TLS library says, for people: informational, and different with each back end. It may quote the
    /// certificate; [`Escaped`](crate::errors::Escaped) makes it fit to be shown.
    pub fn detail(&self) -> &str {
        &self.findings.detail
    }
}

/// The certificates by their sizes: their bytes would bury the rest.
impl fmt::Debug for CertificateEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateEvent")
            .field("is_valid", &self.is_valid)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("protocol", &self.protocol)
            .field("backend", &self.backend)
            .field("certificate", &self.certificate())
            .field("chain", &self.chain.iter().map(|der| format!("{} bytes", der.len())).collect::<Vec<_>>())
            .field("findings", &self.findings)
            .finish()
    }
}

/// The caller's function. `Fn`, since connections may be opened from several threads at once.
pub(crate) type Handler = Arc<dyn Fn(&mut CertificateEvent) + Send + Sync>;

/// Who is being talked to, for the event and for texts.
#[derive(Debug, Clone)]
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
pub(crate) struct Peer {
    /// The server as it was named: `mail.example.com:587`.
    pub(crate) name: Arc<str>,
    pub(crate) port: u16,
    pub(crate) protocol: &'static str,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) errors: CertificateErrors,
    /// If false, `errors` holds `SELF_SIGNED`, `UNKNOWN_ISSUER` or `CHAIN_ERROR`, so that whoever forgives anything else
    /// has not trusted a stranger.
    pub(super) chain_verified: bool,
    /// The first failure, in the words of the TLS library.
    pub(super) detail: String,
}

/// A certificate that was judged, and by whom.
#[derive(Debug, Clone)]
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
pub(super) struct Judged {
    pub(super) is_valid: bool,
    pub(super) findings: Findings,
    pub(super) chain: Vec<Vec<u8>>,
    by_event: bool,
}

#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
impl Judged {
    /// The default check decides.
    pub(super) fn by_default(findings: Findings, chain: Vec<Vec<u8>>) -> Self {
        Self { is_valid: findings.errors.is_empty(), findings, chain, by_event: false }
    }

    /// There is nothing to ask the event about.
    pub(super) fn without_certificate() -> Self {
        let detail = "the server sent no certificate".to_owned();
        let findings = Findings { errors: CertificateErrors::NO_CERTIFICATE, chain_verified: false, detail };
        Self::by_default(findings, Vec::new())
    }

    /// The event decides. If it panics, there is no verdict and the handshake ends with the unwinding.
    pub(super) fn asked(
        handler: &Handler,
        (host, peer, backend): (&str, &Peer, TlsBackend),
        findings: Findings,
        chain: Vec<Vec<u8>>,
    ) -> Self {
        let is_valid = findings.errors.is_empty();
        let (host, port, protocol) = (host.to_owned(), peer.port, peer.protocol);
        let mut event = CertificateEvent { is_valid, host, port, protocol, backend, chain, findings };
        handler(&mut event);
        Self { is_valid: event.is_valid, findings: event.findings, chain: event.chain, by_event: true }
    }

    /// The error, if it was refused.
    pub(super) fn refused(&self, server_name: &str) -> Error {
        Error::Certificate(Box::new(CertificateRefused {
            server_name: server_name.into(),
            errors: self.findings.errors,
            by_event: self.by_event,
            chain: self.chain.clone(),
            detail: self.findings.detail.as_str().into(),
            now: Date::now(),
        }))
    }
}
