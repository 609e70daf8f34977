//! Envelopes as servers send them, whole and odd.

use super::*;

fn parse(raw: &str) -> Envelope<'_> {
    Envelope::parse(raw.as_bytes()).unwrap_or_else(|| panic!("{raw}"))
}

fn shown(addresses: Addresses<'_>) -> Vec<String> {
    let part = |text: &Option<Text<'_>>| text.as_ref().map_or("-".to_owned(), ToString::to_string);
    addresses.map(|a| format!("{} {} {} {}", part(&a.name), part(&a.route), part(&a.mailbox), part(&a.host))).collect()
}

/// The example of RFC 9051, 7.5.2, with strings of every kind.
#[test]
fn all_fields() {
    let envelope = parse(
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" {36}\r\nIMAP4rev1 WG mtg summary and minutes ((\"Terry \\\"T\\\" Gray\" \
         NIL gray ~{18}\r\ncac.washington.edu)) ((s NIL \"s\" \"x\"))((NIL \"@a,@b\" \"r\" \"x\")(NIL NIL \"q\" \"x\")) \
         ((NIL NIL \"imap\" \"cac.washington.edu\")) ((NIL NIL \"c\" \"x\")) ((NIL NIL \"b\" \"x\")) \"<in@x>\" \
         \"<B27397-0100000@cac.washington.edu>\")",
    );
    assert_eq!(envelope.date().unwrap(), "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)");
    assert_eq!(envelope.subject().unwrap(), "IMAP4rev1 WG mtg summary and minutes");
    assert_eq!(shown(envelope.from()), ["Terry \"T\" Gray - gray cac.washington.edu"]);
    assert_eq!(envelope.from().next().unwrap().address().unwrap(), "gray@cac.washington.edu");
    assert_eq!(shown(envelope.sender()), ["s - s x"]);
    assert_eq!(shown(envelope.reply_to()), ["- @a,@b r x", "- - q x"]);
    assert_eq!(shown(envelope.to()), ["- - imap cac.washington.edu"]);
    assert_eq!(shown(envelope.cc()), ["- - c x"]);
    assert_eq!(shown(envelope.bcc()), ["- - b x"]);
    assert_eq!(envelope.in_reply_to().unwrap(), "<in@x>");
    assert_eq!(envelope.message_id().unwrap(), "<B27397-0100000@cac.washington.edu>");
    let kept = envelope.clone().into_owned();
    assert_eq!(kept, envelope);
    assert!(format!("{kept:?}").contains("mailbox: Some(\"imap\")"));
    let address: Address<'static> = kept.from().next().unwrap().into_owned();
    assert_eq!(address.host.unwrap(), "cac.washington.edu");
}

#[test]
fn groups_have_a_start_and_an_end() {
    let envelope = parse("(NIL NIL NIL NIL NIL ((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)))");
    let kinds: Vec<_> = envelope.to().map(|a| (a.begins_group(), a.ends_group(), a.address())).collect();
    assert_eq!(kinds, [(true, false, None), (false, false, Some("a@x".to_owned())), (false, true, None)]);
}

