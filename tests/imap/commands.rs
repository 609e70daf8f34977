//! The commands with short answers: what goes out, what comes back, and what is refused before it goes out.

use std::sync::{Arc, Mutex};

use mailconnect::imap::{AppendOptions, Event, IdTime, Imap, ListQuery, ResponseCode, Store};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, Error, ImapClient, Result, Security};

use crate::{offering, open_with, rejected, session};

#[test]
fn mailboxes_are_renamed_and_subscribed() {
    let script = "C: A1 RENAME Entw&APw-rfe \"a b\"\nS: A1 OK\nC: A2 SUBSCRIBE INBOX\nS: A2 OK\nC: A3 UNSUBSCRIBE \"\"\n\
                  S: A3 NO [NONEXISTENT] none\nC: A4 CHECK\nS: * 3 EXISTS\nS: A4 OK\nC: A5 CLOSE\nS: A5 OK [CLOSED]";
    offering("", script, |mut client| {
        client.rename("Entwürfe", "a b").unwrap();
        client.subscribe("INBOX").unwrap();
        assert_eq!(rejected(&client.unsubscribe("").unwrap_err()), ("UNSUBSCRIBE", "NO", Some("NONEXISTENT")));
        client.check().unwrap();
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(3)]);
        client.close().unwrap();
    });
}

#[test]
fn lsub_takes_its_own_answers_only() {
    let script = "C: A1 LSUB \"\" \"%\"\nS: * LSUB () \"/\" a\nS: * LIST () \"/\" b\nS: * LSUB (\\\\NoSelect) NIL \"c d\"\nS: A1 OK";
    session(script, |mut client| {
        let names: Vec<_> = client.lsub("", "%").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "c d"]);
        assert_eq!(client.events().len(), 1);
    });
}

#[test]
fn list_in_its_extended_form() {
    let script = "C: A1 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"Entw&APw-*\" RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))\n\
                  S: * LIST (\\\\Subscribed \\\\Drafts) \"/\" Entw&APw-rfe (\"CHILDINFO\" (\"SUBSCRIBED\"))\n\
                  S: * STATUS Entw&APw-rfe (MESSAGES 17 UNSEEN 3)\nS: * STATUS other (MESSAGES 1)\nS: * LIST () \"/\" b\nS: A1 OK\n\
                  C: A2 LIST \"\" \"*\" RETURN (STATUS (SIZE))\nS: A2 OK\nC: A3 LIST (SPECIAL-USE) \"\" \"*\"\nS: A3 OK";
    offering("LIST-EXTENDED SPECIAL-USE LIST-STATUS", script, |mut client| {
        let query = ListQuery::new("", "Entwü*").subscribed().recursive_match();
        let query =
            query.return_children().return_special_use().return_status("(messages UNSEEN)".to_uppercase().leak());
        let found = client.list_extended(&query).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), &found[0].attributes[1][..]), ("Entwürfe", "\\Drafts"));
        let status = found[0].status.as_ref().unwrap();
        assert_eq!((status.messages, status.unseen, status.size), (Some(17), Some(3), None));
        assert_eq!(found[1].status, None);
        assert_eq!(client.events().len(), 1, "a STATUS of another mailbox is news");
        assert!(client.list_extended(&ListQuery::new("", "*").return_status("SIZE")).unwrap().is_empty());
        assert!(client.list_extended(&ListQuery::new("", "*").special_use()).unwrap().is_empty());
    });
    offering(
        "LIST-EXTENDED",
        "C: A1 LIST (REMOTE) \"\" x RETURN (SUBSCRIBED)\nS: A1 OK".replace(" x ", " \"x\" ").as_str(),
        |mut client| {
            assert!(unsupported(client.list_extended(&ListQuery::new("", "*").special_use())));
            assert!(unsupported(client.list_extended(&ListQuery::new("", "*").return_status("SIZE"))));
            client.list_extended(&ListQuery::new("", "x").remote().return_subscribed()).unwrap();
        },
    );
}

fn unsupported<T: std::fmt::Debug>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Unsupported(_)))
}

