//! One session of every command: however its bytes are split, the same comes out, and wherever it is cut, an error does.

use std::fmt::Debug;
use std::time::Duration;

use mailconnect::imap::{Event, Imap, ListQuery, Store};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, ImapClient, Result, Security};

use crate::open_with;

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 NAMESPACE ESEARCH MOVE UIDPLUS ENABLE ID UNSELECT IDLE LIST-EXTENDED \
                        LIST-STATUS] ready\r\n";

/// What the client sends, and the server's answer.
const EXCHANGES: &[(&str, &str)] = &[
    ("A1 CREATE x\r\n", "A1 OK [MAILBOXID (M1)] made\r\n"),
    ("A2 LIST \"\" \"*\"\r\n", "* LIST (\\HasNoChildren) \"/\" {2}\r\na]\r\n* LIST () NIL b\r\nA2 OK\r\n"),
    ("A3 LIST \"\" \"*\" RETURN (STATUS (MESSAGES))\r\n", "* LIST () \"/\" x\r\n* STATUS x (MESSAGES 3)\r\nA3 OK\r\n"),
    ("A4 NAMESPACE\r\n", "* NAMESPACE ((\"\" \"/\")) NIL ((\"s.\" \".\"))\r\nA4 OK\r\n"),
    ("A5 STATUS x (MESSAGES)\r\n", "* STATUS x (MESSAGES 3)\r\nA5 OK\r\n"),
    ("A6 APPEND x {2}\r\n", "* 4 EXISTS\r\n+ go\r\n"),
    ("hi\r\n", "A6 OK [APPENDUID 7 9] done\r\n"),
    ("A7 SELECT x\r\n", "* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDNEXT 4] x\r\nA7 OK [READ-WRITE] done\r\n"),
    ("A8 SEARCH ALL\r\n", "* SEARCH 1 2 3\r\nA8 OK\r\n"),
    ("A9 UID SEARCH RETURN (ALL) ALL\r\n", "* ESEARCH (TAG \"A9\") UID ALL 1:3\r\nA9 OK\r\n"),
    (
        "A10 FETCH 1:* (FLAGS BODY[])\r\n",
        "* 1 FETCH (FLAGS () BODY[] {5}\r\nA1 OK UID 4)\r\n* 2 FETCH (BODY[] \"A10 OK\" X {2}\r\n* )\r\nA10 OK\r\n",
    ),
    ("A11 STORE 1 +FLAGS (a)\r\n", "* 1 FETCH (FLAGS (a))\r\nA11 OK\r\n"),
    ("A12 COPY 1 y\r\n", "A12 OK [COPYUID 1 2 3] done\r\n"),
    ("A13 UID MOVE 1 y\r\n", "* OK [COPYUID 1 2 3] x\r\n* 1 EXPUNGE\r\nA13 OK\r\n"),
    ("A14 EXPUNGE\r\n", "* 2 EXPUNGE\r\nA14 OK\r\n"),
    ("A15 IDLE\r\n", "* 5 EXISTS\r\n+ idling\r\n* 1 FETCH (FLAGS (b))\r\n* 6 EXISTS\r\n"),
    ("DONE\r\n", "* 7 EXISTS\r\nA15 OK\r\n"),
    (
        "A16 SELECT x\r\nA17 UID FETCH 1 BODY[]\r\nA18 STATUS y (MESSAGES)\r\nA19 NOOP\r\n",
        "* 1 EXISTS\r\nA16 OK\r\n* 1 FETCH (BODY[] {6}\r\nA17 OK UID 1)\r\nA17 OK\r\nA18 NO [NONEXISTENT] none\r\n* 2 RECENT\r\nA19 OK\r\n",
    ),
    ("A20 ID NIL\r\n", "* ID (\"name\" \"x\")\r\nA20 OK\r\n"),
    ("A21 ENABLE X\r\n", "* ENABLED X\r\nA21 OK\r\n"),
    ("A22 GETQUOTA x\r\n", "* QUOTA x (STORAGE 1 {1}\r\n2)\r\nA22 OK [ALERT] full\r\n"),
    ("A23 UNSELECT\r\n", "A23 OK\r\n"),
];

