//! A connection of rustls as a transport. Whatever ends a read or write below it, nothing is lost and nothing is sent
//! twice: after a soft deadline the same call goes on where it was.

use std::io::{self, Read, Write};

use ::rustls::ClientConnection;

use super::TlsInfo;
use super::alert::{ClientCertificate, late_refusal};
use super::readahead::ReadAhead;
use super::rustls::cause;
use crate::error::HandshakeCause;
use crate::net::{Deadline, Transport};

/// Bytes that one write takes: two full records. Unsent records of up to this size wait in memory.
const MAX_WRITE: usize = 32 * 1024;

/// A secured transport.
pub(super) struct RustlsStream {
    connection: ClientConnection,
    lower: ReadAhead,
    info: TlsInfo,
    client: ClientCertificate,
    /// None until it was set after the handshake: what it was before is not known.
    deadline: Option<Deadline>,
    /// A failure to send bytes that `write` had taken already: the next write or flush reports it.
    unreported: Option<io::Error>,
}

impl RustlsStream {
    /// The handshake is complete.
    pub(super) fn new(
        mut connection: ClientConnection,
        lower: ReadAhead,
        info: TlsInfo,
        client: ClientCertificate,
    ) -> Self {
        connection.set_buffer_limit(Some(MAX_WRITE));
        Self { connection, lower, info, client, deadline: None, unreported: None }
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
        result.map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: ::rustls::Error) -> io::Error {
        match cause(&error, self.client) {
            HandshakeCause::Other => io::Error::new(io::ErrorKind::InvalidData, error),
            cause => late_refusal(cause, error),
        }
    }

    /// Sends all records that wait.
    fn push(&mut self) -> io::Result<()> {
        push(&mut self.connection, &mut self.lower).map_err(|error| {
            match last_word(&mut self.connection, &mut self.lower, &error) {
                Some(word) if cause(&word, self.client) != HandshakeCause::Other => self.failed(word),
                _ => error,
            }
        })
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

/// What the peer said before it went away, if it was why: it may have closed before it has read all that it is sent.
pub(super) fn last_word(
    connection: &mut ClientConnection,
    lower: &mut ReadAhead,
    error: &io::Error,
) -> Option<::rustls::Error> {
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        return None;
    }
    lower.stop_waiting().ok()?;
    while matches!(connection.read_tls(lower), Ok(1..)) {
        if let Err(word) = connection.process_new_packets() {
            return Some(word).filter(|word| matches!(word, ::rustls::Error::AlertReceived(_)));
        }
    }
    None
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
        self.push()?;
        let taken = self.connection.writer().write(buf)?;
        match self.push() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.unreported = Some(error),
            _ => {}
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.unreported.take() {
            return Err(error);
        }
        self.push()?;
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
