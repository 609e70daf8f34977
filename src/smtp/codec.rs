//! Replies as bytes and as values: RFC 5321 4.2, enhanced codes of RFC 2034. Strict about structure, tolerant about
//! text; it does no I/O, reads no byte twice, and is given its limits.

use std::fmt;

use crate::errors::Escaped;
use crate::wire::{Flaw, Framer, Need};
use crate::{Limits, Rejection, Severity};

/// An answer of an SMTP server: `550-5.1.1 No such user` and the lines that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The code, 200 to 599. Its first digit says all that a client acts on.
    pub code: u16,
    /// The enhanced status code, if the first line begins with one whose class fits the code.
    pub enhanced: Option<EnhancedCode>,
    /// The text, a line each, without the codes. Bytes that are not UTF-8 are replaced.
    pub lines: Vec<String>,
}

impl Reply {
    /// Reads a whole reply, as [`ReplyFramer`] frames it. Blank lines before it are skipped.
    ///
    /// # Errors
    /// [`Flaw`] for all that the framer refuses.
    pub fn parse(frame: &[u8]) -> Result<Self, Flaw> {
        let mut code = None;
        let mut texts = Vec::new();
        let mut ended = false;
        for bytes in frame.split_inclusive(|&byte| byte == b'\n') {
            match Line::parse(bytes)? {
                Some(line) if !ended && *code.get_or_insert(line.code) == line.code => {
                    ended = line.last;
                    texts.push(line.text);
                }
                None if texts.is_empty() => {}
                _ => return Err(NOT_ONE),
            }
        }
        let Some(code) = code.filter(|_| ended) else { return Err(NOT_ONE) };
        let enhanced = texts.first().and_then(|text| EnhancedCode::parse(text)).filter(|found| found.fits(code));
        let lines = texts.into_iter().map(|text| own(text, enhanced)).collect();
        Ok(Self { code, enhanced, lines })
    }

    /// True for 2yz: done.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// How lasting a refusal it is: 4yz may pass, 5yz will not. None for all others.
    pub fn severity(&self) -> Option<Severity> {
        match self.code {
            400..=499 => Some(Severity::Transient),
            500..=599 => Some(Severity::Permanent),
            _ => None,
        }
    }

    /// The text in one piece, its lines joined by line feeds.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// It as the refusal of `command`; none if it is none. With 421 the server closes.
    pub(super) fn rejection(&self, command: &str) -> Option<Box<Rejection>> {
        let status = self.code.to_string();
        let mut rejection = Rejection::new(command, &status, self.severity()?, self.lines.clone());
        rejection.code = self.enhanced.map(|code| code.to_string().into());
        rejection.closing = self.code == 421;
        Some(Box::new(rejection))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (n, line) in self.lines.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { " " } else { " / " }, Escaped(line))?;
        }
        Ok(())
    }
}

/// An enhanced status code of RFC 3463: `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2 for success, 4 for a refusal that may pass, 5 for one that will not.
    pub class: u8,
    /// What it is about: 1 addressing, 2 the mailbox, 3 the mail system, 4 routing, 5 the protocol, 6 the content,
    /// 7 security.
    pub subject: u16,
    /// What precisely.
    pub detail: u16,
}

impl EnhancedCode {
    /// Reads the code that a text begins with.
    fn parse(text: &[u8]) -> Option<Self> {
        let word = text.split(|&byte| byte == b' ').next()?;
        let mut parts = word.split(|&byte| byte == b'.').map(|digits| match digits {
            [_, ..] if digits.len() <= 3 => {
                let digit = |n: u16, byte: &u8| byte.is_ascii_digit().then(|| n * 10 + u16::from(byte - b'0'));
                digits.iter().try_fold(0, digit)
            }
            _ => None,
        });
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        parts.next().is_none().then_some(Self { class, subject, detail })
    }

