//! POP3's verbs, as the RFCs name them. RFC 1939 5 and 7, RFC 2449 5.

use std::io::Write;

use super::codec::{self, BodyFramer, ListingFramer, StatusFramer};
use super::{Capabilities, ListEntry, Pop3, Stat, UidlEntry};
use super::{Compose, accepted, call, send};
use crate::wire::{Answer, Body, Part, Wire};
use crate::{Client, Error, Phase, Result};

/// # Errors
/// All verbs: [`Error::Rejected`] if the server says `-ERR`, after which the client goes on, and the connection's own.
/// Where a verb can fail in another way, it says so.
impl Client<Pop3> {
    /// What the server can do: CAPA, RFC 2449. Asked once, and once more after an upgrade or a log-in. Empty if the
    /// server does not know the command.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).start()?;
    /// let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// let capabilities = pop3.capabilities()?;
    /// assert!(capabilities.has("UIDL"));
    /// assert_eq!(capabilities.arguments("SASL"), Some(vec!["PLAIN"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] for more than `limits.capabilities`.
    pub fn capabilities(&mut self) -> Result<Capabilities> {
        self.exchange(|pop3, wire| pop3.capabilities(wire).cloned())
    }

    /// How many messages there are, and their size: STAT. Messages that are marked as deleted do not count.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// pop3.login("user", "password")?;
    /// let stat = pop3.stat()?;
    /// assert_eq!((stat.messages, stat.octets), (2, 6));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Protocol`] if the answer does not hold two numbers.
    pub fn stat(&mut self) -> Result<Stat> {
        self.exchange(|_, wire| {
            let framer = StatusFramer::new(wire.limits());
            call(wire, "STAT", framer)?;
            let stat = codec::status(wire.frame()).ok().and_then(|status| codec::stat(status.text));
            stat.ok_or_else(|| wire.malformed("an answer to STAT without two numbers"))
        })
    }

    /// Number and size of each message: LIST. Numbers of deleted messages are left out.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("bc\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let list = pop3.list()?;
    /// assert_eq!((list[1].number, list[1].octets), (2, 4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`list_each`](Self::list_each).
    pub fn list(&mut self) -> Result<Vec<ListEntry>> {
        let mut entries = Vec::new();
        self.list_each(|entry| entries.push(entry))?;
        Ok(entries)
    }

    /// As [`list`](Self::list), one by one, for mailboxes of millions. `Ok` only if all of the list has arrived.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a line that is not of a LIST; [`Error::Limit`] for more than `limits.list_entries`.
    pub fn list_each(&mut self, mut each: impl FnMut(ListEntry)) -> Result<()> {
        self.exchange(|_, wire| listing(wire, "LIST", |line| codec::list_entry(line).map(&mut each)))
    }

    /// The lasting id of each message: UIDL. A message for which the server has no id is left out.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// # let seen = std::collections::HashSet::<String>::new();
    /// for entry in pop3.uidl()? {
    ///     if !seen.contains(&entry.uid) {
    ///         pop3.retr_to(entry.number, &mut std::io::stdout())?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`uidl_each`](Self::uidl_each).
    pub fn uidl(&mut self) -> Result<Vec<UidlEntry>> {
        let mut entries = Vec::new();
        self.uidl_each(|number, uid| entries.push(UidlEntry::new(number, uid)))?;
        Ok(entries)
    }

    /// As [`uidl`](Self::uidl), one by one, for mailboxes of millions. `Ok` only if all of the list has arrived.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server has no UIDL: it is optional; [`Error::Protocol`] for a line that is not of a
    /// UIDL; [`Error::Limit`] for more than `limits.list_entries`.
    pub fn uidl_each(&mut self, mut each: impl FnMut(u32, &str)) -> Result<()> {
        let result = self.exchange(|_, wire| {
            listing(wire, "UIDL", |line| {
                let (number, uid) = codec::uidl_entry(line)?;
                if let Some(uid) = uid {
                    each(number, uid);
                }
                Some(())
            })
        });
        self.or_no_uidl(result, true)
    }

