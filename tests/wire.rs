//! Proofs on the real `Wire`, by a toy protocol over a script: what is due stays in the wire, whatever a caller does
//! with what was lent to it.

#![allow(clippy::forget_non_drop, clippy::drop_non_drop, reason = "that it makes no difference is the point")]

mod toy;

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::testing::{Chunking, Script};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::wire::{BodyOutcome, LineEnds, Part, Ready};
use mailconnect::{Connector, Error, Limits, Phase, Security};
use toy::{Toy, answer, ask, open, send};

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

fn deflate(lower: Box<dyn Transport>) -> mailconnect::Result<Box<dyn Transport>> {
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
