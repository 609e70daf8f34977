//! Rule 9: every function that takes text, with every argument of it in turn. The script has no step after the greeting, so
//! that one byte of the client's would be an error of the script.

use mailconnect::imap::{AppendOptions, Batch, IdTime, Imap, ListQuery, MailboxName, Store};
use mailconnect::testing::ScriptHandle;
use mailconnect::{Error, ImapClient, Result};

use crate::open;

/// No text at all may hold these.
const CONTROLS: &[&str] =
    &["\r", "\n", "\r\n", "\0", "x\r\nA9 LOGOUT", "x\nA9 LOGOUT", "\"\r\nA9 STORE", "x\0y", "{5}\r\nx"];
/// What is sent as it is may not end in a literal's announcement, or be nothing.
const RAW: &[&str] = &["", " ", "x {5}", "x {5+}", "x ~{5}", "{0}", "x {99999999999999999999}", "x {5} "];
/// What is neither a flag nor a word.
const ATOMS: &[&str] = &["", "\\", "a(b", "a)", "a\"", "%", "*", "a\\b", "\\a\\", "{5}", "ü", "a]", "a\x7f"];
/// What is no set.
const SETS: &[&str] = &["", "0", "1 2", "1,", "1:2:3", "a", "$", "1\r\nA9 LOGOUT", "{1}", "1 {5}", "4294967296"];

const OFFERS: &str =
    "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ ESEARCH MOVE UIDPLUS ENABLE ID LIST-EXTENDED LIST-STATUS IDLE]";

struct Table {
    client: ImapClient,
    handle: ScriptHandle,
    cases: usize,
}

impl Table {
    fn new() -> Self {
        let (client, handle) = open(OFFERS);
        Self { client: client.unwrap(), handle, cases: 0 }
    }

    /// The verb refuses each of these texts, and sends nothing.
    #[track_caller]
    fn refuses<T>(&mut self, texts: &[&[&str]], verb: impl Fn(&mut ImapClient, &str) -> Result<T>) {
        for &text in texts.iter().copied().flatten() {
            match verb(&mut self.client, text) {
                Err(Error::InvalidArgument(_)) => {}
                Err(other) => panic!("{text:?}: {other:?}"),
                Ok(_) => panic!("{text:?} was taken"),
            }
            assert!(self.handle.sent().is_empty() && self.client.is_open(), "{text:?}");
            self.cases += 1;
        }
    }

