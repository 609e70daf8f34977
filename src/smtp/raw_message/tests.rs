//! Tables of headers, and models: address lists that are built from their addresses, and headers whose Bcc is cut out by
//! other means.

use super::*;

fn parse(header: &str) -> Result<Envelope> {
    let message = format!("{header}\r\n\r\nTo: nobody@example.com\r\nBcc: nobody@example.com\r\n");
    RawMessage::parse(message.as_bytes()).map(|message| message.envelope().clone())
}

fn recipients(list: &str) -> Result<Vec<String>> {
    let field = fields_of(list);
    addresses(&field.all()[0])
}

fn fields_of(list: &str) -> Fields<'static> {
    Fields::of(format!("To: {list}\r\n").leak().as_bytes())
}

#[test]
fn addresses_are_found_in_any_form() {
    for (list, expected) in [
        ("a@b.c", &["a@b.c"][..]),
        ("Ann <a@b.c>,<d@e.f> ,\tg@h.i", &["a@b.c", "d@e.f", "g@h.i"]),
        ("\"Ann, B.\" <a@b.c>, d@e.f", &["a@b.c", "d@e.f"]),
        ("\"Ann\\\" <x@y.z>, \" <a@b.c>", &["a@b.c"]),
        ("\"john@b.c\" <john@b.c>, \"a\" \"@\" <a@b.c>", &["john@b.c", "a@b.c"]),
        ("Dr. A. B. <a@b.c>", &["a@b.c"]),
        ("a@b.c (Ann), (x@y.z, \\) z) d@e.f (end)", &["a@b.c", "d@e.f"]),
        ("Ann (a (nested, <x@y.z>), comment) <a@b.c>", &["a@b.c"]),
        ("Many words here (comment) <a@b.c>", &["a@b.c"]),
        ("\"John Doe\"@b.c", &["\"John Doe\"@b.c"]),
        ("d@e.f, \"John, Doe\"@b.c (x), \"Ann\" <a@b.c>", &["d@e.f", "\"John, Doe\"@b.c", "a@b.c"]),
        ("<\"John Doe\"@b.c>, \"a@b\"@c.d", &["\"John Doe\"@b.c", "\"a@b\"@c.d"]),
        ("undisclosed-recipients:;", &[]),
        ("undisclosed recipients: ;", &[]),
        ("A:;, B: (nobody) ;", &[]),
        ("", &[]),
        (" (nobody) ", &[]),
        ("Friends: a@b.c, D <d@e.f>;, g@h.i", &["a@b.c", "d@e.f", "g@h.i"]),
        ("A: a@b.c; B: d@e.f;", &["a@b.c", "d@e.f"]),
        ("\"G, x\": a@b.c;, G:;, d@e.f", &["a@b.c", "d@e.f"]),
        ("=?utf-8?q?A=2C_B?= <a@b.c>", &["a@b.c"]),
        ("=?utf-8?q?a=40b=2Ec?= <v@x.y>", &["v@x.y"]),
        ("=?utf-8?q?=22<evil=40x>?= <v@x.y>", &["v@x.y"]),
        ("=?utf-8?b?PHhAeS56Piwg?= =?utf-8?q?=3Cx=40y=2Ez=3E=2C?=\r\n <v@x.y>, d@e.f", &["v@x.y", "d@e.f"]),
        ("J\u{f6}rg <j\u{f6}rg@b\u{fc}ro.example>, a@\u{3b4}.gr", &["j\u{f6}rg@b\u{fc}ro.example", "a@\u{3b4}.gr"]),
        ("a@[192.0.2.1], <a@[IPv6:2001:db8::1]>", &["a@[192.0.2.1]", "a@[IPv6:2001:db8::1]"]),
        ("a@b.c,,d@e.f,", &["a@b.c", "d@e.f"]),
        ("\r\n Ann\r\n\t<a@b.c>\r\n ,\r\n \r\n d@e.f", &["a@b.c", "d@e.f"]),
        ("a@b.c\n ,d@e.f\r\t,g@h.i", &["a@b.c", "d@e.f", "g@h.i"]),
    ] {
        assert_eq!(recipients(list).unwrap_or_else(|error| panic!("{list:?}: {error}")), expected, "{list:?}");
    }
}

