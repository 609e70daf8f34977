//! POP3 against scripts: each exchange whole, line by line and byte by byte.

#![allow(clippy::forget_non_drop, clippy::drop_non_drop, reason = "that it makes no difference is the point")]

mod batch;
mod far;
mod odd;

use std::io::{self, Read};

use mailconnect::errors::{SaslCause, StartTlsCause};
use mailconnect::pop3::{Pop3, ResponseCode};
use mailconnect::sasl::{self, Mechanism, Secret};
use mailconnect::testing::{Chunking, Script, ScriptHandle, StandInTls};
use mailconnect::{Connector, Error, Limits, Pop3Client, Result, Security};

const PEER: (&str, u16) = ("mail.example.com", 110);

fn open_with(connector: Connector, script: Script, security: Security) -> (Result<Pop3Client>, ScriptHandle) {
    let (transport, handle) = script.play();
    let connector = connector.clock(handle.clock()).tls(StandInTls::new()).danger_plaintext_auth(true);
    (connector.over(Pop3::new(), transport, PEER, security), handle)
}

fn open(script: Script) -> (Result<Pop3Client>, ScriptHandle) {
    open_with(Connector::new(), script, Security::Plain)
}

/// A session after the greeting, in every chunking; the script must be played to its end.
#[track_caller]
fn session(script: &str, work: impl Fn(Pop3Client)) {
    session_of(Script::parse(&format!("S: +OK ready\n{script}")).unwrap(), work);
}

#[track_caller]
fn session_of(script: Script, work: impl Fn(Pop3Client)) {
    for chunking in Chunking::ALL {
        let (client, handle) = open(script.clone().chunking(chunking));
        work(client.unwrap());
        handle.finish();
    }
}

fn rejected(error: &Error) -> (&str, Option<&str>) {
    let rejection = error.rejection().unwrap_or_else(|| panic!("{error:?}"));
    (&rejection.command, rejection.code.as_deref())
}

// ---- Opening ----

#[test]
fn only_ok_welcomes() {
    for (greeting, transient) in [("-ERR [SYS/TEMP] full", true), ("-ERR go away", false)] {
        let (client, _) = open(Script::parse(&format!("S: {greeting}\nEOF")).unwrap());
        let error = client.unwrap_err();
        assert_eq!((error.is_transient(), error.is_fatal()), (transient, true), "{error}");
        assert!(error.to_string().starts_with("the server refused the connection: -ERR"), "{error}");
    }
    for greeting in ["* OK IMAP4rev1", "220 smtp", "+ OK", "SSH-2.0", "+OKAY"] {
        let (client, _) = open(Script::parse(&format!("S: {greeting}\nSTALL")).unwrap());
        assert!(matches!(client.unwrap_err(), Error::Protocol(_)), "{greeting}");
    }
    for script in ["EOF", "S- +OK ready\nEOF", "S: \nEOF"] {
        let (client, _) = open(Script::parse(script).unwrap());
        assert!(matches!(client.unwrap_err(), Error::ConnectionLost(_)), "{script}");
    }
    let (client, _) = open(Script::parse("STALL").unwrap());
    assert!(client.unwrap_err().is_timeout());
    let (client, _) = open(Script::new().server("+OK ".to_owned() + &"x".repeat(8 << 10) + "\r\n"));
    assert!(matches!(client.unwrap_err(), Error::Limit(limit) if limit.max == 8192));
}

#[test]
fn start_tls_comes_right_after_the_greeting_and_forgets_what_was_said_before() {
    let script =
        "S: +OK\nC: CAPA\nS: +OK\nS: SASL EXAMPLE\nS: .\nC: STLS\nS: +OK go\nTLS\nC: CAPA\nS: +OK\nS: TOP\nS: .\n";
    for chunking in Chunking::ALL {
        let (client, handle) = open(Script::parse(script).unwrap().chunking(chunking));
        let mut client = client.unwrap();
        assert!(client.capabilities().unwrap().has("SASL"));
        client.start_tls().unwrap();
        assert!(client.is_secure());
        assert!(!client.capabilities().unwrap().has("SASL"));
        handle.finish();
        let script = Script::parse("S: +OK\nC: STLS\nS: +OK\nTLS").unwrap().chunking(chunking);
        let (client, handle) = open_with(Connector::new(), script, Security::StartTls);
        assert!(client.unwrap().is_secure());
        handle.finish();
    }
}

