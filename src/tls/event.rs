//! The event `server_certificate_validate`: sees every certificate, and may change the verdict.

use std::sync::Arc;

use super::CertificateErrors;

/// The certificate of the server that is being connected to, what the default check found, and the verdict.
///
/// Passed to the function given to
/// [`Connector::server_certificate_validate`](crate::Connector::server_certificate_validate), exactly once a
/// connection and for good certificates too, before a byte of the protocol goes over the secured link. Whatever it
/// decides, the handshake's own signature is checked: the server must hold the certificate's key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CertificateEvent {
    /// The verdict: preset to that of the default check, and final when the function returns.
    pub is_valid: bool,
    pub(crate) host: String,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) errors: CertificateErrors,
    pub(crate) detail: String,
}

impl CertificateEvent {
    /// The name that the certificate must be for.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The certificates as the server sent them, leaf first, in DER; on native-tls the leaf alone.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// What the default check found wrong; empty if it passed.
    ///
    /// Where no path of good signatures to a trusted root was found, it holds `SELF_SIGNED`, `UNKNOWN_ISSUER` or
    /// `CHAIN_ERROR` whatever else is wrong: who forgives only an old date trusts no stranger. All that is wrong is
    /// looked for, but one `EXPIRED` speaks for the whole chain.
    pub fn errors(&self) -> CertificateErrors {
        self.errors
    }

    /// What the TLS library says, for people: informational, and different with each back end.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// The caller's function. `Fn`, since connections may be opened from several threads at once.
pub(crate) type Handler = Arc<dyn Fn(&mut CertificateEvent) + Send + Sync>;
