//! ManageSieve, RFC 5804: what makes the protocol, its verbs as an extension trait, and the bytes. It uses only public
//! paths of mailconnect.

use std::io::{self, Read, Write};

use mailconnect::sasl::{self, Mechanism, Secret};
use mailconnect::wire::{Answer, BodyOutcome, Flaw, Framer, Group, Need, Part, Wire};
use mailconnect::{Client, Error, Limits, Protocol, Rejection, Result, Security, Severity};

/// ManageSieve. Port 4190 with STARTTLS is the only way that the RFC knows: there is no port for TLS from the first
/// byte.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    capabilities: Vec<(String, String)>,
}

/// A ManageSieve connection.
pub type SieveClient = Client<Sieve>;

impl Sieve {
    /// The value of a capability, empty if it has none.
    pub fn capability(&self, name: &str) -> Option<&str> {
        let found = self.capabilities.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The server tells its capabilities unasked: as its greeting, and after the handshake. RFC 5804 1.7, 2.2.
    fn read_capabilities(&mut self, wire: &mut Wire) -> Result<()> {
        let framer = ResponseFramer::new(wire.limits());
        wire.expect(Answer::new("", framer));
        let mut capabilities = Vec::new();
        while wire.next_part()? == Part::Frame {
            match tokens(wire.frame()).as_deref() {
                Some([Token::Text(name)]) => capabilities.push((lossy(name), String::new())),
                Some([Token::Text(name), Token::Text(value)]) => capabilities.push((lossy(name), lossy(value))),
                _ => return Err(wire.malformed("a line that is no capability")),
            }
        }
        accepted(wire, "the connection")?;
        self.capabilities = capabilities;
        Ok(())
    }
}

impl Protocol for Sieve {
    const NAME: &'static str = "ManageSieve";
    const SASL_SERVICE: &'static str = "sieve";
    const PORT: Option<u16> = Some(4190);
    const TLS_PORT: Option<u16> = None;
    const SCHEMES: &'static [(&'static str, Security)] = &[("sieve", Security::StartTls)];
    const ROUTES: &'static [(u16, Security)] = &[(4190, Security::StartTls)];

    fn reset(&mut self) {
        self.capabilities.clear();
    }

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        self.read_capabilities(wire)
    }

    fn request_tls(&mut self, wire: &mut Wire) -> Result<()> {
        call(wire, "STARTTLS")
    }

    fn secured(&mut self, wire: &mut Wire) -> Result<()> {
        self.read_capabilities(wire)
    }

    fn mechanisms(&mut self, _: &mut Wire) -> Result<Vec<String>> {
        let names = self.capability("SASL").unwrap_or_default();
        Ok(names.split_ascii_whitespace().map(str::to_ascii_uppercase).collect())
    }

    fn authenticate(&mut self, wire: &mut Wire, mechanism: &mut dyn Mechanism, cx: &sasl::Context<'_>) -> Result<()> {
        let first = mechanism.start(cx)?;
        let answer = Answer::new("AUTHENTICATE", ResponseFramer::new(wire.limits()));
        let name = quoted(mechanism.name());
        wire.hide_received(true);
        let mut group = wire.group();
        group.put("AUTHENTICATE ").text("mechanism", &name)?;
        if let Some(first) = &first {
            secret(group.put(" "), first)?;
        }
        group.end(answer);
        group.send()?;
        loop {
            let last = wire.next_part()? == Part::Last;
            if last {
                accepted(wire, "AUTHENTICATE")?;
            }
            if let Some(challenge) = challenge(wire, last)? {
                match mechanism.step(challenge.as_bytes()) {
                    Ok(_) if last => {}
                    Ok(answer) => respond(wire, |group| secret(group, &answer))?,
                    Err(error) if last => return Err(error),
                    Err(error) => return cancel(wire).and(Err(error)),
                }
            }
            match (last, mechanism.is_finished()) {
                (true, true) => return Ok(()),
                (true, false) => return Err(wire.malformed("success before the log-in was complete")),
                (false, _) => {}
            }
        }
    }

    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        call(wire, "LOGOUT")
    }
}

