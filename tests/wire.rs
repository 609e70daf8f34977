//! Proofs on the real `Wire`, by a toy protocol over a script: what is due stays in the wire, whatever a caller does
//! with what was lent to it.

#![allow(clippy::forget_non_drop, clippy::drop_non_drop, reason = "that it makes no difference is the point")]

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::sasl::{self, Mechanism};
use mailconnect::testing::{Chunking, Script, ScriptHandle};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::wire::{Answer, BodyOutcome, Flaw, Framer, LineEnds, Need, Part, Ready, Wire};
use mailconnect::{Client, Connector, Error, Interrupt, Limits, Phase, Protocol, Result, Security};

/// Answers are a line each; `BODY n` is followed by so many bytes and another line, `DOTTED` by a dotted body.
#[derive(Debug, Default)]
struct Toy;

struct ToyFramer {
    rest: bool,
}

impl Framer for ToyFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let text = std::str::from_utf8(frame).map_err(|_| Flaw::Malformed("not text"))?;
        if text.is_empty() {
            return Ok(Need::Line { max: 64 });
        }
        if self.rest {
            return Ok(Need::Last);
        }
        if let Some(size) = text.strip_prefix("BODY ") {
            self.rest = true;
            let size = size.trim_end().parse().map_err(|_| Flaw::Malformed("no size"))?;
            return Ok(Need::Stream(size));
        }
        Ok(if text.starts_with("DOTTED") { Need::Dotted } else { Need::Last })
    }
}

fn answer(command: &'static str) -> Answer {
    Answer::new(command, ToyFramer { rest: false })
}

impl Protocol for Toy {
    const NAME: &'static str = "Toy";
    const SASL_SERVICE: &'static str = "toy";
    const PORT: Option<u16> = Some(4);
    const TLS_PORT: Option<u16> = None;

    fn reset(&mut self) {}

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        wire.expect(answer("greeting"));
        wire.next_part().map(drop)
    }

    fn request_tls(&mut self, _: &mut Wire) -> Result<()> {
        Ok(())
    }

    fn secured(&mut self, _: &mut Wire) -> Result<()> {
        Ok(())
    }

    fn mechanisms(&mut self, _: &mut Wire) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn authenticate(&mut self, _: &mut Wire, _: &mut dyn Mechanism, _: &sasl::Context<'_>) -> Result<()> {
        Ok(())
    }

    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        ask(wire, "QUIT").map(drop)
    }
}

fn send(wire: &mut Wire, command: &'static str) -> Result<()> {
    let mut group = wire.group();
    group.put(command).end(answer(command));
    group.send()
}

fn ask(wire: &mut Wire, command: &'static str) -> Result<String> {
    send(wire, command)?;
    wire.next_part()?;
    Ok(String::from_utf8_lossy(wire.frame()).trim_end().to_owned())
}

fn open(connector: Connector, script: &str, chunking: Chunking) -> (Client<Toy>, ScriptHandle) {
    let (transport, handle) = Script::parse(script).unwrap().chunking(chunking).play();
    let connector = connector.clock(handle.clock());
    let client = connector.over(Toy, transport, "toy.example", Security::Plain).unwrap();
    (client, handle)
}

const CHUNKINGS: [Chunking; 3] = [Chunking::Whole, Chunking::Lines, Chunking::Bytes];

#[test]
fn rule_5_a_soft_wait_expires_and_goes_on() {
    for chunking in CHUNKINGS {
        let script = "S: hello\nC: IDLE\nPAUSE 100s\nS: news\nC: QUIT\nS: bye\n";
        let (mut client, handle) = open(Connector::new(), script, chunking);
        let waits = client.exchange(|_, wire| {
            send(wire, "IDLE")?;
            let mut waits = 0;
            // Longer in all than any time-out of a command: a soft wait is not charged.
            while wire.wait(wire.now() + Duration::from_secs(30))? == Ready::Nothing {
                waits += 1;
            }
            wire.next_part()?;
            assert_eq!(wire.frame(), b"news\r\n");
            Ok(waits)
        });
        assert_eq!(waits.unwrap(), 3);
        client.quit().unwrap();
        handle.finish();
    }
}

