//! The secure transport: nothing is lost, doubled or waited for, whatever happens below it.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::rig::*;
use crate::net::Deadline;
use crate::tls::{TlsBackend, TlsSettings};

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * n / 7) as u8).collect()
}

fn setup(version: usize, backend: TlsBackend) -> (Server, TlsSettings) {
    let root = Authority::root("Root");
    (Server::new(&root.issue(&params(HOST)), VERSIONS[version]), on(backend, trusting(&[&root.der])))
}

/// Every version on every back end.
fn everywhere(test: impl Fn(Server, TlsSettings)) {
    for backend in BACKENDS {
        for version in [0, 1] {
            eprintln!("{:?} on {backend:?}", VERSIONS[version].version);
            let (server, settings) = setup(version, *backend);
            test(server, settings);
        }
    }
}

#[test]
fn a_read_goes_on_after_a_soft_deadline_in_the_middle_of_a_record() {
    everywhere(|server, settings| {
        for step in [1, 7, 5000] {
            let sent = data(if step == 1 { 3000 } else { 100_000 });
            let copy = sent.clone();
            let (plain, session) = server.run(move |mut tls| {
                tls.write_all(&copy).unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            });
            let valve = Valve::open(ErrorKind::WouldBlock);
            let mut tls = connect(&settings, valve.on(plain)).unwrap();
            session.join().unwrap();
            valve.reads.store(0, SeqCst);
            let (mut received, mut block, mut blocked) = (Vec::new(), [0; 1000], 0);
            loop {
                match tls.read(&mut block) {
                    Ok(0) => break,
                    Ok(n) => received.extend_from_slice(&block[..n]),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        blocked += 1;
                        valve.reads.store(step, SeqCst);
                    }
                }
            }
            assert!(received == sent && blocked > 10);
        }
    });
}

#[test]
fn a_write_goes_on_after_a_soft_deadline_without_loss_or_doubling() {
    everywhere(|server, settings| {
        let (plain, session) = server.run(|mut tls| {
            let mut all = Vec::new();
            tls.read_to_end(&mut all).map(|_| all)
        });
        let valve = Valve::open(ErrorKind::WouldBlock);
        let mut tls = connect(&settings, valve.on(plain)).unwrap();
        valve.writes.store(0, SeqCst);
        let sent = data(200_000);
        let (mut rest, mut blocked) = (&sent[..], 0);
        while !rest.is_empty() {
            match tls.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    blocked += 1;
                    valve.writes.store(777, SeqCst);
                }
            }
        }
        while let Err(error) = tls.flush() {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            valve.writes.store(777, SeqCst);
        }
        valve.writes.store(1000, SeqCst);
        tls.close().unwrap();
        assert!(session.join().unwrap().unwrap() == sent && blocked > 100);
    });
}

