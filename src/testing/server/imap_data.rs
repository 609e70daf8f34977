//! What IMAP commands ask for and how it is answered: sets, flags, FETCH items, SEARCH keys (RFC 3501 sections 6.4.4 to
//! 6.4.6). It does no input or output.

use std::collections::BTreeSet;

use super::imap_parse::Value;
use super::store::Message;

/// A set of numbers as it was written; none stands for `*`. Ranges stay ranges.
pub(super) struct Set(Vec<(Option<u32>, Option<u32>)>);

impl Set {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bound = |text: &str| match text {
            "*" => Some(None),
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().filter(|n| *n > 0).map(Some),
            _ => None,
        };
        let range = |text: &str| {
            let (from, to) = text.split_once(':').unwrap_or((text, text));
            Some((bound(from)?, bound(to)?))
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    /// Whether `number` is in it, where `*` is `last`.
    pub(super) fn contains(&self, number: u32, last: u32) -> bool {
        self.0.iter().any(|(from, to)| {
            let (from, to) = (from.unwrap_or(last), to.unwrap_or(last));
            (from.min(to)..=from.max(to)).contains(&number)
        })
    }

    /// Whether it names a message beyond `last`, which RFC 3501 calls an error for sequence numbers.
    pub(super) fn exceeds(&self, last: u32) -> bool {
        self.0.iter().any(|(from, to)| from.zip(*to).is_some_and(|(from, to)| from.max(to) > last))
    }
}

/// A list of flags, or one alone. System flags get the spelling of the RFC.
pub(super) fn flags(values: &[Value]) -> Option<BTreeSet<String>> {
    const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    let flag = |value: &Value| {
        let flag = value.atom()?;
        match SYSTEM.iter().find(|name| name.eq_ignore_ascii_case(flag)) {
            Some(name) => Some((*name).to_owned()),
            None => (!flag.contains(['\\', '%', '*', '[', ']'])).then(|| flag.to_owned()),
        }
    };
    values.iter().flat_map(Value::values).map(flag).collect()
}

pub(super) fn flag_list(flags: &BTreeSet<String>) -> String {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    format!("({})", flags.join(" "))
}

/// Something that FETCH can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Flags,
    Uid,
    Size,
    Date,
    Section { label: String, section: Section, peek: bool, partial: Option<(usize, usize)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Whole,
    Header,
    Text,
}

impl Section {
    pub(super) fn of(self, message: &[u8]) -> &[u8] {
        let (header, text) = message.split_at_checked(header_end(message)).unwrap_or((message, &[]));
        match self {
            Self::Whole => message,
            Self::Header => header,
            Self::Text => text,
        }
    }
}

impl Item {
    pub(super) fn parse_all(value: &Value) -> Option<Vec<Self>> {
        if value.atom().is_some_and(|atom| atom.eq_ignore_ascii_case("FAST")) {
            return Some(vec![Self::Flags, Self::Date, Self::Size]);
        }
        let items: Vec<Self> = value.values().iter().map(|value| Self::parse(value.atom()?)).collect::<Option<_>>()?;
        (!items.is_empty()).then_some(items)
    }

    fn parse(atom: &str) -> Option<Self> {
        let atom = atom.to_ascii_uppercase();
        let old = |section, peek| Self::Section { label: atom.clone(), section, peek, partial: None };
        match atom.as_str() {
            "FLAGS" => return Some(Self::Flags),
            "UID" => return Some(Self::Uid),
            "RFC822.SIZE" => return Some(Self::Size),
            "INTERNALDATE" => return Some(Self::Date),
            "RFC822" => return Some(old(Section::Whole, false)),
            "RFC822.HEADER" => return Some(old(Section::Header, true)),
            "RFC822.TEXT" => return Some(old(Section::Text, false)),
            _ => {}
        }
        let (name, rest) = atom.split_once('[')?;
        let peek = matches!(name, "BODY.PEEK");
        let (section, partial) = rest.split_once(']')?;
        let section = match section {
            "" => Section::Whole,
            "HEADER" => Section::Header,
            "TEXT" => Section::Text,
            _ => return None,
        };
        let partial = if partial.is_empty() { None } else { Some(parse_partial(partial)?) };
        let label = rest.split_once(']').map_or("", |(section, _)| section);
        let origin = partial.map_or(String::new(), |(from, _)| format!("<{from}>"));
        let label = format!("BODY[{label}]{origin}");
        (peek || name == "BODY").then_some(Self::Section { label, section, peek, partial })
    }

    /// True if asking for it marks the message as seen.
    pub(super) fn sees(&self) -> bool {
        matches!(self, Self::Section { peek: false, .. })
    }
}

/// `<from.count>`; a count of zero is none.
fn parse_partial(text: &str) -> Option<(usize, usize)> {
    let (from, count) = text.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
    Some((from.parse().ok()?, count.parse().ok().filter(|count| *count > 0)?))
}

pub(super) fn part(bytes: &[u8], partial: Option<(usize, usize)>) -> &[u8] {
    let Some((from, count)) = partial else { return bytes };
    let rest = bytes.get(from..).unwrap_or_default();
    rest.get(..count).unwrap_or(rest)
}

/// A condition of SEARCH.
pub(super) enum Key {
    All,
    Seen(bool),
    Header(&'static str, Vec<u8>),
    Uid(Set),
    Sequence(Set),
}

impl Key {
    pub(super) fn parse_all(values: &[Value]) -> Option<Vec<Self>> {
        let mut values = values.iter();
        let mut keys = Vec::new();
        while let Some(value) = values.next() {
            let name = value.atom()?.to_ascii_uppercase();
            keys.push(match name.as_str() {
                "ALL" => Self::All,
                "SEEN" => Self::Seen(true),
                "UNSEEN" => Self::Seen(false),
                "SUBJECT" => Self::Header("subject", values.next()?.bytes()?.to_ascii_lowercase()),
                "FROM" => Self::Header("from", values.next()?.bytes()?.to_ascii_lowercase()),
                "UID" => Self::Uid(Set::parse(values.next()?.atom()?)?),
                _ => Self::Sequence(Set::parse(&name)?),
            });
        }
        (!keys.is_empty()).then_some(keys)
    }

