//! The cryptography of SASL: hashes, HMAC, PBKDF2, nonces and SASLprep, each by a well-kept crate; only HMAC-MD5 (RFC
//! 2104) is put together here. MD5 and SHA-1 serve old mechanisms and nothing else.

use zeroize::Zeroizing;

use crate::error::Result;

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
}
