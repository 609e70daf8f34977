//! The scripted connection: every directive, in every chunking, and what it says when the client leaves the script.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mailconnect::Error;
use mailconnect::testing::{Chunking, Script, ScriptHandle, ScriptServer, ScriptSocket, StandInTls, VirtualClock};
use mailconnect::tls::{Tls, TlsInfo};
use mailconnect::transport::{Clock, Deadline, Socket, Transport};

const SECOND: Duration = Duration::from_secs(1);

fn socket(text: &str, chunking: Chunking) -> (ScriptSocket, ScriptHandle) {
    Script::parse(text).unwrap().chunking(chunking).socket()
}

/// Reads until a line's end.
fn line(socket: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        if socket.read(&mut byte)? == 0 {
            break;
        }
        line.push(byte[0]);
    }
    Ok(String::from_utf8(line).unwrap())
}

fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    payload.downcast_ref::<String>().expect("no text").clone()
}

#[test]
fn plays_to_the_end_in_every_chunking() {
    for chunking in Chunking::ALL {
        let (mut socket, script) = socket(
            "# a session\nS: 220 ready\n\n  C: EHLO x\nS: 250-one\nS: 250 two\nC- QU\nC- IT\\r\\n\nS- by\nS- e\nEOF",
            chunking,
        );
        assert_eq!(line(&mut socket).unwrap(), "220 ready\r\n");
        socket.write_all(b"EHLO ").unwrap();
        socket.write_all(b"x\r\nQUIT\r\n").unwrap();
        assert_eq!(io::read_to_string(&mut socket).unwrap(), "250-one\r\n250 two\r\nbye");
        assert_eq!(script.sent(), b"EHLO x\r\nQUIT\r\n");
        assert_eq!(script.writes(), 2);
        script.finish();
    }
}

#[test]
fn chunking_decides_the_pieces() {
    for (chunking, pieces) in [
        (Chunking::Whole, vec!["a\r\nb\r\nc"]),
        (Chunking::Lines, vec!["a\r\n", "b\r\n", "c"]),
        (Chunking::Bytes, vec!["a", "\r", "\n", "b", "\r", "\n", "c"]),
    ] {
        let (mut socket, script) = socket("S: a\nS: b\nS- c\nEOF", chunking);
        let mut got = Vec::new();
        let mut buf = [0; 100];
        loop {
            let n = socket.read(&mut buf).unwrap();
            if n == 0 {
                break;
            }
            got.push(String::from_utf8(buf[..n].to_vec()).unwrap());
        }
        assert_eq!(got, pieces);
        script.finish();
    }
}

#[test]
fn escapes_and_bytes() {
    let (mut socket, script) = socket("S- \\x00\\xfF\\t\\0\\\\\\r\\nä\nC:\nC: \\\\x\nEOF", Chunking::Whole);
    let mut bytes = [0; 9];
    socket.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, *b"\x00\xff\t\0\\\r\n\xc3\xa4");
    socket.write_all(b"\r\n\\x\r\n").unwrap();
    script.finish();
}

