//! What the tests need: pipes in memory, certificates made on the spot, and a server that echoes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ::rustls::server::danger::ClientCertVerifier;
use ::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use ::rustls::sign::CertifiedKey;
use ::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
#[cfg(feature = "rustls")]
use rcgen::{CertificateRevocationListParams, RevokedCertParams};

use crate::error::Result;
use crate::net::{Deadline, Transport};
use crate::tls::{CertificateEvent, Handshaken, Peer, TlsBackend, TlsSettings};

pub(super) const HOST: &str = "mail.test";
pub(super) const VERSIONS: [&SupportedProtocolVersion; 2] = [&::rustls::version::TLS12, &::rustls::version::TLS13];

/// Those of this build.
pub(super) const BACKENDS: &[TlsBackend] = &[
    #[cfg(feature = "rustls")]
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::NativeTls,
];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// One end of a pipe. What hangs is ended after a minute.
pub(super) struct Pipe {
    input: Receiver<Vec<u8>>,
    output: Option<Sender<Vec<u8>>>,
    pending: io::Cursor<Vec<u8>>,
    deadline: Deadline,
}

pub(super) fn pipe() -> (Pipe, Pipe) {
    let ((left_out, right_in), (right_out, left_in)) = (channel(), channel());
    let deadline = Deadline::hard(Instant::now() + Duration::from_secs(60));
    let end = |input, output| Pipe { input, output: Some(output), pending: io::Cursor::default(), deadline };
    (end(left_in, left_out), end(right_in, right_out))
}

impl Pipe {
    /// Ends what this side says; it still hears.
    pub(super) fn finish(&mut self) {
        self.output = None;
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.pending.read(buf)?;
        if n > 0 {
            return Ok(n);
        }
        let left = self.deadline.at().map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        match self.input.recv_timeout(left) {
            Ok(bytes) => self.pending = io::Cursor::new(bytes),
            Err(RecvTimeoutError::Timeout) => return Err(self.deadline.error()),
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
        }
        self.pending.read(buf)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let output = self.output.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        output.send(buf.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Pipe {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.deadline = deadline;
        Ok(())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(([192, 0, 2, 1], 993).into())
    }
}

/// Lets so many bytes through in each direction, then says `kind`; counts the system calls that it stands for.
#[derive(Clone)]
pub(super) struct Valve {
    pub(super) reads: Arc<AtomicUsize>,
    pub(super) writes: Arc<AtomicUsize>,
    pub(super) calls: Arc<AtomicUsize>,
    pub(super) kind: io::ErrorKind,
}

pub(super) struct Throttled {
    inner: Pipe,
    valve: Valve,
}

impl Valve {
    pub(super) fn open(kind: io::ErrorKind) -> Self {
        let all = || Arc::new(AtomicUsize::new(1 << 40));
        Self { reads: all(), writes: all(), calls: Arc::default(), kind }
    }

    pub(super) fn on(&self, inner: Pipe) -> Throttled {
        Throttled { inner, valve: self.clone() }
    }

    fn pass(&self, budget: &AtomicUsize, wanted: usize) -> io::Result<usize> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match budget.load(Ordering::SeqCst).min(wanted) {
            0 => Err(self.kind.into()),
            n => Ok(n),
        }
    }
}

impl Read for Throttled {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.valve.pass(&self.valve.reads, buf.len())?;
        let n = self.inner.read(&mut buf[..n])?;
        self.valve.reads.fetch_sub(n, Ordering::SeqCst);
        Ok(n)
    }
}

impl Write for Throttled {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.valve.pass(&self.valve.writes, buf.len())?;
        let n = self.inner.write(&buf[..n])?;
        self.valve.writes.fetch_sub(n, Ordering::SeqCst);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Throttled {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.inner.set_deadline(deadline)
    }
}

/// A certificate authority.
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) issuer: Issuer<'static, KeyPair>,
    key: Vec<u8>,
}

