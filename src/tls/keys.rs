//! Private keys, all in the one form that every TLS library takes: PKCS#8 (RFC 5208). The older forms, PKCS#1 for RSA
//! (RFC 8017 A.1.2) and SEC1 for curves (RFC 5915), become that by what is put around them; a key itself is never changed
//! or judged here.

use zeroize::Zeroizing;

use super::pem::Key;
use crate::certificate::der::{content, element};

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// What names the curve in a SEC1 key.
const PARAMETERS: u8 = 0xa0;

/// Version 0, that of PKCS#8 without a public key.
const VERSION: &[u8] = &[INTEGER, 1, 0];
/// `AlgorithmIdentifier` of rsaEncryption: 1.2.840.113549.1.1.1, and NULL.
const RSA: &[u8] = &[SEQUENCE, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const CURVE: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The key in DER of PKCS#8.
///
/// # Errors
/// Why it cannot be one, with its line.
pub(super) fn pkcs8(key: Key) -> Result<Zeroizing<Vec<u8>>, String> {
    let Key { line, label, der } = key;
    if element(&der, SEQUENCE).is_none_or(|(_, rest)| !rest.is_empty()) {
        return Err(format!("line {line}: not a private key"));
    }
    match label.as_str() {
        "PRIVATE KEY" => first_version(&der).ok_or_else(|| format!("line {line}: not a private key")),
        "RSA PRIVATE KEY" => Ok(wrapped(RSA, &der)),
        "EC PRIVATE KEY" => match curve(&der) {
            Some(curve) => Ok(wrapped(&sequence(&[CURVE, curve]), &der)),
            None => Err(format!("line {line}: the key does not name its curve; convert it by `openssl pkey`")),
        },
        other => Err(format!("line {line}: a `{}` cannot be used; convert it to `PRIVATE KEY`", other.escape_debug())),
    }
}

/// Whether a key in PKCS#8 and a public key (`SubjectPublicKeyInfo`) are of one kind. OpenSSL holds keys of different
/// kinds side by side, and so does not miss the one that a certificate needs.
pub(super) fn is_of_kind(pkcs8: &[u8], public_key: &[u8]) -> bool {
    let kind = |algorithm| element(content(element(algorithm, SEQUENCE)?.0)?, IDENTIFIER).map(|(kind, _)| kind);
    let own = content(pkcs8).and_then(|rest| element(rest, INTEGER)).and_then(|(_version, rest)| kind(rest));
    own.is_some() && own == content(public_key).and_then(kind)
}

/// A key of PKCS#8 without what later versions (RFC 5958) put behind it: OpenSSL 3.0 does not read their public key.
fn first_version(key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (_version, rest) = element(content(key)?, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (secret, _) = element(rest, OCTET_STRING)?;
    Some(sequence(&[VERSION, algorithm, secret]))
}

/// The identifier of the curve in an `ECPrivateKey`.
fn curve(key: &[u8]) -> Option<&[u8]> {
    let (_version, rest) = element(content(key)?, INTEGER)?;
    let (_secret, rest) = element(rest, OCTET_STRING)?;
    let (parameters, _) = element(rest, PARAMETERS)?;
    content(parameters)
}

fn wrapped(algorithm: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    sequence(&[VERSION, algorithm, &tagged(OCTET_STRING, &[key])])
}

fn sequence(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    tagged(SEQUENCE, parts)
}

/// An element of DER. It is made in one piece, so that no part of a secret stays behind.
fn tagged(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    const LONG_FORM: u8 = 0x80;

    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut all = Zeroizing::new(Vec::with_capacity(1 + 1 + size_of::<usize>() + length));
    all.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < LONG_FORM => all.push(short),
        _ => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            all.push(LONG_FORM | digits.len() as u8);
            all.extend(digits);
        }
    }
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(label: &str, der: &[u8]) -> Key {
        Key { line: 3, label: label.into(), der: Zeroizing::new(der.to_vec()) }
    }

    #[test]
    fn lengths_are_of_the_shortest_form() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (70_000, &[4, 0x83, 1, 0x11, 0x70]),
        ] {
            let made = tagged(OCTET_STRING, &[&vec![7; length]]);
            assert_eq!((&made[..header.len()], made.len()), (header, header.len() + length));
            assert_eq!(element(&made, OCTET_STRING).unwrap().1, &[] as &[u8]);
        }
    }

    /// In the way of `openssl pkcs8 -topk8 -nocrypt`, but for the curve, which OpenSSL then leaves out of the inner part.
    #[test]
    fn the_older_forms_are_wrapped() {
        let curve = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let parameters = [&[0xa0, 10], &curve[..]].concat();
        let sec1 = [&[0x30, 19][..], &[2, 1, 1, 4, 2, 8, 9], &parameters].concat();
        let made = pkcs8(key("EC PRIVATE KEY", &sec1)).unwrap();
        let algorithm = [&[0x30, 19], CURVE, &curve[..]].concat();
        let expected = [&[0x30, 47][..], VERSION, &algorithm, &[4, 21], &sec1].concat();
        assert_eq!(*made, expected);
        let rsa = [0x30, 3, 2, 1, 0];
        let made = pkcs8(key("RSA PRIVATE KEY", &rsa)).unwrap();
        assert_eq!(*made, [&[0x30, 25][..], VERSION, RSA, &[4, 5], &rsa].concat());
        // And newer ones lose what follows.
        let newer = [&[0x30, 25, 2, 1, 1][..], RSA, &[4, 1, 9], &[0x81, 2, 0, 7]].concat();
        let made = pkcs8(key("PRIVATE KEY", &newer)).unwrap();
        assert_eq!(*made, [&[0x30, 21][..], VERSION, RSA, &[4, 1, 9]].concat());
        assert_eq!(*pkcs8(key("PRIVATE KEY", &made)).unwrap(), *made);
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line() {
        let refused = |label: &str, der: &[u8]| pkcs8(key(label, der)).unwrap_err();
        assert_eq!(refused("PRIVATE KEY", b"secret"), "line 3: not a private key");
        assert_eq!(refused("PRIVATE KEY", &[0x30, 0, 0]), "line 3: not a private key");
        assert_eq!(refused("PRIVATE KEY", &[0x30, 0]), "line 3: not a private key");
        assert!(refused("EC PRIVATE KEY", &[0x30, 0]).starts_with("line 3: the key does not name its curve"));
        assert!(refused("OPENSSH PRIVATE KEY", &[0x30, 0]).starts_with("line 3: a `OPENSSH PRIVATE KEY` cannot"));
        let sec1 = [0x30, 19, 2, 1, 1, 4, 2, 8, 9, 0xa0, 10, 6, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        for at in 0..sec1.len() {
            for value in 0..=255 {
                let mut mutant = sec1;
                mutant[at] = value;
                let _ = (curve(&mutant), curve(&sec1[..at]), first_version(&mutant));
            }
        }
    }
}
