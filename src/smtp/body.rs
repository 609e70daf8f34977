//! What is sent as a message: bytes in memory or a reader, looked at before MAIL as far as that can be done.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::params::Content;
use crate::wire::{LineEnds, Stuffer};
use crate::{Error, Result};

/// What is read from a reader at once: a block of the wire's.
const BLOCK: usize = 32 << 10;

/// A message to send: bytes (`b".."`, `&[u8]`, `&Vec<u8>`, `&str`, `&String`, `Vec<u8>`, `String` convert into it) or a
/// reader.
///
/// Bytes are checked before the transaction begins. A reader is read while it is sent, in constant memory: if it fails or
/// holds a NUL the connection is closed in the middle of the message, which the server then throws away.
///
/// Octets above 127 go out as they are, also to a server that does not offer 8BITMIME; there they are an error under
/// [`LineEnds::Strict`].
///
/// ```
/// use mailconnect::smtp::Body;
/// # fn file() -> std::io::Cursor<Vec<u8>> { Default::default() }
/// let in_memory = Body::from("Subject: Hello\n\nIt works.\n");
/// let streamed = Body::reader(file()).size(52_000);
/// let again = Body::seekable(file()); // can be sent twice, if the recipients must be split
/// let opened = Body::open(|| std::fs::File::open("message.eml"));
/// ```
pub struct Body<'b> {
    source: Source<'b>,
    size: Option<u64>,
}