pub(super) fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        Self::of(authority_params(name))
    }

    pub(super) fn of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::new(params.self_signed(&key).unwrap(), params, key)
    }

    pub(super) fn new(certificate: Certificate, params: CertificateParams, key: KeyPair) -> Self {
        let (der, pem, pkcs8) = (certificate.der().clone(), certificate.pem(), key.serialize_der());
        Self { der, pem, issuer: Issuer::new(params, key), key: pkcs8 }
    }

    pub(super) fn below(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::new(params.signed_by(&key, &self.issuer).unwrap(), params, key)
    }

    pub(super) fn key(&self) -> KeyPair {
        KeyPair::try_from(self.key.as_slice()).unwrap()
    }

    pub(super) fn issue(&self, params: &CertificateParams) -> Identity {
        self.issue_for(params, KeyPair::generate().unwrap())
    }

    pub(super) fn issue_for(&self, params: &CertificateParams, key: KeyPair) -> Identity {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], key }
    }
}

/// A revocation list of this authority that names these serial numbers, in DER.
#[cfg(feature = "rustls")]
pub(super) fn revoking(authority: &Authority, serials: &[u64]) -> Vec<u8> {
    dated_list(authority, serials, 2000, 2100)
}

#[cfg(feature = "rustls")]
pub(super) fn dated_list(authority: &Authority, serials: &[u64], first: i32, last: i32) -> Vec<u8> {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: rcgen::date_time_ymd(2000, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(first, 1, 1),
        next_update: rcgen::date_time_ymd(last, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(&authority.issuer).unwrap().der().to_vec()
}

/// A server's certificates and key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
}

impl Identity {
    pub(super) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self { chain: vec![params.self_signed(&key).unwrap().der().clone()], key }
    }

    pub(super) fn with(mut self, intermediate: &Authority) -> Self {
        self.chain.push(intermediate.der.clone());
        self
    }
}

pub(super) fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

pub(super) fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    params
}

pub(super) fn early(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2101, 1, 1);
    params.not_after = rcgen::date_time_ymd(2102, 1, 1);
    params
}

/// A server; its clones and connections share their sessions.
#[derive(Clone)]
pub(super) struct Server {
    config: Arc<ServerConfig>,
    /// The name that the last client asked for.
    pub(super) asked_for: Arc<Mutex<Option<String>>>,
}

#[derive(Debug)]
struct Resolver {
    key: Arc<CertifiedKey>,
    asked_for: Arc<Mutex<Option<String>>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        *self.asked_for.lock().unwrap() = hello.server_name().map(ToOwned::to_owned);
        Some(Arc::clone(&self.key))
    }
}

impl Server {
    pub(super) fn new(identity: &Identity, version: &'static SupportedProtocolVersion) -> Self {
        Self::with(identity, version, WebPkiClientVerifier::no_client_auth())
    }

    /// One that wants a client certificate of this authority.
    pub(super) fn demanding(
        identity: &Identity,
        version: &'static SupportedProtocolVersion,
        authority: &Authority,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
        Self::with(identity, version, verifier)
    }

    fn with(
        identity: &Identity,
        version: &'static SupportedProtocolVersion,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Self {
        let key = PrivateKeyDer::Pkcs8(identity.key.serialize_der().into());
        let key = ring::sign::any_supported_type(&key).unwrap();
        let asked_for = Arc::<Mutex<Option<String>>>::default();
        let key = Arc::new(CertifiedKey::new(identity.chain.clone(), key));
        let resolver = Resolver { key, asked_for: Arc::clone(&asked_for) };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"imap".to_vec()];
        Self { config: Arc::new(config), asked_for }
    }

    /// One that can exchange keys in the post-quantum way.
    #[cfg(feature = "aws-lc-rs")]
    pub(super) fn post_quantum(identity: &Identity) -> Self {
        let provider = Arc::new(::rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(identity.key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), key)
            .unwrap();
        Self { config: Arc::new(config), asked_for: Arc::default() }
    }

    /// It with this one protocol.
    pub(super) fn speaking(mut self, alpn: &[u8]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![alpn.to_vec()];
        self
    }

    /// Runs `session` in a thread; it gets the secured connection before the handshake.
    pub(super) fn run<T: Send + 'static>(
        &self,
        session: impl FnOnce(StreamOwned<ServerConnection, Pipe>) -> T + Send + 'static,
    ) -> (Pipe, JoinHandle<T>) {
        let (near, far) = pipe();
        let connection = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        (near, std::thread::spawn(move || session(StreamOwned::new(connection, far))))
    }

    /// Sends back all it gets until the end, and returns it.
    pub(super) fn echo(&self) -> (Pipe, JoinHandle<io::Result<Vec<u8>>>) {
        self.run(|mut tls| {
            let (mut all, mut block) = (Vec::new(), [0; 4096]);
            let first = tls.read(&mut []);
            // rustls tries but once to send the alert that says why, and not all that stands before it.
            while first.is_err() && tls.conn.wants_write() && tls.conn.write_tls(&mut tls.sock).is_ok() {}
            first?;
            loop {
                match tls.read(&mut block)? {
                    0 => return Ok(all),
                    n => {
                        all.extend_from_slice(&block[..n]);
                        tls.write_all(&block[..n])?;
                        tls.flush()?;
                    }
                }
            }
        })
    }
}

