//! A script while it plays: one cursor for what the client has sent, one for what it has read. It never waits.

mod report;

use std::io;
use std::time::Duration;

use report::shown;

use super::script::Responder;
use super::{Chunking, Script, VirtualClock};

/// What the stand-in client says where TLS begins, in the shape of a handshake record.
pub(super) const CLIENT_HELLO: &[u8] = b"\x16\x03\x01stand-in";
/// The stand-in server's answer.
pub(super) const SERVER_HELLO: &[u8] = b"\x16\x03\x03stand-in";

#[derive(Debug, Clone)]
pub(super) enum Step {
    Server(Vec<u8>),
    Client(Vec<u8>),
    Eof,
    Close,
    Reset,
    Stall,
    Pause(Duration),
    Drip(Duration),
    Wait,
    Tls,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    step: usize,
    offset: usize,
}

impl Cursor {
    fn next_step(&mut self) {
        *self = Self { step: self.step + 1, offset: 0 };
    }
}

/// What the script wants of the client's next byte.
enum Due<'a> {
    Bytes(&'a [u8]),
    Tls,
    Unread,
    Closed,
    Lines,
    Silence,
    Nothing,
}

/// What a server on a socket does next.
pub(super) enum Output {
    Bytes(Vec<u8>),
    Wait(Duration),
    Listen,
    Tls,
    Eof,
    Close,
    Reset,
    Stall,
}

pub(super) struct Play {
    /// The line in the text form (0 without one) and the step.
    steps: Vec<(usize, Step)>,
    chunking: Chunking,
    responder: Option<Responder>,
    /// What the responder has not got yet: part of a line.
    line: Vec<u8>,
    pub(super) cut: Option<usize>,
    reader: Cursor,
    writer: Cursor,
    /// What the server sends next can be read from then on, by the clock's `elapsed`.
    ready_at: Duration,
    /// Between two bytes; zero unless dripping.
    interval: Duration,
    pub(super) clock: VirtualClock,
    pub(super) read_timeout: Option<Duration>,
    pub(super) nonblocking: bool,
    pub(super) shut_down: bool,
    pub(super) error: Option<String>,
    pub(super) sent: Vec<u8>,
    pub(super) writes: usize,
    pub(super) reads: usize,
    pub(super) settings: usize,
    /// How many of the bytes of `sent` went in clear, once TLS has begun.
    pub(super) clear: Option<usize>,
    /// Bytes that went to the client, with those of TLS and without.
    pub(super) given: usize,
    pub(super) delivered: usize,
    /// The bytes go to a socket, which knows better what of them arrives.
    on_socket: bool,
}

impl Play {
    pub(super) fn new(script: Script) -> Self {
        let Script { steps, chunking, responder, cut, .. } = script;
        let mut play = Self {
            steps,
            chunking,
            responder,
            line: Vec::new(),
            cut,
            reader: Cursor::default(),
            writer: Cursor::default(),
            ready_at: Duration::ZERO,
            interval: Duration::ZERO,
            clock: VirtualClock::new(),
            read_timeout: None,
            nonblocking: false,
            shut_down: false,
            error: None,
            sent: Vec::new(),
            writes: 0,
            reads: 0,
            settings: 0,
            clear: None,
            given: 0,
            delivered: 0,
            on_socket: false,
        };
        play.settle();
        play
    }

