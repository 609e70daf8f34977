//! What a server says without being asked, kept in one bounded queue until somebody reads it.

use std::collections::VecDeque;
use std::fmt;

use super::codec::{Status, Untagged};
use super::items::flags_of;
use super::mailbox::flags;
use crate::Limits;

/// Something that the server said without being asked. Text is shown without control characters.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The selected mailbox has so many messages now.
    Exists(u32),
    /// So many of them no session was told of before.
    Recent(u32),
    /// The message with this sequence number is gone; those after it have moved up by one.
    Expunge(u32),
    /// A message has these flags now.
    Flags {
        /// Its sequence number.
        message: u32,
        /// Its UID, if the server told it.
        uid: Option<u32>,
        /// All its flags.
        flags: Vec<String>,
    },
    /// The flags that exist in the selected mailbox.
    MailboxFlags(Vec<String>),
    /// A message that the user must be shown (RFC 9051, 7.1).
    Alert(String),
    /// Anything else, as it was sent, without its line end.
    Other(Vec<u8>),
}

impl Event {
    pub(super) fn alert(status: &Status<'_>) -> Self {
        let text = String::from_utf8_lossy(status.text);
        Self::Alert(text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect())
    }

    pub(super) fn new(data: &Untagged<'_>, limits: &Limits) -> Self {
        match data.number {
            Some(number) if data.is("EXISTS", true) => Self::Exists(number),
            Some(number) if data.is("RECENT", true) => Self::Recent(number),
            Some(number) if data.is("EXPUNGE", true) => Self::Expunge(number),
            Some(message) if data.is("FETCH", true) => match flags_of(data.rest, limits) {
                Some((uid, flags)) => Self::Flags { message, uid, flags },
                None => Self::Other(data.whole.to_vec()),
            },
            None if data.is("FLAGS", false) => Self::MailboxFlags(flags(data.rest)),
            _ => Self::Other(data.whole.to_vec()),
        }
    }

    /// What it takes in memory, roughly.
    fn size(&self) -> usize {
        let lists = |flags: &[String]| flags.iter().map(|flag| flag.len() + size_of::<String>()).sum();
        size_of::<Self>()
            + match self {
                Self::Flags { flags, .. } | Self::MailboxFlags(flags) => lists(flags),
                Self::Alert(text) => text.len(),
                Self::Other(raw) => raw.len(),
                _ => 0,
            }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(number) => write!(f, "Exists({number})"),
            Self::Recent(number) => write!(f, "Recent({number})"),
            Self::Expunge(number) => write!(f, "Expunge({number})"),
            Self::Flags { message, uid, flags } => {
                f.debug_struct("Flags").field("message", message).field("uid", uid).field("flags", flags).finish()
            }
            Self::MailboxFlags(flags) => f.debug_tuple("MailboxFlags").field(flags).finish(),
            Self::Alert(text) => f.debug_tuple("Alert").field(text).finish(),
            Self::Other(raw) => f.debug_tuple("Other").field(&String::from_utf8_lossy(raw)).finish(),
        }
    }
}

/// What came without being asked since the last look, in the order in which it came; see
/// [`ImapClient::events`](crate::Client::events).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Events {
    /// Some are missing: there were more than `limits.event_queue`, or a FETCH was not read to its end. What is known of
    /// the selected mailbox must be asked again.
    pub incomplete: bool,
    queue: VecDeque<Event>,
    size: usize,
}

impl Events {
    pub(super) fn push(&mut self, event: Event, limits: &Limits) {
        let size = self.size.saturating_add(event.size());
        // As many bytes as one line may have: few but large events are bounded too.
        if self.queue.len() >= limits.event_queue || size > limits.imap_line {
            self.incomplete = true;
        } else {
            self.size = size;
            self.queue.push_back(event);
        }
    }

    /// How many there are left.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if there are none left.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }
}