#[cfg(feature = "rustls")]
#[test]
fn a_failure_after_bytes_were_taken_is_reported_by_the_next_call() {
    for flush in [true, false] {
        let (server, settings) = setup(1, TlsBackend::Rustls);
        let (plain, _session) = server.echo();
        let valve = Valve::open(ErrorKind::TimedOut);
        let mut tls = connect(&settings, valve.on(plain)).unwrap();
        valve.writes.store(3, SeqCst);
        assert_eq!(tls.write(b"hello").unwrap(), 5);
        valve.writes.store(1 << 20, SeqCst);
        let error = if flush { tls.flush().unwrap_err() } else { tls.write(b"x").unwrap_err() };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn only_a_close_notify_is_a_clean_end() {
    everywhere(|server, settings| {
        for clean in [true, false] {
            let (plain, session) = server.run(move |mut tls| {
                tls.write_all(b"bye").unwrap();
                if clean {
                    tls.conn.send_close_notify();
                }
                tls.flush().unwrap();
            });
            let mut tls = connect(&settings, plain).unwrap();
            session.join().unwrap();
            let mut all = Vec::new();
            let end = tls.read_to_end(&mut all);
            assert_eq!(all, b"bye");
            match end {
                Ok(_) => assert!(clean),
                Err(error) => assert!(!clean && error.kind() == ErrorKind::UnexpectedEof),
            }
            assert_eq!(tls.read(&mut []).unwrap(), 0);
        }
    });
}

#[test]
fn close_says_goodbye_and_never_waits() {
    for backend in BACKENDS {
        let (server, settings) = setup(1, *backend);
        let (plain, session) = server.echo();
        let mut tls = connect(&settings, plain).unwrap();
        ping(&mut *tls);
        tls.close().unwrap();
        tls.close().unwrap();
        assert_eq!(session.join().unwrap().unwrap(), b"ping");

        for kind in [ErrorKind::WouldBlock, ErrorKind::BrokenPipe] {
            let (plain, session) = server.echo();
            let valve = Valve::open(kind);
            let mut tls = connect(&settings, valve.on(plain)).unwrap();
            valve.writes.store(0, SeqCst);
            tls.close().unwrap();
            drop(tls);
            assert!(session.join().unwrap().is_err());
        }
    }
}

#[test]
fn deadlines_are_passed_down() {
    for backend in BACKENDS {
        let (server, settings) = setup(1, *backend);
        let (plain, _session) = server.echo();
        let mut tls = connect(&settings, plain).unwrap();
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let mut look = |deadline| {
            tls.set_deadline(deadline).unwrap();
            tls.read(&mut [0]).unwrap_err().kind()
        };
        assert_eq!(look(Deadline::soft(past)), ErrorKind::WouldBlock);
        assert_eq!(look(Deadline::hard(past)), ErrorKind::TimedOut);
        tls.set_deadline(Deadline::hard(Instant::now() + Duration::from_secs(60))).unwrap();
        ping(&mut *tls);
    }
}

#[test]
fn new_keys_are_taken_and_given() {
    for backend in BACKENDS {
        let (server, settings) = setup(1, *backend);
        let (plain, session) = server.run(|mut tls| {
            let mut all = vec![0; 8];
            tls.conn.complete_io(&mut tls.sock)?;
            for half in all.chunks_mut(4) {
                tls.conn.refresh_traffic_keys().unwrap();
                tls.write_all(b"ping")?;
                tls.flush()?;
                tls.read_exact(half)?;
            }
            io::Result::Ok(all)
        });
        let mut tls = connect(&settings, plain).unwrap();
        ping(&mut *tls);
        ping(&mut *tls);
        assert_eq!(session.join().unwrap().unwrap(), b"pingping");
    }
}

#[test]
fn garbage_in_the_stream_is_an_error_and_is_answered() {
    for backend in BACKENDS {
        let (server, settings) = setup(1, *backend);
        let (plain, session) = server.run(|mut tls| {
            tls.conn.complete_io(&mut tls.sock).unwrap();
            tls.sock.write_all(&[0x17, 3, 3, 0, 20]).unwrap();
            tls.sock.write_all(&[0xa5; 20]).unwrap();
            tls.read(&mut [0; 1]).unwrap_err().to_string()
        });
        let mut tls = connect(&settings, plain).unwrap();
        tls.set_deadline(Deadline::hard(Instant::now() + Duration::from_secs(60))).unwrap();
        for _ in 0..2 {
            let kind = tls.read(&mut [0]).unwrap_err().kind();
            assert!(kind == ErrorKind::InvalidData || *backend == TlsBackend::NativeTls, "{kind:?}");
        }
        drop(tls);
        assert!(session.join().unwrap().contains("BadRecordMac"));
    }
}

#[test]
fn one_system_call_fetches_many_records() {
    for backend in BACKENDS {
        let (server, settings) = setup(1, *backend);
        let (plain, session) = server.run(|mut tls| {
            tls.conn.complete_io(&mut tls.sock).unwrap();
            for line in 0..100 {
                tls.conn.writer().write_all(format!("line {line:03}\r\n").as_bytes()).unwrap();
            }
            let mut records = Vec::new();
            while tls.conn.wants_write() {
                tls.conn.write_tls(&mut records).unwrap();
            }
            tls.sock.write_all(&records).unwrap();
            records.len()
        });
        let valve = Valve::open(ErrorKind::WouldBlock);
        let mut tls = connect(&settings, valve.on(plain)).unwrap();
        assert!(session.join().unwrap() > 100 * 30);
        let before = valve.calls.load(SeqCst);
        tls.read_exact(&mut [0; 100 * 10]).unwrap();
        assert!(valve.calls.load(SeqCst) - before <= 3);
    }
}
