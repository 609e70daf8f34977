//! Where a response ends (RFC 9051, 4.3 and 7): the framer knows lines, literals, tags, `*` and `+`, and looks at no value,
//! so an odd value never costs the connection.

use std::ops::RangeInclusive;

use memchr::memchr;

use super::codec::{Condition, number, tag, trim, word};
use crate::Limits;
use crate::wire::{Flaw, Framer, Need};

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
            // What was sent after DONE is answered.
            self.after_done &= first.is_empty();
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
    let line = trim(line);
    if marker(line).is_some() {
        // The rest of a string with a line end in it: what is in its literals is none of ours to read as lines.
        return false;
    }
    let (first, rest) = word(line);
    let refusal = if first.eq_ignore_ascii_case(b"DONE") { word(rest).0 } else { first };
    match Condition::parse(refusal) {
        Some(Condition::Bad) => refusal != first || first == b"BAD",
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

#[cfg(test)]
mod tests;
