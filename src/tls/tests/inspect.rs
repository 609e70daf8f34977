//! The check itself, at any time and on any bytes.

use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::Duration;

use super::rig::*;
use crate::tls::CertificateErrors as E;
use crate::tls::event::Findings;
use crate::tls::roots::Trust;
use crate::tls::verifier::inspect;

fn look(trust: &Trust, chain: &[CertificateDer<'_>], year: u64) -> Findings {
    let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600 + 86_400));
    inspect(trust, &chain[0], &chain[1..], &ServerName::try_from(HOST).unwrap(), now)
}

#[test]
fn the_time_is_an_argument() {
    let root = Authority::root("Root");
    let trust = Trust::new(false, &[root.der.to_vec()]).unwrap();
    let chain = root.issue(&expired(params(HOST))).chain;
    assert_eq!(look(&trust, &chain, 2000).errors, E::NOT_YET_VALID);
    let good = Findings { errors: E::NONE, chain_verified: true, detail: String::new() };
    assert_eq!(look(&trust, &chain, 2001), good);
    let late = look(&trust, &chain, 2003);
    assert_eq!((late.errors, late.chain_verified), (E::EXPIRED, true));
    assert!(late.detail.contains("expired"), "{}", late.detail);
}

/// There is no time at which both were valid, so the path cannot be checked; but only one of them is out of date.
#[test]
fn an_issuer_younger_than_its_expired_leaf_is_not_called_too_young() {
    let root = Authority::root("Root");
    let mut young = authority_params("Young");
    young.not_before = rcgen::date_time_ymd(2010, 1, 1);
    let young = root.below(young);
    let chain = young.issue(&expired(params(HOST))).with(&young).chain;
    let found = look(&Trust::new(false, &[root.der.to_vec()]).unwrap(), &chain, 2020);
    assert_eq!((found.errors, found.chain_verified), (E::EXPIRED | E::CHAIN_ERROR, false));
}

/// Debian's own `localhost` certificate, which is in the system's store, is such a root.
#[test]
fn a_root_of_the_same_name_is_no_issuer_of_a_self_signed_certificate() {
    let chain = Identity::self_signed(&params(HOST)).chain;
    let found = look(&Trust::new(false, &[Authority::root(HOST).der.to_vec()]).unwrap(), &chain, 2020);
    assert_eq!((found.errors, found.chain_verified), (E::SELF_SIGNED | E::UNKNOWN_ISSUER, false));
}

#[test]
fn an_added_certificate_does_not_depend_on_its_issuers() {
    let root = Authority::root("Root");
    let old = root.below(expired(authority_params("Old")));
    let identity = old.issue(&params(HOST)).with(&old);
    let trust = Trust::new(false, &[identity.chain[0].to_vec()]).unwrap();
    assert_eq!(look(&trust, &identity.chain, 2020).errors, E::NONE);
    assert!(look(&trust, &identity.chain, 2020).chain_verified);
}

#[test]
fn a_hostile_chain_of_many_dates_ends_soon() {
    let root = Authority::root("Root");
    let mut chain = Vec::new();
    let mut issuer = root;
    for n in 0..40 {
        let mut params = authority_params(&format!("Middle {n}"));
        params.not_before = rcgen::date_time_ymd(1980, 1, 1);
        params.not_after = rcgen::date_time_ymd(2010 - n, 1, 1);
        issuer = issuer.below(params);
        chain.insert(0, issuer.der.clone());
    }
    chain.insert(0, issuer.issue(&expired(params(HOST))).chain.remove(0));
    let trust = Trust::new(false, &[Authority::root("Other").der.to_vec()]).unwrap();
    let found = look(&trust, &chain, 2020);
    assert!(found.errors.contains(E::EXPIRED) && !found.chain_verified);
}

#[test]
fn rule_12_no_bytes_make_it_panic_or_pass() {
    let root = Authority::root("Root");
    let trust = Trust::new(false, &[root.der.to_vec()]).unwrap();
    let good = root.issue(&params(HOST)).chain.remove(0);
    assert_eq!(look(&trust, std::slice::from_ref(&good), 2020).errors, E::NONE);
    let check = |bytes: Vec<u8>| {
        let found = look(&trust, &[CertificateDer::from(bytes)], 2020);
        assert!(!found.errors.is_empty() && !found.detail.is_empty(), "{found:?}");
        let says_so = [E::SELF_SIGNED, E::UNKNOWN_ISSUER, E::CHAIN_ERROR].iter().any(|e| found.errors.contains(*e));
        assert!(found.chain_verified || says_so, "{found:?}");
    };
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut mutant = good.to_vec();
            mutant[at] ^= flip;
            check(mutant);
        }
        check(good[..at].to_vec());
        let mut longer = good.to_vec();
        longer.insert(at, 0x30);
        check(longer);
    }
}

#[test]
fn what_is_no_certificate_is_malformed() {
    let trust = Trust::new(false, &[]).unwrap();
    let found = look(&trust, &[CertificateDer::from(&b"no certificate"[..])], 2020);
    assert_eq!(found.errors, E::MALFORMED | E::NAME_MISMATCH | E::UNKNOWN_ISSUER);
    assert!(!found.chain_verified);
}
