//! Several commands in flight: what goes out together, what waits, and whose answer is whose.

use mailconnect::imap::{Event, IdTime, Imap, MailboxName, Store};
use mailconnect::testing::{Chunking, Mode, Script, Server};
use mailconnect::{Connector, Error, ImapClient, Security};

use crate::{PEER, offering, open_with, rejected, session, session_of};

#[test]
fn answers_are_matched_by_tag() {
    let script = "C: A1 SELECT INBOX\nC: A2 UID SEARCH ALL\nC: A3 UID FETCH 1:* (FLAGS BODY[])\nC: A4 STATUS x (MESSAGES)\nC: A5 LIST \"\" \"x\"\n\
                  C: A6 UID STORE 1 +FLAGS (a)\nWAIT\nS: * 3 EXISTS\nS: * OK [UIDNEXT 4] x\nS: A1 OK [READ-ONLY] x\nS: * SEARCH 1 2\nS: A2 OK\n\
                  S: * 1 FETCH (BODY[] {5}\nS- Hello\nS:  UID 1 FLAGS (\\\\Seen))\nS: * 2 FETCH (UID 2 BODY[] \"x\" ENVELOPE (NIL))\n\
                  S: A4 NO [NONEXISTENT] none\nS: A3 OK\nS: * 9 EXISTS\nS: * 1 FETCH (FLAGS (a))\nS: A6 OK\nS: A5 OK\nC: A7 NOOP\nS: A7 OK";
    session(&script.replace("WAIT\n", ""), |mut client| {
        let mut batch = client.batch();
        let mailbox = batch.select("INBOX");
        let found = batch.uid_search("ALL");
        let messages = batch.uid_fetch("1:*", "(FLAGS BODY[])");
        let status = batch.status("x", "MESSAGES");
        let list = batch.list("", "x");
        let stored = batch.uid_store(1, &Store::add(&["a"]));
        let mut replies = batch.run().unwrap();
        // In any order.
        assert_eq!(replies.take(found).unwrap(), [1, 2]);
        let mailbox = replies.take(mailbox).unwrap();
        assert_eq!((mailbox.exists, mailbox.uid_next, mailbox.read_only), (3, Some(4), true));
        let messages = replies.take(messages).unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].uid(), messages[0].section("body[]")), (Some(1), Some(&b"Hello"[..])));
        assert_eq!(messages[0].flags().unwrap().iter().collect::<Vec<_>>(), ["\\Seen"]);
        assert_eq!((messages[1].number(), messages[1].section("BODY[]")), (2, Some(&b"x"[..])));
        assert_eq!(rejected(&replies.take(status).unwrap_err()), ("STATUS", "NO", Some("NONEXISTENT")));
        assert!(replies.take(list).unwrap().is_empty());
        assert_eq!(replies.take(stored).unwrap().messages[0].flags, ["a"]);
        replies.done().unwrap();
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(9)]);
        client.noop().unwrap();
    });
}

/// IMAP4rev2 has the mailbox listed by SELECT: that is no answer to the LIST behind it.
#[test]
fn what_select_lists_is_its_own() {
    let script = "C: A1 SELECT x\nC: A2 LIST \"\" \"*\"\nS: * LIST () \"/\" x (\"OLDNAME\" (\"y\"))\nS: A1 OK\nS: * LIST () \"/\" z\nS: A2 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        batch.select("x");
        let list = batch.list("", "*");
        let listed = batch.run().unwrap().take(list).unwrap();
        assert_eq!(listed.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), ["z"]);
    });
}

