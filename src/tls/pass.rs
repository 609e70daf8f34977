//! A handshake as the client sees it: one pass, or on a back end without a hook for the certificate event two. It never
//! dials: whoever asks for the second pass brings the second connection.

use std::sync::Arc;

use super::event::{Findings, Judged};
use super::{CertificateErrors, Tls};
use crate::error::{Error, Result};
use crate::net::Transport;

/// What failed on the first connection, for the second pass. Whatever that finds is added; nothing clears it.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(super) errors: CertificateErrors,
    /// What the platform said.
    pub(super) detail: String,
}

impl Evidence {
    /// The strict result as it stands, and why the event could not change it.
    pub(crate) fn stands(&self, server_name: &str, why: &str) -> Error {
        let detail = format!("{}; server_certificate_validate was not asked: {why}", self.detail);
        Judged::by_default(Findings { errors: self.errors, chain_verified: false, detail }, Vec::new())
            .refused(server_name)
    }
}

/// How a handshake ended, if not in an error.
pub(crate) enum Handshaken {
    /// Secured; the event, if there is one, was asked and agreed.
    Done(Box<dyn Transport>),
    /// The certificate failed the platform's check, and the connection is gone. With this evidence a handshake on a
    /// second connection asks the event.
    #[cfg_attr(not(feature = "native-tls"), allow(dead_code, reason = "only native-tls needs two passes"))]
    Again(Evidence),
}

/// The TLS of one client.
pub(crate) enum Connection {
    /// rustls, and a caller's own: one handshake does it all.
    OnePass(Arc<dyn Tls>),
    #[cfg(feature = "native-tls")]
    Native(super::native::Native),
}

impl Connection {
    /// Performs a handshake; `evidence` is that of the first pass in the second.
    ///
    /// # Errors
    /// Those of [`Tls::handshake`].
    pub(crate) fn handshake(
        &self,
        host: &str,
        plain: Box<dyn Transport>,
        evidence: Option<&Evidence>,
    ) -> Result<Handshaken> {
        let _ = evidence;
        match self {
            Self::OnePass(tls) => tls.handshake(host, plain).map(Handshaken::Done),
            #[cfg(feature = "native-tls")]
            Self::Native(native) => native.handshake(host, plain, evidence),
        }
    }
}
