//! What lies right under the buffers: the transport, with the time and the bytes of each read and write accounted for.
//! Closed for a moment, it makes the buffer tell what it holds. Below a handshake it accounts for that one's time.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::{Clock, Closed, Deadline, Interrupt, Timeouts, Transport};

/// What a fast transfer earns is kept for at most 10 min, the longest wait in RFC 5321 4.5.3.2: a server that stops
/// after a gigabyte would be waited for for weeks.
const MOST_CREDIT: Duration = Duration::from_secs(600);

/// How long bytes that are there are read after a wait is over: 10 ms, in which a machine reads megabytes. A server that
/// never stops could stretch the wait.
const LOOKING: Duration = Duration::from_millis(10);

pub(super) struct Gate {
    pub(super) transport: Box<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    interrupt: Interrupt,
    /// While true, reading would block: nothing but what is buffered can be seen.
    pub(super) shut: bool,
    /// What is left for the phase; time outside of reads and writes is not charged.
    pub(super) left: Duration,
    /// By how much what was read last came too late: a socket's time-out is not exact. Bytes pay it before they buy time.
    pub(super) debt: Duration,
    /// Whether each byte buys time, at [`Timeouts::BODY_RATE`].
    pub(super) credit: bool,
    /// The end of everything.
    pub(super) overall: Option<Instant>,
    /// Until when a read may wait without harm.
    soft: Option<Instant>,
    /// It has looked past that.
    looked: bool,
    /// The transport cannot be given a deadline, and the caller said that this is fine.
    pub(super) no_deadline: bool,
    /// Somebody above gives the deadlines.
    outranked: bool,
}

impl Gate {
    pub(super) fn new(transport: Box<dyn Transport>, clock: Arc<dyn Clock>, interrupt: Interrupt) -> Self {
        Self {
            transport,
            clock,
            interrupt,
            shut: false,
            left: Duration::ZERO,
            debt: Duration::ZERO,
            credit: false,
            overall: None,
            soft: None,
            looked: false,
            no_deadline: false,
            outranked: false,
        }
    }

    /// What makes a gate with the same time left, to go below a handshake.
    pub(super) fn below(&self) -> impl FnOnce(Box<dyn Transport>) -> Self + use<> {
        let mut gate = Self::new(Box::new(Closed), self.clock.clone(), self.interrupt.clone());
        (gate.left, gate.overall, gate.no_deadline) = (self.left, self.overall, self.no_deadline);
        move |transport| Self { transport, ..gate }
    }

    /// Replaces the transport by one that is at its end.
    pub(super) fn close(&mut self) -> Box<dyn Transport> {
        std::mem::replace(&mut self.transport, Box::new(Closed))
    }

    /// Reads may wait until then without harm, and look after that; none: they wait as long as the phase may take.
    pub(super) fn soften(&mut self, until: Option<Instant>) {
        (self.soft, self.looked) = (until, false);
    }

    /// True while a read may end without harm.
    pub(super) fn is_soft(&self) -> bool {
        self.soft.is_some()
    }

    /// True if the wait is over, and has looked at what is there. A transport without deadlines cannot look: it would wait.
    fn has_waited(&mut self) -> bool {
        let Some(until) = self.soft else { return false };
        let late = self.clock.now().checked_duration_since(until);
        late.is_some_and(|late| self.no_deadline || std::mem::replace(&mut self.looked, true) && late >= LOOKING)
    }

    fn deadline(&self, now: Instant) -> Deadline {
        let hard = |at: Instant| Deadline::hard(self.overall.map_or(at, |overall| overall.min(at)));
        match self.soft {
            Some(at) if self.overall.is_none_or(|overall| at <= overall) => Deadline::soft(at),
            Some(at) => hard(at),
            None => now.checked_add(self.left).map_or(Deadline::NEVER, hard),
        }
    }

    fn timed(&mut self, work: impl FnOnce(&mut dyn Transport) -> io::Result<usize>) -> io::Result<usize> {
        // A transport without a socket of its own has no handle that ends it.
        if self.interrupt.is_set() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if self.outranked {
            return work(&mut *self.transport);
        }
        let before = self.clock.now();
        if !self.no_deadline {
            self.transport.set_deadline(self.deadline(before))?;
        }
        let result = work(&mut *self.transport);
        if self.soft.is_none() {
            let spent = self.clock.now().saturating_duration_since(before);
            self.debt = self.debt.saturating_add(spent.saturating_sub(self.left));
            self.left = self.left.saturating_sub(spent);
        }
        if let (Ok(bytes), true) = (&result, self.credit) {
            let bytes = u32::try_from(*bytes).unwrap_or(u32::MAX);
            let earned = Duration::from_secs(1) * bytes / Timeouts::BODY_RATE;
            let sum = self.left.saturating_add(earned.saturating_sub(self.debt));
            self.debt = self.debt.saturating_sub(earned);
            self.left = self.left.max(sum.min(MOST_CREDIT));
        }
        result
    }
}

impl Read for Gate {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.shut || self.has_waited() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.timed(|transport| transport.read(buf))
    }
}

impl Write for Gate {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.timed(|transport| transport.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.timed(|transport| transport.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.timed(|transport| transport.flush().map(|()| 0)).map(drop)
    }
}

/// Below a handshake. Once what was made of it is given deadlines, it only passes them on.
impl Transport for Gate {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.outranked = true;
        self.transport.set_deadline(deadline)
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(&*self.transport)
    }

    fn close(&mut self) -> io::Result<()> {
        self.transport.close()
    }
}
