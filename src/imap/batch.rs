//! Several commands in flight (RFC 9051, 5.5): written together, answered one after the other, matched by their tags. Where
//! the RFC forbids a command to follow another unanswered, the batch waits in between; nobody has to know.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::commands::{opening, renaming};
use super::copy::{Gone, copying, uid_expunging};
use super::exchange::{Collect, Nothing};
use super::extensions::{RawAnswer, anything};
use super::fetch::fetching;
use super::line::Line;
use super::list::listing;
use super::messages::Messages;
use super::pipeline::{Queued, Reply};
use super::search::{esearching, searching};
use super::status::status_of;
use super::store::storing;
use super::{
    CopyUid, FetchedMessage, Imap, ListEntry, Mailbox, MailboxName, MailboxStatus, SearchResult, SequenceSet, Store,
    Stored,
};
use crate::{Client, Error, Result};

impl Client<Imap> {
    /// Collects commands that go out together: n of them take one wait for the server instead of n. What each has answered
    /// is taken out of the replies by the token that it gave.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// let mut batch = imap.batch();
    /// let login = batch.login("user", "password");
    /// let inbox = batch.select("INBOX");
    /// let flags = batch.uid_fetch("1:*", "(FLAGS)");
    /// let mut replies = batch.run()?; // one wait for all three, if the greeting told the capabilities
    /// replies.take(login)?; // a refusal of it is no error of `run`
    /// assert_eq!(replies.take(inbox)?.exists, 1);
    /// for message in replies.take(flags)? {
    ///     println!("{:?} {:?}", message.uid(), message.flags());
    /// }
    /// # assert!(imap.is_authenticated());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What changes the meaning of the bytes that follow (STARTTLS, AUTHENTICATE, IDLE, ENABLE) and messages that go out
    /// (APPEND) have no place in it.
    pub fn batch(&mut self) -> Batch<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Batch { client: self, id, queue: Vec::new(), error: None, login: None, logout: false }
    }
}

/// Commands that go out together; see [`Client::batch`](crate::Client::batch).
///
/// Arguments are those of the client's own verbs. One that is refused is told by [`run`](Self::run), which sends nothing
/// then. These wait for the answers to what is before them, as RFC 9051, 5.5 has it: a command with sequence numbers after
/// one that may change them (any but `FETCH`, `STORE` and `SEARCH` with sequence numbers themselves; `SELECT` starts anew),
/// and a string that the server must ask for. So does a mailbox's name behind a log-in if it has anything that is not
/// the same in UTF-8, which servers may want from there on: letters other than ASCII, `&`, control characters.
///
/// **A refusal stops nothing**: what stands behind it is done all the same. So never put a deletion (`\\Deleted` by
/// `STORE`, `EXPUNGE`, `CLOSE`) behind the `COPY` that it depends on: if that fails, the mail is lost; see
/// [`uid_move`](crate::Client::uid_move). Nor UIDs that were kept from before behind a `SELECT` whose
/// [`uid_validity`](Mailbox::uid_validity) nobody has seen: they may be other messages by now.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = mailconnect::testing::Script::parse(
/// #     "S: * OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\n\
/// #      C: A1 CREATE Archive\n\
/// #      C: A2 UID COPY 304:310 Archive\n\
/// #      C: A3 STATUS Archive (MESSAGES)\n\
/// #      C: A4 LOGOUT\n\
/// #      S: A1 NO [ALREADYEXISTS] there\n\
/// #      S: A2 OK [COPYUID 38505 304,310 3956:3957] done\n\
/// #      S: * STATUS Archive (MESSAGES 17)\n\
/// #      S: A3 OK done\n\
/// #      S: * BYE\n\
/// #      S: A4 OK bye",
/// # )?;
/// # let transport = script.play().0;
/// # let connector = mailconnect::Connector::new();
/// # let plain = mailconnect::Security::Plain;
/// # let imap = mailconnect::imap::Imap::new();
/// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
/// let mut batch = imap.batch();
/// let created = batch.create("Archive");
/// let copied = batch.uid_copy("304:310", "Archive");
/// let status = batch.status("Archive", "MESSAGES");
/// batch.logout();
/// let mut replies = batch.run()?;
/// assert!(replies.take(created).is_err()); // it was there; that stops nothing
/// assert_eq!(replies.take(copied)?.expect("UIDPLUS").destination_of(310), Some(3957));
/// assert_eq!(replies.take(status)?.messages, Some(17));
/// replies.done()?; // the goodbye has succeeded too
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until run is called"]
pub struct Batch<'c> {
    client: &'c mut Client<Imap>,
    id: u64,
    queue: Vec<Queued>,
    /// The first argument that was refused.
    error: Option<Error>,
    /// The password of a log-in in it.
    login: Option<Zeroizing<String>>,
    logout: bool,
}