#[test]
fn rule_5_and_8_a_hard_deadline_closes() {
    let (mut client, handle) =
        open(Connector::new(), "S: hello\nC: ASK\nDRIP 9s\nS: 123456789\nSTALL\n", Chunking::Whole);
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert!(error.is_timeout() && error.is_fatal() && !error.outcome_unknown(), "{error:?}");
    assert_eq!(error.to_string(), "toy.example:4: a command (ASK): timed out after 60 s");
    assert!(!client.is_open());
    assert!(matches!(client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err(), Error::Closed));
    // 60 s, and what a few bytes bought at 500 a second.
    assert!((60..61).contains(&handle.clock().elapsed().as_secs()), "{:?}", handle.clock().elapsed());
}

#[test]
fn a_body_is_lent_and_the_answer_goes_on_after_it() {
    for chunking in CHUNKINGS {
        let script = "S: hello\nC: GET\nS: BODY 5\nS- a\\r\\nb\\0\nS:  and more\nC: QUIT\nS: bye\n";
        let (mut client, handle) = open(Connector::new(), script, chunking);
        client
            .exchange(|_, wire| {
                send(wire, "GET")?;
                assert_eq!(wire.next_part()?, Part::Body);
                assert_eq!(wire.frame(), b"BODY 5\r\n");
                let mut body = Vec::new();
                assert_eq!(wire.body().copy_to(&mut body)?, 5);
                assert_eq!(body, b"a\r\nb\0");
                assert_eq!(wire.next_part()?, Part::Last);
                assert_eq!(wire.frame(), b" and more\r\n");
                Ok(())
            })
            .unwrap();
        client.quit().unwrap();
        handle.finish();
    }
}

#[test]
fn rule_8_a_forgotten_half_read_body_is_read_away_by_the_next_command() {
    for chunking in CHUNKINGS {
        for get in ["S: BODY 9\nS- 1\\r\\nasked\\n\nS: end\n", "S: DOTTED\nS: 1\nS: ..\nS: asked\nS: .\n"] {
            let script = format!("S: hello\nC: GET\n{get}C: ASK\nS: answer\n");
            let (mut client, handle) = open(Connector::new(), &script, chunking);
            client
                .exchange(|_, wire| {
                    send(wire, "GET")?;
                    wire.next_part()?;
                    let mut body = wire.body();
                    let mut first = [0];
                    assert_eq!((body.read(&mut first).unwrap(), first), (1, *b"1"));
                    std::mem::forget(body);
                    Ok(())
                })
                .unwrap();
            assert_eq!(client.exchange(|_, wire| ask(wire, "ASK")).unwrap(), "answer");
            handle.finish();
        }
    }
}

#[test]
fn rule_6_an_unread_rest_above_the_limit_closes() {
    let mut limits = Limits::default();
    limits.drain = 10;
    let script = "S: hello\nC: GET\nS: BODY 30\nS- 123456789012345678901234567890\nS: end\n";
    let (mut client, _handle) = open(Connector::new().limits(limits), script, Chunking::Bytes);
    client
        .exchange(|_, wire| {
            send(wire, "GET")?;
            wire.next_part().map(drop)
        })
        .unwrap();
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert!(matches!(&error, Error::Limit(limit) if limit.max == 10), "{error:?}");
    assert!(!client.is_open());
}

#[test]
fn rule_6_a_long_line_ends_at_the_limit() {
    let script = format!("S: hello\nC: ASK\nS- {}\n", "x".repeat(20_000));
    let (mut client, _handle) = open(Connector::new(), &script, Chunking::Whole);
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert_eq!(error.to_string(), "toy.example:4: a command (ASK): more than 64 bytes in a line");
}

/// Two dotted bodies, the first one's end in one write with the command that follows.
#[test]
fn two_bodies_are_pipelined_with_the_command_between_them() {
    for chunking in CHUNKINGS {
        let script = "S: hello\nC: MAIL\nC: DATA\nS: ok\nS: go\nC: one\nC: ..\nC: .\nC: MAIL\nC: DATA\n\
                      S: queued 1\nS: ok\nS: go\nC: two\nC: .\nS: queued 2\n";
        let (mut client, handle) = open(Connector::new(), script, chunking);
        client
            .exchange(|_, wire| {
                let mut group = wire.group();
                group.put("MAIL").end(answer("MAIL")).put("DATA").end(answer("DATA"));
                group.send()?;
                wire.next_part()?;
                wire.next_part()?;
                let writes = handle.writes();
                let mut group = wire.group();
                assert_eq!(group.dotted(&mut Cursor::new("one\n."), LineEnds::Normalize)?, BodyOutcome::Complete);
                group.expect(answer("DATA").changing());
                group.put("MAIL").end(answer("MAIL")).put("DATA").end(answer("DATA"));
                group.send()?;
                assert_eq!(handle.writes(), writes + 1, "in one write");
                for expected in ["queued 1\r\n", "ok\r\n", "go\r\n"] {
                    assert_eq!(wire.next_part()?, Part::Last);
                    assert_eq!(wire.frame(), expected.as_bytes());
                }
                let mut group = wire.group();
                assert_eq!(group.dotted(&mut Cursor::new("two\r\n"), LineEnds::Normalize)?, BodyOutcome::Complete);
                group.expect(answer("DATA").changing());
                group.send()?;
                wire.next_part().map(drop)
            })
            .unwrap();
        handle.finish();
    }
}

