//! Every IMAP command that an endpoint offers, in a mailbox made for it; at one point Python's imaplib and curl look at
//! the same mailbox, and must see the same.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mailconnect::imap::{AppendOptions, DateTime, Event, Item, ListQuery, Store};
use mailconnect::{ImapClient, Result};

use crate::login::{self, USER};
use crate::mailboxes::naming;
use crate::messages::Message;
use crate::model::{Endpoint, Proto, Rig};
use crate::report::{self, Checked, During, Notes, ensure};
use crate::seen::Seen;
use crate::{curl, imaplib, mailboxes, opening};

/// Commands that every endpoint takes.
const LEAST: usize = 26;

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn every_imap_command() {
    let mut rig = Rig::from_environment();
    rig.endpoints.retain(|endpoint| endpoint.proto == Proto::Imap && endpoint.fails.is_none());
    let compared = AtomicUsize::new(0);
    let count = report::run(&rig, |rig, endpoint, notes| {
        compared.fetch_add(check(rig, endpoint, notes)?, Ordering::Relaxed);
        Ok(())
    });
    let compared = compared.into_inner();
    println!(
        "{} IMAP endpoints, {} passed, {} failed, {compared} comparisons with curl ({:?})",
        rig.endpoints.len(),
        count.passed,
        count.failed,
        opening::backend()
    );
    assert!(count.failed == 0 && count.passed == rig.endpoints.len() && count.passed >= 10, "{count:?}");
    assert!(compared >= curl::LEAST * count.passed, "{compared} comparisons with curl at {count:?}");
}

