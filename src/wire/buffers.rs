//! The read and write buffers, by `bufstream`. This is the one file that names it.

use std::io::{self, BufRead, Read, Write};

use bufstream::BufStream;

use super::gate::Gate;

/// One TLS record's worth of plain text.
const READ: usize = 16 << 10;

/// None: groups are composed in a buffer of the wire's own, from which a refused argument can be taken back, and go
/// through in one piece. So no secret lies about here either.
const WRITE: usize = 0;

/// The stream as the wire sees it.
pub(super) struct Buffers {
    stream: BufStream<Gate>,
}

impl Buffers {
    pub(super) fn new(gate: Gate) -> Self {
        Self { stream: BufStream::with_capacities(READ, WRITE, gate) }
    }

    pub(super) fn gate(&self) -> &Gate {
        self.stream.get_ref()
    }

    pub(super) fn gate_mut(&mut self) -> &mut Gate {
        self.stream.get_mut()
    }

    /// What has arrived already; does not read. The gate makes it exact.
    pub(super) fn buffered(&mut self) -> &[u8] {
        self.stream.get_mut().shut = true;
        // `fill_buf` is asked twice, since a slice that was got under a shut gate keeps it borrowed.
        let empty = self.stream.fill_buf().map_or(true, <[u8]>::is_empty);
        self.stream.get_mut().shut = false;
        if empty { &[] } else { self.stream.fill_buf().unwrap_or_default() }
    }

    /// What is buffered, where it is known that something is.
    pub(super) fn at_hand(&mut self) -> &[u8] {
        self.stream.fill_buf().unwrap_or_default()
    }

    /// Reads once if nothing is buffered; says how much there is then. Zero is the end of the file.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.stream.fill_buf() {
                Ok(bytes) => return Ok(bytes.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads once. Where nothing is buffered and `block` is larger than the buffer, that goes past it.
    pub(super) fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.stream.consume(n);
    }

    /// Writes all of it. Says how many bytes the transport has taken, also where it failed at last.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return (taken, Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => taken += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (taken, Err(error)),
            }
        }
        (taken, self.stream.flush())
    }
}