#[test]
fn rule_9_a_refused_argument_leaves_no_trace() {
    let (mut client, handle) = open(Connector::new(), "S: hello\nC: QUIT\nS: bye\n", Chunking::Whole);
    for bad in ["a\rb", "a\nb", "a\0b", "a\r\nQUIT"] {
        let error = client
            .exchange(|_, wire| {
                let mut group = wire.group();
                group.put("FIRST").end(answer("FIRST"));
                group.put("NAME ").text("name", bad.as_bytes())?.end(answer("NAME"));
                group.send()
            })
            .unwrap_err();
        assert_eq!(error.to_string(), "invalid name: contains CR, LF or NUL at offset 1");
        assert!(client.is_open() && handle.sent().is_empty());
    }
    client.quit().unwrap();
    handle.finish();
}

#[test]
fn rule_7_a_reply_to_no_command_is_not_taken_for_an_answer() {
    let (mut client, handle) = open(Connector::new(), "S- hello\\r\\nand ok\\r\\n\n", Chunking::Whole);
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert!(error.to_string().ends_with("the server sent a reply to no command: `and ok`"), "{error}");
    assert!(!client.is_open() && handle.sent().is_empty());
}

#[test]
fn rule_10_a_source_that_fails_never_gets_the_final_dot() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.min(buf.len());
            self.0 -= n;
            buf[..n].fill(b'x');
            if n == 0 { Err(std::io::Error::other("disk on fire")) } else { Ok(n) }
        }
    }
    for size in [0, 10, 100_000] {
        let text = format!("S: hello\nC: DATA\nS: go\nC- {}\nSTALL\n", "x".repeat(size));
        let (mut client, handle) = open(Connector::new(), &text, Chunking::Whole);
        let error = client
            .exchange(|_, wire| {
                ask(wire, "DATA")?;
                let mut group = wire.group();
                let _ = group.dotted(&mut std::io::BufReader::new(Failing(size)), LineEnds::Normalize)?;
                group.expect(answer("DATA").changing());
                group.send()
            })
            .unwrap_err();
        assert!(matches!(error, Error::Caller { .. }) && !error.outcome_unknown(), "{error:?}");
        assert!(!client.is_open() && !handle.sent().ends_with(b".\r\n"));
    }
}

#[test]
fn rule_10_a_reply_that_is_lost_after_the_final_dot_leaves_the_outcome_unknown() {
    for end in ["EOF", "RESET", "STALL"] {
        let (mut client, _handle) =
            open(Connector::new(), &format!("S: hello\nC: DATA\nS: go\nC: x\nC: .\nS- queu\n{end}\n"), Chunking::Whole);
        let error = client
            .exchange(|_, wire| {
                ask(wire, "DATA")?;
                let mut group = wire.group();
                let _ = group.dotted(&mut Cursor::new("x"), LineEnds::Normalize)?;
                group.expect(answer("DATA").changing());
                group.send()?;
                wire.enter(Phase::FinalAnswer);
                wire.next_part()
            })
            .unwrap_err();
        assert!(error.outcome_unknown() && error.is_fatal(), "{end}: {error:?}");
    }
}

