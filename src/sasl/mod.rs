//! Logging in, the same for all protocols: what a SASL mechanism is (RFC 4422), and those that need no cryptography. It
//! does no I/O; each protocol carries the messages in its own way.

mod apop;
mod cram_md5;
#[cfg(feature = "scram")]
mod crypto;
#[cfg(not(feature = "scram"))]
#[path = "crypto_absent.rs"]
mod crypto;
mod mechanisms;

pub use apop::{Apop, apop_digest, apop_stamp};
pub use cram_md5::CramMd5;
pub use mechanisms::{Login, Plain};

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// What a mechanism may want to know of the connection that it is used on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The GSSAPI service name: `smtp`, `imap`, `pop`.
    pub service: &'a str,
    /// The host as it was named.
    pub host: &'a str,
    /// The port that was connected to; none for a Unix socket.
    pub port: Option<u16>,
    /// True if the link is encrypted.
    pub secure: bool,
    /// What the server offers, as it was told.
    pub offered: &'a [String],
}

impl<'a> Context<'a> {
    pub(crate) fn new(service: &'a str, host: &'a str, port: Option<u16>, secure: bool, offered: &'a [String]) -> Self {
        Self { service, host, port, secure, offered }
    }
}

/// A way to log in. Bring your own for what this crate does not have (GSSAPI, NTLM):
///
/// ```
/// use mailconnect::sasl::{Context, Mechanism, Secret};
/// use mailconnect::Result;
///
/// /// One token, and that is all.
/// struct Token(Option<String>);
/// impl Mechanism for Token {
///     fn name(&self) -> &str { "X-TOKEN" }
///     fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> { Ok(self.0.take().map(Secret::from)) }
///     fn step(&mut self, _: &[u8]) -> Result<Secret> { Err(mailconnect::Error::unsupported("a second step")) }
///     fn is_finished(&self) -> bool { self.0.is_none() }
/// }
/// ```
pub trait Mechanism: Send {
    /// The registered name: `PLAIN`.
    fn name(&self) -> &str;

    /// Starts, or starts again; the initial response if the client speaks first.
    ///
    /// # Errors
    /// If it cannot be used on this connection; nothing was sent then.
    fn start(&mut self, context: &Context<'_>) -> Result<Option<Secret>>;

    /// Answers a challenge of the server, which is decoded already.
    ///
    /// # Errors
    /// If the challenge is not what it has to be; the exchange is then cancelled.
    fn step(&mut self, challenge: &[u8]) -> Result<Secret>;

    /// True if the exchange may end here. A server's success before that is an error.
    fn is_finished(&self) -> bool;

    /// The password or token, which no error and no transcript shows even if the server repeats it.
    fn password(&self) -> Option<&[u8]> {
        None
    }
}

/// Bytes that are wiped from memory when dropped and that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In base64, as all three protocols carry it.
    #[must_use]
    pub fn to_base64(&self) -> Self {
        // Of its final size at once: a buffer that grows leaves copies behind.
        let size = base64::encoded_len(self.0.len(), true).unwrap_or_default();
        let mut encoded = Zeroizing::new(vec![0; size]);
        let written = STANDARD.encode_slice(&*self.0, &mut encoded).unwrap_or_default();
        encoded.truncate(written);
        Self(encoded)
    }

    /// Reads base64; none if it is not.
    pub fn from_base64(text: &[u8]) -> Option<Self> {
        STANDARD.decode(text).ok().map(Self::from)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Refuses what no credential may hold, whatever carries it.
fn check(argument: &'static str, text: &str) -> Result<()> {
    match text.bytes().position(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        Some(offset) => Err(Error::invalid(argument, format!("contains CR, LF or NUL at offset {offset}"))),
        None => Ok(()),
    }
}
