//! The one place that knows time: ends the reads and writes of a base socket at a deadline. It buffers nothing, and a
//! bulk transfer costs it no system call beside the reads and writes themselves.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Clock, Deadline, ShutdownHandle, Socket, SystemClock, Transport};

/// How late a deadline may be noticed, 100 ms: so much may the armed time-out exceed the time left before it is armed
/// anew. Nobody tells 60.0 s from 60.1 s, and it keeps a bulk transfer at ten system calls a second at most.
const OVERSHOOT: Duration = Duration::from_millis(100);

/// The same for a soft deadline: 10 ms. Whoever waits so has something else to look after.
const SOFT_OVERSHOOT: Duration = Duration::from_millis(10);

/// The shortest time-out that is ever armed, 1 ms. Zero would mean "for ever".
const SHORTEST: Duration = Duration::from_millis(1);

/// A transport out of a socket, which ends reads and writes at their [`Deadline`].
///
/// It belongs right above the socket, below TLS and everything else.
///
/// ```
/// use mailconnect::transport::{Deadline, Timed, Transport};
/// use std::io::{ErrorKind, Read};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Instant;
///
/// # fn main() -> std::io::Result<()> {
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let mut transport = Timed::new(TcpStream::connect(server.local_addr()?)?);
/// transport.set_deadline(Deadline::soft(Instant::now()))?;
/// let nothing_there = transport.read(&mut [0; 16]).unwrap_err();
/// assert_eq!(nothing_there.kind(), ErrorKind::WouldBlock);
/// # Ok(())
/// # }
/// ```
pub struct Timed<S> {
    socket: S,
    clock: Arc<dyn Clock>,
    deadline: Deadline,
    read_timeout: Armed,
    write_timeout: Armed,
    /// False until the socket is known to block: as it came from the caller, or if a look could not put it back.
    blocking: bool,
}

/// The time-out that a socket has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    /// As it came from the caller.
    Unknown,
    Never,
    After(Duration),
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl<S: Socket> Timed<S> {
    /// A transport whose deadlines are told by the machine's own clock.
    pub fn new(socket: S) -> Self {
        Self::with_clock(socket, Arc::new(SystemClock))
    }

    /// A transport whose deadlines are told by `clock`.
    pub fn with_clock(socket: S, clock: Arc<dyn Clock>) -> Self {
        let (read_timeout, write_timeout) = (Armed::Unknown, Armed::Unknown);
        Self { socket, clock, deadline: Deadline::NEVER, read_timeout, write_timeout, blocking: false }
    }

    /// Does `step`, a read or write, again and again until it succeeds, fails or the deadline passes.
    fn run<T>(&mut self, direction: Direction, mut step: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        let mut waited = false;
        loop {
            let left = self.deadline.at().map(|at| at.saturating_duration_since(self.clock.now()));
            if left == Some(Duration::ZERO) {
                // Before reading, even if bytes are there: a server that drips them could stretch a deadline.
                let look = self.deadline.is_soft() && !waited;
                return if look { self.look(step) } else { Err(self.deadline.error()) };
            }
            self.block()?;
            self.arm(direction, left, waited)?;
            match step(&mut self.socket) {
                Err(error) if is_timeout(&error) => waited = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Does `step` once, without waiting.
    fn look<T>(&mut self, mut step: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        self.blocking = false;
        self.socket.set_nonblocking(true)?;
        let result = loop {
            match step(&mut self.socket) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => break Err(self.deadline.error()),
                result => break result,
            }
        };
        // If this fails, the bytes just read must not be lost; the next wait tries again and reports it.
        self.blocking = self.socket.set_nonblocking(false).is_ok();
        result
    }

    fn block(&mut self) -> io::Result<()> {
        if !self.blocking {
            self.socket.set_nonblocking(false)?;
            self.blocking = true;
        }
        Ok(())
    }

    /// Sees to it that the socket's time-out suits the time left; `again` if the armed one has just passed.
    fn arm(&mut self, direction: Direction, left: Option<Duration>, again: bool) -> io::Result<()> {
        let armed = match direction {
            Direction::Read => &mut self.read_timeout,
            Direction::Write => &mut self.write_timeout,
        };
        let soft = self.deadline.is_soft();
        let (overshoot, again) = if soft { (SOFT_OVERSHOOT, true) } else { (OVERSHOOT, again) };
        let fits = match (*armed, left) {
            (Armed::After(timeout), Some(left)) => {
                timeout <= left.saturating_add(overshoot) && (timeout >= left || !again)
            }
            (Armed::Never, None) => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let timeout = left.map(|left| if soft { whole_millis(left) } else { left.max(SHORTEST) });
        let result = match direction {
            Direction::Read => self.socket.set_read_timeout(timeout),
            Direction::Write => self.socket.set_write_timeout(timeout),
        };
        *armed = match result {
            Ok(()) => timeout.map_or(Armed::Never, Armed::After),
            Err(_) => Armed::Unknown,
        };
        match result {
            // macOS says so of a connection that the server has closed. It no longer blocks, and what the server said
            // last may still be there to read.
            Err(error) if cfg!(target_vendor = "apple") && error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }
}

/// So many milliseconds, or a part of one more: the same for waits that are all but equally long.
fn whole_millis(time: Duration) -> Duration {
    let millis = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// True if only the socket's time-out has passed: Unix says `WouldBlock`, Windows `TimedOut`, a caller's socket either.
fn is_timeout(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::WouldBlock => true,
        // From a Unix system it means that the connection itself is dead (ETIMEDOUT), and would be end of file next.
        io::ErrorKind::TimedOut => cfg!(windows) || error.raw_os_error().is_none(),
        _ => false,
    }
}

impl<S: Socket> Read for Timed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.run(Direction::Read, |socket| socket.read(buf))
    }
}

impl<S: Socket> Write for Timed<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.run(Direction::Write, |socket| socket.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.run(Direction::Write, |socket| socket.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.run(Direction::Write, S::flush)
    }
}

impl<S: Socket> Transport for Timed<S> {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.deadline = deadline;
        Ok(())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    fn is_local(&self) -> bool {
        self.socket.is_local()
    }

    fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        self.socket.shutdown_handle()
    }
}

impl<S: Socket> fmt::Debug for Timed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed")
            .field("peer", &self.socket.peer_addr())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
