//! Every kind of certificate, by every verb, with every sort of event.

use mailconnect::TlsBackend;
use mailconnect::tls::CertificateErrors as E;

use super::server::*;
use super::*;

struct Case {
    name: &'static str,
    identity: Identity,
    rustls: E,
    native: E,
}

impl Case {
    fn errors(&self, backend: TlsBackend) -> E {
        if backend == TlsBackend::NativeTls { self.native } else { self.rustls }
    }
}

fn cases(root: &Authority) -> Vec<Case> {
    let middle = root.below("Middle");
    let (chain, unknown) = (E::CHAIN_ERROR, E::UNKNOWN_ISSUER);
    let case = |name, identity, rustls, native| Case { name, identity, rustls, native };
    vec![
        case("good", middle.issue_with_chain(&params(HOST)), E::NONE, E::NONE),
        case("wrong host", root.issue(&params("other.test")), E::NAME_MISMATCH, E::NAME_MISMATCH),
        case("self-signed", Identity::self_signed(&params(HOST)), E::SELF_SIGNED | unknown, E::SELF_SIGNED | chain),
        case("expired", root.issue(&dated(HOST, 2001, 2002)), E::EXPIRED, E::EXPIRED | chain),
        case("not yet valid", root.issue(&dated(HOST, 2101, 2102)), E::NOT_YET_VALID, E::NOT_YET_VALID | chain),
        case("unknown issuer", Authority::root("Stranger").issue(&params(HOST)), unknown, unknown | chain),
        case("missing intermediate", middle.issue(&params(HOST)), unknown, unknown | chain),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    NoEvent,
    Default,
    Accept,
    Refuse,
}

fn check(backend: TlsBackend, root: &Authority, case: &Case, verb: Verb, decision: Decision, speaks: Speaks) {
    let what = format!("{} by {verb:?} with {decision:?} on {backend:?} to {speaks:?}", case.name);
    let connections = vec![(case.identity.clone(), Quirk::None)];
    let server = Server::start(Plan { speaks, implicit: verb == Verb::ConnectSsl, connections });
    let (mut connector, mut seen) = (trusting(backend, &[&root.der]), Seen::default());
    let witness = server.witness();
    if decision != Decision::NoEvent {
        (connector, seen) = watched(connector, move |event| {
            assert_eq!(witness.secrets(), 0, "something was sent before the verdict");
            match decision {
                Decision::Accept => event.is_valid = true,
                Decision::Refuse => event.is_valid = false,
                _ => {}
            }
        });
    }
    let result = visit(&connector, &server, speaks, verb);
    let (sessions, expected) = (server.finished(), case.errors(backend));

    let asked = decision != Decision::NoEvent;
    let again = asked && backend == TlsBackend::NativeTls && expected.contains(E::CHAIN_ERROR);
    assert_eq!(sessions.len(), 1 + usize::from(again), "{what}");
    let accepted = decision == Decision::Accept || (decision != Decision::Refuse && expected.is_empty());
    match result {
        Ok(info) => {
            assert!(accepted, "{what}");
            assert_eq!((info.backend, info.certificate_errors), (Some(backend), expected), "{what}");
            assert!(info.version.is_some() && info.cipher_suite.is_some() && !info.chain.is_empty(), "{what}");
        }
        Err(error) => {
            assert!(!accepted, "{what}: {error:?}");
            // The platform says no more than that it refused.
            let blind = backend == TlsBackend::NativeTls && !asked;
            assert_eq!(refusal(&error), (if blind { E::CHAIN_ERROR } else { expected }, asked), "{what}");
        }
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), usize::from(asked), "{what}");
    assert!(seen.iter().all(|event| event.errors() == expected && event.host() == HOST), "{what}: {seen:?}");
    for (number, session) in sessions.iter().enumerate() {
        let used = accepted && number + 1 == sessions.len();
        assert_eq!(session.secret.iter().any(|line| line.contains("PLAIN")), used, "{what}: {session:?}");
        assert_eq!(session.secret.is_empty(), !used, "{what}: {session:?}");
        let allowed = ["EHLO", "STARTTLS", "STLS", "CAPA", "NOOP"];
        let harmless = |line: &String| allowed.iter().any(|word| line.contains(word));
        assert!(session.clear.iter().all(harmless), "{what}: {session:?}");
        assert_eq!(session.clear.is_empty(), verb == Verb::ConnectSsl, "{what}: {session:?}");
    }
}

#[test]
fn every_certificate_by_every_verb_with_every_event() {
    let root = Authority::root("Root");
    let mut turn = 0;
    for backend in BACKENDS {
        for case in &cases(&root) {
            for verb in VERBS {
                let all = [Decision::Accept, Decision::NoEvent, Decision::Default, Decision::Refuse];
                // Each takes native-tls a tenth of a second; `start_tls` differs only in what was said before.
                let decisions = if verb == Verb::StartTls { &all[..1] } else { &all[..] };
                for decision in decisions {
                    // The protocols take turns: what differs between them is the way to the handshake.
                    turn += 1;
                    check(*backend, &root, case, verb, *decision, PROTOCOLS[turn % 3]);
                }
            }
            turn += 1;
        }
    }
}
