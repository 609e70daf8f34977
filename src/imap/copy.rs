//! COPY, MOVE (RFC 6851) and EXPUNGE (RFC 9051, 6.4.3 and 6.4.9), with the UIDs that RFC 4315 adds.

use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::{CopyUid, Imap, MailboxName, ResponseCode, SequenceSet};
use crate::wire::Flaw;
use crate::{Client, Error, Limits, Result};

impl Client<Imap> {
    /// Copies messages, by sequence number, to another mailbox, named in UTF-8 (RFC 9051, 6.4.7). Servers with UIDPLUS tell
    /// the UIDs of the copies.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\n\
    /// #      C: A1 COPY 2:3 Archive\n\
    /// #      S: A1 OK [COPYUID 38505 304,319 3956:3957] done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let copied = imap.copy("2:3", "Archive")?.expect("UIDPLUS");
    /// assert_eq!(copied.destination_of(319), Some(3957));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`], with the code `TRYCREATE` if the mailbox is not there; nothing is copied then.
    pub fn copy<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Result<Option<CopyUid>> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, copying("COPY", &set, mailbox)?))
    }

    /// As [`copy`](Self::copy), by UID. It goes out in one line: cut a long set by [`chunks`](SequenceSet::chunks) first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 UID COPY 304 Archive\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// assert_eq!(imap.uid_copy(304, "Archive")?, None); // a server without UIDPLUS
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub fn uid_copy<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Result<Option<CopyUid>> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, copying("UID COPY", &set, mailbox)?))
    }

    /// Moves messages (the command MOVE; RFC 9051, 6.4.8), by sequence number, to another mailbox, named in UTF-8. Their
    /// going is told as [`Event::Expunge`](super::Event::Expunge). It never falls back to copying and deleting;
    /// [`uid_move`](Self::uid_move) shows how to.
    ///
    /// ```
    /// use mailconnect::imap::Event;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS] ready\n\
    /// #      C: A1 MOVE 2 Archive\n\
    /// #      S: * OK [COPYUID 38505 304 3956] moved\n\
    /// #      S: * 2 EXPUNGE\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let moved = imap.move_to(2, "Archive")?.expect("UIDPLUS");
    /// assert_eq!(moved.destination_of(304), Some(3956));
    /// assert_eq!(imap.events().next(), Some(Event::Expunge(2)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer MOVE; [`Error::Rejected`] as for [`copy`](Self::copy).
    #[doc(alias = "move")]
    pub fn move_to<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Result<Option<CopyUid>> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, copying("MOVE", &set, mailbox)?))
    }

    /// As [`move_to`](Self::move_to), by UID. It goes out in one line: cut a long set by [`chunks`](SequenceSet::chunks)
    /// first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 MOVE] ready\n\
    /// #      C: A1 UID MOVE 304:310 Archive\n\
    /// #      S: * 2 EXPUNGE\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.uid_move(304..=310, "Archive")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Where MOVE is missing, it takes three steps, each only if the one before has succeeded (so no [`Batch`](super::Batch)).
    /// And only for UIDs that are known: what arrives between two steps is in `304:*` too, and would be deleted without a copy.
    ///
    /// ```
    /// use mailconnect::imap::Store;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\n\
    /// #      C: A1 UID COPY 304:310 Archive\n\
    /// #      S: A1 OK done\n\
    /// #      C: A2 UID STORE 304:310 +FLAGS.SILENT (\\\\Deleted)\n\
    /// #      S: A2 OK done\n\
    /// #      C: A3 UID EXPUNGE 304:310\n\
    /// #      S: * 2 EXPUNGE\n\
    /// #      S: A3 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.uid_copy(304..=310, "Archive")?; // OVERQUOTA? Then nothing is deleted.
    /// imap.uid_store(304..=310, &Store::add(&["\\Deleted"]).silent())?;
    /// imap.uid_expunge(304..=310)?; // only these: `expunge` takes what others have marked too
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`move_to`](Self::move_to).
    pub fn uid_move<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Result<Option<CopyUid>> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, copying("UID MOVE", &set, mailbox)?))
    }

    /// Removes the messages that are marked as deleted (RFC 9051, 6.4.3), and returns the sequence numbers that the server
    /// tells: each as it was after those before it were gone.
    ///
    /// ```
    /// use mailconnect::imap::Store;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// imap.store(1, &Store::add(&["\\Deleted"]).silent())?;
    /// assert_eq!(imap.expunge()?, [1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`] if the mailbox can only be read; [`Error::Limit`] for more than `limits.list_entries` numbers.
    pub fn expunge(&mut self) -> Result<Vec<u32>> {
        self.exchange(|imap, wire| imap.perform(wire, (Line::changing("EXPUNGE"), Gone(Vec::new()))))
    }

    /// As [`expunge`](Self::expunge), of these UIDs only (UIDPLUS, RFC 4315). It goes out in one line: cut a long set
    /// by [`chunks`](SequenceSet::chunks) first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\n\
    /// #      C: A1 UID EXPUNGE 304\n\
    /// #      S: * 2 EXPUNGE\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// assert_eq!(imap.uid_expunge(304)?, [2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer UIDPLUS; as [`expunge`](Self::expunge).
    pub fn uid_expunge(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>) -> Result<Vec<u32>> {
        let set = set.try_into().map_err(Into::into)?;
        self.exchange(|imap, wire| imap.perform(wire, uid_expunging(&set)))
    }
}

pub(super) fn copying<'a>(
    command: &'static str,
    set: &SequenceSet,
    mailbox: impl Into<MailboxName<'a>>,
) -> Result<(Line<'a>, Copied)> {
    let mut line = Line::changing(command).set(set).mailbox(mailbox)?;
    if command.ends_with("MOVE") {
        line = line.needing("MOVE");
    }
    Ok((line, Copied(None)))
}

pub(super) fn uid_expunging(set: &SequenceSet) -> (Line<'static>, Gone) {
    (Line::changing("UID EXPUNGE").needing("UIDPLUS").set(set), Gone(Vec::new()))
}

/// The answer to COPY or MOVE. MOVE tells the UIDs before the messages go.
pub(super) struct Copied(Option<CopyUid>);

impl Collect for Copied {
    type Output = Option<CopyUid>;

    fn take(&mut self, data: &Untagged<'_>, _: &Limits) -> std::result::Result<bool, Flaw> {
        match data.code().map(|code| ResponseCode::new(&code)) {
            Some(ResponseCode::CopyUid(copied)) => self.0 = Some(copied),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn done(self, done: &Completion) -> Option<CopyUid> {
        match done.code().map(|code| ResponseCode::new(&code)) {
            Some(ResponseCode::CopyUid(copied)) => Some(copied),
            _ => self.0,
        }
    }
}

/// The answer to EXPUNGE.
pub(super) struct Gone(pub(super) Vec<u32>);

impl Collect for Gone {
    type Output = Vec<u32>;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> std::result::Result<bool, Flaw> {
        let Some(number) = data.number.filter(|_| data.is("EXPUNGE", true)) else { return Ok(false) };
        if self.0.len() >= limits.list_entries {
            return Err(Flaw::TooMuch { what: "messages expunged", max: limits.list_entries as u64 });
        }
        self.0.push(number);
        Ok(true)
    }

    fn done(self, _: &Completion) -> Vec<u32> {
        self.0
    }
}
