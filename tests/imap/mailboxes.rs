//! Mailboxes: opening, listing, searching, and putting messages in.

use std::io::Read;

use mailconnect::imap::{Event, Imap, ListQuery, MailboxName};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, Security};

use crate::{offering, open_with, rejected, session, session_of};

#[test]
fn select_and_examine() {
    let script = "C: A1 SELECT INBOX\nS: * 172 EXISTS\nS: * 1 RECENT\nS: * OK [UNSEEN 12] x\nS: * OK [UIDVALIDITY 38] x\n\
                  S: * OK [UIDNEXT 4392] x\nS: * FLAGS (\\\\Answered \\\\Seen )\nS: * OK [PERMANENTFLAGS (\\\\Deleted \\\\*)] x\n\
                  S: * OK [X-ODD] x\nS: * 5 FETCH (FLAGS (\\\\Seen) UID 9)\nS: * LIST () \"/\" {5}\nS- INBOX\\r\\n\n\
                  S: A1 OK [READ-ONLY] done\nC: A2 EXAMINE \"Entw&APw-rfe &- so\"\nS: * 0 EXISTS\nS: A2 OK\n\
                  C: A3 SELECT \"NIL\"\nS: A3 NO [TRYCREATE] none\nC: A4 SELECT \"\"\nS: A4 BAD";
    offering("", script, |mut client| {
        let mailbox = client.select("INBOX").unwrap();
        assert_eq!((mailbox.exists, mailbox.recent, mailbox.unseen), (172, 1, Some(12)));
        assert_eq!((mailbox.uid_validity, mailbox.uid_next, mailbox.read_only), (Some(38), Some(4392), true));
        assert_eq!(mailbox.flags, ["\\Answered", "\\Seen"]);
        assert_eq!(mailbox.permanent_flags, ["\\Deleted", "\\*"]);
        let flags = Event::Flags { message: 5, uid: Some(9), flags: vec!["\\Seen".into()] };
        let others = ["* OK [X-ODD] x", "* LIST () \"/\" {5}\r\nINBOX"].map(|text| Event::Other(text.into()));
        let [odd, list] = others;
        assert_eq!(client.events().collect::<Vec<_>>(), [odd, flags, list]);
        let mailbox = client.examine("Entwürfe & so").unwrap();
        assert!(mailbox.read_only && mailbox.uid_validity.is_none());
        let error = client.select("NIL").unwrap_err();
        assert_eq!(rejected(&error), ("SELECT", "NO", Some("TRYCREATE")));
        assert_eq!(rejected(&client.select("").unwrap_err()), ("SELECT", "BAD", None));
    });
}

/// RFC 7162, 3.2.11: what comes before CLOSED is said of the mailbox that was open.
#[test]
fn select_takes_nothing_of_the_mailbox_before() {
    let script = "C: A1 SELECT b\nS: * 9 EXISTS\nS: * 4 RECENT\nS: * FLAGS (x)\nS: * OK [CLOSED] was a\n\
                  S: * FLAGS (y)\nS: * 2 EXISTS\nS: A1 OK [READ-WRITE] done";
    session(script, |mut client| {
        let mailbox = client.select("b").unwrap();
        assert_eq!((mailbox.exists, mailbox.recent, mailbox.flags), (2, 0, vec!["y".to_owned()]));
    });
}

#[test]
fn mailboxes_are_listed_made_and_deleted() {
    let script = "C: A1 LIST \"\" \"*\"\nS: * LIST (\\\\HasNoChildren) \".\" INBOX\nS: * LIST () NIL {5}\nS- a\\nb\"c\\r\\n\n\
                  S: * LIST junk\nS: A1 OK\nC: A2 CREATE Entw&APw-rfe\nS: A2 OK\nC: A3 DELETE \"a b\"\nS: A3 NO";
    offering("", script, |mut client| {
        let list = client.list("", "*").unwrap();
        assert_eq!(list.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["INBOX", "a\nb\"c"]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Other(b"* LIST junk".to_vec())]);
        client.create("Entwürfe").unwrap();
        assert_eq!(rejected(&client.delete("a b").unwrap_err()).0, "DELETE");
    });
}

