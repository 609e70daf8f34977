//! Tables of good and bad endpoints.

use super::*;
use crate::ports::Security::{Plain, StartTls, Tls};

/// Given; shown again; scheme.
const GOOD: &[(&str, &str, Option<&str>)] = &[
    ("mail.example.com", "mail.example.com", None),
    ("mail.example.com:25", "mail.example.com:25", None),
    ("mail.example.com:65535", "mail.example.com:65535", None),
    ("mail.example.com:00025", "mail.example.com:25", None),
    ("mail.example.com.", "mail.example.com.", None),
    ("mail.example.com.:25", "mail.example.com.:25", None),
    ("MAIL.Example.COM", "MAIL.Example.COM", None),
    ("localhost", "localhost", None),
    ("localhost:2525", "localhost:2525", None),
    ("unix", "unix", None),
    ("unix.example.com:25", "unix.example.com:25", None),
    ("my_host.example", "my_host.example", None),
    ("_dmarc.example", "_dmarc.example", None),
    ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example", None),
    ("r3---sn.example", "r3---sn.example", None),
    ("1and1.example", "1and1.example", None),
    ("10.example", "10.example", None),
    ("0xcafe.example", "0xcafe.example", None),
    ("192.0.2.1", "192.0.2.1", None),
    ("192.0.2.1:25", "192.0.2.1:25", None),
    ("127.0.0.1:1", "127.0.0.1:1", None),
    ("::1", "[::1]", None),
    ("::", "[::]", None),
    ("[::1]", "[::1]", None),
    ("[::1]:143", "[::1]:143", None),
    ("2001:DB8::25", "[2001:db8::25]", None),
    ("::1:143", "[::1:143]", None), // an address: a port wants brackets
    ("::ffff:192.0.2.1", "[::ffff:192.0.2.1]", None),
    ("[::ffff:192.0.2.1]:25", "[::ffff:192.0.2.1]:25", None),
    ("fe80::1%eth0", "[fe80::1%eth0]", None),
    ("[fe80::1%eth0.1]:25", "[fe80::1%eth0.1]:25", None),
    ("[fe80::1%2]", "[fe80::1%2]", None),
    ("unix:/run/lmtp", "unix:/run/lmtp", None),
    ("UNIX:/run/lmtp", "unix:/run/lmtp", None),
    ("unix:///run/lmtp", "unix:/run/lmtp", None),
    ("unix:/run/a b@c:25%/ü", "unix:/run/a b@c:25%/ü", None),
    ("smtp://mail.example.com", "mail.example.com", Some("smtp")),
    ("smtp://mail.example.com/", "mail.example.com", Some("smtp")),
    ("IMAPS://mail.example.com:993", "mail.example.com:993", Some("imaps")),
    ("pop3s://[::1]:995/", "[::1]:995", Some("pop3s")),
    ("imap://192.0.2.1/", "192.0.2.1", Some("imap")),
    ("imap+insecure://localhost:1143", "localhost:1143", Some("imap+insecure")),
    ("x-y.z+1://h", "h", Some("x-y.z+1")),
];

#[test]
fn good_ones_are_taken_and_shown_as_given() {
    for (given, shown, scheme) in GOOD {
        let endpoint: Endpoint = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(endpoint.to_string(), *shown, "{given}");
        assert_eq!(endpoint.scheme(), *scheme, "{given}");
        let again: Endpoint = shown.parse().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!((again.host(), again.port()), (endpoint.host(), endpoint.port()), "{given}");
    }
}

