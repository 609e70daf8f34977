//! IDLE: what is heard, when it ends, and what is left afterwards.

use std::time::Duration;

use mailconnect::imap::{Event, Imap};
use mailconnect::testing::{Chunking, Mode, Script, ScriptHandle, Server};
use mailconnect::{Connector, Error, ImapClient, Security, TlsBackend};

use crate::{offering, open_with, rejected};

const MINUTE: Duration = Duration::from_secs(60);

fn heard(client: &mut ImapClient, time: Duration) -> Vec<Event> {
    let mut idle = client.idle(time).unwrap();
    let mut heard = Vec::new();
    while let Some(event) = idle.next_event().unwrap() {
        heard.push(event);
    }
    heard
}

fn scripted(script: &str) -> (ImapClient, ScriptHandle) {
    let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 IDLE] ready\n{script}")).unwrap();
    let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
    (client.unwrap(), handle)
}

#[test]
fn events_come_until_the_deadline() {
    let script = "C: A1 IDLE\nS: * 1 EXISTS\nS: * 1 FETCH (FLAGS (a) BODY[] {5}\nS- a\\r\\nb\\n\nS: )\nS: + idling\nPAUSE 10s\nS: * 2 EXPUNGE\n\
                  PAUSE 20s\nS: * OK still here\nPAUSE 29s\nS: * 3 EXISTS\nC: DONE\nS: * 4 EXISTS\nS: A1 OK done\nC: A2 NOOP\nS: A2 OK";
    offering("IDLE", script, |mut client| {
        let flags = Event::Flags { message: 1, uid: None, flags: vec!["a".into()] };
        let still = Event::Other(b"* OK still here".to_vec());
        // What comes with the answer to DONE is heard too.
        let all = [Event::Exists(1), flags, Event::Expunge(2), still, Event::Exists(3), Event::Exists(4)];
        assert_eq!(heard(&mut client, MINUTE), all);
        client.noop().unwrap();
    });
}

/// What a server says does not put the deadline off.
#[test]
fn the_deadline_counts_from_the_start() {
    let script =
        format!("C: A1 IDLE\nS: +\n{}C: DONE\nS: A1 OK\nC: A2 NOOP\nS: A2 OK", "PAUSE 7s\nS: * 1 EXISTS\n".repeat(8));
    let (mut client, handle) = scripted(&script);
    let before = handle.clock().elapsed();
    assert_eq!(heard(&mut client, MINUTE).len(), 8);
    let took = handle.clock().elapsed() - before;
    assert!(took >= MINUTE && took < MINUTE + Duration::from_secs(1), "{took:?}");
    client.noop().unwrap();
    handle.finish();
}

#[test]
fn it_begins_again_before_the_server_has_had_enough() {
    // Two hours: at 28, 56, 84 and 112 min.
    let renewals: String = (1..=4).map(|n| format!("C: DONE\nS: A{n} OK\nC: A{} IDLE\nS: +\n", n + 1)).collect();
    let script = format!("C: A1 IDLE\nS: +\n{renewals}C: DONE\nS: A5 OK\nC: A6 NOOP\nS: A6 OK");
    let (mut client, handle) = scripted(&script);
    assert!(heard(&mut client, 120 * MINUTE).is_empty());
    client.noop().unwrap();
    handle.finish();
    // As often as asked.
    let script =
        "C: A1 IDLE\nS: +\nC: DONE\nS: * 1 EXISTS\nS: A1 OK\nC: A2 IDLE\nS: * 2 EXISTS\nS: +\nC: DONE\nS: A2 OK";
    offering("IDLE", script, |mut client| {
        let mut idle = client.idle(5 * MINUTE).unwrap().renew_every(4 * MINUTE);
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(1)));
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(2)));
        assert_eq!(idle.next_event().unwrap(), None);
        assert_eq!(idle.next_event().unwrap(), None);
    });
}

/// Counted, not timed: a wake-up is a read, and the operating system is asked for nothing else.
#[test]
fn at_most_five_wake_ups_a_second() {
    let (mut client, handle) = scripted("C: A1 IDLE\nS: +\nC: DONE\nS: A1 OK");
    let (calls, reads) = (handle.calls(), handle.reads());
    assert!(heard(&mut client, 1000 * MINUTE / 60).is_empty());
    let (calls, reads) = (handle.calls() - calls, handle.reads() - reads);
    assert!(reads <= 5_000 && reads > 4_000, "{reads} reads in 1000 s");
    // A few more to begin and to end it.
    assert!(calls <= reads + 20, "{calls} calls, {reads} of them reads");
}

