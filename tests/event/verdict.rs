//! What decides and what cannot: forged signatures, panics, a handler that was replaced, and the end of TLS.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::tls::CertificateErrors as E;
use mailconnect::transport::Timed;
use mailconnect::{Error, Security};

use super::server::*;
use super::*;

fn one(speaks: Speaks, verb: Verb, identity: Identity, quirk: Quirk) -> Server {
    Server::start(Plan { speaks, implicit: verb == Verb::ConnectSsl, connections: vec![(identity, quirk)] })
}

#[test]
fn rule_4_a_forged_handshake_signature_fails_whatever_the_event_says() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for verb in VERBS {
            for identity in [root.issue(&params(HOST)), Identity::self_signed(&params(HOST))] {
                let server = one(Speaks::Smtp, verb, identity.forged(), Quirk::None);
                let (connector, _) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
                let error = visit(&connector, &server, Speaks::Smtp, verb).unwrap_err();
                assert!(!error.is_certificate() && format!("{error:?}").contains("Handshake"), "{error:?}");
                assert!(server.finished().iter().all(|session| session.secret.is_empty()));
            }
        }
    }
}

#[test]
fn a_panic_in_the_event_accepts_nothing() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for verb in VERBS {
            for identity in [root.issue(&params(HOST)), Identity::self_signed(&params(HOST))] {
                let server = one(Speaks::Imap, verb, identity, Quirk::None);
                let (connector, seen) = watched(trusting(*backend, &[&root.der]), |event| {
                    event.is_valid = true;
                    panic!("a handler that panics");
                });
                let result = catch_unwind(AssertUnwindSafe(|| visit(&connector, &server, Speaks::Imap, verb)));
                assert!(result.is_err());
                assert_eq!(seen.lock().unwrap().len(), 1);
                assert!(server.finished().iter().all(|session| session.secret.is_empty()));
            }
        }
    }
}

#[test]
fn setting_the_handler_again_replaces_it() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let server = one(Speaks::Pop3, Verb::ConnectSsl, Identity::self_signed(&params(HOST)), Quirk::None);
        let (first, not_asked) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
        let (second, asked) = watched(first.clone(), |_| {});
        let error = visit(&second, &server, Speaks::Pop3, Verb::ConnectSsl).unwrap_err();
        assert!(refusal(&error).1);
        assert_eq!((not_asked.lock().unwrap().len(), asked.lock().unwrap().len()), (0, 1));
        visit(&first, &server, Speaks::Pop3, Verb::ConnectSsl).unwrap();
        assert_eq!((not_asked.lock().unwrap().len(), asked.lock().unwrap().len()), (1, 1));
    }
}

#[test]
fn every_connection_is_asked_about_and_no_verdict_is_remembered() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for identity in [root.issue(&params(HOST)), Identity::self_signed(&params(HOST))] {
            let server = one(Speaks::Smtp, Verb::ConnectSsl, identity, Quirk::None);
            let count = std::sync::atomic::AtomicUsize::new(0);
            let (connector, seen) = watched(trusting(*backend, &[&root.der]), move |event| {
                event.is_valid = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
            });
            for visits in 1..=4 {
                let result = visit(&connector, &server, Speaks::Smtp, Verb::ConnectSsl);
                assert_eq!(result.is_ok(), visits <= 2, "{result:?}");
                assert_eq!(seen.lock().unwrap().len(), visits);
            }
        }
    }
}

#[test]
fn roots_are_taken_from_pem() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    for backend in BACKENDS {
        let server = one(Speaks::Smtp, Verb::ConnectSsl, root.issue(&params(HOST)), Quirk::None);
        let strict = Connector::new().tls_backend(*backend).system_roots(false);
        let both = strict.clone().root_certificates_pem((other.pem.clone() + &root.pem).as_bytes()).unwrap();
        visit(&both, &server, Speaks::Smtp, Verb::ConnectSsl).unwrap();
        let wrong = strict.clone().root_certificates_pem(other.pem.as_bytes()).unwrap();
        assert!(visit(&wrong, &server, Speaks::Smtp, Verb::ConnectSsl).unwrap_err().is_certificate());
        let none = visit(&strict, &server, Speaks::Smtp, Verb::ConnectSsl).unwrap_err();
        assert!(matches!(none, Error::NoRootCertificates { .. }), "{none:?}");
    }
}

