//! The end of a message and of a session: what is said where the last octet went out and nothing came back, and what may
//! still follow.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::lmtp::Lmtp;
use mailconnect::smtp::{Body, Envelope, Message, Outcome, Policy, SendOptions};
use mailconnect::testing::{Chunking, Script, ScriptHandle, VirtualClock};
use mailconnect::transport::{Clock, Deadline, Transport};
use mailconnect::{Connector, Error, Interrupt, LmtpClient, Security, SmtpClient, Timeouts};

use super::server::{Line, Machine, Offer};
use super::{HELLO, envelope, smtp};

const CHUNKS: &str = "S: 250-mx.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n";
const LHLO: &str = "S: 220 keeper LMTP\nC: LHLO me.example\nS: 250-keeper\nS: 250 PIPELINING\n";

fn open(script: &str, chunking: Chunking) -> (SmtpClient, ScriptHandle) {
    let script = Script::parse(&format!("{HELLO}{script}")).unwrap().chunking(chunking);
    let (transport, handle) = script.play();
    let connector = Connector::new().clock(handle.clock());
    (connector.over(smtp().chunking(true), transport, "mx.example", Security::Plain).unwrap(), handle)
}

fn keeper(script: &str) -> (LmtpClient, ScriptHandle) {
    let (transport, handle) = Script::parse(&format!("{LHLO}{script}")).unwrap().play();
    let lmtp = Lmtp::default().hello_name("me.example").unwrap();
    (Connector::new().over(lmtp, transport, "keeper", Security::Plain).unwrap(), handle)
}

// ---- A line that is watched ----

/// Told after each write: the octets, the deadline that it had, and the server with what it has by then.
type Watch = dyn FnMut(&[u8], Deadline, &Machine) + Send;

struct Watched {
    line: Line,
    deadline: Deadline,
    watch: Box<Watch>,
}

impl Watched {
    fn new(offer: Offer, watch: impl FnMut(&[u8], Deadline, &Machine) + Send + 'static) -> Self {
        Self { line: Line::new(Machine::new(offer)), deadline: Deadline::NEVER, watch: Box::new(watch) }
    }
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.line.read(buf)
    }
}