#[test]
fn namespaces() {
    let script = "C: A1 NAMESPACE\nS: * NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"F (1\" \"F2\"))) NIL \
                  ((\"&APw-.\" NIL)({2}\nS- a.\n";
    let script = script.to_owned() + "S:  \"\\\\\"))\nS: A1 OK";
    offering("NAMESPACE", &script, |mut client| {
        let spaces = client.namespace().unwrap();
        let told = |list: &[mailconnect::imap::Namespace]| {
            list.iter().map(|space| (space.prefix.clone(), space.delimiter)).collect::<Vec<_>>()
        };
        assert_eq!(told(&spaces.personal), [(String::new(), Some('/')), ("#mh/".to_owned(), Some('/'))]);
        assert!(spaces.other_users.is_empty());
        assert_eq!(told(&spaces.shared), [("ü.".to_owned(), None), ("a.".to_owned(), Some('\\'))]);
    });
    // (Exchange) A backslash that is not escaped; a script doubles it.
    let script = r#"C: A1 NAMESPACE
S: * NAMESPACE (("" "\\")) (("o\\\\" "\\" "X" ("y"))) (("s/" "/"))
S: A1 OK"#;
    offering("NAMESPACE", script, |mut client| {
        let spaces = client.namespace().unwrap();
        let told = [&spaces.personal, &spaces.other_users, &spaces.shared]
            .map(|list| list.iter().map(|space| (space.prefix.clone(), space.delimiter)).collect::<Vec<_>>());
        let one = |prefix: &str, delimiter| vec![(prefix.to_owned(), Some(delimiter))];
        assert_eq!(told, [one("", '\\'), one("o\\", '\\'), one("s/", '/')]);
    });
    for odd in ["", "NIL", "NIL NIL NIL", "()", "((", "(()) ((\"a\"))", "(NIL NIL) x )))", "(((((\"a\" \"/\")))))"] {
        offering("NAMESPACE", &format!("C: A1 NAMESPACE\nS: * NAMESPACE {odd}\nS: A1 OK"), |mut client| {
            client.namespace().unwrap();
        });
    }
}

#[test]
fn status_of_a_mailbox() {
    let script = "C: A1 STATUS \"a b\" (MESSAGES SIZE X)\n\
                  S: * STATUS \"a b\" (MESSAGES 231 SIZE 44421000000 UIDNEXT 44292 HIGHESTMODSEQ 7011231777 UNSEEN -1 X (1 2))\n\
                  S: * STATUS other (MESSAGES 1)\nS: A1 OK\nC: A2 STATUS INBOX (RECENT)\nS: * STATUS inbox (RECENT 2 )\nS: A2 OK\n\
                  C: A3 STATUS INBOX (UIDNEXT)\nS: A3 OK\nC: A4 STATUS x (MESSAGES)\nS: * STATUS junk\nS: A4 NO\n\
                  C: A5 STATUS \"a b (c)\" (MESSAGES)\nS: * STATUS a b (c) (MESSAGES 3 X (1))\nS: A5 OK";
    session(script, |mut client| {
        let status = client.status("a b", "MESSAGES SIZE X").unwrap();
        assert_eq!((status.messages, status.size, status.unseen), (Some(231), Some(44_421_000_000), None));
        assert_eq!((status.uid_next, status.highest_mod_seq), (Some(44292), Some(7_011_231_777)));
        assert_eq!(status.others, [("X".to_owned(), b"(1 2)".to_vec())]);
        assert_eq!(client.status("INBOX", "(RECENT)").unwrap().recent, Some(2));
        assert_eq!(client.status("INBOX", " ( UIDNEXT ) ").unwrap().uid_next, None);
        assert_eq!(rejected(&client.status("x", "MESSAGES").unwrap_err()).0, "STATUS");
        // Mailutils quotes no name.
        let status = client.status("a b (c)", "MESSAGES").unwrap();
        assert_eq!((status.mailbox.as_str(), status.messages), ("a b (c)", Some(3)));
        assert_eq!(client.events().len(), 2, "the status of another mailbox, and one that cannot be read");
    });
}

#[test]
fn store_changes_flags() {
    let script = "C: A1 STORE 2:4 +FLAGS (\\\\Deleted $x)\nS: * 2 FETCH (FLAGS (\\\\Deleted) UID 9)\nS: * 5 EXISTS\n\
                  S: * 3 FETCH (UID 10)\nS: A1 OK\nC: A2 UID STORE 9 -FLAGS.SILENT ()\nS: A2 OK\n\
                  C: A3 UID STORE 1:* (UNCHANGEDSINCE 320162338) FLAGS (a)\nS: A3 OK [MODIFIED 7,9] some\n\
                  C: A4 STORE 1 FLAGS.SILENT (a)\nS: A4 NO [READ-ONLY] no";
    offering("CONDSTORE", script, |mut client| {
        let stored = client.store("4:2", &Store::add(&["\\Deleted", "$x"])).unwrap();
        assert_eq!(stored.messages.len(), 1);
        assert_eq!((stored.messages[0].number, stored.messages[0].uid), (2, Some(9)));
        assert_eq!(stored.messages[0].flags, ["\\Deleted"]);
        assert_eq!(client.events().len(), 2);
        assert!(client.uid_store(9, &Store::remove(&[]).silent()).unwrap().messages.is_empty());
        let stored = client.uid_store("1:*", &Store::replace(&["a"]).unchanged_since(320_162_338)).unwrap();
        assert_eq!(stored.modified.unwrap().to_string(), "7,9");
        let error = client.store(1, &Store::replace(&["a"]).silent()).unwrap_err();
        assert_eq!(rejected(&error), ("STORE", "NO", Some("READ-ONLY")));
    });
    session("C: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: A1 OK", |mut client| {
        assert!(unsupported(client.store(1, &Store::add(&["a"]).unchanged_since(1))));
    });
}

#[test]
fn copy_move_and_expunge() {
    let script = "C: A1 COPY 2:4 Archiv&APw-\nS: A1 OK [COPYUID 38505 304,319:320 3956:3958] done\nC: A2 UID COPY 1:* x\nS: A2 OK\n\
                  C: A3 MOVE 1 x\nS: * OK [COPYUID 1 2 3]\nS: * 1 EXPUNGE\nS: A3 OK\nC: A4 UID MOVE 1,3 x\nS: A4 OK [COPYUID 1 1,3 7:8]\n\
                  C: A5 EXPUNGE\nS: * 3 EXPUNGE\nS: * 3 EXPUNGE\nS: * 2 EXISTS\nS: A5 OK\nC: A6 UID EXPUNGE 3000:3002\nS: * 4 EXPUNGE\n\
                  S: A6 OK\nC: A7 COPY 1 y\nS: A7 NO [TRYCREATE] none";
    offering("MOVE UIDPLUS", script, |mut client| {
        let copied = client.copy("2:4", "Archivü").unwrap().unwrap();
        assert_eq!((copied.validity, copied.destination_of(320)), (38505, Some(3958)));
        assert_eq!(client.uid_copy("1:*", "x").unwrap(), None);
        assert_eq!(client.move_to(1, "x").unwrap().unwrap().destination_of(2), Some(3));
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Expunge(1)]);
        assert_eq!(client.uid_move(&[1, 3][..], "x").unwrap().unwrap().destination_of(3), Some(8));
        assert_eq!(client.expunge().unwrap(), [3, 3]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(2)]);
        assert_eq!(client.uid_expunge(3000..=3002).unwrap(), [4]);
        assert_eq!(rejected(&client.copy(1, "y").unwrap_err()).2, Some("TRYCREATE"));
    });
    // (Exchange, MailKit #115) The code stands alone on its line.
    let script = "C: A1 UID MOVE 31 x\nS: [COPYUID 55 31 6]\nS: * 1 EXPUNGE\nS: A1 OK done\nC: A2 COPY 1 x\nS: [COPYUID 5\nS: [X] y\nS: A2 OK";
    offering("MOVE", script, |mut client| {
        assert_eq!(client.uid_move(31, "x").unwrap().unwrap().destination_of(31), Some(6));
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Expunge(1)]);
        assert_eq!(client.copy(1, "x").unwrap(), None);
    });
    // What is not offered is not tried, and nothing is done in its place.
    offering("", "", |mut client| {
        assert!(unsupported(client.move_to(1, "x")) && unsupported(client.uid_move(1, "x")));
        assert!(unsupported(client.uid_expunge(1)) && unsupported(client.unselect()));
        assert!(unsupported(client.namespace()) && unsupported(client.enable(&["X"])) && unsupported(client.id(&[])));
        assert!(unsupported(client.esearch("ALL", "ALL")) && unsupported(client.uid_esearch("ALL", "ALL")));
        assert!(unsupported(client.idle(std::time::Duration::from_secs(1))));
    });
    // IMAP4rev2 has taken them in.
    let script = "C: A1 UNSELECT\nS: A1 OK\nC: A2 UID MOVE 1 x\nS: A2 OK";
    crate::session_of(
        &Connector::new(),
        Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev2] hi\n{script}")).unwrap(),
        |mut client| {
            client.unselect().unwrap();
            client.uid_move(1, "x").unwrap();
        },
    );
}