/// No script here has a step after STLS's answer: one byte of the client's more would be an error of the script.
#[test]
fn rule_1_start_tls_has_no_third_outcome() {
    let answers = [
        "S: -ERR no",
        "S: -ERR [SYS/TEMP] later",
        "S: OK",
        "S: + ",
        "S: * OK",
        "S: +OKAY",
        "EOF",
        "STALL",
        "S: +OK go\\r\\n+OK injected",
        "S: +OK go\\r\\n+",
        "S- +OK",
        "RESET",
    ];
    for answer in answers {
        for chunking in [Chunking::Whole, Chunking::Lines] {
            let script = Script::parse(&format!("S: +OK ready\nC: STLS\n{answer}")).unwrap().chunking(chunking);
            let (client, handle) = open(script);
            let mut client = client.unwrap();
            let error = client.start_tls().unwrap_err();
            let Error::StartTls(error) = error else { panic!("{answer}: {error:?}") };
            let refused = matches!(error.cause, StartTlsCause::Refused(_));
            assert_eq!(refused, answer.starts_with("S: -ERR"), "{answer}");
            assert!(!client.is_open() && !client.is_secure());
            assert!(matches!(client.noop(), Err(Error::Closed)));
            let sent = handle.sent();
            assert!(
                sent.starts_with(b"STLS\r\n") && !sent.windows(4).any(|w| w == b"CAPA" || w == b"USER"),
                "{answer}"
            );
        }
    }
    let (client, _) = open(Script::parse("S: +OK ready\nS: +OK early\nC: STLS").unwrap());
    let error = client.unwrap().start_tls().unwrap_err();
    assert!(matches!(error, Error::StartTls(error) if matches!(error.cause, StartTlsCause::EarlyAnswer)));
}

// ---- Logging in ----

#[test]
fn login_takes_plain_if_it_is_on_offer() {
    session("C: CAPA\nS: +OK\nS: SASL LOGIN plain\nS: .\nC: AUTH PLAIN AHUAcGFzcw==\nS: +OK in", |mut client| {
        client.login("u", "pass").unwrap();
        assert!(client.is_authenticated());
        assert!(matches!(client.login("u", "pass"), Err(Error::WrongState(_))));
    });
    let login =
        "C: CAPA\nS: +OK\nS: SASL LOGIN\nS: .\nC: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: dQ==\nS: +\nC: cGFzcw==\nS: +OK";
    session(login, |mut client| client.login("u", "pass").unwrap());
}

#[test]
fn login_is_user_and_pass_where_nothing_else_is_offered() {
    for capa in
        ["S: -ERR unknown command", "S: +OK\nS: TOP\nS: .", "S: +OK\nS: SASL\nS: .", "S: +OK\nS: SASL GSSAPI\nS: ."]
    {
        let script = format!("C: CAPA\n{capa}\nC: USER u\nS: +OK\nC: PASS  a b \nS: +OK in");
        session(&script, |mut client| client.login("u", " a b ").unwrap());
    }
}

#[test]
fn refused_credentials_leave_the_client_usable() {
    let script =
        "C: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS pass\nS: -ERR [AUTH] no\nC: USER u\nS: -ERR [SYS/TEMP] later";
    session(script, |mut client| {
        let error = client.login("u", "pass").unwrap_err();
        assert_eq!(rejected(&error), ("PASS", Some("AUTH")));
        assert_eq!(error.rejection().and_then(ResponseCode::of), Some(ResponseCode::Auth));
        assert!(error.is_permanent() && client.is_open() && !client.is_authenticated());
        let error = client.login("u", "pass").unwrap_err();
        assert!(error.is_transient() && rejected(&error) == ("USER", Some("SYS/TEMP")));
    });
    session("C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN AHUAcGFzcw==\nS: -ERR wrong", |mut client| {
        assert_eq!(rejected(&client.login("u", "pass").unwrap_err()), ("AUTH", None));
        assert!(client.is_open());
    });
}

/// A mechanism that says what a test wants.
struct Fixed {
    first: Option<&'static [u8]>,
    answers: Vec<Option<&'static [u8]>>,
    seen: Vec<Vec<u8>>,
}

impl Fixed {
    fn new(first: Option<&'static [u8]>, answers: &[Option<&'static [u8]>]) -> Self {
        Self { first, answers: answers.to_vec(), seen: Vec::new() }
    }
}

impl Mechanism for Fixed {
    fn name(&self) -> &str {
        "X-FIXED"
    }
    fn start(&mut self, _: &sasl::Context<'_>) -> Result<Option<Secret>> {
        Ok(self.first.map(|first| first.to_vec().into()))
    }
    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        self.seen.push(challenge.to_vec());
        let answer = if self.answers.is_empty() { None } else { self.answers.remove(0) };
        answer.map(|answer| answer.to_vec().into()).ok_or_else(|| Error::unsupported("that challenge"))
    }
    fn is_finished(&self) -> bool {
        self.answers.is_empty()
    }
}

const NO_CAPA: &str = "C: CAPA\nS: -ERR\n";

