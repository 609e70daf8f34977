//! STORE (RFC 9051, 6.4.6; RFC 7162, 3.1.3): changes flags.

use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::items::flags_of;
use super::line::Line;
use super::{Imap, ResponseCode, SequenceSet};
use crate::wire::Flaw;
use crate::{Client, Error, Limits, Result};

impl Client<Imap> {
    /// Changes flags of messages, by sequence number, and returns what flags they have then (RFC 9051, 6.4.6).
    ///
    /// ```
    /// use mailconnect::imap::Store;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// let stored = imap.store(1, &Store::add(&["\\Seen"]))?;
    /// assert!(stored.messages[0].flags.contains(&"\\Seen".to_owned()));
    /// imap.store("1:*", &Store::remove(&["\\Seen"]).silent())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no flag; [`Error::Rejected`] if the server refuses; [`Error::Unsupported`]
    /// for [`Store::unchanged_since`] if it does not offer CONDSTORE; [`Error::Limit`] for more than `limits.list_entries`
    /// messages in its answer.
    pub fn store(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>, store: &Store<'_>) -> Result<Stored> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, storing("STORE", &set, store)?))
    }

    /// As [`store`](Self::store), by UID. It goes out in one line: cut a long set by [`chunks`](SequenceSet::chunks)
    /// first.
    ///
    /// ```
    /// use mailconnect::imap::Store;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// for uid in imap.uid_search("ALL")? {
    ///     imap.uid_store(uid, &Store::replace(&["\\Flagged", "$Work"]))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub fn uid_store(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        store: &Store<'_>,
    ) -> Result<Stored> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, storing("UID STORE", &set, store)?))
    }
}

/// How flags are changed: `\\Seen`, `\\Answered`, `\\Flagged`, `\\Deleted`, `\\Draft`, or words of one's own.
///
/// ```
/// use mailconnect::imap::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = mailconnect::testing::Script::parse(
/// #     "S: * OK [CAPABILITY IMAP4rev1 CONDSTORE] ready\n\
/// #      C: A1 UID STORE 5:9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\\\Deleted)\n\
/// #      S: A1 OK [MODIFIED 7] one was changed since",
/// # )?;
/// # let transport = script.play().0;
/// # let connector = mailconnect::Connector::new();
/// # let plain = mailconnect::Security::Plain;
/// # let imap = mailconnect::imap::Imap::new();
/// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
/// let change = Store::add(&["\\Deleted"]).silent().unchanged_since(320_162_338);
/// let stored = imap.uid_store(5..=9, &change)?;
/// assert!(stored.modified.unwrap().contains(7)); // has to be looked at again
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store<'a> {
    change: Change,
    flags: &'a [&'a str],
    silent: bool,
    unchanged_since: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Replace,
    Add,
    Remove,
}

impl<'a> Store<'a> {
    fn new(change: Change, flags: &'a [&'a str]) -> Self {
        Self { change, flags, silent: false, unchanged_since: None }
    }

    /// The messages get these flags too.
    pub fn add(flags: &'a [&'a str]) -> Self {
        Self::new(Change::Add, flags)
    }

    /// The messages lose these flags.
    pub fn remove(flags: &'a [&'a str]) -> Self {
        Self::new(Change::Remove, flags)
    }

    /// The messages have just these flags then.
    pub fn replace(flags: &'a [&'a str]) -> Self {
        Self::new(Change::Replace, flags)
    }

    /// The server need not tell what flags they have then.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Passes over messages that were changed after this mod-sequence (RFC 7162, 3.1.3): [`Stored::modified`].
    #[must_use]
    pub fn unchanged_since(mut self, mod_seq: u64) -> Self {
        self.unchanged_since = Some(mod_seq);
        self
    }

    fn item(&self) -> &'static str {
        match (self.change, self.silent) {
            (Change::Replace, false) => " FLAGS",
            (Change::Replace, true) => " FLAGS.SILENT",
            (Change::Add, false) => " +FLAGS",
            (Change::Add, true) => " +FLAGS.SILENT",
            (Change::Remove, false) => " -FLAGS",
            (Change::Remove, true) => " -FLAGS.SILENT",
        }
    }
}

/// What STORE has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// What the server told of messages meanwhile, also of others than those that were asked for.
    pub messages: Vec<MessageFlags>,
    /// The messages that were changed in between, and so were not stored; see [`Store::unchanged_since`].
    pub modified: Option<SequenceSet>,
}

/// A message's flags.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageFlags {
    /// Its sequence number.
    pub number: u32,
    /// Its UID, if the server told it.
    pub uid: Option<u32>,
    /// All its flags.
    pub flags: Vec<String>,
}

pub(super) fn storing(command: &'static str, set: &SequenceSet, store: &Store<'_>) -> Result<(Line<'static>, Changed)> {
    let mut line = Line::changing(command).set(set);
    if let Some(mod_seq) = store.unchanged_since {
        line = line.needing("CONDSTORE");
        line = line.text("mod-sequence", format!("(UNCHANGEDSINCE {mod_seq})").into_bytes());
    }
    Ok((line.own(store.item()).flags(store.flags)?, Changed(Stored::default())))
}

/// The answer to STORE.
pub(super) struct Changed(Stored);

impl Collect for Changed {
    type Output = Stored;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> std::result::Result<bool, Flaw> {
        let Some(number) = data.number.filter(|_| data.is("FETCH", true)) else { return Ok(false) };
        let Some((uid, flags)) = flags_of(data.rest, limits) else { return Ok(false) };
        if self.0.messages.len() >= limits.list_entries {
            return Err(Flaw::TooMuch { what: "messages", max: limits.list_entries as u64 });
        }
        self.0.messages.push(MessageFlags { number, uid, flags });
        Ok(true)
    }

    fn done(mut self, done: &Completion) -> Stored {
        if let Some(ResponseCode::Modified(set)) = done.code().map(|code| ResponseCode::new(&code)) {
            self.0.modified = Some(set);
        }
        self.0
    }
}
