//! The client: what a program does with it, in two orders, going on after errors as a careless one would.

use std::ops::Range;

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::{Client, Connector, Error, Protocol, Result};

use super::player::{SharedLog, lock};

pub(crate) const USER: &str = "USER1";
pub(crate) const PASSWORD: &str = "PASS1";
pub(crate) const HOST: &str = "localhost";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    CapabilitiesFirst,
    UpgradeFirst,
}

impl Order {
    pub(crate) const ALL: [Self; 2] = [Self::CapabilitiesFirst, Self::UpgradeFirst];
}

/// One call, and which answers of the server's log were sent to it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    pub(crate) error: Option<Error>,
    pub(crate) answers: Range<usize>,
}

/// What the client believes at the end. All of it must be from inside TLS.
#[derive(Debug, Default)]
pub(crate) struct Beliefs {
    /// None if they were not told inside TLS.
    pub(crate) capabilities: Option<Vec<String>>,
    /// Messages, mailboxes, news, and the protocol's own state right after the upgrade.
    pub(crate) others: Vec<String>,
    pub(crate) exists: Option<u32>,
}

/// What differs between the protocols.
pub(crate) trait Subject: Protocol + Default {
    fn capabilities(client: &mut Client<Self>) -> Result<Vec<String>>;
    /// Hears what the server has to say before the upgrade.
    fn listen(_: &mut Session<'_>, _: &mut Client<Self>) {}
    /// Looks around after the login.
    fn look(_: &mut Session<'_>, _: &mut Client<Self>, _: &mut Beliefs) {}
}

impl Subject for Smtp {
    fn capabilities(client: &mut Client<Self>) -> Result<Vec<String>> {
        Ok(client.capabilities().iter().map(|(name, values)| format!("{name} {values}").trim().to_owned()).collect())
    }
}

impl Subject for Pop3 {
    fn capabilities(client: &mut Client<Self>) -> Result<Vec<String>> {
        Ok(client.capabilities()?.iter().map(str::to_owned).collect())
    }
}

impl Subject for Imap {
    fn capabilities(client: &mut Client<Self>) -> Result<Vec<String>> {
        Ok(client.capabilities()?.iter().map(str::to_owned).collect())
    }

    /// The greeting may have told the capabilities, so that they are not asked.
    fn listen(session: &mut Session<'_>, client: &mut Client<Self>) {
        session.call("noop in clear", || client.noop());
    }

    fn look(session: &mut Session<'_>, client: &mut Client<Self>, beliefs: &mut Beliefs) {
        if let Some(list) = session.call("list", || client.list("", "*")) {
            beliefs.others.extend(list.iter().map(|entry| format!("a mailbox: {entry:?}")));
        }
        if let Some(mailbox) = session.call("select", || client.select("INBOX")) {
            beliefs.exists = Some(mailbox.exists);
            beliefs.others.push(format!("the mailbox {mailbox:?}"));
        }
        if let Some(found) = session.call("search", || client.search("ALL")) {
            beliefs.others.extend(found.iter().map(|number| format!("a message: {number}")));
        }
        session.call("fetch", || {
            let mut list = client.fetch("1", "(FLAGS BODY[])")?;
            while let Some(message) = list.next_message()? {
                beliefs.others.push(format!("a message: {}", message.number()));
            }
            Ok(())
        });
        beliefs.others.extend(client.events().map(|event| format!("news: {event:?}")));
    }
}

pub(crate) struct Session<'a> {
    log: &'a SharedLog,
    pub(crate) calls: Vec<Call>,
}

impl Session<'_> {
    pub(crate) fn call<T>(&mut self, verb: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let before = lock(self.log).entries.len();
        let result = work();
        let after = lock(self.log).entries.len();
        // What is sent without being asked is there before the first call.
        let answers = if self.calls.is_empty() { 0..after } else { before..after };
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        self.calls.push(Call { verb, error, answers });
        value
    }
}

pub(crate) fn drive<P: Subject>(
    connector: &Connector,
    order: Order,
    port: u16,
    log: &SharedLog,
) -> (Vec<Call>, Beliefs) {
    let mut session = Session { log, calls: Vec::new() };
    let mut beliefs = Beliefs::default();
    let endpoint = (HOST, port);
    let client = match order {
        Order::CapabilitiesFirst => session.call("connect", || connector.connect::<P>(endpoint)).map(|mut client| {
            session.call("login in clear", || client.login(USER, PASSWORD));
            session.call("capabilities in clear", || P::capabilities(&mut client));
            P::listen(&mut session, &mut client);
            session.call("start_tls", || client.start_tls());
            client
        }),
        Order::UpgradeFirst => session.call("connect_start_tls", || connector.connect_start_tls::<P>(endpoint)),
    };
    let Some(mut client) = client else { return (session.calls, beliefs) };
    if client.is_secure() {
        beliefs.others.push(format!("the state {:?}", client.protocol()));
    }
    let capabilities = session.call("capabilities", || P::capabilities(&mut client));
    if client.is_secure() {
        beliefs.capabilities = capabilities;
    }
    if session.call("login", || client.login(USER, PASSWORD)).is_some() {
        P::look(&mut session, &mut client, &mut beliefs);
    }
    session.call("quit", || client.quit());
    (session.calls, beliefs)
}
