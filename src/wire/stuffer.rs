//! Writing a dot-terminated body, a pure state machine over any chunking: RFC 5321 2.3.8, 4.5.2, 4.5.3.1.6.
//!
//! Nearly all text needs no change but a dot here and there. A slice of such text is recognised by a loop without
//! branches, which compilers turn into vectors, and copied whole. All else goes run by run through the state machine,
//! which alone says what is wrong.

use memchr::{memchr3, memmem, memrchr};

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

impl LineEnds {
    /// Looks through a whole body before any of it is sent, by the same rules as [`Stuffer`].
    ///
    /// ```
    /// use mailconnect::wire::LineEnds;
    /// assert_eq!(LineEnds::Normalize.check(b"one\n.two")?.octets, 11);
    /// assert_eq!(LineEnds::Strict.check(b"one\n.two").unwrap_err().offset, 3);
    /// # Ok::<(), mailconnect::wire::BadBody>(())
    /// ```
    ///
    /// # Errors
    /// [`BadBody`] at the first octet that cannot be sent.
    pub fn check(self, body: &[u8]) -> Result<BodyFacts, BadBody> {
        self.check_parts([body])
    }

    /// As [`check`](Self::check), for a body in pieces.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_parts<'p>(self, parts: impl IntoIterator<Item = &'p [u8]>) -> Result<BodyFacts, BadBody> {
        let (mut stuffer, mut octets) = (Stuffer::new(self), Octets(0));
        parts.into_iter().try_for_each(|part| stuffer.feed(part, &mut octets))?;
        stuffer.end_last_line(&mut octets)?;
        Ok(BodyFacts { octets: octets.0, eight_bit: stuffer.eight_bit })
    }
}

/// What [`LineEnds::check`] learns about a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyFacts {
    /// Its length on the wire, with the line ends that go out but without doubled dots: the SIZE of RFC 1870.
    pub octets: u64,
    /// It holds octets above 127, RFC 6152.
    pub eight_bit: bool,
}

/// Octets of a line without its CRLF, RFC 5321 4.5.3.1.6.
const LINE_MAX: u64 = 998;

/// Octets that are judged at once. They stay in the first level of the processor's cache, and one bad octet takes no
/// more than these through the slow way.
const SLICE: usize = 8 << 10;

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
enum State {
    LineStart,
    Mid,
    /// A CR was taken that is not written yet.
    SawCr,
}

/// Where a body goes.
trait Sink {
    fn text(&mut self, text: &[u8]);
    /// A dot that is not of the body.
    fn dot(&mut self);
}

impl Sink for Vec<u8> {
    fn text(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }

    fn dot(&mut self) {
        self.push(b'.');
    }
}

/// Keeps nothing but how much it was.
struct Octets(u64);

impl Sink for Octets {
    fn text(&mut self, text: &[u8]) {
        self.0 += text.len() as u64;
    }

    fn dot(&mut self) {}
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
    state: State,
    line_ends: LineEnds,
    dots: bool,
    seven_bit: bool,
    eight_bit: bool,
    offset: u64,
    /// Octets of the line so far; counted if line ends are strict.
    line: u64,
}

impl From<LineEnds> for Stuffer {
    fn from(line_ends: LineEnds) -> Self {
        Self::new(line_ends)
    }
}

impl Stuffer {
    /// At the start of a body.
    pub fn new(line_ends: LineEnds) -> Self {
        let (state, dots) = (State::LineStart, true);
        Self { state, line_ends, dots, seven_bit: false, eight_bit: false, offset: 0, line: 0 }
    }

    /// Looks after line ends only: no dot is doubled, and none ends the body. For BDAT, RFC 3030, which counts.
    #[must_use]
    pub fn without_dots(mut self) -> Self {
        self.dots = false;
        self
    }

    /// Refuses octets above 127: for a server without 8BITMIME, where they must not be sent at any price.
    #[must_use]
    pub fn seven_bit(mut self) -> Self {
        self.seven_bit = true;
        self
    }

