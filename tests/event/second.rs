//! The second connection of native-tls: it is made for nothing but the event, under the same checks, and it clears nothing.
#![cfg(feature = "native-tls")]

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mailconnect::errors::StartTlsCause;
use mailconnect::tls::CertificateErrors as E;
use mailconnect::transport::{Timed, Transport};
use mailconnect::{Error, SmtpClient};

use super::server::*;
use super::*;

const NATIVE: TlsBackend = TlsBackend::NativeTls;

/// A self-signed certificate first, and then this.
fn then(verb: Verb, speaks: Speaks, second: (Identity, Quirk)) -> Server {
    let connections = vec![(Identity::self_signed(&params(HOST)), Quirk::None), second];
    Server::start(Plan { speaks, implicit: verb == Verb::ConnectSsl, connections })
}

#[test]
fn a_good_certificate_on_the_second_connection_does_not_clear_the_first() {
    let root = Authority::root("Root");
    for verb in VERBS {
        let server = then(verb, Speaks::Smtp, (root.issue(&params(HOST)), Quirk::None));
        let (connector, seen) = watched(trusting(NATIVE, &[&root.der]), |_| {});
        let error = visit(&connector, &server, Speaks::Smtp, verb).unwrap_err();
        let expected = E::CHAIN_ERROR | E::UNKNOWN_ISSUER;
        assert_eq!(refusal(&error), (expected, true));
        let [event] = &seen.lock().unwrap()[..] else { panic!("not one event") };
        // What the platform said of the first connection.
        assert!(event.detail().contains("self"), "{}", event.detail());
        assert_eq!(server.finished().len(), 2);
    }
}

#[test]
fn the_second_connection_is_the_one_that_is_asked_about() {
    let root = Authority::root("Root");
    let second = Identity::self_signed(&dated("other.test", 2001, 2002));
    let server = then(Verb::ConnectSsl, Speaks::Smtp, (second, Quirk::None));
    let (connector, seen) = watched(trusting(NATIVE, &[&root.der]), |event| {
        event.is_valid = event.errors() == E::CHAIN_ERROR | E::SELF_SIGNED;
    });
    let error = visit(&connector, &server, Speaks::Smtp, Verb::ConnectSsl).unwrap_err();
    let expected = E::CHAIN_ERROR | E::SELF_SIGNED | E::EXPIRED | E::NAME_MISMATCH;
    assert_eq!(refusal(&error), (expected, true));
    assert_eq!(seen.lock().unwrap()[0].chain(), error.certificate().unwrap().chain);
}

/// Why the upgrade on the second connection failed.
fn second_upgrade(speaks: Speaks, quirk: Quirk, verb: Verb) -> Error {
    let root = Authority::root("Root");
    let server = then(verb, speaks, (root.issue(&params(HOST)), quirk));
    let (connector, seen) = watched(trusting(NATIVE, &[&root.der]), |event| event.is_valid = true);
    let error = visit(&connector, &server, speaks, verb).unwrap_err();
    assert!(seen.lock().unwrap().is_empty());
    let sessions = server.finished();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session.secret.is_empty()));
    error
}

fn cause(error: Error) -> StartTlsCause {
    match error {
        Error::StartTls(error) => error.cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_upgrade_is_held_to_the_same_checks() {
    for verb in [Verb::ConnectStartTls, Verb::StartTls] {
        for speaks in PROTOCOLS {
            let injected = cause(second_upgrade(speaks, Quirk::Injects, verb));
            assert!(matches!(injected, StartTlsCause::EarlyData(1..)), "{injected:?}");
            let refused = cause(second_upgrade(speaks, Quirk::Refuses, verb));
            assert!(matches!(refused, StartTlsCause::Refused(_)), "{refused:?}");
        }
        let early = cause(second_upgrade(Speaks::Smtp, Quirk::Early, verb));
        assert!(matches!(early, StartTlsCause::EarlyAnswer), "{early:?}");
        let plain = second_upgrade(Speaks::Smtp, Quirk::Plain, verb).to_string();
        assert!(plain.contains("answered `500 what?"), "{plain}");
    }
}

#[test]
fn the_client_goes_on_on_the_second_connection() {
    let root = Authority::root("Root");
    let server = then(Verb::StartTls, Speaks::Smtp, (Identity::self_signed(&params(HOST)), Quirk::None));
    let (connector, _) = watched(trusting(NATIVE, &[&root.der]), |event| event.is_valid = true);
    let mut client: SmtpClient = connector.connect(server.endpoint()).unwrap();
    let interrupt = client.interrupt_handle();
    client.start_tls().unwrap();
    assert!(client.is_open() && client.is_secure());
    client.noop().unwrap();
    interrupt.interrupt();
    assert!(matches!(client.noop(), Err(Error::Interrupted(_))));
    let sessions = server.finished();
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].secret.is_empty());
    let words: Vec<_> = sessions[1].secret.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["EHLO", "NOOP"]);
}

/// A dialer that connects so often and then fails.
fn dialing(connector: Connector, server: &Server, times: usize) -> Connector {
    let (count, address) = (AtomicUsize::new(0), server.address);
    connector.dialer(move |target| {
        assert_eq!((target.host, target.port), (HOST, address.port()));
        if count.fetch_add(1, Ordering::SeqCst) < times {
            Ok(Box::new(Timed::new(TcpStream::connect(address)?)) as Box<dyn Transport>)
        } else {
            Err(std::io::ErrorKind::ConnectionRefused.into())
        }
    })
}

#[test]
fn the_same_dialer_makes_the_second_connection_and_if_it_fails_the_first_stands() {
    let root = Authority::root("Root");
    for verb in VERBS {
        let server = then(verb, Speaks::Pop3, (Identity::self_signed(&params(HOST)), Quirk::None));
        let (connector, seen) = watched(trusting(NATIVE, &[&root.der]), |event| event.is_valid = true);
        let connector = dialing(connector, &server, 2);
        visit(&connector, &server, Speaks::Pop3, verb).unwrap();
        assert_eq!(seen.lock().unwrap().len(), 1);
        let server = then(verb, Speaks::Pop3, (Identity::self_signed(&params(HOST)), Quirk::None));
        let connector = dialing(connector, &server, 1);
        let error = visit(&connector, &server, Speaks::Pop3, verb).unwrap_err();
        assert_eq!(refusal(&error), (E::CHAIN_ERROR, false));
        assert!(error.to_string().contains("second connection that it takes failed"), "{error}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[test]
fn the_overall_deadline_covers_the_second_connection() {
    let root = Authority::root("Root");
    for verb in VERBS {
        let server = then(verb, Speaks::Imap, (Identity::self_signed(&params(HOST)), Quirk::Silent));
        let (connector, seen) = watched(trusting(NATIVE, &[&root.der]), |event| event.is_valid = true);
        let connector = connector.deadline(Duration::from_secs(1));
        let (done, result) = mpsc::channel();
        std::thread::spawn(move || {
            done.send(visit(&connector, &server, Speaks::Imap, verb).map_err(|e| e.is_timeout()))
        });
        let timed_out = result.recv_timeout(Duration::from_secs(60)).expect("it hangs").unwrap_err();
        assert!(timed_out && seen.lock().unwrap().is_empty());
    }
}
