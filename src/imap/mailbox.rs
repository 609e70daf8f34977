//! Mailboxes: what SELECT and LIST tell of them.

use std::borrow::Cow;

use super::codec::{Code, Untagged, word};
use super::names::Names;
use super::status::MailboxStatus;
use super::strings::{unescape, words};
use super::tokens::{Tokens, Value};
use crate::Limits;
use crate::wire::Flaw;

/// What SELECT or EXAMINE told of a mailbox. What a server left out is none, or zero or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mailbox {
    /// How many messages there are.
    pub exists: u32,
    /// How many of them no session was told of before; IMAP4rev2 has no such number.
    pub recent: u32,
    /// The sequence number of the first unseen message; IMAP4rev2 has no such number.
    pub unseen: Option<u32>,
    /// UIDs hold as long as this stays the same.
    pub uid_validity: Option<u32>,
    /// The UID that the next message will get at least.
    pub uid_next: Option<u32>,
    /// The highest mod-sequence, RFC 7162.
    pub highest_mod_seq: Option<u64>,
    /// The flags that exist here.
    pub flags: Vec<String>,
    /// The flags that can be changed for good; `\*` means that new ones can be made.
    pub permanent_flags: Vec<String>,
    /// True if nothing can be changed: after EXAMINE always.
    pub read_only: bool,
}

impl Mailbox {
    /// Takes what belongs to it; false if this does not.
    pub(super) fn take(&mut self, data: &Untagged<'_>) -> bool {
        match data.number {
            Some(number) if data.is("EXISTS", true) => self.exists = number,
            Some(number) if data.is("RECENT", true) => self.recent = number,
            None if data.is("FLAGS", false) => self.flags = flags(data.rest),
            _ => {
                let Some(code) = data.status().and_then(|status| status.code) else { return false };
                if code.is("CLOSED") {
                    // RFC 7162, 3.2.11: all so far was said of the mailbox that was open before. It is news too.
                    *self = Self::default();
                }
                return self.code(code);
            }
        }
        true
    }

    /// Takes a response code; false if it is another one.
    pub(super) fn code(&mut self, code: Code<'_>) -> bool {
        let small = |name| code.number(name).and_then(|number| u32::try_from(number).ok());
        match () {
            () if code.is("UIDVALIDITY") => self.uid_validity = small("UIDVALIDITY"),
            () if code.is("UIDNEXT") => self.uid_next = small("UIDNEXT"),
            () if code.is("UNSEEN") => self.unseen = small("UNSEEN"),
            () if code.is("HIGHESTMODSEQ") => self.highest_mod_seq = code.number("HIGHESTMODSEQ"),
            () if code.is("PERMANENTFLAGS") => self.permanent_flags = flags(code.value),
            () if code.is("READ-ONLY") => self.read_only = true,
            () if code.is("READ-WRITE") => self.read_only = false,
            // There are none, whatever was said before.
            () if code.is("NOMODSEQ") => self.highest_mod_seq = None,
            () => return false,
        }
        true
    }
}

/// The flags of a list, as text.
pub(super) fn flags(list: &[u8]) -> Vec<String> {
    each_flag(list).map(|flag| String::from_utf8_lossy(&flag).into_owned()).collect()
}

/// The flags of a list. Some servers quote them.
pub(super) fn each_flag(list: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    words(list).map(|flag| match flag {
        [b'"', inside @ .., b'"'] => unescape(inside),
        flag => Cow::Borrowed(flag),
    })
}

/// A mailbox that LIST told of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListEntry {
    /// `\HasChildren`, `\Noselect`, `\Sent`, ..
    pub attributes: Vec<String>,
    /// What separates the levels of the name; none for a flat one.
    pub delimiter: Option<char>,
    /// The name, in UTF-8. One that does not decode is lossily shown; a command takes the entry itself in its place, or
    /// [`MailboxName::raw`](super::MailboxName::raw).
    pub name: String,
    /// The name as the server sent it.
    pub raw: Vec<u8>,
    /// Its status, if [`ListQuery::return_status`](super::ListQuery::return_status) asked for it.
    pub status: Option<MailboxStatus>,
}

