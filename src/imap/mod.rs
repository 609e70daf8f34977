//! IMAP, RFC 9051 and RFC 3501: what makes it a [`Protocol`]. Nothing is trusted that was said before TLS, not even that
//! STARTTLS is offered: it is sent right after the greeting.
//!
//! ```
//! use mailconnect::imap::Item;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use mailconnect::testing::{Mode, Server};
//! # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
//! # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
//! # imap.login("user", "password")?;
//! let mailbox = imap.select("INBOX")?;
//! println!("{} messages", mailbox.exists);
//! let mut list = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")?;
//! while let Some(mut message) = list.next_message()? {
//!     println!("message {}", message.number());
//!     while let Some(item) = message.next_item()? {
//!         match item {
//!             Item::Uid(uid) => println!("  UID {uid}"),
//!             Item::Flags(flags) => println!("  seen: {}", flags.contains("\\Seen")),
//!             Item::Section(mut body) => println!("  {} bytes", body.copy_to(&mut std::io::sink())?),
//!             _ => {}
//!         }
//!     }
//! }
//! imap.quit()?;
//! # Ok(())
//! # }
//! ```
//!
//! Where a session has ended, the next can go on: UIDs only grow, and stay what they are while UIDVALIDITY does.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use mailconnect::testing::{Mode, Server};
//! # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
//! # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
//! # imap.login("user", "password")?;
//! let (mut validity, mut last) = (Some(38505), 4391_u32); // as the last session has left them
//! let mailbox = imap.select("INBOX")?;
//! if mailbox.uid_validity != validity {
//!     (validity, last) = (mailbox.uid_validity, 0); // all that was kept is of no use
//! }
//! let before = last;
//! for message in imap.uid_fetch(before.saturating_add(1).., "(FLAGS)")?.collect()? {
//!     // They come in any order, and where nothing is new the server tells of the last message all the same.
//!     if let Some(uid) = message.uid().filter(|&uid| uid > before) {
//!         println!("new: {uid}");
//!         last = last.max(uid);
//!     }
//! }
//! // Keep `validity` and `last`.
//! # assert_eq!((validity.is_some(), last), (true, 1));
//! # Ok(())
//! # }
//! ```
//!
//! Each command is a verb of [`ImapClient`](crate::ImapClient), with a UID form where it has one, and
//! [`command`](crate::Client::command) sends any other. [`batch`](crate::Client::batch) has several in flight,
//! [`idle`](crate::Client::idle) listens, and what a server says unasked is in [`events`](crate::Client::events).

mod append;
mod batch;
mod capabilities;
mod code;
mod codec;
mod commands;
mod copy;
mod date;
mod envelope;
mod events;
mod exchange;
mod extensions;
mod fetch;
mod framer;
mod idle;
mod items;
mod line;
mod list;
mod login;
mod mailbox;
mod messages;
mod names;
mod namespace;
mod odd;
mod part;
mod pipeline;
mod refusal;
mod search;
mod section;
mod send;
mod sequence;
mod status;
mod store;
mod strings;
mod structure;
mod text;
mod tokens;

pub use append::{AppendOptions, AppendUid};
pub use batch::{Batch, Replies, Token};
pub use capabilities::Capabilities;
pub use code::{CopyUid, ResponseCode};
pub use date::DateTime;
pub use envelope::{Address, Addresses, Envelope};
pub use events::{Event, Events};
pub use extensions::{IdTime, RawAnswer};
pub use fetch::{Fetch, Message};
pub use idle::{Idle, IdleHandle};
pub use list::ListQuery;
pub use mailbox::{ListEntry, Mailbox};
pub use messages::FetchedMessage;
pub use names::MailboxName;
pub use namespace::{Namespace, Namespaces};
pub use part::{BodyPart, Disposition, Parameters};
pub use search::SearchResult;
pub use section::{Flags, Item, Labels, Section};
pub use sequence::SequenceSet;
pub use status::MailboxStatus;
pub use store::{MessageFlags, Store, Stored};
pub use structure::BodyStructure;
pub use text::Text;

use crate::errors::StartTlsCause;
use crate::sasl::{self, Mechanism};
use crate::wire::{Answer, Wire};
use crate::{Error, Protocol, Result, Security, ports};
use codec::{Condition, Response};
use events::News;
use exchange::{Heard, nothing};
use extensions::Identity;
use framer::ResponseFramer;
use line::Line;
use names::Names;
use refusal::rejection;

