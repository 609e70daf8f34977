//! Servers that are old, odd or hostile, as tables; and what no argument can do.

use mailconnect::testing::Script;
use mailconnect::{Connector, Error, Limits, Pop3Client, Result, Security};

use crate::{open_with, rejected, session};

const LOGIN: &str = "C: USER u\nS: +OK\nC: PASS p\nS: +OK\n";

// ---- UIDL is optional ----

#[test]
fn a_server_without_uidl_is_told_from_one_that_refuses() {
    let no_capa = format!("C: CAPA\nS: -ERR\n{LOGIN}");
    let cases = [
        // CAPA knows.
        (format!("C: CAPA\nS: +OK\nS: .\n{LOGIN}C: UIDL\nS: -ERR what?\nC: CAPA\nS: +OK\nS: TOP\nS: ."), true),
        (format!("C: CAPA\nS: +OK\nS: .\n{LOGIN}C: UIDL\nS: -ERR later\nC: CAPA\nS: +OK\nS: UIDL\nS: ."), false),
        // A server of old has no other reason to refuse it.
        (format!("{no_capa}C: UIDL\nS: -ERR\nC: CAPA\nS: -ERR"), true),
        // One that gives a reason has one.
        (format!("{no_capa}C: UIDL\nS: -ERR [SYS/TEMP] later"), false),
    ];
    for (script, missing) in cases {
        session(&format!("{script}\nC: NOOP\nS: +OK"), |mut client| {
            client.login("u", "p").unwrap();
            let error = client.uidl().unwrap_err();
            match &error {
                Error::Unsupported(text) if missing => assert!(text.contains("has no UIDL"), "{text}"),
                error => assert_eq!((missing, rejected(error).0), (false, "UIDL"), "{script}"),
            }
            assert!(!error.is_fatal());
            client.noop().unwrap();
        });
    }
    // Before the log-in any server refuses it; and of one message there may be none.
    session("C: UIDL\nS: -ERR log in first", |mut client| assert_eq!(rejected(&client.uidl().unwrap_err()).0, "UIDL"));
    session(&format!("{no_capa}C: UIDL 7\nS: -ERR\nC: CAPA\nS: -ERR"), |mut client| {
        client.login("u", "p").unwrap();
        assert_eq!(rejected(&client.uidl_one(7).unwrap_err()).0, "UIDL");
    });
}

// ---- Odd replies ----

/// Each reply to a short command, and the same by any verb that takes one line.
#[test]
fn statuses_of_odd_servers() {
    for reply in
        ["+OK", "+OK ", "+ok", "+Ok   ", "+OK\\t", "+OK \\xff\\xfe", "\\r\\n+OK", "\\n\\n+OK done", "+OK [X] hm"]
    {
        session(&format!("C: NOOP\nS: {reply}\nC: RSET\nS: {reply}\nC: DELE 3\nS: {reply}"), |mut client| {
            client.noop().unwrap();
            client.rset().unwrap();
            client.dele(3).unwrap();
        });
    }
    for reply in ["-ERR", "-ERR ", "-err", "-Err no", "\\r\\n-ERR x", "-ERR [", "-ERR []", "-ERR \\xff"] {
        session(&format!("C: NOOP\nS: {reply}\nC: NOOP\nS: +OK"), |mut client| {
            assert_eq!(rejected(&client.noop().unwrap_err()), ("NOOP", None), "{reply}");
            client.noop().unwrap();
        });
    }
}

#[test]
fn numbers_of_odd_servers() {
    let table: &[(&str, (u32, u64))] = &[
        ("+OK 2 320", (2, 320)),
        ("+OK    2     320", (2, 320)),
        ("+OK\\t2\\t320\\t", (2, 320)),
        ("+OK 2 320 octets in all, mate", (2, 320)),
        ("+OK 0 0", (0, 0)),
        ("+OK 2 4294967296", (2, 4_294_967_296)),
        ("+OK 4294967295 18446744073709551615", (u32::MAX, u64::MAX)),
        ("\\r\\n\\r\\n+ok 02 0320", (2, 320)),
    ];
    for (reply, expected) in table {
        session(&format!("C: STAT\nS: {reply}"), |mut client| {
            let stat = client.stat().unwrap();
            assert_eq!((stat.messages, stat.octets), *expected, "{reply}");
        });
        session(&format!("C: LIST {}\nS: {reply}", expected.0), |mut client| {
            assert_eq!(client.list_one(expected.0).unwrap().octets, expected.1, "{reply}");
        });
    }
}

