//! The envelope of a message that is there already, read out of its header, and the message without Bcc: RFC 5322 3.6.2,
//! 3.6.3, 3.6.6. Where the header leaves a doubt about who gets it, it is refused, and nobody is guessed.

mod addresses;
mod fields;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::{Body, Dialect, Envelope, SendReport, Smtp};
use crate::{Client, Error, Result};
use addresses::addresses;
use fields::{Field, Fields};

/// A message as bytes, with the envelope that its header asks for.
///
/// - The sender is the one mailbox of Sender, or of From if there is no Sender. From may name several authors only beside
///   a Sender.
/// - The recipients are those of To, Cc and Bcc, in the order of the header, each once. Names, comments and groups do not
///   count, so `undisclosed-recipients:;` is nobody.
/// - A message that was resent goes where the latest resending says: to Resent-To, Resent-Cc and Resent-Bcc, from
///   Resent-Sender or Resent-From, and not to To, Cc and Bcc. The latest are the uppermost ones, up to one that repeats the
///   name of another or to a Received or Return-Path.
/// - [`body`](Self::body) is the message without its Bcc and Resent-Bcc fields. No other octet is touched.
///
/// The null sender is for the caller to choose, by [`Envelope::null_sender`]: that of an automatic answer says nowhere
/// what it is.
///
/// ```
/// use mailconnect::smtp::RawMessage;
///
/// let bytes = b"From: Me <me@example.com>\r\nTo: Friends: \"Doe, Ann\" <ann@example.com>, bob@example.com;\r\n\
///               Bcc: boss@example.com\r\nSubject: Hello\r\n\r\nIt works.\r\n";
/// let message = RawMessage::parse(bytes)?;
/// assert_eq!(message.envelope().from(), "me@example.com");
/// assert_eq!(message.envelope().to(), ["ann@example.com", "bob@example.com", "boss@example.com"]);
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawMessage<'m> {
    envelope: Envelope,
    /// All of it if there was no Bcc.
    header: Cow<'m, [u8]>,
    rest: &'m [u8],
}

impl<'m> RawMessage<'m> {
    /// Reads the header; the rest of the message is not looked at.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the header names no sender or several, no recipient, or something that is no
    /// address; if it is no UTF-8 in a field that is read; for a comment or a quoted string that does not end.
    pub fn parse(bytes: &'m [u8]) -> Result<Self> {
        let fields = Fields::of(bytes);
        let envelope = envelope(&fields)?;
        let rest = fields.rest();
        Ok(match fields.without(&["Bcc", "Resent-Bcc"]) {
            Some(header) => Self { envelope, header: Cow::Owned(header), rest },
            None => Self { envelope, header: Cow::Borrowed(bytes), rest: &[] },
        })
    }

    /// Who sends it, and who gets it.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What is to be sent: all but Bcc. Of a message with Bcc the header is a copy, the rest never is.
    pub fn body(&self) -> Body<'_> {
        Body::parts(&self.header, self.rest)
    }

    /// As [`body`](Self::body), in one piece.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self.rest {
            [] => Cow::Borrowed(&*self.header),
            rest => Cow::Owned([&*self.header, rest].concat()),
        }
    }
}

impl fmt::Debug for RawMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.header.len() + self.rest.len();
        f.debug_struct("RawMessage").field("envelope", &self.envelope).field("octets", &octets).finish_non_exhaustive()
    }
}

impl<D: Dialect> Client<Smtp<D>> {
    /// Sends a message to those whom its header names, without its Bcc: [`RawMessage`] says how they are found. With
    /// options: `smtp.send_with(message.envelope(), message.body(), &options)`.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// let report = smtp.send_message(b"From: me@example.com\nTo: you@example.com\nSubject: Hello\n\nIt works.\n")?;
    /// assert_eq!(report.accepted[0].0, "you@example.com");
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`RawMessage::parse`], before a byte is sent, and [`send`](Self::send).
    pub fn send_message(&mut self, message: impl AsRef<[u8]>) -> Result<SendReport> {
        let message = RawMessage::parse(message.as_ref())?;
        self.send(message.envelope(), message.body())
    }
}

