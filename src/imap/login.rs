//! Logging in: AUTHENTICATE (RFC 9051, 6.2.2; SASL-IR of RFC 4959) and LOGIN.

use super::Imap;
use super::codec::{Response, trim};
use super::exchange::{Step, nothing};
use super::line::Line;
use crate::sasl::{Context, Mechanism, Secret};
use crate::wire::{Flaw, Wire};
use crate::{Error, Result};

const AUTHENTICATE: &str = "AUTHENTICATE";

impl Imap {
    /// Carries a SASL exchange.
    pub(super) fn sasl(&mut self, wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
        let mut first = mechanism.start(context)?.map(|message| message.to_base64());
        let name = mechanism.name().to_owned();
        let mut line = Line::new(AUTHENTICATE).atom("mechanism", &name)?;
        if self.capabilities.as_ref().is_some_and(|capabilities| capabilities.has("SASL-IR")) {
            if let Some(message) = first.take() {
                line = line.initial(message.as_bytes());
            }
        }
        self.logging_in(wire, |imap, wire| {
            imap.send(wire, &line)?;
            wire.hide_received(true);
            let result = imap.challenges(wire, mechanism, first);
            wire.hide_received(false);
            result
        })
    }

    /// Answers challenges until the server has decided.
    fn challenges(&mut self, wire: &mut Wire, mechanism: &mut dyn Mechanism, mut first: Option<Secret>) -> Result<()> {
        loop {
            match self.step(wire)? {
                Step::Data => self.keep(wire),
                Step::Done(completion) => {
                    completion.accept(AUTHENTICATE)?;
                    if !mechanism.is_finished() {
                        return Err(wire.malformed("the server says that the log-in is done before it is"));
                    }
                    return Ok(());
                }
                Step::Continue => {
                    let answer = match first.take() {
                        // Whatever this `+` says, it asks for the message that could not go out with the command.
                        Some(message) => message,
                        None => {
                            let challenge = challenge(wire)?;
                            match mechanism.step(challenge.as_bytes()) {
                                Ok(answer) => answer.to_base64(),
                                Err(error) => return Err(self.cancel(wire, error)),
                            }
                        }
                    };
                    let mut group = wire.group();
                    group.secret("response", answer.as_bytes())?.line();
                    group.send()?;
                }
            }
        }
    }

    /// Ends the exchange because of `error`, which leaves the client usable if the server agrees.
    fn cancel(&mut self, wire: &mut Wire, error: Error) -> Error {
        let mut group = wire.group();
        group.put("*").line();
        let refused = group.send().and_then(|()| self.finish(wire, AUTHENTICATE, nothing));
        match refused {
            Err(Error::Rejected(refusal)) if !refusal.closing => error,
            Err(worse) => worse,
            Ok(_) => wire.malformed("success for a log-in that was cancelled"),
        }
    }

    /// LOGIN.
    pub(super) fn plain_login(&mut self, wire: &mut Wire, user: &str, password: &str) -> Result<()> {
        if self.learn_capabilities(wire)?.has("LOGINDISABLED") {
            return Err(Error::unsupported("the server does not take LOGIN on this connection (LOGINDISABLED)"));
        }
        let line = Line::new("LOGIN").user(user)?.secret("password", password)?;
        self.logging_in(wire, |imap, wire| imap.run(wire, &line, nothing).map(drop))
    }

    /// What the server could do holds no more once it knows who asks, unless it has said so anew by then.
    fn logging_in(&mut self, wire: &mut Wire, work: impl FnOnce(&mut Self, &mut Wire) -> Result<()>) -> Result<()> {
        self.hear(wire)?;
        let before = self.learned;
        work(self, wire)?;
        if self.learned == before {
            self.capabilities = None;
        }
        Ok(())
    }
}

/// The challenge in the frame, decoded.
fn challenge(wire: &mut Wire) -> Result<Secret> {
    let max = wire.limits().sasl_challenge;
    let Response::Continue(text) = Response::parse(wire.frame()) else {
        return Err(wire.malformed("no challenge"));
    };
    let text = trim(text).trim_ascii();
    if text.len() / 4 * 3 > max + 2 {
        return Err(wire.flaw(Flaw::TooMuch { what: "bytes in a challenge", max: max as u64 }));
    }
    Secret::from_base64(text).ok_or_else(|| wire.malformed("a challenge that is not base64"))
}