#[test]
fn rule_11_secrets_are_not_shown_even_if_the_server_repeats_them() {
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    let connector = Connector::new().transcript(move |line| log.lock().unwrap().push_str(&format!("{line}\n")));
    let script = "S: hello\nC: PASS hunter22\nS: no, hunter22 is wrong\\x1b[31m\nC: ASK\nS- hunter22 hunter22\nEOF\n";
    let (mut client, _handle) = open(connector, script, Chunking::Whole);
    client
        .exchange(|_, wire| {
            let mut group = wire.group();
            group.put("PASS ").secret("password", b"hunter22")?.end(answer("PASS"));
            assert!(!format!("{group:?}").contains("hunter22"));
            group.send()?;
            wire.next_part()?;
            let error = wire.malformed("I do not like it");
            Err::<(), _>(error)
        })
        .map_err(|error| assert!(!format!("{error} {error:?}").contains("hunter22"), "{error:?}"))
        .unwrap_err();
    let seen = seen.lock().unwrap();
    assert!(seen.contains("C: PASS [redacted]\nS: no, [redacted] is wrong\\u{1b}[31m\n"), "{seen}");
    assert!(!seen.contains("hunter22"), "{seen}");
}

/// Deflate over a lower transport, as COMPRESS=DEFLATE (RFC 4978) has it.
struct Deflated {
    lower: Box<dyn Transport>,
    inflate: flate2::Decompress,
    deflate: flate2::Compress,
    arrived: Vec<u8>,
}

impl Read for Deflated {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            self.inflate.decompress(&self.arrived, buf, flate2::FlushDecompress::Sync).unwrap();
            let taken = usize::try_from(self.inflate.total_in() - taken).unwrap();
            self.arrived.drain(..taken);
            let given = usize::try_from(self.inflate.total_out() - given).unwrap();
            if given > 0 {
                return Ok(given);
            }
            let mut more = [0; 512];
            match self.lower.read(&mut more)? {
                0 => return Ok(0),
                n => self.arrived.extend_from_slice(&more[..n]),
            }
        }
    }
}

impl Write for Deflated {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let mut out = Vec::with_capacity(buf.len() * 2 + 64);
        self.deflate.compress_vec(buf, &mut out, flate2::FlushCompress::Sync).unwrap();
        self.lower.write_all(&out)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.lower.flush()
    }
}

impl Transport for Deflated {
    fn set_deadline(&mut self, deadline: Deadline) -> std::io::Result<()> {
        self.lower.set_deadline(deadline)
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(&*self.lower)
    }
}

fn deflate(lower: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
    let (inflate, deflate) =
        (flate2::Decompress::new(false), flate2::Compress::new(flate2::Compression::fast(), false));
    Ok(Box::new(Deflated { lower, inflate, deflate, arrived: Vec::new() }))
}

fn deflated(plain: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut compress = flate2::Compress::new(flate2::Compression::fast(), false);
    let one = |bytes: &&[u8]| {
        let mut out = Vec::with_capacity(256);
        compress.compress_vec(bytes, &mut out, flate2::FlushCompress::Sync).unwrap();
        out
    };
    plain.iter().map(one).collect()
}

#[test]
fn a_compressing_rewrap_goes_on_where_the_plain_stream_ended() {
    for chunking in CHUNKINGS {
        let (asked, answered) = (deflated(&[b"ASK\r\n", b"QUIT\r\n"]), deflated(&[b"answer\r\n", b"bye\r\n"]));
        let script = Script::new()
            .server("hello\r\n")
            .client("COMPRESS\r\n")
            .server("ok\r\n")
            .client(&asked[0])
            .server(&answered[0])
            .client(&asked[1])
            .server(&answered[1]);
        let (transport, handle) = script.chunking(chunking).play();
        let connector = Connector::new().clock(handle.clock());
        let mut client = connector.over(Toy, transport, "toy.example", Security::Plain).unwrap();
        let answer = client.exchange(|_, wire| {
            ask(wire, "COMPRESS")?;
            wire.rewrap(deflate)?;
            ask(wire, "ASK")
        });
        assert_eq!(answer.unwrap(), "answer");
        client.quit().unwrap();
        // The compressed stream's own end may stay unread.
        assert_eq!(handle.error(), None);
    }
}

#[test]
fn rule_1_a_rewrap_with_one_byte_left_over_closes() {
    let (mut client, handle) = open(Connector::new(), "S: hello\nC: COMPRESS\nS- ok\\r\\nx\n", Chunking::Whole);
    let error = client.exchange(|_, wire| {
        ask(wire, "COMPRESS")?;
        wire.rewrap(|_| unreachable!("the old transport must not be handed out"))
    });
    assert!(matches!(error, Err(Error::Protocol(_))) && !client.is_open());
    handle.finish();
}

