//! A table of codes, each typed or as it was sent.

use super::*;

fn set(text: &str) -> SequenceSet {
    SequenceSet::as_sent(text.as_bytes()).unwrap()
}

fn other(name: &str, value: &[u8]) -> ResponseCode {
    ResponseCode::Other { name: name.to_owned(), value: value.to_vec() }
}

#[test]
fn plain_codes_go_there_and_back() {
    for (name, code) in PLAIN {
        assert_eq!(ResponseCode::parse(name.as_bytes()), *code);
        assert_eq!(ResponseCode::parse(name.to_ascii_lowercase().as_bytes()), *code);
        assert_eq!(ResponseCode::parse(format!("  {name}  odd \u{fc} ").as_bytes()), *code);
        assert_eq!((code.name(), format!("{code:?}")), (*name, (*name).to_owned()));
    }
}

#[test]
fn codes_with_values() {
    let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let table = [
        ("UIDNEXT 4392", ResponseCode::UidNext(4392)),
        ("UIDVALIDITY 3857529045 x", ResponseCode::UidValidity(3_857_529_045)),
        ("UNSEEN  12", ResponseCode::Unseen(12)),
        ("HIGHESTMODSEQ 18446744073709551615", ResponseCode::HighestModSeq(u64::MAX)),
        ("PERMANENTFLAGS (\\Deleted  \\* )", ResponseCode::PermanentFlags(strings(&["\\Deleted", "\\*"]))),
        ("PERMANENTFLAGS ()", ResponseCode::PermanentFlags(vec![])),
        ("BADCHARSET", ResponseCode::BadCharset(vec![])),
        ("BADCHARSET (UTF-8 \"US-ASCII\")", ResponseCode::BadCharset(strings(&["UTF-8", "US-ASCII"]))),
        ("BADCHARSET ({5}\r\nUTF-8)", ResponseCode::BadCharset(strings(&["UTF-8"]))),
        ("MAILBOXID (F2212ea8-7)", ResponseCode::MailboxId("F2212ea8-7".to_owned())),
        ("MODIFIED 7,9:12", ResponseCode::Modified(set("7,9:12"))),
        ("REFERRAL imap://x/;AUTH=*", ResponseCode::Referral("imap://x/;AUTH=*".to_owned())),
        ("WEBALERT https://x/y z", ResponseCode::WebAlert("https://x/y z".to_owned())),
        ("NEWNAME \"a b\" c", ResponseCode::NewName { old: "a b".to_owned(), new: "c".to_owned() }),
        ("APPENDUID 38505 3955", ResponseCode::AppendUid { validity: 38_505, uids: set("3955") }),
        ("APPENDUID 1 3955:3957,9", ResponseCode::AppendUid { validity: 1, uids: set("3955:3957,9") }),
        (
            "COPYUID 38505 304,319:320 3956:3958",
            ResponseCode::CopyUid(CopyUid::new(38_505, set("304,319:320"), set("3956:3958"))),
        ),
    ];
    for (text, code) in table {
        assert_eq!(ResponseCode::parse(text.as_bytes()), code, "{text}");
        assert_eq!(code.name(), text.split(' ').next().unwrap());
        assert!(format!("{code:?}").starts_with(code.name()));
    }
    let ResponseCode::Capability(found) = ResponseCode::parse(b"CAPABILITY IMAP4rev1  IDLE ") else { panic!() };
    assert_eq!(found.iter().collect::<Vec<_>>(), ["IMAP4REV1", "IDLE"]);
}

/// A value that cannot be read costs that value.
#[test]
fn odd_codes_stay_as_they_were_sent() {
    for (text, name, value) in [
        (&b""[..], "", &b""[..]),
        (b"X-Odd \"a]b\" (c", "X-ODD", b"\"a]b\" (c"),
        (b"b\xfccher \xfc", "B\u{fffd}CHER", b"\xfc"),
        (b"UIDNEXT", "UIDNEXT", b""),
        (b"UIDNEXT -1", "UIDNEXT", b"-1"),
        (b"UIDVALIDITY 4294967296", "UIDVALIDITY", b"4294967296"),
        (b"UNSEEN (1)", "UNSEEN", b"(1)"),
        (b"HIGHESTMODSEQ 18446744073709551616", "HIGHESTMODSEQ", b"18446744073709551616"),
        (b"APPENDUID 1", "APPENDUID", b"1"),
        (b"APPENDUID 1 1:*", "APPENDUID", b"1 1:*"),
        (b"COPYUID 1 2", "COPYUID", b"1 2"),
        (b"COPYUID 1 1:* 1:*", "COPYUID", b"1 1:* 1:*"),
        (b"COPYUID 1 0 5", "COPYUID", b"1 0 5"),
        (b"COPYUID  ", "COPYUID", b""),
        (b"MODIFIED ()", "MODIFIED", b"()"),
        (b"MAILBOXID ()", "MAILBOXID", b"()"),
        (b"MAILBOXID (\"x", "MAILBOXID", b"(\"x"),
        (b"NEWNAME a", "NEWNAME", b"a"),
        (b"REFERRAL", "REFERRAL", b""),
        (b"THROTTLED", "THROTTLED", b""),
        (b"METADATA LONGENTRIES 2199", "METADATA", b"LONGENTRIES 2199"),
    ] {
        let code = ResponseCode::parse(text);
        assert_eq!(code, other(name, value), "{text:?}");
        assert_eq!(code.name(), name);
    }
    assert_eq!(format!("{:?}", other("X", b"\xfc1")), "X(\"\u{fffd}1\")");
    let many = [b"CAPABILITY".to_vec(), b" x".repeat(1_001)].concat();
    assert_eq!(ResponseCode::parse(&many).name(), "CAPABILITY");
    let deep = [b"BADCHARSET ".to_vec(), b"(".repeat(10_000)].concat();
    assert_eq!(ResponseCode::parse(&deep), ResponseCode::BadCharset(vec![]));
}

/// A server may claim four thousand million messages in twenty bytes.
#[test]
fn rule_12_copied_sets_are_not_expanded() {
    let ResponseCode::CopyUid(all) = ResponseCode::parse(b"COPYUID 1 1:4294967295 1:4294967295") else { panic!() };
    assert_eq!(all.destination_of(u32::MAX), Some(u32::MAX));
    let ResponseCode::CopyUid(few) = ResponseCode::parse(b"COPYUID 1 304,319:320,5 3956:3958") else { panic!() };
    let found: Vec<_> = [304, 319, 320, 5, 6].map(|uid| few.destination_of(uid)).into();
    assert_eq!(found, [Some(3956), Some(3957), Some(3958), None, None]);
}