#[test]
fn initial_responses() {
    let authenticate =
        |exchange: &str, first: Option<&'static [u8]>, answers: &[Option<&'static [u8]>], seen: &[&[u8]]| {
            session(&format!("{NO_CAPA}{exchange}"), |mut client| {
                let mut mechanism = Fixed::new(first, answers);
                client.authenticate(&mut mechanism).unwrap();
                assert_eq!(mechanism.seen, seen);
            });
        };
    authenticate("C: AUTH X-FIXED =\nS: +OK", Some(b""), &[], &[]);
    authenticate("C: AUTH X-FIXED YQ==\nS: + Yg==\nC: \nS: +OK", Some(b"a"), &[Some(b"")], &[b"b"]);
    authenticate("C: AUTH X-FIXED\nS: + \nC: YQ==\nS: +OK", None, &[Some(b"a")], &[b""]);
    // 255 octets with CRLF: "AUTH X-FIXED " and 240 of base64. One more block of base64 is too much.
    let line = format!("C: AUTH X-FIXED {}\nS: +OK", "YWFh".repeat(60));
    authenticate(&line, Some(&[b'a'; 180]), &[], &[]);
    let lines = format!("C: AUTH X-FIXED\nS: + go ahead\nC: {}YQ==\nS: +OK", "YWFh".repeat(60));
    authenticate(&lines, Some(&[b'a'; 181]), &[], &[]);
}

#[test]
fn a_mechanism_that_fails_cancels_and_the_client_goes_on() {
    let script = "C: AUTH X-FIXED\nS: + YQ==\nC: *\nS: -ERR cancelled\nC: NOOP\nS: +OK";
    session(&format!("{NO_CAPA}{script}"), |mut client| {
        let error = client.authenticate(&mut Fixed::new(None, &[])).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
        client.noop().unwrap();
    });
}

#[test]
fn challenges_that_are_none_are_cancelled_and_the_client_goes_on() {
    let mut limits = Limits::default();
    limits.sasl_challenge = 3;
    for (challenge, cause) in
        [("?", SaslCause::NotBase64), ("YQ", SaslCause::NotBase64), ("YWFhYQ==", SaslCause::TooLong { max: 3 })]
    {
        let script = format!("S: +OK\n{NO_CAPA}C: AUTH X-FIXED\nS: + {challenge}\nC: *\nS: -ERR\nC: NOOP\nS: +OK");
        let (client, handle) =
            open_with(Connector::new().limits(limits.clone()), Script::parse(&script).unwrap(), Security::Plain);
        let mut client = client.unwrap();
        let error = client.authenticate(&mut Fixed::new(None, &[Some(b"a")])).unwrap_err();
        assert!(matches!(&error, Error::Sasl(error) if error.cause == cause && !error.closed), "{error:?}");
        client.noop().unwrap();
        handle.finish();
    }
    // A line that no challenge can have is not read to its end.
    let (transport, _) =
        Script::parse(&format!("S: +OK\n{NO_CAPA}C: AUTH X-FIXED\nS: + {}", "A".repeat(50_000))).unwrap().play();
    let connector = Connector::new().danger_plaintext_auth(true);
    let mut client = connector.over(Pop3::new(), transport, PEER, Security::Plain).unwrap();
    let error = client.authenticate(&mut Fixed::new(None, &[Some(b"a")])).unwrap_err();
    assert!(matches!(&error, Error::Limit(limit) if limit.max == 49_152) && !client.is_open(), "{error:?}");
}