#[test]
fn a_failed_rewrap_leaves_a_closed_client() {
    let (mut client, _handle) = open(Connector::new(), "S: hello\n", Chunking::Whole);
    let error = client.exchange(|_, wire| wire.rewrap(|_| Err(Error::unsupported("no"))));
    assert!(error.is_err() && !client.is_open());
}

#[test]
fn nothing_unsent_goes_out_on_drop() {
    let (mut client, handle) = open(Connector::new(), "S: hello\n", Chunking::Whole);
    let _ = client.exchange(|_, wire| {
        let mut group = wire.group();
        group.put("HALF A COMM");
        std::mem::forget(group);
        Ok(())
    });
    drop(client);
    assert!(handle.sent().is_empty());
}

// ---- A transport with a fault ----

enum Io<'a> {
    Read,
    Write(&'a [u8]),
    Flush,
}

type OnIo = Box<dyn FnMut(Io<'_>) -> std::io::Result<usize> + Send>;

/// Asks before each call: how many of the bytes may be written, or which error it is.
struct Faulty {
    inner: Box<dyn Transport>,
    on_io: OnIo,
    deadlines: bool,
}

impl Read for Faulty {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        (self.on_io)(Io::Read)?;
        self.inner.read(buf)
    }
}

impl Write for Faulty {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let most = (self.on_io)(Io::Write(buf))?;
        self.inner.write(&buf[..most])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        (self.on_io)(Io::Flush)?;
        self.inner.flush()
    }
}

impl Transport for Faulty {
    fn set_deadline(&mut self, deadline: Deadline) -> std::io::Result<()> {
        if self.deadlines { self.inner.set_deadline(deadline) } else { Err(std::io::ErrorKind::Unsupported.into()) }
    }
}

fn open_faulty(connector: Connector, script: &str, on_io: OnIo) -> (Client<Toy>, ScriptHandle) {
    let (inner, handle) = Script::parse(script).unwrap().play();
    let connector = connector.clock(handle.clock());
    let transport = Faulty { inner: Box::new(inner), on_io, deadlines: true };
    (connector.over(Toy, transport, "toy.example", Security::Plain).unwrap(), handle)
}

fn send_message(wire: &mut Wire) -> Result<Part> {
    let mut group = wire.group();
    let _ = group.dotted(&mut Cursor::new("x"), LineEnds::Normalize)?;
    group.expect(answer("DATA").changing());
    group.send()?;
    wire.enter(Phase::FinalAnswer);
    wire.next_part()
}

#[test]
fn rule_7_a_body_that_broke_off_never_seems_to_end() {
    for get in ["S: BODY 9\nS- 123\nEOF\n", "S: DOTTED\nS: 123\nEOF\n", "S: BODY 9\nS- 123\nSTALL\n"] {
        let (mut client, _handle) = open(Connector::new(), &format!("S: hello\nC: GET\n{get}"), Chunking::Whole);
        client
            .exchange(|_, wire| {
                send(wire, "GET")?;
                wire.next_part().map(drop)
            })
            .unwrap();
        let mut body = client.body();
        let mut bytes = Vec::new();
        assert!(body.read_to_end(&mut bytes).is_err() && bytes.starts_with(b"123"));
        // As a caller does who passes over errors: it must not find the end next.
        assert!(body.read(&mut [0; 8]).is_err() && body.copy_to(&mut bytes).is_err());
        assert!(!client.is_open());
    }
}

#[test]
fn rule_10_a_message_that_went_out_late_leaves_the_outcome_unknown() {
    let on_io = move |io: Io<'_>| match io {
        Io::Write(bytes) => Ok(bytes.len()),
        Io::Read => Ok(0),
        Io::Flush => Err(std::io::ErrorKind::TimedOut.into()),
    };
    let (mut client, handle) = open_faulty(Connector::new(), "S: hello\nC: x\nC: .\nS: queued\n", Box::new(on_io));
    let error = client.exchange(|_, wire| send_message(wire)).unwrap_err();
    assert!(handle.sent().ends_with(b"\r\n.\r\n"));
    assert!(error.is_timeout() && error.outcome_unknown(), "{error:?}");
}

