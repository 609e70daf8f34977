//! A connection that plays a script: what the client must send, and what the server answers. It has no socket and
//! never waits; time-outs pass on a [`VirtualClock`].

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::play::{Play, Step};
use super::{ScriptServer, VirtualClock};
use crate::error::Result;
use crate::net::{ShutdownHandle, Socket, Timed};

/// A connection that plays a script: what the client must send, and what the server answers.
///
/// As text, one step a line:
///
/// | line | meaning |
/// |---|---|
/// | `S: text` | the server sends `text` and CRLF |
/// | `C: text` | the client must send `text` and CRLF |
/// | `S- text`, `C- text` | the same without CRLF |
/// | `EOF` | the server closes the connection; inside TLS without saying so |
/// | `CLOSE` | the server closes the connection as it should: inside TLS it says so (close_notify) |
/// | `RESET` | the connection breaks ([`io::ErrorKind::ConnectionReset`]) |
/// | `STALL` | nothing more comes, and the connection stays open |
/// | `PAUSE 30s`, `PAUSE 500ms` | what the server sends next comes only after that much virtual time |
/// | `DRIP 1s` | from here on the server's bytes come one by one, that far apart |
/// | `WAIT` | the client may send more only once it has read all that stands above |
/// | `TLS` | from here on inside a session of [`StandInTls`](super::StandInTls), which begins here |
/// | `# text`, empty | nothing |
///
/// In the text of a step, `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` are escapes; blanks before a line are ignored.
///
/// The client may send its bytes in any number of writes, and ahead of what it has read (but for `WAIT`); the server's
/// bytes of a step can be read only once the client has sent all that stands above it. Once the server's end came, a
/// client that has nothing to send any more by the script finds its writes refused with `BrokenPipe`.
///
/// A script can be played in memory ([`play`](Self::play)) or on a real socket ([`listen`](Self::listen)). What cannot be
/// known beforehand, such as tags, is answered line by line: [`respond`](Self::respond).
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub(super) steps: Vec<(usize, Step)>,
    pub(super) chunking: Chunking,
    pub(super) responder: Option<Responder>,
    pub(super) cut: Option<usize>,
    local: bool,
}

/// What answers lines. Clones of a script share it.
#[derive(Clone)]
pub(super) struct Responder(Arc<Mutex<Answers>>);

type Answers = dyn FnMut(&[u8]) -> Script + Send;

impl Responder {
    pub(super) fn answer(&self, line: &[u8]) -> Script {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(line)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder(..)")
    }
}

/// In which pieces the server's bytes can be read. The result of what is tested must not depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Chunking {
    /// As much as there is and fits.
    #[default]
    Whole,
    /// At most one line a read.
    Lines,
    /// One byte a read.
    Bytes,
}

impl Chunking {
    /// All of them, to run a test in each.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Lines, Self::Bytes];
}

impl Script {
    /// An empty script, to be filled by the methods below.
    pub fn new() -> Self {
        Self::default()
    }

    /// A script from its text form.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) with the number of the line that was not understood.
    pub fn parse(text: &str) -> Result<Self> {
        super::script_text::parse(text)
    }

    pub(super) fn step(mut self, line: usize, step: Step) -> Self {
        self.steps.push((line, step));
        self
    }

    /// The server sends these bytes, as they are.
    #[must_use]
    pub fn server(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(0, Step::Server(bytes.as_ref().to_vec()))
    }

    /// The client must send these bytes, as they are.
    #[must_use]
    pub fn client(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(0, Step::Client(bytes.as_ref().to_vec()))
    }

    /// The server closes the connection.
    #[must_use]
    pub fn eof(self) -> Self {
        self.step(0, Step::Eof)
    }

    /// The server closes the connection as it should: inside TLS with close_notify, which [`eof`](Self::eof) leaves out.
    #[must_use]
    pub fn close(self) -> Self {
        self.step(0, Step::Close)
    }

