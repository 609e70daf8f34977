//! The certificates that rcgen does not make, from the openssl command and served by it over real sockets: each under TLS
//! 1.2 and 1.3 on every back end, held to its line of the table.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::rig::*;
use crate::error::{Error, Result};
use crate::net::{Deadline, Timed, Transport};
use crate::tls::{CertificateErrors as E, TlsBackend, policy};

struct Case {
    name: &'static str,
    /// How the key is made.
    key: &'static [&'static str],
    /// How the root signs it; nothing for one that signs itself.
    sign: Option<&'static [&'static str]>,
    /// With `subjectAltName`, and so in version 3.
    named: bool,
    /// What is found; none if no certificate comes at all, since the server has none that it could use.
    rustls: Option<E>,
    native: E,
    /// Whether rustls connects if everything is accepted. Native-tls always does.
    works: bool,
}

const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const RSA_1024: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
const RSA_PSS: &[&str] = &["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"];
const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P521: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"];

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    const CHAIN: E = E::CHAIN_ERROR;
    let (weak, weak_key) = (E::WEAK_ALGORITHM, E::WEAK_KEY);
    let (own, bad) = (E::SELF_SIGNED, E::MALFORMED | E::NAME_MISMATCH);
    let case = |name, key, sign, named, rustls, native, works| Case { name, key, sign, named, rustls, native, works };
    vec![
        //   name                key       signed                                 named  rustls                             native-tls               accept all
        case("RSA-2048",         RSA_2048, Some(&["-sha256"][..]),                true,  Some(E::NONE),                     E::NONE,                 true),
        case("P-256",            P256,     Some(&["-sha384"]),                    true,  Some(E::NONE),                     E::NONE,                 true),
        case("negative serial",  P256,     Some(&["-sha256", "-set_serial", "-5"]), true, Some(E::NONE),                    E::NONE,                 true),
        case("req -x509",        RSA_2048, None,                                  true,  Some(own | E::BAD_PURPOSE),        CHAIN | own,             true),
        case("version 1",        RSA_2048, Some(&["-sha256"]),                    false, Some(CHAIN | bad),                 E::NAME_MISMATCH,        true),
        case("version 1, P-256", P256,     Some(&["-sha256"]),                    false, Some(CHAIN | bad),                 E::NAME_MISMATCH,        true),
        case("SHA-1",            RSA_2048, Some(&["-sha1"]),                      true,  Some(CHAIN | weak),                CHAIN | weak,            true),
        case("MD5",              RSA_2048, Some(&["-md5"]),                       true,  Some(CHAIN | weak),                CHAIN | weak,            true),
        case("RSA-1024",         RSA_1024, Some(&["-sha256"]),                    true,  Some(weak_key),                    CHAIN | weak_key,        false),
        case("P-521",            P521,     Some(&["-sha256"]),                    true,  None,                              E::NONE,                 false),
        case("RSA-PSS",          RSA_PSS,  Some(&["-sha256"]),                    true,  None,                              E::NONE,                 false),
    ]
}