    /// `number` is the message's sequence number; `last` and `last_uid` are those of the last message.
    pub(super) fn matches(&self, message: &Message, number: u32, last: u32, last_uid: u32) -> bool {
        match self {
            Self::All => true,
            Self::Seen(seen) => message.flags.contains("\\Seen") == *seen,
            Self::Header(name, text) => header_contains(&message.body, name, text),
            Self::Uid(set) => set.contains(message.uid, last_uid),
            Self::Sequence(set) => set.contains(number, last),
        }
    }
}

/// Where the body begins: behind the empty line, or at the end.
fn header_end(message: &[u8]) -> usize {
    let mut at = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    at
}

/// Whether a header field of that name has `wanted` (in lower case) in its value, folded lines joined.
fn header_contains(message: &[u8], name: &str, wanted: &[u8]) -> bool {
    let header = String::from_utf8_lossy(Section::Header.of(message)).to_ascii_lowercase();
    let header = header.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let wanted = String::from_utf8_lossy(wanted);
    let fields = header.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().any(|(field, value)| field.trim_end() == name && value.contains(&*wanted))
}

/// Whether the pattern of LIST names INBOX. Both wildcards mean the same here: there is no hierarchy.
pub(super) fn lists_inbox(pattern: &str) -> bool {
    let pattern = pattern.to_ascii_uppercase();
    let mut reachable = vec![true, false, false, false, false, false];
    for letter in pattern.chars() {
        if matches!(letter, '*' | '%') {
            let first = reachable.iter().position(|reached| *reached).unwrap_or(reachable.len());
            reachable.iter_mut().skip(first).for_each(|reached| *reached = true);
        } else {
            let steps = "INBOX".chars().zip(&reachable).map(|(wanted, reached)| *reached && wanted == letter);
            reachable = std::iter::once(false).chain(steps).collect();
        }
    }
    reachable.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_ranges() {
        let set = Set::parse("2,4:*").unwrap();
        let numbers = |last: u32| (1..=last).filter(|n| set.contains(*n, last)).collect::<Vec<_>>();
        assert_eq!(numbers(6), [2, 4, 5, 6]);
        assert_eq!(numbers(3), [2, 3]);
        assert!(Set::parse("*:1").unwrap().contains(2, 3));
        assert!(Set::parse("5").unwrap().exceeds(4) && !Set::parse("5:*").unwrap().exceeds(4));
        for text in ["", "0", "a", "1:", ":1", "1,,2", "+1", "-1", "4294967296"] {
            assert!(Set::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn items_and_sections() {
        let items = |text: &str| Item::parse_all(&Value::Atom(text.to_owned()));
        let Some([Item::Section { label, section: Section::Header, peek: true, partial: Some((2, 5)) }]) =
            items("body.peek[header]<2.5>").as_deref().map(|items| <[Item; 1]>::try_from(items.to_vec()).unwrap())
        else {
            panic!("not understood");
        };
        assert_eq!(label, "BODY[HEADER]<2>");
        for text in ["BODY", "BODY[1]", "BODY[]<1.0>", "BODY[]x", "ENVELOPE", "XBODY[]"] {
            assert_eq!(items(text), None, "{text}");
        }
        let message = b"A: b\r\n\r\ntext\r\n\r\n";
        assert_eq!(Section::Header.of(message), b"A: b\r\n\r\n");
        assert_eq!(Section::Text.of(message), b"text\r\n\r\n");
        assert_eq!(Section::Header.of(b"A: b"), b"A: b");
        assert_eq!(part(b"abcdef", Some((2, 3))), b"cde");
        assert_eq!(part(b"abc", Some((2, 3))), b"c");
        assert_eq!(part(b"abc", Some((9, 3))), b"");
    }

    #[test]
    fn header_search_joins_folded_lines() {
        let message = b"From: Ann <ann@example.org>\r\nSubject: Hello\r\n world\r\n\r\nSubject: other\r\n";
        assert!(header_contains(message, "subject", b"hello world"));
        assert!(!header_contains(message, "subject", b"other"));
        assert!(header_contains(message, "from", b"ann@"));
    }

    #[test]
    fn patterns() {
        for pattern in ["INBOX", "inbox", "*", "%", "IN*", "*X", "I%B*", "**", "INBOX*"] {
            assert!(lists_inbox(pattern), "{pattern}");
        }
        for pattern in ["", "IN", "*Y", "INBOX/%", "X*"] {
            assert!(!lists_inbox(pattern), "{pattern}");
        }
    }
}
