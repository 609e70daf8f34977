//! A body on its way in: bytes lent out of the read buffer, in constant memory. What is left of it is state in the
//! wire, so that a reader that is dropped or forgotten leaves nothing behind that could be taken for an answer.

use std::io::{self, BufRead, Read};

use super::Wire;
use super::dotted::{Piece, Unstuffer};
use crate::error::{Error, Result};

/// A large body is read in blocks of this size, three times that of the buffer: a third of the system calls.
const BLOCK: usize = 48 << 10;

/// What is left of a body.
#[derive(Debug)]
pub(super) enum Pending {
    Nothing,
    Counted(u64),
    Dotted(Unstuffer),
}

/// What [`Wire::peek_body`] found.
#[derive(Clone, Copy)]
enum Found {
    Bytes(usize),
    Cr,
    End,
    /// A wait that may end without harm has ended.
    Nothing,
}

/// A body that is being received. Reading to its end checks that all of it arrived; what is not read is skipped by the
/// next use of the client.
///
/// A failure of the connection is an [`io::Error`] whose inner error is this crate's [`Error`].
#[derive(Debug)]
pub struct Body<'w> {
    wire: &'w mut Wire,
}

impl<'w> Body<'w> {
    pub(super) fn new(wire: &'w mut Wire) -> Self {
        Self { wire }
    }

    /// Copies all that is left to `target` and returns how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Caller`] if `target` fails, after which the rest is still there; all others are the connection's.
    pub fn copy_to(&mut self, target: &mut (impl io::Write + ?Sized)) -> Result<u64> {
        let failed = |source| Error::Caller { what: "the writer of a body", source, closed: false };
        let (mut total, mut block) = (0, Vec::new());
        loop {
            let n = self.wire.read_block(&mut block)?;
            if n > 0 {
                target.write_all(block.get(..n).unwrap_or_default()).map_err(failed)?;
                total += n as u64;
                continue;
            }
            let bytes = self.wire.fill_body()?;
            if bytes.is_empty() {
                return Ok(total);
            }
            let n = bytes.len();
            target.write_all(bytes).map_err(failed)?;
            self.wire.consume_body(n);
            total += n as u64;
        }
    }

    /// All that is left, in memory, up to `limits.collected`.
    ///
    /// # Errors
    /// [`Error::Limit`] above that; all others are the connection's.
    pub fn collect(&mut self) -> Result<Vec<u8>> {
        let max = self.wire.limits().collected;
        let mut all = Vec::new();
        loop {
            let bytes = self.wire.fill_body()?;
            if bytes.is_empty() {
                return Ok(all);
            }
            if all.len() + bytes.len() > max {
                return Err(self.wire.too_much("bytes of a body in memory", max as u64));
            }
            all.extend_from_slice(bytes);
            let n = bytes.len();
            self.wire.consume_body(n);
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Body<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.wire.fill_body().map_err(|error| {
            let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
            io::Error::new(kind, error)
        })
    }

    fn consume(&mut self, n: usize) {
        self.wire.consume_body(n);
    }
}

impl Wire {
    /// True while a body has not been read to its end.
    pub(super) fn body_pending(&self) -> bool {
        !matches!(self.pending, Pending::Nothing)
    }

    /// Some bytes of the body, at least one; none at its end, or where a wait that may end without harm has ended.
    pub(super) fn fill_body(&mut self) -> Result<&[u8]> {
        self.release();
        match self.peek_body()? {
            Found::Bytes(n) => Ok(self.buffered().get(..n).unwrap_or_default()),
            Found::Cr => Ok(b"\r"),
            Found::End | Found::Nothing => Ok(&[]),
        }
    }

    /// Reads a block of a large body past the buffer, which is smaller; nothing where it is not worth that, or something is
    /// in the buffer.
    fn read_block(&mut self, block: &mut Vec<u8>) -> Result<usize> {
        let Pending::Counted(left) = self.pending else { return Ok(0) };
        // TLS has buffers of its own, which would grow with what is asked for.
        if !self.is_open() || left < BLOCK as u64 || self.is_secure() {
            return Ok(0);
        }
        self.release();
        if !self.buffered().is_empty() {
            return Ok(0);
        }
        block.resize(BLOCK, 0);
        let n = self.read_past(block)?;
        self.body_bytes += n as u64;
        self.pending = Pending::Counted(left.saturating_sub(n as u64));
        Ok(n)
    }

    fn peek_body(&mut self) -> Result<Found> {
        if !self.is_open() {
            // Nothing is pending any more, and that must not seem to be the end of what broke off.
            return Err(Error::Closed);
        }
        if self.cr_due {
            return Ok(Found::Cr);
        }
        loop {
            if matches!(self.pending, Pending::Nothing) {
                return Ok(Found::End);
            }
            if let Pending::Counted(0) = self.pending {
                self.end_body();
                return Ok(Found::End);
            }
            let at_hand = self.fill()?;
            if at_hand == 0 {
                return Ok(Found::Nothing);
            }
            let piece = match &mut self.pending {
                Pending::Counted(left) => {
                    return Ok(Found::Bytes(at_hand.min(usize::try_from(*left).unwrap_or(usize::MAX))));
                }
                Pending::Dotted(unstuffer) => unstuffer.next(self.stream.buffered()),
                Pending::Nothing => return Ok(Found::End),
            };
            match piece {
                Piece::Give(n) => return Ok(Found::Bytes(n)),
                Piece::Skip(n) => self.stream.consume(n),
                Piece::Cr => {
                    self.cr_due = true;
                    return Ok(Found::Cr);
                }
                Piece::End(n) => {
                    self.stream.consume(n);
                    self.answer_ended();
                    self.end_body();
                    return Ok(Found::End);
                }
            }
        }
    }

    fn end_body(&mut self) {
        self.pending = Pending::Nothing;
        self.body_received();
    }

    pub(super) fn consume_body(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        self.body_bytes += n as u64;
        if std::mem::take(&mut self.cr_due) {
            return;
        }
        match &mut self.pending {
            Pending::Nothing => return,
            Pending::Counted(left) => *left = left.saturating_sub(n as u64),
            Pending::Dotted(unstuffer) => unstuffer.taken(self.stream.buffered().get(..n).unwrap_or_default()),
        }
        self.stream.consume(n);
    }

    /// Reads the rest of a body away, at most `max` bytes of it. It is still [pending](Self::body_pending) if a wait that
    /// may end without harm has ended before.
    pub(super) fn skip_body(&mut self, max: u64) -> Result<u64> {
        let mut skipped = 0;
        loop {
            let n = self.fill_body()?.len();
            if n == 0 {
                return Ok(skipped);
            }
            self.consume_body(n);
            skipped += n as u64;
            if skipped > max {
                // Some of what may be left unread may have been read away before this body.
                let max = self.limits().drain as u64;
                return Err(self.too_much("bytes left unread in a body", max));
            }
        }
    }
}
