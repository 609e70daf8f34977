//! LIST in its plain and its extended form (RFC 9051, 6.3.9; RFC 5258, 5819, 6154) and LSUB: which mailboxes there are.

use std::collections::HashMap;

use super::Imap;
use super::codec::Untagged;
use super::exchange::{Collect, Completion};
use super::line::Line;
use super::mailbox::ListEntry;
use super::names::{MailboxName, Names};
use super::status::MailboxStatus;
use crate::wire::Flaw;
use crate::{Client, Limits, Result};

impl Client<Imap> {
    /// The mailboxes below `reference`, a name or a [`Namespace`](super::Namespace), whose names fit `pattern`, where `*`
    /// stands for anything and `%` for anything within one level (RFC 9051, 6.3.9): `list("", "*")` is all of them.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// for mailbox in imap.list("", "*")? {
    ///     println!("{}", mailbox.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) for more than `limits.list_entries` mailboxes; those of the connection.
    pub fn list<'m>(&mut self, reference: impl Into<MailboxName<'m>>, pattern: &str) -> Result<Vec<ListEntry>> {
        self.exchange(|imap, wire| imap.perform(wire, listing("LIST", reference.into(), pattern)?))
    }

    /// As [`list`](Self::list), of those that are subscribed (RFC 3501, 6.3.9). IMAP4rev2 has
    /// [`ListQuery::subscribed`] instead.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// for mailbox in imap.lsub("", "*")? {
    ///     println!("{}", mailbox.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn lsub<'m>(&mut self, reference: impl Into<MailboxName<'m>>, pattern: &str) -> Result<Vec<ListEntry>> {
        self.exchange(|imap, wire| imap.perform(wire, listing("LSUB", reference.into(), pattern)?))
    }

    /// The mailboxes that fit a query, with what it asks of them (RFC 9051, 6.3.9; RFC 5258, 5819 and 6154).
    ///
    /// ```
    /// use mailconnect::imap::ListQuery;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS SPECIAL-USE] ready\n\
    /// #      C: A1 LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN))\n\
    /// #      S: * LIST (\\\\Sent) \"/\" Gesendet\n\
    /// #      S: * STATUS Gesendet (MESSAGES 17 UNSEEN 0)\n\
    /// #      S: A1 OK listed",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let query = ListQuery::new("", "*").return_special_use().return_status("MESSAGES UNSEEN");
    /// for mailbox in imap.list_extended(&query)? {
    ///     let unseen = mailbox.status.and_then(|status| status.unseen);
    ///     println!("{} {:?} {unseen:?}", mailbox.name, mailbox.attributes);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the server does not offer what the query needs; as
    /// [`list`](Self::list).
    pub fn list_extended(&mut self, query: &ListQuery<'_>) -> Result<Vec<ListEntry>> {
        self.exchange(|imap, wire| {
            for extension in query.needs() {
                imap.check(wire, &Line::new("LIST").needing(extension))?;
            }
            imap.perform(wire, listing_extended(query)?)
        })
    }
}

/// What LIST is to look for and to tell, beside names.
///
/// ```
/// use mailconnect::imap::ListQuery;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = mailconnect::testing::Script::parse(
/// #     "S: * OK [CAPABILITY IMAP4rev1 LIST-EXTENDED SPECIAL-USE] ready\n\
/// #      C: A1 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\" RETURN (CHILDREN)\n\
/// #      S: * LIST (\\\\HasChildren) \"/\" Lists (\"CHILDINFO\" (\"SUBSCRIBED\"))\n\
/// #      S: A1 OK listed\n\
/// #      C: A2 LIST (SPECIAL-USE) \"\" \"*\"\n\
/// #      S: * LIST (\\\\Drafts) \"/\" Entw&APw-rfe\n\
/// #      S: A2 OK listed\n\
/// #      C: A3 LIST (REMOTE) \"\" \"*\" RETURN (SUBSCRIBED)\n\
/// #      S: A3 OK listed",
/// # )?;
/// # let transport = script.play().0;
/// # let connector = mailconnect::Connector::new();
/// # let plain = mailconnect::Security::Plain;
/// # let imap = mailconnect::imap::Imap::new();
/// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
/// // Those on the first level that are subscribed, or have some below them that are.
/// let query = ListQuery::new("", "%").subscribed().recursive_match().return_children();
/// assert_eq!(imap.list_extended(&query)?[0].name, "Lists");
/// // Where drafts belong, whatever the user calls that.
/// let special = imap.list_extended(&ListQuery::new("", "*").special_use())?;
/// let drafts = special.iter().find(|mailbox| mailbox.attributes.iter().any(|attribute| attribute == "\\Drafts"));
/// assert_eq!(drafts.unwrap().name, "Entwürfe");
/// // All, also those on other servers.
/// let all = imap.list_extended(&ListQuery::new("", "*").remote().return_subscribed())?;
/// # assert!(all.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListQuery<'a> {
    reference: MailboxName<'a>,
    pattern: &'a str,
    select: Vec<&'static str>,
    tell: Vec<&'static str>,
    status: Option<&'a str>,
}

impl Default for ListQuery<'_> {
    fn default() -> Self {
        Self::new("", "")
    }
}

impl<'a> ListQuery<'a> {
    /// The mailboxes below `reference` whose names fit `pattern`.
    pub fn new(reference: impl Into<MailboxName<'a>>, pattern: &'a str) -> Self {
        Self { reference: reference.into(), pattern, select: Vec::new(), tell: Vec::new(), status: None }
    }