impl Write for Watched {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.line.write(buf)?;
        let mut machine = self.line.machine.lock().unwrap();
        machine.run();
        (self.watch)(buf, self.deadline, &machine);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Watched {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.deadline = deadline;
        self.line.set_deadline(deadline)
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// The end comes between the write that took the last octet and the flush after it.
#[test]
fn rule_7_a_last_part_that_went_out_whole_is_never_told_as_not_sent() {
    for verbs in [false, true] {
        for size in [2, 32 << 10, 64 << 10, 96 << 10] {
            let (interrupt, kept) = (Interrupt::new(), Arc::new(Mutex::new(0)));
            let (stop, seen) = (interrupt.clone(), Arc::clone(&kept));
            let line = Watched::new(Offer::new(&["PIPELINING", "CHUNKING"]), move |_, _, machine| {
                *seen.lock().unwrap() = machine.record.lock().unwrap().kept.len();
                if *seen.lock().unwrap() > 0 {
                    stop.interrupt();
                }
            });
            let connector = Connector::new().interrupt(interrupt);
            let mut client = connector.over(smtp().chunking(true), line, "mx", Security::Plain).unwrap();
            let body = "x".repeat(size - 2) + "\r\n";
            let error = if verbs {
                client.mail("ann@a.example").unwrap();
                client.rcpt("b@b.example").unwrap();
                client.bdat(body.as_bytes(), true).unwrap_err()
            } else {
                client.send(&envelope(&["b@b.example"]), &body).unwrap_err()
            };
            assert_eq!((*kept.lock().unwrap(), error.outcome_unknown()), (1, true), "{size} {verbs}: {error}");
        }
    }
}

#[test]
fn a_command_after_a_reply_has_the_time_of_a_command() {
    let (clock, given) = (VirtualClock::new(), Arc::new(Mutex::new(Vec::new())));
    let (now, seen) = (clock.clone(), Arc::clone(&given));
    let line = Watched::new(Offer::new(&[]), move |bytes, deadline, _| {
        if bytes.starts_with(b"MAIL") {
            seen.lock().unwrap().push(deadline.at().unwrap() - now.now());
        }
    });
    let mut timeouts = Timeouts::default();
    timeouts.final_answer = Duration::from_secs(5);
    let command = timeouts.command;
    let connector = Connector::new().clock(clock).timeouts(timeouts);
    let mut client: SmtpClient = connector.over(smtp(), line, "mx", Security::Plain).unwrap();
    let to = envelope(&["b@b.example"]);
    assert!(client.send_all((0..3).map(|_| Message::with(&to, "text"))).all(|outcome| outcome.is_delivered()));
    assert_eq!(*given.lock().unwrap(), [command; 3]);
}

// ---- Nothing after QUIT ----

#[test]
fn nothing_follows_quit_after_a_refusal() {
    let part = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: BDAT 4 LAST\nC: ab\nC: QUIT\nS: 250 ok\nS: 250 ok\n\
                S: 554 no\nS: 221 bye\n";
    let three = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: RCPT TO:<c@b.example>\nC: RCPT TO:<d@b.example>\n\
                 S: 250 ok\nS: 550 no\nC: QUIT\nS: 250 ok\nS: 250 ok\nS: 221 bye\n";
    let cases = [(part, &["b@b.example"][..]), (three, &["b@b.example", "c@b.example", "d@b.example"])];
    for (script, to) in cases {
        for chunking in Chunking::ALL {
            let (client, handle) = open(&format!("{CHUNKS}{script}"), chunking);
            let options = SendOptions::new().policy(if to.len() > 1 { Policy::RequireAll } else { Policy::AcceptSome });
            let error = client.send_and_quit(&envelope(to), "ab", &options).unwrap_err();
            assert!(error.is_permanent(), "{error}");
            handle.finish();
        }
    }
}

#[test]
fn no_transaction_follows_quit() {
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: RCPT TO:<c@b.example>\nC: BDAT 4 LAST\nC: ab\n\
                  C: QUIT\nS: 250 ok\nS: 250 ok\nS: 452 4.5.3 too many\nS: 250 queued\nS: 221 bye\n";
    for chunking in Chunking::ALL {
        let (client, handle) = open(&format!("{CHUNKS}{script}"), chunking);
        let to = envelope(&["b@b.example", "c@b.example"]);
        let report = client.send_and_quit(&to, "ab", &SendOptions::new()).unwrap();
        assert_eq!((report.accepted.len(), report.refused.len()), (1, 0));
        assert_eq!(report.not_attempted, ["c@b.example"]);
        handle.finish();
    }
}

// ---- Goodbyes and losses ----

#[test]
fn rule_7_a_goodbye_hides_no_delivery() {
    let head = "C: MAIL FROM:<ann@a.example>\nS: 250 ok\nC: RCPT TO:<b@b.example>\nS: 250 ok\nC: RCPT TO:<c@b.example>\n\
                S: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\n";
    for (replies, codes) in [("S: 250 kept\nS: 421 bye\n", Some([250, 421])), ("S: 421 bye\nEOF\n", None)] {
        let (mut client, _) = keeper(&format!("{head}{replies}"));
        client.mail("ann@a.example").unwrap();
        client.rcpt("b@b.example").unwrap();
        client.rcpt("c@b.example").unwrap();
        let told = client.data_each("hi");
        assert!(!client.is_open());
        match (told, codes) {
            (Ok(told), Some(codes)) => assert!(told.iter().map(|(_, reply)| reply.code).eq(codes), "{told:?}"),
            (Err(error), None) => assert!(matches!(error, Error::ConnectionLost(_)) && error.outcome_unknown()),
            (told, _) => panic!("{told:?}"),
        }
    }
    // One reply for all is the last.
    let (mut client, _) = open(&format!("S: 250 mx\n{}S: 421 bye\n", head), Chunking::ALL[0]);
    client.mail("ann@a.example").unwrap();
    client.rcpt("b@b.example").unwrap();
    client.rcpt("c@b.example").unwrap();
    let error = client.data("hi").unwrap_err();
    assert!(matches!(error, Error::Rejected(_)) && error.is_fatal() && !client.is_open(), "{error}");
}

#[test]
fn lmtp_gets_no_dot_where_nobody_was_taken() {
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\n";
    let (mut client, handle) = keeper(script);
    let error = client.send(&envelope(&["b@b.example"]), "hi").unwrap_err();
    assert_eq!(error.to_string(), "the server refused RCPT: 550 no");
    assert!(error.is_fatal() && !client.is_open());
    handle.finish();
}

/// Fails at once.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("disk"))
    }
}

#[test]
fn a_reader_that_fails_before_the_connection_does_tells_both() {
    let script = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nS: 250 ok\nS: 250 ok\nC: RSET\nEOF\n";
    let (mut client, _) = open(&format!("{CHUNKS}{script}"), Chunking::ALL[0]);
    let error = client.send(&envelope(&["b@b.example"]), Body::reader(Broken)).unwrap_err();
    assert!(matches!(error, Error::Caller { .. }), "{error}");
    assert!(error.is_fatal() && !client.is_open());
}

#[test]
fn a_size_that_cannot_be_costs_nothing() {
    let line = Line::new(Machine::new(Offer::new(&["PIPELINING", "CHUNKING"])));
    let mut client: SmtpClient = Connector::new().over(smtp().chunking(true), line, "mx", Security::Plain).unwrap();
    let to = Envelope::new("ann@a.example", ["b@b.example"]).unwrap();
    let body = |n: usize| Body::reader(&b"text"[..]).size(if n > 0 { u64::MAX } else { 4 });
    let outcomes: Vec<_> = client.send_all((0..3).map(|n| Message::with(&to, body(n)))).collect();
    assert!(outcomes.iter().all(Outcome::is_delivered), "{outcomes:?}");
}

#[test]
fn a_raw_line_does_not_turn_the_session_round() {
    let (mut client, handle) = open("S: 250 mx\n", Chunking::ALL[0]);
    for verb in ["ATRN", "atrn b.example", "TURN"] {
        assert!(matches!(client.command(verb), Err(Error::InvalidArgument(_))), "{verb}");
    }
    handle.finish();
}
