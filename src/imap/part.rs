//! A part of a message, as its structure tells of it. What is asked for is read; a value that cannot be read is none.

use std::fmt;

use super::codec::number;
use super::envelope::Envelope;
use super::strings::{slice, string, strings};
use super::structure::{BodyStructure, Form, Node};
use super::text::Text;
use super::tokens::Tokens;

/// A part of a message: text, an attachment, an enclosed message, or a multipart with others in it.
#[derive(Clone, Copy)]
pub struct BodyPart<'s> {
    structure: &'s BodyStructure<'s>,
    index: usize,
}

impl<'s> BodyPart<'s> {
    pub(super) fn new(structure: &'s BodyStructure<'_>, index: usize) -> Self {
        Self { structure, index }
    }

    fn node(&self) -> Option<&'s Node> {
        self.structure.node(self.index)
    }

    fn raw(&self, n: usize) -> &'s [u8] {
        self.node().map_or(&[], |node| self.structure.value(node, n))
    }

    fn form(&self) -> Form {
        self.node().map_or(Form::Multipart { subtype: 0 }, |node| node.form)
    }

    /// Where the parameters are, and the first value after that and the fixed ones, which only BODYSTRUCTURE has.
    fn places(&self) -> (usize, usize) {
        match self.form() {
            Form::Multipart { subtype } => (usize::from(subtype) + 1, usize::from(subtype) + 2),
            Form::Single { parameters, extension, .. } => (parameters.into(), extension.into()),
        }
    }

    /// A fixed value of a part that is no multipart, counted from its parameters.
    fn fixed(&self, n: usize) -> &'s [u8] {
        match self.form() {
            Form::Single { parameters, .. } => self.raw(usize::from(parameters) + n),
            Form::Multipart { .. } => &[],
        }
    }

    /// A value that only BODYSTRUCTURE has: 0 is the disposition.
    fn extension(&self, n: usize) -> &'s [u8] {
        let (_, first) = self.places();
        // A multipart has no MD5.
        self.raw(first + usize::from(!self.is_multipart()) + n)
    }

    // ---- Where it is ----

    /// What FETCH calls it: `2.1`, for `BODY.PEEK[2.1]`. The message as a whole is `1`, or nothing if it is a multipart,
    /// which can only be had as `BODY.PEEK[]` or `BODY.PEEK[TEXT]`; so is the multipart in an enclosed message the `3` of
    /// that message.
    pub fn section(&self) -> String {
        let mut numbers = Vec::new();
        let mut next = self.node();
        while let Some(node) = next {
            let multipart = matches!(node.form, Form::Multipart { .. });
            // The message itself, or one that is enclosed.
            let outermost = node.parent.is_none() || node.place == 0;
            match (outermost, multipart) {
                (true, true) => {}
                (true, false) => numbers.push(1),
                (false, _) => numbers.push(node.place),
            }
            next = node.parent.and_then(|parent| self.structure.node(parent as usize));
        }
        numbers.iter().rev().map(u32::to_string).collect::<Vec<_>>().join(".")
    }

    /// The part that it is in.
    pub fn parent(&self) -> Option<Self> {
        let parent = self.node()?.parent?;
        Some(Self { index: parent as usize, ..*self })
    }

    /// The parts of a multipart, or the body of an enclosed message; not those in them.
    pub fn children(&self) -> impl Iterator<Item = Self> + use<'s> {
        let structure = self.structure;
        let (mut next, end) = (self.index + 1, self.node().map_or(0, |node| node.after as usize));
        std::iter::from_fn(move || {
            let index = next;
            next = structure.node(index).filter(|_| index < end)?.after as usize;
            Some(Self { structure, index })
        })
    }

    // ---- What it is ----

    /// True if it has others in it. One that is empty, as some servers send it, has none.
    pub fn is_multipart(&self) -> bool {
        matches!(self.form(), Form::Multipart { .. })
    }

    /// `text`, `image`, `multipart`, in the server's case; empty if the server did not say.
    pub fn media_type(&self) -> Text<'s> {
        match self.form() {
            Form::Multipart { .. } => Text(b"multipart".into()),
            Form::Single { parameters: 1, .. } if !self.lacks_subtype() => Text::default(),
            Form::Single { .. } => string(self.raw(0)).unwrap_or_default(),
        }
    }

    /// True if its only word is a type.
    fn lacks_subtype(&self) -> bool {
        const TYPES: [&str; 9] =
            ["text", "image", "audio", "video", "application", "message", "multipart", "model", "font"];
        let only = matches!(self.form(), Form::Single { parameters: 1, .. });
        only && string(self.raw(0)).is_some_and(|word| TYPES.iter().any(|known| word.is(known)))
    }

    /// `plain`, `png`, `mixed`, in the server's case; empty if the server did not say.
    pub fn subtype(&self) -> Text<'s> {
        if self.lacks_subtype() {
            return Text::default();
        }
        let at = match self.form() {
            Form::Multipart { subtype } => subtype.into(),
            Form::Single { parameters, .. } => usize::from(parameters) - 1,
        };
        string(self.raw(at)).unwrap_or_default()
    }

    /// The parameters of its type: `charset`, `boundary`, ..
    pub fn parameters(&self) -> Parameters<'s> {
        Parameters(self.raw(self.places().0))
    }

    /// The field `Content-ID`.
    pub fn id(&self) -> Option<Text<'s>> {
        string(self.fixed(1))
    }

    /// The field `Content-Description`; RFC 2047 is not decoded.
    pub fn description(&self) -> Option<Text<'s>> {
        string(self.fixed(2))
    }

    /// Its transfer encoding: `base64`, `7bit`, ..
    pub fn encoding(&self) -> Option<Text<'s>> {
        string(self.fixed(3))
    }

    /// Its size in bytes, as it is encoded; none of a multipart, and if the server has sent no good number (`-1`).
    pub fn octets(&self) -> Option<u64> {
        number(self.fixed(4))
    }

    /// How many lines a text or an enclosed message has.
    pub fn lines(&self) -> Option<u64> {
        match self.form() {
            Form::Single { lines: Some(at), .. } => number(self.raw(at.into())),
            _ => None,
        }
    }

    /// The envelope of an enclosed message.
    pub fn envelope(&self) -> Option<Envelope<'s>> {
        match self.form() {
            Form::Single { message: true, .. } => Envelope::parse(self.raw(7)),
            _ => None,
        }
    }

    // ---- What only BODYSTRUCTURE tells ----

    /// The field `Content-MD5`.
    pub fn md5(&self) -> Option<Text<'s>> {
        if self.is_multipart() { None } else { string(self.raw(self.places().1)) }
    }

    /// The field `Content-Disposition`: whether it is to be shown or kept, and the name of its file.
    pub fn disposition(&self) -> Option<Disposition<'s>> {
        Disposition::parse(self.extension(0))
    }

    /// The languages that it is in.
    pub fn languages(&self) -> impl Iterator<Item = Text<'s>> + use<'s> {
        let raw = self.extension(1);
        // One needs no list.
        string(raw).into_iter().chain(strings(raw))
    }

    /// The field `Content-Location`.
    pub fn location(&self) -> Option<Text<'s>> {
        string(self.extension(2))
    }

    /// What a later RFC may have added, as it was sent.
    pub fn extensions(&self) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let part = *self;
        (3..).map(move |n| part.extension(n)).take_while(|raw| !raw.is_empty())
    }
}

