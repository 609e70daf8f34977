//! Where a transcript is played: in memory with a stand-in for TLS and a clock that is turned by hand, or on a socket of
//! this machine with real TLS.

use std::fmt;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::testing::{Script, ScriptHandle, StandInTls};
use mailconnect::tls::TlsBackend;
use mailconnect::transport::{Timed, Transport};
use mailconnect::{Connector, Security, Timeouts};

use super::corpus::{Kind, Transcript};
use super::drive::{Beliefs, Call, Order, drive};
use super::player::{Log, SharedLog, lock, script};

/// The port that is asked for; nothing listens there.
pub(crate) const PORT: u16 = 4143;

pub(crate) enum Medium {
    Memory,
    Sockets(TlsBackend, Box<Connector>),
}

impl Medium {
    /// What a back end has cached is shared by all runs.
    pub(crate) fn sockets(backend: TlsBackend) -> Self {
        let server = Script::new().listen().unwrap();
        let connector = Connector::new().tls_backend(backend).system_roots(false);
        Self::Sockets(backend, Box::new(connector.root_certificates_pem(server.certificate_pem().as_bytes()).unwrap()))
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("in memory"),
            Self::Sockets(backend, _) => write!(f, "on sockets with {backend:?}"),
        }
    }
}

/// What has come of it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) calls: Vec<Call>,
    pub(crate) beliefs: Beliefs,
    pub(crate) log: Log,
    /// Whom the client has connected to.
    pub(crate) dialled: Vec<(String, u16)>,
    pub(crate) sent_in_clear: Vec<u8>,
    pub(crate) sent_in_tls: usize,
    /// Bytes that the server has sent.
    pub(crate) given: usize,
    /// By the virtual clock.
    pub(crate) elapsed: Duration,
    /// Where the client began TLS and the server had not said that it may.
    pub(crate) left_the_script: Option<String>,
}

impl Run {
    pub(crate) fn call(&self, verb: &str) -> Option<&Call> {
        self.calls.iter().find(|call| call.verb == verb)
    }

    pub(crate) fn succeeded(&self, verb: &str) -> bool {
        self.call(verb).is_some_and(|call| call.error.is_none())
    }

    /// True if the session went from the connection to the goodbye, logged in.
    pub(crate) fn is_whole(&self) -> bool {
        self.succeeded("login") && self.succeeded("quit")
    }

    pub(crate) fn last_success(&self) -> &'static str {
        self.calls.iter().rev().find(|call| call.error.is_none()).map_or("nothing", |call| call.verb)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.calls {
            let result = call.error.as_ref().map_or("ok".to_owned(), |error| format!("{error:?}"));
            writeln!(f, "    {}: {result}", call.verb)?;
        }
        for entry in &self.log.entries {
            writeln!(f, "    {entry:?}")?;
        }
        writeln!(f, "    {:?}, {} bytes delivered of {}", self.beliefs, self.log.delivered, self.given)
    }
}

pub(crate) fn play(transcript: &Transcript, order: Order, medium: &Medium, cut: Option<usize>) -> Run {
    let log = SharedLog::default();
    let patient = matches!(medium, Medium::Memory);
    let mut script = script(transcript, &log, patient);
    if let Some(cut) = cut {
        script = script.cut_after(cut);
    }
    match medium {
        Medium::Memory => {
            let (transport, handle) = script.play();
            let transport = Mutex::new(Some(transport));
            let connector = Connector::new().tls(StandInTls::new()).clock(handle.clock());
            let dial =
                move || transport.lock().unwrap().take().map(|transport| Box::new(transport) as Box<dyn Transport>);
            run(transcript, order, connector, dial, &log, || handle)
        }
        Medium::Sockets(_, connector) => {
            let mut server = script.listen().unwrap();
            let address = server.address();
            // Until somebody is sure that nothing comes at all. Elsewhere they only end what hangs.
            let mut timeouts = Timeouts::default();
            if transcript.begins_with_tls {
                timeouts.greeting = Duration::from_millis(300);
            }
            let dial = move || {
                let socket = TcpStream::connect(address).ok()?;
                socket.set_nodelay(true).ok()?;
                Some(Box::new(Timed::new(socket)) as Box<dyn Transport>)
            };
            run(transcript, order, (**connector).clone().timeouts(timeouts), dial, &log, || {
                server.join();
                server.handle().clone()
            })
        }
    }
}

fn run(
    transcript: &Transcript,
    order: Order,
    connector: Connector,
    dial: impl Fn() -> Option<Box<dyn Transport>> + Send + Sync + 'static,
    log: &SharedLog,
    handle: impl FnOnce() -> ScriptHandle,
) -> Run {
    let dialled = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&dialled);
    // What a dialer returns never counts as local, so that no password may go over it in clear.
    let connector = connector.dialer(move |target| {
        noted.lock().unwrap().push((target.host.to_owned(), target.port));
        dial().ok_or_else(|| std::io::ErrorKind::ConnectionRefused.into())
    });
    let (calls, beliefs) = match transcript.kind {
        Kind::Smtp => drive::<Smtp>(&connector, order, PORT, log),
        Kind::Imap => drive::<Imap>(&connector, order, PORT, log),
        Kind::Pop3 => drive::<Pop3>(&connector, order, PORT, log),
    };
    let handle = handle();
    let mut log = lock(log).clone();
    log.delivered = handle.delivered();
    let dialled = dialled.lock().unwrap().clone();
    let sent_in_clear = handle.sent_in_clear();
    let sent_in_tls = handle.sent().len() - sent_in_clear.len();
    let (given, elapsed) = (handle.given(), handle.clock().elapsed());
    let left_the_script = handle.error();
    Run { calls, beliefs, log, dialled, sent_in_clear, sent_in_tls, given, elapsed, left_the_script }
}

/// Connects to an IMAP server that begins with TLS, in memory.
pub(crate) fn connect_ssl(transcript: &Transcript) {
    let (transport, handle) = script(transcript, &SharedLog::default(), true).play();
    let connector = Connector::new().tls(StandInTls::new()).clock(handle.clock());
    let mut client = connector.over(Imap::new(), transport, ("localhost", PORT), Security::Tls).unwrap();
    assert!(client.is_secure() && handle.sent_in_clear().is_empty());
    assert!(client.capabilities().unwrap().has("IDLE"));
    client.quit().unwrap();
}
