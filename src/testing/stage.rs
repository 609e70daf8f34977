//! A script on a real socket of this machine, with real TLS: the same steps, for one client. It knows no protocol; what
//! comes next is decided in `play.rs`.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;

use super::ScriptHandle;
use super::play::Output;
use super::script::lock;
use super::server::Certificate;

/// A client that does nothing for this long, 60 s, will never do anything: the thread ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// One certificate serves all scripts of a process, so that clients can share their settings.
struct Identity {
    pem: String,
    config: Arc<ServerConfig>,
}

fn identity() -> io::Result<Arc<Identity>> {
    static IDENTITY: Mutex<Option<Arc<Identity>>> = Mutex::new(None);
    let mut identity = IDENTITY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(identity) = &*identity {
        return Ok(Arc::clone(identity));
    }
    let certificate = Certificate::new(&[])?;
    let config = certificate.config()?;
    let new = Arc::new(Identity { pem: certificate.pem, config });
    *identity = Some(Arc::clone(&new));
    Ok(new)
}

/// A [`Script`](super::Script) on a socket, see [`Script::listen`](super::Script::listen).
///
/// ```
/// use mailconnect::testing::Script;
/// use std::io::{Read, Write};
///
/// let server = Script::parse("S: +OK ready\nC: QUIT\nS: +OK\nEOF")?.listen()?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// client.write_all(b"QUIT\r\n")?;
/// assert_eq!(std::io::read_to_string(&mut client)?, "+OK ready\r\n+OK\r\n");
/// drop(client);
/// server.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScriptServer {
    address: SocketAddr,
    handle: ScriptHandle,
    identity: Arc<Identity>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptServer {
    pub(super) fn start(handle: ScriptHandle) -> io::Result<Self> {
        let identity = identity()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (playing, config) = (handle.clone(), Arc::clone(&identity.config));
        let thread = thread::Builder::new().name("script".to_owned()).spawn(move || {
            let accepted = listener.accept();
            drop(listener);
            if let Ok((socket, _)) = accepted {
                // Whatever breaks here, the client sees it, and the handle tells what was played.
                let _ = Stage::new(socket, playing, config).and_then(Stage::run);
            }
        })?;
        Ok(Self { address, handle, identity, thread: Some(thread) })
    }

    /// Where it listens: 127.0.0.1 and a free port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `localhost`, for which the certificate is, and the port.
    pub fn endpoint(&self) -> (String, u16) {
        ("localhost".to_owned(), self.address.port())
    }

    /// The certificate in PEM: self-signed, new in each process, the same for all scripts of it.
    pub fn certificate_pem(&self) -> &str {
        &self.identity.pem
    }

    /// Looks at the script.
    pub fn handle(&self) -> &ScriptHandle {
        &self.handle
    }

    /// Waits until the connection has ended. The client must be closed by then.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.wake();
            let _ = thread.join();
        }
    }

    /// Waits until the connection has ended and makes sure that all of the script was played.
    ///
    /// # Panics
    /// As [`ScriptHandle::finish`].
    #[track_caller]
    pub fn finish(mut self) {
        self.join();
        self.handle.finish();
    }

    /// Only a connection ends an accept that blocks, on every platform. If there was one, this is refused.
    fn wake(&self) {
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.wake();
        }
    }
}

impl fmt::Debug for ScriptServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptServer").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Stage {
    socket: TcpStream,
    tls: Option<ServerConnection>,
    config: Arc<ServerConfig>,
    handle: ScriptHandle,
    /// Bytes until the cut.
    left: usize,
}

impl Stage {
    fn new(socket: TcpStream, handle: ScriptHandle, config: Arc<ServerConfig>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let left = lock(&handle.play).cut.take().unwrap_or(usize::MAX);
        Ok(Self { socket, tls: None, config, handle, left })
    }

    fn run(mut self) -> io::Result<()> {
        self.send(&[], 0)?;
        loop {
            let output = lock(&self.handle.play).output();
            match output {
                Output::Bytes(bytes) => self.say(&bytes)?,
                Output::Wait(time) => {
                    thread::sleep(time);
                    self.handle.clock().advance(time);
                }
                Output::Listen => self.listen()?,
                Output::Tls => self.begin_tls()?,
                Output::Eof => return self.end(),
                Output::Close => {
                    if let Some(tls) = &mut self.tls {
                        tls.send_close_notify();
                    }
                    self.send_tls(0)?;
                    return self.end();
                }
                // With this set, closing throws away what was not sent yet and resets the connection.
                Output::Reset => return SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)),
                Output::Stall => return self.drain(),
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.send(bytes, bytes.len()),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                self.send_tls(bytes.len())
            }
        }
    }

    /// Sends what TLS has to send, with this many bytes of the script in it.
    fn send_tls(&mut self, bytes: usize) -> io::Result<()> {
        let mut records = Vec::new();
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut records)?;
            }
        }
        self.send(&records, bytes)
    }

    /// Sends as much as the cut allows, with `bytes` of the script in it: part of them in clear, all or none in TLS.
    fn send(&mut self, raw: &[u8], bytes: usize) -> io::Result<()> {
        let sent = raw.get(..self.left).unwrap_or(raw);
        let mut play = lock(&self.handle.play);
        play.given += sent.len();
        // Known before the client can know.
        play.delivered += if self.tls.is_none() { sent.len().min(bytes) } else { bytes };
        if self.tls.is_some() && sent.len() < raw.len() {
            play.delivered -= bytes;
        }
        drop(play);
        self.left -= sent.len();
        self.socket.write_all(sent)?;
        if self.left > 0 {
            return Ok(());
        }
        self.end()?;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    /// Reads what the client sends next. Its end is an error here, since nothing can follow.
    fn listen(&mut self) -> io::Result<()> {
        let mut block = [0; 16 << 10];
        let count = loop {
            let Some(tls) = &mut self.tls else { break self.socket.read(&mut block)? };
            match tls.reader().read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive_tls()?,
                result => break result?,
            }
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        lock(&self.handle.play).send(block.get(..count).unwrap_or_default()).map(drop)
    }

    fn receive_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if tls.read_tls(&mut self.socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let result = tls.process_new_packets().map(drop);
        // An alert that says what was wrong.
        self.send_tls(0)?;
        result.map_err(io::Error::other)
    }

    fn begin_tls(&mut self) -> io::Result<()> {
        self.tls = Some(ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?);
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.receive_tls()?;
        }
        lock(&self.handle.play).tls_done();
        Ok(())
    }

    /// Ends this side, and waits for the client: closing with unread bytes would take back what it has not read.
    fn end(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)?;
        self.drain()
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut block = [0; 4096];
        while self.socket.read(&mut block)? > 0 {}
        Ok(())
    }
}
