//! Certificates of all kinds, under TLS 1.2 and 1.3: what is found, and who decides.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::rustls::SupportedProtocolVersion;
use rcgen::{DnType, ExtendedKeyUsagePurpose, GeneralSubtree, KeyUsagePurpose, NameConstraints};

use super::rig::*;
use crate::Error;
use crate::tls::{CertificateErrors as E, TlsBackend, TlsSettings};

struct Case {
    name: &'static str,
    identity: Identity,
    /// What rustls finds.
    errors: E,
    /// What the event sees on native-tls.
    native: E,
}

impl Case {
    fn errors(&self, backend: TlsBackend) -> E {
        if backend == TlsBackend::NativeTls { self.native } else { self.errors }
    }

    /// What is found where no event is set: the platform says no more than that it refused.
    fn strict(&self, backend: TlsBackend) -> E {
        if backend == TlsBackend::NativeTls && !self.native.is_empty() { E::CHAIN_ERROR } else { self.errors }
    }

    /// How many connections the event takes.
    fn connections(&self, backend: TlsBackend) -> usize {
        1 + usize::from(backend == TlsBackend::NativeTls && self.native.contains(E::CHAIN_ERROR))
    }
}

/// The certificates of the matrix, and settings that trust the first authority.
fn cases() -> (TlsSettings, Vec<Case>) {
    let root = Authority::root("Root");
    let middle = root.below(authority_params("Middle"));
    let mut constrained = authority_params("Constrained");
    let permitted_subtrees = vec![GeneralSubtree::DnsName("other.test".into())];
    constrained.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    let constrained = root.below(constrained);
    let old = root.below(expired(authority_params("Old")));
    let mut for_clients = params(HOST);
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut of_authority = authority_params(HOST);
    of_authority.subject_alt_names = params(HOST).subject_alt_names;
    // Without it OpenSSL takes no handshake of TLS 1.2 from it, whatever the event says.
    of_authority.key_usages.push(KeyUsagePurpose::DigitalSignature);
    let mut name_only = params(HOST);
    name_only.subject_alt_names.clear();
    // Names of their own, lest they be taken for the issuers of the self-signed ones that were not added.
    let mut to_add = of_authority.clone();
    to_add.distinguished_name.push(DnType::CommonName, "Added");
    let added = Identity::self_signed(&to_add);
    let mut to_add = expired(params("other.test"));
    to_add.distinguished_name.push(DnType::CommonName, "Added and old");
    let added_old = Identity::self_signed(&to_add);

    let settings = trusting(&[&root.der, &added.chain[0], &added_old.chain[0]]);
    let stranger = E::SELF_SIGNED | E::UNKNOWN_ISSUER;
    let (chain, unknown) = (E::CHAIN_ERROR, E::CHAIN_ERROR | E::UNKNOWN_ISSUER);
    let case = |name, identity, errors, native| Case { name, identity, errors, native };
    let cases = vec![
        case("good", root.issue(&params(HOST)), E::NONE, E::NONE),
        case("good with intermediate", middle.issue(&params(HOST)).with(&middle), E::NONE, E::NONE),
        case("self-signed", Identity::self_signed(&params(HOST)), stranger, chain | E::SELF_SIGNED),
        case("expired", root.issue(&expired(params(HOST))), E::EXPIRED, chain | E::EXPIRED),
        case("early", root.issue(&early(params(HOST))), E::NOT_YET_VALID, chain | E::NOT_YET_VALID),
        case("wrong host", root.issue(&params("other.test")), E::NAME_MISMATCH, E::NAME_MISMATCH),
        case("unknown issuer", Authority::root("Stranger").issue(&params(HOST)), E::UNKNOWN_ISSUER, unknown),
        case("spoofed issuer", Authority::root("Root").issue(&params(HOST)), E::BAD_SIGNATURE | chain, unknown),
        case("missing intermediate", middle.issue(&params(HOST)), E::UNKNOWN_ISSUER, unknown),
        case("expired intermediate", old.issue(&params(HOST)).with(&old), E::EXPIRED, unknown),
        case(
            "no common time",
            old.issue(&early(params("other.test"))).with(&old),
            E::EXPIRED | E::NOT_YET_VALID | E::NAME_MISMATCH | chain,
            E::NOT_YET_VALID | E::NAME_MISMATCH | chain,
        ),
        case(
            "self-signed, expired, wrong host",
            Identity::self_signed(&expired(params("other.test"))),
            stranger | E::EXPIRED | E::NAME_MISMATCH,
            chain | E::SELF_SIGNED | E::EXPIRED | E::NAME_MISMATCH,
        ),
        case("for clients", root.issue(&for_clients), E::BAD_PURPOSE | chain, unknown),
        case(
            "authority",
            Identity::self_signed(&of_authority),
            E::BAD_PURPOSE | E::SELF_SIGNED,
            chain | E::SELF_SIGNED,
        ),
        case("authority, added", added, E::NONE, E::NONE),
        case(
            "added, expired, wrong host",
            added_old,
            E::EXPIRED | E::NAME_MISMATCH,
            E::EXPIRED | E::NAME_MISMATCH | chain,
        ),
        case(
            "name constraint",
            constrained.issue(&params(HOST)).with(&constrained),
            E::NAME_CONSTRAINT | chain,
            unknown,
        ),
        case("common name only", root.issue(&name_only), E::NAME_MISMATCH, E::NAME_MISMATCH),
    ];
    (settings, cases)
}

