//! The ready policies: what each accepts of all certificates of the table, and that none accepts a stranger who was not
//! meant or a server that does not hold the key.

use rcgen::KeyPair;

use super::matrix::{Anyway, Case, cases};
use super::rig::*;
use super::surgery::{of_version_1, remade};
use crate::Error;
use crate::tls::policy::{self, Policy};
use crate::tls::{Certificate, CertificateErrors as E, Fingerprint, TlsBackend, TlsSettings};

fn with_policy(mut settings: TlsSettings, policy: Policy) -> TlsSettings {
    settings.set_handler(Some(std::sync::Arc::new(policy)));
    settings
}

fn is_accepted(settings: &TlsSettings, host: &str, identity: &Identity) -> bool {
    let (result, _sessions) = dial_echo_as(host, settings, &Server::new(identity, VERSIONS[1]));
    match result {
        Ok(mut tls) => {
            ping(&mut *tls);
            true
        }
        Err(error) => {
            assert!(error.certificate().is_some_and(|refused| refused.by_event), "{error:?}");
            false
        }
    }
}

/// Holds every certificate of the table against a policy.
fn judge_all(make: impl Fn() -> Policy, accepts: impl Fn(&Case, TlsBackend) -> bool) {
    let (settings, cases) = cases();
    for backend in BACKENDS {
        let settings = with_policy(on(*backend, settings.clone()), make());
        for case in cases.iter().filter(|case| case.anyway == Anyway::Works) {
            let accepted = is_accepted(&settings, case.host, &case.identity);
            assert_eq!(accepted, accepts(case, *backend), "{} on {backend:?}", case.name);
        }
    }
}

#[test]
fn to_accept_any_is_to_accept_all() {
    judge_all(policy::danger_accept_any, |_, _| true);
}

#[test]
fn self_signed_for_a_host_forgives_that_and_nothing_else() {
    let good = |case: &Case, backend| case.errors(backend).is_empty();
    let meant =
        |case: &Case, backend| good(case, backend) || ["self-signed", "self-signed authority"].contains(&case.name);
    judge_all(|| policy::self_signed_for("MAIL.test."), meant);
    judge_all(|| policy::self_signed_for("other.test"), good);
    judge_all(|| policy::self_signed_for(""), good);
}

#[test]
fn ignored_errors_are_forgiven_if_nothing_else_is_wrong() {
    let (stranger, own) = (E::UNKNOWN_ISSUER | E::CHAIN_ERROR, E::SELF_SIGNED);
    let all = E::NONE.without(E::NONE);
    let exactly = |errors: E, follows: E| {
        judge_all(
            move || policy::ignore(errors),
            move |case, backend| {
                let found = case.errors(backend);
                let follows = if found.contains(own) || errors.contains(E::UNKNOWN_ISSUER) { follows } else { all };
                found.without(errors | follows).is_empty()
            },
        );
    };
    exactly(E::NONE, all);
    exactly(E::NAME_MISMATCH, all);
    // The chain of these is not known to be good: on native-tls of none, and of the second on no back end.
    exactly(E::EXPIRED | E::NOT_YET_VALID, all);
    exactly(E::BAD_PURPOSE | E::MALFORMED | E::WEAK_ALGORITHM | E::NAME_MISMATCH, all);
    exactly(E::BAD_PURPOSE | E::CHAIN_ERROR, all);
    exactly(E::UNKNOWN_ISSUER, E::CHAIN_ERROR);
    exactly(own, stranger | E::BAD_PURPOSE);
    exactly(own | E::EXPIRED | E::NAME_MISMATCH, stranger | E::BAD_PURPOSE);
}

/// A certificate whose own fault hides that nobody vouches for it.
#[test]
fn to_forgive_a_fault_of_the_certificate_is_not_to_trust_a_stranger() {
    let mut params = expired(params("other.test"));
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let identity = Authority::root("Stranger").issue(&params);
    let faults = E::BAD_PURPOSE | E::EXPIRED | E::NAME_MISMATCH | E::MALFORMED | E::WEAK_KEY | E::BAD_SIGNATURE;
    for backend in BACKENDS {
        let settings = on(*backend, trusting(&[&Authority::root("Root").der]));
        assert!(!is_accepted(&with_policy(settings.clone(), policy::ignore(faults)), HOST, &identity));
        assert!(is_accepted(&with_policy(settings, policy::ignore(faults | E::CHAIN_ERROR)), HOST, &identity));
    }
}