/// Stands for the answer to a command in a batch, and can be used once.
pub struct Token<T> {
    batch: u64,
    index: usize,
    answer: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("index", &self.index).finish_non_exhaustive()
    }
}

/// What a batch was answered.
pub struct Replies {
    batch: u64,
    replies: Vec<Option<Reply>>,
}

impl Replies {
    /// The answer to the command that gave this token.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the server refused it: with what was said of the log-in, if that is in the batch and was refused
    /// too; [`Error::WrongState`] if the token is of another batch.
    pub fn take<T: 'static>(&mut self, token: Token<T>) -> Result<T> {
        const FOREIGN: Error = Error::WrongState("take: the token is of another batch");
        if token.batch != self.batch {
            return Err(FOREIGN);
        }
        let reply = self.replies.get_mut(token.index).and_then(Option::take).ok_or(FOREIGN)??;
        reply.downcast().map(|answer| *answer).map_err(|_| FOREIGN)
    }

    /// Whether all went well that was not taken.
    ///
    /// # Errors
    /// The first [`Error::Rejected`].
    pub fn done(self) -> Result<()> {
        self.replies.into_iter().flatten().try_for_each(|reply| reply.map(drop))
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.replies.iter().flatten().count();
        f.debug_struct("Replies").field("left", &left).finish_non_exhaustive()
    }
}

