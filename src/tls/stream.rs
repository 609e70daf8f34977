//! A connection of rustls as a transport. Whatever ends a read or write below it, nothing is lost and nothing is sent
//! twice: after a soft deadline the same call goes on where it was.

use std::io::{self, Read, Write};

use ::rustls::ClientConnection;

use super::TlsInfo;
use super::readahead::ReadAhead;
use crate::net::{Deadline, Transport};

/// Bytes that one write takes: two full records. Unsent records of up to this size wait in memory.
const MAX_WRITE: usize = 32 * 1024;

/// A secured transport.
pub(super) struct RustlsStream {
    connection: ClientConnection,
    lower: ReadAhead,
    info: TlsInfo,
    /// None until it was set after the handshake: what it was before is not known.
    deadline: Option<Deadline>,
    /// A failure to send bytes that `write` had taken already: the next write or flush reports it.
    unreported: Option<io::Error>,
}

impl RustlsStream {
    /// The handshake is complete.
    pub(super) fn new(mut connection: ClientConnection, lower: ReadAhead, info: TlsInfo) -> Self {
        connection.set_buffer_limit(Some(MAX_WRITE));
        Self { connection, lower, info, deadline: None, unreported: None }
    }

    /// Fetches some records and decrypts them.
    fn receive(&mut self) -> io::Result<()> {
        match self.connection.read_tls(&mut self.lower) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        let result = self.connection.process_new_packets();
        // Alerts of rustls itself: a peer that does not read must not keep this side from reading, so what does not go
        // now goes with the next write.
        if self.connection.wants_write() && self.deadline.is_some() {
            self.push_at_once();
        }
        result.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Sends what waits as far as it goes without waiting.
    fn push_at_once(&mut self) {
        if self.lower.stop_waiting().is_ok() {
            let _ = push(&mut self.connection, &mut self.lower).and_then(|()| self.lower.flush());
            if let Some(deadline) = self.deadline {
                let _ = self.lower.set_deadline(deadline);
            }
        }
    }
}

/// Sends all records that wait.
pub(super) fn push(connection: &mut ClientConnection, lower: &mut ReadAhead) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(lower) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Read for RustlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                result => return result,
            }
        }
    }
}

impl Write for RustlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(error) = self.unreported.take() {
            return Err(error);
        }
        // What waits goes first: if that fails, nothing of `buf` was taken and the call can be repeated.
        push(&mut self.connection, &mut self.lower)?;
        let taken = self.connection.writer().write(buf)?;
        match push(&mut self.connection, &mut self.lower) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.unreported = Some(error),
            _ => {}
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take() {
            return Err(error);
        }
        push(&mut self.connection, &mut self.lower)?;
        self.lower.flush()
    }
}

impl Transport for RustlsStream {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.lower.set_deadline(deadline)?;
        self.deadline = Some(deadline);
        Ok(())
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(self.lower.lower())
    }

    fn tls(&self) -> Option<&TlsInfo> {
        Some(&self.info)
    }

    fn close(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.push_at_once();
        self.lower.close()
    }
}
