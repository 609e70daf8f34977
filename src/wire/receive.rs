//! Answers on their way in: framers are driven, lines are lent in place where they lie whole in the read buffer, and every
//! limit is checked before more is read.

use super::body::Pending;
use super::{Body, Framer, Need, Part, TranscriptEvent, Wire, dotted, framer};
use crate::error::Result;

/// A frame buffer larger than this is given back after use.
const FRAME_KEPT: usize = 64 << 10;

impl Wire {
    /// Reads the next part of the oldest answer that is due, skipping what is left of a body. Its bytes are
    /// [`frame`](Self::frame).
    ///
    /// # Errors
    /// A broken frame, a limit, a time-out, the end of the file: all of them close the connection.
    pub fn next_part(&mut self) -> Result<Part> {
        self.skip_body(u64::MAX)?;
        self.release();
        let Some(front) = self.due.front_mut() else {
            return Err(self.malformed("no answer is due"));
        };
        // The framer is taken out while it looks at the wire's bytes; its entry stays, for errors to name it.
        let mut framer = std::mem::replace(&mut front.framer, Box::new(framer::Absent));
        let part = self.drive(&mut *framer)?;
        if part == Part::Last {
            self.answer_ended();
        } else if let Some(front) = self.due.front_mut() {
            front.framer = framer;
        }
        Ok(part)
    }

    fn drive(&mut self, framer: &mut dyn Framer) -> Result<Part> {
        loop {
            match framer.need(self.frame()).map_err(|flaw| self.flaw(flaw))? {
                Need::Line { max } => self.read_line(max)?,
                Need::Collect { bytes, max } => self.read_exactly(bytes, max)?,
                Need::Stream(bytes) => return Ok(self.start_body(Pending::Counted(bytes))),
                Need::Dotted => {
                    let bare_lf = !self.frame().ends_with(b"\r\n");
                    return Ok(self.start_body(Pending::Dotted(dotted::Unstuffer::new(bare_lf))));
                }
                Need::Frame => return Ok(Part::Frame),
                Need::Last => {
                    // What was asked alone (EHLO) says nothing about the answers to many commands at once.
                    if self.due.len() > 1 {
                        self.reply_estimate = self.reply_estimate.max(self.frame().len());
                    }
                    return Ok(Part::Last);
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

    /// Reads away what an earlier command left unread: a cursor that was dropped or forgotten.
    ///
    /// # Errors
    /// [`Error::Limit`] if that is more than `limits.drain`; those of the connection.
    pub(crate) fn settle(&mut self) -> Result<()> {
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

    /// Gives up the frame.
    pub(super) fn release(&mut self) {
        self.stream.consume(self.lent);
        self.lent = 0;
        if self.assembled.capacity() > FRAME_KEPT {
            self.assembled = Vec::new();
        }
        self.assembled.clear();
    }

    /// Reads until there is something, and says how much.
    pub(super) fn fill(&mut self) -> Result<usize> {
        match self.stream.fill() {
            Ok(0) => Err(self.lost()),
            Ok(n) => Ok(n),
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

    /// Appends a line to the frame. One that lies whole in the buffer, and is the frame's first, is lent in place.
    fn read_line(&mut self, max: usize) -> Result<()> {
        self.assemble();
        let start = self.assembled.len();
        loop {
            self.fill()?;
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
                return Ok(());
            }
        }
    }

    /// Appends exactly `bytes` to the frame, growing by what arrives and never by what was announced.
    fn read_exactly(&mut self, bytes: u64, max: usize) -> Result<()> {
        self.assemble();
        let fits = usize::try_from(bytes).ok().filter(|&n| n <= max.saturating_sub(self.assembled.len()));
        let Some(mut left) = fits else { return Err(self.too_much("bytes in an answer", max as u64)) };
        while left > 0 {
            let n = self.fill()?.min(left);
            self.assembled.extend_from_slice(self.stream.buffered().get(..n).unwrap_or_default());
            self.stream.consume(n);
            left -= n;
        }
        Ok(())
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
