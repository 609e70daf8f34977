//! A mailbox as Python's imaplib sees it, which must be as this crate sees it.

use std::process::Command;

use mailconnect::imap::{FetchedMessage, Item, ListEntry};
use serde_json::Value;

use crate::login::USER;
use crate::model::{Endpoint, Rig};
use crate::report::{Checked, During, ensure};
use crate::seen::{Folder, Seen, raw_name};

const PROGRAM: &str = include_str!("imaplib.py");

/// What imaplib sees.
pub(crate) fn look(rig: &Rig, endpoint: &Endpoint, mailbox: &ListEntry) -> Checked<Value> {
    let (user, password) = rig.credentials(endpoint, USER);
    let (host, port) = endpoint.address();
    let port = port.to_string();
    let mode = endpoint.mode.to_string();
    let arguments = ["-c", PROGRAM, host, &port, &mode, &user, password, raw_name(mailbox)?];
    let mut python = Command::new("python3");
    python.args(arguments);
    let folder = Folder::new("imaplib", endpoint)?;
    if endpoint.client_cert {
        python.arg(folder.write("identity.pem", &rig.client.concat())?);
    }
    let output = python.output().map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        return Err(format!("imaplib: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("imaplib: {error}"))
}

pub(crate) fn compare(ours: &Seen, theirs: &Value) -> Checked {
    ensure(theirs["listed"].as_array().is_some_and(|lines| !lines.is_empty()), || format!("imaplib's LIST: {theirs}"))?;
    for (item, ours) in ours.counts() {
        ensure(theirs["status"][item].as_u64() == ours.map(u64::from), || format!("{item}: {ours:?} and {theirs}"))?;
    }
    let Seen { mailbox, found, flagged, messages, .. } = ours;
    ensure(theirs["exists"] == mailbox.exists && mailbox.read_only, || format!("{mailbox:?} and {theirs}"))?;
    ensure(theirs["search"] == serde_json::json!(found), || format!("SEARCH: {found:?} and {theirs}"))?;
    ensure(theirs["flagged"] == serde_json::json!(flagged), || format!("UID SEARCH: {flagged:?} and {theirs}"))?;
    for message in messages {
        same_message(message, &theirs["messages"][message.uid().unwrap_or_default().to_string()])?;
    }
    Ok(())
}

fn same_message(ours: &FetchedMessage, theirs: &Value) -> Checked {
    let mut flags: Vec<String> = ours.flags().ok_or("no flags")?.iter().map(|flag| flag.to_ascii_lowercase()).collect();
    flags.retain(|flag| flag != "\\recent");
    flags.sort();
    ensure(theirs["flags"] == serde_json::json!(flags), || format!("flags {flags:?} and {theirs}"))?;
    let mut told = 0;
    for item in ours.items() {
        match item {
            Item::Size(size) => ensure(theirs["size"] == size, || format!("size {size} and {theirs}"))?,
            Item::InternalDate(date) => {
                let date = date.to_string();
                ensure(theirs["date"].as_str().is_some_and(|theirs| theirs.trim() == date.trim()), || {
                    format!("{date} and {theirs}")
                })?;
            }
            Item::Section(mut section) => {
                let body = section.collect().during("a section")?;
                let latin: String = body.iter().map(|&byte| char::from(byte)).collect();
                ensure(theirs["body"] == latin, || format!("{latin:?} and {theirs}"))?;
            }
            _ => continue,
        }
        told += 1;
    }
    ensure(told == 3, || format!("{ours:?}"))
}