#[test]
fn extended_searches() {
    let script = "C: A1 SEARCH RETURN (MIN MAX COUNT) UNSEEN\nS: * ESEARCH (TAG \"A1\") MIN 7 MAX 3800 COUNT 4294967296\nS: A1 OK\n\
                  C: A2 UID SEARCH RETURN (ALL) ALL\nS: * ESEARCH (TAG \"A9\") COUNT 1\n\
                  S: * ESEARCH (TAG \"A2\") UID X-NEW (1 (2)) ALL 9,1:4294967295 MODSEQ 12\nS: A2 OK\n\
                  C: A3 SEARCH RETURN (SAVE) SUBJECT \"x\"\nS: A3 OK\nC: A4 SEARCH RETURN (ALL) X\nS: A4 BAD\n\
                  C: A5 SEARCH RETURN (ALL) ALL\nS: * ESEARCH (TAG \"A5\") ALL 9 (MODSEQ 13)\nS: A5 OK";
    offering("ESEARCH", script, |mut client| {
        let found = client.esearch("MIN MAX COUNT", "UNSEEN").unwrap();
        assert_eq!((found.min, found.max, found.count, &found.all), (Some(7), Some(3800), None, &None));
        let found = client.uid_esearch("(ALL)", "ALL").unwrap();
        // A set of any size stays as it was sent.
        assert_eq!(found.all.unwrap().to_string(), "9,1:4294967295");
        assert_eq!((found.count, found.mod_seq), (None, Some(12)));
        assert_eq!(client.events().len(), 1);
        client.esearch("SAVE", "SUBJECT \"x\"").unwrap();
        assert_eq!(rejected(&client.esearch("ALL", "X").unwrap_err()).0, "SEARCH");
        // As in the answer to SEARCH.
        assert_eq!(client.esearch("ALL", "ALL").unwrap().mod_seq, Some(13));
    });
    // A server that speaks IMAP4rev2 answers SEARCH so.
    let script = "C: A1 SEARCH ALL\nS: * ESEARCH (TAG \"A1\") ALL 1:3,7\nS: A1 OK\nC: A2 UID SEARCH ALL\nS: * ESEARCH (TAG \"A2\") UID\n\
                  S: A2 OK\nC: A3 SEARCH ALL\nS: * ESEARCH (TAG \"A3\") ALL 1:4294967295";
    offering("", script, |mut client| {
        assert_eq!(client.search("ALL").unwrap(), [1, 2, 3, 7]);
        assert!(client.uid_search("ALL").unwrap().is_empty());
        let error = client.search("ALL").unwrap_err();
        assert!(matches!(error, Error::Limit(limit) if limit.max == 4_000_000));
    });
}

