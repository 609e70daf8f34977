//! The check of a server's certificate: rustls' own, but collecting everything that is wrong instead of the first, and
//! then asking the event. The handshake's signatures are always checked, whatever the event says (DESIGN rule 4).

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ::rustls::client::verify_server_name;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::event::{Findings, Judged};
use super::names::Name;
use super::roots::Trust;
use super::{Certificate, CertificateErrors, Date, Handler, Peer, TlsBackend, rawkey};

/// How often the chain is checked with a moved clock. One expired or early certificate takes two checks and an honest
/// chain has few of them, while a hostile one could have hundreds, each good for a search of all paths.
const MAX_CHECKS: usize = 8;
/// Bytes of text about a certificate that are kept: it may quote the certificate, so the server.
const MAX_DETAIL: usize = 512;

/// Looks for everything that is wrong with a certificate.
pub(super) fn inspect(
    trust: &Trust,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Findings {
    let mut found = if trust.is_added(leaf) {
        inspect_added(trust, leaf, name, now)
    } else {
        check_chain(trust, leaf, intermediates, name, now)
    };
    found.look_at_leaf(leaf, name, now);
    if !found.chain_verified {
        found.say_untrusted(trust, leaf);
    }
    found
}

/// The caller trusts this very certificate, so who issued it and what for does not matter: only its dates count, and
/// whether it was revoked. Its issuers are left out, lest their dates do.
fn inspect_added(trust: &Trust, leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Findings {
    let kept = CertificateErrors::EXPIRED | CertificateErrors::NOT_YET_VALID | CertificateErrors::REVOKED;
    let found = check_chain(trust, leaf, &[], name, now);
    let errors = found.errors.without(found.errors.without(kept));
    let detail = if errors.is_empty() { String::new() } else { found.detail };
    Findings { errors, chain_verified: true, detail }
}

/// Checks the chain; where a date is wrong again with the clock at the edge of that date, to see what lies behind it.
fn check_chain(
    trust: &Trust,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Findings {
    use CertificateError::{ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYetContext};

    let mut found = Findings { errors: CertificateErrors::NONE, chain_verified: false, detail: String::new() };
    let mut times = vec![now];
    while let Some(time) = times.last().copied() {
        let error = match trust.verifier.verify_server_cert(leaf, intermediates, name, &[], time) {
            Ok(_) => {
                found.chain_verified = true;
                break;
            }
            Err(error) => error,
        };
        let edge = match &error {
            // rustls looks at the name last, so all else was good.
            Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
                found.chain_verified = true;
                None
            }
            Error::InvalidCertificate(ExpiredContext { not_after, .. }) => Some(*not_after),
            Error::InvalidCertificate(NotValidYetContext { not_before, .. }) => Some(*not_before),
            _ => None,
        };
        if is_true_now(&error, now) {
            found.add(category(&error), &error);
        }
        match edge {
            Some(edge) if !times.contains(&edge) && times.len() < MAX_CHECKS => times.push(edge),
            _ => break,
        }
    }
    if times.len() > 1 && trust.has_old_lists(now) {
        found.add_text(CertificateErrors::REVOCATION_UNKNOWN, "a revocation list has expired".to_owned());
    }
    found
}

/// False for a date that was wrong only because the clock was moved: an issuer that is younger than a leaf that has
/// expired.
fn is_true_now(error: &Error, now: UnixTime) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => now > *not_after,
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => now < *not_before,
        _ => true,
    }
}

impl Findings {
    fn add(&mut self, errors: CertificateErrors, cause: &Error) {
        let text = match cause {
            Error::InvalidCertificate(CertificateError::Other(other)) => other.0.to_string(),
            Error::InvalidCertificate(error) => error.to_string(),
            error => error.to_string(),
        };
        self.add_text(errors, text);
    }

    fn add_text(&mut self, errors: CertificateErrors, text: String) {
        self.errors |= errors;
        if self.detail.is_empty() && !errors.is_empty() {
            self.detail = text;
            let end = (0..=MAX_DETAIL).rev().find(|end| self.detail.is_char_boundary(*end)).unwrap_or(0);
            self.detail.truncate(end);
        }
    }

    /// What can be told of the leaf whatever became of its chain: its name, its dates and its key.
    fn look_at_leaf(&mut self, leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) {
        let view = Certificate::new(leaf);
        match ParsedCertificate::try_from(leaf).map(|parsed| verify_server_name(&parsed, name)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.add(CertificateErrors::NAME_MISMATCH, &error),
            Err(error) => {
                self.add(CertificateErrors::MALFORMED, &error);
                if !Name::new(&name.to_str()).is_ok_and(|name| name.matches(leaf)) {
                    self.add_text(CertificateErrors::NAME_MISMATCH, "the certificate is not for this name".to_owned());
                }
            }
        }
        let dates = view.date_errors(Date::new(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)));
        self.add_text(dates, dates.to_string());
        if view.has_weak_key() {
            let bits = view.key_bits().unwrap_or_default();
            let text = format!("the RSA key has {bits} bits, fewer than the 2048 that a handshake by rustls wants");
            self.add_text(CertificateErrors::WEAK_KEY, text);
        }
    }

    /// Makes sure that a chain which was not verified says so: an error about the leaf alone may have hidden it.
    fn say_untrusted(&mut self, trust: &Trust, leaf: &CertificateDer<'_>) {
        use CertificateErrors as E;

        if Certificate::new(leaf).is_self_issued() {
            self.errors |= E::SELF_SIGNED;
            // A trusted root of the same name (the system's own `localhost`) was taken for the issuer, and is not.
            let misled = E::BAD_SIGNATURE | E::WEAK_ALGORITHM;
            if self.errors.without(misled) != self.errors {
                self.errors = self.errors.without(misled) | E::UNKNOWN_ISSUER;
                if self.detail.contains("Signature") {
                    self.detail = "UnknownIssuer".to_owned();
                }
            }
        }
        if trust.is_empty() {
            self.errors |= E::UNKNOWN_ISSUER;
        }
        if ![E::SELF_SIGNED, E::UNKNOWN_ISSUER].iter().any(|flag| self.errors.contains(*flag)) {
            self.errors |= E::CHAIN_ERROR;
        }
    }
}

