//! IMAP: a message goes into the inbox by APPEND and comes out of it by FETCH.

use mailconnect::imap::Imap;
use mailconnect::{Client, ImapClient};

use crate::login::{self, USER};
use crate::messages::{Message, is_seed};
use crate::model::{Endpoint, Proto, Rig};
use crate::report::{Checked, During, Notes, ensure};
use crate::usage::Session;
use crate::{mailboxes, opening};

impl Session for Imap {
    fn run(rig: &Rig, endpoint: &Endpoint, mut client: Client<Self>, notes: &mut Notes) -> Checked {
        if !login::is_possible(endpoint) {
            return Err("an IMAP server that nobody can log in to".into());
        }
        // Where the store is an mbox file, a message can vanish under a session that rewrites it at the same time.
        let guard = mailboxes::alone(endpoint);
        login::log_in(rig, endpoint, &mut client, USER)?;
        let message = Message::short("alice@example.test");
        client.append("INBOX", &[], &message.bytes).during("APPEND")?;
        let inbox = client.select("INBOX").during("SELECT")?;
        ensure(inbox.exists > 0, || "SELECT says that the inbox is empty after APPEND".into())?;
        let copy = find(&mut client, &message).during("SEARCH and FETCH")?.ok_or("SEARCH: not there after APPEND")?;
        if let Some(difference) = message.differs_from(&copy) {
            return Err(format!("FETCH after APPEND: {difference}"));
        }
        client.quit().during("LOGOUT")?;
        drop(guard);
        notes.add("APPEND, SELECT, SEARCH and FETCH");
        if let Some(reader) = endpoint.store.as_deref().and_then(|store| rig.reader(store, Proto::Pop3)) {
            mailboxes::arrived_at(rig, reader, &message)?;
            notes.add(format!("there by {}", reader.name));
        }
        seeds(rig, endpoint, notes)
    }

    fn first_use(rig: &Rig, endpoint: &Endpoint, mut client: Client<Self>) -> mailconnect::Result<()> {
        let (user, password) = rig.credentials(endpoint, USER);
        client.login(&user, password)
    }
}

/// The messages that the rig has put there come out as they are. EXAMINE and PEEK leave them so.
fn seeds(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    if !endpoint.users.contains(&rig.seeded_user) {
        return Ok(());
    }
    let mut client: ImapClient = opening::open(&opening::lenient(rig), endpoint).during("opening for the seeds")?;
    login::log_in(rig, endpoint, &mut client, &rig.seeded_user)?;
    let inbox = client.examine("INBOX").during("EXAMINE")?;
    let uids = client.uid_search("ALL").during("SEARCH for the seeds")?;
    ensure(uids.len() == rig.seeds.len() && inbox.exists as usize == uids.len(), || {
        format!("EXAMINE {}, SEARCH {uids:?}, and there are {} seeds", inbox.exists, rig.seeds.len())
    })?;
    for (uid, seed) in uids.into_iter().zip(&rig.seeds) {
        let mut copy = Vec::new();
        client.fetch_to(uid, &mut copy).during("FETCH of a seed")?;
        is_seed(seed, &copy)?;
    }
    client.quit().during("LOGOUT after the seeds")?;
    notes.add(format!("{} seeds by FETCH", rig.seeds.len()));
    Ok(())
}

/// The message in the selected mailbox, if it is there.
pub(crate) fn find(client: &mut ImapClient, message: &Message) -> mailconnect::Result<Option<Vec<u8>>> {
    let found = client.uid_search(&format!("SUBJECT {}", message.tag))?;
    let Some(uid) = found.into_iter().max() else { return Ok(None) };
    let mut copy = Vec::new();
    client.fetch_to(uid, &mut copy)?;
    Ok(Some(copy))
}
