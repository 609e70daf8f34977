//! Names of mailboxes: UTF-8 for callers; on the wire modified UTF-7 (RFC 3501, 5.1.3), or UTF-8 once that is on (RFC
//! 6855; RFC 9051, 5.1). What a server has sent is never encoded again.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{ListEntry, MailboxStatus, Namespace};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A mailbox's name as an argument: text in UTF-8, which is encoded as the server wants it; or, for a name that does not
/// decode, the bytes that the server has sent, which go out as they are. Where it is not known yet what the server wants,
/// and the name is not the same in both, its capabilities are asked for first.
///
/// ```
/// use mailconnect::imap::MailboxName;
///
/// let text = MailboxName::from("Entwürfe");
/// let odd = MailboxName::raw(b"Entw\xfcrfe"); // Latin-1, as LIST had it
/// assert_ne!(text, odd);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxName<'a>(Form<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form<'a> {
    Text(&'a str),
    Raw(&'a [u8]),
}

impl<'a> MailboxName<'a> {
    /// The bytes that a server has sent: [`ListEntry::raw`], [`MailboxStatus::raw`], [`Namespace::raw`].
    pub fn raw(bytes: &'a [u8]) -> Self {
        Self(Form::Raw(bytes))
    }

    /// The name in modified UTF-7 (RFC 3501, 5.1.3), for [`command`](crate::Client::command), which encodes nothing; the verbs
    /// do this by themselves. Gmail wants its labels so too. Put quotes around it, and a backslash before each `"` and `\`
    /// in it. A server with `UTF8=ACCEPT` or `IMAP4rev2` enabled takes names in UTF-8 instead, which `command` does not
    /// send.
    ///
    /// What a server has sent stays as it is, but that what is not UTF-8 in it is replaced; `command` refuses it if it is not
    /// ASCII.
    ///
    /// ```
    /// use mailconnect::imap::MailboxName;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 X-GM-EXT-1] ready\n\
    /// #      C: A1 UID STORE 5 +X-GM-LABELS (\"Entw&APw-rfe\")\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let label = MailboxName::from("Entwürfe").to_utf7();
    /// assert_eq!(label, "Entw&APw-rfe");
    /// imap.command(&format!("UID STORE 5 +X-GM-LABELS (\"{label}\")"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_utf7(self) -> Cow<'a, str> {
        match self.0 {
            Form::Text(text) => encode(text),
            Form::Raw(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// What stands otherwise in modified UTF-7 than in UTF-8.
    pub(super) fn ambiguous(&self) -> Option<&'a str> {
        match self.0 {
            Form::Text(text) if matches!(encode(text), Cow::Owned(_)) => Some(text),
            _ => None,
        }
    }

    /// As the caller gave it.
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self.0 {
            Form::Text(text) => text.as_bytes(),
            Form::Raw(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a str> for MailboxName<'a> {
    fn from(name: &'a str) -> Self {
        Self(Form::Text(name))
    }
}

impl<'a> From<&'a String> for MailboxName<'a> {
    fn from(name: &'a String) -> Self {
        Self(Form::Text(name))
    }
}

impl<'a> From<&'a ListEntry> for MailboxName<'a> {
    /// As the server has sent it, whether it decodes or not.
    fn from(entry: &'a ListEntry) -> Self {
        Self::raw(&entry.raw)
    }
}

impl<'a> From<&'a MailboxStatus> for MailboxName<'a> {
    /// As the server has sent it, whether it decodes or not.
    fn from(status: &'a MailboxStatus) -> Self {
        Self::raw(&status.raw)
    }
}

impl<'a> From<&'a Namespace> for MailboxName<'a> {
    /// As the server has sent it: what [`list`](crate::Client::list) is to look below.
    fn from(space: &'a Namespace) -> Self {
        Self::raw(&space.raw)
    }
}

/// How names stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Names {
    #[default]
    Utf7,
    /// UTF8=ACCEPT or IMAP4rev2 is on.
    Utf8,
}

