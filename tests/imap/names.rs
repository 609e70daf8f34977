//! Names of mailboxes that stand otherwise on the wire in IMAP4rev1 and IMAP4rev2: none goes out before it is known how.

use std::sync::{Arc, Mutex};

use mailconnect::imap::{Event, Imap, ListQuery, MailboxName, MailboxStatus};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, ImapClient, Result, Security};

use crate::{offering, open_with, rejected, session, session_of};

const UNKNOWN: &str = "S: * OK ready\n";

#[track_caller]
fn played(script: &str, work: impl Fn(ImapClient)) {
    session_of(&Connector::new(), Script::parse(script).unwrap(), work);
}

#[test]
fn a_name_waits_until_the_capabilities_are_known() {
    for (told, name) in [("IMAP4rev1 IMAP4rev2", "&APw-"), ("IMAP4rev2", "\"\\xc3\\xbc\""), ("", "&APw-")] {
        let ask = format!("C: A1 CAPABILITY\nS: * CAPABILITY {told}\nS: A1 OK\n");
        session(&format!("{ask}C: A2 CREATE {name}\nS: A2 OK\nC: A3 DELETE {name}\nS: A3 OK"), |mut client| {
            client.create("ü").unwrap();
            client.delete("ü").unwrap();
        });
        // One that is the same in both asks nothing.
        session("C: A1 CREATE \"a b\"\nS: A1 OK", |mut client| client.create("a b").unwrap());
    }
    // `&` alone makes it differ, and a pattern is one too.
    let script = "C: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev2\nS: A1 OK\nC: A2 LIST \"&\" \"a&b*\"\nS: * LIST () \"/\" a&b&-\nS: A2 OK";
    session(script, |mut client| assert_eq!(client.list("&", "a&b*").unwrap()[0].name, "a&b&-"));
}

#[test]
fn a_batch_encodes_names_when_it_is_sent() {
    let script = "C: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev2\nS: A1 OK\n\
                  C: A2 STATUS \"\\xc3\\xbc\" (MESSAGES)\nC: A3 LIST \"\" \"\\xc3\\xbc*\"\nC: A4 CREATE &-\n\
                  S: * STATUS \"\\xc3\\xbc\" (MESSAGES 3)\nS: A2 OK\nS: * LIST () \"/\" \"&-\"\nS: A3 OK\nS: A4 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        let status = batch.status("ü", "MESSAGES");
        let list = batch.list("", "ü*");
        batch.create("&-");
        let mut replies = batch.run().unwrap();
        assert_eq!(replies.take(status).unwrap().mailbox, "ü");
        assert_eq!(replies.take(list).unwrap()[0].name, "&-");
        replies.done().unwrap();
    });
}