    /// Tells a server without UIDL from one that refuses it for another reason. `bare` says that it had no argument: a
    /// server of old, without CAPA, then has no other reason.
    pub(super) fn or_no_uidl<T>(&mut self, result: Result<T>, bare: bool) -> Result<T> {
        let refusal = match result {
            Err(Error::Rejected(refusal)) if refusal.code.is_none() && self.is_authenticated() => refusal,
            result => return result,
        };
        let capabilities = self.capabilities()?;
        let missing = if capabilities.is_empty() { bare } else { !capabilities.has("UIDL") };
        Err(if missing {
            Error::unsupported(format!("the server has no UIDL, so its messages have no lasting ids ({refusal})"))
        } else {
            Error::Rejected(refusal)
        })
    }

    /// A message, to be read while it arrives: RETR. Its bytes are exact, but for the dots that POP3 puts in.
    ///
    /// Reading it to its end proves that all of it has arrived; a connection that ends before is an error, never the
    /// end of the message. What is not read is skipped by the next command, up to `limits.drain`.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("Subject: dots\r\n\r\n.\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let text = std::io::read_to_string(pop3.retr(1)?)?;
    /// assert_eq!(text, "Subject: dots\r\n\r\n.\r\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn retr(&mut self, number: u32) -> Result<Body<'_>> {
        self.dotted("RETR", "RETR", |group| Ok(group.put("RETR ").number(number.into())))
    }

    /// As [`retr`](Self::retr), into `target`; says how many bytes that were. `Ok` only if all of the message has
    /// arrived.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("Subject: x\r\n\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let mut message = Vec::new();
    /// assert_eq!(pop3.retr_to(1, &mut message)?, 14);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Caller`] if `target` fails; the rest of the message is skipped by the next command then.
    pub fn retr_to(&mut self, number: u32, target: &mut (impl Write + ?Sized)) -> Result<u64> {
        self.retr(number)?.copy_to(target)
    }

    /// The header of a message and so many lines of its body: TOP, which servers need not have. As
    /// [`retr`](Self::retr).
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("Subject: x\r\n\r\none\r\ntwo\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// assert_eq!(pop3.top(1, 1)?.collect()?, b"Subject: x\r\n\r\none\r\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn top(&mut self, number: u32, lines: u32) -> Result<Body<'_>> {
        self.dotted("TOP", "TOP", |group| Ok(group.put("TOP ").number(number.into()).put(" ").number(lines.into())))
    }

    /// Does nothing, and shows that the connection lives: NOOP.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// pop3.noop()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn noop(&mut self) -> Result<()> {
        self.exchange(|_, wire| {
            let framer = StatusFramer::new(wire.limits());
            call(wire, "NOOP", framer).map(drop)
        })
    }

    /// Takes all marks of this session back: RSET. Nothing will be deleted then.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// pop3.dele(1)?;
    /// pop3.rset()?;
    /// pop3.quit()?;
    /// assert_eq!(server.mailbox().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn rset(&mut self) -> Result<()> {
        self.exchange(|pop3, wire| {
            let framer = StatusFramer::new(wire.limits());
            call(wire, "RSET", framer)?;
            pop3.deletions = false;
            Ok(())
        })
    }

    /// Sends a command whose answer is a body; `told` is its name in a refusal.
    pub(super) fn dotted(&mut self, command: &'static str, told: &str, compose: impl Compose) -> Result<Body<'_>> {
        self.exchange(|_, wire| {
            let answer = Answer::new(command, BodyFramer::new(wire.limits()));
            send(wire, answer, compose)?;
            accepted(wire, told)?;
            wire.enter(Phase::Body);
            Ok(())
        })?;
        Ok(self.body())
    }
}

/// Gives each line of a listing to `each`, which says by `None` that it is none.
fn listing(wire: &mut Wire, command: &'static str, mut each: impl FnMut(&[u8]) -> Option<()>) -> Result<()> {
    let framer = ListingFramer::entries(wire.limits());
    call(wire, command, framer)?;
    while wire.next_part()? != Part::Last {
        if each(codec::listed(wire.frame())).is_none() {
            return Err(wire.malformed("a line of a listing without number and value"));
        }
    }
    Ok(())
}
