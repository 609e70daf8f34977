//! The cryptography of SASL: hashes, HMAC, PBKDF2, nonces and SASLprep, each by a well-kept crate; only HMAC-MD5 (RFC
//! 2104) is put together here. MD5 and SHA-1 serve old mechanisms and nothing else.

use std::num::NonZeroU32;

use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::Secret;
use super::scram::Hash;
use crate::error::{Error, Result};

/// Random bytes of a nonce; RFC 5802 leaves it open, and 144 bits repeat never.
const NONCE: usize = 18;

/// MD5 works in blocks of so many bytes.
const MD5_BLOCK: usize = 64;

/// A keyed hash, in lower-case hexadecimal.
pub(super) fn hmac_md5_hex(key: &[u8], message: &[u8]) -> Result<Zeroizing<String>> {
    let mut block = Zeroizing::new([0; MD5_BLOCK]);
    if key.len() > MD5_BLOCK {
        let short = Zeroizing::new(md5::compute(key).0);
        block.iter_mut().zip(short.iter()).for_each(|(to, from)| *to = *from);
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let padded = |pad: u8| Zeroizing::new(block.map(|byte| byte ^ pad));
    let inner = Zeroizing::new(md5_of(&[padded(0x36).as_slice(), message]));
    Ok(hex(&md5_of(&[padded(0x5c).as_slice(), inner.as_slice()])))
}

/// A hash of all parts, in lower-case hexadecimal.
pub(super) fn md5_hex(parts: &[&[u8]]) -> Result<Zeroizing<String>> {
    Ok(hex(&md5_of(parts)))
}

fn md5_of(parts: &[&[u8]]) -> [u8; 16] {
    let mut context = md5::Context::new();
    parts.iter().for_each(|part| context.consume(part));
    context.finalize().0
}

fn hex(bytes: &[u8; 16]) -> Zeroizing<String> {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    bytes.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
    text
}

/// What a password becomes with a salt, RFC 5802 3.
pub(super) struct ScramKeys {
    pub(super) client: Secret,
    pub(super) server: Secret,
}

/// A nonce that was never used before, in base64.
pub(super) fn nonce() -> Result<String> {
    let mut random = vec![0; NONCE];
    SystemRandom::new().fill(&mut random).map_err(|_| Error::unsupported("the system has no random numbers"))?;
    Ok(String::from_utf8_lossy(Secret::from(random).to_base64().as_bytes()).into_owned())
}

/// All the work that the iteration count asks for is done here; it was checked before.
pub(super) fn scram_keys(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Result<ScramKeys> {
    let (pbkdf2, size) = match hash {
        Hash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
        Hash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
        Hash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
    };
    let iterations = NonZeroU32::new(iterations).ok_or_else(|| Error::unsupported("no iterations at all"))?;
    let mut salted = Zeroizing::new(vec![0; size]);
    pbkdf2::derive(pbkdf2, iterations, salt, password, &mut salted);
    let salted = hmac::Key::new(hmac_of(hash), &salted);
    let key = |name: &[u8]| Secret::from(hmac::sign(&salted, name).as_ref().to_vec());
    Ok(ScramKeys { client: key(b"Client Key"), server: key(b"Server Key") })
}

/// The client's key, hidden by a signature of the conversation that only its hash is needed to check.
pub(super) fn scram_proof(hash: Hash, client_key: &Secret, conversation: &[u8]) -> Result<Secret> {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha512 => &digest::SHA512,
    };
    let stored = digest::digest(algorithm, client_key.as_bytes());
    let signature = hmac::sign(&hmac::Key::new(hmac_of(hash), stored.as_ref()), conversation);
    let mixed = client_key.as_bytes().iter().zip(signature.as_ref()).map(|(key, mask)| key ^ mask);
    Ok(mixed.collect::<Vec<u8>>().into())
}

/// Compares in a time that does not depend on where they differ.
pub(super) fn is_signature(hash: Hash, server_key: &Secret, conversation: &[u8], signature: &[u8]) -> Result<bool> {
    let key = hmac::Key::new(hmac_of(hash), server_key.as_bytes());
    Ok(hmac::verify(&key, conversation, signature).is_ok())
}

fn hmac_of(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}

/// A user name or password in the form that both sides compute with: SASLprep, RFC 4013, as a stored string.
pub(super) fn prepared(argument: &'static str, text: &str) -> Result<Zeroizing<String>> {
    match stringprep::saslprep(text) {
        Ok(prepared) => Ok(Zeroizing::new(prepared.into_owned())),
        // Its own text would show the character.
        Err(_) => Err(Error::invalid(argument, "holds a character that SASLprep (RFC 4013) prohibits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321 A.5.
    #[test]
    fn md5_is_as_in_its_rfc() {
        let of = |text: &str| md5_hex(&[text.as_bytes()]).unwrap().to_string();
        assert_eq!(of(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(of("abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    }

    /// RFC 2202 2, all seven.
    #[test]
    fn hmac_md5_is_as_in_its_rfc() {
        let counted: Vec<u8> = (1..=25).collect();
        let larger = b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data";
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
            (b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
            (&[0xaa; 16], &[0xdd; 50], "56be34521d144c88dbb8c733f0e8b3f6"),
            (&counted, &[0xcd; 50], "697eaf0aca3a3aea3a75164746ffaa79"),
            (&[0x0c; 16], b"Test With Truncation", "56461ef2342edc00f9bab995690efd4c"),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
            ),
            (&[0xaa; 80], larger, "6f630fad67cda0ee1fb1f562db3aa53e"),
        ];
        for (key, message, digest) in cases {
            assert_eq!(*hmac_md5_hex(key, message).unwrap(), digest);
        }
    }

    /// RFC 4013 3.
    #[test]
    fn saslprep_is_as_in_its_rfc() {
        let of = |text: &str| prepared("user", text).map(|text| text.to_string()).ok();
        for (text, expected) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("a\u{a0}b", Some("a b")),
        ] {
            assert_eq!(of(text).as_deref(), expected, "{text:?}");
        }
        for control in ["a\rb", "a\nb", "a\0b", "a\u{1}b", "\u{7f}"] {
            assert_eq!(of(control), None);
        }
        let shown = prepared("password", "hunter2\u{7}").unwrap_err().to_string();
        assert!(shown.contains("SASLprep") && !shown.contains("hunter2") && !shown.contains('\u{7}'), "{shown}");
    }
}