#[test]
fn nonsense_is_refused_with_its_line() {
    for text in [
        "hello",
        "S",
        "EOF now",
        "PAUSE",
        "PAUSE 3",
        "PAUSE xs",
        "DRIP 1m",
        "PAUSE 1s 2s",
        "S: \\q",
        "C: \\x1",
        "S: \\",
    ] {
        let error = Script::parse(&format!("S: ok\n{text}\n")).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{text}");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}

#[test]
fn the_answer_comes_only_after_the_command() {
    for chunking in Chunking::ALL {
        let (mut socket, script) = socket("C: A\nS: 1\nC: B\nS: 2", chunking);
        socket.set_nonblocking(true).unwrap();
        let mut buf = [0; 20];
        assert_eq!(socket.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.write_all(b"A\r").unwrap();
        assert_eq!(socket.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.write_all(b"\n").unwrap();
        assert_eq!(line(&mut socket).unwrap(), "1\r\n");
        assert_eq!(socket.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.write_all(b"B\r\n").unwrap();
        assert_eq!(line(&mut socket).unwrap(), "2\r\n");
        assert_eq!(script.clock().elapsed(), Duration::ZERO);
        script.finish();
    }
}

#[test]
fn a_mismatch_shows_the_difference_and_stays() {
    let (mut socket, script) = socket("S: hi\nC: one\nC: EHLO there\nS: ok", Chunking::Whole);
    socket.write_all(b"one\r\nEH").unwrap();
    let error = socket.write_all(b"LO where\r\n").unwrap_err().to_string();
    let wanted = "step 3 (line 3): the client sent something else at byte 5\n  \
                  expected: \"EHLO there\\r\\n\"\n       got: \"EHLO where\\r\\n\"\n                  ^";
    assert_eq!(error, wanted);
    assert_eq!(script.error().as_deref(), Some(wanted));
    assert!(socket.read(&mut [0]).is_err() && socket.write(b"x").is_err());
    assert_eq!(script.sent(), b"one\r\nEHLO where\r\n");
    assert!(panic_of(|| script.finish()).contains(wanted));
}

#[test]
fn a_late_difference_is_shown_with_what_is_around_it() {
    let (mut socket, script) = Script::new().client(format!("{}b\n", "a".repeat(5000))).socket();
    socket.write_all(format!("{}c\n", "a".repeat(5000)).as_bytes()).unwrap_err();
    let error = script.error().unwrap();
    assert!(error.contains("step 1: ") && error.contains("at byte 5000"), "{error}");
    assert!(error.contains("ab\\n\"") && error.contains("ac\\n\"") && error.len() < 600, "{error}");
}

#[test]
fn too_much_and_too_little_are_noticed() {
    let (mut socket, script) = socket("C: a\nSTALL", Chunking::Whole);
    let error = socket.write_all(b"a\r\nb\r\n").unwrap_err();
    assert!(error.to_string().contains("more than the script has"), "{error}");
    assert!(panic_of(|| script.finish()).contains("more than the script has"));

    let (mut socket, script) = self::socket("S: a\nC: b\nTLS\nS: c\nEOF", Chunking::Bytes);
    socket.read_exact(&mut [0]).unwrap();
    socket.write_all(b"b").unwrap();
    let text = panic_of(|| script.finish());
    let left =
        ["step 1 (line 1): not read: \"\\r\\n\"", "step 2 (line 2): not sent: \"\\r\\n\"", "no TLS", "\"c\\r\\n\""];
    assert!(text.starts_with("4 steps") && left.iter().all(|left| text.contains(left)), "{text}");
}

#[test]
fn the_three_ends() {
    let (mut socket, script) = socket("S: bye\nEOF", Chunking::Whole);
    assert_eq!(io::read_to_string(&mut socket).unwrap(), "bye\r\n");
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    assert_eq!(socket.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    script.finish();

    let (mut socket, script) = self::socket("S: bye\nRESET\nC: x", Chunking::Whole);
    assert_eq!(line(&mut socket).unwrap(), "bye\r\n");
    assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    socket.write_all(b"x\r\n").unwrap();
    script.finish();

    let (mut socket, script) = self::socket("C: x\nSTALL", Chunking::Whole);
    socket.write_all(b"x\r\n").unwrap();
    socket.set_read_timeout(Some(SECOND * 5)).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(script.clock().elapsed(), SECOND * 5);
    script.finish();
    socket.set_read_timeout(None).unwrap();
    let error = socket.read(&mut [0]).unwrap_err().to_string();
    assert!(error.contains("wait for ever"), "{error}");
    assert!(script.error().is_some());
}

#[test]
fn a_pause_passes_in_virtual_time() {
    for chunking in Chunking::ALL {
        let (mut socket, script) = socket("S: a\nPAUSE 30s\nPAUSE 500ms\nS: b\nEOF", chunking);
        assert_eq!(line(&mut socket).unwrap(), "a\r\n");
        socket.set_nonblocking(true).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(script.clock().elapsed(), Duration::ZERO);
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(SECOND * 10)).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(script.clock().elapsed(), SECOND * 10);
        socket.set_read_timeout(Some(SECOND * 60)).unwrap();
        assert_eq!(line(&mut socket).unwrap(), "b\r\n");
        assert_eq!(script.clock().elapsed(), Duration::from_millis(30_500));
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        script.finish();
    }
}

#[test]
fn a_pause_begins_when_the_command_was_sent() {
    let (mut socket, script) = socket("C: a\nPAUSE 2s\nS: b", Chunking::Whole);
    script.clock().advance(SECOND * 100);
    socket.write_all(b"a\r\n").unwrap();
    script.clock().advance(SECOND);
    assert_eq!(line(&mut socket).unwrap(), "b\r\n");
    assert_eq!(script.clock().elapsed(), SECOND * 102);
}

#[test]
fn bytes_drip() {
    for chunking in Chunking::ALL {
        let (mut socket, script) = socket("S: a\nDRIP 1s\nS: bc\nEOF", chunking);
        let mut buf = [0; 20];
        let mut pieces = Vec::new();
        loop {
            let n = socket.read(&mut buf).unwrap();
            if n == 0 {
                break;
            }
            pieces.extend(buf[..n].iter().map(|byte| (*byte, n)));
        }
        let bytes: Vec<u8> = pieces.iter().map(|(byte, _)| *byte).collect();
        assert_eq!(bytes, b"a\r\nbc\r\n");
        assert!(pieces[3..].iter().all(|(_, n)| *n == 1), "{pieces:?}");
        assert_eq!(script.clock().elapsed(), SECOND * 4);
        script.finish();
    }
}

#[test]
fn a_deadline_ends_a_drip() {
    let (mut transport, script) = Script::parse("DRIP 1s\nS: 0123456789").unwrap().play();
    let clock = script.clock();
    transport.set_deadline(Deadline::hard(clock.now() + SECOND * 5)).unwrap();
    let error = io::read_to_string(&mut transport).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(clock.elapsed() >= SECOND * 5 && clock.elapsed() < SECOND * 6, "{:?}", clock.elapsed());
    transport.set_deadline(Deadline::soft(clock.now())).unwrap();
    assert_eq!(script.error(), None);
}

#[test]
fn the_client_must_wait_where_it_is_told_to() {
    for chunking in Chunking::ALL {
        let (mut socket, script) = socket("C: a\nS: 1\nWAIT\nC: b", chunking);
        socket.write_all(b"a\r\n").unwrap();
        assert_eq!(line(&mut socket).unwrap(), "1\r\n");
        socket.write_all(b"b\r\n").unwrap();
        script.finish();

        let (mut socket, script) = self::socket("C: a\nS: 1\nWAIT\nC: b", chunking);
        let error = socket.write_all(b"a\r\nb\r\n").unwrap_err().to_string();
        assert!(error.contains("before it has read"), "{error}");
        assert!(script.error().is_some());
    }
}

#[test]
fn a_session_of_the_stand_in() {
    for chunking in Chunking::ALL {
        let text = "S: 220 plain\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO x\nS: 250 secure\nEOF";
        let (mut plain, script) = Script::parse(text).unwrap().chunking(chunking).local(true).play();
        assert_eq!(line(&mut plain).unwrap(), "220 plain\r\n");
        plain.write_all(b"STARTTLS\r\n").unwrap();
        assert_eq!(line(&mut plain).unwrap(), "220 go\r\n");
        assert!(plain.tls().is_none());
        let mut secure = StandInTls::new().handshake("x", Box::new(plain)).unwrap();
        assert_eq!(secure.tls(), Some(&TlsInfo::default()));
        assert!(secure.lower().is_some() && secure.is_local());
        secure.write_all(b"EHLO x\r\n").unwrap();
        assert_eq!(io::read_to_string(&mut secure).unwrap(), "250 secure\r\n");
        secure.close().unwrap();
        assert_eq!(script.sent(), b"STARTTLS\r\nEHLO x\r\n");
        assert_eq!(script.writes(), 2);
        script.finish();
    }
}

#[test]
fn no_handshake_over_plain_text() {
    for (text, wanted) in [
        ("S: 220 plain\nC: EHLO", "plain text where TLS was due: `220 plain\\r\\n`"),
        ("S- 220\nEOF", "plain text where TLS was due: `220`"),
        ("S: injected\nTLS\nS: more", "plain text where TLS was due: `injected\\r\\n`"),
        ("EOF", "end of file"),
        ("RESET", "connection reset"),
        ("C: EHLO\nS: 250", "begins TLS where the script does not"),
    ] {
        for chunking in Chunking::ALL {
            let (plain, _script) = Script::parse(text).unwrap().chunking(chunking).play();
            let Err(error) = StandInTls::new().handshake("host", Box::new(plain)) else { panic!("{text}: succeeded") };
            let Error::Handshake(failed) = error else { panic!("{text}: {error}") };
            assert_eq!(&*failed.peer, "host");
            assert!(failed.source.to_string().contains(wanted), "{text}: {}", failed.source);
        }
    }
}

#[test]
fn nothing_goes_in_clear_behind_a_tls_step() {
    let (mut socket, script) = socket("C: STARTTLS\nTLS\nS: 220 secret", Chunking::Whole);
    socket.write_all(b"STARTTLS\r\n").unwrap();
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(false).unwrap();
    let error = socket.write_all(b"EHLO x\r\n").unwrap_err().to_string();
    assert!(error.contains("in clear where TLS is due"), "{error}");

    let (mut socket, script_two) = self::socket("TLS\nS: 220 secret", Chunking::Whole);
    let error = socket.read(&mut [0]).unwrap_err().to_string();
    assert!(error.contains("reads in clear where TLS is due"), "{error}");
    assert!(script.error().is_some() && script_two.error().is_some());
}

#[test]
fn shut_down_from_another_thread() {
    let (mut socket, _script) = socket("S: hello", Chunking::Whole);
    (socket.shutdown_handle().unwrap())();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    assert_eq!(socket.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_builder_makes_the_same_as_the_text() {
    let text = "S: a\nC: b\nPAUSE 1s\nDRIP 2s\nWAIT\nTLS\nSTALL\nRESET\nEOF";
    let built = Script::new().server("a\r\n").client(b"b\r\n").pause(SECOND).drip(SECOND * 2);
    let built = built.wait().tls().stall().reset().eof();
    let steps = |script: &Script| {
        let text = format!("{script:?}");
        (1..=9).fold(text, |text, n| text.replace(&format!("({n}, "), "(0, "))
    };
    assert_eq!(steps(&Script::parse(text).unwrap()), steps(&built));
}

#[test]
fn a_clock_never_goes_back() {
    let clock = VirtualClock::default();
    let same = clock.clone();
    let before = clock.now();
    clock.advance(SECOND);
    assert_eq!(same.now() - before, SECOND);
    clock.advance(Duration::MAX);
    assert!(same.now() > before);
    clock.advance(Duration::MAX);
    assert_eq!(same.elapsed(), Duration::MAX);
}

#[test]
fn an_end_inside_the_stand_in_handshake_is_an_error() {
    for cut in 0..11 {
        let (plain, script) = Script::new().tls().server("220 ready\r\n").cut_after(cut).play();
        let error = StandInTls::new().handshake("localhost", Box::new(plain)).unwrap_err();
        assert!(matches!(error, Error::Handshake(_)), "{error}");
        assert_eq!((script.given(), script.delivered()), (cut, 0));
    }
}

#[test]
fn what_no_script_can_foresee_is_answered_line_by_line() {
    for chunking in Chunking::ALL {
        let mut lines = Vec::new();
        let script = Script::new().client("HELO\r\n").server("hi\r\n").respond(move |line| {
            lines.push(line.to_vec());
            let answer = Script::new().server(lines.concat());
            if lines.len() < 3 { answer } else { answer.stall() }
        });
        let (mut socket, script) = script.chunking(chunking).socket();
        socket.set_nonblocking(true).unwrap();
        socket.write_all(b"HELO\r\nA\r\nB").unwrap();
        assert_eq!(line(&mut socket).unwrap(), "hi\r\n");
        assert_eq!(line(&mut socket).unwrap(), "A\r\n");
        assert_eq!(socket.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.write_all(b"\r\nC\nD\r\nE").unwrap();
        let answers: Vec<String> = (0..5).map(|_| line(&mut socket).unwrap()).collect();
        assert_eq!(answers.concat(), "A\r\nB\r\nA\r\nB\r\nC\n");
        assert_eq!(socket.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        script.finish();
        assert_eq!((script.given(), script.delivered()), (21, 21));
    }
}

#[test]
fn a_cut_ends_it_anywhere() {
    for cut in 0..=10 {
        let (mut socket, script) = Script::new().server("12345").server("67890").cut_after(cut).socket();
        assert_eq!(io::read_to_string(&mut socket).unwrap(), "1234567890"[..cut]);
        assert_eq!(script.given(), cut);
    }
}

#[test]
fn calls_are_counted() {
    let (mut socket, script) = socket("S: a\nC: b", Chunking::Bytes);
    line(&mut socket).unwrap();
    socket.set_read_timeout(Some(SECOND)).unwrap();
    socket.write_all(b"b\r\n").unwrap();
    assert_eq!((script.reads(), script.writes(), script.calls()), (3, 1, 5));
}

// ---- On a socket ----

fn connect(server: &ScriptServer) -> TcpStream {
    TcpStream::connect(server.address()).unwrap()
}

#[test]
fn the_same_script_on_a_socket() {
    for chunking in Chunking::ALL {
        let script = Script::parse("S: 220 ready\nC: QUIT\nPAUSE 1ms\nS: bye\nDRIP 1ms\nS: now\nCLOSE").unwrap();
        let server = script.chunking(chunking).listen().unwrap();
        let mut client = connect(&server);
        assert_eq!(line(&mut client).unwrap(), "220 ready\r\n");
        client.write_all(b"QUIT\r\n").unwrap();
        assert_eq!(io::read_to_string(&mut client).unwrap(), "bye\r\nnow\r\n");
        drop(client);
        assert_eq!((server.handle().given(), server.handle().delivered()), (21, 21));
        server.finish();
    }
}

#[test]
fn a_mismatch_on_a_socket_closes_it() {
    let server = Script::parse("C: QUIT\nS: bye").unwrap().listen().unwrap();
    let mut client = connect(&server);
    client.write_all(b"QUOT\r\n").unwrap();
    assert_eq!(client.read(&mut [0; 9]).unwrap_or_default(), 0);
    drop(client);
    let text = panic_of(|| server.finish());
    assert!(text.contains("expected: \"QUIT\\r\\n\""), "{text}");
}

#[test]
fn ends_on_a_socket() {
    let end = |end: &str| {
        let server = Script::parse(&format!("S: a\nC: b\n{end}")).unwrap().listen().unwrap();
        let mut client = connect(&server);
        line(&mut client).unwrap();
        client.write_all(b"b\r\n").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let end = client.read(&mut [0; 9]).map_err(|error| error.kind());
        drop(client);
        server.finish();
        end
    };
    assert_eq!(end("EOF"), Ok(0));
    assert_eq!(end("CLOSE"), Ok(0));
    assert_eq!(end("RESET"), Err(ErrorKind::ConnectionReset));
    assert!(matches!(end("STALL"), Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)));
}

#[test]
fn a_cut_on_a_socket() {
    for cut in [0, 1, 7] {
        let server = Script::new().server("12345").server("67890").cut_after(cut).listen().unwrap();
        let mut client = connect(&server);
        assert_eq!(io::read_to_string(&mut client).unwrap(), "1234567890"[..cut]);
        assert_eq!((server.handle().given(), server.handle().delivered()), (cut, cut));
    }
}

#[test]
fn a_server_that_nobody_connects_to_ends() {
    let mut server = Script::new().server("hi").listen().unwrap();
    server.join();
    assert_eq!(server.handle().sent(), b"");
}
