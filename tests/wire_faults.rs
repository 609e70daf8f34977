//! What a hostile server, a broken transport and a failing caller can do to the real `Wire`, and what it says of it then.

mod toy;

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::pop3::Pop3;
use mailconnect::sasl::{self, Mechanism};
use mailconnect::testing::{Chunking, Script, ScriptHandle, VirtualClock};
use mailconnect::tls::Tls;
use mailconnect::transport::{Clock, Deadline, Transport};
use mailconnect::wire::{LineEnds, Part, Wire};
use mailconnect::{Client, Connector, Error, Interrupt, Phase, Result, Security};
use toy::{Toy, answer, ask, open, send};

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
    impl Tls for Nothing {
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
    let clock = VirtualClock::new();
    let (turned, tried) = (clock.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = tried.clone();
    let connector = Connector::new().clock(clock.clone()).deadline(Duration::from_secs(10)).dialer(move |target| {
        let left = target.deadline.at().map(|at| at - Clock::now(&turned));
        seen.lock().unwrap().push((target.port, left));
        turned.advance(Duration::from_secs(6));
        Err(std::io::ErrorKind::ConnectionRefused.into())
    });
    let error = connector.connect_auto::<Pop3>("toy.example").unwrap_err();
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
    let error = connector.connect_auto::<Pop3>("toy.example").unwrap_err();
    assert!(error.to_string().ends_with("interrupted from another thread"), "{error}");
    assert!(connector.connect_auto::<Pop3>("toy.example").is_err());
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
    impl Tls for Late {
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
        let pop3 = Pop3::new();
        let mut client = connector.over(pop3, transport, "toy.example", Security::Plain).unwrap();
        let error = client.authenticate(&mut *mechanism).unwrap_err();
        handle.finish();
        assert!(error.to_string().ends_with("[redacted] is not the password of ann"), "{error}");
    }
}

#[test]
fn rule_10_nothing_follows_half_a_body_that_was_answered() {
    let (half, all) = ("x".repeat(32 << 10), "x".repeat(100_000));
    let script = format!("S: hello\nC: DATA\nS: go\nC- {half}\nS: too much\nSTALL\n");
    let (mut client, handle) = open(Connector::new(), &script, Chunking::Whole);
    let sent = client.exchange(|_, wire| {
        ask(wire, "DATA")?;
        let mut group = wire.group();
        assert_eq!(
            group.dotted(&mut Cursor::new(&all), LineEnds::Normalize)?,
            mailconnect::wire::BodyOutcome::Answered
        );
        drop(group);
        wire.expect(answer("DATA"));
        wire.next_part()?;
        assert_eq!(wire.frame(), b"too much\r\n");
        // A protocol that forgets to close.
        send(wire, "MAIL")
    });
    assert!(matches!(sent, Err(Error::Closed)) && !client.is_open(), "{sent:?}");
    assert!(handle.sent().ends_with(half.as_bytes()) && handle.error().is_none());
}

#[test]
fn what_is_wrong_with_a_whole_answer_names_its_command() {
    let (mut client, _handle) = open(Connector::new(), "S: hello\nC: ASK\nS: odd\n", Chunking::Whole);
    let error = client.exchange(|_, wire| {
        ask(wire, "ASK")?;
        Err::<(), _>(wire.malformed("not that"))
    });
    assert_eq!(error.unwrap_err().to_string(), "toy.example:4: a command (ASK): not that: `odd`");
}

#[test]
fn rule_11_a_secret_is_not_shown_in_part_where_the_text_is_cut() {
    let secret = "s3cret-".repeat(8);
    for before in [480, 500, 511] {
        let script = format!("S: hello\nC: GET\nS: BODY 5\nS- 12345{}{secret}\\r\\n\n", "y".repeat(before));
        let (mut client, _handle) = open(Connector::new(), &script, Chunking::Whole);
        let error = client
            .exchange(|_, wire| {
                wire.hide(secret.as_bytes());
                send(wire, "GET")?;
                wire.next_part()?;
                wire.body().collect()?;
                // The bytes in question are those that were sent for nothing.
                wire.rewrap(|_| unreachable!("with bytes left over"))
            })
            .unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("yyy") && !text.contains("s3cret"), "{text}");
    }
}