/// The verbs of ManageSieve.
pub trait SieveVerbs {
    /// The names of all scripts, and whether each is the active one: LISTSCRIPTS.
    ///
    /// # Errors
    /// [`Error::Rejected`], and those of the connection.
    fn list_scripts(&mut self) -> Result<Vec<(String, bool)>>;

    /// A script, to be read while it arrives: GETSCRIPT.
    ///
    /// # Errors
    /// [`Error::Rejected`], and those of the connection.
    fn get_script(&mut self, name: &str) -> Result<Script<'_>>;

    /// Stores a script: PUTSCRIPT.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in the name; [`Error::Rejected`]; those of the connection.
    fn put_script(&mut self, name: &str, content: &[u8]) -> Result<()>;
}

impl SieveVerbs for Client<Sieve> {
    fn list_scripts(&mut self) -> Result<Vec<(String, bool)>> {
        self.exchange(|_, wire| {
            let answer = Answer::new("LISTSCRIPTS", ResponseFramer::new(wire.limits()));
            send(wire, answer, |group| Ok(group.put("LISTSCRIPTS")))?;
            let mut scripts = Vec::new();
            while wire.next_part()? == Part::Frame {
                match tokens(wire.frame()).as_deref() {
                    Some([Token::Text(name)]) => scripts.push((lossy(name), false)),
                    Some([Token::Text(name), Token::Word(word)]) => {
                        scripts.push((lossy(name), word.eq_ignore_ascii_case("ACTIVE")));
                    }
                    _ => return Err(wire.malformed("a line that is no script")),
                }
            }
            accepted(wire, "LISTSCRIPTS").map(|()| scripts)
        })
    }

    fn get_script(&mut self, name: &str) -> Result<Script<'_>> {
        let short = self.exchange(|_, wire| {
            let answer = Answer::new("GETSCRIPT", ResponseFramer::streaming(wire.limits()));
            send(wire, answer, |group| group.put("GETSCRIPT ").text("name", &quoted(name)))?;
            match (wire.next_part()?, tokens(wire.frame()).as_deref()) {
                (Part::Body, _) => Ok(Vec::new()),
                (Part::Frame, Some([Token::Text(script)])) => Ok(script.clone()),
                (Part::Last, _) => {
                    accepted(wire, "GETSCRIPT")?;
                    Err(wire.malformed("no script"))
                }
                _ => Err(wire.malformed("a line that is no script")),
            }
        })?;
        Ok(Script { client: self, short: io::Cursor::new(short), ended: false })
    }

    fn put_script(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.exchange(|_, wire| {
            let answer = || Answer::new("PUTSCRIPT", ResponseFramer::new(&Limits::default())).changing();
            let (size, mut source) = (content.len() as u64, content);
            let mut group = wire.group();
            group.put("PUTSCRIPT ").text("name", &quoted(name))?.put(" {").number(size).put("+}\r\n");
            if group.counted(&mut source, size)? == BodyOutcome::Complete {
                group.end(answer());
                group.send()?;
                wire.next_part()?;
                return accepted(wire, "PUTSCRIPT");
            }
            // The server has had enough in the middle of it: what it says is the answer, and the rest cannot be sent.
            drop(group);
            wire.expect(answer());
            wire.next_part()?;
            let result = accepted(wire, "PUTSCRIPT");
            wire.close();
            result
        })
    }
}

/// A script that is being received. Reading it to its end checks that all of it arrived and that the server says so.
#[derive(Debug)]
pub struct Script<'c> {
    client: &'c mut Client<Sieve>,
    /// A script that came as a quoted string.
    short: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Script<'_> {
    /// Copies all that is left to `target`, and says how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Caller`] if `target` fails; [`Error::Rejected`] if the server takes the script back.
    pub fn copy_to(mut self, target: &mut impl Write) -> Result<u64> {
        let caller = |source| Error::Caller { what: "the writer of a script", source, closed: false };
        let short = io::copy(&mut self.short, target).map_err(caller)?;
        let total = short + self.client.body().copy_to(target)?;
        self.finish().map(|()| total)
    }

    fn finish(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.client.proceed(|_, wire| {
            while wire.next_part()? != Part::Last {}
            accepted(wire, "GETSCRIPT")
        })
    }
}

