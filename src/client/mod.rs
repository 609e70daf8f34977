//! One connection of any protocol: opening, upgrading, logging in, interrupting, closing. All of it exists once, here;
//! protocols add their verbs. The upgrade is [`Client::start_tls`].

mod login;
mod opening;
mod securing;

use std::fmt;
use std::time::Duration;

use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::error::{Error, Phase, Result, StartTlsCause};
use crate::net::Interrupt;
use crate::protocol::Protocol;
use crate::tls_info::TlsInfo;
use crate::wire::{Body, Wire};
pub(crate) use opening::Target;
use securing::Begin;

/// A connection to a server, in the state that its verbs have brought it to. `SmtpClient`, `ImapClient` and `Pop3Client`
/// are its three aliases.
///
/// After a time-out, a broken answer or an I/O error it is closed for good ([`is_open`](Self::is_open) is false); after
/// a refusal (`550`, `NO`, `-ERR`) it goes on. Dropping it closes the socket and sends nothing.
pub struct Client<P> {
    wire: Wire,
    protocol: P,
    connector: Connector,
    target: Target,
    interrupt: Interrupt,
    authenticated: bool,
}

impl<P: Protocol + Default> Client<P> {
    /// Connects in plain text and reads the greeting; [`Connector::connect`] with default settings.
    ///
    /// ```
    /// use mailconnect::SmtpClient;
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// let smtp = SmtpClient::connect(endpoint)?; // "mail.example.com" would be port 587
    /// assert!(smtp.is_open() && !smtp.is_secure());
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// See there.
    pub fn connect(endpoint: impl TryInto<Endpoint, Error: Into<Error>>) -> Result<Self> {
        Connector::new().connect(endpoint)
    }

    /// Connects with TLS from the first byte; [`Connector::connect_ssl`] with default settings.
    ///
    /// ```
    /// use mailconnect::{Error, ImapClient};
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Tls).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// match ImapClient::connect_ssl(endpoint) { // "mail.example.com" would be port 993
    ///     Ok(imap) => assert!(imap.is_secure()),
    ///     // The certificate is one's own: see `Connector::root_certificates_pem`.
    ///     Err(error) if error.is_certificate() => println!("{error}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    ///
    /// # Errors
    /// See there.
    pub fn connect_ssl(endpoint: impl TryInto<Endpoint, Error: Into<Error>>) -> Result<Self> {
        Connector::new().connect_ssl(endpoint)
    }

    /// Connects and upgrades before anything else; [`Connector::connect_start_tls`] with default settings.
    ///
    /// # Errors
    /// See there.
    pub fn connect_start_tls(endpoint: impl TryInto<Endpoint, Error: Into<Error>>) -> Result<Self> {
        Connector::new().connect_start_tls(endpoint)
    }

    /// Connects as the URL's scheme says; [`Connector::connect_url`] with default settings.
    ///
    /// # Errors
    /// See there.
    pub fn connect_url(url: &str) -> Result<Self> {
        Connector::new().connect_url(url)
    }
}

impl<P: Protocol> Client<P> {
    // ---- The upgrade ----

