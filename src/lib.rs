//! Blocking connections to mail servers: SMTP, IMAP and POP3.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod client;
mod connector;
mod endpoint;
mod error;
pub mod imap;
mod limits;
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
/// A POP3 connection: the verbs of every [`Client`], and POP3's own.
pub type Pop3Client = Client<pop3::Pop3>;
/// An SMTP connection: the verbs of every [`Client`], and SMTP's own.
pub type SmtpClient = Client<smtp::Smtp>;

/// Byte streams: what a connection is made of, and until when they may wait.
pub mod transport {
    pub use crate::net::{Clock, Closed, Deadline, ShutdownHandle, Socket, SystemClock, Target, Timed, Transport};
}

/// The payloads of [`Error`]'s variants.
pub mod errors {
    pub use crate::error::{
        Attempt, CertificateRefused, ConnectError, Context, Escaped, HandshakeError, InvalidArgument, LimitExceeded,
        NoMechanism, ProtocolError, StartTlsCause, StartTlsError, Timeout, WrongMode,
    };
}
