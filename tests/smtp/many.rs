//! Many messages, many recipients, and messages in parts: what goes out, and what becomes of each.

use std::io::Cursor;
use std::sync::Arc;

use mailconnect::smtp::{Body, Envelope, Message, Outcome, Policy, SendOptions, SendReport, Smtp};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, Error, Security, SmtpClient};

use super::server::{Line, Machine, Offer};
use super::{Broken, HELLO, envelope, shown, smtp};

const CHUNKS: &str = "S: 250-mx.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n";

/// A client with chunking on, after EHLO was answered by `offer`, in every chunking of the server's bytes.
fn run(offer: &str, script: &str, work: impl Fn(&mut SmtpClient)) {
    for chunking in Chunking::ALL {
        let script = Script::parse(&format!("{HELLO}{offer}WAIT\n{script}")).unwrap().chunking(chunking);
        let (transport, handle) = script.play();
        let connector = Connector::new().clock(handle.clock());
        work(&mut connector.over(smtp().chunking(true), transport, "mx.example", Security::Plain).unwrap());
        handle.finish();
    }
}

fn open(offer: Offer, chunking: bool) -> (SmtpClient, Arc<std::sync::Mutex<super::server::Record>>) {
    let line = Line::new(Machine::new(offer));
    let record = Arc::clone(&line.machine.lock().unwrap().record);
    let client = Connector::new().over(smtp().chunking(chunking), line, "mx.example", Security::Plain).unwrap();
    (client, record)
}

fn addresses(n: usize) -> Envelope {
    Envelope::new("ann@a.example", (0..n).map(|n| format!("user{n}@b.example"))).unwrap()
}

// ---- In parts ----

#[test]
fn a_message_in_parts_is_never_stuffed_and_its_counts_are_exact() {
    let head = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\n";
    let replies = "S: 250 ok\nS: 250 ok\nS: 250 queued\n";
    for (body, sent) in [
        (".a\n.\r\n.\r", "C: BDAT 10 LAST\nC: .a\nC: .\nC: .\n"),
        ("a\r\n", "C: BDAT 3 LAST\nC: a\n"),
        ("", "C: BDAT 0 LAST\n"),
        ("a", "C: BDAT 3 LAST\nC: a\n"),
    ] {
        run(CHUNKS, &format!("{head}{sent}{replies}C: NOOP\nS: 250 ok\n"), |client| {
            client.send(&envelope(&["b@b.example"]), body).unwrap();
            client.noop().unwrap();
        });
        run(CHUNKS, &format!("{head}{sent}{replies}"), |client| {
            client.send(&envelope(&["b@b.example"]), Body::reader(body.as_bytes())).unwrap();
        });
    }
}

#[test]
fn a_large_message_goes_in_several_parts() {
    let text = "0123456789abcde\n".repeat(100_000);
    for (clean, text) in [(true, text.replace('\n', "\r\n")), (false, text)] {
        let (mut client, record) = open(Offer::new(&["PIPELINING", "CHUNKING"]), true);
        client.send(&envelope(&["b@b.example"]), Body::from(&text)).unwrap();
        client.send(&envelope(&["b@b.example"]), Body::reader(text.as_bytes())).unwrap();
        let record = record.lock().unwrap();
        assert!(record.kept.iter().all(|kept| kept.data.len() == 1_700_000), "clean: {clean}");
        let parts = record.verbs.iter().filter(|verb| *verb == "BDAT").count();
        assert!(if clean { 20..=30 } else { 40..=60 }.contains(&parts), "{parts}");
    }
}

#[test]
fn octets_as_they_are_by_binarymime() {
    use mailconnect::smtp::{BodyType, MailParameter};
    let (mut client, record) = open(Offer::new(&["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"]), false);
    let binary = envelope(&["b@b.example"]).with(MailParameter::body(BodyType::BinaryMime));
    client.send(&binary, b"a\0\r.\n\xff").unwrap();
    client.send(&binary, Body::reader(&b"\n.\n\0"[..])).unwrap();
    let kept = record.lock().unwrap().kept.iter().map(|kept| kept.data.clone()).collect::<Vec<_>>();
    assert_eq!(kept, [b"a\0\r.\n\xff".to_vec(), b"\n.\n\0".to_vec()]);
}

