//! What NO, BAD and BYE mean in the terms of every protocol, by their response codes (RFC 5530).

use super::codec::Condition;
use crate::{Rejection, Severity};

/// Codes of a NO or BAD that pass: a subsystem is down, somebody else is at it. THROTTLED is in no RFC.
const PASSING: &[&str] = &["UNAVAILABLE", "INUSE", "EXPUNGEISSUED", "THROTTLED"];

/// How servers say that too much was asked of them for now, with no code, or one that elsewhere means for good.
const TOO_MUCH_FOR_NOW: &[&str] = &[
    // (Exchange Online) BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds
    "is throttled",
    // (Exchange) NO Server Unavailable. 15
    "server unavailable",
    // (Gmail) NO [OVERQUOTA] Account exceeded command or bandwidth limits.
    "bandwidth limits",
    // (Gmail) NO [ALERT] Too many simultaneous connections.
    "too many simultaneous connections",
    // (Yahoo) NO [LIMIT] FETCH Rate limit hit.
    "rate limit hit",
];

/// Codes of a BYE that will come again: not this user, not so, not here. Without one of them it says no more than that
/// this connection ends: a restart, too long a silence.
const LASTING: &[&str] = &[
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "CANNOT",
    "CLIENTBUG",
    "CONTACTADMIN",
    "EXPIRED",
    "NOPERM",
    "PRIVACYREQUIRED",
    "REFERRAL",
];

/// A refusal in the terms of every protocol.
pub(super) fn rejection(command: &str, condition: Condition, code: Option<&[u8]>, text: &[u8]) -> Rejection {
    let code = code.map(|code| {
        // Whole, within the limit of a line: half of a set of messages would be another set.
        let code = String::from_utf8_lossy(code).into_owned();
        let (name, rest) = code.split_at(code.find(' ').unwrap_or(code.len()));
        format!("{}{rest}", name.to_ascii_uppercase())
    });
    let name = code.as_deref().and_then(|code| code.split(' ').next()).unwrap_or_default();
    let text = text.get(..512).unwrap_or(text);
    let severity = severity(condition, name, text);
    let text = String::from_utf8_lossy(text).into_owned();
    let mut rejection = Rejection::new(command, condition.name(), severity, vec![text]);
    rejection.lines.retain(|line| !line.is_empty());
    rejection.code = code.map(Into::into);
    rejection.closing = condition == Condition::Bye;
    rejection
}

fn severity(condition: Condition, code: &str, text: &[u8]) -> Severity {
    let text = text.to_ascii_lowercase();
    let says = |phrase: &&str| memchr::memmem::find(&text, phrase.as_bytes()).is_some();
    let passes = match condition {
        Condition::Bye => !LASTING.contains(&code),
        _ => PASSING.contains(&code) || TOO_MUCH_FOR_NOW.iter().any(says),
    };
    if passes { Severity::Transient } else { Severity::Permanent }
}