#[test]
fn searches() {
    let script = "C: A1 SEARCH UNSEEN SUBJECT \"a b\"\nS: * SEARCH 9 2  84 \nS: * 4 EXISTS\nS: * SEARCH 4294967295 (MODSEQ 9)\n\
                  S: * SEARCH\nS: A1 OK\nC: A2 UID SEARCH ALL\nS: A2 OK\nC: A3 SEARCH X\nS: * SEARCH 1\nS: A3 BAD what?\n\
                  C: A4 SEARCH CHARSET UTF-8 OR FROM \"a\" SUBJECT {6}\nWAIT\nS: +\nC: \\xc3\\xbc \"b\\\\ SEEN\nS: * SEARCH 7\nS: A4 OK";
    offering("", script, |mut client| {
        assert_eq!(client.search("UNSEEN SUBJECT \"a b\"").unwrap(), [9, 2, 84, u32::MAX]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(4)]);
        assert!(client.uid_search("ALL").unwrap().is_empty());
        // A refusal is never an empty result.
        assert_eq!(rejected(&client.search("X").unwrap_err()).1, "BAD");
        assert_eq!(client.search("OR FROM \"a\" SUBJECT \"ü \\\"b\\\\\" SEEN").unwrap(), [7]);
    });
}

#[test]
fn append_waits_for_the_servers_leave() {
    let script = "C: A1 APPEND \"a b\" (\\\\Seen x) {12}\nWAIT\nS: * 1 EXISTS\nS: + go\nC- Hello\\r\\n.\\r\\nx\\n\\r\\n\n\
                  S: A1 OK [APPENDUID 38505 3955] done\nC: A2 APPEND INBOX {0}\nWAIT\nS: +\nC: \nS: A2 OK";
    offering("", script, |mut client| {
        let uid = client.append("a b", &["\\Seen", "x"], b"Hello\r\n.\r\nx\n").unwrap().unwrap();
        assert_eq!((uid.validity, uid.uid), (38505, 3955));
        assert_eq!(client.append("INBOX", &[], b"").unwrap(), None);
    });
}

#[test]
fn append_refused_before_the_message_sends_none_of_it() {
    for refusal in ["NO [TRYCREATE] none", "BAD no"] {
        let script = format!("C: A1 APPEND x {{5}}\nS: A1 {refusal}\nC: A2 NOOP\nS: A2 OK");
        offering("", &script, |mut client| {
            let mut source = &b"Hello"[..];
            let error = client.append_from("x", &[], &mut source, 5).unwrap_err();
            assert_eq!((rejected(&error).0, source.len()), ("APPEND", 5));
            client.noop().unwrap();
        });
    }
}

#[test]
fn append_goes_out_at_once_where_the_server_takes_it() {
    let small = |script: Script, size: usize| {
        let body = "x".repeat(size);
        let script = script.client(format!("A1 APPEND y {{{size}+}}\r\n{body}\r\n")).server("A1 OK\r\n");
        session_of(&Connector::new(), script, |mut client| {
            client.append("y", &[], body.as_bytes()).unwrap();
        });
    };
    let greeting = |offer| Script::new().server(format!("* OK [CAPABILITY IMAP4 {offer}]\r\n"));
    small(greeting("LITERAL+"), 64 << 10);
    small(greeting("literal-"), 4096);
    let waits = |script: Script, size: usize| {
        let body = "x".repeat(size);
        let script = script.client(format!("A1 APPEND y {{{size}}}\r\n")).wait().server("+\r\n");
        let script = script.client(format!("{body}\r\n")).server("A1 OK\r\n");
        session_of(&Connector::new(), script, |mut client| {
            client.append("y", &[], body.as_bytes()).unwrap();
        });
    };
    waits(greeting("LITERAL+"), (64 << 10) + 1);
    waits(greeting("LITERAL-"), 4097);
    waits(greeting(""), 1 << 20);
}

#[test]
fn append_tells_whether_it_may_have_happened() {
    for (script, unknown) in [
        ("C: A1 APPEND x {5}\nEOF", false),
        ("C: A1 APPEND x {5}\nSTALL", false),
        ("C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nEOF", true),
        ("C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nSTALL", true),
        ("C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nS: A2 OK", true),
    ] {
        offering("", script, |mut client| {
            let error = client.append("x", &[], b"Hello").unwrap_err();
            assert_eq!(error.outcome_unknown(), unknown, "{script}: {error}");
            assert!(!client.is_open());
        });
    }
}