/// Each STATUS goes to the command that has named its mailbox, wherever it comes before that one's end.
#[test]
fn a_status_goes_to_the_command_that_named_it() {
    let (a, b) = ("S: * STATUS &APw- (MESSAGES 1)\n", "S: * STATUS \"b b\" (MESSAGES 2)\n");
    let news = "S: * STATUS other (MESSAGES 9)\n";
    for (answers, numbers, events) in [
        (format!("{a}{b}S: A1 OK\nS: A2 OK"), [Some(1), Some(2)], 0),
        (format!("{b}{a}S: A2 OK\nS: A1 OK"), [Some(1), Some(2)], 0),
        (format!("{b}S: A1 OK\n{news}S: A2 OK"), [None, Some(2)], 1),
        (format!("{news}{a}S: A1 OK\n{b}{news}S: A2 OK"), [Some(1), Some(2)], 2),
        // Of two that the server calls otherwise nobody knows whose they are; the last one's may be, and is news too.
        (format!("{news}S: A1 OK\n{news}S: A2 OK"), [None, Some(9)], 2),
        (format!("{news}S: A1 NO\n{news}{b}S: A2 OK"), [None, Some(2)], 2),
    ] {
        let script = format!("C: A1 STATUS &APw- (MESSAGES)\nC: A2 STATUS \"b b\" (MESSAGES)\n{answers}");
        session(&script, |mut client| {
            let mut batch = client.batch();
            let asked = [batch.status(MailboxName::raw(b"&APw-"), "MESSAGES"), batch.status("b b", "MESSAGES")];
            let mut replies = batch.run().unwrap();
            let found = asked.map(|token| replies.take(token).ok().and_then(|status| status.messages));
            assert_eq!((found, client.events().len()), (numbers, events), "{answers}");
        });
    }
    // The same mailbox twice: one after the other.
    let script = "C: A1 STATUS b (MESSAGES)\nC: A2 STATUS b (MESSAGES)\nS: * STATUS b (MESSAGES 1)\nS: * STATUS b (MESSAGES 2)\n\
                  S: A1 OK\nS: A2 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        let asked = [batch.status("b", "MESSAGES"), batch.status("b", "MESSAGES")];
        let mut replies = batch.run().unwrap();
        assert_eq!(asked.map(|token| replies.take(token).unwrap().messages), [Some(1), Some(2)]);
    });
}

/// A server of IMAP4rev2 answers each SEARCH by an ESEARCH that has its tag.
#[test]
fn an_esearch_is_of_the_search_whose_tag_it_has() {
    let script = "C: A1 UID SEARCH SEEN\nC: A2 UID SEARCH UNSEEN\nS: * ESEARCH (TAG \"A2\") UID ALL 4:5\nS: * ESEARCH (TAG \"A1\") UID ALL 7\n\
                  S: * ESEARCH (TAG \"B1\") UID ALL 9\nS: A2 OK\nS: A1 OK\nC: A3 UID SEARCH ALL\nS: * ESEARCH (TAG \"A1\") UID ALL 1\n\
                  S: * ESEARCH UID ALL 3\nS: A3 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        let found = [batch.uid_search("SEEN"), batch.uid_search("UNSEEN")];
        let mut replies = batch.run().unwrap();
        assert_eq!(found.map(|token| replies.take(token).unwrap()), [vec![7], vec![4, 5]]);
        assert_eq!(client.uid_search("ALL").unwrap(), [3]);
        assert_eq!(client.events().len(), 2);
    });
}

#[test]
fn all_of_it_is_one_write() {
    let script = "S: * OK hi\nC: A1 NOOP\nC: A2 LIST \"\" *\nC: A3 NOOP\nS: A1 OK\nS: A2 OK\nS: A3 OK"
        .replace(" *\n", " \"*\"\n");
    let (client, handle) = open_with(Connector::new(), Imap::new(), Script::parse(&script).unwrap(), Security::Plain);
    let mut client = client.unwrap();
    let mut batch = client.batch();
    batch.noop();
    batch.list("", "*");
    batch.noop();
    batch.run().unwrap().done().unwrap();
    assert_eq!(handle.writes(), 1);
    handle.finish();
    // None is none.
    client.batch().run().unwrap().done().unwrap();
    assert_eq!(handle.writes(), 1);
}

