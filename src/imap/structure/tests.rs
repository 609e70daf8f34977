//! Structures as servers send them, whole and odd.

use super::*;

/// A line a part: its section, its type, and all that it has.
fn told(raw: &str) -> Vec<String> {
    let structure = BodyStructure::parse(raw.as_bytes()).unwrap_or_else(|| panic!("{raw}"));
    structure.parts().map(|part| describe(&part)).collect()
}

fn describe(part: &BodyPart<'_>) -> String {
    let mut all = format!("[{}] {}/{}", part.section(), part.media_type(), part.subtype());
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.push_str(&format!(" {name}={value}"));
        }
    };
    let text = |text: Option<Text<'_>>| text.map(|text| text.to_string());
    for (name, value) in part.parameters().iter() {
        add(&name.to_string(), Some(value.to_string()));
    }
    add("id", text(part.id()));
    add("description", text(part.description()));
    add("encoding", text(part.encoding()));
    add("octets", part.octets().map(|n| n.to_string()));
    add("lines", part.lines().map(|n| n.to_string()));
    add("subject", part.envelope().and_then(|envelope| text(envelope.subject())));
    add("md5", text(part.md5()));
    if let Some(disposition) = part.disposition() {
        add("disposition", Some(disposition.kind.to_string()));
        for (name, value) in disposition.parameters.iter() {
            add(&name.to_string(), Some(value.to_string()));
        }
    }
    for language in part.languages() {
        add("language", Some(language.to_string()));
    }
    add("location", text(part.location()));
    for extension in part.extensions() {
        add("extension", Some(String::from_utf8_lossy(extension).into_owned()));
    }
    all
}

const ENVELOPE: &str = "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)";

#[test]
fn parts_of_every_kind() {
    assert_eq!(
        told("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") \"<i>\" {1}\r\nd \"7BIT\" 3028 92)"),
        ["[1] TEXT/PLAIN CHARSET=US-ASCII id=<i> description=d encoding=7BIT octets=3028 lines=92"]
    );
    assert_eq!(
        told(
            "(\"text\" \"html\" NIL NIL NIL \"8bit\" 1 2 \"md5\" (\"inline\" (\"filename\" \"a b\")) (\"en\" \"de\") \"loc\" 5 (x (y)))"
        ),
        [
            "[1] text/html encoding=8bit octets=1 lines=2 md5=md5 disposition=inline filename=a b language=en language=de \
             location=loc extension=5 extension=(x (y))"
        ]
    );
    assert_eq!(
        told(
            "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 2)(\"image\" \"png\" NIL NIL NIL \"base64\" 3 NIL NIL NIL NIL) \"mixed\" \
              (\"boundary\" \"b\") (\"inline\" NIL) \"en\" \"loc\" more)"
        ),
        [
            "[] multipart/mixed boundary=b disposition=inline language=en location=loc extension=more",
            "[1] text/plain encoding=7bit octets=1 lines=2",
            "[2] image/png encoding=base64 octets=3",
        ]
    );
}

/// The example of RFC 9051, 6.4.5.1.
#[test]
fn sections_are_numbered_as_fetch_wants_them() {
    let plain = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)";
    let octets = "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 1)";
    let message =
        |body: &str| format!("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 {ENVELOPE} {body} 7 \"m\" NIL NIL NIL)");
    let inner = message(&format!("({plain}{octets} \"mixed\")"));
    let last = format!(
        "((\"image\" \"gif\" NIL NIL NIL \"base64\" 1){} \"mixed\")",
        message(&format!("({plain}({plain}{plain} \"alternative\") \"mixed\")"))
    );
    let raw = format!("({plain}{octets}{inner}{last}{} \"mixed\")", message(plain));
    let structure = BodyStructure::parse(raw.as_bytes()).unwrap();
    let sections: Vec<_> = structure.parts().map(|part| format!("{} {}", part.section(), part.subtype())).collect();
    assert_eq!(
        sections,
        [
            " mixed",
            "1 plain",
            "2 octet-stream",
            "3 rfc822",
            "3 mixed",
            "3.1 plain",
            "3.2 octet-stream",
            "4 mixed",
            "4.1 gif",
            "4.2 rfc822",
            "4.2 mixed",
            "4.2.1 plain",
            "4.2.2 alternative",
            "4.2.2.1 plain",
            "4.2.2.2 plain",
            "5 rfc822",
            "5.1 plain",
        ]
    );
    assert_eq!(
        describe(&structure.parts().nth(3).unwrap()),
        "[3] message/rfc822 encoding=7bit octets=9 lines=7 subject=in md5=m"
    );
    let root = structure.root();
    let below = |part: &BodyPart<'_>| part.children().map(|child| child.section()).collect::<Vec<_>>();
    assert_eq!(below(&root), ["1", "2", "3", "4", "5"]);
    assert_eq!(below(&root.children().nth(3).unwrap()), ["4.1", "4.2"]);
    assert_eq!(below(&root.children().next().unwrap()), Vec::<String>::new());
    assert!(root.parent().is_none());
    assert_eq!(structure.parts().nth(5).unwrap().parent().unwrap().section(), "3");
    let kept = structure.clone().into_owned();
    assert_eq!(kept, structure);
    assert!(format!("{kept:?}").starts_with("[: multipart/mixed, 1: text/plain, 1 octets, 2:"));
}

