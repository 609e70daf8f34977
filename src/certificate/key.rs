//! What kind a public key is, and how long (RFC 3279, 5480, 8410). It never uses the key.

use std::fmt;

use super::der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, content, element};

/// The shortest RSA key that passes for strong: NIST SP 800-57, and what rustls and OpenSSL take by default.
const SHORTEST_RSA: usize = 2048;

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA, for any padding.
    Rsa,
    /// RSA, for PSS alone.
    RsaPss,
    /// An elliptic curve of NIST: P-256.
    EcP256,
    /// P-384.
    EcP384,
    /// P-521.
    EcP521,
    /// Ed25519, RFC 8032.
    Ed25519,
    /// Ed448, RFC 8032.
    Ed448,
    /// Anything else.
    Other,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::RsaPss => "RSA-PSS",
            Self::EcP256 => "P-256",
            Self::EcP384 => "P-384",
            Self::EcP521 => "P-521",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Other => "unknown",
        })
    }
}

/// The two parts of a `SubjectPublicKeyInfo`: the content of its algorithm, and the key's own bytes.
pub(crate) fn parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (algorithm, rest) = element(content(key)?, SEQUENCE)?;
    let (bits, end) = element(rest, BIT_STRING)?;
    let bytes = content(bits)?.strip_prefix(&[0])?;
    end.is_empty().then_some((content(algorithm)?, bytes))
}

/// The kind of a `SubjectPublicKeyInfo`.
pub(super) fn kind(key: &[u8]) -> KeyKind {
    let Some((algorithm, _)) = parts(key) else { return KeyKind::Other };
    let Some((id, parameters)) = element(algorithm, OBJECT_IDENTIFIER) else { return KeyKind::Other };
    match content(id).unwrap_or_default() {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => KeyKind::Rsa,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => KeyKind::RsaPss,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => match content(parameters).unwrap_or_default() {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => KeyKind::EcP256,
            [0x2b, 0x81, 4, 0, 0x22] => KeyKind::EcP384,
            [0x2b, 0x81, 4, 0, 0x23] => KeyKind::EcP521,
            _ => KeyKind::Other,
        },
        [0x2b, 0x65, 0x70] => KeyKind::Ed25519,
        [0x2b, 0x65, 0x71] => KeyKind::Ed448,
        _ => KeyKind::Other,
    }
}

/// How long the key is; of an RSA key its modulus.
pub(super) fn bits(key: &[u8]) -> Option<usize> {
    match kind(key) {
        KeyKind::Rsa | KeyKind::RsaPss => modulus_bits(parts(key)?.1),
        KeyKind::EcP256 | KeyKind::Ed25519 => Some(256),
        KeyKind::EcP384 => Some(384),
        KeyKind::EcP521 => Some(521),
        KeyKind::Ed448 => Some(448),
        KeyKind::Other => None,
    }
}

fn modulus_bits(key: &[u8]) -> Option<usize> {
    let (numbers, _) = element(key, SEQUENCE)?;
    let (modulus, _) = element(content(numbers)?, INTEGER)?;
    let mut digits = content(modulus)?;
    while let [0, rest @ ..] = digits {
        digits = rest;
    }
    let unused = digits.first()?.leading_zeros() as usize;
    Some(digits.len() * 8 - unused)
}

/// True for an RSA key that is too short, or that cannot be read.
pub(super) fn is_weak(key: &[u8]) -> bool {
    matches!(kind(key), KeyKind::Rsa | KeyKind::RsaPss) && bits(key).is_none_or(|bits| bits < SHORTEST_RSA)
}
