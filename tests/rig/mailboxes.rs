//! Where mail arrives: looks through the IMAP and POP3 endpoints of a store until a message is there.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mailconnect::{ImapClient, Pop3Client};

use crate::login::{self, USER};
use crate::messages::Message;
use crate::model::{Endpoint, Proto, Rig};
use crate::report::{Checked, During, Notes, ensure};
use crate::{imap, opening, pop3};

/// How long a message may take, and how long to wait between two looks.
const DELIVERY: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(150);

static IN_USE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static FREED: Condvar = Condvar::new();

/// The only session of a store that changes it, and the only one by POP3: many servers refuse a second one of the same
/// user.
pub(crate) struct Alone(String);

pub(crate) fn alone(endpoint: &Endpoint) -> Alone {
    let store = endpoint.store.clone().unwrap_or_else(|| endpoint.name.clone());
    let mut in_use = FREED.wait_while(IN_USE.lock().unwrap(), |in_use| in_use.contains(&store)).unwrap();
    in_use.insert(store.clone());
    Alone(store)
}

impl Drop for Alone {
    fn drop(&mut self) {
        IN_USE.lock().unwrap().remove(&self.0);
        FREED.notify_all();
    }
}

/// True for Dovecot's stores, which serve any number of sessions of one user; most endpoints are of these.
pub(crate) fn is_crowded(endpoint: &Endpoint) -> bool {
    endpoint.store.as_deref().is_some_and(|store| store.starts_with("dovecot"))
}

/// Makes, renames or deletes a mailbox of a crowded store while no other session does: Dovecot, asked by several at once,
/// at times answers to a name that is new that it is there already.
pub(crate) fn naming<T>(crowded: bool, work: impl FnOnce() -> T) -> T {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = crowded.then(|| ONE.lock().unwrap_or_else(PoisonError::into_inner));
    work()
}

/// The message is in the store, the same byte for byte by IMAP and by POP3, as far as the store has such endpoints. It is
/// deleted in the end, so that alice's mailbox does not grow.
pub(crate) fn arrived(rig: &Rig, store: &str, message: &Message, notes: &mut Notes) -> Checked {
    let readers = [Proto::Imap, Proto::Pop3].map(|proto| rig.reader(store, proto));
    ensure(readers.iter().any(Option::is_some), || format!("the store {store} cannot be read"))?;
    for reader in readers.into_iter().flatten() {
        arrived_at(rig, reader, message)?;
        notes.add(format!("arrived, by {}", reader.name));
    }
    Ok(())
}

/// The message can be read here, the same byte for byte. POP3 deletes it.
pub(crate) fn arrived_at(rig: &Rig, reader: &Endpoint, message: &Message) -> Checked {
    let copy = poll(|| match reader.proto {
        Proto::Imap => by_imap(rig, reader, message),
        _ => by_pop3(rig, reader, message),
    });
    let copy = copy.map_err(|error| format!("by {}: {error}", reader.name))?;
    match message.differs_from(&copy) {
        Some(difference) => Err(format!("by {}: {difference}", reader.name)),
        None => Ok(()),
    }
}

/// Servers hand mail on at their own pace and tell nobody, so there is nothing else to wait for.
fn poll(mut look: impl FnMut() -> Checked<Option<Vec<u8>>>) -> Checked<Vec<u8>> {
    let end = Instant::now() + DELIVERY;
    while Instant::now() < end {
        if let Some(copy) = look()? {
            return Ok(copy);
        }
        std::thread::sleep(PAUSE);
    }
    Err("the message did not arrive".into())
}

fn by_imap(rig: &Rig, reader: &Endpoint, message: &Message) -> Checked<Option<Vec<u8>>> {
    let mut client: ImapClient = opening::open(&opening::trusting(rig), reader).during(&reader.name)?;
    login::log_in(rig, reader, &mut client, USER)?;
    client.select("INBOX").during("SELECT")?;
    let copy = imap::find(&mut client, message).during("SEARCH and FETCH")?;
    client.quit().during("LOGOUT")?;
    Ok(copy)
}

fn by_pop3(rig: &Rig, reader: &Endpoint, message: &Message) -> Checked<Option<Vec<u8>>> {
    let _guard = alone(reader);
    let mut client: Pop3Client = opening::open(&opening::trusting(rig), reader).during(&reader.name)?;
    login::log_in(rig, reader, &mut client, USER)?;
    let copy = pop3::take(&mut client, message).during("LIST and RETR")?;
    client.quit().during("QUIT")?;
    Ok(copy)
}

/// Deletes these messages, all in one session. Says how many there were.
pub(crate) fn take_all(rig: &Rig, store: &str, messages: &[Message]) -> Checked<usize> {
    let Some(reader) = rig.reader(store, Proto::Pop3) else { return Ok(0) };
    let _guard = alone(reader);
    let mut client: Pop3Client = opening::open(&opening::trusting(rig), reader).during(&reader.name)?;
    login::log_in(rig, reader, &mut client, USER)?;
    let taken = pop3::take_all(&mut client, messages).during("LIST and TOP")?;
    client.quit().during("QUIT")?;
    Ok(taken)
}
