//! Cuts one response into tokens: atoms, quoted strings, literals, parentheses (RFC 9051, 9). It goes over each byte once
//! and knows depth as a number, so nothing that a server nests costs stack.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr3;

use super::codec::number;
use crate::Limits;
use crate::wire::Flaw;

/// One token. What is no other is an atom: numbers, NIL, flags, and whatever a server makes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    Atom(&'a [u8]),
    /// What stands between the quotes, escapes and all; see [`unescape`].
    Quoted(&'a [u8]),
    Literal(&'a [u8]),
    /// A literal that follows the frame as a body.
    Streamed(u64),
    /// A quoted string with no end: the rest of the frame.
    Unclosed(&'a [u8]),
}

/// A whole value: a token, or a list with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Atom(&'a [u8]),
    Quoted(&'a [u8]),
    Literal(&'a [u8]),
    /// With its parentheses.
    List(&'a [u8]),
    Streamed(u64),
    /// Its end is missing: the rest of the frame.
    Broken(&'a [u8]),
}

/// Goes over a frame.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    left: usize,
    nesting: usize,
    most: usize,
}

impl<'a> Tokens<'a> {
    /// Starts at the byte `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize, limits: &Limits) -> Self {
        let (nesting, most) = (limits.nesting, limits.tokens);
        Self { bytes, at, depth: 0, left: most, nesting, most }
    }

    /// Where the next token begins, or a blank before it.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let taken = self.rest().get(..n).unwrap_or_default();
        self.at += n;
        taken
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at += blanks;
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Flaw> {
        self.skip_blanks();
        let Some(&first) = self.rest().first() else { return Ok(None) };
        self.left = self.left.checked_sub(1).ok_or(Flaw::TooMuch { what: "tokens", max: self.most as u64 })?;
        Ok(Some(match first {
            b'(' => {
                self.at += 1;
                self.depth += 1;
                if self.depth > self.nesting {
                    return Err(Flaw::TooMuch { what: "nested parentheses", max: self.nesting as u64 });
                }
                Token::Open
            }
            b')' => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                Token::Close
            }
            b'"' => self.quoted(),
            _ => self.literal().unwrap_or_else(|| Token::Atom(self.atom())),
        }))
    }

    fn quoted(&mut self) -> Token<'a> {
        let rest = self.rest();
        let mut at = 1;
        loop {
            let tail = rest.get(at..).unwrap_or_default();
            match memchr3(b'"', b'\\', b'\n', tail).and_then(|found| Some((found, *tail.get(found)?))) {
                Some((found, b'\\')) => at += found + 2,
                Some((found, b'"')) => {
                    let inside = rest.get(1..at + found).unwrap_or_default();
                    self.at += at + found + 1;
                    return Token::Quoted(inside);
                }
                // A hierarchy delimiter that some servers do not escape.
                _ if rest.starts_with(b"\"\\\"") => return Token::Quoted(self.take(3).get(1..2).unwrap_or_default()),
                _ => return Token::Unclosed(self.take(rest.len())),
            }
        }
    }

    fn literal(&mut self) -> Option<Token<'a>> {
        let (line, size) = announced(self.rest())?;
        self.at += line;
        let here = usize::try_from(size).ok().and_then(|size| self.rest().get(..size));
        match here {
            Some(bytes) if !self.rest().is_empty() => {
                self.at += bytes.len();
                Some(Token::Literal(bytes))
            }
            _ => {
                self.at = self.bytes.len();
                Some(Token::Streamed(size))
            }
        }
    }

    fn atom(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|byte| matches!(byte, b' ' | b'(' | b')' | b'\r' | b'\n'));
        // At least one byte, so that every call gets further.
        self.take(end.unwrap_or(rest.len()).max(1))
    }

    /// The next value, whole.
    pub(super) fn value(&mut self) -> Result<Option<Value<'a>>, Flaw> {
        self.skip_blanks();
        let start = self.at;
        let Some(first) = self.next()? else { return Ok(None) };
        Ok(Some(match first {
            Token::Open => self.list(start)?,
            Token::Close => return Ok(None),
            Token::Atom(bytes) => Value::Atom(bytes),
            Token::Quoted(bytes) => Value::Quoted(bytes),
            Token::Literal(bytes) => Value::Literal(bytes),
            Token::Streamed(size) => Value::Streamed(size),
            Token::Unclosed(bytes) => Value::Broken(bytes),
        }))
    }

    fn list(&mut self, start: usize) -> Result<Value<'a>, Flaw> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if matches!(self.next()?, None | Some(Token::Streamed(_) | Token::Unclosed(_))) {
                self.at = self.bytes.len();
                return Ok(Value::Broken(self.bytes.get(start..).unwrap_or_default()));
            }
        }
        Ok(Value::List(self.bytes.get(start..self.at).unwrap_or_default()))
    }

    /// Where in the frame the value is that was read last.
    pub(super) fn spot(&self, value: &Value<'_>) -> Range<usize> {
        let end = self.at;
        match value {
            Value::Quoted(inside) => (end - 1 - inside.len())..(end - 1),
            Value::Streamed(_) => end..end,
            Value::Atom(bytes) | Value::Literal(bytes) | Value::List(bytes) | Value::Broken(bytes) => {
                (end - bytes.len())..end
            }
        }
    }

    /// The name of a FETCH item: an atom whose brackets may hold blanks, lists and strings. None at the end of the list.
    pub(super) fn item_name(&mut self) -> Result<Option<&'a [u8]>, Flaw> {
        self.skip_blanks();
        let start = self.at;
        let end = self.rest().iter().position(|byte| matches!(byte, b' ' | b'(' | b')' | b'[' | b'\r' | b'\n'));
        self.at += end.unwrap_or(self.rest().len());
        if self.rest().first() == Some(&b'[') {
            self.section()?;
        }
        let name = self.bytes.get(start..self.at).unwrap_or_default();
        Ok((!name.is_empty()).then_some(name))
    }

    /// Goes behind the bracket that closes a section, and its `<0>`.
    fn section(&mut self) -> Result<(), Flaw> {
        loop {
            let part = self.rest().iter().position(|byte| matches!(byte, b']' | b'"' | b'{' | b'\r' | b'\n'));
            self.at += part.unwrap_or(self.rest().len());
            match self.rest().first() {
                Some(b'"' | b'{') => drop(self.next()?),
                Some(b']') => {
                    let end = self.rest().iter().position(|byte| matches!(byte, b' ' | b'(' | b')' | b'\r' | b'\n'));
                    self.at += end.unwrap_or(self.rest().len());
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// How many tokens may still come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Goes on counting where an earlier frame of the same response has ended.
    pub(super) fn with_left(mut self, left: usize) -> Self {
        self.left = left;
        self
    }
}

impl<'a> Value<'a> {
    /// The text of a string, or of an atom that stands in its place; none for NIL and lists.
    pub(super) fn text(&self) -> Option<Cow<'a, [u8]>> {
        match *self {
            Self::Quoted(inside) => Some(unescape(inside)),
            Self::Literal(bytes) => Some(Cow::Borrowed(bytes)),
            // Nothing follows it, so it is an empty literal at the very end.
            Self::Streamed(0) => Some(Cow::Borrowed(b"")),
            Self::Atom(bytes) if !bytes.eq_ignore_ascii_case(b"NIL") => Some(Cow::Borrowed(bytes)),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(digits) => number(digits),
            _ => None,
        }
    }
}

/// The length of the line that announces a literal at the start of `rest`, and its size.
fn announced(rest: &[u8]) -> Option<(usize, u64)> {
    let start = rest.strip_prefix(b"~").unwrap_or(rest).strip_prefix(b"{")?;
    let digits = start.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = start.split_at_checked(digits)?;
    let after = after.strip_prefix(b"+").unwrap_or(after).strip_prefix(b"}")?;
    let after = after.strip_prefix(b"\r").unwrap_or(after).strip_prefix(b"\n")?;
    Some((rest.len() - after.len(), number(digits)?))
}

/// What a quoted string means.
pub(super) fn unescape(inside: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inside).is_none() || inside == b"\\" {
        return Cow::Borrowed(inside);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    Cow::Owned(plain)
}

/// The words of a list of atoms, as of flags; blanks more than needed are no words.
pub(super) fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| matches!(byte, b' ' | b'(' | b')' | b'\r' | b'\n' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
