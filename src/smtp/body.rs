//! What is sent as a message: bytes in memory or a reader, looked at before MAIL as far as that can be done.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use crate::wire::LineEnds;
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
    /// Bytes in two pieces.
    #[cfg(feature = "message")]
    Parts(std::io::Chain<&'b [u8], &'b [u8]>),
    Reader(Box<dyn BufRead + 'b>),
}

impl<'b> Body<'b> {
    /// A message that is read while it is sent.
    pub fn reader(reader: impl Read + 'b) -> Self {
        Self { source: Source::Reader(Box::new(BufReader::with_capacity(BLOCK, reader))), size: None }
    }

    /// Bytes in two pieces, one of which may be empty.
    #[cfg(feature = "message")]
    pub(super) fn parts(first: &'b [u8], second: &'b [u8]) -> Self {
        match second {
            [] => Self::from(first),
            second => Self { source: Source::Parts(first.chain(second)), size: None },
        }
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
            #[cfg(feature = "message")]
            Source::Parts(parts) => parts,
            Source::Reader(reader) => reader,
        }
    }

    /// Refuses what can be refused before a byte was sent. Returns the size if it is known, RFC 1870: with the line ends
    /// that go out, without doubled dots.
    pub(super) fn check(&self, line_ends: LineEnds) -> Result<Option<u64>> {
        let facts = match &self.source {
            Source::Bytes(bytes) => line_ends.check(bytes),
            #[cfg(feature = "message")]
            Source::Parts(parts) => {
                let (first, second) = parts.get_ref();
                line_ends.check_parts([*first, *second])
            }
            Source::Reader(_) => return Ok(self.size),
        };
        match facts {
            Ok(facts) => Ok(Some(facts.octets)),
            Err(bad) => Err(Error::invalid("body", bad.to_string())),
        }
    }
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
        let size = match &self.source {
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            #[cfg(feature = "message")]
            Source::Parts(parts) => Some((parts.get_ref().0.len() + parts.get_ref().1.len()) as u64),
            Source::Reader(_) => self.size,
        };
        f.debug_struct("Body").field("size", &size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_what_goes_out() {
        assert_eq!(Body::from("a\n.b").check(LineEnds::Normalize).unwrap(), Some(7));
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
