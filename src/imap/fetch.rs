//! FETCH (RFC 9051, 6.4.5): a cursor over messages and their items in wire order. What is long is streamed and what
//! nobody reads is skipped, so that it takes the same memory whatever a message's size.

use std::io::Write;
use std::ops::Range;

use super::codec::fetch;
use super::exchange::{Heard, Step};
use super::items::{Budget, Found, Kind};
use super::line::Line;
use super::messages::KeptItem;
use super::section::{Item, Section, Source};
use super::strings::unescape;
use super::{BodyStructure, Envelope, Imap, SequenceSet};
use crate::wire::{Body, Part, Wire};
use crate::{Client, Error, Rejection, Result, Severity};

impl Client<Imap> {
    /// Asks for items of messages, by sequence number, and returns a cursor over what comes. `items` is as in RFC 9051,
    /// 6.4.5: `FLAGS`, `(UID RFC822.SIZE BODY.PEEK[HEADER])`, ..
    ///
    /// ```
    /// use mailconnect::imap::Item;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// let mut list = imap.fetch(1, "(RFC822.SIZE BODY.PEEK[TEXT])")?;
    /// while let Some(mut message) = list.next_message()? {
    ///     while let Some(item) = message.next_item()? {
    ///         match item {
    ///             Item::Size(size) => println!("{size} bytes"),
    ///             Item::Section(mut section) => assert_eq!(section.collect()?, b"Hi.\r\n"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for CR, LF, NUL, a trailing `{5}` or letters that are not
    /// ASCII; a refusal comes from the cursor.
    pub fn fetch(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>, items: &str) -> Result<Fetch<'_>> {
        let set = set.try_into().map_err(Into::into)?;
        self.start_fetch("FETCH", &set, items)
    }

    /// As [`fetch`](Self::fetch), by UID. Each message then has an [`Item::Uid`], asked for or not. What is too long for a
    /// line goes out in [`chunks`](SequenceSet::chunks).
    ///
    /// **`n:*` always names the last message**, even if its UID is lower than n (RFC 9051, 9): who asks for `4392:*` when
    /// nothing is new is told of 4391, and has to pass over it. [The module](super) shows how to go on where one was.
    ///
    /// Behind the items, in the same argument, may stand what CONDSTORE adds (RFC 7162, 3.1.4): `(FLAGS) (CHANGEDSINCE 12345)`
    /// gives only what was changed after that [`highest_mod_seq`](super::Mailbox::highest_mod_seq), each with its
    /// [`Item::ModSeq`]. The server must offer it: see [`capabilities`](Self::capabilities).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// let mut list = imap.uid_fetch("1:*", "FLAGS")?;
    /// while let Some(mut message) = list.next_message()? {
    ///     while let Some(item) = message.next_item()? {
    ///         println!("{item:?}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn uid_fetch(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>, items: &str) -> Result<Fetch<'_>> {
        let set = set.try_into().map_err(Into::into)?;
        self.start_fetch("UID FETCH", &set, items)
    }

    /// Writes the message with this UID to `target`, and returns its size. It does not become seen by that.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// for uid in imap.uid_search("ALL")? {
    ///     let size = imap.fetch_to(uid, &mut std::io::stdout())?;
    ///     println!("-- {size} bytes");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `target` has the message only if this succeeds: it is written while it comes, and may turn out to be cut off, or to
    /// be another one where the server tells the UID only behind it (RFC 9051, 6.4.9, has no order).
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) with the code `NONEXISTENT` if no message of that UID came, even if the
    /// server says OK to that, and with none if what was written turned out to be no message of that UID;
    /// [`Error::Caller`](crate::Error::Caller) if `target` fails.
    pub fn fetch_to(&mut self, uid: u32, target: &mut (impl Write + ?Sized)) -> Result<u64> {
        // Most servers keep to the order in which they are asked.
        let mut list = self.uid_fetch(uid, "(UID BODY.PEEK[])")?;
        let mut written = None;
        while let Some(mut message) = list.next_message()? {
            // Some servers (Mailutils) send another message for a UID that is not there.
            if written.is_none() {
                written = message.copy_unless_other(uid, target)?;
            }
        }
        match written {
            Some((size, true)) => Ok(size),
            written => Err(missing(uid, written.is_some())),
        }
    }

    fn start_fetch(&mut self, command: &'static str, set: &SequenceSet, items: &str) -> Result<Fetch<'_>> {
        self.exchange(|imap, wire| {
            imap.send(wire, &fetching(command, set, items)?)?;
            imap.reading = true;
            Ok(())
        })?;
        Ok(Fetch { client: self, state: State::new(command) })
    }
}

/// True for what a server may call the whole message; see `is_section_name`.
fn is_whole(section: &str) -> bool {
    ["BODY[]", "BODY.PEEK[]", "RFC822", "RFC822[]"].iter().any(|name| section.eq_ignore_ascii_case(name))
}

