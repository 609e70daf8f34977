//! What a failed handshake is called, the same on every back end. It looks at what lies below TLS, and waits for nothing.

use std::error::Error as Source;
use std::io;

use super::readahead::ReadAhead;
use crate::error::{Context, Error, Phase, Timeout, WrongMode};
use crate::ports::Security;

/// The error of a handshake that failed for another reason than the certificate.
pub(super) fn explain(
    peer: &str,
    lower: &mut ReadAhead,
    input_output: Option<io::ErrorKind>,
    source: impl Into<Box<dyn Source + Send + Sync>>,
) -> Error {
    if let Some(text) = lower.plain_text() {
        let received = String::from_utf8_lossy(text).into();
        let (peer, advice) = (peer.into(), "".into());
        return Error::WrongMode(Box::new(WrongMode { peer, security: Security::Tls, received, advice }));
    }
    match input_output {
        Some(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
            let at = Context::new(Phase::Handshake, peer);
            Error::Timeout(Box::new(Timeout { at, limit: None }))
        }
        _ => Error::handshake(peer, source),
    }
}

/// A peer that closed in the middle.
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection during the handshake")
}

/// What is said of a host that is no name, on every back end.
pub(super) fn invalid_name(host: &str) -> Error {
    let shown = host.escape_debug();
    let why = "is neither a DNS name nor an IP address; for a name with other letters than ASCII use the A-label form";
    Error::invalid("server name", format!("`{shown}` {why} (xn--...)"))
}