#[test]
fn a_server_cannot_cut_an_exchange_short() {
    let cases = [
        // Success before the mechanism has checked the server; before it was given the first message.
        ("C: AUTH X-FIXED\nS: +OK in", None),
        ("C: AUTH X-FIXED\nS: + YQ==\nC: *\nS: +OK in", Some(1)),
        ("C: AUTH X-FIXED\nS: + YQ==\nC: *\nS: + YQ==\nSTALL", Some(1)),
    ];
    for (script, fails) in cases {
        session(&format!("{NO_CAPA}{script}"), |mut client| {
            let answers: &[Option<&'static [u8]>] = if fails.is_some() { &[None, Some(b"")] } else { &[Some(b"a")] };
            let error = client.authenticate(&mut Fixed::new(None, answers)).unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{script}: {error:?}");
            assert!(!client.is_open() && !client.is_authenticated());
        });
    }
    // The first message was too long for the command's line, and the server does not wait for it.
    session(&format!("{NO_CAPA}C: AUTH X-FIXED\nS: +OK in"), |mut client| {
        let error = client.authenticate(&mut Fixed::new(Some(&[b'a'; 181]), &[])).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    });
}

// ---- Verbs ----

#[test]
fn the_verbs() {
    let script = "C: STAT\nS: +OK 2 300\nC: LIST\nS: +OK\nS: 1 100\nS: 2 200\nS: .\nC: UIDL\nS: +OK\nS: 1 a\n\
         S: 2 b\nS: .\n\
         C: DELE 1\nS: +OK\nC: NOOP\nS: +OK\nC: RSET\nS: +OK\nC: TOP 2 0\nS: +OK\nS: h\nS: .\nC: XYZ 1  2\n\
         S: +OK hi  there \n\
         C: QUIT\nS: +OK bye\nEOF";
    session(script, |mut client| {
        let stat = client.stat().unwrap();
        assert_eq!((stat.messages, stat.octets), (2, 300));
        let list: Vec<_> = client.list().unwrap().iter().map(|entry| (entry.number, entry.octets)).collect();
        assert_eq!(list, [(1, 100), (2, 200)]);
        let uidl: Vec<_> = client.uidl().unwrap().into_iter().map(|entry| (entry.number, entry.uid)).collect();
        assert_eq!(uidl, [(1, "a".to_owned()), (2, "b".to_owned())]);
        client.dele(1).unwrap();
        assert!(client.protocol().has_deletions());
        client.noop().unwrap();
        client.rset().unwrap();
        assert!(!client.protocol().has_deletions());
        assert_eq!(client.top(2, 0).unwrap().collect().unwrap(), b"h\r\n");
        assert_eq!(client.command("XYZ 1  2").unwrap(), "hi  there");
        client.quit().unwrap();
    });
}

#[test]
fn odd_servers() {
    let script = "C: STAT\nS: \nS: +OK   2\\t 8589934592  octets in all\nC: LIST\nS: \nS: \nS: +OK\n\
         S:  1    8589934592   x\nS: .\n\
         C: UIDL\nS: +ok\nS: 1   a   b\nS: 3\nS: 7 c\nS: .\nC: NOOP\nS: +OK\nC: NOOP\nS- +OK \\n\nC: LIST\n\
         S- +OK\\n1 5\\n.\\n";
    session(script, |mut client| {
        assert_eq!(client.stat().unwrap().octets, 8_589_934_592);
        assert_eq!(client.list().unwrap()[0].octets, 8_589_934_592);
        let uidl: Vec<_> = client.uidl().unwrap().into_iter().map(|entry| (entry.number, entry.uid)).collect();
        assert_eq!(uidl, [(1, "a".to_owned()), (7, "c".to_owned())]);
        client.noop().unwrap();
        client.noop().unwrap();
        assert_eq!(client.list().unwrap().len(), 1);
    });
    session("C: CAPA\nS: -ERR what?\nC: STAT\nS: +OK 0 0", |mut client| {
        assert!(client.capabilities().unwrap().is_empty());
        assert!(client.capabilities().unwrap().is_empty(), "asked once");
        client.stat().unwrap();
    });
}

#[test]
fn refusals_leave_the_client_usable() {
    let commands = ["STAT", "LIST", "UIDL", "RETR 1", "TOP 1 2", "DELE 1", "NOOP", "RSET", "XYZ"];
    let script: String = commands.iter().map(|line| format!("C: {line}\nS: -ERR [IN-USE] no {line}\n")).collect();
    session(&format!("{script}C: NOOP\nS: +OK"), |mut client| {
        let errors = [
            client.stat().unwrap_err(),
            client.list().unwrap_err(),
            client.uidl().unwrap_err(),
            client.retr(1).unwrap_err(),
            client.top(1, 2).unwrap_err(),
            client.dele(1).unwrap_err(),
            client.noop().unwrap_err(),
            client.rset().unwrap_err(),
            client.command("XYZ").unwrap_err(),
        ];
        for (error, line) in errors.iter().zip(commands) {
            let verb = line.split(' ').next().unwrap();
            assert_eq!(rejected(error), (verb, Some("IN-USE")));
            assert!(error.is_transient() && !error.is_fatal() && error.to_string().contains(line));
        }
        assert!(!client.protocol().has_deletions());
        client.noop().unwrap();
    });
}

#[test]
fn answers_that_are_none_close_the_client() {
    type Verb = fn(&mut Pop3Client) -> Result<()>;
    let stat: Verb = |client| client.stat().map(drop);
    let list: Verb = |client| client.list().map(drop);
    let uidl: Verb = |client| client.uidl().map(drop);
    let retr: Verb = |client| client.retr(1).map(drop);
    let noop: Verb = Pop3Client::noop;
    let cases: [(Verb, &str); 11] = [
        (stat, "C: STAT\nS: +OK"),
        (stat, "C: STAT\nS: +OK two 300"),
        (list, "C: LIST\nS: +OK\nS: one 2\nS: ."),
        (list, "C: LIST\nS: +OK\nS: 1 18446744073709551616\nS: ."),
        (list, "C: LIST\nS: +OK\nS: \nS: ."),
        (uidl, "C: UIDL\nS: +OK\nS: x a\nS: ."),
        (retr, "C: RETR 1\nS: hello"),
        (noop, "C: NOOP\nS: * OK"),
        (noop, "C: NOOP\nS: + "),
        (noop, "C: NOOP\nS: +OK \\0"),
        (noop, "C: NOOP\nS: \\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n\nS: +OK"),
    ];
    for (verb, script) in cases {
        for chunking in Chunking::ALL {
            let script = Script::parse(&format!("S: +OK\n{script}\nSTALL")).unwrap().chunking(chunking);
            let mut client = open(script).0.unwrap();
            let error = verb(&mut client).unwrap_err();
            assert!(matches!(error, Error::Protocol(_) | Error::Limit { .. }), "{error:?}");
            assert!(!client.is_open());
        }
    }
}

#[test]
fn endless_answers_are_bounded() {
    let mut limits = Limits::default();
    (limits.list_entries, limits.capabilities, limits.reply_line, limits.drain) = (10, 10, 100, 1000);
    let lines = |command: &str, line: &str| {
        let answer = "+OK\r\n".to_owned() + &line.repeat(100);
        Script::new().server("+OK\r\n").client(command).server(answer).stall()
    };
    let open = |limits: &Limits, script: Script| {
        open_with(Connector::new().limits(limits.clone()), script, Security::Plain).0.unwrap()
    };
    let limit = |error: Error| matches!(error, Error::Limit { .. });
    assert!(limit(open(&limits, lines("LIST\r\n", "1 1\r\n")).list().unwrap_err()));
    assert!(limit(open(&limits, lines("UIDL\r\n", "1 1\r\n")).uidl().unwrap_err()));
    assert!(limit(open(&limits, lines("CAPA\r\n", "TOP\r\n")).capabilities().unwrap_err()));
    assert!(limit(open(&limits, lines("LIST\r\n", "1 1 and more")).list().unwrap_err()));
    // A body that is not read is skipped up to a limit.
    let mut client = open(&limits, lines("RETR 1\r\n", "never ends\r\n"));
    drop(client.retr(1).unwrap());
    assert!(limit(client.noop().unwrap_err()) && !client.is_open());
    // One that is collected has a limit too, and one that is read has none but time.
    limits.collected = 50;
    let mut client = open(&limits, lines("RETR 1\r\n", "never ends\r\n"));
    assert!(limit(client.retr(1).unwrap().collect().unwrap_err()));
    let mut client = open(&Limits::default(), lines("RETR 1\r\n", "never ends\r\n"));
    assert!(client.retr_to(1, &mut io::sink()).unwrap_err().is_timeout());
}

// ---- Bodies ----

/// Stuffed as a server does it, and what must come out.
fn bodies() -> Vec<(Vec<u8>, Vec<u8>)> {
    let long = [vec![b'x'; 40_000], b"\r\n".to_vec()].concat();
    let all: Vec<u8> = (0..=255).filter(|byte| !matches!(byte, b'\r' | b'\n')).chain(*b"\r\n").collect();
    let plain = [
        &b""[..],
        b"a\r\n",
        b"\r\n",
        b"\0\r\n",
        b"no\nend\rhere\r\n",
        b"\r\r\n",
        b"a\n.\nb\r\n\
         ",
        &long,
        &all,
    ];
    let mut bodies: Vec<_> = plain.iter().map(|body| (body.to_vec(), body.to_vec())).collect();
    let dotted: [(&[u8], &[u8]); 5] = [
        (b"..\r\n", b".\r\n"),
        (b"...\r\n..a\r\nb..\r\n", b"..\r\n.a\r\nb..\r\n"),
        (b".x\r\n", b"x\r\n"),
        (b".\rx\r\n", b"\rx\r\n"),
        (b"..\r\r\n", b".\r\r\n"),
    ];
    bodies.extend(dotted.map(|(stuffed, body)| (stuffed.to_vec(), body.to_vec())));
    bodies
}

fn retr(status: &str, stuffed: &[u8]) -> Script {
    Script::new().server("+OK\r\n").client("RETR 1\r\n").server([status.as_bytes(), stuffed].concat())
}

#[test]
fn bodies_are_exact() {
    for (stuffed, body) in bodies() {
        let whole = [&stuffed[..], b".\r\n"].concat();
        let script = retr("+OK\r\n", &whole).client("NOOP\r\n").server("+OK\r\n");
        session_of(script, |mut client| {
            let mut got = Vec::new();
            assert_eq!(client.retr_to(1, &mut got).unwrap(), body.len() as u64);
            assert!(got == body, "{} is not {}", got.escape_ascii(), body.escape_ascii());
            client.noop().unwrap();
        });
        // By `Read`, a byte at a time.
        session_of(retr("+OK 5 octets\r\n", &whole), |mut client| {
            let got: io::Result<Vec<u8>> = client.retr(1).unwrap().bytes().collect();
            assert!(got.unwrap() == body);
        });
    }
}

#[test]
fn a_server_that_knows_no_cr_is_read_correctly() {
    let script = retr("+OK\n", b"..\na\n.b\n\n.\n").client("NOOP\r\n").server("+OK\n");
    session_of(script, |mut client| {
        assert_eq!(client.retr(1).unwrap().collect().unwrap(), b".\na\nb\n\n");
        client.noop().unwrap();
    });
}

/// Rule 7: the end of the file is never the end of the message.
#[test]
fn a_body_that_is_cut_anywhere_is_an_error() {
    for (status, stuffed) in
        [("+OK\r\n", &b"Subject: x\r\n\r\n..\r\nend\r\n.\r\n"[..]), ("+OK\n", b"Subject: x\n\n..\nend\n.\n")]
    {
        for cut in 0..stuffed.len() {
            for chunking in Chunking::ALL {
                for script in [retr(status, &stuffed[..cut]).eof(), retr(status, &stuffed[..cut]).reset()] {
                    let mut client = open(script.chunking(chunking)).0.unwrap();
                    let error = client.retr_to(1, &mut io::sink()).unwrap_err();
                    assert!(matches!(error, Error::ConnectionLost(_)), "{cut}: {error:?}");
                    assert!(!client.is_open() && !error.outcome_unknown());
                }
                let mut client = open(retr(status, &stuffed[..cut]).eof().chunking(chunking)).0.unwrap();
                let error = client.retr(1).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
                assert!(error.get_ref().is_some_and(|error| error.is::<Error>()), "{cut}: {error:?}");
                assert!(!client.is_open());
            }
        }
    }
}

#[test]
fn a_body_that_is_dropped_or_forgotten_is_skipped() {
    let script = retr("+OK\r\n", b"one\r\n..\r\n+OK fake\r\n.\r\n").client("NOOP\r\n").server("+OK\r\n");
    session_of(script.clone(), |mut client| {
        let mut byte = [0];
        client.retr(1).unwrap().read_exact(&mut byte).unwrap();
        client.noop().unwrap();
    });
    session_of(script, |mut client| {
        std::mem::forget(client.retr(1).unwrap());
        client.noop().unwrap();
    });
}

#[test]
fn a_writer_that_fails_leaves_the_client_usable() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let script = retr("+OK\r\n", b"one\r\n.\r\n").client("NOOP\r\n").server("+OK\r\n");
    session_of(script, |mut client| {
        assert!(matches!(client.retr_to(1, &mut Full), Err(Error::Caller { .. })));
        client.noop().unwrap();
    });
}

