//! One line for each of many messages: DELE, and LIST and UIDL with a number. RFC 1939 5 and 7, RFC 2449 6.6.

use super::codec;
use super::window::{Verb, Window};
use super::{ListEntry, Pop3, UidlEntry};
use crate::wire::Wire;
use crate::{Client, Error, Result};

/// # Many messages at once
/// As [`retr_many`](Self::retr_many): up to 128 commands run ahead of their answers if the server offers PIPELINING, and
/// a refusal of one message costs that message and no more.
impl Client<Pop3> {
    /// Number and size of one message: LIST with its number.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// assert_eq!(pop3.list_one(1)?.octets, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Protocol`] for an answer without two numbers, or about another message.
    pub fn list_one(&mut self, number: u32) -> Result<ListEntry> {
        self.one(Verb::List, number, listed)
    }

    /// The lasting id of one message: UIDL with its number.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// assert_eq!(pop3.uidl_one(1)?, pop3.uidl()?[0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server has no UIDL, or no id for this message; [`Error::Protocol`] for an answer
    /// about another message.
    pub fn uidl_one(&mut self, number: u32) -> Result<UidlEntry> {
        let result = self.one(Verb::Uidl, number, identified);
        self.or_no_uidl(result, false)
    }

    /// Marks a message as deleted: DELE. **It is deleted by [`quit`](Client::quit) only**, and only if that returns
    /// `Ok`; dropping the client keeps it.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// pop3.dele(1)?;
    /// assert_eq!(server.mailbox().len(), 1);
    /// pop3.quit()?;
    /// assert_eq!(server.mailbox().len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn dele(&mut self, number: u32) -> Result<()> {
        self.one(Verb::Dele, number, marked)
    }

    /// Marks these messages as deleted: DELE for each. Returns those that the server refused. **They are deleted by
    /// [`quit`](Client::quit) only**, and only if that returns `Ok`; dropping the client keeps them.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// for (number, refused) in pop3.dele_many(1..=3)? {
    ///     println!("message {number}: {refused}");
    /// }
    /// assert_eq!(server.mailbox().len(), 2);
    /// pop3.quit()?;
    /// assert_eq!(server.mailbox().len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection. Nothing is deleted then.
    pub fn dele_many(&mut self, numbers: impl IntoIterator<Item = u32>) -> Result<Vec<(u32, Error)>> {
        let mut refused = Vec::new();
        self.short(Verb::Dele, numbers, marked, |number, answer| {
            refused.extend(answer.err().map(|error| (number, error)));
        })?;
        Ok(refused)
    }

    /// Numbers and sizes of these messages, in this order: LIST with a number, for each.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("bc\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let sizes = pop3.list_many([2, 9])?;
    /// assert_eq!(sizes[0].as_ref().map(|entry| entry.octets).ok(), Some(4));
    /// assert!(sizes[1].is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Protocol`] for an answer without two numbers, or about another message; those of the connection. Refusals
    /// are in the list.
    pub fn list_many(&mut self, numbers: impl IntoIterator<Item = u32>) -> Result<Vec<Result<ListEntry>>> {
        let mut entries = Vec::new();
        self.short(Verb::List, numbers, listed, |_, answer| entries.push(answer))?;
        Ok(entries)
    }

    /// The lasting ids of these messages, in this order: UIDL with a number, for each.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// for entry in pop3.uidl_many([2, 1])? {
    ///     println!("{}", entry?.uid);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Protocol`] for an answer without number and id, or about another message; those of the connection.
    /// Refusals are in the list.
    pub fn uidl_many(&mut self, numbers: impl IntoIterator<Item = u32>) -> Result<Vec<Result<UidlEntry>>> {
        let mut entries = Vec::new();
        self.short(Verb::Uidl, numbers, identified, |_, answer| entries.push(answer))?;
        Ok(entries)
    }

    fn one<T>(&mut self, verb: Verb, number: u32, view: View<T>) -> Result<T> {
        self.exchange(|pop3, wire| {
            Window::one(verb, number).next(wire)?;
            view(pop3, wire, number)
        })
    }

    fn short<T>(
        &mut self,
        verb: Verb,
        numbers: impl IntoIterator<Item = u32>,
        view: View<T>,
        mut each: impl FnMut(u32, Result<T>),
    ) -> Result<()> {
        let numbers = numbers.into_iter().collect();
        let mut window = self.exchange(|pop3, wire| Window::open(pop3, wire, verb, numbers))?;
        loop {
            let answer = self.proceed(|pop3, wire| match window.next(wire)? {
                Some(number) => view(pop3, wire, number).map(Some),
                None => Ok(None),
            });
            match answer {
                Ok(None) => return Ok(()),
                Err(error) if error.is_fatal() => return Err(error),
                Ok(Some(value)) => each(window.answered().unwrap_or_default(), Ok(value)),
                Err(refused) => each(window.answered().unwrap_or_default(), Err(refused)),
            }
        }
    }
}

/// Makes a value of the answer that lies in the wire, about this message.
type View<T> = fn(&mut Pop3, &mut Wire, u32) -> Result<T>;

fn marked(pop3: &mut Pop3, _: &mut Wire, _: u32) -> Result<()> {
    pop3.deletions = true;
    Ok(())
}

fn listed(_: &mut Pop3, wire: &mut Wire, number: u32) -> Result<ListEntry> {
    let entry = codec::status(wire.frame()).ok().and_then(|status| codec::list_entry(status.text));
    let entry = entry.filter(|entry| entry.number == number);
    entry.ok_or_else(|| wire.malformed("an answer to LIST without this message's number and size"))
}

fn identified(_: &mut Pop3, wire: &mut Wire, number: u32) -> Result<UidlEntry> {
    let entry = codec::status(wire.frame()).ok().and_then(|status| codec::uidl_entry(status.text));
    match entry.filter(|entry| entry.0 == number) {
        Some((number, Some(uid))) => Ok(UidlEntry::new(number, uid)),
        Some((number, None)) => Err(Error::unsupported(format!("the server has no lasting id for message {number}"))),
        None => Err(wire.malformed("an answer to UIDL without this message's number")),
    }
}
