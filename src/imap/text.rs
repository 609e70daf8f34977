//! Text as a server sent it: bytes first, since nothing makes a server send UTF-8.

use std::borrow::Cow;
use std::fmt;

/// Text that a server has sent. It is bytes: mostly ASCII, now and then UTF-8 or Latin-1, which nothing tells apart.
///
/// ```
/// # use mailconnect::imap::Envelope;
/// let envelope = Envelope::parse(b"(NIL \"caf\xe9\" NIL NIL NIL NIL NIL NIL NIL NIL)").unwrap();
/// let subject = envelope.subject().unwrap();
/// assert_eq!(subject.as_bytes(), b"caf\xe9");
/// assert_eq!(subject.to_str(), None);
/// assert_eq!(subject.to_str_lossy(), "caf\u{fffd}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(pub(super) Cow<'a, [u8]>);

impl Text<'_> {
    /// Its bytes, without quotes and escapes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text; what is not UTF-8 in it is shown as U+FFFD.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// True if it is this, in whatever case it is written.
    pub fn is(&self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text.as_bytes())
    }

    /// The same, kept by itself.
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// As [`to_str_lossy`](Text::to_str_lossy).
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str_lossy())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), f)
    }
}
