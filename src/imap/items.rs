//! The items of a FETCH response (RFC 9051, 7.5.2), found one by one in a frame.

use std::ops::Range;

use super::envelope::{Fields, fields};
use super::framer::is_section_name;
use super::mailbox::flags;
use super::odd::Odd;
use super::structure::Parts;
use super::tokens::{Tokens, Value};
use crate::Limits;
use crate::wire::Flaw;

/// An item, and where in the frame it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: Range<usize>,
    pub(super) kind: Kind,
    /// Where the next one begins.
    pub(super) end: usize,
    /// Its end is not in the frame, where so many lists are open.
    pub(super) open: Option<usize>,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Number(Numbered, u64),
    Value(Valued, Range<usize>),
    Envelope(Fields, Range<usize>),
    Structure(Parts, Range<usize>),
    /// A section that follows the frame.
    Stream(u64),
    /// A section in the frame, as it is.
    Held(Range<usize>),
    /// A section in the frame, with escapes.
    Quoted(Range<usize>),
    /// A section that is not there.
    Nil,
    Other(Range<usize>),
}

/// Items that are a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbered {
    Uid,
    Size,
    ModSeq,
    GmailMessage,
    GmailThread,
}

/// Items that are read on demand, out of their value as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Valued {
    Flags,
    Date,
    EmailId,
    ThreadId,
    Labels,
    Preview,
    SaveDate,
}

impl Kind {
    pub(super) fn is_section(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Held(_) | Self::Quoted(_) | Self::Nil)
    }

    /// An envelope or a structure comes next: what finds its end finds what is in it. None if it is not what it should be.
    fn of_list(name: &[u8], tokens: &mut Tokens<'_>, nesting: usize) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let (envelope, structure) = (is("ENVELOPE"), is("BODYSTRUCTURE") || is("BODY"));
        if !envelope && !structure {
            return None;
        }
        let mut list = tokens.list_ahead()?;
        let start = tokens.position();
        if envelope {
            let fields = fields(&mut list)?;
            tokens.go_behind(&list);
            return Some(Self::Envelope(fields, start..tokens.position()));
        }
        let parts = Parts::find(&mut list, nesting)?;
        tokens.go_behind(&list);
        Some(Self::Structure(parts, start..tokens.position()))
    }

    /// `spot` is where the value's text is, `whole` where the value is.
    fn new(name: &[u8], value: &Value<'_>, spot: Range<usize>, whole: Range<usize>) -> Self {
        match value {
            Value::Streamed(size) if is_section(name) => return Self::Stream(*size),
            // Too large for a value, it goes by.
            Value::Streamed(_) | Value::Broken(_) => return Self::Other(whole),
            _ => {}
        }
        if is_section(name) {
            return match value {
                Value::Literal(_) => Self::Held(spot),
                Value::Quoted(_) => Self::Quoted(spot),
                Value::Atom(nil) if nil.eq_ignore_ascii_case(b"NIL") => Self::Nil,
                _ => Self::Other(whole),
            };
        }
        let number = |kind, number: Option<u64>| number.map_or(Self::Other(whole.clone()), |n| Self::Number(kind, n));
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("UID") => number(Numbered::Uid, value.number().filter(|&uid| u32::try_from(uid).is_ok())),
            () if is("FLAGS") && value.is_list() => Self::Value(Valued::Flags, whole),
            () if is("RFC822.SIZE") => number(Numbered::Size, value.number()),
            () if is("INTERNALDATE") => Self::Value(Valued::Date, whole),
            () if is("MODSEQ") => number(Numbered::ModSeq, value.number()),
            () if is("EMAILID") => Self::Value(Valued::EmailId, whole),
            () if is("THREADID") => Self::Value(Valued::ThreadId, whole),
            () if is("X-GM-MSGID") => number(Numbered::GmailMessage, value.number()),
            () if is("X-GM-THRID") => number(Numbered::GmailThread, value.number()),
            () if is("X-GM-LABELS") && value.is_list() => Self::Value(Valued::Labels, whole),
            () if is("PREVIEW") => Self::Value(Valued::Preview, whole),
            () if is("SAVEDATE") => Self::Value(Valued::SaveDate, whole),
            () => Self::Other(whole),
        }
    }
}

