//! Suites of certificate chains from files: our default verdict must be the standard verifier's in every case, and the set
//! of errors empty exactly where it accepts.
//!
//!     MAILCONNECT_CHAINS=suite.json cargo test --lib suites -- --ignored --nocapture
//!
//! The file is JSON in one of three forms. A certificate is PEM, or DER in base64.
//!
//! - our own: `{"cases": [{"id": .., "leaf": .., "intermediates": [..], "roots": [..], "name": "a.example" or an IP address,
//!   "time": seconds since 1970, "expected": "accept" or "refuse"}]}`; `id` and `expected` may be missing
//! - x509-limbo's: `{"testcases": [..]}`; cases that are not about servers, or have no name, are counted and passed over
//! - BetterTLS': `{"trustRoot": .., "suites": {..: {"testCases": [..]}}}`, checked at the present time
//!
//! Expectations are counted and told, not asserted: they are about the standard verifier, not about this crate. One thing
//! is not its own: it leaves keys to the handshake, in which no RSA key below 2048 bits passes, and we say so before.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::rustls::RootCertStore;
use ::rustls::client::WebPkiServerVerifier;
use ::rustls::client::danger::ServerCertVerifier;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::matrix::cases;
use super::surgery::tagged;
use crate::certificate::{der, facts};
use crate::tls::TlsProvider;
use crate::tls::names::Name;
use crate::tls::provider::provider;
use crate::tls::roots::Trust;
use crate::tls::verifier::inspect;
use crate::tls::{Certificate, CertificateErrors as E, pem};

type Der = CertificateDer<'static>;

struct Chain {
    id: String,
    leaf: Der,
    intermediates: Vec<Der>,
    roots: Vec<Der>,
    name: String,
    time: UnixTime,
    expected: Option<bool>,
}

// ---- Reading ----

/// The certificates of a text.
fn certificates(text: &Value) -> Vec<Der> {
    let text = text.as_str().expect("a certificate is a text");
    if text.contains("-----BEGIN") {
        return pem::certificates(text.as_bytes()).unwrap().into_iter().map(|part| part.der.into()).collect();
    }
    let base64: String = text.split_ascii_whitespace().collect();
    vec![STANDARD.decode(base64).expect("PEM or base64").into()]
}

fn list(texts: &Value) -> Vec<Der> {
    texts.as_array().into_iter().flatten().flat_map(certificates).collect()
}

fn seconds(since_1970: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(since_1970))
}

fn now() -> UnixTime {
    seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// RFC 3339 in UTC: it has the digits of a GeneralizedTime.
fn rfc_3339(text: &str) -> UnixTime {
    let digits: String = text.chars().take(19).filter(char::is_ascii_digit).collect();
    let (time, _) = der::time(&tagged(0x18, &[digits.as_bytes(), b"Z"])).expect("a time in UTC");
    seconds(time.try_into().unwrap())
}

fn own(case: &Value) -> Option<Chain> {
    Some(Chain {
        id: case["id"].as_str().unwrap_or_default().to_owned(),
        leaf: certificates(&case["leaf"]).remove(0),
        intermediates: list(&case["intermediates"]),
        roots: list(&case["roots"]),
        name: case["name"].as_str().expect("a name").to_owned(),
        time: seconds(case["time"].as_u64().expect("a time")),
        expected: case["expected"].as_str().map(|word| word == "accept"),
    })
}

fn limbo(case: &Value) -> Option<Chain> {
    let name = case["expected_peer_name"]["value"].as_str()?;
    let kind = case["expected_peer_name"]["kind"].as_str().is_some_and(|kind| kind != "RFC822");
    (kind && case["validation_kind"] == "SERVER").then(|| Chain {
        id: case["id"].as_str().unwrap_or_default().to_owned(),
        leaf: certificates(&case["peer_certificate"]).remove(0),
        intermediates: list(&case["untrusted_intermediates"]),
        roots: list(&case["trusted_certs"]),
        name: name.to_owned(),
        time: case["validation_time"].as_str().map_or_else(now, rfc_3339),
        expected: Some(case["expected_result"] == "SUCCESS"),
    })
}

fn better_tls(suite: &str, case: &Value, root: &[Der]) -> Option<Chain> {
    let mut chain = list(&case["certificates"]);
    Some(Chain {
        id: format!("{suite}: {} {}", case["hostname"], case["requiredFeatures"]),
        leaf: chain.remove(0),
        intermediates: chain,
        roots: root.to_vec(),
        name: case["hostname"].as_str()?.to_owned(),
        time: now(),
        expected: (case["failureIsWarning"] != true).then(|| case["expected"] == "ACCEPT"),
    })
}

/// All cases of a file; none for those that are not ours to judge.
fn read(file: &Value) -> Vec<Option<Chain>> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    if let Some(suites) = file["suites"].as_object() {
        let root = certificates(&file["trustRoot"]);
        let judged = |(name, suite): (&String, &Value)| {
            array(&suite["testCases"]).iter().map(|case| better_tls(name, case, &root)).collect::<Vec<_>>()
        };
        return suites.iter().flat_map(judged).collect();
    }
    let limbos = array(&file["testcases"]).iter().map(limbo).collect::<Vec<_>>();
    array(&file["cases"]).iter().map(own).chain(limbos).collect()
}

