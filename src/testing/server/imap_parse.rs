//! Reads IMAP commands, RFC 3501 section 9 and RFC 7888 (LITERAL+): a tag, a name, and arguments of any form. It
//! interprets none of them.

use std::io;

use super::stream::{Connection, Line};

/// Longest command line without its literals; a set of UIDs may be long.
const MAX_LINE: usize = 64 << 10;
/// Largest literal: 64 MiB after login, 8 KiB before.
const MAX_LITERAL: usize = 64 << 20;
const MAX_EARLY_LITERAL: usize = 8 << 10;
/// Literals in one command; none needs more than three.
const MAX_LITERALS: usize = 32;
/// Nested parentheses; no command needs more than two.
const MAX_DEPTH: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Atom(String),
    Quoted(Vec<u8>),
    Literal(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn atom(&self) -> Option<&str> {
        if let Self::Atom(atom) = self { Some(atom) } else { None }
    }

    /// The bytes of an atom or string.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(atom) => Some(atom.as_bytes()),
            Self::Quoted(bytes) | Self::Literal(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The values of a list, or the value alone.
    pub(super) fn values(&self) -> &[Value] {
        if let Self::List(values) = self { values } else { std::slice::from_ref(self) }
    }
}

pub(super) enum Input {
    Command {
        tag: String,
        /// In upper case.
        name: String,
        arguments: Vec<Value>,
    },
    /// A line that is no command, with the tag if it has one.
    Bad {
        tag: Option<String>,
        why: &'static str,
    },
    End,
}

enum Part {
    Text(Vec<u8>),
    Literal(Vec<u8>),
}

pub(super) fn read(connection: &mut Connection, logged_in: bool) -> io::Result<Input> {
    let Some(first) = line(connection)? else { return Ok(Input::End) };
    let (tag, name, rest) = head(&first);
    let secret = matches!(name.as_str(), "LOGIN" | "AUTHENTICATE");
    connection.heard(&String::from_utf8_lossy(&first));
    let Some(tag) = tag else { return Ok(Input::Bad { tag: None, why: "no tag" }) };
    let mut text = rest;
    let mut parts = Vec::new();
    while let Some((start, size, waits)) = literal(&text) {
        let max = if logged_in { MAX_LITERAL } else { MAX_EARLY_LITERAL };
        if size > max || parts.len() > 2 * MAX_LITERALS {
            if !waits {
                connection.say("* BYE [TOOBIG] literal too big")?;
                return Ok(Input::End);
            }
            return Ok(Input::Bad { tag: Some(tag), why: "[TOOBIG] literal too big" });
        }
        if waits {
            connection.say("+ ready")?;
        }
        text.truncate(start);
        parts.push(Part::Text(text));
        parts.push(Part::Literal(connection.exact(size)?));
        connection.heard_message(size);
        let Some(next) = line(connection)? else { return Ok(Input::End) };
        if !next.is_empty() {
            connection.heard(if secret { "***" } else { std::str::from_utf8(&next).unwrap_or("(not UTF-8)") });
        }
        text = next;
    }
    parts.push(Part::Text(text));
    Ok(match arguments(parts) {
        Ok(arguments) => Input::Command { tag, name, arguments },
        Err(why) => Input::Bad { tag: Some(tag), why },
    })
}

/// None if the client is gone. A line that is too long becomes one that cannot be understood.
fn line(connection: &mut Connection) -> io::Result<Option<Vec<u8>>> {
    Ok(match connection.line(MAX_LINE)? {
        Line::Text(line) => Some(line),
        Line::TooLong => Some(b"(too-long)".to_vec()),
        Line::End => None,
    })
}

/// Tag, name in upper case, and what follows, with its leading blank.
fn head(line: &[u8]) -> (Option<String>, String, Vec<u8>) {
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let tag = words.next().and_then(|tag| std::str::from_utf8(tag).ok());
    let tag = tag.filter(|tag| !tag.is_empty() && tag.bytes().all(|byte| is_atom(byte) && !b"+*%[]\\".contains(&byte)));
    let rest = words.next().unwrap_or_default();
    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    (tag.map(str::to_owned), String::from_utf8_lossy(name).to_ascii_uppercase(), rest.to_vec())
}

/// Where `{size}` or `{size+}` begins at the end of a line, the size, and whether the client waits for a go-ahead.
fn literal(line: &[u8]) -> Option<(usize, usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let start = memchr::memrchr(b'{', inner)?;
    let size = std::str::from_utf8(inner.get(start + 1..)?).ok()?;
    let digits = size.strip_suffix('+').unwrap_or(size);
    let numeric = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    numeric.then(|| (start, digits.parse().unwrap_or(usize::MAX), digits.len() == size.len()))
}

fn is_atom(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"(){\"".contains(&byte)
}

/// Values under construction: one list for each open parenthesis.
#[derive(Default)]
struct Builder {
    open: Vec<Vec<Value>>,
    current: Vec<Value>,
    /// True where a blank or a closing parenthesis must come.
    complete: bool,
}

impl Builder {
    fn value(&mut self, value: Value) -> Result<(), &'static str> {
        if self.complete {
            return Err("a blank is missing");
        }
        self.current.push(value);
        self.complete = true;
        Ok(())
    }

    fn blank(&mut self) -> Result<(), &'static str> {
        if self.complete {
            self.complete = false;
            Ok(())
        } else {
            Err("a blank too many")
        }
    }

    fn open(&mut self) -> Result<(), &'static str> {
        if self.complete || self.open.len() >= MAX_DEPTH {
            return Err("an odd parenthesis");
        }
        self.open.push(std::mem::take(&mut self.current));
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let outer = self.open.pop().ok_or("an odd parenthesis")?;
        if !self.complete && !self.current.is_empty() {
            return Err("a blank too many");
        }
        self.complete = false;
        let inner = std::mem::replace(&mut self.current, outer);
        self.value(Value::List(inner))
    }
}

