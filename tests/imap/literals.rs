//! Literals that need not wait (LITERAL+, LITERAL-; RFC 7888): the server is asked once whether it takes them, and only
//! where that saves a wait.

use mailconnect::ImapClient;

use crate::{offering, session};

/// Exchange says nothing of its capabilities when a log-in succeeds.
const LOGIN: &str = "C: A1 AUTHENTICATE PLAIN AHUAcA==\nS: A1 OK done\n";

fn logged_in(script: &str, work: impl Fn(&mut ImapClient)) {
    offering("AUTH=PLAIN SASL-IR", &format!("{LOGIN}{script}"), |mut client| {
        client.login("u", "p").unwrap();
        work(&mut client);
    });
}

#[test]
fn after_a_login_that_told_nothing_append_asks_once() {
    let script = "C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 LITERAL+\nS: A2 OK\n\
                  C: A3 APPEND x {5+}\nC: Hello\nS: A3 OK\nC: A4 APPEND x {5+}\nC: Hello\nS: A4 OK\n\
                  C: A5 UID SEARCH CHARSET UTF-8 TEXT {2+}\nC: \\xc3\\xbc\nS: A5 OK";
    logged_in(script, |client| {
        client.append("x", &[], b"Hello").unwrap();
        client.append("x", &[], b"Hello").unwrap();
        client.uid_search("TEXT \"ü\"").unwrap();
    });
}

/// A server that has no such thing is asked no more than once.
#[test]
fn where_the_server_wants_to_be_asked_it_is() {
    let script = "C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: A2 OK\n\
                  C: A3 UID SEARCH CHARSET UTF-8 TEXT {2}\nWAIT\nS: +\nC: \\xc3\\xbc\nS: A3 OK\n\
                  C: A4 APPEND x {5}\nWAIT\nS: +\nC: Hello\nS: A4 OK";
    logged_in(script, |client| {
        client.uid_search("TEXT \"ü\"").unwrap();
        client.append("x", &[], b"Hello").unwrap();
    });
}

/// The name of the mailbox hangs on the capabilities too.
#[test]
fn nothing_is_asked_twice() {
    let script = "C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 LITERAL-\nS: A2 OK\n\
                  C: A3 APPEND &APw- {5+}\nC: Hello\nS: A3 OK";
    logged_in(script, |client| _ = client.append("ü", &[], b"Hello").unwrap());
    // The greeting has told.
    offering("", "C: A1 APPEND x {5}\nWAIT\nS: +\nC: Hello\nS: A1 OK", |mut client| {
        client.append("x", &[], b"Hello").unwrap();
    });
}

/// A refusal to tell is asked around, but what needs an extension asks again.
#[test]
fn a_refusal_to_tell_does_not_last() {
    let refused = "C: A2 CAPABILITY\nS: A2 BAD Request is throttled.\n";
    let script = format!(
        "{refused}C: A3 APPEND x {{5}}\nWAIT\nS: +\nC: Hello\nS: A3 OK\nC: A4 CREATE &APw-\nS: A4 OK\n\
         C: A5 CAPABILITY\nS: * CAPABILITY IMAP4rev1 MOVE\nS: A5 OK\nC: A6 UID MOVE 1 x\nS: A6 OK"
    );
    logged_in(&script, |client| {
        client.append("x", &[], b"Hello").unwrap();
        client.create("ü").unwrap();
        client.uid_move(1, "x").unwrap();
    });
}

/// A large message waits for the server's leave anyway, and most commands have no literal.
#[test]
fn nothing_is_asked_where_it_saves_nothing() {
    let body = "x".repeat((64 << 10) + 1);
    let script = format!(
        "C: A2 NOOP\nS: A2 OK\nC: A3 UID SEARCH ALL\nS: A3 OK\n\
                          C: A4 APPEND x {{{}}}\nWAIT\nS: +\nC: {body}\nS: A4 OK",
        body.len()
    );
    logged_in(&script, |client| {
        client.noop().unwrap();
        client.uid_search("ALL").unwrap();
        client.append("x", &[], body.as_bytes()).unwrap();
    });
}

/// An argument that is refused leaves no trace, not even the question.
#[test]
fn nothing_is_asked_for_what_is_refused() {
    session("C: A1 NOOP\nS: A1 OK", |mut client| {
        assert!(client.append("x", &["a b"], b"Hello").is_err());
        assert!(client.search("TEXT \"ü").is_err());
        client.noop().unwrap();
    });
}

/// What goes out at once goes out with the others.
#[test]
fn a_batch_asks_before_it_decides_what_waits() {
    let ask = |offered: &str| format!("C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 {offered}\nS: A2 OK\n");
    let together = "C: A3 UID SEARCH ALL\nC: A4 UID SEARCH CHARSET UTF-8 TEXT {2+}\nC: \\xc3\\xbc\nC: A5 NOOP\nWAIT\n\
                    S: A3 OK\nS: A4 OK\nS: A5 OK";
    let alone = "C: A3 UID SEARCH ALL\nWAIT\nS: A3 OK\nC: A4 UID SEARCH CHARSET UTF-8 TEXT {2}\nWAIT\nS: +\nC: \\xc3\\xbc\nWAIT\n\
                 S: A4 OK\nC: A5 NOOP\nS: A5 OK";
    for script in [ask("LITERAL+") + together, ask("") + alone] {
        logged_in(&script, |client| {
            let mut batch = client.batch();
            batch.uid_search("ALL");
            batch.uid_search("TEXT \"ü\"");
            batch.noop();
            batch.run().unwrap().done().unwrap();
        });
    }
}

/// Behind a log-in in the batch itself, what was offered before it is offered no more.
#[test]
fn a_batch_that_logs_in_asks_afterwards() {
    let script = "C: A1 LOGIN \"u\" \"p\"\nWAIT\nS: A1 OK\nC: A2 CAPABILITY\nWAIT\nS: * CAPABILITY IMAP4rev1 LITERAL+\nS: A2 OK\n\
                  C: A3 UID SEARCH CHARSET UTF-8 TEXT {2+}\nC: \\xc3\\xbc\nS: A3 OK";
    offering("", script, |mut client| {
        let mut batch = client.batch();
        batch.login("u", "p");
        batch.uid_search("TEXT \"ü\"");
        batch.run().unwrap().done().unwrap();
    });
}
