//! How the answer to a command comes in: its data, its tagged end, and what every response may say beside the answer
//! (capabilities, alerts, goodbyes, news).

use std::time::Instant;

use super::Imap;
use super::capabilities::Capabilities;
use super::codec::{Code, Condition, Response, Status, Untagged, fetch, trim};
use super::events::Event;
use super::framer::{ResponseFramer, marker, refuses_done};
use super::line::Line;
use super::messages::Messages;
use super::names::Names;
use super::refusal::rejection;
use super::strings::words;
use crate::wire::{Answer, Flaw, Part, Ready, Wire};
use crate::{Error, Limits, Result};

/// With one of these enabled, mailbox names are UTF-8 (RFC 6855; RFC 9051, 5.1).
const UTF8: [&[u8]; 3] = [b"UTF8=ACCEPT", b"UTF8=ONLY", REV2];

/// ENABLE of this makes the session one of IMAP4rev2, which is more.
const REV2: &[u8] = b"IMAP4rev2";

/// What the next response is.
pub(super) enum Step {
    /// The server waits for more.
    Continue,
    /// Data, which is in the frame.
    Data,
    /// The end of the answer.
    Done(Completion),
}

/// How much was heard of an answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Without bodies.
    bytes: u64,
    /// Of messages, where nobody has asked for them.
    bodies: u64,
    /// What is heard is of a message.
    of_message: bool,
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

    /// Its text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
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