/// However long the greeting was: what a server says unasked tells nothing of its answers.
#[test]
fn a_long_greeting_makes_no_batch_shorter() {
    let capabilities = "X-CAPABILITY ".repeat(500);
    let script = format!(
        "S: * OK [CAPABILITY IMAP4rev1 {capabilities}] hi\nC: A1 NOOP\nC: A2 CHECK\nS: A1 OK\nS: A2 OK\nC: A3 XYZZY\nS: A3 BAD"
    );
    let (client, handle) = open_with(Connector::new(), Imap::new(), Script::parse(&script).unwrap(), Security::Plain);
    let mut client = client.unwrap();
    let mut batch = client.batch();
    batch.noop();
    batch.check();
    let raw = batch.command("XYZZY");
    let error = batch.run().unwrap().take(raw).unwrap_err();
    assert_eq!((rejected(&error).0, handle.writes()), ("command", 2), "what may count messages waits");
    handle.finish();
}

/// RFC 9051, 5.5: what the numbers of the next command mean must not hang on an answer that is not there.
#[test]
fn sequence_numbers_wait_for_what_may_change_them() {
    let all = |client: &mut ImapClient, build: &dyn Fn(&mut mailconnect::imap::Batch<'_>)| {
        let mut batch = client.batch();
        build(&mut batch);
        batch.run().unwrap().done().unwrap();
    };
    // Together: SELECT, FETCH, STORE, SEARCH, UID SEARCH; then alone what counts messages.
    let script = "C: A1 SELECT x\nC: A2 FETCH 1 FLAGS\nC: A3 STORE 1 FLAGS ()\nC: A4 SEARCH ALL\nC: A5 UID SEARCH ALL\nC: A6 UID FETCH 1 FLAGS\n\
                  WAIT\nS: A1 OK\nS: A2 OK\nS: A3 OK\nS: A4 OK\nS: A5 OK\nS: A6 OK\n\
                  C: A7 FETCH 1 FLAGS\nC: A8 NOOP\nWAIT\nS: A7 OK\nS: A8 OK\nC: A9 SEARCH 1\nC: A10 EXPUNGE\nWAIT\nS: A9 OK\nS: A10 OK\n\
                  C: A11 UID SEARCH 1:3\nS: A11 OK";
    offering("", script, |mut client| {
        all(&mut client, &|batch| {
            batch.select("x");
            batch.fetch(1, "FLAGS");
            batch.store(1, &Store::replace(&[]));
            batch.search("ALL");
            batch.uid_search("ALL");
            batch.uid_fetch(1, "FLAGS");
            batch.fetch(1, "FLAGS");
            batch.noop();
            batch.search("1");
            batch.expunge();
            batch.uid_search("1:3");
        });
    });
    // What the server must ask for goes alone.
    let script = "C: A1 NOOP\nWAIT\nS: A1 OK\nC: A2 SEARCH CHARSET UTF-8 SUBJECT {2}\nWAIT\nS: * 1 EXISTS\nS: +\nC- \\xc3\\xbc\\r\\n\nS: * SEARCH 3\nS: A2 OK\n\
                  C: A3 NOOP\nS: A3 OK";
    offering("", script, |mut client| {
        let mut batch = client.batch();
        batch.noop();
        let found = batch.search("SUBJECT \"ü\"");
        batch.noop();
        let mut replies = batch.run().unwrap();
        assert_eq!(replies.take(found).unwrap(), [3]);
    });
    let refused = "C: A1 SEARCH CHARSET UTF-8 SUBJECT {2}\nWAIT\nS: A1 NO [BADCHARSET] no\nC: A2 NOOP\nS: A2 OK";
    offering("", refused, |mut client| {
        let mut batch = client.batch();
        let found = batch.search("SUBJECT \"ü\"");
        batch.noop();
        let mut replies = batch.run().unwrap();
        assert_eq!(rejected(&replies.take(found).unwrap_err()).2, Some("BADCHARSET"));
    });
    // LITERAL+ needs nobody's leave.
    offering(
        "LITERAL+",
        "C: A1 NOOP\nC- A2 UID SEARCH CHARSET UTF-8 SUBJECT {2+}\\r\\n\\xc3\\xbc\\r\\nA3 NOOP\\r\\n\nS: A1 OK\nS: A2 OK\nS: A3 OK",
        |mut client| {
            all(&mut client, &|batch| {
                batch.noop();
                batch.uid_search("SUBJECT \"ü\"");
                batch.noop();
            });
        },
    );
}

