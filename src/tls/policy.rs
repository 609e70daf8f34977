//! Ready functions for [`Connector::server_certificate_validate`], so that nobody accepts everything who means less.
//!
//! | what you have | use |
//! |---|---|
//! | a public server | nothing: the default check is the right one |
//! | an authority of your own, or a test rig's `ca.pem` | no policy: [`Connector::root_certificates_pem`] |
//! | one server whose certificate you know | [`pin_sha256`]; after a renewal the pin must be changed |
//! | the same, renewed for the same key | [`pin_public_key_sha256`] |
//! | a box on your desk with a self-signed certificate | better its certificate as a root, or a pin; else [`self_signed_for`] |
//! | an old server with one known fault | [`ignore`] that fault |
//! | a test in which certificates do not matter | [`danger_accept_any`] |
//!
//! Whatever a policy says, the server must prove in the handshake that it holds the certificate's key. So a pin is as
//! strong as the default check, or stronger: nobody else has that key. With [`self_signed_for`], [`danger_accept_any`],
//! and [`ignore`] of `SELF_SIGNED`, `UNKNOWN_ISSUER` or `CHAIN_ERROR`, anybody on the way can pass for the server and read
//! the password.
//!
//! Each replaces the function that was set before. To combine them, call one from a function of your own:
//!
//! ```
//! use mailconnect::{Connector, tls::policy};
//! let lenient = policy::self_signed_for("mail.lan");
//! let connector = Connector::new().server_certificate_validate(move |event| {
//!     lenient(event);
//!     println!("{}: {}", event.certificate(), event.is_valid);
//! });
//! ```
//!
//! [`Connector::server_certificate_validate`]: crate::Connector::server_certificate_validate
//! [`Connector::root_certificates_pem`]: crate::Connector::root_certificates_pem

use super::{Certificate, CertificateErrors, CertificateEvent, Fingerprint};
use crate::certificate::facts;
use crate::error::{Error, Result};

/// A function for [`Connector::server_certificate_validate`](crate::Connector::server_certificate_validate).
pub type Policy = Box<dyn Fn(&mut CertificateEvent) + Send + Sync>;

/// Accepts the server's own certificate if and only if its SHA-256 is one of these, whatever else is said of it.
///
/// A pin is a restriction: a certificate that the default check would take is refused if it is another one. And it is
/// enough: the very certificate that was named may be self-signed, expired or for another name. What
/// `openssl x509 -noout -fingerprint -sha256` prints after the `=` can be given as it is; see [`Fingerprint`].
///
/// ```
/// use mailconnect::{Connector, ImapClient, tls::policy};
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
/// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
/// # let endpoint = server.endpoint();
/// # let pin = mailconnect::tls::Certificate::new(server.certificate_der()).sha256().unwrap().to_string();
/// let connector = Connector::new().server_certificate_validate(policy::pin_sha256([pin])?);
/// let imap: ImapClient = connector.connect_ssl(endpoint)?;
/// # imap.quit()
/// # }
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] for what is no fingerprint, and if there is none.
pub fn pin_sha256<F>(pins: impl IntoIterator<Item = F>) -> Result<Policy>
where
    F: TryInto<Fingerprint, Error: Into<Error>>,
{
    pin(pins, |certificate| certificate.sha256())
}

/// Accepts the server's own certificate if and only if the SHA-256 of its public key is one of these, whatever else is
/// said of it: [`pin_sha256`] for servers whose certificate is renewed for the same key.
///
/// The hash is that of the `SubjectPublicKeyInfo` (RFC 7469), which
/// `openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum` prints, or
/// [`Certificate::public_key_sha256`].
///
/// # Errors
/// [`Error::InvalidArgument`] for what is no fingerprint, and if there is none.
pub fn pin_public_key_sha256<F>(pins: impl IntoIterator<Item = F>) -> Result<Policy>
where
    F: TryInto<Fingerprint, Error: Into<Error>>,
{
    pin(pins, |certificate| certificate.public_key_sha256())
}

