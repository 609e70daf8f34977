//! SEARCH (RFC 9051, 6.4.4) and its extended form (RFC 4731): what is looked for, and the numbers that come back.

use super::codec::{Untagged, number, word};
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::names::Names;
use super::tokens::{Tokens, Value};
use super::{Imap, SequenceSet};
use crate::wire::Flaw;
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
    /// neither ASCII nor quoted; [`Error::Rejected`](crate::Error::Rejected) if the server does not understand it;
    /// [`Error::Limit`](crate::Error::Limit) for more than `limits.list_entries` numbers or `limits.collected` bytes.
    pub fn search(&mut self, criteria: &str) -> Result<Vec<u32>> {
        self.exchange(|imap, wire| imap.perform(wire, searching("SEARCH", criteria)?))
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
        self.exchange(|imap, wire| imap.perform(wire, searching("UID SEARCH", criteria)?))
    }

    /// Looks for messages, and returns no more of them than is asked for (ESEARCH, RFC 4731): `options` is one or more of
    /// `MIN`, `MAX`, `COUNT`, `ALL` and `SAVE`, where `ALL` comes as ranges, however many they name.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ESEARCH] ready\n\
    /// #      C: A1 SEARCH RETURN (MAX COUNT) UNSEEN\n\
    /// #      S: * ESEARCH (TAG \"A1\") MAX 972 COUNT 17\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let found = imap.esearch("MAX COUNT", "UNSEEN")?;
    /// assert_eq!((found.max, found.count), (Some(972), Some(17)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`search`](Self::search); [`Error::Unsupported`](crate::Error::Unsupported) if the server does not offer it.
    pub fn esearch(&mut self, options: &str, criteria: &str) -> Result<SearchResult> {
        self.exchange(|imap, wire| imap.perform(wire, esearching("SEARCH", options, criteria)?))
    }

    /// As [`esearch`](Self::esearch), and returns UIDs.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 ESEARCH] ready\n\
    /// #      C: A1 UID SEARCH RETURN (ALL) DELETED\n\
    /// #      S: * ESEARCH (TAG \"A1\") UID ALL 4:18,21\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let found = imap.uid_esearch("ALL", "DELETED")?;
    /// assert_eq!(found.all.unwrap().to_string(), "4:18,21");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`esearch`](Self::esearch).
    pub fn uid_esearch(&mut self, options: &str, criteria: &str) -> Result<SearchResult> {
        self.exchange(|imap, wire| imap.perform(wire, esearching("UID SEARCH", options, criteria)?))
    }
}

/// What an extended SEARCH has found: what was asked for, and none where nothing was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchResult {
    /// The lowest number.
    pub min: Option<u32>,
    /// The highest number.
    pub max: Option<u32>,
    /// How many there are.
    pub count: Option<u32>,
    /// All of them, in the server's order.
    pub all: Option<SequenceSet>,
    /// The highest mod-sequence of what was found, RFC 7162.
    pub mod_seq: Option<u64>,
}

pub(super) fn searching<'a>(command: &'static str, criteria: &'a str) -> Result<(Line<'a>, Numbers)> {
    Ok((Line::new(command).criteria(criteria)?, Numbers { tag: String::new(), found: Vec::new() }))
}

pub(super) fn esearching<'a>(command: &'static str, options: &str, criteria: &'a str) -> Result<(Line<'a>, Extended)> {
    let line = Line::new(command).needing("ESEARCH").own(" RETURN").words("search options", options)?;
    Ok((line.criteria(criteria)?, Extended { tag: String::new(), found: SearchResult::default() }))
}

/// The answer to SEARCH: `* SEARCH 2 84 882`, or from an IMAP4rev2 server ranges.
pub(super) struct Numbers {
    tag: String,
    found: Vec<u32>,
}

