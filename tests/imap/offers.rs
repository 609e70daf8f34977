//! What a server can do without naming it: some capabilities include others.

use mailconnect::imap::{ListQuery, Store};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, ImapClient};

use crate::session_of;

/// A session with a server that offers just this.
#[track_caller]
fn offering_only(capabilities: &str, script: &str, work: impl Fn(ImapClient)) {
    let script = format!("S: * OK [CAPABILITY {capabilities}] ready\n{script}");
    session_of(&Connector::new(), Script::parse(&script).unwrap(), work);
}

/// RFC 7162, 3.2.2.
#[test]
fn qresync_includes_condstore() {
    let script = "C: A1 STORE 1 (UNCHANGEDSINCE 5) FLAGS (a)\nS: A1 OK";
    offering_only("IMAP4rev1 QRESYNC", script, |mut client| {
        client.store(1, &Store::replace(&["a"]).unchanged_since(5)).unwrap();
    });
}

/// RFC 9051, appendix E.
#[test]
fn rev2_includes_what_it_has_taken_in() {
    let script = "C: A1 NAMESPACE\nS: A1 OK\nC: A2 UNSELECT\nS: A2 OK\nC: A3 UID EXPUNGE 1\nS: A3 OK\nC: A4 UID SEARCH RETURN (SAVE) ALL\n\
                  S: A4 OK\nC: A5 ENABLE X\nS: A5 OK\nC: A6 UID MOVE 1 x\nS: A6 OK\n\
                  C: A7 LIST (SUBSCRIBED) \"\" \"*\" RETURN (STATUS (SIZE))\nS: A7 OK";
    offering_only("IMAP4rev2", script, |mut client| {
        client.namespace().unwrap();
        client.unselect().unwrap();
        client.uid_expunge(1).unwrap();
        client.uid_esearch("SAVE", "ALL").unwrap();
        client.enable(&["X"]).unwrap();
        client.uid_move(1, "x").unwrap();
        client.list_extended(&ListQuery::new("", "*").subscribed().return_status("SIZE")).unwrap();
        // Of RFC 6154 it has the attributes, but neither option.
        for query in [ListQuery::new("", "*").special_use(), ListQuery::new("", "*").return_special_use()] {
            assert!(matches!(client.list_extended(&query), Err(Error::Unsupported(_))));
        }
        let capabilities = client.capabilities().unwrap();
        for name in ["idle", "SASL-IR", "LITERAL-", "SEARCHRES", "STATUS=SIZE", "MOVE"] {
            assert!(capabilities.has(name), "{name}");
        }
        // What it has in part, and what it lacks.
        for name in ["BINARY", "SPECIAL-USE", "LITERAL+", "CONDSTORE", "IMAP4rev1", "LOGINDISABLED"] {
            assert!(!capabilities.has(name), "{name}");
        }
        assert_eq!(capabilities.iter().collect::<Vec<_>>(), ["IMAP4REV2"]);
    });
}

/// (Sohu, MailKit) The answer to NAMESPACE comes under another name.
#[test]
fn a_list_is_no_capability() {
    let script = "C: A1 NAMESPACE\nS: * CAPABILITY ((\"\" \"/\")) NIL NIL\nS: A1 OK\nC: A2 NAMESPACE\nS: A2 OK";
    offering_only("IMAP4rev1 NAMESPACE", script, |mut client| {
        for _ in 0..2 {
            client.namespace().unwrap();
            assert_eq!(client.capabilities().unwrap().iter().collect::<Vec<_>>(), ["IMAP4REV1", "NAMESPACE"]);
        }
    });
}

/// RFC 9051, 6.2.2: one wait less.
#[test]
fn rev2_takes_the_first_response_with_the_command() {
    let script = "C: A1 AUTHENTICATE PLAIN AHUAcA==\nS: A1 OK";
    offering_only("IMAP4rev2 AUTH=PLAIN", script, |mut client| client.login("u", "p").unwrap());
}

/// RFC 9051, appendix A: a server of both speaks IMAP4rev1 until ENABLE, and knows nothing of what IMAP4rev2 has taken in. A
/// literal that did not wait would be a command there (rule 9).
#[test]
fn rule_9_of_both_it_is_rev1_until_rev2_was_enabled() {
    let search = "SEARCH CHARSET UTF-8 SUBJECT {14}\nWAIT\nS: A1 BAD no\n";
    let script = format!(
        "C: A1 {search}C: A2 ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: A2 OK\nC: A3 UID MOVE 1 x\nS: A3 OK\n\
         C: A4 SEARCH SUBJECT {{14+}}\nC- A9 DELETE x \\xc3\\xbc\\r\\n\nS: A4 OK\nC: A5 CAPABILITY\n\
         S: * CAPABILITY IMAP4rev1 IMAP4rev2\nS: A5 OK\nC: A6 UNSELECT\nS: A6 OK"
    );
    offering_only("IMAP4rev1 IMAP4rev2", &script, |mut client| {
        assert!(client.search("SUBJECT \"A9 DELETE x ü\"").unwrap_err().rejection().is_some());
        assert!(matches!(client.uid_move(1, "x"), Err(Error::Unsupported(_))));
        let capabilities = client.capabilities().unwrap();
        assert!(capabilities.has("IMAP4rev2") && !capabilities.has("SASL-IR") && !capabilities.has("LITERAL-"));
        // What switches to it needs no other name.
        assert_eq!(client.enable(&["IMAP4rev2"]).unwrap(), ["IMAP4rev2"]);
        client.uid_move(1, "x").unwrap();
        assert!(client.search("SUBJECT \"A9 DELETE x ü\"").unwrap().is_empty());
        // It stays so, whatever is told anew.
        client.command("CAPABILITY").unwrap();
        assert!(client.capabilities().unwrap().has("MOVE"));
        client.unselect().unwrap();
    });
    let script = "C: A1 AUTHENTICATE PLAIN\nS: +\nC: AHUAcA==\nS: A1 OK\nC: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev2 IMAP4rev1\nS: A2 OK\n\
                  C: A3 ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: A3 OK";
    offering_only("IMAP4rev1 AUTH=PLAIN IMAP4rev2", script, |mut client| {
        client.login("u", "p").unwrap();
        client.enable(&["UTF8=ACCEPT"]).unwrap();
        assert!(!client.capabilities().unwrap().has("MOVE"), "names in UTF-8 are not all of it");
    });
}