impl ListEntry {
    /// Reads `(attributes) "delimiter" name`; none if it is not in that form.
    pub(super) fn parse(rest: &[u8], names: Names, limits: &Limits) -> Result<Option<Self>, Flaw> {
        let mut tokens = Tokens::new(rest, 0, limits);
        let Some(Value::List(attributes)) = tokens.value()? else { return Ok(None) };
        let Some(delimiter) = tokens.delimiter()? else { return Ok(None) };
        let delimiter = delimiter.text().and_then(|text| char::from_u32(u32::from(*text.first()?)));
        // An atom would end at a parenthesis, which some servers do not quote.
        let at = tokens.position();
        let name = tokens.value()?;
        let raw = match name {
            Some(Value::Quoted(_) | Value::Literal(_) | Value::Streamed(0)) => {
                name.as_ref().and_then(Value::text).unwrap_or_default()
            }
            _ => word(rest.get(at..).unwrap_or_default().trim_ascii_end()).0.into(),
        };
        if raw.is_empty() && name.is_none() {
            return Ok(None);
        }
        let name = names.shown(&raw);
        Ok(Some(Self { attributes: flags(attributes), delimiter, name, raw: raw.into_owned(), status: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::Response;
    use super::*;

    fn listed(line: &str) -> Option<ListEntry> {
        ListEntry::parse(line.as_bytes(), Names::Utf7, &Limits::default()).unwrap()
    }

    #[test]
    fn list_entries() {
        let entry = listed(r#"(\HasNoChildren \Sent) "/" "Gesendet &- mehr""#).unwrap();
        assert_eq!(entry.attributes, ["\\HasNoChildren", "\\Sent"]);
        assert_eq!((entry.delimiter, entry.name.as_str()), (Some('/'), "Gesendet & mehr"));
        for (line, delimiter, name) in [
            (r#"() NIL INBOX"#, None, "INBOX"),
            (r#"()  "."  INBOX.x"#, Some('.'), "INBOX.x"),
            (r#"(\Noselect) "\\" INBOX"#, Some('\\'), "INBOX"),
            (r#"(\Noselect) "\" INBOX"#, Some('\\'), "INBOX"),
            (r#"() "\" "INBOX""#, Some('\\'), "INBOX"),
            ("() \"/\" {3}\r\na b", Some('/'), "a b"),
            (r#"() "/" x(1)"#, Some('/'), "x(1)"),
            (r#"(Marked) "/" "a" ("CHILDINFO" ("SUBSCRIBED"))"#, Some('/'), "a"),
            (r#"() "/" """#, Some('/'), ""),
            (r#"() "/" 2024"#, Some('/'), "2024"),
        ] {
            let entry = listed(line).unwrap();
            assert_eq!((entry.delimiter, entry.name.as_str()), (delimiter, name), "{line}");
        }
        assert!(listed("").is_none() && listed("()").is_none() && listed("() \"/\"").is_none());
    }

    #[test]
    fn select_takes_what_it_knows() {
        let mut mailbox = Mailbox::default();
        for (line, taken) in [
            ("* 172 EXISTS", true),
            ("* 1 recent", true),
            ("* OK [UNSEEN 12] Message 12 is first unseen", true),
            ("* OK [UIDVALIDITY 3857529045] UIDs valid", true),
            ("* OK [UIDNEXT 4392]", true),
            ("* OK [HIGHESTMODSEQ 715194045007]", true),
            ("* FLAGS (\"\\\\Answered\"  \\Seen )", true),
            ("* OK [PERMANENTFLAGS (\\Deleted \\*)] Limited", true),
            ("* OK [UIDNEXT -1] odd", true),
            ("* OK [X-UNKNOWN 5] odd", false),
            ("* 3 EXPUNGE", false),
            ("* EXISTS", false),
            ("* OK text", false),
        ] {
            let Response::Untagged(data) = Response::parse(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(mailbox.take(&data), taken, "{line}");
        }
        assert_eq!((mailbox.exists, mailbox.recent, mailbox.unseen), (172, 1, Some(12)));
        assert_eq!((mailbox.uid_validity, mailbox.uid_next), (Some(3_857_529_045), None));
        assert_eq!(mailbox.highest_mod_seq, Some(715_194_045_007));
        assert_eq!(mailbox.flags, ["\\Answered", "\\Seen"]);
        assert_eq!(mailbox.permanent_flags, ["\\Deleted", "\\*"]);
        // RFC 7162, 3.1.2.2: what was said before is not so.
        let Response::Untagged(data) = Response::parse(b"* OK [NOMODSEQ] none") else { panic!() };
        assert!(mailbox.take(&data));
        assert_eq!((mailbox.highest_mod_seq, mailbox.exists), (None, 172));
    }
}
