//! Slow and broken peers, at every place of a session and in every protocol: an error that names phase and peer, at the
//! deadline by the virtual clock, and no call of the operating system for every byte. Resolving and connecting are tested
//! in `src/net`.

#[path = "faults/peers.rs"]
mod peers;

use std::time::Duration;

use mailconnect::errors::StartTlsCause;
use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::testing::{Script, ScriptHandle, StandInTls};
use mailconnect::tls::TlsBackend;
use mailconnect::{Client, Connector, Error, ImapClient, Phase, Pop3Client, Result, Security, SmtpClient, Timeouts};
use peers::{Fault, Place, Subject, server};

const HOST: &str = "mail.example.com";
const PORT: u16 = 2020;
const PEER: &str = "mail.example.com:2020";

/// One fault, played. What is left of the client is tried too.
fn play<P: Subject>(place: Place, fault: Fault) -> (Result<()>, ScriptHandle) {
    let (transport, handle) = server::<P>(place, fault).play();
    let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new()).danger_plaintext_auth(true);
    let security = if place == Place::Handshake { Security::Tls } else { Security::Plain };
    let result = connector.over(P::default(), transport, (HOST, PORT), security).and_then(|mut client| {
        P::prepare(&mut client, place)?;
        let result = match place {
            Place::Quit | Place::Commit => return client.quit(),
            Place::StartTls | Place::Upgrade => client.start_tls(),
            Place::Login => client.login("user", "password"),
            _ => P::work(&mut client, place),
        };
        assert!(result.is_err(), "{place:?}, {fault:?}: succeeded");
        assert!(!client.is_open(), "{place:?}, {fault:?}: the client is not closed after {result:?}");
        assert!(matches!(client.exchange(|_, _| Ok(())), Err(Error::Closed)));
        result
    });
    assert_eq!(handle.error(), None);
    (result, handle)
}

/// The phase and the peer that an error names, through [`Error::StartTls`].
fn named(error: &Error) -> (Option<Phase>, String) {
    match error {
        Error::Timeout(timeout) => (Some(timeout.at.phase), timeout.at.peer.to_string()),
        Error::ConnectionLost(at) | Error::Io { at, .. } => (Some(at.phase), at.peer.to_string()),
        Error::Protocol(protocol) => (Some(protocol.at.phase), protocol.at.peer.to_string()),
        Error::Handshake(handshake) => (Some(Phase::Handshake), handshake.peer.to_string()),
        Error::StartTls(failed) => match &failed.cause {
            StartTlsCause::Failed(inner) => named(inner),
            _ => (None, failed.peer.to_string()),
        },
        _ => (None, String::new()),
    }
}

/// The error that was the reason, through [`Error::StartTls`].
fn reason(error: &Error) -> &Error {
    match error {
        Error::StartTls(failed) => match &failed.cause {
            StartTlsCause::Failed(inner) => inner,
            _ => error,
        },
        _ => error,
    }
}

fn check<P: Subject>(place: Place, fault: Fault) {
    let case = format!("{} {place:?} {fault:?}", P::NAME);
    let (result, handle) = play::<P>(place, fault);
    let fault = if fault == Fault::Garbage && P::passes_over_garbage(place) { Fault::Silence } else { fault };
    let elapsed = handle.clock().elapsed();
    let (phase, limit) = P::phase(place);
    if place == Place::Quit && matches!(fault, Fault::Close | Fault::Reset) {
        assert!(result.is_ok(), "{case}: nothing depends on that answer: {result:?}");
        return;
    }
    let error = result.expect_err(&case);
    assert_eq!(named(&error), (Some(phase), PEER.to_owned()), "{case}: {error:?}");
    assert!(error.to_string().contains(PEER), "{case}: {error}");
    let due = match fault {
        Fault::Silence | Fault::Drip => limit,
        Fault::Close | Fault::Reset | Fault::Garbage => Duration::ZERO,
    };
    // A byte a second earns 2 ms of each second.
    let most = due + due / Timeouts::BODY_RATE + Duration::from_secs(1);
    assert!(elapsed >= due && elapsed < most, "{case}: took {elapsed:?}, and not {due:?}");
    let expected = match (fault, reason(&error)) {
        (Fault::Silence | Fault::Drip, error) => matches!(error, Error::Timeout(_)),
        (_, Error::Handshake(_)) => phase == Phase::Handshake,
        (Fault::Close | Fault::Reset, error) => matches!(error, Error::ConnectionLost(_)),
        (Fault::Garbage, error) => matches!(error, Error::Protocol(_)),
    };
    assert!(expected, "{case}: {error:?}");
    assert_eq!(error.is_timeout(), matches!(fault, Fault::Silence | Fault::Drip), "{case}");
    let unknown = matches!(place, Place::Final | Place::Commit);
    assert_eq!(error.outcome_unknown(), unknown, "{case}: {error:?}");
    // A byte a second is one read, and a new time-out now and then; silence is one read in all.
    let dripped = if fault == Fault::Drip { elapsed.as_secs() as usize + 1 } else { 0 };
    assert!(handle.reads() <= dripped + 40, "{case}: {} reads", handle.reads());
    assert!(handle.calls() <= 3 * dripped + 80, "{case}: {} calls", handle.calls());
}

fn all<P: Subject>(expected: usize) {
    let mut cases = 0;
    for place in Place::ALL {
        for fault in Fault::ALL {
            if P::has(place) && !(place == Place::Body && fault == Fault::Garbage) {
                check::<P>(place, fault);
                cases += 1;
            }
        }
    }
    assert_eq!(cases, expected);
}

