//! Messages out of a FETCH, owned: for what is small enough to be kept.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::codec::{Untagged, trim};
use super::exchange::{Collect, Completion};
use super::fetch::{Lender, State};
use super::items::{Found, Kind, Numbered, Valued};
use super::section::Source;
use super::strings::unescape;
use super::{BodyStructure, Envelope, Fetch, Flags, Imap, Item, Section};
use crate::wire::{Flaw, Part, Wire};
use crate::{Limits, Result};

/// A message out of a FETCH with all that was told of it, in memory. [`Fetch::next_message`] gives the same bit by bit,
/// whatever its size.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedMessage {
    number: u32,
    items: Vec<KeptItem>,
    nesting: usize,
}

/// An item as it was sent, from which it is read on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptItem {
    name: String,
    kind: Kept,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Number(Numbered, u64),
    Value(Valued),
    Envelope,
    Structure,
    Section { nil: bool },
    Other,
}

impl KeptItem {
    pub(super) fn new(lender: &mut impl Lender, found: Found) -> Result<Self> {
        let frame = lender.frame();
        let at = |range: Range<usize>| frame.get(range).unwrap_or_default();
        let name = String::from_utf8_lossy(at(found.name)).into_owned();
        let section = |nil| Kept::Section { nil };
        let (kind, bytes) = match found.kind {
            Kind::Number(kind, number) => (Kept::Number(kind, number), Vec::new()),
            Kind::Value(kind, range) => (Kept::Value(kind), at(range).trim_ascii_start().to_vec()),
            Kind::Envelope(_, range) => (Kept::Envelope, at(range).to_vec()),
            Kind::Structure(_, range) => (Kept::Structure, at(range).to_vec()),
            Kind::Held(range) => (section(false), at(range).to_vec()),
            Kind::Quoted(range) => (section(false), unescape(at(range)).into_owned()),
            Kind::Nil => (section(true), Vec::new()),
            Kind::Other(range) => (Kept::Other, trim(at(range)).to_vec()),
            Kind::Stream(_) => (section(false), lender.body().collect()?),
        };
        Ok(Self { name, kind, bytes })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.bytes.len()
    }

    fn item(&self, nesting: usize) -> Item<'_> {
        let other = || Item::Other { name: Cow::Borrowed(&self.name), raw: &self.bytes };
        match self.kind {
            Kept::Number(kind, number) => Item::numbered(kind, number),
            Kept::Value(kind) => Item::valued(kind, &self.bytes).unwrap_or_else(other),
            Kept::Envelope => Envelope::parse(&self.bytes).map_or_else(other, Item::Envelope),
            Kept::Structure => BodyStructure::nested(&self.bytes, nesting).map_or_else(other, Item::Structure),
            Kept::Section { nil } => {
                let source = if nil { Source::Nil } else { Source::Held(&self.bytes) };
                Item::Section(Section { name: &self.name, size: self.bytes.len() as u64, source })
            }
            Kept::Other => other(),
        }
    }
}

impl FetchedMessage {
    fn new(number: u32, nesting: usize) -> Self {
        Self { number, items: Vec::new(), nesting }
    }

    /// Its sequence number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// All its items, in wire order.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.items.iter().map(|item| item.item(self.nesting))
    }

    /// Its UID.
    pub fn uid(&self) -> Option<u32> {
        self.items().find_map(|item| if let Item::Uid(uid) = item { Some(uid) } else { None })
    }

    /// Its flags.
    pub fn flags(&self) -> Option<Flags<'_>> {
        self.items().find_map(|item| if let Item::Flags(flags) = item { Some(flags) } else { None })
    }

    /// The bytes of the section with this name: `BODY[]`, `BODY[HEADER]`.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        let is = |item: &&KeptItem| item.kind == Kept::Section { nil: false } && item.name.eq_ignore_ascii_case(name);
        self.items.iter().find(is).map(|item| &*item.bytes)
    }
}

impl fmt::Debug for FetchedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.items().collect();
        f.debug_struct("FetchedMessage").field("number", &self.number).field("items", &items).finish()
    }
}

/// All messages of an answer, up to `limits.collected`.
#[derive(Debug, Default)]
pub(super) struct Messages {
    all: Vec<FetchedMessage>,
    size: usize,
}

impl Messages {
    /// Reads the message whose first frame was just read; false if it is none.
    pub(super) fn read(&mut self, imap: &mut Imap, wire: &mut Wire, part: Part) -> Result<bool> {
        let mut state = State::new("FETCH");
        let Some(number) = state.begin(wire, part) else { return Ok(false) };
        let (max, nesting) = (wire.limits().collected, wire.limits().nesting);
        self.begin(number, nesting);
        while let Some(found) = state.next_item(imap, wire)? {
            if self.add(KeptItem::new(wire, found)?) > max {
                return Err(wire.too_much("bytes of messages in memory", max as u64));
            }
        }
        Ok(true)
    }

    fn begin(&mut self, number: u32, nesting: usize) {
        self.size = self.size.saturating_add(size_of::<FetchedMessage>());
        self.all.push(FetchedMessage::new(number, nesting));
    }

    /// Adds an item to the last message, and says how much all of them take.
    fn add(&mut self, item: KeptItem) -> usize {
        self.size = self.size.saturating_add(item.size());
        if let Some(message) = self.all.last_mut() {
            message.items.push(item);
        }
        self.size
    }
}

impl Collect for Messages {
    type Output = Vec<FetchedMessage>;

    fn take(&mut self, _: &Untagged<'_>, _: &Limits) -> std::result::Result<bool, Flaw> {
        Ok(false)
    }

    fn messages(&mut self) -> Option<&mut Messages> {
        Some(self)
    }

    fn done(self, _: &Completion) -> Self::Output {
        self.all
    }
}

impl Fetch<'_> {
    /// All that is left, in memory, up to `limits.collected`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// for message in imap.uid_fetch("1:*", "(FLAGS BODY.PEEK[HEADER])")?.collect()? {
    ///     println!("{:?} {:?}", message.uid(), message.flags());
    ///     assert_eq!(message.section("BODY[HEADER]"), Some(&b"Subject: Hello\r\n\r\n"[..]));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`next_message`](Self::next_message); [`Error::Limit`](crate::Error::Limit) above that.
    pub fn collect(mut self) -> Result<Vec<FetchedMessage>> {
        let mut messages = Messages::default();
        while let Some(mut message) = self.next_message()? {
            messages.begin(message.number(), message.nesting());
            while let Some(found) = message.next_found()? {
                let item = message.keep(found)?;
                message.within_memory(messages.add(item))?;
            }
        }
        Ok(messages.all)
    }
}
