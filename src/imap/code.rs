//! Response codes (RFC 9051, 7.1; RFC 5530): what stands in the brackets of a status response, typed on demand. One that
//! is not known, or whose value is not what it should be, stays as it was sent.

use std::fmt;

use super::codec::{Code, number, word};
use super::mailbox::flags;
use super::sequence::Pairs;
use super::tokens::{Tokens, Value};
use super::{Capabilities, SequenceSet};
use crate::Limits;

/// What stands in the brackets of a status response, after OK, NO, BAD or BYE.
///
/// That of a refusal is the text [`Rejection::code`](crate::Rejection::code), that of an event
/// [`Event::code`](super::Event::code):
///
/// ```
/// use mailconnect::imap::ResponseCode;
///
/// assert_eq!(ResponseCode::parse(b"TRYCREATE"), ResponseCode::TryCreate);
/// assert_eq!(ResponseCode::parse(b"uidnext 4392"), ResponseCode::UidNext(4392));
/// let ResponseCode::CopyUid(copied) = ResponseCode::parse(b"COPYUID 38505 304,319:320 3956:3958") else { panic!() };
/// assert_eq!(copied.destination_of(320), Some(3958));
/// assert_eq!(ResponseCode::parse(b"UIDNEXT soon").name(), "UIDNEXT"); // one of `Other`
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseCode {
    /// The text must be shown to the user.
    Alert,
    /// There is a mailbox of that name already.
    AlreadyExists,
    /// What APPEND has made of the messages, RFC 4315.
    AppendUid {
        /// The UIDVALIDITY of the mailbox.
        validity: u32,
        /// The UID of the message there; of several, theirs in the order in which they were sent.
        uids: SequenceSet,
    },
    /// A wrong user or password.
    AuthenticationFailed,
    /// Logged in, but not allowed to act for that user.
    AuthorizationFailed,
    /// The charset of a SEARCH is not known; those that are.
    BadCharset(Vec<String>),
    /// A COMPARATOR or collation is not known, RFC 5255.
    BadComparator,
    /// It can never be done.
    Cannot,
    /// What the server can do.
    Capability(Capabilities),
    /// The server thinks that the client is wrong.
    ClientBug,
    /// The mailbox that was selected before is closed; what follows is about the new one, RFC 7162.
    Closed,
    /// COMPRESS is on already, RFC 4978.
    CompressionActive,
    /// The user must turn to the administrator.
    ContactAdmin,
    /// What COPY or MOVE has made of the messages, RFC 4315.
    CopyUid(CopyUid),
    /// The server's data is damaged.
    Corruption,
    /// The password or the account has expired.
    Expired,
    /// Some messages are gone already.
    ExpungeIssued,
    /// The mailbox has children, and cannot be deleted for that.
    HasChildren,
    /// The highest mod-sequence of the mailbox, RFC 7162.
    HighestModSeq(u64),
    /// How far a command has got, RFC 9585.
    InProgress,
    /// Somebody else is at it.
    InUse,
    /// A limit of the server was reached.
    Limit,
    /// The id of the mailbox, RFC 8474.
    MailboxId(String),
    /// The messages that were changed in between, and so were not stored, RFC 7162.
    Modified(SequenceSet),
    /// The mailbox has moved, RFC 2221.
    NewName {
        /// The name that was used, as the server sent it.
        old: String,
        /// The name that it has now, as the server sent it.
        new: String,
    },
    /// The mailbox has no mod-sequences, RFC 7162.
    NoModSeq,
    /// There is no such thing.
    NonExistent,
    /// Not allowed.
    NoPerm,
    /// What was found was not saved, RFC 5182.
    NotSaved,
    /// The user has no room left.
    OverQuota,
    /// A message could not be understood.
    Parse,
    /// The flags that can be changed for good; `\*` means that new ones can be made.
    PermanentFlags(Vec<String>),
    /// It is not done without encryption.
    PrivacyRequired,
    /// The mailbox can only be read.
    ReadOnly,
    /// The mailbox can be read and changed.
    ReadWrite,
    /// Another server has it, RFC 2221: a URL, which this crate never follows.
    Referral(String),
    /// The server thinks that it is wrong itself.
    ServerBug,
    /// A message is too large, RFC 4469.
    TooBig,
    /// The mailbox is not there, and creating it may help.
    TryCreate,
    /// The UID that the next message will get at least.
    UidNext(u32),
    /// UIDs do not last in this mailbox, RFC 4315.
    UidNotSticky,
    /// Only UIDs can be used, RFC 9586.
    UidRequired,
    /// UIDs hold as long as this stays the same.
    UidValidity(u32),
    /// A part of the server is down; it may pass.
    Unavailable,
    /// A part's transfer encoding is not known, RFC 3516.
    UnknownCte,
    /// The sequence number of the first unseen message.
    Unseen(u32),
    /// The special use is not supported, RFC 6154.
    UseAttr,
    /// A page that the user must visit, as Gmail has it.
    WebAlert(String),
    /// Any other, and one whose value is not what it should be.
    Other {
        /// Its name, in upper case.
        name: String,
        /// What follows the name, as it was sent.
        value: Vec<u8>,
    },
}