/// Which fields say who sends and who receives.
struct Roles {
    sender: &'static str,
    from: &'static str,
    recipients: [&'static str; 3],
}

const FIRST: Roles = Roles { sender: "Sender", from: "From", recipients: ["To", "Cc", "Bcc"] };
const RESENT: Roles =
    Roles { sender: "Resent-Sender", from: "Resent-From", recipients: ["Resent-To", "Resent-Cc", "Resent-Bcc"] };

impl Roles {
    fn is_recipients(&self, field: &Field<'_>) -> bool {
        self.recipients.iter().any(|name| field.is(name))
    }

    fn has(&self, field: &Field<'_>) -> bool {
        field.is(self.sender) || field.is(self.from) || self.is_recipients(field)
    }
}

fn envelope(fields: &Fields<'_>) -> Result<Envelope> {
    let resent = latest_resending(fields.all());
    if resent.iter().any(|field| RESENT.has(field)) {
        return addressed(&resent, &RESENT);
    }
    addressed(&fields.all().iter().collect::<Vec<_>>(), &FIRST)
}

/// The uppermost Resent- fields, up to those of an earlier resending: each one is put on top of the others, RFC 5322
/// 3.6.6.
fn latest_resending<'f, 'm>(fields: &'f [Field<'m>]) -> Vec<&'f Field<'m>> {
    let mut block: Vec<&Field<'_>> = Vec::new();
    for field in fields {
        let trace = field.is("Received") || field.is("Return-Path");
        // At most as many as there are names, and they are few.
        let repeated = block.iter().any(|earlier| earlier.name().eq_ignore_ascii_case(field.name()));
        if !block.is_empty() && (trace || repeated) {
            break;
        }
        if RESENT.has(field) || RESENT_OTHERS.iter().any(|name| field.is(name)) {
            block.push(field);
        }
    }
    block
}

/// The Resent- fields that name nobody.
const RESENT_OTHERS: [&str; 2] = ["Resent-Date", "Resent-Message-ID"];

fn addressed(fields: &[&Field<'_>], roles: &Roles) -> Result<Envelope> {
    let named = |name: &'static str| fields.iter().copied().filter(move |field| field.is(name));
    let sender = match one_of(named(roles.sender), roles.sender)? {
        Some(sender) => sender,
        None => one_of(named(roles.from), roles.from)?.ok_or_else(|| bad(format!("has no {}", roles.from)))?,
    };
    let (mut to, mut known) = (Vec::new(), HashSet::new());
    for field in fields.iter().filter(|field| roles.is_recipients(field)) {
        let found = addresses(field)?;
        to.extend(found.into_iter().filter(|address| known.insert(same_mailbox(address))));
    }
    Envelope::new(sender, to)
}

/// The one mailbox in all fields of a name; none if there are no such fields.
fn one_of<'f, 'm: 'f>(fields: impl Iterator<Item = &'f Field<'m>>, name: &str) -> Result<Option<String>> {
    let (mut found, mut any) = (Vec::new(), false);
    for field in fields {
        any = true;
        found.extend(addresses(field)?);
    }
    match (found.len(), any) {
        (1, _) => Ok(found.pop()),
        (0, false) => Ok(None),
        (0, true) => Err(bad(format!("names nobody in {name}"))),
        _ if name.ends_with("From") => Err(bad(format!("names several authors in {name}, and no Sender"))),
        _ => Err(bad(format!("names several mailboxes in {name}"))),
    }
}

/// What tells mailboxes apart: the case of a domain does not, that of a local part may.
fn same_mailbox(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => address.to_owned(),
    }
}

fn bad(why: impl Into<Box<str>>) -> Error {
    Error::invalid("message", why)
}

#[cfg(test)]
mod tests;
