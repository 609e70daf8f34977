//! IMAP against scripts: each exchange whole, line by line and byte by byte.

mod batch;
mod commands;
mod counting;
mod fetch;
mod hostile;
mod idle;
mod idle_ends;
mod injection;
mod left;
mod linear;
mod literals;
mod login;
mod mailboxes;
mod names;
mod offers;
mod opening;
mod patience;
mod quirks;
mod recorded;
mod refusals;
mod rig;
mod splits;
mod unasked;

use mailconnect::imap::{Imap, Item};
use mailconnect::testing::{Chunking, Script, ScriptHandle, StandInTls};
use mailconnect::{Connector, Error, ImapClient, Result, Security};

const PEER: (&str, u16) = ("mail.example.com", 143);

fn open_with(
    connector: Connector,
    imap: Imap,
    script: Script,
    security: Security,
) -> (Result<ImapClient>, ScriptHandle) {
    let (transport, handle) = script.play();
    let connector = connector.clock(handle.clock()).tls(StandInTls::new()).danger_plaintext_auth(true);
    (connector.over(imap, transport, PEER, security), handle)
}

fn open(script: &str) -> (Result<ImapClient>, ScriptHandle) {
    open_with(Connector::new(), Imap::new(), Script::parse(script).unwrap(), Security::Plain)
}

/// A session after the greeting, in every chunking; the script must be played to its end.
#[track_caller]
fn session(script: &str, work: impl Fn(ImapClient)) {
    session_of(&Connector::new(), Script::parse(&format!("S: * OK ready\n{script}")).unwrap(), work);
}

/// As [`session`], with a server that offers this.
#[track_caller]
fn offering(capabilities: &str, script: &str, work: impl Fn(ImapClient)) {
    let script = format!("S: * OK [CAPABILITY IMAP4rev1 {capabilities}] ready\n{script}");
    session_of(&Connector::new(), Script::parse(&script).unwrap(), work);
}

#[track_caller]
fn session_of(connector: &Connector, script: Script, work: impl Fn(ImapClient)) {
    for chunking in Chunking::ALL {
        let script = script.clone().chunking(chunking);
        let (client, handle) = open_with(connector.clone(), Imap::new(), script, Security::Plain);
        work(client.unwrap());
        handle.finish();
    }
}

#[track_caller]
fn rejected(error: &Error) -> (&str, &str, Option<&str>) {
    let rejection = error.rejection().unwrap_or_else(|| panic!("{error:?}"));
    (&rejection.command, &rejection.status, rejection.code.as_deref())
}

/// All that a FETCH gives, one item a line.
fn told(client: &mut ImapClient, set: &str, items: &str) -> Result<Vec<String>> {
    let mut told = Vec::new();
    let mut list = client.fetch(set, items)?;
    while let Some(mut message) = list.next_message()? {
        told.push(format!("message {}", message.number()));
        while let Some(item) = message.next_item()? {
            told.push(match item {
                Item::Section(mut section) => {
                    let name = format!("{} {} ", section.name(), section.size());
                    let nil = if section.is_nil() { "NIL" } else { "" };
                    name + nil + &String::from_utf8_lossy(&section.collect()?)
                }
                Item::Other { name, raw } => format!("{name}: {}", String::from_utf8_lossy(raw)),
                item => format!("{item:?}"),
            });
        }
    }
    Ok(told)
}
