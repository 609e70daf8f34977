//! The end of a TCP connection in memory, with a server behind it that speaks TLS by rustls.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use mailconnect::transport::{Deadline, Transport};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::server::{Machine, Record};

/// The end of a TCP connection with a server that speaks TLS behind it, which is asked when the client waits.
pub(crate) struct TlsLine {
    machine: Machine,
    config: Arc<ServerConfig>,
    tls: Option<ServerConnection>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    pub(crate) record: Arc<Mutex<Record>>,
    soft: bool,
}

impl TlsLine {
    pub(crate) fn new(machine: Machine, config: Arc<ServerConfig>, at_once: bool) -> Self {
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
pub(crate) fn identity() -> (Arc<ServerConfig>, String) {
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
