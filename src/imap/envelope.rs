//! ENVELOPE (RFC 9051, 7.5.2): ten fields, found once and read when they are asked for. One that cannot be read costs
//! that field.

use std::borrow::Cow;
use std::fmt;

use super::strings::{slice, string};
use super::text::Text;
use super::tokens::{Next, Span, Tokens};

/// Date, subject, addresses and ids of a message, out of its header.
///
/// The fields are as they stand in the header: words encoded by RFC 2047 (`=?utf-8?q?..?=`) stay so, since that is the
/// business of a MIME library. To keep an envelope after its message was left, there is
/// [`into_owned`](Self::into_owned).
///
/// ```
/// use mailconnect::imap::Envelope;
///
/// let raw = br#"("Wed, 17 Jul 1996 02:23:25 -0700" "Minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) NIL NIL
///     ((NIL NIL "imap" "cac.washington.edu")) NIL NIL NIL "<B27397@cac.washington.edu>")"#;
/// let envelope = Envelope::parse(raw).unwrap();
/// assert_eq!(envelope.subject().unwrap(), "Minutes");
/// let from = envelope.from().next().unwrap();
/// assert_eq!(from.name.as_ref().unwrap(), &"Terry Gray");
/// assert_eq!(from.address().unwrap(), "gray@cac.washington.edu");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    raw: Cow<'a, [u8]>,
    fields: Fields,
}

/// Where the fields are.
pub(super) type Fields = [Span; 10];

/// Finds the fields of the list that `tokens` is in, and goes behind it.
pub(super) fn fields(tokens: &mut Tokens<'_>) -> Option<Fields> {
    let mut fields = Fields::default();
    for field in &mut fields {
        match tokens.span() {
            Next::Value(span) => *field = span,
            Next::Close => return Some(fields),
            Next::Broken => return None,
        }
    }
    // What there is beyond them means nothing.
    tokens.close().then_some(fields)
}

impl<'a> Envelope<'a> {
    /// Reads `(date subject (from) ..)`; none if that is not a list. Fields that are missing at its end are none, since
    /// some servers leave them out.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let fields = fields(&mut Tokens::inside(raw)?)?;
        Some(Self::found(raw, fields))
    }

    /// One whose fields were found.
    pub(super) fn found(raw: &'a [u8], fields: Fields) -> Self {
        Self { raw: Cow::Borrowed(raw), fields }
    }

    /// The same, kept by itself.
    pub fn into_owned(self) -> Envelope<'static> {
        Envelope { raw: Cow::Owned(self.raw.into_owned()), fields: self.fields }
    }
}

impl Envelope<'_> {
    /// All of it, as it was sent.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn field(&self, n: usize) -> &[u8] {
        self.fields.get(n).map_or(&[], |&span| slice(&self.raw, span))
    }

    /// The field `Date`, in the sender's words.
    pub fn date(&self) -> Option<Text<'_>> {
        string(self.field(0))
    }

    /// The field `Subject`; RFC 2047 is not decoded.
    pub fn subject(&self) -> Option<Text<'_>> {
        string(self.field(1))
    }

    /// The authors.
    pub fn from(&self) -> Addresses<'_> {
        Addresses::new(self.field(2))
    }

    /// Who has sent it; servers repeat [`from`](Self::from) here if the header has no such field.
    pub fn sender(&self) -> Addresses<'_> {
        Addresses::new(self.field(3))
    }

    /// Where answers go; servers repeat [`from`](Self::from) here if the header has no such field.
    pub fn reply_to(&self) -> Addresses<'_> {
        Addresses::new(self.field(4))
    }

    /// The recipients.
    pub fn to(&self) -> Addresses<'_> {
        Addresses::new(self.field(5))
    }

    /// Those who get a copy.
    pub fn cc(&self) -> Addresses<'_> {
        Addresses::new(self.field(6))
    }

    /// Those who get a copy unseen by the others.
    pub fn bcc(&self) -> Addresses<'_> {
        Addresses::new(self.field(7))
    }

    /// The field `In-Reply-To`.
    pub fn in_reply_to(&self) -> Option<Text<'_>> {
        string(self.field(8))
    }

    /// The field `Message-ID`.
    pub fn message_id(&self) -> Option<Text<'_>> {
        string(self.field(9))
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("date", &self.date())
            .field("subject", &self.subject())
            .field("from", &self.from())
            .field("sender", &self.sender())
            .field("reply_to", &self.reply_to())
            .field("to", &self.to())
            .field("cc", &self.cc())
            .field("bcc", &self.bcc())
            .field("in_reply_to", &self.in_reply_to())
            .field("message_id", &self.message_id())
            .finish()
    }
}

