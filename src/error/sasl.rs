//! What a server can do wrong in a SASL exchange, which is then cancelled. Nothing here repeats a challenge: it may be as
//! secret as its answer.

use std::fmt;

/// A SASL exchange that this side has ended, because of what the server said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaslError {
    /// The server as it was named; empty until the client adds it.
    pub peer: Box<str>,
    /// The mechanism: `SCRAM-SHA-256`.
    pub mechanism: Box<str>,
    /// What was wrong.
    pub cause: SaslCause,
    /// True if the client was closed, since the server did not agree to cancel.
    pub closed: bool,
}

/// What was wrong with a server's part of a SASL exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaslCause {
    /// A challenge that is not base64.
    NotBase64,
    /// A challenge of more bytes than [`Limits::sasl_challenge`](crate::Limits::sasl_challenge).
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A challenge after the mechanism's last one.
    Unexpected,
    /// A challenge that is not what the mechanism's RFC says.
    Malformed(&'static str),
    /// SCRAM: the server's nonce does not go on from the client's, so the answer is none to this attempt.
    Nonce,
    /// SCRAM: an iteration count outside [`Limits::scram_iterations`](crate::Limits::scram_iterations). Nothing was
    /// computed.
    Iterations {
        /// What the server wants.
        count: u64,
        /// The lowest that is taken.
        min: u32,
        /// The highest that is taken.
        max: u32,
    },
    /// SCRAM: the server's signature is wrong. It does not know the password, or is not the one that does.
    Signature,
}

impl fmt::Display for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, mechanism, cause, .. } = self;
        write!(f, "{peer}: logging in by {mechanism}, which was cancelled: {cause}")
    }
}

impl fmt::Display for SaslCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => f.write_str("the server's challenge is not base64"),
            Self::TooLong { max } => write!(f, "the server's challenge is longer than {max} bytes"),
            Self::Unexpected => f.write_str("the server sent a challenge after the last one"),
            Self::Malformed(what) => write!(f, "the server sent {what}"),
            Self::Nonce => f.write_str("the server's nonce does not go on from the client's"),
            Self::Iterations { count, min, max } => {
                write!(f, "the server wants {count} iterations, and {min} to {max} are taken (limits.scram_iterations)")
            }
            Self::Signature => f.write_str(
                "the server's signature is wrong: it does not know the password, or is not the one that does",
            ),
        }
    }
}
