//! SEARCH, FETCH and STORE and their UID forms, RFC 3501 sections 6.4.4 to 6.4.8. Sequence numbers are those that the
//! client knows, whatever other sessions removed meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::imap::{Answer, Selected, bad, done, no};
use super::imap_data::{Item, Key, Set, flag_list, flags, part};
use super::imap_parse::Value;
use super::stream::Connection;

impl Selected {
    pub(super) fn on_messages(
        &self,
        connection: &mut Connection,
        name: &str,
        args: &[Value],
        uid: bool,
    ) -> io::Result<Answer> {
        match (name, args) {
            ("SEARCH", keys) => self.search(connection, keys, uid),
            ("FETCH", [set, items]) => match (self.targets(set, uid), Item::parse_all(items)) {
                (Some(targets), Some(items)) => self.fetch(connection, &targets, items, uid),
                _ => bad("FETCH set items"),
            },
            ("STORE", [set, item, flags @ ..]) if !flags.is_empty() => match self.targets(set, uid) {
                Some(targets) => self.store(connection, &targets, item, flags, uid),
                None => bad("not a set"),
            },
            ("COPY", [_, _]) => no("[TRYCREATE] no such mailbox"),
            _ => bad("wrong arguments"),
        }
    }

    fn last(&self) -> u32 {
        u32::try_from(self.view.len()).unwrap_or(u32::MAX)
    }

    /// The messages of a set, by sequence number and UID.
    fn targets(&self, set: &Value, uid: bool) -> Option<Vec<(u32, u32)>> {
        let set = Set::parse(set.atom()?)?;
        if !uid && set.exceeds(self.last()) {
            return None;
        }
        let last = if uid { self.view.last().copied().unwrap_or_default() } else { self.last() };
        let numbered = (1..).zip(self.view.iter().copied());
        Some(numbered.filter(|target| set.contains(if uid { target.1 } else { target.0 }, last)).collect())
    }

    fn search(&self, connection: &mut Connection, keys: &[Value], uid: bool) -> io::Result<Answer> {
        let Some(keys) = Key::parse_all(keys) else { return bad("unknown search key") };
        let (last, last_uid) = (self.last(), self.view.last().copied().unwrap_or_default());
        let mut line = "* SEARCH".to_owned();
        let mut store = connection.shared().store();
        for (number, id) in (1..).zip(self.view.iter().copied()) {
            let Some(message) = store.by_uid(id) else { continue };
            if keys.iter().all(|key| key.matches(message, number, last, last_uid)) {
                line.push_str(&format!(" {}", if uid { id } else { number }));
            }
        }
        drop(store);
        connection.say(&line)?;
        done("SEARCH completed")
    }

    fn fetch(
        &self,
        connection: &mut Connection,
        targets: &[(u32, u32)],
        mut items: Vec<Item>,
        uid: bool,
    ) -> io::Result<Answer> {
        if uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        let sees = !self.read_only && items.iter().any(Item::sees);
        for (number, id) in targets {
            let mut store = connection.shared().store();
            let Some(message) = store.by_uid(*id) else { continue };
            let news = sees && message.flags.insert("\\Seen".to_owned());
            let (flags, date, body) = (flag_list(&message.flags), message.date.clone(), Arc::clone(&message.body));
            drop(store);
            let mut line = format!("* {number} FETCH (");
            for (index, item) in items.iter().enumerate() {
                line.push_str(if index == 0 { "" } else { " " });
                match item {
                    Item::Flags => line.push_str(&format!("FLAGS {flags}")),
                    Item::Uid => line.push_str(&format!("UID {id}")),
                    Item::Size => line.push_str(&format!("RFC822.SIZE {}", body.len())),
                    Item::Date => line.push_str(&format!("INTERNALDATE \"{date}\"")),
                    Item::Section { label, section, partial, .. } => {
                        let bytes = part(section.of(&body), *partial);
                        connection.say(&format!("{line}{label} {{{}}}", bytes.len()))?;
                        connection.say_message(bytes)?;
                        line.clear();
                    }
                }
            }
            if news && !items.contains(&Item::Flags) {
                line.push_str(&format!(" FLAGS {flags}"));
            }
            connection.say(&format!("{line})"))?;
        }
        done("FETCH completed")
    }

    fn store(
        &self,
        connection: &mut Connection,
        targets: &[(u32, u32)],
        item: &Value,
        values: &[Value],
        uid: bool,
    ) -> io::Result<Answer> {
        let item = item.atom().unwrap_or_default().to_ascii_uppercase();
        let (item, silent) = item.strip_suffix(".SILENT").map_or((item.as_str(), false), |item| (item, true));
        let Some(given) = flags(values) else { return bad("not flags") };
        let change: fn(&mut BTreeSet<String>, &BTreeSet<String>) = match item {
            "FLAGS" => |flags, given| flags.clone_from(given),
            "+FLAGS" => |flags, given| flags.extend(given.iter().cloned()),
            "-FLAGS" => |flags, given| flags.retain(|flag| !given.contains(flag)),
            _ => return bad("STORE set [+|-]FLAGS[.SILENT] flags"),
        };
        if self.read_only {
            return no("read-only");
        }
        for (number, id) in targets {
            let mut store = connection.shared().store();
            let Some(message) = store.by_uid(*id) else { continue };
            change(&mut message.flags, &given);
            let flags = flag_list(&message.flags);
            drop(store);
            if !silent {
                let uid = if uid { format!("UID {id} ") } else { String::new() };
                connection.say(&format!("* {number} FETCH ({uid}FLAGS {flags})"))?;
            }
        }
        done("STORE completed")
    }
}
