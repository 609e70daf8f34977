//! Composing what goes out: as many commands as there is room for, and the messages between them, in one write.

use super::{Entry, Pipeline};
use crate::smtp::ReplyFramer;
use crate::smtp::transaction::{Next, Slot, Step, Transaction};
use crate::wire::{Answer, BodyOutcome, Group, Wire};
use crate::{Error, Phase, Result};

/// Why composing stopped.
enum Stop {
    /// Nothing more can go out before a reply.
    Full,
    /// The server has answered in the middle of a message.
    Answered,
    /// A message must not go out that the server waits for.
    Close,
}

impl Pipeline<'_> {
    /// Sends as many commands as there is room for, in one write.
    pub(super) fn send(&mut self, wire: &mut Wire) -> Result<()> {
        // Not on what the last reply has left of its time; a body enters its own phase.
        wire.enter(Phase::Command);
        let room = if self.pipelining { wire.room() } else { 1 };
        let framer = ReplyFramer::new(wire.limits());
        self.composed.clear();
        match self.compose_and_send(wire, &framer, room) {
            Ok(Stop::Full) => {
                self.note_sent(usize::MAX);
                Ok(())
            }
            Ok(Stop::Answered) => Err(self.last_words(wire, None)),
            Ok(Stop::Close) => {
                wire.close();
                Err(Error::Closed)
            }
            Err(error) if wire.is_open() => Err(self.last_words(wire, Some(error))),
            Err(error) => Err(error),
        }
    }

    fn compose_and_send(&mut self, wire: &mut Wire, framer: &ReplyFramer, room: usize) -> Result<Stop> {
        let mut group = wire.group();
        match self.compose(&mut group, framer, room)? {
            Stop::Full => group.send().map(|()| Stop::Full),
            stop => Ok(stop),
        }
    }

    /// So many of the composed commands went out whole: their replies are due.
    pub(super) fn note_sent(&mut self, most: usize) {
        for (number, slot) in std::mem::take(&mut self.composed).into_iter().take(most) {
            if slot == Slot::End {
                self.mark_whole(number);
            }
            self.due.push_back((number, slot));
        }
    }

    pub(super) fn mark_whole(&mut self, number: usize) {
        if let Some(transaction) = self.transaction(number) {
            transaction.mark_whole();
        }
    }

    fn compose(&mut self, group: &mut Group<'_>, framer: &ReplyFramer, room: usize) -> Result<Stop> {
        while self.composed.len() < room {
            let Some(transaction) = self.line.get(self.at - self.first) else {
                self.compose_end(group, framer);
                break;
            };
            match transaction.next() {
                Next::Wait => break,
                Next::Close => return Ok(Stop::Close),
                Next::Nothing => {
                    self.dirty = transaction.leaves_open();
                    self.at += 1;
                }
                Next::Send(Step::Mail) if self.dirty => {
                    self.dirty = false;
                    group.put("RSET").end(Answer::new("RSET", framer.clone()));
                    self.composed.push((self.at, Slot::Rset));
                }
                Next::Send(step) => match self.compose_step(group, framer, step)? {
                    BodyOutcome::Answered => return Ok(Stop::Answered),
                    // Before the next part comes a look.
                    BodyOutcome::Complete if self.is_amid_chunks() => break,
                    BodyOutcome::Complete => {}
                },
            }
        }
        Ok(Stop::Full)
    }

    /// What comes after the last message: QUIT with it, or RSET if it left something behind.
    fn compose_end(&mut self, group: &mut Group<'_>, framer: &ReplyFramer) {
        if !self.ended || self.line.iter().any(Transaction::may_defer) {
            return;
        }
        if std::mem::take(&mut self.quit) {
            group.put("QUIT").end(Answer::new("QUIT", framer.clone()));
            self.composed.push((self.at, Slot::Quit));
            (self.left, self.dirty) = (true, false);
        } else if self.line.is_empty() && std::mem::take(&mut self.dirty) {
            group.put("RSET").end(Answer::new("RSET", framer.clone()));
            self.composed.push((self.at, Slot::Rset));
        }
    }

    fn compose_step(&mut self, group: &mut Group<'_>, framer: &ReplyFramer, step: Step) -> Result<BodyOutcome> {
        let number = self.at;
        let Some(transaction) = self.line.get_mut(number - self.first) else { return Ok(BodyOutcome::Complete) };
        let job = self.jobs.get_mut(transaction.job - self.first_job).and_then(Entry::job);
        let Some(job) = job else { return Ok(BodyOutcome::Complete) };
        let mut last = false;
        let before = match step {
            Step::Mail => job.start(),
            Step::Chunk => job.advance().map(|ended| last = ended),
            _ => Ok(()),
        };
        if let Err(error) = before {
            // Nothing of it has been announced: the connection is as good as before.
            job.error = Some(error);
            transaction.abort();
            return Ok(BodyOutcome::Complete);
        }
        let replies = if step == Step::Body { transaction.ends_due() } else { 1 };
        let slot = transaction.sent(step, last);
        let answer = || {
            let answer = Answer::new(slot.command(transaction.plan.chunks), framer.clone());
            if slot == Slot::End { answer.changing() } else { answer }
        };
        match step {
            Step::Mail => drop(group.text("sender", job.mail_line().as_bytes())?.end(answer())),
            Step::Rcpt(n) => {
                let line = transaction.to.get(n).map(|&to| job.rcpt_line(to)).unwrap_or_default();
                group.text("recipient", line.as_bytes())?.end(answer());
            }
            Step::Data => drop(group.put("DATA").end(Answer::new("DATA", framer.clone().or_more(354)))),
            Step::Dot => drop(group.put(".").end(answer())),
            Step::Body => {
                let (body, stuffer) = job.dotted();
                if group.dotted(body.source(), stuffer)? == BodyOutcome::Answered {
                    return Ok(BodyOutcome::Answered);
                }
                for _ in 0..replies {
                    group.expect(answer());
                }
            }
            Step::Chunk => {
                let Some(chunks) = &job.chunks else { return Ok(BodyOutcome::Complete) };
                if chunks.put(&job.message.body, group)? == BodyOutcome::Answered {
                    return Ok(BodyOutcome::Answered);
                }
                group.expect(answer());
            }
        }
        self.composed.extend((0..replies).map(|_| (number, slot)));
        Ok(BodyOutcome::Complete)
    }
}
