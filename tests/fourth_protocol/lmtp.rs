//! LMTP, RFC 2033: SMTP's replies, LHLO, and an answer for each recipient after the body. It has no port for TLS from
//! the first byte, and uses only public paths of mailconnect.

use std::io::BufRead;

use mailconnect::errors::StartTlsCause;
use mailconnect::sasl::{self, Mechanism};
use mailconnect::wire::{Answer, BodyOutcome, Flaw, Framer, LineEnds, Need, Wire};
use mailconnect::{Client, Error, Limits, Phase, Protocol, Rejection, Result, Security, Severity, ports};

/// LMTP.
#[derive(Debug, Clone, Default)]
pub struct Lmtp {
    capabilities: Vec<String>,
}

/// An LMTP connection.
pub type LmtpClient = Client<Lmtp>;

impl Lmtp {
    /// True if the server told this capability.
    pub fn has(&self, name: &str) -> bool {
        self.words_of(name).is_some()
    }

    fn words_of(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        self.capabilities.iter().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().filter(|first| first.eq_ignore_ascii_case(name)).map(|_| words)
        })
    }

    fn hello(&mut self, wire: &mut Wire) -> Result<()> {
        let answer = Answer::new("LHLO", ReplyFramer::new(wire.limits()));
        let mut group = wire.group();
        group.put("LHLO localhost").end(answer);
        group.send()?;
        let reply = expect(wire, "LHLO", 250)?;
        self.capabilities = reply.lines.into_iter().skip(1).collect();
        Ok(())
    }
}

impl Protocol for Lmtp {
    const NAME: &'static str = "LMTP";
    const SASL_SERVICE: &'static str = "lmtp";
    const PORT: Option<u16> = Some(ports::LMTP);
    const TLS_PORT: Option<u16> = None;
    const SCHEMES: &'static [(&'static str, Security)] = &[("lmtp", Security::StartTls)];

    fn reset(&mut self) {
        self.capabilities.clear();
    }

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        let framer = ReplyFramer::new(wire.limits());
        wire.expect(Answer::new("", framer));
        expect(wire, "the connection", 220)?;
        self.hello(wire)
    }

    fn request_tls(&mut self, wire: &mut Wire) -> Result<()> {
        if !self.has("STARTTLS") {
            return Err(Error::start_tls(wire.peer(), StartTlsCause::NotOffered));
        }
        let answer = Answer::new("STARTTLS", ReplyFramer::new(wire.limits()));
        let mut group = wire.group();
        group.put("STARTTLS").end(answer);
        group.send()?;
        expect(wire, "STARTTLS", 220).map(drop)
    }

    fn secured(&mut self, wire: &mut Wire) -> Result<()> {
        self.hello(wire)
    }

    fn mechanisms(&mut self, _: &mut Wire) -> Result<Vec<String>> {
        Ok(self.words_of("AUTH").into_iter().flatten().map(str::to_ascii_uppercase).collect())
    }

    fn authenticate(&mut self, _: &mut Wire, _: &mut dyn Mechanism, _: &sasl::Context<'_>) -> Result<()> {
        Err(Error::unsupported("this LMTP client delivers to servers that want no log-in"))
    }

    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        let answer = Answer::new("QUIT", ReplyFramer::new(wire.limits()));
        let mut group = wire.group();
        group.put("QUIT").end(answer);
        group.send()?;
        expect(wire, "QUIT", 221).map(drop)
    }
}

/// What became of a message, for one recipient.
pub type Delivery = Result<(), Rejection>;

/// The verbs of LMTP.
pub trait LmtpVerbs {
    /// Delivers a message and says what became of it for each recipient, in their order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in an address; [`Error::Rejected`] if the sender or the message is
    /// refused as a whole; those of the connection.
    fn deliver(&mut self, from: &str, to: &[&str], message: &mut dyn BufRead) -> Result<Vec<Delivery>>;
}

impl LmtpVerbs for Client<Lmtp> {
    fn deliver(&mut self, from: &str, to: &[&str], message: &mut dyn BufRead) -> Result<Vec<Delivery>> {
        self.exchange(|_, wire| {
            let mut deliveries = envelope(wire, from, to)?;
            if deliveries.iter().all(Delivery::is_err) {
                return reset(wire).map(|()| deliveries);
            }
            let answer = Answer::new("DATA", ReplyFramer::new(wire.limits()));
            let mut group = wire.group();
            group.put("DATA").end(answer);
            group.send()?;
            expect(wire, "DATA", 354)?;
            let mut group = wire.group();
            if group.dotted(message, LineEnds::Normalize)? == BodyOutcome::Answered {
                drop(group);
                let answer = Answer::new("DATA", ReplyFramer::new(wire.limits()));
                wire.expect(answer);
                let result = expect(wire, "DATA", 250).map(|_| Vec::new());
                wire.close();
                return result;
            }
            group.send()?;
            wire.enter(Phase::FinalAnswer);
            final_answers(wire, &mut deliveries)?;
            Ok(deliveries)
        })
    }
}

