//! TLS over any transport: a plain one in, a secure one out. It knows no protocol, never dials and never resumes what
//! the event has not seen.
//!
//! # The two back ends
//!
//! Both check the chain, the dates and the name (`subjectAltName` alone, by the same rules), speak TLS 1.2 and 1.3, and
//! always check the handshake's own signature. What differs:
//!
//! | | rustls | native-tls |
//! |---|---|---|
//! | trust | the system's certificate store; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace it | the platform's own; with OpenSSL these variables add to the well-known places |
//! | connections for a bad chain | one | one without the event, two with it: the first fails the platform's check, the second asks |
//! | `errors` of a bad chain | all that is wrong, each by its name | `CHAIN_ERROR`, which nothing clears, and what the server's own certificate shows: `NAME_MISMATCH`, `EXPIRED`, `NOT_YET_VALID`, `SELF_SIGNED`, or else `UNKNOWN_ISSUER` |
//! | without the event | the same | `CHAIN_ERROR` alone, for a wrong name too, and no chain; `detail` has the platform's words |
//! | `chain` | as the server sent it | the server's own certificate only |
//! | after [`Connector::over`](crate::Connector::over) | the event is asked | a chain that the platform refuses is an error, since there is no second connection |
//! | a forged handshake signature | fails after the event was asked | fails before |
//! | an added root that is no authority | is trusted as a server's own | OpenSSL: if it is self-signed |
//! | expired roots | are trusted | OpenSSL: are refused |
//! | channel bindings | `tls-exporter` with TLS 1.3, `tls-server-end-point` | `tls-server-end-point` |
//! | session resumption, ALPN | yes (no resumption with the event) | no |
//! | RSA below 2048 bits, P-521, X.509 v1 | never | as the platform wants; OpenSSL takes them if the event does |
//! | [`TlsInfo`] | all of it | no `resumed`; rare cipher suites have no name |
//! | cost of new settings | microseconds | with OpenSSL 40 ms a connector, once; the event has two |
//!
//! The details of a bad chain are those of the first connection, the certificate is that of the second, which is the
//! one that is used. Where a name stands for many servers the two may differ.

#[cfg(feature = "rustls")]
mod bindings;
mod event;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod explain;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod names;
#[cfg(feature = "native-tls")]
mod native;
#[cfg(feature = "native-tls")]
mod native_stream;
mod pass;
mod pem;
pub mod policy;
#[cfg(feature = "rustls")]
mod rawkey;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod readahead;
#[cfg(feature = "native-tls")]
mod records;
#[cfg(feature = "rustls")]
mod roots;
#[cfg(feature = "rustls")]
mod rustls;
mod settings;
#[cfg(feature = "rustls")]
mod stream;
#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests;
#[cfg(feature = "rustls")]
mod verifier;

pub use event::CertificateEvent;
pub(crate) use event::{Handler, Peer};
pub(crate) use pass::{Connection, Evidence, Handshaken};
pub(crate) use settings::TlsSettings;

pub use crate::certificate::{Certificate, CertificateErrors, Date, Fingerprint, KeyKind, SslPolicyErrors};
pub use crate::tls_info::{ChannelBinding, ChannelBindings, TlsBackend, TlsInfo, TlsVersion};

use crate::certificate::der;
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
