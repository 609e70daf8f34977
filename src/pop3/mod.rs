//! POP3: what makes the protocol. The verbs are in `commands.rs` and `language.rs`, those for many messages in `bodies.rs`
//! and `batch.rs`, logging in is in `auth.rs`, and the bytes are in `codec.rs`. RFC 1939, RFC 2449 (CAPA, response codes,
//! pipelining), RFC 2595 (STLS), RFC 5034 (AUTH), RFC 6856 (UTF8, LANG).

mod apop;
mod auth;
mod batch;
mod bodies;
mod capabilities;
mod codec;
mod commands;
mod language;
mod raw;
mod types;
mod window;

pub use bodies::{Bodies, Message};
pub use capabilities::{Capabilities, Expire, LoginDelay};
pub use types::{Language, ListEntry, ResponseCode, Stat, UidlEntry};

use crate::sasl::{self, Mechanism};
use crate::wire::{Answer, Framer, Group, Part, Wire};
use crate::{Error, Phase, Protocol, Result, Security, ports};
use codec::{ListingFramer, StatusFramer};

/// POP3, RFC 1939. The client is [`Pop3Client`](crate::Pop3Client), which has the verbs.
///
/// # Deletions
/// [`dele`](crate::Pop3Client::dele) only marks a message. What is marked is deleted by
/// [`quit`](crate::Client::quit), **and only if that returns `Ok`**: if its answer is lost, the error's
/// [`outcome_unknown`](crate::Error::outcome_unknown) is true, and the messages may be gone or not. A client that is
/// dropped, closed by an error or interrupted never sends QUIT, so nothing is deleted; nor after
/// [`rset`](crate::Pop3Client::rset).
///
/// # Many messages
/// [`retr_all`](crate::Pop3Client::retr_all), [`retr_many`](crate::Pop3Client::retr_many),
/// [`top_many`](crate::Pop3Client::top_many), [`dele_many`](crate::Pop3Client::dele_many) and others use PIPELINING where
/// the server offers it: as many messages as you like cost about one round trip for each 128 of them.
///
/// ```
/// use mailconnect::Pop3Client;
/// use mailconnect::testing::{Mode, Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::pop3().mode(Mode::Plain).message("Subject: one\r\n\r\n1\r\n").start()?;
///
/// let mut pop3 = Pop3Client::connect(server.endpoint())?;
/// pop3.login("user", "password")?;
/// let (mut all, mut saved) = (pop3.retr_all()?, Vec::new());
/// while let Some(mut message) = all.next_body()? {
///     message.copy_to(&mut std::io::stdout())?;
///     saved.push(message.number());
/// }
/// pop3.dele_many(saved)?;
/// pop3.quit()?; // now they are deleted
/// # assert!(server.mailbox().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pop3 {
    /// None until they are asked for.
    capabilities: Option<Capabilities>,
    /// Something is marked as deleted, so that QUIT is no mere goodbye.
    deletions: bool,
    apop: apop::State,
    /// The server speaks UTF-8, and no more TLS can begin.
    utf8: bool,
}

impl Pop3 {
    /// With default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if [`quit`](crate::Client::quit) will delete something.
    pub fn has_deletions(&self) -> bool {
        self.deletions
    }

    /// What the server can do, asked for if that was not done since the last upgrade or log-in. RFC 2449 5.
    fn capabilities(&mut self, wire: &mut Wire) -> Result<&Capabilities> {
        if self.capabilities.is_none() {
            self.capabilities = Some(ask_capabilities(wire)?);
        }
        Ok(self.capabilities.get_or_insert_default())
    }
}

