//! What is sent as a message: bytes in memory or a reader, looked at before MAIL as far as that can be done.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use crate::wire::{LineEnds, Stuffer};
use crate::{Error, Result};

/// What is read from a reader at once: a block of the wire's.
const BLOCK: usize = 32 << 10;

/// A message to send: bytes (`b".."`, `&[u8]`, `&Vec<u8>`, `&str`, `&String` convert into it) or a reader.
///
/// Bytes are checked before the transaction begins. A reader is read while it is sent, in constant memory: if it fails or
/// holds a NUL the connection is closed in the middle of the message, which the server then throws away.
///
/// Bytes above 127 go out as they are, also to a server that does not offer 8BITMIME.
///
/// ```
/// use mailconnect::smtp::Body;
/// # fn file() -> std::io::Cursor<Vec<u8>> { Default::default() }
/// let in_memory = Body::from("Subject: Hello\n\nIt works.\n");
/// let streamed = Body::reader(file()).size(52_000);
/// ```
pub struct Body<'b> {
    source: Source<'b>,
    size: Option<u64>,
}

enum Source<'b> {
    Bytes(&'b [u8]),
    Reader(Box<dyn BufRead + 'b>),
}

impl<'b> Body<'b> {
    /// A message that is read while it is sent.
    pub fn reader(reader: impl Read + 'b) -> Self {
        Self { source: Source::Reader(Box::new(BufReader::with_capacity(BLOCK, reader))), size: None }
    }

    /// About how many octets a reader will give. The server is told before it gets the message, and refuses one that is
    /// too large at once. Of bytes it is known.
    #[must_use]
    pub fn size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self
    }

    pub(super) fn source(&mut self) -> &mut dyn BufRead {
        match &mut self.source {
            Source::Bytes(bytes) => bytes,
            Source::Reader(reader) => reader,
        }
    }

    /// Refuses what can be refused before a byte was sent. Returns the size if it is known, RFC 1870: with the line ends
    /// that go out, without doubled dots.
    pub(super) fn check(&self, line_ends: LineEnds) -> Result<Option<u64>> {
        match self.source {
            Source::Bytes(bytes) if line_ends == LineEnds::Normalize => measure(bytes).map(Some),
            Source::Bytes(bytes) => check_all(bytes, line_ends).map(Some),
            Source::Reader(_) => Ok(self.size),
        }
    }
}

/// One pass for NULs and for line ends that will grow.
fn measure(bytes: &[u8]) -> Result<u64> {
    let mut size = bytes.len() as u64;
    for at in memchr::memchr3_iter(0, b'\r', b'\n', bytes) {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        match (bytes.get(at), before, bytes.get(at + 1)) {
            (Some(0), ..) => return Err(Error::invalid("body", format!("a NUL at offset {at}"))),
            (Some(b'\r'), _, Some(b'\n')) | (Some(b'\n'), Some(b'\r'), _) => {}
            _ => size += 1,
        }
    }
    Ok(size + open_end(bytes))
}

/// What ends the last line if nothing does yet.
fn open_end(bytes: &[u8]) -> u64 {
    if bytes.is_empty() || bytes.ends_with(b"\n") || bytes.ends_with(b"\r") { 0 } else { 2 }
}

fn check_all(bytes: &[u8], line_ends: LineEnds) -> Result<u64> {
    let mut stuffer = Stuffer::new(line_ends);
    let mut thrown_away = Vec::new();
    for block in bytes.chunks(BLOCK) {
        stuffer.push(block, &mut thrown_away).map_err(|bad| Error::invalid("body", bad.to_string()))?;
        thrown_away.clear();
    }
    stuffer.finish(&mut thrown_away).map_err(|bad| Error::invalid("body", bad.to_string()))?;
    Ok(bytes.len() as u64 + open_end(bytes))
}

impl<'b> From<&'b [u8]> for Body<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self { source: Source::Bytes(bytes), size: None }
    }
}

impl<'b, const N: usize> From<&'b [u8; N]> for Body<'b> {
    fn from(bytes: &'b [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'b> From<&'b Vec<u8>> for Body<'b> {
    fn from(bytes: &'b Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'b> From<&'b str> for Body<'b> {
    fn from(text: &'b str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl<'b> From<&'b String> for Body<'b> {
    fn from(text: &'b String) -> Self {
        Self::from(text.as_bytes())
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = match self.source {
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::Reader(_) => self.size,
        };
        f.debug_struct("Body").field("size", &size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size is that of what goes out, less the final dot: shown by sending.
    #[test]
    fn the_size_is_what_goes_out() {
        for body in ["", "a", "a\r\n", "a\nb", "\n", "\r", "a\rb\r\n\r\r\n", "\r\n\n\r", "a\r\nb\r"] {
            let mut out = Vec::new();
            let mut stuffer = Stuffer::new(LineEnds::Normalize);
            stuffer.push(body.as_bytes(), &mut out).unwrap();
            stuffer.finish(&mut out).unwrap();
            let size = Body::from(body).check(LineEnds::Normalize).unwrap();
            assert_eq!(size, Some(out.len() as u64 - 3), "{body:?}");
        }
        assert_eq!(Body::from("a\r\nb").check(LineEnds::Strict).unwrap(), Some(6));
        assert_eq!(Body::reader(&b"abc"[..]).size(7).check(LineEnds::Normalize).unwrap(), Some(7));
        assert_eq!(Body::reader(&b"abc"[..]).check(LineEnds::Normalize).unwrap(), None);
    }

    #[test]
    fn rule_10_what_cannot_go_out_is_refused_with_its_offset() {
        let offset = |body: &str, line_ends| Body::from(body).check(line_ends).unwrap_err().to_string();
        assert_eq!(offset("a\r\n\0", LineEnds::Normalize), "invalid body: a NUL at offset 3");
        assert_eq!(offset("a\0", LineEnds::Strict), "invalid body: a NUL at offset 1");
        assert_eq!(offset("a\nb", LineEnds::Strict), "invalid body: a bare LF at offset 1");
        assert_eq!(offset("ab\r", LineEnds::Strict), "invalid body: a bare CR at offset 2");
        let long = "x".repeat(70_000);
        assert!(offset(&long, LineEnds::Strict).contains("998"));
    }
}
