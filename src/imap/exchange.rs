//! How a command goes out and how its answer comes in: tags, literals that wait for the server's `+`, and what every
//! response may say beside the answer (capabilities, alerts, goodbyes, news).

use std::io::BufRead;

use super::Imap;
use super::capabilities::Capabilities;
use super::codec::{Code, Condition, Response, ResponseFramer, Status, Untagged};
use super::events::Event;
use super::line::{Line, Piece};
use crate::wire::{Answer, BodyOutcome, Flaw, Group, Part, Ready, Wire};
use crate::{Error, Phase, Rejection, Result, Severity};

/// LITERAL- (RFC 7888, 5) sends up to this without waiting.
const LITERAL_MINUS: u64 = 4096;

/// A message up to this size goes out without waiting, where LITERAL+ allows it: 64 KiB. For a larger one it is worth a
/// round trip to hear first whether the server wants it.
const UNASKED_BODY: u64 = 64 << 10;

/// What the next response is.
pub(super) enum Step {
    /// The server waits for more.
    Continue,
    /// Data, which is in the frame.
    Data,
    /// The end of the answer.
    Done(Completion),
}

/// The tagged end of an answer.
#[derive(Debug)]
pub(super) struct Completion {
    condition: Condition,
    /// The code as it was sent, without its brackets.
    code: Option<Box<[u8]>>,
    text: Box<[u8]>,
}

impl Completion {
    fn new(status: &Status<'_>) -> Self {
        let code = status.code.map(|code| code.whole.into());
        Self { condition: status.condition, code, text: status.text.into() }
    }

    /// Its response code.
    pub(super) fn code(&self) -> Option<Code<'_>> {
        self.code.as_deref().map(Code::new)
    }

    /// # Errors
    /// [`Error::Rejected`] unless it is OK.
    pub(super) fn accept(self, command: &'static str) -> Result<Self> {
        match self.condition {
            Condition::Ok => Ok(self),
            condition => {
                Err(Error::Rejected(Box::new(rejection(command, condition, self.code.as_deref(), &self.text))))
            }
        }
    }
}

/// A refusal in the terms of every protocol.
pub(super) fn rejection(command: &str, condition: Condition, code: Option<&[u8]>, text: &[u8]) -> Rejection {
    // Those of RFC 5530 that pass: a subsystem is down, somebody else is at it.
    let passing = |code: &str| ["UNAVAILABLE", "INUSE", "EXPUNGEISSUED"].contains(&code);
    let code = code.map(|code| {
        let code = String::from_utf8_lossy(code.get(..512).unwrap_or(code)).into_owned();
        let (name, rest) = code.split_at(code.find(' ').unwrap_or(code.len()));
        format!("{}{rest}", name.to_ascii_uppercase())
    });
    let severity = if code.as_deref().is_some_and(passing) { Severity::Transient } else { Severity::Permanent };
    let text = String::from_utf8_lossy(text.get(..512).unwrap_or(text)).into_owned();
    let mut rejection = Rejection::new(command, condition.name(), severity, vec![text]);
    rejection.lines.retain(|line| !line.is_empty());
    rejection.code = code.map(Into::into);
    rejection.closing = condition == Condition::Bye;
    rejection
}

impl Imap {
    // ---- Out ----

    /// Sends a command whole.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the server refuses it at one of its literals, of which nothing more is sent then.
    pub(super) fn send(&mut self, wire: &mut Wire, line: &Line<'_>) -> Result<()> {
        self.send_with(wire, line, None)
    }