// ---- Arguments ----

#[test]
fn rule_9_what_is_refused_writes_nothing() {
    let long = "x".repeat(256);
    let lines = [
        "a\r\nDELE 1",
        "a\nb",
        "a\rb",
        "a\0b",
        "",
        " NOOP",
        "STLS",
        "stls",
        "AUTH",
        "Auth PLAIN AAA=",
        "RETR 1",
        "QUIT",
        "quit now",
        "USER u",
        "PASS p",
        "APOP u 0",
        "TOP 1 2",
        "CAPA",
        "LIST",
        "list  ",
        "UIDL",
        "UIDL\t",
        "LANG",
        &long,
    ];
    session("", |mut client| {
        for line in lines {
            let error = client.command(line).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)) && client.is_open(), "{line:?}: {error:?}");
        }
        for bad in ["a\rb", "a\nb", "a\0b", "a\r\nPASS b"] {
            assert!(matches!(client.login(bad, "p"), Err(Error::InvalidArgument(_))));
            assert!(matches!(client.login("u", bad), Err(Error::InvalidArgument(_))));
        }
    });
}

#[test]
fn lines_have_255_octets_at_most() {
    let (user, password, line) = ("u".repeat(248), "p".repeat(248), "X".repeat(253));
    let script = format!("{NO_CAPA}C: USER {user}\nS: +OK\nC: PASS {password}\nS: -ERR\nC: {line}\nS: +OK");
    session(&script, |mut client| {
        assert_eq!(rejected(&client.login(&user, &password).unwrap_err()).0, "PASS");
        for (user, password) in [(format!("{user}u"), password.clone()), (user.clone(), format!("{password}p"))] {
            let error = client.login(&user, &password).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)) && !error.to_string().contains("pp"));
        }
        client.command(&line).unwrap();
        assert!(matches!(client.command(&format!("{line}X")), Err(Error::InvalidArgument(_))));
    });
    session(NO_CAPA, |mut client| {
        for name in ["", "TWO WORDS", "A\r\nB", "LONGER-THAN-TWENTY-OCTETS"] {
            struct Named(&'static str);
            impl Mechanism for Named {
                fn name(&self) -> &str {
                    self.0
                }
                fn start(&mut self, _: &sasl::Context<'_>) -> Result<Option<Secret>> {
                    Ok(None)
                }
                fn step(&mut self, _: &[u8]) -> Result<Secret> {
                    Ok(Secret::default())
                }
                fn is_finished(&self) -> bool {
                    true
                }
            }
            assert!(matches!(client.authenticate(&mut Named(name)), Err(Error::InvalidArgument(_))));
        }
    });
}

