//! Channel bindings: both ends have the same, and both back ends.

use std::io::Read;

use super::rig::*;
use crate::tls::TlsBackend;
use crate::tls_info::ChannelBinding;

/// What the client has of a connection; and what the server exports, by RFC 9266.
fn both(backend: TlsBackend, server: &Server, root: &Authority) -> (Option<Vec<u8>>, Option<Vec<u8>>, [u8; 32]) {
    let (plain, session) = server.run(|mut tls| {
        let mut byte = [0];
        tls.read_exact(&mut byte).unwrap();
        tls.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap()
    });
    let mut tls = connect(&on(backend, trusting(&[&root.der])), plain).unwrap();
    std::io::Write::write_all(&mut tls, b"x").and_then(|()| std::io::Write::flush(&mut tls)).unwrap();
    let info = tls.tls().unwrap();
    let get = |kind| info.channel_binding(kind).map(<[u8]>::to_vec);
    (get(ChannelBinding::TlsExporter), get(ChannelBinding::TlsServerEndPoint), session.join().unwrap())
}

#[test]
fn both_ends_export_the_same_and_in_tls_1_2_nothing_is_exported() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        for (version, has_exporter) in VERSIONS.into_iter().zip([false, *backend == TlsBackend::Rustls]) {
            let server = Server::new(&root.issue(&params(HOST)), version);
            let (one, _, exported) = both(*backend, &server, &root);
            assert_eq!(one, has_exporter.then(|| exported.to_vec()), "{backend:?} {version:?}");
            let (another, ..) = both(*backend, &server, &root);
            assert!(!has_exporter || one != another, "it is this connection's alone");
        }
    }
}

#[cfg(feature = "scram")]
#[test]
fn the_end_point_is_the_certificates_hash_by_its_own_signature() {
    use ring::digest::{SHA256, SHA384, digest};

    for (algorithm, hash) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&SHA256)),
        (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&SHA384)),
        (&rcgen::PKCS_ED25519, None),
    ] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params_of_root = authority_params("Root");
        let root = Authority::new(params_of_root.self_signed(&key).unwrap(), params_of_root, key);
        let identity = root.issue(&params(HOST));
        let expected = hash.map(|hash| digest(hash, &identity.chain[0]).as_ref().to_vec());
        for backend in BACKENDS {
            for version in VERSIONS {
                let (_, end_point, _) = both(*backend, &Server::new(&identity, version), &root);
                assert_eq!(end_point, expected, "{backend:?} {version:?} {algorithm:?}");
            }
        }
    }
}

#[test]
fn rule_11_no_binding_is_shown() {
    let root = Authority::root("Root");
    for backend in BACKENDS {
        let (plain, _session) = Server::new(&root.issue(&params(HOST)), VERSIONS[1]).echo();
        let tls = connect(&on(*backend, trusting(&[&root.der])), plain).unwrap();
        let bindings = &tls.tls().unwrap().channel_bindings;
        let shown = format!("{bindings:?}");
        assert!(shown.chars().all(|c| c.is_ascii_alphabetic() || ", []".contains(c)), "{shown}");
        assert_eq!(*backend == TlsBackend::Rustls, shown.contains("TlsExporter"));
    }
}