/// There is no message with this UID, or what was sent in its place is in the caller's hands already.
fn missing(uid: u32, written: bool) -> Error {
    let what = if written { "the server sent another message than that" } else { "there is no message" };
    let text = format!("{what} with UID {uid}");
    let mut missing = Rejection::new("UID FETCH", "OK", Severity::Permanent, vec![text]);
    missing.code = (!written).then(|| "NONEXISTENT".into());
    Error::Rejected(Box::new(missing))
}

pub(super) fn fetching<'a>(command: &'static str, set: &SequenceSet, items: &'a str) -> Result<Line<'a>> {
    Line::new(command).set(set).raw("items", items)
}

// ---- The cursor over messages ----

/// Goes over the answer to a FETCH, message by message, in the order in which they come.
///
/// Messages that nobody has asked for may be among them: a server tells of changed flags so. Left before its end, it
/// leaves a client that is usable: the rest is read away by the next command, which closes if that is more than
/// `limits.drain`.
#[must_use = "nothing is read until next_message is called, and a refusal comes from there"]
#[derive(Debug)]
pub struct Fetch<'c> {
    client: &'c mut Client<Imap>,
    state: State,
}

#[derive(Debug)]
pub(super) struct State {
    command: &'static str,
    place: Place,
    /// Where in the frame the next item begins.
    at: usize,
    /// So many lists are open of a value that has a literal too large for it; what is left of that value is passed over.
    open: usize,
    budget: Budget,
    /// A section's name, and what was quoted of it: kept here, to be lent.
    name: String,
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the last frame of a message.
    LastFrame,
    /// In a frame that a body follows.
    BeforeBody,
    /// Behind the last item that can be read of a message.
    Rest,
    /// Behind the answer.
    End,
}

impl Fetch<'_> {
    /// The next message; none at the end. What was not read of the one before is skipped.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the server says in the end that it failed, even if messages came before; those of the
    /// connection. The end of the connection is never the end of the list.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>> {
        let state = &mut self.state;
        if state.place == Place::End {
            return Ok(None);
        }
        state.place = Place::End;
        let found = self.client.proceed(|imap, wire| state.next_message(imap, wire))?;
        Ok(found.map(|number| Message { client: self.client, state, number }))
    }
}

impl State {
    pub(super) fn new(command: &'static str) -> Self {
        Self {
            command,
            place: Place::LastFrame,
            at: 0,
            open: 0,
            budget: Budget::default(),
            name: String::new(),
            held: Vec::new(),
        }
    }

    /// The message whose first frame was just read, if it is one.
    pub(super) fn begin(&mut self, wire: &mut Wire, part: Part) -> Option<u32> {
        let (number, at) = fetch(wire.frame())?;
        (self.at, self.open) = (at, 0);
        self.place = Place::before(part);
        self.budget = Budget::new(wire.limits());
        Some(number)
    }

    fn next_message(&mut self, imap: &mut Imap, wire: &mut Wire) -> Result<Option<u32>> {
        loop {
            // A list of messages may be as long as it likes, a message may not.
            imap.heard = Heard::default();
            let (rest, part) = imap.part(wire)?;
            if part == Part::Last {
                imap.reading = false;
                imap.completion(wire)?.accept(self.command)?;
                return Ok(None);
            }
            if rest {
                continue;
            }
            if let Some(number) = self.begin(wire, part) {
                return Ok(Some(number));
            }
            match imap.response(wire)? {
                Some(Step::Data) => imap.keep(wire),
                Some(Step::Continue) => return Err(wire.malformed("a continuation that nothing has asked for")),
                _ => {}
            }
        }
    }

    /// The next item of the message, which may be in a frame that was not read yet.
    pub(super) fn next_item(&mut self, imap: &mut Imap, wire: &mut Wire) -> Result<Option<Found>> {
        while matches!(self.place, Place::LastFrame | Place::BeforeBody) {
            let found = Found::parse(wire.frame(), self.at, &mut self.budget);
            if let Some(found) = found.map_err(|flaw| wire.flaw(flaw))? {
                self.at = found.end;
                match found.open {
                    Some(open) if self.place == Place::BeforeBody => self.open = open,
                    Some(_) => self.place = Place::Rest,
                    None => {}
                }
                return Ok(Some(found));
            }
            if self.place == Place::LastFrame || self.at < wire.frame().len() {
                self.place = Place::Rest;
                break;
            }
            let (_, part) = imap.part(wire)?;
            let behind = self.budget.go_behind(wire.frame(), self.open);
            (self.at, self.open) = behind.map_err(|flaw| wire.flaw(flaw))?;
            self.place = Place::before(part);
        }
        Ok(None)
    }
}