#[test]
fn enable_switches_names_to_utf_8() {
    let script = "C: A1 ENABLE CONDSTORE UTF8=ACCEPT\nS: * ENABLED UTF8=accept\nS: A1 OK\nC: A2 CREATE \"Entw\\xc3\\xbcrfe\"\nS: A2 OK\n\
                  C: A3 LIST \"\" \"\\xc3\\xbc*\"\nS: * LIST () \"/\" {3}\nS- \\xc3\\xbca\\r\\n\nS: * LIST () \"/\" &APw-\nS: A3 OK\n\
                  C: A4 SEARCH SUBJECT {2}\nWAIT\nS: +\nC- \\xc3\\xbc\\r\\n\nS: A4 OK\nC: A5 STATUS &APw- (MESSAGES)\nS: A5 OK";
    offering("ENABLE", script, |mut client| {
        assert_eq!(client.enable(&["CONDSTORE", "UTF8=ACCEPT"]).unwrap(), ["UTF8=accept"]);
        client.create("Entwürfe").unwrap();
        let names: Vec<_> = client.list("", "ü*").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["üa", "&APw-"]);
        assert!(client.search("SUBJECT \"ü\"").unwrap().is_empty());
        client.status("&APw-", "MESSAGES").unwrap();
    });
    // A server of IMAP4rev2 alone has no other names.
    let script = "S: * OK [CAPABILITY IMAP4rev2] hi\nC: A1 CREATE \"\\xc3\\xbc\"\nS: A1 OK";
    crate::session_of(&Connector::new(), Script::parse(script).unwrap(), |mut client| client.create("ü").unwrap());
    // What was not enabled changes nothing.
    let script = "C: A1 ENABLE UTF8=ACCEPT\nS: * ENABLED\nS: A1 OK\nC: A2 CREATE &APw-\nS: A2 OK";
    offering("IMAP4rev2 ENABLE", script, |mut client| {
        assert!(client.enable(&["UTF8=ACCEPT"]).unwrap().is_empty());
        client.create("ü").unwrap();
    });
}