    /// As [`send`](Self::send); the command ends in a body of this size.
    pub(super) fn send_with(
        &mut self,
        wire: &mut Wire,
        line: &Line<'_>,
        body: Option<(&mut dyn BufRead, u64)>,
    ) -> Result<()> {
        self.hear(wire)?;
        self.tag = self.tag.wrapping_add(1).max(1);
        self.rest = false;
        self.heard = 0;
        let unasked = self.unasked();
        let too_large = |size: u64| unasked.is_none_or(|most| size > most);
        let waits = |piece: &&Piece<'_>| matches!(piece, Piece::Literal { bytes, .. } if too_large(bytes.len() as u64));
        let body_waits = body.as_ref().is_some_and(|&(_, size)| size > UNASKED_BODY || too_large(size));
        let mut waiting = line.pieces.iter().filter(waits).count() + usize::from(body_waits);
        let answer = Answer::new(line.command, ResponseFramer::new(self.tag, wire.limits()));
        // What is sent in parts changes nothing before its last.
        let mut answer = Some(if line.changes && waiting == 0 { answer.changing() } else { answer });
        let mut group = wire.group();
        group.put("A").number(self.tag.into()).put(" ").put(line.command);
        for piece in &line.pieces {
            put(&mut group, piece, waits(&piece), &mut answer)?;
            if waits(&piece) {
                group.send()?;
                waiting -= 1;
                self.go_ahead(wire, line, waiting)?;
                group = wire.group();
            }
            match piece {
                Piece::Literal { bytes, secret: true } => _ = group.secret_bytes(bytes),
                Piece::Literal { bytes, .. } => _ = group.bytes(bytes),
                _ => {}
            }
        }
        let Some((source, size)) = body else {
            end(&mut group, &mut answer);
            return group.send();
        };
        announce(&mut group, size, body_waits, &mut answer);
        if body_waits {
            group.send()?;
            self.go_ahead(wire, line, 0)?;
            group = wire.group();
        }
        if group.counted(source, size)? == BodyOutcome::Answered {
            drop(group);
            return Err(wire.malformed("an answer in the middle of a message"));
        }
        group.line();
        group.send()?;
        wire.enter(Phase::FinalAnswer);
        Ok(())
    }

    /// Up to which size a literal goes out without the server's leave; none if never.
    fn unasked(&self) -> Option<u64> {
        let offers = |name| self.capabilities.as_ref().is_some_and(|capabilities| capabilities.has(name));
        if offers("LITERAL+") {
            return Some(u64::MAX);
        }
        offers("LITERAL-").then_some(LITERAL_MINUS)
    }

    /// Waits for the `+` that lets a literal go on; `waiting` more of them follow in this command.
    fn go_ahead(&mut self, wire: &mut Wire, line: &Line<'_>, waiting: usize) -> Result<()> {
        loop {
            match self.step(wire)? {
                Step::Continue => break,
                Step::Data => self.keep(wire),
                Step::Done(completion) => {
                    completion.accept(line.command)?;
                    return Err(wire.malformed("success before the command was whole"));
                }
            }
        }
        if line.changes && waiting == 0 {
            wire.mark_changing();
        }
        Ok(())
    }

    // ---- In ----

