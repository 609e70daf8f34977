//! The name that a certificate must be for, as it goes from the caller through the endpoint to TLS, on every back end of the
//! build. No name is ever looked up: a dialer leads them all to one server.
#![cfg(any(feature = "rustls", feature = "native-tls"))]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mailconnect::tls::CertificateErrors;
use mailconnect::transport::Timed;
use mailconnect::{Client, Connector, Endpoint, Error, Result, TlsBackend, imap::Imap};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const BACKENDS: &[TlsBackend] = &[
    #[cfg(feature = "rustls")]
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::NativeTls,
];

/// A server that greets as IMAP's do, with a certificate for these names, and how often it was dialled.
struct Stage {
    address: SocketAddr,
    certificate: Vec<u8>,
    dialled: Arc<AtomicUsize>,
}

impl Stage {
    fn new(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap().der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = StreamOwned::new(tls, socket.unwrap());
                thread::spawn(move || {
                    let _ = tls.write_all(b"* OK hi\r\n").and_then(|()| tls.read_to_end(&mut Vec::new()));
                });
            }
        });
        Self { address, certificate: certificate.to_vec(), dialled: Arc::default() }
    }

    /// One that trusts the server's certificate, and reaches it by every name.
    fn connector(&self, backend: TlsBackend) -> Connector {
        let (address, dialled) = (self.address, Arc::clone(&self.dialled));
        let connector = Connector::new().tls_backend(backend).system_roots(false);
        connector.root_certificate_der(&self.certificate).unwrap().dialer(move |_| {
            dialled.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Timed::new(TcpStream::connect(address)?)))
        })
    }

    fn dialled(&self) -> usize {
        self.dialled.swap(0, Ordering::SeqCst)
    }
}

fn connect(connector: &Connector, endpoint: impl TryInto<Endpoint, Error: Into<Error>>) -> Result<Client<Imap>> {
    connector.connect_ssl(endpoint)
}

/// True if the certificate was refused for its name.
fn is_mismatch(result: Result<Client<Imap>>) -> bool {
    let error = result.unwrap_err();
    let found = error.certificate().unwrap_or_else(|| panic!("{error:?}")).errors;
    found.contains(CertificateErrors::NAME_MISMATCH) || found.contains(CertificateErrors::CHAIN_ERROR)
}

#[test]
fn a_host_is_checked_in_every_way_that_it_can_be_written() {
    let stage = Stage::new(&["mail.test", "192.0.2.1", "2001:db8::1"]);
    for backend in BACKENDS {
        let connector = stage.connector(*backend);
        for good in [
            "mail.test",
            "MAIL.test",
            "mail.test.",
            "mail.test.:993",
            "imaps://mail.test/",
            "192.0.2.1",
            "192.0.2.1:993",
            "2001:db8::1",
            "[2001:db8::1]",
            "[2001:db8:0::1]:993",
        ] {
            let client = connect(&connector, good).unwrap_or_else(|error| panic!("{backend:?} {good}: {error:?}"));
            assert!(client.tls().unwrap().is_verified());
        }
        for bad in ["other.test", "x.mail.test", "192.0.2.2", "2001:db8::2", "[2001:db8::2]:993"] {
            assert!(is_mismatch(connect(&connector, bad)), "{backend:?} {bad}");
        }
    }
}

#[test]
fn another_name_stands_in_for_the_host() {
    let stage = Stage::new(&["mail.test", "192.0.2.1", "2001:db8::1"]);
    for backend in BACKENDS {
        let connector = stage.connector(*backend);
        for name in ["mail.test", "mail.test.", "Mail.Test", "192.0.2.1", "2001:db8::1", "[2001:db8::1]"] {
            let named = connector.clone().server_name(name);
            for host in ["10.0.0.1", "tunnel.test", "[fe80::1%eth0]:993", "mail.test"] {
                let client = connect(&named, host).unwrap_or_else(|error| panic!("{backend:?} {name}: {error:?}"));
                assert!(client.tls().unwrap().is_verified());
            }
        }
        // And the host counts for nothing then.
        assert!(is_mismatch(connect(&connector.clone().server_name("other.test"), "mail.test")), "{backend:?}");
    }
}

#[test]
fn what_no_certificate_can_be_for_is_refused_before_anybody_is_dialled() {
    let stage = Stage::new(&["mail.test"]);
    for backend in BACKENDS {
        let connector = stage.connector(*backend);
        let refused = |result: Result<Client<Imap>>, advice: &str| {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
            assert!(error.to_string().contains(advice), "{error} lacks {advice}");
            assert_eq!(stage.dialled(), 0, "{error}");
        };
        for name in ["b\u{fc}cher.example", "\u{ff4d}ail.test", "mail\u{3002}test"] {
            refused(connect(&connector, name), "xn--");
            refused(connect(&connector, (name, 993)), "xn--");
            refused(connect(&connector, format!("imaps://{name}/").as_str()), "xn--");
            refused(connect(&connector.clone().server_name(name), "mail.test"), "xn--");
        }
        for name in ["", "a b", "mail.test:993", "imaps://mail.test", "unix:/run/x", "a..b", "x\r\ny", "*.mail.test"] {
            refused(connect(&connector.clone().server_name(name), "mail.test"), "server name");
            // For an upgrade later too: the caller learns of it at once.
            refused(connector.clone().server_name(name).connect("mail.test"), "server name");
        }
        refused(connect(&connector, "[fe80::1%eth0]:993"), "server_name");
        refused(connector.connect_start_tls("fe80::1%eth0"), "server_name");
        refused(connect(&connector.clone().server_name("fe80::1%eth0"), "mail.test"), "zone");
    }
}