#[test]
fn id_says_and_hears() {
    let script = "C: A1 ID (\"na\\\\\\\\me\" \"x\\\\\"y\" \"v\" {2}\nWAIT\nS: +\nC: \\xc3\\xbc)\nS: * ID (\"a\" \"b\" c NIL \"odd\")\nS: A1 OK\n\
                  C: A2 ID NIL\nS: * ID NIL\nS: A2 OK\nC: A3 ID NIL\nS: A3 OK";
    offering("ID", script, |mut client| {
        let said = client.id(&[("na\\me", "x\"y"), ("v", "ü")]).unwrap();
        let text = |text: &str| text.to_owned();
        assert_eq!(said, [(text("a"), Some(text("b"))), (text("c"), None), (text("odd"), None)]);
        assert!(client.id(&[]).unwrap().is_empty() && client.id(&[]).unwrap().is_empty());
    });
    let long = "x".repeat(1025);
    for fields in [vec![("x".repeat(31), text())], vec![(text(), long)], vec![(text(), text()); 31]] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(matches!(Imap::new().identity(IdTime::BeforeLogin, fields), Err(Error::InvalidArgument(_))));
    }
}

fn text() -> String {
    "x".to_owned()
}

#[test]
fn id_goes_with_the_log_in_as_asked() {
    let run = |time, script: &str, ok: bool| {
        for chunking in Chunking::ALL {
            let imap = Imap::new().identity(time, [("name", "x")]).unwrap();
            let script = Script::parse(script).unwrap().chunking(chunking);
            let (client, handle) = open_with(Connector::new(), imap, script, Security::Plain);
            let mut client = client.unwrap();
            assert_eq!(client.login("u", "pass").is_ok(), ok);
            assert!(client.is_open() && client.is_authenticated() == ok);
            handle.finish();
        }
    };
    let greeting = "S: * OK [CAPABILITY IMAP4rev1 ID] hi\n";
    let login = "LOGIN \"u\" \"pass\"";
    run(
        IdTime::BeforeLogin,
        &format!("{greeting}C: A1 ID (\"name\" \"x\")\nS: * ID NIL\nS: A1 OK\nC: A2 {login}\nS: A2 OK"),
        true,
    );
    run(
        IdTime::BeforeLogin,
        &format!("{greeting}C: A1 ID (\"name\" \"x\")\nS: A1 BAD\nC: A2 {login}\nS: A2 NO"),
        false,
    );
    let after = "S: A1 OK [CAPABILITY IMAP4rev1 ID]\nC: A2 ID (\"name\" \"x\")\nS: A2 NO";
    run(IdTime::AfterLogin, &format!("{greeting}C: A1 {login}\n{after}"), true);
    run(IdTime::AfterLogin, &format!("{greeting}C: A1 {login}\nS: A1 NO"), false);
    // To one that does not want to know, nothing is said.
    run(IdTime::BeforeLogin, &format!("S: * OK [CAPABILITY IMAP4rev1] hi\nC: A1 {login}\nS: A1 OK"), true);
}

