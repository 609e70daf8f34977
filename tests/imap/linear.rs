//! Hostile answers take linear time: a watchdog ends what does not.

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mailconnect::imap::{Imap, ListQuery, ResponseCode};
use mailconnect::testing::Script;
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, Error, ImapClient, Result, Security};

use crate::{open_with, told};

/// Far above what a linear reader takes even on a busy machine, and far below what a quadratic one does: it goes over
/// 10^11 bytes and more here.
const WATCHDOG: Duration = Duration::from_secs(120);

/// A server that greets, and answers the first command; in pieces of `piece` bytes.
struct Feed {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    asked: bool,
}

const GREETING: &[u8] = b"* OK\r\n";

impl Read for Feed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == GREETING.len() && !self.asked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let end = if self.at < GREETING.len() { GREETING.len() } else { self.bytes.len() };
        let n = (&self.bytes[self.at..end]).read(buf)?.min(self.piece);
        self.at += n;
        Ok(n)
    }
}

impl Write for Feed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.asked = true;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Feed {
    fn set_deadline(&mut self, _: Deadline) -> io::Result<()> {
        Ok(())
    }
}

/// What a FETCH makes of an answer, of which the server's reads give so many bytes at once; in a thread with a small
/// stack.
fn fetched(what: &'static str, answer: Vec<u8>, piece: usize) -> Result<usize> {
    let (done, waits) = mpsc::channel();
    let work = move || {
        let feed = Feed { bytes: [GREETING, &answer, b"A1 OK\r\n"].concat(), at: 0, piece, asked: false };
        let client: Result<ImapClient> = Connector::new().over(Imap::new(), feed, "mail.example.com", Security::Plain);
        let _ = done.send(client.and_then(|mut client| told(&mut client, "1", "ALL")).map(|told| told.len()));
    };
    thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap();
    waits.recv_timeout(WATCHDOG).unwrap_or_else(|_| panic!("{what}: the watchdog has tripped"))
}

#[test]
fn rule_12_hostile_answers_take_linear_time() {
    let list = |piece: &str, n: usize| ["* 1 FETCH (X (", &piece.repeat(n), "))\r\n"].concat().into_bytes();
    let answers = [
        ("small literals", list("{1}\r\na ", 200_000), 2),
        ("small strings", list("a ", 400_000), 2),
        ("strings that may be odd", list("\"a ", 340_000), 2),
        ("items with them", ["* 1 FETCH (", &"X \"a ".repeat(200_000), ")\r\n"].concat().into_bytes(), 200_001),
        ("lists in a list", list("()", 400_000), 2),
        ("nested lists", list(&["(".repeat(10_000), ")".repeat(10_000)].concat(), 1), 2),
        ("items", ["* 1 FETCH (", &"X Y ".repeat(60_000), ")\r\n"].concat().into_bytes(), 60_001),
        ("bodies", ["* 1 FETCH (", &"BODY[] {0}\r\n ".repeat(20_000), ")\r\n"].concat().into_bytes(), 20_001),
        ("quotes", ["* LIST () ", &"\" ".repeat(400_000), "\r\n"].concat().into_bytes(), 0),
        ("parts", ["* 1 FETCH (BODY (", &"()".repeat(200_000), "))\r\n"].concat().into_bytes(), 2),
        (
            "addresses",
            ["* 1 FETCH (ENVELOPE (NIL NIL (", &"(a b c d)".repeat(50_000), ")))\r\n"].concat().into_bytes(),
            2,
        ),
        ("data", "* 1 EXISTS\r\n".repeat(50_000).into_bytes(), 0),
        ("empty lines", "\r\n".repeat(50_000).into_bytes(), 0),
        ("lines that are no response", "x\r\n".repeat(50_000).into_bytes(), 0),
    ];
    for (what, answer, lines) in answers {
        assert_eq!(fetched(what, answer, usize::MAX).unwrap(), lines, "{what}");
    }
}

/// A status finds its mailbox without a look at all the others.
#[test]
fn rule_12_each_status_of_a_list_finds_its_mailbox_at_once() {
    const MAILBOXES: usize = 250_000;
    let lists = (0..MAILBOXES).map(|n| format!("* LIST () \"/\" m{n}\r\n"));
    let statuses = (0..MAILBOXES).map(|n| format!("* STATUS m{n} (MESSAGES {n})\r\n"));
    let answer: String = lists.chain(statuses).collect();
    let greeting = "* OK [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS] hi\r\n";
    let script = Script::new().server(greeting).client("A1 LIST \"\" \"*\" RETURN (STATUS (MESSAGES))\r\n");
    let script = script.server(answer + "A1 OK\r\n");
    let (done, waits) = mpsc::channel();
    thread::spawn(move || {
        let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
        let _ = done.send(client.unwrap().list_extended(&ListQuery::new("", "*").return_status("MESSAGES")));
    });
    let found = waits.recv_timeout(WATCHDOG).unwrap_or_else(|_| panic!("the watchdog has tripped")).unwrap();
    let of = |n: usize| found[n].status.as_ref().and_then(|status| status.messages);
    assert_eq!((found.len(), of(0), of(MAILBOXES - 1)), (MAILBOXES, Some(0), Some(249_999)));
}

/// Each copy is found without a look at all the ranges before it.
#[test]
fn rule_12_each_copy_is_found_at_once() {
    const RANGES: u32 = 500_000;
    // Neither in order nor of one length, and no two touch.
    let source = |n: u32| 5 * (n ^ 1) + 1;
    let ranges: Vec<_> = (0..RANGES).map(|n| format!("{}:{}", source(n), source(n) + n % 3)).collect();
    let code = format!("COPYUID 1 {} 1:{}", ranges.join(","), 2 * RANGES - 1);
    let (done, waits) = mpsc::channel();
    thread::spawn(move || {
        let ResponseCode::CopyUid(copied) = ResponseCode::parse(code.as_bytes()) else { panic!("{}", &code[..80]) };
        let copy = |n: u32| 6 * (n / 3) + [1, 2, 4][n as usize % 3];
        let found = (0..RANGES).filter(|&n| copied.destination_of(source(n)) == Some(copy(n))).count();
        let _ = done.send((found, copied.destination_of(4)));
    });
    let found = waits.recv_timeout(WATCHDOG).unwrap_or_else(|_| panic!("the watchdog has tripped"));
    assert_eq!(found, (RANGES as usize, None));
}

/// A line of 16 MiB is refused at the limit, however it comes, and what is announced sets nothing aside.
#[test]
fn rule_6_and_12_long_lines_are_refused_at_the_limit() {
    let limit = |what, answer: Vec<u8>, piece| match fetched(what, answer, piece) {
        Err(Error::Limit(limit)) => limit.max,
        other => panic!("{what}: {other:?}"),
    };
    let line = vec![b'x'; 16 << 20];
    assert_eq!(limit("a long line", line.clone(), usize::MAX), 1 << 20);
    assert_eq!(limit("a long line in single bytes", line, 1), 1 << 20);
    for size in ["4294967295", "18446744073709551615", "18446744073709551616"] {
        assert_eq!(limit("a literal", format!("* 1 FETCH (X {{{size}}}\r\nabc").into_bytes(), 1), 64 << 20);
    }
}
