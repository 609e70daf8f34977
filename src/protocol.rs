//! All that makes a protocol. Open to other crates: whatever is added later gets a default.

use std::fmt;

use crate::error::{Error, Result};
use crate::ports::Security;
use crate::sasl::{self, Mechanism};
use crate::wire::Wire;

/// What a fourth protocol must supply; [`Client`](crate::Client) does the rest: connecting, upgrading, logging in,
/// deadlines, the certificate event, closing.
///
/// A method that returns a fatal error closes the client. The protocol's own verbs are an extension trait on
/// `Client<YourProtocol>`, written with [`Client::exchange`](crate::Client::exchange); `tests/fourth_protocol.rs` of this
/// crate is an example.
pub trait Protocol: fmt::Debug + Send + 'static {
    /// For error texts: `SMTP`.
    const NAME: &'static str;
    /// The GSSAPI service name: `smtp`, `imap`, `pop`, `sieve`.
    const SASL_SERVICE: &'static str;
    /// The default port of `connect` and `connect_start_tls`; none if there is none.
    const PORT: Option<u16>;
    /// The default port of `connect_ssl`; none if there is none.
    const TLS_PORT: Option<u16>;
    /// URL schemes: `("imaps", Security::Tls)`. `imap+insecure` follows from `("imap", Security::StartTls)`.
    const SCHEMES: &'static [(&'static str, Security)] = &[];
    /// What `connect_auto` tries, in order; secure ones only.
    const ROUTES: &'static [(u16, Security)] = &[];
    /// Registered ALPN ids, sent by `connect_ssl`.
    const ALPN: &'static [&'static [u8]] = &[];
    /// Whether the server may speak without being asked. If not, such a reply is an error, since it would be taken for
    /// the answer to the next command.
    const UNSOLICITED: bool = false;

    /// What [`login`](Self::login) is called where mechanisms are named
    /// ([`Connector::mechanisms`](crate::Connector::mechanisms)): `LOGIN`, `USER`.
    const OWN_LOGIN: Option<&'static str> = None;

    /// Forgets all that a server said; options stay. Called before every greeting and after every handshake.
    fn reset(&mut self);

    /// Reads the greeting, and asks what must be asked first (SMTP: EHLO).
    ///
    /// # Errors
    /// If the greeting is not one that welcomes.
    fn greet(&mut self, wire: &mut Wire) -> Result<()>;

    /// Asks for the upgrade (`STARTTLS`, `STLS`); `Ok` means go ahead.
    ///
    /// # Errors
    /// Any other answer than the one that allows it.
    fn request_tls(&mut self, wire: &mut Wire) -> Result<()>;

    /// Asks again after the handshake what was asked before it (SMTP: EHLO).
    ///
    /// # Errors
    /// Those of the commands.
    fn secured(&mut self, wire: &mut Wire) -> Result<()>;

    /// Refuses an upgrade in the middle of something, before a byte is sent.
    ///
    /// # Errors
    /// [`Error::WrongState`].
    fn can_start_tls(&self) -> Result<()> {
        Ok(())
    }

    /// The SASL mechanisms on offer, in upper case; asked for if that was not done yet.
    ///
    /// # Errors
    /// Those of the command.
    fn mechanisms(&mut self, wire: &mut Wire) -> Result<Vec<String>>;

    /// Carries one SASL exchange; [`sasl::Exchange`] does what is the same for all protocols.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the server refuses.
    fn authenticate(
        &mut self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &sasl::Context<'_>,
    ) -> Result<()>;

    /// The protocol's own way to log in (`LOGIN`, `USER` and `PASS`), for servers with no mechanism in common.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is none; [`Error::Rejected`] if the server refuses.
    fn login(&mut self, wire: &mut Wire, user: &str, password: &str) -> Result<()> {
        let _ = (wire, user, password);
        Err(Error::unsupported(format!("{} has no log-in of its own", Self::NAME)))
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// If something depended on it (POP3's deletions) and it was not confirmed.
    fn quit(&mut self, wire: &mut Wire) -> Result<()>;
}
