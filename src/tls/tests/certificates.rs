//! Certificates of all kinds, under TLS 1.2 and 1.3: what is found, and who decides.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::rustls::SupportedProtocolVersion;

use super::matrix::{Anyway, Case, cases};
use super::rig::*;
use crate::error::Result;
use crate::net::Transport;
use crate::tls::{CertificateErrors as E, CertificateEvent, TlsBackend};
use crate::{Error, certificate::SslPolicyErrors};

/// What came of a connection.
struct Outcome<'a> {
    case: &'a Case,
    backend: TlsBackend,
    result: Result<Box<dyn Transport>>,
    /// How the server saw it.
    sessions: Sessions,
    /// What the event saw.
    seen: Vec<CertificateEvent>,
}

/// Every certificate, under every version, on every back end.
fn every_case(decide: Option<fn(&mut CertificateEvent)>, check: impl Fn(Outcome<'_>)) {
    let (settings, cases) = cases();
    for backend in BACKENDS {
        let settings = on(*backend, settings.clone());
        let (settings, seen) = match decide {
            Some(decide) => with_event(settings, decide),
            None => (settings, Seen::default()),
        };
        for version in VERSIONS {
            for case in &cases {
                eprintln!("{} under {:?} on {backend:?}", case.name, version.version);
                let (result, sessions) = dial_echo_as(case.host, &settings, &Server::new(&case.identity, version));
                let seen = std::mem::take(&mut *seen.lock().unwrap());
                check(Outcome { case, backend: *backend, result, sessions, seen });
            }
        }
    }
}

/// What of the chain a back end tells.
fn chain(identity: &Identity, backend: TlsBackend) -> Vec<Vec<u8>> {
    let count = if backend == TlsBackend::NativeTls { 1 } else { usize::MAX };
    identity.chain.iter().take(count).map(|der| der.to_vec()).collect()
}

/// The handshake failed, and not on the certificate.
fn assert_not_proven(error: &Error) {
    assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
    // (OpenSSL may find that signature and key do not even go together.)
    let text = format!("{error:?}").to_lowercase().replace(' ', "");
    let reasons = ["badsignature", "wrongsignature", "unsupportedsignature", "wrongcertificatetype"];
    assert!(reasons.iter().any(|reason| text.contains(reason)), "{error:?}");
}

#[test]
fn without_event_the_default_check_decides() {
    every_case(None, |Outcome { case, backend, result, mut sessions, seen }| {
        assert_eq!((sessions.len(), seen.len()), (1, 0));
        match result {
            Ok(mut tls) => {
                assert_eq!((case.errors(backend), case.anyway), (E::NONE, Anyway::Works));
                ping(&mut *tls);
                assert!(tls.tls().unwrap().is_verified());
                assert_eq!(tls.tls().unwrap().chain, chain(&case.identity, backend));
            }
            Err(Error::Certificate(refused)) => {
                // The platform does not tell a bad proof from a bad certificate.
                let blind = case.anyway == Anyway::Fails && backend == TlsBackend::NativeTls;
                assert_eq!(refused.errors, if blind { E::CHAIN_ERROR } else { case.strict(backend) });
                assert!(!refused.errors.is_empty() && !refused.by_event && !refused.detail.is_empty());
                assert_eq!(&*refused.server_name, case.host);
                if backend == TlsBackend::Rustls || refused.errors == E::NAME_MISMATCH {
                    assert_eq!(refused.chain, chain(&case.identity, backend));
                }
                assert!(sessions.remove(0).join().unwrap().is_err());
            }
            Err(other) => {
                assert_eq!(case.anyway, Anyway::Fails, "{other:?}");
                assert_not_proven(&other);
            }
        }
    });
}

/// All lines of the table that are not as they should be, at once.
#[test]
fn every_certificate_is_found_to_be_what_it_is() {
    let wrong = std::sync::Mutex::new(Vec::new());
    every_case(Some(|event| event.is_valid = true), |Outcome { case, backend, seen, .. }| {
        let (expected, found) = (case.errors(backend), seen.first().map(CertificateEvent::errors));
        if found.is_some_and(|found| found != expected) {
            wrong.lock().unwrap().push(format!("{} on {backend:?}: {:?}, not {expected}", case.name, found.unwrap()));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_event_that_decides_nothing_leaves_the_default_verdict() {
    every_case(Some(|_| {}), |Outcome { case, backend, result, sessions, seen }| {
        let (expected, fails) = (case.errors(backend), case.anyway == Anyway::Fails);
        if fails && backend == TlsBackend::NativeTls {
            // The platform checks the signature before there is a certificate to ask about.
            assert_not_proven(&result.unwrap_err());
            assert!(seen.is_empty());
            return;
        }
        assert_eq!(sessions.len(), case.connections(backend));
        match result {
            Ok(_) => assert_eq!(expected, E::NONE),
            Err(error) if expected.is_empty() => assert_not_proven(&error),
            Err(error) => {
                let refused = error.certificate().unwrap();
                assert_eq!(refused.errors, expected);
                assert!(refused.by_event);
                assert_eq!(refused.chain, chain(&case.identity, backend));
            }
        }
        let [event] = &seen[..] else { panic!("not one event") };
        assert_eq!((event.errors(), event.is_valid), (expected, expected.is_empty()));
        assert_eq!(event.chain_verified(), case.is_chain_verified(backend));
        assert_eq!((event.port(), event.protocol(), event.backend()), (993, "IMAP", backend));
        assert_eq!((event.host(), event.chain()), (case.host, &*chain(&case.identity, backend)));
        assert_eq!(
            (event.certificate().der(), event.certificates().count()),
            (&*event.chain()[0], event.chain().len())
        );
        assert_eq!(event.ssl_policy_errors(), SslPolicyErrors::from(expected));
        assert_eq!(event.detail().is_empty(), expected.is_empty());
    });
}

#[test]
fn the_event_may_accept_everything() {
    every_case(Some(|event| event.is_valid = true), |Outcome { case, backend, result, mut sessions, seen }| {
        if case.anyway == Anyway::Fails {
            assert_not_proven(&result.unwrap_err());
            return;
        }
        let mut tls = result.unwrap();
        ping(&mut *tls);
        let info = tls.tls().unwrap();
        assert_eq!(info.certificate_errors, case.errors(backend));
        assert_eq!(info.certificate().unwrap().der(), &*case.identity.chain[0]);
        assert_ne!(info.resumed, Some(true));
        assert_eq!((seen.len(), sessions.len()), (1, case.connections(backend)));
        tls.close().unwrap();
        assert_eq!(sessions.pop().unwrap().join().unwrap().unwrap(), b"ping");
        assert!(sessions.pop().is_none_or(|first| first.join().unwrap().is_err()));
    });
}

#[test]
fn the_event_may_refuse_everything() {
    every_case(Some(|event| event.is_valid = false), |Outcome { case, backend, result, sessions, seen }| {
        let error = result.unwrap_err();
        if case.anyway == Anyway::Fails && backend == TlsBackend::NativeTls {
            assert_not_proven(&error);
            return;
        }
        let refused = error.certificate().unwrap();
        assert_eq!((refused.errors, refused.by_event), (case.errors(backend), true));
        assert_eq!((seen.len(), sessions.len()), (1, case.connections(backend)));
        for session in sessions {
            assert!(session.join().unwrap().is_err());
        }
    });
}

#[test]
fn a_forged_handshake_signature_is_never_accepted() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for version in VERSIONS {
            for trusted in [true, false] {
                let mut identity = root.issue(&params(HOST));
                identity.key = rcgen::KeyPair::generate().unwrap();
                let roots = [&root.der];
                let settings = trusting(&roots[..usize::from(trusted)]);
                let (settings, seen) = with_event(on(*backend, settings), |event| event.is_valid = true);
                let (result, sessions) = dial_echo(&settings, &Server::new(&identity, version));
                let error = result.unwrap_err();
                assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
                assert!(format!("{error:?}").to_lowercase().replace(' ', "").contains("badsignature"), "{error:?}");
                // native-tls checks the signature before there is a certificate to ask about.
                let asked = usize::from(*backend == TlsBackend::Rustls);
                assert_eq!(seen.lock().unwrap().len(), asked);
                for session in sessions {
                    assert!(session.join().unwrap().is_err());
                }
            }
        }
    }
}

fn panicking(version: &'static SupportedProtocolVersion, backend: TlsBackend) {
    let identity = Identity::self_signed(&params(HOST));
    let server = Server::new(&identity, version);
    let (settings, seen) = with_event(on(backend, trusting(&[])), |event| {
        event.is_valid = true;
        panic!("a handler that panics");
    });
    for calls in 1..=2 {
        let mut sessions = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            connect_by(&settings, || {
                let (plain, session) = server.echo();
                sessions.push(session);
                plain
            })
        }));
        assert!(result.is_err());
        assert_eq!(seen.lock().unwrap().len(), calls);
        for session in sessions {
            assert!(session.join().unwrap().is_err());
        }
    }
}

