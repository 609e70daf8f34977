//! What rustls shows a server that asks for a client certificate, and whether one asked. Configurations are shared, so
//! that is noted for the handshake under way in this thread, which is the one that rustls asks in.

use std::cell::Cell;
use std::sync::Arc;

use ::rustls::SignatureScheme;
use ::rustls::client::ResolvesClientCert;
use ::rustls::sign::CertifiedKey;

use super::alert::ClientCertificate;

thread_local! {
    static CAME_INTO_PLAY: Cell<ClientCertificate> = const { Cell::new(ClientCertificate::NotAsked) };
}

/// A handshake of this thread. When it is dropped, one that it happened within (the event may connect somewhere) goes on.
pub(super) struct UnderWay(ClientCertificate);

impl Drop for UnderWay {
    fn drop(&mut self) {
        CAME_INTO_PLAY.set(self.0);
    }
}

/// Starts anew.
#[must_use]
pub(super) fn begin() -> UnderWay {
    UnderWay(CAME_INTO_PLAY.replace(ClientCertificate::NotAsked))
}

/// How far a client certificate came into play since [`begin`].
pub(super) fn outcome() -> ClientCertificate {
    CAME_INTO_PLAY.get()
}

/// Shows the caller's certificate, if there is one and the server can check its kind of signature.
#[derive(Debug)]
pub(super) struct Presents(pub(super) Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let usable = self.0.as_ref().filter(|certified| certified.key.choose_scheme(schemes).is_some());
        CAME_INTO_PLAY.set(if usable.is_some() { ClientCertificate::Sent } else { ClientCertificate::Missing });
        usable.cloned()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_within_another_leaves_it_as_it_was() {
        let _outer = begin();
        CAME_INTO_PLAY.set(ClientCertificate::Sent);
        let inner = begin();
        assert_eq!(outcome(), ClientCertificate::NotAsked);
        CAME_INTO_PLAY.set(ClientCertificate::Missing);
        drop(inner);
        assert_eq!(outcome(), ClientCertificate::Sent);
    }
}
