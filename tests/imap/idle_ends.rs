//! IDLE: ends in the middle of a response, and ends that cross.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailconnect::imap::{Event, IdleHandle, Imap};
use mailconnect::testing::{Chunking, Script, ScriptHandle, VirtualClock};
use mailconnect::transport::Clock;
use mailconnect::{Connector, Error, ImapClient, Security, Timeouts, TlsBackend};

use crate::{offering, open_with, rejected};

const MINUTE: Duration = Duration::from_secs(60);

/// How late an end may be.
const LATE: Duration = Duration::from_millis(250);

/// A response in halves: the first is there, the other comes once DONE was sent. What is told of it in the end.
fn halves() -> [(&'static str, &'static str, Vec<Event>); 7] {
    let flags = || Event::Flags { message: 1, uid: None, flags: vec!["a".into()] };
    [
        ("* 1 EXI", "STS\\r\\n", vec![Event::Exists(1)]),
        ("* 1 EXISTS\\r", "\\n", vec![Event::Exists(1)]),
        ("* LIST () \"/\" {3}\\r\\na", "bc\\r\\n", vec![Event::Other(b"* LIST () \"/\" {3}\r\nabc".to_vec())]),
        ("* 1 FETCH (FLAGS (a) BODY[] {5}", "\\r\\nA1 OK)\\r\\n", vec![flags()]),
        ("* 1 FETCH (FLAGS (a) BODY[] {9}\\r\\nA1 ", "OK\\r\\nb\\n)\\r\\n", vec![flags()]),
        ("* 1 FETCH (FLAGS (a) BODY[] {2}\\r\\nab", ")\\r\\n", vec![flags()]),
        ("* 1 FETCH (FLAGS (a) BODY[] {2}\\r\\nab", "A1 OK)\\r\\n", vec![flags()]),
    ]
}

#[track_caller]
fn scripted(script: &str, chunking: Chunking) -> (ImapClient, ScriptHandle) {
    let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 IDLE] ready\n{script}")).unwrap();
    let (client, handle) = open_with(Connector::new(), Imap::new(), script.chunking(chunking), Security::Plain);
    (client.unwrap(), handle)
}

/// Calls [`IdleHandle::done`] once it is so late.
#[derive(Clone)]
struct Alarm {
    clock: VirtualClock,
    at: Duration,
    stop: Arc<Mutex<Option<IdleHandle>>>,
}

impl Clock for Alarm {
    fn now(&self) -> Instant {
        if self.clock.elapsed() >= self.at {
            if let Some(stop) = self.stop.lock().unwrap().take() {
                stop.done();
            }
        }
        self.clock.now()
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alarm")
    }
}

/// Opens a client whose IDLE is ended by its handle after so long.
#[track_caller]
fn alarmed(script: &str, chunking: Chunking, at: Duration) -> (ImapClient, ScriptHandle, Alarm) {
    let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 IDLE] ready\n{script}")).unwrap();
    let (transport, handle) = script.chunking(chunking).play();
    let alarm = Alarm { clock: handle.clock(), at, stop: Arc::default() };
    let connector = Connector::new().clock(alarm.clone());
    let client = connector.over(Imap::new(), transport, "mail.example.com", Security::Plain);
    (client.unwrap(), handle, alarm)
}

#[test]
fn another_thread_ends_it_in_the_middle_of_a_response() {
    for (half, rest, told) in halves() {
        for chunking in Chunking::ALL {
            let script = format!(
                "C: A1 IDLE\nS: +\nPAUSE 5s\nS- {half}\nC: DONE\nS- {rest}\nS: * 9 EXISTS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK"
            );
            let at = Duration::from_secs(7) + LATE / 2;
            let (mut client, handle, alarm) = alarmed(&script, chunking, at);
            let mut idle = client.idle(60 * MINUTE).unwrap();
            *alarm.stop.lock().unwrap() = Some(idle.handle());
            let mut heard = Vec::new();
            while let Some(event) = idle.next_event().unwrap() {
                heard.push(event);
            }
            let took = handle.clock().elapsed();
            assert!(took >= at && took <= at + LATE, "{half}: {took:?}");
            assert_eq!(heard, [&told[..], &[Event::Exists(9)]].concat(), "{half}");
            client.noop().unwrap();
            assert!(client.events().is_empty());
            handle.finish();
        }
    }
}

