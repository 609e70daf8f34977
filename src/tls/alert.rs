//! What a server means by the alert that ends a handshake (RFC 8446 6). With TLS 1.3 the client's part is over before the
//! server has looked at the client's certificate, so that its alert comes in place of the first answer.

use std::error::Error as Source;
use std::io;

use crate::error::{Error, HandshakeCause, HandshakeError};

/// How far a client certificate came into play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCertificate {
    /// The server did not ask for one.
    NotAsked,
    /// It asked, and none was given.
    Missing,
    Sent,
}

/// What the alert of this number means.
pub(super) fn meaning(alert: u8, client: ClientCertificate) -> HandshakeCause {
    const HANDSHAKE_FAILURE: u8 = 40;
    const BAD_CERTIFICATE: u8 = 42;
    const CERTIFICATE_UNKNOWN: u8 = 46;
    const UNKNOWN_CA: u8 = 48;
    const ACCESS_DENIED: u8 = 49;
    const DECRYPT_ERROR: u8 = 51;
    const PROTOCOL_VERSION: u8 = 70;
    const CERTIFICATE_REQUIRED: u8 = 116;
    const NO_APPLICATION_PROTOCOL: u8 = 120;

    match (alert, client) {
        (PROTOCOL_VERSION, _) => HandshakeCause::TlsVersion,
        (NO_APPLICATION_PROTOCOL, _) => HandshakeCause::ApplicationProtocol,
        (CERTIFICATE_REQUIRED, _) => HandshakeCause::ClientCertificateMissing,
        // All else had been agreed on when the server asked.
        (HANDSHAKE_FAILURE | BAD_CERTIFICATE..=CERTIFICATE_UNKNOWN | UNKNOWN_CA | ACCESS_DENIED, client) => {
            match client {
                ClientCertificate::NotAsked if alert == HANDSHAKE_FAILURE => HandshakeCause::NothingInCommon,
                ClientCertificate::NotAsked => HandshakeCause::Other,
                ClientCertificate::Missing => HandshakeCause::ClientCertificateMissing,
                ClientCertificate::Sent => HandshakeCause::ClientCertificateRefused,
            }
        }
        // Its signature, or that of whoever issued it.
        (DECRYPT_ERROR, ClientCertificate::Sent) => HandshakeCause::ClientCertificateRefused,
        _ => HandshakeCause::Other,
    }
}

/// The alert's number in a text of OpenSSL, which has no other way to tell it: `... :SSL alert number 116`.
#[cfg(feature = "native-tls")]
pub(super) fn alert_number(text: &str) -> Option<u8> {
    let (_, after) = text.split_once("alert number ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What it means that the transport failed, where the server had said nothing yet.
pub(super) fn silent_failure(kind: io::ErrorKind) -> HandshakeCause {
    match kind {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            HandshakeCause::HungUp
        }
        _ => HandshakeCause::Other,
    }
}

/// The error with its meaning, if it is a failed handshake.
pub(super) fn with_cause(error: Error, cause: HandshakeCause) -> Error {
    let Error::Handshake(mut failed) = error else { return error };
    failed.cause = cause;
    Error::Handshake(failed)
}

/// What a read reports when the server refuses the handshake after it; who knows the peer fills it in.
pub(super) fn late_refusal(cause: HandshakeCause, source: impl Into<Box<dyn Source + Send + Sync>>) -> io::Error {
    let failed = HandshakeError { peer: "".into(), cause, source: source.into() };
    io::Error::new(io::ErrorKind::ConnectionAborted, failed)
}