impl Names {
    /// A name as it goes over the wire.
    pub(super) fn encode(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Utf7 => encode(name),
            Self::Utf8 => Cow::Borrowed(name),
        }
    }

    /// The name that was sent so, to be shown.
    pub(super) fn shown(self, raw: &[u8]) -> String {
        self.decode(raw).unwrap_or_else(|| String::from_utf8_lossy(raw).into_owned())
    }

    /// The name that was sent so; none if it does not decode, or would be sent otherwise and so could not be used in a
    /// command.
    pub(super) fn decode(self, raw: &[u8]) -> Option<String> {
        match self {
            Self::Utf7 => decode(raw),
            Self::Utf8 => std::str::from_utf8(raw).ok().map(str::to_owned),
        }
    }
}

/// Printable ASCII stays, `&` is `&-`, all else is base64 of UTF-16.
fn encode(name: &str) -> Cow<'_, str> {
    let plain = |c: char| matches!(c, ' '..='~');
    if name.chars().all(|c| plain(c) && c != '&') {
        return Cow::Borrowed(name);
    }
    let mut encoded = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if plain(first) {
            encoded.push(first);
            encoded.push_str(if first == '&' { "-" } else { "" });
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let end = rest.find(plain).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let utf16: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
        // Writing to a string cannot fail.
        let _ = write!(encoded, "&{}-", BASE64.encode(utf16));
        rest = after;
    }
    Cow::Owned(encoded)
}

fn decode(raw: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(raw).ok()?;
    let whole = rest;
    let mut name = String::with_capacity(rest.len());
    while let Some((plain, after)) = rest.split_once('&') {
        name.push_str(plain);
        let (run, after) = after.split_once('-')?;
        if run.is_empty() {
            name.push('&');
        } else {
            let utf16 = BASE64.decode(run).ok().filter(|bytes| bytes.len() % 2 == 0)?;
            let units = utf16.chunks_exact(2).map(|unit| u16::from_be_bytes(unit.try_into().unwrap_or_default()));
            for c in char::decode_utf16(units) {
                name.push(c.ok()?);
            }
        }
        rest = after;
    }
    name.push_str(rest);
    (encode(&name) == whole).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3501, 5.1.3, and the edges of the encoding.
    #[test]
    fn names_go_there_and_back() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("", ""),
            ("A & B", "A &- B"),
            ("&", "&-"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("😀", "&2D3eAA-"),
            ("tab\there", "tab&AAk-here"),
            ("ü&ü", "&APw-&-&APw-"),
            ("日-本", "&ZeU--&Zyw-"),
        ] {
            assert_eq!(Names::Utf7.encode(name), wire);
            assert_eq!(MailboxName::from(name).to_utf7(), wire);
            assert_eq!(MailboxName::raw(wire.as_bytes()).to_utf7(), wire, "nothing is encoded twice");
            assert_eq!(MailboxName::from(name).ambiguous(), (name != wire).then_some(name));
            assert_eq!(Names::Utf7.decode(wire.as_bytes()).as_deref(), Some(name));
            assert_eq!(Names::Utf8.encode(name), name);
            assert_eq!(Names::Utf8.decode(name.as_bytes()).as_deref(), Some(name));
            assert_eq!(Names::Utf8.decode(wire.as_bytes()).as_deref(), Some(wire));
        }
    }

    #[test]
    fn what_does_not_decode_stays_raw() {
        for bad in [
            &b"&"[..],
            b"a&b",
            b"&U,BTFw",
            b"&!!!-",
            b"&AA-",
            b"&2D0-",
            b"&AGE-",
            b"&APw-&APw-",
            b"Entw\xfcrfe",
            b"&APx-",
            b"\xc3\xbc",
            b"&APw=-",
        ] {
            assert_eq!(Names::Utf7.decode(bad), None, "{:?}", String::from_utf8_lossy(bad));
            // What was sent goes back as it is: nothing is encoded twice.
            assert_eq!((MailboxName::raw(bad).ambiguous(), MailboxName::raw(bad).bytes()), (None, bad));
        }
        assert_eq!(Names::Utf8.decode(b"Entw\xfcrfe"), None);
    }
}
