//! Logging in, the same for all protocols: what a SASL mechanism is (RFC 4422), those that this crate has, and how a
//! protocol carries one ([`Exchange`]).
//!
//! | mechanism | RFC | what goes over the wire | when [`login`](crate::Client::login) takes it |
//! |---|---|---|---|
//! | [`Scram`]: `SCRAM-SHA-512`, `-256`, `-1` | 5802, 7677 | a proof; the server proves itself too | first, the strongest hash first |
//! | the same with `-PLUS` | 5802 6 | a proof bound to this TLS connection | on request: [`BindingPolicy`] |
//! | [`Plain`], [`Login`] | 4616, none | the password | next |
//! | [`CramMd5`] | 2195 | a hash | on request, or from this machine in the end |
//! | [`Apop`], for POP3 | 1939 7 | a hash | on request |
//! | [`XOAuth2`], [`OAuthBearer`] | none, 7628 | a token | never: [`authenticate`](crate::Client::authenticate) |
//! | [`External`] | 4422 A | a name, or nothing: the client certificate counts | never |
//! | [`Anonymous`] | 4505 | a trace, or nothing | never |
//!
//! "On request" is [`Connector::mechanisms`](crate::Connector::mechanisms), or `authenticate` with the mechanism. SCRAM,
//! CRAM-MD5 and APOP need the feature `scram`, which is on by default.

mod apop;
mod choice;
mod context;
mod cram_md5;
#[cfg(feature = "scram")]
mod crypto;
#[cfg(not(feature = "scram"))]
#[path = "crypto_absent.rs"]
mod crypto;
mod exchange;
mod external;
mod oauth;
mod plain;
mod scram;
mod scram_message;

pub use apop::{Apop, apop_digest, apop_stamp};
pub use choice::BindingPolicy;
pub(crate) use choice::Choice;
pub use context::Context;
pub use cram_md5::CramMd5;
pub use exchange::Exchange;
pub use external::{Anonymous, External};
pub use oauth::{OAuthBearer, XOAuth2};
pub use plain::{Login, Plain};
pub use scram::Scram;

pub use crate::tls_info::{ChannelBinding, ChannelBindings};

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

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

    /// What the server told in the exchange of why it will refuse: the JSON of OAuth. It gets into the error, so it must
    /// be no secret.
    fn failure(&self) -> Option<&str> {
        None
    }

    /// What a refusal may mean with this mechanism, and what to try then. It gets into the error.
    fn hint(&self) -> Option<String> {
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