impl Protocol for Pop3 {
    const NAME: &'static str = "POP3";
    const SASL_SERVICE: &'static str = "pop";
    const PORT: Option<u16> = Some(ports::POP3);
    const TLS_PORT: Option<u16> = Some(ports::POP3S);
    const SCHEMES: &'static [(&'static str, Security)] = &[("pop3", Security::StartTls), ("pop3s", Security::Tls)];
    const ROUTES: &'static [(u16, Security)] = &[(ports::POP3S, Security::Tls), (ports::POP3, Security::StartTls)];
    const ALPN: &'static [&'static [u8]] = &[b"pop3"];
    const OWN_LOGIN: Option<&'static str> = Some("USER");

    fn reset(&mut self) {
        self.capabilities = None;
        self.deletions = false;
        self.apop.reset();
        self.utf8 = false;
    }

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        let framer = StatusFramer::greeting(wire.limits());
        wire.expect(Answer::new("", framer));
        accepted(wire, "the connection").map_err(|error| match error {
            Error::Rejected(mut rejection) => {
                rejection.closing = true;
                Error::Rejected(rejection)
            }
            error => error,
        })?;
        self.apop.greeted(wire);
        Ok(())
    }

    /// Right after the greeting: what CAPA would say in clear is worth nothing.
    fn request_tls(&mut self, wire: &mut Wire) -> Result<()> {
        let framer = StatusFramer::new(wire.limits());
        call(wire, "STLS", framer).map(drop)
    }

    /// CAPA is asked when it is needed.
    fn secured(&mut self, _: &mut Wire) -> Result<()> {
        Ok(())
    }

    fn can_start_tls(&self) -> Result<()> {
        if self.utf8 { Err(Error::WrongState("start_tls: not after utf8 (RFC 6856 2.1)")) } else { Ok(()) }
    }

    fn mechanisms(&mut self, wire: &mut Wire) -> Result<Vec<String>> {
        let apop = self.apop.offered();
        let names = self.capabilities(wire)?.mechanisms().into_iter().map(str::to_ascii_uppercase);
        Ok(names.chain(apop).collect())
    }

    fn authenticate(
        &mut self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &sasl::Context<'_>,
    ) -> Result<()> {
        if mechanism.name().eq_ignore_ascii_case(apop::NAME) {
            self.apop.authenticate(wire, mechanism, context)?;
        } else {
            auth::authenticate(wire, mechanism, context)?;
        }
        self.capabilities = None;
        Ok(())
    }

    fn login(&mut self, wire: &mut Wire, user: &str, password: &str) -> Result<()> {
        auth::login(wire, user, password)?;
        self.capabilities = None;
        Ok(())
    }

    /// With deletions only a `+OK` will do. Without them nothing depends on the answer, and a server that just hangs up
    /// (as many do) has understood.
    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        let mut answer = Answer::new("QUIT", StatusFramer::new(wire.limits()));
        if self.deletions {
            answer = answer.changing();
            // Removing messages takes a server longer than saying goodbye.
            wire.enter(Phase::Command);
        }
        let result = send(wire, answer, |group| Ok(group.put("QUIT"))).and_then(|()| accepted(wire, "QUIT"));
        match result {
            Err(Error::ConnectionLost(_) | Error::Io { .. }) if !self.deletions => Ok(()),
            result => result.map(drop),
        }
    }
}

/// RFC 2449 5. A server that refuses it is an old one, which has none.
fn ask_capabilities(wire: &mut Wire) -> Result<Capabilities> {
    let framer = ListingFramer::capabilities(wire.limits());
    match call(wire, "CAPA", framer) {
        Ok(_) => {}
        Err(Error::Rejected(_)) => return Ok(Capabilities::default()),
        Err(error) => return Err(error),
    }
    let mut lines = Vec::new();
    while wire.next_part()? != Part::Last {
        lines.push(codec::capability(codec::listed(wire.frame())));
    }
    Ok(Capabilities::new(lines))
}

/// Sends one command that is composed by `compose`.
fn send(wire: &mut Wire, answer: Answer, compose: impl Compose) -> Result<()> {
    let mut group = wire.group();
    compose(&mut group)?.end(answer);
    group.send()
}

/// What writes a command's line, without its end.
trait Compose: for<'g, 'w> FnOnce(&'g mut Group<'w>) -> Result<&'g mut Group<'w>> {}

impl<F> Compose for F where F: for<'g, 'w> FnOnce(&'g mut Group<'w>) -> Result<&'g mut Group<'w>> {}

/// Sends a command without arguments and reads its status.
fn call(wire: &mut Wire, command: &'static str, framer: impl Framer + 'static) -> Result<Part> {
    send(wire, Answer::new(command, framer), |group| Ok(group.put(command)))?;
    accepted(wire, command)
}

/// Reads a status; a refusal becomes an error. The frame is still the status line after it.
fn accepted(wire: &mut Wire, command: &str) -> Result<Part> {
    let part = wire.next_part()?;
    match codec::status(wire.frame()) {
        Ok(status) if status.accepted => Ok(part),
        Ok(status) => Err(Error::Rejected(Box::new(status.rejection(command)))),
        Err(flaw) => Err(wire.flaw(flaw)),
    }
}