/// What costs other readers the structure or the connection.
#[test]
fn quirks_cost_a_value_at_most() {
    let table: &[(&str, &[&str])] = &[
        // (Exchange, MailKit #919) A string as disposition.
        (
            "(\"image\" \"png\" NIL NIL NIL \"base64\" 5 NIL \"inline\" NIL NIL)",
            &["[1] image/png encoding=base64 octets=5 disposition=inline"],
        ),
        // (Exchange) A disposition that says nothing.
        ("(\"image\" \"png\" NIL NIL NIL \"base64\" 5 NIL (NIL NIL) NIL)", &["[1] image/png encoding=base64 octets=5"]),
        (
            "(\"image\" \"png\" NIL NIL NIL \"base64\" 5 NIL (NIL (\"filename\" \"x\")) NIL)",
            &["[1] image/png encoding=base64 octets=5 disposition= filename=x"],
        ),
        (
            "(\"image\" \"png\" NIL NIL NIL \"base64\" 5 NIL (\"attachment\") NIL)",
            &["[1] image/png encoding=base64 octets=5 disposition=attachment"],
        ),
        // (rust-imap, imap-proto) A multipart without parts.
        ("(NIL \"MIXED\" (\"BOUNDARY\" \"b\") NIL NIL)", &["[] multipart/MIXED BOUNDARY=b"]),
        ("(NIL \"MIXED\")", &["[] multipart/MIXED"]),
        ("(\"MIXED\")", &["[] multipart/MIXED"]),
        // (Gmail, MailKit #205, #777) One within another of the same boundary.
        (
            "((\"ALTERNATIVE\" (\"BOUNDARY\" \"b\") NIL NIL)(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) \"MIXED\")",
            &[
                "[] multipart/MIXED",
                "[1] multipart/ALTERNATIVE BOUNDARY=b",
                "[2] text/plain encoding=7bit octets=1 lines=1",
            ],
        ),
        // (MailKit #371) A subtype without a type.
        (
            "(\"X-ZIP\" (\"NAME\" \"a\") NIL NIL \"BASE64\" 9 NIL (\"attachment\" NIL) NIL)",
            &["[1] /X-ZIP NAME=a encoding=BASE64 octets=9 disposition=attachment"],
        ),
        // (MailKit #371) A type without a subtype, with lines or without.
        (
            "(\"TEXT\" (\"CHARSET\" \"koi8-r\") NIL NIL \"8BIT\" 40 3 NIL (\"inline\" NIL) NIL)",
            &["[1] TEXT/ CHARSET=koi8-r encoding=8BIT octets=40 lines=3 disposition=inline"],
        ),
        ("(\"audio\" NIL NIL NIL \"base64\" 77)", &["[1] audio/ encoding=base64 octets=77"]),
        // (MailKit #485) A header field of its own as type, with quotes that are not escaped.
        (
            "(\"XBOUNDARY=\"_7_\"\" \"OCTET-STREAM\" (\"name\" \"a\") NIL NIL \"base64\" 9 NIL (\"attachment\" NIL))",
            &["[1] XBOUNDARY=\"_7_\"/OCTET-STREAM name=a encoding=base64 octets=9 disposition=attachment"],
        ),
        // (MailKit #422) Names that end in a backslash, which is not escaped.
        (
            r#"("A" "B" ("N" "c\") NIL NIL "7BIT" 3 NIL ("D" ("N" "c\")) NIL NIL)"#,
            &[r"[1] A/B N=c\ encoding=7BIT octets=3 disposition=D N=c\"],
        ),
        // No type at all.
        ("(NIL NIL NIL NIL NIL \"7BIT\" 3 NIL NIL NIL NIL)", &["[1] / encoding=7BIT octets=3"]),
        ("(NIL \"PLAIN\" NIL NIL NIL \"7BIT\" 3 1)", &["[1] /PLAIN encoding=7BIT octets=3 lines=1"]),
        // (Exchange 2003, MailKit #124) Sizes below zero, above 32 bits, beyond any; parameters without a value.
        (
            "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" -1 -1 NIL \"inline\" NIL)",
            &["[1] TEXT/PLAIN encoding=7BIT disposition=inline"],
        ),
        (
            "(\"text\" \"plain\" (\"charset\" NIL \"x\") NIL NIL \"7bit\" 4294967296 18446744073709551616)",
            &["[1] text/plain charset= x= encoding=7bit octets=4294967296"],
        ),
        // Text without lines.
        (
            "(\"text\" \"plain\" () NIL NIL NIL 7 NIL (\"inline\" ()) \"en\")",
            &["[1] text/plain octets=7 disposition=inline language=en"],
        ),
        // (Gmail, MailKit #32, #59) An enclosed message that is encoded has neither envelope nor parts.
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 7 NIL (\"attachment\" NIL) NIL NIL)",
            &["[1] message/rfc822 encoding=base64 octets=7 disposition=attachment"],
        ),
        // (Exchange) One that could not be read.
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 7 NIL NIL 0 NIL NIL NIL)",
            &["[1] message/rfc822 encoding=7bit octets=7 lines=0"],
        ),
        // (Mail::IMAPClient) One without lines.
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"8bit\" 70 (NIL \"s\") (\"text\" \"plain\" NIL NIL NIL \"7bit\" 8 0))",
            &[
                "[1] message/rfc822 encoding=8bit octets=70 subject=s",
                "[1.1] text/plain encoding=7bit octets=8 lines=0",
            ],
        ),
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"8bit\" 70 (NIL \"s\") (\"a\" \"b\" NIL NIL NIL \"c\" 8) \"m\" (\"inline\" NIL))",
            &[
                "[1] message/rfc822 encoding=8bit octets=70 subject=s md5=m disposition=inline",
                "[1.1] a/b encoding=c octets=8",
            ],
        ),
        // (MailKit #944) An empty body.
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 7 (NIL \"s\") () 0)",
            &["[1] message/rfc822 encoding=7bit octets=7 lines=0 subject=s", "[1.1] /"],
        ),
        // (Domino, QQ) Double blanks, none, and one before the end.
        (
            "((\"text\"\"plain\"  NIL NIL NIL \"7bit\" 1 1 ) (\"a\" b NIL NIL NIL c 2)  \"mixed\" )",
            &["[] multipart/mixed", "[1] text/plain encoding=7bit octets=1 lines=1", "[2] a/b encoding=c octets=2"],
        ),
        // No subtype.
        (
            "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1))",
            &["[] multipart/", "[1] text/plain encoding=7bit octets=1 lines=1"],
        ),
        // (Exchange) A description where a multipart has its disposition.
        (
            "((\"a\" \"b\" NIL NIL NIL \"c\" 1) \"mixed\" NIL \"hello\" NIL)",
            &["[] multipart/mixed disposition=hello", "[1] a/b encoding=c octets=1"],
        ),
        ("()", &["[1] /"]),
        ("(())", &["[] multipart/", "[1] /"]),
    ];
    for (raw, expected) in table {
        assert_eq!(told(raw), *expected, "{raw}");
    }
    for raw in [
        "",
        "NIL",
        "x",
        "\"s\"",
        "(",
        "((",
        "((\"a\" \"b\"",
        "(\"a",
        "((\"a\" {9}\r\nx))",
        "(\"text\" \"plain\" (\"x\"",
    ] {
        assert!(BodyStructure::parse(raw.as_bytes()).is_none(), "{raw}");
    }
}