/// Nobody is left out, and nobody made up: what is not understood for sure is refused.
#[test]
fn what_is_no_list_of_addresses_is_refused() {
    for list in [
        "Foo",
        "Foo, a@b.c",
        "a@b.c, Foo",
        "a@b.c, \"Foo\"",
        "Ann <>",
        "<>",
        ",",
        "a@b.c (x, d@e.f",
        "\"x, a@b.c",
        "a@b.c, \"x <d@e.f>",
        "=?utf-8?q?a=40b=2Ec?=",
        "<=?utf-8?q?a=40b=2Ec?=>",
        "a@b.c, =?utf-8?q?d=40e=2Ef?=",
        "=?utf-8?b?YUBiLmM=?=@x.y",
        "<a@b.c> <d>",
        "<a@b.c><d@e.f>",
        "Ann a@b.c",
        "a@b.c d@e.f",
        "a@b@c",
        "a (c) @ b.c",
        "<a(x)b@c.d>",
        "\"a\".b@c.d",
        "@relay.example:a@b.c",
        "<@relay.example,@x.y:a@b.c>",
        "a@b.c\r\n om",
        "a@b.c>, d@e.f",
        "a@b.c \"x",
        "a@b.c\"x\"",
        "a@b.c<d>",
        "a@b.c\"x\" <d>",
        "<a@b.c >to: <d@e.f>",
        "john@b.c <john@b.c>",
        "=?utf-8?q?x@y?= <a@b.c>",
    ] {
        let result = parse(&format!("From: me@example.com\r\nTo: {list}\r\nCc: you@example.com"));
        assert!(matches!(result, Err(Error::InvalidArgument(_))), "{list:?}: {result:?}");
    }
    let result = RawMessage::parse(b"From: a@b\r\nTo: j\xf6rg@example.com\r\n\r\n");
    assert_eq!(result.unwrap_err().to_string(), "invalid message: is not UTF-8 in To");
}

#[test]
fn rule_9_no_address_in_a_header_becomes_a_command() {
    for list in [
        "a@b\r\nRCPT TO:<x@y>",
        "a@b\rRSET",
        "<a@b\r\n >RCPT TO:<x@y>",
        "<a@b>\r\n SIZE=1",
        "\"a@b> SIZE=1\"@c",
        "\"a\r\n RSET\r\n \"@b",
        "=?utf-8?q?=0D=0ARCPT_TO:<x=40y>?=@b",
        "\"=?utf-8?q?=0D=0ARSET?=\"@b",
        "<=?utf-8?b?YUBiDQpSU0VU?=>",
        "a\0@b",
        "<a\0@b>",
        "\"a\0\"@b",
        "a@b\u{2028}c",
    ] {
        for header in [format!("From: me@example.com\r\nTo: {list}"), format!("From: {list}\r\nTo: me@example.com")] {
            let Ok(envelope) = parse(&header) else { continue };
            let as_it_stood = ["me@example.com", "a@b", "\"a RSET \"@b", "\"=?utf-8?q?=0D=0ARSET?=\"@b"];
            let all = envelope.to().iter().map(String::as_str).chain([envelope.from()]);
            let harmless = |address: &str| !address.contains(['\r', '\n', '\0', '<', '>']) && address.is_ascii();
            assert!(all.clone().all(harmless), "{list:?}: {envelope:?}");
            // What follows the line end is a field of its own or none, and never part of an address.
            assert!(all.clone().all(|address| as_it_stood.contains(&address)), "{list:?}: {envelope:?}");
        }
    }
}

