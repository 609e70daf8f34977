//! IMAP's bytes and values (RFC 9051, 7): what the first words of a response say. No I/O.

use memchr::memchr;

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

    /// `* OK [CLOSED]` (RFC 7162, 3.2.11): all so far was said of the mailbox that was open before.
    pub(super) fn is_closed(&self) -> bool {
        self.status().and_then(|status| status.code).is_some_and(|code| code.is("CLOSED"))
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
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
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
