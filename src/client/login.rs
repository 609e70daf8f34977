//! Logging in, for all protocols: whether the link is safe enough (rule 3), which mechanism, once, and what a refusal is
//! told with.

use super::Client;
use crate::error::{Error, NoMechanism, Phase, Result};
use crate::protocol::Protocol;
use crate::sasl::{self, BindingPolicy, Choice, Mechanism};
use crate::wire::Wire;

/// So many characters of what a server gave as its reason are kept in an error.
const DETAIL: usize = 512;

/// # Logging in
impl<P: Protocol> Client<P> {
    /// Logs in with the strongest mechanism on offer, once: accounts get locked. In this order:
    ///
    /// 1. SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, which do not send the password (not the `-PLUS` forms, see
    ///    [`Connector::channel_binding`](crate::Connector::channel_binding));
    /// 2. PLAIN, then LOGIN, which send it;
    /// 3. on a connection to this machine alone, CRAM-MD5: nobody listens there, so that PLAIN is as safe, and asks less
    ///    of the server;
    /// 4. the protocol's own command: LOGIN of IMAP, USER and PASS of POP3.
    ///
    /// [`Connector::mechanisms`](crate::Connector::mechanisms) narrows or reorders that. A user name or password that
    /// SASLprep prohibits (RFC 4013) cannot be used with SCRAM, which is passed over then. OAuth is never taken for a
    /// password: see [`authenticate`](Self::authenticate).
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::imap().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// let refused = imap.login("user", "wrong").unwrap_err();
    /// assert!(refused.is_permanent() && imap.is_open()); // so that another password can be tried
    /// imap.login("user", "password")?;
    /// # imap.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in either; [`Error::InsecureLogin`] over a link that is neither
    /// encrypted nor local, before a byte is sent; [`Error::NoMechanism`]; [`Error::Unsupported`] if a channel binding is
    /// required and the connection has none; [`Error::Rejected`] if the server refuses, with the client still usable;
    /// [`Error::Sasl`] if the server's part was wrong.
    pub fn login(&mut self, user: &str, password: &str) -> Result<()> {
        // PLAIN takes all that any of them takes.
        Choice::Plain.make(user, password)?;
        let offered = self.offered(password.as_bytes())?;
        let settings = self.connector.settings();
        let (wanted, policy) = (settings.mechanisms.clone(), settings.channel_binding);
        let possible = Choice::possible(wanted.as_deref(), policy, self.wire.is_local());
        let mut unfit = None;
        for choice in &possible {
            if offered.iter().any(|name| name.eq_ignore_ascii_case(choice.name())) {
                match choice.make(user, password) {
                    Ok(mut mechanism) => return self.run(&mut *mechanism, &offered),
                    Err(error) => unfit = unfit.or(Some(error)),
                }
            }
        }
        let result = if self.takes_own_login() {
            self.during(Phase::Login, |protocol, wire| protocol.login(wire, user, password))
        } else {
            Err(Error::unsupported("narrowed"))
        };
        match (result, unfit) {
            (Err(Error::Unsupported(_)), Some(unfit)) => Err(unfit),
            (Err(Error::Unsupported(_)), None) => Err(self.clean(self.no_mechanism(offered, &possible))),
            (result, _) => {
                self.authenticated |= result.is_ok();
                result
            }
        }
    }

    fn no_mechanism(&self, offered: Vec<String>, possible: &[Choice]) -> Error {
        let possible = possible.iter().map(|choice| choice.name().to_owned()).collect();
        let (peer, secure) = (self.target.peer.as_ref().into(), self.is_secure());
        Error::NoMechanism(Box::new(NoMechanism { peer, offered, possible, secure }))
    }