#[test]
fn who_sends_and_who_gets_it() {
    for (header, from, to) in [
        ("From: a@b\r\nTo: c@d", "a@b", &["c@d"][..]),
        ("FROM : a@b\r\ntO: c@d", "a@b", &["c@d"]),
        ("Sender: s@b\r\nFrom: a@b, x@b\r\nTo: c@d", "s@b", &["c@d"]),
        ("From: a@b, x@b\r\nTo: c@d\r\nSender: S <s@b>", "s@b", &["c@d"]),
        ("From: Ann (x) <a@b>\r\nBcc: e@f\r\nCc: c@d\r\nTo: g@h", "a@b", &["e@f", "c@d", "g@h"]),
        ("From: Us: a@b;\r\nBcc: c@d", "a@b", &["c@d"]),
        ("From: a@b\r\nTo: c@D, C@d, c@d\r\nCc: c@d\r\nBcc: x@y, c@d", "a@b", &["c@D", "C@d", "x@y"]),
        ("From: a@b\r\nTo: c@d\r\nTo: e@f\r\nBcc:\r\nCc: undisclosed-recipients:;", "a@b", &["c@d", "e@f"]),
        ("X: y\r\n To: no@b\r\nFrom: a@b\r\nTo:\r\n c@d", "a@b", &["c@d"]),
        ("From: a@b\rTo: c@d\nCc: e@f", "a@b", &["c@d", "e@f"]),
    ] {
        let envelope = parse(header).unwrap_or_else(|error| panic!("{header:?}: {error}"));
        assert_eq!(
            (envelope.from(), envelope.to()),
            (from, to.iter().map(|to| to.to_string()).collect::<Vec<_>>().as_slice()),
            "{header:?}"
        );
    }
    for (header, why) in [
        ("To: c@d", "invalid message: has no From"),
        ("From: a@b, x@b\r\nTo: c@d", "invalid message: names several authors in From, and no Sender"),
        ("From: a@b\r\nFrom: x@b\r\nTo: c@d", "invalid message: names several authors in From, and no Sender"),
        ("From: a@b\r\nSender: s@b, t@b\r\nTo: c@d", "invalid message: names several mailboxes in Sender"),
        ("From: a@b\r\nSender:\r\nTo: c@d", "invalid message: names nobody in Sender"),
        ("From: us:;\r\nTo: c@d", "invalid message: names nobody in From"),
        ("From: a@b", "invalid recipients: there are none"),
        ("From: a@b\r\nTo: nobody:;", "invalid recipients: there are none"),
        ("From: a@b\r\nTo: \"c@d", "invalid message: has a comment or a quoted string in To that does not end"),
        ("From: a@b\r\nTo: c@d (", "invalid message: has a comment or a quoted string in To that does not end"),
        (
            "From: a@b\r\nTo: c d@e",
            "invalid recipient: \"c d@e\" contains a character before the @ that only a quoted \
          local part may hold",
        ),
    ] {
        assert_eq!(parse(header).unwrap_err().to_string(), why, "{header:?}");
    }
}

#[test]
fn a_resent_message_goes_where_the_latest_resending_says() {
    let old = "From: a@b\r\nSender: s@b\r\nTo: c@d\r\nBcc: e@f";
    for (resent, from, to) in [
        ("Resent-From: r@b\r\nResent-To: t@d\r\nResent-Bcc: u@d\r\n", "r@b", &["t@d", "u@d"][..]),
        ("Resent-Sender: q@b\r\nResent-From: r@b, r2@b\r\nResent-Cc: t@d\r\n", "q@b", &["t@d"]),
        (
            "Resent-To: t@d\r\nResent-From: r@b\r\nResent-Date: x\r\nResent-From: o@b\r\nResent-To: o@d\r\n",
            "r@b",
            &["t@d"],
        ),
        ("Resent-From: r@b\r\nResent-To: t@d\r\nReceived: x\r\nResent-Cc: o@d\r\n", "r@b", &["t@d"]),
        ("Received: x\r\nResent-From: r@b\r\nX-Y: z\r\nResent-To: t@d\r\n", "r@b", &["t@d"]),
        ("Resent-Date: x\r\nResent-Message-ID: <y>\r\nResent-Odd: r@b\r\n", "s@b", &["c@d", "e@f"]),
    ] {
        let envelope = parse(&format!("{resent}{old}")).unwrap_or_else(|error| panic!("{resent:?}: {error}"));
        assert_eq!((envelope.from(), envelope.to().join(" ")), (from, to.join(" ")), "{resent:?}");
    }
    let error = parse(&format!("Resent-To: t@d\r\n{old}")).unwrap_err().to_string();
    assert_eq!(error, "invalid message: has no Resent-From");
    assert!(parse(&format!("Resent-From: t@d\r\n{old}")).is_err());
}

