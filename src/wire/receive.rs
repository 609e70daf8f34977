//! Answers on their way in: framers are driven, lines are lent in place where they lie whole in the read buffer, and every
//! limit is checked before more is read.

use std::io;
use std::time::Instant;

use super::body::Pending;
use super::{Body, Framer, Need, Part, TranscriptEvent, Wire, dotted, framer};
use crate::error::Result;

/// What a framer has asked for, while part of it has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    /// A line, which starts there in the frame.
    Line { start: usize, max: usize },
    /// So many more bytes.
    Bytes(usize),
}

/// A frame buffer larger than this is given back after use.
const FRAME_KEPT: usize = 64 << 10;

impl Wire {
    /// Reads the next part of the oldest answer that is due, skipping what is left of a body. Its bytes are
    /// [`frame`](Self::frame).
    ///
    /// # Errors
    /// A broken frame, a limit, a time-out, the end of the file: all of them close the connection.
    pub fn next_part(&mut self) -> Result<Part> {
        match self.advance()? {
            Some(part) => Ok(part),
            // Only a wait that may end without harm ends without one.
            None => Err(self.broken(io::ErrorKind::TimedOut.into())),
        }
    }

    /// As [`next_part`](Self::next_part), but waits until then at most, and without harm: none if the part is not whole by
    /// that time. What has come of it is kept, and whoever reads a part next goes on with it, in the same way or the other.
    /// An `until` that has passed looks, and does not wait. The time-out of the phase does not count.
    ///
    /// ```
    /// use mailconnect::imap::Imap;
    /// use mailconnect::testing::Script;
    /// use mailconnect::wire::{Answer, Flaw, Framer, Need};
    /// use mailconnect::{Connector, Security};
    /// use std::time::Duration;
    ///
    /// # struct OneLine;
    /// # impl Framer for OneLine {
    /// #     fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
    /// #         Ok(if frame.is_empty() { Need::Line { max: 512 } } else { Need::Last })
    /// #     }
    /// # }
    /// let (transport, script) = Script::parse("S: * OK ready\nS- * 1 EXI\nPAUSE 5s\nS: STS")?.play();
    /// let connector = Connector::new().clock(script.clock());
    /// let mut client = connector.over(Imap::new(), transport, "localhost", Security::Plain)?;
    /// client.exchange(|_, wire| {
    ///     wire.expect(Answer::new("news", OneLine));
    ///     assert_eq!(wire.next_part_by(wire.now() + Duration::from_secs(1))?, None); // `* 1 EXI`
    ///     wire.next_part()?;
    ///     assert_eq!(wire.frame(), b"* 1 EXISTS\r\n");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`next_part`](Self::next_part), but for the time-out.
    pub fn next_part_by(&mut self, until: Instant) -> Result<Option<Part>> {
        self.stream.gate_mut().soften(Some(until));
        let part = self.advance();
        self.stream.gate_mut().soften(None);
        part
    }

    /// Reads on to the end of a part; none if a wait that may end without harm has ended before.
    fn advance(&mut self) -> Result<Option<Part>> {
        self.skip_body(u64::MAX)?;
        if self.body_pending() {
            return Ok(None);
        }
        self.release();
        let Some(front) = self.due.front_mut() else {
            return Err(self.malformed("no answer is due"));
        };
        // The framer is taken out while it looks at the wire's bytes; its entry stays, for errors to name it.
        let mut framer = std::mem::replace(&mut front.framer, Box::new(framer::Absent));
        let part = self.drive(&mut *framer)?;
        if part == Some(Part::Last) {
            self.answer_ended();
        } else if let Some(front) = self.due.front_mut() {
            front.framer = framer;
        }
        Ok(part)
    }

    fn drive(&mut self, framer: &mut dyn Framer) -> Result<Option<Part>> {
        loop {
            if !self.finish_half()? {
                return Ok(None);
            }
            match framer.need(self.frame()).map_err(|flaw| self.flaw(flaw))? {
                Need::Line { max } => self.begin_line(max),
                Need::Collect { bytes, max } => self.begin_bytes(bytes, max)?,
                Need::Stream(bytes) => return Ok(Some(self.start_body(Pending::Counted(bytes)))),
                Need::Dotted => {
                    let bare_lf = !self.frame().ends_with(b"\r\n");
                    return Ok(Some(self.start_body(Pending::Dotted(dotted::Unstuffer::new(bare_lf)))));
                }
                Need::Frame => return Ok(Some(Part::Frame)),
                Need::Last => {
                    // What was asked alone (EHLO) says nothing about the answers to many commands at once.
                    if self.due.len() > 1 {
                        self.reply_estimate = self.reply_estimate.max(self.frame().len());
                    }
                    return Ok(Some(Part::Last));
                }
            }
        }
    }

    /// The oldest answer is whole; its name stays, for what may be found wrong with it.
    pub(super) fn answer_ended(&mut self) {
        if let Some(answer) = self.due.pop_front() {
            self.answered = answer.command;
        }
    }

    fn start_body(&mut self, pending: Pending) -> Part {
        self.pending = pending;
        self.body_bytes = 0;
        Part::Body
    }