/// Who stands before the server may speak another IMAP than the server itself, which is heard after the log-in.
#[test]
fn a_name_waits_for_the_log_in_before_it() {
    let before = "S: * OK [CAPABILITY IMAP4rev1] hi\nC: A1 LOGIN \"u\" \"p\"\nC: A2 LIST \"\" \"%\"\n";
    for (answers, name) in [
        ("S: A1 OK [CAPABILITY IMAP4rev2]\nS: A2 OK\nWAIT\nC: A3 SELECT", "\"\\xc3\\xbc\""),
        ("S: A1 OK [CAPABILITY IMAP4rev1]\nS: A2 OK\nWAIT\nC: A3 SELECT", "&APw-"),
        (
            "S: A1 OK\nS: A2 OK\nWAIT\nC: A3 CAPABILITY\nS: * CAPABILITY IMAP4rev2\nS: A3 OK\nC: A4 SELECT",
            "\"\\xc3\\xbc\"",
        ),
        ("S: A1 OK\nS: A2 OK\nWAIT\nC: A3 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: A3 OK\nC: A4 SELECT", "&APw-"),
    ] {
        let tag = if answers.contains("A4") { "A4" } else { "A3" };
        played(&format!("{before}{answers} {name}\nS: * 3 EXISTS\nS: {tag} OK"), |mut client| {
            let mut batch = client.batch();
            batch.login("u", "p");
            batch.list("", "%");
            let mailbox = batch.select("ü");
            assert_eq!(batch.run().unwrap().take(mailbox).unwrap().exists, 3);
        });
    }
    // Where names are known to be UTF-8 nothing waits, and no name that is the same in both does.
    let together =
        "S: * OK [CAPABILITY IMAP4rev2] hi\nC: A1 LOGIN \"u\" \"p\"\nC: A2 SELECT \"\\xc3\\xbc\"\nS: A1 OK\nS: A2 OK";
    played(together, |mut client| {
        let mut batch = client.batch();
        batch.login("u", "p");
        batch.select("ü");
        batch.run().unwrap().done().unwrap();
    });
    let refused = format!("{UNKNOWN}C: A1 CAPABILITY\nS: A1 OK\nC: A2 LOGIN \"u\" \"p\"\nS: A2 NO");
    played(&refused, |mut client| {
        let mut batch = client.batch();
        batch.login("u", "p");
        let mailbox = batch.select("ü");
        assert!(batch.run().unwrap().take(mailbox).unwrap_err().rejection().is_some());
    });
}

/// A server that does not say what it can do gets names in UTF-7, as ever; a refusal to say it refuses nothing that is sent
/// after it, and nothing is over by it.
#[test]
fn a_refusal_to_tell_what_names_are_is_none_of_the_command() {
    let script = format!(
        "{UNKNOWN}C: A1 CAPABILITY\nS: A1 NO\nC: A2 CREATE &APw-\nS: A2 OK\n\
                          C: A3 UID SEARCH CHARSET UTF-8 TEXT {{2}}\nWAIT\nS: +\nC: \\xc3\\xbc\nS: A3 OK"
    );
    played(&script, |mut client| {
        client.create("ü").unwrap();
        client.uid_search("TEXT \"ü\"").unwrap();
    });
    let script = format!(
        "{UNKNOWN}C: A1 CAPABILITY\nS: A1 BAD what\nC: A2 CREATE &APw-\nC: A3 STATUS x (MESSAGES)\nC: A4 LOGOUT\n\
         S: A2 NO [ALREADYEXISTS] there\nS: * STATUS x (MESSAGES 1)\nS: A3 OK\nS: * BYE\nS: A4 OK"
    );
    played(&script, |mut client| {
        let mut batch = client.batch();
        let (created, status) = (batch.create("ü"), batch.status("x", "MESSAGES"));
        batch.logout();
        let mut replies = batch.run().unwrap();
        assert_eq!(rejected(&replies.take(created).unwrap_err()), ("CREATE", "NO", Some("ALREADYEXISTS")));
        assert_eq!(replies.take(status).unwrap().messages, Some(1));
        replies.done().unwrap();
    });
    // A goodbye in its place is the end.
    let script = format!("{UNKNOWN}C: A1 CAPABILITY\nS: * BYE\nEOF");
    played(&script, |mut client| {
        let mut batch = client.batch();
        batch.create("ü");
        batch.logout();
        assert!(matches!(batch.run(), Err(Error::Rejected(_))));
        assert!(!client.is_open());
    });
}

/// The charset of a search is named unless names are UTF-8, which may come to be known as late.
#[test]
fn a_search_in_a_batch_names_its_charset_as_it_must_when_it_is_sent() {
    let script = "C: A1 ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: A1 OK\nC: A2 UID SEARCH SUBJECT {2+}\nC- \\xc3\\xbc\\r\\n\nS: A2 OK";
    offering("ENABLE LITERAL+", script, |mut client| {
        client.enable(&["UTF8=ACCEPT"]).unwrap();
        let mut batch = client.batch();
        batch.uid_search("SUBJECT \"ü\"");
        batch.run().unwrap().done().unwrap();
    });
}

