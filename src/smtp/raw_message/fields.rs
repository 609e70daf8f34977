//! The header of a message as fields, RFC 5322 2.2, with any line ends: a CR alone ends a line too, since it does so once
//! the message is sent.

use memchr::{memchr, memchr2};

/// One field: its name, and all of its lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'m> {
    name: &'m [u8],
    value: &'m [u8],
    /// With name and line ends.
    whole: &'m [u8],
}

impl<'m> Field<'m> {
    /// What has no colon has no name. Space before a name is that of a line which continues nothing, and space behind it
    /// that of RFC 5322 4.5.
    fn new(whole: &'m [u8]) -> Self {
        let colon = memchr(b':', whole).unwrap_or_default();
        let (name, value) = whole.split_at_checked(colon).unwrap_or_default();
        Self { name: name.trim_ascii(), value: value.get(1..).unwrap_or_default(), whole }
    }

    pub(super) fn name(&self) -> &'m [u8] {
        self.name
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Its text in one line: a line end in it is none, and the space behind that stays, RFC 5322 2.2.3.
    pub(super) fn unfolded(&self) -> Vec<u8> {
        self.value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
    }
}

/// A header.
#[derive(Debug)]
pub(super) struct Fields<'m> {
    all: Vec<Field<'m>>,
    /// From the empty line on.
    rest: &'m [u8],
}

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        let (mut all, mut start, mut end) = (Vec::new(), 0, 0);
        while let Some(line) = message.get(end..).filter(|rest| !rest.is_empty()).map(first_line) {
            if matches!(line, b"\r\n" | b"\r" | b"\n") {
                break;
            }
            if end > start && !line.starts_with(b" ") && !line.starts_with(b"\t") {
                all.extend(message.get(start..end).map(Field::new));
                start = end;
            }
            end += line.len();
        }
        all.extend(message.get(start..end).filter(|last| !last.is_empty()).map(Field::new));
        Self { all, rest: message.get(end..).unwrap_or_default() }
    }

    pub(super) fn all(&self) -> &[Field<'m>] {
        &self.all
    }

    /// What follows the header: the empty line, and the text.
    pub(super) fn rest(&self) -> &'m [u8] {
        self.rest
    }

    /// The header without the fields of these names; none if it has none of them.
    pub(super) fn without(&self, names: &[&str]) -> Option<Vec<u8>> {
        let named = |field: &Field<'_>| names.iter().any(|name| field.is(name));
        if !self.all.iter().any(named) {
            return None;
        }
        let kept = self.all.iter().filter(|field| !named(field)).map(|field| field.whole);
        let mut header = kept.collect::<Vec<_>>().concat();
        // A bare CR and a bare LF are two line ends, and must not become one.
        if header.ends_with(b"\r") && self.rest.starts_with(b"\n") {
            header.push(b'\n');
        }
        Some(header)
    }
}

/// A line with its end.
fn first_line(rest: &[u8]) -> &[u8] {
    let end = match memchr2(b'\r', b'\n', rest) {
        Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => at + 2,
        Some(at) => at + 1,
        None => rest.len(),
    };
    rest.get(..end).unwrap_or(rest)
}