    /// The bytes of the part that was read last, line ends included; whole, and empty after the next read or write.
    pub fn frame(&mut self) -> &[u8] {
        match self.lent {
            // Half of one is none.
            _ if self.half.is_some() => &[],
            0 => &self.assembled,
            lent => self.stream.at_hand().get(..lent).unwrap_or_default(),
        }
    }

    /// The body that follows the part that was read last.
    pub fn body(&mut self) -> Body<'_> {
        Body::new(self)
    }

    /// How many answers are due.
    pub fn answers_due(&self) -> usize {
        self.due.len()
    }

    /// Reads away what an earlier command left unread: a cursor that was dropped or forgotten. An answer that is
    /// [resumable](Answer::resumable) is left to its protocol, if no other is due.
    ///
    /// # Errors
    /// [`Error::Limit`] if that is more than `limits.drain`; those of the connection.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.due.len() == 1 && self.due.front().is_some_and(|answer| answer.resumable) {
            return Ok(());
        }
        let max = self.limits().drain as u64;
        let mut left = max.saturating_sub(self.skip_body(max)?);
        while !self.due.is_empty() {
            self.next_part()?;
            let size = self.frame().len() as u64 + self.skip_body(left)?;
            left = left.checked_sub(size).ok_or_else(|| self.too_much("bytes left unread by the last command", max))?;
        }
        self.release();
        Ok(())
    }

    /// What has arrived and is no part of a frame.
    pub(super) fn buffered(&mut self) -> &[u8] {
        self.stream.buffered()
    }

    /// Gives up the frame, but for half of one.
    pub(super) fn release(&mut self) {
        if self.half.is_some() {
            return;
        }
        self.stream.consume(self.lent);
        self.lent = 0;
        if self.assembled.capacity() > FRAME_KEPT {
            self.assembled = Vec::new();
        }
        self.assembled.clear();
    }

    /// Reads until there is something, and says how much: nothing only if a wait that may end without harm has ended.
    pub(super) fn fill(&mut self) -> Result<usize> {
        match self.stream.fill() {
            Ok(0) => Err(self.lost()),
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.stream.gate().is_soft() => Ok(0),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Reads into `block`, when nothing is buffered, and says how much.
    pub(super) fn read_past(&mut self, block: &mut [u8]) -> Result<usize> {
        match self.stream.read(block) {
            Ok(0) => Err(self.lost()),
            Ok(n) => Ok(n),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Reads on to the end of what the framer has asked for, if it has; false if that is not whole.
    fn finish_half(&mut self) -> Result<bool> {
        let whole = match self.half {
            None => true,
            Some(Half::Line { start, max }) => self.read_line(start, max)?,
            Some(Half::Bytes(left)) => self.read_exactly(left)?,
        };
        if whole {
            self.half = None;
        }
        Ok(whole)
    }

    fn begin_line(&mut self, max: usize) {
        self.assemble();
        self.half = Some(Half::Line { start: self.assembled.len(), max });
    }

    /// Appends a line to the frame. One that lies whole in the buffer, and is the frame's first, is lent in place.
    fn read_line(&mut self, start: usize, max: usize) -> Result<bool> {
        loop {
            if self.fill()? == 0 {
                return Ok(false);
            }
            let bytes = self.stream.buffered();
            let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
            let n = end.unwrap_or(bytes.len());
            if self.assembled.len() - start + n > max {
                return Err(self.too_much("bytes in a line", max as u64));
            }
            if end.is_some() && self.assembled.is_empty() {
                self.lent = n;
            } else {
                self.assembled.extend_from_slice(bytes.get(..n).unwrap_or_default());
                self.stream.consume(n);
            }
            if end.is_some() {
                self.show_line(start);
                return Ok(true);
            }
        }
    }

    fn begin_bytes(&mut self, bytes: u64, max: usize) -> Result<()> {
        self.assemble();
        let fits = usize::try_from(bytes).ok().filter(|&n| n <= max.saturating_sub(self.assembled.len()));
        let Some(bytes) = fits else { return Err(self.too_much("bytes in an answer", max as u64)) };
        self.half = Some(Half::Bytes(bytes));
        Ok(())
    }

    /// Appends exactly so many bytes to the frame, growing by what arrives and never by what was announced.
    fn read_exactly(&mut self, mut left: usize) -> Result<bool> {
        while left > 0 {
            let n = self.fill()?.min(left);
            if n == 0 {
                self.half = Some(Half::Bytes(left));
                return Ok(false);
            }
            self.assembled.extend_from_slice(self.stream.buffered().get(..n).unwrap_or_default());
            self.stream.consume(n);
            left -= n;
        }
        Ok(true)
    }

    /// Moves a frame that is lent in place to where it can grow.
    fn assemble(&mut self) {
        if self.lent > 0 {
            self.assembled.extend_from_slice(self.stream.buffered().get(..self.lent).unwrap_or_default());
            self.stream.consume(self.lent);
            self.lent = 0;
        }
    }

    fn show_line(&mut self, start: usize) {
        if self.transcript.is_on() {
            let bytes = match self.lent {
                0 => &self.assembled,
                lent => self.stream.buffered().get(..lent).unwrap_or_default(),
            };
            self.transcript.received(bytes.get(start..).unwrap_or_default());
        }
    }

    pub(super) fn body_received(&mut self) {
        if self.transcript.is_on() {
            self.transcript.tell(&TranscriptEvent::BodyReceived(self.body_bytes));
        }
    }
}