/// MAIL and all RCPT, as many at once as the window allows.
fn envelope(wire: &mut Wire, from: &str, to: &[&str]) -> Result<Vec<Delivery>> {
    let limits = wire.limits().clone();
    let answer = |command| Answer::new(command, ReplyFramer::new(&limits));
    // Composed once before anything is sent, so that a bad address leaves no half of a transaction.
    let mut group = wire.group();
    for address in to.iter().chain([&from]) {
        group.text("address", address.as_bytes())?;
    }
    drop(group);
    let mut group = wire.group();
    group.put("MAIL FROM:<").text("from", from.as_bytes())?.put(">").end(answer("MAIL"));
    group.send()?;
    expect(wire, "MAIL", 250)?;
    let mut deliveries = Vec::with_capacity(to.len());
    let mut left = to;
    while !left.is_empty() {
        let (now, later) = left.split_at(left.len().min(wire.room()));
        let mut group = wire.group();
        for address in now {
            group.put("RCPT TO:<").text("to", address.as_bytes())?.put(">").end(answer("RCPT"));
        }
        group.send()?;
        for _ in now {
            deliveries.push(delivery(wire, "RCPT")?);
        }
        left = later;
    }
    Ok(deliveries)
}

/// RFC 2033 4.2: after the final dot, a reply for each recipient that was taken.
fn final_answers(wire: &mut Wire, deliveries: &mut [Delivery]) -> Result<()> {
    let taken: Vec<_> = deliveries.iter_mut().filter(|delivery| delivery.is_ok()).collect();
    for _ in &taken {
        let answer = Answer::new("the final dot", ReplyFramer::new(wire.limits())).changing();
        wire.expect(answer);
    }
    for slot in taken {
        *slot = delivery(wire, "DATA")?;
    }
    Ok(())
}

fn reset(wire: &mut Wire) -> Result<()> {
    let answer = Answer::new("RSET", ReplyFramer::new(wire.limits()));
    let mut group = wire.group();
    group.put("RSET").end(answer);
    group.send()?;
    expect(wire, "RSET", 250).map(drop)
}

/// A reply of 250, or the refusal of one recipient, unless the server says goodbye with it.
fn delivery(wire: &mut Wire, command: &str) -> Result<Delivery> {
    match expect(wire, command, 250) {
        Ok(_) => Ok(Ok(())),
        Err(Error::Rejected(rejection)) if !rejection.closing => Ok(Err(*rejection)),
        Err(error) => Err(error),
    }
}

struct Reply {
    code: u16,
    lines: Vec<String>,
}

fn expect(wire: &mut Wire, command: &str, wanted: u16) -> Result<Reply> {
    wire.next_part()?;
    let Some(reply) = parse(wire.frame()) else { return Err(wire.malformed("a reply that cannot be read")) };
    match reply.code {
        code if code == wanted => Ok(reply),
        code @ 400..600 => {
            let severity = if code < 500 { Severity::Transient } else { Severity::Permanent };
            let mut rejection = Rejection::new(command, &code.to_string(), severity, reply.lines);
            rejection.closing = code == 421;
            Err(Error::Rejected(Box::new(rejection)))
        }
        _ => Err(wire.malformed("another reply than the command can have")),
    }
}

/// All lines of a reply are one frame. RFC 5321 4.2.1.
struct ReplyFramer {
    line: usize,
    size: usize,
    /// Where the line that is being read begins.
    start: usize,
}

impl ReplyFramer {
    fn new(limits: &Limits) -> Self {
        Self { line: limits.reply_line, size: limits.reply_size, start: 0 }
    }
}

impl Framer for ReplyFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let line = frame.get(self.start..).unwrap_or_default();
        match line.get(3) {
            _ if frame.is_empty() => Ok(Need::Line { max: self.line }),
            _ if !line.iter().take(3).all(u8::is_ascii_digit) => Err(Flaw::Malformed("a line without a reply code")),
            Some(b'-') if frame.len() > self.size => {
                Err(Flaw::TooMuch { what: "bytes in a reply", max: self.size as u64 })
            }
            Some(b'-') => {
                self.start = frame.len();
                Ok(Need::Line { max: self.line })
            }
            _ => Ok(Need::Last),
        }
    }
}

fn parse(frame: &[u8]) -> Option<Reply> {
    let code = std::str::from_utf8(frame.get(..3)?).ok()?.parse().ok()?;
    let text = String::from_utf8_lossy(frame);
    let lines = text.lines().map(|line| line.chars().skip(4).collect()).collect();
    Some(Reply { code, lines })
}