/// So many bytes of commands may be on their way before an answer was read: 8 KiB, which the buffers between hold whatever
/// the server does. So sending never waits for a server that waits for its answers to be read, however long they are.
const IN_FLIGHT: usize = 8 << 10;

/// And so many commands: 128. The wait for more of them is nothing beside the work that they make.
const MOST_IN_FLIGHT: usize = 128;

/// The upgrade, RFC 9051 6.2.1.
const STARTTLS: &str = "STARTTLS";

/// IMAP: the options, and what is known of the server. Its verbs are those of [`ImapClient`](crate::ImapClient).
#[derive(Debug, Default)]
pub struct Imap {
    allow_preauth: bool,
    /// What ID says, and when it is sent.
    identity: Option<Identity>,
    /// The number of the last command's tag. They go on after the upgrade.
    tag: u32,
    /// None until they were asked for, or if what was known holds no more.
    capabilities: Option<Capabilities>,
    /// How often they were learned.
    learned: u32,
    /// The server has refused to tell them.
    will_not_tell: bool,
    news: News,
    preauth: bool,
    /// How mailboxes are named from here on.
    names: Names,
    /// IMAP4rev2 was enabled.
    rev2: bool,
    /// An IDLE with this tag is under way.
    idling: Option<u32>,
    /// DONE was sent, and nothing that was sent later was answered yet: a refusal of it may come.
    done_sent: bool,
    /// LOGOUT was sent: a goodbye is no error.
    leaving: bool,
    /// LOGOUT was answered.
    left: bool,
    /// A cursor is going over a FETCH. If it was left before its end, news may have been in the part that was not read.
    reading: bool,
    /// The next part goes on with a response whose head was seen.
    rest: bool,
    /// The command under way asks for bodies of messages.
    bodies_asked: bool,
    /// It selects another mailbox, or none.
    leaving_mailbox: bool,
    heard: Heard,
}

impl Imap {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a session may be authenticated from the start (`* PREAUTH`), as over an SSH tunnel; false unless set.
    ///
    /// Such a session skips the log-in, so it is whoever answers that decides whose mail this is. It can never be
    /// upgraded: `start_tls` fails.
    ///
    /// ```
    /// use mailconnect::imap::Imap;
    ///
    /// let imap = Imap::new().allow_preauth(true);
    /// # let script = mailconnect::testing::Script::parse("S: * PREAUTH [CAPABILITY IMAP4rev1] hello, joe")?;
    /// # let connector = mailconnect::Connector::new();
    /// # let tunnel = script.play().0;
    /// let imap = connector.over(imap, tunnel, "localhost", mailconnect::Security::Plain)?;
    /// assert!(imap.protocol().is_preauth());
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    #[must_use]
    pub fn allow_preauth(mut self, allowed: bool) -> Self {
        self.allow_preauth = allowed;
        self
    }

    /// What to say by ID (RFC 2971) and when: before the log-in or right after it. Some servers (163.com) let nobody select
    /// a mailbox who has not said who they are. Nothing is said to a server that does not offer ID, and a refusal of it is
    /// no error. Default: nothing.
    ///
    /// ```
    /// use mailconnect::imap::{IdTime, Imap};
    ///
    /// let imap = Imap::new().identity(IdTime::AfterLogin, [("name", "my-program"), ("version", "1.0")])?;
    /// # let script = mailconnect::testing::Script::parse("S: * OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR] hi")?;
    /// # let connector = mailconnect::Connector::new();
    /// # let transport = script.play().0;
    /// let imap = connector.over(imap, transport, "localhost", mailconnect::Security::Plain)?;
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL, more than 30 fields, a name of more than 30 bytes or a value of more
    /// than 1024.
    pub fn identity<'f>(mut self, time: IdTime, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self> {
        self.identity = Some(Identity::new(time, fields)?);
        Ok(self)
    }

    /// What to call for every event, at once and before it is queued: from within the call that hears it. It is told of all,
    /// also of those for which the queue has no room, but of nothing that was said before an upgrade to TLS. Default:
    /// nobody.
    ///
    /// ```
    /// use mailconnect::imap::{Event, Imap};
    ///
    /// let imap = Imap::new().on_event(|event| {
    ///     if let Event::Alert(text) = event {
    ///         eprintln!("the server wants you to know: {text}");
    ///     }
    /// });
    /// # let script = mailconnect::testing::Script::parse("S: * OK [ALERT] Maintenance at noon")?;
    /// # let connector = mailconnect::Connector::new();
    /// # let transport = script.play().0;
    /// let imap = connector.over(imap, transport, "localhost", mailconnect::Security::Plain)?;
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.news = News::new(Some(std::sync::Arc::new(listener)));
        self
    }

    /// True if the session was authenticated from the start.
    pub fn is_preauth(&self) -> bool {
        self.preauth
    }

    /// Asks for the capabilities, unless they are known.
    fn learn_capabilities(&mut self, wire: &mut Wire) -> Result<&Capabilities> {
        if self.capabilities.is_none() {
            self.run(wire, &Line::new("CAPABILITY"), nothing)?;
        }
        // A server that answers OK and names none has none.
        Ok(self.capabilities.get_or_insert_default())
    }

    /// They are others after a log-in.
    fn forget_capabilities(&mut self) {
        (self.capabilities, self.will_not_tell) = (None, false);
    }

    /// The capabilities, once they were asked for.
    fn known(&self) -> &Capabilities {
        static NONE: Capabilities = Capabilities::NONE;
        self.capabilities.as_ref().unwrap_or(&NONE)
    }
}

