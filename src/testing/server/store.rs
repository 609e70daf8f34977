//! What a server keeps: the messages that it received, and one mailbox. It writes nothing to disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::ReceivedMessage;

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
        let date = date.unwrap_or_else(|| date_time(SystemTime::now()));
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

/// A time as IMAP writes it, in UTC: ` 1-Jan-1970 00:00:00 +0000`.
fn date_time(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut day = seconds / 86_400;
    let mut year = 1970;
    let leap = |year: u64| u64::from((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    while day >= 365 + leap(year) {
        day -= 365 + leap(year);
        year += 1;
    }
    let mut month = "Dec";
    for (name, length) in MONTHS.iter().zip([31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if day < length {
            month = name;
            break;
        }
        day -= length;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{:2}-{month}-{year} {hour:02}:{minute:02}:{second:02} +0000", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |seconds| date_time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(date(0), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(date(951_782_399), "28-Feb-2000 23:59:59 +0000");
        assert_eq!(date(951_782_400), "29-Feb-2000 00:00:00 +0000");
        assert_eq!(date(1_704_067_199), "31-Dec-2023 23:59:59 +0000");
    }
}