/// Every certificate, under every version, on every back end.
fn every_case(check: impl Fn(&Case, &Server, &TlsSettings, TlsBackend)) {
    let (settings, cases) = cases();
    for backend in BACKENDS {
        let settings = on(*backend, settings.clone());
        for version in VERSIONS {
            for case in &cases {
                eprintln!("{} under {:?} on {backend:?}", case.name, version.version);
                check(case, &Server::new(&case.identity, version), &settings, *backend);
            }
        }
    }
}

/// What of the chain a back end tells.
fn chain(identity: &Identity, backend: TlsBackend) -> Vec<Vec<u8>> {
    let count = if backend == TlsBackend::NativeTls { 1 } else { usize::MAX };
    identity.chain.iter().take(count).map(|der| der.to_vec()).collect()
}

#[test]
fn without_event_the_default_check_decides() {
    every_case(|case, server, settings, backend| {
        let (result, mut sessions) = dial_echo(settings, server);
        assert_eq!(sessions.len(), 1);
        match result {
            Ok(mut tls) => {
                assert_eq!(case.errors(backend), E::NONE);
                ping(&mut *tls);
                assert!(tls.tls().unwrap().is_verified());
                assert_eq!(tls.tls().unwrap().chain, chain(&case.identity, backend));
            }
            Err(Error::Certificate(refused)) => {
                let own_check = case.name == "common name only";
                let expected = if own_check { E::NAME_MISMATCH } else { case.strict(backend) };
                assert_eq!(refused.errors, expected);
                assert!(!refused.errors.is_empty() && !refused.by_event && !refused.detail.is_empty());
                assert_eq!(&*refused.server_name, HOST);
                if backend == TlsBackend::Rustls || own_check {
                    assert_eq!(refused.chain, chain(&case.identity, backend));
                }
                assert!(sessions.remove(0).join().unwrap().is_err());
            }
            Err(other) => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_event_that_decides_nothing_leaves_the_default_verdict() {
    every_case(|case, server, settings, backend| {
        let (settings, seen) = with_event(settings.clone(), |_| {});
        let (result, sessions) = dial_echo(&settings, server);
        assert_eq!(sessions.len(), case.connections(backend));
        let expected = case.errors(backend);
        match result {
            Ok(_) => assert_eq!(expected, E::NONE),
            Err(error) => {
                let refused = error.certificate().unwrap();
                assert_eq!(refused.errors, expected);
                assert!(!refused.errors.is_empty() && refused.by_event);
                assert_eq!(refused.chain, chain(&case.identity, backend));
            }
        }
        let [event] = &seen.lock().unwrap()[..] else { panic!("not one event") };
        assert_eq!((event.errors(), event.is_valid), (expected, expected.is_empty()));
        assert_eq!((event.host(), event.chain()), (HOST, &*chain(&case.identity, backend)));
        assert_eq!(event.detail().is_empty(), expected.is_empty());
    });
}

#[test]
fn the_event_may_accept_everything() {
    every_case(|case, server, settings, backend| {
        let (settings, seen) = with_event(settings.clone(), |event| event.is_valid = true);
        for calls in 1..=2 {
            let (result, mut sessions) = dial_echo(&settings, server);
            let mut tls = result.unwrap();
            ping(&mut *tls);
            let info = tls.tls().unwrap();
            assert_eq!(info.certificate_errors, case.errors(backend));
            assert_ne!(info.resumed, Some(true));
            assert_eq!((seen.lock().unwrap().len(), sessions.len()), (calls, case.connections(backend)));
            tls.close().unwrap();
            assert_eq!(sessions.pop().unwrap().join().unwrap().unwrap(), b"ping");
            assert!(sessions.pop().is_none_or(|first| first.join().unwrap().is_err()));
        }
    });
}

#[test]
fn the_event_may_refuse_everything() {
    every_case(|case, server, settings, backend| {
        let (settings, seen) = with_event(settings.clone(), |event| event.is_valid = false);
        let (result, sessions) = dial_echo(&settings, server);
        let error = result.unwrap_err();
        let refused = error.certificate().unwrap();
        assert_eq!((refused.errors, refused.by_event), (case.errors(backend), true));
        assert_eq!((seen.lock().unwrap().len(), sessions.len()), (1, case.connections(backend)));
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