// ---- Judging ----

/// The verdict of rustls' own verifier, of which nothing is ours.
fn standard(chain: &Chain, name: &ServerName<'_>) -> bool {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(chain.roots.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(store.into(), provider(TlsProvider::Ring).unwrap()).build().is_ok_and(
        |verifier| verifier.verify_server_cert(&chain.leaf, &chain.intermediates, name, &[], chain.time).is_ok(),
    )
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    cases: usize,
    passed_over: usize,
    accepted: usize,
    /// Chains that are good, of keys that are not.
    weak: usize,
    expected: usize,
    as_expected: usize,
}

/// What is wrong with our verdict on a chain, if anything.
fn judge(chain: &Chain, tally: &mut Tally) -> Result<(), String> {
    let Ok(name) = ServerName::try_from(chain.name.as_str()) else {
        tally.passed_over += 1;
        return Ok(());
    };
    let standard = standard(chain, &name);
    let roots: Vec<Vec<u8>> = chain.roots.iter().map(|root| root.to_vec()).collect();
    let trust = Trust::new(false, &roots).unwrap();
    let is_root = trust.is_added(&chain.leaf);
    let as_added = inspect(&trust, &chain.leaf, &chain.intermediates, &name, chain.time);
    let found = inspect(&Trust::in_system(&roots).unwrap(), &chain.leaf, &chain.intermediates, &name, chain.time);
    let ours = found.errors.is_empty();
    let is_weak = Certificate::new(&chain.leaf).has_weak_key();
    tally.cases += 1;
    tally.accepted += usize::from(ours);
    tally.weak += usize::from(standard && is_weak);
    tally.expected += usize::from(chain.expected.is_some());
    tally.as_expected += usize::from(chain.expected == Some(ours));
    if ours != (standard && !is_weak) {
        return Err(format!("the standard verifier says {standard}, we find: {}", found.errors));
    }
    // Added by a caller, what is no authority vouches for nobody but itself.
    let all_vouch = roots.iter().all(|root| facts::may_be_authority(root));
    if !is_root && all_vouch && as_added != found {
        return Err(format!("as added roots {as_added:?}, as the system's {found:?}"));
    }
    let untrusted = found.errors.intersects(E::SELF_SIGNED | E::UNKNOWN_ISSUER | E::CHAIN_ERROR);
    if found.chain_verified == untrusted || found.detail.is_empty() != ours {
        return Err(format!("{found:?}"));
    }
    let by_name = ParsedCertificate::try_from(&chain.leaf)
        .map(|parsed| ::rustls::client::verify_server_name(&parsed, &name).is_ok());
    let own_check = Name::new(&chain.name).is_ok_and(|name| name.matches(&chain.leaf));
    match by_name {
        Ok(by_name) if by_name != own_check => Err(format!("the name: rustls {by_name}, own check {own_check}")),
        _ => Ok(()),
    }
}

/// Runs a file; what is wrong is told case by case, at the end.
fn run(path: &std::path::Path) -> Tally {
    let file = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut tally, mut wrong) = (Tally::default(), String::new());
    for chain in read(&serde_json::from_str(&file).expect("JSON")) {
        let Some(chain) = chain else {
            tally.passed_over += 1;
            continue;
        };
        if let Err(why) = judge(&chain, &mut tally) {
            writeln!(wrong, "{}: {why}", chain.id).unwrap();
        }
    }
    println!("{}: {tally:?}, {} wrong", path.display(), wrong.lines().count());
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tally.cases > 0, "no case in {}", path.display());
    tally
}

