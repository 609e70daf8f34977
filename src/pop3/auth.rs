//! Logging in: AUTH for every SASL mechanism (RFC 5034), and USER with PASS (RFC 1939 7). Whether the link is safe
//! enough for it is not decided here.

use super::codec::{self, AuthFramer, AuthReply, StatusFramer};
use super::{accepted, send};
use crate::sasl::{Context, Exchange, Mechanism, Secret};
use crate::wire::{Answer, Part, Wire};
use crate::{Error, Result};

/// Carries one exchange. The first message rides with the command if the line is then no longer than a server must
/// take.
pub(super) fn authenticate(wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
    let mut exchange = Exchange::start(wire, mechanism, context)?;
    begin(wire, &mut exchange)?;
    while let Some(challenge) = next_challenge(wire)? {
        match exchange.answer(wire, challenge.as_bytes()) {
            Ok(answer) => respond(wire, &answer)?,
            Err(error) => return Err(Exchange::cancelled(error, cancel(wire))),
        }
    }
    // Success for a mechanism that has not checked the server yet would be a server's way around that check.
    if exchange.is_finished() {
        return Ok(());
    }
    Err(wire.malformed("the server ended the log-in before it was complete"))
}

fn begin(wire: &mut Wire, exchange: &mut Exchange<'_>) -> Result<()> {
    let before = "AUTH ".len() + exchange.name().len() + 1;
    let first = exchange.initial(|octets| codec::fits(before + octets));
    let answer = Answer::new("AUTH", AuthFramer::new(wire.limits()));
    send(wire, answer, |group| {
        group.put("AUTH ").text("mechanism", exchange.name().as_bytes())?;
        match &first {
            Some(first) => group.put(" ").secret("response", first.as_bytes()),
            None => Ok(group),
        }
    })
}

/// The next challenge in base64; none at success.
fn next_challenge(wire: &mut Wire) -> Result<Option<Secret>> {
    let part = wire.next_part()?;
    match codec::auth_reply(wire.frame()) {
        Ok(AuthReply::Challenge(challenge)) if part == Part::Frame => Ok(Some(challenge.to_vec().into())),
        Ok(AuthReply::Status(status)) if status.accepted => Ok(None),
        Ok(AuthReply::Status(status)) => Err(Error::Rejected(Box::new(status.rejection("AUTH")))),
        Ok(AuthReply::Challenge(_)) => Err(wire.malformed("a challenge where the log-in had ended")),
        Err(flaw) => Err(wire.flaw(flaw)),
    }
}

fn respond(wire: &mut Wire, answer: &Secret) -> Result<()> {
    let mut group = wire.group();
    group.secret("response", answer.as_bytes())?.line();
    group.send()
}

/// Ends the exchange from this side; the server's refusal of it is what it has to say.
fn cancel(wire: &mut Wire) -> Error {
    let mut group = wire.group();
    group.put("*").line();
    match group.send().and_then(|()| next_challenge(wire)) {
        Err(error) => error,
        Ok(_) => wire.malformed("the server goes on with a log-in that was cancelled"),
    }
}

/// USER and PASS. A password may hold blanks: it is all that follows `PASS `.
pub(super) fn login(wire: &mut Wire, user: &str, password: &str) -> Result<()> {
    codec::argument("user", "USER ".len(), user)?;
    codec::argument("password", "PASS ".len(), password)?;
    let answer = Answer::new("USER", StatusFramer::new(wire.limits()));
    send(wire, answer, |group| group.put("USER ").text("user", user.as_bytes()))?;
    accepted(wire, "USER")?;
    let answer = Answer::new("PASS", StatusFramer::new(wire.limits()));
    send(wire, answer, |group| group.put("PASS ").secret("password", password.as_bytes()))?;
    accepted(wire, "PASS").map(drop)
}
