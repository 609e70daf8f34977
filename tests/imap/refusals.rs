//! What a refusal says beside its text: whether it may pass, and whether the command may have been done all the same.

use mailconnect::imap::{Event, Imap, Store};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, ImapClient, Interrupt, Result, Security};

use crate::{offering, open, open_with, rejected};

type Work = fn(&mut ImapClient) -> Result<()>;

/// A goodbye answers no command (RFC 9051, 7.1.5): one that was sent whole may have been done.
#[test]
fn a_goodbye_in_place_of_an_answer_leaves_the_outcome_unknown() {
    let append: Work = |client| client.append("x", &[], b"Hello").map(drop);
    let cases: &[(&str, Work, bool)] = &[
        ("C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nS: * BYE gone\nEOF", append, true),
        ("C: A1 APPEND x {5}\nWAIT\nS: * BYE gone\nEOF", append, false),
        ("C: A1 UID MOVE 3 x\nS: * 1 EXPUNGE\nS: * BYE gone\nEOF", |client| client.uid_move(3, "x").map(drop), true),
        ("C: A1 EXPUNGE\nS: * BYE gone\nEOF", |client| client.expunge().map(drop), true),
        ("C: A1 NOOP\nS: * BYE gone\nEOF", ImapClient::noop, false),
        (
            "C: A1 FETCH 1 (FLAGS)\nS: * BYE gone\nEOF",
            |client| client.fetch("1", "(FLAGS)")?.next_message().map(drop),
            false,
        ),
        // Said before the command, which is not sent then.
        ("S: * BYE gone\nEOF", |client| client.expunge().map(drop), false),
    ];
    for &(script, work, unknown) in cases {
        offering("MOVE", script, |mut client| {
            let error = work(&mut client).unwrap_err();
            assert_eq!(rejected(&error), ("to go on", "BYE", None), "{script}");
            assert_eq!(error.outcome_unknown(), unknown, "{script}: {error}");
            assert_eq!(error.to_string().contains("is unknown"), unknown, "{script}: {error}");
            assert!(error.is_transient() && !error.is_permanent() && error.is_fatal(), "{script}: {error}");
            assert!(!client.is_open());
        });
    }
}

/// Tagged answers may come in another order than the commands (RFC 9051, 5.5).
#[test]
fn what_is_unanswered_in_a_batch_is_told_by_its_tag() {
    let cases =
        [("C: A1 UID COPY 1 x\nC: A2 NOOP\nS: A2 OK\n", true), ("C: A1 NOOP\nC: A2 UID COPY 1 x\nS: A2 OK\n", false)];
    for (script, copy_first) in cases {
        for end in ["S: * BYE gone\nEOF", "EOF"] {
            offering("", &format!("{script}{end}"), |mut client| {
                let mut batch = client.batch();
                if copy_first {
                    batch.uid_copy(1, "x");
                }
                batch.noop();
                if !copy_first {
                    batch.uid_copy(1, "x");
                }
                let error = batch.run().unwrap_err();
                // What is lost is the answer to the first.
                assert_eq!(error.outcome_unknown(), copy_first, "{script}{end}: {error}");
            });
        }
    }
}

/// A goodbye that was there before a batch is none of its own, also if it ends in LOGOUT.
#[test]
fn a_goodbye_before_a_batch_that_says_goodbye_sends_nothing() {
    offering("", "S: * BYE timeout\nEOF", |mut client| {
        let mut batch = client.batch();
        batch.uid_copy(1, "x");
        batch.logout();
        let error = batch.run().unwrap_err();
        assert_eq!((rejected(&error).1, error.outcome_unknown()), ("BYE", false));
    });
}

#[test]
fn a_goodbye_in_a_batch_leaves_the_outcome_of_what_is_unanswered_unknown() {
    let commands = "C: A1 UID STORE 1 +FLAGS.SILENT (a)\nC: A2 NOOP\n";
    for (answers, unknown) in [("", true), ("S: A1 OK\n", false), ("S: A1 NO [INUSE] no\n", false)] {
        offering("", &format!("{commands}{answers}S: * BYE gone\nEOF"), |mut client| {
            let mut batch = client.batch();
            batch.uid_store(1, &Store::add(&["a"]).silent());
            batch.noop();
            let error = batch.run().unwrap_err();
            assert_eq!((error.outcome_unknown(), error.is_transient()), (unknown, true), "{answers}: {error}");
        });
    }
}

