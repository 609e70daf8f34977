//! Proofs on the real `Wire` of waits that may end without harm: half a part is kept, and read on.

mod toy;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailconnect::testing::Chunking;
use mailconnect::transport::{Clock, Deadline, Transport};
use mailconnect::wire::{Part, Wire};
use mailconnect::{Connector, Result, Security};
use toy::{Toy, answer, open, send};

/// What comes in halves, the part that it is, and what follows that.
const HALVES: [(&str, &[(Part, &str)]); 6] = [
    ("S- ne\nPAUSE 100s\nS: ws\n", &[(Part::Last, "news\r\n")]),
    ("S- news\\r\nPAUSE 100s\nS- \\n\n", &[(Part::Last, "news\r\n")]),
    ("PAUSE 100s\nS: news\n", &[(Part::Last, "news\r\n")]),
    ("S: BODY 5\nS- ab\nPAUSE 100s\nS- cdeend\nS:\n", &[(Part::Body, "BODY 5\r\n"), (Part::Last, "end\r\n")]),
    ("S: BODY 5\nS- abcdee\nPAUSE 100s\nS: nd\n", &[(Part::Body, "BODY 5\r\n"), (Part::Last, "end\r\n")]),
    ("S: DOTTED\nS- a\\r\nPAUSE 100s\nS- \\n.\\r\\n\nS: x\n", &[(Part::Body, "DOTTED\r\n"), (Part::Last, "x\r\n")]),
];

/// Expects these parts, softly; where it has waited in vain, `impatient` may go on. Says how often that was.
fn read(
    wire: &mut Wire,
    parts: &[(Part, &str)],
    mut impatient: impl FnMut(&mut Wire) -> Result<bool>,
) -> Result<usize> {
    let mut waits = 0;
    for &(part, text) in parts {
        let found = loop {
            if let Some(found) = wire.next_part_by(wire.now() + Duration::from_secs(30))? {
                break found;
            }
            assert!(wire.frame().is_empty(), "half a frame is none");
            waits += 1;
            if impatient(wire)? {
                break wire.next_part()?;
            }
        };
        assert_eq!((found, wire.frame()), (part, text.as_bytes()));
    }
    Ok(waits)
}

fn begin(wire: &mut Wire, halves: &str) -> Result<()> {
    send(wire, "IDLE")?;
    if halves.contains("DOTTED") {
        // Its answer ends with its body.
        wire.expect(answer("another"));
    }
    Ok(())
}

#[test]
fn rule_5_half_a_part_is_kept_and_waited_for() {
    for chunking in Chunking::ALL {
        for (halves, parts) in HALVES {
            let (mut client, handle) =
                open(Connector::new(), &format!("S: hello\nC: IDLE\n{halves}C: QUIT\nS: bye\n"), chunking);
            let waits = client.exchange(|_, wire| {
                begin(wire, halves)?;
                read(wire, parts, |_| Ok(false))
            });
            assert_eq!(waits.unwrap(), 3, "{halves}");
            client.quit().unwrap();
            handle.finish();
        }
    }
}

/// Another command may go out in the middle of a part; its own answer comes after that.
#[test]
fn rule_8_half_a_part_is_no_part_of_the_next_answer() {
    for chunking in Chunking::ALL {
        for (halves, parts) in HALVES {
            let script = format!("S: hello\nC: IDLE\n{}S: answer\n", halves.replace("PAUSE 100s", "C: ASK"));
            let (mut client, handle) = open(Connector::new(), &script, chunking);
            let waits = client.exchange(|_, wire| {
                begin(wire, halves)?;
                let waits = read(wire, parts, |wire| send(wire, "ASK").map(|()| true))?;
                read(wire, &[(Part::Last, "answer\r\n")], |_| Ok(false)).map(|_| waits)
            });
            assert_eq!(waits.unwrap(), 1, "{halves}");
            handle.finish();
        }
    }
}

/// What is half read when the next command begins is read away, unless its protocol wants to go on with it.
#[test]
fn rule_8_half_an_answer_is_left_where_that_was_asked_for() {
    for chunking in Chunking::ALL {
        for (resumable, next) in [(true, "news\r\n"), (false, "answer\r\n")] {
            let script = "S: hello\nS- ne\nPAUSE 20s\nS: ws\nS: answer\nSTALL";
            let (mut client, _handle) = open(Connector::new(), script, chunking);
            let begun = client.exchange(|_, wire| {
                let news = answer("news");
                wire.expect(if resumable { news.resumable() } else { news });
                wire.next_part_by(wire.now() + Duration::from_secs(10))
            });
            assert_eq!(begun.unwrap(), None);
            let read_on = client.exchange(|_, wire| {
                assert_eq!(wire.answers_due(), usize::from(resumable));
                if !resumable {
                    wire.expect(answer("another"));
                }
                read(wire, &[(Part::Last, next)], |_| Ok(false))
            });
            assert!(read_on.is_ok(), "{read_on:?}");
        }
    }
}

/// Where a command has gone out since, its answer is not left for the next.
#[test]
fn rule_8_half_an_answer_is_not_left_before_another() {
    for chunking in Chunking::ALL {
        let script = "S: hello\nS- ne\nC: ASK\nS: ws\nS: answer\nC: NEXT\nS: next\n";
        let (mut client, handle) = open(Connector::new(), script, chunking);
        let begun = client.exchange(|_, wire| {
            wire.expect(answer("news").resumable());
            assert_eq!(wire.next_part_by(wire.now())?, None);
            send(wire, "ASK")
        });
        begun.unwrap();
        let asked = client.exchange(|_, wire| {
            send(wire, "NEXT")?;
            read(wire, &[(Part::Last, "next\r\n")], |_| Ok(false))
        });
        assert!(asked.is_ok(), "{asked:?}");
        handle.finish();
    }
}

/// Gives bytes without end, at once; its clock goes on by 1 ms whenever somebody looks at it.
#[derive(Debug, Clone)]
struct Endless {
    now: Arc<Mutex<Instant>>,
    reads: Arc<Mutex<usize>>,
}

impl Clock for Endless {
    fn now(&self) -> Instant {
        let mut now = self.now.lock().unwrap();
        *now += Duration::from_millis(1);
        *now
    }
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut reads = self.reads.lock().unwrap();
        *reads += 1;
        assert!(*reads < 1_000, "it is read without end");
        let mut start = if *reads == 1 { b"hello\nBODY 99999999999999\n".as_slice() } else { &[] };
        let n = start.read(buf)?;
        Ok(if n > 0 { n } else { buf.len() })
    }
}

impl Write for Endless {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Endless {
    fn set_deadline(&mut self, _: Deadline) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn rule_5_a_server_that_never_stops_stretches_no_soft_wait() {
    let endless = Endless { now: Arc::new(Mutex::new(Instant::now())), reads: Arc::default() };
    let connector = Connector::new().clock(endless.clone());
    let mut client = connector.over(Toy, endless.clone(), "toy.example", Security::Plain).unwrap();
    let result = client.exchange(|_, wire| {
        wire.expect(answer("news"));
        assert_eq!(wire.next_part()?, Part::Body);
        let reads = || *endless.reads.lock().unwrap();
        for wait in [0, 0, 50, 0] {
            let before = reads();
            assert_eq!(wire.next_part_by(wire.now() + Duration::from_millis(wait))?, None);
            // One at least, and none after 10 ms, in which the clock is looked at ten times.
            assert!(
                (1..=10 + usize::try_from(wait).unwrap()).contains(&(reads() - before)),
                "{} reads",
                reads() - before
            );
        }
        Ok(())
    });
    result.unwrap();
}