/// `2: text/plain, 2034 octets`.
impl fmt::Debug for BodyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}/{}", self.section(), self.media_type(), self.subtype())?;
        match self.octets() {
            Some(octets) => write!(f, ", {octets} octets"),
            None => Ok(()),
        }
    }
}

/// What to do with a part, RFC 2183.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disposition<'s> {
    /// `inline`, `attachment`, ..
    pub kind: Text<'s>,
    /// `filename`, ..
    pub parameters: Parameters<'s>,
}

impl<'s> Disposition<'s> {
    fn parse(raw: &'s [u8]) -> Option<Self> {
        // (Exchange, MailKit #919) `"inline"` instead of `("inline" NIL)`.
        if let Some(kind) = string(raw) {
            return Some(Self { kind, parameters: Parameters(&[]) });
        }
        let mut tokens = Tokens::inside(raw)?;
        let mut next = || tokens.span().value().map(|span| slice(raw, span));
        let (kind, parameters) = (string(next()?), Parameters(next().unwrap_or_default()));
        // (Exchange) `(NIL NIL)` says nothing; (MailKit #486) `(NIL ("filename" ..))` says that there is a file.
        let kind = kind.or_else(|| parameters.iter().next().is_some().then(Text::default))?;
        Some(Self { kind, parameters })
    }
}

/// Names and values, as of a media type. They are as they were sent: RFC 2047 and RFC 2231 are not decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'s>(&'s [u8]);

impl<'s> Parameters<'s> {
    /// All of them, in the order in which they came. A value that is NIL or missing is empty.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'s>, Text<'s>)> + use<'s> {
        let raw = self.0;
        let mut tokens = Tokens::inside(raw);
        std::iter::from_fn(move || {
            let mut next = || tokens.as_mut()?.span().value().map(|span| string(slice(raw, span)));
            let name = next()?.unwrap_or_default();
            Some((name, next().flatten().unwrap_or_default()))
        })
    }

    /// The value of the first with this name, in whatever case it is written.
    pub fn get(&self, name: &str) -> Option<Text<'s>> {
        self.iter().find(|(known, _)| known.is(name)).map(|(_, value)| value)
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