/// What each command gives, until one fails.
fn run(client: &mut ImapClient) -> (Vec<String>, bool) {
    let mut told = Vec::new();
    let whole = all(client, &mut told).is_ok();
    let events = client.events();
    told.push(format!("{:?} {}", events.clone().collect::<Vec<_>>(), events.incomplete));
    (told, whole)
}

fn all(client: &mut ImapClient, told: &mut Vec<String>) -> Result<()> {
    let mut tell = |value: &dyn Debug| told.push(format!("{value:?}"));
    tell(&client.create("x")?);
    tell(&client.list("", "*")?);
    tell(&client.list_extended(&ListQuery::new("", "*").return_status("MESSAGES"))?);
    tell(&client.namespace()?);
    tell(&client.status("x", "MESSAGES")?);
    tell(&client.append("x", &[], b"hi")?);
    tell(&client.select("x")?);
    tell(&client.search("ALL")?);
    tell(&client.uid_esearch("ALL", "ALL")?);
    for message in client.fetch("1:*", "(FLAGS BODY[])")?.collect()? {
        tell(&(&message, message.section("BODY[]")));
    }
    tell(&client.store(1, &Store::add(&["a"]))?);
    tell(&client.copy(1, "y")?);
    tell(&client.uid_move(1, "y")?);
    tell(&client.expunge()?);
    let mut idle = client.idle(Duration::from_secs(60))?;
    while let Some(event) = idle.next_event()? {
        tell(&event);
        if event == Event::Exists(6) {
            break;
        }
    }
    idle.done()?;
    let mut batch = client.batch();
    let mailbox = batch.select("x");
    let messages = batch.uid_fetch(1, "BODY[]");
    let status = batch.status("y", "MESSAGES");
    batch.noop();
    let mut replies = batch.run()?;
    tell(&replies.take(mailbox)?);
    tell(&replies.take(messages)?);
    tell(&replies.take(status).map_err(|error| error.rejection().cloned()));
    replies.done()?;
    tell(&client.id(&[])?);
    tell(&client.enable(&["X"])?);
    tell(&client.command("GETQUOTA x")?);
    tell(&client.unselect()?);
    Ok(())
}

fn play(script: Script, chunking: Chunking) -> (Vec<String>, bool) {
    let (client, handle) = open_with(Connector::new(), Imap::new(), script.chunking(chunking), Security::Plain);
    let Ok(mut client) = client else { return (Vec::new(), false) };
    let result = run(&mut client);
    assert_eq!(result.1, client.is_open());
    if result.1 {
        handle.finish();
    }
    result
}

/// The session with the server's bytes before and after an offset as two steps of it, and `between` between them.
fn parted(offset: usize, between: impl Fn(Script) -> Script) -> Script {
    let (mut script, mut left) = (Script::new(), Some(offset));
    for (client, server) in [("", GREETING)].iter().chain(EXCHANGES) {
        if !client.is_empty() {
            script = script.client(client);
        }
        match left {
            Some(n) if n < server.len() => {
                script = between(script.server(&server.as_bytes()[..n])).server(&server.as_bytes()[n..]);
                left = None;
            }
            _ => script = script.server(server),
        }
        left = left.map(|n| n - server.len());
    }
    script
}

fn size() -> usize {
    GREETING.len() + EXCHANGES.iter().map(|(_, server)| server.len()).sum::<usize>()
}

#[test]
fn any_split_gives_the_same() {
    let whole = play(parted(size(), |script| script), Chunking::Whole);
    assert!(whole.1 && whole.0.len() > EXCHANGES.len(), "{whole:?}");
    for chunking in Chunking::ALL {
        assert_eq!(play(parted(size(), |script| script), chunking), whole);
    }
    for offset in 1..size() {
        let split = play(parted(offset, |script| script.pause(Duration::from_millis(1))), Chunking::Whole);
        assert_eq!(split, whole, "split at {offset}");
    }
}

#[test]
fn rule_7_a_session_of_every_command_cut_anywhere() {
    let whole = play(parted(size(), |script| script), Chunking::Whole).0;
    for offset in 0..size() {
        for end in [Script::eof, Script::reset, Script::stall] {
            let (told, done) = play(parted(offset, end), Chunking::Whole);
            assert!(!done, "cut at {offset}: {told:?}");
            let commands = told.len().saturating_sub(1);
            // What was whole is as it was; nothing is half.
            assert_eq!(told[..commands], whole[..commands], "cut at {offset}");
        }
    }
}
