//! TLS over any transport: a plain one in, a secure one out. It knows no protocol, never dials and never resumes what
//! the event has not seen.

mod der;
mod event;
mod pem;
#[cfg(feature = "rustls")]
mod readahead;
#[cfg(feature = "rustls")]
mod roots;
#[cfg(feature = "rustls")]
mod rustls;
mod settings;
#[cfg(feature = "rustls")]
mod stream;
#[cfg(all(test, feature = "rustls"))]
mod tests;
#[cfg(feature = "rustls")]
mod verifier;

pub use event::CertificateEvent;
pub(crate) use event::Handler;
pub(crate) use settings::TlsSettings;

pub use crate::tls_info::{CertificateErrors, TlsBackend, TlsInfo, TlsVersion};

use crate::error::Result;
use crate::net::Transport;

/// Makes a secure transport out of a plain one. The two back ends of this crate are implementations; a caller may bring
/// a third ([`Connector::tls`](crate::Connector::tls)), and tests one that only wraps.
pub trait Tls: Send + Sync {
    /// Performs the whole handshake with the server `host` (the name that its certificate must be for) and returns a
    /// transport whose [`Transport::tls`] is `Some`.
    ///
    /// # Errors
    /// [`Error::Certificate`](crate::Error::Certificate) if the certificate was refused,
    /// [`Error::WrongMode`](crate::Error::WrongMode) if the server answered in plain text,
    /// [`Error::Timeout`](crate::Error::Timeout) if the deadline passed,
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if `host` is neither a DNS name nor an IP address, and
    /// [`Error::Handshake`](crate::Error::Handshake) for everything else.
    fn handshake(&self, host: &str, plain: Box<dyn Transport>) -> Result<Box<dyn Transport>>;
}
