//! Dot-terminated bodies, both ways: pure state machines over any chunking. RFC 5321 4.5.2, RFC 1939 3.

use memchr::{memchr2, memchr3, memmem};

/// What becomes of line ends on the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineEnds {
    /// CR, LF and CRLF all become CRLF.
    #[default]
    Normalize,
    /// A bare CR, a bare LF or a line of more than 998 octets is an error: for signed messages, whose bytes must not
    /// change.
    Strict,
}

/// Octets of a line without its CRLF, RFC 5321 4.5.3.1.6.
const LINE_MAX: u64 = 998;

/// Why a body cannot be sent as it is, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadBody {
    /// What was found: "a NUL".
    pub what: &'static str,
    /// The offset of the octet in the body.
    pub offset: u64,
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at offset {}", self.what, self.offset)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    LineStart,
    Mid,
    SawCr,
}

/// Writes a body so that no line of it can end it: no bare CR, no bare LF, no NUL, dots at line starts doubled.
///
/// ```
/// use mailconnect::wire::{LineEnds, Stuffer};
/// let mut wire = Vec::new();
/// let mut stuffer = Stuffer::new(LineEnds::Normalize);
/// stuffer.push(b".\nMAIL", &mut wire)?;
/// stuffer.finish(&mut wire)?;
/// assert_eq!(wire, b"..\r\nMAIL\r\n.\r\n");
/// # Ok::<(), mailconnect::wire::BadBody>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stuffer {
    state: Out,
    line_ends: LineEnds,
    offset: u64,
    line: u64,
}

impl Stuffer {
    /// At the start of a body.
    pub fn new(line_ends: LineEnds) -> Self {
        Self { state: Out::LineStart, line_ends, offset: 0, line: 0 }
    }

    /// Appends the next piece to `out`.
    ///
    /// # Errors
    /// [`BadBody`] at the first octet that cannot be sent; what was appended before it is to be thrown away.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), BadBody> {
        while let Some(&first) = input.first() {
            let taken = match (self.state, first) {
                (_, 0) => return Err(self.bad("a NUL")),
                (_, b'\n') => self.line_feed(out)?,
                (Out::SawCr, _) => {
                    self.bare_cr(out)?;
                    0
                }
                (_, b'\r') => {
                    self.state = Out::SawCr;
                    1
                }
                _ => self.run(input, out)?,
            };
            self.offset += taken as u64;
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    fn line_feed(&mut self, out: &mut Vec<u8>) -> Result<usize, BadBody> {
        if self.state != Out::SawCr && self.line_ends == LineEnds::Strict {
            return Err(self.bad("a bare LF"));
        }
        self.end_line(out);
        Ok(1)
    }

    /// A CR that no LF followed: the octet that shows it is not taken yet.
    fn bare_cr(&mut self, out: &mut Vec<u8>) -> Result<(), BadBody> {
        if self.line_ends == LineEnds::Strict {
            return Err(BadBody { what: "a bare CR", offset: self.offset.saturating_sub(1) });
        }
        self.end_line(out);
        Ok(())
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.state = Out::LineStart;
        self.line = 0;
    }

    /// Copies all up to the next octet that matters.
    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, BadBody> {
        let end = memchr3(b'\r', b'\n', 0, input).unwrap_or(input.len());
        let run = input.get(..end).unwrap_or_default();
        self.line += end as u64;
        if self.line > LINE_MAX && self.line_ends == LineEnds::Strict {
            let offset = self.offset + end as u64 - (self.line - LINE_MAX);
            return Err(BadBody { what: "a line of more than 998 octets", offset });
        }
        if self.state == Out::LineStart && run.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(run);
        self.state = Out::Mid;
        Ok(end)
    }

    /// Ends the body: its last line if that is open, and the dot.
    ///
    /// # Errors
    /// [`BadBody`] if it ends in a bare CR and line ends are strict.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BadBody> {
        match self.state {
            Out::LineStart => {}
            Out::SawCr => self.bare_cr(out)?,
            Out::Mid => self.end_line(out),
        }
        out.extend_from_slice(b".\r\n");
        Ok(())
    }

    fn bad(&self, what: &'static str) -> BadBody {
        BadBody { what, offset: self.offset }
    }
}

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
