//! Cuts one response into tokens: atoms, quoted strings, literals, parentheses (RFC 9051, 9). It goes over each byte once
//! and knows depth as a number, so nothing that a server nests costs stack.

use std::borrow::Cow;
use std::ops::Range;

use super::codec::number;
use super::odd::{Odd, ended, in_bytes, two_quotes};
use super::strings::{announced, special, unescape};
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

/// Where in its bytes a value is, with its quotes, parentheses or announcement.
pub(super) type Span = (u32, u32);

/// Goes over a frame.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
    most: usize,
    odd: Odd,
}

/// What comes next in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A value, and where it is.
    Value(Span),
    /// The parenthesis that closes the list.
    Close,
    /// A value without an end, or none; or more tokens than may be.
    Broken,
}

impl Next {
    pub(super) fn value(self) -> Option<Span> {
        if let Self::Value(span) = self { Some(span) } else { None }
    }
}

impl<'a> Tokens<'a> {
    /// Starts at the byte `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize, limits: &Limits) -> Self {
        Self::with_left(bytes, at, limits.tokens, limits.tokens, Odd::default())
    }

    /// As [`new`](Self::new), where `left` of at most `most` tokens may still come.
    pub(super) fn with_left(bytes: &'a [u8], at: usize, left: usize, most: usize, odd: Odd) -> Self {
        Self { bytes, at, left, most, odd }
    }

    /// Goes over what is in a list that was read before; none if this is no list.
    pub(super) fn inside(list: &'a [u8]) -> Option<Self> {
        let inside = list.first() == Some(&b'(');
        inside.then(|| Self::with_left(list, 1, usize::MAX, usize::MAX, Odd::default()))
    }

    /// Goes over what is in the list that comes next, whose first byte is then byte 0; none if no list comes.
    pub(super) fn list_ahead(&mut self) -> Option<Self> {
        let bytes = (self.peek()? == b'(').then(|| self.rest())?;
        Some(Self { bytes, at: 1, ..*self })
    }

    /// Goes on behind what a part of it has gone over, which began here.
    pub(super) fn go_behind(&mut self, part: &Self) {
        (self.at, self.left, self.odd) = (self.at + part.at, part.left, part.odd);
    }

    /// Where the next token begins, or a blank before it.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// All that it goes over.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let taken = self.rest().get(..n).unwrap_or_default();
        self.at += n;
        taken
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// What the next token begins with.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.bytes.get(self.at).copied()
    }

    /// One more token is read; false if that is one too many.
    #[inline]
    fn counted(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_some()
    }

    #[inline]
    fn count(&mut self) -> Result<(), Flaw> {
        if self.counted() { Ok(()) } else { Err(Flaw::TooMuch { what: "tokens", max: self.most as u64 }) }
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Flaw> {
        let Some(first) = self.peek() else { return Ok(None) };
        self.count()?;
        Ok(Some(match first {
            b'(' => {
                self.at += 1;
                Token::Open
            }
            b')' => {
                self.at += 1;
                Token::Close
            }
            b'"' => self.quoted(),
            b'{' | b'~' => self.literal().unwrap_or_else(|| Token::Atom(self.atom())),
            _ => Token::Atom(self.atom()),
        }))
    }

    fn quoted(&mut self) -> Token<'a> {
        let start = self.at;
        let whole = self.skip_quoted();
        let string = self.bytes.get(start..self.at).unwrap_or_default();
        if whole { Token::Quoted(string.get(1..string.len() - 1).unwrap_or_default()) } else { Token::Unclosed(string) }
    }

    /// Goes behind the quoted string that begins here; false, and behind all, if it has no end.
    #[inline]
    fn skip_quoted(&mut self) -> bool {
        let (start, mut escaped) = (self.at, None);
        self.at += 1;
        loop {
            let tail = self.rest();
            match special(tail).and_then(|found| Some((found, *tail.get(found)?))) {
                Some((found, b'\\')) => {
                    escaped = (tail.get(found + 1) == Some(&b'"')).then_some(self.at + found + 2).or(escaped);
                    self.at += found + 2;
                }
                Some((found, b'"')) => {
                    let end = self.at + found + 1;
                    // By far most strings.
                    let plain = escaped.is_none() && matches!(self.bytes.get(end), Some(b' ' | b')'));
                    self.at = if plain { end } else { self.odd_end(start, end, escaped) };
                    return true;
                }
                // A hierarchy delimiter that some servers do not escape.
                _ if self.bytes.get(start..).is_some_and(|string| string.starts_with(b"\"\\\"")) => {
                    self.at = start + 3;
                    return true;
                }
                _ => {
                    let earlier = escaped.filter(|&at| ended(self.bytes, at, None));
                    self.at = earlier.unwrap_or(self.bytes.len());
                    return earlier.is_some();
                }
            }
        }
    }

    /// The end of a string that seems to begin and end there, and to have a quote with a backslash before `escaped`.
    #[cold]
    fn odd_end(&mut self, start: usize, end: usize, escaped: Option<usize>) -> usize {
        let odd = escaped.filter(|&at| ended(self.bytes, at, Some(end))).or_else(|| two_quotes(self.bytes, start, end));
        odd.or_else(|| self.odd.end(self.bytes, start, end)).unwrap_or(end)
    }

    fn literal(&mut self) -> Option<Token<'a>> {
        let (line, size) = announced(self.rest())?;
        self.at += line;
        let here = usize::try_from(size).ok().and_then(|size| self.rest().get(..in_bytes(self.rest(), size)));
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

    #[inline]
    fn atom(&mut self) -> &'a [u8] {
        let start = self.at;
        // At least one byte, so that every call gets further.
        self.at += 1;
        while !matches!(self.bytes.get(self.at), None | Some(b' ' | b'\t' | b'(' | b')' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default()
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

    /// What separates the levels of names: one character, quoted, or NIL. Some servers (Exchange) do not escape a
    /// backslash, so that the string seems to go on.
    pub(super) fn delimiter(&mut self) -> Result<Option<Value<'a>>, Flaw> {
        self.skip_blanks();
        let bare = self.rest().strip_prefix(b"\"\\\"").is_some_and(|after| after.first() != Some(&b'"'));
        if bare { Ok(Some(Value::Quoted(self.take(3).get(1..2).unwrap_or_default()))) } else { self.value() }
    }

    fn list(&mut self, start: usize) -> Result<Value<'a>, Flaw> {
        let closed = self.skip_lists(1)? == 0;
        if !closed {
            self.at = self.bytes.len();
        }
        let bytes = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(if closed { Value::List(bytes) } else { Value::Broken(bytes) })
    }

    /// Goes behind the parenthesis that closes the outermost of so many lists. If there is none, it says how many are open
    /// where it ends.
    pub(super) fn skip_lists(&mut self, mut depth: usize) -> Result<usize, Flaw> {
        while depth > 0 {
            let Some(first) = self.peek() else { break };
            self.count()?;
            match first {
                b'(' => (self.at, depth) = (self.at + 1, depth + 1),
                b')' => (self.at, depth) = (self.at + 1, depth - 1),
                _ if !self.skip_one(first) => break,
                _ => {}
            }
        }
        Ok(depth)
    }

    /// Goes behind the string or atom that begins here, with this byte; false if it has no end.
    #[inline]
    fn skip_one(&mut self, first: u8) -> bool {
        match first {
            b'"' => return self.skip_quoted(),
            b'{' | b'~' => match self.literal() {
                Some(Token::Streamed(_)) => return false,
                Some(_) => {}
                None => _ = self.atom(),
            },
            _ => _ = self.atom(),
        }
        true
    }

    /// Where the next value is, whole. Goes behind it, or behind the parenthesis that closes the list around it.
    #[inline]
    pub(super) fn span(&mut self) -> Next {
        let Some(first) = self.peek() else { return Next::Broken };
        let start = self.at;
        let whole = match first {
            _ if !self.counted() => false,
            b')' => {
                self.at += 1;
                return Next::Close;
            }
            b'(' => {
                self.at += 1;
                self.close()
            }
            first => self.skip_one(first),
        };
        match (u32::try_from(start), u32::try_from(self.at)) {
            (Ok(start), Ok(end)) if whole => Next::Value((start, end)),
            _ => Next::Broken,
        }
    }

    /// Goes behind the parenthesis that closes the list which it is in; false if there is none.
    pub(super) fn close(&mut self) -> bool {
        self.skip_lists(1) == Ok(0)
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

    /// The name of a FETCH item: an atom whose brackets may hold blanks, lists and strings. None at the end of the frame;
    /// parentheses before a name mean nothing, since Domino puts some around single items.
    pub(super) fn item_name(&mut self) -> Result<Option<&'a [u8]>, Flaw> {
        while let Some(b'(' | b')') = self.peek() {
            self.at += 1;
        }
        let start = self.at;
        let end = self.rest().iter().position(|byte| matches!(byte, b' ' | b'\t' | b'(' | b')' | b'[' | b'\r' | b'\n'));
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

    /// How many tokens may still come, and what is known of odd strings.
    pub(super) fn left(&self) -> (usize, Odd) {
        (self.left, self.odd)
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

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }

    /// A number, or the only one in a list, as mod-sequences have it.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(digits) => number(digits),
            Self::List(list) => number(list.strip_prefix(b"(").and_then(|list| list.strip_suffix(b")"))?.trim_ascii()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