    /// Reads what the server has said since the last command: news, or that it is closing. A reply in there answers
    /// nothing that was asked, and is an error.
    pub(super) fn hear(&mut self, wire: &mut Wire) -> Result<()> {
        if std::mem::take(&mut self.reading) {
            self.events.incomplete = true;
        }
        self.rest = false;
        self.heard = 0;
        while wire.wait(wire.now())? == Ready::Bytes {
            wire.expect(Answer::new("", ResponseFramer::untagged(wire.limits())));
            while wire.answers_due() > 0 {
                let (rest, _) = self.part(wire)?;
                if rest {
                    continue;
                }
                match self.response(wire)? {
                    Some(Step::Data) => self.keep(wire),
                    Some(Step::Continue) => return Err(wire.malformed("a continuation that nothing has asked for")),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Reads a part. True if it only goes on with a response whose head was seen.
    pub(super) fn part(&mut self, wire: &mut Wire) -> Result<(bool, Part)> {
        let part = wire.next_part()?;
        let rest = std::mem::replace(&mut self.rest, part == Part::Body);
        let max = wire.limits().collected;
        self.heard = self.heard.saturating_add(wire.frame().len());
        if self.heard > max { Err(wire.too_much("bytes in an answer", max as u64)) } else { Ok((rest, part)) }
    }

    /// Reads on to what the command under way has to know of.
    pub(super) fn step(&mut self, wire: &mut Wire) -> Result<Step> {
        loop {
            let (rest, part) = self.part(wire)?;
            if part == Part::Last {
                return self.completion(wire).map(Step::Done);
            }
            if rest {
                continue;
            }
            if let Some(step) = self.response(wire)? {
                return Ok(step);
            }
        }
    }

    /// What an untagged response is, unless it was dealt with here: it concerns the connection as a whole.
    pub(super) fn response(&mut self, wire: &mut Wire) -> Result<Option<Step>> {
        let limits = wire.limits().clone();
        let data = match Response::parse(wire.frame()) {
            Response::Untagged(data) => data,
            Response::Continue(_) => return Ok(Some(Step::Continue)),
            Response::Tagged(_) | Response::Blank => return Ok(None),
        };
        if data.is("CAPABILITY", false) {
            let learned = Capabilities::parse(data.rest, &limits);
            self.know(learned.map_err(|flaw| wire.flaw(flaw))?);
            return Ok(None);
        }
        let Some(status) = data.status() else { return Ok(Some(Step::Data)) };
        if status.condition == Condition::Bye && !self.leaving {
            let code = status.code.map(|code| code.whole);
            let goodbye = rejection("to go on", Condition::Bye, code, status.text);
            return Err(Error::Rejected(Box::new(goodbye)));
        }
        let taken = self.learn(&status, &limits).map_err(|flaw| wire.flaw(flaw))?;
        Ok(if taken { None } else { Some(Step::Data) })
    }

    fn know(&mut self, capabilities: Capabilities) {
        self.capabilities = Some(capabilities);
        self.learned = self.learned.wrapping_add(1);
    }

    /// Takes what a status response says to the client as a whole.
    pub(super) fn learn(&mut self, status: &Status<'_>, limits: &crate::Limits) -> Result<bool, Flaw> {
        match status.code {
            Some(code) if code.is("CAPABILITY") => self.know(Capabilities::parse(code.value, limits)?),
            Some(code) if code.is("ALERT") => self.events.push(Event::alert(status), limits),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn completion(&mut self, wire: &mut Wire) -> Result<Completion> {
        let limits = wire.limits().clone();
        let Response::Tagged(Some(status)) = Response::parse(wire.frame()) else {
            return Err(wire.malformed("a tagged reply that is neither OK nor NO nor BAD"));
        };
        let completion = Completion::new(&status);
        if matches!(completion.condition, Condition::Bye | Condition::Preauth) {
            return Err(wire.malformed("a tagged reply that is neither OK nor NO nor BAD"));
        }
        self.learn(&status, &limits).map_err(|flaw| wire.flaw(flaw))?;
        Ok(completion)
    }

    /// Keeps the response in the frame as an event.
    pub(super) fn keep(&mut self, wire: &mut Wire) {
        let limits = wire.limits().clone();
        if let Response::Untagged(data) = Response::parse(wire.frame()) {
            self.events.push(Event::new(&data, &limits), &limits);
        }
    }

    // ---- Both ----

    /// Sends a command and reads its answer. `take` is shown all data, and says what of it belongs to the command; the
    /// rest is kept as events.
    ///
    /// # Errors
    /// [`Error::Rejected`] for NO and BAD.
    pub(super) fn run(
        &mut self,
        wire: &mut Wire,
        line: &Line<'_>,
        take: impl FnMut(&Untagged<'_>) -> Result<bool, Flaw>,
    ) -> Result<Completion> {
        self.send(wire, line)?;
        self.finish(wire, line.command, take)
    }

    /// Reads the answer to a command that was sent.
    pub(super) fn finish(
        &mut self,
        wire: &mut Wire,
        command: &'static str,
        mut take: impl FnMut(&Untagged<'_>) -> Result<bool, Flaw>,
    ) -> Result<Completion> {
        loop {
            match self.step(wire)? {
                Step::Done(completion) => return completion.accept(command),
                Step::Continue => return Err(wire.malformed("a continuation that nothing has asked for")),
                Step::Data => {
                    let Response::Untagged(data) = Response::parse(wire.frame()) else { continue };
                    let taken = take(&data).map_err(|flaw| wire.flaw(flaw))?;
                    if !taken {
                        self.keep(wire);
                    }
                }
            }
        }
    }
}

/// Composes a piece; of a literal, only its announcement.
fn put(group: &mut Group<'_>, piece: &Piece<'_>, waits: bool, answer: &mut Option<Answer>) -> Result<()> {
    match piece {
        Piece::Own(text) => _ = group.put(text),
        Piece::Text(argument, text) => _ = group.text(argument, text)?,
        Piece::Secret(argument, secret) => _ = group.secret(argument, secret)?,
        Piece::Literal { bytes, .. } => announce(group, bytes.len() as u64, waits, answer),
    }
    Ok(())
}

/// Ends a line with the announcement of a literal.
fn announce(group: &mut Group<'_>, size: u64, waits: bool, answer: &mut Option<Answer>) {
    group.put("{").number(size).put(if waits { "}" } else { "+}" });
    end(group, answer);
}

/// Ends a line. With the first one the command's answer is due.
fn end(group: &mut Group<'_>, answer: &mut Option<Answer>) {
    match answer.take() {
        Some(answer) => _ = group.end(answer),
        None => _ = group.line(),
    }
}

/// No data belongs to the command.
pub(super) fn nothing(_: &Untagged<'_>) -> Result<bool, Flaw> {
    Ok(false)
}
