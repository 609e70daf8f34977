//! Resumption, settings, and servers that do not speak TLS as they should.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::rustls::crypto::CryptoProvider;

use super::rig::*;
use crate::error::{Error, Phase, Result};
use crate::net::{Deadline, Transport};
use crate::ports::Security;
#[cfg(feature = "rustls")]
use crate::tls::TlsProvider;
use crate::tls::{Handshaken, Tls, TlsBackend, TlsSettings, TlsVersion};

#[cfg(feature = "rustls")]
/// Connects, talks and closes; true if an earlier session was resumed.
fn resumed(settings: &TlsSettings, server: &Server) -> bool {
    let (plain, session) = server.echo();
    let mut tls = connect(settings, plain).unwrap();
    ping(&mut *tls);
    let resumed = tls.tls().unwrap().resumed.unwrap();
    tls.close().unwrap();
    drop(tls);
    session.join().unwrap().unwrap();
    resumed
}

#[cfg(feature = "rustls")]
#[test]
fn sessions_are_resumed_by_clones_until_a_setting_changes() {
    let root = Authority::root("Root");
    for version in VERSIONS {
        let server = Server::new(&root.issue(&params(HOST)), version);
        let settings = trusting(&[&root.der]);
        assert!(!resumed(&settings, &server));
        assert!(resumed(&settings, &server));
        assert!(resumed(&settings.clone(), &server));
        let setters: [fn(&mut TlsSettings); 12] = [
            |settings| settings.set_system_roots(false),
            |settings| settings.set_backend(TlsBackend::Rustls),
            |settings| settings.set_handler(None),
            |settings| settings.add_root_der(&Authority::root("Other").der).unwrap(),
            |settings| {
                let key = rcgen::KeyPair::generate().unwrap();
                let certificate = params("alice").self_signed(&key).unwrap().pem();
                settings.set_identity_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
            },
            |settings| settings.set_min_version(TlsVersion::Tls12),
            |settings| settings.set_max_version(TlsVersion::Tls13),
            |settings| settings.set_alpn(true),
            |settings| settings.set_provider(TlsProvider::Ring),
            |settings| settings.set_key_log(false),
            |settings| settings.set_revocation_required(false),
            |settings| settings.add_revocation_list_der(&revoking(&Authority::root("Other"), &[])).unwrap(),
        ];
        for set in setters {
            let mut detached = settings.clone();
            set(&mut detached);
            assert!(!resumed(&detached, &server));
            assert!(resumed(&settings, &server));
        }
    }
}

#[test]
fn tls_info_tells_what_was_negotiated() {
    let root = Authority::root("Root");
    let expected =
        [(TlsVersion::Tls12, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), (TlsVersion::Tls13, "TLS_AES_256_GCM_SHA384")];
    for backend in BACKENDS {
        for (version, (number, suite)) in VERSIONS.into_iter().zip(expected) {
            let (plain, _session) = Server::new(&root.issue(&params(HOST)), version).echo();
            let tls = connect(&on(*backend, trusting(&[&root.der])), plain).unwrap();
            let info = tls.tls().unwrap();
            assert_eq!(info.backend, Some(*backend));
            assert_eq!((info.version, info.cipher_suite.as_deref()), (Some(number), Some(suite)));
            assert_eq!(info.resumed, (*backend == TlsBackend::Rustls).then_some(false));
            assert_eq!(tls.peer_addr(), Some(([192, 0, 2, 1], 993).into()));
        }
    }
    assert!(CryptoProvider::get_default().is_none());
}

#[test]
fn names_and_addresses_are_checked_and_only_names_sent() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let settings = on(*backend, trusting(&[&root.der]));
        let tls = settings.connection(&peer(), &[]).unwrap();
        for (host, sni) in
            [("mail.test", Some("mail.test")), ("mail.test.", Some("mail.test")), ("192.0.2.1", None), ("::1", None)]
        {
            let server = Server::new(&root.issue(&params(host.trim_end_matches('.'))), VERSIONS[1]);
            let (plain, _session) = server.echo();
            let Ok(Handshaken::Done(mut secured)) = tls.handshake(host, Box::new(plain), None) else {
                panic!("{host}")
            };
            ping(&mut *secured);
            assert_eq!(server.asked_for.lock().unwrap().as_deref(), sni);
        }
        for host in ["b\u{fc}cher.example", "host:25", "[::1]", "", "a b", "fe80::1%eth0", "x\r\ny"] {
            let Err(error) = tls.handshake(host, Box::new(pipe().0), None) else { panic!("{host}") };
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
            assert!(error.to_string().contains("xn--") && !error.to_string().contains('\n'), "{error}");
        }
    }
}

/// The handshake with a server that says this and then closes, or stays silent.
fn against(backend: TlsBackend, pieces: &[&[u8]], close: bool) -> Error {
    let (mut plain, mut far) = pipe();
    for piece in pieces {
        far.write_all(piece).unwrap();
    }
    if close {
        far.finish();
    } else {
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        plain.set_deadline(Deadline::hard(past)).unwrap();
    }
    let (settings, seen) = with_event(on(backend, trusting(&[])), |event| event.is_valid = true);
    let error = connect(&settings, plain).unwrap_err();
    assert!(seen.lock().unwrap().is_empty());
    error
}

