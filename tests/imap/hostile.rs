//! News, early replies, bad arguments, limits, and sessions cut anywhere.

use mailconnect::imap::{Event, Imap, Item};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, Error, ImapClient, Limits, Result, Security};

use crate::{open, open_with, session, session_of, told};
#[test]
fn news_are_kept_in_order_and_bounded() {
    let script = "S: * 1 EXISTS\nS: * 1 RECENT\nC: A1 NOOP\nS: * 3 EXPUNGE\nS: * OK [ALERT] \\x1b[31mdown\\nS: * FLAGS (a)\n\
                  S: * NO [ALERT] disk\nS: A1 OK [ALERT] bye\n";
    let script = script.replace("\\nS:", "\nS:");
    session(&script, |mut client| {
        client.noop().unwrap();
        let alert = |text: &str| Event::Alert(text.to_owned());
        assert_eq!(
            client.events().collect::<Vec<_>>(),
            [
                Event::Exists(1),
                Event::Recent(1),
                Event::Expunge(3),
                alert("\u{fffd}[31mdown"),
                Event::MailboxFlags(vec!["a".into()]),
                alert("disk"),
                alert("bye"),
            ]
        );
        assert!(client.events().is_empty());
    });
    let flood = Script::new().server("* OK\r\n").client("A1 NOOP\r\n");
    let flood = flood.server("* 1 EXISTS\r\n".repeat(2_000)).server("A1 OK\r\n");
    session_of(&Connector::new(), flood, |mut client| {
        client.noop().unwrap();
        let events = client.events();
        assert!(events.incomplete && events.len() == 1_024);
    });
    // Few and large ones are bounded as well: by as many bytes as one line may have.
    let large = format!("* X {}\r\n", "x".repeat(5_000));
    let flood = Script::new().server("* OK\r\n").client("A1 NOOP\r\n").server(large.repeat(5)).server("A1 OK\r\n");
    let mut limits = Limits::default();
    limits.imap_line = 10_500;
    session_of(&Connector::new().limits(limits), flood, |mut client| {
        client.noop().unwrap();
        let events = client.events();
        assert!(events.incomplete && events.len() == 2);
    });
}

#[test]
fn rule_7_an_early_reply_is_an_error() {
    for early in ["A1 OK", "A1 NO", "A0 OK", "+ go", "B1 OK", "A9"] {
        for chunking in Chunking::ALL {
            let script = Script::parse(&format!("S: * OK\nS: {early}\nC: A1 NOOP\n")).unwrap().chunking(chunking);
            let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
            let mut client = client.unwrap();
            assert!(matches!(client.noop(), Err(Error::Protocol(_))), "{early}");
            assert!(!client.is_open() && handle.sent().is_empty());
        }
    }
    // One that comes after another command's answer.
    session("C: A1 NOOP\nS: A1 OK\\r\\nA2 OK", |mut client| {
        client.noop().unwrap();
        assert!(matches!(client.select("INBOX"), Err(Error::Protocol(_))));
    });
}

#[test]
fn quit_says_logout() {
    for end in ["S: * BYE\nS: A1 OK\nEOF", "S: A1 OK", "S: * BYE\nEOF", "EOF", "S: * 1 EXISTS\nRESET"] {
        session(&format!("C: A1 LOGOUT\n{end}"), |client| client.quit().unwrap());
    }
    session("C: A1 LOGOUT\nS: A1 BAD no", |client| assert!(client.quit().unwrap_err().rejection().is_some()));
    session("C: A1 LOGOUT\nSTALL", |client| assert!(client.quit().unwrap_err().is_timeout()));
}

