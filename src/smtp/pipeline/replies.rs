//! What comes back, and what it means for the message that it is about.

use super::{Entry, Pipeline};
use crate::smtp::commands::read;
use crate::smtp::transaction::{Slot, Transaction};
use crate::smtp::{Reply, ReplyFramer};
use crate::wire::{Answer, Ready, Wire};
use crate::{Error, Phase, Result};

const NOT_A_GO_AHEAD: &str = "neither 354 nor a refusal";

const NO_REFUSAL: &str = "no refusal in the middle of a message";

impl Pipeline<'_> {
    /// Reads the reply that is due next.
    pub(super) fn take(&mut self, wire: &mut Wire) -> Result<()> {
        let Some(&(number, slot)) = self.due.front() else { return Ok(()) };
        // Each command has its own time.
        match slot {
            Slot::Early => {}
            Slot::End => wire.enter(Phase::FinalAnswer),
            Slot::Quit => wire.enter(Phase::Quit),
            _ => wire.enter(Phase::Command),
        }
        let reply = match read(wire) {
            // Nothing depends on a goodbye.
            Err(_) if slot == Slot::Quit => {
                self.due.clear();
                return Ok(());
            }
            reply => reply?,
        };
        match slot {
            Slot::Data if reply.is_positive() => return Err(wire.malformed(NOT_A_GO_AHEAD)),
            Slot::Early if reply.severity().is_none() => return Err(wire.malformed(NO_REFUSAL)),
            _ => {}
        }
        self.due.pop_front();
        let closing = matches!(slot, Slot::Early | Slot::Rset) || reply.code == 421;
        let rejection = reply.rejection(slot.command(self.is_chunked(number))).filter(|_| closing);
        if slot == Slot::Quit {
            wire.close();
            return Ok(());
        }
        self.accept(number, slot, reply);
        match rejection {
            Some(mut rejection) => {
                rejection.closing = true;
                Err(Error::Rejected(rejection))
            }
            None => Ok(()),
        }
    }

    fn accept(&mut self, number: usize, slot: Slot, reply: Reply) {
        if let (Some(transaction), true) = (self.transaction(number), slot != Slot::Rset) {
            transaction.take(slot, reply);
            self.retire();
        }
    }

    pub(super) fn transaction(&mut self, number: usize) -> Option<&mut Transaction> {
        number.checked_sub(self.first).and_then(|at| self.line.get_mut(at))
    }

    fn is_chunked(&mut self, number: usize) -> bool {
        self.transaction(number).is_some_and(|transaction| transaction.plan.chunks)
    }

    /// Takes away the transactions that have come to their end.
    pub(super) fn retire(&mut self) {
        while let Some(transaction) = self.line.front().filter(|transaction| transaction.is_over()) {
            let follows = self.line.get(1).is_some_and(Transaction::has_begun);
            if self.at <= self.first + 1 && !follows {
                self.dirty = !self.left && transaction.leaves_open();
                self.at = self.first + 1;
            }
            if let Some(transaction) = self.line.pop_front() {
                self.first += 1;
                self.absorb(&transaction, true);
            }
        }
    }

    fn absorb(&mut self, transaction: &Transaction, open: bool) {
        let number = transaction.job;
        let Some(job) = self.jobs.get_mut(number - self.first_job).and_then(Entry::job) else { return };
        let later = job.absorb(transaction);
        let more = open && !self.left && !later.is_empty();
        let parts = if more { job.split(later.clone(), &self.capabilities) } else { Ok(vec![]) };
        match parts {
            Ok(parts) if !parts.is_empty() && self.count(parts.len()).is_ok() => self.begin(number, parts),
            _ => {
                if let Some(job) = self.jobs.get_mut(number - self.first_job).and_then(Entry::job) {
                    job.leave_out(later);
                }
            }
        }
    }

    // ---- The end of the connection ----

    /// The server has hung up, or said something in the middle of a message: reads all that is there, which may say why.
    pub(super) fn last_words(&mut self, wire: &mut Wire, error: Option<Error>) -> Error {
        let taken = wire.answers_due().saturating_sub(self.due.len());
        self.note_sent(taken);
        while !self.due.is_empty() {
            if let Err(error) = self.take(wire) {
                return error;
            }
        }
        let now = wire.now();
        if error.is_none() || matches!(wire.wait(now), Ok(Ready::Bytes)) {
            wire.expect(Answer::new("DATA", ReplyFramer::new(wire.limits())));
            self.due.push_back((self.first, Slot::Early));
            match (self.take(wire), error) {
                // An answer that is none to the message says less than that the connection was lost.
                (Err(Error::Rejected(rejection)), _) => return Error::Rejected(rejection),
                (_, Some(error)) => return error,
                (Err(error), None) => return error,
                (Ok(()), None) => return Error::Closed,
            }
        }
        error.unwrap_or(Error::Closed)
    }

    /// The connection is lost: what is under way has come to its end.
    pub(in crate::smtp) fn fail(&mut self, error: Error, wire: &mut Wire) {
        let known = self.due.iter().filter(|(_, slot)| *slot == Slot::End).count();
        let more = wire.outcomes_lost().saturating_sub(known);
        let sent = std::mem::take(&mut self.composed).into_iter().filter(|(_, slot)| *slot == Slot::End).take(more);
        sent.for_each(|(number, _)| self.mark_whole(number));
        self.abandon(error);
        wire.close();
    }

    /// The connection was lost before: nothing more of what is under way can be known.
    pub(in crate::smtp) fn abandon(&mut self, error: Error) {
        self.due.clear();
        self.ended = true;
        (self.quit, self.dirty) = (false, false);
        while let Some(transaction) = self.line.pop_front() {
            self.first += 1;
            self.absorb(&transaction, false);
        }
        self.at = self.first;
        self.error = Some(error);
    }
}