    /// Only those that are subscribed, also if they are not there any more.
    #[must_use]
    pub fn subscribed(mut self) -> Self {
        self.select.push("SUBSCRIBED");
        self
    }

    /// Those on other servers too.
    #[must_use]
    pub fn remote(mut self) -> Self {
        self.select.push("REMOTE");
        self
    }

    /// Also those that do not fit, but have some below them that do. It goes with [`subscribed`](Self::subscribed).
    #[must_use]
    pub fn recursive_match(mut self) -> Self {
        self.select.push("RECURSIVEMATCH");
        self
    }

    /// Only those with a special use: `\\Sent`, `\\Drafts`, ..
    #[must_use]
    pub fn special_use(mut self) -> Self {
        self.select.push("SPECIAL-USE");
        self
    }

    /// Tells of each whether it is subscribed: `\\Subscribed`.
    #[must_use]
    pub fn return_subscribed(mut self) -> Self {
        self.tell.push("SUBSCRIBED");
        self
    }

    /// Tells of each whether there are some below it: `\\HasChildren`, `\\HasNoChildren`.
    #[must_use]
    pub fn return_children(mut self) -> Self {
        self.tell.push("CHILDREN");
        self
    }

    /// Tells of each its special use (RFC 6154). A server that cannot be asked may tell it all the same.
    #[must_use]
    pub fn return_special_use(mut self) -> Self {
        self.tell.push("SPECIAL-USE");
        self
    }

    /// Tells of each its [`status`](ListEntry::status); `items` as for [`Client::status`](crate::Client::status).
    #[must_use]
    pub fn return_status(mut self, items: &'a str) -> Self {
        self.status = Some(items);
        self
    }

    /// The extensions that it takes.
    fn needs(&self) -> impl Iterator<Item = &'static str> {
        let special = self.select.iter().chain(&self.tell).any(|option| *option == "SPECIAL-USE");
        let extended = !self.select.is_empty() || !self.tell.is_empty();
        let wanted = [(extended, "LIST-EXTENDED"), (special, "SPECIAL-USE"), (self.status.is_some(), "LIST-STATUS")];
        wanted.into_iter().filter_map(|(needed, extension)| needed.then_some(extension))
    }
}

pub(super) fn listing<'a>(
    command: &'static str,
    reference: MailboxName<'a>,
    pattern: &'a str,
) -> Result<(Line<'a>, Listing)> {
    let line = Line::new(command).pattern("reference", reference)?.pattern("pattern", pattern)?;
    Ok((line, Listing::new(command, false)))
}

fn listing_extended<'a>(query: &ListQuery<'a>) -> Result<(Line<'a>, Listing)> {
    let mut line = Line::new("LIST");
    if !query.select.is_empty() {
        line = line.text("selection", format!("({})", query.select.join(" ")).into_bytes());
    }
    line = line.pattern("reference", query.reference)?.pattern("pattern", query.pattern)?;
    if !query.tell.is_empty() || query.status.is_some() {
        line = line.own(" RETURN (").more(query.tell.join(" ").into_bytes());
        if let Some(items) = query.status {
            line = line.own(if query.tell.is_empty() { "STATUS" } else { " STATUS" }).words("status items", items)?;
        }
        line = line.own(")");
    }
    Ok((line, Listing::new("LIST", query.status.is_some())))
}

/// The answer to LIST or LSUB.
pub(super) struct Listing {
    command: &'static str,
    names: Names,
    status: bool,
    entries: Vec<ListEntry>,
    /// Where the mailbox with this name is, as the server sent it; empty where no status was asked for.
    places: HashMap<Vec<u8>, usize>,
}

impl Collect for Listing {
    type Output = Vec<ListEntry>;

    fn take(&mut self, data: &Untagged<'_>, limits: &Limits) -> Result<bool, Flaw> {
        if self.status && data.is("STATUS", false) {
            return Ok(self.add_status(MailboxStatus::parse(data.rest, self.names, limits)));
        }
        if !data.is(self.command, false) {
            return Ok(false);
        }
        let Some(entry) = ListEntry::parse(data.rest, self.names, limits)? else { return Ok(false) };
        if self.entries.len() >= limits.list_entries {
            return Err(Flaw::TooMuch { what: "mailboxes", max: limits.list_entries as u64 });
        }
        if self.status {
            self.places.insert(key(entry.raw.clone()), self.entries.len());
        }
        self.entries.push(entry);
        Ok(true)
    }

    fn sent_as(&mut self, _: u32, names: Names) {
        self.names = names;
    }

    fn done(self, _: &Completion) -> Vec<ListEntry> {
        self.entries
    }
}

impl Listing {
    fn new(command: &'static str, status: bool) -> Self {
        Self { command, names: Names::default(), status, entries: Vec::new(), places: HashMap::new() }
    }

    /// The status follows its mailbox.
    fn add_status(&mut self, status: Option<MailboxStatus>) -> bool {
        let Some(status) = status else { return false };
        let place = self.places.get(&key(status.raw.clone()));
        let Some(entry) = place.and_then(|&place| self.entries.get_mut(place)) else { return false };
        entry.status = Some(status);
        true
    }
}

/// A name as it is compared: INBOX in any case is one mailbox (RFC 9051, 5.1).
fn key(mut name: Vec<u8>) -> Vec<u8> {
    if name.eq_ignore_ascii_case(b"INBOX") {
        name.make_ascii_uppercase();
    }
    name
}
