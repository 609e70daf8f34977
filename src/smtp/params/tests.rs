//! What each parameter looks like on its line, when it may go, and what no parameter may be.

use std::slice::from_ref;
use std::time::{Duration, SystemTime};

use super::*;
use crate::smtp::Reply;

fn offering(lines: &[&str]) -> Capabilities {
    let text = lines.iter().fold("250-x\n".to_owned(), |text, line| text + "250-" + line + "\n") + "250 NOOP\n";
    Capabilities::parse(&Reply::parse(text.as_bytes()).unwrap())
}

fn line(given: &[MailParameter], offer: &[&str], secure: bool) -> String {
    mail(given, &offering(offer), false, secure).map_or_else(|error| error.to_string(), |(line, _)| line)
}

#[test]
fn each_goes_only_where_it_is_offered() {
    let by = |seconds, late| MailParameter::deliver_by(seconds, late, false).unwrap();
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
    for (parameter, offer, expected) in [
        (MailParameter::ret(Ret::Full), "dsn", " RET=FULL"),
        (MailParameter::ret(Ret::Headers), "DSN", " RET=HDRS"),
        (MailParameter::envelope_id("a b+c").unwrap(), "DSN", " ENVID=a+20b+2Bc"),
        (MailParameter::body(BodyType::EightBitMime), "8BITMIME", " BODY=8BITMIME"),
        (MailParameter::smtputf8(), "SMTPUTF8", " SMTPUTF8"),
        (MailParameter::require_tls(), "REQUIRETLS", " REQUIRETLS"),
        (by(120, DeliverBy::Return), "DELIVERBY", " BY=120;R"),
        (by(-5, DeliverBy::Notify), "DELIVERBY 240", " BY=-5;N"),
        (MailParameter::deliver_by(9, DeliverBy::Notify, true).unwrap(), "DELIVERBY", " BY=9;NT"),
        (MailParameter::priority(-9).unwrap(), "MT-PRIORITY MIXER", " MT-PRIORITY=-9"),
        (MailParameter::hold_for(60).unwrap(), "FUTURERELEASE 60 2030-01-01T00:00:00Z", " HOLDFOR=60"),
        (MailParameter::hold_until(until).unwrap(), "FUTURERELEASE", " HOLDUNTIL=2000-02-29T00:00:00Z"),
        (MailParameter::auth(None).unwrap(), "AUTH PLAIN", " AUTH=<>"),
        (MailParameter::auth(Some("e+mc2@example.com")).unwrap(), "AUTH PLAIN", " AUTH=e+2Bmc2@example.com"),
        (MailParameter::other("XVERP", "xverp", None).unwrap(), "XVERP", " XVERP"),
        (MailParameter::other("X-A", "X-A", Some("b")).unwrap(), "X-A", " X-A=b"),
    ] {
        assert_eq!(line(from_ref(&parameter), &[offer], true), expected);
        let refused = line(from_ref(&parameter), &[], true);
        assert!(refused.contains("does not offer"), "{expected}: {refused}");
        assert_eq!(line(&[parameter.optional()], &[], true), "", "{expected}");
    }
}

#[test]
fn each_goes_only_within_what_was_told() {
    let hold = MailParameter::hold_for(61).unwrap();
    let offer = ["FUTURERELEASE 60 x", "DELIVERBY 120", "REQUIRETLS", "BINARYMIME"];
    assert!(line(from_ref(&hold), &offer, true).contains("allows less: FUTURERELEASE 60 x"));
    assert_eq!(line(&[hold.optional()], &offer, true), "");
    let soon = MailParameter::deliver_by(119, DeliverBy::Return, false).unwrap();
    assert!(line(&[soon], &offer, true).contains("wants more: DELIVERBY 120"));
    assert!(line(&[MailParameter::require_tls()], &offer, false).contains("no TLS"));
    assert!(line(&[MailParameter::body(BodyType::BinaryMime)], &offer, true).contains("CHUNKING"));
}