/// Every function that takes text, with every argument of it in turn. The scripts have no step after the greeting: one
/// byte of the client's would be an error of the script.
#[test]
fn rule_9_no_argument_becomes_a_command() {
    let bad = ["\r", "\n", "\r\n", "\0", "x\r\nA9 LOGOUT", "x\nA9 LOGOUT", "\"\r\nA9 STORE", "x\0y", "{5}\r\nx"];
    let raw = ["", " ", "x {5}", "x {5+}", "x ~{5}", "{0}", "x {99999999999999999999}", "x {5} "];
    let atoms = ["", "\\", "a b", "a(b", "a)", "a\"", "%", "*", "a\\b", "\\a\\", "{5}", "ü", "a]", "a\x7f"];
    let (client, handle) = open("S: * OK [CAPABILITY IMAP4 LITERAL+ SASL-IR AUTH=X]");
    let mut client = client.unwrap();
    let refused = |what: &str, argument: &str, result: Result<()>| {
        assert!(matches!(result, Err(Error::InvalidArgument(_))), "{what} {argument:?}: {result:?}");
        assert!(handle.sent().is_empty(), "{what} {argument:?}");
    };
    for text in bad {
        refused("select", text, client.select(text).map(drop));
        refused("examine", text, client.examine(text).map(drop));
        refused("create", text, client.create(text));
        refused("delete", text, client.delete(text));
        refused("list", text, client.list(text, "x").map(drop));
        refused("list", text, client.list("x", text).map(drop));
        refused("append", text, client.append(text, &[], b"").map(drop));
        refused("append", text, client.append("ü", &["a", text], b"").map(drop));
        refused("login", text, client.login(text, "pass"));
        refused("login", text, client.login("u", text));
    }
    for text in bad.into_iter().chain(raw) {
        refused("search", text, client.search(text).map(drop));
        refused("uid_search", text, client.uid_search(text).map(drop));
        refused("fetch", text, client.fetch(1, text).map(drop));
        refused("uid_fetch", text, client.uid_fetch(1, text).map(drop));
    }
    for text in bad.into_iter().chain(atoms) {
        refused("append", text, client.append("x", &[text], b"").map(drop));
        if text == "*" {
            continue; // The last message.
        }
        refused("fetch", text, client.fetch(text, "FLAGS").map(drop));
        refused("uid_fetch", text, client.uid_fetch(text, "FLAGS").map(drop));
    }
    for text in ["SUBJECT ü", "SUBJECT \"ü", "SUBJECT \"a\" ü \"b\"", "SUBJECT \"ü\" {5}"] {
        refused("search", text, client.search(text).map(drop));
    }
    refused("fetch", "ü", client.fetch(1, "BODY[HEADER.FIELDS (ü)]").map(drop));
    refused("fetch_to", "0", client.fetch_to(0, &mut Vec::new()).map(drop));
    assert!(client.is_open());
}

