//! One command while it is composed: the only place that turns arguments into IMAP (RFC 9051, 4 and 9). Whatever could
//! become a command of its own is refused here, before a byte is written.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::SequenceSet;
use super::codec::marker;
use super::names::{MailboxName, Names};
use super::tokens::unescape;
use crate::{Error, Result};

/// A command without its tag.
pub(super) struct Line<'a> {
    pub(super) command: &'static str,
    /// It changes what the server keeps.
    pub(super) changes: bool,
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A part of a command; the names are those of the arguments.
pub(super) enum Piece<'a> {
    Own(&'static str),
    Text(&'static str, Cow<'a, [u8]>),
    Secret(&'static str, Zeroizing<Vec<u8>>),
    Literal { bytes: Zeroizing<Vec<u8>>, secret: bool },
}

impl<'a> Line<'a> {
    pub(super) fn new(command: &'static str) -> Self {
        Self { command, changes: false, pieces: Vec::new() }
    }

    /// A command that changes what the server keeps.
    pub(super) fn changing(command: &'static str) -> Self {
        Self { changes: true, ..Self::new(command) }
    }

    /// Text of this crate's own.
    pub(super) fn own(mut self, text: &'static str) -> Self {
        self.pieces.push(Piece::Own(text));
        self
    }

    fn text(mut self, argument: &'static str, text: impl Into<Cow<'a, [u8]>>) -> Self {
        self.pieces.push(Piece::Own(" "));
        self.pieces.push(Piece::Text(argument, text.into()));
        self
    }

    /// A word that must be an atom: a mechanism, a flag without its backslash.
    pub(super) fn atom(self, argument: &'static str, atom: &'a str) -> Result<Self> {
        if !is_atom(atom.as_bytes()) {
            return Err(Error::invalid(argument, "wants letters, digits and signs other than (){%*\"\\] and blanks"));
        }
        Ok(self.text(argument, atom.as_bytes()))
    }

    /// Flags in parentheses.
    pub(super) fn flags(self, flags: &[&str]) -> Result<Self> {
        for flag in flags {
            let name = flag.strip_prefix('\\').unwrap_or(flag);
            if !is_atom(name.as_bytes()) {
                return Err(Error::invalid("flag", format!("`{}` is none", flag.escape_debug())));
            }
        }
        Ok(self.text("flag", format!("({})", flags.join(" ")).into_bytes()))
    }

    pub(super) fn set(self, set: &SequenceSet) -> Self {
        self.text("sequence set", set.to_string().into_bytes())
    }

    pub(super) fn mailbox(self, name: impl Into<MailboxName<'a>>, names: Names) -> Result<Self> {
        let name = name.into();
        refuse_controls("mailbox", name.bytes())?;
        Ok(self.string("mailbox", names.encode(name)))
    }

    /// A pattern of LIST: always quoted, so that its wildcards are taken by every server.
    pub(super) fn pattern(self, argument: &'static str, pattern: &str, names: Names) -> Result<Self> {
        refuse_controls(argument, pattern.as_bytes())?;
        Ok(self.text(argument, quoted(&names.encode(pattern.into()))))
    }

    /// An atom, a quoted string or a literal, as the text needs it. It holds no CR, LF or NUL.
    fn string(self, argument: &'static str, text: impl Into<Cow<'a, [u8]>>) -> Self {
        let text = text.into();
        if is_atom(&text) && !text.eq_ignore_ascii_case(b"NIL") {
            return self.text(argument, text);
        }
        if text.is_ascii() { self.text(argument, quoted(&text)) } else { self.own(" ").literal(&text, false) }
    }

    fn literal(mut self, bytes: &[u8], secret: bool) -> Self {
        self.pieces.push(Piece::Literal { bytes: Zeroizing::new(bytes.to_vec()), secret });
        self
    }

    /// A quoted string or a literal, never shown.
    pub(super) fn secret(mut self, argument: &'static str, secret: &str) -> Result<Self> {
        refuse_controls(argument, secret.as_bytes())?;
        if !secret.is_ascii() {
            return Ok(self.own(" ").literal(secret.as_bytes(), true));
        }
        self.pieces.push(Piece::Own(" \""));
        self.pieces.push(Piece::Secret(argument, escaped(secret.as_bytes())));
        Ok(self.own("\""))
    }

    /// A quoted string or a literal.
    pub(super) fn user(self, user: &'a str) -> Result<Self> {
        refuse_controls("user", user.as_bytes())?;
        if user.is_ascii() {
            return Ok(self.text("user", quoted(user.as_bytes())));
        }
        Ok(self.own(" ").literal(user.as_bytes(), false))
    }

    /// The message of an exchange that logs in: base64, or `=` for an empty one.
    pub(super) fn initial(mut self, base64: &[u8]) -> Self {
        self.pieces.push(Piece::Own(" "));
        self.pieces.push(match base64 {
            [] => Piece::Own("="),
            base64 => Piece::Secret("initial response", Zeroizing::new(base64.to_vec())),
        });
        self
    }

    /// A caller's own IMAP, as it is.
    pub(super) fn raw(self, argument: &'static str, text: &'a str) -> Result<Self> {
        check_raw(argument, text)?;
        if !text.is_ascii() {
            return Err(Error::invalid(argument, "holds letters that are not ASCII"));
        }
        Ok(self.text(argument, text.as_bytes()))
    }

    /// What SEARCH looks for. Strings in it that are not ASCII become literals in UTF-8.
    pub(super) fn criteria(mut self, text: &'a str) -> Result<Self> {
        const ARGUMENT: &str = "criteria";
        check_raw(ARGUMENT, text)?;
        if text.is_ascii() {
            return Ok(self.text(ARGUMENT, text.as_bytes()));
        }
        self.pieces.push(Piece::Own(" CHARSET UTF-8 "));
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('"') {
            let (inside, after) =
                split_quoted(after).ok_or_else(|| Error::invalid(ARGUMENT, "a quoted string has no end"))?;
            if inside.is_ascii() {
                let end = rest.len() - after.len();
                self.pieces.push(Piece::Text(ARGUMENT, rest.as_bytes().get(..end).unwrap_or_default().into()));
            } else {
                self.pieces.push(Piece::Text(ARGUMENT, before.as_bytes().into()));
                self = self.literal(&unescape(inside.as_bytes()), false);
            }
            rest = after;
        }
        self.pieces.push(Piece::Text(ARGUMENT, rest.as_bytes().into()));
        let bare = |piece: &Piece<'_>| matches!(piece, Piece::Text(_, text) if !text.is_ascii());
        if self.pieces.iter().any(bare) {
            return Err(Error::invalid(ARGUMENT, "text that is not ASCII must stand in quotes: SUBJECT \"...\""));
        }
        Ok(self)
    }
}

/// What stands before and after the quote that closes a string.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// True if it can stand on the wire as it is, wherever a string can.
fn is_atom(text: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(byte);
    !text.is_empty() && text.iter().all(fits)
}

fn escaped(text: &[u8]) -> Zeroizing<Vec<u8>> {
    // Room for the worst case, so that no copy of a secret is left behind by growing.
    let mut escaped = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    escaped
}

fn quoted(text: &[u8]) -> Vec<u8> {
    [b"\"", escaped(text).as_slice(), b"\""].concat()
}

fn refuse_controls(argument: &'static str, text: &[u8]) -> Result<()> {
    match text.iter().position(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        Some(offset) => Err(Error::invalid(argument, format!("contains CR, LF or NUL at offset {offset}"))),
        None => Ok(()),
    }
}

/// A caller's own IMAP may not end in what the server takes for the announcement of a literal: it would swallow the next
/// command.
fn check_raw(argument: &'static str, text: &str) -> Result<()> {
    refuse_controls(argument, text.as_bytes())?;
    if text.trim_ascii().is_empty() {
        return Err(Error::invalid(argument, "is empty"));
    }
    if marker(text.trim_ascii_end().as_bytes()).is_some() {
        return Err(Error::invalid(argument, "ends in the announcement of a literal"));
    }
    Ok(())
}