/// Neither side may block the other: no more is on its way than buffers hold for sure.
#[test]
fn a_long_batch_goes_out_in_parts() {
    let long = (1..2_000).map(|n| (2 * n).to_string()).collect::<Vec<_>>().join(",");
    let mut script = Script::new().server("* OK hi\r\n");
    for n in [1, 2] {
        script =
            script.client(format!("A{n} UID STORE {long} FLAGS.SILENT (a)\r\n")).wait().server(format!("A{n} OK\r\n"));
    }
    let (few, many) = (3..=130, 131..=302);
    for round in [few, many.start().to_owned()..=258, 259..=*many.end()] {
        let commands: String = round.clone().map(|n| format!("A{n} NOOP\r\n")).collect();
        let answers: String = round.map(|n| format!("A{n} OK\r\n")).collect();
        script = script.client(commands).wait().server(answers);
    }
    session_of(&Connector::new(), script, |mut client| {
        let mut batch = client.batch();
        for _ in 0..2 {
            batch.uid_store(long.as_str(), &Store::replace(&["a"]).silent());
        }
        for _ in 0..300 {
            batch.noop();
        }
        batch.run().unwrap().done().unwrap();
    });
}

#[test]
fn a_log_in_may_be_in_it() {
    let greeting = "S: * OK [CAPABILITY IMAP4rev1] hi\n";
    let commands = "C: A1 LOGIN \"u\" \"pass\"\nC: A2 SELECT x\nC: A3 LOGOUT\n";
    for (answers, logged_in) in [
        ("S: A1 OK [CAPABILITY IMAP4rev1 MOVE] in\nS: * 3 EXISTS\nS: A2 OK\nS: * BYE\nS: A3 OK\nEOF", true),
        ("S: A1 OK\nS: * 3 EXISTS\nS: A2 OK\nS: * BYE\nEOF", true),
        ("S: A1 NO [AUTHENTICATIONFAILED] no\nS: A2 BAD log in first\nS: * BYE\nS: A3 OK\nEOF", false),
    ] {
        let script = Script::parse(&format!("{greeting}{commands}{answers}")).unwrap();
        session_of(&Connector::new(), script, |mut client| {
            let mut batch = client.batch();
            let login = batch.login("u", "pass");
            let mailbox = batch.select("x");
            batch.logout();
            assert!(!format!("{batch:?}").contains("pass"));
            let mut replies = batch.run().unwrap();
            assert_eq!(replies.take(login).is_ok(), logged_in);
            assert_eq!(replies.take(mailbox).map(|mailbox| mailbox.exists).ok(), logged_in.then_some(3));
            assert_eq!(client.is_authenticated(), logged_in);
            if client.is_open() {
                assert!(matches!(client.noop(), Err(Error::WrongState(_))));
                client.quit().unwrap();
            }
        });
    }
    // Refused before a byte is sent: by the server's word, by rule 3, and where it is not the first.
    let script = Script::parse("S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi").unwrap();
    session_of(&Connector::new(), script, |mut client| {
        let mut batch = client.batch();
        batch.login("u", "pass");
        assert!(matches!(batch.run(), Err(Error::Unsupported(_))));
        let mut batch = client.batch();
        batch.noop();
        batch.login("u", "pass");
        assert!(matches!(batch.run(), Err(Error::WrongState(_))));
    });
}

#[test]
fn rule_3_a_batch_logs_in_over_a_safe_link_only() {
    let (transport, handle) = Script::parse("S: * OK [CAPABILITY IMAP4rev1] hi").unwrap().play();
    let connector = Connector::new().clock(handle.clock());
    let mut client = connector.over(Imap::new(), transport, PEER, Security::Plain).unwrap();
    let mut batch = client.batch();
    batch.login("u", "pass");
    assert!(matches!(batch.run(), Err(Error::InsecureLogin(_))));
    assert!(handle.sent().is_empty() && client.is_open());
}

