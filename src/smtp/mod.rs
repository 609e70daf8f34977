//! SMTP, RFC 5321, as a client submits mail: greeting, EHLO, STARTTLS (RFC 3207), AUTH (RFC 4954). The verbs are in
//! `commands.rs`, sending is in `send.rs`. Nothing that a server said before STARTTLS is known after it.

mod auth;
mod body;
mod capabilities;
mod codec;
mod commands;
mod envelope;
mod hello;
#[cfg(feature = "message")]
mod raw_message;
mod send;

pub use body::Body;
pub use capabilities::Capabilities;
pub use codec::{EnhancedCode, Reply, ReplyFramer};
pub use envelope::Envelope;
#[cfg(feature = "message")]
pub use raw_message::RawMessage;
pub use send::{Policy, SendOptions, SendReport};

use crate::errors::StartTlsCause;
use crate::sasl::{self, Mechanism};
use crate::wire::{Answer, Wire};
use crate::{Error, Phase, Protocol, Result, Security, ports};
use commands::{accepted, exchange, read};

/// The protocol of an [`SmtpClient`](crate::SmtpClient): its options, and what the server has said.
///
/// Ports: 587 for `connect` and `start_tls`, 465 for `connect_ssl`. URLs: `smtp:` (STARTTLS, required), `smtps:` (TLS),
/// `smtp+insecure:`.
///
/// ```
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
/// # let endpoint = server.endpoint();
/// use mailconnect::{Connector, Security, smtp::Smtp};
/// let smtp = Smtp::new().hello_name("client.example.com")?;
/// let smtp = Connector::new().open(smtp, endpoint, Security::Plain)?;
/// # smtp.quit()
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Smtp {
    hello_name: Option<String>,
    session: Session,
}

/// All that a server said and what was made of it; forgotten as one.
#[derive(Debug, Clone, Default)]
struct Session {
    greeting: Option<Reply>,
    capabilities: Capabilities,
    transaction: Option<Transaction>,
    refused: Vec<(String, Reply)>,
}

/// What is under way between MAIL and the end of DATA, begun by single verbs.
#[derive(Debug, Clone, Copy, Default)]
struct Transaction {
    /// MAIL had the parameter SMTPUTF8.
    utf8: bool,
    /// Recipients that the server took.
    recipients: usize,
}

impl Smtp {
    /// With default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that the client gives itself in EHLO: a domain, or an address literal such as `[192.0.2.1]`. Default:
    /// the machine's host name if that is a full one, else the socket's own address as a literal.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is neither.
    pub fn hello_name(mut self, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        hello::check(&name)?;
        self.hello_name = Some(name);
        Ok(self)
    }

    /// Refuses a call between MAIL and the end of DATA.
    fn idle(&self, refusal: &'static str) -> Result<()> {
        if self.session.transaction.is_some() { Err(Error::WrongState(refusal)) } else { Ok(()) }
    }

    fn say_hello(&self, wire: &mut Wire, command: &'static str) -> Result<Reply> {
        let name = self.hello_name.clone().unwrap_or_else(|| hello::default_name(wire.local_addr()));
        let answer = Answer::new(command, ReplyFramer::new(wire.limits()));
        let mut group = wire.group();
        group.put(command).put(" ").text("hello_name", name.as_bytes())?.end(answer);
        group.send()?;
        let reply = accepted(wire, command)?;
        if reply.code == 250 { Ok(reply) } else { Err(wire.malformed("another success than 250")) }
    }

    fn extended_hello(&mut self, wire: &mut Wire) -> Result<()> {
        let capabilities = Capabilities::parse(&self.say_hello(wire, "EHLO")?);
        let max = wire.limits().capabilities;
        if capabilities.len() > max {
            return Err(wire.too_much("capabilities", max as u64));
        }
        self.session.capabilities = capabilities;
        Ok(())
    }
}

impl Protocol for Smtp {
    const NAME: &'static str = "SMTP";
    const SASL_SERVICE: &'static str = "smtp";
    const PORT: Option<u16> = Some(ports::SMTP_SUBMISSION);
    const TLS_PORT: Option<u16> = Some(ports::SMTP_SUBMISSIONS);
    const SCHEMES: &'static [(&'static str, Security)] = &[("smtp", Security::StartTls), ("smtps", Security::Tls)];
    const ROUTES: &'static [(u16, Security)] =
        &[(ports::SMTP_SUBMISSIONS, Security::Tls), (ports::SMTP_SUBMISSION, Security::StartTls)];

    fn reset(&mut self) {
        self.session = Session::default();
    }

    /// 220 and nothing else welcomes. A server that does not know EHLO gets HELO, and has no capabilities then: so
    /// `start_tls` fails there, and no login follows.
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
        match self.extended_hello(wire) {
            Err(Error::Rejected(rejection)) if matches!(&*rejection.status, "500" | "502" | "504") => {
                self.say_hello(wire, "HELO").map(drop)
            }
            result => result,
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
        Ok(self.session.capabilities.mechanisms())
    }

    fn authenticate(
        &mut self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &sasl::Context<'_>,
    ) -> Result<()> {
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
