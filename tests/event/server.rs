//! Certificates of all kinds, and a server that presents them over real sockets: it speaks just enough of three
//! protocols to greet, upgrade, log in and say goodbye, and notes what it got, apart by connection and by TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) const HOST: &str = "localhost";

// ---- Certificates ----

pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { der: certificate.der().clone(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { der: certificate.der().clone(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity::new(vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()], &key)
    }

    pub(crate) fn issue_with_chain(&self, params: &CertificateParams) -> Identity {
        let mut identity = self.issue(params);
        identity.chain.push(self.der.clone());
        identity
    }
}

pub(crate) fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// One that is valid in these years only.
pub(crate) fn dated(host: &str, first: i32, last: i32) -> CertificateParams {
    let mut params = params(host);
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(first, 1, 1), rcgen::date_time_ymd(last, 1, 1));
    params
}

#[derive(Clone)]
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self { chain, key: key.serialize_der() }
    }

    pub(crate) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::new(vec![params.self_signed(&key).unwrap().der().clone()], &key)
    }

    /// The same certificate with a key that is not its own.
    pub(crate) fn forged(mut self) -> Self {
        self.key = KeyPair::generate().unwrap().serialize_der();
        self
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

// ---- The server ----

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Smtp,
    Imap,
    Pop3,
}

/// What a connection does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    /// Plain text after the go-ahead.
    Injects,
    /// An answer before the question.
    Early,
    Refuses,
    /// No greeting, and nothing else.
    Silent,
    /// No TLS: plain text after the go-ahead, late enough to be no part of it.
    Plain,
    /// Ends in the middle of the answer to NOOP, without a close_notify.
    CutsAnswer,
    /// Ends instead of answering NOOP, without a close_notify.
    CutsBefore,
}

/// How a server behaves, connection by connection; the last stands for all that follow.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) speaks: Speaks,
    pub(crate) implicit: bool,
    pub(crate) connections: Vec<(Identity, Quirk)>,
}

/// What one connection got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) clear: Vec<String>,
    pub(crate) secret: Vec<String>,
    pub(crate) over: bool,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    sessions: Arc<Mutex<Vec<Session>>>,
}

/// Tells what a server got, also from inside of the event.
#[derive(Clone)]
pub(crate) struct Witness(Arc<Mutex<Vec<Session>>>);

impl Witness {
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.0.lock().unwrap().clone()
    }

    /// Lines that came through TLS.
    pub(crate) fn secrets(&self) -> usize {
        self.sessions().iter().map(|session| session.secret.len()).sum()
    }
}

