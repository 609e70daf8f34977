//! Composing what goes out. A group of commands, with the first block of a body that rides with them, goes out in one
//! write, or not at all: a refused argument leaves no trace.

use std::io::BufRead;
use std::ops::Range;

use zeroize::Zeroize;

use super::dotted::control;
use super::stuffer::Stuffer;
use super::transcript::Transcript;
use super::{Answer, Ready, Wire};
use crate::error::{Error, InvalidArgument, Phase, Result};

/// Bodies go out in blocks of about this size.
const BLOCK: usize = 32 << 10;

/// Room after a secret for the end of its line.
const SECRET_ROOM: usize = 64;

/// Commands that are being composed. Dropping it forgets them.
///
/// ```
/// # use mailconnect::wire::{Answer, Framer, Wire};
/// # use mailconnect::Result;
/// fn rename(wire: &mut Wire, to: &str, one_line: impl Framer + 'static) -> Result<()> {
///     let mut group = wire.group();
///     group.put("NAME ").text("name", to.as_bytes())?.end(Answer::new("NAME", one_line));
///     group.send()
/// }
/// ```
#[derive(Debug)]
pub struct Group<'w> {
    wire: &'w mut Wire,
    /// Each with the end of its command in the buffer.
    answers: Vec<(usize, Answer)>,
    hidden: Vec<Range<usize>>,
    /// Bytes of bodies that lie in the buffer, which a transcript does not show.
    bodies: Vec<Range<usize>>,
    /// Part of a body has gone out already.
    spilled: bool,
    /// A body was begun, which the server waits for: it must be ended, or the connection closed.
    begun: bool,
    /// A secret lies in the buffer, which is wiped after use.
    secret: bool,
    /// With what lies in the buffer up to here, a command is whole that changes what the server keeps.
    changes: Option<usize>,
}

/// How sending a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum BodyOutcome {
    /// It is composed whole; what has not gone out yet goes with [`Group::send`].
    Complete,
    /// The server answered in the middle of it, and perhaps hung up. Drop the group, read the answer and close: nothing
    /// more can be sent.
    Answered,
}

impl<'w> Group<'w> {
    pub(super) fn new(wire: &'w mut Wire) -> Self {
        wire.out.clear();
        Self {
            wire,
            answers: Vec::new(),
            hidden: Vec::new(),
            bodies: Vec::new(),
            spilled: false,
            begun: false,
            secret: false,
            changes: None,
        }
    }

    /// Appends a piece of the protocol's own text.
    pub fn put(&mut self, text: &'static str) -> &mut Self {
        self.wire.out.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.wire.out.extend_from_slice(number.to_string().as_bytes());
        self
    }

    /// Appends an argument of the caller's.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it holds CR, LF or NUL.
    pub fn text(&mut self, argument: &'static str, text: &[u8]) -> Result<&mut Self> {
        if let Some(offset) = control(text) {
            let reason = format!("contains CR, LF or NUL at offset {offset}");
            return Err(invalid(argument, reason, self.begun));
        }
        self.wire.out.extend_from_slice(text);
        Ok(self)
    }

    /// Appends a secret: an argument that no error, log or transcript ever shows, not even if the server repeats it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it holds CR, LF or NUL.
    pub fn secret(&mut self, argument: &'static str, secret: &[u8]) -> Result<&mut Self> {
        self.expect_secret(secret.len());
        let start = self.wire.out.len();
        self.text(argument, secret)?;
        self.hidden.push(start..self.wire.out.len());
        self.wire.hide(secret);
        Ok(self)
    }

