//! The wire's time: phases, the end of everything, and a wait that may end without harm. It reads no clock but to
//! tell whether a time has passed; the gate does the accounting.

use std::io;
use std::time::{Duration, Instant};

use super::{Ready, Wire};
use crate::error::{Phase, Result};

impl Wire {
    /// Starts a phase: from now on its time-out counts. Time outside of reads and writes is not charged.
    pub fn enter(&mut self, phase: Phase) {
        let (limit, credit) = self.allowance(phase);
        let gate = self.stream.gate_mut();
        (gate.left, gate.credit, gate.debt) = (limit, credit, Duration::ZERO);
        self.phase = phase;
    }

    pub(super) fn allowance(&self, phase: Phase) -> (Duration, bool) {
        let timeouts = &self.settings.timeouts;
        match phase {
            Phase::Resolve => (timeouts.resolve, false),
            Phase::Connect => (timeouts.connect, false),
            Phase::Handshake => (timeouts.handshake, false),
            Phase::Greeting => (timeouts.greeting, false),
            Phase::StartTls | Phase::Login => (timeouts.command, false),
            // Long answers are bodies too: what makes progress gets more time.
            Phase::Command => (timeouts.command, true),
            Phase::FinalAnswer => (timeouts.final_answer, true),
            Phase::Body => (timeouts.body, true),
            Phase::Quit => (timeouts.close, false),
        }
    }

    /// Bounds everything from now on; none for no bound.
    pub(crate) fn set_overall(&mut self, deadline: Option<Instant>) {
        self.settings.deadline = deadline;
        self.stream.gate_mut().overall = deadline;
    }

    /// The end of everything; none if there is none.
    pub(crate) fn overall(&self) -> Option<Instant> {
        self.settings.deadline
    }

    /// Waits until the server sends something or closes, or `until` is there. Nothing is lost by it: like that of
    /// [`next_part_by`](Self::next_part_by), this wait may end without harm. An `until` that has passed looks, and does not
    /// wait.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn wait(&mut self, until: Instant) -> Result<Ready> {
        self.release();
        if !self.buffered().is_empty() {
            return Ok(Ready::Bytes);
        }
        self.stream.gate_mut().soften(Some(until));
        let result = self.stream.fill();
        self.stream.gate_mut().soften(None);
        match result {
            Ok(0) if self.settings.interrupt.is_set() => Err(self.lost()),
            Ok(0) => Ok(Ready::Eof),
            Ok(_) => Ok(Ready::Bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Ready::Nothing),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// True if something has arrived. It does not wait, and whatever fails counts as nothing.
    pub(super) fn has_arrived(&mut self) -> bool {
        let now = self.now();
        self.stream.gate_mut().soften(Some(now));
        let result = self.stream.fill();
        self.stream.gate_mut().soften(None);
        matches!(result, Ok(1..))
    }

    /// True if what the server sends first is TLS: an alert or a handshake record. Waits for it, within the phase.
    pub(crate) fn starts_with_tls(&mut self) -> Result<bool> {
        self.fill()?;
        // One byte says it too: no greeting begins with a control character.
        Ok(matches!(self.buffered(), [0x15 | 0x16] | [0x15 | 0x16, 0x03, ..]))
    }
}