#[test]
fn a_refused_part_ends_the_transaction_by_rset_and_no_more_goes() {
    let big = "x".repeat(998) + "\r\n";
    let big = big.repeat(3_000);
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: BDAT 1048576\n";
    let script = Script::parse(&format!("{HELLO}{CHUNKS}WAIT\n{script}")).unwrap();
    let script = script.client(&big[..1 << 20]).server("250 ok\r\n250 ok\r\n552 too much\r\n").wait();
    let script = script.client("RSET\r\n").server("250 ok\r\n").client("NOOP\r\n").server("250 ok\r\n");
    let (transport, handle) = script.play();
    let connector = Connector::new().clock(handle.clock());
    let mut client: SmtpClient = connector.over(smtp().chunking(true), transport, "mx", Security::Plain).unwrap();
    let error = client.send(&envelope(&["b@b.example"]), &big).unwrap_err();
    assert_eq!(shown::<()>(Err(error)), "the server refused BDAT: 552 too much fatal=false unknown=false");
    client.noop().unwrap();
    handle.finish();
}

#[test]
fn a_reader_that_fails_between_parts_costs_no_connection() {
    for size in [10, 200_000] {
        let (mut client, record) = open(Offer::new(&["PIPELINING", "CHUNKING"]), true);
        let error = client.send(&envelope(&["b@b.example"]), Body::reader(Broken(size))).unwrap_err();
        assert!(matches!(error, Error::Caller { .. }) && !error.is_fatal(), "{error}");
        client.send(&envelope(&["b@b.example"]), "whole").unwrap();
        let record = record.lock().unwrap();
        assert_eq!(record.kept.len(), 1);
        assert!(record.verbs.contains(&"RSET".to_owned()));
    }
}

#[test]
fn nobody_is_left_for_a_part_that_went_with_the_envelope() {
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: BDAT 4 LAST\nC: ab\nS: 250 ok\nS: 550 no\n\
                  S: 503 no\nWAIT\nC: RSET\nS: 250 ok\nC: NOOP\nS: 250 ok\n";
    run(CHUNKS, script, |client| {
        let error = client.send(&envelope(&["b@b.example"]), "ab").unwrap_err();
        assert_eq!(error.to_string(), "the server refused RCPT: 550 no");
        client.noop().unwrap();
    });
    // All or none waits for the replies.
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: RCPT TO:<c@b.example>\nWAIT\nS: 250 ok\n\
                  S: 250 ok\nS: 250 ok\nWAIT\nC: BDAT 4 LAST\nC: ab\nS: 250 ok\n";
    run(CHUNKS, script, |client| {
        let all = SendOptions::new().policy(Policy::RequireAll);
        client.send_with(&envelope(&["b@b.example", "c@b.example"]), "ab", &all).unwrap();
    });
}

#[test]
fn chunking_only_where_it_is_offered_and_wanted() {
    let data = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: ab\n\
                C: .\nS: 250 ok\n";
    run("S: 250-mx\nS: 250 PIPELINING\n", data, |client| drop(client.send(&envelope(&["b@b.example"]), "ab").unwrap()));
    run(CHUNKS, data, |client| {
        client.send_with(&envelope(&["b@b.example"]), "ab", &SendOptions::new().chunking(false)).unwrap();
    });
    let script = Script::parse(&format!("{HELLO}{CHUNKS}WAIT\n{data}")).unwrap();
    let (transport, handle) = script.play();
    let off = smtp().chunking(true).disable("chunking");
    let mut client: SmtpClient = Connector::new().over(off, transport, "mx", Security::Plain).unwrap();
    assert!(!client.capabilities().has("CHUNKING"));
    client.send(&envelope(&["b@b.example"]), "ab").unwrap();
    handle.finish();
}

