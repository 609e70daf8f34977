//! Who gets a message and who hears when it cannot be delivered: RFC 5321 2.3.1. Addresses are parsed and written anew,
//! never copied, so that none of them can become a parameter or a command.

use super::params::{self, MailParameter, RcptParameter};
use crate::{Error, Result};

/// Octets of a local part, RFC 5321 4.5.3.1.1.
const LOCAL_MAX: usize = 64;
/// Octets of an address: the 256 of RFC 5321 4.5.3.1.3 less the angle brackets.
const ADDRESS_MAX: usize = 254;

/// Sender and recipients of a message, apart from what its header says. Every address in it can be sent as it is.
///
/// ```
/// use mailconnect::smtp::Envelope;
///
/// let envelope = Envelope::new("me@example.com", ["you@example.com", "\"John Doe\"@example.com"])?;
/// assert_eq!(envelope.to().len(), 2);
/// assert!(Envelope::new("me@example.com> SIZE=1", ["you@example.com"]).is_err());
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Envelope {
    from: String,
    to: Vec<String>,
    mail: Vec<MailParameter>,
    /// One list for each recipient.
    rcpt: Vec<Vec<RcptParameter>>,
}

impl Envelope {
    /// From one sender to any number of recipients, by their bare addresses: no names, no angle brackets.
    ///
    /// Local parts may be quoted, but must not hold `<` or `>` even then: some servers end the address there. Addresses
    /// outside ASCII are sent if the server offers SMTPUTF8.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an address that is none or is too long (64 octets before the `@`, 254 in all), for
    /// an empty sender (see [`null_sender`](Self::null_sender)), and if there are no recipients.
    pub fn new<T: AsRef<str>>(from: impl AsRef<str>, to: impl IntoIterator<Item = T>) -> Result<Self> {
        let from = from.as_ref();
        if from.is_empty() {
            return Err(Error::invalid("sender", "is empty; for a message that must not bounce use null_sender"));
        }
        Ok(Self::of(address("sender", from)?, recipients(to)?))
    }

    /// From `<>`: for delivery reports and automatic answers, about which nobody must be told that they failed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn null_sender<T: AsRef<str>>(to: impl IntoIterator<Item = T>) -> Result<Self> {
        Ok(Self::of(String::new(), recipients(to)?))
    }

    fn of(from: String, to: Vec<String>) -> Self {
        let rcpt = vec![Vec::new(); to.len()];
        Self { from, to, mail: Vec::new(), rcpt }
    }

    /// With a parameter of MAIL; one of the same keyword is replaced.
    #[must_use]
    pub fn with(mut self, parameter: MailParameter) -> Self {
        params::put(&mut self.mail, parameter);
        self
    }

    /// With a parameter of RCPT for each recipient so far; one of the same keyword is replaced.
    #[must_use]
    pub fn with_each(mut self, parameter: RcptParameter) -> Self {
        self.rcpt.iter_mut().for_each(|given| params::put(given, parameter.clone()));
        self
    }

    /// With one more recipient, and parameters for it alone.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an address that is none.
    pub fn add(mut self, to: &str, parameters: impl IntoIterator<Item = RcptParameter>) -> Result<Self> {
        self.to.push(recipient(to)?);
        let mut given = Vec::new();
        parameters.into_iter().for_each(|parameter| params::put(&mut given, parameter));
        self.rcpt.push(given);
        Ok(self)
    }

    /// The sender; empty for the null sender.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The recipients, in order.
    pub fn to(&self) -> &[String] {
        &self.to
    }

    /// The parameters of MAIL.
    pub(super) fn mail_parameters(&self) -> &[MailParameter] {
        &self.mail
    }

    /// The parameters of the n-th recipient.
    pub(super) fn rcpt_parameters(&self, n: usize) -> &[RcptParameter] {
        self.rcpt.get(n).map_or(&[], Vec::as_slice)
    }

    /// True if an address needs SMTPUTF8.
    pub(super) fn needs_utf8(&self) -> bool {
        !(self.from.is_ascii() && self.to.iter().all(|address| address.is_ascii()))
    }
}

