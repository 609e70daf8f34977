//! What a caller may choose about TLS.

use std::path::Path;
use std::sync::Arc;

use super::Connector;
use crate::error::Result;
use crate::tls::{CertificateEvent, Tls, TlsBackend};

/// # TLS
impl Connector {
    /// Which TLS library does the work. Default: rustls where it is compiled in, else the platform's. With one that is
    /// not in this build, the verbs that want TLS fail with [`Error::Unsupported`](crate::Error::Unsupported).
    #[must_use]
    pub fn tls_backend(self, backend: TlsBackend) -> Self {
        self.with(|settings| settings.tls.set_backend(backend))
    }

    /// A TLS of the caller's own instead of the back ends of this crate. No other TLS setting concerns it: it checks
    /// the certificate.
    #[must_use]
    pub fn tls(self, tls: impl Tls + 'static) -> Self {
        self.with(|settings| settings.tls.set_custom(Arc::new(tls)))
    }

    /// The event: `handler` sees every server's certificate, what is wrong with it and the default verdict, and may
    /// change the verdict by setting `event.is_valid`. Setting it again replaces it. Session resumption is off while it
    /// is set, so that it is never skipped. On native-tls a chain that the platform refuses is asked about on a second
    /// connection, see [`tls`](crate::tls).
    ///
    /// For the usual cases there are ready functions in [`policy`](crate::tls::policy): pins, a self-signed certificate
    /// of one host, a given set of errors.
    ///
    /// ```
    /// use mailconnect::{Connector, tls::CertificateErrors};
    /// let connector = Connector::new().server_certificate_validate(|event| {
    ///     // The old box under the desk: its certificate ran out, and nothing else may be wrong.
    ///     if event.host() == "mail.lan" && event.errors() == CertificateErrors::EXPIRED {
    ///         event.is_valid = true;
    ///     }
    ///     println!("{}:{}: {} ({})", event.host(), event.port(), event.certificate(), event.errors());
    /// });
    /// ```
    #[must_use]
    pub fn server_certificate_validate(self, handler: impl Fn(&mut CertificateEvent) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.tls.set_handler(Some(Arc::new(handler))))
    }

    /// Trusts these root certificates too, in PEM: as many as the text holds.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let (endpoint, pem) = (server.endpoint(), server.certificate_pem().as_bytes());
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// let rig = Connector::new().system_roots(false).root_certificates_pem(pem)?;
    /// let imap: ImapClient = rig.connect_ssl(endpoint)?;
    /// assert!(imap.tls().is_some_and(|tls| tls.is_verified()));
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) with the line of what cannot be read, or if there is
    /// none in it.
    pub fn root_certificates_pem(mut self, pem: &[u8]) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.add_roots_pem(pem)?;
        Ok(self)
    }

    /// Trusts the root certificates of a PEM file too: [`root_certificates_pem`](Self::root_certificates_pem) of what
    /// is in it now.
    ///
    /// ```
    /// use mailconnect::{Connector, Error};
    /// let result = Connector::new().root_certificates_file("no/such/roots.pem");
    /// assert!(matches!(result, Err(Error::InvalidArgument(why)) if why.to_string().contains("no/such/roots.pem")));
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) with the file and the line of what cannot be read, or
    /// if there is none in it.
    pub fn root_certificates_file(mut self, path: impl AsRef<Path>) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.add_roots_file(path.as_ref())?;
        Ok(self)
    }

    /// Trusts this root certificate too, in DER.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if it cannot be read.
    pub fn root_certificate_der(mut self, der: &[u8]) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.add_root_der(der)?;
        Ok(self)
    }

    /// Whether the system's root certificates are trusted. Default: true.
    #[must_use]
    pub fn system_roots(self, trusted: bool) -> Self {
        self.with(|settings| settings.tls.set_system_roots(trusted))
    }

    /// The name that the server's certificate must be for, where it is not the host that is dialled: a tunnel, an
    /// address, a name behind an alias. It is also the name that the server is asked for (SNI), unless it is an
    /// address. What is no name (other letters than ASCII want their `xn--` form) is
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) when connecting.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # let address = ("127.0.0.1", server.port());
    /// # /*
    /// let address = "127.0.0.1:1993"; // where a tunnel begins
    /// # */
    /// let imap: ImapClient = connector.server_name("localhost").connect_ssl(address)?;
    /// # imap.quit()
    /// # }
    /// ```
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        self.with(|settings| settings.server_name = Some(name.into()))
    }
}
