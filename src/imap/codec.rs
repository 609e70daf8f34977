//! IMAP's bytes and values (RFC 9051, 4 and 7): where a response ends, and what its first words say. No I/O. The framer
//! knows lines, literals, tags, `*` and `+`, and looks at no value, so an odd value never costs the connection.

use std::ops::RangeInclusive;

use memchr::memchr;

use crate::Limits;
use crate::wire::{Flaw, Framer, Need};

// ---- Where a response ends ----

/// Cuts the answer to one command into responses, a frame each; its tagged one is the last.
///
/// The literals of a response are part of its frame, but for a message section's in a FETCH and those that are too large
/// for a value: they are streamed, and the response goes on after them in a frame of its own.
#[derive(Debug)]
pub(super) struct ResponseFramer {
    /// The tags of the commands that are on their way, of which one ends the answer; if none is, none may be tagged.
    tags: Option<RangeInclusive<u32>>,
    /// Every response is an answer of its own.
    single: bool,
    /// A line that is no response is an error.
    strict: bool,
    /// A refusal of DONE may come, once.
    after_done: bool,
    line: usize,
    literal: usize,
    collected: usize,
    kind: Kind,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Tagged,
    /// Its text is for people, and has no literals.
    Text,
    Fetch,
    Data,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Start,
    /// A line was asked for that starts there in the frame.
    Line(usize),
    Literal,
}

impl ResponseFramer {
    /// The answer to a command with one of these tags.
    pub(super) fn new(tags: RangeInclusive<u32>, limits: &Limits) -> Self {
        Self { tags: Some(tags), single: false, ..Self::untagged(limits) }
    }

    /// With lines up to all that may be collected: found messages come in one, however many they are.
    pub(super) fn long_lines(self) -> Self {
        Self { line: self.collected, ..self }
    }

    /// The answer to STARTTLS: whatever is odd about it may be an attacker's, and ends the upgrade.
    pub(super) fn strict(tags: RangeInclusive<u32>, limits: &Limits) -> Self {
        Self { strict: true, ..Self::new(tags, limits) }
    }

    /// One response while the command with this tag is under way, or its end.
    pub(super) fn one_response(tag: u32, limits: &Limits) -> Self {
        Self { single: true, ..Self::new(tag..=tag, limits) }
    }

    /// One response that no command has asked for.
    pub(super) fn untagged(limits: &Limits) -> Self {
        let (line, literal, collected) = (limits.imap_line, limits.value_literal, limits.collected);
        Self {
            tags: None,
            single: true,
            strict: false,
            after_done: false,
            line,
            literal,
            collected,
            kind: Kind::Unknown,
            state: State::Start,
        }
    }

    /// The greeting.
    pub(super) fn greeting(limits: &Limits) -> Self {
        Self { line: limits.greeting_line, strict: true, ..Self::untagged(limits) }
    }

    /// DONE was sent and may have crossed the server's own end of IDLE: then the server takes it for a command.
    pub(super) fn after_done(self, sent: bool) -> Self {
        Self { after_done: sent, ..self }
    }

    fn line(&mut self, from: usize) -> Result<Need, Flaw> {
        if from >= self.collected {
            return Err(Flaw::TooMuch { what: "bytes in an answer", max: self.collected as u64 });
        }
        self.state = State::Line(from);
        Ok(Need::Line { max: self.line })
    }