#[test]
fn bdat_by_itself() {
    let script = "C: MAIL FROM:<a@b>\nS: 250 ok\nC: RCPT TO:<c@d>\nS: 250 ok\nC: BDAT 4\nC: .a\nS: 250 ok\nC: BDAT 0 LAST\n\
                  S: 250 queued\n";
    run(CHUNKS, script, |client| {
        assert!(matches!(client.bdat(b"x\r\n", false), Err(Error::WrongState(_))));
        client.mail("a@b").unwrap();
        assert!(matches!(client.bdat(b"x\r\n", false), Err(Error::WrongState(_))));
        client.rcpt("c@d").unwrap();
        for bad in [&b"a\n"[..], b"a\rb", b"a\r", b"\n", b"a\0"] {
            assert!(matches!(client.bdat(bad, true), Err(Error::InvalidArgument(_))), "{bad:?}");
        }
        client.bdat(b".a\r\n", false).unwrap();
        assert!(matches!(client.data("x"), Err(Error::WrongState(_))));
        assert!(matches!(client.rcpt("e@f"), Err(Error::WrongState(_))));
        assert_eq!(client.bdat(b"", true).unwrap().text(), "queued");
        assert!(matches!(client.bdat(b"", true), Err(Error::WrongState(_))));
    });
}

// ---- Many ----

#[test]
fn the_next_envelope_rides_with_the_message_before_it() {
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<a@b.example>\nC: DATA\nWAIT\nS: 250 ok\nS: 250 ok\nS: 354 go\nWAIT\n\
                  C: one\nC: .\nC: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: DATA\nWAIT\nS: 250 queued 1\n\
                  S: 250 ok\nS: 550 no\nS: 354 go\nWAIT\nC: .\nS: 554 no\nWAIT\nC: RSET\nC: MAIL FROM:<ann@a.example>\n\
                  C: RCPT TO:<c@b.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nWAIT\nC: three\nC: .\n\
                  S: 451 later\nWAIT\nC: NOOP\nS: 250 ok\n";
    run("S: 250-mx\nS: 250 PIPELINING\n", script, |client| {
        let to = |to: &str| Envelope::new("ann@a.example", [to]).unwrap();
        let messages = [("a@b.example", "one"), ("b@b.example", "two"), ("c@b.example", "three")];
        let outcomes: Vec<_> =
            client.send_all(messages.map(|(address, text)| Message::new(to(address), text))).collect();
        let codes: Vec<_> = outcomes
            .iter()
            .map(|outcome| outcome.report().unwrap_or_else(|| panic!("{outcome:?}")).reply.code)
            .collect();
        assert_eq!(codes, [250, 550, 451]);
        assert!(outcomes[0].is_delivered() && !outcomes[1].is_delivered() && !outcomes[2].is_delivered());
        client.noop().unwrap();
    });
}

#[test]
fn a_refused_message_does_not_disturb_its_neighbours() {
    for (offer, chunking) in [(vec!["PIPELINING", "CHUNKING"], true), (vec!["PIPELINING"], false), (vec![], false)] {
        let (mut client, record) = open(Offer::new(&offer), chunking);
        let message = |n: usize| match n % 7 {
            1 => Message::new(envelope(&["refused@b.example"]), "nobody"),
            2 => Message::new(Envelope::new("refused@a.example", ["b@b.example"]).unwrap(), "nobody"),
            3 => Message::new(envelope(&["b@b.example"]), "REFUSE"),
            4 => Message::new(envelope(&["b@b.example"]), "not\0 sent"),
            5 => Message::new(envelope(&["\u{f6}@b.example"]), "not sent"),
            _ => Message::new(envelope(&["refused@b.example", "b@b.example"]), format!("{n}")),
        };
        let mut pulled = 0;
        let outcomes: Vec<_> = client.send_all((0..70).inspect(|_| pulled += 1).map(message)).collect();
        assert_eq!((outcomes.len(), pulled), (70, 70));
        for (n, outcome) in outcomes.iter().enumerate() {
            let right = match (n % 7, outcome) {
                (1..=3, Outcome::Refused(report)) => report.refused.len() == 1,
                (4, Outcome::NotSent(Error::InvalidArgument(_))) | (5, Outcome::NotSent(Error::Unsupported(_))) => true,
                (0 | 6, Outcome::Delivered(report)) => (report.accepted.len(), report.refused.len()) == (1, 1),
                _ => false,
            };
            assert!(right, "{n}: {outcome:?}");
        }
        let kept: Vec<_> = record.lock().unwrap().kept.iter().map(|kept| kept.data.clone()).collect();
        let expected = (0..70).filter(|n| matches!(n % 7, 0 | 6)).map(|n| format!("{n}\r\n").into_bytes());
        assert_eq!(kept, expected.collect::<Vec<_>>());
        client.quit().unwrap();
    }
}

