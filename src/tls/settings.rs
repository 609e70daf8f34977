//! The caller's choices about TLS, and what is cached for them. It never opens a connection.

use std::fmt;
use std::fs;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use super::identity::Identity;
#[cfg(feature = "native-tls")]
use super::native;
use super::revocation::Revocation;
use super::versions::Versions;
use super::{Connection, Handler, Peer, Tls, TlsBackend, TlsProvider, TlsVersion, der, pem};
#[cfg(feature = "rustls")]
use super::{provider, roots::Trust, rustls};
use crate::error::{Error, Result};

/// The name of the argument in errors.
const ROOTS: &str = "root certificates";

/// The caller's choices about TLS. Clones share one cache of configurations and sessions until a setter detaches it, so
/// that no connection ever resumes the session of one with other settings.
#[derive(Clone)]
pub(crate) struct TlsSettings {
    backend: TlsBackend,
    handler: Option<Handler>,
    custom: Option<Arc<dyn Tls>>,
    system_roots: bool,
    added_roots: Vec<Vec<u8>>,
    identity: Option<Arc<Identity>>,
    versions: Versions,
    alpn: bool,
    revocation: Revocation,
    provider: TlsProvider,
    key_log: bool,
    #[cfg(feature = "rustls")]
    rustls: Arc<rustls::Cache>,
    #[cfg(feature = "native-tls")]
    native: Arc<native::Cache>,
}

impl TlsSettings {
    pub(crate) fn new() -> Self {
        let only_native = cfg!(all(feature = "native-tls", not(feature = "rustls")));
        Self {
            backend: if only_native { TlsBackend::NativeTls } else { TlsBackend::Rustls },
            handler: None,
            custom: None,
            system_roots: true,
            added_roots: Vec::new(),
            identity: None,
            versions: Versions::default(),
            alpn: true,
            revocation: Revocation::default(),
            provider: TlsProvider::Ring,
            key_log: false,
            #[cfg(feature = "rustls")]
            rustls: Arc::default(),
            #[cfg(feature = "native-tls")]
            native: Arc::default(),
        }
    }

    pub(crate) fn set_backend(&mut self, backend: TlsBackend) {
        self.backend = backend;
        self.detach();
    }

    /// The function that sees every certificate. It replaces an earlier one; none lets the default check decide.
    pub(crate) fn set_handler(&mut self, handler: Option<Handler>) {
        self.handler = handler;
        self.detach();
    }

