//! How a batch goes out and comes in: in rounds of commands that may be on their way together (RFC 9051, 5.5), each round
//! in one write.

use std::any::Any;
use std::ops::RangeInclusive;

use super::codec::{Response, Untagged, tag, word};
use super::exchange::{Collect, Completion, Heard, Step};
use super::extensions::IdTime;
use super::line::Line;
use super::messages::Messages;
use super::names::Names;
use super::{IN_FLIGHT, Imap, MOST_IN_FLIGHT};
use crate::wire::{Flaw, Part, Wire};
use crate::{Error, Limits, Phase, Protocol as _, Result};

/// What a command was answered.
pub(super) type Reply = Result<Box<dyn Any + Send>>;

/// A command in a batch.
pub(super) struct Queued {
    pub(super) line: Line<'static>,
    /// Gone once it is answered.
    collect: Option<Box<dyn Pending>>,
    reply: Option<Reply>,
    /// Nobody has a token for it.
    own: bool,
}

/// A [`Collect`] of any type.
trait Pending: Send {
    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw>;
    fn note(&mut self, data: &Untagged<'_>, limits: &Limits);
    fn sent_as(&mut self, tag: u32, names: Names);
    fn messages(&mut self) -> Option<&mut Messages>;
    fn done(self: Box<Self>, done: &Completion) -> Box<dyn Any + Send>;
}

impl<C: Collect<Output: Send + 'static> + Send> Pending for C {
    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        Collect::take(self, data, limits)
    }

    fn note(&mut self, data: &Untagged<'_>, limits: &Limits) {
        Collect::note(self, data, limits);
    }

    fn sent_as(&mut self, tag: u32, names: Names) {
        Collect::sent_as(self, tag, names);
    }

    fn messages(&mut self) -> Option<&mut Messages> {
        Collect::messages(self)
    }

    fn done(self: Box<Self>, done: &Completion) -> Box<dyn Any + Send> {
        Box::new(Collect::done(*self, done))
    }
}

impl Queued {
    pub(super) fn new<C>(line: Line<'_>, collect: C) -> Self
    where
        C: Collect<Output: Send + 'static> + Send + 'static,
    {
        Self { line: line.into_owned(), collect: Some(Box::new(collect)), reply: None, own: false }
    }

    /// What it was answered; none for one that nobody has a token for.
    pub(super) fn into_reply(self) -> Option<Option<Reply>> {
        (!self.own).then_some(self.reply)
    }

    fn answer(&mut self, done: Result<Completion>) {
        let collect = self.collect.take();
        self.reply = match done {
            Ok(done) => collect.map(|collect| Ok(collect.done(&done))),
            Err(refused) => Some(Err(refused)),
        };
    }
}

impl Imap {
    /// Runs a batch.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before a byte is sent; those of the connection.
    pub(super) fn run_batch(&mut self, wire: &mut Wire, queue: &mut [Queued]) -> Result<()> {
        for queued in &*queue {
            self.check(wire, &queued.line)?;
        }
        self.run_rounds(wire, queue)
    }

    /// Runs a batch whose first command is LOGIN; true if that has succeeded. What the server offers afterwards is not
    /// known, so whatever else is in it is tried.
    pub(super) fn run_log_in(&mut self, wire: &mut Wire, queue: &mut Vec<Queued>) -> Result<bool> {
        // Refuses a session that is authenticated, and says ID if that is to be before.
        self.mechanisms(wire)?;
        self.may_log_in(wire)?;
        let identity = self.identity.clone().filter(|identity| identity.time == IdTime::AfterLogin);
        if let Some(identity) = identity.filter(|_| self.known().has("ID")) {
            let (line, said) = identity.line()?;
            queue.insert(1, Queued { own: true, ..Queued::new(line, said) });
        }
        self.hear(wire)?;
        let before = self.learned;
        let size = self.round(queue);
        let Some((first, rest)) = queue.split_at_mut_checked(size) else { return Ok(false) };
        let outcome = self.round_trip(wire, first);
        if let [Queued { reply: Some(Err(Error::Rejected(refusal))), .. }, ..] = first {
            // Some servers (Dovecot) hang up on what is behind it.
            refusal.closing |= outcome.is_err();
            let refused = || Error::Rejected(refusal.clone());
            rest.iter_mut().for_each(|queued| queued.answer(Err(refused())));
            return outcome.map(|()| false).map_err(|_| refused());
        }
        outcome?;
        let logged_in = matches!(first, [Queued { reply: Some(Ok(_)), .. }, ..]);
        if logged_in && self.learned == before {
            self.forget_capabilities();
        }
        self.run_rounds(wire, rest)?;
        Ok(logged_in)
    }

