//! What a caller may choose about the handshake: who the client is, what it speaks, and with what.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Connector;
use crate::error::{Error, Result};
use crate::tls::{TlsProvider, TlsVersion};

/// The name of the argument in errors.
const KEY: &str = "client key";

/// # The TLS handshake
impl Connector {
    /// What is shown to a server that asks for a client certificate, in PEM: the certificate, then those that issued
    /// it, and its private key (`PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`, not encrypted). Both may stand in
    /// one text that is given twice. The same on both back ends; it is also what SASL EXTERNAL stands on.
    ///
    /// ```
    /// use mailconnect::{Connector, Error};
    /// # let key = rcgen::KeyPair::generate().unwrap();
    /// # let certificate = rcgen::CertificateParams::new(["alice".to_owned()]).unwrap().self_signed(&key).unwrap();
    /// # let both = format!("{}{}", certificate.pem(), key.serialize_pem());
    /// # /*
    /// let both = std::fs::read_to_string("alice.pem")?;
    /// # */
    /// let connector = Connector::new().client_identity_pem(both.as_bytes(), both.as_bytes())?;
    /// let unreadable = Connector::new().client_identity_pem(b"no certificate", both.as_bytes());
    /// assert!(matches!(unreadable, Err(Error::InvalidArgument(_))));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) with the line of what cannot be read, or if the key is
    /// not that of the certificate. A kind of key that only the other back end can use is
    /// [`Error::Unsupported`](crate::Error::Unsupported) when connecting.
    pub fn client_identity_pem(mut self, certificates: &[u8], key: &[u8]) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.set_identity_pem(certificates, key)?;
        Ok(self)
    }

    /// The same out of two PEM files, or of one that is named twice.
    ///
    /// ```
    /// use mailconnect::{Connector, Error};
    /// let result = Connector::new().client_identity_files("no/such/alice.pem", "no/such/alice.key");
    /// assert!(matches!(result, Err(Error::InvalidArgument(why)) if why.to_string().contains("alice.pem")));
    /// ```
    ///
    /// # Errors
    /// As [`client_identity_pem`](Self::client_identity_pem), with the file's name; also if one cannot be read.
    pub fn client_identity_files(self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let texts = (read("client certificate", certificates)?, read(KEY, key)?);
        self.client_identity_pem(&texts.0, &texts.1).map_err(|error| match &error {
            Error::InvalidArgument(refused) if refused.argument == KEY => in_file(key, error),
            _ => in_file(certificates, error),
        })
    }

    /// The same as one file of PKCS#12 (`.p12`, `.pfx`). For
    /// [`TlsBackend::NativeTls`](crate::tls::TlsBackend::NativeTls) alone: connecting by rustls is then
    /// [`Error::Unsupported`](crate::Error::Unsupported).
    ///
    /// ```no_run
    /// use mailconnect::{Connector, TlsBackend};
    /// let file = std::fs::read("alice.p12").unwrap();
    /// let connector = Connector::new().tls_backend(TlsBackend::NativeTls).client_identity_pkcs12(&file, "password")?;
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if it cannot be read with this password.
    pub fn client_identity_pkcs12(mut self, file: &[u8], password: &str) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.set_identity_pkcs12(file, password)?;
        Ok(self)
    }

    /// The lowest version of TLS that is spoken. Default: 1.2, the lowest that there is here.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient, tls::TlsVersion};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// let imap: ImapClient = connector.min_tls_version(TlsVersion::Tls13).connect_ssl(endpoint)?;
    /// assert_eq!(imap.tls().and_then(|tls| tls.version), Some(TlsVersion::Tls13));
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// A server that speaks none of the versions between this and [`max_tls_version`](Self::max_tls_version) is an
    /// [`Error::Handshake`](crate::Error::Handshake) that says so, and none between them
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) when connecting. On macOS native-tls speaks no TLS
    /// 1.3.
    #[must_use]
    pub fn min_tls_version(self, version: TlsVersion) -> Self {
        self.with(|settings| settings.tls.set_min_version(version))
    }

    /// The highest version of TLS that is spoken. Default: 1.3, the highest that there is here.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient, tls::TlsVersion};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// // A box in the middle that stumbles over TLS 1.3.
    /// let imap: ImapClient = connector.max_tls_version(TlsVersion::Tls12).connect_ssl(endpoint)?;
    /// assert_eq!(imap.tls().and_then(|tls| tls.version), Some(TlsVersion::Tls12));
    /// # imap.quit()
    /// # }
    /// ```
    #[must_use]
    pub fn max_tls_version(self, version: TlsVersion) -> Self {
        self.with(|settings| settings.tls.set_max_version(version))
    }

    /// Whether TLS from the first byte tells the server which protocol is meant, by its registered name: `imap`, `pop3`
    /// (ALPN, RFC 7301; SMTP has none). It keeps an attacker from leading the connection to another service with the
    /// same certificate. Default: true. A server that refuses the name, as one for the web may, is an
    /// [`Error::Handshake`](crate::Error::Handshake) that says so.
    ///
    /// ```
    /// let connector = mailconnect::Connector::new().alpn(false);
    /// ```
    #[must_use]
    pub fn alpn(self, named: bool) -> Self {
        self.with(|settings| settings.tls.set_alpn(named))
    }

    /// What these certificate revocation lists name is not accepted, in PEM: as many as the text holds. A certificate
    /// that none of them speaks for passes, unless [`require_revocation_status`](Self::require_revocation_status) is
    /// set; the signature of a list that does is always checked. For rustls alone: connecting by native-tls is then
    /// [`Error::Unsupported`](crate::Error::Unsupported). Nothing is ever fetched.
    ///
    /// ```
    /// use mailconnect::{Connector, Error};
    /// # /*
    /// let lists = std::fs::read("revoked.pem")?;
    /// # */
    /// # let lists = b"nothing";
    /// let result = Connector::new().certificate_revocation_lists_pem(lists);
    /// assert!(matches!(result, Err(Error::InvalidArgument(_)))); // there was none in it
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) with the line of what cannot be read, or if there is
    /// none in it.
    pub fn certificate_revocation_lists_pem(mut self, pem: &[u8]) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.add_revocation_lists_pem(pem)?;
        Ok(self)
    }

    /// The same for one list in DER.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if it cannot be read.
    pub fn certificate_revocation_list_der(mut self, der: &[u8]) -> Result<Self> {
        Arc::make_mut(&mut self.settings).tls.add_revocation_list_der(der)?;
        Ok(self)
    }

    /// Whether every certificate of a chain but the root must be spoken for by a revocation list that has not expired.
    /// Default: false. Without any list it is [`Error::InvalidArgument`](crate::Error::InvalidArgument) when
    /// connecting.
    ///
    /// ```
    /// use mailconnect::{Connector, Error, ImapClient};
    /// let strict = Connector::new().require_revocation_status(true);
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// let result: Result<ImapClient, Error> = strict.connect_ssl(endpoint); // and no list was given
    /// assert!(matches!(result, Err(Error::InvalidArgument(_) | Error::Unsupported(_))));
    /// ```
    #[must_use]
    pub fn require_revocation_status(self, required: bool) -> Self {
        self.with(|settings| settings.tls.set_revocation_required(required))
    }

    /// Where rustls has its cryptography from; native-tls has its own. Default: ring. aws-lc-rs adds the post-quantum
    /// key exchange `X25519MLKEM768`, which [`TlsInfo::key_exchange`](crate::TlsInfo::key_exchange) shows. With one
    /// that is not in this build connecting is [`Error::Unsupported`](crate::Error::Unsupported). The default provider
    /// of the process is neither used nor set.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient, tls::TlsProvider};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(feature = "aws-lc-rs")) { return Ok(()); }
    /// let imap: ImapClient = connector.tls_provider(TlsProvider::AwsLcRs).connect_ssl(endpoint)?;
    /// println!("{:?}", imap.tls().and_then(|tls| tls.key_exchange.as_deref()));
    /// # imap.quit()
    /// # }
    /// ```
    #[must_use]
    pub fn tls_provider(self, provider: TlsProvider) -> Self {
        self.with(|settings| settings.tls.set_provider(provider))
    }

    /// Appends the secrets of every connection to the file that the environment variable `SSLKEYLOGFILE` names, if it
    /// is set: whoever has that file can read all that was said, passwords too. For looking at one's own traffic in
    /// Wireshark, and never anywhere else. Default: false, whatever the environment says. For rustls alone: connecting
    /// by native-tls is then [`Error::Unsupported`](crate::Error::Unsupported).
    ///
    /// ```
    /// let connector = mailconnect::Connector::new().danger_key_log(cfg!(debug_assertions));
    /// ```
    #[must_use]
    pub fn danger_key_log(self, wanted: bool) -> Self {
        self.with(|settings| settings.tls.set_key_log(wanted))
    }
}

/// The text of a file that the caller named. It may hold a key.
fn read(argument: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let text = std::fs::read(path).map_err(|error| in_file(path, Error::invalid(argument, error.to_string())))?;
    Ok(Zeroizing::new(text))
}

/// The error with the name of the file in which it was found.
fn in_file(path: &Path, error: Error) -> Error {
    let Error::InvalidArgument(mut refused) = error else { return error };
    refused.reason = format!("{}: {}", path.display().to_string().escape_debug(), refused.reason).into();
    Error::InvalidArgument(refused)
}
