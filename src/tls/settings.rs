//! The caller's choices about TLS, and what is cached for them. It never opens a connection.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "native-tls")]
use super::native;
#[cfg(feature = "rustls")]
use super::rustls;
use super::{Connection, Handler, Peer, Tls, TlsBackend, der, pem};
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

    /// The TLS of one client. `peer` is for the event and for texts; `alpn` is what the protocol wants to be known by, only for TLS
    /// from the first byte (native-tls cannot say it).
    pub(crate) fn connection(&self, peer: &Peer, alpn: &[&[u8]]) -> Result<Connection> {
        if let Some(custom) = &self.custom {
            return Ok(Connection::OnePass(Arc::clone(custom)));
        }
        let _ = (peer, alpn);
        match self.backend {
            #[cfg(feature = "rustls")]
            TlsBackend::Rustls => {
                let trust = self.rustls.trust(self.system_roots, &self.added_roots)?;
                rustls::connection(&self.rustls, trust, self.handler.clone(), peer, alpn).map(Connection::OnePass)
            }
            #[cfg(feature = "native-tls")]
            TlsBackend::NativeTls => Ok(Connection::Native(native::Native {
                peer: peer.clone(),
                cache: Arc::clone(&self.native),
                roots: native::Roots { system: self.system_roots, added: self.added_roots.clone() },
                handler: self.handler.clone(),
            })),
            #[cfg(not(all(feature = "rustls", feature = "native-tls")))]
            backend => Err(Error::unsupported(missing(backend))),
        }
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