/// Settings that trust these roots alone.
pub(super) fn trusting(roots: &[&CertificateDer<'_>]) -> TlsSettings {
    let mut settings = TlsSettings::new();
    settings.set_system_roots(false);
    for root in roots {
        settings.add_root_der(root).unwrap();
    }
    settings
}

/// What an event handler saw.
pub(super) type Seen = Arc<Mutex<Vec<CertificateEvent>>>;

/// Settings with a handler that notes the event as it came and then decides.
pub(super) fn with_event(
    mut settings: TlsSettings,
    decide: impl Fn(&mut CertificateEvent) + Send + Sync + 'static,
) -> (TlsSettings, Seen) {
    let seen = Seen::default();
    let note = Arc::clone(&seen);
    settings.set_handler(Some(Arc::new(move |event: &mut CertificateEvent| {
        note.lock().unwrap().push(event.clone());
        decide(event);
    })));
    (settings, seen)
}

pub(super) fn on(backend: TlsBackend, mut settings: TlsSettings) -> TlsSettings {
    settings.set_backend(backend);
    settings
}

pub(super) fn peer() -> Peer {
    Peer { name: "mail.test:993".into(), port: 993, protocol: "IMAP" }
}

/// The first pass. Where another one is wanted the strict result stands.
pub(super) fn connect(settings: &TlsSettings, plain: impl Transport + 'static) -> Result<Box<dyn Transport>> {
    match settings.connection(&peer(), &[b"imap"])?.handshake(HOST, Box::new(plain), None)? {
        Handshaken::Done(secured) => Ok(secured),
        Handshaken::Again(evidence) => Err(evidence.stands(HOST, "no second connection")),
    }
}

/// As a client does it, which dials once more if that is wanted.
pub(super) fn connect_by<T: Transport + 'static>(
    settings: &TlsSettings,
    dial: impl FnMut() -> T,
) -> Result<Box<dyn Transport>> {
    connect_to(HOST, settings, dial)
}

fn connect_to<T: Transport + 'static>(
    host: &str,
    settings: &TlsSettings,
    mut dial: impl FnMut() -> T,
) -> Result<Box<dyn Transport>> {
    let tls = settings.connection(&peer(), &[b"imap"])?;
    let first = tls.handshake(host, Box::new(dial()), None)?;
    let last = match first {
        Handshaken::Again(evidence) => tls.handshake(host, Box::new(dial()), Some(&evidence))?,
        done => done,
    };
    match last {
        Handshaken::Done(secured) => Ok(secured),
        Handshaken::Again(_) => panic!("a third pass"),
    }
}

/// Connects to an echo server; with how each session ended, in order.
pub(super) fn dial_echo(settings: &TlsSettings, server: &Server) -> (Result<Box<dyn Transport>>, Sessions) {
    dial_echo_as(HOST, settings, server)
}

/// The same for another name.
pub(super) fn dial_echo_as(
    host: &str,
    settings: &TlsSettings,
    server: &Server,
) -> (Result<Box<dyn Transport>>, Sessions) {
    let mut sessions = Vec::new();
    let result = connect_to(host, settings, || {
        let (plain, session) = server.echo();
        sessions.push(session);
        plain
    });
    (result, sessions)
}

pub(super) type Sessions = Vec<JoinHandle<io::Result<Vec<u8>>>>;

/// Proves that the connection carries bytes in both directions.
pub(super) fn ping(tls: &mut dyn Transport) {
    tls.write_all(b"ping").unwrap();
    tls.flush().unwrap();
    let mut answer = [0; 4];
    tls.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
}
