//! SMTP, RFC 5321: submitting mail (RFC 6409) on ports 587 and 465, and relaying it on port 25.
//!
//! [`send`](crate::Client::send) takes a message and its [`Envelope`] to the server;
//! [`send_all`](crate::Client::send_all) does so with any number of them. The verbs of the RFC are there too, one by one.
//!
//! # Outcomes
//! A message was **delivered** (the server has taken it, for at least one recipient), **refused** (it has said no), **not
//! sent** (it cannot have taken it) or its fate is **unknown**: it went out whole, and the reply was lost. Nothing is ever
//! sent twice. A single `send` tells the four as `Ok`, [`Error::Rejected`], another error, and an error of which
//! [`outcome_unknown`](crate::Error::outcome_unknown) is true; `send_all` as an [`Outcome`].
//!
//! # Round trips
//! Where the server offers PIPELINING, MAIL, all RCPT and DATA go out together, and the message after the server's 354:
//! two round trips a message, and in bulk one, since the next envelope rides with the message before it. Where it does
//! not, commands go one by one. Under [`Policy::RequireAll`] with more than one recipient DATA waits for the replies.
//!
//! With **chunking** ([`Smtp::chunking`], RFC 3030) the message goes with the envelope, by BDAT: one round trip a message,
//! and in bulk many messages are under way at once. It is off unless switched on, since there are servers that offer it and
//! mishandle it.
//!
//! At most 128 commands, and replies of 8 KiB by estimate, are under way at once: neither side can block the other.
//!
//! # Limits
//! SIZE is looked at before a byte is sent. More recipients than the server takes at once (LIMITS of RFC 9422, or 452 after
//! 100 of them) are spread over several transactions, if the [`Body`] can be read again. MAILMAX is kept.
//!
//! What a server said before STARTTLS is forgotten after it.

mod auth;
mod body;
mod bulk;
mod capabilities;
mod chunk;
mod codec;
mod commands;
mod data;
mod dialect;
mod envelope;
mod hello;
mod job;
mod message;
mod params;
mod pipeline;
mod queries;
#[cfg(feature = "message")]
mod raw_message;
mod report;
mod send;
mod transaction;

pub use body::Body;
pub use bulk::SendAll;
pub use capabilities::Capabilities;
pub use codec::{EnhancedCode, Reply, ReplyFramer};
pub use dialect::{Dialect, OneReply, Relay, Submission};
pub use envelope::Envelope;
pub use message::{Message, Policy, SendOptions};
pub use params::{BodyType, DeliverBy, MailParameter, Notify, RcptParameter, Ret};
#[cfg(feature = "message")]
pub use raw_message::RawMessage;
pub use report::{Delivery, Outcome, SendReport};

use std::marker::PhantomData;
use std::sync::Arc;

use crate::errors::StartTlsCause;
use crate::sasl::{self, Mechanism};
use crate::wire::{Answer, Wire};
use crate::{Error, Phase, Protocol, Rejection, Result, Security};
use commands::{accepted, exchange, read};

/// The protocol of an [`SmtpClient`](crate::SmtpClient): its options, and what the server has said.
///
/// Ports: 587 for `connect` and `start_tls`, 465 for `connect_ssl`. URLs: `smtp:` (STARTTLS, required), `smtps:` (TLS),
/// `smtp+insecure:`. A [`RelayClient`](crate::RelayClient) goes to port 25.
///
/// ```
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
/// # let endpoint = server.endpoint();
/// use mailconnect::{Connector, Security, smtp::Smtp};
/// let smtp = Smtp::new().hello_name("client.example.com")?.disable("CHUNKING");
/// let smtp = Connector::new().open(smtp, endpoint, Security::Plain)?;
/// # smtp.quit()
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Smtp<D = Submission> {
    options: Options,
    session: Session,
    dialect: PhantomData<D>,
}

#[derive(Debug, Clone, Default)]
struct Options {
    hello_name: Option<String>,
    chunking: bool,
    /// In upper case.
    disabled: Vec<String>,
}

/// All that a server said and what was made of it; forgotten as one.
#[derive(Debug, Clone, Default)]
struct Session {
    greeting: Option<Reply>,
    capabilities: Arc<Capabilities>,
    transaction: Option<Transaction>,
    refused: Vec<(String, Reply)>,
    /// How many transactions were begun.
    mails: u64,
}

/// What is under way between MAIL and the end of the message, begun by single verbs.
#[derive(Debug, Clone, Default)]
struct Transaction {
    /// MAIL had the parameter SMTPUTF8.
    utf8: bool,
    /// MAIL had BODY=BINARYMIME.
    binary: bool,
    /// Recipients that the server took.
    recipients: Vec<String>,
    /// BDAT has begun.
    chunks: bool,
}

impl<D> Default for Smtp<D> {
    fn default() -> Self {
        Self { options: Options::default(), session: Session::default(), dialect: PhantomData }
    }
}

impl Smtp {
    /// Submission, with default options. For relaying: `Smtp::<Relay>::default()`.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: Dialect> Smtp<D> {
    /// The name that the client gives itself in EHLO: a domain, or an address literal such as `[192.0.2.1]`. Default:
    /// the machine's host name if that is a full one, else the socket's own address as a literal.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is neither.
    pub fn hello_name(mut self, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        hello::check(&name)?;
        self.options.hello_name = Some(name);
        Ok(self)
    }