/// Given; words of the reason.
const BAD: &[(&str, &str)] = &[
    ("", "is empty"),
    (" ", "cannot contain ' '"),
    ("mail.example.com ", "cannot contain ' '"),
    (" mail.example.com", "cannot contain ' '"),
    ("mail example.com", "cannot contain ' '"),
    ("mail.example.com\r\nQUIT", "control character at offset 16"),
    ("mail.example.com\n", "control character at offset 16"),
    ("mail\0.example.com", "control character at offset 4"),
    ("mail\t.example.com", "control character"),
    ("mail\u{7f}.example.com", "control character"),
    ("mail\u{85}.example.com", "control character"),
    ("unix:/run/l\0mtp", "control character"),
    ("mail.example.com:0", "port 0"),
    ("mail.example.com:00", "port 0"),
    ("[::1]:0", "port 0"),
    ("mail.example.com:65536", "above 65535"),
    ("mail.example.com:99999999999999999999", "above 65535"),
    ("mail.example.com:", "no port number"),
    ("[::1]:", "no port number"),
    ("smtp://mail.example.com:/", "no port number"),
    ("mail.example.com:+25", "no port number"),
    ("mail.example.com:-1", "no port number"),
    ("mail.example.com: 25", "no port number"),
    ("mail.example.com:smtp", "no port number"),
    ("mail.example.com:٢٥", "no port number"),
    ("mail.example.com:25:25", "several colons"),
    ("::1::2", "several colons"),
    ("1:2:3:4:5:6:7:8:9", "several colons"),
    (":25", "host is missing"),
    ("smtp://", "host is missing"),
    ("smtp:///", "host is missing"),
    (".", "empty label"),
    ("a..b", "empty label"),
    (".example.com", "empty label"),
    ("example.com..", "empty label"),
    ("127.1", "ends in a number"),
    ("2130706433", "ends in a number"),
    ("0x7f.1", "ends in a number"),
    ("0x7f000001:25", "ends in a number"),
    ("192.0.2.256", "ends in a number"),
    ("192.0.2.1.", "ends in a number"),
    ("192.0.2.010", "ends in a number"),
    ("mail.example.123", "ends in a number"),
    ("münchen.example", "xn--"),
    ("mail.example.com。", "xn--"),
    ("mail\u{2009}x", "xn--"),
    ("imap://user:sEcret@mail.example.com", "belong into login"),
    ("imap://user:sEcret/x@mail.example.com", "belong into login"),
    ("imap://user:sEcret#x@mail.example.com/", "belong into login"),
    ("imap://user@mail.example.com", "belong into login"),
    ("imap://@mail.example.com", "belong into login"),
    ("user:sEcret@mail.example.com", "belong into login"),
    ("user@mail.example.com", "belong into login"),
    ("user:sEcret", "no port number"),
    ("imap://mail.example.com/INBOX", "only host and port"),
    ("imap://mail.example.com//", "only host and port"),
    ("imap://mail.example.com?x", "only host and port"),
    ("imap://mail.example.com/?x", "only host and port"),
    ("imap://mail.example.com#x", "only host and port"),
    ("imap://mail%2eexample.com", "percent sign"),
    ("imap://[fe80::1%25eth0]", "percent sign"),
    ("imap://::1", "wants brackets"),
    ("imap://mail.example.com:143:143", "wants brackets"),
    ("://mail.example.com", "no URL scheme"),
    ("1map://mail.example.com", "no URL scheme"),
    ("im ap://mail.example.com", "no URL scheme"),
    ("imap_://mail.example.com", "no URL scheme"),
    ("mail%2eexample.com", "cannot contain '%'"),
    ("mail.example.com/", "cannot contain '/'"),
    ("mail.example.com\\", "cannot contain '\\\\'"),
    ("*.example.com", "cannot contain '*'"),
    ("mail.example.com,b", "cannot contain ','"),
    ("<mail.example.com>", "cannot contain '<'"),
    ("::1]", "several colons"),
    ("[::1", "never closed"),
    ("[", "never closed"),
    ("[]", "no IPv6 address"),
    ("[mail.example.com]:25", "no IPv6 address"),
    ("[192.0.2.1]", "no IPv6 address"),
    ("[::1%]", "no IPv6 address"),
    ("[::1%a b]", "no IPv6 address"),
    ("[::1%a%b]", "no IPv6 address"),
    ("[::1]25", "closing bracket"),
    ("[::1]]:25", "closing bracket"),
    ("unix:", "absolute path"),
    ("unix:25", "absolute path"),
    ("unix:run/lmtp", "absolute path"),
    ("unix:./lmtp", "absolute path"),
    ("unix://run/lmtp", "absolute path"),
];

