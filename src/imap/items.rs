//! The items of a FETCH response (RFC 9051, 7.5.2), found one by one in a frame.

use std::ops::Range;

use super::mailbox::flags;
use super::tokens::{Tokens, Value};
use crate::Limits;
use crate::wire::Flaw;

/// An item, and where in the frame it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: Range<usize>,
    pub(super) kind: Kind,
    /// Where the next one begins.
    pub(super) end: usize,
    /// Where it ends is not to be told, so nothing after it can be read.
    pub(super) broken: bool,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Uid(u32),
    Size(u64),
    Flags(Range<usize>),
    Date(Range<usize>),
    /// A section that follows the frame.
    Stream(u64),
    /// A section in the frame, as it is.
    Held(Range<usize>),
    /// A section in the frame, with escapes.
    Quoted(Range<usize>),
    /// A section that is not there.
    Nil,
    Other(Range<usize>),
}

impl Kind {
    pub(super) fn is_section(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Held(_) | Self::Quoted(_) | Self::Nil)
    }

    fn new(name: &[u8], value: &Value<'_>, spot: Range<usize>) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match value {
            // Whatever its name: what follows the frame must be read or skipped.
            Value::Streamed(size) => Self::Stream(*size),
            Value::Literal(_) if is_section(name) => Self::Held(spot),
            Value::Quoted(_) if is_section(name) => Self::Quoted(spot),
            Value::Atom(nil) if is_section(name) && nil.eq_ignore_ascii_case(b"NIL") => Self::Nil,
            Value::List(_) if is("FLAGS") => Self::Flags(spot),
            Value::Quoted(_) if is("INTERNALDATE") => Self::Date(spot),
            Value::Atom(_) if is("UID") => match value.number().and_then(|uid| u32::try_from(uid).ok()) {
                Some(uid) => Self::Uid(uid),
                None => Self::Other(spot),
            },
            Value::Atom(_) if is("RFC822.SIZE") => value.number().map_or(Self::Other(spot), Self::Size),
            _ => Self::Other(spot),
        }
    }
}

/// `BODY[..]`, `BINARY[..]`, `RFC822` and its parts; not `BODY`, which is a structure.
fn is_section(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    starts(b"BODY[") || starts(b"BINARY[") || is(b"RFC822") || is(b"RFC822.HEADER") || is(b"RFC822.TEXT")
}

impl Found {
    /// The item that begins at the byte `at`; none at the end of the list. `left` is how many tokens may still come.
    pub(super) fn parse(frame: &[u8], at: usize, left: &mut usize, limits: &Limits) -> Result<Option<Self>, Flaw> {
        let mut tokens = Tokens::new(frame, at, limits).with_left(*left);
        let Some(name) = tokens.item_name()? else { return Ok(None) };
        let end = tokens.position();
        let start = end - name.len();
        let found = tokens.value()?;
        *left = tokens.left();
        let end_of_item = tokens.position();
        Ok(Some(match found {
            Some(value) => {
                let spot = tokens.spot(&value);
                let broken = matches!(value, Value::Broken(_));
                Self { name: start..end, kind: Kind::new(name, &value, spot), end: end_of_item, broken }
            }
            None => Self { name: start..end, kind: Kind::Other(end..end), end: end_of_item, broken: true },
        }))
    }
}

