//! Throw-away mail servers on loopback: they hold one mailbox, record what they got and are gone when dropped. They
//! listen on 127.0.0.1 only, write no file and know no user but those they were given.

mod certificate;
mod imap;
mod imap_data;
mod imap_messages;
mod imap_parse;
mod pop3;
mod sasl;
mod smtp;
mod store;
mod stream;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(super) use certificate::Certificate;
use store::Store;
use stream::Connection;

/// How a [`Server`] secures its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Plain text first; STARTTLS or STLS is offered, and nobody can log in before it.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Plain text only; logging in is possible all the same.
    Plain,
}

/// A message that a [`Server`] took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// The sender of the envelope, without angle brackets; empty for the null sender and in IMAP.
    pub from: String,
    /// The recipients that were not refused, in order; empty in IMAP.
    pub to: Vec<String>,
    /// The message as the client meant it: without doubled dots and the final dot.
    pub data: Vec<u8>,
    /// True if it came inside TLS.
    pub secure: bool,
    /// Who had logged in.
    pub user: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Smtp,
    Imap,
    Pop3,
}

/// The settings of a [`Server`] that is not running yet.
///
/// The defaults: [`Mode::StartTls`], the user `user` with the password `password`, an empty mailbox, a certificate for
/// `localhost`, 127.0.0.1 and ::1.
#[derive(Clone)]
pub struct ServerBuilder {
    kind: Kind,
    mode: Mode,
    users: Vec<(String, String)>,
    messages: Vec<Vec<u8>>,
    hosts: Vec<String>,
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("kind", &self.kind).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// How connections are secured.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Adds a user. The first one takes the place of the default.
    #[must_use]
    pub fn user(mut self, user: &str, password: &str) -> Self {
        self.users.push((user.to_owned(), password.to_owned()));
        self
    }

    /// Puts a message into the mailbox, which all users share. SMTP has none.
    #[must_use]
    pub fn message(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.messages.push(bytes.as_ref().to_vec());
        self
    }

    /// Adds a name or an IP address to the certificate.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.hosts.push(name.to_owned());
        self
    }

    /// Makes the certificate and starts to listen, on a free port.
    ///
    /// # Errors
    /// Those of the socket; `InvalidInput` if a [`host`](Self::host) cannot stand in a certificate.
    pub fn start(mut self) -> io::Result<Server> {
        if self.users.is_empty() {
            self = self.user("user", "password");
        }
        let certificate = Certificate::new(&self.hosts)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            kind: self.kind,
            mode: self.mode,
            users: self.users,
            tls: certificate.config()?,
            store: Mutex::new(Store::new(self.messages)),
            transcript: Mutex::default(),
            sockets: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::Builder::new().spawn(move || accept(&listener, &accepting))?;
        Ok(Server { shared, address, certificate, thread: Some(thread) })
    }
}

/// A throw-away mail server on loopback, for the tests of programs that talk to one.
///
/// It does what the RFCs want, within a small range of commands: enough for a client to submit mail (SMTP), or to read
/// and change one mailbox (IMAP4rev1, POP3). In SMTP, recipients whose local part starts with `refuse` are refused for
/// good (550), those that start with `later` for now (451).
///
/// Dropping it closes all connections.
///
/// ```
/// use mailconnect::testing::{Mode, Server};
///
/// let server = Server::pop3().mode(Mode::Tls).message("Subject: hello\r\n\r\nHow are you?\r\n").start()?;
/// println!("listening on {}, trust {}", server.address(), server.certificate_pem());
/// assert_eq!(server.mailbox().len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    certificate: Certificate,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("kind", &self.shared.kind)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    fn builder(kind: Kind) -> ServerBuilder {
        ServerBuilder { kind, mode: Mode::default(), users: Vec::new(), messages: Vec::new(), hosts: Vec::new() }
    }

    /// A submission server, RFC 6409: it takes mail of those who logged in, and delivers it to nobody.
    pub fn smtp() -> ServerBuilder {
        Self::builder(Kind::Smtp)
    }

    /// An IMAP4rev1 server, RFC 3501, whose only mailbox is INBOX.
    pub fn imap() -> ServerBuilder {
        Self::builder(Kind::Imap)
    }

    /// A POP3 server, RFC 1939.
    pub fn pop3() -> ServerBuilder {
        Self::builder(Kind::Pop3)
    }

    /// Where it listens: 127.0.0.1 and a free port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `localhost`, for which the certificate is, and the port.
    pub fn endpoint(&self) -> (String, u16) {
        ("localhost".to_owned(), self.port())
    }

    /// Its certificate in PEM. It is self-signed, new at each start, and no certificate authority's.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate.pem
    }

    /// Its certificate in DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate.der
    }

    /// The messages that clients sent: by SMTP, or by IMAP's APPEND. A message is there before the client is told so.
    pub fn messages(&self) -> Vec<ReceivedMessage> {
        self.shared.store().received.clone()
    }

    /// What the mailbox holds now, in order: deleted messages are gone once EXPUNGE, CLOSE or POP3's QUIT was answered.
    pub fn mailbox(&self) -> Vec<Vec<u8>> {
        self.shared.store().messages.iter().map(|message| message.body.to_vec()).collect()
    }

    /// What was said on all connections, a line each: `C: ..` from the client, `S: ..` from the server, `-- ..` for
    /// what happened beside it (`-- TLS`). Passwords are replaced by `***`, messages by their size.
    pub fn transcript(&self) -> Vec<String> {
        lock(&self.shared.transcript).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut sockets = lock(&self.shared.sockets);
        sockets.stopped = true;
        for socket in sockets.open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(sockets);
        // Only a connection ends a blocked accept on every platform. Where none can be made, waiting could hang.
        if TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok() {
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// What all threads of a server share.
struct Shared {
    kind: Kind,
    mode: Mode,
    users: Vec<(String, String)>,
    tls: Arc<::rustls::ServerConfig>,
    store: Mutex<Store>,
    transcript: Mutex<Vec<String>>,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    stopped: bool,
    next: u64,
    open: HashMap<u64, TcpStream>,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    fn record(&self, line: String) {
        lock(&self.transcript).push(line);
    }

    fn is_user(&self, user: &str, password: &str) -> bool {
        self.users.iter().any(|(name, secret)| name == user && secret == password)
    }

    /// Keeps a handle to close it by; none once the server was dropped.
    fn register(&self, socket: &TcpStream) -> Option<u64> {
        let mut sockets = lock(&self.sockets);
        if sockets.stopped {
            return None;
        }
        let number = sockets.next;
        sockets.next += 1;
        sockets.open.insert(number, socket.try_clone().ok()?);
        Some(number)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if lock(&shared.sockets).stopped {
            return;
        }
        let Ok((socket, _)) = accepted else {
            // Out of descriptors, or a peer that was gone at once: the next may work, but not in a busy loop.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Some(number) = shared.register(&socket) else { continue };
        let serving = Arc::clone(shared);
        let thread = thread::Builder::new().spawn(move || {
            let _ = serve(socket, &serving);
            lock(&serving.sockets).open.remove(&number);
        });
        if thread.is_err() {
            lock(&shared.sockets).open.remove(&number);
        }
    }
}

fn serve(socket: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut connection = Connection::new(socket, Arc::clone(shared))?;
    if shared.mode == Mode::Tls {
        connection.start_tls()?;
    }
    let result = match shared.kind {
        Kind::Smtp => smtp::serve(&mut connection),
        Kind::Imap => imap::serve(&mut connection),
        Kind::Pop3 => pop3::serve(&mut connection),
    };
    connection.close();
    result
}