#[test]
fn another_thread_ends_it() {
    let (mut client, handle) = scripted("C: A1 IDLE\nS: +\nS: * 1 EXISTS\nC: DONE\nS: A1 OK\nC: A2 NOOP\nS: A2 OK");
    let mut idle = client.idle(60 * MINUTE).unwrap();
    let stop = idle.handle();
    assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(1)));
    let before = handle.clock().elapsed();
    std::thread::spawn(move || stop.done()).join().unwrap();
    assert_eq!(idle.next_event().unwrap(), None);
    assert!(handle.clock().elapsed() - before <= Duration::from_millis(250));
    client.noop().unwrap();
    handle.finish();
}

#[test]
fn what_a_server_says_in_place_of_a_plus() {
    for refusal in ["NO [INUSE] not now", "BAD what?"] {
        offering("IDLE", &format!("C: A1 IDLE\nS: * 1 EXISTS\nS: A1 {refusal}\nC: A2 NOOP\nS: A2 OK"), |mut client| {
            assert_eq!(rejected(&client.idle(MINUTE).unwrap_err()).0, "IDLE");
            client.noop().unwrap();
            assert_eq!(client.events().len(), 1);
        });
    }
    // It has ended it at once; DONE would be a command to it.
    offering("IDLE", "C: A1 IDLE\nS: * 1 EXISTS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK", |mut client| {
        assert_eq!(heard(&mut client, MINUTE), [Event::Exists(1)]);
        client.noop().unwrap();
    });
    // Or later.
    offering("IDLE", "C: A1 IDLE\nS: +\nPAUSE 5s\nS: A1 OK enough\nC: A2 NOOP\nS: A2 OK", |mut client| {
        assert!(heard(&mut client, MINUTE).is_empty());
        client.noop().unwrap();
    });
    offering("IDLE", "C: A1 IDLE\nS: +\nPAUSE 5s\nS: A1 BAD enough\nC: A2 NOOP\nS: A2 OK", |mut client| {
        let mut idle = client.idle(MINUTE).unwrap();
        assert_eq!(rejected(&idle.next_event().unwrap_err()).1, "BAD");
        assert_eq!(idle.next_event().unwrap(), None);
        client.noop().unwrap();
    });
}

#[test]
fn the_end_of_the_connection_is_an_error() {
    for (script, what) in [
        ("C: A1 IDLE\nEOF", "lost"),
        ("C: A1 IDLE\nSTALL", "timeout"),
        ("C: A1 IDLE\nS: + x\nPAUSE 3s\nEOF", "lost"),
        ("C: A1 IDLE\nS: + x\nPAUSE 3s\nRESET", "lost"),
        ("C: A1 IDLE\nS: + x\nPAUSE 3s\nS: * BYE gone\nEOF", "bye"),
        ("C: A1 IDLE\nS: + x\nPAUSE 3s\nS- * 1 EXI\nC: DONE\nSTALL", "timeout"),
        ("C: A1 IDLE\nS: + x\nC: DONE\nSTALL", "timeout"),
        ("C: A1 IDLE\nS: + x\nC: DONE\nEOF", "lost"),
        ("C: A1 IDLE\nS: + x\nPAUSE 3s\nS: A2 OK", "protocol"),
        ("C: A1 IDLE\nS: A2 OK", "protocol"),
    ] {
        for chunking in Chunking::ALL {
            let script = Script::parse(&format!("S: * OK [CAPABILITY IMAP4rev1 IDLE] hi\n{script}")).unwrap();
            let (client, _) = open_with(Connector::new(), Imap::new(), script.chunking(chunking), Security::Plain);
            let mut client = client.unwrap();
            let error = match client.idle(MINUTE) {
                Err(error) => error,
                Ok(mut idle) => match idle.next_event() {
                    Err(error) => error,
                    // In the middle of a response its end is left to the next command.
                    Ok(event) => {
                        assert_eq!(event, None);
                        client.noop().unwrap_err()
                    }
                },
            };
            let found = match &error {
                Error::ConnectionLost(_) => "lost",
                Error::Timeout(_) => "timeout",
                Error::Rejected(rejection) if rejection.closing => "bye",
                Error::Protocol(_) => "protocol",
                _ => "?",
            };
            assert_eq!(found, what, "{error:?}");
            assert!(!client.is_open());
        }
    }
}

/// Nothing that is dropped talks to the server; the next command does first.
#[test]
fn a_cursor_may_be_dropped_or_forgotten() {
    let script = "C: A1 IDLE\nS: +\nS: * 1 EXISTS\nS: * 2 EXISTS\nC: DONE\nS: * 3 EXISTS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK\nC: A3 LOGOUT\nS: A3 OK";
    offering("IDLE", script, |mut client| {
        let mut idle = client.idle(MINUTE).unwrap();
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(1)));
        std::mem::forget(idle);
        client.noop().unwrap();
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(2), Event::Exists(3)]);
        client.quit().unwrap();
    });
    let script = "C: A1 IDLE\nS: +\nS: * 1 EXISTS\nC: DONE\nS: A1 OK\nC: A2 IDLE\nS: +\nC: DONE\nS: A2 OK\nC: A3 LOGOUT\nS: A3 OK";
    offering("IDLE", script, |mut client| {
        drop(client.idle(MINUTE).unwrap());
        client.idle(MINUTE).unwrap().done().unwrap();
        client.quit().unwrap();
    });
    // The server has ended it in the meantime.
    let script = "C: A1 IDLE\nS: +\nS: * 1 EXISTS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK";
    offering("IDLE", script, |mut client| {
        drop(client.idle(MINUTE).unwrap());
        client.noop().unwrap();
        assert_eq!(client.events().len(), 1);
    });
}

