//! What concerns a whole process and so needs one of its own: environment variables, the default provider of rustls, and
//! what is read once. Each test runs [`child`] in a new process.
#![cfg(feature = "rustls")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mailconnect::testing::{Mode, Server};
use mailconnect::tls::TlsProvider;
use mailconnect::{Connector, Error, ImapClient};
use rustls::crypto::{CryptoProvider, ring};

/// Says to [`child`] what to do.
const CHILD: &str = "MAILCONNECT_TEST_CHILD";

/// Of the build.
const PROVIDERS: &[TlsProvider] = &[
    TlsProvider::Ring,
    #[cfg(feature = "aws-lc-rs")]
    TlsProvider::AwsLcRs,
];

/// Where the child may write, and where this variable of its environment points to.
fn run(what: &str, variable: &str) {
    let directory = std::env::temp_dir().join(format!("mailconnect-process-{}-{what}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .env(variable, directory.join("file"))
        .env(CHILD, what)
        .output()
        .unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("the child is done"), "{text}");
}

/// Does nothing but in the child process.
#[test]
fn child() {
    let Ok(what) = std::env::var(CHILD) else { return };
    match what.as_str() {
        "key-log" => key_log(),
        "no-default" => no_default(),
        "broken-default" => broken_default(),
        "roots" => roots(),
        other => panic!("{other}"),
    }
    println!("the child is done");
}

fn server() -> Server {
    Server::imap().mode(Mode::Tls).start().unwrap()
}

fn visit(connector: &Connector, server: &Server) -> Result<(), Error> {
    let imap: ImapClient = connector.connect_ssl(server.endpoint())?;
    imap.quit()
}

fn trusting(server: &Server) -> Connector {
    Connector::new().system_roots(false).root_certificates_pem(server.certificate_pem().as_bytes()).unwrap()
}

#[test]
fn keys_are_logged_on_request_alone() {
    run("key-log", "SSLKEYLOGFILE");
}

fn key_log() {
    let (server, file) = (server(), PathBuf::from(std::env::var_os("SSLKEYLOGFILE").unwrap()));
    let connector = trusting(&server);
    let logged = connector.clone().danger_key_log(true);
    visit(&connector, &server).unwrap();
    visit(&logged.clone().danger_key_log(false), &server).unwrap();
    assert!(!file.exists(), "nobody asked for it");
    visit(&logged, &server).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")), "{text}");
    // With the event too, where each connection has a configuration of its own.
    visit(&logged.server_certificate_validate(|_| {}), &server).unwrap();
    assert!(fs::read_to_string(&file).unwrap().len() > text.len());
    visit(&connector, &server).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2 * text.lines().count());
}

#[test]
fn no_provider_becomes_the_default_of_the_process() {
    run("no-default", "UNUSED");
}

fn no_default() {
    let server = server();
    for provider in PROVIDERS {
        visit(&trusting(&server).tls_provider(*provider), &server).unwrap();
    }
    assert!(CryptoProvider::get_default().is_none());
}

#[test]
fn the_default_of_the_process_is_not_used() {
    run("broken-default", "UNUSED");
}

/// Another crate of the program has set a default, with which nobody could connect.
fn broken_default() {
    let useless = CryptoProvider { cipher_suites: Vec::new(), kx_groups: Vec::new(), ..ring::default_provider() };
    useless.install_default().unwrap();
    let server = server();
    for provider in PROVIDERS {
        visit(&trusting(&server).tls_provider(*provider), &server).unwrap();
        visit(&trusting(&server).tls_provider(*provider).server_certificate_validate(|_| {}), &server).unwrap();
    }
    assert!(CryptoProvider::get_default().is_some_and(|default| default.cipher_suites.is_empty()));
}

#[test]
fn the_systems_roots_are_read_once_whatever_is_added_to_them() {
    run("roots", "SSL_CERT_FILE");
}

fn roots() {
    let (server, other) = (server(), self::server());
    let file = PathBuf::from(std::env::var_os("SSL_CERT_FILE").unwrap());
    fs::write(&file, server.certificate_pem()).unwrap();
    visit(&Connector::new(), &server).unwrap();
    // A second reading would fail.
    fs::remove_file(&file).unwrap();
    let added = Connector::new().root_certificates_pem(other.certificate_pem().as_bytes()).unwrap();
    for connector in [added.clone(), added.clone().alpn(false), added.server_certificate_validate(|_| {})] {
        visit(&connector, &server).unwrap();
        visit(&connector, &other).unwrap();
    }
    visit(&Connector::new(), &other).unwrap_err();
}

#[test]
fn a_file_of_roots_or_of_an_identity_is_named_in_errors_with_the_line() {
    let directory = std::env::temp_dir().join(format!("mailconnect-files-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let bad = "\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let roots = |path: &PathBuf| Connector::new().root_certificates_file(path).unwrap_err().to_string();
    let path = file("empty.pem", "");
    assert_eq!(roots(&path), format!("invalid root certificates: {}: no PEM part `CERTIFICATE` in it", path.display()));
    let path = file("bad.pem", bad);
    assert_eq!(roots(&path), format!("invalid root certificates: {}: line 2: not a certificate", path.display()));
    assert!(roots(&directory.join("none.pem")).contains("none.pem"));

    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["alice".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let good = (file("alice.pem", &certificate), file("alice.key", &key.serialize_pem()));
    let both = file("both.pem", &format!("{}{certificate}", key.serialize_pem()));
    let broken = file("broken.key", "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n");
    let other = file("other.key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    let identity = |certificate: &PathBuf, key: &PathBuf| Connector::new().client_identity_files(certificate, key);
    identity(&good.0, &good.1).unwrap();
    identity(&both, &both).unwrap();
    let why = |certificate, key| identity(certificate, key).unwrap_err().to_string();
    assert_eq!(
        why(&path, &good.1),
        format!("invalid client certificate: {}: line 2: not a certificate", path.display())
    );
    assert_eq!(why(&good.0, &broken), format!("invalid client key: {}: line 1: not a private key", broken.display()));
    assert!(why(&good.0, &other).starts_with(&format!("invalid client key: {}: it is not the key", other.display())));
    assert!(why(&good.0, &directory.join("none.key")).contains("none.key"));
    fs::remove_dir_all(&directory).unwrap();
}
