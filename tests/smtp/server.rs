//! A server in memory for the model: it reads lines, keeps what it accepted, and shares no code with the library. What it
//! has received it works off when the client waits for it, so that the times it has to be waited for can be counted.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use mailconnect::transport::{Deadline, Transport};

/// What a server offers and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The lines of its reply to EHLO, beside the first.
    pub(crate) lines: Vec<String>,
    /// Each recipient that was taken gets a reply to the message.
    pub(crate) lmtp: bool,
    /// It takes so many recipients a transaction.
    pub(crate) recipients_max: usize,
}

impl Offer {
    pub(crate) fn new(lines: &[&str]) -> Self {
        Self { lines: lines.iter().map(|&line| line.to_owned()).collect(), lmtp: false, recipients_max: usize::MAX }
    }
}

/// A message that a server has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: Vec<u8>,
}

/// What a server has seen.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) kept: Vec<Kept>,
    /// The verbs of the commands, in order.
    pub(crate) verbs: Vec<String>,
    /// How often it had to be waited for.
    pub(crate) flights: usize,
    /// Octets to and fro.
    pub(crate) octets: usize,
    /// Commands that lay there when it looked, and answers that it gave at once: the most of each.
    pub(crate) group: usize,
    pub(crate) left: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Commands,
    Data,
    /// So many octets of a part, and whether it is the last.
    Chunk(usize, bool),
}

/// The protocol, bytes to bytes.
pub(crate) struct Machine {
    offer: Offer,
    inbox: Vec<u8>,
    pub(crate) outbox: VecDeque<u8>,
    mode: Mode,
    from: Option<String>,
    to: Vec<String>,
    data: Vec<u8>,
    /// A part was refused, or there was nobody to take it for.
    spoiled: bool,
    pub(crate) record: Arc<Mutex<Record>>,
    pub(crate) wants_tls: bool,
}