#[test]
fn rule_10_of_a_group_that_broke_off_only_what_was_whole_may_have_been_done() {
    let group = b"DELE 1\r\nDELE 2\r\n";
    for (sent, unknown) in [(0, false), (7, false), (8, true), (12, true), (16, true)] {
        let mut left = sent;
        let on_io = move |io: Io<'_>| {
            let Io::Write(bytes) = io else { return Ok(0) };
            let most = bytes.len().min(left);
            left -= most;
            if most == 0 { Err(std::io::ErrorKind::ConnectionReset.into()) } else { Ok(most) }
        };
        let script = "S: hello\nC: DELE 1\nC: DELE 2\nEOF\n";
        let (mut client, handle) = open_faulty(Connector::new(), script, Box::new(on_io));
        let error = client
            .exchange(|_, wire| {
                let mut group = wire.group();
                group.put("DELE ").number(1).end(answer("DELE").changing());
                group.put("DELE ").number(2).end(answer("DELE").changing());
                group.send()?;
                wire.next_part()
            })
            .unwrap_err();
        assert_eq!(handle.sent(), group[..sent]);
        assert_eq!(error.outcome_unknown(), unknown, "after {sent} bytes: {error:?}");
    }
}

#[test]
fn rule_10_an_interrupt_after_the_final_dot_leaves_the_outcome_unknown() {
    for (trigger, unknown) in [("ASK\r\n", false), ("\r\n.\r\n", true)] {
        let interrupt = Interrupt::new();
        let (handle, mut sent) = (interrupt.clone(), false);
        let on_io = move |io: Io<'_>| {
            let Io::Write(bytes) = io else {
                if sent && matches!(io, Io::Read) {
                    handle.interrupt();
                }
                return Ok(0);
            };
            sent |= bytes.ends_with(trigger.as_bytes());
            Ok(bytes.len())
        };
        let script = "S: hello\nC: ASK\nWAIT\nS: ok\nC: x\nC: .\nEOF\n";
        let (mut client, _handle) = open_faulty(Connector::new().interrupt(interrupt), script, Box::new(on_io));
        let error = client
            .exchange(|_, wire| {
                ask(wire, "ASK")?;
                send_message(wire)
            })
            .unwrap_err();
        assert!(error.to_string().ends_with("interrupted from another thread"), "{error}");
        assert!(error.is_fatal() && error.outcome_unknown() == unknown, "{trigger:?}: {error:?}");
    }
}

#[test]
fn rule_8_an_interrupt_ends_what_has_no_socket_to_shut_down() {
    struct NoHandle(Box<dyn Transport>);
    impl Read for NoHandle {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buf)
        }
    }
    impl Write for NoHandle {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.write(buf)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush()
        }
    }
    impl Transport for NoHandle {
        fn set_deadline(&mut self, deadline: Deadline) -> std::io::Result<()> {
            self.0.set_deadline(deadline)
        }
    }
    let (inner, handle) = Script::parse("S: hello\nC: ASK\nS: answer\n").unwrap().play();
    let connector = Connector::new().clock(handle.clock());
    let mut client = connector.over(Toy, NoHandle(Box::new(inner)), "toy.example", Security::Plain).unwrap();
    client.interrupt_handle().interrupt();
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert!(error.to_string().ends_with("interrupted from another thread"), "{error}");
    assert!(!client.is_open() && handle.sent().is_empty());
}

#[test]
fn rule_8_an_error_says_whether_it_has_closed_the_client() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    type Work = fn(&mut Wire) -> Result<()>;
    let scripts: [(&str, Work); 4] = [
        ("C: DATA\nS: go\nSTALL\n", |wire| {
            ask(wire, "DATA")?;
            wire.group().dotted(&mut Cursor::new("a\0"), LineEnds::Normalize).map(drop)
        }),
        ("C: DATA\nS: go\nSTALL\n", |wire| {
            ask(wire, "DATA")?;
            wire.group().counted(&mut Cursor::new("a"), 2).map(drop)
        }),
        ("C: GET\nS: BODY 3\nS- 123\nS: end\nC: ASK\nS: answer\n", |wire| {
            send(wire, "GET")?;
            wire.next_part()?;
            wire.body().copy_to(&mut Full).map(drop)
        }),
        ("C: ASK\nS: answer\n", |wire| wire.group().text("name", b"a\n").map(drop)),
    ];
    for (n, (script, work)) in scripts.into_iter().enumerate() {
        let (mut client, handle) = open(Connector::new(), &format!("S: hello\n{script}"), Chunking::Whole);
        let error = client.exchange(|_, wire| work(wire)).unwrap_err();
        assert_eq!((error.is_fatal(), client.is_open()), (n < 2, n >= 2), "{n}: {error:?}");
        if n >= 2 {
            assert_eq!(client.exchange(|_, wire| ask(wire, "ASK")).unwrap(), "answer");
            handle.finish();
        }
    }
}