/// UID and flags out of a FETCH response that nobody has asked for; none if it tells no flags.
pub(super) fn flags_of(rest: &[u8], limits: &Limits) -> Option<(Option<u32>, Vec<String>)> {
    let (mut at, mut left) = (usize::from(rest.starts_with(b"(")), limits.tokens);
    let (mut uid, mut found) = (None, None);
    while let Ok(Some(item)) = Found::parse(rest, at, &mut left, limits) {
        match item.kind {
            Kind::Uid(number) => uid = Some(number),
            Kind::Flags(list) => found = Some(flags(rest.get(list).unwrap_or_default())),
            _ => {}
        }
        if item.broken {
            break;
        }
        at = item.end;
    }
    found.map(|flags| (uid, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(frame: &str) -> Vec<(String, Kind)> {
        let limits = Limits::default();
        let (mut at, mut left, mut all) = (1, limits.tokens, Vec::new());
        while let Some(item) = Found::parse(frame.as_bytes(), at, &mut left, &limits).unwrap() {
            all.push((frame[item.name.clone()].to_owned(), item.kind.clone()));
            at = item.end;
            if item.broken {
                break;
            }
        }
        all
    }

    #[test]
    fn items_are_typed_or_raw() {
        let frame = "(UID 5 RFC822.SIZE 44827 FLAGS (\\Seen x) INTERNALDATE \"d\" BODY[] \"a\\\"b\" RFC822 {2}\r\nhi \
                     BODY[1] NIL X-GM-MSGID 1278455344230334865 BODY[HEADER.FIELDS (\"A]\" B)]<0> {7}\r\n";
        let found = items(frame);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "UID",
                "RFC822.SIZE",
                "FLAGS",
                "INTERNALDATE",
                "BODY[]",
                "RFC822",
                "BODY[1]",
                "X-GM-MSGID",
                "BODY[HEADER.FIELDS (\"A]\" B)]<0>"
            ]
        );
        let shown: Vec<_> = found
            .iter()
            .map(|(_, kind)| match kind {
                Kind::Flags(r) | Kind::Date(r) | Kind::Held(r) | Kind::Quoted(r) | Kind::Other(r) => {
                    frame[r.clone()].to_owned()
                }
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            ["Uid(5)", "Size(44827)", "(\\Seen x)", "d", "a\\\"b", "hi", "Nil", "1278455344230334865", "Stream(7)"]
        );
    }

    /// Odd values cost themselves: what comes after them is read.
    #[test]
    fn quirks_are_survived() {
        for (frame, last) in [
            ("(UID 5 )", Kind::Uid(5)),
            ("(FLAGS (\\Seen ) UID 7)", Kind::Uid(7)),
            ("(FLAGS () UID 7)", Kind::Uid(7)),
            ("(FLAGS() UID 7)", Kind::Uid(7)),
            ("( UID  7 )", Kind::Uid(7)),
            ("(RFC822.SIZE -1 UID 7)", Kind::Uid(7)),
            ("(RFC822.SIZE 99999999999999999999 UID 7)", Kind::Uid(7)),
            ("(RFC822.SIZE 4294967296)", Kind::Size(4_294_967_296)),
            ("(UID 4294967296 UID 7)", Kind::Uid(7)),
            ("(FLAGS NIL UID 7)", Kind::Uid(7)),
            ("(ENVELOPE (NIL NIL () ((NIL NIL \"a\" NIL)) \"\u{fc}\") UID 7)", Kind::Uid(7)),
            ("(BODY (NIL \"MIXED\") UID 7)", Kind::Uid(7)),
            ("(BODYSTRUCTURE (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" -1 -1 NIL \"inline\" NIL) UID 7)", Kind::Uid(7)),
            ("(X-GM-LABELS (\"a b\" {3}\r\nx(y \\Inbox) UID 7)", Kind::Uid(7)),
            ("(X-UNKNOWN[x y]<1.2> foo UID 7)", Kind::Uid(7)),
            ("(PREVIEW \"\" EMAILID (M1) SAVEDATE NIL MODSEQ (12) UID 7)", Kind::Uid(7)),
        ] {
            assert_eq!(items(frame).last().unwrap().1, last, "{frame}");
        }
    }

    #[test]
    fn what_has_no_end_is_raw_and_the_last() {
        for frame in ["(ENVELOPE (\"a\" UID 7)\r\n", "(ENVELOPE \"a UID 7)\r\n", "(ENVELOPE", "(X (BODY[] {5}\r\n"] {
            assert!(matches!(items(frame).last().unwrap().1, Kind::Other(_)), "{frame}");
        }
        assert!(items("()").is_empty() && items("(").is_empty() && items("").is_empty() && items("())))").is_empty());
    }

    #[test]
    fn unsolicited_flags() {
        let limits = Limits::default();
        let seen = |uid| Some((uid, vec!["\\Seen".to_owned()]));
        assert_eq!(flags_of(b"(FLAGS (\\Seen) UID 3)", &limits), seen(Some(3)));
        assert_eq!(flags_of(b"(UID x FLAGS (\\Seen))", &limits), seen(None));
        assert_eq!(flags_of(b"(UID 3)", &limits), None);
        assert_eq!(flags_of(b"", &limits), None);
    }
}