#[test]
fn rule_6_limits_hold_while_reading() {
    let fail = |connector: Connector, answer: Vec<u8>, read: &dyn Fn(&mut ImapClient) -> Result<()>| {
        let script = Script::new().server("* OK\r\n").client("A1 FETCH 1 ALL\r\n").server(answer).stall();
        let (client, _) = open_with(connector, Imap::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let error = read(&mut client).unwrap_err();
        assert!(!client.is_open());
        match error {
            Error::Limit(limit) => (limit.what, limit.max),
            other => panic!("{other:?}"),
        }
    };
    let read = |client: &mut ImapClient| told(client, "1", "ALL").map(drop);
    let limited = |answer: Vec<u8>| fail(Connector::new(), answer, &read);
    assert_eq!(limited(vec![b'x'; (1 << 20) + 1]), ("bytes in a line", 1 << 20));
    assert_eq!(limited(b"* 1 FETCH (X {4294967295}\r\nabc".to_vec()), ("bytes in a literal", 64 << 20));
    assert_eq!(limited(b"* X {18446744073709551616}\r\nabc".to_vec()), ("bytes in a literal", 64 << 20));
    let many = [b"* CAPABILITY", " x".repeat(1_001).as_bytes(), b"\r\n"].concat();
    assert_eq!(limited(many), ("capabilities", 1_000));
    let mut limits = Limits::default();
    limits.collected = 1_000;
    let small = Connector::new().limits(limits);
    let literals = ["* 1 FETCH (X (", &"{1}\r\na ".repeat(1_000), "))\r\n"].concat();
    assert_eq!(fail(small.clone(), literals.into_bytes(), &read), ("bytes in an answer", 1_000));
    let mut limits = Limits::default();
    limits.tokens = 1_000;
    let tokens = ["* 1 FETCH (X (", &"a ".repeat(1_000), "))\r\n"].concat();
    assert_eq!(fail(Connector::new().limits(limits), tokens.into_bytes(), &read), ("tokens", 1_000));
    let body = [b"* 1 FETCH (BODY[] {5000}\r\n".to_vec(), vec![b'x'; 5_000]].concat();
    assert_eq!(fail(small.clone(), body, &read), ("bytes of a body in memory", 1_000));
    // News without end are the answer of no command.
    let script = Script::new().server("* OK\r\n").client("A1 NOOP\r\n").server("* 1 EXISTS\r\n".repeat(100)).stall();
    let error = open_with(small, Imap::new(), script, Security::Plain).0.unwrap().noop().unwrap_err();
    assert!(matches!(error, Error::Limit(limit) if limit.max == 1_000));
}

/// What is too large for a value goes by: it costs the value, be it one that the rest of the list is in, and no more.
#[test]
fn rule_6_a_literal_too_large_for_a_value_costs_that_value() {
    let large = ["{70000}\r\n", &"()\"\r\n{5}".repeat(14_000)[..70_000]].concat();
    let answer = format!(
        "* 1 FETCH (UID 5 X {large} PREVIEW {large} ENVELOPE ((\"a\" {large} ({{1}}\r\n)) {large}) NIL) BODY[] {{2}}\r\nhi \
         FLAGS ())\r\n* METADATA \"\" (/private/comment {large})\r\n* LIST () \"/\" {large}\r\n* 2 FETCH (ENVELOPE ({large}\r\n\
         * 3 FETCH (UID 7)\r\nA1 OK\r\n"
    );
    for chunking in Chunking::ALL {
        let script = Script::new().server("* OK\r\n").client("A1 FETCH 1 ALL\r\n").server(answer.clone());
        let script = script.client("A2 NOOP\r\n").server("A2 OK\r\n").chunking(chunking);
        session_of(&Connector::new(), script, |mut client| {
            let items = [
                "message 1",
                "Uid(5)",
                "X: {70000}",
                "PREVIEW: {70000}",
                "ENVELOPE: ((\"a\" {70000}",
                "BODY[] 2 hi",
                "Flags([])",
                "message 2",
                "ENVELOPE: ({70000}",
                "message 3",
                "Uid(7)",
            ];
            assert_eq!(told(&mut client, "1", "ALL").unwrap(), items);
            client.noop().unwrap();
        });
    }
}

/// A large mailbox is no attack: all its UIDs come in one line, which may be as long as what is kept of an answer.
#[test]
fn rule_6_a_search_may_find_as_much_as_is_collected() {
    let uids: Vec<u32> = (0..300_000).map(|n| n + 5_000_000).collect();
    let line = uids.iter().fold(String::from("* SEARCH"), |line, uid| line + " " + &uid.to_string()) + "\r\n";
    let script = |answer: &str| Script::new().server("* OK\r\n").client("A1 UID SEARCH ALL\r\n").server(answer);
    session_of(&Connector::new(), script(&line).server("A1 OK\r\n"), |mut client| {
        assert_eq!(client.uid_search("ALL").unwrap(), uids);
    });
    let mut limits = Limits::default();
    (limits.imap_line, limits.collected) = (100, 1_000_000);
    let (client, _) = open_with(Connector::new().limits(limits), Imap::new(), script(&line).stall(), Security::Plain);
    let error = client.unwrap().uid_search("ALL").unwrap_err();
    assert!(matches!(error, Error::Limit(limit) if limit.max == 1_000_000));
}

/// Nesting is a number: what is nested too deep for a structure stays raw, and costs nothing but itself.
#[test]
fn rule_12_nesting_costs_a_value_at_most() {
    let deep = format!("{}{}", "(".repeat(10_000), ")".repeat(10_000));
    let script = format!(
        "C: A1 FETCH 1 ALL\nS: * 1 FETCH (X {deep} BODYSTRUCTURE {deep} ENVELOPE {deep} UID 7)\nS: * 2 FETCH (X {})\nS: A1 OK",
        "(".repeat(10_000)
    );
    session(&script, |mut client| {
        let told = told(&mut client, "1", "ALL").unwrap();
        assert_eq!(told[1], format!("X: {deep}"));
        assert_eq!(told[2], format!("BODYSTRUCTURE: {deep}"));
        assert!(told[3].starts_with("Envelope { date: None"));
        assert_eq!(told[4..6], ["Uid(7)", "message 2"]);
        assert_eq!(told[6], format!("X: {})", "(".repeat(10_000)));
    });
}

/// Rule 7: whatever is missing at the end, the result is never `Ok`.
#[test]
fn a_session_cut_anywhere_is_an_error() {
    let answers = [
        ("A1 SELECT INBOX\r\n", "* 3 EXISTS\r\n* OK [UIDNEXT 4] x\r\nA1 OK [READ-WRITE] done\r\n"),
        ("A2 UID SEARCH ALL\r\n", "* SEARCH 1 2 3\r\nA2 OK\r\n"),
        (
            "A3 UID FETCH 1:3 (BODY.PEEK[])\r\n",
            "* 1 FETCH (UID 1 BODY[] {5}\r\nHello FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 BODY[] \"x\" X {1}\r\ny)\r\nA3 OK\r\n",
        ),
    ];
    let whole: usize = answers.iter().map(|(_, answer)| answer.len()).sum();
    for cut in 0..=whole {
        let mut script = Script::new().server("* OK\r\n");
        let mut left = cut;
        for (command, answer) in answers {
            let n = left.min(answer.len());
            script = script.client(command).server(&answer.as_bytes()[..n]);
            left -= n;
            if n < answer.len() {
                break;
            }
        }
        let (client, _) = open_with(Connector::new(), Imap::new(), script.eof(), Security::Plain);
        let mut client = client.unwrap();
        let work = |client: &mut ImapClient| {
            client.select("INBOX")?;
            client.uid_search("ALL")?;
            let mut list = client.uid_fetch("1:3", "(BODY.PEEK[])")?;
            let mut sink = std::io::sink();
            while let Some(mut message) = list.next_message()? {
                while let Some(item) = message.next_item()? {
                    if let Item::Section(mut section) = item {
                        section.copy_to(&mut sink)?;
                    }
                }
            }
            Ok(())
        };
        let result: Result<()> = work(&mut client);
        assert_eq!(result.is_ok(), cut == whole, "{cut}: {result:?}");
    }
}
