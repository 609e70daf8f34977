//! The verbs of IMAP with short answers: `capabilities`, `noop`, `select`, `examine`, `create`, `delete`, `list`, and
//! what the server said unasked. `search`, `fetch` and `append` have files of their own.

use super::events::Events;
use super::exchange::nothing;
use super::line::Line;
use super::{Capabilities, Imap, ListEntry, Mailbox, MailboxName};
use crate::wire::{Flaw, Wire};
use crate::{Client, Result};

impl Client<Imap> {
    /// What the server can do; asked for if that is not known. It changes with the upgrade and with the log-in.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// assert!(imap.capabilities()?.has("IMAP4rev1"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn capabilities(&mut self) -> Result<&Capabilities> {
        self.exchange(|imap, wire| imap.learn_capabilities(wire).map(drop))?;
        Ok(self.protocol().known())
    }

    /// Does nothing, and hears what is new; see [`events`](Self::events). It also keeps the server from closing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
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
        self.exchange(|imap, wire| imap.run(wire, &Line::new("NOOP"), nothing).map(drop))
    }

    /// What the server has said without being asked since the last call: new messages, expunged ones, changed flags,
    /// alerts. It asks nothing and does not wait. What was said before an upgrade is gone; so is all once the client is
    /// closed.
    pub fn events(&mut self) -> Events {
        self.proceed(|imap, _| Ok(std::mem::take(&mut imap.events))).unwrap_or_default()
    }

    /// Opens a mailbox, named in UTF-8, to read and change it.
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
        self.exchange(|imap, wire| imap.open(wire, "SELECT", mailbox))
    }

    /// Opens a mailbox, named in UTF-8, to read it only.
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
        self.exchange(|imap, wire| {
            let mut opened = imap.open(wire, "EXAMINE", mailbox)?;
            opened.read_only = true;
            Ok(opened)
        })
    }

    /// Makes a mailbox, named in UTF-8. What separates the levels of its name differs; see [`ListEntry::delimiter`].
    ///
    /// ```no_run
    /// # fn main() -> mailconnect::Result<()> {
    /// let mut imap = mailconnect::ImapClient::connect_ssl("mail.example.com")?;
    /// imap.login("user", "password")?;
    /// imap.create("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if it exists already or may not be made.
    pub fn create<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.exchange(|imap, wire| {
            let line = Line::changing("CREATE").mailbox(mailbox, imap.names)?;
            imap.run(wire, &line, nothing).map(drop)
        })
    }

    /// Deletes a mailbox, named in UTF-8, with all that is in it.
    ///
    /// ```no_run
    /// # fn main() -> mailconnect::Result<()> {
    /// let mut imap = mailconnect::ImapClient::connect_ssl("mail.example.com")?;
    /// imap.login("user", "password")?;
    /// imap.delete("Entwürfe")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if there is none or it may not be deleted.
    pub fn delete<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Result<()> {
        self.exchange(|imap, wire| {
            let line = Line::changing("DELETE").mailbox(mailbox, imap.names)?;
            imap.run(wire, &line, nothing).map(drop)
        })
    }

    /// The mailboxes below `reference` whose names fit `pattern`, where `*` stands for anything and `%` for anything
    /// within one level: `list("", "*")` is all of them.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// for mailbox in imap.list("", "*")? {
    ///     println!("{}", mailbox.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn list(&mut self, reference: &str, pattern: &str) -> Result<Vec<ListEntry>> {
        self.exchange(|imap, wire| {
            let line = Line::new("LIST")
                .pattern("reference", reference, imap.names)?
                .pattern("pattern", pattern, imap.names)?;
            let (names, limits) = (imap.names, wire.limits().clone());
            let mut entries = Vec::new();
            imap.run(wire, &line, |data| {
                if !data.is("LIST", false) {
                    return Ok(false);
                }
                let Some(entry) = ListEntry::parse(data.rest, names, &limits)? else { return Ok(false) };
                if entries.len() >= limits.list_entries {
                    return Err(Flaw::TooMuch { what: "mailboxes", max: limits.list_entries as u64 });
                }
                entries.push(entry);
                Ok(true)
            })?;
            Ok(entries)
        })
    }
}

impl Imap {
    fn open<'m>(
        &mut self,
        wire: &mut Wire,
        command: &'static str,
        name: impl Into<MailboxName<'m>>,
    ) -> Result<Mailbox> {
        let line = Line::new(command).mailbox(name, self.names)?;
        let mut mailbox = Mailbox::default();
        let done = self.run(wire, &line, |data| Ok(mailbox.take(data)))?;
        if let Some(code) = done.code() {
            mailbox.code(code);
        }
        Ok(mailbox)
    }
}