/// Those without a value, or with one that is not read.
const PLAIN: &[(&str, ResponseCode)] = &[
    ("ALERT", ResponseCode::Alert),
    ("ALREADYEXISTS", ResponseCode::AlreadyExists),
    ("AUTHENTICATIONFAILED", ResponseCode::AuthenticationFailed),
    ("AUTHORIZATIONFAILED", ResponseCode::AuthorizationFailed),
    ("BADCOMPARATOR", ResponseCode::BadComparator),
    ("CANNOT", ResponseCode::Cannot),
    ("CLIENTBUG", ResponseCode::ClientBug),
    ("CLOSED", ResponseCode::Closed),
    ("COMPRESSIONACTIVE", ResponseCode::CompressionActive),
    ("CONTACTADMIN", ResponseCode::ContactAdmin),
    ("CORRUPTION", ResponseCode::Corruption),
    ("EXPIRED", ResponseCode::Expired),
    ("EXPUNGEISSUED", ResponseCode::ExpungeIssued),
    ("HASCHILDREN", ResponseCode::HasChildren),
    ("INPROGRESS", ResponseCode::InProgress),
    ("INUSE", ResponseCode::InUse),
    ("LIMIT", ResponseCode::Limit),
    ("NOMODSEQ", ResponseCode::NoModSeq),
    ("NONEXISTENT", ResponseCode::NonExistent),
    ("NOPERM", ResponseCode::NoPerm),
    ("NOTSAVED", ResponseCode::NotSaved),
    ("OVERQUOTA", ResponseCode::OverQuota),
    ("PARSE", ResponseCode::Parse),
    ("PRIVACYREQUIRED", ResponseCode::PrivacyRequired),
    ("READ-ONLY", ResponseCode::ReadOnly),
    ("READ-WRITE", ResponseCode::ReadWrite),
    ("SERVERBUG", ResponseCode::ServerBug),
    ("TOOBIG", ResponseCode::TooBig),
    ("TRYCREATE", ResponseCode::TryCreate),
    ("UIDNOTSTICKY", ResponseCode::UidNotSticky),
    ("UIDREQUIRED", ResponseCode::UidRequired),
    ("UNAVAILABLE", ResponseCode::Unavailable),
    ("UNKNOWN-CTE", ResponseCode::UnknownCte),
    ("USEATTR", ResponseCode::UseAttr),
];

impl ResponseCode {
    /// Reads a code without its brackets: `UIDNEXT 4392`. There is none that it cannot take: see
    /// [`Other`](Self::Other).
    pub fn parse(code: &[u8]) -> Self {
        Self::new(&Code::new(code))
    }

    pub(super) fn new(code: &Code<'_>) -> Self {
        let plain = PLAIN.iter().find(|(name, _)| code.is(name));
        let typed = plain.map(|(_, plain)| plain.clone()).or_else(|| Self::with_value(code));
        typed.unwrap_or_else(|| Self::Other { name: shown(code.name).to_ascii_uppercase(), value: code.value.to_vec() })
    }

    /// None if its name is not known or its value cannot be read.
    fn with_value(code: &Code<'_>) -> Option<Self> {
        let value = code.value;
        let small = || number(word(value).0).and_then(|number| u32::try_from(number).ok());
        let text = || (!value.is_empty()).then(|| shown(value));
        let is = |name| code.is(name);
        match () {
            () if is("APPENDUID") => appended(value),
            () if is("BADCHARSET") => Some(Self::BadCharset(strings(value))),
            () if is("CAPABILITY") => Capabilities::parse(value, &Limits::default()).ok().map(Self::Capability),
            () if is("COPYUID") => CopyUid::parse(value).map(Self::CopyUid),
            () if is("HIGHESTMODSEQ") => code.number("HIGHESTMODSEQ").map(Self::HighestModSeq),
            () if is("MAILBOXID") => strings(value).into_iter().next().map(Self::MailboxId),
            () if is("MODIFIED") => SequenceSet::as_sent(word(value).0).map(Self::Modified),
            () if is("NEWNAME") => renamed(value),
            () if is("PERMANENTFLAGS") => Some(Self::PermanentFlags(flags(value))),
            () if is("REFERRAL") => text().map(Self::Referral),
            () if is("UIDNEXT") => small().map(Self::UidNext),
            () if is("UIDVALIDITY") => small().map(Self::UidValidity),
            () if is("UNSEEN") => small().map(Self::Unseen),
            () if is("WEBALERT") => text().map(Self::WebAlert),
            () => None,
        }
    }