    fn classify(&mut self, line: &[u8]) -> Result<Kind, Flaw> {
        let (first, rest) = word(trim(line));
        if first == b"*" {
            let (second, rest) = word(rest);
            let name = if number(second).is_some() { word(rest).0 } else { second };
            return Ok(match name {
                _ if Condition::parse(name).is_some() => Kind::Text,
                _ if name.eq_ignore_ascii_case(b"FETCH") => Kind::Fetch,
                _ => Kind::Data,
            });
        }
        if first.is_empty() || first == b"+" {
            return Ok(Kind::Text);
        }
        if self.after_done && refuses_done(line) {
            self.after_done = false;
            return Ok(Kind::Text);
        }
        let flaw = match &self.tags {
            Some(tags) if tag(first).is_some_and(|tag| tags.contains(&tag)) => return Ok(Kind::Tagged),
            Some(_) if is_reply(line) => "a reply with the tag of no command that is on its way",
            Some(_) if self.strict => "neither untagged data nor the reply to the command",
            None if self.strict => "not a greeting of IMAP",
            None if is_reply(line) || tag(first).is_some() => "a reply, but no command waits for one",
            // (Exchange, MailKit #115) A response code that stands alone; or the rest of a string with a line end in it,
            // whose literals are none of ours to read as lines.
            _ => return Ok(Kind::Fetch),
        };
        Err(Flaw::Malformed(flaw))
    }

    /// The literal that follows this line, which may be the first of its response.
    fn follows(&self, line: &[u8], first: bool) -> Option<Marker> {
        let marker = marker(trim(line))?;
        let literal = match self.kind {
            Kind::Tagged | Kind::Text if first => in_code(line),
            // One literal of the code was there already.
            Kind::Tagged | Kind::Text => memchr(b']', line).is_none(),
            _ => true,
        };
        literal.then_some(marker)
    }
}

impl Framer for ResponseFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let from = match self.state {
            State::Start => return self.line(0),
            State::Literal => return self.line(frame.len()),
            State::Line(from) => from,
        };
        let line = frame.get(from..).unwrap_or_default();
        if self.kind == Kind::Unknown {
            self.kind = self.classify(line)?;
        }
        let Some(marker) = self.follows(line, from == 0) else {
            self.state = State::Start;
            let kind = std::mem::replace(&mut self.kind, Kind::Unknown);
            return Ok(if kind == Kind::Tagged || self.single { Need::Last } else { Need::Frame });
        };
        let section = self.kind == Kind::Fetch && is_section(line.get(..marker.at).unwrap_or_default());
        let max = match self.kind {
            _ if section => u64::MAX,
            // What is too large for a value goes by, and costs the value.
            Kind::Fetch | Kind::Data => self.collected as u64,
            _ => self.literal as u64,
        };
        let bytes = marker.size.filter(|&bytes| bytes <= max);
        let bytes = bytes.ok_or(Flaw::TooMuch { what: "bytes in a literal", max })?;
        if section || bytes > self.literal as u64 {
            self.state = State::Start;
            return Ok(Need::Stream(bytes));
        }
        self.state = State::Literal;
        Ok(Need::Collect { bytes, max: self.collected })
    }
}

/// True for `A1 OK` and the like: a reply, whatever its tag, or even without one.
fn is_reply(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // `No problem" NIL` is the rest of a string.
    let bare = Condition::parse(first).is_some_and(|condition| condition.name().as_bytes() == first);
    bare || Condition::parse(second).is_some()
}

/// True for what a server says to DONE as a command: `DONE BAD ..` (Dovecot, Mailutils), `DONE NO ..` (Courier), or with no
/// tag. (Cyrus) `* BAD ..` is untagged data like any other.
pub(super) fn refuses_done(line: &[u8]) -> bool {
    let (first, rest) = word(trim(line));
    let refusal = if first.eq_ignore_ascii_case(b"DONE") { word(rest).0 } else { first };
    match Condition::parse(refusal) {
        Some(Condition::Bad) => true,
        // Without the tag it says too little.
        Some(Condition::No) => refusal != first,
        _ => false,
    }
}

/// The announcement of a literal at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// Where it starts.
    pub(super) at: usize,
    /// None if no number of 64 bits holds it.
    pub(super) size: Option<u64>,
}

/// `{5}`, `{5+}` or `~{5}` at the end of a line without its line end.
pub(super) fn marker(line: &[u8]) -> Option<Marker> {
    let rest = line.strip_suffix(b"}")?;
    let rest = rest.strip_suffix(b"+").unwrap_or(rest);
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = rest.split_at_checked(rest.len() - digits)?;
    let before = before.strip_suffix(b"{").filter(|_| !digits.is_empty())?;
    let before = before.strip_suffix(b"~").unwrap_or(before);
    Some(Marker { at: before.len(), size: number(digits) })
}