// ---- The end ----

#[test]
fn deletions_need_an_answer_to_quit() {
    let dele = "C: DELE 1\nS: +OK\nC: QUIT\n";
    session(&format!("{dele}S: +OK bye\nEOF"), |mut client| {
        client.dele(1).unwrap();
        client.quit().unwrap();
    });
    for (end, unknown) in [
        ("EOF", true),
        ("RESET", true),
        ("STALL", true),
        ("S- +OK\nEOF", true),
        ("S: what?", true),
        ("S: -ERR some deleted messages not removed\nEOF", false),
    ] {
        for line in ["dele", "command"] {
            session(&format!("{dele}{end}"), |mut client| {
                if line == "dele" {
                    client.dele(1).unwrap()
                } else {
                    drop(client.command("DELE 1").unwrap())
                }
                let error = client.quit().unwrap_err();
                assert_eq!(error.outcome_unknown(), unknown, "{end}: {error:?}");
                assert_eq!(error.rejection().is_some(), !unknown);
            });
        }
    }
}

#[test]
fn without_deletions_nothing_depends_on_quit() {
    for end in ["S: +OK bye\nEOF", "EOF", "RESET", "S- +O\nEOF"] {
        session(&format!("C: QUIT\n{end}"), |client| client.quit().unwrap());
        let rset = format!("C: DELE 1\nS: +OK\nC: RSET\nS: +OK\nC: QUIT\n{end}");
        session(&rset, |mut client| {
            client.dele(1).unwrap();
            client.rset().unwrap();
            client.quit().unwrap();
        });
    }
    session("C: QUIT\nS: -ERR no", |client| assert_eq!(rejected(&client.quit().unwrap_err()).0, "QUIT"));
}

