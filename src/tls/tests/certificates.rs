//! Certificates of all kinds, under TLS 1.2 and 1.3: what is found, and who decides.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::rustls::SupportedProtocolVersion;
use rcgen::{DnType, ExtendedKeyUsagePurpose, GeneralSubtree, NameConstraints};

use super::rig::*;
use crate::Error;
use crate::tls::{CertificateErrors as E, TlsSettings};

struct Case {
    name: &'static str,
    identity: Identity,
    errors: E,
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
    // Names of their own, lest they be taken for the issuers of the self-signed ones that were not added.
    let mut to_add = of_authority.clone();
    to_add.distinguished_name.push(DnType::CommonName, "Added");
    let added = Identity::self_signed(&to_add);
    let mut to_add = expired(params("other.test"));
    to_add.distinguished_name.push(DnType::CommonName, "Added and old");
    let added_old = Identity::self_signed(&to_add);

    let settings = trusting(&[&root.der, &added.chain[0], &added_old.chain[0]]);
    let stranger = E::SELF_SIGNED | E::UNKNOWN_ISSUER;
    let case = |name, identity, errors| Case { name, identity, errors };
    let cases = vec![
        case("good", root.issue(&params(HOST)), E::NONE),
        case("good with intermediate", middle.issue(&params(HOST)).with(&middle), E::NONE),
        case("self-signed", Identity::self_signed(&params(HOST)), stranger),
        case("expired", root.issue(&expired(params(HOST))), E::EXPIRED),
        case("early", root.issue(&early(params(HOST))), E::NOT_YET_VALID),
        case("wrong host", root.issue(&params("other.test")), E::NAME_MISMATCH),
        case("unknown issuer", Authority::root("Stranger").issue(&params(HOST)), E::UNKNOWN_ISSUER),
        case("spoofed issuer", Authority::root("Root").issue(&params(HOST)), E::BAD_SIGNATURE | E::CHAIN_ERROR),
        case("missing intermediate", middle.issue(&params(HOST)), E::UNKNOWN_ISSUER),
        case("expired intermediate", old.issue(&params(HOST)).with(&old), E::EXPIRED),
        case(
            "no common time",
            old.issue(&early(params("other.test"))).with(&old),
            E::EXPIRED | E::NOT_YET_VALID | E::NAME_MISMATCH | E::CHAIN_ERROR,
        ),
        case(
            "self-signed, expired, wrong host",
            Identity::self_signed(&expired(params("other.test"))),
            stranger | E::EXPIRED | E::NAME_MISMATCH,
        ),
        case("for clients", root.issue(&for_clients), E::BAD_PURPOSE | E::CHAIN_ERROR),
        case("authority", Identity::self_signed(&of_authority), E::BAD_PURPOSE | E::SELF_SIGNED),
        case("authority, added", added, E::NONE),
        case("added, expired, wrong host", added_old, E::EXPIRED | E::NAME_MISMATCH),
        case(
            "name constraint",
            constrained.issue(&params(HOST)).with(&constrained),
            E::NAME_CONSTRAINT | E::CHAIN_ERROR,
        ),
    ];
    (settings, cases)
}

fn every_case(check: impl Fn(&Case, &Server, &TlsSettings)) {
    let (settings, cases) = cases();
    for version in VERSIONS {
        for case in &cases {
            eprintln!("{} under {:?}", case.name, version.version);
            check(case, &Server::new(&case.identity, version), &settings);
        }
    }
}

fn chain(identity: &Identity) -> Vec<Vec<u8>> {
    identity.chain.iter().map(|der| der.to_vec()).collect()
}

