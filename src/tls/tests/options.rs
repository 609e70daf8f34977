//! What a caller may choose about the handshake: versions, ALPN, providers, revocation lists, the key log. Where a back end
//! cannot do it, it says so before a byte is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys;
use super::rig::*;
use crate::error::{Error, HandshakeCause, Result};
use crate::net::Transport;
#[cfg(feature = "rustls")]
use crate::tls::CertificateErrors as E;
use crate::tls::{TlsBackend, TlsProvider, TlsSettings, TlsVersion};

fn cause(result: Result<Box<dyn Transport>>) -> HandshakeCause {
    match result {
        Err(Error::Handshake(failed)) => failed.cause,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it works"),
    }
}

// ---- Versions ----

#[test]
fn only_the_versions_that_are_allowed_are_spoken() {
    use TlsVersion::{Tls12, Tls13};

    let root = Authority::root("Root");
    let servers = VERSIONS.map(|version| Server::new(&root.issue(&params(HOST)), version));
    for backend in BACKENDS {
        for (min, max) in [(Tls12, Tls13), (Tls12, Tls12), (Tls13, Tls13)] {
            let mut settings = on(*backend, trusting(&[&root.der]));
            settings.set_min_version(min);
            settings.set_max_version(max);
            for (server, version) in servers.iter().zip([Tls12, Tls13]) {
                let (plain, _session) = server.echo();
                let result = connect(&settings, plain);
                if (min..=max).contains(&version) {
                    let mut tls = result.unwrap();
                    assert_eq!(tls.tls().unwrap().version, Some(version));
                    ping(&mut *tls);
                } else {
                    assert_eq!(cause(result), HandshakeCause::TlsVersion, "{backend:?} {min:?} {max:?} {version:?}");
                }
            }
        }
    }
}

/// As Dovecot does. No alert says why, so it is named by what it did.
#[test]
fn a_server_that_hangs_up_at_once_is_told_from_one_that_refuses_and_one_that_breaks() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let settings = on(*backend, trusting(&[&root.der]));
        let (near, mut far) = pipe();
        far.finish();
        assert_eq!(cause(connect(&settings, near)), HandshakeCause::HungUp, "{backend:?}");
        let (near, mut far) = pipe();
        std::io::Write::write_all(&mut far, &[0x16, 3, 3]).unwrap();
        far.finish();
        assert_eq!(cause(connect(&settings, near)), HandshakeCause::Other, "{backend:?}");
    }
}

#[test]
fn no_version_at_all_is_refused_before_a_byte_is_sent() {
    for backend in BACKENDS {
        let mut settings = on(*backend, TlsSettings::new());
        settings.set_max_version(TlsVersion::Tls12);
        settings.set_min_version(TlsVersion::Tls13);
        let error = connect(&settings, pipe().0).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)) && error.to_string().contains("TLS version"), "{error:?}");
    }
}

// ---- ALPN ----

#[test]
fn the_protocol_is_named_unless_that_is_off() {
    let root = Authority::root("Root");
    let server = |name: &[u8]| Server::new(&root.issue(&params(HOST)), VERSIONS[1]).speaking(name);
    for backend in BACKENDS {
        let named = on(*backend, trusting(&[&root.der]));
        let mut unnamed = named.clone();
        unnamed.set_alpn(false);
        for (settings, heard) in [(&named, Some(b"imap".to_vec())), (&unnamed, None)] {
            let (plain, session) = server(b"imap").run(|mut tls| {
                let _ = tls.conn.complete_io(&mut tls.sock);
                tls.conn.alpn_protocol().map(<[u8]>::to_vec)
            });
            let tls = connect(settings, plain).unwrap();
            assert_eq!(session.join().unwrap(), heard, "{backend:?}");
            drop(tls);
        }
        // One for the web: it refuses all others, but not those who name none.
        for version in VERSIONS {
            let web = Server::new(&root.issue(&params(HOST)), version).speaking(b"http/1.1");
            let (plain, _session) = web.echo();
            assert_eq!(cause(connect(&named, plain)), HandshakeCause::ApplicationProtocol, "{backend:?} {version:?}");
            let (plain, _session) = web.echo();
            ping(&mut *connect(&unnamed, plain).unwrap());
        }
    }
}

// ---- Providers ----