#[test]
fn listings_of_odd_servers() {
    let lines = "S: +OK\nS:    1     8589934592   and more\nS: 3\\t7\nS- 5 9\\n\nS- .\\n\n";
    session(&format!("C: LIST\n{lines}"), |mut client| {
        let list: Vec<_> = client.list().unwrap().iter().map(|entry| (entry.number, entry.octets)).collect();
        assert_eq!(list, [(1, 8_589_934_592), (3, 7), (5, 9)]);
    });
    // Some have no id for a message, leave messages out, or align columns.
    session("C: UIDL\nS: +OK\nS: 1    a\nS: 2\nS: 3 \nS: 9 b c\nS: 12 ..x\nS: .", |mut client| {
        let uidl: Vec<_> = client.uidl().unwrap().into_iter().map(|entry| (entry.number, entry.uid)).collect();
        assert_eq!(uidl, [(1, "a".to_owned()), (9, "b".to_owned()), (12, "..x".to_owned())]);
    });
    session("C: UIDL 4\nS: +OK    4   x   y\nC: UIDL 5\nS: +OK 5", |mut client| {
        assert_eq!(client.uidl_one(4).unwrap().uid, "x");
        assert!(matches!(client.uidl_one(5), Err(Error::Unsupported(_))) && client.is_open());
    });
}

#[test]
fn capabilities_are_asked_again_after_the_upgrade_and_the_log_in() {
    let capa = |name: &str| format!("C: CAPA\nS: +OK\nS: {name}\nS: SASL\nS: .\n");
    let script = format!("{}C: STLS\nS: +OK\nTLS\n{}{LOGIN}{}C: NOOP\nS: +OK", capa("A"), capa("B"), capa("C"));
    session(&script, |mut client| {
        assert!(client.capabilities().unwrap().has("A"));
        client.start_tls().unwrap();
        assert!(client.capabilities().unwrap().has("B"));
        client.login("u", "p").unwrap();
        assert!(client.capabilities().unwrap().has("C") && client.capabilities().unwrap().has("C"));
        client.noop().unwrap();
    });
}

// ---- UTF8 and LANG ----

#[test]
fn utf8_comes_after_tls_or_instead_of_it() {
    session("C: STLS\nS: +OK\nTLS\nC: UTF8\nS: +OK", |mut client| {
        client.start_tls().unwrap();
        client.utf8().unwrap();
    });
    session("C: UTF8\nS: +OK\nC: NOOP\nS: +OK", |mut client| {
        client.utf8().unwrap();
        assert!(matches!(client.start_tls(), Err(Error::WrongState(_))));
        client.noop().unwrap();
    });
    session("C: UTF8\nS: -ERR unknown\nC: STLS\nS: +OK\nTLS", |mut client| {
        assert_eq!(rejected(&client.utf8().unwrap_err()).0, "UTF8");
        client.start_tls().unwrap();
    });
}

#[test]
fn languages_are_listed_and_chosen() {
    let list = "C: LANG\nS: +OK languages\nS: en English\nS: es  Espa\\xc3\\xb1ol\nS: x-none\nS: .\n";
    let script = format!(
        "{list}C: LANG es\nS: +OK es Idioma cambiado\nC: LANG *\nS: +OK en\nC: LANG tlh\nS: -ERR es desconocido\n\
         C: LANG\nS: -ERR unknown command"
    );
    session(&script, |mut client| {
        let languages = client.languages().unwrap();
        let texts: Vec<_> = languages.iter().map(|l| (l.tag.as_str(), l.description.as_str())).collect();
        assert_eq!(texts, [("en", "English"), ("es", "Espa\u{f1}ol"), ("x-none", "")]);
        assert_eq!(client.lang("es").unwrap(), "es");
        assert_eq!(client.lang("*").unwrap(), "en");
        assert_eq!(rejected(&client.lang("tlh").unwrap_err()).0, "LANG");
        assert_eq!(rejected(&client.languages().unwrap_err()).0, "LANG");
    });
}

// ---- Any other command ----

#[test]
fn commands_with_a_body() {
    session("C: XTND XLST From\nS: +OK\nS: 1 a\nS: ..\nS: .\nC: XQ\nS: -ERR no", |mut client| {
        assert_eq!(client.command_body("XTND XLST From").unwrap().collect().unwrap(), b"1 a\r\n.\r\n");
        assert_eq!(rejected(&client.command_body("XQ").unwrap_err()).0, "XQ");
    });
    session("C: list\nS: +OK\nS: 1 5\nS: .\nC: LANG en\nS: +OK en", |mut client| {
        assert_eq!(client.command_body("list").unwrap().collect().unwrap(), b"1 5\r\n");
        assert_eq!(client.command("LANG en").unwrap(), "en");
    });
}