impl Place {
    fn before(part: Part) -> Self {
        if part == Part::Body { Self::BeforeBody } else { Self::LastFrame }
    }
}

// ---- The cursor over items ----

/// A message in the answer to a FETCH: goes over its items, in the order in which they come.
#[derive(Debug)]
pub struct Message<'m> {
    client: &'m mut Client<Imap>,
    state: &'m mut State,
    number: u32,
}

impl Message<'_> {
    /// Its sequence number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The next item; none at the end. What was not read of a section before it is skipped.
    ///
    /// # Errors
    /// Those of the connection. An item that cannot be read is an [`Item::Other`].
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>> {
        let Some(found) = self.next_found()? else { return Ok(None) };
        Ok(Some(self.state.lend(self.client, found)))
    }

    /// Writes its section, unless it is known by then to have another UID: the size, and whether it has this one.
    fn copy_unless_other(&mut self, uid: u32, target: &mut (impl Write + ?Sized)) -> Result<Option<(u64, bool)>> {
        let (mut size, mut told) = (None, None);
        while let Some(item) = self.next_item()? {
            match item {
                Item::Uid(uid) => told = Some(uid),
                Item::Section(mut section)
                    if size.is_none() && told.is_none_or(|told| told == uid) && is_whole(section.name()) =>
                {
                    size = if section.is_nil() { None } else { Some(section.copy_to(target)?) };
                }
                _ => {}
            }
        }
        Ok(size.map(|size| (size, told == Some(uid))))
    }

    /// How deep its structure may be nested.
    pub(super) fn nesting(&self) -> usize {
        self.state.budget.nesting
    }

    pub(super) fn next_found(&mut self) -> Result<Option<Found>> {
        let state = &mut *self.state;
        self.client.proceed(|imap, wire| state.next_item(imap, wire))
    }

    /// An item that was found, to be kept.
    pub(super) fn keep(&mut self, found: Found) -> Result<KeptItem> {
        KeptItem::new(self.client, found)
    }

    /// Fails if so much is more than may be kept of an answer.
    pub(super) fn within_memory(&mut self, size: usize) -> Result<()> {
        self.client.proceed(|_, wire| {
            let max = wire.limits().collected;
            if size > max { Err(wire.too_much("bytes of messages in memory", max as u64)) } else { Ok(()) }
        })
    }
}

/// What lends the bytes that were read last: a client to its cursors, a wire within a command.
pub(super) trait Lender {
    fn frame(&mut self) -> &[u8];
    fn body(&mut self) -> Body<'_>;
}

impl Lender for Client<Imap> {
    fn frame(&mut self) -> &[u8] {
        Client::frame(self)
    }

    fn body(&mut self) -> Body<'_> {
        Client::body(self)
    }
}

impl Lender for Wire {
    fn frame(&mut self) -> &[u8] {
        Wire::frame(self)
    }

    fn body(&mut self) -> Body<'_> {
        Wire::body(self)
    }
}

impl State {
    /// The item that was found, out of the bytes that were read last.
    pub(super) fn lend<'a>(&'a mut self, lender: &'a mut impl Lender, found: Found) -> Item<'a> {
        if found.kind.is_section() {
            let name = lender.frame().get(found.name.clone()).unwrap_or_default();
            self.name = String::from_utf8_lossy(name).into_owned();
        }
        if let Kind::Stream(size) = found.kind {
            let source = Source::Stream(lender.body());
            return Item::Section(Section { name: &self.name, size, source });
        }
        let frame = lender.frame();
        let at = |range: Range<usize>| frame.get(range).unwrap_or_default();
        let section = |size, source| Item::Section(Section { name: &self.name, size, source });
        let other = |range| {
            let name = String::from_utf8_lossy(at(found.name.clone()));
            Item::Other { name, raw: super::codec::trim(at(range)) }
        };
        match found.kind {
            Kind::Nil | Kind::Stream(_) => section(0, Source::Nil),
            Kind::Held(range) => section(range.len() as u64, Source::Held(at(range))),
            Kind::Quoted(range) => {
                self.held.clear();
                self.held.extend_from_slice(&unescape(at(range)));
                let size = self.held.len() as u64;
                Item::Section(Section { name: &self.name, size, source: Source::Held(&self.held) })
            }
            Kind::Envelope(fields, range) => Item::Envelope(Envelope::found(at(range), fields)),
            Kind::Structure(parts, range) => Item::Structure(BodyStructure::found(at(range), parts)),
            Kind::Number(kind, number) => Item::numbered(kind, number),
            Kind::Value(kind, range) => {
                let raw = at(range.clone()).trim_ascii_start();
                Item::valued(kind, raw).unwrap_or_else(|| other(range))
            }
            Kind::Other(range) => other(range),
        }
    }
}
