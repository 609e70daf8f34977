//! Items as servers send them, whole and odd: an odd value costs itself, and what comes after it is read.

use super::super::section::Item;
use super::super::{BodyStructure, Envelope};
use super::*;

/// A line an item; what FETCH would give as a section is shown by its kind.
fn items(frame: impl AsRef<[u8]>) -> Vec<String> {
    let (frame, limits) = (frame.as_ref(), Limits::default());
    let (mut at, mut budget, mut all) = (1, Budget::new(&limits), Vec::new());
    while let Some(item) = Found::parse(frame, at, &mut budget).unwrap() {
        let text = |range: Range<usize>| String::from_utf8_lossy(&frame[range]).into_owned();
        let raw = |range| format!("raw {}", text(range));
        let shown = match item.kind.clone() {
            Kind::Number(kind, number) => format!("{:?}", Item::numbered(kind, number)),
            Kind::Value(kind, range) => match Item::valued(kind, &frame[range.clone()]) {
                Some(item) => format!("{item:?}"),
                None => raw(range),
            },
            Kind::Envelope(fields, range) => format!("{:?}", Envelope::found(&frame[range], fields)),
            Kind::Structure(parts, range) => format!("Structure({:?})", BodyStructure::found(&frame[range], parts)),
            Kind::Other(range) => raw(range),
            Kind::Held(range) | Kind::Quoted(range) => format!("section {}", text(range)),
            other => format!("{other:?}"),
        };
        all.push(format!("{} {shown}", text(item.name.clone())));
        at = item.end;
        if item.open.is_some() {
            break;
        }
    }
    all
}

#[test]
fn items_are_typed_or_raw() {
    let frame = "(UID 5 RFC822.SIZE 44827 FLAGS (\\Seen x) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[] \"a\\\"b\" \
                 RFC822 {2}\r\nhi BODY[1] NIL MODSEQ (65402) EMAILID (M6d99) THREADID (T64b) threadid NIL X-GM-MSGID \
                 1278455344230334865 X-GM-THRID 12 X-GM-LABELS (\\Inbox \"a b\" &APw- {1}\r\nx) PREVIEW \"Hi\" PREVIEW NIL \
                 SAVEDATE \"01-Jan-1970 00:00:00 +0000\" SAVEDATE NIL BODY (\"a\" \"b\" NIL NIL NIL \"c\" 7) BINARY.SIZE[1] 5 \
                 BODY[HEADER.FIELDS (\"A]\" B)]<0> {7}\r\n";
    assert_eq!(
        items(frame),
        [
            "UID Uid(5)",
            "RFC822.SIZE Size(44827)",
            "FLAGS Flags([\"\\\\Seen\", \"x\"])",
            "INTERNALDATE InternalDate(17-Jul-1996 02:44:25 -0700)",
            "BODY[] section a\\\"b",
            "RFC822 section hi",
            "BODY[1] Nil",
            "MODSEQ ModSeq(65402)",
            "EMAILID EmailId(\"M6d99\")",
            "THREADID ThreadId(Some(\"T64b\"))",
            "threadid ThreadId(None)",
            "X-GM-MSGID GmailMessageId(1278455344230334865)",
            "X-GM-THRID GmailThreadId(12)",
            "X-GM-LABELS GmailLabels([\"\\\\Inbox\", \"a b\", \"ü\", \"x\"])",
            "PREVIEW Preview(Some(\"Hi\"))",
            "PREVIEW Preview(None)",
            "SAVEDATE SaveDate(Some(DateTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, offset: 0 }))",
            "SAVEDATE SaveDate(None)",
            "BODY Structure([1: a/b, 7 octets])",
            "BINARY.SIZE[1] raw 5",
            "BODY[HEADER.FIELDS (\"A]\" B)]<0> Stream(7)",
        ]
    );
    assert!(items("(ENVELOPE (NIL \"s\" NIL))")[0].starts_with("ENVELOPE Envelope { date: None, subject: Some(\"s\")"));
}

