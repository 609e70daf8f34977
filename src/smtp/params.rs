//! Parameters of MAIL and RCPT, RFC 5321 4.1.2: typed where callers need them often, by one checked type otherwise. What
//! the server does not offer is an error before MAIL, or left out if the caller marked it optional.

mod build;

use super::Capabilities;
use crate::{Error, Result};
pub use build::{BodyType, DeliverBy, Notify, Ret};

/// A parameter of MAIL: about the message as a whole.
///
/// ```
/// use mailconnect::smtp::{Envelope, MailParameter, Ret};
///
/// let envelope = Envelope::new("me@example.com", ["you@example.com"])?
///     .with(MailParameter::ret(Ret::Headers))
///     .with(MailParameter::envelope_id("QQ314159")?)
///     .with(MailParameter::priority(3)?.optional()); // left out where the server does not know priorities
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailParameter(Parameter);

/// A parameter of RCPT: about one recipient.
///
/// ```
/// use mailconnect::smtp::{Envelope, Notify, RcptParameter};
///
/// let on_failure = RcptParameter::notify([Notify::Failure, Notify::Delay]);
/// let original = RcptParameter::original_recipient("list@example.com")?;
/// let envelope = Envelope::new("me@example.com", ["you@example.com"])?
///     .with_each(on_failure.clone())
///     .add("she@example.com", [on_failure, original])?;
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RcptParameter(Parameter);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Parameter {
    /// The keyword that EHLO must have told.
    extension: String,
    keyword: String,
    value: Option<String>,
    demand: Demand,
    optional: bool,
}

/// What must hold beside that the extension is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Demand {
    Nothing,
    /// This, and the n-th number that stands behind the extension's keyword is the most.
    AtMost(usize, u64),
    /// This, and that number is the least.
    AtLeast(usize, u64),
    /// The connection has TLS.
    Tls,
    /// The message goes out by BDAT.
    Chunks,
}

/// Keywords that this client sends by itself, or by a constructor of their own.
const OWN: &[&str] = &["SIZE", "BODY", "SMTPUTF8", "AUTH", "BY", "PRDR"];

impl Parameter {
    fn new(extension: &str, keyword: &str, value: Option<String>) -> Self {
        let (extension, keyword) = (extension.to_owned(), keyword.to_owned());
        Self { extension, keyword, value, demand: Demand::Nothing, optional: false }
    }

    fn demanding(mut self, demand: Demand) -> Self {
        self.demand = demand;
        self
    }

    /// What goes on the line; none if it is optional and cannot go.
    fn for_server(&self, capabilities: &Capabilities, secure: bool) -> Result<Option<String>> {
        let Some(why) = self.hindrance(capabilities, secure) else {
            return Ok(Some(match &self.value {
                Some(value) => format!(" {}={value}", self.keyword),
                None => format!(" {}", self.keyword),
            }));
        };
        if self.optional { Ok(None) } else { Err(Error::unsupported(format!("the parameter {}: {why}", self.keyword))) }
    }

    fn hindrance(&self, capabilities: &Capabilities, secure: bool) -> Option<String> {
        let extension = &self.extension;
        let Some(told) = capabilities.parameter(extension) else {
            return Some(format!("the server does not offer {extension}"));
        };
        let number = |n: usize| told.split_ascii_whitespace().nth(n).and_then(|word| word.parse::<u64>().ok());
        match self.demand {
            Demand::AtMost(n, asked) if number(n).is_some_and(|max| asked > max) => {
                Some(format!("the server allows less: {extension} {told}"))
            }
            Demand::AtLeast(n, asked) if number(n).is_some_and(|min| asked < min) => {
                Some(format!("the server wants more: {extension} {told}"))
            }
            Demand::Tls if !secure => Some("the connection has no TLS".to_owned()),
            Demand::Chunks if !capabilities.has("CHUNKING") => Some("the server does not offer CHUNKING".to_owned()),
            _ => None,
        }
    }
}

/// Puts `parameter` in place of an earlier one of the same keyword.
pub(super) fn put<P: Keyword>(all: &mut Vec<P>, parameter: P) {
    all.retain(|other| other.keyword() != parameter.keyword());
    all.push(parameter);
}

pub(super) trait Keyword {
    fn keyword(&self) -> &str;
}

impl Keyword for MailParameter {
    fn keyword(&self) -> &str {
        &self.0.keyword
    }
}

impl Keyword for RcptParameter {
    fn keyword(&self) -> &str {
        &self.0.keyword
    }
}

/// How the octets of a message are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// BODY=BINARYMIME: octets as they are, by BDAT.
    pub(super) binary: bool,
    /// Octets above 127 are declared.
    pub(super) eight_bit: bool,
    /// MAIL has SMTPUTF8.
    pub(super) utf8: bool,
}

/// SIZE, if the server offers it; an error for a message that is too large.
pub(super) fn size(capabilities: &Capabilities, size: Option<u64>) -> Result<String> {
    match (size, capabilities.size()) {
        (Some(size), Some(max)) if size > max => {
            Err(Error::invalid("body", format!("is {size} octets long, and the server takes at most {max}")))
        }
        (Some(size), _) if capabilities.has("SIZE") => Ok(format!(" SIZE={size}")),
        _ => Ok(String::new()),
    }
}

/// The other parameters of MAIL as they go on its line, and what they make of the message. `utf8`: an address is outside
/// ASCII.
pub(super) fn mail(
    given: &[MailParameter],
    capabilities: &Capabilities,
    utf8: bool,
    secure: bool,
) -> Result<(String, Content)> {
    let mut line = String::new();
    for MailParameter(parameter) in given {
        line.push_str(&parameter.for_server(capabilities, secure)?.unwrap_or_default());
    }
    // No value holds a blank. One that was left out says nothing.
    if !line.contains(" BODY=") && capabilities.has("8BITMIME") {
        line.insert_str(0, " BODY=8BITMIME");
    }
    if utf8 && !line.contains(" SMTPUTF8") {
        if !capabilities.has("SMTPUTF8") {
            return Err(Error::unsupported("an address outside ASCII, and the server does not offer SMTPUTF8"));
        }
        line.push_str(" SMTPUTF8");
    }
    let binary = line.contains(" BODY=BINARYMIME");
    let eight_bit = binary || line.contains(" BODY=8BITMIME");
    let utf8 = line.contains(" SMTPUTF8");
    Ok((line, Content { binary, eight_bit, utf8 }))
}

/// The parameters of RCPT as they go on its line.
pub(super) fn rcpt(given: &[RcptParameter], capabilities: &Capabilities, secure: bool) -> Result<String> {
    let texts = given.iter().map(|RcptParameter(parameter)| parameter.for_server(capabilities, secure));
    texts.map(|text| text.map(Option::unwrap_or_default)).collect()
}

#[cfg(test)]
mod tests;
