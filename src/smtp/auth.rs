//! Logging in: AUTH, RFC 4954. Whether the link is safe enough for it is not decided here.

use super::codec::{Reply, ReplyFramer};
use super::commands::read;
use crate::sasl::{Context, Exchange, Mechanism};
use crate::wire::{Answer, Wire};
use crate::{Error, Result};

/// Octets of a line with an initial response, RFC 4954 4; above, the response goes on a line of its own.
const LINE_MAX: usize = 12_288;

/// Carries one exchange. 235 is its only success, and 334 the only challenge.
pub(super) fn authenticate(wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
    let mut exchange = Exchange::start(wire, mechanism, context)?;
    begin(wire, &mut exchange)?;
    loop {
        let reply = read(wire)?;
        match reply.code {
            235 if exchange.is_finished() => return Ok(()),
            235 => return Err(wire.malformed("success before the exchange was at its end")),
            334 => go_on(wire, &mut exchange, &reply)?,
            _ => return Err(refusal(wire, &reply, "another success than 235")),
        }
    }
}

fn due(wire: &Wire) -> Answer {
    let mut limits = wire.limits().clone();
    limits.reply_line = Exchange::line_limit(&limits);
    Answer::new("AUTH", ReplyFramer::new(&limits).or_more(334))
}

/// Sends AUTH, with the initial response if the line is not too long then.
fn begin(wire: &mut Wire, exchange: &mut Exchange<'_>) -> Result<()> {
    let before = "AUTH  \r\n".len() + exchange.name().len();
    let first = exchange.initial(|octets| before + octets <= LINE_MAX);
    let due = due(wire);
    let mut group = wire.group();
    group.put("AUTH ").text("mechanism", exchange.name().as_bytes())?;
    if let Some(first) = &first {
        group.put(" ").secret("response", first.as_bytes())?;
    }
    group.end(due);
    group.send()
}

/// Answers a challenge, or cancels.
fn go_on(wire: &mut Wire, exchange: &mut Exchange<'_>, reply: &Reply) -> Result<()> {
    let [challenge] = &*reply.lines else { return Err(wire.malformed("a challenge of more than one line")) };
    let answer = exchange.answer(wire, challenge.as_bytes());
    let due = due(wire);
    let mut group = wire.group();
    match &answer {
        Ok(answer) => group.secret("response", answer.as_bytes())?,
        Err(_) => group.put("*"),
    }
    .end(due);
    let sent = group.send();
    let Err(why) = answer else { return sent };
    let answer = match sent.and_then(|()| read(wire)) {
        Ok(reply) => refusal(wire, &reply, "no refusal after the exchange was cancelled"),
        Err(error) => error,
    };
    Err(Exchange::cancelled(why, answer))
}

/// The refusal that a reply is; one that is none breaks the protocol.
fn refusal(wire: &mut Wire, reply: &Reply, otherwise: &str) -> Error {
    match reply.rejection("AUTH") {
        Some(rejection) => Error::Rejected(rejection),
        None => wire.malformed(otherwise),
    }
}