/// Rule 9: every function that takes text.
#[test]
fn rule_9_no_argument_becomes_a_command() {
    type Verb = fn(&mut Pop3Client, &str) -> Result<()>;
    let verbs: [(&str, Verb); 5] = [
        ("command", |client, text| client.command(text).map(drop)),
        ("command_body", |client, text| client.command_body(text).map(drop)),
        ("lang", |client, text| client.lang(text).map(drop)),
        ("user", |client, text| client.login(text, "p")),
        ("password", |client, text| client.login("u", text)),
    ];
    let long = "x".repeat(256);
    let texts = ["x\r\nDELE 1", "x\nDELE 1", "x\rDELE 1", "\r\n", "x\0", "\0", "x\r", "x\n", "\nx", "x\r\n", &long];
    for (name, verb) in verbs {
        for text in texts {
            let script = Script::parse("S: +OK\nC: CAPA\nS: -ERR").unwrap();
            let (client, handle) = open_with(Connector::new(), script, Security::Plain);
            let mut client = client.unwrap();
            let error = verb(&mut client, text).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)) && client.is_open(), "{name} {text:?}: {error:?}");
            let sent = handle.sent();
            assert!(sent.is_empty() || sent == b"CAPA\r\n", "{name} {text:?}: {}", sent.escape_ascii());
        }
    }
    session("", |mut client| {
        for tag in ["", " ", "en us", "e*", "**", "\u{e9}"] {
            assert!(matches!(client.lang(tag), Err(Error::InvalidArgument(_))), "{tag}");
        }
        for line in ["STAT", "dele 1", "NOOP", "RSET", "LIST 1", "UIDL 1 ", "LANG x", "QUIT", "STLS", "UTF8", "AUTH"] {
            assert!(matches!(client.command_body(line), Err(Error::InvalidArgument(_))), "{line}");
        }
        assert!(matches!(client.command("UTF8"), Err(Error::InvalidArgument(_))));
    });
}

// ---- Answers without end ----

#[test]
fn rule_6_answers_without_end_are_typed_errors() {
    let mut limits = Limits::default();
    (limits.list_entries, limits.reply_line, limits.drain, limits.greeting_line) = (10, 100, 1000, 100);
    let open = |script: Script| open_with(Connector::new().limits(limits.clone()), script, Security::Plain).0;
    let answer = |command: &str, bytes: String| Script::new().server("+OK\r\n").client(command).server(bytes).stall();
    let is_limit = |error: Error| matches!(error, Error::Limit(_));
    // A greeting: one line, and empty lines before it.
    for greeting in ["+OK ".to_owned() + &"x".repeat(200), "\r\n".repeat(50), "x".repeat(200)] {
        assert!(is_limit(open(Script::new().server(greeting).stall()).unwrap_err()));
    }
    let lang = answer("LANG\r\n", "+OK\r\n".to_owned() + &"en English\r\n".repeat(20));
    assert!(is_limit(open(lang).unwrap().languages().unwrap_err()));
    let list = answer("LIST\r\n", "+OK\r\n".to_owned() + &"1 1\r\n".repeat(20));
    assert!(is_limit(open(list).unwrap().retr_all().unwrap_err()));
    for (command, text) in [("LIST 1\r\n", "+OK 1 1 "), ("DELE 1\r\n", "-ERR "), ("RETR 1\r\n", "+OK ")] {
        let mut client = open(answer(command, text.to_owned() + &"x".repeat(200))).unwrap();
        let error = match command {
            "LIST 1\r\n" => client.list_one(1).unwrap_err(),
            "DELE 1\r\n" => client.dele(1).unwrap_err(),
            _ => client.retr(1).unwrap_err(),
        };
        assert!(is_limit(error), "{command}");
    }
    // A body without end in the middle of a batch: the time for it ends.
    let script = Script::new().server("+OK\r\n").client("CAPA\r\n").server("-ERR\r\n").client("RETR 1\r\n");
    let mut client = open(script.server("+OK\r\nno end\r\n").stall()).unwrap();
    let mut many = client.retr_many([1]).unwrap();
    assert!(many.next_body().unwrap().unwrap().collect().unwrap_err().is_timeout());
    assert!(matches!(many.next_body(), Err(Error::Closed)));
}