/// Whatever is half there is for the next command to read.
#[test]
fn the_deadline_holds_in_the_middle_of_a_response() {
    for (half, rest, told) in halves() {
        for chunking in Chunking::ALL {
            let script = format!(
                "C: A1 IDLE\nS: +\nPAUSE 5s\nS- {half}\nC: DONE\nPAUSE 20s\nS- {rest}\nS: A1 OK\nC: A2 NOOP\nS: A2 OK"
            );
            let (mut client, handle) = scripted(&script, chunking);
            let mut idle = client.idle(MINUTE).unwrap();
            // The head of a message tells of its flags before the message is whole.
            let mut heard: Vec<_> = std::iter::from_fn(|| idle.next_event().unwrap()).collect();
            assert_eq!(idle.next_event().unwrap(), None);
            let took = handle.clock().elapsed();
            assert!(took >= MINUTE && took <= MINUTE + LATE, "{half}: {took:?}");
            client.noop().unwrap();
            heard.extend(client.events());
            assert_eq!(heard, told, "{half}");
            handle.finish();
        }
    }
}

#[test]
fn a_cursor_in_the_middle_of_a_response_can_be_ended_or_dropped() {
    let end = "C: DONE\nS: STS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK";
    let script = format!("C: A1 IDLE\nS: +\nS- * 1 EXI\n{end}");
    for past_deadline in [true, false] {
        for forgotten in [true, false] {
            offering("IDLE", &script, |mut client| {
                let mut idle = client.idle(MINUTE).unwrap();
                if past_deadline {
                    assert_eq!(idle.next_event().unwrap(), None);
                }
                if forgotten {
                    std::mem::forget(idle)
                } else {
                    idle.done().unwrap()
                }
                client.noop().unwrap();
                assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(1)]);
            });
        }
    }
}

/// It is the server's own end that is half there.
#[test]
fn half_of_the_end_is_there() {
    for (half, rest) in [("A1", " OK\\r\\n"), ("A", "1 OK\\r\\n"), ("A1 OK\\r", "\\n")] {
        let end = format!("S- {half}\nC: DONE\nS- {rest}\nS: DONE BAD what?\nC: A2 NOOP\nS: A2 OK");
        offering("IDLE", &format!("C: A1 IDLE\nS: +\n{end}"), |mut client| {
            assert_eq!(client.idle(MINUTE).unwrap().next_event().unwrap(), None);
            client.noop().unwrap();
            assert!(client.events().is_empty());
        });
    }
}

#[test]
fn it_begins_again_in_the_middle_of_a_response() {
    let end = "C: DONE\nS: STS\nS: A1 OK\nC: A2 IDLE\nS: +\nPAUSE 1s\nS: * 2 EXISTS\nC: DONE\nS: A2 OK";
    offering("IDLE", &format!("C: A1 IDLE\nS: +\nS- * 1 EXI\n{end}"), |mut client| {
        let mut idle = client.idle(5 * MINUTE).unwrap().renew_every(4 * MINUTE);
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(1)));
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(2)));
        idle.done().unwrap();
    });
}

/// A byte a second puts off neither the deadline nor, in the end, the time-out of the next command.
#[test]
fn a_response_that_drips_stretches_nothing() {
    let drip = |bytes: usize| format!("C: A1 IDLE\nS: +\nDRIP 1s\nS: * OK {}\nDRIP 0s\n", "x".repeat(bytes));
    for chunking in Chunking::ALL {
        let (mut client, handle) = scripted(&format!("{}C: DONE\nS: A1 OK\nC: A2 NOOP\nS: A2 OK", drip(80)), chunking);
        let mut idle = client.idle(MINUTE).unwrap();
        assert_eq!(idle.next_event().unwrap(), None);
        assert!(handle.clock().elapsed() <= MINUTE + LATE);
        client.noop().unwrap();
        assert_eq!(client.events().len(), 1);
        handle.finish();

        let (mut client, handle) = scripted(&(drip(500) + "C: DONE\nSTALL"), chunking);
        assert_eq!(client.idle(MINUTE).unwrap().next_event().unwrap(), None);
        let error = client.noop().unwrap_err();
        assert!(error.is_timeout() && !client.is_open(), "{error:?}");
        assert!(handle.clock().elapsed() <= 2 * MINUTE + Duration::from_secs(1), "{:?}", handle.clock().elapsed());
    }
}

#[test]
fn what_breaks_in_the_middle_of_a_response_is_an_error() {
    for (end, what) in [("EOF", "lost"), ("RESET", "lost"), ("S- \\x00 OK {99999999}\\r\\n", "limit")] {
        for chunking in Chunking::ALL {
            let (mut client, _) = scripted(&format!("C: A1 IDLE\nS: +\nS- * 1 X\nPAUSE 3s\n{end}"), chunking);
            let mut idle = client.idle(MINUTE).unwrap();
            let error = idle.next_event().unwrap_err();
            let found = match &error {
                Error::ConnectionLost(_) => "lost",
                Error::Limit(_) => "limit",
                _ => "?",
            };
            assert_eq!(found, what, "{error:?}");
            assert!(idle.next_event().unwrap().is_none() && !client.is_open());
        }
    }
}