fn pin<F>(pins: impl IntoIterator<Item = F>, fingerprint: fn(&Certificate<'_>) -> Option<Fingerprint>) -> Result<Policy>
where
    F: TryInto<Fingerprint, Error: Into<Error>>,
{
    let pins = pins.into_iter().map(|pin| pin.try_into().map_err(Into::into)).collect::<Result<Vec<_>>>()?;
    if pins.is_empty() {
        return Err(Error::invalid("pins", "none was given, so that no certificate could ever be accepted"));
    }
    Ok(Box::new(move |event| {
        event.is_valid = fingerprint(&event.certificate()).is_some_and(|found| pins.contains(&found));
    }))
}

/// Accepts a self-signed certificate of this host too, if nothing else is wrong: it must be for this name, and its dates
/// and the length of its key must be right. For all other hosts and certificates the default verdict stands.
///
/// That it is an authority's own certificate, as `openssl req -x509` makes them, is no fault here. Anybody can make
/// such a certificate: this is for machines that nobody can come between.
///
/// ```
/// use mailconnect::{Connector, SmtpClient, tls::policy};
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::smtp().start().unwrap();
/// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
/// # let port = server.port();
/// let rig = Connector::new().server_certificate_validate(policy::self_signed_for("localhost"));
/// let smtp: SmtpClient = rig.connect_start_tls(("localhost", port))?;
/// # smtp.quit()
/// # }
/// ```
pub fn self_signed_for(host: impl Into<String>) -> Policy {
    let host = host.into();
    Box::new(move |event| {
        let is_meant = plain(event.host()).eq_ignore_ascii_case(plain(&host));
        let is_self_signed = event.errors().contains(CertificateErrors::SELF_SIGNED);
        event.is_valid |= is_meant && is_self_signed && forgives(event, CertificateErrors::SELF_SIGNED);
    })
}

/// A name without the dot at its end.
fn plain(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Accepts a certificate if and only if nothing but these is wrong with it.
///
/// To forgive a fault of the certificate (`EXPIRED`, `NAME_MISMATCH`, `BAD_PURPOSE`, ...) is not to trust a stranger:
/// where the way to a trusted root could not be verified ([`CertificateEvent::chain_verified`]) the certificate is
/// refused, unless `SELF_SIGNED`, `UNKNOWN_ISSUER` or `CHAIN_ERROR` is forgiven too. So on native-tls, which does not say
/// whether the chain of an expired certificate is good, `EXPIRED` alone never passes; neither does `BAD_PURPOSE` alone on
/// any back end. Add the root or pin the certificate instead.
///
/// What only repeats a forgiven fault is forgiven with it: with `SELF_SIGNED` that nobody vouches for the certificate
/// (`UNKNOWN_ISSUER`, `CHAIN_ERROR`) and that it is an authority's own, with `UNKNOWN_ISSUER` that the chain was not
/// verified (`CHAIN_ERROR`).
///
/// ```
/// use mailconnect::{Connector, tls::{CertificateErrors, policy}};
/// let connector = Connector::new().server_certificate_validate(policy::ignore(CertificateErrors::NAME_MISMATCH));
/// ```
pub fn ignore(errors: CertificateErrors) -> Policy {
    Box::new(move |event| event.is_valid = forgives(event, errors))
}

/// Accepts every certificate of everybody. Only the handshake's own signature is still checked.
///
/// For tests in which certificates do not matter. With a password it is as bad as plain text: whoever sits between can
/// pass for the server.
///
/// ```
/// use mailconnect::{Connector, tls::policy};
/// let careless = Connector::new().server_certificate_validate(policy::danger_accept_any());
/// ```
pub fn danger_accept_any() -> Policy {
    Box::new(|event| event.is_valid = true)
}

/// True if nothing but these, and what only repeats them, is wrong with the certificate.
fn forgives(event: &CertificateEvent, errors: CertificateErrors) -> bool {
    use CertificateErrors as E;

    let found = event.errors();
    let mut forgiven = errors;
    if errors.contains(E::SELF_SIGNED) && found.contains(E::SELF_SIGNED) {
        forgiven |= E::UNKNOWN_ISSUER | E::CHAIN_ERROR;
        if facts::is_authority(event.certificate().der()) {
            forgiven |= E::BAD_PURPOSE;
        }
    }
    if errors.contains(E::UNKNOWN_ISSUER) {
        forgiven |= E::CHAIN_ERROR;
    }
    let trusts_strangers = errors.intersects(E::SELF_SIGNED | E::UNKNOWN_ISSUER | E::CHAIN_ERROR);
    found.without(forgiven).is_empty() && (event.chain_verified() || trusts_strangers)
}