    /// The same in a batch.
    #[track_caller]
    fn batch_refuses<T>(&mut self, texts: &[&[&str]], verb: impl Fn(&mut Batch<'_>, &str) -> T) {
        self.refuses(texts, |client, text| {
            let mut batch = client.batch();
            batch.noop();
            verb(&mut batch, text);
            batch.noop();
            batch.run()
        });
    }
}

#[test]
fn rule_9_names_of_mailboxes() {
    let mut table = Table::new();
    let all = &[CONTROLS];
    table.refuses(all, |client, text| client.select(text));
    table.refuses(all, |client, text| client.select(MailboxName::raw(text.as_bytes())));
    table.refuses(all, |client, text| client.examine(text));
    table.refuses(all, |client, text| client.create(text));
    table.refuses(all, |client, text| client.delete(text));
    table.refuses(all, |client, text| client.rename(text, "x"));
    table.refuses(all, |client, text| client.rename("x", text));
    table.refuses(all, |client, text| client.subscribe(text));
    table.refuses(all, |client, text| client.unsubscribe(text));
    table.refuses(all, |client, text| client.status(text, "MESSAGES"));
    table.refuses(all, |client, text| client.list(text, "x"));
    table.refuses(all, |client, text| client.list("x", text));
    table.refuses(all, |client, text| client.lsub(text, "x"));
    table.refuses(all, |client, text| client.lsub("x", text));
    table.refuses(all, |client, text| client.list_extended(&ListQuery::new(text, "x")));
    table.refuses(all, |client, text| client.list_extended(&ListQuery::new("x", text)));
    table.refuses(all, |client, text| client.copy(1, text));
    table.refuses(all, |client, text| client.uid_copy(1, text));
    table.refuses(all, |client, text| client.move_to(1, text));
    table.refuses(all, |client, text| client.uid_move(1, text));
    table.refuses(all, |client, text| client.append(text, &[], b""));
    table.batch_refuses(all, |batch, text| batch.select(text));
    table.batch_refuses(all, |batch, text| batch.examine(text));
    table.batch_refuses(all, |batch, text| batch.create(text));
    table.batch_refuses(all, |batch, text| batch.delete(text));
    table.batch_refuses(all, |batch, text| batch.subscribe(text));
    table.batch_refuses(all, |batch, text| batch.unsubscribe(text));
    table.batch_refuses(all, |batch, text| batch.status(text, "MESSAGES"));
    table.batch_refuses(all, |batch, text| batch.rename(text, "x"));
    table.batch_refuses(all, |batch, text| batch.rename("x", text));
    table.batch_refuses(all, |batch, text| batch.lsub(text, "x"));
    table.batch_refuses(all, |batch, text| batch.lsub("x", text));
    table.batch_refuses(all, |batch, text| batch.copy(1, text));
    table.batch_refuses(all, |batch, text| batch.move_to(1, text));
    table.batch_refuses(all, |batch, text| batch.list(text, "x"));
    table.batch_refuses(all, |batch, text| batch.list("x", text));
    table.batch_refuses(all, |batch, text| batch.uid_copy(1, text));
    table.batch_refuses(all, |batch, text| batch.uid_move(1, text));
    assert_eq!(table.cases, 38 * CONTROLS.len());
}

#[test]
fn rule_9_words_and_flags() {
    let mut table = Table::new();
    let all = &[CONTROLS, ATOMS, &["a b"]];
    table.refuses(all, |client, text| client.append("x", &["a", text], b""));
    table.refuses(all, |client, text| client.append_with("x", &AppendOptions::new().flags(&[text]), &mut &b""[..], 0));
    table.refuses(all, |client, text| client.store(1, &Store::add(&[text])));
    table.refuses(all, |client, text| client.uid_store(1, &Store::replace(&["a", text]).silent()));
    table.batch_refuses(all, |batch, text| batch.store(1, &Store::remove(&[text])));
    table.batch_refuses(all, |batch, text| batch.uid_store(1, &Store::remove(&[text])));
    table.refuses(all, |client, text| client.enable(&["X", text]));
    let several = &[CONTROLS, ATOMS, &["a)b", "(a", "a b)", "((a))", "()", "a\tb"]];
    table.refuses(several, |client, text| client.status("x", text));
    table.refuses(several, |client, text| client.list_extended(&ListQuery::new("", "x").return_status(text)));
    table.refuses(several, |client, text| client.esearch(text, "ALL"));
    table.refuses(several, |client, text| client.uid_esearch(text, "ALL"));
    table.batch_refuses(several, |batch, text| batch.status("x", text));
    table.batch_refuses(several, |batch, text| batch.esearch(text, "ALL"));
    table.batch_refuses(several, |batch, text| batch.uid_esearch(text, "ALL"));
    assert!(table.cases > 250);
}

#[test]
fn rule_9_what_is_sent_as_it_is() {
    let mut table = Table::new();
    let all = &[CONTROLS, RAW];
    table.refuses(all, |client, text| client.search(text));
    table.refuses(all, |client, text| client.uid_search(text));
    table.refuses(all, |client, text| client.esearch("ALL", text));
    table.refuses(all, |client, text| client.uid_esearch("ALL", text));
    table.refuses(all, |client, text| client.fetch(1, text).map(drop));
    table.refuses(all, |client, text| client.uid_fetch(1, text).map(drop));
    table.refuses(all, |client, text| client.command(text));
    table.batch_refuses(all, |batch, text| batch.search(text));
    table.batch_refuses(all, |batch, text| batch.uid_search(text));
    table.batch_refuses(all, |batch, text| batch.esearch("ALL", text));
    table.batch_refuses(all, |batch, text| batch.uid_esearch("ALL", text));
    table.batch_refuses(all, |batch, text| batch.command(text));
    table.batch_refuses(all, |batch, text| batch.fetch(1, text));
    table.batch_refuses(all, |batch, text| batch.uid_fetch(1, text));
    let unquoted = &[&["SUBJECT ü", "SUBJECT \"ü", "SUBJECT \"a\" ü \"b\"", "SUBJECT \"ü\" {5}"][..]];
    table.refuses(unquoted, |client, text| client.search(text));
    table.batch_refuses(unquoted, |batch, text| batch.uid_search(text));
    // What logs in or changes what the bytes mean has a verb that takes care.
    let verbs = &[
        "STARTTLS",
        "starttls",
        "AUTHENTICATE PLAIN AGEAYg==",
        "LOGIN a b",
        "login a b",
        "LOGIN\ta b",
        "STARTTLS\t",
        "LOGIN\x0ba b",
        "IDLE\x0c",
        "COMPRESS DEFLATE",
        "IDLE",
        "DONE",
        "LOGOUT",
        "APPEND x {5+}x",
        "ENABLE UTF8=ACCEPT",
        "UNAUTHENTICATE",
        " NOOP",
        "* BYE",
        "+",
        "1 NOOP",
        "NOOP ü",
        "\"NOOP\"",
    ];
    table.refuses(&[&verbs[..]], |client, text| client.command(text));
    assert!(table.cases > 200);
}

#[test]
fn rule_9_sets_and_strings() {
    let mut table = Table::new();
    let all = &[SETS, CONTROLS];
    table.refuses(all, |client, text| client.fetch(text, "FLAGS").map(drop));
    table.refuses(all, |client, text| client.uid_fetch(text, "FLAGS").map(drop));
    table.refuses(all, |client, text| client.store(text, &Store::add(&["a"])));
    table.refuses(all, |client, text| client.uid_store(text, &Store::add(&["a"])));
    table.refuses(all, |client, text| client.copy(text, "x"));
    table.refuses(all, |client, text| client.uid_copy(text, "x"));
    table.refuses(all, |client, text| client.move_to(text, "x"));
    table.refuses(all, |client, text| client.uid_move(text, "x"));
    table.refuses(all, |client, text| client.uid_expunge(text));
    table.batch_refuses(all, |batch, text| batch.fetch(text, "FLAGS"));
    table.batch_refuses(all, |batch, text| batch.uid_fetch(text, "FLAGS"));
    table.batch_refuses(all, |batch, text| batch.store(text, &Store::add(&["a"])));
    table.batch_refuses(all, |batch, text| batch.uid_store(text, &Store::add(&["a"])));
    table.batch_refuses(all, |batch, text| batch.copy(text, "x"));
    table.batch_refuses(all, |batch, text| batch.uid_copy(text, "x"));
    table.batch_refuses(all, |batch, text| batch.move_to(text, "x"));
    table.batch_refuses(all, |batch, text| batch.uid_move(text, "x"));
    table.batch_refuses(all, |batch, text| batch.uid_expunge(text));
    table.refuses(&[CONTROLS], |client, text| client.login(text, "pass"));
    table.refuses(&[CONTROLS], |client, text| client.login("u", text));
    table.refuses(&[CONTROLS], |client, text| client.id(&[(text, "x")]));
    table.refuses(&[CONTROLS, &["ü"]], |client, text| client.id(&[(text, "x")]));
    table.refuses(&[CONTROLS], |client, text| client.id(&[("x", text)]));
    for text in CONTROLS {
        for field in [(*text, "x"), ("x", *text)] {
            let identity = Imap::new().identity(IdTime::AfterLogin, [field]);
            assert!(matches!(identity, Err(Error::InvalidArgument(_))), "{text:?}");
        }
        for (user, password) in [(*text, "pass"), ("user", *text)] {
            let mut batch = table.client.batch();
            batch.login(user, password);
            assert!(matches!(batch.run(), Err(Error::InvalidArgument(_))), "{text:?}");
            assert!(table.handle.sent().is_empty());
        }
    }
    assert!(table.cases > 300);
}