    fn run_rounds(&mut self, wire: &mut Wire, queue: &mut [Queued]) -> Result<()> {
        // What goes out together hangs on it.
        if queue.iter().any(|queued| queued.line.has_literal()) {
            self.ask_capabilities(wire)?;
        }
        let mut rest = queue;
        while !rest.is_empty() {
            let size = self.round(rest);
            let Some((round, after)) = rest.split_at_mut_checked(size) else { break };
            self.round_trip(wire, round)?;
            rest = after;
        }
        Ok(())
    }

    /// How many of these may be on their way together; at least one.
    fn round(&self, queue: &[Queued]) -> usize {
        let (mut bytes, mut numbers_may_change, mut names_may_change) = (0, false, false);
        for (n, queued) in queue.iter().enumerate() {
            let line = &queued.line;
            bytes += line.size();
            let alone = !self.goes_at_once(line);
            let unsure = line.by_number && numbers_may_change || line.names_a_mailbox() && names_may_change;
            let waits = alone || unsure || n >= MOST_IN_FLIGHT || bytes > IN_FLIGHT;
            if n > 0 && waits {
                return n;
            }
            if alone {
                return 1;
            }
            names_may_change |= line.command == "LOGIN" && self.names != Names::Utf8;
            numbers_may_change = match line.command {
                "SELECT" | "EXAMINE" => false,
                // RFC 9051, 7.5.1: only while one of these is under way, no EXPUNGE comes.
                "FETCH" | "STORE" | "SEARCH" => numbers_may_change,
                _ => true,
            };
        }
        queue.len()
    }

    fn round_trip(&mut self, wire: &mut Wire, round: &mut [Queued]) -> Result<()> {
        let leaves = round.last().is_some_and(|queued| queued.line.command == "LOGOUT");
        // A goodbye that was there before is no answer to what is before it.
        self.leaving = leaves && round.len() == 1;
        let sent = self.send_round(wire, round);
        self.leaving = leaves && sent.is_ok();
        let tags = match sent {
            // At one of its literals.
            Err(Error::Rejected(refusal)) if !refusal.closing => {
                round.iter_mut().for_each(|queued| queued.answer(Err(Error::Rejected(refusal.clone()))));
                return Ok(());
            }
            result => result?,
        };
        for (tag, queued) in tags.clone().zip(round.iter_mut()) {
            if let Some(collect) = &mut queued.collect {
                collect.sent_as(tag, self.names);
            }
        }
        while round.iter().any(|queued| queued.reply.is_none()) {
            let (rest, part) = match self.part(wire) {
                Err(Error::ConnectionLost(at)) if !self.has_left(round) => return Err(Error::ConnectionLost(at)),
                // It was going to close anyway.
                Err(Error::ConnectionLost(_)) => break,
                result => result?,
            };
            if part == Part::Last {
                self.answered(wire, round, &tags)?;
            } else if !rest {
                match self.response(wire)? {
                    Some(Step::Data) => self.deal(wire, part, round)?,
                    Some(Step::Continue) => return Err(wire.malformed("a continuation that nothing has asked for")),
                    _ => {}
                }
            }
        }
        self.left = self.leaving;
        Ok(())
    }

