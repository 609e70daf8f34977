//! What a certificate says about itself that a check may have tripped over. No fact here makes anything trusted.

use super::der::{self, BOOLEAN, content, element};

/// True if it says that it is a certificate authority's (RFC 5280 4.2.1.9).
pub(crate) fn is_authority(certificate: &[u8]) -> bool {
    let constraints = der::extension_sequence(certificate, &[0x55, 0x1d, 19]);
    let flag = constraints.and_then(|content| element(content, BOOLEAN)).and_then(|(flag, _)| content(flag));
    flag.is_some_and(|value| value != [0])
}

/// True if it may vouch for others: it says so, or is of a version (X.509 v1) that cannot say.
#[cfg(feature = "rustls")]
pub(crate) fn may_be_authority(certificate: &[u8]) -> bool {
    is_authority(certificate) || der::extensions(certificate).is_some_and(|all| all.is_empty())
}

/// True if its purposes, where it names any, have those of a server (RFC 5280 4.2.1.12).
#[cfg(feature = "native-tls")]
pub(crate) fn is_for_servers(certificate: &[u8]) -> bool {
    const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];

    let Some(mut purposes) = der::extension_sequence(certificate, &[0x55, 0x1d, 37]) else { return false };
    let any = purposes.is_empty();
    while let Some((purpose, rest)) = element(purposes, der::OBJECT_IDENTIFIER) {
        if content(purpose) == Some(&SERVER_AUTH) {
            return true;
        }
        purposes = rest;
    }
    any
}

/// True if its extensions cannot be read, or one must be understood which nobody does.
#[cfg(feature = "native-tls")]
pub(crate) fn has_bad_extensions(certificate: &[u8]) -> bool {
    /// Those of RFC 5280 4.2.1 that a check takes into account, by the last byte of 2.5.29.
    const KNOWN: [u8; 10] = [15, 17, 19, 30, 31, 32, 33, 36, 37, 54];

    let is_known = |id: &[u8]| matches!(id, [0x55, 0x1d, last] if KNOWN.contains(last));
    der::extensions(certificate)
        .is_none_or(|all| all.iter().any(|extension| extension.critical && !is_known(extension.id)))
}

/// The object identifier of the algorithm that it is signed by, without its header.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(crate) fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let algorithm = content(der::fields(certificate)?.signature)?;
    element(algorithm, der::OBJECT_IDENTIFIER).and_then(|(id, _)| content(id))
}

/// True if it was signed with MD2, MD4, MD5 or SHA-1.
#[cfg(feature = "native-tls")]
pub(crate) fn has_weak_signature(certificate: &[u8]) -> bool {
    match signature_algorithm(certificate).unwrap_or_default() {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, kind] => matches!(kind, 2..=5),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] | [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3] => true,
        _ => false,
    }
}