impl Read for Script<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match self.short.read(buf)? {
            0 => self.client.body().read(buf)?,
            n => n,
        };
        if n == 0 && !buf.is_empty() {
            self.finish().map_err(io::Error::other)?;
        }
        Ok(n)
    }
}

// ---- Exchanges ----

fn send(
    wire: &mut Wire,
    answer: Answer,
    compose: impl for<'g, 'w> FnOnce(&'g mut Group<'w>) -> Result<&'g mut Group<'w>>,
) -> Result<()> {
    let mut group = wire.group();
    compose(&mut group)?.end(answer);
    group.send()
}

/// A command without arguments whose answer is a status.
fn call(wire: &mut Wire, command: &'static str) -> Result<()> {
    let answer = Answer::new(command, ResponseFramer::new(wire.limits()));
    send(wire, answer, |group| Ok(group.put(command)))?;
    match wire.next_part()? {
        Part::Last => accepted(wire, command),
        _ => Err(wire.malformed("an answer where a status was due")),
    }
}

/// A line that continues a command.
fn respond(wire: &mut Wire, compose: impl FnOnce(&mut Group<'_>) -> Result<()>) -> Result<()> {
    let mut group = wire.group();
    compose(&mut group)?;
    group.line();
    group.send()
}

fn cancel(wire: &mut Wire) -> Result<()> {
    respond(wire, |group| {
        group.put("\"*\"");
        Ok(())
    })?;
    match wire.next_part()? {
        Part::Last if accepted(wire, "AUTHENTICATE").is_err() => Ok(()),
        _ => Err(wire.malformed("the server goes on with a log-in that was cancelled")),
    }
}

/// The challenge in a line, or the last one inside `OK (SASL "..")`.
fn challenge(wire: &mut Wire, last: bool) -> Result<Option<Secret>> {
    let encoded = match (last, tokens(wire.frame()).as_deref()) {
        (false, Some([Token::Text(text)])) => text.clone(),
        (true, Some([_, Token::Open, Token::Word(code), Token::Text(text), Token::Close, ..]))
            if code.eq_ignore_ascii_case("SASL") =>
        {
            text.clone()
        }
        (true, _) => return Ok(None),
        (false, _) => return Err(wire.malformed("a challenge that is no string")),
    };
    let max = wire.limits().sasl_challenge;
    match Secret::from_base64(&encoded) {
        Some(decoded) if decoded.as_bytes().len() <= max => Ok(Some(decoded)),
        Some(_) => Err(wire.too_much("bytes in a SASL challenge", max as u64)),
        None => Err(wire.malformed("a challenge that is not base64")),
    }
}

/// A secret in base64: quoted, or a literal where it is longer than a quoted string may be. RFC 5804 4.
fn secret(group: &mut Group<'_>, secret: &Secret) -> Result<()> {
    let encoded = secret.to_base64();
    let bytes = encoded.as_bytes();
    if bytes.len() <= 1024 {
        group.put("\"").secret("response", bytes)?.put("\"");
    } else {
        group.put("{").number(bytes.len() as u64).put("+}\r\n").secret_bytes(bytes);
    }
    Ok(())
}

/// The status that was read last; `NO` and `BYE` are errors.
fn accepted(wire: &mut Wire, command: &str) -> Result<()> {
    let tokens = tokens(wire.frame()).unwrap_or_default();
    let Some((Token::Word(status), rest)) = tokens.split_first() else {
        return Err(wire.malformed("a status that cannot be read"));
    };
    if status.eq_ignore_ascii_case("OK") {
        return Ok(());
    }
    let code = match rest {
        [Token::Open, Token::Word(code), ..] => Some(code.as_str()),
        _ => None,
    };
    let lines = match rest.last() {
        Some(Token::Text(text)) => lossy(text).lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let transient = code.is_some_and(|code| code.eq_ignore_ascii_case("TRYLATER"));
    let severity = if transient { Severity::Transient } else { Severity::Permanent };
    let mut rejection = Rejection::new(command, &status.to_ascii_uppercase(), severity, lines);
    rejection.code = code.map(Into::into);
    rejection.closing = status.eq_ignore_ascii_case("BYE");
    Err(Error::Rejected(Box::new(rejection)))
}

// ---- Bytes ----

/// Lines of data, each with its literals, up to the line that starts with `OK`, `NO` or `BYE`.
struct ResponseFramer {
    line: usize,
    literal: usize,
    lines_left: usize,
    /// A literal at the start of a line is a body, not a value.
    streams: bool,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The line that begins there is being read.
    Line(usize),
    Literal,
}

impl ResponseFramer {
    fn new(limits: &Limits) -> Self {
        let (line, literal, lines_left) = (limits.reply_line, limits.value_literal, limits.capabilities);
        Self { line, literal, lines_left, streams: false, state: State::Line(0) }
    }

    fn streaming(limits: &Limits) -> Self {
        Self { streams: true, ..Self::new(limits) }
    }
}

impl Framer for ResponseFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let start = match self.state {
            _ if frame.is_empty() => {
                self.state = State::Line(0);
                let too_much = Flaw::TooMuch { what: "lines in a response", max: self.lines_left as u64 };
                self.lines_left = self.lines_left.checked_sub(1).ok_or(too_much)?;
                return Ok(Need::Line { max: self.line });
            }
            State::Literal => {
                self.state = State::Line(frame.len());
                return Ok(Need::Line { max: self.line });
            }
            State::Line(start) => start,
        };
        match announced(frame.get(start..).unwrap_or_default()) {
            Some(bytes) if self.streams && frame.starts_with(b"{") => {
                self.streams = false;
                Ok(Need::Stream(bytes))
            }
            Some(bytes) => {
                self.state = State::Literal;
                Ok(Need::Collect { bytes, max: self.literal + self.line })
            }
            None if is_status(frame) => Ok(Need::Last),
            None => Ok(Need::Frame),
        }
    }
}

