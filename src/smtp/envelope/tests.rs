//! Tables of addresses: what is taken and how it is written, and what could become more than an address.

use super::*;

#[test]
fn addresses_are_written_anew() {
    for (given, written) in [
        ("a@b", "a@b"),
        ("first.last+tag@mail.example.com", "first.last+tag@mail.example.com"),
        ("a..b.@example.com", "a..b.@example.com"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("a@under_score.example", "a@under_score.example"),
        ("\"John Doe\"@example.com", "\"John Doe\"@example.com"),
        ("\"\"@example.com", "\"\"@example.com"),
        (r#""a\b\ c\"d\\"@example.com"#, r#""ab c\"d\\"@example.com"#),
        ("\"a@b\"@example.com", "\"a@b\"@example.com"),
        ("j\u{f6}rg@b\u{fc}ro.example", "j\u{f6}rg@b\u{fc}ro.example"),
    ] {
        assert_eq!(parse(given).as_deref(), Ok(written));
        assert_eq!(parse(written).as_deref(), Ok(written), "once written it stays");
    }
    assert_eq!(recipient("Postmaster").unwrap(), "Postmaster");
    assert_eq!(sender("").unwrap(), "");
}

const MALICIOUS: &[&str] = &[
    "a@b\r\nRCPT TO:<x@y>",
    "a\r\nRSET\r\n@b",
    "a@b\r",
    "a@b\n",
    "a\n@b",
    "a\r@b",
    "a\0@b",
    "a@b\0",
    "a\x08@b",
    "a\x7f@b",
    "a\u{85}@b",
    "a\u{2028}b@c",
    "\"a\r\nRSET\"@b",
    "\"a\\\nb\"@c",
    "\"a\tb\"@c",
    "\"a@b> SIZE=1\"@c",
    "\"a>\"@c",
    "\"<a\"@c",
    "\"a\\>\"@c",
    "a b@c",
    "a@b c",
    "a@b SIZE=1",
    " a@b",
    "a@b ",
    "a>b@c",
    "a<b@c",
    "a@b>",
    "<a@b>",
    "a@b> SIZE=1",
    "Ann <a@b>",
    "a@b,c@d",
    "a@b@c",
    "@relay:a@b",
    "a",
    "",
    "@",
    "a@",
    "@b",
    "a@.b",
    "a@b.",
    "a@b..c",
    "a@[",
    "a@[]",
    "a@[1 2]",
    "a@[1]]",
    "a@[1]x",
    "a@b;c",
    "a@b/c",
    "a\\@b",
    "a(b)@c",
    "\"a@b",
    "\"a\"",
    "\"a\"b@c",
    "\"a\\",
    "\"a\"@",
    "a\"b\"@c",
];

#[test]
fn rule_9_no_address_becomes_a_command_or_a_parameter() {
    for bad in MALICIOUS {
        assert!(parse(bad).is_err(), "{bad:?}");
        assert!(Envelope::new(bad, ["a@b"]).is_err() && Envelope::new("a@b", [bad]).is_err(), "{bad:?}");
        assert!(Envelope::null_sender([bad]).is_err(), "{bad:?}");
    }
    let none: [&str; 0] = [];
    assert!(Envelope::new("a@b", none).is_err());
}

#[test]
fn lengths() {
    let local = "l".repeat(64);
    let domain = format!("{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
    let longest = format!("{local}@{domain}");
    assert_eq!(longest.len(), 254);
    assert!(parse(&longest).is_ok());
    assert!(parse(&format!("l{longest}")).is_err() && parse(&format!("{longest}d")).is_err());
    assert!(parse(&format!("{local}l@b")).is_err());
    let huge = format!("a@{}", "\u{20ac}\"".repeat(100_000));
    let shown = Envelope::new("a@b", [&huge]).unwrap_err().to_string();
    assert!(shown.len() < 2_000, "{}", shown.len());
}

/// Whatever is taken holds nothing that ends a path outside quotes, and no control character.
#[test]
fn random_addresses() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let parts =
        ["a", "b", ".", "\"", "\\", "@", "@b", "\"@b", "<", ">", " ", "\r", "\n", "\0", "[1]", ":", "\u{fc}", "\u{a0}"];
    let mut taken = 0;
    for _ in 0..300_000 {
        let text: String = (0..random(8)).map(|_| parts[random(parts.len())]).collect();
        let Ok(written) = parse(&text) else { continue };
        taken += 1;
        assert!(!written.contains(['<', '>']) && !written.contains(char::is_control), "{text:?}");
        assert!(!written.contains(' ') || written.starts_with('"'), "{text:?}");
        assert_eq!(parse(&written).as_ref(), Ok(&written), "{text:?}");
    }
    assert!(taken > 1_000, "{taken}");
}
