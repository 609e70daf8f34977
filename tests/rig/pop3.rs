//! POP3: what the verbs say of a mailbox, and the messages that come out of it.

use mailconnect::pop3::Pop3;
use mailconnect::{Client, Pop3Client};

use crate::login::{self, USER};
use crate::messages::{Message, body, is_seed};
use crate::model::{Endpoint, Rig};
use crate::report::{Checked, During, Notes, ensure};
use crate::usage::Session;
use crate::{mailboxes, opening};

impl Session for Pop3 {
    fn run(rig: &Rig, endpoint: &Endpoint, mut client: Client<Self>, notes: &mut Notes) -> Checked {
        if !login::is_possible(endpoint) {
            return Err("a POP3 server that nobody can log in to".into());
        }
        let guard = mailboxes::alone(endpoint);
        login::log_in(rig, endpoint, &mut client, USER)?;
        let messages = listings(&mut client)?;
        if let Some(newest) = messages.last() {
            let size = client.retr_to(*newest, &mut Vec::new()).during("RETR")?;
            ensure(size > 0, || "RETR of an empty message".into())?;
        }
        client.quit().during("QUIT")?;
        drop(guard);
        notes.add(format!("STAT, LIST, UIDL and RETR of {} messages", messages.len()));
        seeds(rig, endpoint, notes)
    }

    fn first_use(rig: &Rig, endpoint: &Endpoint, mut client: Client<Self>) -> mailconnect::Result<()> {
        let (user, password) = rig.credentials(endpoint, USER);
        client.login(&user, password)
    }
}

/// STAT, LIST and UIDL agree; the numbers of the messages.
fn listings(client: &mut Pop3Client) -> Checked<Vec<u32>> {
    let stat = client.stat().during("STAT")?;
    let list = client.list().during("LIST")?;
    let ids = client.uidl().during("UIDL")?;
    let numbers: Vec<u32> = list.iter().map(|entry| entry.number).collect();
    let with_id: Vec<u32> = ids.iter().map(|entry| entry.number).collect();
    ensure(stat.messages as usize == list.len() && numbers == with_id, || {
        format!("STAT {}, LIST {numbers:?}, UIDL {with_id:?}", stat.messages)
    })?;
    Ok(numbers)
}

/// The messages that the rig has put there come out as they are.
fn seeds(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    if !endpoint.users.contains(&rig.seeded_user) {
        return Ok(());
    }
    let connector = opening::lenient(rig);
    let _guard = mailboxes::alone(endpoint);
    let mut client: Pop3Client = opening::open(&connector, endpoint).during("opening for the seeds")?;
    login::log_in(rig, endpoint, &mut client, &rig.seeded_user)?;
    let numbers = listings(&mut client)?;
    ensure(numbers.len() == rig.seeds.len(), || format!("{} seeds instead of {}", numbers.len(), rig.seeds.len()))?;
    for (number, seed) in numbers.iter().zip(&rig.seeds) {
        let mut copy = Vec::new();
        client.retr_to(*number, &mut copy).during("RETR of a seed")?;
        is_seed(seed, &copy)?;
    }
    client.quit().during("QUIT after the seeds")?;
    notes.add(format!("{} seeds by RETR", numbers.len()));
    Ok(())
}

/// Looks for a message from the newest on, and deletes it once it is found.
pub(crate) fn take(client: &mut Pop3Client, message: &Message) -> mailconnect::Result<Option<Vec<u8>>> {
    for entry in client.list()?.iter().rev() {
        let mut copy = Vec::new();
        client.retr_to(entry.number, &mut copy)?;
        if contains(&copy, message.tag.as_bytes()) {
            client.dele(entry.number)?;
            return Ok(Some(copy));
        }
    }
    Ok(None)
}

/// Deletes all messages that are one of these.
pub(crate) fn take_all(client: &mut Pop3Client, messages: &[Message]) -> mailconnect::Result<usize> {
    let mut taken = 0;
    for entry in client.list()? {
        let header = client.top(entry.number, 0)?.collect()?;
        if messages.iter().any(|message| contains(&header, message.tag.as_bytes())) {
            client.dele(entry.number)?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// True if the headers hold `tag`.
fn contains(copy: &[u8], tag: &[u8]) -> bool {
    let headers = &copy[..copy.len() - body(copy).map_or(0, <[u8]>::len)];
    headers.windows(tag.len()).any(|bytes| bytes == tag)
}
