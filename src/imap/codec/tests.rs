//! Byte tables for the first words of a response.

use super::*;

#[test]
fn first_words() {
    let untagged = |line| match Response::parse(line) {
        Response::Untagged(data) => data,
        other => panic!("{other:?}"),
    };
    let data = untagged(b"*  12  EXISTS  \r\n");
    assert!(data.is("exists", true) && data.number == Some(12) && !data.is("EXISTS", false));
    // A number too large is no number, and the response nothing that is known.
    assert!(untagged(b"* 4294967296 EXISTS\r\n").number.is_none());
    assert_eq!(untagged(b"* SEARCH\r\n").rest, b"");
    assert_eq!(untagged(b"*\r\n").name, b"");
    for (line, text) in [("+ abc\r\n", "abc"), ("+\r\n", ""), ("+ \r\n", "")] {
        let Response::Continue(found) = Response::parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(found, text.as_bytes());
    }
    assert!(matches!(Response::parse(b"\r\n"), Response::Blank));
    assert!(matches!(Response::parse(b"A7 FINE\r\n"), Response::Tagged(None)));
    assert!(matches!(Response::parse(b"A7\r\n"), Response::Tagged(None)));
}

#[test]
fn status_responses() {
    for (line, condition, code, text) in [
        ("OK", Condition::Ok, None, ""),
        ("ok done", Condition::Ok, None, "done"),
        ("NO  [ALERT]  full", Condition::No, Some("ALERT"), "full"),
        ("NO [alert]full", Condition::No, Some("alert"), "full"),
        ("BAD []", Condition::Bad, Some(""), ""),
        ("BAD [", Condition::Bad, None, "["),
        ("OK [READ-WRITE", Condition::Ok, None, "[READ-WRITE"),
        ("OK [UIDNEXT 4392] next", Condition::Ok, Some("UIDNEXT 4392"), "next"),
        ("OK [PERMANENTFLAGS (a \\*)] x", Condition::Ok, Some("PERMANENTFLAGS (a \\*)"), "x"),
        // (Gmail) A flag with brackets and blanks. A parenthesis that is never closed says nothing.
        (
            "OK [PERMANENTFLAGS (\\Seen a-[b c]/d \\*)] x",
            Condition::Ok,
            Some("PERMANENTFLAGS (\\Seen a-[b c]/d \\*)"),
            "x",
        ),
        ("OK [X (a [b] c] d", Condition::Ok, Some("X (a [b"), "c] d"),
        ("OK [X a)] (b)] c", Condition::Ok, Some("X a)"), "(b)] c"),
        ("NO [X \"a]b\"] y", Condition::No, Some("X \"a]b\""), "y"),
        ("NO [X \"a]b y", Condition::No, Some("X \"a"), "b y"),
        ("NO [REFERRAL imap://x/;AUTH=*]", Condition::No, Some("REFERRAL imap://x/;AUTH=*"), ""),
    ] {
        let line = format!("A7 {line}\r\n");
        let Response::Tagged(Some(status)) = Response::parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(status.condition, condition, "{line}");
        assert_eq!(status.code.map(|code| code.whole), code.map(str::as_bytes), "{line}");
        assert_eq!(status.text, text.as_bytes(), "{line}");
    }
    let code = Code::new(b" uidnext  43 x ");
    assert_eq!((code.number("UIDNEXT"), code.number("UNSEEN")), (Some(43), None));
}

#[test]
fn numbers() {
    assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
    for bad in ["", "-1", "+1", "1 ", "x", "18446744073709551616", "1.0"] {
        assert_eq!(number(bad.as_bytes()), None, "{bad}");
    }
}
