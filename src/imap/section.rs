//! What FETCH tells of a message: the items of its cursor, and a section of the message on its way in.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

use super::DateTime;
use super::envelope::Envelope;
use super::items::{Numbered, Valued};
use super::mailbox::each_flag;
use super::names::Names;
use super::strings::{string, strings};
use super::structure::BodyStructure;
use super::text::Text;
use crate::wire::Body;
use crate::{Error, Result};

/// What FETCH told of a message. Envelopes, structures and labels are read when they are asked for.
#[non_exhaustive]
pub enum Item<'a> {
    /// `UID`.
    Uid(u32),
    /// `FLAGS`.
    Flags(Flags<'a>),
    /// `RFC822.SIZE`, in bytes.
    Size(u64),
    /// `INTERNALDATE`: when the server got the message.
    InternalDate(DateTime),
    /// `ENVELOPE`.
    Envelope(Envelope<'a>),
    /// `BODYSTRUCTURE`, and `BODY` without a section.
    Structure(BodyStructure<'a>),
    /// `MODSEQ`, RFC 7162.
    ModSeq(u64),
    /// `EMAILID`, RFC 8474: the same wherever the message is copied.
    EmailId(Text<'a>),
    /// `THREADID`, RFC 8474, if the message is in a thread.
    ThreadId(Option<Text<'a>>),
    /// `X-GM-MSGID`: Gmail's number of the message.
    GmailMessageId(u64),
    /// `X-GM-THRID`: Gmail's number of the thread.
    GmailThreadId(u64),
    /// `X-GM-LABELS`: Gmail's labels.
    GmailLabels(Labels<'a>),
    /// `PREVIEW`, RFC 8970: how the text begins, if the server knows.
    Preview(Option<Text<'a>>),
    /// `SAVEDATE`, RFC 8514: when the message came into this mailbox, if the server knows.
    SaveDate(Option<DateTime>),
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

impl<'a> Item<'a> {
    /// An item that is a number.
    pub(super) fn numbered(kind: Numbered, number: u64) -> Self {
        match kind {
            // Those that do not fit were sorted out before.
            Numbered::Uid => Self::Uid(u32::try_from(number).unwrap_or_default()),
            Numbered::Size => Self::Size(number),
            Numbered::ModSeq => Self::ModSeq(number),
            Numbered::GmailMessage => Self::GmailMessageId(number),
            Numbered::GmailThread => Self::GmailThreadId(number),
        }
    }

    /// An item of its value as it was sent; none if that is not what it should be.
    pub(super) fn valued(kind: Valued, raw: &'a [u8]) -> Option<Self> {
        let nil = raw.eq_ignore_ascii_case(b"NIL");
        // Ids stand in parentheses.
        let id = || strings(raw).next().or_else(|| string(raw));
        Some(match kind {
            Valued::Flags => Self::Flags(Flags(raw)),
            Valued::Date => Self::InternalDate(DateTime::parse(string(raw)?.as_bytes())?),
            Valued::EmailId => Self::EmailId(id()?),
            Valued::ThreadId if nil => Self::ThreadId(None),
            Valued::ThreadId => Self::ThreadId(Some(id()?)),
            Valued::Labels => Self::GmailLabels(Labels(raw)),
            Valued::Preview if nil => Self::Preview(None),
            Valued::Preview => Self::Preview(Some(string(raw)?)),
            Valued::SaveDate if nil => Self::SaveDate(None),
            Valued::SaveDate => Self::SaveDate(Some(DateTime::parse(string(raw)?.as_bytes())?)),
        })
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "Uid({uid})"),
            Self::Flags(flags) => f.debug_tuple("Flags").field(flags).finish(),
            Self::Size(size) => write!(f, "Size({size})"),
            Self::InternalDate(date) => write!(f, "InternalDate({date})"),
            Self::Envelope(envelope) => envelope.fmt(f),
            Self::Structure(structure) => f.debug_tuple("Structure").field(structure).finish(),
            Self::ModSeq(number) => write!(f, "ModSeq({number})"),
            Self::EmailId(id) => f.debug_tuple("EmailId").field(id).finish(),
            Self::ThreadId(id) => f.debug_tuple("ThreadId").field(id).finish(),
            Self::GmailMessageId(number) => write!(f, "GmailMessageId({number})"),
            Self::GmailThreadId(number) => write!(f, "GmailThreadId({number})"),
            Self::GmailLabels(labels) => f.debug_tuple("GmailLabels").field(labels).finish(),
            Self::Preview(text) => f.debug_tuple("Preview").field(text).finish(),
            Self::SaveDate(date) => f.debug_tuple("SaveDate").field(date).finish(),
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
        each_flag(self.0).map(|flag| match flag {
            Cow::Borrowed(flag) => String::from_utf8_lossy(flag),
            Cow::Owned(flag) => Cow::Owned(String::from_utf8_lossy(&flag).into_owned()),
        })
    }

    /// True if this one is among them, in whatever case it is written: `\Seen`.
    pub fn contains(&self, flag: &str) -> bool {
        each_flag(self.0).any(|known| known.eq_ignore_ascii_case(flag.as_bytes()))
    }
}

impl fmt::Debug for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Gmail's labels of a message. [`command`](crate::Client::command) changes them (`UID STORE 5 +X-GM-LABELS (..)`), with
/// names by [`MailboxName::to_utf7`](super::MailboxName::to_utf7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// Their names, in the server's order. As those of mailboxes, they come in modified UTF-7; one that does not decode is
    /// shown as it was sent.
    pub fn iter(&self) -> impl Iterator<Item = String> + use<'a> {
        strings(self.0).map(|label| Names::Utf7.decode(label.as_bytes()).unwrap_or_else(|| label.to_string()))
    }

    /// Their names, as they were sent.
    pub fn raw(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        strings(self.0)
    }
}

impl fmt::Debug for Labels<'_> {
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
