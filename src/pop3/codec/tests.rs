//! Byte tables of the codec.

use super::*;

#[derive(Debug, PartialEq, Eq)]
enum End {
    Last,
    Body,
    /// More bytes were wanted.
    Unfinished,
    Bad(Flaw),
}

/// What the wire does with a framer, over bytes that are all there.
fn drive(mut framer: impl Framer, mut bytes: &[u8]) -> (Vec<Vec<u8>>, End) {
    let (mut frames, mut frame) = (Vec::new(), Vec::new());
    loop {
        match framer.need(&frame) {
            Ok(Need::Line { max }) => {
                let Some(at) = bytes.iter().position(|&byte| byte == b'\n') else { return (frames, End::Unfinished) };
                assert!(at < max);
                frame.extend_from_slice(&bytes[..=at]);
                bytes = &bytes[at + 1..];
            }
            Ok(Need::Frame) => frames.push(std::mem::take(&mut frame)),
            Ok(Need::Last) => {
                frames.push(frame);
                return (frames, End::Last);
            }
            Ok(Need::Dotted) => {
                frames.push(frame);
                return (frames, End::Body);
            }
            Ok(other) => panic!("{other:?}"),
            Err(flaw) => return (frames, End::Bad(flaw)),
        }
    }
}

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn a_status_line_is_one_frame() {
    let good: &[&[u8]] = &[
        b"+OK\r\n",
        b"+OK \r\n",
        b"+OK done\r\n",
        b"+ok\n",
        b"-ERR\r\n",
        b"-err no\n",
        b"+OK\t1 2\r\n",
        b"+OK \xff\xfe\r\n",
    ];
    for line in good {
        assert_eq!(drive(StatusFramer::new(&limits()), line), (vec![line.to_vec()], End::Last), "{line:?}");
    }
    let bad: &[&[u8]] = &[
        b"* OK\r\n",
        b"220 smtp\r\n",
        b"+OKAY\r\n",
        b"-ERROR\r\n",
        b"+\r\n",
        b"+ \r\n",
        b" +OK\r\n",
        b"OK\r\n",
        b"+O\r\n",
        b"\r+OK\r\n",
        b"\xff\r\n",
        b"-OK\r\n",
        b"+ERR\r\n",
    ];
    for line in bad {
        let what = "a reply that is neither +OK nor -ERR";
        let end = drive(StatusFramer::new(&limits()), line).1;
        assert_eq!(end, End::Bad(Flaw::Malformed(what)), "{line:?}");
    }
    let end = drive(StatusFramer::new(&limits()), b"+OK \0\r\n").1;
    assert_eq!(end, End::Bad(Flaw::Malformed("a NUL in a reply")));
    assert_eq!(drive(StatusFramer::new(&limits()), b"+OK").1, End::Unfinished);
}

#[test]
fn empty_lines_before_a_reply_are_skipped_and_bounded() {
    for empty in ["\r\n", "\n"] {
        let reply = format!("{}+OK 1\r\n", empty.repeat(EMPTY_LINES));
        assert_eq!(drive(StatusFramer::new(&limits()), reply.as_bytes()).1, End::Last);
        assert_eq!(status(reply.as_bytes()).unwrap().text, b"1");
        assert_eq!(drive(BodyFramer::new(&limits()), reply.as_bytes()).1, End::Body);
        assert_eq!(drive(AuthFramer::new(&limits()), reply.as_bytes()).1, End::Last);
        let reply = format!("{empty}{reply}");
        let flaw = Flaw::TooMuch { what: "empty lines before a reply", max: EMPTY_LINES as u64 };
        assert_eq!(drive(StatusFramer::new(&limits()), reply.as_bytes()).1, End::Bad(flaw));
    }
}

#[test]
fn the_greeting_has_a_limit_of_its_own() {
    let limits = limits();
    let need = |mut framer: StatusFramer| framer.need(b"").unwrap();
    assert_eq!(need(StatusFramer::greeting(&limits)), Need::Line { max: limits.greeting_line });
    assert_eq!(need(StatusFramer::new(&limits)), Need::Line { max: limits.reply_line });
}

#[test]
fn a_listing_is_a_frame_a_line_up_to_the_lone_dot() {
    let (frames, end) = drive(ListingFramer::entries(&limits()), b"\r\n+OK 2\r\n1 10\r\n..x\n.y\r\n\r\n.\r\n");
    let lines: Vec<_> = frames.iter().skip(1).map(|frame| listed(frame)).collect();
    assert_eq!(end, End::Last);
    assert_eq!(lines, [&b"1 10"[..], b".x", b"y", b"", b""]);
    assert_eq!(drive(ListingFramer::entries(&limits()), b"+OK\n.\n").0.len(), 2);
    assert_eq!(drive(ListingFramer::entries(&limits()), b"-ERR\r\n"), (vec![b"-ERR\r\n".to_vec()], End::Last));
    assert_eq!(drive(ListingFramer::entries(&limits()), b"+OK\r\n1 2\r\n").1, End::Unfinished);
    let nul = drive(ListingFramer::entries(&limits()), b"+OK\r\n1\0 2\r\n.\r\n").1;
    assert_eq!(nul, End::Bad(Flaw::Malformed("a NUL in a reply")));
}