#[test]
fn dropping_never_sends_quit() {
    session("C: DELE 1\nS: +OK", |mut client| client.dele(1).unwrap());
}

#[test]
fn a_lost_answer_to_dele_is_not_unknown() {
    session("C: DELE 1\nEOF", |mut client| assert!(!client.dele(1).unwrap_err().outcome_unknown()));
}

// ---- What is shown ----

#[test]
fn rule_11_no_secret_is_shown() {
    let (lines, script) = (
        std::sync::Arc::new(std::sync::Mutex::new(String::new())),
        format!("S: +OK\n{NO_CAPA}C: USER user\nS: +OK\nC: PASS hunter2 x\nS: -ERR wrong: hunter2 x"),
    );
    let shown = lines.clone();
    let connector = Connector::new().transcript(move |event| shown.lock().unwrap().push_str(&format!("{event}\n")));
    let (client, _) = open_with(connector, Script::parse(&script).unwrap(), Security::Plain);
    let mut client = client.unwrap();
    let error = client.login("user", "hunter2 x").unwrap_err();
    let shown = format!("{}{error}{error:?}{client:?}", lines.lock().unwrap());
    assert!(shown.contains("C: PASS [redacted]") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn rule_3_nothing_computed_from_a_password_goes_over_a_link_to_elsewhere() {
    let (transport, handle) = Script::parse("S: +OK").unwrap().play();
    let mut client =
        Connector::new().clock(handle.clock()).over(Pop3::new(), transport, PEER, Security::Plain).unwrap();
    assert!(matches!(client.login("u", "p"), Err(Error::InsecureLogin(_))));
    handle.finish();
}

// ---- Real servers ----

/// Every endpoint of the rig that takes a password in clear: what the verbs say agrees with one another.
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn real_servers() {
    let rig = std::fs::read(std::env::var("MAILCONNECT_RIG").expect("MAILCONNECT_RIG")).unwrap();
    let rig: serde_json::Value = serde_json::from_slice(&rig).unwrap();
    let (user, password) = (rig["seeded_user"].as_str().unwrap(), &rig["users"][rig["seeded_user"].as_str().unwrap()]);
    let takes_passwords = |endpoint: &&serde_json::Value| {
        let offered = endpoint["auth_plain"].as_array().is_some_and(|names| names.iter().any(|name| name == "USER"));
        endpoint["proto"] == "pop3" && offered && endpoint["client_cert"] != true
    };
    let endpoints: Vec<_> = rig["endpoints"].as_array().unwrap().iter().filter(takes_passwords).collect();
    assert!(endpoints.len() >= 8, "{}", endpoints.len());
    for endpoint in endpoints {
        let name = endpoint["name"].as_str().unwrap();
        let (host, port) =
            (endpoint["host"].as_str().unwrap(), u16::try_from(endpoint["port"].as_u64().unwrap()).unwrap());
        let mut client = Pop3Client::connect((host, port)).unwrap_or_else(|error| panic!("{name}: {error}"));
        client.login(user, password.as_str().unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (stat, list, uidl) = (client.stat().unwrap(), client.list().unwrap(), client.uidl().unwrap());
        assert_eq!(stat.messages as usize, rig["seeds"].as_array().unwrap().len(), "{name}");
        assert_eq!(stat.octets, list.iter().map(|entry| entry.octets).sum::<u64>(), "{name}");
        assert!(list.iter().map(|entry| entry.number).eq(uidl.iter().map(|entry| entry.number)), "{name}");
        for entry in &list {
            let whole = client.retr(entry.number).unwrap().collect().unwrap();
            let top = client.top(entry.number, 1_000_000).unwrap().collect().unwrap();
            assert!(whole.starts_with(b"Return-Path") || whole.windows(8).any(|w| w == b"Subject:"), "{name}");
            assert!(!top.is_empty() && whole.ends_with(b"\r\n"), "{name}");
        }
        assert!(client.retr(9_999).unwrap_err().is_permanent(), "{name}");
        client.quit().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

// ---- APOP ----

#[cfg(feature = "scram")]
const STAMP: &str = "S: +OK POP3 <ready> <1896.697170952@dbc.mtview.ca.us>\n";

#[cfg(feature = "scram")]
#[test]
fn apop_takes_the_greetings_stamp() {
    let script = format!(
        "{STAMP}{NO_CAPA}C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: -ERR [AUTH] no\n{NO_CAPA}\
         C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK in\n{NO_CAPA}"
    );
    let script = script.replacen(&format!("no\n{NO_CAPA}"), "no\n", 1);
    session_of(Script::parse(&script).unwrap(), |mut client| {
        let error = client.apop("mrose", "tanstaaf").unwrap_err();
        assert_eq!(rejected(&error), ("APOP", Some("AUTH")));
        assert!(client.is_open() && !client.is_authenticated());
        client.apop("mrose", "tanstaaf").unwrap();
        assert!(client.is_authenticated() && client.capabilities().unwrap().is_empty());
        assert!(matches!(client.apop("mrose", "tanstaaf"), Err(Error::WrongState(_))));
    });
}

#[cfg(feature = "scram")]
#[test]
fn apop_wants_a_well_formed_stamp() {
    for greeting in ["ready", "<>", "<no-at>", "<a b@c>", "<a@b", "a@b>", "<a@\\xe9>"] {
        session_of(Script::parse(&format!("S: +OK {greeting}\n{NO_CAPA}")).unwrap(), |mut client| {
            assert!(matches!(client.apop("u", "pass"), Err(Error::Unsupported(_))), "{greeting}");
            assert!(client.is_open());
        });
    }
    session_of(Script::parse(&format!("{STAMP}{NO_CAPA}")).unwrap(), |mut client| {
        for user in ["", "a b", "a\rb", "a\nb", "a\0b"] {
            assert!(matches!(client.apop(user, "pass"), Err(Error::InvalidArgument(_))));
        }
        assert!(matches!(client.apop("u", "a\r\nDELE 1"), Err(Error::InvalidArgument(_))));
        assert!(matches!(client.apop(&"u".repeat(220), "pass"), Err(Error::InvalidArgument(_))));
    });
}

#[cfg(feature = "scram")]
#[test]
fn rule_2_and_3_apop_is_neither_done_in_clear_nor_with_a_stamp_from_before_stls() {
    let upgrade = format!("{STAMP}C: STLS\nS: +OK go\nTLS\n");
    for (kept, script) in [
        (false, format!("{upgrade}{NO_CAPA}")),
        (true, format!("{upgrade}{NO_CAPA}C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK")),
    ] {
        let (transport, handle) = Script::parse(&script).unwrap().play();
        let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new());
        let pop3 = Pop3::new().danger_apop_after_stls(kept);
        let mut client = connector.over(pop3, transport, PEER, Security::StartTls).unwrap();
        let result = client.apop("mrose", "tanstaaf");
        assert_eq!(result.is_ok(), kept, "{result:?}");
        assert!(kept || matches!(result, Err(Error::Unsupported(_))));
        handle.finish();
    }
    // TLS from the first byte protects the stamp as well.
    let (transport, handle) =
        Script::parse(&format!("TLS\n{STAMP}{NO_CAPA}C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK"))
            .unwrap()
            .play();
    let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new());
    connector.over(Pop3::new(), transport, PEER, Security::Tls).unwrap().apop("mrose", "tanstaaf").unwrap();
    handle.finish();
    // And in clear nothing is sent.
    let (transport, handle) = Script::parse(STAMP).unwrap().play();
    let connector = Connector::new().clock(handle.clock());
    let mut client = connector.over(Pop3::new(), transport, PEER, Security::Plain).unwrap();
    assert!(matches!(client.apop("mrose", "tanstaaf"), Err(Error::InsecureLogin(_))));
    handle.finish();
}

#[cfg(not(feature = "scram"))]
#[test]
fn rule_13_without_its_feature_apop_is_unsupported() {
    session("", |mut client| assert!(matches!(client.apop("u", "pass"), Err(Error::Unsupported(_)))));
}

#[test]
fn rule_11_no_error_repeats_a_password_that_was_refused() {
    let script = "C: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS hunter2\nS: -ERR no\n\
                  C: USER u\nS: +OK\nC: PASS hunter2!2026\nS: -ERR not hunter2!2026\n\
                  C: STLS\nS: -ERR hunter2!2026, hunter2";
    session(script, |mut client| {
        let refused = |error: Error| assert!(!format!("{error} {error:?}").contains(['!', '2']), "{error:?}");
        refused(client.login("u", "hunter2").unwrap_err());
        refused(client.login("u", "hunter2!2026").unwrap_err());
        refused(client.start_tls().unwrap_err());
    });
}
