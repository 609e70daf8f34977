//! Logging in: AUTHENTICATE (RFC 9051, 6.2.2; SASL-IR of RFC 4959) and LOGIN.

use super::codec::{Response, trim};
use super::exchange::{Step, nothing};
use super::line::Line;
use super::{IdTime, Imap};
use crate::sasl::{Context, Exchange, Mechanism, Secret};
use crate::wire::Wire;
use crate::{Error, Result};

const AUTHENTICATE: &str = "AUTHENTICATE";

impl Imap {
    /// Carries a SASL exchange.
    pub(super) fn sasl(&mut self, wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
        let mut exchange = Exchange::start(wire, mechanism, context)?;
        let name = exchange.name().to_owned();
        let may_ride = self.known().has("SASL-IR");
        let mut line = Line::new(AUTHENTICATE).atom("mechanism", &name)?;
        if let Some(first) = exchange.initial(|_| may_ride) {
            line = line.initial(first.as_bytes());
        }
        self.logging_in(wire, |imap, wire| {
            imap.send(wire, &line)?;
            imap.challenges(wire, &mut exchange)
        })
    }

    /// Answers challenges until the server has decided.
    fn challenges(&mut self, wire: &mut Wire, exchange: &mut Exchange<'_>) -> Result<()> {
        loop {
            match self.step(wire)? {
                Step::Data => self.keep(wire),
                Step::Done(completion) => {
                    completion.accept(AUTHENTICATE)?;
                    if !exchange.is_finished() {
                        return Err(wire.malformed("the server says that the log-in is done before it is"));
                    }
                    return Ok(());
                }
                Step::Continue => {
                    let challenge = challenge(wire)?;
                    match exchange.answer(wire, challenge.as_bytes()) {
                        Ok(answer) => {
                            let mut group = wire.group();
                            group.secret("response", answer.as_bytes())?.line();
                            group.send()?;
                        }
                        Err(error) => return Err(Exchange::cancelled(error, self.cancel(wire))),
                    }
                }
            }
        }
    }

    /// Ends the exchange from this side; what the server answers to that.
    fn cancel(&mut self, wire: &mut Wire) -> Error {
        let mut group = wire.group();
        group.put("*").line();
        match group.send().and_then(|()| self.finish(wire, AUTHENTICATE, nothing)) {
            Err(error) => error,
            Ok(_) => wire.malformed("success for a log-in that was cancelled"),
        }
    }

    /// Refuses LOGIN where the server does, before a byte of it is sent.
    pub(super) fn may_log_in(&mut self, wire: &mut Wire) -> Result<()> {
        if self.learn_capabilities(wire)?.has("LOGINDISABLED") {
            return Err(Error::unsupported("the server does not take LOGIN on this connection (LOGINDISABLED)"));
        }
        Ok(())
    }

    /// LOGIN.
    pub(super) fn plain_login(&mut self, wire: &mut Wire, user: &str, password: &str) -> Result<()> {
        self.may_log_in(wire)?;
        let line = Line::new("LOGIN").any_string("user", user)?.secret("password", password)?;
        self.logging_in(wire, |imap, wire| imap.run(wire, &line, nothing).map(drop))
    }

    /// What the server could do holds no more once it knows who asks, unless it has said so anew by then.
    fn logging_in(&mut self, wire: &mut Wire, work: impl FnOnce(&mut Self, &mut Wire) -> Result<()>) -> Result<()> {
        self.hear(wire)?;
        let before = self.learned;
        work(self, wire)?;
        if self.learned == before {
            self.forget_capabilities();
        }
        self.identify(wire, IdTime::AfterLogin)
    }
}

/// The challenge in the frame, in base64.
fn challenge(wire: &mut Wire) -> Result<Secret> {
    let challenge = match Response::parse(wire.frame()) {
        Response::Continue(text) => Secret::from(trim(text).to_vec()),
        _ => return Err(wire.malformed("no challenge")),
    };
    Ok(challenge)
}
