//! The client's own certificate and private key, for servers that demand one. The key is handed to the TLS libraries of
//! this build when it is given, which also tells at once whether it fits the certificate; no copy of it stays here.

use std::fmt;

use zeroize::Zeroizing;

#[cfg(feature = "rustls")]
use super::{TlsProvider, provider};
use super::{keys, pem};
use crate::certificate::der;
use crate::error::{Error, Result};

/// Names of the arguments in errors.
const CERTIFICATE: &str = "client certificate";
const KEY: &str = "client key";

#[cfg(feature = "rustls")]
type Certified = std::sync::Arc<::rustls::sign::CertifiedKey>;

/// A certificate and its key as each TLS library of the build holds them, or why it cannot use them.
pub(super) struct Identity {
    /// By provider; empty if it came as PKCS#12.
    #[cfg(feature = "rustls")]
    rustls: Vec<(TlsProvider, Result<Certified, Unfit>)>,
    #[cfg(feature = "native-tls")]
    native: Result<native_tls::Identity, Unfit>,
}

/// Why a TLS library does not take an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code, reason = "no library says so"))]
pub(super) enum Unfit {
    /// The key is another certificate's.
    OtherKey,
    /// In the library's words.
    Unusable(String),
}

impl Identity {
    /// Certificates from the client's own upwards, and the key, which may stand in the same text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`].
    pub(super) fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self> {
        let parts = pem::certificates(certificates).map_err(|why| Error::invalid(CERTIFICATE, why))?;
        if parts.is_empty() {
            return Err(Error::invalid(CERTIFICATE, "no PEM part `CERTIFICATE` in it"));
        }
        if let Some(bad) = parts.iter().find(|part| der::names(&part.der).is_none()) {
            return Err(Error::invalid(CERTIFICATE, format!("line {}: not a certificate", bad.line)));
        }
        let key = pem::private_key(key).and_then(keys::pkcs8).map_err(|why| Error::invalid(KEY, why))?;
        let chain: Vec<Vec<u8>> = parts.into_iter().map(|part| part.der).collect();
        let public_key = chain.first().and_then(|leaf| der::fields(leaf)).map(|fields| fields.key).unwrap_or_default();
        if !keys::is_of_kind(&key, public_key) {
            return Err(Error::invalid(KEY, Unfit::OtherKey.to_string()));
        }
        Self::of_pkcs8(chain, &key).checked(KEY)
    }

    fn of_pkcs8(chain: Vec<Vec<u8>>, key: &Zeroizing<Vec<u8>>) -> Self {
        let _ = (&chain, key);
        #[cfg(feature = "native-tls")]
        let native = for_native_tls(&chain, key);
        #[cfg(feature = "rustls")]
        let rustls = provider::ALL.iter().map(|name| (*name, for_rustls(*name, &chain, key))).collect::<Vec<_>>();
        // rustls compares for nothing, so the platform need not.
        #[cfg(all(feature = "native-tls", feature = "rustls"))]
        let native =
            if rustls.iter().any(|(_, certified)| certified.is_ok()) { native } else { native.and_then(compared) };
        #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
        let native = native.and_then(compared);
        Self {
            #[cfg(feature = "rustls")]
            rustls,
            #[cfg(feature = "native-tls")]
            native,
        }
    }

    /// Certificate and key in one encrypted file, which only native-tls reads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`].
    pub(super) fn from_pkcs12(file: &[u8], password: &str) -> Result<Self> {
        const SEQUENCE: u8 = 0x30;

        let _ = password;
        if der::element(file, SEQUENCE).is_none_or(|(_, rest)| !rest.is_empty()) {
            return Err(Error::invalid(CERTIFICATE, "not PKCS#12 in DER"));
        }
        Ok(Self {
            #[cfg(feature = "rustls")]
            rustls: Vec::new(),
            #[cfg(feature = "native-tls")]
            native: native_tls::Identity::from_pkcs12(file, password)
                .map(Ok)
                .map_err(|error| Error::invalid(CERTIFICATE, error.to_string()))?,
        })
    }

