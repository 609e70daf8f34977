//! The candidates: each connects, logs in, fetches and says goodbye, and counts octets as far as it shows them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mailconnect::{Connector, Pop3Client};
use rust_pop3_client::{Pop3Connection, Pop3ConnectionFactory};

use crate::Task;

/// Where the server is, and what to trust.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) pem: String,
}

/// How we fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `retr_many`, to a writer.
    Pipelined,
    /// `retr_to`, one after the other.
    Single,
    /// `retr_many`, each message in memory.
    Collected,
}

pub(crate) fn ours(place: &Place, connector: &Connector, task: Task, way: Way, tls: bool) -> u64 {
    let mut client: Pop3Client = if tls {
        connector.connect_ssl(("localhost", place.tls)).unwrap()
    } else {
        connector.connect(("127.0.0.1", place.plain)).unwrap()
    };
    client.login("user", "password").unwrap();
    let mut octets = 0;
    if way == Way::Single {
        for number in task.numbers() {
            octets += client.retr_to(number, &mut std::io::sink()).unwrap();
        }
    } else {
        let mut many = client.retr_many(task.numbers()).unwrap();
        while let Some(mut message) = many.next_body().unwrap() {
            octets += match way {
                Way::Collected => message.collect().unwrap().len() as u64,
                _ => message.copy_to(&mut std::io::sink()).unwrap(),
            };
        }
    }
    client.quit().unwrap();
    octets
}

pub(crate) fn rust_pop3_client(place: &Place, task: Task, tls: bool) {
    fn fetch(mut client: impl Pop3Connection, task: Task) {
        client.login("user", "password").unwrap();
        for number in task.numbers() {
            client.retrieve(number, &mut std::io::sink()).unwrap();
        }
    }
    if tls {
        let mut roots = rustls::RootCertStore::empty();
        let der = pem(&place.pem);
        roots.add(der.into()).unwrap();
        fetch(Pop3ConnectionFactory::with_custom_certs("localhost", place.tls, roots).unwrap(), task);
    } else {
        fetch(Pop3ConnectionFactory::without_tls("127.0.0.1", place.plain).unwrap(), task);
    }
}

/// The certificate's bytes.
fn pem(text: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec()
}

/// It has no TLS that compiles.
pub(crate) fn pop3_client(place: &Place, task: Task) {
    let mut client = pop3_client::SyncClient::connect("127.0.0.1", place.plain).unwrap();
    client.login("user", "password").unwrap();
    for number in task.numbers() {
        assert!(client.retr(number.into()).unwrap().len() > 1000);
    }
    client.quit().unwrap();
}

/// Python's poplib in a process of its own, which is started once and told what to do.
pub(crate) struct Poplib {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

const PROGRAM: &str = r#"
import poplib, ssl, sys
plain, tls, pem = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cadata=pem)
for line in sys.stdin:
    secure, first, last = line.split()
    if secure == "tls":
        client = poplib.POP3_SSL("localhost", tls, context=context)
    else:
        client = poplib.POP3("127.0.0.1", plain)
    client.user("user")
    client.pass_("password")
    octets = sum(client.retr(n)[2] for n in range(int(first), int(last) + 1))
    client.quit()
    hwm = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(octets, hwm[0] if hwm else 0, flush=True)
"#;

impl Poplib {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", PROGRAM, &place.plain.to_string(), &place.tls.to_string(), &place.pem])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// The octets, and the most memory of the process until now, in KiB.
    pub(crate) fn fetch(&mut self, task: Task, tls: bool) -> (u64, u64) {
        let numbers = task.numbers();
        let secure = if tls { "tls" } else { "plain" };
        writeln!(self.input, "{secure} {} {}", numbers.start(), numbers.end()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(|word| word.parse().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    }
}

impl Drop for Poplib {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
