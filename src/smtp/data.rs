//! The message itself, by verbs of its own: DATA, RFC 5321 4.1.1.4, and BDAT, RFC 3030.

use super::body::stuffer;
use super::commands::{accepted, ask_more, read};
use super::params::Content;
use super::{Body, Dialect, OneReply, Reply, ReplyFramer, Smtp, Transaction};
use crate::errors::Context;
use crate::wire::{Answer, BodyOutcome, LineEnds, Wire};
use crate::{Client, Error, Phase, Result};

/// What the dot is called in errors.
const END: &str = "the end of DATA";

impl<D: OneReply> Client<Smtp<D>> {
    /// DATA and the message: ends the transaction. See [`mail`](Self::mail) for an example. Line ends become CRLF.
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for a NUL in the body; [`Error::WrongState`] without a recipient
    /// that was taken, after BDAT, and after BODY=BINARYMIME. If [`Error::outcome_unknown`] the message may have been
    /// delivered or not.
    pub fn data<'b>(&mut self, body: impl Into<Body<'b>>) -> Result<Reply> {
        let reply = self.data_each(body)?.pop();
        reply.map_or(Err(Error::Closed), |(_, reply)| match reply.rejection(END) {
            Some(rejection) => Err(Error::Rejected(rejection)),
            None => Ok(reply),
        })
    }

    /// BDAT: a part of the message, as it is; `last` ends the transaction. Where the server offers CHUNKING.
    ///
    /// ```
    /// use mailconnect::testing::Script;
    /// # use mailconnect::{Connector, Security, SmtpClient, smtp::Smtp};
    /// # let script = Script::parse("S: 220 mx\nC: EHLO me.example\nS: 250-mx\nS: 250 CHUNKING\nC: MAIL FROM:<me@example.com>\n\
    /// #     S: 250 ok\nC: RCPT TO:<you@example.com>\nS: 250 ok\nC: BDAT 16\nC: Subject: Hello\nS- 250 ok\\r\\n\n\
    /// #     C: BDAT 13 LAST\nC: \nC: It works.\nS: 250 queued\n")?;
    /// # let (transport, _) = script.play();
    /// # let smtp = Smtp::new().hello_name("me.example")?;
    /// # let mut smtp: SmtpClient = Connector::new().over(smtp, transport, "mx", Security::Plain)?;
    /// smtp.mail("me@example.com")?;
    /// smtp.rcpt("you@example.com")?;
    /// smtp.bdat(b"Subject: Hello\r\n", false)?;
    /// let reply = smtp.bdat(b"\r\nIt works.\r\n", true)?;
    /// # assert_eq!(reply.text(), "queued");
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`], after which only [`rset`](Self::rset) helps (RFC 3030 4.2); [`Error::Unsupported`] without
    /// CHUNKING; [`Error::WrongState`] without a recipient that was taken; [`Error::InvalidArgument`] for a bare CR, a bare
    /// LF, a NUL, or a part that ends between CR and LF, unless `mail` had BODY=BINARYMIME. If
    /// [`Error::outcome_unknown`] the message may have been delivered or not.
    pub fn bdat(&mut self, part: &[u8], last: bool) -> Result<Reply> {
        let begun = self.protocol().session.transaction.clone();
        let Some(transaction) = begun.filter(|transaction| !transaction.recipients.is_empty()) else {
            return Err(Error::WrongState("bdat: mail and a recipient that is taken come first"));
        };
        if !self.capabilities().has("CHUNKING") {
            return Err(Error::unsupported("the server does not offer CHUNKING"));
        }
        if !transaction.binary {
            check_part(part)?;
        }
        self.exchange(|smtp, wire| {
            let framer = ReplyFramer::new(wire.limits());
            let (size, mut source) = (part.len() as u64, part);
            let mut group = wire.group();
            group.put("BDAT ").number(size).put(if last { " LAST" } else { "" }).line();
            let answer = Answer::new("BDAT", framer.clone());
            if group.counted(&mut source, size)? == BodyOutcome::Answered {
                drop(group);
                return Err(early(wire, framer));
            }
            group.expect(if last { answer.changing() } else { answer });
            group.send()?;
            wire.enter(if last { Phase::FinalAnswer } else { Phase::Command });
            let reply = accepted(wire, "BDAT")?;
            smtp.session.transaction = (!last).then_some(Transaction { chunks: true, ..transaction });
            Ok(reply)
        })
    }
}

impl<D: Dialect> Client<Smtp<D>> {
    /// As [`data`](Self::data) for LMTP: the reply for each recipient that was taken, in the order of `rcpt`, refusals too.
    /// Of SMTP's one reply for all it makes the same.
    ///
    /// # Errors
    /// As there, but for refusals of the message, which are replies; after a 421 as the last of them the client is closed.
    /// A 421 before the last is an [`Error::ConnectionLost`] of which the outcome is unknown.
    pub fn data_each<'b>(&mut self, body: impl Into<Body<'b>>) -> Result<Vec<(String, Reply)>> {
        let begun = &self.protocol().session.transaction;
        let ready = |begun: &&Transaction| !begun.recipients.is_empty() && !begun.chunks && !begun.binary;
        if begun.as_ref().filter(ready).is_none() {
            return Err(Error::WrongState("data: mail and a recipient that is taken come first, and no bdat"));
        }
        let mut body = body.into();
        body.check(LineEnds::Normalize, PLAIN)?;
        body.start()?;
        self.exchange(|smtp, wire| {
            ask_more(wire, "DATA", 354)?;
            let reply = read(wire)?;
            go_ahead(wire, &reply)?;
            let to = smtp.session.transaction.take().map(|transaction| transaction.recipients).unwrap_or_default();
            transmit(wire, &mut body, if D::REPLY_FOR_EACH { to.len() } else { 1 })?;
            read_ends(wire, to, D::REPLY_FOR_EACH)
        })
    }
}

/// The replies to the message, by recipient. A goodbye hides none of them: as the last it is one of them, and before it
/// nobody knows what became of the others.
fn read_ends(wire: &mut Wire, to: Vec<String>, for_each: bool) -> Result<Vec<(String, Reply)>> {
    let mut replies: Vec<(String, Reply)> = Vec::new();
    let due = if for_each { to.len() } else { 1 };
    for to in to {
        let reply = match replies.last() {
            Some((_, reply)) if !for_each => reply.clone(),
            _ => read(wire)?,
        };
        replies.push((to, reply));
        if replies.last().is_some_and(|(_, reply)| reply.code == 421) {
            wire.close();
            if replies.len() < due {
                let mut at = Context::new(Phase::FinalAnswer, wire.peer());
                (at.command, at.outcome_unknown) = (END, true);
                return Err(Error::ConnectionLost(Box::new(at)));
            }
        }
    }
    Ok(replies)
}

/// What DATA takes: octets above 127 go out as they are.
const PLAIN: Content = Content { binary: false, eight_bit: true, utf8: false };

/// Lines end in CRLF also where nothing is stuffed.
fn check_part(part: &[u8]) -> Result<()> {
    let before = |at: usize| at.checked_sub(1).and_then(|at| part.get(at));
    for at in memchr::memchr3_iter(0, b'\r', b'\n', part) {
        let what = match part.get(at) {
            Some(b'\r') if part.get(at + 1) != Some(&b'\n') => "a bare CR",
            Some(b'\n') if before(at) != Some(&b'\r') => "a bare LF",
            Some(0) => "a NUL",
            _ => continue,
        };
        return Err(Error::invalid("part", format!("{what} at offset {at}")));
    }
    Ok(())
}

/// 354, and nothing else, lets the message go.
pub(super) fn go_ahead(wire: &mut Wire, reply: &Reply) -> Result<()> {
    match reply.rejection("DATA") {
        Some(rejection) => Err(Error::Rejected(rejection)),
        None if reply.code == 354 => Ok(()),
        None => Err(wire.malformed("neither 354 nor a refusal")),
    }
}

/// Sends the message with its final dot. From the dot on the outcome is unknown until the replies are there.
fn transmit(wire: &mut Wire, body: &mut Body<'_>, replies: usize) -> Result<()> {
    let framer = ReplyFramer::new(wire.limits());
    let mut group = wire.group();
    match group.dotted(body.source(), stuffer(LineEnds::Normalize, PLAIN))? {
        BodyOutcome::Complete => {
            for _ in 0..replies {
                group.expect(Answer::new(END, framer.clone()).changing());
            }
            group.send()?;
            wire.enter(Phase::FinalAnswer);
            Ok(())
        }
        BodyOutcome::Answered => {
            drop(group);
            Err(early(wire, framer))
        }
    }
}

/// The server has answered in the middle of the message: what is left of it would be taken for commands.
fn early(wire: &mut Wire, framer: ReplyFramer) -> Error {
    wire.expect(Answer::new("DATA", framer));
    match read(wire).map(|reply| reply.rejection("DATA")) {
        Ok(Some(mut rejection)) => {
            rejection.closing = true;
            Error::Rejected(rejection)
        }
        Ok(None) => wire.malformed("no refusal in the middle of a message"),
        Err(error) => error,
    }
}
