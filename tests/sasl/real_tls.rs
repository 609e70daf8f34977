//! SCRAM bound to real TLS connections, of both back ends, by `tls-server-end-point`. (`tls-exporter` is compared with the
//! other side's value where that is at hand, in `src/tls/tests`.)

use std::sync::{Arc, Mutex};

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::sasl::{BindingPolicy, ChannelBinding, Scram, Secret};
use mailconnect::smtp::Smtp;
use mailconnect::{Client, Connector, Error, TlsBackend};

use crate::peer::{Dialect, Part, Say, script};
use crate::scram_server::{PASSWORD, Server, USER};
use crate::sha256::sha256;

const BACKENDS: &[TlsBackend] = &[
    #[cfg(feature = "rustls")]
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::NativeTls,
];

/// The first certificate of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().skip(1).take_while(|line| !line.starts_with("-----")).collect();
    Secret::from_base64(body.as_bytes()).unwrap().as_bytes().to_vec()
}

/// A client over real TLS of a server that takes this binding; the server learns its own certificate once it has one.
fn client<P: Dialect>(backend: TlsBackend, connector: Connector) -> (Client<P>, mailconnect::testing::ScriptServer) {
    let certificate: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let own = Arc::clone(&certificate);
    let mut honest: Option<Part> = None;
    let part: Part = Box::new(move |message: Option<&[u8]>| -> Say {
        let server = || {
            let hash = sha256(own.lock().unwrap().as_ref().expect("the certificate")).to_vec();
            Server { binding: Some(("tls-server-end-point", hash)), offers_plus: true }.part(|_, text| text)
        };
        honest.get_or_insert_with(server)(message)
    });
    let (script, _) = script::<P>(&["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], part, true);
    let server = script.listen().unwrap();
    *certificate.lock().unwrap() = Some(der(server.certificate_pem()));
    let connector = connector.tls_backend(backend).system_roots(false);
    let connector = connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
    (connector.connect_ssl(server.endpoint()).unwrap(), server)
}

fn bound<P: Dialect>() {
    for backend in BACKENDS {
        let scram = || Scram::sha256(USER, PASSWORD).unwrap();
        let (mut by_end_point, _server) = client::<P>(*backend, Connector::new());
        by_end_point.authenticate(&mut scram().bound_by(ChannelBinding::TlsServerEndPoint)).unwrap();
        // Required takes the strongest, which is this one only on native-tls.
        let (mut client, _server) = client::<P>(*backend, Connector::new().channel_binding(BindingPolicy::Required));
        let has_exporter = client.tls().unwrap().channel_binding(ChannelBinding::TlsExporter).is_some();
        assert_eq!(has_exporter, *backend == TlsBackend::Rustls);
        match client.login(USER, PASSWORD) {
            Ok(()) => assert!(!has_exporter),
            Err(error) => assert!(has_exporter && error.to_string().contains("may not take tls-exporter"), "{error}"),
        }
        if !has_exporter {
            let error = self::client::<P>(*backend, Connector::new())
                .0
                .authenticate(&mut scram().bound_by(ChannelBinding::TlsExporter));
            assert!(matches!(error, Err(Error::Unsupported(_))));
        }
    }
}

#[test]
fn bound_to_real_connections() {
    bound::<Smtp>();
    bound::<Imap>();
    bound::<Pop3>();
}