impl Machine {
    pub(crate) fn new(offer: Offer) -> Self {
        let mut machine = Self {
            offer,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            mode: Mode::Commands,
            from: None,
            to: Vec::new(),
            data: Vec::new(),
            spoiled: false,
            record: Arc::default(),
            wants_tls: false,
        };
        machine.say("220 mx.example ESMTP");
        machine
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    fn say(&mut self, line: &str) {
        self.outbox.extend(line.as_bytes());
        self.outbox.extend(b"\r\n");
    }

    /// Works off what was received.
    pub(crate) fn run(&mut self) {
        let mut commands = 0;
        loop {
            match self.mode {
                Mode::Commands => {
                    let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") else { break };
                    let line: Vec<u8> = self.inbox.drain(..end + 2).collect();
                    commands += 1;
                    self.command(std::str::from_utf8(&line[..end]).unwrap());
                }
                Mode::Data => {
                    let whole = if self.inbox.starts_with(b".\r\n") {
                        Some(0)
                    } else {
                        self.inbox.windows(5).position(|end| end == b"\r\n.\r\n").map(|at| at + 2)
                    };
                    let Some(end) = whole else { break };
                    let text: Vec<u8> = self.inbox.drain(..end + 3).take(end).collect();
                    self.data = undot(&text);
                    self.mode = Mode::Commands;
                    self.end();
                }
                Mode::Chunk(size, last) => {
                    if self.inbox.len() < size {
                        break;
                    }
                    let part: Vec<u8> = self.inbox.drain(..size).collect();
                    self.data.extend(part);
                    self.mode = Mode::Commands;
                    self.chunk(last);
                }
            }
        }
        let mut record = self.record.lock().unwrap();
        record.group = record.group.max(commands);
    }

    fn command(&mut self, line: &str) {
        let verb = line.split(' ').next().unwrap().to_owned();
        self.record.lock().unwrap().verbs.push(verb.clone());
        match &*verb {
            "EHLO" | "LHLO" => {
                let lines = self.offer.lines.clone();
                self.say("250-mx.example greets you");
                lines.iter().for_each(|line| self.say(&format!("250-{line}")));
                self.say("250 HELP");
            }
            "STARTTLS" => {
                self.say("220 2.0.0 Go ahead");
                self.wants_tls = true;
            }
            "AUTH" => self.say("235 2.7.0 Welcome"),
            "MAIL" => self.mail(line),
            "RCPT" => self.rcpt(line),
            "DATA" if self.to.is_empty() => self.say("503 5.5.1 nobody to take it for"),
            "DATA" => {
                self.data.clear();
                self.mode = Mode::Data;
                self.say("354 go ahead");
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let size = words.next().unwrap().parse().unwrap();
                self.mode = Mode::Chunk(size, words.next() == Some("LAST"));
            }
            "RSET" => {
                self.forget();
                self.say("250 2.0.0 forgotten");
            }
            "QUIT" => {
                self.record.lock().unwrap().left = true;
                self.say("221 2.0.0 bye");
            }
            "NOOP" => self.say("250 2.0.0 here"),
            _ => panic!("not a command: {line:?}"),
        }
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
        self.data.clear();
        self.spoiled = false;
    }

    fn mail(&mut self, line: &str) {
        let address = between(line, "MAIL FROM:<");
        if self.from.is_some() {
            self.say("503 5.5.1 one at a time");
        } else if address.starts_with("refused") {
            self.say("550 5.7.1 not from you");
        } else {
            self.from = Some(address);
            self.say("250 2.1.0 sender ok");
        }
    }

    fn rcpt(&mut self, line: &str) {
        let address = between(line, "RCPT TO:<");
        if self.from.is_none() {
            self.say("503 5.5.1 MAIL first");
        } else if address.starts_with("refused") {
            self.say("550 5.1.1 no such user");
        } else if self.to.len() >= self.offer.recipients_max {
            self.say("452 4.5.3 too many recipients");
        } else {
            self.to.push(address);
            self.say("250 2.1.5 recipient ok");
        }
    }

    fn chunk(&mut self, last: bool) {
        if self.to.is_empty() || self.spoiled {
            self.spoiled = true;
            self.say("503 5.5.1 nobody to take it for");
        } else if last {
            self.end();
        } else {
            self.say("250 2.0.0 more");
        }
    }

    /// The message is whole.
    fn end(&mut self) {
        let refused = self.data.windows(6).any(|word| word == b"REFUSE");
        let kept = Kept { from: self.from.clone().unwrap(), to: self.to.clone(), data: self.data.clone() };
        let to = self.to.clone();
        self.forget();
        let mut taken = Vec::new();
        for to in if self.offer.lmtp { &to[..] } else { &to[..1] } {
            if refused || (self.offer.lmtp && to.starts_with("full")) {
                self.say("554 5.6.0 this message is not taken");
            } else {
                taken.push(to.clone());
                self.say("250 2.0.0 Ok: queued as 4XyZ1234567890, which is a name of some length");
            }
        }
        let to = if self.offer.lmtp || taken.is_empty() { taken } else { to };
        if !to.is_empty() {
            self.record.lock().unwrap().kept.push(Kept { to, ..kept });
        }
    }
}

fn between(line: &str, start: &str) -> String {
    let rest = line.strip_prefix(start).unwrap_or_else(|| panic!("{line:?}"));
    rest.split_once('>').unwrap().0.to_owned()
}

/// RFC 5321 4.5.2, the receiver's side.
fn undot(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    out
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// What the server has said can still be read, then the file ends.
    Eof,
    /// Nothing more can be read.
    Reset,
    /// Nothing more comes, and the client's patience ends.
    Silence,
}

/// The client's end of the connection. It ends after so many octets, to and fro.
pub(crate) struct Line {
    pub(crate) machine: Arc<Mutex<Machine>>,
    pub(crate) cut: usize,
    pub(crate) end: End,
    /// The server gets what is sent after the end.
    pub(crate) half_open: bool,
    pub(crate) soft: bool,
}

impl Line {
    pub(crate) fn new(machine: Machine) -> Self {
        let machine = Arc::new(Mutex::new(machine));
        Self { machine, cut: usize::MAX, end: End::Eof, half_open: false, soft: false }
    }

    fn over(&self) -> io::Error {
        match self.end {
            End::Silence => io::ErrorKind::TimedOut.into(),
            _ => io::ErrorKind::ConnectionReset.into(),
        }
    }
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut machine = self.machine.lock().unwrap();
        let left = self.cut.saturating_sub(machine.record.lock().unwrap().octets);
        if left > 0 || self.half_open {
            if machine.outbox.is_empty() && !self.soft {
                machine.record.lock().unwrap().flights += 1;
            }
            machine.run();
        }
        let readable = if self.end == End::Eof && left == 0 && !self.half_open { usize::MAX } else { left };
        let n = buf.len().min(machine.outbox.len()).min(readable);
        for (slot, byte) in buf.iter_mut().zip(machine.outbox.drain(..n)) {
            *slot = byte;
        }
        machine.record.lock().unwrap().octets += n;
        let quit = machine.record.lock().unwrap().left;
        match n {
            0 if self.soft && left > 0 => Err(io::ErrorKind::WouldBlock.into()),
            0 if left > 0 && !quit => panic!("both sides wait"),
            0 if self.end == End::Eof || quit => Ok(0),
            0 => Err(self.over()),
            n => Ok(n),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut machine = self.machine.lock().unwrap();
        let octets = machine.record.lock().unwrap().octets;
        let n = buf.len().min(self.cut.saturating_sub(octets));
        if n == 0 && !self.half_open {
            return Err(self.over());
        }
        let n = if self.half_open { buf.len() } else { n };
        machine.receive(&buf[..n]);
        machine.record.lock().unwrap().octets += n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Line {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.soft = deadline.is_soft();
        Ok(())
    }

    fn is_local(&self) -> bool {
        true
    }
}