    /// Upgrades the connection to TLS by the protocol's command (STARTTLS of RFC 3207 and RFC 9051 6.2.1, STLS of RFC
    /// 2595). It succeeds, or it fails and the connection is closed: there is no third outcome. Everything that the
    /// server said before is forgotten and asked again.
    ///
    /// ```
    /// use mailconnect::SmtpClient;
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let endpoint = server.endpoint();
    /// # let connector = mailconnect::Connector::new().root_certificates_pem(server.certificate_pem().as_bytes())?;
    /// # if cfg!(not(any(feature = "rustls", feature = "native-tls"))) { return Ok(()); }
    /// let mut smtp: SmtpClient = connector.connect(endpoint)?;
    /// smtp.start_tls()?;
    /// assert!(smtp.is_secure());
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::StartTls`] for all that goes wrong. [`Error::WrongState`] if the link is encrypted already or after a
    /// login, before a byte is sent; the client stays usable then.
    pub fn start_tls(&mut self) -> Result<()> {
        if !self.wire.is_open() {
            return Err(Error::Closed);
        }
        if self.wire.is_secure() {
            return Err(Error::WrongState("start_tls: the connection has TLS already"));
        }
        if self.authenticated {
            return Err(Error::WrongState("start_tls: not after a login"));
        }
        self.protocol.can_start_tls()?;
        self.upgrade().map_err(|error| {
            self.wire.close();
            let peer = &self.target.peer;
            match self.clean(self.advise(error)) {
                error @ (Error::StartTls(_) | Error::Interrupted(_)) => error,
                Error::Rejected(rejection) => Error::start_tls(peer, StartTlsCause::Refused(rejection)),
                error => Error::start_tls(peer, StartTlsCause::Failed(Box::new(error))),
            }
        })
    }

    fn upgrade(&mut self) -> Result<()> {
        self.secure(Begin::ByCommand)?;
        self.protocol.reset();
        self.wire.enter(Phase::Command);
        self.protocol.secured(&mut self.wire)
    }

    // ---- Facts ----

    /// True until a failure closes the client.
    pub fn is_open(&self) -> bool {
        self.wire.is_open()
    }

    /// True if the link is encrypted.
    pub fn is_secure(&self) -> bool {
        self.wire.is_secure()
    }

    /// True after a log-in by this client.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// What the TLS handshake negotiated; none before it. Of a closed client it is none, too.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.wire.tls()
    }

    /// The protocol's own state.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// What ends a blocked call of this client from another thread. If the connector was given one, it is that.
    pub fn interrupt_handle(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Bounds all that this client does from now on, beside the time-outs of each phase; none for no bound.
    pub fn set_deadline(&mut self, deadline: impl Into<Option<Duration>>) {
        let at = deadline.into().and_then(|deadline| self.wire.now().checked_add(deadline));
        self.wire.set_overall(at);
    }

    // ---- For protocols ----

    /// Runs one command of a protocol: reads away what an earlier one left unread, starts the command's time-out, and
    /// closes the client on a fatal error.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Closed`].
    pub fn exchange<T>(&mut self, work: impl FnOnce(&mut P, &mut Wire) -> Result<T>) -> Result<T> {
        self.during(Phase::Command, work)
    }

    /// Goes on with a command whose answer is being read by a cursor: as [`exchange`](Self::exchange), but nothing is
    /// read away and no time-out starts again.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Closed`].
    pub fn proceed<T>(&mut self, work: impl FnOnce(&mut P, &mut Wire) -> Result<T>) -> Result<T> {
        if !self.wire.is_open() {
            return Err(Error::Closed);
        }
        let result = work(&mut self.protocol, &mut self.wire);
        self.guard(result)
    }

    /// The bytes of the part that was read last, see [`Wire::frame`].
    pub fn frame(&mut self) -> &[u8] {
        self.wire.frame()
    }

    /// The body that follows the part that was read last, see [`Wire::body`].
    pub fn body(&mut self) -> Body<'_> {
        self.wire.body()
    }

    fn during<T>(&mut self, phase: Phase, work: impl FnOnce(&mut P, &mut Wire) -> Result<T>) -> Result<T> {
        self.proceed(|protocol, wire| {
            wire.enter(phase);
            wire.settle()?;
            work(protocol, wire)
        })
    }

    /// Every error on its way out: closes on a fatal one, and takes out secrets that a server has repeated.
    fn guard<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if error.is_fatal() {
                self.wire.close();
            }
            self.clean(error)
        })
    }

    /// An error that is told otherwise than by returning it from [`exchange`](Self::exchange): without the secrets that a
    /// server has repeated, and as an interrupt if it was one.
    #[must_use]
    pub fn clean(&self, error: Error) -> Error {
        self.interrupted(error).scrubbed(&|text| self.wire.scrub(text))
    }

    fn interrupted(&self, error: Error) -> Error {
        if !error.is_fatal() || !self.interrupt.is_set() {
            return error;
        }
        let mut at = error.context().cloned().unwrap_or_else(|| self.wire.context());
        at.outcome_unknown = error.outcome_unknown();
        Error::Interrupted(Box::new(at))
    }

    // ---- The end ----

    /// Says goodbye (QUIT, LOGOUT) and closes. Dropping a client only closes the socket.
    ///
    /// # Errors
    /// POP3: deletions are done only if this returns `Ok`. Others: a goodbye that was refused.
    pub fn quit(mut self) -> Result<()> {
        let result = self.during(Phase::Quit, |protocol, wire| protocol.quit(wire));
        self.wire.finish();
        result
    }
}

impl<P: Protocol> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("wire", &self.wire)
            .field("authenticated", &self.authenticated)
            .field("protocol", &self.protocol)
            .finish()
    }
}