impl Imap {
    /// Reads what the server has said since the last command: news, or that it is closing. A reply in there answers
    /// nothing that was asked, and is an error.
    pub(super) fn hear(&mut self, wire: &mut Wire) -> Result<()> {
        if self.idling.is_some() {
            // A refusal of it is an answer to nothing that is asked now.
            self.end_idle(wire).or_else(|error| if error.is_fatal() { Err(error) } else { Ok(()) })?;
        }
        if std::mem::take(&mut self.reading) {
            self.news.are_incomplete();
        }
        self.rest = false;
        self.bodies_asked = false;
        self.heard = Heard::default();
        while wire.wait(wire.now())? == Ready::Bytes {
            let framer = ResponseFramer::untagged(wire.limits()).after_done(self.done_sent);
            wire.expect(Answer::new("", framer));
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
        self.count(wire, part)
    }

    /// The same until then; none if it is not whole by that time.
    pub(super) fn part_by(&mut self, wire: &mut Wire, until: Instant) -> Result<Option<(bool, Part)>> {
        let part = wire.next_part_by(until)?;
        part.map(|part| self.count(wire, part)).transpose()
    }

    fn count(&mut self, wire: &mut Wire, part: Part) -> Result<(bool, Part)> {
        let rest = std::mem::replace(&mut self.rest, part == Part::Body);
        let max = wire.limits().collected as u64;
        self.heard.bytes = self.heard.bytes.saturating_add(wire.frame().len() as u64);
        if part == Part::Body && !self.bodies_asked {
            self.count_unasked(wire, rest)?;
        }
        if self.heard.bytes > max { Err(wire.too_much("bytes in an answer", max)) } else { Ok((rest, part)) }
    }

    /// Nobody reads what is announced in the frame: a body, or a value that is too large.
    fn count_unasked(&mut self, wire: &mut Wire, rest: bool) -> Result<()> {
        let max = wire.limits().drain as u64;
        if !rest {
            self.heard.of_message = fetch(wire.frame()).is_some();
        }
        let size = marker(trim(wire.frame())).and_then(|marker| marker.size).unwrap_or_default();
        let count = if self.heard.of_message { &mut self.heard.bodies } else { &mut self.heard.bytes };
        *count = count.saturating_add(size);
        if self.heard.bodies > max {
            Err(wire.too_much("bytes of messages that nobody asked for", max))
        } else {
            Ok(())
        }
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
        if self.done_sent && refuses_done(wire.frame()) {
            self.done_sent = false;
            return Ok(None);
        }
        let limits = wire.limits().clone();
        let data = match Response::parse(wire.frame()) {
            Response::Untagged(data) => data,
            Response::Continue(_) => {
                self.done_sent = false;
                return Ok(Some(Step::Continue));
            }
            Response::Tagged(_) | Response::Blank => return Ok(None),
        };
        // (Sohu) With a list it is another answer, which tells nothing.
        if data.is("CAPABILITY", false) && !data.rest.starts_with(b"(") {
            let learned = Capabilities::parse(data.rest, &limits);
            self.know(learned.map_err(|flaw| wire.flaw(flaw))?);
            return Ok(None);
        }
        if data.is("ENABLED", false) {
            self.enabled(data.rest);
        }
        let Some(status) = data.status() else { return Ok(Some(Step::Data)) };
        if status.condition == Condition::Bye && !self.leaving {
            self.news.push(Event::new(&data, &limits), &limits);
            let code = status.code.map(|code| code.whole);
            let mut goodbye = rejection("to go on", Condition::Bye, code, status.text);
            // It is the answer to no command (RFC 9051, 7.1.5): what was sent whole may have been done.
            wire.close();
            goodbye.outcome_unknown = wire.outcomes_lost() > 0;
            return Err(Error::Rejected(Box::new(goodbye)));
        }
        let taken = self.learn(&status, &limits).map_err(|flaw| wire.flaw(flaw))?;
        Ok(if taken { None } else { Some(Step::Data) })
    }

    fn enabled(&mut self, names: &[u8]) {
        let utf8 = |name: &[u8]| UTF8.iter().any(|utf8| name.eq_ignore_ascii_case(utf8));
        if words(names).any(utf8) {
            self.names = Names::Utf8;
        }
        self.rev2 |= words(names).any(|name| name.eq_ignore_ascii_case(REV2));
        if let Some(known) = &mut self.capabilities {
            known.rev2 = self.rev2;
        }
    }

    fn know(&mut self, mut capabilities: Capabilities) {
        capabilities.rev2 = self.rev2;
        if capabilities.is_rev2() {
            self.names = Names::Utf8;
        }
        self.capabilities = Some(capabilities);
        self.learned = self.learned.wrapping_add(1);
        self.will_not_tell = false;
    }

    /// Takes what a status response says to the client as a whole.
    pub(super) fn learn(&mut self, status: &Status<'_>, limits: &Limits) -> Result<bool, Flaw> {
        match status.code {
            Some(code) if code.is("CAPABILITY") => self.know(Capabilities::parse(code.value, limits)?),
            Some(code) if code.is("ALERT") => self.news.push(Event::alert(status), limits),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn completion(&mut self, wire: &mut Wire) -> Result<Completion> {
        self.done_sent = false;
        let limits = wire.limits().clone();
        let Response::Tagged(Some(status)) = Response::parse(wire.frame()) else {
            return Err(wire.malformed("a tagged reply that is neither OK nor NO nor BAD"));
        };
        let completion = Completion::new(&status);
        if matches!(completion.condition, Condition::Bye | Condition::Preauth) {
            return Err(wire.malformed("a tagged reply that is neither OK nor NO nor BAD"));
        }
        let taken = self.learn(&status, &limits).map_err(|flaw| wire.flaw(flaw))?;
        // Another server has the mailbox too, RFC 2221; in a refusal it is the error's.
        if !taken && completion.condition == Condition::Ok && completion.code().is_some_and(|code| code.is("REFERRAL"))
        {
            self.news.push(Event::Other(trim(wire.frame()).to_vec()), &limits);
        }
        Ok(completion)
    }

    /// Keeps the response in the frame as an event.
    pub(super) fn keep(&mut self, wire: &mut Wire) {
        let limits = wire.limits().clone();
        if let Response::Untagged(data) = Response::parse(wire.frame()) {
            self.news.push(Event::new(&data, &limits), &limits);
        }
    }

    // ---- Both ----

    /// Does a verb.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server lacks what it needs; [`Error::Rejected`] for NO and BAD.
    pub(super) fn perform<C: Collect>(
        &mut self,
        wire: &mut Wire,
        (line, mut collect): (Line<'_>, C),
    ) -> Result<C::Output> {
        self.check(wire, &line)?;
        let limits = wire.limits().clone();
        self.send(wire, &line)?;
        collect.sent_as(self.tag, self.names);
        self.leaving_mailbox = line.leaves_mailbox();
        let take = |data: &Untagged<'_>| {
            let taken = collect.take(data, &limits)?;
            if !taken {
                collect.note(data, &limits);
            }
            Ok(taken)
        };
        let done = self.finish(wire, line.command, take);
        if std::mem::take(&mut self.leaving_mailbox) {
            self.news.left(&line, &done);
        }
        Ok(collect.done(&done?))
    }

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
                    let closed = data.is_closed();
                    let taken = take(&data).map_err(|flaw| wire.flaw(flaw))?;
                    if self.leaving_mailbox && (taken || closed) {
                        self.news.opening();
                    }
                    if !taken {
                        self.keep(wire);
                    }
                }
            }
        }
    }
}

/// What is to be made of a command's answer. A verb is one of these and a line, whether it goes out alone or in a batch.
pub(super) trait Collect {
    type Output;

    /// Takes what belongs to the command; false if this does not.
    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw>;

    /// Notes what may belong to the command if no other one of its kind is under way, and is news all the same.
    fn note(&mut self, _: &Untagged<'_>, _: &Limits) {}

    /// The command with this tag is the one whose answer it takes, and names stand so in it.
    fn sent_as(&mut self, _tag: u32, _names: Names) {}

    /// It takes messages, which a batch then reads item by item.
    fn messages(&mut self) -> Option<&mut Messages> {
        None
    }

    /// The end, which said OK.
    fn done(self, done: &Completion) -> Self::Output;
}

/// No data belongs to the command.
pub(super) struct Nothing;

impl Collect for Nothing {
    type Output = ();

    fn take(&mut self, _: &Untagged<'_>, _: &Limits) -> Result<bool, Flaw> {
        Ok(false)
    }

    fn done(self, _: &Completion) {}
}

pub(super) fn nothing(_: &Untagged<'_>) -> Result<bool, Flaw> {
    Ok(false)
}
