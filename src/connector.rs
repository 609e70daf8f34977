//! The settings of connections, neutral to protocols, and the verbs that open them.

mod handshake;
mod options;
mod tls;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::client::{Client, Target as Opening};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::net::{Clock, Interrupt, SystemClock, Target, Timeouts, Transport};
use crate::ports::Security;
use crate::protocol::Protocol;
use crate::sasl::BindingPolicy;
use crate::tls::TlsSettings;
use crate::wire::Listener;

pub(crate) type Dialer = Arc<dyn Fn(&Target<'_>) -> std::io::Result<Box<dyn Transport>> + Send + Sync>;

/// The settings of connections, and the verbs that open them. Cheap to clone; clones share their TLS caches.
///
/// ```
/// use mailconnect::{Connector, SmtpClient};
/// # fn main() -> mailconnect::Result<()> {
/// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()) }
/// // A test rig with certificates of its own: accepted on purpose, and only here.
/// let rig = Connector::new().server_certificate_validate(|event| event.is_valid = true);
/// # let server = mailconnect::testing::Server::smtp().start().unwrap();
/// # let endpoint = server.endpoint();
/// # /*
/// let endpoint = "localhost:2525";
/// # */
/// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
/// let smtp: SmtpClient = rig.connect_start_tls(endpoint)?;
/// # smtp.quit()
/// # }
/// ```
#[derive(Clone)]
pub struct Connector {
    settings: Arc<Settings>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) timeouts: Timeouts,
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) tls: TlsSettings,
    pub(crate) server_name: Option<String>,
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) dialer: Option<Dialer>,
    pub(crate) interrupt: Option<Interrupt>,
    pub(crate) listener: Option<Listener>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) plaintext_auth: bool,
    pub(crate) mechanisms: Option<Vec<String>>,
    pub(crate) channel_binding: BindingPolicy,
    pub(crate) no_deadline: bool,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// The default settings: a clone of one process-wide connector, so that what TLS caches is shared.
    pub fn new() -> Self {
        static DEFAULT: OnceLock<Connector> = OnceLock::new();
        DEFAULT.get_or_init(|| Self { settings: Arc::new(Settings::new()) }).clone()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    // ---- Verbs ----

    /// Connects in plain text and reads the greeting. Logging in is refused before [`Client::start_tls`], unless the
    /// server is on this machine.
    ///
    /// ```
    /// use mailconnect::{Connector, SmtpClient};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let endpoint = server.endpoint();
    /// let smtp: SmtpClient = Connector::new().connect(endpoint)?; // "mail.example.com" would be port 587
    /// assert!(!smtp.is_secure());
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Resolve`], [`Error::Connect`], [`Error::Timeout`], those of the greeting.
    pub fn connect<P: Protocol + Default>(
        &self,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
    ) -> Result<Client<P>> {
        self.open(P::default(), endpoint, Security::Plain)
    }

    /// Connects with TLS from the first byte.
    ///
    /// ```
    /// use mailconnect::{Connector, Pop3Client};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::pop3().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// let pop3: Pop3Client = connector.connect_ssl(endpoint)?; // "mail.example.com" would be port 995
    /// assert!(pop3.is_secure());
    /// # pop3.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`Error::Certificate`], [`Error::Handshake`], [`Error::WrongMode`].
    pub fn connect_ssl<P: Protocol + Default>(
        &self,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
    ) -> Result<Client<P>> {
        self.open(P::default(), endpoint, Security::Tls)
    }

    /// Connects in plain text and upgrades before anything else; never hands out a plain client.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// let imap: ImapClient = connector.connect_start_tls(endpoint)?; // "mail.example.com" would be port 143
    /// assert!(imap.is_secure());
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`Error::StartTls`].
    pub fn connect_start_tls<P: Protocol + Default>(
        &self,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
    ) -> Result<Client<P>> {
        self.open(P::default(), endpoint, Security::StartTls)
    }

    /// Connects as the URL's scheme says: `imaps` is TLS from the first byte, `imap` is STARTTLS, required, and
    /// `imap+insecure` is plain text. The same for `smtp` and `pop3`.
    ///
    /// ```
    /// use mailconnect::{Connector, ImapClient};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let port = server.port();
    /// let url = format!("imap+insecure://localhost:{port}/");
    /// let imap: ImapClient = Connector::new().connect_url(&url)?;
    /// assert!(Connector::new().connect_url::<mailconnect::smtp::Smtp>(&url).is_err());
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As the other verbs, and [`Error::InvalidArgument`] for a URL that is not of this protocol.
    pub fn connect_url<P: Protocol + Default>(&self, url: &str) -> Result<Client<P>> {
        let endpoint = Endpoint::try_from(url)?;
        let security = endpoint.security(P::SCHEMES)?;
        let security = security.ok_or_else(|| Error::invalid("url", "has no scheme such as imaps://"))?;
        self.open(P::default(), endpoint, security)
    }

    /// Tries the protocol's secure ways in order (SMTP: 465 with TLS, then 587 with STARTTLS) until one connects. Never
    /// falls back to plain text, and not at all once a server has answered: a bad certificate is an error.
    ///
    /// ```
    /// use mailconnect::{Connector, Error, SmtpClient};
    ///
    /// // Nobody answers here; with a server, one line is enough: `connect_auto("mail.example.com")`.
    /// let nobody = Connector::new().dialer(|_| Err(std::io::ErrorKind::ConnectionRefused.into()));
    /// let result: Result<SmtpClient, Error> = nobody.connect_auto("mail.example.com");
    /// assert!(matches!(result, Err(Error::Connect(_))));
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the endpoint has a port or a scheme; [`Error::Unsupported`] if the protocol has no
    /// such ways; else those of the way that was tried last.
    pub fn connect_auto<P: Protocol + Default>(
        &self,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
    ) -> Result<Client<P>> {
        let endpoint: Endpoint = endpoint.try_into().map_err(Into::into)?;
        if endpoint.port().is_some() || endpoint.scheme().is_some() {
            return Err(Error::invalid("endpoint", "connect_auto takes a host and chooses the port itself"));
        }
        let mut last = Error::unsupported(format!("{} has no ports to try", P::NAME));
        let deadline = self.settings.end();
        for &(port, security) in P::ROUTES {
            let target = Opening::new::<P>(endpoint.clone().or_port(Some(port)), security)?;
            match Client::open(self.clone(), P::default(), target, deadline) {
                Err(error @ Error::Connect(_)) => last = error,
                result => return result,
            }
        }
        Err(last)
    }

    /// Connects with the protocol's own options.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().start().unwrap();
    /// # let endpoint = server.endpoint();
    /// use mailconnect::{Connector, Security, imap::Imap};
    /// let imap = Connector::new().open(Imap::new().allow_preauth(false), endpoint, Security::Plain)?;
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As the verb of that security.
    pub fn open<P: Protocol>(
        &self,
        protocol: P,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
        security: Security,
    ) -> Result<Client<P>> {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        let target = Opening::new::<P>(endpoint, security)?;
        Client::open(self.clone(), protocol, target, self.settings.end())
    }

    /// Talks over a transport that is connected already: a tunnel, a socket that was handed over, a script in a test. It
    /// never counts as local. On native-tls the event cannot forgive a bad chain here, as that takes another connection.
    ///
    /// ```
    /// use mailconnect::testing::Script;
    /// use mailconnect::{Connector, Security, pop3::Pop3};
    ///
    /// let (transport, script) = Script::parse("S: +OK ready\nC: QUIT\nS: +OK bye\nEOF")?.play();
    /// let pop3 = Connector::new().clock(script.clock()).over(Pop3::new(), transport, "mail.example.com", Security::Plain)?;
    /// pop3.quit()?;
    /// script.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the transport cannot end a read in time and
    /// [`danger_no_deadline`](Self::danger_no_deadline) is not set; else as [`open`](Self::open).
    pub fn over<P: Protocol>(
        &self,
        protocol: P,
        transport: impl Transport + 'static,
        endpoint: impl TryInto<Endpoint, Error: Into<Error>>,
        security: Security,
    ) -> Result<Client<P>> {
        let endpoint = endpoint.try_into().map_err(Into::into)?;
        Client::over(self.clone(), protocol, Box::new(transport), Opening::new::<P>(endpoint, security)?)
    }
}

impl Settings {
    fn new() -> Self {
        Self {
            timeouts: Timeouts::default(),
            deadline: None,
            limits: Limits::default(),
            tls: TlsSettings::new(),
            server_name: None,
            local_address: None,
            keepalive: None,
            dialer: None,
            interrupt: None,
            listener: None,
            clock: Arc::new(SystemClock),
            plaintext_auth: false,
            mechanisms: None,
            channel_binding: BindingPolicy::default(),
            no_deadline: false,
        }
    }

    /// The end of everything for what begins now.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.deadline.and_then(|deadline| self.clock.now().checked_add(deadline))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings();
        f.debug_struct("Connector")
            .field("timeouts", &settings.timeouts)
            .field("deadline", &settings.deadline)
            .field("tls", &settings.tls)
            .field("server_name", &settings.server_name)
            .field("danger_plaintext_auth", &settings.plaintext_auth)
            .finish_non_exhaustive()
    }
}
