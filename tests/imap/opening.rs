//! Opening: the greeting, PREAUTH, and the upgrade with no third outcome.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use mailconnect::errors::StartTlsCause;
use mailconnect::imap::{Event, Imap};
use mailconnect::testing::{Chunking, Script};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, Error, ImapClient, Result, Security};

use crate::{open, open_with};
#[test]
fn only_ok_welcomes() {
    for greeting in ["* BYE [UNAVAILABLE] full", "* NO not now", "* BAD"] {
        let (client, _) = open(&format!("S: {greeting}\nEOF"));
        let error = client.unwrap_err();
        assert!(error.rejection().is_some() && error.is_fatal(), "{error}");
        assert_eq!(error.is_transient(), greeting.contains("UNAVAILABLE"), "{error}");
        assert!(error.to_string().starts_with("the server refused the connection: "), "{error}");
    }
    for greeting in ["+OK POP3", "220 smtp", "A1 OK", "A0 OK", "SSH-2.0", "* FINE", "*", "* 1 EXISTS", "\\n", "junk"] {
        let (client, _) = open(&format!("S: {greeting}\nSTALL"));
        assert!(matches!(client.unwrap_err(), Error::Protocol(_)), "{greeting}");
    }
    for script in ["EOF", "S- * OK ready\nEOF"] {
        assert!(matches!(open(script).0.unwrap_err(), Error::ConnectionLost(_)), "{script}");
    }
    assert!(open("STALL").0.unwrap_err().is_timeout());
    let long = Script::new().server("* OK ".to_owned() + &"x".repeat(8 << 10) + "\r\n");
    let error = open_with(Connector::new(), Imap::new(), long, Security::Plain).0.unwrap_err();
    assert!(matches!(error, Error::Limit(limit) if limit.max == 8192));
    for greeting in ["* OK", "* ok", "*  OK  hi", "* OK [CAPABILITY IMAP4] \\xfc"] {
        assert!(open(&format!("S: {greeting}")).0.is_ok(), "{greeting}");
    }
}

#[test]
fn preauth_is_taken_only_if_allowed_and_never_upgraded() {
    let script = || Script::parse("S: * PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\nC: A1 NOOP\nS: A1 OK").unwrap();
    for security in [Security::Plain, Security::StartTls, Security::Tls] {
        let script = if security == Security::Tls { Script::new().tls().server("* PREAUTH hi\r\n") } else { script() };
        let (client, handle) = open_with(Connector::new(), Imap::new(), script, security);
        assert!(client.unwrap_err().is_fatal());
        assert!(handle.sent().iter().all(|byte| *byte != b'A'));
    }
    let allowed = || Imap::new().allow_preauth(true);
    let (client, handle) = open_with(Connector::new(), allowed(), script(), Security::Plain);
    let mut client = client.unwrap();
    assert!(client.protocol().is_preauth());
    assert!(matches!(client.login("u", "pass"), Err(Error::WrongState(_))));
    client.noop().unwrap();
    handle.finish();
    let (client, handle) = open_with(Connector::new(), allowed(), script(), Security::StartTls);
    assert!(matches!(client.unwrap_err(), Error::StartTls(error) if matches!(error.cause, StartTlsCause::Preauth)));
    assert!(handle.sent().is_empty());
}

#[test]
fn start_tls_comes_right_after_the_greeting_and_forgets_what_was_said_before() {
    let script = "S: * OK [CAPABILITY OLD] hi\nC: A1 NOOP\nS: * 7 EXISTS\nS: * OK [ALERT] buy\nS: A1 OK\n\
                  C: A2 STARTTLS\nS: * 9 EXPUNGE\nS: A2 OK [CAPABILITY OLD] go\nTLS\n\
                  S: * OK [ALERT] new\nC: A3 CAPABILITY\nS: * CAPABILITY  IMAP4rev1 Idle \nS: A3 OK\n";
    for chunking in Chunking::ALL {
        let script = Script::parse(script).unwrap().chunking(chunking);
        let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
        let mut client = client.unwrap();
        assert!(client.capabilities().unwrap().has("old"));
        client.noop().unwrap();
        client.start_tls().unwrap();
        assert!(client.is_secure() && client.events().is_empty());
        let capabilities = client.capabilities().unwrap();
        assert_eq!(capabilities.iter().collect::<Vec<_>>(), ["IMAP4REV1", "IDLE"]);
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Alert("new".into())]);
        handle.finish();
        let script = Script::parse("S: * OK\nC: A1 STARTTLS\nS: A1 OK\nTLS").unwrap().chunking(chunking);
        let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::StartTls);
        assert!(client.unwrap().is_secure());
        handle.finish();
    }
}