#[test]
fn without_event_the_default_check_decides() {
    every_case(|case, server, settings| {
        let (plain, session) = server.echo();
        match connect(settings, plain) {
            Ok(mut tls) => {
                assert_eq!(case.errors, E::NONE);
                ping(&mut *tls);
                assert!(tls.tls().unwrap().is_verified());
                assert_eq!(tls.tls().unwrap().chain, chain(&case.identity));
            }
            Err(Error::Certificate(refused)) => {
                assert_eq!(refused.errors, case.errors);
                assert!(!refused.errors.is_empty() && !refused.by_event && !refused.detail.is_empty());
                assert_eq!(&*refused.server_name, HOST);
                assert_eq!(refused.chain, chain(&case.identity));
                assert!(session.join().unwrap().is_err());
            }
            Err(other) => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_event_that_decides_nothing_leaves_the_default_verdict() {
    every_case(|case, server, settings| {
        let (settings, seen) = with_event(settings.clone(), |_| {});
        let (plain, _) = server.echo();
        match connect(&settings, plain) {
            Ok(_) => assert_eq!(case.errors, E::NONE),
            Err(error) => {
                let refused = error.certificate().unwrap();
                assert_eq!(refused.errors, case.errors);
                assert!(!refused.errors.is_empty() && refused.by_event);
            }
        }
        let [event] = &seen.lock().unwrap()[..] else { panic!("not one event") };
        assert_eq!((event.errors(), event.is_valid), (case.errors, case.errors.is_empty()));
        assert_eq!((event.host(), event.chain()), (HOST, &*chain(&case.identity)));
        assert_eq!(event.detail().is_empty(), case.errors.is_empty());
    });
}

#[test]
fn the_event_may_accept_everything() {
    every_case(|case, server, settings| {
        let (settings, seen) = with_event(settings.clone(), |event| event.is_valid = true);
        for connections in 1..=2 {
            let (plain, session) = server.echo();
            let mut tls = connect(&settings, plain).unwrap();
            ping(&mut *tls);
            let info = tls.tls().unwrap();
            assert_eq!((info.certificate_errors, info.resumed), (case.errors, Some(false)));
            assert_eq!(seen.lock().unwrap().len(), connections);
            tls.close().unwrap();
            assert_eq!(session.join().unwrap().unwrap(), b"ping");
        }
    });
}

#[test]
fn the_event_may_refuse_everything() {
    every_case(|case, server, settings| {
        let (settings, seen) = with_event(settings.clone(), |event| event.is_valid = false);
        let (plain, session) = server.echo();
        let error = connect(&settings, plain).unwrap_err();
        let refused = error.certificate().unwrap();
        assert_eq!((refused.errors, refused.by_event), (case.errors, true));
        assert_eq!(seen.lock().unwrap().len(), 1);
        assert!(session.join().unwrap().is_err());
    });
}

#[test]
fn a_forged_handshake_signature_is_never_accepted() {
    let root = Authority::root("Root");
    for version in VERSIONS {
        let mut identity = root.issue(&params(HOST));
        identity.key = rcgen::KeyPair::generate().unwrap();
        let (settings, seen) = with_event(trusting(&[&root.der]), |event| event.is_valid = true);
        let (plain, session) = Server::new(&identity, version).echo();
        let error = connect(&settings, plain).unwrap_err();
        assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
        assert!(format!("{error:?}").contains("BadSignature"), "{error:?}");
        assert_eq!(seen.lock().unwrap().len(), 1);
        assert!(session.join().unwrap().is_err());
    }
}

fn panicking(version: &'static SupportedProtocolVersion) {
    let identity = Identity::self_signed(&params(HOST));
    let server = Server::new(&identity, version);
    let (settings, seen) = with_event(trusting(&[]), |event| {
        event.is_valid = true;
        panic!("a handler that panics");
    });
    let tls = settings.connection(HOST, &[]).unwrap();
    for calls in 1..=2 {
        let (plain, session) = server.echo();
        let result = catch_unwind(AssertUnwindSafe(|| tls.handshake(HOST, Box::new(plain))));
        assert!(result.is_err());
        assert_eq!(seen.lock().unwrap().len(), calls);
        assert!(session.join().unwrap().is_err());
    }
}

#[test]
fn a_panic_in_the_event_accepts_nothing() {
    VERSIONS.into_iter().for_each(panicking);
}

#[test]
fn with_no_roots_the_event_is_asked_and_sees_all_the_same() {
    let cases = [
        (Identity::self_signed(&expired(params("other.test"))), E::EXPIRED | E::NAME_MISMATCH | E::SELF_SIGNED),
        (Authority::root("Root").issue(&params(HOST)), E::NONE),
    ];
    for (identity, errors) in cases {
        let (settings, seen) = with_event(trusting(&[]), |event| event.is_valid = true);
        let (plain, _session) = Server::new(&identity, VERSIONS[1]).echo();
        ping(&mut *connect(&settings, plain).unwrap());
        assert_eq!(seen.lock().unwrap()[0].errors(), errors | E::UNKNOWN_ISSUER);
    }
}