#[test]
fn bcc_goes_and_nothing_else() {
    for (given, left) in [
        ("Bcc: c@d\r\nFrom: a@b\r\n\r\nBcc: x\r\n", "From: a@b\r\n\r\nBcc: x\r\n"),
        ("From: a@b\r\nBCC : c@d,\r\n\te@f,\r\n \r\n g@h\r\nX: y\r\n\r\n", "From: a@b\r\nX: y\r\n\r\n"),
        ("From: a@b\nbcc: c@d,\n e@f\n\nBcc: x", "From: a@b\n\nBcc: x"),
        ("From: a@b\rBcc: c@d,\r e@f\r\rBcc: x", "From: a@b\r\rBcc: x"),
        ("From: a@b\r\nX: y\rBcc: c@d\r\n\r\nz", "From: a@b\r\nX: y\r\r\nz"),
        ("From: a@b\r\nBcc: c@d", "From: a@b\r\n"),
        ("From: a@b\r\nBcc: c@d\r\n", "From: a@b\r\n"),
        // The CR ends a line, and must not be taken for half of the line end behind the Bcc.
        ("From: a@b\rBcc: c@d\r\n\nBcc: text", "From: a@b\r\n\nBcc: text"),
        (" Bcc: x@y\r\nFrom: a@b\r\nBcc: c@d\r\n\r\n", "From: a@b\r\n\r\n"),
        (
            "From: a@b\r\nTo: c@d\r\nResent-Bcc: x@y\r\nResent-From: r@s\r\nBcc:\r\n\r\n",
            "From: a@b\r\nTo: c@d\r\nResent-From: r@s\r\n\r\n",
        ),
        (
            "From: a@b\r\nTo: c@d\r\nX-Bcc: Bcc: x\r\n Bcc: y\r\nBccx: z\r\n\r\n",
            "From: a@b\r\nTo: c@d\r\nX-Bcc: Bcc: x\r\n Bcc: y\r\nBccx: z\r\n\r\n",
        ),
        (
            "From: a@b\r\nno colon\r\n Bcc: x\r\nBcc: c@d\r\n\u{e9}\r\n\r\n",
            "From: a@b\r\nno colon\r\n Bcc: x\r\n\u{e9}\r\n\r\n",
        ),
    ] {
        let message = RawMessage::parse(given.as_bytes()).unwrap_or_else(|error| panic!("{given:?}: {error}"));
        assert_eq!(String::from_utf8_lossy(&message.to_bytes()), left, "{given:?}");
        let mut sent = Vec::new();
        std::io::Read::read_to_end(message.body().source(), &mut sent).unwrap();
        assert_eq!(sent, left.as_bytes(), "{given:?}");
    }
}

#[test]
fn the_text_is_lent_and_looked_at_before_it_is_sent() {
    let text = "x\n".repeat(100_000);
    let with_bcc = format!("From: a@b\nBcc: c@d\n\n{text}");
    let message = RawMessage::parse(with_bcc.as_bytes()).unwrap();
    assert!(std::ptr::eq(message.rest.as_ptr_range().end, with_bcc.as_bytes().as_ptr_range().end));
    assert_eq!(message.rest.len(), text.len() + 1);
    use crate::smtp::params::Content;
    use crate::wire::LineEnds;
    const EIGHT: Content = Content { binary: false, eight_bit: true, utf8: false };
    let size = message.body().check(LineEnds::Normalize, EIGHT).unwrap();
    assert_eq!(size, Some("From: a@b\r\n\r\n".len() as u64 + 300_000));
    assert!(message.body().check(LineEnds::Strict, EIGHT).is_err());
    let without = format!("From: a@b\nTo: c@d\n\n{text}");
    assert!(matches!(RawMessage::parse(without.as_bytes()).unwrap().to_bytes(), Cow::Borrowed(_)));
    let nul = RawMessage::parse(b"From: a@b\nBcc: c@d\n\nx\0").unwrap();
    assert_eq!(
        nul.body().check(LineEnds::Normalize, EIGHT).unwrap_err().to_string(),
        "invalid body: a NUL at offset 12"
    );
}

fn random(seed: &mut u64, below: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap() % below
}

/// Lists that are built from addresses, dressed up in all that RFC 5322 allows around them, give these addresses.
#[test]
fn random_lists_give_the_addresses_they_were_built_from() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mailboxes =
        ["a@b.c", "first.last+tag@mail.example.com", "\"John, Doe\"@d.e", "j\u{f6}@b\u{fc}.de", "a@[192.0.2.1]"];
    let names = ["Ann", "\"Doe, J. <x@y.z>; \\\"(:\" ", "=?utf-8?q?=3Cx=40y=2Ez=3E=2C?=", "A. B.", "J\u{f6}rg M", ""];
    let spaces = ["", " ", "\r\n ", "\t", " (x@y.z, (n\\)\u{e9}) \"<;:)\r\n ", "\n \r\n\t"];
    for _ in 0..20_000 {
        let (mut list, mut expected) = (String::new(), Vec::new());
        let count = random(&mut seed, 6);
        let mut group = false;
        for n in 0..count {
            if n > 0 {
                list.push(',');
            }
            list.push_str(spaces[random(&mut seed, 6)]);
            if !group && random(&mut seed, 5) == 0 {
                list.push_str(["G:", "\"G, <x@y.z>\" :", "A B: "][random(&mut seed, 3)]);
                group = true;
            }
            let mailbox = mailboxes[random(&mut seed, mailboxes.len())];
            expected.push(mailbox);
            if random(&mut seed, 2) == 0 {
                list.push_str(&[names[random(&mut seed, 6)], spaces[random(&mut seed, 6)], "<", mailbox, ">"].concat());
            } else {
                list.push_str(mailbox);
            }
            list.push_str(spaces[random(&mut seed, 6)]);
            if group && random(&mut seed, 3) == 0 {
                list.push(';');
                group = false;
            }
        }
        list.push_str(if group { ";" } else { "" });
        let found = recipients(&list).unwrap_or_else(|error| panic!("{list:?}: {error}"));
        assert_eq!(found, expected, "{list:?}");
    }
}

