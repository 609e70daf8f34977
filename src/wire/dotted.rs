//! Reading a dot-terminated body, a pure state machine over any chunking: RFC 5321 4.5.2, RFC 1939 3.

use memchr::{memchr2, memmem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    LineStart,
    Mid,
    SawCr,
    Dot,
    DotCr,
}

/// What to do with the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many bytes belong to the body.
    Give(usize),
    /// So many bytes do not.
    Skip(usize),
    /// A CR that was taken for part of the end belongs to the body.
    Cr,
    /// So many bytes end the body.
    End(usize),
}

/// Reads a body in place: says which of the bytes at hand belong to it.
///
/// Lines end in CRLF, and in nothing else, unless the answer's own status line ended in a bare LF: then the server knows
/// no CR, and a bare LF ends a line of the body too. A server of the first kind cannot be made to end a body early by a
/// message with bare LFs in it.
#[derive(Debug, Clone)]
pub(super) struct Unstuffer {
    state: In,
    bare_lf: bool,
    /// Bytes at the head of the buffer that are known to be given, so that no byte is searched twice.
    known: usize,
}

impl Unstuffer {
    pub(super) fn new(bare_lf: bool) -> Self {
        Self { state: In::LineStart, bare_lf, known: 0 }
    }

    /// `buf` is what lies in the buffer, not empty, and starts where the last piece ended.
    pub(super) fn next(&mut self, buf: &[u8]) -> Piece {
        if self.known > 0 {
            return Piece::Give(self.known.min(buf.len()));
        }
        let first = buf.first().copied().unwrap_or_default();
        match (self.state, first) {
            (In::LineStart, b'.') => self.skip(In::Dot),
            (In::Dot, b'\r') => self.skip(In::DotCr),
            (In::Dot, b'\n') if self.bare_lf => Piece::End(1),
            (In::DotCr, b'\n') => Piece::End(1),
            (In::DotCr, _) => {
                self.state = In::SawCr;
                Piece::Cr
            }
            (In::SawCr, b'\n') => self.give(1),
            _ => self.give(self.search(buf)),
        }
    }

    fn skip(&mut self, next: In) -> Piece {
        self.state = next;
        Piece::Skip(1)
    }

    fn give(&mut self, bytes: usize) -> Piece {
        self.known = bytes;
        Piece::Give(bytes)
    }

    fn search(&self, buf: &[u8]) -> usize {
        let found = if self.bare_lf {
            memmem::find(buf, b"\n.").map(|at| at + 1)
        } else {
            memmem::find(buf, b"\r\n.").map(|at| at + 2)
        };
        found.unwrap_or(buf.len())
    }

    /// `bytes` were taken out of the last piece given.
    pub(super) fn taken(&mut self, bytes: &[u8]) {
        self.known = self.known.saturating_sub(bytes.len());
        self.state = match bytes {
            [] => return,
            [.., b'\r', b'\n'] => In::LineStart,
            [b'\n'] if self.state == In::SawCr => In::LineStart,
            [.., b'\n'] if self.bare_lf => In::LineStart,
            [.., b'\r'] => In::SawCr,
            _ => In::Mid,
        };
    }
}

/// The offset of the first octet that no body line may hold on the wire as text of a command: CR, LF or NUL.
pub(super) fn control(text: &[u8]) -> Option<usize> {
    match (memchr2(b'\r', b'\n', text), memchr::memchr(0, text)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