#[cfg(feature = "rustls")]
#[test]
fn the_provider_is_the_one_that_was_chosen_and_shows_in_the_key_exchange() {
    let root = Authority::root("Root");
    for version in VERSIONS {
        let server = Server::new(&root.issue(&params(HOST)), version);
        for provider in [TlsProvider::Ring, TlsProvider::AwsLcRs] {
            let mut settings = trusting(&[&root.der]);
            settings.set_provider(provider);
            let (plain, _session) = server.echo();
            match connect(&settings, plain) {
                Ok(mut tls) => {
                    assert_eq!(tls.tls().unwrap().key_exchange.as_deref(), Some("x25519"));
                    ping(&mut *tls);
                }
                Err(error) => {
                    let absent = provider == TlsProvider::AwsLcRs && cfg!(not(feature = "aws-lc-rs"));
                    assert!(absent && matches!(error, Error::Unsupported(_)), "{error:?}");
                    assert!(error.to_string().contains("feature aws-lc-rs"), "{error}");
                }
            }
        }
    }
    assert!(::rustls::crypto::CryptoProvider::get_default().is_none());
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn aws_lc_rs_exchanges_keys_in_the_post_quantum_way() {
    let root = Authority::root("Root");
    let server = Server::post_quantum(&root.issue(&params(HOST)));
    for (provider, group) in [(TlsProvider::Ring, "x25519"), (TlsProvider::AwsLcRs, "X25519MLKEM768")] {
        let mut settings = trusting(&[&root.der]);
        settings.set_provider(provider);
        let (plain, _session) = server.echo();
        let mut tls = connect(&settings, plain).unwrap();
        assert_eq!(tls.tls().unwrap().key_exchange.as_deref(), Some(group));
        ping(&mut *tls);
    }
}

#[cfg(feature = "native-tls")]
#[test]
fn native_tls_tells_the_key_exchange_of_tls_1_3_alone() {
    let root = Authority::root("Root");
    for (version, group) in VERSIONS.into_iter().zip([None, Some("x25519")]) {
        let (plain, _session) = Server::new(&root.issue(&params(HOST)), version).echo();
        let tls = connect(&on(TlsBackend::NativeTls, trusting(&[&root.der])), plain).unwrap();
        assert_eq!(tls.tls().unwrap().key_exchange.as_deref(), group);
    }
}

/// Of a kind that ring does not know.
#[test]
fn a_key_that_one_library_cannot_use_is_refused_by_that_one_alone() {
    let both = format!("{}{}", keys::P521_CERTIFICATE, keys::P521);
    let mut settings = TlsSettings::new();
    let result = settings.set_identity_pem(both.as_bytes(), both.as_bytes());
    let known = cfg!(any(feature = "native-tls", feature = "aws-lc-rs"));
    assert_eq!(result.is_ok(), known, "{result:?}");
    for (backend, provider) in [
        (TlsBackend::Rustls, TlsProvider::Ring),
        (TlsBackend::Rustls, TlsProvider::AwsLcRs),
        (TlsBackend::NativeTls, TlsProvider::Ring),
    ] {
        if !known || !BACKENDS.contains(&backend) {
            continue;
        }
        let mut settings = on(backend, settings.clone());
        settings.set_provider(provider);
        let there = provider == TlsProvider::Ring || cfg!(feature = "aws-lc-rs");
        let can = there && (backend, provider) != (TlsBackend::Rustls, TlsProvider::Ring);
        match settings.connection(&peer(), &[]) {
            Ok(_) => assert!(can),
            Err(Error::Unsupported(why)) => assert!(!can && (!there || why.contains("client certificate")), "{why}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

// ---- Revocation ----

fn pem(list: &[u8]) -> String {
    format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", STANDARD.encode(list))
}

#[cfg(feature = "rustls")]
mod revocation {
    use super::*;

    const SERIAL: u64 = 7;

    fn server(root: &Authority) -> Server {
        let mut params = params(HOST);
        params.serial_number = Some(SERIAL.into());
        Server::new(&root.issue(&params), VERSIONS[1])
    }

    /// What is wrong; none if the connection works.
    fn verdict(settings: &TlsSettings, server: &Server) -> E {
        let (plain, _session) = server.echo();
        match connect(settings, plain) {
            Ok(mut tls) => {
                ping(&mut *tls);
                E::NONE
            }
            Err(error) => error.certificate().unwrap_or_else(|| panic!("{error:?}")).errors,
        }
    }

    #[test]
    fn what_a_list_names_is_refused_and_what_no_list_speaks_of_where_one_must() {
        let (root, other) = (Authority::root("Root"), Authority::root("Other"));
        let server = server(&root);
        let lists = [
            (revoking(&root, &[SERIAL]), E::REVOKED, E::REVOKED),
            (revoking(&root, &[SERIAL + 1]), E::NONE, E::NONE),
            (revoking(&other, &[SERIAL]), E::NONE, E::REVOCATION_UNKNOWN),
            (dated_list(&root, &[], 2000, 2001), E::NONE, E::REVOCATION_UNKNOWN),
        ];
        for (list, lenient, strict) in lists {
            for (required, expected) in [(false, lenient), (true, strict)] {
                let mut settings = trusting(&[&root.der]);
                settings.add_revocation_lists_pem(pem(&list).as_bytes()).unwrap();
                settings.set_revocation_required(required);
                let found = verdict(&settings, &server);
                assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found} {required}");
            }
        }
    }

    /// A list that anybody could have written is not believed, and makes nothing better.
    #[test]
    fn a_list_with_a_forged_signature_lets_nobody_pass() {
        let (root, forger) = (Authority::root("Root"), Authority::root("Root"));
        let mut settings = trusting(&[&root.der]);
        settings.add_revocation_list_der(&revoking(&forger, &[])).unwrap();
        let found = verdict(&settings, &server(&root));
        assert!(found.contains(E::REVOCATION_UNKNOWN), "{found}");
    }

    #[test]
    fn of_the_lists_of_one_issuer_the_newest_counts() {
        let root = Authority::root("Root");
        let server = server(&root);
        let (old, new) = (dated_list(&root, &[], 2000, 2100), dated_list(&root, &[SERIAL], 2010, 2100));
        for lists in [[&old, &new], [&new, &old]] {
            let mut settings = trusting(&[&root.der]);
            lists.into_iter().for_each(|list| settings.add_revocation_list_der(list).unwrap());
            assert!(verdict(&settings, &server).contains(E::REVOKED));
        }
    }

    #[test]
    fn an_added_certificate_may_be_revoked_too() {
        let root = Authority::root("Root");
        let mut params = params(HOST);
        params.serial_number = Some(SERIAL.into());
        let identity = root.issue(&params);
        let mut settings = trusting(&[&root.der, &identity.chain[0]]);
        let server = Server::new(&identity, VERSIONS[1]);
        assert_eq!(verdict(&settings, &server), E::NONE);
        settings.add_revocation_list_der(&revoking(&root, &[SERIAL])).unwrap();
        assert_eq!(verdict(&settings, &server), E::REVOKED);
    }

    /// The clock is moved back for what lies behind an old date; a list that is too old stays so.
    #[test]
    fn a_list_that_has_expired_is_told_beside_an_old_date() {
        let root = Authority::root("Root");
        let server = Server::new(&root.issue(&expired(params(HOST))), VERSIONS[1]);
        let mut settings = trusting(&[&root.der]);
        settings.add_revocation_list_der(&dated_list(&root, &[], 2000, 2025)).unwrap();
        settings.set_revocation_required(true);
        let found = verdict(&settings, &server);
        assert!(found.contains(E::EXPIRED | E::REVOCATION_UNKNOWN), "{found}");
    }

    #[test]
    fn revoked_is_told_with_all_else_that_is_wrong() {
        let root = Authority::root("Root");
        let mut params = expired(params("elsewhere.test"));
        params.serial_number = Some(SERIAL.into());
        let server = Server::new(&root.issue(&params), VERSIONS[1]);
        let mut settings = trusting(&[&root.der]);
        settings.add_revocation_list_der(&revoking(&root, &[SERIAL])).unwrap();
        let all = E::REVOKED | E::EXPIRED | E::NAME_MISMATCH;
        let found = verdict(&settings, &server);
        assert!(found.contains(all), "{found}");
    }

    #[test]
    fn to_require_lists_and_give_none_is_an_error() {
        let root = Authority::root("Root");
        let mut settings = trusting(&[&root.der]);
        settings.set_revocation_required(true);
        let error = connect(&settings, pipe().0).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    }
}

#[test]
fn bad_lists_are_refused_with_their_line_and_none_is_added() {
    let mut settings = TlsSettings::new();
    let refused = |settings: &mut TlsSettings, pem: &str| {
        let error = settings.add_revocation_lists_pem(pem.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        error.to_string()
    };
    let start = "invalid certificate revocation lists: ";
    assert_eq!(refused(&mut settings, ""), format!("{start}no PEM part `X509 CRL` in it"));
    let bad = pem(&[0x30, 0]);
    assert_eq!(
        refused(&mut settings, &format!("#\n{bad}")),
        format!("{start}line 2: not a certificate revocation list")
    );
    assert!(settings.add_revocation_list_der(b"x").is_err());
    #[cfg(feature = "rustls")]
    {
        let good = pem(&revoking(&Authority::root("Root"), &[]));
        let hollow = pem(&[0x30, 2, 0x30, 0]);
        assert!(refused(&mut settings, &format!("{good}{hollow}")).starts_with(&format!("{start}line 4: ")));
        settings.add_revocation_lists_pem(good.as_bytes()).unwrap();
    }
}

// ---- What native-tls cannot do ----

#[cfg(feature = "native-tls")]
#[test]
fn native_tls_says_what_it_cannot_do() {
    let mut logging = on(TlsBackend::NativeTls, TlsSettings::new());
    logging.set_key_log(true);
    let mut requiring = on(TlsBackend::NativeTls, TlsSettings::new());
    requiring.set_revocation_required(true);
    for (settings, what) in [(logging, "log keys"), (requiring, "revocation lists")] {
        let error = connect(&settings, pipe().0).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)) && error.to_string().contains(what), "{error:?}");
    }
}