    /// Whether messages go out by BDAT (RFC 3030) where the server offers CHUNKING; false unless set, since there are
    /// servers that offer it and mishandle it. It saves a round trip a message, and much more in bulk.
    #[must_use]
    pub fn chunking(mut self, chunking: bool) -> Self {
        self.options.chunking = chunking;
        self
    }

    /// Makes as if the server did not offer `keyword`: for one that offers what it cannot do. Without STARTTLS,
    /// `start_tls` fails.
    #[must_use]
    pub fn disable(mut self, keyword: &str) -> Self {
        self.options.disabled.push(keyword.to_ascii_uppercase());
        self
    }

    /// Refuses a call between MAIL and the end of DATA.
    fn idle(&self, refusal: &'static str) -> Result<()> {
        if self.session.transaction.is_some() { Err(Error::WrongState(refusal)) } else { Ok(()) }
    }

    fn say_hello(&self, wire: &mut Wire, command: &'static str) -> Result<Reply> {
        let name = self.options.hello_name.clone().unwrap_or_else(|| hello::default_name(wire.local_addr()));
        let answer = Answer::new(command, ReplyFramer::new(wire.limits()));
        let mut group = wire.group();
        group.put(command).put(" ").text("hello_name", name.as_bytes())?.end(answer);
        group.send()?;
        let reply = accepted(wire, command)?;
        if reply.code == 250 { Ok(reply) } else { Err(wire.malformed("another success than 250")) }
    }

    fn extended_hello(&mut self, wire: &mut Wire) -> Result<()> {
        let capabilities = Capabilities::parse(&self.say_hello(wire, D::HELLO)?);
        let max = wire.limits().capabilities;
        if capabilities.len() > max {
            return Err(wire.too_much("capabilities", max as u64));
        }
        self.session.capabilities = Arc::new(capabilities.without(&self.options.disabled));
        Ok(())
    }
}

impl<D: Dialect> Protocol for Smtp<D> {
    const NAME: &'static str = D::NAME;
    const SASL_SERVICE: &'static str = D::SASL_SERVICE;
    const PORT: Option<u16> = D::PORT;
    const TLS_PORT: Option<u16> = D::TLS_PORT;
    const SCHEMES: &'static [(&'static str, Security)] = D::SCHEMES;
    const ROUTES: &'static [(u16, Security)] = D::ROUTES;

    fn reset(&mut self) {
        self.session = Session::default();
    }

    /// 220 and nothing else welcomes. A server that does not know EHLO gets HELO if the caller did not ask for TLS, and
    /// has no capabilities then: so a later `start_tls` fails there, and no login follows.
    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        wire.expect(Answer::new("", ReplyFramer::greeting(wire.limits())));
        let greeting = read(wire)?;
        if let Some(mut rejection) = greeting.rejection("the connection") {
            rejection.closing = true;
            return Err(Error::Rejected(rejection));
        }
        if greeting.code != 220 {
            return Err(wire.malformed("a greeting other than 220"));
        }
        self.session.greeting = Some(greeting);
        wire.enter(Phase::Command);
        match (self.extended_hello(wire), D::OLD_HELLO) {
            (Err(Error::Rejected(rejection)), Some(old)) if matches!(&*rejection.status, "500" | "502" | "504") => {
                if wire.tls_wanted() {
                    Err(no_extensions(wire, rejection))
                } else {
                    self.say_hello(wire, old).map(drop)
                }
            }
            (result, _) => result,
        }
    }

    fn request_tls(&mut self, wire: &mut Wire) -> Result<()> {
        if !self.session.capabilities.has("STARTTLS") {
            return Err(Error::start_tls(wire.peer(), StartTlsCause::NotOffered));
        }
        match exchange(wire, "STARTTLS")?.code {
            220 => Ok(()),
            _ => Err(wire.malformed("another success than 220")),
        }
    }

    /// EHLO again. What was known is forgotten by now; a server that has STARTTLS and refuses EHLO is an error.
    fn secured(&mut self, wire: &mut Wire) -> Result<()> {
        self.extended_hello(wire)
    }

    fn can_start_tls(&self) -> Result<()> {
        self.idle("start_tls: not in a transaction, end it by data or rset")
    }

    fn mechanisms(&mut self, _: &mut Wire) -> Result<Vec<String>> {
        if D::LOGIN { Ok(self.session.capabilities.mechanisms()) } else { Err(no_login()) }
    }

    fn authenticate(
        &mut self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &sasl::Context<'_>,
    ) -> Result<()> {
        if !D::LOGIN {
            return Err(no_login());
        }
        self.idle("login: not in a transaction, end it by data or rset")?;
        auth::authenticate(wire, mechanism, context)
    }

    /// Nothing depends on a server's goodbye: one that closes without it is no error.
    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        commands::ask(wire, "QUIT")?;
        let reply = match read(wire) {
            Err(Error::ConnectionLost(_)) => return Ok(()),
            reply => reply?,
        };
        match reply.rejection("QUIT") {
            Some(rejection) if !rejection.closing => Err(Error::Rejected(rejection)),
            _ => Ok(()),
        }
    }
}

fn no_login() -> Error {
    Error::unsupported("a relay wants no log-in: an SmtpClient logs in")
}

/// The caller asked for TLS, and a server without EHLO is none to trust with less.
fn no_extensions(wire: &Wire, mut rejection: Box<Rejection>) -> Error {
    rejection.closing = true;
    if wire.is_secure() {
        return Error::Rejected(rejection);
    }
    Error::start_tls(wire.peer(), StartTlsCause::Refused(rejection))
}