#[test]
fn any_other_command() {
    let script = "C: A1 GETQUOTA \"\"\nS: * QUOTA \"\" (STORAGE 10 {3}\nS- a\\r\\n\nS: )\nS: * 4 EXISTS\nS: A1 OK [ALERT] full\n\
                  C: A2 XYZZY\nS: A2 BAD [CLIENTBUG] what?\nC: A3 UID THREAD REFERENCES UTF-8 ALL\nS: * THREAD (1)(2 3)\nS: A3 OK [READ-ONLY] x y";
    session(script, |mut client| {
        let answer = client.command("GETQUOTA \"\"").unwrap();
        assert_eq!(answer.lines, [&b"* QUOTA \"\" (STORAGE 10 {3}\r\na\r\n)"[..], b"* 4 EXISTS"]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Alert("full".into())]);
        assert_eq!(rejected(&client.command("XYZZY").unwrap_err()), ("command", "BAD", Some("CLIENTBUG")));
        let answer = client.command("UID THREAD REFERENCES UTF-8 ALL").unwrap();
        assert_eq!((answer.code, &answer.text[..]), (Some(ResponseCode::ReadOnly), "x y"));
    });
}

#[test]
fn append_with_a_date() {
    let script = "C: A1 APPEND x (a) \"17-Jul-1996 02:44:25 -0700\" {1}\nWAIT\nS: +\nC: x\nS: A1 OK\n\
                  C: A2 APPEND x \" 1-Feb-2026 00:00:00 +0000\" {1}\nWAIT\nS: +\nC: x\nS: A2 OK";
    offering("", script, |mut client| {
        let date = |text: &str| AppendOptions::new().date(text.parse().unwrap());
        let both = date("17-Jul-1996 02:44:25 -0700").flags(&["a"]);
        client.append_with("x", &both, &mut &b"x"[..], 1).unwrap();
        client.append_with("x", &date(" 1-Feb-2026 00:00:00 +0000"), &mut &b"x"[..], 1).unwrap();
    });
}

/// A body may take as long as it likes while it moves: 500 bytes a second on average after the time of a command.
#[test]
fn rule_5_a_slow_body_has_time_while_it_moves() {
    for (interval, arrives) in [("1ms", true), ("9ms", false)] {
        let size = 100_000;
        let script = format!(
            "S: * OK hi\nC: A1 UID FETCH 1 (UID BODY.PEEK[])\nDRIP {interval}\nS: * 1 FETCH (UID 1 BODY[] {{{size}}}\n"
        );
        let script = Script::parse(&script).unwrap().server("x".repeat(size)).server(")\r\nA1 OK\r\n");
        let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let before = handle.clock().elapsed();
        let result = client.fetch_to(1, &mut std::io::sink());
        assert_eq!(result.is_ok(), arrives, "{interval}: {result:?}");
        assert!(arrives || result.unwrap_err().is_timeout());
        assert!((handle.clock().elapsed() - before).as_secs() >= 60);
    }
}

