//! Sending against lettre, in the same run and through the same server, which is a process of its own: 2 000 messages of
//! 2 KiB, and one of 50 MiB; plain and over TLS. With the system calls a message, where there is strace, and the peak of
//! memory.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin smtp

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use lettre::Transport;
use lettre::address::Envelope as TheirEnvelope;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{PoolConfig, SmtpTransport};
use mailconnect::smtp::{Body, Envelope, Message, Outcome, SendOptions};
use mailconnect::{Connector, SmtpClient};
use mailconnect_benches::pair;
use mailconnect_benches::smtp_server::{Listening, start};

const SMALL: usize = 2 << 10;
const MESSAGES: usize = 2_000;
const LARGE: usize = 50 << 20;
const ROUNDS: usize = 7;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => serve(),
        ["once", who, work, link, count, plain, tls] => {
            let server = Listening { plain: plain.parse()?, tls: tls.parse()?, pem: std::env::var("BENCH_PEM")? };
            once(&server, who, work, link == "tls", count.parse()?)
        }
        _ => compare(),
    }
}

// ---- The server's process ----

fn serve() -> Result<()> {
    let server = start()?;
    print!("{} {}\n{}", server.plain, server.tls, server.pem);
    // It ends with the one that started it.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

struct Server {
    child: Child,
    listening: Listening,
}

impl Server {
    fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let ports = lines.next().ok_or("no ports")??;
        let (plain, tls) = ports.split_once(' ').ok_or("no ports")?;
        let mut pem = String::new();
        while !pem.ends_with("-----END CERTIFICATE-----\n") {
            pem.push_str(&lines.next().ok_or("no certificate")??);
            pem.push('\n');
        }
        Ok(Self { child, listening: Listening { plain: plain.parse()?, tls: tls.parse()?, pem } })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- The two clients ----

fn ours(server: &Listening, tls: bool) -> Result<SmtpClient> {
    let connector = Connector::new();
    Ok(match tls {
        false => connector.connect(("127.0.0.1", server.plain))?,
        true => connector.root_certificates_pem(server.pem.as_bytes())?.connect_ssl(("localhost", server.tls))?,
    })
}

/// With its pool, which keeps one connection.
fn theirs(server: &Listening, tls: bool) -> Result<SmtpTransport> {
    let (port, tls) = match tls {
        false => (server.plain, Tls::None),
        true => {
            let builder = TlsParameters::builder("localhost".to_owned()).certificate_store(CertificateStore::None);
            let root = Certificate::from_pem(server.pem.as_bytes())?;
            (server.tls, Tls::Wrapper(builder.add_root_certificate(root).build_rustls()?))
        }
    };
    let builder = SmtpTransport::builder_dangerous("127.0.0.1").port(port).tls(tls);
    Ok(builder.pool_config(PoolConfig::new().max_size(1)).build())
}

fn envelope() -> Result<Envelope> {
    Ok(Envelope::new("me@example.com", ["you@example.com"])?)
}

fn their_envelope() -> Result<TheirEnvelope> {
    Ok(TheirEnvelope::new(Some("me@example.com".parse()?), vec!["you@example.com".parse()?])?)
}

/// A header and lines of 76 columns, as attachments have them.
fn message(size: usize) -> Vec<u8> {
    let mut message = b"From: me@example.com\r\nTo: you@example.com\r\nSubject: A message\r\n\r\n".to_vec();
    while message.len() < size {
        message.extend_from_slice(&[b'Q'; 76]);
        message.extend_from_slice(b"\r\n");
    }
    message
}

// ---- One job, in a process of its own: for strace, and for the peak of memory ----

fn once(server: &Listening, who: &str, work: &str, tls: bool, count: usize) -> Result<()> {
    match (who, work) {
        ("ours", "stream") => {
            let mut client = ours(server, tls)?;
            for _ in 0..count {
                client.send(&envelope()?, Body::reader(Made { left: LARGE, line: message_line() }))?;
            }
        }
        ("bulk" | "chunked", _) => {
            let (mut client, message) = (ours(server, tls)?, message(size(work)));
            send_all(&mut client, &envelope()?, &message, count, who == "chunked");
        }
        ("ours", _) => {
            let (mut client, message) = (ours(server, tls)?, message(size(work)));
            for _ in 0..count {
                client.send(&envelope()?, &message)?;
            }
        }
        _ => {
            let (client, message) = (theirs(server, tls)?, message(size(work)));
            for _ in 0..count {
                client.send_raw(&their_envelope()?, &message)?;
            }
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.unwrap_or("unknown").trim());
    Ok(())
}

fn size(work: &str) -> usize {
    if work == "large" { LARGE } else { SMALL }
}

/// A body that lies nowhere in memory.
struct Made {
    left: usize,
    line: Vec<u8>,
}

fn message_line() -> Vec<u8> {
    message(1 << 14)
}

impl Read for Made {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.left.min(buf.len()).min(self.line.len());
        buf[..n].copy_from_slice(&self.line[..n]);
        self.left -= n;
        Ok(n)
    }
}

// ---- The comparison ----

fn compare() -> Result<()> {
    let server = Server::start()?;
    let listening = &server.listening;
    let (small, large) = (message(SMALL), message(LARGE));
    let (our_envelope, their_envelope) = (envelope()?, their_envelope()?);
    for tls in [false, true] {
        let link = if tls { "TLS" } else { "plain" };
        let (mut our, their) = (ours(listening, tls)?, theirs(listening, tls)?);
        let rate = pair(
            ROUNDS,
            || (0..MESSAGES).for_each(|_| drop(our.send(&our_envelope, &small).unwrap())),
            || (0..MESSAGES).for_each(|_| drop(their.send_raw(&their_envelope, &small).unwrap())),
        );
        println!("{link:<5} {MESSAGES} of 2 KiB, one by one, DATA  {rate}  {:>8.0} messages/s", per(MESSAGES, &rate));
        for (name, chunking) in [("DATA", false), ("BDAT", true)] {
            let rate = pair(
                ROUNDS,
                || send_all(&mut our, &our_envelope, &small, MESSAGES, chunking),
                || (0..MESSAGES).for_each(|_| drop(their.send_raw(&their_envelope, &small).unwrap())),
            );
            println!(
                "{link:<5} {MESSAGES} of 2 KiB, in bulk, {name}     {rate}  {:>8.0} messages/s",
                per(MESSAGES, &rate)
            );
        }
        let rate = pair(
            ROUNDS,
            || drop(our.send(&our_envelope, &large).unwrap()),
            || drop(their.send_raw(&their_envelope, &large).unwrap()),
        );
        println!("{link:<5} one of 50 MiB, DATA                {rate}  {:>8.0} MiB/s", per(LARGE >> 20, &rate));
        let chunked = SendOptions::new().chunking(true);
        let rate = pair(
            ROUNDS,
            || drop(our.send_with(&our_envelope, &large, &chunked).unwrap()),
            || drop(their.send_raw(&their_envelope, &large).unwrap()),
        );
        println!("{link:<5} one of 50 MiB, BDAT                {rate}  {:>8.0} MiB/s", per(LARGE >> 20, &rate));
        let streamed = || Body::reader(Made { left: LARGE, line: message_line() }).size(LARGE as u64);
        let rate = pair(
            ROUNDS,
            || drop(our.send(&our_envelope, streamed()).unwrap()),
            || drop(their.send_raw(&their_envelope, &large).unwrap()),
        );
        println!("{link:<5} one of 50 MiB, ours from a reader  {rate}  {:>8.0} MiB/s", per(LARGE >> 20, &rate));
    }
    counts(listening)
}

fn send_all(client: &mut SmtpClient, envelope: &Envelope, message: &[u8], count: usize, chunking: bool) {
    let options = SendOptions::new().chunking(chunking);
    let messages = (0..count).map(|_| Message::with(envelope, message).options(options));
    let delivered = client.send_all(messages).filter(Outcome::is_delivered).count();
    assert_eq!(delivered, count);
}

fn per(amount: usize, pair: &mailconnect_benches::Pair) -> f64 {
    amount as f64 / pair.ours.as_secs_f64()
}

fn counts(server: &Listening) -> Result<()> {
    println!("\n                    system calls      peak of memory");
    println!("                       a message   2 KiB        50 MiB");
    for link in ["plain", "tls"] {
        for who in ["ours", "bulk", "chunked", "theirs"] {
            let (none, many) = (calls(server, who, link, 0), calls(server, who, link, MESSAGES));
            let calls = match (none, many) {
                (Some(none), Some(many)) => format!("{:.2}", (many - none) as f64 / MESSAGES as f64),
                _ => "no strace".to_owned(),
            };
            let small = job(server, Command::new(std::env::current_exe()?), who, "small", link, MESSAGES)?;
            let large = job(server, Command::new(std::env::current_exe()?), who, "large", link, 1)?;
            println!("{link:<5} {who:<12} {calls:>13}   {small:<10}   {large}");
        }
        let streamed = job(server, Command::new(std::env::current_exe()?), "ours", "stream", link, 1)?;
        println!("{link:<5} ours, from a reader                     {streamed}");
    }
    Ok(())
}

/// The peak that the process tells of.
fn job(server: &Listening, mut command: Command, who: &str, work: &str, link: &str, count: usize) -> Result<String> {
    let (plain, tls) = (server.plain.to_string(), server.tls.to_string());
    command.args(["once", who, work, link, &count.to_string(), &plain, &tls]).env("BENCH_PEM", &server.pem);
    let output = command.output()?;
    if !output.status.success() {
        std::io::stderr().write_all(&output.stderr)?;
        return Err(format!("{who} {work} {link} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// How many system calls strace counts.
fn calls(server: &Listening, who: &str, link: &str, count: usize) -> Option<i64> {
    let summary = std::env::temp_dir().join(format!("mailconnect-bench-{}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&summary).arg(std::env::current_exe().ok()?);
    let done = job(server, strace, who, "small", link, count);
    let text = std::fs::read_to_string(&summary);
    let _ = std::fs::remove_file(&summary);
    done.ok()?;
    let total = text.ok()?.lines().last()?.split_whitespace().nth(3)?.parse();
    total.ok()
}
