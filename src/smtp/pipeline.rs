//! Messages on their way over one connection, in order: it keeps the window full, reads a reply to each command, and tells
//! what became of each message. RFC 2920, RFC 3030. Nothing is sent twice, and nothing after a fault.

mod replies;
mod sending;

use std::collections::VecDeque;
use std::sync::Arc;

use super::job::{Habits, Job, Verdict};
use super::transaction::{Next, Slot, Step, Transaction};
use super::{Capabilities, Message, Outcome};
use crate::errors::Context;
use crate::wire::{Ready, Wire};
use crate::{Error, Phase, Result};

/// A full window is topped up by so many commands at least, lest each goes out in a write of its own.
const TOP_UP: usize = 32;

/// Messages that were pulled and have no outcome yet.
const MESSAGES_MAX: usize = 128;

/// Octets of messages that may be unanswered before more are pulled: what is lost with the connection is unknown.
pub(super) const OCTETS_MAX: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Pipeline<'m> {
    capabilities: Arc<Capabilities>,
    habits: Habits,
    pipelining: bool,
    peer: String,
    /// Transactions that were begun or planned on this connection.
    mails: u64,
    jobs: VecDeque<Entry<'m>>,
    /// The number of the first of them.
    first_job: usize,
    line: VecDeque<Transaction>,
    /// The number of the first of them.
    first: usize,
    /// The number of the one that sends.
    at: usize,
    /// What the replies answer that are due, each with the number of its transaction.
    due: VecDeque<(usize, Slot)>,
    /// What is being sent: of these nobody knows yet.
    composed: Vec<(usize, Slot)>,
    /// The server may still be in a transaction: RSET comes before the next.
    dirty: bool,
    /// No more messages come.
    ended: bool,
    /// QUIT goes with the last message.
    quit: bool,
    /// QUIT is out: nothing may follow.
    left: bool,
    /// Octets of the messages under way.
    octets: u64,
    /// What ended the connection, until somebody was told.
    error: Option<Error>,
}

/// A message that was taken up, or why it was not.
#[derive(Debug)]
enum Entry<'m> {
    Job(Box<Job<'m>>),
    Not(Error),
}

impl<'m> Entry<'m> {
    fn job(&mut self) -> Option<&mut Job<'m>> {
        if let Self::Job(job) = self { Some(job) } else { None }
    }
}

impl<'m> Pipeline<'m> {
    pub(super) fn new(capabilities: &Arc<Capabilities>, habits: Habits, mails: u64, wire: &Wire) -> Self {
        Self {
            capabilities: Arc::clone(capabilities),
            habits,
            pipelining: capabilities.has("PIPELINING"),
            peer: wire.peer().to_owned(),
            mails,
            jobs: VecDeque::new(),
            first_job: 0,
            line: VecDeque::new(),
            first: 0,
            at: 0,
            due: VecDeque::new(),
            composed: Vec::new(),
            dirty: false,
            ended: false,
            quit: false,
            left: false,
            octets: 0,
            error: None,
        }
    }

    // ---- What comes ----

    /// Takes a message up.
    ///
    /// # Errors
    /// Why it cannot be sent; nothing of it was.
    pub(super) fn push(&mut self, message: Message<'m>) -> Result<()> {
        let job = Job::new(message, &self.capabilities, self.habits)?;
        let to = (0..job.message.envelope.to().len()).collect();
        let parts = job.split(to, &self.capabilities)?;
        self.count(parts.len())?;
        self.octets += job.octets;
        self.jobs.push_back(Entry::Job(Box::new(job)));
        self.begin(self.first_job + self.jobs.len() - 1, parts);
        Ok(())
    }

    /// A message that was not taken up: that is its outcome, when its turn comes.
    pub(super) fn refuse(&mut self, error: Error) {
        self.jobs.push_back(Entry::Not(error));
    }

    /// MAILMAX, RFC 9422 4.1: a server that is asked for more closes.
    fn count(&mut self, more: usize) -> Result<()> {
        let mails = self.mails + more as u64;
        match self.capabilities.limit("MAILMAX") {
            Some(max) if mails > max => {
                let why = format!("the server takes {max} transactions a connection (MAILMAX): connect anew");
                Err(Error::unsupported(why))
            }
            _ => {
                self.mails = mails;
                Ok(())
            }
        }
    }

    fn begin(&mut self, number: usize, parts: Vec<Vec<usize>>) {
        let Some(job) = self.jobs.get_mut(number - self.first_job).and_then(Entry::job) else { return };
        for to in parts {
            job.open += 1;
            self.line.push_back(Transaction::new(number, to, job.plan));
        }
    }

