//! Byte tables for the framer.

use super::*;

/// What a framer makes of `bytes`, as the wire drives it: each frame, with `body` or `last` where that is what it is.
fn frames(mut framer: ResponseFramer, bytes: &[u8]) -> Result<Vec<String>, Flaw> {
    let (mut rest, mut frame, mut found) = (bytes, Vec::new(), Vec::new());
    let shown = |frame: &[u8]| String::from_utf8_lossy(frame).replace('\r', "\\r").replace('\n', "\\n");
    loop {
        let take = match framer.need(&frame)? {
            Need::Line { max } => {
                let Some(end) = memchr(b'\n', rest) else { return Ok(found) };
                assert!(end < max);
                end + 1
            }
            Need::Collect { bytes, .. } => usize::try_from(bytes).unwrap(),
            Need::Stream(bytes) => {
                found.push(format!("body {bytes}: {}", shown(&frame)));
                frame.clear();
                let Some(after) = rest.get(usize::try_from(bytes).unwrap_or(usize::MAX)..) else { return Ok(found) };
                rest = after;
                continue;
            }
            Need::Frame => {
                found.push(shown(&frame));
                frame.clear();
                continue;
            }
            Need::Last => {
                found.push(format!("last: {}", shown(&frame)));
                return Ok(found);
            }
            other => panic!("{other:?}"),
        };
        let Some((taken, after)) = rest.split_at_checked(take) else { return Ok(found) };
        frame.extend_from_slice(taken);
        rest = after;
    }
}

fn answer(bytes: &str) -> Result<Vec<String>, Flaw> {
    frames(ResponseFramer::new(7..=7, &Limits::default()), bytes.as_bytes())
}

