//! What this crate sees of a mailbox, for other clients to see the same; and the files that these want.

use std::path::PathBuf;
use std::{env, fs, process};

use mailconnect::imap::{FetchedMessage, ListEntry, Mailbox, MailboxStatus};

use crate::model::Endpoint;
use crate::report::Checked;

pub(crate) struct Seen {
    pub(crate) status: MailboxStatus,
    pub(crate) mailbox: Mailbox,
    /// By number, all.
    pub(crate) found: Vec<u32>,
    /// By UID.
    pub(crate) flagged: Vec<u32>,
    pub(crate) messages: Vec<FetchedMessage>,
}

impl Seen {
    /// The items of STATUS by name.
    pub(crate) fn counts(&self) -> [(&'static str, Option<u32>); 4] {
        let status = &self.status;
        [
            ("MESSAGES", status.messages),
            ("UIDNEXT", status.uid_next),
            ("UIDVALIDITY", status.uid_validity),
            ("UNSEEN", status.unseen),
        ]
    }
}

/// A mailbox's name as it goes over the wire.
pub(crate) fn raw_name(entry: &ListEntry) -> Checked<&str> {
    std::str::from_utf8(&entry.raw).map_err(|_| format!("a raw name that is not ASCII: {entry:?}"))
}

/// A folder of temporary files, gone with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(client: &str, endpoint: &Endpoint) -> Checked<Self> {
        let path = env::temp_dir().join(format!("mailconnect-{client}-{}-{}", process::id(), endpoint.name));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// The path of the file.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Checked<String> {
        let path = self.0.join(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        path.into_os_string().into_string().map_err(|path| format!("{path:?} is not UTF-8"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