    /// True if an octet above 127 has been pushed.
    pub fn saw_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Appends the next piece to `out`.
    ///
    /// # Errors
    /// [`BadBody`] at the first octet that cannot be sent; what was appended before it is to be thrown away.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), BadBody> {
        out.reserve(input.len());
        self.feed(input, out)
    }

    /// Ends the body: its last line if that is open, and the dot.
    ///
    /// # Errors
    /// [`BadBody`] if it ends in a bare CR and line ends are strict.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BadBody> {
        self.end_last_line(out)?;
        if self.dots {
            out.extend_from_slice(b".\r\n");
        }
        Ok(())
    }

    fn feed(&mut self, input: &[u8], out: &mut impl Sink) -> Result<(), BadBody> {
        for slice in input.chunks(SLICE) {
            let ascii = slice.is_ascii();
            self.eight_bit |= !ascii;
            let fine = (ascii || !self.seven_bit) && is_fine(slice, self.state);
            match if fine { self.line_after(slice) } else { None } {
                Some(line) => {
                    self.copy(slice, out);
                    self.line = line;
                }
                None => self.step(slice, out)?,
            }
        }
        Ok(())
    }

    // ---- The fast way ----

    /// Octets of the line that is open after `slice`, with its CR if that is there; none if a line of it may be too long.
    fn line_after(&self, slice: &[u8]) -> Option<u64> {
        if self.line_ends == LineEnds::Normalize {
            return Some(0);
        }
        let (mut rest, mut line) = (slice, self.line);
        // Where so many octets are left, one of them is the LF of the open line. The last of these saves a look at
        // those before it.
        while let Some(window) = usize::try_from(LINE_MAX + 2 - line).ok().and_then(|room| rest.get(..room)) {
            rest = rest.get(memrchr(b'\n', window)? + 1..)?;
            line = 0;
        }
        if let Some(at) = memrchr(b'\n', rest) {
            rest = rest.get(at + 1..)?;
            line = 0;
        }
        line += rest.len() as u64;
        (line <= LINE_MAX).then_some(line)
    }

    /// Takes a slice in which there is nothing to mend.
    fn copy(&mut self, slice: &[u8], out: &mut impl Sink) {
        match self.state {
            State::SawCr => out.text(b"\r"),
            State::LineStart if slice.starts_with(b".") => self.dot(out),
            _ => {}
        }
        // A CR at the end waits for its LF.
        let text = slice.strip_suffix(b"\r").unwrap_or(slice);
        let mut start = 0;
        for at in memmem::find_iter(text, b"\n.") {
            out.text(text.get(start..=at).unwrap_or_default());
            self.dot(out);
            start = at + 1;
        }
        out.text(text.get(start..).unwrap_or_default());
        self.offset += slice.len() as u64;
        self.state = match slice.last() {
            Some(b'\r') => State::SawCr,
            Some(b'\n') => State::LineStart,
            _ => State::Mid,
        };
    }

    fn dot(&self, out: &mut impl Sink) {
        if self.dots {
            out.dot();
        }
    }

    // ---- The slow way ----

    fn step(&mut self, mut input: &[u8], out: &mut impl Sink) -> Result<(), BadBody> {
        while let Some(&first) = input.first() {
            let taken = match (self.state, first) {
                (_, b'\n') => self.line_feed(out)?,
                (State::SawCr, _) => {
                    self.bare_cr(out)?;
                    0
                }
                (_, 0) => return Err(self.bad("a NUL")),
                (_, b'\r') => {
                    self.state = State::SawCr;
                    1
                }
                _ => self.run(input, out)?,
            };
            self.offset += taken as u64;
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    fn line_feed(&mut self, out: &mut impl Sink) -> Result<usize, BadBody> {
        if self.state != State::SawCr && self.line_ends == LineEnds::Strict {
            return Err(self.bad("a bare LF"));
        }
        self.end_line(out);
        Ok(1)
    }

    /// A CR that no LF followed: the octet that shows it is not taken yet.
    fn bare_cr(&mut self, out: &mut impl Sink) -> Result<(), BadBody> {
        if self.line_ends == LineEnds::Strict {
            return Err(BadBody { what: "a bare CR", offset: self.offset.saturating_sub(1) });
        }
        self.end_line(out);
        Ok(())
    }

    fn end_line(&mut self, out: &mut impl Sink) {
        out.text(b"\r\n");
        self.state = State::LineStart;
        self.line = 0;
    }

    /// Copies all up to the next octet that matters.
    fn run(&mut self, input: &[u8], out: &mut impl Sink) -> Result<usize, BadBody> {
        let end = memchr3(b'\r', b'\n', 0, input).unwrap_or(input.len());
        let run = input.get(..end).unwrap_or_default();
        self.check_run(run)?;
        if self.line_ends == LineEnds::Strict {
            self.line += end as u64;
        }
        if self.state == State::LineStart && run.first() == Some(&b'.') {
            self.dot(out);
        }
        out.text(run);
        self.state = State::Mid;
        Ok(end)
    }

    fn check_run(&self, run: &[u8]) -> Result<(), BadBody> {
        let eight_bit = if self.seven_bit { run.iter().position(|byte| !byte.is_ascii()) } else { None };
        let strict = self.line_ends == LineEnds::Strict && self.line + run.len() as u64 > LINE_MAX;
        let too_long = if strict { Some(LINE_MAX - self.line) } else { None };
        match (eight_bit.map(|at| at as u64), too_long) {
            (Some(at), end) if end.is_none_or(|end| at <= end) => Err(self.bad_at("an octet above 127", at)),
            (_, Some(at)) => Err(self.bad_at("a line of more than 998 octets", at)),
            _ => Ok(()),
        }
    }

    fn end_last_line(&mut self, out: &mut impl Sink) -> Result<(), BadBody> {
        match self.state {
            State::LineStart => {}
            State::SawCr => self.bare_cr(out)?,
            State::Mid => self.end_line(out),
        }
        Ok(())
    }

    fn bad(&self, what: &'static str) -> BadBody {
        self.bad_at(what, 0)
    }

    fn bad_at(&self, what: &'static str, ahead: u64) -> BadBody {
        BadBody { what, offset: self.offset + ahead }
    }
}

/// True if a slice may go out as it is, but for dots: each CR has its LF, each LF its CR, and there is no NUL. No branch
/// and no early end, so that many octets are looked at by one instruction.
fn is_fine(slice: &[u8], state: State) -> bool {
    let pairs = slice.iter().zip(slice.get(1..).unwrap_or_default());
    let bad = pairs.fold(0, |bad, (&a, &b)| bad | u8::from(b == 0) | (u8::from(a == b'\r') ^ u8::from(b == b'\n')));
    let first = slice.first().copied().unwrap_or_default();
    bad == 0 && first != 0 && (first == b'\n') == (state == State::SawCr)
}

#[cfg(test)]
mod tests;
