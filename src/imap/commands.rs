//! The verbs of IMAP with short answers: `capabilities`, `noop`, opening and closing a mailbox, making, renaming and
//! deleting one, and what the server said unasked. Those with longer answers have files of their own.

use super::codec::Untagged;
use super::events::Events;
use super::exchange::{Collect, Completion, Nothing};
use super::line::Line;
use super::{Capabilities, Imap, Mailbox, MailboxName};
use crate::wire::Flaw;
use crate::{Client, Limits, Result};

impl Client<Imap> {
    /// What the server can do (RFC 9051, 6.1.1); asked for if that is not known. It changes with the upgrade and with the
    /// log-in.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 IDLE] ready",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// assert!(imap.capabilities()?.has("idle")); // the greeting has told it
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) for more than `limits.capabilities`; those of the connection.
    pub fn capabilities(&mut self) -> Result<&Capabilities> {
        self.exchange(|imap, wire| imap.learn_capabilities(wire).map(drop))?;
        Ok(self.protocol().known())
    }

    /// Does nothing (RFC 9051, 6.1.2), and hears what is new; see [`events`](Self::events). It also keeps the server from
    /// closing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.noop()?;
    /// for event in imap.events() {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection; [`Error::Rejected`](crate::Error::Rejected) if the server has said goodbye.
    pub fn noop(&mut self) -> Result<()> {
        self.bare("NOOP")
    }

    /// What the server has said without being asked since the last call: new messages, expunged ones, changed flags,
    /// alerts, a goodbye. It asks nothing and does not wait; a closed client can be asked too. What was said before an
    /// upgrade is gone, and so is what was said of a mailbox once another is opened, or it is closed: read it before. It
    /// keeps `limits.event_queue` of them; [`Imap::on_event`] tells the same at once, and all.
    ///
    /// ```
    /// use mailconnect::imap::Event;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK ready\n\
    /// #      C: A1 NOOP\n\
    /// #      S: * 23 EXISTS\n\
    /// #      S: * OK [ALERT] Maintenance at noon\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.noop()?;
    /// let events = imap.events();
    /// assert!(!events.incomplete); // else all that is known of the mailbox must be asked again
    /// assert_eq!(events.collect::<Vec<_>>(), [Event::Exists(23), Event::Alert("Maintenance at noon".into())]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&mut self) -> Events {
        self.protocol().news.take()
    }

    // ---- The selected mailbox ----

    /// Opens a mailbox, named in UTF-8, to read and change it (RFC 9051, 6.3.2). The one that was open is closed by that,
    /// and [`events`](Self::events) that were told of it are dropped.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// assert_eq!(imap.select("INBOX")?.exists, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if there is none of that name; no mailbox is open then.
    pub fn select<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<Mailbox> {
        self.exchange(|imap, wire| imap.perform(wire, opening("SELECT", mailbox)?))
    }

    /// Opens a mailbox, named in UTF-8, to read it only (RFC 9051, 6.3.3).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// assert!(imap.examine("INBOX")?.read_only);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`select`](Self::select).
    pub fn examine<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<Mailbox> {
        self.exchange(|imap, wire| imap.perform(wire, opening("EXAMINE", mailbox)?))
    }

    /// Lets the server do what it has put off for the selected mailbox (RFC 3501, 6.4.1); IMAP4rev2 has no such command.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// imap.check()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if no mailbox is open.
    pub fn check(&mut self) -> Result<()> {
        self.bare("CHECK")
    }

    /// Closes the selected mailbox, and expunges what is marked as deleted in it, unless it was opened to be read only (RFC
    /// 9051, 6.4.1).
    ///
    /// ```
    /// use mailconnect::imap::Store;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// imap.uid_store("1:*", &Store::add(&["\\Deleted"]).silent())?;
    /// imap.close()?;
    /// # assert!(server.mailbox().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if no mailbox is open.
    pub fn close(&mut self) -> Result<()> {
        self.exchange(|imap, wire| imap.perform(wire, (Line::changing("CLOSE"), Nothing)))
    }

    /// Closes the selected mailbox and expunges nothing (RFC 3691).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// imap.unselect()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the server does not offer it;
    /// [`Error::Rejected`](crate::Error::Rejected) if no mailbox is open.
    pub fn unselect(&mut self) -> Result<()> {
        self.exchange(|imap, wire| imap.perform(wire, (Line::new("UNSELECT").needing("UNSELECT"), Nothing)))
    }

    // ---- All mailboxes ----

    /// Makes a mailbox, named in UTF-8 (RFC 9051, 6.3.4). What separates the levels of its name differs; see
    /// [`ListEntry::delimiter`](super::ListEntry::delimiter).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 CREATE Entw&APw-rfe\n\
    /// #      S: A1 OK created",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.create("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if it exists already or may not be made.
    pub fn create<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.about("CREATE", mailbox)
    }

    /// Deletes a mailbox, named in UTF-8, with all that is in it (RFC 9051, 6.3.5).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 DELETE Entw&APw-rfe\n\
    /// #      S: A1 OK deleted",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.delete("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if there is none or it may not be deleted.
    pub fn delete<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.about("DELETE", mailbox)
    }

    /// Renames a mailbox (RFC 9051, 6.3.6); both names in UTF-8. Those below it are renamed with it. To rename INBOX moves
    /// its messages away, and leaves an empty one behind.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 RENAME Entw&APw-rfe Drafts\n\
    /// #      S: A1 OK renamed",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.rename("Entwürfe", "Drafts")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if there is none of the first name, or one of the second.
    pub fn rename<'m, 'n>(&mut self, from: impl Into<MailboxName<'m>>, to: impl Into<MailboxName<'n>>) -> Result<()> {
        self.exchange(|imap, wire| imap.perform(wire, renaming(from, to)?))
    }

    /// Adds a mailbox, named in UTF-8, to those that are subscribed: a list that clients keep on the server (RFC 9051,
    /// 6.3.7).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 SUBSCRIBE Entw&APw-rfe\n\
    /// #      S: A1 OK subscribed",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.subscribe("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if the server does not want to.
    pub fn subscribe<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.about("SUBSCRIBE", mailbox)
    }

    /// Takes a mailbox, named in UTF-8, off those that are subscribed (RFC 9051, 6.3.8). It need not be there any more.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ] ready\n\
    /// #      C: A1 UNSUBSCRIBE Entw&APw-rfe\n\
    /// #      S: A1 OK unsubscribed",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// imap.unsubscribe("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if it was not subscribed, as some servers have it.
    pub fn unsubscribe<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.about("UNSUBSCRIBE", mailbox)
    }

    fn bare(&mut self, command: &'static str) -> Result<()> {
        self.exchange(|imap, wire| imap.perform(wire, (Line::new(command), Nothing)))
    }

    /// A command that changes something about a mailbox.
    fn about<'m>(&mut self, command: &'static str, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.exchange(|imap, wire| {
            let line = Line::changing(command).mailbox(mailbox)?;
            imap.perform(wire, (line, Nothing))
        })
    }
}

pub(super) fn renaming<'m, 'n>(
    from: impl Into<MailboxName<'m>>,
    to: impl Into<MailboxName<'n>>,
) -> Result<(Line<'static>, Nothing)> {
    let line = Line::changing("RENAME").mailbox(from)?.into_owned();
    Ok((line.mailbox(to)?.into_owned(), Nothing))
}

pub(super) fn opening<'a>(command: &'static str, name: impl Into<MailboxName<'a>>) -> Result<(Line<'a>, Opening)> {
    let line = Line::new(command).mailbox(name)?;
    Ok((line, Opening { examine: command == "EXAMINE", mailbox: Mailbox::default() }))
}

/// The answer to SELECT or EXAMINE.
pub(super) struct Opening {
    examine: bool,
    mailbox: Mailbox,
}

impl Collect for Opening {
    type Output = Mailbox;

    fn take(&mut self, data: &Untagged<'_>, _: &Limits) -> Result<bool, Flaw> {
        Ok(self.mailbox.take(data))
    }

    fn done(mut self, done: &Completion) -> Mailbox {
        if let Some(code) = done.code() {
            self.mailbox.code(code);
        }
        self.mailbox.read_only |= self.examine;
        self.mailbox
    }
}
