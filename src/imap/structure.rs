//! BODYSTRUCTURE and BODY (RFC 9051, 7.5.2): a message's parts in one flat list. It is built in a loop with a stack of its
//! own and dropped without recursion, so nothing that a server nests costs stack.

use std::borrow::Cow;
use std::fmt;

use super::part::BodyPart;
use super::strings::{slice, string};
use super::text::Text;
use super::tokens::{Next, Span, Tokens};

/// How deep parts may be nested: 64, as in [`Limits::nesting`](crate::Limits::nesting).
const NESTING: usize = 64;

/// So many values of one part are kept: a message with all that RFC 9051 knows has 14.
const VALUES: usize = 16;

/// What parts a message has, as `BODYSTRUCTURE` and `BODY` tell.
///
/// ```
/// use mailconnect::imap::BodyStructure;
///
/// let raw = br#"(("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 2034 50)("image" "png"
///     ("name" "a.png") "<id>" NIL "base64" 52344 NIL ("attachment" ("filename" "a.png")) NIL NIL) "mixed")"#;
/// let structure = BodyStructure::parse(raw).unwrap();
/// let attachment = structure.parts().find(|part| part.disposition().is_some_and(|d| d.kind.is("attachment"))).unwrap();
/// assert_eq!((attachment.media_type().is("image"), attachment.octets()), (true, Some(52_344)));
/// assert_eq!(attachment.section(), "2"); // to fetch it: BODY.PEEK[2]
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BodyStructure<'a> {
    raw: Cow<'a, [u8]>,
    parts: Parts,
}

/// The parts, and where their values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Depth first: a part stands before those in it.
    nodes: Vec<Node>,
    values: Vec<Span>,
}

/// A part. Its values are in a list with those of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// None for the message itself.
    pub(super) parent: Option<u32>,
    /// Which of its parent's parts it is, from 1; 0 for the body of an enclosed message.
    pub(super) place: u32,
    /// Behind the last part in it.
    pub(super) after: u32,
    first: u32,
    count: u8,
    pub(super) form: Form,
}

/// What a part is, and where its values begin to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `subtype` is the number of the value that says of what kind.
    Multipart { subtype: u8 },
    /// `parameters` is the number of the value that has them; `extension` that of the first that only BODYSTRUCTURE has.
    Single { parameters: u8, extension: u8, lines: Option<u8>, message: bool },
}

/// A part whose end was not seen yet.
struct Open {
    node: usize,
    values: [Span; VALUES],
    count: usize,
    parts: u32,
}

impl<'a> BodyStructure<'a> {
    /// Reads `("text" "plain" ..)` or `((..)(..) "mixed" ..)`; none if that has no end, or parts are nested deeper than
    /// 64.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        Self::nested(raw, NESTING)
    }

    /// As [`parse`](Self::parse), with another limit.
    pub(super) fn nested(raw: &'a [u8], nesting: usize) -> Option<Self> {
        Parts::find(&mut Tokens::inside(raw)?, nesting).map(|parts| Self::found(raw, parts))
    }

    /// One whose parts were found.
    pub(super) fn found(raw: &'a [u8], parts: Parts) -> Self {
        Self { raw: Cow::Borrowed(raw), parts }
    }

    /// The same, kept by itself.
    pub fn into_owned(self) -> BodyStructure<'static> {
        BodyStructure { raw: Cow::Owned(self.raw.into_owned()), parts: self.parts }
    }
}

impl Parts {
    /// Finds the parts of the list that `tokens` is in, and goes behind it.
    pub(super) fn find(tokens: &mut Tokens<'_>, nesting: usize) -> Option<Self> {
        let raw = tokens.bytes();
        // Room for what most messages have.
        let mut built = Self { nodes: Vec::with_capacity(8), values: Vec::with_capacity(64) };
        let mut stack = Vec::with_capacity(4);
        stack.push(built.open(None, 1)?);
        loop {
            let depth = stack.len();
            let top = stack.last_mut()?;
            if tokens.peek()? == b'(' && (top.count == 0 || top.encloses(raw)) {
                if depth >= nesting {
                    return None;
                }
                tokens.next().ok()?;
                let (parent, place) = (u32::try_from(top.node).ok()?, if top.count == 0 { top.parts + 1 } else { 0 });
                stack.push(built.open(Some(parent), place)?);
                continue;
            }
            match tokens.span() {
                Next::Value(span) => top.keep(span),
                Next::Broken => return None,
                Next::Close => {
                    let done = stack.pop()?;
                    built.close(&done, raw)?;
                    let Some(parent) = stack.last_mut() else { return Some(built) };
                    if parent.count == 0 {
                        parent.parts += 1;
                    } else {
                        // An enclosed message's body is one of its values.
                        parent.keep(Span::default());
                    }
                }
            }
        }
    }