/// Also where the error is that somebody has ended the call.
#[test]
fn an_interrupt_at_a_goodbye_does_not_hide_that_the_outcome_is_unknown() {
    for (command, unknown) in [("EXPUNGE", true), ("NOOP", false)] {
        let interrupt = Interrupt::new();
        let connector = Connector::new().interrupt(interrupt.clone());
        let imap = Imap::new().on_event(move |event| {
            assert_eq!(*event, Event::Bye("gone".into()));
            interrupt.interrupt();
        });
        let script = Script::parse(&format!("S: * OK hi\nC: A1 {command}\nS: * BYE gone\nEOF")).unwrap();
        let mut client = open_with(connector, imap, script, Security::Plain).0.unwrap();
        let error = if unknown { client.expunge().map(drop) } else { client.noop() }.unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)) && error.outcome_unknown() == unknown, "{error:?}");
    }
}

/// A server that restarts says only that; one that says why may mean it for good.
#[test]
fn a_goodbye_passes_unless_its_code_says_otherwise() {
    for (text, passes) in [
        ("Connection is closed. 13", true),
        ("[UNAVAILABLE] Temporary authentication failure", true),
        ("[ALERT] Restarting", true),
        ("[X-NEW] what", true),
        ("", true),
        ("[AUTHENTICATIONFAILED] no", false),
        ("[AUTHORIZATIONFAILED] no", false),
        ("[expired] no", false),
        ("[NOPERM] no", false),
        ("[PRIVACYREQUIRED] no", false),
        ("[CONTACTADMIN] no", false),
        ("[CANNOT] no", false),
        ("[CLIENTBUG] no", false),
        ("[REFERRAL imap://other.example/] gone there", false),
    ] {
        let check = |error: &Error| {
            assert_eq!((error.is_transient(), error.is_permanent()), (passes, !passes), "{error}");
            assert!(error.is_fatal() && !error.outcome_unknown(), "{error}");
        };
        check(&open(&format!("S: * BYE {text}\nEOF")).0.unwrap_err());
        offering("IDLE", &format!("C: A1 IDLE\nS: +\nS: * BYE {text}\nEOF"), |mut client| {
            check(&client.idle(std::time::Duration::from_secs(9)).unwrap().next_event().unwrap_err());
        });
    }
}

/// As for SMTP's 421, a refusal that is an answer says what became of the command.
#[test]
fn a_refusal_is_an_answer() {
    let script =
        Script::parse("S: * OK [CAPABILITY IMAP4rev1] hi\nC: A1 EXPUNGE\nS: A1 NO no\nC: A2 NOOP\nS: A2 OK").unwrap();
    let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
    let mut client = client.unwrap();
    let error = client.expunge().unwrap_err();
    assert!(!error.outcome_unknown() && error.is_permanent() && !error.is_fatal());
    client.noop().unwrap();
}

/// What asks to come back later is no refusal for good, however it says so.
#[test]
fn too_much_at_once_passes() {
    for (answer, passes) in [
        ("NO [THROTTLED] wait", true),
        ("NO [throttled]", true),
        ("NO [UNAVAILABLE] down", true),
        ("NO [UNAVAILABLE 30] down", true),
        ("NO [INUSE] locked", true),
        // (Exchange Online)
        ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", true),
        // (Exchange)
        ("NO Server Unavailable. 15", true),
        // (Gmail)
        ("NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", true),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", true),
        // (Yahoo)
        ("NO [LIMIT] NOOP Rate limit hit.", true),
        ("NO [LIMIT] At most 32 flags in one mailbox supported", false),
        ("NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", false),
        ("NO [UNAVAILABLEX] x", false),
        ("BAD Command received in Invalid state.", false),
        ("NO no", false),
    ] {
        offering("", &format!("C: A1 NOOP\nS: A1 {answer}\nC: A2 NOOP\nS: A2 OK"), |mut client| {
            let error = client.noop().unwrap_err();
            assert_eq!((error.is_transient(), error.is_permanent()), (passes, !passes), "{error}");
            client.noop().unwrap();
        });
    }
}