#[test]
fn an_end_without_close_notify_is_an_error_inside_an_answer_and_none_after_quit() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let connector = trusting(*backend, &[&root.der]);
        for quirk in [Quirk::None, Quirk::CutsAnswer, Quirk::CutsBefore] {
            for speaks in PROTOCOLS {
                let server = one(speaks, Verb::ConnectSsl, root.issue(&params(HOST)), quirk);
                // The server says goodbye by closing its socket, and nothing else.
                let result = visit(&connector, &server, speaks, Verb::ConnectSsl);
                match (quirk, result) {
                    (Quirk::None, result) => drop(result.unwrap()),
                    (_, Err(Error::ConnectionLost(at))) => assert_eq!(at.command, "NOOP"),
                    (_, other) => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn over_has_no_second_connection() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for security in [Security::Tls, Security::StartTls] {
            let verb = if security == Security::Tls { Verb::ConnectSsl } else { Verb::ConnectStartTls };
            let server = one(Speaks::Smtp, verb, Identity::self_signed(&params(HOST)), Quirk::None);
            let (connector, seen) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
            let socket = Timed::new(TcpStream::connect(server.address).unwrap());
            let result = connector.over(Smtp::new(), socket, server.endpoint(), security);
            if *backend == TlsBackend::Rustls {
                result.unwrap().quit().unwrap();
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(refusal(&error), (E::CHAIN_ERROR, false));
            let text = error.to_string();
            assert!(text.contains("was not asked") && text.contains("`over`"), "{text}");
            assert!(seen.lock().unwrap().is_empty());
            let [session] = &server.finished()[..] else { panic!("more than one connection") };
            assert!(session.secret.is_empty());
        }
    }
}

#[test]
fn over_asks_about_what_takes_no_second_connection() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for (host, errors) in [(HOST, E::NONE), ("other.test", E::NAME_MISMATCH)] {
            let server = one(Speaks::Pop3, Verb::ConnectSsl, root.issue(&params(host)), Quirk::None);
            let (connector, seen) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
            let socket = Timed::new(TcpStream::connect(server.address).unwrap());
            connector.over(Pop3::new(), socket, server.endpoint(), Security::Tls).unwrap().quit().unwrap();
            assert_eq!(seen.lock().unwrap()[0].errors(), errors);
        }
    }
}

#[test]
fn the_wrong_mode_is_named_on_every_back_end() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let (connector, seen) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
        let server = one(Speaks::Imap, Verb::StartTls, root.issue(&params(HOST)), Quirk::None);
        let error = connector.open(Imap::new(), server.endpoint(), Security::Tls).unwrap_err();
        let Error::WrongMode(wrong) = &error else { panic!("{error:?}") };
        assert_eq!(&*wrong.received, "* OK hi\r\n");
        let server = one(Speaks::Smtp, Verb::StartTls, root.issue(&params(HOST)), Quirk::Plain);
        let error = connector.open(Smtp::new(), server.endpoint(), Security::StartTls).unwrap_err();
        assert!(error.to_string().contains("answered `500 what?"), "{error}");
        assert_eq!(server.finished().len(), 1);
        assert!(seen.lock().unwrap().is_empty());
    }
}

#[test]
fn an_upgrade_that_goes_wrong_never_gets_as_far_as_the_event() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let (connector, seen) = watched(trusting(*backend, &[&root.der]), |event| event.is_valid = true);
        for quirk in [Quirk::Injects, Quirk::Refuses, Quirk::Early] {
            for verb in [Verb::ConnectStartTls, Verb::StartTls] {
                let server = one(Speaks::Smtp, verb, root.issue(&params(HOST)), quirk);
                let error = visit(&connector, &server, Speaks::Smtp, verb).unwrap_err();
                // With `start_tls` the early answer is found by the command before it.
                let by_noop = quirk == Quirk::Early && verb == Verb::StartTls;
                assert!(matches!(error, Error::StartTls(_)) != by_noop, "{error:?}");
                assert!(!error.is_certificate());
                let [session] = &server.finished()[..] else { panic!("not one connection") };
                assert!(session.secret.is_empty());
            }
        }
        assert!(seen.lock().unwrap().is_empty());
    }
}
