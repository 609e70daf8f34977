//! The real servers: every endpoint in the file that `MAILCONNECT_RIG` names is used as its own fields say it can be
//! used, and fails as they say it must. Prints one line for each endpoint, then the count.
//!
//!     MAILCONNECT_RIG=/path/to/rig.json cargo test --test rig -- --ignored --nocapture

mod commands;
mod curl;
mod extensions;
mod failing;
mod idle;
mod imap;
mod imaplib;
mod lmtp;
mod login;
mod mailboxes;
mod messages;
mod model;
mod opening;
mod pop3;
mod pop3_each;
mod pop3_same;
mod report;
mod roundtrip;
#[cfg(feature = "scram")]
mod sasl;
mod seen;
mod smtp;
mod swapped;
mod usage;

use std::sync::{Mutex, PoisonError};

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;

use model::{Endpoint, Proto, Rig};
use report::{Checked, Notes};

/// The two suites that ask for the most do it one after the other: the servers' authentication gives up under more.
static HEAVY: Mutex<()> = Mutex::new(());

/// The suite itself.
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn every_endpoint() {
    let _alone = HEAVY.lock().unwrap_or_else(PoisonError::into_inner);
    let rig = Rig::from_environment();
    let count = report::run(&rig, check);
    let (listed, told) = (rig.endpoints.len(), count.passed + count.failed);
    println!("{told} of {listed} endpoints accounted for ({:?})", opening::backend());
    println!("{told} endpoints, {} passed, {} failed", count.passed, count.failed);
    assert!(listed > 0 && told == listed && count.failed == 0, "{count:?} of {listed}");
}

/// Every mechanism of every endpoint.
#[cfg(feature = "scram")]
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn every_mechanism() {
    let _alone = HEAVY.lock().unwrap_or_else(PoisonError::into_inner);
    let rig = Rig::from_environment();
    let cases = sasl::cases(&rig);
    let count = sasl::run(&rig, &cases);
    let told = count.passed + count.failed + count.not_here;
    println!("{told} of {} mechanisms accounted for ({:?})", cases.len(), opening::backend());
    println!("{} passed, {} failed, {} not of this crate", count.passed, count.failed, count.not_here);
    assert!(!cases.is_empty() && told == cases.len() && count.failed == 0, "{count:?} of {}", cases.len());
}

fn check(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    match (endpoint.proto, endpoint.fails) {
        (Proto::Lmtp, None) => lmtp::check(rig, endpoint, notes),
        (Proto::Smtp, None) => usage::check::<Smtp>(rig, endpoint, notes),
        (Proto::Smtp, Some(fails)) => failing::check(rig, endpoint, fails, notes),
        (Proto::Imap, None) => usage::check::<Imap>(rig, endpoint, notes),
        (Proto::Pop3, None) => usage::check::<Pop3>(rig, endpoint, notes),
        (proto, Some(_)) => Err(format!("`fails` of a {proto} endpoint is nothing this suite knows")),
    }
}
