//! A connection that counts what TLS reads, and how often the client waits for the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailconnect::Connector;
use mailconnect::transport::{Deadline, Timed, Transport};

/// What was counted, of all connections of a connector.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    reads: Arc<AtomicUsize>,
    waits: Arc<AtomicUsize>,
}

impl Counts {
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// How often a read has followed a write, since this was asked last.
    pub(crate) fn take_waits(&self) -> usize {
        self.waits.swap(0, Ordering::SeqCst)
    }
}

/// The connector with connections that count.
pub(crate) fn counted(connector: &Connector, address: SocketAddr) -> (Connector, Counts) {
    let counts = Counts::default();
    let shared = counts.clone();
    let connector = connector.clone().dialer(move |_| {
        let inner = Timed::new(TcpStream::connect(address)?);
        Ok(Box::new(Counting { inner, wrote: false, counts: shared.clone() }))
    });
    (connector, counts)
}

struct Counting {
    inner: Timed<TcpStream>,
    wrote: bool,
    counts: Counts,
}

impl Read for Counting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.counts.reads.fetch_add(1, Ordering::SeqCst);
        if std::mem::take(&mut self.wrote) {
            self.counts.waits.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.read(buf)
    }
}

impl Write for Counting {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.wrote = true;
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Transport for Counting {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.inner.set_deadline(deadline)
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(&self.inner)
    }
}
