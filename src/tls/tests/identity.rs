//! Client certificates: what a server gets to see, what it says of none and of a bad one, and what the caller hears of a
//! key that cannot be used.

use std::io::{Read, Write};

use ::rustls::SupportedProtocolVersion;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};

use super::keys;
use super::rig::*;
use crate::error::{Error, HandshakeCause, HandshakeError};
use crate::net::Transport;
use crate::tls::{TlsBackend, TlsSettings};

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A key for P-256 as OpenSSL writes it without PKCS#8: with its curve, which rcgen leaves to what is outside.
fn sec1(pkcs8: &[u8]) -> Vec<u8> {
    /// Where the inner key begins, and what stands in it before its public half.
    const INNER: usize = 29;
    const SECRET: usize = 2 + 3 + 34;

    let (secret, public) = pkcs8[INNER..].split_at(SECRET);
    let curve = [0xa0, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let mut key = [secret, &curve, public].concat();
    key[1] += curve.len() as u8;
    key
}

/// A client's certificate and key, in PEM.
fn client(authority: &Authority, key: KeyPair) -> (String, String) {
    let params = CertificateParams::new(["alice".to_owned()]).unwrap();
    (params.signed_by(&key, &authority.issuer).unwrap().pem(), key.serialize_pem())
}

type Version = &'static SupportedProtocolVersion;

struct Stage {
    root: Authority,
    clients: Authority,
}

impl Stage {
    fn new() -> Self {
        Self { root: Authority::root("Root"), clients: Authority::root("Clients") }
    }

    fn server(&self, version: Version) -> Server {
        Server::demanding(&self.root.issue(&params(HOST)), version, &self.clients)
    }

    fn settings(&self, backend: TlsBackend, identity: Option<&(String, String)>) -> TlsSettings {
        let mut settings = on(backend, trusting(&[&self.root.der]));
        if let Some((certificate, key)) = identity {
            settings.set_identity_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        }
        settings
    }
}

/// All back ends with both versions of TLS.
fn everywhere(mut check: impl FnMut(TlsBackend, Version)) {
    for backend in BACKENDS {
        VERSIONS.into_iter().for_each(|version| check(*backend, version));
    }
}

/// How the first answer, or already the handshake, fails.
fn failure(settings: &TlsSettings, server: &Server) -> HandshakeError {
    let (plain, _session) = server.echo();
    let first_answer = |mut tls: Box<dyn Transport>| {
        tls.write_all(b"x").and_then(|()| tls.flush()).and_then(|()| tls.read_exact(&mut [0])).unwrap_err()
    };
    match connect(settings, plain).map(first_answer) {
        Ok(late) => late.downcast().unwrap(),
        Err(Error::Handshake(failed)) => *failed,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_server_gets_the_certificate_in_every_form_of_key() {
    let stage = Stage::new();
    let rsa = KeyPair::from_pem(keys::RSA).unwrap();
    let (certificate, key) = client(&stage.clients, KeyPair::generate().unwrap());
    let (certificate_of_rsa, key_of_rsa) = client(&stage.clients, rsa);
    let der =
        |pem: &str| STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let forms = [
        (certificate.clone(), key.clone()),
        (certificate.clone(), pem("EC PRIVATE KEY", &sec1(&der(&key)))),
        (certificate_of_rsa.clone(), key_of_rsa.clone()),
        (certificate_of_rsa, pem("RSA PRIVATE KEY", &der(&key_of_rsa)[26..])),
        // Both in one text, the key first.
        (format!("{key}{certificate}"), format!("{key}{certificate}")),
    ];
    let settings = |backend: &TlsBackend| forms.each_ref().map(|form| stage.settings(*backend, Some(form)));
    let settings: Vec<_> = BACKENDS.iter().map(settings).collect();
    everywhere(|backend, version| {
        let server = stage.server(version);
        let at = BACKENDS.iter().position(|other| *other == backend).unwrap();
        for (identity, settings) in forms.iter().zip(&settings[at]) {
            let (plain, session) = server.run(|mut tls| {
                let mut ping = [0; 4];
                tls.read_exact(&mut ping).unwrap();
                tls.write_all(&ping).unwrap();
                tls.flush().unwrap();
                tls.conn.peer_certificates().unwrap()[0].to_vec()
            });
            ping(&mut *connect(settings, plain).unwrap());
            let shown = pem("CERTIFICATE", &session.join().unwrap());
            let flat = |text: &str| text.split_ascii_whitespace().collect::<String>();
            assert!(flat(&identity.0).contains(&flat(&shown)), "{backend:?} {version:?}");
        }
    });
}

#[test]
fn a_server_that_gets_no_certificate_or_a_strangers_is_named_as_the_cause() {
    let stage = Stage::new();
    // One of a like name is told by its signature, one of another name by that.
    let strangers = ["Clients", "Others"].map(|name| client(&Authority::root(name), KeyPair::generate().unwrap()));
    everywhere(|backend, version| {
        let server = stage.server(version);
        let failed = failure(&stage.settings(backend, None), &server);
        assert_eq!(failed.cause, HandshakeCause::ClientCertificateMissing, "{backend:?} {version:?}: {failed:?}");
        assert!(failed.to_string().contains("client_identity_pem"), "{failed}");
        for stranger in &strangers {
            let failed = failure(&stage.settings(backend, Some(stranger)), &server);
            assert_eq!(failed.cause, HandshakeCause::ClientCertificateRefused, "{backend:?} {version:?}: {failed:?}");
        }
    });
}

#[test]
fn the_event_goes_with_a_client_certificate() {
    let stage = Stage::new();
    let identity = client(&stage.clients, KeyPair::generate().unwrap());
    everywhere(|backend, version| {
        let server = Server::demanding(&Identity::self_signed(&params(HOST)), version, &stage.clients);
        let (settings, seen) = with_event(stage.settings(backend, Some(&identity)), |event| event.is_valid = true);
        let (secured, _sessions) = dial_echo(&settings, &server);
        ping(&mut *secured.unwrap());
        assert_eq!(seen.lock().unwrap().len(), 1);
    });
}

/// OpenSSL's servers may refuse to, and then the handshake fails.
#[cfg(feature = "rustls")]
#[test]
fn no_session_is_resumed_with_a_server_that_asks_for_a_certificate() {
    let stage = Stage::new();
    let identity = client(&stage.clients, KeyPair::generate().unwrap());
    for version in VERSIONS {
        for (asks, resumes) in [(true, false), (false, true)] {
            let server = match asks {
                true => stage.server(version),
                false => Server::new(&stage.root.issue(&params(HOST)), version),
            };
            let settings = stage.settings(TlsBackend::Rustls, Some(&identity));
            for resumed in [false, resumes, resumes] {
                let (plain, _session) = server.echo();
                let mut tls = connect(&settings, plain).unwrap();
                ping(&mut *tls);
                assert_eq!(tls.tls().unwrap().resumed, Some(resumed), "{version:?} {asks}");
            }
        }
    }
}

/// What is wrong with an identity, by the setter's own words.
fn refused(certificate: &str, key: &str) -> String {
    let result = TlsSettings::new().set_identity_pem(certificate.as_bytes(), key.as_bytes());
    let error = result.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_key_that_is_another_certificates_is_refused_when_it_is_set() {
    let root = Authority::root("Root");
    let kinds: [fn() -> KeyPair; 3] = [
        || KeyPair::generate().unwrap(),
        || KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        || KeyPair::from_pem(keys::RSA).unwrap(),
    ];
    for kind in kinds {
        let (certificate, right) = client(&root, kind());
        TlsSettings::new().set_identity_pem(certificate.as_bytes(), right.as_bytes()).unwrap();
        for other in [KeyPair::generate().unwrap(), KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()] {
            let why = refused(&certificate, &other.serialize_pem());
            assert_eq!(why, "invalid client key: it is not the key of the first certificate");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_line_and_changes_nothing() {
    let (certificate, key) = client(&Authority::root("Root"), KeyPair::generate().unwrap());
    let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let line = certificate.lines().count() + 1;
    assert_eq!(refused("", &key), "invalid client certificate: no PEM part `CERTIFICATE` in it");
    assert_eq!(refused(&certificate, ""), "invalid client key: no PEM part `PRIVATE KEY` in it");
    let both = refused(&format!("{certificate}{broken}"), &key);
    assert_eq!(both, format!("invalid client certificate: line {line}: not a certificate"));
    let bare = "x\n-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
    assert_eq!(refused(&certificate, bare), "invalid client key: line 2: not a private key");
    let hollow = bare.replace("AQID", "MAA=");
    assert!(refused(&certificate, &hollow).starts_with("invalid client key: "));
}

/// A key of a kind that only one of the libraries knows is taken, and refused where the other one is to use it.
#[test]
fn a_kind_of_key_that_one_back_end_cannot_use_is_refused_by_that_one_alone() {
    let pair = KeyPair::generate().unwrap();
    let (certificate, _) = client(&Authority::root("Root"), pair);
    // No certificate of such a key can be made here, so the best that can be is that it is another one's.
    let why = refused(&certificate, keys::P521);
    assert!(why.starts_with("invalid client key: "), "{why}");
    let mut settings = TlsSettings::new();
    settings.set_identity_pkcs12(&STANDARD.decode(keys::PKCS12).unwrap(), "pass-word").unwrap();
    for backend in BACKENDS {
        match on(*backend, settings.clone()).connection(&peer(), &[]) {
            Ok(_) => assert_eq!(*backend, TlsBackend::NativeTls),
            Err(Error::Unsupported(why)) => {
                assert_eq!(*backend, TlsBackend::Rustls);
                assert!(why.contains("openssl pkcs12") && why.contains("client_identity_pem"), "{why}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[cfg(feature = "native-tls")]
#[test]
fn pkcs12_is_shown_by_native_tls_and_wants_its_password() {
    let file = STANDARD.decode(keys::PKCS12).unwrap();
    let stage = Stage::new();
    let mut settings = stage.settings(TlsBackend::NativeTls, None);
    for (bad, password) in [(&file[..], "another"), (&file[..200], "pass-word"), (b"x", "pass-word")] {
        let error = settings.set_identity_pkcs12(bad, password).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(!error.to_string().contains(password), "{error}");
    }
    settings.set_identity_pkcs12(&file, "pass-word").unwrap();
    everywhere(|backend, version| {
        if backend == TlsBackend::NativeTls {
            // It is a stranger's here, but it was shown.
            let failed = failure(&settings, &stage.server(version));
            assert_eq!(failed.cause, HandshakeCause::ClientCertificateRefused, "{failed:?}");
        }
    });
}

#[test]
fn rule_11_no_key_is_shown() {
    let (certificate, key) = client(&Authority::root("Root"), KeyPair::generate().unwrap());
    let mut settings = TlsSettings::new();
    settings.set_identity_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let shown = format!("{settings:?} {settings:#?}");
    assert!(shown.contains("identity: true"), "{shown}");
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let secret = &body[48..80];
    assert!(!shown.contains(secret) && !refused(&certificate, &key.replace("PRIVATE", "X PRIVATE")).contains(secret));
}
