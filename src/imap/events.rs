//! What a server says without being asked, kept in one bounded queue until somebody reads it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::SequenceSet;
use super::codec::{Condition, Status, Untagged, word};
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
    /// The messages with these UIDs are gone (RFC 7162, 3.2.10): what a server says instead of `Expunge` once QRESYNC is
    /// enabled.
    Vanished(SequenceSet),
    /// The flags that exist in the selected mailbox.
    MailboxFlags(Vec<String>),
    /// A message that the user must be shown (RFC 9051, 7.1).
    Alert(String),
    /// The server closes the connection, for the reason that it gives.
    Bye(String),
    /// Anything else, as it was sent, without its line end.
    Other(Vec<u8>),
}

impl Event {
    pub(super) fn alert(status: &Status<'_>) -> Self {
        Self::Alert(shown(status.text))
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
            None if data.is("VANISHED", false) => match vanished(data.rest) {
                Some(uids) => Self::Vanished(uids),
                None => Self::Other(data.whole.to_vec()),
            },
            _ => match data.status() {
                Some(status) if status.condition == Condition::Bye => Self::Bye(shown(status.text)),
                _ => Self::Other(data.whole.to_vec()),
            },
        }
    }

    /// What it takes in memory, roughly.
    fn size(&self) -> usize {
        let lists = |flags: &[String]| flags.iter().map(|flag| flag.len() + size_of::<String>()).sum();
        size_of::<Self>()
            + match self {
                Self::Flags { flags, .. } | Self::MailboxFlags(flags) => lists(flags),
                Self::Vanished(uids) => size_of::<u64>() * uids.ranges().len(),
                Self::Alert(text) | Self::Bye(text) => text.len(),
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
            Self::Vanished(uids) => write!(f, "Vanished({uids})"),
            Self::Flags { message, uid, flags } => {
                f.debug_struct("Flags").field("message", message).field("uid", uid).field("flags", flags).finish()
            }
            Self::MailboxFlags(flags) => f.debug_tuple("MailboxFlags").field(flags).finish(),
            Self::Alert(text) => f.debug_tuple("Alert").field(text).finish(),
            Self::Bye(text) => f.debug_tuple("Bye").field(text).finish(),
            Self::Other(raw) => f.debug_tuple("Other").field(&String::from_utf8_lossy(raw)).finish(),
        }
    }
}

fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `300:310` of `* VANISHED 300:310`. With `(EARLIER)` it is part of an answer, and no news.
fn vanished(rest: &[u8]) -> Option<SequenceSet> {
    SequenceSet::as_sent(word(rest).0)
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

/// The queue in a client, and who is told at once. It can be emptied of a closed client too, of which nothing else can be
/// changed.
#[derive(Default)]
pub(super) struct News {
    queue: Cell<Events>,
    listener: Option<Listener>,
    /// Nothing is believed that is said before the upgrade, so nobody is told of it.
    deaf: bool,
}

pub(super) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl News {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Self { queue: Cell::default(), listener, deaf: false }
    }

    pub(super) fn listener(&self) -> Option<Listener> {
        self.listener.clone()
    }

    /// Takes nothing until it is made anew.
    pub(super) fn ignore(&mut self) {
        self.deaf = true;
    }

    pub(super) fn push(&mut self, event: Event, limits: &Limits) {
        if self.deaf {
            return;
        }
        if let Some(listener) = &self.listener {
            listener(&event);
        }
        self.queue.get_mut().push(event, limits);
    }

    /// Some were not read.
    pub(super) fn are_incomplete(&mut self) {
        self.queue.get_mut().incomplete = true;
    }

    pub(super) fn take(&self) -> Events {
        self.queue.take()
    }

    /// The oldest one; the others and the mark stay.
    pub(super) fn next(&self) -> Option<Event> {
        let mut events = self.queue.take();
        let next = events.next();
        self.queue.set(events);
        next
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").field("listener", &self.listener.is_some()).finish_non_exhaustive()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.size = self.size.saturating_sub(event.size());
        Some(event)
    }
}