#[test]
fn rule_5_a_server_that_stops_after_much_is_not_waited_for_long() {
    let size = 10 << 20;
    let script = Script::new()
        .server("hello\r\n")
        .client("GET\r\n")
        .server(format!("BODY {}\r\n", size + 1))
        .server(vec![b'x'; size])
        .stall();
    let (transport, handle) = script.play();
    let connector = Connector::new().clock(handle.clock());
    let mut client = connector.over(Toy, transport, "toy.example", Security::Plain).unwrap();
    let error = client.exchange(|_, wire| {
        send(wire, "GET")?;
        wire.next_part()?;
        wire.body().copy_to(&mut std::io::sink())
    });
    assert!(error.unwrap_err().is_timeout());
    assert_eq!(handle.clock().elapsed().as_secs(), 600);
}

#[test]
fn rule_5_danger_no_deadline_takes_none_from_a_transport_that_has_them() {
    let (mut client, handle) =
        open(Connector::new().danger_no_deadline(true), "S: hello\nC: ASK\nSTALL\n", Chunking::Whole);
    let error = client.exchange(|_, wire| ask(wire, "ASK")).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(handle.clock().elapsed().as_secs(), 60);
}

#[test]
fn rule_5_a_transport_without_deadlines_wants_leave() {
    for allowed in [false, true] {
        let (inner, handle) = Script::parse("S: hello\nC: QUIT\nS: bye\n").unwrap().play();
        let transport = Faulty {
            inner: Box::new(inner),
            on_io: Box::new(|io| Ok(if let Io::Write(bytes) = io { bytes.len() } else { 0 })),
            deadlines: false,
        };
        let connector = Connector::new().clock(handle.clock()).danger_no_deadline(allowed);
        match connector.over(Toy, transport, "toy.example", Security::Plain) {
            Ok(client) => assert!(allowed && client.quit().is_ok()),
            Err(error) => assert!(!allowed && matches!(error, Error::Unsupported(_)), "{error:?}"),
        }
    }
}

#[test]
fn rule_1_a_tls_that_secures_nothing_is_no_success() {
    struct Nothing;
    impl mailconnect::tls::Tls for Nothing {
        fn handshake(&self, _: &str, plain: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
            Ok(plain)
        }
    }
    for security in [Security::Tls, Security::StartTls] {
        let (transport, handle) = Script::parse("S: hello\nSTALL\n").unwrap().play();
        let connector = Connector::new().clock(handle.clock()).tls(Nothing);
        let error = connector.over(Toy, transport, ("toy.example", 4), security).unwrap_err();
        assert!(error.is_fatal() && !error.is_timeout(), "{error:?}");
    }
}