/// The server has ended it by itself while DONE was on its way, which it then takes for a command: what Dovecot, Mailutils,
/// Courier and Cyrus say to that, and servers that know no tag at all.
#[test]
fn an_end_that_crosses_done_is_no_error() {
    for refusal in [
        "DONE BAD Error in IMAP command: Invalid command name (0.001 + 0.000 secs).",
        "DONE BAD  Missing command",
        "DONE NO Error in IMAP command received by server.",
        "* BAD Invalid tag",
        "BAD Unknown command",
    ] {
        for end in ["A1 OK enough", "A1 NO enough", "A1 BAD enough"] {
            // It is there before the next command, or comes with its answer.
            for (early, late) in [(refusal, ""), ("* 1 EXISTS", refusal)] {
                let late = if late.is_empty() { String::new() } else { format!("S: {late}\n") };
                let script = format!("C: A1 IDLE\nS: +\nC: DONE\nS: {end}\nS: {early}\n");
                let noop = format!("C: A2 NOOP\n{late}S: * 2 EXISTS\nS: A2 OK\nC: A3 NOOP\nS: A3 OK");
                offering("IDLE", &(script.clone() + &noop), |mut client| {
                    drop(client.idle(MINUTE).unwrap());
                    client.noop().unwrap();
                    assert!(client.events().any(|event| event == Event::Exists(2)));
                    client.noop().unwrap();
                });
                let again = format!("C: A2 IDLE\n{late}S: +\nC: DONE\nS: A2 OK\nC: A3 NOOP\nS: A3 OK");
                offering("IDLE", &(script.clone() + &again), |mut client| {
                    drop(client.idle(MINUTE).unwrap());
                    client.idle(MINUTE).unwrap().done().unwrap();
                    client.noop().unwrap();
                });
                let fetch = format!("C: A2 FETCH 1 FLAGS\n{late}S: * 1 FETCH (FLAGS (a))\nS: A2 OK");
                offering("IDLE", &(script.clone() + &fetch), |mut client| {
                    drop(client.idle(MINUTE).unwrap());
                    assert_eq!(client.fetch(1, "FLAGS").unwrap().collect().unwrap().len(), 1);
                });
                let batch = format!("C: A2 NOOP\nC: A3 UID SEARCH ALL\n{late}S: A2 OK\nS: * SEARCH 7\nS: A3 OK");
                offering("IDLE", &(script + &batch), |mut client| {
                    drop(client.idle(MINUTE).unwrap());
                    let mut batch = client.batch();
                    batch.noop();
                    let found = batch.uid_search("ALL");
                    assert_eq!(batch.run().unwrap().take(found).unwrap(), [7]);
                });
            }
        }
    }
}

/// A refusal of DONE is one only where a DONE may have crossed, and only once.
#[test]
fn what_answers_no_done_is_an_error() {
    let idle = "C: A1 IDLE\nS: +\nC: DONE\nS: A1 OK\n";
    for (script, what) in [
        (format!("{idle}C: A2 NOOP\nS: DONE BAD x\nS: DONE BAD x\nS: A2 OK"), "twice"),
        (format!("{idle}S: DONE BAD x\nC: A2 NOOP\nS: DONE BAD x\nS: A2 OK"), "before and after"),
        (format!("{idle}C: A2 NOOP\nS: DONE OK x\nS: A2 OK"), "a success"),
        (format!("{idle}C: A2 NOOP\nS: A1 BAD x\nS: A2 OK"), "another tag"),
        (format!("{idle}C: A2 NOOP\nS: NO x\nS: A2 OK"), "no tag"),
        (format!("{idle}C: A2 NOOP\nS: + go\nS: DONE BAD x\nS: A2 OK"), "a command that is being answered"),
        ("C: A1 IDLE\nS: +\nS: A1 OK\nC: A2 NOOP\nS: DONE BAD x\nS: A2 OK".to_owned(), "no DONE was sent"),
        ("C: A1 IDLE\nS: +\nS: DONE BAD x\nC: DONE\nS: A1 OK".to_owned(), "before DONE"),
    ] {
        for chunking in Chunking::ALL {
            let (mut client, _) = scripted(&script, chunking);
            drop(client.idle(MINUTE).unwrap());
            let error = client.noop().unwrap_err();
            assert!(matches!(error, Error::Protocol(_)) && !client.is_open(), "{what}: {error:?}");
        }
    }
    // The answer to a later command is past it.
    for chunking in Chunking::ALL {
        let (mut client, _) = scripted(&format!("{idle}C: A2 NOOP\nS: A2 OK\nC: A3 NOOP\nS: DONE BAD x"), chunking);
        client.idle(MINUTE).unwrap().done().unwrap();
        client.noop().unwrap();
        assert!(matches!(client.noop().unwrap_err(), Error::Protocol(_)));
    }
}

