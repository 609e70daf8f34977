//! What the certificate event costs a handshake, and the system's roots a connection, in instructions of the client alone
//! (times on a busy machine say nothing). Needs valgrind; fails if the event costs more than 5 %, or if the roots are read more than once.
//!
//!     cargo build --release --manifest-path benches/Cargo.toml --bin handshake
//!     benches/target/release/handshake
//!
//! It runs itself under callgrind, once for each row, against a server in a process of its own that nobody counts.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use mailconnect::testing::{Mode, Server};
use mailconnect::{Connector, ImapClient};

/// Handshakes that are counted in each run.
const COUNT: u64 = 20;
/// How many times the instructions without the event those with it may be.
const LIMIT: f64 = 1.05;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["serve"] => serve(),
        ["connect", what, count, port] => connect(what, count.parse().unwrap(), port.parse().unwrap()),
        _ => panic!("unknown arguments {arguments:?}"),
    }
}

/// Says where it listens, and its certificate; serves until its input ends.
fn serve() {
    let server = Server::imap().mode(Mode::Tls).start().unwrap();
    std::fs::write(certificate(server.port()), server.certificate_pem()).unwrap();
    println!("{}", server.port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let _ = std::fs::remove_file(certificate(server.port()));
}

fn certificate(port: u16) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("mailconnect-handshake-{port}.pem"))
}

/// So many connections, each with settings of its own, so that none is resumed.
fn connect(what: &str, count: usize, port: u16) {
    for _ in 0..count {
        let connector = match what {
            "system roots" => Connector::new().system_roots(true),
            _ => Connector::new().system_roots(false).root_certificates_file(certificate(port)).unwrap(),
        };
        let connector = match what {
            "no event" => connector,
            "an event" => connector.server_certificate_validate(|event| assert!(event.is_valid)),
            _ => connector.server_certificate_validate(|event| event.is_valid = true),
        };
        let imap: ImapClient = connector.connect_ssl(("localhost", port)).unwrap();
        assert_eq!(imap.tls().unwrap().resumed, Some(false));
        drop(imap);
    }
}

struct Peer(Child, u16);

impl Peer {
    fn start() -> Self {
        let mut serve = Command::new(std::env::current_exe().unwrap());
        let mut child = serve.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child, line.trim().parse().unwrap())
    }

    /// Instructions of a client that connects so often.
    fn instructions(&self, what: &str, count: u64) -> u64 {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args(["connect", what, &count.to_string(), &self.1.to_string()])
            .output()
            .expect("valgrind");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let collected = text.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
        collected.trim().parse().unwrap()
    }

    /// Instructions of each connection after the first.
    fn each(&self, what: &str) -> u64 {
        (self.instructions(what, 1 + COUNT) - self.instructions(what, 1)) / COUNT
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn compare() {
    let peer = Peer::start();
    let (without, with) = (peer.each("no event"), peer.each("an event"));
    let ratio = with as f64 / without as f64;
    println!("a full handshake without the event {without:>12} instructions");
    println!("a full handshake with the event    {with:>12} instructions, {ratio:.3} times as many");
    let first = peer.instructions("system roots", 1) - peer.instructions("system roots", 0);
    println!("the first with the system's roots  {first:>12} instructions");
    let later = peer.each("system roots");
    println!("each after it                      {later:>12} instructions");
    assert!(ratio <= LIMIT, "more than {LIMIT}");
    assert!(later < first / 2, "the roots are read again");
}