impl Server {
    pub(crate) fn start(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = Arc::<Mutex<Vec<Session>>>::default();
        let notes = Arc::clone(&sessions);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let number = {
                    let mut all = notes.lock().unwrap();
                    all.push(Session::default());
                    all.len() - 1
                };
                let (plan, notes) = (plan.clone(), Arc::clone(&notes));
                thread::spawn(move || {
                    let _ = Peer::serve(socket.unwrap(), &plan, number, &notes);
                    notes.lock().unwrap()[number].over = true;
                });
            }
        });
        Self { address, sessions }
    }

    pub(crate) fn endpoint(&self) -> (String, u16) {
        (HOST.to_owned(), self.address.port())
    }

    pub(crate) fn witness(&self) -> Witness {
        Witness(Arc::clone(&self.sessions))
    }

    /// What all connections got, once all of them are over. The client must have closed them.
    pub(crate) fn finished(&self) -> Vec<Session> {
        loop {
            let sessions = self.sessions.lock().unwrap().clone();
            if sessions.iter().all(|session| session.over) {
                return sessions;
            }
            thread::yield_now();
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One connection.
struct Peer<'a> {
    stream: BufReader<Box<dyn Stream>>,
    socket: TcpStream,
    plan: &'a Plan,
    number: usize,
    notes: &'a Mutex<Vec<Session>>,
    secure: bool,
}

impl<'a> Peer<'a> {
    fn serve(socket: TcpStream, plan: &'a Plan, number: usize, notes: &'a Mutex<Vec<Session>>) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let stream: Box<dyn Stream> = Box::new(socket.try_clone()?);
        let mut peer = Self { stream: BufReader::new(stream), socket, plan, number, notes, secure: false };
        if peer.quirk() == Quirk::Silent {
            return peer.socket.read_to_end(&mut Vec::new()).map(drop);
        }
        if plan.implicit {
            peer.start_tls()?;
        }
        peer.say(match plan.speaks {
            Speaks::Smtp => "220 hi",
            Speaks::Imap => "* OK hi",
            Speaks::Pop3 => "+OK hi",
        })?;
        loop {
            let mut line = String::new();
            if peer.stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            peer.note(line.trim_end());
            if !peer.answer(line.trim_end())? {
                return Ok(());
            }
        }
    }

    fn plan(&self) -> &(Identity, Quirk) {
        let plans = &self.plan.connections;
        plans.get(self.number).or(plans.last()).unwrap()
    }

    fn quirk(&self) -> Quirk {
        self.plan().1
    }

    fn note(&self, line: &str) {
        let session = &mut self.notes.lock().unwrap()[self.number];
        let lines = if self.secure { &mut session.secret } else { &mut session.clear };
        lines.push(line.to_owned());
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.stream.get_mut().flush()
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(&format!("{line}\r\n"))
    }

    /// False if that was the end.
    fn answer(&mut self, line: &str) -> io::Result<bool> {
        let (tag, command) = match self.plan.speaks {
            Speaks::Imap => line.split_once(' ').unwrap_or((line, "")),
            _ => ("", line),
        };
        let ok = match self.plan.speaks {
            Speaks::Smtp => "250 ok".to_owned(),
            Speaks::Imap => format!("{tag} OK done"),
            Speaks::Pop3 => "+OK done".to_owned(),
        };
        let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "STARTTLS" | "STLS" => return self.upgrade(&ok).map(|()| true),
            // With what is meant for the next question, in one piece.
            "EHLO" if self.quirk() == Quirk::Early && !self.secure => self.say("250-hi\r\n250 STARTTLS\r\n220 go")?,
            "EHLO" => self.say("250-hi\r\n250-STARTTLS\r\n250 AUTH PLAIN")?,
            "CAPABILITY" => {
                let starttls = if self.secure { "" } else { " STARTTLS" };
                self.say(&format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN{starttls}\r\n{ok}"))?;
            }
            "CAPA" => self.say("+OK\r\nSASL PLAIN\r\n.")?,
            "AUTH" if self.plan.speaks == Speaks::Smtp => self.say("235 ok")?,
            "NOOP" if self.quirk() == Quirk::CutsBefore => return Ok(false),
            "NOOP" if self.quirk() == Quirk::CutsAnswer => {
                let half = &ok[..ok.len() / 2];
                return self.write(half).map(|()| false);
            }
            "QUIT" if self.plan.speaks == Speaks::Smtp => return self.say("221 bye").map(|()| false),
            "LOGOUT" => return self.say(&format!("* BYE\r\n{ok}")).map(|()| false),
            "QUIT" => return self.say(&ok).map(|()| false),
            _ => self.say(&ok)?,
        }
        Ok(true)
    }

    fn upgrade(&mut self, ok: &str) -> io::Result<()> {
        let go = if self.plan.speaks == Speaks::Smtp { "220 go" } else { ok };
        match self.quirk() {
            Quirk::Refuses => {
                return self.say(&go.replace("220 go", "454 no").replace("+OK", "-ERR").replace(" OK ", " NO "));
            }
            Quirk::Injects => return self.say(&format!("{go}\r\n{go}")),
            Quirk::Plain => {
                self.say(go)?;
                self.stream.get_mut().read_exact(&mut [0])?;
                return self.say("500 what?");
            }
            _ => self.say(go)?,
        }
        self.start_tls()
    }

    fn start_tls(&mut self) -> io::Result<()> {
        let identity = &self.plan().0;
        let key = PrivateKeyDer::Pkcs8(identity.key.clone().into());
        let key = CertifiedKey::new(identity.chain.clone(), ring::sign::any_supported_type(&key).unwrap());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(Arc::new(key))));
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut socket = self.socket.try_clone()?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        let stream: Box<dyn Stream> = Box::new(StreamOwned::new(tls, socket));
        self.stream = BufReader::new(stream);
        self.secure = true;
        Ok(())
    }
}
