//! Channel bindings of rustls connections: `tls-exporter` (RFC 9266) and `tls-server-end-point` (RFC 5929 4.1). Taken once,
//! at the end of the handshake.

use ::rustls::{ClientConnection, ProtocolVersion};
use ring::digest::{SHA256, SHA384, SHA512, digest};

use super::{ChannelBinding, ChannelBindings};
use crate::certificate::facts;

/// All that the connection has.
pub(super) fn of(connection: &ClientConnection) -> ChannelBindings {
    let mut bindings = ChannelBindings::new();
    if let Some(exported) = exporter(connection) {
        bindings = bindings.with(ChannelBinding::TlsExporter, exported);
    }
    let leaf = connection.peer_certificates().and_then(|chain| chain.first());
    if let Some(hash) = leaf.and_then(|leaf| end_point(leaf)) {
        bindings = bindings.with(ChannelBinding::TlsServerEndPoint, hash);
    }
    bindings
}

/// RFC 9266 2. In TLS 1.2 the value is unique only with the extended master secret (RFC 9266 4.2), of which rustls does
/// not tell whether it was negotiated.
fn exporter(connection: &ClientConnection) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// The certificate's hash, by the hash of its own signature; SHA-256 in the place of MD5 and SHA-1. None for a signature
/// with no hash of its own (Ed25519), with more than one (RSA-PSS), or with one that ring does not have.
fn end_point(leaf: &[u8]) -> Option<Vec<u8>> {
    // 1.2.840.113549.1.1 (PKCS #1) and 1.2.840.10045.4 (ECDSA with ..).
    const PKCS_1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4];

    let algorithm = facts::signature_algorithm(leaf)?;
    let hash = match (algorithm.strip_prefix(PKCS_1), algorithm.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => &SHA256,
        (Some([12]), _) | (_, Some([3, 3])) => &SHA384,
        (Some([13]), _) | (_, Some([3, 4])) => &SHA512,
        _ => return None,
    };
    Some(digest(hash, leaf).as_ref().to_vec())
}