#[test]
fn responses_end_where_they_end() {
    let table: &[(&str, &[&str])] = &[
        ("A7 OK done\r\n", &["last: A7 OK done\\r\\n"]),
        ("* 1 EXISTS\r\n* OK\r\nA7 NO\r\n", &["* 1 EXISTS\\r\\n", "* OK\\r\\n", "last: A7 NO\\r\\n"]),
        ("* 1 EXISTS\nA7 OK\n", &["* 1 EXISTS\\n", "last: A7 OK\\n"]),
        ("+ go\r\nA7 OK\r\n", &["+ go\\r\\n", "last: A7 OK\\r\\n"]),
        ("+\r\nA7 OK\r\n", &["+\\r\\n", "last: A7 OK\\r\\n"]),
        ("\r\nA7 OK\r\n", &["\\r\\n", "last: A7 OK\\r\\n"]),
        // (Exchange) What is no response at all.
        ("[COPYUID 5 3 6]\r\nA7 OK\r\n", &["[COPYUID 5 3 6]\\r\\n", "last: A7 OK\\r\\n"]),
        (
            "* 1 FETCH (X \"a\r\nb\" BODY[] {7}\r\nA7 OK\r\n)\r\nA7 OK\r\n",
            &["* 1 FETCH (X \"a\\r\\n", "body 7: b\" BODY[] {7}\\r\\n", ")\\r\\n", "last: A7 OK\\r\\n"],
        ),
        // Literals of values.
        ("* LIST () \"/\" {3}\r\na\nb\r\nA7 OK\r\n", &["* LIST () \"/\" {3}\\r\\na\\nb\\r\\n", "last: A7 OK\\r\\n"]),
        (
            "* X {0}\r\n {1+}\r\nx ~{2}\r\n\r\n\r\nA7 OK\r\n",
            &["* X {0}\\r\\n {1+}\\r\\nx ~{2}\\r\\n\\r\\n\\r\\n", "last: A7 OK\\r\\n"],
        ),
        ("* X {0003}\nabc\nA7 OK\n", &["* X {0003}\\nabc\\n", "last: A7 OK\\n"]),
        // What is none.
        ("* X {-1}\r\nA7 OK\r\n", &["* X {-1}\\r\\n", "last: A7 OK\\r\\n"]),
        ("* X {1 }\r\nA7 OK\r\n", &["* X {1 }\\r\\n", "last: A7 OK\\r\\n"]),
        ("* X {}\r\nA7 OK\r\n", &["* X {}\\r\\n", "last: A7 OK\\r\\n"]),
        ("* X {1}x\r\nA7 OK\r\n", &["* X {1}x\\r\\n", "last: A7 OK\\r\\n"]),
        ("* X {1} \r\nA7 OK\r\n", &["* X {1} \\r\\n", "last: A7 OK\\r\\n"]),
        // Text for people has none either; a code may.
        ("* OK see {5}\r\nA7 OK {9}\r\n", &["* OK see {5}\\r\\n", "last: A7 OK {9}\\r\\n"]),
        ("+ {5}\r\nA7 OK\r\n", &["+ {5}\\r\\n", "last: A7 OK\\r\\n"]),
        ("A7 NO [ALERT] {5}\r\n", &["last: A7 NO [ALERT] {5}\\r\\n"]),
        ("A7 NO see [x {5}\r\n", &["last: A7 NO see [x {5}\\r\\n"]),
        ("A7 NO [BADCHARSET ({5}\r\nUTF-8)] x {5}\r\n", &["last: A7 NO [BADCHARSET ({5}\\r\\nUTF-8)] x {5}\\r\\n"]),
        ("A7 NO [X {1}\r\n] {2}\r\n\r\n] {5}\r\n", &["last: A7 NO [X {1}\\r\\n] {2}\\r\\n\\r\\n] {5}\\r\\n"]),
        // Message sections go by as bodies, wherever they stand.
        (
            "* 1 FETCH (BODY[] {3}\r\nabc FLAGS ())\r\nA7 OK\r\n",
            &["body 3: * 1 FETCH (BODY[] {3}\\r\\n", " FLAGS ())\\r\\n", "last: A7 OK\\r\\n"],
        ),
        (
            "* 1 fetch (UID 2 body[1.MIME]<0> {1}\r\na rfc822.text {0}\r\n BINARY[1] ~{1}\r\nb)\r\nA7 OK\r\n",
            &[
                "body 1: * 1 fetch (UID 2 body[1.MIME]<0> {1}\\r\\n",
                "body 0:  rfc822.text {0}\\r\\n",
                "body 1:  BINARY[1] ~{1}\\r\\n",
                ")\\r\\n",
                "last: A7 OK\\r\\n",
            ],
        ),
        (
            "* 1 FETCH (BODY[HEADER.FIELDS (\"A B\" C)] {1}\r\nx)\r\nA7 OK\r\n",
            &["body 1: * 1 FETCH (BODY[HEADER.FIELDS (\"A B\" C)] {1}\\r\\n", ")\\r\\n", "last: A7 OK\\r\\n"],
        ),
        (
            "* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\nC)] {1}\r\nx)\r\nA7 OK\r\n",
            &["body 1: * 1 FETCH (BODY[HEADER.FIELDS ({1}\\r\\nC)] {1}\\r\\n", ")\\r\\n", "last: A7 OK\\r\\n"],
        ),
        // Values in a FETCH do not, whatever they look like.
        (
            "* 1 FETCH (ENVELOPE ({9}\r\nBODY[] {3} {1}\r\nx \"y]\" {1}\r\nz))\r\nA7 OK\r\n",
            &["* 1 FETCH (ENVELOPE ({9}\\r\\nBODY[] {3} {1}\\r\\nx \"y]\" {1}\\r\\nz))\\r\\n", "last: A7 OK\\r\\n"],
        ),
        (
            "* 1 FETCH (X-GM-LABELS (a[b] {1}\r\nx))\r\nA7 OK\r\n",
            &["* 1 FETCH (X-GM-LABELS (a[b] {1}\\r\\nx))\\r\\n", "last: A7 OK\\r\\n"],
        ),
        // Nor does a section in anything but a FETCH.
        ("* X BODY[] {1}\r\nx\r\nA7 OK\r\n", &["* X BODY[] {1}\\r\\nx\\r\\n", "last: A7 OK\\r\\n"]),
    ];
    for (bytes, expected) in table {
        assert_eq!(answer(bytes).unwrap(), *expected, "{bytes:?}");
    }
}

