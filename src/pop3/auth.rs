//! Logging in: AUTH for every SASL mechanism (RFC 5034), and USER with PASS (RFC 1939 7). Whether the link is safe
//! enough for it is not decided here.

use super::codec::{self, AuthFramer, AuthReply, StatusFramer};
use super::{accepted, send};
use crate::sasl::{Context, Mechanism, Secret};
use crate::wire::{Answer, Part, Wire};
use crate::{Error, Result};

/// Carries one exchange. The first message rides with the command if the line is then no longer than a server must
/// take.
pub(super) fn authenticate(wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
    check_name(mechanism.name())?;
    let mut unsent = mechanism.start(context)?;
    wire.hide_received(true);
    begin(wire, mechanism.name(), &mut unsent)?;
    while let Some(challenge) = next_challenge(wire)? {
        // A server that was not given the first message asks for it. What it says there can be no challenge yet.
        let answer = match unsent.take() {
            Some(first) => Ok(first),
            None => decode(wire, challenge.as_bytes()).and_then(|challenge| mechanism.step(challenge.as_bytes())),
        };
        match answer {
            Ok(answer) => respond(wire, &answer)?,
            Err(error) if !wire.is_open() => return Err(error),
            Err(error) => return cancel(wire).and(Err(error)),
        }
    }
    // Success for a mechanism that has not checked the server yet would be a server's way around that check.
    if unsent.is_none() && mechanism.is_finished() {
        return Ok(());
    }
    Err(wire.malformed("the server ended the log-in before it was complete"))
}

fn begin(wire: &mut Wire, name: &str, unsent: &mut Option<Secret>) -> Result<()> {
    let first = unsent.as_ref().map(|first| match first.as_bytes() {
        [] => Secret::from("="),
        _ => first.to_base64(),
    });
    let octets = |first: &Secret| "AUTH ".len() + name.len() + 1 + first.as_bytes().len();
    let first = first.filter(|first| codec::fits(octets(first)));
    let answer = Answer::new("AUTH", AuthFramer::new(wire.limits()));
    send(wire, answer, |group| {
        group.put("AUTH ").text("mechanism", name.as_bytes())?;
        match &first {
            Some(first) => group.put(" ").secret("response", first.as_bytes()),
            None => Ok(group),
        }
    })?;
    if first.is_some() {
        *unsent = None;
    }
    Ok(())
}

/// A name with a blank in it would be two arguments.
fn check_name(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=20).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    Err(Error::invalid("mechanism", "is no SASL mechanism's name (RFC 4422 3.1)"))
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

fn decode(wire: &mut Wire, challenge: &[u8]) -> Result<Secret> {
    let max = wire.limits().sasl_challenge;
    match Secret::from_base64(challenge) {
        Some(decoded) if decoded.as_bytes().len() <= max => Ok(decoded),
        Some(_) => Err(wire.too_much("bytes in a SASL challenge", max as u64)),
        None => Err(wire.malformed("a challenge that is not base64")),
    }
}

fn respond(wire: &mut Wire, answer: &Secret) -> Result<()> {
    let mut group = wire.group();
    group.secret("response", answer.to_base64().as_bytes())?.line();
    group.send()
}

/// Ends the exchange from this side; the server's refusal of it is what it has to say.
fn cancel(wire: &mut Wire) -> Result<()> {
    let mut group = wire.group();
    group.put("*").line();
    group.send()?;
    match next_challenge(wire) {
        Err(Error::Rejected(_)) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(wire.malformed("the server goes on with a log-in that was cancelled")),
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