#[test]
fn id_goes_with_the_log_in() {
    for (time, script) in [
        (
            IdTime::AfterLogin,
            "C: A1 LOGIN \"u\" \"pass\"\nC: A2 ID (\"name\" \"x\")\nC: A3 SELECT y\nS: A1 OK\nS: A2 NO\nS: A3 OK",
        ),
        (
            IdTime::BeforeLogin,
            "C: A1 ID (\"name\" \"x\")\nS: A1 OK\nC: A2 LOGIN \"u\" \"pass\"\nC: A3 SELECT y\nS: A2 OK\nS: A3 OK",
        ),
    ] {
        let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 ID] hi\n{script}")).unwrap();
        let imap = Imap::new().identity(time, [("name", "x")]).unwrap();
        let (client, handle) = open_with(Connector::new(), imap, script, Security::Plain);
        let mut client = client.unwrap();
        let mut batch = client.batch();
        batch.login("u", "pass");
        let mailbox = batch.select("y");
        let mut replies = batch.run().unwrap();
        replies.take(mailbox).unwrap();
        replies.done().unwrap();
        handle.finish();
    }
}

/// What was refused only since nobody was logged in says so.
#[test]
fn a_refused_log_in_is_what_later_tokens_tell() {
    let script = "C: A1 LOGIN \"u\" \"wrong\"\nC: A2 SELECT x\nC: A3 NOOP\nC: A4 UID SEARCH ALL\n\
                  S: A1 NO [AUTHENTICATIONFAILED] no\nS: A2 BAD log in first\nS: A3 OK\nS: A4 BAD log in first";
    let of_login = ("LOGIN", "NO", Some("AUTHENTICATIONFAILED"));
    offering("", script, |mut client| {
        let mut batch = client.batch();
        let login = batch.login("u", "wrong");
        let (mailbox, noop) = (batch.select("x"), batch.noop());
        batch.uid_search("ALL");
        let mut replies = batch.run().unwrap();
        assert_eq!(rejected(&replies.take(mailbox).unwrap_err()), of_login);
        replies.take(noop).unwrap();
        assert_eq!(rejected(&replies.take(login).unwrap_err()), of_login);
        assert_eq!(rejected(&replies.done().unwrap_err()), of_login);
        assert!(!client.is_authenticated());
    });
}

/// (Dovecot) Some servers hang up on what is behind a log-in that was refused. And what they say of it is told without the
/// password.
#[test]
fn rule_11_a_refused_log_in_is_told_whatever_follows() {
    let commands = "C: A1 LOGIN \"u\" \"hunter2\"\nC: A2 NOOP\n";
    let refused = "S: A1 NO [AUTHENTICATIONFAILED] hunter2 is wrong\n";
    for (end, closes) in
        [("S: A2 BAD hunter2", false), ("S: * BYE Too many invalid IMAP commands.\nEOF", true), ("EOF", true)]
    {
        let told = |error: &Error| {
            assert_eq!(rejected(error), ("LOGIN", "NO", Some("AUTHENTICATIONFAILED")), "{end}: {error}");
            assert!(error.is_permanent() && !format!("{error} {error:?}").contains("hunter2"), "{end}: {error:?}");
        };
        offering("", &format!("{commands}{refused}{end}"), |mut client| {
            let mut batch = client.batch();
            let login = batch.login("u", "hunter2");
            let noop = batch.noop();
            // What waits for the others is not sent.
            let found = batch.search("1");
            match batch.run() {
                Err(error) => told(&error),
                Ok(mut replies) => {
                    told(&replies.take(login).unwrap_err());
                    told(&replies.take(noop).unwrap_err());
                    told(&replies.take(found).unwrap_err());
                }
            }
            assert_eq!(client.is_open(), !closes, "{end}");
        });
    }
    // Nor later.
    offering("", "C: A1 LOGIN \"u\" \"hunter2\"\nS: A1 OK\nC: A2 SELECT x\nS: A2 NO for hunter2", |mut client| {
        client.login("u", "hunter2").unwrap();
        let mut batch = client.batch();
        let inbox = batch.select("x");
        let error = batch.run().unwrap().take(inbox).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    });
}

#[test]
fn a_token_is_good_for_its_own_batch() {
    session("C: A1 NOOP\nS: A1 OK\nC: A2 NOOP\nC: A3 NOOP\nS: A2 OK\nS: A3 NO", |mut client| {
        let mut batch = client.batch();
        let first = batch.noop();
        let mut replies = batch.run().unwrap();
        let mut batch = client.batch();
        let (_, second) = (batch.noop(), batch.noop());
        assert!(matches!(replies.take(second), Err(Error::WrongState(_))));
        replies.take(first).unwrap();
        assert!(batch.run().unwrap().done().unwrap_err().rejection().is_some());
    });
}