    fn fits(self, code: u16) -> bool {
        u16::from(self.class) == code / 100
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text without the enhanced code, which every line of a reply repeats.
fn own(text: &[u8], enhanced: Option<EnhancedCode>) -> String {
    let repeated = enhanced.is_some() && EnhancedCode::parse(text) == enhanced;
    let text = match text.iter().position(|&byte| byte == b' ') {
        _ if !repeated => text,
        Some(at) => text.get(at + 1..).unwrap_or_default(),
        None => &[],
    };
    String::from_utf8_lossy(text).into_owned()
}

const NOT_ONE: Flaw = Flaw::Malformed("lines with different codes in one reply, or a blank one inside it");

/// One line of a reply.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// None for a blank line. An end by a bare LF is taken, as all servers' clients do; a bare CR is not.
    fn parse(line: &'a [u8]) -> Result<Option<Self>, Flaw> {
        let line = line.strip_suffix(b"\n").ok_or(Flaw::Malformed("a reply line without its end"))?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(None);
        }
        if memchr::memchr2(0, b'\r', line).is_some() {
            return Err(Flaw::Malformed("a NUL or a bare CR in a reply line"));
        }
        let (code, last, text) = match line {
            [a, b, c] => ([*a, *b, *c], true, &[][..]),
            [a, b, c, b' ', text @ ..] => ([*a, *b, *c], true, text),
            [a, b, c, b'-', text @ ..] => ([*a, *b, *c], false, text),
            _ => return Err(Flaw::Malformed("not an SMTP reply")),
        };
        if !code.iter().all(u8::is_ascii_digit) || !matches!(code, [b'2'..=b'5', ..]) {
            return Err(Flaw::Malformed("not an SMTP reply, which begins with a code from 200 to 599"));
        }
        let code = code.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
        Ok(Some(Self { code, last, text }))
    }
}

/// Cuts out one reply: lines of one code, the last of them without a hyphen after it.
///
/// It refuses different codes in one reply, codes outside 200 to 599, NUL, bare CR, and a 3yz code where none is due:
/// whoever takes that for an answer loses count.
#[derive(Debug, Clone)]
pub struct ReplyFramer {
    line: usize,
    lines: usize,
    size: usize,
    /// The one 3yz code that may come.
    more: Option<u16>,
    code: Option<u16>,
    /// Lines seen.
    seen: usize,
    /// Where the next line starts.
    at: usize,
}

impl ReplyFramer {
    /// For the reply to a command.
    pub fn new(limits: &Limits) -> Self {
        let (line, lines, size) = (limits.reply_line, limits.reply_lines, limits.reply_size);
        Self { line, lines, size, more: None, code: None, seen: 0, at: 0 }
    }

    /// For the greeting.
    pub fn greeting(limits: &Limits) -> Self {
        Self { line: limits.greeting_line, ..Self::new(limits) }
    }

    /// For a command to which the server may also say go on: 354 (DATA), 334 (AUTH).
    #[must_use]
    pub fn or_more(mut self, code: u16) -> Self {
        self.more = Some(code);
        self
    }
}

impl Framer for ReplyFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let line = frame.get(self.at..).unwrap_or_default();
        let next = Need::Line { max: self.line };
        if line.is_empty() {
            return Ok(next);
        }
        self.at = frame.len();
        self.seen += 1;
        if self.seen > self.lines {
            return Err(Flaw::TooMuch { what: "lines in a reply", max: self.lines as u64 });
        }
        if self.at > self.size {
            return Err(Flaw::TooMuch { what: "bytes in a reply", max: self.size as u64 });
        }
        let Some(line) = Line::parse(line)? else {
            // Some servers put blank lines between their replies.
            return if self.code.is_none() { Ok(next) } else { Err(NOT_ONE) };
        };
        if *self.code.get_or_insert(line.code) != line.code {
            return Err(NOT_ONE);
        }
        if line.code / 100 == 3 && self.more != Some(line.code) {
            return Err(Flaw::Malformed("a 3yz reply where none is due"));
        }
        Ok(if line.last { Need::Last } else { next })
    }
}

#[cfg(test)]
mod tests;