impl Protocol for Imap {
    const NAME: &'static str = "IMAP";
    const SASL_SERVICE: &'static str = "imap";
    const PORT: Option<u16> = Some(ports::IMAP);
    const TLS_PORT: Option<u16> = Some(ports::IMAPS);
    const SCHEMES: &'static [(&'static str, Security)] = &[("imap", Security::StartTls), ("imaps", Security::Tls)];
    const ROUTES: &'static [(u16, Security)] = &[(ports::IMAPS, Security::Tls), (ports::IMAP, Security::StartTls)];
    const ALPN: &'static [&'static [u8]] = &[b"imap"];
    const OWN_LOGIN: Option<&'static str> = Some("LOGIN");
    const UNSOLICITED: bool = true;

    fn reset(&mut self) {
        *self = Self {
            allow_preauth: self.allow_preauth,
            identity: self.identity.take(),
            news: News::new(self.news.listener()),
            tag: self.tag,
            ..Self::default()
        };
    }

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        if wire.tls_wanted() && !wire.is_secure() {
            self.news.ignore();
        }
        wire.expect(Answer::new("greeting", ResponseFramer::greeting(wire.limits())));
        wire.next_part()?;
        let limits = wire.limits().clone();
        let status = match Response::parse(wire.frame()) {
            Response::Untagged(data) => data.status(),
            _ => None,
        };
        let Some(status) = status else { return Err(wire.malformed("not a greeting of IMAP")) };
        match status.condition {
            Condition::Ok => {}
            Condition::Preauth if self.allow_preauth => self.preauth = true,
            Condition::Preauth => {
                return Err(wire.malformed(
                    "the session is authenticated already (PREAUTH), as whoever answers wants; see Imap::allow_preauth",
                ));
            }
            condition => {
                let code = status.code.map(|code| code.whole);
                let mut refusal = rejection("the connection", condition, code, status.text);
                refusal.closing = true;
                return Err(Error::Rejected(Box::new(refusal)));
            }
        }
        self.learn(&status, &limits).map_err(|flaw| wire.flaw(flaw)).map(drop)
    }

    fn request_tls(&mut self, wire: &mut Wire) -> Result<()> {
        if self.preauth {
            return Err(Error::start_tls(wire.peer(), StartTlsCause::Preauth));
        }
        self.news.ignore();
        self.run(wire, &Line::new(STARTTLS), nothing).map(drop)
    }

    fn secured(&mut self, _: &mut Wire) -> Result<()> {
        // Capabilities are asked for when they are needed.
        Ok(())
    }

    fn mechanisms(&mut self, wire: &mut Wire) -> Result<Vec<String>> {
        if self.preauth {
            return Err(Error::WrongState("login: the session is authenticated already (PREAUTH)"));
        }
        self.identify(wire, IdTime::BeforeLogin)?;
        Ok(self.learn_capabilities(wire)?.mechanisms())
    }

    fn authenticate(
        &mut self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &sasl::Context<'_>,
    ) -> Result<()> {
        self.sasl(wire, mechanism, context)
    }

    fn login(&mut self, wire: &mut Wire, user: &str, password: &str) -> Result<()> {
        self.plain_login(wire, user, password)
    }

    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        if self.left {
            return Ok(());
        }
        self.leaving = true;
        let result = self.run(wire, &Line::new("LOGOUT"), nothing);
        match result {
            // It was going to close anyway, and nothing depends on how.
            Err(Error::ConnectionLost(_)) => Ok(()),
            result => result.map(drop),
        }
    }
}