/// Says how much was compared with curl.
fn check(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked<usize> {
    let crowded = mailboxes::is_crowded(endpoint);
    let _guard = (!crowded).then(|| mailboxes::alone(endpoint));
    let client = open(rig, endpoint)?;
    let mut session = Session::new(client, crowded)?;
    let result = session.run(rig, endpoint);
    // Whatever went wrong, nothing is left behind.
    session.clean_up();
    result?;
    ensure(session.done.len() >= LEAST, || format!("only {:?}", session.done))?;
    notes.add(format!("{} commands: {}", session.done.len(), session.done.join(" ")));
    if !session.lacks.is_empty() {
        notes.add(format!("not offered: {}", session.lacks.join(" ")));
    }
    let comparisons = curl::LEAST + usize::from(!session.lacks.contains(&"NAMESPACE"));
    ensure(session.compared == comparisons, || format!("{} comparisons with curl", session.compared))?;
    notes.add(format!("{comparisons} things as curl sees them"));
    Ok(session.compared)
}

/// A session, logged in; with a certificate where one is wanted.
fn open(rig: &Rig, endpoint: &Endpoint) -> Checked<ImapClient> {
    let mut connector = opening::lenient(rig);
    if endpoint.client_cert {
        let [certificate, key] = &rig.client;
        connector = connector.client_identity_pem(certificate, key).during("the client's certificate")?;
    }
    let mut client = opening::open(&connector, endpoint).during("opening")?;
    login::log_in(rig, endpoint, &mut client, USER).map(|()| client)
}

struct Session {
    client: ImapClient,
    crowded: bool,
    /// The mailbox, named in UTF-8, and another one.
    name: String,
    second: String,
    done: Vec<&'static str>,
    lacks: Vec<&'static str>,
    /// With curl.
    compared: usize,
}

impl Session {
    fn new(mut client: ImapClient, crowded: bool) -> Checked<Self> {
        let offers = client.capabilities().during("CAPABILITY")?.has("NAMESPACE");
        let prefix = if offers {
            let spaces = client.namespace().during("NAMESPACE")?;
            spaces.personal.first().map(|space| space.prefix.clone()).unwrap_or_default()
        } else {
            String::new()
        };
        let tag = Message::short("x").tag;
        let (name, second) = (format!("{prefix}mcü {tag}"), format!("{prefix}mc2{tag}"));
        let (done, lacks) = (vec!["CAPABILITY"], Vec::new());
        let mut session = Self { client, crowded, name, second, done, lacks, compared: 0 };
        session.note("NAMESPACE", offers);
        Ok(session)
    }

    fn note(&mut self, command: &'static str, done: bool) {
        if done { self.done.push(command) } else { self.lacks.push(command) }
    }

    fn offers(&mut self, extension: &str) -> bool {
        self.client.capabilities().is_ok_and(|capabilities| capabilities.has(extension))
    }

    /// Does a command and notes it.
    fn must<T>(&mut self, command: &'static str, work: impl FnOnce(&mut ImapClient) -> Result<T>) -> Checked<T> {
        let result = work(&mut self.client).during(command);
        self.note(command, result.is_ok());
        result
    }

    /// Does a command if the server offers what it needs, and must be told so if not.
    fn may<T>(
        &mut self,
        command: &'static str,
        extension: &str,
        work: impl FnOnce(&mut ImapClient) -> Result<T>,
    ) -> Checked<Option<T>> {
        if self.offers(extension) {
            return self.must(command, work).map(Some);
        }
        self.note(command, false);
        match work(&mut self.client) {
            Err(mailconnect::Error::Unsupported(_)) => Ok(None),
            Err(other) => Err(format!("{command} without {extension}: {}", report::whole(&other))),
            Ok(_) => Err(format!("{command} without {extension} was sent")),
        }
    }

    fn run(&mut self, rig: &Rig, endpoint: &Endpoint) -> Checked {
        self.all_mailboxes()?;
        let uids = self.fill()?;
        self.look(&uids)?;
        self.same_as_the_others(rig, endpoint)?;
        self.change(&uids)?;
        self.several_at_once()?;
        self.listen(rig, endpoint)?;
        self.the_rest()
    }

    fn all_mailboxes(&mut self) -> Checked {
        let (name, second, crowded) = (self.name.clone(), self.second.clone(), self.crowded);
        self.must("NOOP", |client| client.noop())?;
        self.must("CREATE", |client| naming(crowded, || client.create(&name)))?;
        self.must("CREATE", |client| naming(crowded, || client.create(&second)))?;
        let listed = self.must("LIST", |client| client.list("", "*"))?;
        let entry =
            listed.iter().find(|entry| entry.name == name).ok_or_else(|| format!("LIST: no {name} in {listed:?}"))?;
        ensure(entry.raw != name.as_bytes() && entry.delimiter.is_some(), || format!("{entry:?}"))?;
        self.must("SUBSCRIBE", |client| client.subscribe(&name))?;
        let listed = self.must("LSUB", |client| client.lsub("", "*"))?;
        ensure(listed.iter().any(|entry| entry.name == name), || format!("LSUB: no {name} in {listed:?}"))?;
        let query = ListQuery::new("", "*").return_subscribed().return_children();
        if let Some(listed) = self.may("LIST-EXTENDED", "LIST-EXTENDED", |client| client.list_extended(&query))? {
            let entry = listed.iter().find(|entry| entry.name == name).ok_or("LIST RETURN: not there")?;
            let subscribed = entry.attributes.iter().any(|name| name.eq_ignore_ascii_case("\\Subscribed"));
            ensure(subscribed, || format!("LIST RETURN: {entry:?}"))?;
        }
        self.must("UNSUBSCRIBE", |client| client.unsubscribe(&name))?;
        self.must("RENAME", |client| naming(crowded, || client.rename(&second, format!("{second}b").as_str())))?;
        let listed = self.must("LIST", |client| client.list("", "*"))?;
        let renamed = listed.iter().any(|entry| entry.name == format!("{second}b"));
        ensure(renamed && !listed.iter().any(|entry| entry.name == second), || format!("RENAME: {listed:?}"))?;
        self.second += "b";
        let refused =
            self.client.select(format!("{second}-none").as_str()).is_err_and(|error| error.rejection().is_some());
        ensure(refused && self.client.is_open(), || "SELECT of what is not there".into())
    }

    /// Three messages, with flags and a date; their UIDs.
    fn fill(&mut self) -> Checked<Vec<u32>> {
        let name = self.name.clone();
        let date: DateTime = "17-Jul-1996 02:44:25 -0700".parse().during("a date")?;
        let mut told = Vec::new();
        for n in 0..3 {
            let message = Message::short("alice@example.test");
            let flags: &[&str] = if n == 1 { &["\\Flagged", "\\Seen"] } else { &[] };
            let mut options = AppendOptions::new().flags(flags);
            if n == 2 {
                options = options.date(date);
            }
            let (mut source, size) = (&message.bytes[..], message.bytes.len() as u64);
            told.push(self.must("APPEND", |client| client.append_with(&name, &options, &mut source, size))?);
        }
        let status = self.must("STATUS", |client| client.status(&name, "MESSAGES UNSEEN UIDNEXT UIDVALIDITY"))?;
        ensure((status.messages, status.unseen) == (Some(3), Some(2)), || format!("STATUS: {status:?}"))?;
        let mailbox = self.must("SELECT", |client| client.select(&name))?;
        ensure(mailbox.exists == 3 && mailbox.uid_validity == status.uid_validity, || format!("SELECT: {mailbox:?}"))?;
        let uids = self.must("UID SEARCH", |client| client.uid_search("ALL"))?;
        ensure(uids.len() == 3, || format!("UID SEARCH: {uids:?}"))?;
        if self.offers("UIDPLUS") {
            let appended: Vec<_> = told.iter().flatten().map(|uid| uid.uid).collect();
            ensure(appended == uids, || format!("APPENDUID {told:?}, and UIDs {uids:?}"))?;
        }
        let found = self.must("SEARCH", |client| client.search("FLAGGED"))?;
        ensure(found == [2], || format!("SEARCH FLAGGED: {found:?}"))?;
        Ok(uids)
    }

    fn look(&mut self, uids: &[u32]) -> Checked {
        let count = self.must("FETCH", |client| {
            client.fetch("1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)")?.collect()
        })?;
        ensure(count.len() == 3, || format!("FETCH: {count:?}"))?;
        for (message, uid) in count.iter().zip(uids) {
            let typed = message.items().filter(|item| !matches!(item, Item::Other { .. })).count();
            ensure(message.uid() == Some(*uid) && typed == 6, || format!("FETCH: {message:?}"))?;
        }
        let bodies =
            self.must("UID FETCH", |client| client.uid_fetch("1:*", "(BODY.PEEK[HEADER] BODY.PEEK[TEXT])")?.collect())?;
        let whole = |message: &mailconnect::imap::FetchedMessage| message.section("BODY[TEXT]").map(<[u8]>::len);
        ensure(bodies.iter().all(|message| whole(message).is_some_and(|size| size > 20)), || format!("{bodies:?}"))?;
        if let Some(found) = self.may("ESEARCH", "ESEARCH", |client| client.uid_esearch("MIN MAX COUNT ALL", "ALL"))? {
            let ends = (found.min, found.max, found.count);
            ensure(ends == (uids.first().copied(), uids.last().copied(), Some(3)), || format!("ESEARCH: {found:?}"))?;
            ensure(found.all.and_then(|all| all.len()) == Some(3), || "ESEARCH ALL".into())?;
        }
        Ok(())
    }

    /// The mailbox as imaplib and curl see it.
    fn same_as_the_others(&mut self, rig: &Rig, endpoint: &Endpoint) -> Checked {
        let (name, second) = (self.name.clone(), self.second.clone());
        let listed = self.must("LIST", |client| client.list("", "*"))?;
        let entry = |wanted: &str| {
            listed.iter().find(|entry| entry.name == wanted).cloned().ok_or(format!("LIST: no {wanted}"))
        };
        let boxes = [entry(&name)?, entry(&second)?];
        // Some servers keep a mailbox for one session.
        self.must("CLOSE", |client| client.close())?;
        let theirs = imaplib::look(rig, endpoint, &boxes[0])?;
        let ours = self.seen()?;
        imaplib::compare(&ours, &theirs)?;
        // pymap refuses to close what EXAMINE has opened.
        self.must("SELECT", |client| client.select(&name))?;
        self.must("CLOSE", |client| client.close())?;
        self.compared = curl::compare(rig, endpoint, &mut self.client, &ours, &boxes)?;
        self.must("SELECT", |client| client.select(&name)).map(drop)
    }

    fn seen(&mut self) -> Checked<Seen> {
        let name = self.name.clone();
        let query = "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODY.PEEK[])";
        Ok(Seen {
            status: self.must("STATUS", |client| client.status(&name, "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"))?,
            mailbox: self.must("EXAMINE", |client| client.examine(&name))?,
            found: self.must("SEARCH", |client| client.search("ALL"))?,
            flagged: self.must("UID SEARCH", |client| client.uid_search("FLAGGED"))?,
            messages: self.must("UID FETCH", |client| client.uid_fetch("1:*", query)?.collect())?,
        })
    }

    fn change(&mut self, uids: &[u32]) -> Checked {
        let second = self.second.clone();
        let [first, _, third] = uids else { return Err(format!("{uids:?}")) };
        let stored = self.must("STORE", |client| client.store(1, &Store::add(&["\\Answered"])))?;
        let answered = |flags: &[String]| flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Answered"));
        ensure(stored.messages.iter().any(|told| told.number == 1 && answered(&told.flags)), || format!("{stored:?}"))?;
        self.must("UID STORE", |client| client.uid_store(*first, &Store::remove(&["\\Answered"]).silent()))?;
        let found = self.must("SEARCH", |client| client.search("ANSWERED"))?;
        ensure(found.is_empty(), || format!("UID STORE -FLAGS: {found:?}"))?;
        let copied = self.must("COPY", |client| client.copy("1:2", &second))?;
        let again = self.must("UID COPY", |client| client.uid_copy(*third, &second))?;
        if self.offers("UIDPLUS") {
            let copied = copied.ok_or("COPY: no COPYUID")?;
            let there = again.and_then(|again| again.destination_of(*third)).ok_or("UID COPY: no COPYUID")?;
            ensure(copied.destination_of(*first).is_some_and(|uid| uid < there), || {
                format!("{copied:?}, then {there}")
            })?;
        }
        let status = self.must("STATUS", |client| client.status(&second, "MESSAGES"))?;
        ensure(status.messages == Some(3), || format!("COPY: {status:?}"))?;
        self.may("MOVE", "MOVE", |client| client.move_to(1, &second))?;
        self.may("UID MOVE", "MOVE", |client| client.uid_move(*third, &second))?;
        let left = self.must("UID SEARCH", |client| client.uid_search("ALL"))?;
        let moved = self.offers("MOVE");
        ensure(left.len() == if moved { 1 } else { 3 }, || format!("MOVE: {left:?}"))?;
        self.must("UID STORE", |client| client.uid_store("1:*", &Store::add(&["\\Deleted"]).silent()))?;
        if self.may("UID EXPUNGE", "UIDPLUS", |client| client.uid_expunge(left[0]))?.is_some() {
            let now = self.must("UID SEARCH", |client| client.uid_search("ALL"))?;
            ensure(now == left[1..], || format!("UID EXPUNGE of {}: {now:?}", left[0]))?;
        }
        self.must("EXPUNGE", |client| client.expunge())?;
        self.must("CHECK", |client| client.check())?;
        let now = self.must("SEARCH", |client| client.search("ALL"))?;
        ensure(now.is_empty(), || format!("EXPUNGE: {now:?}"))
    }

    fn several_at_once(&mut self) -> Checked {
        let second = self.second.clone();
        let (count, found, messages) =
            self.must("a batch of SELECT, UID SEARCH, UID FETCH, STATUS and NOOP", |client| {
                let mut batch = client.batch();
                let mailbox = batch.select(&second);
                let found = batch.uid_search("ALL");
                let messages = batch.uid_fetch("1:*", "(FLAGS BODY.PEEK[])");
                batch.noop();
                let mut replies = batch.run()?;
                let told = (replies.take(mailbox)?.exists, replies.take(found)?, replies.take(messages)?);
                replies.done().map(|()| told)
            })?;
        let uids: Vec<_> = messages.iter().filter_map(mailconnect::imap::FetchedMessage::uid).collect();
        let whole = messages.iter().all(|message| message.section("BODY[]").is_some());
        ensure(count as usize == found.len() && uids == found && whole, || format!("{count} {found:?} {messages:?}"))
    }

    /// Hears of a message that another session appends.
    fn listen(&mut self, rig: &Rig, endpoint: &Endpoint) -> Checked {
        let second = self.second.clone();
        if self.may("IDLE", "IDLE", |client| client.idle(Duration::from_secs(20))?.done())?.is_none() {
            return Ok(());
        }
        // Mailutils says nothing during IDLE; Courier tells other sessions only with a daemon beside it; Hoodiecrow none.
        if matches!(endpoint.store.as_deref(), Some("mailutils" | "courier" | "hoodiecrow")) {
            return Ok(());
        }
        let mut other = open(rig, endpoint)?;
        let mut idle = self.client.idle(Duration::from_secs(20)).during("IDLE")?;
        other.append(&second, &[], &Message::short("x").bytes).during("APPEND by the second session")?;
        let mut heard = Vec::new();
        while let Some(event) = idle.next_event().during("IDLE")? {
            heard.push(event);
            if matches!(heard.last(), Some(Event::Exists(_))) {
                break;
            }
        }
        idle.done().during("DONE")?;
        ensure(matches!(heard.last(), Some(Event::Exists(_))), || format!("IDLE heard {heard:?}"))?;
        self.client.noop().during("NOOP after IDLE")?;
        other.quit().during("LOGOUT of the second session")
    }

    fn the_rest(&mut self) -> Checked {
        let (name, second, crowded) = (self.name.clone(), self.second.clone(), self.crowded);
        self.may("UNSELECT", "UNSELECT", |client| client.unselect())?;
        self.may("ENABLE", "ENABLE", |client| client.enable(&["CONDSTORE"]))?;
        self.may("ID", "ID", |client| client.id(&[("name", "a test")]))?;
        let raw = self.must("any other", |client| client.command("LIST \"\" \"\""))?;
        ensure(raw.lines.iter().any(|line| line.starts_with(b"* LIST")), || format!("LIST as it is: {raw:?}"))?;
        let refused = self.client.command("XYZZY").is_err_and(|error| error.rejection().is_some());
        ensure(refused && self.client.is_open(), || "an unknown command was not refused".into())?;
        self.must("SELECT", |client| client.select(&name))?;
        self.must("CLOSE", |client| client.close())?;
        self.must("DELETE", |client| naming(crowded, || client.delete(&name)))?;
        self.must("DELETE", |client| naming(crowded, || client.delete(&second)))?;
        let listed = self.must("LIST", |client| client.list("", "*"))?;
        let gone = |wanted: &str| !listed.iter().any(|entry| entry.name == wanted);
        ensure(gone(&name) && gone(&second), || format!("DELETE: {listed:?}"))?;
        let done: BTreeSet<_> = self.done.drain(..).collect();
        self.done = done.into_iter().collect();
        Ok(())
    }

    fn clean_up(&mut self) {
        let (first, second) = (self.name.clone(), self.second.clone());
        for name in [&first, &second] {
            let _ = naming(self.crowded, || self.client.delete(name));
        }
    }
}
