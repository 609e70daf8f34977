//! How a protocol tells the wire where an answer ends. A framer does no I/O and keeps no bytes.

use std::fmt;

/// What a framer needs next, or has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// One more line, of at most `max` bytes with its line end, appended to the frame.
    Line {
        /// The limit.
        max: usize,
    },
    /// Exactly so many more bytes, appended to the frame; `max` limits the whole frame.
    Collect {
        /// How many.
        bytes: u64,
        /// The limit of the frame.
        max: usize,
    },
    /// The frame is lent as it is, and so many bytes of a body follow. The answer goes on after them, with an empty
    /// frame.
    Stream(u64),
    /// The frame is lent as it is, and a dotted body follows; the answer ends with it.
    Dotted,
    /// The frame is whole, and more of the same answer follows.
    Frame,
    /// The frame is whole, and the answer ends with it.
    Last,
}

/// A small state machine that cuts one answer into frames.
///
/// It is asked with the bytes of the frame so far (empty at the start of each), again and again, and says what it needs
/// next. It must say [`Need::Frame`] or [`Need::Last`] at last: limits are its own to know.
///
/// ```
/// use mailconnect::wire::{Flaw, Framer, Need};
///
/// /// One line is the whole answer.
/// struct OneLine;
/// impl Framer for OneLine {
///     fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
///         Ok(if frame.is_empty() { Need::Line { max: 512 } } else { Need::Last })
///     }
/// }
/// ```
pub trait Framer: Send {
    /// Looks at the frame so far and says what is needed next.
    ///
    /// # Errors
    /// [`Flaw`] if the bytes cannot be part of an answer; the connection is then closed.
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw>;
}

/// What is wrong with bytes that a server sent, without the context that the wire adds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Not in the form that the protocol demands.
    Malformed(&'static str),
    /// More than a limit allows.
    TooMuch {
        /// What is limited, with its unit: "lines in a reply".
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::TooMuch { what, max } => write!(f, "more than {max} {what}"),
        }
    }
}

/// An answer that is due: its framer, and what to call it in errors.
pub struct Answer {
    pub(super) command: &'static str,
    pub(super) framer: Box<dyn Framer>,
    pub(super) changes_state: bool,
    pub(super) resumable: bool,
}

impl Answer {
    /// The answer to `command` (`"RETR"`), framed by `framer`.
    pub fn new(command: &'static str, framer: impl Framer + 'static) -> Self {
        Self { command, framer: Box::new(framer), changes_state: false, resumable: false }
    }

    /// The command changes what the server keeps: if its answer is lost,
    /// [`Error::outcome_unknown`](crate::Error::outcome_unknown) is true.
    #[must_use]
    pub fn changing(mut self) -> Self {
        self.changes_state = true;
        self
    }

    /// It is news and answers no command: if it is half read when the next command begins, its rest is not read away by
    /// that, but left to the protocol, which goes on with it.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.command)
    }
}

/// Stands in while a framer is at work.
pub(super) struct Absent;

impl Framer for Absent {
    fn need(&mut self, _: &[u8]) -> Result<Need, Flaw> {
        Err(Flaw::Malformed("the answer's framer is at work"))
    }
}