/// The size of the literal that a frame ends in, and whether it is (part of) a message.
pub(super) fn announced(frame: &[u8]) -> (u64, bool) {
    let line = trim(frame);
    let Some(marker) = marker(line) else { return (0, false) };
    (marker.size.unwrap_or_default(), is_section(line.get(..marker.at).unwrap_or_default()))
}

/// True if what stands before a literal says that it is (part of) a message: `BODY[..]`, `BODY[..]<0>`, `RFC822`. In a
/// quoted string it cannot be, since none goes over a line end.
fn is_section(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let last = before.rsplit(|&byte| matches!(byte, b' ' | b'(')).next().unwrap_or_default();
    if [&b"RFC822"[..], b"RFC822.HEADER", b"RFC822.TEXT"].iter().any(|name| last.eq_ignore_ascii_case(name)) {
        return true;
    }
    let Some(section) = before.strip_suffix(b"]").or_else(|| without_origin(before)) else { return false };
    // No bracket on this line: one of the section's header names was a literal.
    let Some(open) = memchr::memrchr(b'[', section) else { return true };
    let name = section.get(..open).unwrap_or_default();
    let name = name.rsplit(|&byte| matches!(byte, b' ' | b'(')).next().unwrap_or_default();
    is_section_name(name)
}

/// What stands before the bracket of a message section. Some servers answer with the name of the request, some with
/// `RFC822[]`.
pub(super) fn is_section_name(name: &[u8]) -> bool {
    [&b"BODY"[..], b"BINARY", b"BODY.PEEK", b"BINARY.PEEK", b"RFC822"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// `BODY[` of `BODY[]<0>`.
fn without_origin(before: &[u8]) -> Option<&[u8]> {
    let rest = before.strip_suffix(b">")?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(..rest.len() - digits)?.strip_suffix(b"]<")
}

/// True if a status line ends within its response code, which may have literals; what follows it is text.
fn in_code(line: &[u8]) -> bool {
    let rest = word(word(trim(line)).1).1;
    rest.starts_with(b"[") && memchr(b']', rest).is_none()
}

// ---- What its first words say ----

/// A response, by its first words.
#[derive(Debug)]
pub(super) enum Response<'a> {
    /// `+`: the server waits for more.
    Continue(&'a [u8]),
    /// `*`.
    Untagged(Untagged<'a>),
    /// The end of an answer; the framer has checked the tag.
    Tagged(Option<Status<'a>>),
    /// An empty line.
    Blank,
}

impl<'a> Response<'a> {
    pub(super) fn parse(frame: &'a [u8]) -> Self {
        let frame = trim(frame);
        let (first, rest) = word(frame);
        match first {
            b"+" => Self::Continue(rest),
            b"" => Self::Blank,
            b"*" => Self::Untagged(Untagged::parse(frame, rest)),
            [b'A', digits @ ..] if number(digits).is_some() => Self::Tagged(Status::parse(rest)),
            // No response at all, which the framer has let through: nothing that is known.
            _ => Self::Untagged(Untagged { whole: frame, number: None, name: b"", rest: b"" }),
        }
    }
}

/// `* 12 EXISTS`, `* SEARCH 1 2`, `* OK ..`: what it is, and what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untagged<'a> {
    /// All of it, without its line end.
    pub(super) whole: &'a [u8],
    /// The number before the name.
    pub(super) number: Option<u32>,
    /// The name, in the server's own case.
    pub(super) name: &'a [u8],
    /// All that follows the name.
    pub(super) rest: &'a [u8],
}

impl<'a> Untagged<'a> {
    fn parse(whole: &'a [u8], after_star: &'a [u8]) -> Self {
        let (first, rest) = word(after_star);
        match number(first).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => {
                let (name, rest) = word(rest);
                Self { whole, number: Some(number), name, rest }
            }
            None => Self { whole, number: None, name: first, rest },
        }
    }

    /// True if it is this one, which stands after a number or not.
    pub(super) fn is(&self, name: &str, numbered: bool) -> bool {
        self.number.is_some() == numbered && self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// `OK`, `NO`, `BAD`, `BYE`, `PREAUTH`.
    pub(super) fn status(&self) -> Option<Status<'a>> {
        let condition = Condition::parse(self.name).filter(|_| self.number.is_none())?;
        Some(Status::new(condition, self.rest))
    }

    /// The response code of a status response, or one that stands alone on its line (Exchange, MailKit #115).
    pub(super) fn code(&self) -> Option<Code<'a>> {
        let alone = || self.whole.starts_with(b"[").then(|| Status::new(Condition::Ok, self.whole));
        self.status().or_else(alone)?.code
    }
}

/// How a status response begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl Condition {
    fn parse(word: &[u8]) -> Option<Self> {
        let known = [Self::Ok, Self::No, Self::Bad, Self::Bye, Self::Preauth];
        known.into_iter().find(|condition| word.eq_ignore_ascii_case(condition.name().as_bytes()))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::Preauth => "PREAUTH",
        }
    }
}