fn reason(endpoint: Result<Endpoint>) -> String {
    match endpoint {
        Err(Error::InvalidArgument(refused)) if refused.argument == "endpoint" => refused.reason.into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_ones_are_refused_and_never_repeated() {
    for (given, words) in BAD {
        let reason = reason(given.parse());
        assert!(reason.contains(words), "{given:?}: {reason}");
        assert!(!reason.contains("sEcret"), "{given:?}: {reason}");
    }
}

#[test]
fn labels_and_names_have_their_longest() {
    let label = |len| "a".repeat(len);
    assert!(label(63).parse::<Endpoint>().is_ok());
    assert!(reason(label(64).parse()).contains("63 octets"));
    let longest = [label(63), label(63), label(63), label(61)].join(".");
    assert_eq!(longest.len(), 253);
    assert!(format!("{longest}.:25").parse::<Endpoint>().is_ok());
    assert!(reason(format!("{longest}a").parse()).contains("253 octets"));
}

#[test]
fn hosts_are_what_they_look_like() {
    let host = |text: &str| text.parse::<Endpoint>().unwrap().host().clone();
    assert_eq!(host("192.0.2.1:25"), Host::Ip(Ipv4Addr::new(192, 0, 2, 1).into()));
    assert_eq!(host("[::1]:25"), Host::Ip(Ipv6Addr::LOCALHOST.into()));
    assert_eq!(host("::1"), Host::Ip(Ipv6Addr::LOCALHOST.into()));
    assert_eq!(host("Mail.example.:25"), Host::Name("Mail.example.".into()));
    assert_eq!(host("[fe80::1%eth0]:25"), Host::Name("fe80::1%eth0".into()));
    assert_eq!(host("unix:///run/lmtp"), Host::Unix("/run/lmtp".into()));
}

/// As the verbs take their endpoints.
fn convert(endpoint: impl TryInto<Endpoint, Error: Into<Error>>) -> Result<Endpoint> {
    endpoint.try_into().map_err(Into::into)
}

#[test]
fn everything_that_the_verbs_take() {
    let shown = |endpoint: Result<Endpoint>| endpoint.unwrap().to_string();
    let endpoint: Endpoint = "h:25".parse().unwrap();
    assert_eq!(shown(convert("h:25")), "h:25");
    let text = "h:25".to_owned();
    assert_eq!(shown(convert(&text)), "h:25");
    assert_eq!(shown(convert(text)), "h:25");
    assert_eq!(shown(convert(("h", 25))), "h:25");
    assert_eq!(shown(convert(("unix", 25))), "unix:25");
    assert_eq!(shown(convert(("h".to_owned(), 25))), "h:25");
    assert_eq!(shown(convert(("::1", 25))), "[::1]:25");
    assert_eq!(shown(convert(("[::1]", 25))), "[::1]:25");
    assert_eq!(shown(convert(("fe80::1%eth0", 25))), "[fe80::1%eth0]:25");
    assert_eq!(shown(convert(("smtps://h/", 25))), "h:25");
    assert_eq!(shown(convert(Ipv4Addr::LOCALHOST)), "127.0.0.1");
    assert_eq!(shown(convert(Ipv6Addr::LOCALHOST)), "[::1]");
    assert_eq!(shown(convert(IpAddr::from([192, 0, 2, 1]))), "192.0.2.1");
    assert_eq!(shown(convert(SocketAddr::from(([192, 0, 2, 1], 25)))), "192.0.2.1:25");
    assert_eq!(shown(convert("[fe80::1%7]:25".parse::<SocketAddr>().unwrap())), "[fe80::1%7]:25");
    assert_eq!(shown(convert(&endpoint)), "h:25");
    assert_eq!(convert(endpoint.clone()).unwrap(), endpoint);
}

#[test]
fn a_port_is_given_once_and_is_never_0() {
    assert!(reason(convert(("h", 0))).contains("port 0"));
    assert!(reason(convert(("h:25", 25))).contains("twice"));
    assert!(reason(convert(("[::1]:25", 25))).contains("twice"));
    assert!(reason(convert(("smtp://h:25", 25))).contains("twice"));
    assert!(reason(convert(("unix:/run/lmtp", 25))).contains("no port"));
    assert!(reason(convert(SocketAddr::from(([192, 0, 2, 1], 0)))).contains("port 0"));
    let with_default = |text: &str, port| text.parse::<Endpoint>().unwrap().or_port(port).port();
    assert_eq!(with_default("h", Some(587)), Some(587));
    assert_eq!(with_default("h:25", Some(587)), Some(25));
    assert_eq!(with_default("h", None), None);
    assert_eq!(with_default("unix:/run/lmtp", Some(24)), None);
}

#[test]
fn the_scheme_decides_how_it_is_secured() {
    let schemes = [("imap", StartTls), ("imaps", Tls), ("test", Plain)];
    let security = |text: &str| text.parse::<Endpoint>().unwrap().security(&schemes);
    assert_eq!(security("h:143").unwrap(), None);
    assert_eq!(security("imap://h").unwrap(), Some(StartTls));
    assert_eq!(security("IMAPS://h").unwrap(), Some(Tls));
    assert_eq!(security("test://h").unwrap(), Some(Plain));
    assert_eq!(security("imap+insecure://h").unwrap(), Some(Plain));
    for unknown in ["smtp", "imaps+insecure", "test+insecure", "imap+insecure+insecure", "imap+tls", "x"] {
        let error = security(&format!("{unknown}://h")).unwrap_err().to_string();
        let known = format!("the scheme {unknown} is none of imap, imaps, test, imap+insecure");
        assert!(error.ends_with(&known), "{error}");
    }
    let none = "imap://h".parse::<Endpoint>().unwrap().security(&[]).unwrap_err();
    assert!(none.to_string().contains("no URL scheme"), "{none}");
}