fn arguments(parts: Vec<Part>) -> Result<Vec<Value>, &'static str> {
    // The command's name stands before the first blank and counts as complete.
    let mut builder = Builder { complete: true, ..Builder::default() };
    for part in parts {
        match part {
            Part::Literal(bytes) => builder.value(Value::Literal(bytes))?,
            Part::Text(text) => tokens(&mut builder, &text)?,
        }
    }
    if builder.complete && builder.open.is_empty() { Ok(builder.current) } else { Err("the line ends too early") }
}

fn tokens(builder: &mut Builder, mut text: &[u8]) -> Result<(), &'static str> {
    while let Some((first, rest)) = text.split_first() {
        text = rest;
        match first {
            b' ' => builder.blank()?,
            b'(' => builder.open()?,
            b')' => builder.close()?,
            b'"' => {
                let (string, rest) = quoted(rest).ok_or("a quotation mark is missing")?;
                builder.value(Value::Quoted(string))?;
                text = rest;
            }
            byte if is_atom(*byte) => {
                let (atom, rest) = atom(std::iter::once(first).chain(rest));
                builder.value(Value::Atom(atom))?;
                text = text.get(text.len() - rest..).unwrap_or_default();
            }
            _ => return Err("a byte that may not stand here"),
        }
    }
    Ok(())
}

/// An atom, in which brackets may hold anything (`BODY[HEADER.FIELDS (TO)]`), and how many bytes follow it.
fn atom<'a>(bytes: impl Iterator<Item = &'a u8>) -> (String, usize) {
    let (mut atom, mut depth, mut follow) = (Vec::new(), 0_usize, 0);
    for byte in bytes {
        let inside = follow == 0 && (is_atom(*byte) || (depth > 0 && *byte >= b' '));
        if inside {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            atom.push(*byte);
        } else {
            follow += 1;
        }
    }
    (String::from_utf8_lossy(&atom).into_owned(), follow)
}

/// The rest of a quoted string, unescaped, and what follows it.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' | b'\\' if escaped => {
                string.push(*byte);
                escaped = false;
            }
            _ if escaped => return None,
            b'\\' => escaped = true,
            b'"' => return Some((string, text.get(at + 1..)?)),
            b'\r' | b'\n' | 0 => return None,
            _ => string.push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Value>, &'static str> {
        arguments(vec![Part::Text(text.into())])
    }

    #[test]
    fn arguments_of_every_form() {
        let atom = |text: &str| Value::Atom(text.to_owned());
        assert_eq!(parsed(""), Ok(vec![]));
        assert_eq!(
            parsed(r#" 1:* (FLAGS BODY[HEADER.FIELDS (TO)]<0.5>) "a\"b" ()"#),
            Ok(vec![
                atom("1:*"),
                Value::List(vec![atom("FLAGS"), atom("BODY[HEADER.FIELDS (TO)]<0.5>")]),
                Value::Quoted(b"a\"b".to_vec()),
                Value::List(vec![]),
            ])
        );
        let parts = vec![Part::Text(b" ".into()), Part::Literal(b"(x".into()), Part::Text(b" y".into())];
        assert_eq!(arguments(parts), Ok(vec![Value::Literal(b"(x".to_vec()), atom("y")]));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [" ", " a ", " a  b", " (a", " a)", " (a )", "( a)", " \"a", " a\"b\"", " \"\\n\"", " (a)(b)"] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
        assert!(parsed(&" (".repeat(2)).is_err());
        assert!(parsed(&format!(" {}{}", "(".repeat(100), ")".repeat(100))).is_err());
    }

    #[test]
    fn literals_are_found_at_the_end_only() {
        assert_eq!(literal(b"LOGIN {3}"), Some((6, 3, true)));
        assert_eq!(literal(b"{03+}"), Some((0, 3, false)));
        assert_eq!(literal(b"{99999999999999999999999}"), Some((0, usize::MAX, true)));
        for line in [&b"{3} x"[..], b"{}", b"{+}", b"{-1}", b"3}", b"{3++}"] {
            assert_eq!(literal(line), None);
        }
    }
}