/// Whatever names a mailbox can stand for it, as the server has sent it.
#[test]
fn what_does_not_decode_can_be_used_wherever_it_was_told() {
    let odd = "Entw\\xfcrfe";
    let listed = format!("S: * LIST () \".\" \"{odd}\"\nS: * STATUS \"{odd}\" (MESSAGES 3)");
    let script = format!(
        "C: A1 NAMESPACE\nS: * NAMESPACE ((\"{odd}.\" \".\")) NIL ((\"&AGE-.\" \".\"))\nS: A1 OK\n\
         C: A2 LIST {{9+}}\nC- {odd}. \"%\"\\r\\n\nS: A2 OK\nC: A3 LSUB \"&AGE-.\" \"*\"\nS: A3 OK\n\
         C: A4 LIST {{9+}}\nC- {odd}. \"%\" RETURN (STATUS (MESSAGES))\\r\\n\n{listed}\nS: A4 OK\n\
         C: A5 DELETE {{8+}}\nC- {odd}\\r\\n\nS: A5 OK\nC: A6 STATUS {{8+}}\nC- {odd} (MESSAGES)\\r\\n\n\
         S: * STATUS \"{odd}\" (MESSAGES 1)\nS: A6 OK\nC: A7 DELETE {{8+}}\nC- {odd}\\r\\n\nS: A7 OK"
    );
    offering("NAMESPACE LITERAL+ LIST-STATUS", &script, |mut client| {
        let spaces = client.namespace().unwrap();
        let (mine, shared) = (&spaces.personal[0], &spaces.shared[0]);
        assert_eq!((mine.prefix.as_str(), mine.raw.as_slice()), ("Entw\u{fffd}rfe.", &b"Entw\xfcrfe."[..]));
        assert_eq!((shared.prefix.as_str(), shared.raw.as_slice()), ("&AGE-.", &b"&AGE-."[..]));
        client.list(mine, "%").unwrap();
        client.lsub(shared, "*").unwrap();
        let listed = client.list_extended(&ListQuery::new(mine, "%").return_status("MESSAGES")).unwrap();
        let status = listed[0].status.as_ref().unwrap();
        assert_eq!((status.mailbox.as_str(), &status.raw), ("Entw\u{fffd}rfe", &listed[0].raw));
        client.delete(status).unwrap();
        let status = client.status(status, "MESSAGES").unwrap();
        assert_eq!((status.raw.as_slice(), status.messages), (&b"Entw\xfcrfe"[..], Some(1)));
        client.delete(&status).unwrap();
    });
}

/// A server that says nothing of a mailbox was asked for it by some name all the same.
#[test]
fn a_status_that_was_not_told_names_the_mailbox_that_was_asked_for() {
    let script = "C: A1 STATUS &APw- (MESSAGES)\nS: A1 OK\nC: A2 STATUS &AGE- (MESSAGES)\nS: A2 OK";
    offering("", script, |mut client| {
        let status = client.status("ü", "MESSAGES").unwrap();
        assert_eq!((status.mailbox.as_str(), status.raw.as_slice()), ("ü", &b"&APw-"[..]));
        let status = client.status(MailboxName::raw(b"&AGE-"), "MESSAGES").unwrap();
        assert_eq!((status.mailbox.as_str(), status.raw.as_slice()), ("&AGE-", &b"&AGE-"[..]));
    });
}

/// `command` encodes nothing, and takes what is encoded.
#[test]
fn names_for_commands_without_a_verb() {
    let script = "C: A1 GETQUOTAROOT \"Entw&APw-rfe &- so\"\nS: A1 OK\nC: A2 SETACL &AAo- joe lr\nS: A2 OK";
    session(script, |mut client| {
        let name = MailboxName::from("Entwürfe & so").to_utf7();
        client.command(&format!("GETQUOTAROOT \"{name}\"")).unwrap();
        // A line end too is nothing but letters then.
        client.command(&format!("SETACL {} joe lr", MailboxName::from("\n").to_utf7())).unwrap();
        let odd = MailboxName::raw(b"Entw\xfcrfe").to_utf7();
        assert!(matches!(client.command(&format!("GETQUOTAROOT {odd}")), Err(Error::InvalidArgument(_))));
    });
}