/// `BODY[..]`, `BINARY[..]`, `RFC822` and its parts; not `BODY`, which is a structure.
fn is_section(name: &[u8]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    match memchr::memchr(b'[', name) {
        Some(bracket) => is_section_name(name.get(..bracket).unwrap_or_default()),
        None => is(b"RFC822") || is(b"RFC822.HEADER") || is(b"RFC822.TEXT"),
    }
}

/// What a message may still have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    /// Tokens, of at most `most`.
    left: usize,
    most: usize,
    odd: Odd,
    /// How deep its structure may be nested.
    pub(super) nesting: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { left: limits.tokens, most: limits.tokens, odd: Odd::default(), nesting: limits.nesting }
    }

    /// Where the items go on behind a value that began in an earlier frame, with so many lists still open; how many are so
    /// at the end of this frame, if that comes first.
    pub(super) fn go_behind(&mut self, frame: &[u8], open: usize) -> Result<(usize, usize), Flaw> {
        // What is known of odd strings is of the frame before.
        let mut tokens = Tokens::with_left(frame, 0, self.left, self.most, Odd::default());
        let open = tokens.skip_lists(open)?;
        (self.left, self.odd) = tokens.left();
        Ok((tokens.position(), open))
    }
}

/// How many lists are open at the end of a value that has none.
fn open_lists(value: &[u8]) -> usize {
    Tokens::inside(value).map_or(0, |mut tokens| tokens.skip_lists(1).unwrap_or_default())
}

impl Found {
    /// The item that begins at the byte `at`; none at the end of the list.
    pub(super) fn parse(frame: &[u8], at: usize, budget: &mut Budget) -> Result<Option<Self>, Flaw> {
        let mut tokens = Tokens::with_left(frame, at, budget.left, budget.most, budget.odd);
        let Some(name) = tokens.item_name()? else { return Ok(None) };
        let end = tokens.position();
        let start = end - name.len();
        let empty = matches!(tokens.peek(), None | Some(b')'));
        // Yandex sends `BODY[2] )` for an empty part.
        if empty && is_section(name) {
            return Ok(Some(Self { name: start..end, kind: Kind::Nil, end, open: None }));
        }
        if let Some(kind) = Kind::of_list(name, &mut tokens, budget.nesting) {
            (budget.left, budget.odd) = tokens.left();
            return Ok(Some(Self { name: start..end, kind, end: tokens.position(), open: None }));
        }
        let whole = tokens.position();
        let found = tokens.value()?;
        (budget.left, budget.odd) = tokens.left();
        let end_of_item = tokens.position();
        Ok(Some(match found {
            Some(value) => {
                let (spot, whole) = (tokens.spot(&value), whole..end_of_item);
                let open = if let Value::Broken(rest) = value { Some(open_lists(rest)) } else { None };
                let kind = Kind::new(name, &value, spot, whole);
                Self { name: start..end, kind, end: end_of_item, open }
            }
            // Where nothing follows a name, the list may go on after it.
            None => Self { name: start..end, kind: Kind::Other(end..end), end, open: None },
        }))
    }
}

/// UID and flags out of a FETCH response that nobody has asked for; none if it tells no flags.
pub(super) fn flags_of(rest: &[u8], limits: &Limits) -> Option<(Option<u32>, Vec<String>)> {
    let (mut at, mut budget) = (usize::from(rest.starts_with(b"(")), Budget::new(limits));
    let (mut uid, mut found) = (None, None);
    while let Ok(Some(item)) = Found::parse(rest, at, &mut budget) {
        match item.kind {
            Kind::Number(Numbered::Uid, number) => uid = u32::try_from(number).ok(),
            Kind::Value(Valued::Flags, list) => found = Some(flags(rest.get(list).unwrap_or_default())),
            _ => {}
        }
        if item.open.is_some() {
            break;
        }
        at = item.end;
    }
    found.map(|flags| (uid, flags))
}

#[cfg(test)]
mod tests;