fn received(pieces: &[&[u8]], close: bool) -> String {
    let texts = BACKENDS.iter().map(|backend| match against(*backend, pieces, close) {
        Error::WrongMode(wrong) => {
            assert_eq!((&*wrong.peer, wrong.security, &*wrong.advice), ("mail.test:993", Security::Tls, ""));
            String::from(wrong.received)
        }
        other => panic!("{other:?}"),
    });
    texts.reduce(|one, other| if one == other { one } else { panic!("{one} and {other}") }).unwrap()
}

#[test]
fn plain_text_is_quoted() {
    for close in [false, true] {
        assert_eq!(received(&[b"* OK ready\r\n"], close), "* OK ready\r\n");
        assert_eq!(received(&[b"2", b"20 mail.test", b" ESMTP\r\n"], close), "220 mail.test ESMTP\r\n");
        assert_eq!(received(&[b"+"], close), "+");
        assert_eq!(received(&[&[b'x'; 300], &[b'y'; 300]], close), "x".repeat(300) + &"y".repeat(212));
        assert_eq!(received(&[b"\xff\x00"], close), "\u{fffd}\0");
    }
}

#[test]
fn an_answer_to_the_client_hello_in_plain_text_is_quoted() {
    for backend in BACKENDS {
        let (plain, mut far) = pipe();
        let server = std::thread::spawn(move || {
            let _ = far.read(&mut [0; 4096]).unwrap();
            far.write_all(b"500 what?\r\n").unwrap();
        });
        let error = connect(&with_event(on(*backend, trusting(&[])), |_| {}).0, plain).unwrap_err();
        assert!(matches!(&error, Error::WrongMode(wrong) if wrong.received.starts_with("500")), "{error:?}");
        server.join().unwrap();
    }
}

#[test]
fn what_is_nearly_tls_is_a_failed_handshake() {
    let close_notify: &[u8] = b"\x15\x03\x03\0\x02\x01\0";
    let failure: &[u8] = b"\x15\x03\x03\0\x02\x02\x28";
    let garbage = [&b"\x16\x03\x03\x40\0"[..], &[0xa5; 0x4000]].concat();
    for backend in BACKENDS {
        for case in [&[][..], &[close_notify], &[close_notify, close_notify], &[failure], &[&garbage], &[b"\x16\x03"]] {
            let error = against(*backend, case, true);
            let Error::Handshake(failed) = &error else { panic!("{error:?}") };
            assert_eq!(&*failed.peer, "mail.test:993");
            assert!(!failed.source.to_string().is_empty());
        }
        let error = against(*backend, &[&failure[..3], &failure[3..]], true);
        assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
        assert!(matches!(against(*backend, &[close_notify; 10], false), Error::Handshake { .. }));
        // OpenSSL takes the first one for the end.
        assert_eq!(against(*backend, &[close_notify], false).is_timeout(), *backend == TlsBackend::Rustls);
    }
}

#[test]
fn silence_is_a_time_out() {
    for backend in BACKENDS {
        for case in [&[][..], &[&b"\x16\x03"[..]]] {
            let error = against(*backend, case, false);
            let Error::Timeout(timeout) = error else { panic!("{error:?}") };
            assert_eq!((timeout.at.phase, &*timeout.at.peer), (Phase::Handshake, "mail.test:993"));
        }
    }
}

#[test]
fn a_server_that_goes_away_in_the_handshake_ends_it() {
    let identity = Identity::self_signed(&params(HOST));
    for backend in BACKENDS {
        for version in VERSIONS {
            for bytes in [1, 5, 6, 100, 200, 400] {
                let (plain, session) = Server::new(&identity, version).echo();
                let kind = std::io::ErrorKind::ConnectionReset;
                let valve = Valve { kind, ..Valve::open(std::io::ErrorKind::Other) };
                valve.reads.store(bytes, std::sync::atomic::Ordering::SeqCst);
                let (settings, _) = with_event(on(*backend, trusting(&[])), |event| event.is_valid = true);
                let error = connect(&settings, valve.on(plain)).unwrap_err();
                assert!(matches!(error, Error::Handshake { .. }), "{error:?}");
                assert!(session.join().unwrap().is_err());
            }
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn alpn_is_offered_and_a_stranger_to_it_refused() {
    let root = Authority::root("Root");
    let server = Server::new(&root.issue(&params(HOST)), VERSIONS[1]);
    let settings = trusting(&[&root.der]);
    for (alpn, good) in [(&[&b"imap"[..]][..], true), (&[], true), (&[&b"pop3"[..]], false)] {
        let (plain, _session) = server.echo();
        let result = settings.connection(&peer(), alpn).unwrap().handshake(HOST, Box::new(plain), None);
        assert_eq!(result.is_ok(), good);
    }
}

struct Stand;

impl Tls for Stand {
    fn handshake(&self, _: &str, plain: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        Ok(plain)
    }
}

#[test]
fn a_callers_own_tls_is_used_as_it_is() {
    let mut settings = TlsSettings::new();
    settings.set_custom(Arc::new(Stand));
    settings.set_backend(TlsBackend::NativeTls);
    assert!(connect(&settings, pipe().0).unwrap().tls().is_none());
    assert!(format!("{settings:?}").contains("custom: true"));
}