/// An address of an [`Envelope`]. Bytes that are not UTF-8 are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Address<'a> {
    /// The name that is shown; RFC 2047 is not decoded.
    pub name: Option<Text<'a>>,
    /// An obsolete route by source.
    pub route: Option<Text<'a>>,
    /// What stands before the `@`; the name of the group in an address that begins one.
    pub mailbox: Option<Text<'a>>,
    /// What stands after the `@`. Dovecot says `MISSING_DOMAIN` if there is none.
    pub host: Option<Text<'a>>,
}

impl Address<'_> {
    /// `mailbox@host`, if it has both; lossily, where it is not UTF-8.
    pub fn address(&self) -> Option<String> {
        Some(format!("{}@{}", self.mailbox.as_ref()?, self.host.as_ref()?))
    }

    /// True if it is no address but the start of a group, which is named by its mailbox.
    pub fn begins_group(&self) -> bool {
        self.host.is_none() && self.mailbox.is_some()
    }

    /// True if it is no address but the end of a group.
    pub fn ends_group(&self) -> bool {
        self.host.is_none() && self.mailbox.is_none()
    }

    /// The same, kept by itself.
    pub fn into_owned(self) -> Address<'static> {
        let owned = |text: Option<Text<'_>>| text.map(Text::into_owned);
        let (name, route) = (owned(self.name), owned(self.route));
        Address { name, route, mailbox: owned(self.mailbox), host: owned(self.host) }
    }
}

/// The addresses of a field, one by one. NIL, an empty list and what is no list have none.
#[derive(Clone)]
pub struct Addresses<'a>(Option<Tokens<'a>>);

impl<'a> Addresses<'a> {
    fn new(raw: &'a [u8]) -> Self {
        Self(Tokens::inside(raw))
    }
}

impl<'a> Iterator for Addresses<'a> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        let tokens = self.0.as_mut()?;
        loop {
            let Some(mut parts) = tokens.list_ahead() else {
                // No address, or the end of all.
                tokens.span().value()?;
                continue;
            };
            let address = Address::read(&mut parts)?;
            tokens.go_behind(&parts);
            return Some(address);
        }
    }
}

impl<'a> Address<'a> {
    /// Goes behind the list; none if that has no end.
    fn read(parts: &mut Tokens<'a>) -> Option<Self> {
        let (bytes, mut more, mut values) = (parts.bytes(), true, [Span::default(); 4]);
        for value in &mut values {
            // What follows the end of a list that is too short is nothing.
            let span = if more { parts.span().value() } else { None };
            more = span.is_some();
            *value = span.unwrap_or_default();
        }
        let [name, route, mailbox, host] = &mut values;
        // (MailKit #1369) A literal that was counted in characters, and seems to end with a word: more of it follows.
        while more && slice(bytes, *name).starts_with(b"{") {
            match parts.span().value() {
                Some(next) => (*name, *route, *mailbox, *host) = ((name.0, route.1), *mailbox, *host, next),
                None => more = false,
            }
        }
        if more && !parts.close() {
            return None;
        }
        let [name, route, mailbox, host] = values.map(|value| string(slice(bytes, value)));
        Some(Self { name, route, mailbox, host })
    }
}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests;