/// They are told, and never followed.
#[test]
fn referrals_are_data() {
    let script = "C: A1 CREATE x\nS: A1 OK [REFERRAL imap://other.example.com/x] also there\nC: A2 SELECT x\n\
                  S: A2 NO [REFERRAL imap://other.example.com/x] go there\nC: A3 NOOP\nS: * BYE [REFERRAL imap://a.example/] go";
    session(script, |mut client| {
        client.create("x").unwrap();
        let told = b"A1 OK [REFERRAL imap://other.example.com/x] also there".to_vec();
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Other(told)]);
        let error = client.select("x").unwrap_err();
        assert_eq!(rejected(&error).2, Some("REFERRAL imap://other.example.com/x"));
        assert_eq!(rejected(&client.noop().unwrap_err()).2, Some("REFERRAL imap://a.example/"));
    });
}

#[test]
fn events_have_typed_codes() {
    let script = "C: A1 NOOP\nS: * NO [WEBALERT https://x/] y\nS: * OK [uidvalidity 9] x\nS: * OK [X-ODD 5] x\nS: * OK [ALERT] noon\n\
                  S: * OK no code\nS: * 3 EXISTS\nS: * LIST () NIL [x]\nS: [CLOSED]\nS: A1 OK [REFERRAL imap://x/] y";
    session(script, |mut client| {
        client.noop().unwrap();
        let codes = client.events().map(|event| event.code()).collect::<Vec<_>>();
        let odd = ResponseCode::Other { name: "X-ODD".to_owned(), value: b"5".to_vec() };
        let page = ResponseCode::WebAlert("https://x/".to_owned());
        let (first, referral) = (Some(page), Some(ResponseCode::Referral("imap://x/".to_owned())));
        let (number, alert) = (Some(ResponseCode::UidValidity(9)), Some(ResponseCode::Alert));
        let alone = Some(ResponseCode::Closed); // as Exchange has it
        assert_eq!(codes, [first, number, Some(odd), alert, None, None, None, alone, referral]);
    });
}

/// Two numbers for one thing: the queue is bounded, and whoever listens is told of all.
#[test]
fn a_listener_hears_every_event_at_once() {
    let script =
        "S: * OK hi\nC: A1 NOOP\nS: * 1 EXISTS\nS: * VANISHED 4:6\nS: * VANISHED (EARLIER) 1\nS: A1 OK\nC: A2 NOOP\n";
    let script = format!("{script}{}S: * BYE \\x1bgone\nEOF", "S: * 2 EXISTS\n".repeat(1_500));
    for chunking in Chunking::ALL {
        let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
        let listener = Arc::clone(&heard);
        let imap = Imap::new().on_event(move |event| listener.lock().unwrap().push(event.clone()));
        let script = Script::parse(&script).unwrap().chunking(chunking);
        let (client, handle) = open_with(Connector::new(), imap, script, Security::Plain);
        let mut client = client.unwrap();
        client.noop().unwrap();
        let vanished = Event::Vanished("4:6".parse().unwrap());
        let earlier = Event::Other(b"* VANISHED (EARLIER) 1".to_vec());
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(1), vanished, earlier]);
        assert_eq!(rejected(&client.noop().unwrap_err()).1, "BYE");
        // What was heard last can be asked of a client that is closed.
        assert!(!client.is_open());
        let events = client.events();
        assert!(events.incomplete && events.len() == 1_024);
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 3 + 1_501);
        assert_eq!(heard.last(), Some(&Event::Bye("\u{fffd}gone".into())));
        drop(handle);
    }
}