/// What costs other readers the envelope or the connection.
#[test]
fn quirks_cost_a_field_at_most() {
    let table: &[(&str, &str, &[&str], Option<&str>)] = &[
        // (Gmail, rust-imap #166) An empty list instead of NIL.
        ("(\"d\" \"s\" () () () () () () NIL \"i\")", "s", &[], Some("i")),
        // (Domino) A string instead of an empty list.
        ("(\"d\" \"s\" \"\" NIL NIL NIL NIL NIL NIL \"i\")", "s", &[], Some("i")),
        // (MailKit #669, #932) The last fields are missing.
        ("(\"d\" \"s\" ((NIL NIL a b)) NIL NIL NIL NIL NIL \"r\")", "s", &["- - a b"], None),
        ("(\"d\" \"s\")", "s", &[], None),
        // (Exchange) Double blanks, and one before the end.
        ("(\"d\"  \"s\" (( NIL NIL  a b ) ) NIL NIL NIL NIL NIL NIL \"i\" )", "s", &["- - a b"], Some("i")),
        // An address that is too short, too long, no list, or a list in a list.
        (
            "(NIL s ((a b) (NIL NIL c d e f) x NIL ((q)) (NIL NIL y z)) NIL)",
            "s",
            &["a b - -", "- - c d", "- - - -", "- - y z"],
            None,
        ),
        // (Zimbra) Quotes that are not escaped.
        (
            "(\"d\" \"a \"b\" c\" ((\"\"x\" y\" NIL \"=?q?\"m\"?=\" \"h\")) NIL NIL NIL NIL NIL NIL \"i\")",
            "a \"b\" c",
            &["\"x\" y - =?q?\"m\"?= h"],
            Some("i"),
        ),
        // The same with one of them, in a subject and in the name that all addresses have.
        (
            "(\"d\" \"24.\"-Monitor\" ((\"24.\"-M\" NIL \"12345\" \"h\")) ((\"24.\"-M\" NIL \"12345\" \"h\")) NIL ((\"x y UID 99 z\" NIL \"m\" \"h\")) \
             NIL NIL NIL \"i\")",
            "24.\"-Monitor",
            &["24.\"-M - 12345 h"],
            Some("i"),
        ),
        // (MailKit #1369) A literal that was counted in characters.
        (
            "(\"d\" {5}\r\nпочта (({5}\r\nИ \"к\" NIL \"m\" \"h\")) NIL NIL NIL NIL NIL NIL \"i\")",
            "почта",
            &["И \"к\" - m h"],
            Some("i"),
        ),
        // One that then seems to end with a word.
        (
            "(\"d\" s (({6}\r\nжук до NIL \"m\" \"h\")({6}\r\nжук \"a\" (b) c NIL \"m\" \"h\")({6}\r\nжук NIL)) NIL)",
            "s",
            &["жук до - m h", "жук \"a\" (b) c - m h", "жук - - -"],
            None,
        ),
        // A list where a string should be.
        ("(NIL (s) ((NIL NIL (m) h)) NIL NIL NIL NIL NIL NIL (i))", "-", &["- - - h"], None),
        // More than there should be.
        ("(NIL s NIL NIL NIL NIL NIL NIL NIL i x (y) z)", "s", &[], Some("i")),
        ("()", "-", &[], None),
    ];
    for (raw, subject, from, id) in table {
        let envelope = parse(raw);
        let text = |text: Option<Text<'_>>| text.map(|text| text.to_string());
        assert_eq!(text(envelope.subject()).as_deref().unwrap_or("-"), *subject, "{raw}");
        assert_eq!(shown(envelope.from()), *from, "{raw}");
        assert_eq!(text(envelope.message_id()).as_deref(), *id, "{raw}");
    }
    for raw in ["", "NIL", "x", "\"s\"", "(", "(NIL", "(\"d\" \"s", "(NIL {9}\r\ns)", "(NIL ((NIL NIL"] {
        assert_eq!(Envelope::parse(raw.as_bytes()), None, "{raw}");
    }
}

/// Latin-1, and UTF-8 where nobody asked for it (Yandex, QQ), are bytes like others.
#[test]
fn text_need_not_be_utf_8() {
    let envelope = Envelope::parse(b"(NIL \"M\xfcll\" ((\"\xc3\xa9\" NIL \"\xe9\" \"x\")) NIL)").unwrap();
    let subject = envelope.subject().unwrap();
    assert_eq!((subject.as_bytes(), subject.to_str()), (&b"M\xfcll"[..], None));
    assert_eq!((subject.to_string().as_str(), format!("{subject:?}").as_str()), ("M\u{fffd}ll", "\"M\u{fffd}ll\""));
    assert_eq!(subject.as_ref(), subject.clone().into_owned().as_bytes());
    let from = envelope.from().next().unwrap();
    assert_eq!(from.name.as_ref().unwrap().to_str(), Some("é"));
    assert_eq!(from.address().unwrap(), "\u{fffd}@x");
    assert!(from.host.unwrap().is("X"));
}