    pub(super) fn send(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.check()?;
        if self.shut_down {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if buf == CLIENT_HELLO {
            return self.begin_tls().map(|()| buf.len());
        }
        let mut rest = buf;
        while !rest.is_empty() {
            let taken = match self.due() {
                Due::Bytes(expected) => {
                    let length = expected.len().min(rest.len());
                    let same = expected.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    if same < length {
                        return Err(self.mismatch(buf, rest, same));
                    }
                    length
                }
                Due::Lines => self.hear(rest),
                Due::Silence => rest.len(),
                Due::Closed if rest.len() < buf.len() => break,
                Due::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
                Due::Tls => return Err(self.refuse(buf, rest, "the client sends in clear where TLS is due")),
                Due::Unread => return Err(self.refuse(buf, rest, "the client sends before it has read the answer")),
                Due::Nothing => return Err(self.refuse(buf, rest, "the client sends more than the script has")),
            };
            if matches!(self.steps.get(self.writer.step), Some((_, Step::Client(_)))) {
                self.writer.offset += taken;
            }
            rest = rest.get(taken..).unwrap_or_default();
            self.settle();
        }
        let taken = buf.len() - rest.len();
        self.record(buf.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Gives the responder a line, if it is whole, and takes its steps.
    fn hear(&mut self, rest: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', rest).map(|at| at + 1);
        let taken = end.unwrap_or(rest.len());
        self.line.extend_from_slice(rest.get(..taken).unwrap_or_default());
        if let (Some(_), Some(responder)) = (end, &self.responder) {
            let line = std::mem::take(&mut self.line);
            let answer = responder.answer(&line);
            self.steps.extend(answer.steps);
        }
        taken
    }

    pub(super) fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        self.check()?;
        if self.shut_down || buf.is_empty() || self.left() == 0 {
            return Ok(0);
        }
        self.settle();
        let end = match self.steps.get(self.reader.step) {
            Some((_, Step::Eof | Step::Close)) => Some(Ok(0)),
            Some((_, Step::Reset)) => Some(Err(io::ErrorKind::ConnectionReset.into())),
            _ => None,
        };
        if end.is_none() && self.readable().is_empty() {
            return Err(self.nothing());
        }
        self.pass_time()?;
        end.unwrap_or_else(|| Ok(self.take(buf)))
    }

    /// What a server on a socket does next.
    pub(super) fn output(&mut self) -> Output {
        self.on_socket = true;
        self.settle();
        match self.steps.get(self.reader.step) {
            _ if self.error.is_some() => return Output::Eof,
            Some((_, Step::Eof)) => return Output::Eof,
            Some((_, Step::Close)) => return Output::Close,
            Some((_, Step::Reset)) => return Output::Reset,
            Some((_, Step::Stall)) => return Output::Stall,
            Some((_, Step::Tls)) if matches!(self.due(), Due::Tls) => return Output::Tls,
            _ if self.readable().is_empty() => return Output::Listen,
            _ => {}
        }
        let wait = self.ready_at.saturating_sub(self.clock.elapsed());
        if wait > Duration::ZERO {
            return Output::Wait(wait);
        }
        let mut bytes = vec![0; 16 << 10];
        let taken = self.take(&mut bytes);
        bytes.truncate(taken);
        Output::Bytes(bytes)
    }

    /// TLS has begun, and both sides are past it.
    pub(super) fn tls_done(&mut self) {
        self.clear = Some(self.sent.len());
        self.writer.next_step();
        self.reader.next_step();
        self.settle();
    }

    /// Bytes until the cut.
    fn left(&self) -> usize {
        self.cut.map_or(usize::MAX, |cut| cut.saturating_sub(self.given))
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let mut total = 0;
        loop {
            let pieces = self.chunking != Chunking::Whole || self.interval > Duration::ZERO;
            if total > 0 && (pieces || self.ready_at > self.clock.elapsed()) {
                return total;
            }
            let available = self.readable();
            let length = match self.chunking {
                _ if self.interval > Duration::ZERO => 1,
                Chunking::Whole => available.len(),
                Chunking::Lines => memchr::memchr(b'\n', available).map_or(available.len(), |at| at + 1),
                Chunking::Bytes => 1,
            };
            let room = buf.get_mut(total..).unwrap_or_default();
            let length = length.min(available.len()).min(room.len()).min(self.left());
            if length == 0 {
                return total;
            }
            room.iter_mut().zip(available).take(length).for_each(|(to, from)| *to = *from);
            total += length;
            if !self.on_socket {
                let of_tls = matches!(self.steps.get(self.reader.step), Some((_, Step::Tls)));
                self.given += length;
                self.delivered += if of_tls { 0 } else { length };
            }
            self.reader.offset += length;
            self.ready_at = self.clock.elapsed().saturating_add(self.interval);
            self.settle();
        }
    }

    /// What the server has sent and the client has not read, as far as one step goes.
    fn readable(&self) -> &[u8] {
        let bytes = match self.steps.get(self.reader.step) {
            Some((_, Step::Server(bytes))) => bytes,
            Some((_, Step::Tls)) if self.writer.step > self.reader.step => SERVER_HELLO,
            _ => return &[],
        };
        bytes.get(self.reader.offset..).unwrap_or_default()
    }

    /// Moves both cursors past all that is done.
    fn settle(&mut self) {
        loop {
            match self.steps.get(self.reader.step) {
                Some((_, Step::Server(bytes))) if self.reader.offset >= bytes.len() => {}
                Some((_, Step::Tls)) if self.writer.step > self.reader.step && self.readable().is_empty() => {}
                Some((_, Step::Client(_))) if self.client_is_past(self.reader.step) => {}
                Some((_, Step::Pause(time))) => {
                    self.ready_at = self.ready_at.max(self.clock.elapsed()).saturating_add(*time);
                }
                Some((_, Step::Drip(interval))) => self.interval = *interval,
                Some((_, Step::Wait)) => {}
                _ => break,
            }
            self.reader.next_step();
        }
        while let Some((_, step)) = self.steps.get(self.writer.step) {
            match step {
                Step::Client(bytes) if self.writer.offset < bytes.len() => break,
                Step::Wait if self.reader.step <= self.writer.step => break,
                Step::Tls => break,
                _ => self.writer.next_step(),
            }
        }
    }

    fn client_is_past(&self, index: usize) -> bool {
        let length = match self.steps.get(index) {
            Some((_, Step::Client(bytes))) => bytes.len(),
            _ => 0,
        };
        self.writer.step > index || (self.writer.step == index && self.writer.offset >= length)
    }

    fn due(&self) -> Due<'_> {
        match self.steps.get(self.writer.step) {
            Some((_, Step::Client(bytes))) => Due::Bytes(bytes.get(self.writer.offset..).unwrap_or_default()),
            Some((_, Step::Tls)) => Due::Tls,
            Some(_) => Due::Unread,
            None if self.has(|step| matches!(step, Step::Eof | Step::Close | Step::Reset)) => Due::Closed,
            None if self.responder.is_none() => Due::Nothing,
            None if self.has(|step| matches!(step, Step::Stall)) => Due::Silence,
            None => Due::Lines,
        }
    }

    fn has(&self, what: impl Fn(&Step) -> bool) -> bool {
        self.steps.iter().any(|(_, step)| what(step))
    }

    /// Where the script is not at TLS but has something to read, a real server would take the hello for nonsense and
    /// a real client would see that answer: so will the stand-in.
    fn begin_tls(&mut self) -> io::Result<()> {
        if matches!(self.due(), Due::Tls) {
            self.clear = Some(self.sent.len());
            self.writer.next_step();
            self.settle();
            return Ok(());
        }
        let ended =
            matches!(self.steps.get(self.reader.step), Some((_, Step::Eof | Step::Close | Step::Reset | Step::Stall)));
        let ended = ended || self.left() == 0;
        if ended || !self.readable().is_empty() {
            return Ok(());
        }
        let at = self.place(self.writer.step);
        Err(self.fail(format!("{at}: the client begins TLS where the script does not")))
    }

    /// Lets the time pass until the next byte is there, or until the reader's patience ends.
    fn pass_time(&mut self) -> io::Result<()> {
        let wait = self.ready_at.saturating_sub(self.clock.elapsed());
        if wait > Duration::ZERO {
            let patience = if self.nonblocking { Duration::ZERO } else { self.read_timeout.unwrap_or(Duration::MAX) };
            self.clock.advance(wait.min(patience));
            if patience < wait {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }

    fn nothing(&mut self) -> io::Error {
        if !self.nonblocking {
            let Some(timeout) = self.read_timeout else {
                let at = self.place(self.reader.step);
                let tls = matches!(self.steps.get(self.reader.step), Some((_, Step::Tls)));
                let what =
                    if tls { "reads in clear where TLS is due" } else { "would wait for ever, with no time-out" };
                return self.fail(format!("{at}: the client {what}"));
            };
            self.clock.advance(timeout);
        }
        io::ErrorKind::WouldBlock.into()
    }

    fn record(&mut self, bytes: &[u8]) {
        self.writes += 1;
        self.sent.extend_from_slice(bytes);
    }

    fn check(&self) -> io::Result<()> {
        self.error.as_ref().map_or(Ok(()), |error| Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())))
    }

    fn fail(&mut self, error: String) -> io::Error {
        self.error = Some(error.clone());
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    fn refuse(&mut self, buf: &[u8], rest: &[u8], why: &str) -> io::Error {
        self.record(buf);
        let at = self.place(self.writer.step);
        self.fail(format!("{at}: {why}\n       got: \"{}\"", shown(rest)))
    }
}