    /// Appends bytes as they are: the content of a literal, whose count the command has told.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let start = self.wire.out.len();
        self.wire.out.extend_from_slice(bytes);
        self.bodies.push(start..self.wire.out.len());
        self
    }

    /// As [`bytes`](Self::bytes), for a secret.
    pub fn secret_bytes(&mut self, secret: &[u8]) -> &mut Self {
        self.expect_secret(secret.len());
        self.wire.hide(secret);
        self.bytes(secret)
    }

    /// Makes room for a secret and the end of its line, so that the buffer leaves no copy of it behind when it grows.
    fn expect_secret(&mut self, bytes: usize) {
        let out = &mut self.wire.out;
        if out.capacity() - out.len() < bytes + SECRET_ROOM {
            let mut larger = Vec::with_capacity(out.len() + bytes + SECRET_ROOM);
            larger.extend_from_slice(out);
            std::mem::replace(out, larger).zeroize();
        }
        self.secret = true;
    }

    /// Ends a command, whose answer is then due.
    pub fn end(&mut self, answer: Answer) -> &mut Self {
        self.line().expect(answer)
    }

    /// Ends a line that is no command of its own: it continues one whose answer is due already.
    pub fn line(&mut self) -> &mut Self {
        self.put("\r\n")
    }

    /// The answer to a body: due after it, with no line of its own.
    pub fn expect(&mut self, answer: Answer) -> &mut Self {
        self.answers.push((self.wire.out.len(), answer));
        self
    }

    /// With what is composed so far, the command whose answer is due last is whole, and
    /// [changes](Answer::changing) what the server keeps; before, it changed nothing. For one that ends in a
    /// [counted](Self::counted) body.
    pub fn mark_changing(&mut self) -> &mut Self {
        self.changes = Some(self.wire.out.len());
        self
    }

    /// Sends all of it in one write.
    ///
    /// # Errors
    /// Those of the connection. A command that was not sent whole was not carried out. If the server has hung up, and what
    /// it said before that has arrived, the wire is still open for reading: the answers that are due, and perhaps one
    /// more to the command that was cut off.
    pub fn send(mut self) -> Result<()> {
        self.begun = false;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let answers = std::mem::take(&mut self.answers);
        let (hidden, bodies) = (std::mem::take(&mut self.hidden), std::mem::take(&mut self.bodies));
        let changes = self.changes.take();
        let result = self.wire.send(answers, changes, |transcript, out| show(transcript, out, &hidden, &bodies));
        self.wipe();
        result
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.secret) {
            self.wire.out.zeroize();
        }
        self.wire.out.clear();
    }

    /// Appends a whole body with its final dot, by a [`LineEnds`](super::LineEnds) or a [`Stuffer`] with options.
    /// Whatever is more than a block goes out at once, with the commands before it; so put arguments that may be refused
    /// before it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a NUL or whatever else the stuffer refuses, and [`Error::Caller`] if the reader
    /// fails. Either closes the connection, without the final dot.
    pub fn dotted(&mut self, source: &mut dyn BufRead, stuffer: impl Into<Stuffer>) -> Result<BodyOutcome> {
        let start = self.start_body();
        let mut stuffer = stuffer.into();
        let mut sent = 0;
        loop {
            let block = match read_block(source, BLOCK) {
                Ok(block) => block,
                Err(error) => return Err(self.wire.fail(error)),
            };
            let n = block.len();
            let result = if n == 0 {
                stuffer.clone().finish(&mut self.wire.out)
            } else {
                stuffer.push(block, &mut self.wire.out)
            };
            if let Err(bad) = result {
                return Err(self.wire.fail(invalid("body", bad.to_string(), true)));
            }
            source.consume(n);
            sent += n as u64;
            if n == 0 {
                return Ok(self.end_body(start, sent));
            }
            if self.wire.out.len() >= BLOCK && self.spill(start)? == BodyOutcome::Answered {
                return Ok(BodyOutcome::Answered);
            }
        }
    }

    /// Appends exactly `size` bytes of `source`, as the command has announced.
    ///
    /// # Errors
    /// [`Error::Caller`] if the reader fails or ends early, which closes the connection.
    pub fn counted(&mut self, source: &mut dyn BufRead, size: u64) -> Result<BodyOutcome> {
        let start = self.start_body();
        let mut left = size;
        while left > 0 {
            // Never after the last block: what was sent whole must be known to be due.
            if self.wire.out.len() >= BLOCK && self.spill(start)? == BodyOutcome::Answered {
                return Ok(BodyOutcome::Answered);
            }
            let most = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let block = match read_block(source, most) {
                Ok([]) => {
                    let error = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it ended early");
                    return Err(self.wire.fail(reader_failed(error)));
                }
                Ok(block) => block,
                Err(error) => return Err(self.wire.fail(error)),
            };
            let n = block.len();
            self.wire.out.extend_from_slice(block);
            source.consume(n);
            left -= n as u64;
        }
        Ok(self.end_body(start, size))
    }

    fn start_body(&mut self) -> usize {
        self.wire.enter(Phase::Body);
        self.begun = true;
        // What lies in the buffer of an earlier body is the commands' by now.
        self.spilled = false;
        self.wire.out.len()
    }

    fn end_body(&mut self, start: usize, sent: u64) -> BodyOutcome {
        let start = if self.spilled { 0 } else { start };
        self.bodies.push(start..self.wire.out.len());
        if self.wire.transcript.is_on() {
            self.wire.transcript.tell(&super::TranscriptEvent::BodySent(sent));
        }
        BodyOutcome::Complete
    }

    /// Sends what lies in the buffer, after a look at whether the server has said something already: it may have had
    /// enough.
    fn spill(&mut self, start: usize) -> Result<BodyOutcome> {
        if self.spilled && self.wire.due.is_empty() && self.wire.wait(self.wire.now())? != Ready::Nothing {
            self.wire.out.clear();
            self.begun = false;
            self.wire.half_sent = true;
            return Ok(BodyOutcome::Answered);
        }
        let start = if self.spilled { 0 } else { start };
        self.bodies.push(start..self.wire.out.len());
        self.spilled = true;
        match self.flush() {
            Err(_) if self.wire.is_open() => {
                // The server has hung up, and what it said before that can be read.
                self.begun = false;
                Ok(BodyOutcome::Answered)
            }
            result => result.map(|()| BodyOutcome::Complete),
        }
    }
}

fn invalid(argument: &'static str, reason: String, closed: bool) -> Error {
    Error::InvalidArgument(Box::new(InvalidArgument { argument, reason: reason.into(), closed }))
}

fn reader_failed(source: std::io::Error) -> Error {
    Error::Caller { what: "the reader of a body", source, closed: true }
}

fn read_block(source: &mut dyn BufRead, most: usize) -> Result<&[u8]> {
    // Asked until it stops being interrupted; the second call lends what the first has read.
    loop {
        match source.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(reader_failed(source)),
        }
    }
    match source.fill_buf() {
        Ok(block) => Ok(block.get(..most).unwrap_or(block)),
        Err(source) => Err(reader_failed(source)),
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.wipe();
        if self.begun {
            self.wire.close();
        }
    }
}

/// Shows a group line by line, without what is hidden and without bodies.
fn show(transcript: &Transcript, out: &[u8], hidden: &[Range<usize>], bodies: &[Range<usize>]) {
    let mut text = Vec::with_capacity(out.len().min(4 << 10));
    let mut at = 0;
    let mut ranges: Vec<_> =
        hidden.iter().map(|range| (range, true)).chain(bodies.iter().map(|range| (range, false))).collect();
    ranges.sort_by_key(|(range, _)| range.start);
    for (range, secret) in ranges {
        text.extend_from_slice(out.get(at..range.start).unwrap_or_default());
        text.extend_from_slice(if secret { b"[redacted]" } else { b"" });
        at = range.end;
    }
    text.extend_from_slice(out.get(at..).unwrap_or_default());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        transcript.sent(line);
    }
}
