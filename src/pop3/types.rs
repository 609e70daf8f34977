//! What POP3's commands answer. Values only.

use crate::Rejection;

/// What STAT says of the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Messages that are not marked as deleted.
    pub messages: u32,
    /// Their size. Some servers count it without the CR of each line.
    pub octets: u64,
}

/// A line of LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListEntry {
    /// The message's number in this session. Deleted ones leave gaps.
    pub number: u32,
    /// Its size. Some servers count it without the CR of each line: no more than a hint of what RETR sends.
    pub octets: u64,
}

/// A line of UIDL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UidlEntry {
    /// The message's number in this session.
    pub number: u32,
    /// The message's own id, the same in every session.
    pub uid: String,
}

impl UidlEntry {
    pub(super) fn new(number: u32, uid: &str) -> Self {
        Self { number, uid: uid.to_owned() }
    }
}

/// What a server says it can do, RFC 2449. Empty if it does not know CAPA, which says nothing about what it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

impl Capabilities {
    pub(super) fn new(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// True if the capability is there, in any case: `TOP`, `UIDL`, `PIPELINING`.
    pub fn has(&self, name: &str) -> bool {
        self.words_of(name).is_some()
    }

    /// The words after the capability: the mechanisms after `SASL`. None if it is not there.
    pub fn arguments(&self, name: &str) -> Option<Vec<&str>> {
        self.words_of(name).map(Iterator::collect)
    }

    /// All of them as they were told, with their arguments.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// True if the server told none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Why a command was refused, where the server says so in a way for programs. RFC 2449 8, RFC 3206, RFC 6856.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseCode {
    /// `IN-USE`: another session has the mailbox open. Transient.
    InUse,
    /// `LOGIN-DELAY`: logged in again too soon. Transient.
    LoginDelay,
    /// `SYS/TEMP`: a failure of the server that will pass. Transient.
    SysTemp,
    /// `SYS/PERM`: a failure of the server that wants its administrator.
    SysPerm,
    /// `AUTH`: user name or password are wrong.
    Auth,
    /// `UTF8`: the message or the mailbox needs the command UTF8 first.
    Utf8,
}

impl ResponseCode {
    /// The code of a refusal; none if it has none, or one that is not known here: see [`Rejection::code`].
    ///
    /// ```
    /// # use mailconnect::{Error, pop3::ResponseCode};
    /// fn wrong_password(error: &Error) -> bool {
    ///     error.rejection().and_then(ResponseCode::of) == Some(ResponseCode::Auth)
    /// }
    /// ```
    pub fn of(rejection: &Rejection) -> Option<Self> {
        rejection.code.as_deref().and_then(Self::parse)
    }

    /// Codes are levels, and a server may add one of its own: `SYS/TEMP/DISK`.
    pub(super) fn parse(code: &str) -> Option<Self> {
        let mut levels = code.split('/');
        let (first, second) = (levels.next()?, levels.next().unwrap_or_default());
        let is = |level: &str, known: &str| level.eq_ignore_ascii_case(known);
        match first {
            _ if is(first, "IN-USE") => Some(Self::InUse),
            _ if is(first, "LOGIN-DELAY") => Some(Self::LoginDelay),
            _ if is(first, "SYS") && is(second, "TEMP") => Some(Self::SysTemp),
            _ if is(first, "SYS") && is(second, "PERM") => Some(Self::SysPerm),
            _ if is(first, "AUTH") => Some(Self::Auth),
            _ if is(first, "UTF8") => Some(Self::Utf8),
            _ => None,
        }
    }

    /// True if the same command may be taken later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::InUse | Self::LoginDelay | Self::SysTemp)
    }
}
