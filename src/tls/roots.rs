//! Who is trusted: the system's root certificates, loaded once a process, and those that the caller added. A single bad
//! certificate is passed over, never fatal.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::rustls::RootCertStore;
use ::rustls::client::WebPkiServerVerifier;
use ::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use ::rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};

use super::revocation::Revocation;
use crate::certificate::facts;
use crate::error::{Error, Result};

/// The system's root certificates, and what went wrong when they were read.
struct System {
    store: Arc<RootCertStore>,
    errors: Vec<String>,
}

/// Loads them at the first call; `SSL_CERT_FILE` and `SSL_CERT_DIR` stand in for the system's if they are set.
fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let loaded = rustls_native_certs::load_native_certs();
        let mut errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        let mut store = RootCertStore::empty();
        let (_, unusable) = store.add_parsable_certificates(loaded.certs);
        if unusable > 0 {
            errors.push(format!("{unusable} certificates could not be parsed"));
        }
        if store.is_empty() {
            let set = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| std::env::var_os(name).map(|value| (name, value)));
            let named = set.into_iter().flatten().map(|(name, value)| format!("{name} is {}", value.to_string_lossy()));
            errors.extend(named);
        }
        for error in &errors {
            log::debug!("system root certificates: {error}");
        }
        System { store: Arc::new(store), errors }
    })
}

/// Whether a certificate can serve as a root.
pub(super) fn check(der: &[u8]) -> Result<(), &'static str> {
    RootCertStore::empty().add(CertificateDer::from(der)).map_err(|_| "not a certificate that rustls can use")
}

/// Whom connections with the same settings trust.
pub(super) struct Trust {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// What the caller added, to be recognised when a server presents it as its own.
    added: Vec<Vec<u8>>,
    /// Why there is no root at all; none if there is one.
    empty: Option<Vec<String>>,
    /// When the first revocation list ends that must be valid, in seconds since 1970.
    lists_end: Option<i64>,
}

impl Trust {
    /// With ring, and nothing known to be revoked.
    #[cfg(test)]
    pub(super) fn new(system_roots: bool, added: &[Vec<u8>]) -> Result<Self> {
        let provider = super::provider::provider(super::TlsProvider::Ring)?;
        Self::with(system_roots, added, &Revocation::default(), &provider)
    }

    pub(super) fn with(
        system_roots: bool,
        added: &[Vec<u8>],
        revocation: &Revocation,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self> {
        let (mut store, errors) = match system_roots {
            true => (Arc::clone(&system().store), system().errors.clone()),
            false => (Arc::new(RootCertStore::empty()), Vec::new()),
        };
        // rustls lets every root vouch for others, also a server's own certificate.
        add_to(&mut store, added.iter().filter(|der| facts::may_be_authority(der)));
        let empty = (store.is_empty() && added.is_empty()).then_some(errors);
        Self::of(store, added, empty, revocation, provider)
    }

    fn of(
        mut store: Arc<RootCertStore>,
        added: &[Vec<u8>],
        empty: Option<Vec<String>>,
        revocation: &Revocation,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self> {
        if store.is_empty() {
            Arc::make_mut(&mut store).roots.push(nobody());
        }
        let verifier = revocation
            .applied(WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider)))
            .build()
            .map_err(|error| Error::unsupported(format!("the root certificates cannot be used: {error}")))?;
        let (algorithms, lists_end) = (provider.signature_verification_algorithms, revocation.valid_until());
        Ok(Self { verifier, algorithms, added: added.to_vec(), empty, lists_end })
    }

    /// True if a revocation list must be valid and is not.
    pub(super) fn has_old_lists(&self, now: UnixTime) -> bool {
        self.lists_end.is_some_and(|end| i64::try_from(now.as_secs()).is_ok_and(|now| end <= now))
    }

    /// True if nobody is trusted.
    pub(super) fn is_empty(&self) -> bool {
        self.empty.is_some()
    }

    /// The error of a connection that needs a root where there is none.
    pub(super) fn demand_roots(&self) -> Result<()> {
        match &self.empty {
            Some(errors) => Err(Error::NoRootCertificates { errors: errors.clone() }),
            None => Ok(()),
        }
    }

    /// True if the caller named this very certificate.
    pub(super) fn is_added(&self, der: &[u8]) -> bool {
        self.added.iter().any(|added| added == der)
    }
}

#[cfg(test)]
impl Trust {
    /// As if these were the system's: all of them may vouch for others.
    pub(super) fn in_system(roots: &[Vec<u8>]) -> Result<Self> {
        let mut store = Arc::new(RootCertStore::empty());
        add_to(&mut store, roots.iter());
        let empty = store.is_empty().then(Vec::new);
        let provider = super::provider::provider(super::TlsProvider::Ring)?;
        Self::of(store, &[], empty, &Revocation::default(), &provider)
    }
}

/// What cannot be read is passed over.
fn add_to<'a>(store: &mut Arc<RootCertStore>, certificates: impl Iterator<Item = &'a Vec<u8>>) {
    let mut certificates = certificates.map(|der| CertificateDer::from(&**der)).peekable();
    if certificates.peek().is_some() {
        Arc::make_mut(store).add_parsable_certificates(certificates);
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("added", &self.added.len()).field("empty", &self.empty).finish_non_exhaustive()
    }
}

/// A root whose key is no key, so that nothing can lead to it. rustls builds no verifier without a root, but its other
/// checks are wanted for the event.
pub(super) fn nobody() -> TrustAnchor<'static> {
    TrustAnchor { subject: [][..].into(), subject_public_key_info: [][..].into(), name_constraints: None }
}
