//! What differs between the back ends, as the documentation of the module has it: each line of that table names tests,
//! and here are those that no other file has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::rig::*;
use crate::tls::{CertificateErrors as E, ChannelBinding, TlsBackend, TlsVersion};

/// The names of all tests of a folder.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = source.lines().map(str::trim_start).collect();
            let after_test =
                lines.iter().enumerate().filter(|(at, _)| lines[at.saturating_sub(2)..*at].contains(&"#[test]"));
            let names = after_test.filter_map(|(_, line)| line.strip_prefix("fn ")?.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_line_of_the_table_is_held_to_its_word_by_a_test() {
    let mut tests = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests_in(&root.join("src/tls"), &mut tests);
    tests_in(&root.join("tests/event"), &mut tests);
    let table =
        include_str!("../mod.rs").lines().filter(|line| line.starts_with("//! | ") && !line.starts_with("//! | |"));
    let mut lines = 0;
    for line in table {
        let named = line.split_once("<!-- ").and_then(|(_, rest)| rest.strip_suffix(" --> |"));
        let named: Vec<_> = named.unwrap_or_else(|| panic!("no test named: {line}")).split(' ').collect();
        let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
        assert!(!named.is_empty() && missing.is_empty(), "no such test: {missing:?}");
        lines += 1;
    }
    assert!(lines >= 15, "only {lines} lines were found");
}

#[test]
fn channel_bindings_are_what_the_back_end_has() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for version in VERSIONS {
            let (plain, _session) = Server::new(&root.issue(&params(HOST)), version).echo();
            let tls = connect(&on(*backend, trusting(&[&root.der])), plain).unwrap();
            let info = tls.tls().unwrap();
            let exported = info.channel_binding(ChannelBinding::TlsExporter).is_some();
            assert_eq!(exported, *backend == TlsBackend::Rustls && info.version == Some(TlsVersion::Tls13));
            let end_point = info.channel_binding(ChannelBinding::TlsServerEndPoint).unwrap();
            assert_eq!(end_point, info.certificate().unwrap().sha256().unwrap().as_bytes());
        }
    }
}

/// One of an authority that nobody knows, and one of its own.
#[test]
fn an_added_certificate_of_a_server_vouches_for_no_other() {
    let desk = Authority::of(params("mail.lan"));
    let stranger = desk.issue(&params(HOST));
    for backend in BACKENDS {
        let (settings, seen) = with_event(on(*backend, trusting(&[&desk.der])), |_| {});
        let (result, _sessions) = dial_echo(&settings, &Server::new(&stranger, VERSIONS[1]));
        let errors = seen.lock().unwrap()[0].errors();
        assert!(result.is_err() && errors.contains(E::UNKNOWN_ISSUER), "{backend:?}: {errors}");
    }
}

#[test]
fn an_added_certificate_of_a_server_is_trusted_as_its_own() {
    let issued = Authority::root("Stranger").issue(&params(HOST));
    let own = Identity::self_signed(&params(HOST));
    for backend in BACKENDS {
        for (identity, native) in [(&issued, E::CHAIN_ERROR | E::UNKNOWN_ISSUER), (&own, E::NONE)] {
            let (settings, seen) = with_event(on(*backend, trusting(&[&identity.chain[0]])), |_| {});
            let (result, _sessions) = dial_echo(&settings, &Server::new(identity, VERSIONS[1]));
            let expected = if *backend == TlsBackend::NativeTls { native } else { E::NONE };
            assert_eq!(seen.lock().unwrap()[0].errors(), expected);
            assert_eq!(result.is_ok(), expected.is_empty());
        }
    }
}