    /// Its name, in upper case: `TRYCREATE`.
    pub fn name(&self) -> &str {
        match self {
            Self::AppendUid { .. } => "APPENDUID",
            Self::BadCharset(_) => "BADCHARSET",
            Self::Capability(_) => "CAPABILITY",
            Self::CopyUid(_) => "COPYUID",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::MailboxId(_) => "MAILBOXID",
            Self::Modified(_) => "MODIFIED",
            Self::NewName { .. } => "NEWNAME",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::Referral(_) => "REFERRAL",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unseen(_) => "UNSEEN",
            Self::WebAlert(_) => "WEBALERT",
            Self::Other { name, .. } => name,
            plain => PLAIN.iter().find(|(_, known)| known == plain).map_or("", |(name, _)| name),
        }
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple(self.name());
        match self {
            Self::AppendUid { validity, uids } => shown.field(validity).field(uids),
            Self::BadCharset(names) | Self::PermanentFlags(names) => shown.field(names),
            Self::Capability(capabilities) => shown.field(capabilities),
            Self::CopyUid(copied) => shown.field(copied),
            Self::HighestModSeq(number) => shown.field(number),
            Self::MailboxId(text) | Self::Referral(text) | Self::WebAlert(text) => shown.field(text),
            Self::Modified(set) => shown.field(set),
            Self::NewName { old, new } => shown.field(old).field(new),
            Self::UidNext(number) | Self::UidValidity(number) | Self::Unseen(number) => shown.field(number),
            Self::Other { value, .. } if !value.is_empty() => shown.field(&String::from_utf8_lossy(value)),
            _ => &mut shown,
        };
        shown.finish()
    }
}

/// Where messages have gone, as servers with UIDPLUS (RFC 4315) tell. The sets stay ranges, however much they name.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyUid {
    /// The UIDVALIDITY of the mailbox that they have gone to.
    pub validity: u32,
    /// Their UIDs in the mailbox where they were.
    pub source: SequenceSet,
    /// The UIDs of the copies, in the same order.
    pub destination: SequenceSet,
    pairs: Pairs,
}

impl CopyUid {
    fn new(validity: u32, source: SequenceSet, destination: SequenceSet) -> Self {
        let pairs = Pairs::new(&source, &destination);
        Self { validity, source, destination, pairs }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (validity, sets) = word(value);
        let (source, rest) = word(sets);
        let (source, destination) = (SequenceSet::as_sent(source)?, SequenceSet::as_sent(word(rest).0)?);
        let numbers = source.len().is_some() && destination.len().is_some();
        let validity = number(validity).and_then(|number| u32::try_from(number).ok())?;
        numbers.then(|| Self::new(validity, source, destination))
    }

    /// The UID of the copy of this message, as the server has told it; none if it was not copied. It is found without a look
    /// at all ranges, so it may be asked of every message. Of one that the server names twice, which it should not, that
    /// counts which is beside the range with the lower start, and of two that start alike the first.
    pub fn destination_of(&self, uid: u32) -> Option<u32> {
        self.pairs.beside(uid)
    }
}

impl fmt::Debug for CopyUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { validity, source, destination, .. } = self;
        let mut shown = f.debug_struct("CopyUid");
        shown.field("validity", validity).field("source", source).field("destination", destination).finish()
    }
}

fn appended(value: &[u8]) -> Option<ResponseCode> {
    let (validity, rest) = word(value);
    let validity = number(validity).and_then(|number| u32::try_from(number).ok())?;
    let uids = SequenceSet::as_sent(word(rest).0).filter(|uids| uids.len().is_some())?;
    Some(ResponseCode::AppendUid { validity, uids })
}

fn renamed(value: &[u8]) -> Option<ResponseCode> {
    let mut names = strings(value).into_iter();
    Some(ResponseCode::NewName { old: names.next()?, new: names.next()? })
}

/// The strings and atoms of a value, in parentheses or not.
fn strings(value: &[u8]) -> Vec<String> {
    let value = value.strip_prefix(b"(").unwrap_or(value);
    let limits = Limits::default();
    let mut tokens = Tokens::new(value, 0, &limits);
    let next = move || match tokens.value() {
        Ok(Some(value @ (Value::Atom(_) | Value::Quoted(_) | Value::Literal(_)))) => value.text(),
        _ => None,
    };
    std::iter::from_fn(next).map(|text| shown(&text)).collect()
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests;
