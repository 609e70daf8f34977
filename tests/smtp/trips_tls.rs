//! The round trips of whole sessions: real TLS 1.3, real commands. A connection by TCP would be one more, and is counted so.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use mailconnect::smtp::Smtp;
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, Security, SmtpClient};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::server::{Machine, Offer, Record};
use super::trips::{OFFER, to};

/// The end of a TCP connection with a server that speaks TLS behind it, which is asked when the client waits.
struct TlsLine {
    machine: Machine,
    config: Arc<ServerConfig>,
    tls: Option<ServerConnection>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    record: Arc<Mutex<Record>>,
    soft: bool,
}

impl TlsLine {
    fn new(machine: Machine, config: Arc<ServerConfig>, at_once: bool) -> Self {
        let record = Arc::clone(&machine.record);
        let tls = at_once.then(|| ServerConnection::new(Arc::clone(&config)).unwrap());
        Self { machine, config, tls, inbox: Vec::new(), outbox: Vec::new(), record, soft: false }
    }

    /// The server's turn: takes all that was sent, and answers all that it can.
    fn turn(&mut self) {
        let inbox = std::mem::take(&mut self.inbox);
        match &mut self.tls {
            None => self.machine.receive(&inbox),
            Some(tls) => {
                let mut rest = &inbox[..];
                while !rest.is_empty() {
                    tls.read_tls(&mut rest).unwrap();
                    let state = tls.process_new_packets().unwrap();
                    let mut text = vec![0; state.plaintext_bytes_to_read()];
                    tls.reader().read_exact(&mut text).unwrap();
                    self.machine.receive(&text);
                }
            }
        }
        self.machine.run();
        let handshaking = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        let said: Vec<u8> = if handshaking { Vec::new() } else { self.machine.outbox.drain(..).collect() };
        match &mut self.tls {
            None => self.outbox.extend(said),
            Some(tls) => {
                tls.writer().write_all(&said).unwrap();
                while tls.wants_write() {
                    tls.write_tls(&mut self.outbox).unwrap();
                }
            }
        }
        if std::mem::take(&mut self.machine.wants_tls) {
            self.tls = Some(ServerConnection::new(Arc::clone(&self.config)).unwrap());
        }
    }
}

impl Read for TlsLine {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.outbox.is_empty() {
            if self.soft {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.record.lock().unwrap().flights += 1;
            self.turn();
            assert!(!self.outbox.is_empty(), "both sides wait");
        }
        let n = buf.len().min(self.outbox.len());
        buf[..n].copy_from_slice(&self.outbox[..n]);
        self.outbox.drain(..n);
        Ok(n)
    }
}

impl Write for TlsLine {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inbox.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for TlsLine {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.soft = deadline.is_soft();
        Ok(())
    }
}

/// A server's settings and the certificate that a client must trust.
fn identity() -> (Arc<ServerConfig>, String) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), signed.cert.pem())
}

/// The round trips of a first and of a second message.
fn trips(recipients: usize, security: Security, chunking: bool) -> (usize, usize) {
    let (config, pem) = identity();
    let line = TlsLine::new(Machine::new(Offer::new(OFFER)), config, security == Security::Tls);
    let record = Arc::clone(&line.record);
    let flights = || record.lock().unwrap().flights;
    let connector = Connector::new().root_certificates_pem(pem.as_bytes()).unwrap();
    let smtp = Smtp::new().hello_name("me.example").unwrap().chunking(chunking);
    let mut client: SmtpClient = connector.over(smtp, line, "localhost:587", security).unwrap();
    client.login("user", "password").unwrap();
    let report = client.send(&to(recipients), "Subject: one\n\nIt works.\n").unwrap();
    assert_eq!((report.accepted.len(), report.deliveries.len()), (recipients, 1));
    let first = flights();
    client.send(&to(recipients), "Subject: two\n\nIt works.\n").unwrap();
    assert_eq!(record.lock().unwrap().kept.len(), 2);
    (1 + first, flights() - first)
}

#[test]
fn the_least_that_the_rfc_allows() {
    println!("recipients, security, verb: round trips to the first `250 queued`, and to the next");
    for recipients in [1, 10, 100] {
        for (security, chunking, expected) in [
            (Security::StartTls, false, (9, 2)),
            (Security::StartTls, true, (8, 1)),
            (Security::Tls, false, (7, 2)),
            (Security::Tls, true, (6, 1)),
        ] {
            let found = trips(recipients, security, chunking);
            println!("{recipients:4} {security:?} {}: {found:?}", if chunking { "BDAT" } else { "DATA" });
            assert_eq!(found, expected, "{recipients} recipients, {security:?}, chunking {chunking}");
        }
    }
}
