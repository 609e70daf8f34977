//! Bodies of messages that nobody has asked for: skipped, but not without bound.

use std::time::Duration;

use mailconnect::imap::{Event, Imap};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, Error, ImapClient, Limits, Result, Security};

use crate::open_with;

const MINUTE: Duration = Duration::from_secs(60);

/// Where a server may say something: what goes before it, what follows, and who hears it, which says how many events were
/// told.
type Place = (&'static str, &'static str, fn(&mut ImapClient) -> Result<usize>);

const PLACES: [Place; 7] = [
    ("", "C: A1 NOOP\nS: A1 OK", |client| client.noop().map(|()| told(client))),
    ("C: A1 NOOP\n", "S: A1 OK", |client| client.noop().map(|()| told(client))),
    ("C: A1 SEARCH ALL\n", "S: * SEARCH 1\nS: A1 OK", |client| client.search("ALL").map(|_| told(client))),
    ("C: A1 APPEND x {99999}\n", "S: A1 NO", |client| {
        refused(client.append("x", &[], &[b'x'; 99_999]).map(drop)).map(|()| told(client))
    }),
    ("C: A1 SELECT x\n", "S: A1 OK", |client| {
        // What came before is about no mailbox that is open.
        client.select("x").map(|_| told(client) + 2)
    }),
    ("C: A1 IDLE\nS: +\n", "C: DONE\nS: A1 OK", |client| {
        let mut idle = client.idle(MINUTE)?;
        let mut events = 0;
        while let Some(event) = idle.next_event()? {
            assert_eq!(event, flags());
            events += 1;
        }
        Ok(events)
    }),
    ("C: A1 NOOP\nC: A2 UID SEARCH ALL\n", "S: A1 OK\nS: * SEARCH 1\nS: A2 OK", |client| {
        let mut batch = client.batch();
        batch.noop();
        batch.uid_search("ALL");
        batch.run().map(drop)?;
        Ok(told(client))
    }),
];

fn flags() -> Event {
    Event::Flags { message: 1, uid: None, flags: vec!["a".into()] }
}

/// How many events wait; each of them is that one.
fn told(client: &mut ImapClient) -> usize {
    client.events().map(|event| assert_eq!(event, flags())).count()
}

fn refused(result: Result<()>) -> Result<()> {
    result.or_else(|error| if error.is_fatal() { Err(error) } else { Ok(()) })
}

fn client(script: &str, chunking: Chunking) -> (ImapClient, mailconnect::testing::ScriptHandle) {
    let mut limits = Limits::default();
    limits.drain = 100;
    let connector = Connector::new().limits(limits);
    let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 IDLE] hi\n{script}")).unwrap();
    let (client, handle) = open_with(connector, Imap::new(), script.chunking(chunking), Security::Plain);
    (client.unwrap(), handle)
}

/// A message with a section of this size.
fn message(size: usize) -> String {
    format!("S: * 1 FETCH (FLAGS (a) BODY[] {{{size}}}\nS- {}\nS: )\n", "x".repeat(size))
}

#[test]
fn as_much_as_may_be_left_unread_is_skipped() {
    for (before, after, work) in PLACES {
        for chunking in Chunking::ALL {
            let (mut client, handle) = client(&format!("{before}{}{after}", message(40).repeat(2)), chunking);
            assert_eq!(work(&mut client).unwrap(), 2, "{before}");
            handle.finish();
        }
    }
}

#[test]
fn more_is_an_error_as_soon_as_it_is_announced() {
    let announced = |size: &str| format!("S: * 1 FETCH (BODY[] {{{size}}}\nSTALL");
    let field = "S: * 1 FETCH (BODY[HEADER.FIELDS ({3}\nS- [ab\nS: )] {70000}\nSTALL".to_owned();
    for said in [field, announced("101"), announced("18446744073709551615"), message(60) + &announced("41")] {
        for (before, _, work) in PLACES {
            // Each response of an IDLE is an answer of its own.
            if before.contains("IDLE") && said.contains("41") {
                continue;
            }
            for chunking in Chunking::ALL {
                let (mut client, handle) = client(&format!("{before}{said}"), chunking);
                let error = work(&mut client).unwrap_err();
                assert!(matches!(&error, Error::Limit(limit) if limit.max == 100), "{before}: {error:?}");
                assert!(!client.is_open());
                assert_eq!(handle.clock().elapsed(), Duration::ZERO, "nothing was waited for");
            }
        }
    }
    let (mut idling, handle) = client(
        &format!("C: A1 IDLE\nS: +\n{}C: DONE\nS: A1 OK", (message(90) + "PAUSE 1s\n").repeat(5)),
        Chunking::Whole,
    );
    let mut idle = idling.idle(MINUTE).unwrap();
    assert_eq!(std::iter::from_fn(|| idle.next_event().unwrap()).count(), 5);
    handle.finish();
}

/// A value that is too large to be kept is skipped up to what may be collected, as what is kept of an answer.
#[test]
fn values_that_are_too_large_are_no_bodies() {
    let mut limits = Limits::default();
    (limits.drain, limits.value_literal, limits.collected) = (100, 50, 1_000);
    let connector = Connector::new().limits(limits);
    let list = format!("S: * LIST () \"/\" {{600}}\nS- {}\nS:\n", "x".repeat(600));
    for (count, ends) in [(1, "well"), (2, "bytes in an answer")] {
        for chunking in Chunking::ALL {
            let script = format!("S: * OK\nC: A1 NOOP\n{}S: A1 OK", list.repeat(count));
            let script = Script::parse(&script).unwrap().chunking(chunking);
            let mut client = open_with(connector.clone(), Imap::new(), script, Security::Plain).0.unwrap();
            let found = match client.noop() {
                Err(Error::Limit(limit)) => limit.what,
                result => result.map(|()| "well").unwrap(),
            };
            assert_eq!(found, ends);
        }
    }
}

#[test]
fn what_was_asked_for_may_be_passed_over_whatever_its_size() {
    let script = format!("C: A1 FETCH 1 BODY[]\n{}S: A1 OK", message(5_000).repeat(2));
    type Work = fn(&mut ImapClient) -> Result<usize>;
    let passing: [Work; 4] = [
        |client| {
            let mut list = client.fetch(1, "BODY[]")?;
            let mut count = 0;
            while let Some(mut message) = list.next_message()? {
                while message.next_item()?.is_some() {}
                count += 1;
            }
            Ok(count)
        },
        |client| {
            let mut list = client.fetch(1, "BODY[]")?;
            let mut count = 0;
            while list.next_message()?.is_some() {
                count += 1;
            }
            Ok(count)
        },
        |client| client.command("FETCH 1 BODY[]").map(|answer| answer.lines.len()),
        |client| {
            let mut batch = client.batch();
            let messages = batch.fetch(1, "BODY[]");
            batch.run()?.take(messages).map(|messages| messages.len())
        },
    ];
    for work in passing {
        for chunking in Chunking::ALL {
            let (mut client, handle) = client(&script, chunking);
            assert_eq!(work(&mut client).unwrap(), 2);
            handle.finish();
        }
    }
}