/// A message of which a part is missing is nowhere; what the server has said of it is the error.
#[test]
fn append_that_is_cut_off_is_known_to_have_failed() {
    let body = "x".repeat(200 << 10);
    for (answer, rejected) in [("", false), ("A1 NO [OVERQUOTA] full\r\n", true), ("* BYE enough\r\n", true)] {
        for first in [0, 3, 40 << 10, (200 << 10) - 1, 200 << 10] {
            let script = Script::new().server("* OK\r\n").client(format!("A1 APPEND x {{{}}}\r\n", body.len()));
            let script = script.wait().server("+\r\n").client(&body[..first]).server(answer).reset();
            let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
            let mut client = client.unwrap();
            let error = client.append("x", &[], body.as_bytes()).unwrap_err();
            assert!(!error.outcome_unknown() && error.is_fatal(), "{first}: {error:?}");
            assert!(!rejected || error.rejection().is_some(), "{first} {answer}: {error:?}");
            assert!(!client.is_open());
        }
    }
}

/// Two names that look the same when they are shown are two mailboxes.
#[test]
fn a_status_belongs_to_the_mailbox_with_just_its_name() {
    let script = Script::new().server("* OK [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS] hi\r\n");
    let script = script.client("A1 LIST \"\" \"*\" RETURN (STATUS (MESSAGES))\r\n").server(
        &b"* LIST () \"/\" \"\xfc\"\r\n* LIST () \"/\" \"\xfd\"\r\n* LIST () \"/\" Inbox\r\n\
           * STATUS \"\xfc\" (MESSAGES 1)\r\n* STATUS \"\xfd\" (MESSAGES 2)\r\n* STATUS INBOX (MESSAGES 3)\r\nA1 OK\r\n"[..],
    );
    session_of(&Connector::new(), script, |mut client| {
        let found = client.list_extended(&ListQuery::new("", "*").return_status("MESSAGES")).unwrap();
        let counts: Vec<_> = found.iter().map(|entry| entry.status.as_ref().and_then(|told| told.messages)).collect();
        assert_eq!(counts, [Some(1), Some(2), Some(3)]);
    });
}

#[test]
fn append_with_a_reader_that_fails_closes() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    offering("", "C: A1 APPEND x {5}\nWAIT\nS: +", |mut client| {
        let error = client.append_from("x", &[], &mut &b"Hell"[..], 5).unwrap_err();
        assert!(matches!(error, Error::Caller { .. }) && !client.is_open(), "{error:?}");
    });
    offering("", "C: A1 APPEND x {5}\nWAIT\nS: +", |mut client| {
        let error = client.append_from("x", &[], &mut Fails, 5).unwrap_err();
        assert!(matches!(error, Error::Caller { .. }) && !client.is_open(), "{error:?}");
    });
    // Of a longer reader just the size is taken.
    offering("", "C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nS: A1 OK", |mut client| {
        let mut source = &b"Hello world"[..];
        client.append_from("x", &[], &mut source, 5).unwrap();
        assert_eq!(source, b" world");
    });
}

/// A name that is no good UTF-7, or in letters that nobody knows, goes back as it came: it is never encoded again.
#[test]
fn odd_names_go_back_as_they_came() {
    let script = Script::new().server("* OK [CAPABILITY LITERAL+]\r\n");
    let script = script.client("A1 LIST \"\" \"*\"\r\n").server(
        &b"* LIST () \"/\" \"Entw\xfcrfe\"\r\n* LIST () \"/\" \"&AGE-\"\r\n* LIST () \"/\" \"&APw-\"\r\nA1 OK\r\n"[..],
    );
    let script = script.client(&b"A2 DELETE {8+}\r\nEntw\xfcrfe\r\n"[..]).server("A2 OK\r\n");
    let script = script.client("A3 DELETE &AGE-\r\n").server("A3 OK\r\n");
    let script = script.client("A4 DELETE &APw-\r\n").server("A4 OK\r\n");
    let script = script.client("A5 DELETE &APw-\r\n").server("A5 OK\r\n");
    let script = script.client("A6 DELETE &-APw-\r\n").server("A6 OK\r\n");
    session_of(&Connector::new(), script, |mut client| {
        let found = client.list("", "*").unwrap();
        let names: Vec<_> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["Entw\u{fffd}rfe", "&AGE-", "ü"]);
        client.delete(&found[0]).unwrap();
        client.delete(MailboxName::raw(&found[1].raw)).unwrap();
        client.delete(&found[2]).unwrap();
        client.delete(&found[2].name).unwrap();
        client.delete("&APw-").unwrap();
        assert!(matches!(client.delete(MailboxName::raw(b"x\r\n")), Err(Error::InvalidArgument(_))));
    });
}