#[test]
fn rule_7_a_tag_ends_only_its_own_command() {
    for bytes in
        ["A6 OK\r\n", "a7 OK\r\n", "A70 OK\r\n", "A07 OK\r\n", "OK\r\n", "A7\tOK\r\n", "*A7 OK\r\n", "x  bad y\r\n"]
    {
        assert!(matches!(answer(bytes), Err(Flaw::Malformed(_))), "{bytes:?}");
    }
    let greeting = |bytes: &[u8]| frames(ResponseFramer::greeting(&Limits::default()), bytes);
    assert_eq!(greeting(b"* OK hi\r\n* X").unwrap(), ["last: * OK hi\\r\\n"]);
    assert!(
        greeting(b"A7 OK hi\r\n").is_err() && greeting(b"+OK POP3\r\n").is_err() && greeting(b"220 x\r\n").is_err()
    );
}

/// Nothing is refused but what no limit can hold, and nothing is set aside for what is only announced.
#[test]
fn rule_6_announced_sizes() {
    let too_much = |bytes: &str| matches!(answer(bytes), Err(Flaw::TooMuch { what: "bytes in a literal", .. }));
    for size in ["67108865", "4294967295", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"]
    {
        assert!(too_much(&format!("* X {{{size}}}\r\n")), "{size}");
        assert!(too_much(&format!("* 1 FETCH (X {{{size}+}}\r\n")), "{size}");
    }
    assert_eq!(
        answer("* 1 FETCH (BODY[] {4294967295}\r\nabc").unwrap(),
        ["body 4294967295: * 1 FETCH (BODY[] {4294967295}\\r\\n"]
    );
    assert!(too_much("* 1 FETCH (BODY[] {18446744073709551616}\r\n"));
    assert!(!too_much("* X {65536}\r\n"));
    // What is too large for a value goes by.
    let beyond = format!("* X ({{65537}}\r\n{}a {{1}}\r\nb)\r\nA7 OK\r\n", "x".repeat(65_537));
    let gone_by = ["body 65537: * X ({65537}\\r\\n", "a {1}\\r\\nb)\\r\\n", "last: A7 OK\\r\\n"];
    assert_eq!(answer(&beyond).unwrap(), gone_by);
    assert!(too_much("A7 OK [X {65537}\r\n"));
    let limits = Limits { collected: 20, ..Limits::default() };
    let small = |bytes: &[u8]| frames(ResponseFramer::new(7..=7, &limits), bytes);
    assert!(matches!(small(b"* X {9}\r\n123456789 {9}\r\n123456789\r\n"), Err(Flaw::TooMuch { max: 20, .. })));
}

#[test]
fn markers() {
    for (line, at, size) in [
        ("{5}", 0, Some(5)),
        ("a {5+}", 2, Some(5)),
        ("a ~{5}", 2, Some(5)),
        ("{0012}", 0, Some(12)),
        ("{{5}", 1, Some(5)),
        ("{18446744073709551615}", 0, Some(u64::MAX)),
        ("{18446744073709551616}", 0, None),
    ] {
        assert_eq!(marker(line.as_bytes()), Some(Marker { at, size }), "{line}");
    }
    for line in ["", "}", "{}", "5}", "{+}", "{5++}", "{-5}", "{5 }", "{ 5}", "{5}.", "{x}", "{5}\r", "{５}"] {
        assert_eq!(marker(line.as_bytes()), None, "{line}");
    }
}