#[test]
fn rule_12_nesting_costs_no_stack() {
    let nested = |depth: usize| "(".repeat(depth) + &")".repeat(depth);
    assert_eq!(told(&nested(64)).len(), 64);
    assert!(BodyStructure::parse(nested(65).as_bytes()).is_none());
    assert!(BodyStructure::parse(nested(10_000).as_bytes()).is_none());
    // Neither building, nor going through, nor dropping so deep a one recurses.
    let deep = nested(200_000);
    let built = BodyStructure::nested(deep.as_bytes(), usize::MAX).unwrap();
    assert_eq!((built.parts().count(), built.root().children().count()), (200_000, 1));
    drop(built.clone());
    // What is no part may be nested as it likes.
    let value = format!("(\"a\" \"b\" {} NIL NIL \"c\" 1)", nested(10_000));
    assert_eq!(told(&value), ["[1] a/b = encoding=c octets=1"]);
    let many = format!("({} \"mixed\")", "()".repeat(100_000));
    assert_eq!(BodyStructure::parse(many.as_bytes()).unwrap().root().children().count(), 100_000);
    let long = format!("(\"a\" \"b\" {})", "x ".repeat(100_000));
    assert_eq!(BodyStructure::parse(long.as_bytes()).unwrap().root().extensions().count(), 5);
}