    /// A caller's own TLS, used as it is: no other setting concerns it.
    pub(crate) fn set_custom(&mut self, custom: Arc<dyn Tls>) {
        self.custom = Some(custom);
        self.detach();
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// Whether the system's root certificates are trusted; they are by default.
    pub(crate) fn set_system_roots(&mut self, trusted: bool) {
        self.system_roots = trusted;
        self.detach();
    }

    /// Trusts all certificates of a PEM text, or on an error none of them.
    pub(crate) fn add_roots_pem(&mut self, pem: &[u8]) -> Result<()> {
        self.add_roots(pem).map_err(|why| Error::invalid(ROOTS, why))
    }

    /// The same of a file, which errors name.
    pub(crate) fn add_roots_file(&mut self, path: &Path) -> Result<()> {
        let added = fs::read(path).map_err(|error| error.to_string()).and_then(|pem| self.add_roots(&pem));
        added.map_err(|why| Error::invalid(ROOTS, format!("{}: {why}", path.display().to_string().escape_debug())))
    }

    fn add_roots(&mut self, pem: &[u8]) -> Result<(), String> {
        let parts = pem::certificates(pem)?;
        if parts.is_empty() {
            return Err("no PEM part `CERTIFICATE` in it".to_owned());
        }
        for part in &parts {
            check_root(&part.der).map_err(|why| format!("line {}: {why}", part.line))?;
        }
        self.added_roots.extend(parts.into_iter().map(|part| part.der));
        self.detach();
        Ok(())
    }

    /// Trusts one certificate.
    pub(crate) fn add_root_der(&mut self, der: &[u8]) -> Result<()> {
        check_root(der).map_err(|why| Error::invalid(ROOTS, why))?;
        self.added_roots.push(der.to_vec());
        self.detach();
        Ok(())
    }

    /// What a server gets that asks for a client certificate, in PEM.
    pub(crate) fn set_identity_pem(&mut self, certificates: &[u8], key: &[u8]) -> Result<()> {
        self.identity = Some(Arc::new(Identity::from_pem(certificates, key)?));
        self.detach();
        Ok(())
    }

    /// The same as one PKCS#12 file, for native-tls.
    pub(crate) fn set_identity_pkcs12(&mut self, file: &[u8], password: &str) -> Result<()> {
        self.identity = Some(Arc::new(Identity::from_pkcs12(file, password)?));
        self.detach();
        Ok(())
    }

    pub(crate) fn set_min_version(&mut self, version: TlsVersion) {
        self.versions.min = version;
        self.detach();
    }

    pub(crate) fn set_max_version(&mut self, version: TlsVersion) {
        self.versions.max = version;
        self.detach();
    }

    /// Whether the protocol is named to the server in TLS; it is by default.
    pub(crate) fn set_alpn(&mut self, named: bool) {
        self.alpn = named;
        self.detach();
    }

    /// Whom rustls has its cryptography from.
    pub(crate) fn set_provider(&mut self, provider: TlsProvider) {
        self.provider = provider;
        self.detach();
    }

    /// Whether the secrets of connections go to the file that `SSLKEYLOGFILE` names.
    pub(crate) fn set_key_log(&mut self, wanted: bool) {
        self.key_log = wanted;
        self.detach();
    }

    /// Adds all revocation lists of a PEM text, or on an error none of them.
    pub(crate) fn add_revocation_lists_pem(&mut self, pem: &[u8]) -> Result<()> {
        self.revocation.add_pem(pem)?;
        self.detach();
        Ok(())
    }

    /// Adds one revocation list.
    pub(crate) fn add_revocation_list_der(&mut self, der: &[u8]) -> Result<()> {
        self.revocation.add_der(der)?;
        self.detach();
        Ok(())
    }

    /// Whether a certificate is refused that no revocation list speaks for.
    pub(crate) fn set_revocation_required(&mut self, required: bool) {
        self.revocation.required = required;
        self.detach();
    }

    /// The TLS of one client. `peer` is for the event and for texts; `alpn` is what the protocol wants to be known by,
    /// only for TLS from the first byte.
    pub(crate) fn connection(&self, peer: &Peer, alpn: &[&[u8]]) -> Result<Connection> {
        if let Some(custom) = &self.custom {
            return Ok(Connection::OnePass(Arc::clone(custom)));
        }
        let versions = self.versions.allowed()?;
        let alpn = if self.alpn { alpn } else { &[] };
        let _ = (peer, alpn, &versions);
        match self.backend {
            #[cfg(feature = "rustls")]
            TlsBackend::Rustls => {
                let choices = self.for_rustls(versions, alpn)?;
                rustls::connection(&self.rustls, choices, self.handler.clone(), peer).map(Connection::OnePass)
            }
            #[cfg(feature = "native-tls")]
            TlsBackend::NativeTls => Ok(Connection::Native(native::Native {
                peer: peer.clone(),
                cache: Arc::clone(&self.native),
                choices: self.for_native_tls(versions, alpn)?,
                handler: self.handler.clone(),
            })),
            #[cfg(not(all(feature = "rustls", feature = "native-tls")))]
            backend => Err(Error::unsupported(missing(backend))),
        }
    }

    #[cfg(feature = "rustls")]
    fn for_rustls(&self, versions: RangeInclusive<TlsVersion>, alpn: &[&[u8]]) -> Result<rustls::Choices> {
        self.revocation.demand_lists()?;
        let provider = provider::provider(self.provider)?;
        let trust = |provider| Trust::with(self.system_roots, &self.added_roots, &self.revocation, provider);
        Ok(rustls::Choices {
            trust: self.rustls.trust(|| trust(&provider))?,
            identity: self.identity.as_ref().map(|identity| identity.for_rustls(self.provider)).transpose()?,
            provider,
            versions,
            key_log: self.key_log,
            alpn: alpn.iter().map(|name| name.to_vec()).collect(),
        })
    }

    #[cfg(feature = "native-tls")]
    fn for_native_tls(&self, versions: RangeInclusive<TlsVersion>, alpn: &[&[u8]]) -> Result<native::Choices> {
        if self.key_log {
            return Err(Error::unsupported("native-tls cannot log keys: use rustls for that"));
        }
        if self.revocation.is_used() {
            return Err(Error::unsupported("native-tls takes no certificate revocation lists: use rustls for that"));
        }
        Ok(native::Choices {
            roots: native::Roots { system: self.system_roots, added: self.added_roots.clone() },
            identity: self.identity.as_ref().map(|identity| identity.for_native_tls()).transpose()?,
            versions,
            alpn: alpn.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        })
    }

    fn detach(&mut self) {
        #[cfg(feature = "rustls")]
        {
            self.rustls = Arc::default();
        }
        #[cfg(feature = "native-tls")]
        {
            self.native = Arc::default();
        }
    }
}

/// Why a back end cannot be used.
#[cfg(not(all(feature = "rustls", feature = "native-tls")))]
fn missing(backend: TlsBackend) -> &'static str {
    match backend {
        _ if cfg!(not(any(feature = "rustls", feature = "native-tls"))) => {
            "no TLS is in this build of mailconnect: it needs the feature rustls or native-tls"
        }
        TlsBackend::NativeTls => {
            "TLS by native-tls is not in this build of mailconnect: it needs the feature native-tls"
        }
        TlsBackend::Rustls => "TLS by rustls is not in this build of mailconnect: it needs the feature rustls",
    }
}