#[test]
fn a_pin_accepts_what_is_pinned_and_nothing_else() {
    let (trusting_root, all) = cases();
    let pinned = all.iter().find(|case| case.name == "self-signed, expired, wrong").unwrap();
    let other = all.iter().find(|case| case.name == "good").unwrap();
    let view = Certificate::new(&pinned.identity.chain[0]);
    let (whole, key) = (view.sha256().unwrap(), view.public_key_sha256().unwrap());
    let strangers = Certificate::new(b"other").sha256().unwrap();
    let pins = |good: Fingerprint| [[strangers, good], [good, strangers]];
    for backend in BACKENDS {
        for version in 0..2 {
            let by_certificate = policy::pin_sha256(pins(whole)[version]).unwrap();
            let by_key = policy::pin_public_key_sha256(pins(key)[version].map(|pin| pin.to_string())).unwrap();
            for policy in [by_certificate, by_key] {
                let settings = with_policy(on(*backend, trusting_root.clone()), policy);
                assert!(is_accepted(&settings, HOST, &pinned.identity));
                // A pin is a restriction: the default check would take this one.
                assert!(!is_accepted(&settings, HOST, &other.identity));
            }
            // One is not taken for the other.
            let swapped = [policy::pin_sha256([key]), policy::pin_public_key_sha256([whole])];
            for policy in swapped {
                let settings = with_policy(on(*backend, trusting(&[])), policy.unwrap());
                assert!(!is_accepted(&settings, HOST, &pinned.identity));
            }
        }
    }
}

#[test]
fn a_pinned_key_survives_the_renewal_of_its_certificate() {
    let root = Authority::root("Root");
    let key = || KeyPair::try_from(root.key().serialize_der().as_slice()).unwrap();
    let (old, new) = (root.issue_for(&expired(params(HOST)), key()), root.issue_for(&params(HOST), key()));
    let pin = Certificate::new(&old.chain[0]).public_key_sha256().unwrap();
    for backend in BACKENDS {
        let policy = policy::pin_public_key_sha256([pin]).unwrap();
        let settings = with_policy(on(*backend, trusting(&[&root.der])), policy);
        assert!(is_accepted(&settings, HOST, &new) && is_accepted(&settings, HOST, &old));
    }
}

#[test]
fn what_is_no_pin_is_an_invalid_argument() {
    let errors = [
        policy::pin_sha256(["12:34"]).err(),
        policy::pin_sha256([String::new()]).err(),
        policy::pin_sha256([&[1u8; 20][..]]).err(),
        policy::pin_sha256(Vec::<Fingerprint>::new()).err(),
        policy::pin_public_key_sha256(["sha256/AAAA"]).err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(Error::InvalidArgument(_))), "{error:?}");
    }
    assert!(policy::pin_sha256(["ab".repeat(32)]).is_ok() && policy::pin_sha256([[1u8; 32]]).is_ok());
}

/// Whoever has the certificate but not its key: with a good one, and with one whose key only this crate can read.
#[test]
fn rule_4_no_policy_takes_a_forged_handshake_signature() {
    let root = Authority::root("Root");
    let mut version_1 = root.issue(&params(HOST));
    version_1.chain[0] = remade(&version_1.chain[0], &root.key(), of_version_1);
    for mut identity in [root.issue(&params(HOST)), Identity::self_signed(&params(HOST)), version_1] {
        identity.key = KeyPair::generate().unwrap();
        let view = Certificate::new(&identity.chain[0]);
        let policies: [&dyn Fn() -> Policy; 5] = [
            &policy::danger_accept_any,
            &|| policy::pin_sha256(view.sha256()).unwrap(),
            &|| policy::pin_public_key_sha256(view.public_key_sha256()).unwrap(),
            &|| policy::ignore(E::SELF_SIGNED | E::UNKNOWN_ISSUER | E::NAME_MISMATCH | E::MALFORMED),
            &|| policy::self_signed_for(HOST),
        ];
        for backend in BACKENDS {
            for (number, policy) in policies.into_iter().enumerate() {
                let settings = with_policy(on(*backend, trusting(&[&root.der])), policy());
                for version in VERSIONS {
                    let (result, sessions) = dial_echo(&settings, &Server::new(&identity, version));
                    let error = result.unwrap_err();
                    // The first three take the certificate; the others may refuse that already.
                    let refused = number > 2 && error.is_certificate();
                    assert!(matches!(error, Error::Handshake(_)) || refused, "{error:?}");
                    assert!(sessions.into_iter().all(|session| session.join().unwrap().is_err()));
                }
            }
        }
    }
}