#[test]
fn it_pulls_ahead_by_no_more_than_the_window() {
    for (chunking, most) in [(false, 2), (true, 45)] {
        let (mut client, _) = open(Offer::new(&["PIPELINING", "CHUNKING"]), chunking);
        let (pulled, envelope) = (std::cell::Cell::new(0), envelope(&["b@b.example"]));
        let messages = (0..200).inspect(|_| pulled.set(pulled.get() + 1)).map(|_| Message::with(&envelope, "text"));
        for (done, outcome) in client.send_all(messages).enumerate() {
            assert!(outcome.is_delivered() && pulled.get() <= done + most, "{} after {done}", pulled.get());
        }
    }
    // Large ones: a megabyte at most is under way.
    let (mut client, _) = open(Offer::new(&["PIPELINING", "CHUNKING"]), true);
    let (pulled, envelope, large) = (std::cell::Cell::new(0), envelope(&["b@b.example"]), "x\r\n".repeat(100_000));
    let messages = (0..20).inspect(|_| pulled.set(pulled.get() + 1)).map(|_| Message::with(&envelope, &large));
    for (done, outcome) in client.send_all(messages).enumerate() {
        assert!(outcome.is_delivered() && pulled.get() <= done + 6, "{} after {done}", pulled.get());
    }
}

#[test]
fn rule_8_nothing_follows_a_cursor_that_was_dropped_or_forgotten() {
    for forget in [false, true] {
        let (mut client, record) = open(Offer::new(&["PIPELINING"]), false);
        let envelope = envelope(&["b@b.example"]);
        let mut outcomes = client.send_all((0..3).map(|_| Message::with(&envelope, "text")));
        assert!(outcomes.next().unwrap().is_delivered());
        if forget {
            std::mem::forget(outcomes);
        } else {
            drop(outcomes);
        }
        assert!(client.noop().is_err() && !client.is_open());
        assert!(!record.lock().unwrap().verbs.contains(&"NOOP".to_owned()));
        assert_eq!(record.lock().unwrap().kept.len(), 1);
    }
    // One that came to its end leaves nothing behind.
    let (mut client, _) = open(Offer::new(&["PIPELINING"]), false);
    assert_eq!(client.send_all(Vec::new()).count(), 0);
    let message = || Message::new(envelope(&["refused@b.example"]), "text");
    assert_eq!(client.send_all([message(), message()]).count(), 2);
    client.mail("a@b").unwrap();
    let outcomes: Vec<_> = client.send_all([message()]).collect();
    assert!(matches!(outcomes[..], [Outcome::NotSent(Error::WrongState(_))]));
    client.rset().unwrap();
}

// ---- Too many ----

/// How the recipients were spread, and what is told of it.
fn spread(report: &SendReport) -> (Vec<usize>, usize, usize) {
    let parts = report.deliveries.iter().map(|delivery| delivery.to.len()).collect();
    (parts, report.accepted.len(), report.not_attempted.len())
}

#[test]
fn recipients_are_split_where_the_server_takes_no_more() {
    for chunking in [false, true] {
        let told = Offer::new(&["PIPELINING", "CHUNKING", "LIMITS RCPTMAX=10"]);
        let silent = Offer { recipients_max: 100, ..Offer::new(&["PIPELINING", "CHUNKING"]) };
        for (offer, n, expected) in [(told, 25, vec![10, 10, 5]), (silent, 250, vec![100, 100, 50])] {
            for body in [Body::from("text"), Body::seekable(Cursor::new("text")), Body::open(|| Ok(&b"text"[..]))] {
                let (mut client, record) = open(offer.clone(), chunking);
                let report = client.send(&addresses(n), body).unwrap();
                assert_eq!(spread(&report), (expected.clone(), n, 0));
                let record = record.lock().unwrap();
                assert!(record.kept.iter().all(|kept| kept.data == b"text\r\n"));
                assert_eq!(record.kept.iter().map(|kept| kept.to.len()).collect::<Vec<_>>(), expected);
            }
        }
    }
}

