//! What a server keeps: the messages that it received, and one mailbox. It writes nothing to disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::ReceivedMessage;
use crate::imap::DateTime;

pub(super) struct Store {
    pub(super) received: Vec<ReceivedMessage>,
    pub(super) messages: Vec<Message>,
    pub(super) uid_next: u32,
}

/// A message in the mailbox.
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) flags: BTreeSet<String>,
    /// IMAP's INTERNALDATE, without the quotes.
    pub(super) date: String,
    pub(super) body: Arc<[u8]>,
}

impl Store {
    pub(super) fn new(messages: Vec<Vec<u8>>) -> Self {
        let mut store = Self { received: Vec::new(), messages: Vec::new(), uid_next: 1 };
        for message in messages {
            store.add(message, BTreeSet::new(), None);
        }
        store
    }

    pub(super) fn add(&mut self, body: Vec<u8>, flags: BTreeSet<String>, date: Option<String>) {
        let date = date.unwrap_or_else(now);
        self.messages.push(Message { uid: self.uid_next, flags, date, body: body.into() });
        self.uid_next = self.uid_next.saturating_add(1);
    }

    pub(super) fn by_uid(&mut self, uid: u32) -> Option<&mut Message> {
        let index = self.messages.binary_search_by_key(&uid, |message| message.uid).ok()?;
        self.messages.get_mut(index)
    }

    pub(super) fn remove(&mut self, gone: impl Fn(&Message) -> bool) {
        self.messages.retain(|message| !gone(message));
    }
}

/// The time as IMAP writes it, in UTC.
fn now() -> String {
    DateTime::try_from(SystemTime::now()).map(|now| now.to_string()).unwrap_or_default()
}