fn category(error: &Error) -> CertificateErrors {
    use CertificateError as C;
    use CertificateErrors as E;

    let error = match error {
        Error::InvalidCertificate(error) => error,
        // The list that would tell cannot be believed.
        Error::InvalidCertRevocationList(_) => return E::REVOCATION_UNKNOWN,
        _ => return E::CHAIN_ERROR,
    };
    match error {
        C::Expired | C::ExpiredContext { .. } => E::EXPIRED,
        C::NotValidYet | C::NotValidYetContext { .. } => E::NOT_YET_VALID,
        C::NotValidForName | C::NotValidForNameContext { .. } => E::NAME_MISMATCH,
        C::UnknownIssuer => E::UNKNOWN_ISSUER,
        C::Revoked => E::REVOKED,
        C::UnknownRevocationStatus | C::ExpiredRevocationList | C::ExpiredRevocationListContext { .. } => {
            E::REVOCATION_UNKNOWN
        }
        C::BadSignature => E::BAD_SIGNATURE,
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => E::BAD_PURPOSE,
        C::BadEncoding | C::UnhandledCriticalExtension => E::MALFORMED,
        C::Other(other) => category_by_name(&other.0.to_string()),
        other => category_by_name(&format!("{other:?}")),
    }
}

/// What rustls has no name for, or got one for within 0.23, is known by that of webpki, which is no dependency of this
/// crate.
fn category_by_name(name: &str) -> CertificateErrors {
    use CertificateErrors as E;

    match name {
        "CaUsedAsEndEntity" => E::BAD_PURPOSE,
        "NameConstraintViolation" => E::NAME_CONSTRAINT,
        "UnsupportedCertVersion" | "UnsupportedCriticalExtension" | "BadDerTime" | "InvalidCertValidity" => {
            E::MALFORMED
        }
        "MalformedExtensions" | "ExtensionValueInvalid" | "EmptyEkuExtension" => E::MALFORMED,
        name if name.starts_with("RequiredEkuNotFound") => E::BAD_PURPOSE,
        name if name.starts_with("UnsupportedSignatureAlgorithm") => E::WEAK_ALGORITHM,
        _ => E::CHAIN_ERROR,
    }
}

/// The verifier of a configuration. One with a handler serves a single handshake.
pub(super) struct Verifier {
    trust: Arc<Trust>,
    handler: Option<(Handler, Peer)>,
    accepted: OnceLock<CertificateErrors>,
}

impl Verifier {
    pub(super) fn new(trust: Arc<Trust>, handler: Option<(Handler, Peer)>) -> Self {
        Self { trust, handler, accepted: OnceLock::new() }
    }

    /// True if the event decides.
    pub(super) fn asks(&self) -> bool {
        self.handler.is_some()
    }

    /// What was wrong with a certificate that was accepted all the same. Nothing is without a handler.
    pub(super) fn accepted(&self) -> CertificateErrors {
        self.accepted.get().copied().unwrap_or_default()
    }

    fn judge(&self, name: &ServerName<'_>, findings: Findings, chain: Vec<Vec<u8>>) -> Judged {
        match &self.handler {
            None => Judged::by_default(findings, chain),
            Some((handler, peer)) => {
                Judged::asked(handler, (&name.to_str(), peer, TlsBackend::Rustls), findings, chain)
            }
        }
    }

    /// True if a certificate was accepted that rustls cannot read: then its key alone is looked at.
    fn wants_raw_key(&self, certificate: &CertificateDer<'_>) -> bool {
        self.accepted.get().is_some() && rawkey::is_needed(certificate)
    }
}

/// Why the handshake was ended: travels through rustls as the cause of its error.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Judged);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate refused: {}", self.0.findings.errors)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Finds it in an error of rustls.
    pub(super) fn in_error(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => cause.downcast_ref(),
            _ => None,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let findings = inspect(&self.trust, leaf, intermediates, name, now);
        let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.to_vec()).collect();
        let judged = self.judge(name, findings, chain);
        if judged.is_valid {
            let _ = self.accepted.set(judged.findings.errors);
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(Refused(judged)))).into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.wants_raw_key(certificate) {
            return rawkey::verify_tls12(message, certificate, signature, &self.trust.algorithms);
        }
        self.trust.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.wants_raw_key(certificate) {
            return rawkey::verify_tls13(message, certificate, signature, &self.trust.algorithms);
        }
        self.trust.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.verifier.supported_verify_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("trust", &self.trust).field("handler", &self.handler.is_some()).finish()
    }
}
