//! SEARCH (RFC 9051, 6.4.4): what is looked for, and the numbers that come back in the server's own order.

use super::Imap;
use super::codec::{Untagged, number, word};
use super::line::Line;
use crate::wire::{Flaw, Wire};
use crate::{Client, Limits, Result};

impl Client<Imap> {
    /// Looks for messages and returns their sequence numbers, in the server's order. `criteria` is as in RFC 9051,
    /// 6.4.4: `ALL`, `UNSEEN SINCE 1-Feb-2026`, `SUBJECT "two words"`. Quoted strings may hold any text, which then goes
    /// out as UTF-8.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// assert_eq!(imap.search("UNSEEN")?, [1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for CR, LF, NUL, a trailing `{5}`, or letters that are
    /// neither ASCII nor quoted; [`Error::Rejected`](crate::Error::Rejected) if the server does not understand it.
    pub fn search(&mut self, criteria: &str) -> Result<Vec<u32>> {
        self.exchange(|imap, wire| imap.look_for(wire, "SEARCH", criteria))
    }

    /// As [`search`](Self::search), and returns UIDs.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.select("INBOX")?;
    /// let newest = imap.uid_search("ALL")?.into_iter().max();
    /// # assert!(newest.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn uid_search(&mut self, criteria: &str) -> Result<Vec<u32>> {
        self.exchange(|imap, wire| imap.look_for(wire, "UID SEARCH", criteria))
    }
}

impl Imap {
    fn look_for(&mut self, wire: &mut Wire, command: &'static str, criteria: &str) -> Result<Vec<u32>> {
        let limits = wire.limits().clone();
        let mut found = Vec::new();
        let line = Line::new(command).criteria(criteria)?;
        self.run(wire, &line, |data| take(data, &mut found, &limits))?;
        Ok(found)
    }
}

/// Takes one `* SEARCH 2 84 882`. What is no number there, a mod-sequence in parentheses, ends it.
fn take(data: &Untagged<'_>, found: &mut Vec<u32>, limits: &Limits) -> Result<bool, Flaw> {
    if !data.is("SEARCH", false) {
        return Ok(false);
    }
    let mut rest = data.rest;
    loop {
        let (first, after) = word(rest);
        let Some(next) = number(first).and_then(|next| u32::try_from(next).ok()) else { return Ok(true) };
        if found.len() >= limits.list_entries {
            return Err(Flaw::TooMuch { what: "messages found", max: limits.list_entries as u64 });
        }
        found.push(next);
        rest = after;
    }
}