impl Collect for Numbers {
    type Output = Vec<u32>;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        let most = limits.list_entries;
        let too_much = Flaw::TooMuch { what: "messages found", max: most as u64 };
        if data.is("ESEARCH", false) {
            if names_another(data.rest, &self.tag) {
                return Ok(false);
            }
            let Some(all) = found(data.rest, limits).all else { return Ok(true) };
            let more = all.len().and_then(|more| usize::try_from(more).ok());
            more.filter(|more| self.found.len().saturating_add(*more) <= most).ok_or(too_much)?;
            self.found.extend(all.ranges().filter_map(|(low, high)| Some(low?..=high?)).flatten());
            return Ok(true);
        }
        if !data.is("SEARCH", false) {
            return Ok(false);
        }
        let mut rest = data.rest;
        loop {
            let (first, after) = word(rest);
            // What is no number, a mod-sequence in parentheses, ends it.
            let Some(next) = number(first).and_then(|next| u32::try_from(next).ok()) else { return Ok(true) };
            if self.found.len() >= most {
                return Err(too_much);
            }
            self.found.push(next);
            rest = after;
        }
    }

    fn sent_as(&mut self, tag: u32, _: Names) {
        self.tag = on_wire(tag);
    }

    fn done(self, _: &Completion) -> Vec<u32> {
        self.found
    }
}

/// The answer to an extended SEARCH.
pub(super) struct Extended {
    tag: String,
    found: SearchResult,
}

impl Collect for Extended {
    type Output = SearchResult;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if !data.is("ESEARCH", false) || names_another(data.rest, &self.tag) {
            return Ok(false);
        }
        self.found = found(data.rest, limits);
        Ok(true)
    }

    fn sent_as(&mut self, tag: u32, _: Names) {
        self.tag = on_wire(tag);
    }

    fn done(self, _: &Completion) -> SearchResult {
        self.found
    }
}

fn on_wire(tag: u32) -> String {
    format!("A{tag}")
}

/// True for `(TAG "A2")` in the answer to another command.
fn names_another(rest: &[u8], tag: &str) -> bool {
    let correlator = rest.strip_prefix(b"(").map(word).filter(|(name, _)| name.eq_ignore_ascii_case(b"TAG"));
    let Some((_, value)) = correlator else { return false };
    let end = memchr::memchr(b')', value).unwrap_or(value.len());
    let told = value.get(..end).unwrap_or_default().trim_ascii();
    let told = told.strip_prefix(b"\"").and_then(|told| told.strip_suffix(b"\"")).unwrap_or(told);
    told != tag.as_bytes()
}

/// `(MODSEQ 917162500)`, as in the answer to SEARCH: some servers put it so in that to an extended one.
fn mod_seq(list: &[u8]) -> Option<u64> {
    let (name, value) = word(list.strip_prefix(b"(")?.strip_suffix(b")")?);
    if name.eq_ignore_ascii_case(b"MODSEQ") { number(value.trim_ascii()) } else { None }
}

/// What `(TAG "A1") UID MIN 3 ALL 4:18,21` says; what is not known is passed over.
fn found(rest: &[u8], limits: &Limits) -> SearchResult {
    let mut found = SearchResult::default();
    let mut tokens = Tokens::new(rest, 0, limits);
    while let Ok(Some(value)) = tokens.value() {
        let name = match value {
            Value::Atom(name) => name,
            Value::List(list) => {
                found.mod_seq = mod_seq(list).or(found.mod_seq);
                continue;
            }
            _ => continue,
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("UID") {
            continue;
        }
        let Ok(Some(value)) = tokens.value() else { break };
        let small = || value.number().and_then(|number| u32::try_from(number).ok());
        match () {
            () if is("MIN") => found.min = small(),
            () if is("MAX") => found.max = small(),
            () if is("COUNT") => found.count = small(),
            () if is("MODSEQ") => found.mod_seq = value.number(),
            () if is("ALL") => found.all = value.text().and_then(|set| SequenceSet::as_sent(&set)),
            () => {}
        }
    }
    found
}
