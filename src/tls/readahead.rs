//! The buffer between TLS and the socket, so that one system call fetches many records. It is created empty at the
//! handshake: nothing that was received in clear can be in it.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use crate::net::{Deadline, Transport};

/// Two records of TLS at their largest (16 KiB each).
const SIZE: usize = 32 * 1024;
/// Bytes of an answer in plain text that are kept for the error.
const MAX_PLAIN_TEXT: usize = 512;
/// The first byte of all records of TLS, RFC 8446 5.1 and RFC 6520.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 0x14..=0x18;

/// A transport with a buffer for reading.
pub(super) struct ReadAhead {
    lower: Box<dyn Transport>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    received_any: bool,
    plain_text: Vec<u8>,
}

impl ReadAhead {
    pub(super) fn new(lower: Box<dyn Transport>) -> Self {
        let buffer = vec![0; SIZE].into_boxed_slice();
        Self { lower, buffer, start: 0, end: 0, received_any: false, plain_text: Vec::new() }
    }

    pub(super) fn lower(&self) -> &dyn Transport {
        &*self.lower
    }

    pub(super) fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.lower.set_deadline(deadline)
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        self.lower.close()
    }

    /// From now on no read or write waits.
    pub(super) fn stop_waiting(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.lower.set_deadline(Deadline::soft(now.checked_sub(Duration::from_secs(1)).unwrap_or(now)))
    }

    /// The first bytes since the beginning (up to 512), if they are not TLS; with what is at hand now, but without
    /// waiting.
    pub(super) fn plain_text(&mut self) -> Option<&[u8]> {
        if !self.received_any || !self.plain_text.is_empty() {
            self.look();
        }
        Some(&*self.plain_text).filter(|text| !text.is_empty())
    }

    /// True once anything has come.
    pub(super) fn has_received(&self) -> bool {
        self.received_any
    }

    /// True once it is known that what comes is not TLS.
    #[cfg(feature = "native-tls")]
    pub(super) fn is_plain_text(&self) -> bool {
        !self.plain_text.is_empty()
    }

    fn look(&mut self) {
        if self.stop_waiting().is_err() {
            return;
        }
        while self.plain_text.len() < MAX_PLAIN_TEXT && matches!(self.fill(), Ok(1..)) && !self.plain_text.is_empty() {}
    }

    fn fill(&mut self) -> io::Result<usize> {
        (self.start, self.end) = (0, 0);
        self.end = self.lower.read(&mut self.buffer)?;
        let received = self.buffer.get(..self.end).unwrap_or_default();
        let first_is_foreign = received.first().is_some_and(|first| !RECORD_TYPES.contains(first));
        if !self.plain_text.is_empty() || (!self.received_any && first_is_foreign) {
            let room = MAX_PLAIN_TEXT - self.plain_text.len();
            self.plain_text.extend(received.iter().take(room));
        }
        self.received_any |= !received.is_empty();
        Ok(received.len())
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && self.fill()? == 0 {
            return Ok(0);
        }
        let mut available = self.buffer.get(self.start..self.end).unwrap_or_default();
        let n = available.read(buf)?;
        self.start += n;
        Ok(n)
    }
}

impl Write for ReadAhead {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.lower.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.lower.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lower.flush()
    }
}