fn recipients<T: AsRef<str>>(to: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
    let to = to.into_iter().map(|to| recipient(to.as_ref())).collect::<Result<Vec<_>>>()?;
    if to.is_empty() { Err(Error::invalid("recipients", "there are none")) } else { Ok(to) }
}

/// A recipient as it goes on the wire. `postmaster` needs no domain, RFC 5321 4.5.1.
pub(super) fn recipient(to: &str) -> Result<String> {
    if to.eq_ignore_ascii_case("postmaster") { Ok(to.to_owned()) } else { address("recipient", to) }
}

/// A sender as it goes on the wire; empty for the null sender.
pub(super) fn sender(from: &str) -> Result<String> {
    if from.is_empty() { Ok(String::new()) } else { address("sender", from) }
}

fn address(argument: &'static str, text: &str) -> Result<String> {
    parse(text).map_err(|why| {
        // An address is no secret, and among a thousand recipients one wants to know which.
        let shown: String = text.chars().take(ADDRESS_MAX).collect();
        Error::invalid(argument, format!("\"{}\" {why}", shown.escape_debug()))
    })
}

fn parse(text: &str) -> Result<String, &'static str> {
    if text.len() > 2 * ADDRESS_MAX {
        return Err("is longer than 254 octets");
    }
    if text.contains(char::is_control) {
        return Err("contains a control character");
    }
    let (local, domain) = match text.strip_prefix('"') {
        Some(rest) => quoted(rest)?,
        None => {
            let (local, domain) = text.split_once('@').ok_or("has no @")?;
            (plain(local)?, domain)
        }
    };
    check_domain(domain)?;
    if local.len() > LOCAL_MAX {
        return Err("has more than 64 octets before the @");
    }
    let address = format!("{local}@{domain}");
    if address.len() > ADDRESS_MAX { Err("is longer than 254 octets") } else { Ok(address) }
}

/// Characters of an atom, RFC 5322 3.2.3. Dots are taken anywhere: there are mailboxes with two in a row.
fn plain(local: &str) -> Result<String, &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c) || is_foreign(c);
    match local {
        "" => Err("has nothing before the @"),
        _ if local.chars().all(good) => Ok(local.to_owned()),
        _ => Err("contains a character before the @ that only a quoted local part may hold"),
    }
}

/// Reads the rest of a quoted local part and what follows its @; writes the part anew, with no needless backslash.
fn quoted(rest: &str) -> Result<(String, &str), &'static str> {
    let mut local = String::from("\"");
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '"' => {
                let domain = rest.get(at + 1..).and_then(|rest| rest.strip_prefix('@'));
                local.push('"');
                return Ok((local, domain.ok_or("has no @ after its quoted local part")?));
            }
            '\\' => chars.next().ok_or("ends in a backslash")?.1,
            c => c,
        };
        match c {
            '<' | '>' => return Err("contains an angle bracket"),
            '"' | '\\' => local.extend(['\\', c]),
            c => local.push(c),
        }
    }
    Err("has a quoted local part that does not end")
}

/// A domain or an address literal. Underscores are in no RFC, and in some domains.
fn check_domain(domain: &str) -> Result<(), &'static str> {
    if domain.is_empty() {
        return Err("has nothing after the @");
    }
    if let Some(rest) = domain.strip_prefix('[') {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".:-".contains(&byte);
        let inner = rest.strip_suffix(']').filter(|inner| !inner.is_empty() && inner.bytes().all(good));
        return inner.map(drop).ok_or("has no address between its brackets");
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_foreign(c);
    if domain.split('.').all(|label| !label.is_empty() && label.chars().all(good)) {
        return Ok(());
    }
    Err("contains a character after the @ that no domain has, or an empty label")
}

/// Outside ASCII, and neither a space nor a line end in any script.
fn is_foreign(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

#[cfg(test)]
mod tests;