#[test]
fn smtp() {
    all::<Smtp>(45);
}

#[test]
fn imap() {
    all::<Imap>(49);
}

#[test]
fn pop3() {
    all::<Pop3>(49);
}

/// A whole MiB costs a read for each buffer of 16 KiB, and a time-out is not armed for each.
#[test]
fn a_bulk_transfer_costs_no_call_a_byte() {
    let text = b"x23456789012345678901234567890123456789012345678901234567890\r\n".repeat(1 << 14);
    let script = Script::new().server("+OK\r\n").client("RETR 1\r\n").server("+OK\r\n").server(&text).server(".\r\n");
    let (transport, handle) = script.play();
    let mut pop3 = Connector::new().clock(handle.clock()).over(Pop3::new(), transport, HOST, Security::Plain).unwrap();
    assert_eq!(pop3.retr(1).unwrap().copy_to(&mut std::io::sink()).unwrap(), text.len() as u64);
    let least = text.len() / (16 << 10);
    assert!(handle.calls() <= least + 20, "{} calls for {least} buffers", handle.calls());
}

// ---- The end of TLS, on real sockets ----

fn backends() -> Vec<TlsBackend> {
    let mut backends = Vec::new();
    if cfg!(feature = "rustls") {
        backends.push(TlsBackend::Rustls);
    }
    if cfg!(feature = "native-tls") {
        backends.push(TlsBackend::NativeTls);
    }
    backends
}

/// Plays a script that begins with TLS on a socket, with each back end, and each way to end it: `END` is without
/// close_notify, and with it.
fn with_real_tls<P: Subject>(script: &str, work: impl Fn(Client<P>) -> Result<()>, judge: impl Fn(Result<()>, &str)) {
    for backend in backends() {
        for end in ["EOF", "CLOSE"] {
            let script = Script::parse(&format!("TLS\n{}", script.replace("END", end))).unwrap();
            let mut server = script.listen().unwrap();
            let connector = Connector::new().tls_backend(backend).system_roots(false).timeouts(Timeouts::rfc5321());
            let connector = connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
            let result = connector.connect_ssl::<P>(server.endpoint()).and_then(&work);
            server.join();
            assert_eq!(server.handle().error(), None);
            judge(result, &format!("{} {backend:?} {end}", P::NAME));
        }
    }
}

fn is_lost(result: Result<()>, case: &str) {
    assert!(matches!(result, Err(Error::ConnectionLost(_))), "{case}: {result:?}");
}

fn is_fine(result: Result<()>, case: &str) {
    assert!(result.is_ok(), "{case}: {result:?}");
}

#[test]
fn the_end_of_tls_inside_an_answer_is_an_error() {
    let ehlo = format!("S: 220 hi\nC: EHLO {}\nS: 250 hi\n", peers::HELLO);
    let noop = |mut smtp: SmtpClient| smtp.noop().map(drop);
    with_real_tls(&format!("{ehlo}C: NOOP\nS- 250-half\\r\\n250 o\nEND"), noop, is_lost);
    with_real_tls(&format!("{ehlo}C: NOOP\nEND"), noop, is_lost);
    let noop = |mut imap: ImapClient| imap.noop();
    with_real_tls("S: * OK hi\nC: A1 NOOP\nS: * 1 EXISTS\nS- A1 OK\nEND", noop, is_lost);
    let fetch = |mut imap: ImapClient| imap.fetch_to(1, &mut std::io::sink()).map(drop);
    with_real_tls(
        "S: * OK hi\nC: A1 UID FETCH 1 (UID BODY.PEEK[])\nS: * 1 FETCH (UID 1 BODY[] {9}\nS- part\nEND",
        fetch,
        is_lost,
    );
    let retr = |mut pop3: Pop3Client| pop3.retr_to(1, &mut std::io::sink()).map(drop);
    with_real_tls("S: +OK hi\nC: RETR 1\nS: +OK\nS: Subject: half\nEND", retr, is_lost);
    with_real_tls("S: +OK hi\nC: RETR 1\nS: +OK\nS- all of it\\r\\n.\nEND", retr, is_lost);
}

#[test]
fn the_end_of_tls_after_quit_is_none() {
    let ehlo = format!("S: 220 hi\nC: EHLO {}\nS: 250 hi\nC: QUIT\n", peers::HELLO);
    for answer in ["S: 221 bye\n", ""] {
        with_real_tls(&format!("{ehlo}{answer}END"), |smtp: SmtpClient| smtp.quit(), is_fine);
    }
    for answer in ["S: * BYE\nS: A1 OK\n", "S: * BYE\n", ""] {
        with_real_tls(&format!("S: * OK hi\nC: A1 LOGOUT\n{answer}END"), |imap: ImapClient| imap.quit(), is_fine);
    }
    for answer in ["S: +OK bye\n", ""] {
        with_real_tls(&format!("S: +OK hi\nC: QUIT\n{answer}END"), |pop3: Pop3Client| pop3.quit(), is_fine);
    }
    let delete = |mut pop3: Pop3Client| {
        pop3.dele(1)?;
        pop3.quit()
    };
    with_real_tls("S: +OK hi\nC: DELE 1\nS: +OK\nC: QUIT\nEND", delete, |result, case| {
        let error = result.expect_err(case);
        assert!(matches!(error, Error::ConnectionLost(_)) && error.outcome_unknown(), "{case}: {error:?}");
    });
}
