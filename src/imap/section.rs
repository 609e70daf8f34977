//! What FETCH tells of a message: the items of its cursor, and a section of the message on its way in.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

use super::tokens::words;
use crate::wire::Body;
use crate::{Error, Result};

/// What FETCH told of a message.
#[non_exhaustive]
pub enum Item<'a> {
    /// `UID`.
    Uid(u32),
    /// `FLAGS`.
    Flags(Flags<'a>),
    /// `RFC822.SIZE`, in bytes.
    Size(u64),
    /// `INTERNALDATE`, as it was sent: `17-Jul-1996 02:44:25 -0700`.
    InternalDate(&'a str),
    /// The message or a part of it: `BODY[..]`, `BINARY[..]`, `RFC822`.
    Section(Section<'a>),
    /// Any other item, and one whose value is not what it should be.
    Other {
        /// Its name.
        name: Cow<'a, str>,
        /// Its value, as it was sent.
        raw: &'a [u8],
    },
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "Uid({uid})"),
            Self::Flags(flags) => f.debug_tuple("Flags").field(flags).finish(),
            Self::Size(size) => write!(f, "Size({size})"),
            Self::InternalDate(date) => f.debug_tuple("InternalDate").field(date).finish(),
            Self::Section(section) => section.fmt(f),
            Self::Other { name, raw } => {
                let raw = String::from_utf8_lossy(raw);
                f.debug_struct("Other").field("name", name).field("raw", &raw).finish()
            }
        }
    }
}

/// The flags of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags<'a>(pub(super) &'a [u8]);

impl<'a> Flags<'a> {
    /// Their names, in the server's order and case.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        words(self.0).map(String::from_utf8_lossy)
    }

    /// True if this one is among them, in whatever case it is written: `\Seen`.
    pub fn contains(&self, flag: &str) -> bool {
        words(self.0).any(|known| known.eq_ignore_ascii_case(flag.as_bytes()))
    }
}

impl fmt::Debug for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A message or a part of it, on its way in. It is read by [`Read`], or goes to a `Write` or into memory; what is not
/// read is skipped. Whether it was sent as a literal or quoted makes no difference.
pub struct Section<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) source: Source<'a>,
}

/// Where a section is.
pub(super) enum Source<'a> {
    Stream(Body<'a>),
    Held(&'a [u8]),
    Nil,
}

impl Section<'_> {
    /// What it is, in the server's words: `BODY[HEADER]`, `BODY[]<0>`. (For `BODY.PEEK[]` too that is `BODY[]`.)
    pub fn name(&self) -> &str {
        self.name
    }

    /// How many bytes the server has announced.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// True if the server says that there is no such part.
    pub fn is_nil(&self) -> bool {
        matches!(self.source, Source::Nil)
    }

    /// Copies all that is left to `target` and returns how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Caller`] if `target` fails; all others are the connection's, which is closed then.
    pub fn copy_to(&mut self, target: &mut (impl Write + ?Sized)) -> Result<u64> {
        match &mut self.source {
            Source::Stream(body) => body.copy_to(target),
            Source::Held(bytes) => {
                let failed = |source| Error::Caller { what: "the writer of a body", source, closed: false };
                target.write_all(bytes).map_err(failed)?;
                Ok(std::mem::take(bytes).len() as u64)
            }
            Source::Nil => Ok(0),
        }
    }

    /// All that is left, in memory, up to `limits.collected`.
    ///
    /// # Errors
    /// [`Error::Limit`] above that; all others are the connection's.
    pub fn collect(&mut self) -> Result<Vec<u8>> {
        match &mut self.source {
            Source::Stream(body) => body.collect(),
            Source::Held(bytes) => Ok(std::mem::take(bytes).to_vec()),
            Source::Nil => Ok(Vec::new()),
        }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Stream(body) => body.read(buf),
            Source::Held(bytes) => bytes.read(buf),
            Source::Nil => Ok(0),
        }
    }
}

impl BufRead for Section<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.source {
            Source::Stream(body) => body.fill_buf(),
            Source::Held(bytes) => Ok(bytes),
            Source::Nil => Ok(&[]),
        }
    }

    fn consume(&mut self, n: usize) {
        match &mut self.source {
            Source::Stream(body) => body.consume(n),
            Source::Held(bytes) => bytes.consume(n),
            Source::Nil => {}
        }
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}
