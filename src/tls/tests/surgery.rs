//! Certificates that rcgen does not make: taken apart, changed in one place, and signed anew.

use ::rustls::pki_types::CertificateDer;
use rcgen::{KeyPair, SigningKey};

use crate::certificate::der::{BIT_STRING, SEQUENCE, content, element};

/// The parts of what is signed, in the order of RFC 5280 4.1.
pub(super) const VERSION: usize = 0;
pub(super) const SERIAL: usize = 1;
pub(super) const ALGORITHM: usize = 2;
pub(super) const KEY: usize = 6;
pub(super) const EXTENSIONS: usize = 7;

pub(super) fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content].concat()
}

/// What one after the other is in a sequence.
pub(super) fn elements(sequence: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (content(sequence).unwrap(), Vec::new());
    while !rest.is_empty() {
        let (next, others) = element(rest, rest[0]).unwrap();
        found.push(next.to_vec());
        rest = others;
    }
    found
}

/// The certificate with other parts, signed by this key (of P-256).
pub(super) fn remade(
    der: &CertificateDer<'_>,
    issuer: &KeyPair,
    change: impl FnOnce(&mut Vec<Vec<u8>>),
) -> CertificateDer<'static> {
    let whole = elements(der);
    let mut parts = elements(&whole[0]);
    change(&mut parts);
    // It stands in and beside what is signed, and must be the same.
    let algorithm = parts.iter().find(|part| part[0] == SEQUENCE).unwrap().clone();
    let body = tagged(SEQUENCE, &[&parts.concat()]);
    let signature = tagged(BIT_STRING, &[&[0], &issuer.sign(&body).unwrap()]);
    tagged(SEQUENCE, &[&body, &algorithm, &signature]).into()
}

/// The first version of X.509: no version, no extensions.
pub(super) fn of_version_1(parts: &mut Vec<Vec<u8>>) {
    parts.remove(EXTENSIONS);
    parts.remove(VERSION);
}

/// Says that the signature is by another algorithm.
pub(super) fn signed_with(algorithm: &'static [u8]) -> impl FnOnce(&mut Vec<Vec<u8>>) {
    move |parts| parts[ALGORITHM] = tagged(SEQUENCE, &[algorithm, &[5, 0]])
}

/// `sha1WithRSAEncryption` and `md5WithRSAEncryption`.
pub(super) const SHA1: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
pub(super) const MD5: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