    /// Logs in with this mechanism, whatever the server offers and [`login`](Self::login) would take.
    ///
    /// ```
    /// use mailconnect::sasl::Plain;
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// smtp.authenticate(&mut Plain::new("user", "password")?)?;
    /// assert!(smtp.is_authenticated());
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InsecureLogin`] as for [`login`](Self::login), whatever the mechanism: what is computed from a password
    /// is worth as much to a thief; [`Error::Rejected`] if the server refuses; [`Error::Sasl`] if the server's part was
    /// wrong; those of the mechanism.
    pub fn authenticate(&mut self, mechanism: &mut dyn Mechanism) -> Result<()> {
        let offered = self.offered(mechanism.password().unwrap_or_default())?;
        self.run(mechanism, &offered)
    }

    /// As [`exchange`](Self::exchange), for a verb of a protocol's own that logs in with this password. `work` also returns
    /// whether it has.
    ///
    /// # Errors
    /// [`Error::InsecureLogin`] as for [`login`](Self::login), before a byte is sent; [`Error::WrongState`] after a log-in;
    /// [`Error::Unsupported`] if the connector is to use other mechanisms only; those of `work`.
    pub fn log_in_by<T>(
        &mut self,
        password: &[u8],
        work: impl FnOnce(&mut P, &mut Wire) -> Result<(T, bool)>,
    ) -> Result<T> {
        self.may_log_in()?;
        if !self.takes_own_login() {
            return Err(Error::unsupported("log-in: the mechanisms that were asked for leave no other"));
        }
        self.wire.hide(password);
        let (result, logged_in) = self.during(Phase::Login, work)?;
        self.authenticated |= logged_in;
        Ok(result)
    }

    /// Rule 3, and what the server offers.
    fn offered(&mut self, password: &[u8]) -> Result<Vec<String>> {
        self.may_log_in()?;
        self.wire.hide(password);
        self.during(Phase::Login, |protocol, wire| protocol.mechanisms(wire))
    }

    /// Whether the protocol's own log-in is among what may be used.
    fn takes_own_login(&self) -> bool {
        let settings = self.connector.settings();
        let own = |wanted: &[String]| {
            P::OWN_LOGIN.is_some_and(|own| wanted.iter().any(|name| name.eq_ignore_ascii_case(own)))
        };
        settings.channel_binding == BindingPolicy::OnRequest && settings.mechanisms.as_deref().is_none_or(own)
    }

    fn may_log_in(&self) -> Result<()> {
        if self.authenticated {
            return Err(Error::WrongState("login: logged in already"));
        }
        let safe = self.wire.is_secure() || self.wire.is_local() || self.connector.settings().plaintext_auth;
        if self.wire.is_open() && !safe {
            return Err(Error::InsecureLogin(self.target.peer.as_ref().into()));
        }
        Ok(())
    }

    fn run(&mut self, mechanism: &mut dyn Mechanism, offered: &[String]) -> Result<()> {
        let host = self.target.host();
        let bindings = self.wire.tls().map(|tls| tls.channel_bindings.clone());
        let mut context = sasl::Context::new(P::SASL_SERVICE, &host);
        context.port = (self.target.port != 0).then_some(self.target.port);
        context.secure = self.wire.is_secure();
        context.offered = offered;
        context.bindings = bindings.as_ref();
        context.scram_iterations = self.wire.limits().scram_iterations;
        let result = self.during(Phase::Login, |protocol, wire| protocol.authenticate(wire, mechanism, &context));
        self.wire.hide_received(false);
        self.authenticated |= result.is_ok();
        result.map_err(|error| self.explained(error, mechanism))
    }

    /// Adds what only the mechanism knows of a failure.
    fn explained(&mut self, mut error: Error, mechanism: &dyn Mechanism) -> Error {
        match &mut error {
            Error::Rejected(refused) => {
                let reason = mechanism.failure().map(|reason| self.wire.scrub(reason));
                refused.detail = reason.map(|reason| reason.chars().take(DETAIL).collect::<String>().into());
                refused.hint = mechanism.hint().map(Into::into);
            }
            Error::Sasl(wrong) => wrong.peer = self.target.peer.as_ref().into(),
            _ => {}
        }
        error
    }
}
