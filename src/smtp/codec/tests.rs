//! Byte tables. Line by line, as the wire does it, and whole: both must say the same.

use super::*;

/// Feeds the framer as the wire does; says how many bytes the reply took, none if more are needed.
fn frame(bytes: &[u8], mut framer: ReplyFramer) -> Result<Option<usize>, Flaw> {
    let mut at = 0;
    loop {
        match framer.need(&bytes[..at])? {
            Need::Last => return Ok(Some(at)),
            Need::Line { max } => match memchr::memchr(b'\n', &bytes[at..]) {
                Some(end) if end < max => at += end + 1,
                Some(_) => return Err(Flaw::Malformed("a long line")),
                None => return Ok(None),
            },
            other => panic!("{other:?}"),
        }
    }
}

fn framer() -> ReplyFramer {
    ReplyFramer::new(&Limits::default())
}

fn read(bytes: &[u8]) -> Reply {
    let end = frame(bytes, framer()).unwrap().unwrap();
    Reply::parse(&bytes[..end]).unwrap()
}

#[test]
fn rule_7_a_reply_is_whole_at_its_last_line_and_not_before() {
    let table: &[(&[u8], &str)] = &[
        (b"250 2.1.0 Ok\r\n", "250 2.1.0 Ok"),
        (b"250\r\n", "250 "),
        (b"250 \r\n", "250 "),
        (b"250\n", "250 "),
        (b"250-a\n250 b\n", "250 a / b"),
        (b"250-\r\n250-x\r\n250\r\n", "250  / x / "),
        (b"\r\n\n250 late\r\n", "250 late"),
        (b"550-5.1.1 no\r\n550 5.1.1 user\r\n", "550 5.1.1 no / user"),
        (b"550 5.1.1\r\n", "550 5.1.1 "),
        (b"450 4.7.100 \xff\x1b\r\n", "450 4.7.100 \u{fffd}\\u{1b}"),
        // No enhanced code: the class does not fit, or it is none.
        (b"250 5.1.1 odd\r\n", "250 5.1.1 odd"),
        (b"250 2.1 x\r\n", "250 2.1 x"),
        (b"250 2.1.1.1 x\r\n", "250 2.1.1.1 x"),
        (b"250 2.1.1234 x\r\n", "250 2.1.1234 x"),
        (b"250 2..1 x\r\n", "250 2..1 x"),
        (b"250 2.1.0x\r\n", "250 2.1.0x"),
    ];
    for (bytes, shown) in table {
        let reply = read(bytes);
        assert_eq!(reply.to_string(), *shown);
        let more = [bytes, &b"250 next\r\n"[..]].concat();
        assert_eq!(frame(&more, framer()), Ok(Some(bytes.len())), "{shown}: takes nothing of the next");
        for cut in 0..bytes.len() {
            assert_eq!(frame(&bytes[..cut], framer()), Ok(None), "{shown}: cut at {cut}");
            assert!(Reply::parse(&bytes[..cut]).is_err(), "{shown}: cut at {cut}");
        }
    }
    assert_eq!(read(b"250 5.1.1 odd\r\n").enhanced, None);
    let enhanced = Some(EnhancedCode { class: 5, subject: 1, detail: 1 });
    assert_eq!((read(b"550 5.1.1\r\n").enhanced, &*read(b"550 5.1.1 x\r\n").lines), (enhanced, &["x".to_owned()][..]));
}

#[test]
fn broken_replies_are_refused() {
    let table: &[&[u8]] = &[
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n\r\n250 b\r\n",
        b"199 x\r\n",
        b"600 x\r\n",
        b"000 x\r\n",
        b"25\r\n",
        b"2500 x\r\n",
        b"25x x\r\n",
        b" 250 x\r\n",
        b"250_x\r\n",
        b"* OK IMAP\r\n",
        b"+OK POP\r\n",
        b"250 a\0b\r\n",
        b"250 a\rb\r\n",
        b"250 a\r\r\n",
        b"250-a\r\n250 b\rc\r\n",
        "\u{662}50 x\r\n".as_bytes(),
    ];
    for bytes in table {
        assert!(frame(bytes, framer()).is_err(), "{}", bytes.escape_ascii());
        assert!(Reply::parse(bytes).is_err(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_3yz_reply_only_where_it_is_due() {
    assert!(frame(b"354 go\r\n", framer()).is_err());
    assert!(frame(b"334 \r\n", framer().or_more(354)).is_err());
    assert_eq!(frame(b"354 go\r\n", framer().or_more(354)), Ok(Some(8)));
    assert_eq!(frame(b"550 no\r\n", framer().or_more(354)), Ok(Some(8)));
}

#[test]
fn rule_6_limits() {
    let mut limits = Limits::default();
    (limits.reply_line, limits.reply_lines, limits.reply_size, limits.greeting_line) = (20, 3, 30, 10);
    let of = |bytes: &[u8]| frame(bytes, ReplyFramer::new(&limits));
    assert_eq!(of(b"250-1\r\n250-2\r\n250 3\r\n"), Ok(Some(21)));
    assert_eq!(of(b"250-1\r\n250-2\r\n250-3\r\n250 4\r\n").unwrap_err().to_string(), "more than 3 lines in a reply");
    assert_eq!(of(b"\n\n\n\n").unwrap_err().to_string(), "more than 3 lines in a reply");
    let wide = b"250-123456789012\r\n250 123456789012\r\n";
    assert_eq!(of(wide).unwrap_err().to_string(), "more than 30 bytes in a reply");
    assert!(of(b"250 123456789012345\r\n").is_err(), "a line of 21");
    assert!(frame(b"220 12345\r\n", ReplyFramer::greeting(&limits)).is_err(), "a greeting of 11");
}

/// Whatever is framed can be read, and nothing panics.
#[test]
fn random_bytes() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let parts: [&[u8]; 12] =
        [b"250", b"354", b"5", b"-", b" ", b"\r", b"\n", b"\r\n", b"250 2.1.0 ok\r\n", b"250-", b"\0", b"\xff."];
    let mut framed = 0;
    for _ in 0..200_000 {
        let bytes: Vec<u8> = (0..random(8)).flat_map(|_| parts[random(parts.len())].to_vec()).collect();
        let whole = Reply::parse(&bytes);
        if let Ok(Some(end)) = frame(&bytes, framer().or_more(354)) {
            framed += 1;
            assert!(Reply::parse(&bytes[..end]).is_ok(), "{}", bytes.escape_ascii());
            assert_eq!(whole.is_ok(), end == bytes.len(), "{}", bytes.escape_ascii());
        } else {
            assert!(whole.is_err(), "{}", bytes.escape_ascii());
        }
    }
    assert!(framed > 1_000, "{framed}");
}
