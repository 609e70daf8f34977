//! TLS over any transport: a plain one in, a secure one out. It knows no protocol, never dials and never resumes what
//! the event has not seen.
//!
//! # The two back ends
//!
//! Both check the chain, the dates and the name (`subjectAltName` alone, by the same rules), speak TLS 1.2 and 1.3, and
//! always check the handshake's own signature. What differs (each line names the tests that hold it to its word):
//!
//! | | rustls | native-tls |
//! |---|---|---|
//! | trust | the system's certificate store; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace it | the platform's own; with OpenSSL these variables add to the well-known places <!-- ssl_cert_file_and_ssl_cert_dir_are_honoured openssl_adds_what_the_variables_name --> |
//! | no root at all in the system | [`Error::NoRootCertificates`](crate::Error::NoRootCertificates) | a chain that is refused, as far as the platform's own store goes <!-- no_system_roots_is_an_error_that_says_why openssl_adds_what_the_variables_name --> |
//! | connections for a bad chain | one | one without the event, two with it: the first fails the platform's check, the second asks <!-- the_event_that_decides_nothing_leaves_the_default_verdict without_event_the_default_check_decides --> |
//! | `errors` of a bad chain | all that is wrong, each by its name | `CHAIN_ERROR`, which nothing clears, and what the server's own certificate shows: `NAME_MISMATCH`, `EXPIRED`, `NOT_YET_VALID`, `SELF_SIGNED`, `BAD_PURPOSE`, `WEAK_ALGORITHM`, `WEAK_KEY`, `MALFORMED`, or else `UNKNOWN_ISSUER` <!-- every_certificate_is_found_to_be_what_it_is what_openssl_makes_and_serves --> |
//! | `chain_verified` with a wrong name or date | still true, if the path is good | true with a wrong name alone <!-- the_event_that_decides_nothing_leaves_the_default_verdict --> |
//! | without the event | the same | `CHAIN_ERROR` alone, for a wrong name too, and no chain: the platform hands it out only where it is not asked to check, which takes the second connection. `detail` has its words <!-- without_event_the_default_check_decides --> |
//! | a handshake that this side ends after the certificate came, for another reason | an error of its own | without the event `CHAIN_ERROR`: the platform does not say what it refused <!-- an_alert_in_the_middle_of_the_handshake_ends_it without_event_the_default_check_decides --> |
//! | `chain` | as the server sent it | the server's own certificate only <!-- the_event_that_decides_nothing_leaves_the_default_verdict --> |
//! | after [`Connector::over`](crate::Connector::over) | the event is asked | a chain that the platform refuses is an error, since there is no second connection <!-- over_has_no_second_connection --> |
//! | a forged handshake signature | fails after the event was asked | fails before <!-- a_forged_handshake_signature_is_never_accepted --> |
//! | an added root that is no authority | is trusted as a server's own, and vouches for no other | OpenSSL: if it is self-signed <!-- an_added_certificate_of_a_server_is_trusted_as_its_own an_added_certificate_of_a_server_vouches_for_no_other --> |
//! | expired roots | are trusted | OpenSSL: are refused <!-- every_certificate_is_found_to_be_what_it_is --> |
//! | RSA below 2048 bits | never: no handshake succeeds | OpenSSL takes it if the event does <!-- what_openssl_makes_and_serves --> |
//! | P-521, RSA-PSS keys | never with ring: no handshake succeeds | OpenSSL takes them <!-- what_openssl_makes_and_serves --> |
//! | X.509 v1 | `MALFORMED`; if the event takes it, its key is used | OpenSSL takes it, but no name in it counts <!-- every_certificate_is_found_to_be_what_it_is the_event_may_accept_everything --> |
//! | channel bindings | `tls-exporter` with TLS 1.3, `tls-server-end-point` | `tls-server-end-point` <!-- channel_bindings_are_what_the_back_end_has --> |
//! | session resumption | yes, but not with the event, and not with servers that ask for a client certificate | no <!-- sessions_are_resumed_by_clones_until_a_setting_changes no_session_is_resumed_with_a_server_that_asks_for_a_certificate tls_info_tells_what_was_negotiated --> |
//! | client certificate | in PEM | in PEM and PKCS#12 <!-- the_server_gets_the_certificate_in_every_form_of_key pkcs12_is_shown_by_native_tls_and_wants_its_password --> |
//! | revocation lists, key log | yes | [`Error::Unsupported`](crate::Error::Unsupported) <!-- what_a_list_names_is_refused_and_what_no_list_speaks_of_where_one_must native_tls_says_what_it_cannot_do --> |
//! | [`TlsInfo`] | all of it | no `resumed`; rare cipher suites have no name; `key_exchange` with TLS 1.3 alone <!-- tls_info_tells_what_was_negotiated tells_version_suite_and_whether_a_certificate_came native_tls_tells_the_key_exchange_of_tls_1_3_alone --> |
//!
//! The details of a bad chain are those of the first connection, the certificate is that of the second, which is the
//! one that is used. Where a name stands for many servers the two may differ. New settings cost rustls microseconds;
//! with OpenSSL each connector takes 40 ms once, since it reads all system roots, and with the event there are two of
//! them; each ALPN name has its own. A client certificate is shown by rustls after the server's was judged, by
//! native-tls before.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod alert;
#[cfg(feature = "rustls")]
mod bindings;
#[cfg(feature = "rustls")]
mod client_auth;
mod event;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod explain;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod groups;
mod identity;
mod keys;
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
mod provider;
#[cfg(feature = "rustls")]
mod rawkey;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod readahead;
#[cfg(feature = "native-tls")]
mod records;
mod revocation;
#[cfg(feature = "rustls")]
mod roots;
#[cfg(feature = "rustls")]
mod rustls;
#[cfg(feature = "rustls")]
mod sessions;
mod settings;
#[cfg(feature = "rustls")]
mod stream;
#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests;
#[cfg(feature = "rustls")]
mod verifier;
mod versions;

pub use event::CertificateEvent;
pub(crate) use event::{Handler, Peer};
pub(crate) use pass::{Connection, Evidence, Handshaken};
pub(crate) use settings::TlsSettings;

pub use crate::certificate::{Certificate, CertificateErrors, Date, Fingerprint, KeyKind, SslPolicyErrors};
pub use crate::tls_info::{ChannelBinding, ChannelBindings, TlsBackend, TlsInfo, TlsProvider, TlsVersion};

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
