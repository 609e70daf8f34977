//! The check of a handshake's signature by the key of a certificate that rustls cannot read: X.509 v1, or a critical
//! extension that nobody knows. The event may accept such a certificate; that the server holds its key is proven here.

use ::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use ::rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use ::rustls::server::ParsedCertificate;
use ::rustls::{CertificateError, DigitallySignedStruct, Error, client::danger::HandshakeSignatureValid};

use super::Certificate;
use crate::certificate::key;

/// True if rustls cannot read it.
pub(super) fn is_needed(certificate: &CertificateDer<'_>) -> bool {
    ParsedCertificate::try_from(certificate).is_err()
}

/// Whether the signature of a handshake of TLS 1.3 is by the key of this certificate.
pub(super) fn verify_tls13(
    message: &[u8],
    certificate: &[u8],
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(Certificate::new(certificate).public_key_der());
    verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
}

/// The same for TLS 1.2, for which rustls has no such function. Its scheme does not name the curve of a key, so all
/// algorithms of the scheme are tried that are for this kind of key.
pub(super) fn verify_tls12(
    message: &[u8],
    certificate: &[u8],
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let (kind, key) =
        key::parts(Certificate::new(certificate).public_key_der()).ok_or(CertificateError::BadEncoding)?;
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
    let fits = of_scheme
        .flat_map(|(_, candidates)| candidates.iter())
        .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == kind)
        .any(|algorithm| algorithm.verify_signature(key, message, signature.signature()).is_ok());
    if fits { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}