#[test]
fn a_listing_is_bounded() {
    let mut limits = limits();
    (limits.list_entries, limits.capabilities) = (2, 1);
    assert_eq!(drive(ListingFramer::entries(&limits), b"+OK\r\n1 1\r\n2 2\r\n.\r\n").1, End::Last);
    let flaw = Flaw::TooMuch { what: "entries of a listing", max: 2 };
    assert_eq!(drive(ListingFramer::entries(&limits), b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n").1, End::Bad(flaw));
    let flaw = Flaw::TooMuch { what: "capabilities", max: 1 };
    assert_eq!(drive(ListingFramer::capabilities(&limits), b"+OK\r\nTOP\r\nUIDL\r\n").1, End::Bad(flaw));
}

#[test]
fn a_body_follows_success_only() {
    assert_eq!(
        drive(BodyFramer::new(&limits()), b"+OK 3 octets\r\nabc"),
        (vec![b"+OK 3 octets\r\n".to_vec()], End::Body)
    );
    assert_eq!(drive(BodyFramer::new(&limits()), b"-ERR no such\r\n").1, End::Last);
}

#[test]
fn auth_is_challenges_and_a_status() {
    let (frames, end) = drive(AuthFramer::new(&limits()), b"+ \r\n+\r\n+ YWJj \n\r\n+OK in\r\n");
    let replies: Vec<_> = frames.iter().map(|frame| auth_reply(frame).unwrap()).collect();
    let status = Status { accepted: true, text: b"in" };
    let challenge = |text: &'static [u8]| AuthReply::Challenge(text);
    assert_eq!(end, End::Last);
    assert_eq!(replies, [challenge(b""), challenge(b""), challenge(b"YWJj"), AuthReply::Status(status)]);
    assert!(matches!(drive(AuthFramer::new(&limits()), b"+YWJj\r\n").1, End::Bad(_)));
    assert!(matches!(drive(AuthFramer::new(&limits()), b"+ a\0\r\n").1, End::Bad(_)));
}

#[test]
fn the_longest_challenge_fits_its_line() {
    let mut limits = limits();
    for decoded in [1, 2, 3, 12_288, 50_000] {
        limits.sasl_challenge = decoded;
        let line = format!("+ {}\r\n", Secret(decoded));
        let Ok(Need::Line { max }) = AuthFramer::new(&limits).need(b"") else { panic!() };
        assert!(line.len() <= max, "{decoded}: {} > {max}", line.len());
    }
}

/// So many bytes in base64.
struct Secret(usize);
impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&"A".repeat(self.0.div_ceil(3) * 4))
    }
}