/// The header by other means: lines first, then fields, each judged by its first line.
fn without_bcc(message: &str) -> (String, usize) {
    let marked = message.replace("\r\n", "\u{1}").replace('\r', "\u{2}").replace('\n', "\u{3}");
    let (mut left, mut cut, mut hidden, mut header) = (String::new(), 0, false, true);
    for line in marked.split_inclusive(['\u{1}', '\u{2}', '\u{3}']) {
        header &= !["\u{1}", "\u{2}", "\u{3}"].contains(&line);
        if header && !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap().trim_end_matches([' ', '\t']).to_ascii_lowercase();
            hidden = line.contains(':') && ["bcc", "resent-bcc"].contains(&&*name);
        }
        if header && hidden {
            cut += 1;
        } else {
            left.push_str(line);
        }
    }
    let left = left.replace("\u{2}\u{3}", "\u{1}\u{3}");
    (left.replace('\u{1}', "\r\n").replace('\u{2}', "\r").replace('\u{3}', "\n"), cut)
}

#[test]
fn random_headers_lose_bcc_and_nothing_else() {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let names = ["Bcc", "bCC ", "Resent-Bcc", "Subject", "X-Bcc", "Bcc-X", "Cc", "B cc", "Bc"];
    let values = [":", ": x@y.z", ":\u{e9}", ": Bcc: x@y.z", "", ": a@b.c,", ":=?utf-8?q?Bcc=3A?= <x@y.z>"];
    let ends = ["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\r\n\t", "\n ", "\r ", "\r\nBcc: q@r.s\r\n"];
    let mut cut = 0;
    for _ in 0..50_000 {
        let mut message = String::from("From: a@b.c\r\n");
        for _ in 0..random(&mut seed, 7) {
            let parts = [names[random(&mut seed, 9)], values[random(&mut seed, 7)], ends[random(&mut seed, 10)]];
            message.push_str(&parts.concat());
        }
        message.push_str(["", "\r\n", "\n", "\r", "\r\nBcc: in@the.text\r\n", "\n\nBcc: x"][random(&mut seed, 6)]);
        let fields = Fields::of(message.as_bytes());
        let header = fields.without(&["Bcc", "Resent-Bcc"]);
        let left = header.map_or_else(|| message.clone().into_bytes(), |header| [&*header, fields.rest()].concat());
        let (expected, lines) = without_bcc(&message);
        assert_eq!(String::from_utf8_lossy(&left), expected, "{message:?}");
        assert!(Fields::of(&left).without(&["Bcc", "Resent-Bcc"]).is_none(), "{message:?}");
        cut += lines;
    }
    assert!(cut > 20_000, "{cut}");
}

#[test]
fn random_bytes_are_read_without_a_panic() {
    let mut seed = 0x1234_5678_9abc_def1;
    let pieces: [&[u8]; 24] = [
        b"From",
        b"To",
        b"Bcc",
        b"Resent-To",
        b":",
        b": ",
        b"a@b",
        b"<",
        b">",
        b"(",
        b")",
        b"\"",
        b"\\",
        b",",
        b";",
        b"\r\n",
        b"\r\n ",
        b"\r",
        b"\n",
        b"\0",
        b"\xff",
        b"=?utf-8?q?=0D=0A?=",
        "\u{fc}".as_bytes(),
        b"@",
    ];
    let mut fine = 0;
    for _ in 0..100_000 {
        let mut message = b"From: a@b\r\nTo: ".to_vec();
        (0..random(&mut seed, 12)).for_each(|_| message.extend_from_slice(pieces[random(&mut seed, 24)]));
        let Ok(raw) = RawMessage::parse(&message) else { continue };
        fine += 1;
        let all = raw.envelope().to().iter().map(String::as_str).chain([raw.envelope().from()]);
        all.for_each(|address| assert!(!address.contains(['\r', '\n', '\0', '<', '>']), "{message:?}"));
    }
    assert!(fine > 1_000, "{fine}");
}