/// A status response: its condition, its code and its text, of which any but the first may be missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Status<'a> {
    pub(super) condition: Condition,
    /// The response code without its brackets.
    pub(super) code: Option<Code<'a>>,
    pub(super) text: &'a [u8],
}

impl<'a> Status<'a> {
    fn parse(after_tag: &'a [u8]) -> Option<Self> {
        let (first, rest) = word(after_tag);
        Condition::parse(first).map(|condition| Self::new(condition, rest))
    }

    fn new(condition: Condition, rest: &'a [u8]) -> Self {
        // Without its closing bracket it is text.
        let end = rest.starts_with(b"[").then(|| code_end(rest)).flatten();
        let Some((code, text)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Self { condition, code: None, text: rest };
        };
        let code = Code::new(code.get(1..).unwrap_or_default());
        Self { condition, code: Some(code), text: text.get(1..).unwrap_or_default().trim_ascii_start() }
    }
}

/// Where the bracket is that closes a response code: not in a quoted string or a list (Gmail has flags with brackets),
/// unless that never ends.
fn code_end(rest: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let end = rest.iter().position(|&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b']' => return !quoted && depth == 0,
            _ => {}
        }
        false
    });
    end.or_else(|| memchr(b']', rest))
}

/// What stands in the brackets of a status response: `UIDNEXT 4392`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<'a> {
    pub(super) whole: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Code<'a> {
    pub(super) fn new(inside: &'a [u8]) -> Self {
        let whole = inside.trim_ascii();
        let (name, value) = word(whole);
        Self { whole, name, value }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value of the code with this name, as a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        if self.is(name) { number(word(self.value).0) } else { None }
    }
}

/// True if it is the reply to the command with this tag.
pub(super) fn is_reply_to(ours: u32, frame: &[u8]) -> bool {
    tag(word(trim(frame)).0) == Some(ours)
}

/// The number of a tag of ours: `A12`.
pub(super) fn tag(word: &[u8]) -> Option<u32> {
    let digits = word.strip_prefix(b"A")?;
    let tag = number(digits).and_then(|tag| u32::try_from(tag).ok())?;
    // Each has one form.
    (tag.to_string().as_bytes() == digits).then_some(tag)
}

/// The message of a FETCH response and where in the frame its items begin; none if the frame is another response.
pub(super) fn fetch(frame: &[u8]) -> Option<(u32, usize)> {
    let Response::Untagged(data) = Response::parse(frame) else { return None };
    let number = data.number.filter(|_| data.is("FETCH", true))?;
    let start = data.whole.len() - data.rest.len();
    Some((number, start + usize::from(data.rest.starts_with(b"("))))
}

// ---- Small things ----

/// The first word and, past the blanks after it, the rest.
pub(super) fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = bytes.trim_ascii_start();
    let end = memchr(b' ', bytes).unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (first, rest.trim_ascii_start())
}

/// Without the line end.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A number of digits only.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
