//! Blocking connections to mail servers: SMTP, IMAP and POP3, with TLS from the first byte or by STARTTLS, and a
//! certificate callback that has the last word.
//!
//! Three verbs, the same for every protocol: [`Client::connect`] (plain text), [`Client::connect_ssl`] (TLS from the
//! first byte) and [`Client::start_tls`] (the upgrade). [`SmtpClient`], [`ImapClient`] and [`Pop3Client`] are one
//! generic [`Client`] with the commands of their protocol; a [`Connector`] holds the settings.
//!
//! ```
//! # fn main() -> mailconnect::Result<()> {
//! use mailconnect::smtp::Envelope;
//! use mailconnect::{Connector, SmtpClient};
//! # let server = mailconnect::testing::Server::smtp().start().unwrap();
//! # let (host, port) = server.endpoint();
//! # let pem = server.certificate_pem().as_bytes();
//!
//! let connector = Connector::new().root_certificates_pem(pem)?;
//! # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
//! let mut smtp: SmtpClient = connector.connect((host, port))?;
//! smtp.start_tls()?; // or it fails: never a silent plain session
//! smtp.login("user", "password")?;
//! let envelope = Envelope::new("me@example.com", ["you@example.com"])?;
//! let report = smtp.send(&envelope, b"Subject: Hello\r\n\r\nIt works.\r\n")?;
//! assert!(report.refused.is_empty() && report.accepted[0].0 == "you@example.com");
//! smtp.quit()
//! # }
//! ```
//!
//! # What holds
//! - `start_tls` succeeds, or it fails and the connection is closed. What the server said before is forgotten.
//! - No password, and nothing computed from one, goes over an unencrypted link, but to this machine.
//! - Every call has a deadline ([`Timeouts`]) that a slow server cannot stretch; every answer has a limit ([`Limits`]).
//! - A refusal (`550`, `NO`, `-ERR`) is [`Error::Rejected`] and leaves the client usable, and so does what was refused before
//!   a byte was sent ([`Error::InvalidArgument`], [`Error::WrongState`], [`Error::Unsupported`], ..). After what may have left
//!   half an answer unread it is closed, so that none is taken for the next one. [`Client::is_open`] tells which it was.
//! - No argument can become a command: CR, LF and NUL are refused before a byte is sent.
//! - No secret is in `Debug`, errors, logs or transcripts, not even if the server repeats it.
//!
//! # Where things are
//! The upgrade is in `src/client/securing.rs`; what a fourth protocol must supply is [`Protocol`], with [`wire`] to talk
//! through. [`transport`] is what lies below, [`tls`] what is put over it, [`sasl`] how to log in.
//!
//! The lines of every session go to the `log` crate at debug level, without secrets and bodies.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod certificate;
mod client;
mod connector;
mod endpoint;
mod error;
pub mod imap;
mod limits;
pub mod lmtp;
mod net;
pub mod pop3;
pub mod ports;
mod protocol;
pub mod sasl;
pub mod smtp;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
mod tls_info;
pub mod wire;

pub use client::Client;
pub use connector::Connector;
pub use endpoint::{Endpoint, Host};
pub use error::{Error, Phase, Rejection, Result, Severity};
pub use limits::Limits;
pub use net::{Interrupt, Timeouts};
pub use ports::Security;
pub use protocol::Protocol;
pub use tls_info::{TlsBackend, TlsInfo};

/// An IMAP connection: the verbs of every [`Client`], and IMAP's own.
pub type ImapClient = Client<imap::Imap>;
/// An LMTP connection: SMTP's verbs, and an answer for each recipient.
pub type LmtpClient = Client<lmtp::Lmtp>;
/// A POP3 connection: the verbs of every [`Client`], and POP3's own.
pub type Pop3Client = Client<pop3::Pop3>;
/// An SMTP connection: the verbs of every [`Client`], and SMTP's own.
pub type SmtpClient = Client<smtp::Smtp>;
/// An SMTP connection to port 25, for passing mail on: SMTP's verbs, and no log-in.
pub type RelayClient = Client<smtp::Smtp<smtp::Relay>>;

/// Byte streams: what a connection is made of, and until when they may wait.
pub mod transport {
    pub use crate::net::{Clock, Closed, Deadline, ShutdownHandle, Socket, SystemClock, Target, Timed, Transport};
}

/// The payloads of [`Error`]'s variants.
pub mod errors {
    pub use crate::error::{
        Attempt, CertificateRefused, ConnectError, Context, Escaped, HandshakeCause, HandshakeError, InvalidArgument,
        LimitExceeded, NoMechanism, ProtocolError, SaslCause, SaslError, StartTlsCause, StartTlsError, Timeout,
        WrongMode,
    };
}

/// The code of README.md.
#[cfg(all(doctest, feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