/// What anybody on the way can say is no alert that a user must be shown.
#[test]
fn rule_2_no_listener_hears_what_came_before_tls() {
    let script = "S: * OK [ALERT] early\nC: A1 STARTTLS\nS: * OK [ALERT] call 555\nS: * 1 EXISTS\nS: A1 OK [ALERT] go\nTLS\n\
                  C: A2 NOOP\nS: * OK [ALERT] new\nS: A2 OK";
    let goodbye = "S: * OK [ALERT] early\nC: A1 STARTTLS\nS: * BYE call 555";
    for (script, heard) in [(script, vec![Event::Alert("new".into())]), (goodbye, Vec::new())] {
        for chunking in Chunking::ALL {
            let told = Arc::new(Mutex::new(Vec::new()));
            let listener = Arc::clone(&told);
            let imap = Imap::new().on_event(move |event| listener.lock().unwrap().push(event.clone()));
            let script = Script::parse(script).unwrap().chunking(chunking);
            let (client, handle) = open_with(Connector::new(), imap, script, Security::StartTls);
            if let Ok(mut client) = client {
                client.noop().unwrap();
                assert_eq!(client.events().collect::<Vec<_>>(), heard);
            }
            assert_eq!(*told.lock().unwrap(), heard);
            handle.finish();
        }
    }
}

/// No script here has a step after STARTTLS's answer: one byte of the client's more would be an error of the script.
#[test]
fn rule_1_start_tls_has_no_third_outcome() {
    let answers = [
        "S: A1 NO no",
        "S: A1 BAD no",
        "S: A2 OK",
        "S: + go on",
        "S: +OK",
        "S: 220 go",
        "S: A1 OKAY",
        "S: A1",
        "S: * BYE",
        "EOF",
        "STALL",
        "RESET",
        "S- A1 OK",
        "S: A1 OK go\\r\\n* OK [ALERT] injected",
        "S: A1 OK go\\r\\nA2 OK",
        "S: A1 OK go\\r\\n*",
        "S: * 1 FETCH (BODY[] {5}\\r\\nA1 OK)\nSTALL",
    ];
    for answer in answers {
        for chunking in [Chunking::Whole, Chunking::Lines] {
            let script = Script::parse(&format!("S: * OK\nC: A1 STARTTLS\n{answer}")).unwrap().chunking(chunking);
            let (client, handle) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
            let mut client = client.unwrap();
            let error = client.start_tls().unwrap_err();
            let Error::StartTls(error) = error else { panic!("{answer}: {error:?}") };
            let refused = matches!(error.cause, StartTlsCause::Refused(_));
            assert_eq!(refused, ["NO no", "BAD no", "BYE"].iter().any(|word| answer.ends_with(word)), "{answer}");
            assert!(!client.is_open() && !client.is_secure());
            assert!(matches!(client.noop(), Err(Error::Closed)));
            assert!(handle.sent().starts_with(b"A1 STARTTLS\r\n"), "{answer}");
            assert!(!handle.sent().windows(4).any(|window| window == b"NOOP"), "{answer}");
        }
    }
    for early in ["A1 OK", "* OK [ALERT] early", "* 1 EXISTS"] {
        let error = open(&format!("S: * OK\nS: {early}\nC: A1 STARTTLS")).0.unwrap().start_tls().unwrap_err();
        assert!(matches!(error, Error::StartTls(error) if matches!(error.cause, StartTlsCause::EarlyAnswer)));
    }
}

/// A connection that knows no time: looking whether something is there would wait for ever.
struct Timeless(Box<dyn Transport>);

impl Read for Timeless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Timeless {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Timeless {
    fn set_deadline(&mut self, _: Deadline) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[test]
fn a_transport_without_deadlines_is_never_waited_for() {
    let script = Script::parse("S: * OK\nC: A1 NOOP\nS: * 1 EXISTS\nS: A1 OK\nC: A2 LOGOUT\nS: A2 OK").unwrap();
    let (transport, handle) = script.play();
    let connector = Connector::new().danger_no_deadline(true);
    let client: Result<ImapClient> =
        connector.over(Imap::new(), Timeless(Box::new(transport)), "mail.example.com", Security::Plain);
    let mut client = client.unwrap();
    client.noop().unwrap();
    client.quit().unwrap();
    handle.finish();
}