    /// What rustls presents with this provider.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it cannot use it.
    #[cfg(feature = "rustls")]
    pub(super) fn for_rustls(&self, name: TlsProvider) -> Result<Certified> {
        const PKCS12: &str =
            "PKCS#12 is for native-tls: convert it, `openssl pkcs12 -nodes`, and use client_identity_pem";

        let found = self.rustls.iter().find(|(provider, _)| *provider == name);
        let certified = found.map_or_else(|| Err(Unfit::Unusable(PKCS12.into())), |(_, certified)| certified.clone());
        certified.map_err(|why| Error::unsupported(format!("rustls cannot use the client certificate: {why}")))
    }

    /// What native-tls presents.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it cannot use it.
    #[cfg(feature = "native-tls")]
    pub(super) fn for_native_tls(&self) -> Result<native_tls::Identity> {
        let unusable = |why| Error::unsupported(format!("native-tls cannot use the client certificate: {why}"));
        self.native.clone().map_err(unusable)
    }

    /// It, if one library of the build can use it: which one will, is not known yet.
    fn checked(self, argument: &'static str) -> Result<Self> {
        let unfit = std::iter::empty::<Option<&Unfit>>();
        #[cfg(feature = "native-tls")]
        let unfit = unfit.chain([self.native.as_ref().err()]);
        #[cfg(feature = "rustls")]
        let unfit = unfit.chain(self.rustls.iter().map(|(_, certified)| certified.as_ref().err()));
        let unfit: Vec<_> = unfit.collect();
        if unfit.contains(&Some(&Unfit::OtherKey)) {
            return Err(Error::invalid(KEY, Unfit::OtherKey.to_string()));
        }
        match unfit.first() {
            Some(Some(first)) if unfit.iter().all(Option::is_some) => Err(Error::invalid(argument, first.to_string())),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherKey => "it is not the key of the first certificate",
            Self::Unusable(why) => why,
        })
    }
}

/// Never shows a key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

#[cfg(feature = "rustls")]
fn for_rustls(name: TlsProvider, chain: &[Vec<u8>], key: &Zeroizing<Vec<u8>>) -> Result<Certified, Unfit> {
    use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use ::rustls::{Error as Rustls, InconsistentKeys};

    let borrowed = PrivateKeyDer::Pkcs8(key.as_slice().into());
    let key = provider::signing_key(name, &borrowed).map_err(|error| Unfit::Unusable(error.to_string()))?;
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let certified = ::rustls::sign::CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Rustls::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified.into()),
        Err(Rustls::InconsistentKeys(_)) => Err(Unfit::OtherKey),
        Err(error) => Err(Unfit::Unusable(error.to_string())),
    }
}

#[cfg(feature = "native-tls")]
fn for_native_tls(chain: &[Vec<u8>], key: &Zeroizing<Vec<u8>>) -> Result<native_tls::Identity, Unfit> {
    let certificates: String = chain.iter().map(|der| pem::encode("CERTIFICATE", der).to_string()).collect();
    let key = pem::encode("PRIVATE KEY", key);
    native_tls::Identity::from_pkcs8(certificates.as_bytes(), key.as_bytes()).map_err(unfit)
}

/// A connector is where the platform compares certificate and key. OpenSSL takes 40 ms to build one.
#[cfg(feature = "native-tls")]
fn compared(identity: native_tls::Identity) -> Result<native_tls::Identity, Unfit> {
    native_tls::TlsConnector::builder().identity(identity.clone()).build().map(|_| identity).map_err(unfit)
}

#[cfg(feature = "native-tls")]
fn unfit(error: native_tls::Error) -> Unfit {
    // OpenSSL: `key values mismatch`, `key type mismatch`.
    let text = error.to_string();
    if text.contains("mismatch") { Unfit::OtherKey } else { Unfit::Unusable(text) }
}