/// The size of the literal that a line ends with.
fn announced(line: &[u8]) -> Option<u64> {
    let line = line.trim_ascii_end().strip_suffix(b"}")?;
    let line = line.strip_suffix(b"+").unwrap_or(line);
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(line.get(open + 1..)?).ok()?.parse().ok()
}

fn is_status(line: &[u8]) -> bool {
    let word = line.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    ["OK", "NO", "BYE"].iter().any(|status| word.eq_ignore_ascii_case(status.as_bytes()))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(Vec<u8>),
    Open,
    Close,
}

/// The tokens of a frame; none if it has another form.
fn tokens(mut rest: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let token = match rest.first() {
            None => return Some(tokens),
            Some(b'(') => (Token::Open, rest.get(1..)?),
            Some(b')') => (Token::Close, rest.get(1..)?),
            Some(b'"') => quoted_string(rest.get(1..)?)?,
            Some(b'{') => literal(rest)?,
            Some(_) => word(rest)?,
        };
        tokens.push(token.0);
        rest = token.1;
    }
}

fn quoted_string(mut rest: &[u8]) -> Option<(Token, &[u8])> {
    let mut text = Vec::new();
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((Token::Text(text), rest)),
            b'\\' => {
                let (&escaped, after) = rest.split_first()?;
                text.push(escaped);
                rest = after;
            }
            byte => text.push(byte),
        }
    }
}

fn literal(rest: &[u8]) -> Option<(Token, &[u8])> {
    let end = rest.iter().position(|&byte| byte == b'\n')? + 1;
    let size = usize::try_from(announced(rest.get(..end)?)?).ok()?;
    let (text, rest) = rest.get(end..)?.split_at_checked(size)?;
    Some((Token::Text(text.to_vec()), rest))
}

fn word(rest: &[u8]) -> Option<(Token, &[u8])> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'"' | b'{');
    let (word, rest) = rest.split_at_checked(rest.iter().position(ends).unwrap_or(rest.len()))?;
    Some((Token::Word(std::str::from_utf8(word).ok()?.to_owned()), rest))
}

/// A quoted string. CR, LF and NUL are left in it, for the group to refuse.
fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in text.bytes() {
        quoted.extend_from_slice(if matches!(byte, b'"' | b'\\') { b"\\" } else { b"" });
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