#[test]
fn rule_5_connect_auto_has_one_deadline_for_all_ways() {
    let clock = mailconnect::testing::VirtualClock::new();
    let (turned, tried) = (clock.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = tried.clone();
    let connector = Connector::new().clock(clock.clone()).deadline(Duration::from_secs(10)).dialer(move |target| {
        let left = target.deadline.at().map(|at| at - mailconnect::transport::Clock::now(&turned));
        seen.lock().unwrap().push((target.port, left));
        turned.advance(Duration::from_secs(6));
        Err(std::io::ErrorKind::ConnectionRefused.into())
    });
    let error = connector.connect_auto::<mailconnect::pop3::Pop3>("toy.example").unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(*tried.lock().unwrap(), [(995, seconds(10)), (110, seconds(4))]);
}

#[test]
fn an_interrupt_during_a_dialer_ends_connect_auto() {
    let interrupt = Interrupt::new();
    let (handle, tried) = (interrupt.clone(), Arc::new(Mutex::new(0)));
    let count = tried.clone();
    let connector = Connector::new().interrupt(interrupt).dialer(move |_| {
        *count.lock().unwrap() += 1;
        handle.interrupt();
        Err(std::io::ErrorKind::ConnectionRefused.into())
    });
    let error = connector.connect_auto::<mailconnect::pop3::Pop3>("toy.example").unwrap_err();
    assert!(error.to_string().ends_with("interrupted from another thread"), "{error}");
    assert!(connector.connect_auto::<mailconnect::pop3::Pop3>("toy.example").is_err());
    assert_eq!(*tried.lock().unwrap(), 1);
}

#[test]
fn rule_11_a_challenge_is_in_no_error() {
    let (mut client, _handle) = open(Connector::new(), "S: hello\nC: AUTH\nS: + c2VjcmV0!\n", Chunking::Whole);
    let error = client.exchange(|_, wire| {
        wire.hide_received(true);
        ask(wire, "AUTH")?;
        Err::<(), _>(wire.malformed("a challenge that is not base64"))
    });
    assert!(!format!("{:?}", error.unwrap_err()).contains("c2VjcmV0"));
}

#[test]
fn a_transcript_shows_no_byte_of_a_second_body() {
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    let connector = Connector::new().transcript(move |line| log.lock().unwrap().push_str(&format!("{line}\n")));
    let big = "b".repeat(40_000);
    let script = format!("S: hello\nC- {big}\nC: FIRST\nC: PASS hunter2\nC- body\nS: ok\nS: ok\n");
    let (mut client, handle) = open(connector, &script, Chunking::Whole);
    client
        .exchange(|_, wire| {
            let mut group = wire.group();
            let _ = group.counted(&mut Cursor::new(&big), 40_000)?;
            group.put("FIRST").end(answer("FIRST"));
            group.put("PASS ").secret("password", b"hunter2")?.end(answer("PASS"));
            let _ = group.counted(&mut Cursor::new("body"), 4)?;
            group.send()
        })
        .unwrap();
    assert!(handle.sent().ends_with(b"body"));
    let seen = seen.lock().unwrap();
    assert!(seen.contains("C: FIRST\nC: PASS [redacted]\n") && !seen.contains("C: body"), "{seen}");
}

#[test]
fn tls_on_a_plain_port_is_told_from_its_first_byte() {
    for chunking in Chunking::ALL {
        let (transport, handle) = Script::new().server(b"\x15\x03\x03\0\x02\x02\x0a").eof().chunking(chunking).play();
        let connector = Connector::new().clock(handle.clock());
        let error = connector.over(Toy, transport, "toy.example", Security::Plain).unwrap_err();
        assert!(matches!(error, Error::WrongMode(_)), "{chunking:?}: {error:?}");
    }
}

#[test]
fn a_time_out_in_a_handshake_is_one_for_every_predicate() {
    struct Late;
    impl mailconnect::tls::Tls for Late {
        fn handshake(&self, host: &str, _: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
            Err(Error::handshake(host, std::io::Error::from(std::io::ErrorKind::TimedOut)))
        }
    }
    for security in [Security::Tls, Security::StartTls] {
        let (transport, handle) = Script::parse("S: hello\nSTALL\n").unwrap().play();
        let connector = Connector::new().clock(handle.clock()).tls(Late);
        let error = connector.over(Toy, transport, ("toy.example", 4), security).unwrap_err();
        assert!(error.is_timeout() && error.is_transient() && !error.is_permanent(), "{error:?}");
    }
}

#[test]
fn rule_11_a_mechanisms_password_is_hidden_as_that_of_login_is() {
    let mechanisms: [(Box<dyn Mechanism>, &str); 2] = [
        (Box::new(sasl::Plain::new("ann", "hunter22").unwrap()), "C: AUTH PLAIN AGFubgBodW50ZXIyMg==\n"),
        (
            Box::new(sasl::Login::new("ann", "hunter22").unwrap()),
            "C: AUTH LOGIN\nS: +\nC: YW5u\nS: +\nC: aHVudGVyMjI=\n",
        ),
    ];
    for (mut mechanism, exchange) in mechanisms {
        let script = format!("S: +OK\nC: CAPA\nS: -ERR\n{exchange}S: -ERR hunter22 is not the password of ann\n");
        let (transport, handle) = Script::parse(&script).unwrap().play();
        let connector = Connector::new().clock(handle.clock()).danger_plaintext_auth(true);
        let pop3 = mailconnect::pop3::Pop3::new();
        let mut client = connector.over(pop3, transport, "toy.example", Security::Plain).unwrap();
        let error = client.authenticate(&mut *mechanism).unwrap_err();
        handle.finish();
        assert!(error.to_string().ends_with("[redacted] is not the password of ann"), "{error}");
    }
}