/// A name is compared as it stands on the wire: what it means there is the server's business.
#[test]
fn a_status_is_that_of_the_mailbox_that_was_asked_for() {
    let other = "S: * STATUS other (MESSAGES 1)\n";
    let script = format!(
        "C: A1 STATUS Entw&APw-rfe (MESSAGES)\nS: * STATUS Entw&APw-rfe (MESSAGES 17)\n{other}S: A1 OK\n\
         C: A2 STATUS inbox (MESSAGES)\nS: * STATUS \"INBOX\" (MESSAGES 17)\n{other}S: A2 OK\n\
         C: A3 STATUS Entw&APw-rfe (MESSAGES)\n{other}S: * STATUS \"Entw&APw-rfe\" (MESSAGES 17)\n{other}S: A3 OK\n\
         C: A4 STATUS x (MESSAGES)\nS: * STATUS X (MESSAGES 17)\nS: A4 OK\nC: A5 STATUS &APw- (MESSAGES)\nS: A5 OK"
    );
    offering("", &script, |mut client| {
        let status = |client: &mut ImapClient, name: MailboxName<'_>| {
            let status = client.status(name, "MESSAGES").unwrap();
            (status.mailbox, status.messages)
        };
        let drafts = MailboxName::raw(b"Entw&APw-rfe");
        assert_eq!(status(&mut client, drafts), ("Entwürfe".to_owned(), Some(17)));
        assert_eq!(status(&mut client, "inbox".into()), ("INBOX".to_owned(), Some(17)));
        assert_eq!(status(&mut client, drafts), ("Entwürfe".to_owned(), Some(17)));
        // The server calls it otherwise, and says no more.
        assert_eq!(status(&mut client, "x".into()), ("X".to_owned(), Some(17)));
        assert_eq!(status(&mut client, MailboxName::raw(b"&APw-")), ("ü".to_owned(), None));
        // All of another name, which may be another mailbox's; that of A4 is of one.
        let news = ["other", "other", "other", "other", "X"];
        let heard = client.events().map(|event| if let Event::Other(raw) = event { raw } else { panic!("{event:?}") });
        let wanted =
            news.map(|name| format!("* STATUS {name} (MESSAGES {})", if name == "X" { 17 } else { 1 }).into_bytes());
        assert_eq!(heard.collect::<Vec<_>>(), wanted);
    });
}

/// RFC 5465: another mailbox's may come at any time, and is told at once.
#[test]
fn a_status_of_another_mailbox_before_the_answer_is_news() {
    let script =
        "S: * OK hi\nC: A1 STATUS x (MESSAGES)\nS: * STATUS other (MESSAGES 9)\nS: * STATUS x (MESSAGES 17)\nS: A1 OK";
    let news = [Event::Other(b"* STATUS other (MESSAGES 9)".to_vec())];
    let asks: [fn(&mut ImapClient) -> Result<MailboxStatus>; 2] = [
        |client| client.status("x", "MESSAGES"),
        |client| {
            let mut batch = client.batch();
            let status = batch.status("x", "MESSAGES");
            batch.run()?.take(status)
        },
    ];
    for ask in asks {
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let imap = Imap::new().on_event(move |event| listener.lock().unwrap().push(event.clone()));
        let (client, handle) = open_with(Connector::new(), imap, Script::parse(script).unwrap(), Security::Plain);
        let mut client = client.unwrap();
        assert_eq!(ask(&mut client).unwrap().messages, Some(17));
        assert_eq!(client.events().collect::<Vec<_>>(), news);
        assert_eq!(*told.lock().unwrap(), news);
        handle.finish();
    }
}