    /// True if no more messages can go over this connection.
    pub(super) fn is_full(&self) -> bool {
        self.ended || self.capabilities.limit("MAILMAX").is_some_and(|max| self.mails >= max)
    }

    /// No more messages come; QUIT goes with the last one.
    pub(super) fn end(&mut self, quit: bool) {
        self.ended = true;
        self.quit = quit;
    }

    /// How many transactions there were on this connection.
    pub(super) fn mails(&self) -> u64 {
        self.mails
    }

    /// True if another message could ride with what goes out next.
    pub(super) fn wants_more(&self, wire: &Wire) -> bool {
        if self.line.is_empty() {
            return self.jobs.is_empty();
        }
        if !self.pipelining || self.ended || self.jobs.len() >= MESSAGES_MAX || self.octets >= OCTETS_MAX {
            return false;
        }
        let sendable = self.sendable();
        match self.line.back().map(Transaction::next) {
            Some(Next::Send(Step::Body)) => true,
            Some(Next::Send(Step::Dot)) => false,
            Some(Next::Send(_)) => self.line.back().is_some_and(|last| last.sendable().1) && sendable < wire.room(),
            Some(Next::Nothing) => wire.room() >= TOP_UP,
            _ => false,
        }
    }

    // ---- What goes ----

    /// Sends what can be sent, and reads a reply.
    ///
    /// # Errors
    /// What ends the connection; [`fail`](Self::fail) comes next.
    pub(super) fn step(&mut self, wire: &mut Wire) -> Result<()> {
        let left = self.sendable();
        let room = if self.pipelining || self.due.is_empty() { wire.room() } else { 0 };
        if self.is_amid_chunks() && room > 0 && !self.due.is_empty() {
            // A look before each part: the server may have refused the message already.
            let now = wire.now();
            return if wire.wait(now)? == Ready::Nothing { self.send(wire) } else { self.take(wire) };
        }
        if left > 0 && (self.due.is_empty() || (room > 0 && room >= left.min(TOP_UP))) {
            self.send(wire)?;
        }
        if !self.due.is_empty() {
            return self.take(wire);
        }
        // A message that cannot be read ends with nothing due.
        self.retire();
        Ok(())
    }

    /// True if part of a message is out.
    fn is_amid_chunks(&self) -> bool {
        self.line.get(self.at - self.first).is_some_and(Transaction::is_amid_chunks)
    }

    /// How many commands can go out before a reply is needed.
    fn sendable(&self) -> usize {
        let mut all = 0;
        for transaction in self.line.range(self.at - self.first..) {
            let (commands, flows) = transaction.sendable();
            all += commands + usize::from(transaction.next() == Next::Close);
            if !flows {
                return all;
            }
        }
        all + usize::from(self.ended && (self.quit || (self.dirty && self.line.is_empty())))
    }

    // ---- What became of it ----

    /// True if nothing is under way, and nothing is left to be said.
    pub(super) fn is_idle(&self) -> bool {
        self.line.is_empty() && self.due.is_empty() && !self.dirty && !(self.ended && self.quit)
    }

    /// The verdict on the oldest message, once it is there.
    pub(super) fn verdict(&mut self) -> Option<Verdict> {
        if self.jobs.front_mut()?.job().is_some_and(|job| job.open > 0) {
            return None;
        }
        self.first_job += 1;
        self.jobs.pop_front().map(|entry| match entry {
            Entry::Job(job) => {
                self.octets -= job.octets;
                job.verdict()
            }
            Entry::Not(error) => Verdict::NotSent(Some(error)),
        })
    }

    /// As [`verdict`](Self::verdict), with an error of its own for each.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        Some(match self.verdict()? {
            Verdict::Delivered(report) => Outcome::Delivered(report),
            Verdict::Refused(report, _) => Outcome::Refused(report),
            Verdict::NotSent(error) => Outcome::NotSent(error.unwrap_or_else(|| self.why())),
            Verdict::Unknown => Outcome::Unknown(self.lost()),
        })
    }

    /// What ended the connection; for the first who asks.
    pub(super) fn why(&mut self) -> Error {
        self.error.take().unwrap_or(Error::Closed)
    }

    /// The same, for a message of which the reply was lost.
    pub(super) fn lost(&mut self) -> Error {
        if self.error.as_ref().is_some_and(Error::outcome_unknown) {
            return self.why();
        }
        let mut at = Context::new(Phase::FinalAnswer, &self.peer);
        at.outcome_unknown = true;
        Error::ConnectionLost(Box::new(at))
    }
}