/// What becomes of an IDLE that nobody listens to is no error of the next command.
#[test]
fn a_refusal_of_a_dropped_idle_costs_the_next_command_nothing() {
    for idle in ["S: +\nS: A1 BAD enough", "S: +\nC: DONE\nS: A1 NO odd"] {
        offering("IDLE", &format!("C: A1 IDLE\n{idle}\nC: A2 NOOP\nS: A2 OK"), |mut client| {
            drop(client.idle(MINUTE).unwrap());
            client.noop().unwrap();
        });
    }
    offering("IDLE", "C: A1 IDLE\nS: +\nS: * BYE gone", |mut client| {
        drop(client.idle(MINUTE).unwrap());
        assert!(client.noop().unwrap_err().rejection().unwrap().closing && !client.is_open());
    });
}

/// An IDLE that is renewed all the time would never wait for anything.
#[test]
fn it_is_renewed_once_a_second_at_most() {
    let script = "C: A1 IDLE\nS: +\nC: DONE\nS: A1 OK\nC: A2 IDLE\nS: +\nS: * 1 EXISTS\nC: DONE\nS: A2 OK";
    offering("IDLE", script, |mut client| {
        let mut idle = client.idle(MINUTE).unwrap().renew_every(Duration::ZERO);
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(1)));
        idle.done().unwrap();
    });
}

/// Against a real socket, on every back end of the build: in each round news of another session, an end by another thread, and
/// a client that can be used.
#[test]
fn twenty_rounds_on_every_back_end() {
    let backends = [
        cfg!(feature = "rustls").then_some(TlsBackend::Rustls),
        cfg!(feature = "native-tls").then_some(TlsBackend::NativeTls),
    ];
    for backend in backends.into_iter().flatten() {
        rounds(Mode::Tls, Connector::new().tls_backend(backend));
    }
    rounds(Mode::Plain, Connector::new());
}

/// The same as counted above, through the TLS of every back end: what it reads is counted below it.
#[test]
fn at_most_five_wake_ups_a_second_through_tls() {
    for backend in
        [(cfg!(feature = "rustls"), TlsBackend::Rustls), (cfg!(feature = "native-tls"), TlsBackend::NativeTls)]
    {
        let (true, backend) = backend else { continue };
        let server = Server::imap().mode(Mode::Tls).start().unwrap();
        let connector = Connector::new().tls_backend(backend);
        let connector = connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
        let (connector, counts) = crate::counting::counted(&connector, server.address());
        let mut client: ImapClient = connector.connect_ssl(server.endpoint()).unwrap();
        client.login("user", "password").unwrap();
        let mut idle = client.idle(Duration::from_secs(2)).unwrap();
        let before = counts.reads();
        assert_eq!(idle.next_event().unwrap(), None);
        let reads = counts.reads() - before;
        // Ten, and those of the answer to DONE.
        assert!(reads <= 14, "{reads} reads in 2 s on {backend:?}");
        client.noop().unwrap();
    }
}

fn rounds(mode: Mode, connector: Connector) {
    let server = Server::imap().mode(mode).start().unwrap();
    let connector = connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
    let open = || {
        let client = if mode == Mode::Tls {
            connector.connect_ssl(server.endpoint())
        } else {
            connector.connect(server.endpoint())
        };
        let mut client: ImapClient = client.unwrap();
        client.login("user", "password").unwrap();
        client
    };
    let (mut listener, mut other) = (open(), open());
    listener.select("INBOX").unwrap();
    for round in 1..=20 {
        let mut idle = listener.idle(MINUTE).unwrap();
        let stop = idle.handle();
        other.append("INBOX", &[], b"Subject: x\r\n\r\nx\r\n").unwrap();
        assert_eq!(idle.next_event().unwrap(), Some(Event::Exists(round)), "{mode:?}");
        let waker = std::thread::spawn(move || stop.done());
        assert_eq!(idle.next_event().unwrap(), None);
        waker.join().unwrap();
        listener.noop().unwrap();
    }
    listener.quit().unwrap();
    let said = server.transcript();
    let count = |line: &str| said.iter().filter(|said| said.ends_with(line)).count();
    assert_eq!((count(" IDLE"), count("C: DONE"), count("OK IDLE completed")), (20, 20, 20));
}