#[test]
fn rule_8_what_breaks_a_batch_closes() {
    let commands = "C: A1 SELECT x\nC: A2 UID FETCH 1 BODY[]\nC: A3 NOOP\n";
    let whole = "* 1 EXISTS\r\nA1 OK\r\n* 1 FETCH (UID 1 BODY[] {5}\r\nHello)\r\nA2 OK\r\nA3 OK\r\n";
    let run = |script: Script| {
        let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let mut batch = client.batch();
        batch.select("x");
        batch.uid_fetch(1, "BODY[]");
        batch.noop();
        let result = batch.run();
        assert_eq!(client.is_open(), result.is_ok());
        result.map(drop)
    };
    let begin = || Script::parse(&format!("S: * OK hi\n{commands}")).unwrap();
    for cut in 0..whole.len() {
        for chunking in Chunking::ALL {
            let result = run(begin().server(&whole[..cut]).eof().chunking(chunking));
            assert!(matches!(result, Err(Error::ConnectionLost(_))), "{cut}: {result:?}");
        }
    }
    run(begin().server(whole)).unwrap();
    for bad in ["A1 OK\r\nA1 OK\r\n", "A4 OK\r\n", "A0 OK\r\n", "A01 OK\r\n", "+ go\r\n", "A1 YES\r\n"] {
        let result = run(begin().server(bad).stall());
        assert!(matches!(result, Err(Error::Protocol(_))), "{bad}: {result:?}");
    }
    let result = run(begin().server("A1 OK\r\n* BYE\r\n"));
    assert!(matches!(result, Err(Error::Rejected(_))), "{result:?}");
}

#[test]
fn rule_6_messages_are_bounded() {
    let mut limits = mailconnect::Limits::default();
    limits.collected = 1_000;
    let answer = "* 1 FETCH (BODY[] {300}\r\n".to_owned() + &"x".repeat(300) + ")\r\n";
    let script = || Script::parse("S: * OK hi\nC: A1 FETCH 1:9 BODY[]").unwrap().server(answer.repeat(9)).stall();
    let open = || open_with(Connector::new().limits(limits.clone()), Imap::new(), script(), Security::Plain).0.unwrap();
    let mut client = open();
    let mut batch = client.batch();
    batch.fetch("1:9", "BODY[]");
    assert!(matches!(batch.run(), Err(Error::Limit(_))));
    let mut client = open();
    assert!(matches!(client.fetch("1:9", "BODY[]").unwrap().collect(), Err(Error::Limit(_))));
}

// ---- Waits ----

#[test]
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), ignore = "needs TLS")]
fn a_cold_session_takes_five_waits_and_as_a_batch_three() {
    let server = Server::imap().mode(Mode::Tls).message("Subject: x\r\n\r\nx\r\n").start().unwrap();
    let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
    let (connector, counts) = crate::counting::counted(&connector, server.address());
    let mut client: ImapClient = connector.connect_ssl(server.endpoint()).unwrap();
    client.login("user", "password").unwrap();
    assert_eq!(client.select("INBOX").unwrap().exists, 1);
    client.quit().unwrap();
    assert_eq!(counts.take_waits(), 5, "handshake, greeting, LOGIN, SELECT, LOGOUT");

    let mut client: ImapClient = connector.connect_ssl(server.endpoint()).unwrap();
    let mut batch = client.batch();
    batch.login("user", "password");
    let mailbox = batch.select("INBOX");
    batch.logout();
    let mut replies = batch.run().unwrap();
    assert_eq!(replies.take(mailbox).unwrap().exists, 1);
    replies.done().unwrap();
    client.quit().unwrap();
    assert_eq!(counts.take_waits(), 3, "handshake, greeting, and all the rest");
    assert!(!server.transcript().iter().any(|line| line.contains("CAPABILITY") && line.starts_with("C:")));
}
