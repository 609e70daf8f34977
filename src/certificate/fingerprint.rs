//! SHA-256 of a certificate or of a public key, as people compare and pin it.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The name of the argument in errors.
const ARGUMENT: &str = "fingerprint";

/// A SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints it.
///
/// It is read from 64 hexadecimal digits of either case, with or without a colon between the pairs, or taken from 32
/// bytes; anything else is [`Error::InvalidArgument`].
///
/// ```
/// use mailconnect::tls::Fingerprint;
/// let colons = ["ab"; 32].join(":");
/// let fingerprint: Fingerprint = colons.parse()?;
/// assert_eq!(fingerprint, Fingerprint::from([0xab; 32]));
/// assert_eq!(fingerprint, "AB".repeat(32).parse()?);
/// assert_eq!(fingerprint.to_string(), colons.to_uppercase());
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes; none in a build without TLS, which has no SHA-256 either.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        return ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().ok().map(Self);
        #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
        {
            let _ = bytes;
            None
        }
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut bytes = Vec::with_capacity(32);
        if text.contains(':') {
            bytes.extend(text.split(':').map_while(byte));
        } else {
            bytes.extend(text.as_bytes().chunks(2).map_while(|pair| byte(std::str::from_utf8(pair).ok()?)));
        }
        let length = if text.contains(':') { 32 * 3 - 1 } else { 32 * 2 };
        match bytes.try_into() {
            Ok(bytes) if text.len() == length => Ok(Self(bytes)),
            _ => Err(Error::invalid(ARGUMENT, "not 64 hexadecimal digits, alone or with a colon after each pair")),
        }
    }
}

/// A pair of hexadecimal digits.
fn byte(pair: &str) -> Option<u8> {
    let is_pair = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(pair, 16).ok().filter(|_| is_pair)
}

impl TryFrom<&str> for Fingerprint {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Fingerprint {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&[u8]> for Fingerprint {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::invalid(ARGUMENT, "not 32 bytes"))
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Fingerprint {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        self.0.iter().try_for_each(|byte| {
            let written = write!(f, "{separator}{byte:02X}");
            separator = ":";
            written
        })
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_digits_are_a_fingerprint() {
        let good = "12".repeat(32);
        assert_eq!(Fingerprint::from_str(&good).unwrap().as_bytes(), &[0x12; 32]);
        let colons = ["0f"; 32].join(":");
        let bad = [
            "",
            "12",
            &good[1..],
            &format!("{good}1"),
            &format!("{good}12"),
            &good.replace("12", "+1"),
            &good.replace("12", "1g"),
            &format!(":{}", &colons[1..]),
            &colons.replacen(':', "", 1),
            &colons[..colons.len() - 1],
            &format!("{colons}:"),
            &format!("SHA256 Fingerprint={colons}"),
            &"\u{e4}".repeat(32),
            "\u{20ac}",
        ];
        for text in bad {
            assert!(matches!(Fingerprint::from_str(text), Err(Error::InvalidArgument(_))), "{text}");
        }
        assert!(Fingerprint::try_from(&[1u8; 31][..]).is_err() && Fingerprint::try_from(&[1u8; 32][..]).is_ok());
    }

    /// FIPS 180-4, the message `abc`.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    #[test]
    fn it_is_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Fingerprint::of(b"abc"), expected.parse().ok());
    }
}