#[test]
#[ignore = "needs a file of chains, named by MAILCONNECT_CHAINS"]
fn the_suite_of_the_environment() {
    match std::env::var_os("MAILCONNECT_CHAINS") {
        Some(path) => drop(run(path.as_ref())),
        None => println!("0 chains: MAILCONNECT_CHAINS names no file"),
    }
}

// ---- A suite of our own, so that the entry point itself is tested ----

fn base64(der: &Der) -> String {
    STANDARD.encode(der)
}

fn written_as_pem(der: &Der) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

fn run_value(name: &str, suite: &Value) -> Tally {
    let path = std::env::temp_dir().join(format!("mailconnect-chains-{}-{name}.json", std::process::id()));
    std::fs::write(&path, suite.to_string()).unwrap();
    let tally = std::panic::catch_unwind(|| run(&path));
    std::fs::remove_file(&path).unwrap();
    tally.unwrap()
}

/// Every certificate of the table with its own roots, with none, and too early and too late, in all three forms.
#[test]
fn our_own_suite_is_judged_like_the_standard_verifier_does() {
    let (_, all) = cases();
    let root = super::matrix::root_of(&all);
    let times = [0, now().as_secs(), 1_000_000_000, 4_200_000_000];
    let mut own = Vec::new();
    for case in &all {
        let (leaf, rest) = case.identity.chain.split_first().unwrap();
        let rest: Vec<_> = rest.iter().map(base64).collect();
        for (number, time) in times.into_iter().enumerate() {
            let roots = [vec![], vec![written_as_pem(&root)], vec![base64(&root), base64(leaf)]];
            for roots in &roots {
                own.push(json!({ "id": format!("{} {number}", case.name), "leaf": written_as_pem(leaf),
                    "intermediates": rest, "roots": roots, "name": case.host, "time": time }));
            }
        }
    }
    own[0]["expected"] = json!("refuse");
    let tally = run_value("own", &json!({ "cases": own }));
    assert_eq!((tally.cases, tally.expected, tally.as_expected), (all.len() * 12, 1, 1));
    assert!(tally.accepted >= 20 && tally.weak == 6, "{tally:?}");
}

#[test]
fn suites_of_others_are_read() {
    let (_, all) = cases();
    let root = super::matrix::root_of(&all);
    let leaf = |name: &str| &all.iter().find(|case| case.name == name).unwrap().identity.chain[0];
    let limbo = |kind: &str, peer: Value, time: Value, expected: &str| {
        json!({ "id": kind, "validation_kind": kind, "peer_certificate": written_as_pem(leaf("good")), "crls": [],
            "untrusted_intermediates": [], "trusted_certs": [written_as_pem(&root)], "validation_time": time,
            "expected_peer_name": peer, "expected_result": expected })
    };
    let dns = || json!({ "kind": "DNS", "value": "mail.test" });
    let tally = run_value(
        "limbo",
        &json!({ "version": 1, "testcases": [
        limbo("SERVER", dns(), json!(null), "SUCCESS"),
        limbo("SERVER", dns(), json!("1970-01-01T00:00:00Z"), "FAILURE"),
        limbo("SERVER", dns(), json!("2024-02-29T00:00:00+00:00"), "FAILURE"),
        limbo("SERVER", json!({ "kind": "IP", "value": "192.0.2.1" }), json!(null), "FAILURE"),
        limbo("CLIENT", dns(), json!(null), "SUCCESS"),
        limbo("SERVER", json!(null), json!(null), "SUCCESS"),
    ] }),
    );
    let expected = Tally { cases: 4, passed_over: 2, accepted: 2, weak: 0, expected: 4, as_expected: 3 };
    assert_eq!(tally, expected);
    let case = |name: &str, warning: bool, expected: &str| {
        json!({ "certificates": [base64(leaf(name))], "hostname": "mail.test",
            "expected": expected, "failureIsWarning": warning })
    };
    let tests = [case("good", false, "ACCEPT"), case("wrong host", false, "REJECT"), case("expired", true, "ACCEPT")];
    let tally = run_value("better", &json!({ "trustRoot": base64(&root), "suites": { "x": { "testCases": tests } } }));
    assert_eq!(tally, Tally { cases: 3, passed_over: 0, accepted: 1, weak: 0, expected: 2, as_expected: 2 });
}