/// In each command: the end of the file is never the end of the answer, nor is a goodbye, and NO is no empty result.
#[test]
fn rule_7_no_command_ends_but_by_its_own_status() {
    type Verb = (&'static str, fn(&mut ImapClient) -> Result<()>);
    let verbs: &[Verb] = &[
        ("LIST \"\" \"*\"", |client| client.list("", "*").map(drop)),
        ("LSUB \"\" \"*\"", |client| client.lsub("", "*").map(drop)),
        ("NAMESPACE", |client| client.namespace().map(drop)),
        ("STATUS x (MESSAGES)", |client| client.status("x", "MESSAGES").map(drop)),
        ("SELECT x", |client| client.select("x").map(drop)),
        ("EXAMINE x", |client| client.examine("x").map(drop)),
        ("SEARCH ALL", |client| client.search("ALL").map(drop)),
        ("SEARCH RETURN (ALL) ALL", |client| client.esearch("ALL", "ALL").map(drop)),
        ("FETCH 1 FLAGS", |client| client.fetch(1, "FLAGS")?.collect().map(drop)),
        ("STORE 1 +FLAGS (a)", |client| client.store(1, &Store::add(&["a"])).map(drop)),
        ("COPY 1 x", |client| client.copy(1, "x").map(drop)),
        ("MOVE 1 x", |client| client.move_to(1, "x").map(drop)),
        ("EXPUNGE", |client| client.expunge().map(drop)),
        ("UID EXPUNGE 1", |client| client.uid_expunge(1).map(drop)),
        ("ENABLE X", |client| client.enable(&["X"]).map(drop)),
        ("ID NIL", |client| client.id(&[]).map(drop)),
        ("NOOP", |client| client.noop()),
        ("CHECK", |client| client.check()),
        ("CLOSE", |client| client.close()),
        ("UNSELECT", |client| client.unselect()),
        ("CREATE x", |client| client.create("x")),
        ("DELETE x", |client| client.delete("x")),
        ("RENAME x y", |client| client.rename("x", "y")),
        ("SUBSCRIBE x", |client| client.subscribe("x")),
        ("UNSUBSCRIBE x", |client| client.unsubscribe("x")),
        ("XYZZY", |client| client.command("XYZZY").map(drop)),
        ("IDLE", |client| client.idle(std::time::Duration::from_secs(1)).map(drop)),
    ];
    let all = "NAMESPACE ESEARCH MOVE UIDPLUS ENABLE ID UNSELECT IDLE";
    let data = "S: * LIST () NIL x\nS: * SEARCH 1\nS: * 1 FETCH (FLAGS ())\nS: * 2 EXPUNGE\n";
    for (command, verb) in verbs {
        for status in ["NO [UNAVAILABLE] x", "BAD", "no"] {
            offering(all, &format!("C: A1 {command}\n{data}S: A1 {status}\nC: A2 NOOP\nS: A2 OK"), |mut client| {
                assert!(verb(&mut client).unwrap_err().rejection().is_some(), "{command}");
                client.noop().unwrap();
            });
        }
        for end in ["EOF", "S: * BYE gone\nEOF", "S: A2 OK\nEOF", "S: A1 BYE", "S: A1", "S: A1 PREAUTH"] {
            let script = format!("S: * OK [CAPABILITY IMAP4rev1 {all}]\nC: A1 {command}\n{data}{end}");
            let script = Script::parse(&script).unwrap();
            let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
            let mut client = client.unwrap();
            assert!(verb(&mut client).is_err(), "{command} {end}");
            assert!(!client.is_open(), "{command} {end}");
        }
    }
}

#[test]
fn a_long_code_of_a_refusal_is_kept_whole_and_shown_in_part() {
    let set = (1..=400).map(|n| (10 * n).to_string()).collect::<Vec<_>>().join(",");
    let script = format!("C: A1 UID STORE 1:* (UNCHANGEDSINCE 5) FLAGS (a)\nS: A1 NO [MODIFIED {set}] some");
    offering("CONDSTORE", &script, |mut client| {
        let error = client.uid_store("1:*", &Store::replace(&["a"]).unchanged_since(5)).unwrap_err();
        let code = error.rejection().unwrap().code.as_deref().unwrap();
        let ResponseCode::Modified(modified) = ResponseCode::parse(code.as_bytes()) else { panic!("{code}") };
        assert_eq!((modified.len(), modified.contains(4000)), (Some(400), true));
        assert!(error.to_string().len() < 700, "{error}");
    });
}