    /// The connection breaks.
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(0, Step::Reset)
    }

    /// Nothing more comes, and the connection stays open.
    #[must_use]
    pub fn stall(self) -> Self {
        self.step(0, Step::Stall)
    }

    /// What the server sends next comes only after this much virtual time.
    #[must_use]
    pub fn pause(self, time: Duration) -> Self {
        self.step(0, Step::Pause(time))
    }

    /// From here on the server's bytes come one by one, this far apart; zero ends it.
    #[must_use]
    pub fn drip(self, interval: Duration) -> Self {
        self.step(0, Step::Drip(interval))
    }

    /// The client may send more only once it has read all so far.
    #[must_use]
    pub fn wait(self) -> Self {
        self.step(0, Step::Wait)
    }

    /// From here on inside a session of [`StandInTls`](super::StandInTls), which begins here.
    #[must_use]
    pub fn tls(self) -> Self {
        self.step(0, Step::Tls)
    }

    /// After the last step, every line of the client (its end included) goes to `responder`, and the steps that it returns
    /// are played; nothing else of that script counts. It must not use the script's handle. After a `STALL` it is asked no
    /// more.
    ///
    /// ```
    /// use mailconnect::testing::Script;
    /// use mailconnect::{Connector, Pop3Client, Security, pop3::Pop3};
    ///
    /// let script = Script::new().server("+OK\r\n").respond(|line| match line {
    ///     b"STAT\r\n" => Script::new().server("+OK 2 320\r\n"),
    ///     b"QUIT\r\n" => Script::new().server("+OK\r\n").eof(),
    ///     _ => Script::new().server("-ERR\r\n"),
    /// });
    /// let (transport, _) = script.play();
    /// let mut pop3: Pop3Client = Connector::new().over(Pop3::new(), transport, "localhost", Security::Plain)?;
    /// assert_eq!(pop3.stat()?.messages, 2);
    /// pop3.quit()?;
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    #[must_use]
    pub fn respond(mut self, responder: impl FnMut(&[u8]) -> Script + Send + 'static) -> Self {
        self.responder = Some(Responder(Arc::new(Mutex::new(responder))));
        self
    }

    /// Whatever the script says, the connection ends once the client was given this many bytes, those of TLS included.
    /// Played at every offset, it shows whether part of an answer can pass for all of it.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// In which pieces the server's bytes can be read; [`Chunking::Whole`] unless set.
    #[must_use]
    pub fn chunking(mut self, chunking: Chunking) -> Self {
        self.chunking = chunking;
        self
    }

    /// Whether the connection passes for one of this machine, over which passwords may go in clear; false unless set.
    #[must_use]
    pub fn local(mut self, local: bool) -> Self {
        self.local = local;
        self
    }

    /// Starts it: the connection for the code under test, and the handle for the test.
    pub fn play(self) -> (Timed<ScriptSocket>, ScriptHandle) {
        let (socket, handle) = self.socket();
        (Timed::with_clock(socket, Arc::new(handle.clock())), handle)
    }

    /// Starts it, without the [`Timed`] around the socket.
    pub fn socket(self) -> (ScriptSocket, ScriptHandle) {
        let local = self.local;
        let play = Arc::new(Mutex::new(Play::new(self)));
        (ScriptSocket { play: Arc::clone(&play), local }, ScriptHandle { play })
    }

    /// Plays it on a socket of this machine, to the first client that connects, with real TLS at a `TLS` step. Pauses take
    /// their time there, and every chunk is a write of its own.
    ///
    /// # Errors
    /// Those of the operating system, and of making a certificate.
    pub fn listen(self) -> io::Result<ScriptServer> {
        ScriptServer::start(ScriptHandle { play: Arc::new(Mutex::new(Play::new(self))) })
    }
}

pub(super) fn lock(play: &Mutex<Play>) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection that plays a [`Script`].
///
/// A blocking read with nothing to give turns the clock by the armed time-out and ends in `WouldBlock`, as that of an
/// operating system does; without a time-out it fails, since it would wait for ever. One that does not block leaves
/// the clock alone.
pub struct ScriptSocket {
    play: Arc<Mutex<Play>>,
    local: bool,
}

impl fmt::Debug for ScriptSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptSocket").finish_non_exhaustive()
    }
}

impl Read for ScriptSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        lock(&self.play).receive(buf)
    }
}

impl Write for ScriptSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        lock(&self.play).send(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for ScriptSocket {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a time-out of zero"));
        }
        let mut play = lock(&self.play);
        play.settings += 1;
        play.read_timeout = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        lock(&self.play).settings += 1;
        Ok(())
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        let mut play = lock(&self.play);
        play.settings += 1;
        play.nonblocking = nonblocking;
        Ok(())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn is_local(&self) -> bool {
        self.local
    }

    fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        let play = Arc::clone(&self.play);
        Some(Box::new(move || lock(&play).shut_down = true))
    }
}

/// Looks at a script while it plays, and asks at the end whether all of it was played.
#[derive(Clone)]
pub struct ScriptHandle {
    pub(super) play: Arc<Mutex<Play>>,
}

impl fmt::Debug for ScriptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptHandle").field("error", &self.error()).finish_non_exhaustive()
    }
}

impl ScriptHandle {
    /// The clock on which the script's pauses and the reader's time-outs pass.
    pub fn clock(&self) -> VirtualClock {
        lock(&self.play).clock.clone()
    }

    /// Where the client left the script, with what was expected and what came; none while it keeps to it.
    pub fn error(&self) -> Option<String> {
        lock(&self.play).error.clone()
    }

    /// All that the client sent, in clear and inside TLS. It holds passwords as they were sent.
    pub fn sent(&self) -> Vec<u8> {
        lock(&self.play).sent.clone()
    }

    /// The part of [`sent`](Self::sent) that went in clear: all of it, or what came before TLS began.
    pub fn sent_in_clear(&self) -> Vec<u8> {
        let play = lock(&self.play);
        let clear = play.clear.unwrap_or(play.sent.len());
        play.sent.get(..clear).unwrap_or_default().to_vec()
    }

    /// True once TLS has begun.
    pub fn is_secure(&self) -> bool {
        lock(&self.play).clear.is_some()
    }

    /// How many bytes the client was given, those of TLS included.
    pub fn given(&self) -> usize {
        lock(&self.play).given
    }

    /// How many bytes of the script's `S` steps that were; of a TLS record that was cut, none.
    pub fn delivered(&self) -> usize {
        lock(&self.play).delivered
    }

    /// How many reads the client has made; zero on a real socket, which cannot tell.
    pub fn reads(&self) -> usize {
        lock(&self.play).reads
    }

    /// How many calls the client's socket has had: reads, writes and settings, each of which would be a call of the
    /// operating system. Zero on a real socket, which cannot tell.
    pub fn calls(&self) -> usize {
        let play = lock(&self.play);
        play.reads + play.writes + play.settings
    }

    /// How many write calls carried [`sent`](Self::sent): a group that goes out at once is one.
    pub fn writes(&self) -> usize {
        lock(&self.play).writes
    }

    /// Makes sure that all of the script was played.
    ///
    /// # Panics
    /// If the client left the script, with the difference; if bytes of the server were not read or bytes of the
    /// client are missing, with what is left. An end (`EOF`, `RESET`, `STALL`) need not have been seen.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion for tests, documented as one")]
    pub fn finish(&self) {
        let verdict = lock(&self.play).verdict();
        if let Err(problem) = verdict {
            panic!("{problem}");
        }
    }
}