#[test]
fn what_can_be_read_once_is_sent_once() {
    let told = Offer::new(&["PIPELINING", "LIMITS RCPTMAX=10"]);
    let (mut client, record) = open(told, false);
    let error = client.send(&addresses(11), Body::reader(&b"text"[..])).unwrap_err();
    assert!(error.to_string().contains("RCPTMAX=10") && !error.is_fatal(), "{error}");
    let all = SendOptions::new().policy(Policy::RequireAll);
    assert!(client.send_with(&addresses(11), "text", &all).unwrap_err().to_string().contains("all or none"));
    assert!(!record.lock().unwrap().verbs.contains(&"MAIL".to_owned()));
    let silent = Offer { recipients_max: 100, ..Offer::new(&["PIPELINING"]) };
    let (mut client, _) = open(silent.clone(), false);
    let report = client.send(&addresses(130), Body::reader(&b"text"[..])).unwrap();
    assert_eq!((spread(&report), &*report.not_attempted[0]), ((vec![100], 100, 30), "user100@b.example"));
    let (mut client, record) = open(silent, false);
    let error = client.send_with(&addresses(101), "text", &all).unwrap_err();
    assert_eq!(error.rejection().map(|refusal| &*refusal.status), Some("452"));
    assert!(record.lock().unwrap().kept.is_empty());
}

#[test]
fn domains_and_messages_are_limited_too() {
    let (mut client, _) = open(Offer::new(&["PIPELINING", "LIMITS MAILMAX=3 RCPTDOMAINMAX=2"]), false);
    let many = envelope(&["a@b.example", "b@c.example", "c@B.example", "d@d.example"]);
    let report = client.send(&many, "text").unwrap();
    assert_eq!(spread(&report), (vec![3, 1], 4, 0));
    let one = || Message::new(envelope(&["b@b.example"]), "text");
    let mut pulled = 0;
    let outcomes: Vec<_> = client.send_all((0..9).inspect(|_| pulled += 1).map(|_| one())).collect();
    assert!(matches!(&outcomes[..], [Outcome::Delivered(_), Outcome::NotSent(Error::Unsupported(_))]), "{outcomes:?}");
    assert_eq!(pulled, 2);
    assert!(client.mail("a@b").unwrap_err().to_string().contains("MAILMAX") && client.is_open());
    assert!(client.send(&envelope(&["b@b.example"]), "text").is_err() && client.is_open());
    let _: &Smtp = client.protocol();
}

#[test]
fn a_split_message_tells_what_was_lost() {
    let offer = Offer::new(&["PIPELINING", "LIMITS RCPTMAX=1"]);
    let envelope = envelope(&["a@b.example", "b@b.example", "c@b.example"]);
    let whole = {
        let (mut client, record) = open(offer.clone(), false);
        client.send(&envelope, "text").unwrap();
        record.lock().unwrap().octets
    };
    let mut seen = std::collections::BTreeSet::new();
    for cut in 0..whole {
        let line = Line { cut, ..Line::new(Machine::new(offer.clone())) };
        let machine = Arc::clone(&line.machine);
        let client = Connector::new().over(smtp(), line, "mx.example", Security::Plain);
        let result = client.and_then(|mut client| client.send(&envelope, "text"));
        machine.lock().unwrap().run();
        let kept = machine.lock().unwrap().record.lock().unwrap().kept.len();
        let counts = match &result {
            Ok(report) => [report.accepted.len(), report.unknown.len(), report.not_attempted.len()],
            Err(error) if error.outcome_unknown() => [0, 1, 2],
            Err(_) => [0, 0, 3],
        };
        assert_eq!(counts.iter().sum::<usize>(), 3, "cut at {cut}: {result:?}");
        assert!((counts[0]..=counts[0] + counts[1]).contains(&kept), "cut at {cut}: {kept} kept, {result:?}");
        seen.insert(counts);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [[0, 0, 3], [0, 1, 2], [1, 0, 2], [1, 1, 1], [2, 0, 1], [2, 1, 0], [3, 0, 0]]
    );
}