fn check_root(der: &[u8]) -> Result<(), &'static str> {
    if der::names(der).is_none() {
        return Err("not a certificate");
    }
    #[cfg(feature = "rustls")]
    super::roots::check(der)?;
    #[cfg(feature = "native-tls")]
    native::check_root(der)?;
    Ok(())
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("backend", &self.backend)
            .field("handler", &self.handler.is_some())
            .field("custom", &self.custom.is_some())
            .field("system_roots", &self.system_roots)
            .field("added_roots", &self.added_roots.len())
            .field("identity", &self.identity.is_some())
            .field("versions", &self.versions)
            .field("provider", &self.provider)
            .field("danger_key_log", &self.key_log)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why a connection with this back end is not possible; empty if it is.
    fn why_not(backend: Option<TlsBackend>) -> String {
        let mut settings = TlsSettings::new();
        if let Some(backend) = backend {
            settings.set_backend(backend);
        }
        let peer = Peer { name: "peer".into(), port: 1, protocol: "TEST" };
        match settings.connection(&peer, &[]) {
            Err(Error::Unsupported(why)) => why.into(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn rule_13_a_missing_back_end_is_named() {
        let (with_rustls, with_native) = (cfg!(feature = "rustls"), cfg!(feature = "native-tls"));
        let (rustls, native) = (why_not(Some(TlsBackend::Rustls)), why_not(Some(TlsBackend::NativeTls)));
        assert_eq!(rustls.contains("feature rustls"), !with_rustls, "{rustls}");
        assert_eq!(native.contains("native-tls"), !with_native, "{native}");
        assert_eq!(why_not(None).is_empty(), with_rustls || with_native);
    }

    #[test]
    fn roots_are_checked_in_every_build() {
        let mut settings = TlsSettings::new();
        assert!(settings.add_root_der(&[0x30, 0]).is_err());
        let pem = "\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let error = settings.add_roots_pem(pem.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "invalid root certificates: line 2: not a certificate");
        assert!(settings.add_roots_pem(b"").is_err());
        assert!(settings.added_roots.is_empty());
    }
}