    fn send_round(&mut self, wire: &mut Wire, round: &[Queued]) -> Result<RangeInclusive<u32>> {
        match round {
            [only] if !self.goes_at_once(&only.line) => {
                self.send(wire, &only.line)?;
                Ok(self.tag..=self.tag)
            }
            round => {
                let lines: Vec<_> = round.iter().map(|queued| &queued.line).collect();
                self.send_group(wire, &lines)
            }
        }
    }

    /// True if nothing but the answer to LOGOUT is missing.
    fn has_left(&self, round: &mut [Queued]) -> bool {
        let Some((last, others)) = round.split_last_mut() else { return false };
        let left = self.leaving && others.iter().all(|queued| queued.reply.is_some());
        if left {
            last.reply = Some(Ok(Box::new(())));
        }
        left
    }

    /// Takes the tagged reply in the frame.
    fn answered(&mut self, wire: &mut Wire, round: &mut [Queued], tags: &RangeInclusive<u32>) -> Result<()> {
        let place = tag(word(wire.frame()).0).and_then(|tag| tag.checked_sub(*tags.start()));
        let queued = place.and_then(|place| round.get_mut(usize::try_from(place).ok()?));
        let Some(queued) = queued.filter(|queued| queued.reply.is_none()) else {
            return Err(wire.malformed("a second reply with the same tag"));
        };
        let done = self.completion(wire)?.accept(queued.line.command);
        if queued.line.leaves_mailbox() {
            self.news.left(&queued.line, &done);
        }
        queued.answer(done);
        // They may be answered in another order.
        wire.due_changes(round.iter().filter(|queued| queued.reply.is_none()).map(|queued| queued.line.changes));
        // Each command has its time.
        let next = round.iter().find(|queued| queued.reply.is_none());
        let long = next.is_some_and(|next| next.line.takes_long());
        wire.enter(if long { Phase::FinalAnswer } else { Phase::Command });
        self.heard = Heard::default();
        Ok(())
    }

    /// Gives data to the oldest command that takes it; what none takes is news.
    fn deal(&mut self, wire: &mut Wire, part: Part, round: &mut [Queued]) -> Result<()> {
        let limits = wire.limits().clone();
        let listed = matches!(Response::parse(wire.frame()), Response::Untagged(data) if data.is("LIST", false));
        for queued in round.iter_mut() {
            let Some(collect) = &mut queued.collect else { continue };
            let taken = match collect.messages() {
                Some(messages) => messages.read(self, wire, part)?,
                None => match Response::parse(wire.frame()) {
                    Response::Untagged(data) => collect.take(&data, &limits).map_err(|flaw| wire.flaw(flaw))?,
                    _ => false,
                },
            };
            let leaves = queued.line.leaves_mailbox();
            let closed =
                leaves && matches!(Response::parse(wire.frame()), Response::Untagged(data) if data.is_closed());
            if leaves && taken || closed {
                self.news.opening();
            }
            if taken {
                return Ok(());
            }
            // RFC 9051, 6.3.2: SELECT may list the mailbox itself, which is no answer to a LIST behind it.
            if listed && matches!(queued.line.command, "SELECT" | "EXAMINE") {
                break;
            }
        }
        note(&Response::parse(wire.frame()), &limits, round);
        self.keep(wire);
        Ok(())
    }
}

/// Shows a STATUS that none has named to the command which asks for one, if no other one does.
fn note(response: &Response<'_>, limits: &Limits, round: &mut [Queued]) {
    let Response::Untagged(data) = response else { return };
    let asking = round.iter_mut().filter(|queued| queued.line.command == "STATUS");
    let mut asking = asking.filter_map(|queued| queued.collect.as_mut());
    if let (Some(only), None) = (asking.next(), asking.next()) {
        only.note(data, limits);
    }
}