/// Each with the server that has sent it, as far as that is known.
#[test]
fn quirks_are_survived() {
    let table: &[(&str, &[&str])] = &[
        // QQ: a blank before the end.
        ("(UID 5 )", &["UID Uid(5)"]),
        ("(FLAGS (\\Seen ) UID 7)", &["FLAGS Flags([\"\\\\Seen\"])", "UID Uid(7)"]),
        // Domino: parentheses around single items.
        ("(UID 5 (RFC822.SIZE 6) FLAGS ())", &["UID Uid(5)", "RFC822.SIZE Size(6)", "FLAGS Flags([])"]),
        ("((UID 5) (FLAGS ()))", &["UID Uid(5)", "FLAGS Flags([])"]),
        // Yandex: nothing where an empty part should be.
        ("(BODY[2] )", &["BODY[2] Nil"]),
        ("(BODY[2])", &["BODY[2] Nil"]),
        ("(X-FOO) UID 7", &["X-FOO raw ", "UID Uid(7)"]),
        // Blanks where none should be, and none where one should be.
        ("( UID  7 )", &["UID Uid(7)"]),
        ("(UID\t7\t)", &["UID Uid(7)"]),
        ("(FLAGS() UID 7)", &["FLAGS Flags([])", "UID Uid(7)"]),
        ("(FLAGS (a)UID 7)", &["FLAGS Flags([\"a\"])", "UID Uid(7)"]),
        // Numbers that are none.
        ("(RFC822.SIZE -1 UID 7)", &["RFC822.SIZE raw -1", "UID Uid(7)"]),
        ("(RFC822.SIZE 99999999999999999999 UID 7)", &["RFC822.SIZE raw 99999999999999999999", "UID Uid(7)"]),
        ("(RFC822.SIZE 4294967296)", &["RFC822.SIZE Size(4294967296)"]),
        ("(UID 4294967296 UID 7)", &["UID raw 4294967296", "UID Uid(7)"]),
        ("(UID NIL MODSEQ 5 MODSEQ () UID 7)", &["UID raw NIL", "MODSEQ ModSeq(5)", "MODSEQ raw ()", "UID Uid(7)"]),
        // Values of another kind.
        ("(FLAGS NIL UID 7)", &["FLAGS raw NIL", "UID Uid(7)"]),
        ("(X-GM-LABELS NIL EMAILID NIL UID 7)", &["X-GM-LABELS raw NIL", "EMAILID raw NIL", "UID Uid(7)"]),
        ("(EMAILID M1 UID 7)", &["EMAILID EmailId(\"M1\")", "UID Uid(7)"]),
        ("(PREVIEW (x) SAVEDATE 5 UID 7)", &["PREVIEW raw (x)", "SAVEDATE raw 5", "UID Uid(7)"]),
        ("(ENVELOPE NIL BODYSTRUCTURE NIL UID 7)", &["ENVELOPE raw NIL", "BODYSTRUCTURE raw NIL", "UID Uid(7)"]),
        ("(BODY[] (x) UID 7)", &["BODY[] raw (x)", "UID Uid(7)"]),
        // Dates that are none.
        ("(INTERNALDATE \"1-Jan-70\" UID 7)", &["INTERNALDATE raw \"1-Jan-70\"", "UID Uid(7)"]),
        ("(INTERNALDATE NIL UID 7)", &["INTERNALDATE raw NIL", "UID Uid(7)"]),
        // Names that nobody knows, with brackets and lists.
        ("(X-UNKNOWN[x y]<1.2> foo UID 7)", &["X-UNKNOWN[x y]<1.2> raw foo", "UID Uid(7)"]),
        ("(X-LIST (a (b {1}\r\n) \")\")) UID 7)", &["X-LIST raw (a (b {1}\r\n) \")\"))", "UID Uid(7)"]),
        (
            "(ANNOTATION (/comment (value.priv \"x\")) UID 7)",
            &["ANNOTATION raw (/comment (value.priv \"x\"))", "UID Uid(7)"],
        ),
    ];
    for (frame, expected) in table {
        assert_eq!(items(frame), *expected, "{frame}");
    }
    // Latin-1 in a quoted string, and in a name.
    assert_eq!(
        items(b"(PREVIEW \"\xe9\" X-\xe9 \xe9 UID 7)"),
        ["PREVIEW Preview(Some(\"\u{fffd}\"))", "X-\u{fffd} raw \u{fffd}", "UID Uid(7)"]
    );
    // A structure that is too deep costs itself.
    let deep = format!("(BODYSTRUCTURE {}{} UID 7)", "(".repeat(65), ")".repeat(65));
    assert_eq!(items(deep).last().unwrap(), "UID Uid(7)");
}

#[test]
fn what_has_no_end_is_raw_and_the_last() {
    for frame in ["(ENVELOPE (\"a\" UID 7\r\n", "(ENVELOPE \"a UID 7)\r\n", "(X (BODY[] {5}\r\n", "(BODY[] \"a UID 7)"]
    {
        let found = items(frame);
        assert!(found.len() == 1 && found[0].contains(" raw "), "{found:?}");
    }
    assert_eq!(items("(ENVELOPE"), ["ENVELOPE raw "]);
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
