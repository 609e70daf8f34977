//! One command while it is composed: the only place that turns arguments into IMAP (RFC 9051, 4 and 9). Whatever could
//! become a command of its own is refused here, before a byte is written.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::SequenceSet;
use super::codec::word;
use super::framer::marker;
use super::names::{MailboxName, Names};
use super::strings::unescape;
use crate::{Error, Result};

/// What a command of the caller's own is called, whatever it is.
const CALLERS: &str = "command";

/// They go over any number of messages. Giving up early on one that changes something makes copies twice.
const TAKE_LONG: &[&str] =
    &["COPY", "MOVE", "EXPUNGE", "CLOSE", "STORE", "SEARCH", "SORT", "THREAD", "DELETE", "RENAME"];

/// A command without its tag.
pub(super) struct Line<'a> {
    /// What it is called in errors; it goes out as the first piece.
    pub(super) command: &'static str,
    /// It changes what the server keeps.
    pub(super) changes: bool,
    /// The extension that the server must have for it.
    pub(super) needs: Option<&'static str>,
    /// It names messages by sequence number.
    pub(super) by_number: bool,
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A part of a command; the names are those of the arguments.
pub(super) enum Piece<'a> {
    Own(&'static str),
    Text(&'static str, Cow<'a, [u8]>),
    /// A mailbox's name that stands otherwise in UTF-7 than in UTF-8: in which is known when it goes out.
    Name(&'static str, Cow<'a, str>),
    /// A pattern of such names.
    Pattern(&'static str, Cow<'a, str>),
    /// Says that the strings of a search are UTF-8, unless that goes without saying (RFC 6855, 3).
    Charset,
    Secret(&'static str, Zeroizing<Vec<u8>>),
    Literal {
        bytes: Zeroizing<Vec<u8>>,
        secret: bool,
    },
}

impl<'a> Line<'a> {
    pub(super) fn new(command: &'static str) -> Self {
        let pieces = vec![Piece::Own(command)];
        Self { command, changes: false, needs: None, by_number: false, pieces }
    }

    /// A caller's own command. Those that change what the bytes mean, and those that log in, have verbs that take care.
    pub(super) fn of_the_callers(text: &'a str) -> Result<Self> {
        const ARGUMENT: &str = "command";
        check_raw(ARGUMENT, text)?;
        if !text.starts_with(|first: char| first.is_ascii_alphabetic()) || !text.is_ascii() {
            return Err(Error::invalid(ARGUMENT, "wants a command in ASCII, without a tag"));
        }
        // Some servers end a word at any white space, or at any control character.
        let name = text.split(|c: char| c == ' ' || c.is_ascii_control()).next().unwrap_or_default();
        if HAVE_VERBS.iter().any(|verb| name.eq_ignore_ascii_case(verb)) {
            return Err(Error::invalid(ARGUMENT, format!("{name} is done by a verb of its own")));
        }
        let pieces = vec![Piece::Text(ARGUMENT, text.as_bytes().into())];
        // Whatever it is: it may change something, and may name messages by number.
        Ok(Self { changes: true, by_number: true, pieces, ..Self::new(CALLERS) })
    }

    /// The extension that the server must have for it.
    pub(super) fn needing(self, extension: &'static str) -> Self {
        Self { needs: Some(extension), ..self }
    }

    /// It, with all arguments its own.
    pub(super) fn into_owned(self) -> Line<'static> {
        let owned = |piece| match piece {
            Piece::Own(text) => Piece::Own(text),
            Piece::Text(argument, text) => Piece::Text(argument, Cow::Owned(text.into_owned())),
            Piece::Name(argument, name) => Piece::Name(argument, Cow::Owned(name.into_owned())),
            Piece::Pattern(argument, names) => Piece::Pattern(argument, Cow::Owned(names.into_owned())),
            Piece::Charset => Piece::Charset,
            Piece::Secret(argument, secret) => Piece::Secret(argument, secret),
            Piece::Literal { bytes, secret } => Piece::Literal { bytes, secret },
        };
        let Self { command, changes, needs, by_number, pieces } = self;
        Line { command, changes, needs, by_number, pieces: pieces.into_iter().map(owned).collect() }
    }

    /// True if bodies of messages may be what it asks for.
    pub(super) fn asks_for_bodies(&self) -> bool {
        matches!(self.command, "FETCH" | "UID FETCH" | CALLERS)
    }

    /// The server may be at it for minutes, however little it says.
    pub(super) fn takes_long(&self) -> bool {
        self.is_one_of(TAKE_LONG)
    }

    /// What it is called, without UID.
    fn name(&self) -> &[u8] {
        let text = match self.pieces.first() {
            Some(Piece::Text(_, text)) if self.command == CALLERS => text,
            _ => self.command.as_bytes(),
        };
        match word(text) {
            (uid, rest) if uid.eq_ignore_ascii_case(b"UID") => word(rest).0,
            (name, _) => name,
        }
    }

    /// True if another mailbox is selected by it, or none.
    pub(super) fn leaves_mailbox(&self) -> bool {
        self.is_one_of(&["SELECT", "EXAMINE"]) || self.only_closes()
    }

    /// True if no mailbox is selected by it.
    pub(super) fn only_closes(&self) -> bool {
        self.is_one_of(&["CLOSE", "UNSELECT"])
    }

    /// True if it is one of these, be it a caller's own.
    fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|known| self.name().eq_ignore_ascii_case(known.as_bytes()))
    }

    /// How many bytes it has, roughly.
    pub(super) fn size(&self) -> usize {
        let size = |piece: &Piece<'_>| match piece {
            Piece::Own(text) => text.len(),
            Piece::Text(_, text) => text.len(),
            // In UTF-7 one byte may become five: a control character.
            Piece::Name(_, text) | Piece::Pattern(_, text) => 5 * text.len() + 2,
            Piece::Charset => 15,
            Piece::Secret(_, bytes) => bytes.len(),
            Piece::Literal { bytes, .. } => bytes.len() + 16,
        };
        self.pieces.iter().map(size).sum::<usize>() + 16
    }

    /// It has a name that must not go out before it is known how names stand on the wire.
    pub(super) fn names_a_mailbox(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Name(..) | Piece::Pattern(..)))
    }

    /// It may have to wait for the server's leave.
    pub(super) fn has_literal(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Literal { .. }))
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

    pub(super) fn text(mut self, argument: &'static str, text: impl Into<Cow<'a, [u8]>>) -> Self {
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

    /// Words in parentheses; the caller may have put them there.
    pub(super) fn words(self, argument: &'static str, words: &str) -> Result<Self> {
        let inside = words.trim_ascii();
        let inside = inside.strip_prefix('(').and_then(|words| words.strip_suffix(')')).unwrap_or(inside);
        let words: Vec<_> = inside.split(' ').filter(|word| !word.is_empty()).collect();
        if words.is_empty() || !words.iter().all(|word| is_atom(word.as_bytes())) {
            return Err(Error::invalid(argument, "wants words with a blank between them"));
        }
        Ok(self.text(argument, format!("({})", words.join(" ")).into_bytes()))
    }

    /// Text that goes on without a blank, and is no argument of a caller's.
    pub(super) fn more(mut self, text: impl Into<Cow<'a, [u8]>>) -> Self {
        self.pieces.push(Piece::Text("command", text.into()));
        self
    }

    pub(super) fn set(mut self, set: &SequenceSet) -> Self {
        self.by_number |= !self.command.starts_with("UID ");
        self.text("sequence set", set.to_string().into_bytes())
    }

    pub(super) fn mailbox(self, name: impl Into<MailboxName<'a>>) -> Result<Self> {
        const ARGUMENT: &str = "mailbox";
        let name = name.into();
        refuse_controls(ARGUMENT, name.bytes())?;
        Ok(match name.ambiguous() {
            Some(name) => self.own(" ").piece(Piece::Name(ARGUMENT, name.into())),
            None => self.string(ARGUMENT, name.bytes()),
        })
    }

    fn piece(mut self, piece: Piece<'a>) -> Self {
        self.pieces.push(piece);
        self
    }

    /// A string of the caller's: quoted, or a literal.
    pub(super) fn any_string(self, argument: &'static str, text: &str) -> Result<Self> {
        refuse_controls(argument, text.as_bytes())?;
        if text.is_ascii() {
            return Ok(self.text(argument, quoted(text.as_bytes())));
        }
        Ok(self.own(" ").literal(text.as_bytes(), false))
    }

    /// A pattern of LIST, or where it begins: quoted, so that its wildcards are taken by every server.
    pub(super) fn pattern(self, argument: &'static str, pattern: impl Into<MailboxName<'a>>) -> Result<Self> {
        let pattern = pattern.into();
        refuse_controls(argument, pattern.bytes())?;
        Ok(match pattern.ambiguous() {
            Some(pattern) => self.own(" ").piece(Piece::Pattern(argument, pattern.into())),
            None if pattern.bytes().is_ascii() => self.text(argument, quoted(pattern.bytes())),
            None => self.own(" ").literal(pattern.bytes(), false),
        })
    }

    /// An atom, a quoted string or a literal, as the text needs it. It holds no CR, LF or NUL.
    fn string(self, argument: &'static str, text: impl Into<Cow<'a, [u8]>>) -> Self {
        let text = text.into();
        if is_plain(&text) {
            return self.text(argument, text);
        }
        if text.is_ascii() { self.text(argument, quoted(&text)) } else { self.own(" ").literal(&text, false) }
    }

    /// A quoted string with no blank before it.
    pub(super) fn glued(mut self, argument: &'static str, text: &str) -> Result<Self> {
        refuse_controls(argument, text.as_bytes())?;
        if !text.is_ascii() {
            return Err(Error::invalid(argument, "holds letters that are not ASCII"));
        }
        self.pieces.push(Piece::Text(argument, quoted(text.as_bytes()).into()));
        Ok(self)
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
        self.by_number |= !self.command.starts_with("UID ") || text.split(' ').any(may_be_a_set);
        if text.is_ascii() {
            return Ok(self.text(ARGUMENT, text.as_bytes()));
        }
        self.pieces.push(Piece::Charset);
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

/// A mailbox's name as it goes out: an atom or a quoted string, which may hold UTF-8 once that is on (RFC 6855, 3).
pub(super) fn name_on_wire(name: &str, names: Names) -> Vec<u8> {
    let text = names.encode(name);
    if is_plain(text.as_bytes()) { text.into_owned().into_bytes() } else { quoted(text.as_bytes()) }
}

/// A pattern of names as it goes out.
pub(super) fn pattern_on_wire(pattern: &str, names: Names) -> Vec<u8> {
    quoted(names.encode(pattern).as_bytes())
}

/// Commands that [`Client::command`](crate::Client::command) does not send.
const HAVE_VERBS: &[&str] =
    &["STARTTLS", "AUTHENTICATE", "LOGIN", "COMPRESS", "IDLE", "DONE", "LOGOUT", "APPEND", "ENABLE", "UNAUTHENTICATE"];

/// A word of criteria that may name messages by sequence number; a number of bytes looks the same.
fn may_be_a_set(word: &str) -> bool {
    word.trim_start_matches('(').starts_with(|first: char| first.is_ascii_digit() || matches!(first, '*' | '$'))
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

/// True for an atom that is not taken for no string at all.
fn is_plain(text: &[u8]) -> bool {
    is_atom(text) && !text.eq_ignore_ascii_case(b"NIL")
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