#[test]
fn a_panic_in_the_event_accepts_nothing() {
    for backend in BACKENDS {
        VERSIONS.into_iter().for_each(|version| panicking(version, *backend));
    }
}

#[test]
fn without_a_second_connection_the_strict_result_stands() {
    let root = Authority::root("Root");
    let server = Server::new(&Identity::self_signed(&params(HOST)), VERSIONS[1]);
    for backend in BACKENDS {
        let (settings, seen) = with_event(on(*backend, trusting(&[&root.der])), |event| event.is_valid = true);
        let result = connect(&settings, server.echo().0);
        if *backend == TlsBackend::Rustls {
            assert!(result.is_ok());
            continue;
        }
        let error = result.unwrap_err();
        let refused = error.certificate().unwrap();
        assert_eq!((refused.errors, refused.by_event), (E::CHAIN_ERROR, false));
        assert!(refused.detail.contains("was not asked: no second connection"), "{}", refused.detail);
        assert!(seen.lock().unwrap().is_empty());
    }
}

#[test]
fn with_no_roots_the_event_is_asked_and_sees_all_the_same() {
    let bad = E::EXPIRED | E::NAME_MISMATCH | E::SELF_SIGNED;
    let cases = [
        (Identity::self_signed(&expired(params("other.test"))), bad | E::UNKNOWN_ISSUER, bad | E::CHAIN_ERROR),
        (Authority::root("Root").issue(&params(HOST)), E::UNKNOWN_ISSUER, E::UNKNOWN_ISSUER | E::CHAIN_ERROR),
    ];
    for backend in BACKENDS {
        for (identity, errors, native) in &cases {
            let settings = on(*backend, trusting(&[]));
            let error = connect(&settings, pipe().0).unwrap_err();
            assert!(matches!(error, Error::NoRootCertificates { .. }), "{error:?}");
            let (settings, seen) = with_event(settings, |event| event.is_valid = true);
            let (result, _sessions) = dial_echo(&settings, &Server::new(identity, VERSIONS[1]));
            ping(&mut *result.unwrap());
            let expected = if *backend == TlsBackend::NativeTls { native } else { errors };
            assert_eq!(seen.lock().unwrap()[0].errors(), *expected);
        }
    }
}
