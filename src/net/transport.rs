//! What a connection is made of: byte streams that can be stacked on one another.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use super::Deadline;
use crate::tls_info::TlsInfo;

/// Ends a blocked read or write from another thread, for good. See [`Transport::shutdown_handle`].
pub type ShutdownHandle = Box<dyn Fn() + Send + Sync>;

/// A blocking byte stream: TCP, TLS over another transport, a script in a test, a caller's own tunnel.
///
/// Only the lowest one, which waits for the network, knows time: it is told a [`Deadline`] and ends a read or write
/// there. All others pass it down. A transport that wraps another names it in [`lower`](Self::lower), so that nothing
/// gets lost: addresses, TLS and the shutdown handle are found through it.
///
/// A socket of your own becomes a transport by [`Timed`](super::Timed).
///
/// ```
/// use mailconnect::transport::{Deadline, Transport};
/// use std::io::{self, Read, Write};
///
/// /// Counts what goes out.
/// struct Counting { inner: Box<dyn Transport>, sent: u64 }
/// impl Read for Counting {
///     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> { self.inner.read(buf) }
/// }
/// impl Write for Counting {
///     fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
///         let n = self.inner.write(buf)?;
///         self.sent += n as u64;
///         Ok(n)
///     }
///     fn flush(&mut self) -> io::Result<()> { self.inner.flush() }
/// }
/// impl Transport for Counting {
///     fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> { self.inner.set_deadline(deadline) }
///     fn lower(&self) -> Option<&dyn Transport> { Some(&*self.inner) }
///     fn close(&mut self) -> io::Result<()> { self.inner.close() }
/// }
/// ```
pub trait Transport: Read + Write + Send {
    /// Stores the deadline of all reads and writes to come. Costs no system call.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if this transport cannot end a read in time;
    /// [`Connector::over`](crate::Connector::over) then wants `danger_no_deadline`.
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()>;

    /// The transport that this one wraps.
    fn lower(&self) -> Option<&dyn Transport> {
        None
    }

    /// What was negotiated, if this or a lower transport is TLS.
    fn tls(&self) -> Option<&TlsInfo> {
        self.lower()?.tls()
    }

    /// The other end of the socket.
    fn peer_addr(&self) -> Option<SocketAddr> {
        self.lower()?.peer_addr()
    }

    /// This end of the socket.
    fn local_addr(&self) -> Option<SocketAddr> {
        self.lower()?.local_addr()
    }

    /// True if the other end is on this machine for sure: the connected socket's own address is 127.0.0.0/8 or ::1, or
    /// it is a Unix socket. Never true through a proxy, a dialer or a caller's own transport.
    fn is_local(&self) -> bool {
        self.lower().is_some_and(|lower| lower.is_local())
    }

    /// What ends a blocked read or write of this transport from another thread.
    fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        self.lower()?.shutdown_handle()
    }

    /// Says goodbye where the transport has a word for it (TLS: close_notify). Never blocks.
    ///
    /// # Errors
    /// Those of writing.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for dyn Transport + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("peer", &self.peer_addr()).field("tls", &self.tls().is_some()).finish()
    }
}

/// A transport that is at its end: what a broken connection is replaced with. Reads say end of file, writes fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closed;

impl Read for Closed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Closed {
    fn set_deadline(&mut self, _: Deadline) -> io::Result<()> {
        Ok(())
    }
}