/// What seems to refuse DONE may be the rest of a string with a line end in it, and what follows then is its literal.
#[test]
fn rule_7_a_string_refuses_no_done() {
    for (word, seen) in [("bad", Some(2)), ("Bad", Some(2)), ("BAD", None)] {
        for chunking in Chunking::ALL {
            let script = format!(
                "C: A1 IDLE\nS: +\nC: DONE\nS: A1 OK\nC: A2 FETCH 1:2 ENVELOPE\nS: * 1 FETCH (ENVELOPE (NIL \"x\n\
                 S: {word} day\" (({{7}}\nS: A2 OK\nS:  NIL NIL NIL)) NIL))\nS: * 2 FETCH (UID 2)\nS: A2 OK"
            );
            let (mut client, _) = scripted(&script, chunking);
            drop(client.idle(MINUTE).unwrap());
            let found = client.fetch("1:2", "ENVELOPE").unwrap().collect();
            assert_eq!(found.as_ref().ok().map(Vec::len), seen, "{word}: {found:?}");
            assert_eq!(client.is_open(), seen.is_some());
        }
    }
}

/// The next verb gives an IDLE that was dropped as much time as itself.
#[test]
fn a_goodbye_after_it_takes_no_longer_than_another() {
    for stalls in ["C: DONE\nSTALL", "C: DONE\nS: A1 OK\nC: A2 LOGOUT\nSTALL"] {
        let (mut client, handle) = scripted(&format!("C: A1 IDLE\nS: +\n{stalls}"), Chunking::Whole);
        drop(client.idle(MINUTE).unwrap());
        let start = handle.clock().now();
        let error = client.quit().unwrap_err();
        assert!(error.is_timeout());
        assert_eq!((handle.clock().now() - start).as_secs(), Timeouts::default().close.as_secs());
    }
}

/// Nor is it taken for the answer to the next command.
#[test]
fn a_goodbye_that_crosses_done_is_told() {
    for end in ["S: * BYE gone\nEOF", "S: A1 OK\nS: * BYE gone\nEOF", "S: * BYE gone\nS: DONE BAD x\nEOF"] {
        let (mut client, _) = scripted(&format!("C: A1 IDLE\nS: +\nC: DONE\n{end}"), Chunking::Whole);
        drop(client.idle(MINUTE).unwrap());
        let error = client.noop().unwrap_err();
        assert_eq!(rejected(&error).1, "BYE", "{error:?}");
        assert!(!client.is_open());
    }
}

/// On a socket, through every back end of the build: half a response is there when the other thread ends it, and the rest
/// comes only after DONE.
#[test]
fn half_a_response_on_every_back_end() {
    let backends = [
        (true, None),
        (cfg!(feature = "rustls"), Some(TlsBackend::Rustls)),
        (cfg!(feature = "native-tls"), Some(TlsBackend::NativeTls)),
    ];
    for (_, backend) in backends.into_iter().filter(|(built, _)| *built) {
        for (half, rest, told) in halves() {
            let tls = if backend.is_some() { "TLS\n" } else { "" };
            let server = Script::parse(&format!(
                "{tls}S: * OK [CAPABILITY IMAP4rev1 IDLE] hi\nC: A1 IDLE\nS: +\nS- * 8 EXISTS\\r\\n{half}\nC: DONE\nS- {rest}\n\
                 S: A1 OK\nS: DONE BAD what?\nC: A2 NOOP\nS: A2 OK\nC: A3 LOGOUT\nS: A3 OK\nCLOSE"
            ));
            let server = server.unwrap().listen().unwrap();
            let mut client = connect(&server, backend);
            let mut idle = client.idle(10 * MINUTE).unwrap();
            let stop = idle.handle();
            assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(8)));
            let other = std::thread::spawn(move || stop.done());
            let heard: Vec<_> = std::iter::from_fn(|| idle.next_event().unwrap()).collect();
            assert_eq!(heard, told, "{half} on {backend:?}");
            other.join().unwrap();
            client.noop().unwrap();
            client.quit().unwrap();
            server.finish();
        }
    }
}

fn connect(server: &mailconnect::testing::ScriptServer, backend: Option<TlsBackend>) -> ImapClient {
    // Where it hangs, it should not hang for a minute each time.
    let mut timeouts = Timeouts::default();
    timeouts.command = Duration::from_secs(20);
    let connector = Connector::new().timeouts(timeouts);
    let Some(backend) = backend else { return connector.connect(server.endpoint()).unwrap() };
    let connector = connector.tls_backend(backend);
    let connector = connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
    connector.connect_ssl(server.endpoint()).unwrap()
}