enum Source<'b> {
    Bytes(io::Cursor<Cow<'b, [u8]>>),
    /// Bytes in two pieces, and how many of both were read.
    #[cfg(feature = "message")]
    Parts([&'b [u8]; 2], io::Chain<&'b [u8], &'b [u8]>),
    Reader(Box<dyn BufRead + 'b>),
    /// With where it starts, once that is known.
    Seekable(BufReader<Box<dyn ReadSeek + 'b>>, Option<u64>),
    Open(Box<dyn Reopen + 'b>),
}

/// A reader that can be opened anew.
trait Reopen {
    fn reopen(&mut self) -> io::Result<()>;
    fn reader(&mut self) -> &mut dyn BufRead;
}

struct Opened<F, R> {
    open: F,
    reader: Option<BufReader<R>>,
    nothing: io::Empty,
}

impl<R: Read, F: FnMut() -> io::Result<R>> Reopen for Opened<F, R> {
    fn reopen(&mut self) -> io::Result<()> {
        self.reader = Some(BufReader::with_capacity(BLOCK, (self.open)()?));
        Ok(())
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match &mut self.reader {
            Some(reader) => reader,
            None => &mut self.nothing,
        }
    }
}

trait ReadSeek: Read + Seek {}

impl<R: Read + Seek> ReadSeek for R {}

impl<'b> Body<'b> {
    /// A message that is read while it is sent, once.
    pub fn reader(reader: impl Read + 'b) -> Self {
        Self::of(Source::Reader(Box::new(BufReader::with_capacity(BLOCK, reader))))
    }

    /// As [`reader`](Self::reader), from where it stands, and it can be read again: for more recipients than the server
    /// takes at once.
    pub fn seekable(reader: impl Read + Seek + 'b) -> Self {
        let reader: Box<dyn ReadSeek + 'b> = Box::new(reader);
        Self::of(Source::Seekable(BufReader::with_capacity(BLOCK, reader), None))
    }

    /// As [`reader`](Self::reader), opened before MAIL, and opened again for more recipients than the server takes at once.
    pub fn open<R: Read + 'b>(open: impl FnMut() -> io::Result<R> + 'b) -> Self {
        Self::of(Source::Open(Box::new(Opened { open, reader: None, nothing: io::empty() })))
    }

    /// Bytes in two pieces, one of which may be empty.
    #[cfg(feature = "message")]
    pub(super) fn parts(first: &'b [u8], second: &'b [u8]) -> Self {
        match second {
            [] => Self::from(first),
            second => Self::of(Source::Parts([first, second], first.chain(second))),
        }
    }

    fn of(source: Source<'b>) -> Self {
        Self { source, size: None }
    }

    /// About how many octets a reader will give. The server is told before it gets the message, and refuses one that is
    /// too large at once. Of bytes it is known.
    #[must_use]
    pub fn size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self
    }

    /// True if it can be sent more than once.
    pub(super) fn can_repeat(&self) -> bool {
        !matches!(self.source, Source::Reader(_))
    }

    /// Goes to its start; comes before each [`source`](Self::source).
    pub(super) fn start(&mut self) -> Result<()> {
        let result = match &mut self.source {
            Source::Bytes(bytes) => {
                bytes.set_position(0);
                Ok(())
            }
            #[cfg(feature = "message")]
            Source::Parts([first, second], parts) => {
                *parts = (*first).chain(*second);
                Ok(())
            }
            Source::Reader(_) => Ok(()),
            Source::Seekable(reader, Some(start)) => reader.seek(SeekFrom::Start(*start)).map(drop),
            Source::Seekable(reader, start) => reader.stream_position().map(|at| *start = Some(at)),
            Source::Open(opener) => opener.reopen(),
        };
        result.map_err(|source| Error::Caller { what: "the reader of a body", source, closed: false })
    }

    pub(super) fn source(&mut self) -> &mut dyn BufRead {
        match &mut self.source {
            Source::Bytes(bytes) => bytes,
            #[cfg(feature = "message")]
            Source::Parts(_, parts) => parts,
            Source::Reader(reader) => reader,
            Source::Open(opener) => opener.reader(),
            Source::Seekable(reader, _) => reader,
        }
    }

    /// All of it, if it is bytes in one piece.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        if let Source::Bytes(bytes) = &self.source { Some(bytes.get_ref()) } else { None }
    }

    /// Refuses what can be refused before a byte was sent. Returns the size if it is known, RFC 1870: with the line ends
    /// that go out, without doubled dots.
    pub(super) fn check(&self, line_ends: LineEnds, content: Content) -> Result<Option<u64>> {
        let parts: [&[u8]; 2] = match &self.source {
            Source::Bytes(bytes) => [bytes.get_ref(), &[]],
            #[cfg(feature = "message")]
            Source::Parts(parts, _) => *parts,
            _ => return Ok(self.size),
        };
        if content.binary {
            return Ok(Some(parts.iter().map(|part| part.len() as u64).sum()));
        }
        let facts = line_ends.check_parts(parts).map_err(|bad| Error::invalid("body", bad.to_string()))?;
        if facts.eight_bit && is_seven_bit(line_ends, content) {
            return Err(Error::invalid("body", "octets above 127, and BODY=8BITMIME does not declare them"));
        }
        Ok(Some(facts.octets))
    }
}

fn is_seven_bit(line_ends: LineEnds, content: Content) -> bool {
    line_ends == LineEnds::Strict && !content.eight_bit
}

/// What writes a body, with its dots doubled.
pub(super) fn stuffer(line_ends: LineEnds, content: Content) -> Stuffer {
    let stuffer = Stuffer::new(line_ends);
    if is_seven_bit(line_ends, content) { stuffer.seven_bit() } else { stuffer }
}

impl<'b> From<Cow<'b, [u8]>> for Body<'b> {
    fn from(bytes: Cow<'b, [u8]>) -> Self {
        Self::of(Source::Bytes(io::Cursor::new(bytes)))
    }
}

impl<'b> From<&'b [u8]> for Body<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self::from(Cow::Borrowed(bytes))
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

impl From<Vec<u8>> for Body<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Cow::Owned(bytes))
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.bytes().map_or(self.size, |bytes| Some(bytes.len() as u64));
        f.debug_struct("Body").field("size", &size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIGHT: Content = Content { binary: false, eight_bit: true, utf8: false };

    #[test]
    fn the_size_is_what_goes_out() {
        assert_eq!(Body::from("a\n.b").check(LineEnds::Normalize, EIGHT).unwrap(), Some(7));
        assert_eq!(Body::from("a\r\nb").check(LineEnds::Strict, EIGHT).unwrap(), Some(6));
        assert_eq!(Body::reader(&b"abc"[..]).size(7).check(LineEnds::Normalize, EIGHT).unwrap(), Some(7));
        assert_eq!(Body::reader(&b"abc"[..]).check(LineEnds::Normalize, EIGHT).unwrap(), None);
        let binary = Content { binary: true, ..EIGHT };
        assert_eq!(Body::from("a\0\n").check(LineEnds::Strict, binary).unwrap(), Some(3));
    }

    #[test]
    fn rule_10_what_cannot_go_out_is_refused_with_its_offset() {
        let offset = |body: &str, line_ends| Body::from(body).check(line_ends, EIGHT).unwrap_err().to_string();
        assert_eq!(offset("a\r\n\0", LineEnds::Normalize), "invalid body: a NUL at offset 3");
        assert_eq!(offset("a\0", LineEnds::Strict), "invalid body: a NUL at offset 1");
        assert_eq!(offset("a\nb", LineEnds::Strict), "invalid body: a bare LF at offset 1");
        assert_eq!(offset("ab\r", LineEnds::Strict), "invalid body: a bare CR at offset 2");
        let long = "x".repeat(70_000);
        assert!(offset(&long, LineEnds::Strict).contains("998"));
    }

    #[test]
    fn octets_above_127_under_strict_want_8bitmime() {
        let seven = Content { eight_bit: false, ..EIGHT };
        let body = || Body::from("ab\u{f6}\r\n");
        assert!(body().check(LineEnds::Strict, seven).unwrap_err().to_string().contains("8BITMIME"));
        body().check(LineEnds::Strict, EIGHT).unwrap();
        body().check(LineEnds::Normalize, seven).unwrap();
        let push = |line_ends, content| stuffer(line_ends, content).push(b"\xff", &mut Vec::new());
        assert!(push(LineEnds::Strict, seven).is_err());
        assert!(push(LineEnds::Strict, EIGHT).is_ok() && push(LineEnds::Normalize, seven).is_ok());
    }

    #[test]
    fn what_can_be_read_again() {
        let read = |body: &mut Body<'_>| {
            body.start().unwrap();
            let mut text = String::new();
            body.source().read_to_string(&mut text).unwrap();
            text
        };
        let mut skipped = io::Cursor::new("xabc");
        skipped.set_position(1);
        for mut body in [Body::from("abc"), Body::seekable(skipped), Body::open(|| Ok(&b"abc"[..]))] {
            assert!(body.can_repeat());
            assert_eq!((read(&mut body), read(&mut body)), ("abc".to_owned(), "abc".to_owned()));
        }
        assert!(!Body::reader(&b"abc"[..]).can_repeat());
        let mut missing = Body::open(|| -> io::Result<io::Empty> { Err(io::ErrorKind::NotFound.into()) });
        assert!(!missing.start().unwrap_err().is_fatal());
    }
}