#[test]
fn what_goes_by_itself() {
    let all = offering(&["SIZE 100", "8BITMIME", "SMTPUTF8", "BINARYMIME", "CHUNKING"]);
    let text = |given: &[MailParameter], utf8| mail(given, &all, utf8, false).unwrap().0;
    assert_eq!(text(&[], true), " BODY=8BITMIME SMTPUTF8");
    assert_eq!(text(&[MailParameter::smtputf8()], true), " BODY=8BITMIME SMTPUTF8");
    assert_eq!(text(&[MailParameter::body(BodyType::SevenBit)], false), " BODY=7BIT");
    let (binary, content) = mail(&[MailParameter::body(BodyType::BinaryMime)], &all, false, false).unwrap();
    assert_eq!((&*binary, content.binary, content.eight_bit, content.utf8), (" BODY=BINARYMIME", true, true, false));
    // What is dropped leaves the octets as they would have been without it.
    let optional = [MailParameter::body(BodyType::BinaryMime).optional()];
    let (text, content) = mail(&optional, &offering(&["8BITMIME"]), false, false).unwrap();
    assert_eq!((&*text, content.binary, content.eight_bit), (" BODY=8BITMIME", false, true));
    assert_eq!(size(&all, Some(100)).unwrap(), " SIZE=100");
    assert!(size(&all, Some(101)).is_err());
    let none = offering(&[]);
    assert_eq!(size(&none, Some(100)).unwrap(), "");
    assert!(mail(&[], &none, true, false).unwrap_err().to_string().contains("SMTPUTF8"));
    let seven = mail(&[MailParameter::body(BodyType::SevenBit)], &none, false, false).unwrap();
    assert_eq!((&*seven.0, seven.1.eight_bit), ("", false));
}

#[test]
fn of_recipients() {
    let dsn = offering(&["DSN"]);
    let text = |given: &[RcptParameter]| rcpt(given, &dsn, true).unwrap();
    assert_eq!(text(&[RcptParameter::notify([])]), " NOTIFY=NEVER");
    let twice = RcptParameter::notify([Notify::Success, Notify::Delay, Notify::Success, Notify::Failure]);
    assert_eq!(text(from_ref(&twice)), " NOTIFY=SUCCESS,DELAY,FAILURE");
    let original = |address| RcptParameter::original_recipient(address).unwrap();
    assert_eq!(text(&[original("a+b@c.example")]), " ORCPT=rfc822;a+2Bb@c.example");
    assert_eq!(text(&[original("\"a b\"@c.example")]), " ORCPT=rfc822;\"a+20b\"@c.example");
    assert_eq!(text(&[original("b\u{f6}b@c.example")]), " ORCPT=utf-8;b\\x{F6}b@c.example");
    assert!(rcpt(from_ref(&twice), &offering(&[]), true).is_err());
    assert_eq!(rcpt(&[twice.optional()], &offering(&[]), true).unwrap(), "");
    let mut all = vec![RcptParameter::notify([])];
    put(&mut all, RcptParameter::notify([Notify::Delay]));
    assert_eq!(text(&all), " NOTIFY=DELAY");
}

#[test]
fn rule_9_no_value_becomes_a_parameter_or_a_command() {
    let bad = [
        "",
        "a b",
        "a\r\nRCPT TO:<x>",
        "a\r",
        "a\n",
        "a\0",
        "a\t",
        "a\x7f",
        "a=b",
        "a>b",
        "a<b",
        "\u{f6}",
        "a\u{2028}",
    ];
    for value in bad {
        assert!(MailParameter::other("X", "X", Some(value)).is_err(), "{value:?}");
        assert!(RcptParameter::other("X", "X", Some(value)).is_err(), "{value:?}");
        assert!(MailParameter::other("X", value, None).is_err(), "{value:?}");
        assert!(MailParameter::other(value, "X", None).is_err(), "{value:?}");
        assert!(MailParameter::auth(Some(value)).is_err(), "{value:?}");
        assert!(RcptParameter::original_recipient(value).is_err(), "{value:?}");
    }
    for id in ["", "a\r\nb", "a\r", "a\n", "a\0", "a\x7f", "\u{f6}", &"x".repeat(101), &" ".repeat(34)] {
        assert!(MailParameter::envelope_id(id).is_err(), "{id:?}");
    }
    for keyword in ["-X", "SIZE", "size", "BODY", "SMTPUTF8", "Auth", "BY", "X_Y"] {
        assert!(MailParameter::other("X", keyword, None).is_err(), "{keyword}");
    }
    assert!(MailParameter::priority(10).is_err() && MailParameter::priority(-10).is_err());
    assert!(MailParameter::hold_for(0).is_err() && MailParameter::hold_for(1_000_000_000).is_err());
    assert!(MailParameter::deliver_by(0, DeliverBy::Return, false).is_err());
    assert!(MailParameter::deliver_by(-1_000_000_000, DeliverBy::Notify, false).is_err());
    assert!(MailParameter::hold_until(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).is_err());
}