    fn open(&mut self, parent: Option<u32>, place: u32) -> Option<Open> {
        let form = Form::Multipart { subtype: 0 };
        self.nodes.push(Node { parent, place, after: 0, first: 0, count: 0, form });
        let node = self.nodes.len() - 1;
        Some(Open { node, values: [Span::default(); VALUES], count: 0, parts: 0 })
    }

    fn close(&mut self, open: &Open, raw: &[u8]) -> Option<()> {
        let form = open.form(raw);
        let (first, after) = (u32::try_from(self.values.len()).ok()?, u32::try_from(self.nodes.len()).ok()?);
        self.values.extend_from_slice(open.values.get(..open.count)?);
        let node = self.nodes.get_mut(open.node)?;
        (node.first, node.after, node.form) = (first, after, form);
        node.count = u8::try_from(open.count).ok()?;
        Some(())
    }
}

impl BodyStructure<'_> {
    /// All of it, as it was sent.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The message itself: its only part, or the multipart that has all others in it.
    pub fn root(&self) -> BodyPart<'_> {
        BodyPart::new(self, 0)
    }

    /// All parts, those with others in them too: each stands before those in it.
    pub fn parts(&self) -> impl Iterator<Item = BodyPart<'_>> {
        (0..self.parts.nodes.len()).map(|index| BodyPart::new(self, index))
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.parts.nodes.get(index)
    }

    /// A value of a part, as it was sent; nothing if it has none.
    pub(super) fn value(&self, node: &Node, n: usize) -> &[u8] {
        let span = (n < usize::from(node.count)).then(|| self.parts.values.get(node.first as usize + n)).flatten();
        span.map_or(&[], |&span| slice(&self.raw, span))
    }
}

impl Open {
    fn keep(&mut self, span: Span) {
        if let Some(value) = self.values.get_mut(self.count) {
            *value = span;
            self.count += 1;
        }
    }

    fn value<'a>(&self, raw: &'a [u8], n: usize) -> &'a [u8] {
        let span = self.values.get(n).filter(|_| n < self.count);
        span.map_or(&[], |&span| slice(raw, span))
    }

    fn is_list(&self, raw: &[u8], n: usize) -> bool {
        self.value(raw, n).starts_with(b"(")
    }

    fn text<'a>(&self, raw: &'a [u8], n: usize) -> Option<Text<'a>> {
        string(self.value(raw, n))
    }

    /// True for a number, a bad one (`-1`) too.
    fn is_number(&self, raw: &[u8], n: usize) -> bool {
        let value = self.value(raw, n);
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    }

    fn is_message(&self, raw: &[u8]) -> bool {
        let is = |n, name| self.text(raw, n).is_some_and(|text| text.is(name));
        is(0, "message") && (is(1, "rfc822") || is(1, "global"))
    }

    /// True if what comes next is the body of an enclosed message. Where no envelope stands before it, as Gmail has it
    /// for one that is encoded, it is not.
    fn encloses(&self, raw: &[u8]) -> bool {
        self.count == 8 && self.is_list(raw, 7) && self.is_message(raw)
    }

    fn form(&self, raw: &[u8]) -> Form {
        if self.parts > 0 {
            // What stands between the parts and the subtype, if anything, is no subtype.
            let subtype = (0..self.count).find(|&n| self.text(raw, n).is_some()).unwrap_or_default();
            return Form::Multipart { subtype: u8::try_from(subtype).unwrap_or_default() };
        }
        let no_type = !self.is_number(raw, 6);
        // No parts but a subtype: `(NIL "MIXED" ..)`.
        if no_type && self.text(raw, 0).is_none() && self.text(raw, 1).is_some() {
            return Form::Multipart { subtype: 1 };
        }
        // Only one word before the parameters.
        if self.count > 0 && self.text(raw, 0).is_some() && self.text(raw, 1).is_none() {
            // (MailKit #371) `Content-Type: X-ZIP` makes some servers leave out the type, `TEXT` the subtype.
            if self.is_number(raw, 5) {
                let (lines, extension) = if self.is_number(raw, 6) { (Some(6), 7) } else { (None, 6) };
                return Form::Single { parameters: 1, extension, lines, message: false };
            }
            // (Gmail) A multipart in another of the same boundary has no parts.
            if no_type {
                return Form::Multipart { subtype: 0 };
            }
        }
        let single = |extension, lines, message| Form::Single { parameters: 2, extension, lines, message };
        if self.is_message(raw) {
            if self.is_number(raw, 9) {
                return single(10, Some(9), true);
            }
            // Without lines; but a body was in it, which is kept as an empty value.
            if self.count > 8 && self.value(raw, 8).is_empty() {
                return single(9, None, true);
            }
        }
        // Text without lines, and other types with them, come from servers that are not sure of the type.
        if self.is_number(raw, 7) { single(8, Some(7), false) } else { single(7, None, false) }
    }
}

/// The parts, one after the other, with the section of each.
impl fmt::Debug for BodyStructure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

#[cfg(test)]
mod tests;
