//! What was said of a mailbox is no news once another is open, or none.

use std::time::Duration;

use mailconnect::imap::{Event, Imap, Mailbox};
use mailconnect::testing::Script;
use mailconnect::{Connector, ImapClient, Limits, Result, Security};

use crate::{offering, open_with, rejected, session};

/// News of the selected mailbox in all its forms, and others.
const NEWS: &str = "S: * 5 EXISTS\nS: * 1 RECENT\nS: * 2 EXPUNGE\nS: * 3 FETCH (FLAGS (a))\nS: * VANISHED 7\nS: * FLAGS (a)\n\
                    S: * 3 FETCH (UID 7 MODSEQ (12))\nS: * VANISHED x\nS: * OK [UIDNEXT 9]\nS: * OK [highestmodseq 12] up\n\
                    S: * OK [PERMANENTFLAGS (a)]\nS: * NO [READ-ONLY] x\nS: * OK [UIDVALIDITY x]\nS: * OK [NOMODSEQ]\n\
                    S: * OK [ALERT] noon\nS: * OK [X-ODD] x\nS: * OK UIDNEXT\nS: * 3 X-FETCH\n";

/// What of it is of no mailbox.
fn others() -> Vec<Event> {
    let others = ["* OK [X-ODD] x", "* OK UIDNEXT", "* 3 X-FETCH"].map(|raw| Event::Other(raw.into()));
    [vec![Event::Alert("noon".into())], others.to_vec()].concat()
}

type Leave = fn(&mut ImapClient) -> Result<()>;

/// What is sent, what is answered, and by which verb.
const LEAVES: [(&str, &str, Leave); 9] = [
    ("SELECT b", "S: * 9 EXISTS\nS: A2 OK", |client| client.select("b").map(drop)),
    ("SELECT b", "S: A2 OK", |client| client.select("b").map(drop)),
    ("SELECT b", "S: A2 NO", |client| client.select("b").map(drop)),
    ("EXAMINE b", "S: * FLAGS ()\nS: A2 OK", |client| client.examine("b").map(drop)),
    ("EXAMINE b", "S: A2 NO", |client| client.examine("b").map(drop)),
    ("CLOSE", "S: A2 OK", ImapClient::close),
    ("UNSELECT", "S: A2 OK", ImapClient::unselect),
    ("select b (CONDSTORE)", "S: * 9 EXISTS\nS: A2 OK", |client| client.command("select b (CONDSTORE)").map(drop)),
    ("close", "S: A2 OK", |client| client.command("close").map(drop)),
];

#[test]
fn news_of_a_mailbox_go_with_it() {
    for (sent, answered, leave) in LEAVES {
        let before = format!("C: A1 NOOP\n{NEWS}S: A1 OK\nC: A2 {sent}\n{answered}");
        offering("UNSELECT", &before, |mut client| {
            client.noop().unwrap();
            assert_eq!(leave(&mut client).is_err(), answered.ends_with("NO"));
            assert_eq!(client.events().collect::<Vec<_>>(), others(), "{sent}: {answered}");
        });
        // A command of the caller's takes all that comes while it is under way.
        if sent.starts_with(char::is_lowercase) {
            continue;
        }
        let between = format!("C: A1 NOOP\nS: A1 OK\nC: A2 {sent}\n{NEWS}{answered}");
        offering("UNSELECT", &between, |mut client| {
            client.noop().unwrap();
            assert_eq!(leave(&mut client).is_err(), answered.ends_with("NO"));
            let of_the_old = client.events().filter(|event| !others().contains(event)).collect::<Vec<_>>();
            assert_eq!(of_the_old, [], "{sent}: {answered}");
        });
    }
}

type Select = fn(&mut ImapClient, &str) -> Result<Mailbox>;

const SELECTS: [Select; 2] = [
    |client, name| client.select(name),
    |client, name| {
        let mut batch = client.batch();
        let mailbox = batch.select(name);
        batch.run()?.take(mailbox)
    },
];

#[test]
fn what_the_new_mailbox_says_stays() {
    for (answer, told) in [
        // What came before its last number is in that already.
        ("S: * 2 EXPUNGE\nS: * 9 EXISTS\nS: * 3 EXPUNGE\nS: A2 OK", &[3][..]),
        ("S: * 2 EXPUNGE\nS: * OK [CLOSED] x\nS: * 3 EXPUNGE\nS: A2 OK", &[3]),
        ("S: * 9 EXISTS\nS: A2 OK\nS: * 3 EXPUNGE", &[3]),
        ("S: * 9 EXISTS\nS: * 2 EXPUNGE\nS: A2 NO", &[]),
        // It was not understood: the mailbox from before may be open still.
        ("S: * 2 EXPUNGE\nS: A2 BAD", &[1, 2]),
    ] {
        let script = format!("C: A1 NOOP\nS: * 1 EXPUNGE\nS: A1 OK\nC: A2 SELECT b\n{answer}\nC: A3 NOOP\nS: A3 OK");
        for select in SELECTS {
            session(&script, |mut client| {
                client.noop().unwrap();
                assert_eq!(select(&mut client, "b").is_ok(), answer.contains("A2 OK"));
                client.noop().unwrap();
                let heard = client.events().filter(|event| matches!(event, Event::Expunge(_)));
                let told = told.iter().map(|&number| Event::Expunge(number)).collect::<Vec<_>>();
                assert_eq!(heard.collect::<Vec<_>>(), told, "{answer}");
            });
        }
    }
}