impl Batch<'_> {
    fn add<C>(&mut self, request: Result<(Line<'_>, C)>) -> Token<C::Output>
    where
        C: Collect<Output: Send + 'static> + Send + 'static,
    {
        let token = Token { batch: self.id, index: self.queue.len(), answer: PhantomData };
        let late = Err(Error::WrongState("a command after LOGOUT"));
        match if self.logout { late } else { request } {
            Ok((line, collect)) => self.queue.push(Queued::new(line, collect)),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        token
    }

    /// Logs in by LOGIN, which sends the password itself, even where the server offers a mechanism such as SCRAM that does
    /// not; [`login`](crate::Client::login) would prefer that. The rule about encryption is the same: without it nothing is
    /// sent, unless it was allowed. It can only be the first of a batch. [`run`](Self::run) fails where it is refused before a
    /// byte is sent.
    pub fn login(&mut self, user: &str, password: &str) -> Token<()> {
        let first = self.queue.is_empty();
        let line = Line::new("LOGIN").any_string("user", user).and_then(|line| line.secret("password", password));
        let line = if first { line } else { Err(Error::WrongState("login: not as the first of the batch")) };
        let token = self.add(line.map(|line| (line, Nothing)));
        self.login = Some(Zeroizing::new(password.to_owned()));
        token
    }

    /// [`Client::noop`](crate::Client::noop).
    pub fn noop(&mut self) -> Token<()> {
        self.add(Ok((Line::new("NOOP"), Nothing)))
    }

    /// [`Client::check`](crate::Client::check).
    pub fn check(&mut self) -> Token<()> {
        self.add(Ok((Line::new("CHECK"), Nothing)))
    }

    /// [`Client::command`](crate::Client::command). It waits, and lets wait, as if it named messages by sequence number.
    pub fn command(&mut self, command: &str) -> Token<RawAnswer> {
        self.add(anything(command))
    }

    /// [`Client::select`](crate::Client::select).
    pub fn select<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<Mailbox> {
        self.add(opening("SELECT", mailbox))
    }

    /// [`Client::examine`](crate::Client::examine).
    pub fn examine<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<Mailbox> {
        self.add(opening("EXAMINE", mailbox))
    }

    /// [`Client::close`](crate::Client::close).
    pub fn close(&mut self) -> Token<()> {
        self.add(Ok((Line::changing("CLOSE"), Nothing)))
    }

    /// [`Client::unselect`](crate::Client::unselect).
    pub fn unselect(&mut self) -> Token<()> {
        self.add(Ok((Line::new("UNSELECT").needing("UNSELECT"), Nothing)))
    }

    /// [`Client::create`](crate::Client::create).
    pub fn create<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<()> {
        self.about("CREATE", mailbox.into())
    }

    /// [`Client::delete`](crate::Client::delete).
    pub fn delete<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<()> {
        self.about("DELETE", mailbox.into())
    }

    /// [`Client::subscribe`](crate::Client::subscribe).
    pub fn subscribe<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<()> {
        self.about("SUBSCRIBE", mailbox.into())
    }

    /// [`Client::unsubscribe`](crate::Client::unsubscribe).
    pub fn unsubscribe<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>) -> Token<()> {
        self.about("UNSUBSCRIBE", mailbox.into())
    }

    fn about(&mut self, command: &'static str, mailbox: MailboxName<'_>) -> Token<()> {
        let line = Line::changing(command).mailbox(mailbox);
        self.add(line.map(|line| (line, Nothing)))
    }

    /// [`Client::rename`](crate::Client::rename).
    pub fn rename<'m, 'n>(&mut self, from: impl Into<MailboxName<'m>>, to: impl Into<MailboxName<'n>>) -> Token<()> {
        self.add(renaming(from, to))
    }

    /// [`Client::list`](crate::Client::list).
    pub fn list<'m>(&mut self, reference: impl Into<MailboxName<'m>>, pattern: &str) -> Token<Vec<ListEntry>> {
        self.add(listing("LIST", reference.into(), pattern))
    }

    /// [`Client::lsub`](crate::Client::lsub).
    pub fn lsub<'m>(&mut self, reference: impl Into<MailboxName<'m>>, pattern: &str) -> Token<Vec<ListEntry>> {
        self.add(listing("LSUB", reference.into(), pattern))
    }

    /// [`Client::status`](crate::Client::status).
    pub fn status<'m>(&mut self, mailbox: impl Into<MailboxName<'m>>, items: &str) -> Token<MailboxStatus> {
        self.add(status_of(mailbox, items))
    }

    /// [`Client::search`](crate::Client::search).
    pub fn search(&mut self, criteria: &str) -> Token<Vec<u32>> {
        self.add(searching("SEARCH", criteria))
    }

    /// [`Client::uid_search`](crate::Client::uid_search).
    pub fn uid_search(&mut self, criteria: &str) -> Token<Vec<u32>> {
        self.add(searching("UID SEARCH", criteria))
    }

    /// [`Client::esearch`](crate::Client::esearch).
    pub fn esearch(&mut self, options: &str, criteria: &str) -> Token<SearchResult> {
        self.add(esearching("SEARCH", options, criteria))
    }

    /// [`Client::uid_esearch`](crate::Client::uid_esearch).
    pub fn uid_esearch(&mut self, options: &str, criteria: &str) -> Token<SearchResult> {
        self.add(esearching("UID SEARCH", options, criteria))
    }

    /// [`Client::fetch`](crate::Client::fetch), with all messages in memory.
    pub fn fetch(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        items: &str,
    ) -> Token<Vec<FetchedMessage>> {
        let line = set.try_into().map_err(Into::into).and_then(|set| fetching("FETCH", &set, items));
        self.add(line.map(|line| (line, Messages::default())))
    }

    /// [`Client::uid_fetch`](crate::Client::uid_fetch), with all messages in memory.
    pub fn uid_fetch(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        items: &str,
    ) -> Token<Vec<FetchedMessage>> {
        let line = set.try_into().map_err(Into::into).and_then(|set| fetching("UID FETCH", &set, items));
        self.add(line.map(|line| (line, Messages::default())))
    }

    /// [`Client::store`](crate::Client::store).
    pub fn store(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>, store: &Store<'_>) -> Token<Stored> {
        self.add(set.try_into().map_err(Into::into).and_then(|set| storing("STORE", &set, store)))
    }

    /// [`Client::uid_store`](crate::Client::uid_store).
    pub fn uid_store(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        store: &Store<'_>,
    ) -> Token<Stored> {
        self.add(set.try_into().map_err(Into::into).and_then(|set| storing("UID STORE", &set, store)))
    }

    /// [`Client::copy`](crate::Client::copy).
    pub fn copy<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Token<Option<CopyUid>> {
        self.copying("COPY", set.try_into().map_err(Into::into), mailbox.into())
    }

    /// [`Client::uid_copy`](crate::Client::uid_copy).
    pub fn uid_copy<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Token<Option<CopyUid>> {
        self.copying("UID COPY", set.try_into().map_err(Into::into), mailbox.into())
    }

    /// [`Client::move_to`](crate::Client::move_to).
    pub fn move_to<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Token<Option<CopyUid>> {
        self.copying("MOVE", set.try_into().map_err(Into::into), mailbox.into())
    }

    /// [`Client::uid_move`](crate::Client::uid_move).
    pub fn uid_move<'m>(
        &mut self,
        set: impl TryInto<SequenceSet, Error: Into<Error>>,
        mailbox: impl Into<MailboxName<'m>>,
    ) -> Token<Option<CopyUid>> {
        self.copying("UID MOVE", set.try_into().map_err(Into::into), mailbox.into())
    }

    fn copying(
        &mut self,
        command: &'static str,
        set: Result<SequenceSet>,
        mailbox: MailboxName<'_>,
    ) -> Token<Option<CopyUid>> {
        self.add(set.and_then(|set| copying(command, &set, mailbox)))
    }

    /// [`Client::expunge`](crate::Client::expunge).
    pub fn expunge(&mut self) -> Token<Vec<u32>> {
        self.add(Ok((Line::changing("EXPUNGE"), Gone(Vec::new()))))
    }

    /// [`Client::uid_expunge`](crate::Client::uid_expunge).
    pub fn uid_expunge(&mut self, set: impl TryInto<SequenceSet, Error: Into<Error>>) -> Token<Vec<u32>> {
        self.add(set.try_into().map_err(Into::into).map(|set| uid_expunging(&set)))
    }

    /// Says goodbye. Nothing can follow; [`Client::quit`](crate::Client::quit) then only closes.
    pub fn logout(&mut self) -> Token<()> {
        let token = self.add(Ok((Line::new("LOGOUT"), Nothing)));
        self.logout = true;
        token
    }

    /// Sends all of it and reads all answers. A refusal is told by [`Replies::take`].
    ///
    /// # Errors
    /// The first argument that was refused, before a byte is sent, and what the server cannot do; those of the connection,
    /// after which what was answered before is lost too (so that it may have been done, though
    /// [`outcome_unknown`](Error::outcome_unknown) speaks only of what was not answered). A log-in that was refused is told as
    /// that, also if the server hangs up on what is behind it.
    pub fn run(self) -> Result<Replies> {
        let Self { client, id, mut queue, error, login, .. } = self;
        if let Some(error) = error {
            return Err(error);
        }
        let logs_in = login.is_some();
        match login {
            None => client.exchange(|imap, wire| imap.run_batch(wire, &mut queue))?,
            Some(password) => client.log_in_by(password.as_bytes(), |imap, wire| {
                imap.run_log_in(wire, &mut queue).map(|logged_in| ((), logged_in))
            })?,
        }
        // They do not go the way on which errors lose what is secret in them.
        let clean = |reply: Option<Reply>| reply.map(|reply| reply.map_err(|error| client.clean(error)));
        let mut replies: Vec<_> = queue.into_iter().filter_map(Queued::into_reply).map(clean).collect();
        if logs_in {
            blame_log_in(&mut replies);
        }
        Ok(Replies { batch: id, replies })
    }
}

/// What is refused behind a log-in that was refused is refused for that.
fn blame_log_in(replies: &mut [Option<Reply>]) {
    let Some((Some(Err(Error::Rejected(refusal))), later)) = replies.split_first_mut() else { return };
    for reply in later {
        if let Some(Err(error @ Error::Rejected(_))) = reply {
            *error = Error::Rejected(refusal.clone());
        }
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands: Vec<_> = self.queue.iter().map(|queued| queued.line.command).collect();
        f.debug_struct("Batch").field("commands", &commands).finish_non_exhaustive()
    }
}