#[test]
fn codes_and_severity_of_refusals() {
    type Row = (&'static str, Option<&'static str>, Option<ResponseCode>, bool, &'static str);
    let table: &[Row] = &[
        ("-ERR", None, None, false, ""),
        ("-ERR no", None, None, false, "no"),
        ("-ERR [IN-USE] busy", Some("IN-USE"), Some(ResponseCode::InUse), true, "busy"),
        ("-ERR [in-use]busy", Some("in-use"), Some(ResponseCode::InUse), true, "busy"),
        ("-ERR   [LOGIN-DELAY]", Some("LOGIN-DELAY"), Some(ResponseCode::LoginDelay), true, ""),
        ("-ERR [SYS/TEMP] later", Some("SYS/TEMP"), Some(ResponseCode::SysTemp), true, "later"),
        ("-ERR [SYS/TEMP/DISK] later", Some("SYS/TEMP/DISK"), Some(ResponseCode::SysTemp), true, "later"),
        ("-ERR [SYS/PERM] never", Some("SYS/PERM"), Some(ResponseCode::SysPerm), false, "never"),
        ("-ERR [SYS] ?", Some("SYS"), None, false, "?"),
        ("-ERR [AUTH] wrong", Some("AUTH"), Some(ResponseCode::Auth), false, "wrong"),
        ("-ERR [UTF8] needed", Some("UTF8"), Some(ResponseCode::Utf8), false, "needed"),
        ("-ERR [X-OTHER] hm", Some("X-OTHER"), None, false, "hm"),
        ("-ERR [not a code] hm", None, None, false, "[not a code] hm"),
        ("-ERR [] hm", None, None, false, "[] hm"),
        ("-ERR [AUTH", None, None, false, "[AUTH"),
        ("-ERR sorry [AUTH]", None, None, false, "sorry [AUTH]"),
    ];
    for (line, code, typed, transient, text) in table {
        let rejection = status(format!("{line}\r\n").as_bytes()).unwrap().rejection("PASS");
        assert_eq!(rejection.code.as_deref(), *code, "{line}");
        assert_eq!(ResponseCode::of(&rejection), *typed, "{line}");
        assert_eq!(rejection.severity == Severity::Transient, *transient, "{line}");
        assert_eq!(rejection.lines.concat(), *text, "{line}");
        assert_eq!((&*rejection.command, &*rejection.status, rejection.closing), ("PASS", "-ERR", false));
    }
    assert_eq!(status(b"+OK [AUTH] x\r\n").unwrap().code(), None);
}

#[test]
fn numbers_of_stat_and_list() {
    let stat_of = |text: &str| stat(text.as_bytes()).map(|stat| (stat.messages, stat.octets));
    assert_eq!(stat_of("2 320"), Some((2, 320)));
    assert_eq!(stat_of("0 0"), Some((0, 0)));
    assert_eq!(stat_of("  2   320  messages here"), Some((2, 320)));
    assert_eq!(stat_of("2\t320"), Some((2, 320)));
    assert_eq!(stat_of("7 18446744073709551615"), Some((7, u64::MAX)));
    for bad in ["", "2", "2 x", "x 2", "-1 2", "+1 2", "2 -1", "2 18446744073709551616", "4294967296 1", "2,3", "2 3x"]
    {
        assert_eq!(stat_of(bad), None, "{bad}");
        assert_eq!(list_entry(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(list_entry(b"  12    8589934592 x").map(|e| (e.number, e.octets)), Some((12, 8_589_934_592)));
}

#[test]
fn lines_of_uidl() {
    assert_eq!(uidl_entry(b"1 whqtswO00WBw418f9t5JxYwZ"), Some((1, Some("whqtswO00WBw418f9t5JxYwZ"))));
    assert_eq!(uidl_entry(b"  3 \t  QhdPYR:00WBw1Ph7x7  more"), Some((3, Some("QhdPYR:00WBw1Ph7x7"))));
    assert_eq!(uidl_entry(b"4"), Some((4, None)));
    assert_eq!(uidl_entry(b"4 "), Some((4, None)));
    for bad in [&b""[..], b"x y", b"-1 a", b"1 \xff"] {
        assert_eq!(uidl_entry(bad), None, "{bad:?}");
    }
}

#[test]
fn lines_of_lang_and_capa() {
    let language = |line: &[u8]| language(line);
    assert_eq!(language(b"es  Espa\xc3\xb1ol de todos "), ("es".to_owned(), "Espa\u{f1}ol de todos".to_owned()));
    assert_eq!(language(b"en"), ("en".to_owned(), String::new()));
    assert_eq!(language(b""), (String::new(), String::new()));
    assert_eq!(capability(b" SASL \xff \r"), "SASL \u{fffd}");
}

#[test]
fn arguments_are_checked_and_measured() {
    for bad in ["a\rb", "a\nb", "a\0b", "\r\n"] {
        let error = argument("password", 5, bad).unwrap_err();
        assert!(error.to_string().contains("password") && !error.to_string().contains("a\0b"));
    }
    // "PASS " and CRLF leave 248 octets of the 255.
    assert!(argument("password", 5, &"x".repeat(248)).is_ok());
    let error = argument("password", 5, &"x".repeat(249)).unwrap_err();
    assert!(error.to_string().contains("248") && !error.to_string().contains("xx"), "{error}");
    assert!(argument("password", 5, " with  blanks ").is_ok());
}

/// Rule 12: whatever a server sends, the framers and views return.
#[test]
fn no_bytes_make_it_panic() {
    let pieces: [&[u8]; 12] =
        [b"", b"+OK", b"-ERR", b"\r\n", b"\n", b"\r", b".", b" ", b"[", b"]", b"\0\xff", b"18446744073709551616 "];
    let mut line = Vec::new();
    for n in 0..pieces.len().pow(4) {
        line.clear();
        let mut rest = n;
        for _ in 0..4 {
            line.extend_from_slice(pieces[rest % pieces.len()]);
            rest /= pieces.len();
        }
        if let Ok(status) = status(&line) {
            let _ = (status.rejection("X"), stat(status.text));
        }
        let _ = (auth_reply(&line), list_entry(&line), uidl_entry(&line), listed(&line), capability(&line));
        line.push(b'\n');
        drive(StatusFramer::new(&limits()), &line);
        drive(ListingFramer::entries(&limits()), &line);
        drive(BodyFramer::new(&limits()), &line);
        drive(AuthFramer::new(&limits()), &line);
    }
}
