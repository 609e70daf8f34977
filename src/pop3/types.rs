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

/// A line of LANG.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Language {
    /// The language's tag, RFC 5646: `es`.
    pub tag: String,
    /// Its name in the language itself.
    pub description: String,
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