/// A directory of its own that goes away.
struct Bench(PathBuf);

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("mailconnect-openssl-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let bench = Self(directory);
        bench.openssl(&["genpkey", "-out", "root.key"], RSA_2048);
        let root = ["req", "-x509", "-key", "root.key", "-out", "root.pem", "-subj", "/CN=Root", "-days", "30"];
        bench.openssl(&root, &[]);
        bench
    }

    fn openssl(&self, arguments: &[&str], more: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.current_dir(&self.0).args(arguments).args(more).output().expect("the openssl command");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes `leaf.pem` and `leaf.key`.
    fn make(&self, case: &Case) {
        self.openssl(&["genpkey", "-out", "leaf.key"], case.key);
        let subject = ["-key", "leaf.key", "-subj", "/CN=mail.test"];
        fs::write(self.0.join("names"), "subjectAltName=DNS:mail.test\n").unwrap();
        let Some(how) = case.sign else {
            let own = ["req", "-x509", "-out", "leaf.pem", "-days", "30", "-addext", "subjectAltName=DNS:mail.test"];
            return self.openssl(&own, &subject);
        };
        self.openssl(&["req", "-new", "-out", "leaf.csr"], &subject);
        let named: &[&str] = if case.named { &["-extfile", "names"] } else { &[] };
        let sign = ["x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
        let rest = ["-out", "leaf.pem", "-days", "30"];
        self.openssl(&sign, &[how, named, &rest].concat());
    }
}

/// Serves `leaf.pem`, and turns round each line that it gets.
struct Reverser {
    child: Child,
    port: u16,
}

impl Drop for Reverser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reverser {
    fn start(directory: &Path, version: &str) -> Self {
        let mut child = Command::new("openssl")
            .current_dir(directory)
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "leaf.pem", "-key", "leaf.key", "-rev", version])
            .args(["-cipher", "DEFAULT@SECLEVEL=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the openssl command");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned)).expect("an address");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port: address.rsplit(':').next().unwrap().parse().unwrap() }
    }

    fn dial(&self) -> Timed<TcpStream> {
        let mut socket = Timed::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        socket.set_deadline(Deadline::hard(Instant::now() + Duration::from_secs(60))).unwrap();
        socket
    }
}

fn assert_it_works(result: Result<Box<dyn Transport>>) {
    let mut tls = result.unwrap();
    tls.write_all(b"ping\n").unwrap();
    tls.flush().unwrap();
    let mut answer = [0; 5];
    tls.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"gnip\n");
}

fn check(case: &Case, server: &Reverser, root: &[u8], backend: TlsBackend) {
    let mut settings = on(backend, trusting(&[]));
    settings.add_roots_pem(root).unwrap();
    let native = backend == TlsBackend::NativeTls;
    let expected = if native { Some(case.native) } else { case.rustls };
    for accept in [false, true] {
        let decide = move |event: &mut crate::tls::CertificateEvent| event.is_valid |= accept;
        let (settings, seen) = with_event(settings.clone(), decide);
        let result = connect_by(&settings, || server.dial());
        let seen = seen.lock().unwrap().iter().map(|event| event.errors()).collect::<Vec<_>>();
        assert_eq!(seen, expected.into_iter().collect::<Vec<_>>(), "{result:?}", result = result.err());
        let good = expected.is_some_and(E::is_empty);
        match result {
            result if (case.works || native) && (good || accept) => assert_it_works(result),
            Err(Error::Certificate(refused)) if !accept => assert!(refused.by_event && !good),
            Err(Error::Handshake(_)) if !native && !case.works => assert!(accept || expected.is_none()),
            other => panic!("{:?}", other.err()),
        }
    }
}

/// A policy accepts the self-signed certificate that everybody makes with this command, and nothing of the others.
fn check_policy(case: &Case, server: &Reverser, backend: TlsBackend) {
    let mut settings = on(backend, trusting(&[]));
    settings.set_handler(Some(std::sync::Arc::new(policy::self_signed_for(HOST))));
    assert_eq!(connect_by(&settings, || server.dial()).is_ok(), case.sign.is_none());
}

#[test]
#[ignore = "needs the openssl command"]
fn what_openssl_makes_and_serves() {
    let bench = Bench::new();
    let root = fs::read(bench.0.join("root.pem")).unwrap();
    let mut lines = 0;
    for case in cases() {
        bench.make(&case);
        for version in ["-tls1_2", "-tls1_3"] {
            let server = Reverser::start(&bench.0, version);
            for backend in BACKENDS {
                println!("{} under {version} on {backend:?}", case.name);
                check(&case, &server, &root, *backend);
                check_policy(&case, &server, *backend);
                lines += 1;
            }
        }
    }
    println!("{lines} lines of {}", cases().len() * 2 * BACKENDS.len());
}
