//! What a server says without being asked, kept in one bounded queue until somebody reads it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::codec::{Condition, Response, Status, Untagged, word};
use super::exchange::Completion;
use super::items::flags_of;
use super::line::Line;
use super::mailbox::flags;
use super::{Mailbox, ResponseCode, SequenceSet};
use crate::{Error, Limits, Result};

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
    /// Anything else, as it was sent, without its line end; [`code`](Self::code) reads its response code.
    Other(Vec<u8>),
}

impl Event {
    /// The response code of what is kept as it was sent (`* NO [WEBALERT ..]`, `* OK [UIDVALIDITY 9]`, a tagged
    /// `OK [REFERRAL ..]`), and that of an alert. None for what has none; that of a goodbye is in the
    /// [`Rejection`](crate::Rejection) with which the session ends.
    ///
    /// ```
    /// use mailconnect::imap::ResponseCode;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK ready\n\
    /// #      C: A1 NOOP\n\
    /// #      S: * NO [WEBALERT https://example.com/blocked] Please log in via your web browser\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// # imap.noop()?;
    /// # let mut pages = Vec::new();
    /// for event in imap.events() {
    ///     if let Some(ResponseCode::WebAlert(page)) = event.code() {
    ///         println!("the user must visit {page}");
    /// #       pages.push(page);
    ///     }
    /// }
    /// # assert_eq!(pages, ["https://example.com/blocked"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn code(&self) -> Option<ResponseCode> {
        let code = match self {
            Self::Alert(_) => return Some(ResponseCode::Alert),
            Self::Other(raw) => match Response::parse(raw) {
                Response::Untagged(data) => data.code(),
                Response::Tagged(status) => status?.code,
                Response::Continue(_) | Response::Blank => None,
            },
            _ => None,
        };
        code.map(|code| ResponseCode::new(&code))
    }

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

    /// True if it is about the selected mailbox.
    fn is_of_a_mailbox(&self) -> bool {
        use Event::{Exists, Expunge, Flags, MailboxFlags, Recent, Vanished};
        match self {
            Exists(_) | Recent(_) | Expunge(_) | Flags { .. } | Vanished(_) | MailboxFlags(_) => true,
            Self::Other(raw) => match Response::parse(raw) {
                Response::Untagged(data) => {
                    let code = || data.code().is_some_and(|code| Mailbox::default().code(code));
                    data.is("FETCH", true) || data.is("VANISHED", false) || code()
                }
                _ => false,
            },
            _ => false,
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
    /// the selected mailbox must be asked again. To open another one clears it.
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

    /// Drops what is about a mailbox, of the first so many.
    fn forget_mailbox(&mut self, old: usize) {
        let mut place = 0;
        self.queue.retain(|event| {
            place += 1;
            place > old || !event.is_of_a_mailbox()
        });
        self.size = self.queue.iter().map(Event::size).fold(0, usize::saturating_add);
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
    opening: Option<Before>,
    /// Nothing is believed that is said before the upgrade, so nobody is told of it.
    deaf: bool,
}

/// What was there when the mailbox that is being opened last told of itself.
#[derive(Clone, Copy)]
struct Before {
    events: usize,
    incomplete: bool,
}

pub(super) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl News {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Self { queue: Cell::default(), listener, opening: None, deaf: false }
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

    /// The mailbox that is being opened tells of itself: what is there is about the one before, or is in that already.
    pub(super) fn opening(&mut self) {
        let queue = self.queue.get_mut();
        let before = self.opening.is_some_and(|before| before.incomplete);
        let incomplete = std::mem::take(&mut queue.incomplete) || before;
        self.opening = Some(Before { events: queue.len(), incomplete });
    }

    /// SELECT, EXAMINE, CLOSE or UNSELECT was answered.
    pub(super) fn left(&mut self, line: &Line<'_>, answer: &Result<Completion>) {
        let queue = self.queue.get_mut();
        let before = self.opening.take();
        match answer {
            Ok(_) => {
                queue.incomplete &= before.is_some();
                queue.forget_mailbox(before.map_or(usize::MAX, |before| before.events));
            }
            // RFC 9051, 6.3.2: then none is open. A CLOSE that is refused has done nothing.
            Err(Error::Rejected(refusal)) if &*refusal.status == "NO" && !line.only_closes() => {
                queue.incomplete = false;
                queue.forget_mailbox(usize::MAX);
            }
            Err(_) => queue.incomplete |= before.is_some_and(|before| before.incomplete),
        }
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