/// RFC 9051, 6.4.1: only OK closes.
#[test]
fn a_mailbox_that_was_not_closed_keeps_its_news() {
    let refused: [(&str, &str, Leave); 5] = [
        ("CLOSE", "CLOSE", ImapClient::close),
        ("UNSELECT", "UNSELECT", ImapClient::unselect),
        ("CLOSE", "command", |client| client.command("CLOSE").map(drop)),
        ("Unselect", "command", |client| client.command("Unselect").map(drop)),
        ("CLOSE", "command", |client| {
            let mut batch = client.batch();
            let closed = batch.command("CLOSE");
            batch.run()?.take(closed).map(drop)
        }),
    ];
    for (sent, called, leave) in refused {
        let script = format!("C: A1 NOOP\nS: * 1 EXPUNGE\nS: A1 OK\nC: A2 {sent}\nS: A2 NO");
        offering("UNSELECT", &script, |mut client| {
            client.noop().unwrap();
            assert_eq!(rejected(&leave(&mut client).unwrap_err()).0, called);
            assert_eq!(client.events().collect::<Vec<_>>(), [Event::Expunge(1)], "{sent} by {called}");
        });
    }
    // Another that could not be opened has closed it.
    session("C: A1 NOOP\nS: * 1 EXPUNGE\nS: A1 OK\nC: A2 select b\nS: A2 NO", |mut client| {
        client.noop().unwrap();
        assert_eq!(rejected(&client.command("select b").unwrap_err()).0, "command");
        assert!(client.events().is_empty());
    });
}

#[test]
fn in_a_batch_too() {
    let script = "C: A1 SELECT a\nC: A2 NOOP\nC: A3 SELECT b\nC: A4 NOOP\nS: * 1 EXISTS\nS: A1 OK\nS: * 2 EXISTS\nS: * 2 EXPUNGE\n\
                  S: * OK [ALERT] noon\nS: A2 OK\nS: * 9 EXISTS\nS: A3 OK\nS: * 3 EXPUNGE\nS: A4 OK\n\
                  C: A5 NOOP\nC: A6 CLOSE\nS: * 4 EXPUNGE\nS: A5 OK\nS: A6 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        let (a, _, b, _) = (batch.select("a"), batch.noop(), batch.select("b"), batch.noop());
        let mut replies = batch.run().unwrap();
        assert_eq!([a, b].map(|token| replies.take(token).unwrap().exists), [1, 9]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Alert("noon".into()), Event::Expunge(3)]);
        let mut batch = client.batch();
        batch.noop();
        batch.close();
        batch.run().unwrap().done().unwrap();
        assert!(client.events().is_empty());
    });
}

#[test]
fn idle_tells_of_the_mailbox_that_is_open() {
    let script = "C: A1 NOOP\nS: * 2 EXPUNGE\nS: A1 OK\nC: A2 SELECT b\nS: * 9 EXISTS\nS: A2 OK\n\
                  C: A3 IDLE\nS: +\nS: * 10 EXISTS\nC: DONE\nS: A3 OK";
    offering("IDLE", script, |mut client| {
        client.noop().unwrap();
        client.select("b").unwrap();
        let mut idle = client.idle(Duration::from_secs(60)).unwrap();
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(10)));
        idle.done().unwrap();
    });
}

/// What was missed of a mailbox is not missed any more.
#[test]
fn the_mark_goes_too() {
    let flood = "S: * 1 EXPUNGE\n".repeat(9);
    for (answer, incomplete) in [
        ("S: * 9 EXISTS\nS: A2 OK".to_owned(), false),
        ("S: A2 OK".to_owned(), false),
        ("S: A2 NO".to_owned(), false),
        ("S: A2 BAD".to_owned(), true),
        ("S: * 9 EXISTS\nS: A2 BAD".to_owned(), true),
        (format!("S: * 9 EXISTS\n{flood}S: A2 OK"), true),
        (format!("{flood}S: * 9 EXISTS\nS: A2 OK"), false),
    ] {
        let mut limits = Limits::default();
        limits.event_queue = 4;
        let script = format!("S: * OK hi\nC: A1 NOOP\n{flood}S: A1 OK\nC: A2 SELECT b\n{answer}");
        let (client, handle) =
            open_with(Connector::new().limits(limits), Imap::new(), Script::parse(&script).unwrap(), Security::Plain);
        let mut client = client.unwrap();
        client.noop().unwrap();
        let result = client.select("b").map(drop);
        assert_eq!(result.as_ref().err().map(|error| rejected(error).0), (!answer.ends_with("OK")).then_some("SELECT"));
        assert_eq!(client.events().incomplete, incomplete, "{answer}");
        handle.finish();
    }
}
