//! The addresses in a field, RFC 5322 3.4, by the crate `mail-parser`. What that crate reads loosely is made plain for it
//! before, and what it says is held against the text after: an address that does not stand there is none.

use mail_parser::{Address, MessageParser};

use super::bad;
use super::fields::Field;
use crate::Result;

/// All addresses of a field in order, each as it stands there; a group is those in it.
pub(super) fn addresses(field: &Field<'_>) -> Result<Vec<String>> {
    let shown = String::from_utf8_lossy(field.name()).into_owned();
    let Ok(text) = String::from_utf8(field.unfolded()) else {
        return Err(bad(format!("is not UTF-8 in {shown}")));
    };
    let Some(text) = Plain::of(&text) else {
        return Err(bad(format!("has a comment or a quoted string in {shown} that does not end")));
    };
    let line = format!("To:{text}\r\n\r\n");
    let parser = MessageParser::new().with_address_headers();
    let parsed = parser.parse_headers(line.as_bytes());
    let list = parsed.as_ref().and_then(|message| message.to()).map(every).unwrap_or_default();
    match standing_in(&text, &list) {
        Some(found) if !found.is_empty() || is_nobody(&text) => Ok(found),
        _ => Err(bad(format!("has text in {shown} that is no address"))),
    }
}

/// The addresses, if each stands in the text as a word of its own, one behind the other, and no other does.
fn standing_in(text: &str, list: &[Option<&str>]) -> Option<Vec<String>> {
    let mut rest = text;
    let mut found = Vec::with_capacity(list.len());
    for address in list {
        let address = (*address)?;
        let (before, behind) = rest.split_once(address)?;
        let apart = before.is_empty() || before.ends_with([' ', '\t', '<', ',', ';', ':']);
        let ends = behind.is_empty() || behind.starts_with([' ', '\t', '>', ',', ';']);
        if before.contains('@') || !apart || !ends {
            return None;
        }
        found.push(address.to_owned());
        rest = behind;
    }
    (!rest.contains('@')).then_some(found)
}

/// None where there is a name without an address.
fn every<'a>(parsed: &'a Address<'_>) -> Vec<Option<&'a str>> {
    parsed.iter().map(|mailbox| mailbox.address()).collect()
}

/// True for an empty field and for empty groups.
fn is_nobody(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || (text.contains(':') && text.ends_with(';'))
}

/// Text without comments, with no quoted name but `"-"`, and with each address that begins with a quoted string in angle
/// brackets: the parser takes comments for names, and the first part of `"John Doe"@example.com` too.
#[derive(Default)]
struct Plain {
    out: String,
    comments: usize,
    quoted: bool,
    angle: bool,
    /// Where the last quoted string begins.
    quote: usize,
    /// A bracket was put before an address, and another one is to follow it.
    bracket: bool,
}

impl Plain {
    /// None if a comment or a quoted string does not end.
    fn of(text: &str) -> Option<String> {
        let mut plain = Self::default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' if plain.comments > 0 => drop(chars.next()),
                '\\' if plain.quoted => plain.out.extend(std::iter::once(c).chain(chars.next())),
                '(' if !plain.quoted => plain.open_comment(),
                ')' if plain.comments > 0 => plain.comments -= 1,
                _ if plain.comments > 0 => {}
                '"' => plain.quote(chars.peek() == Some(&'@')),
                _ => plain.other(c),
            }
        }
        plain.close_bracket();
        (plain.comments == 0 && !plain.quoted).then_some(plain.out)
    }

    fn open_comment(&mut self) {
        if self.comments == 0 {
            self.close_bracket();
            self.out.push(' ');
        }
        self.comments += 1;
    }

    fn quote(&mut self, at_follows: bool) {
        self.quoted = !self.quoted;
        if self.quoted {
            self.quote = self.out.len();
        } else if !self.angle && at_follows {
            self.out.insert(self.quote, '<');
            self.bracket = true;
        } else if !self.angle {
            self.out.truncate(self.quote);
            self.out.push_str("\"-");
        }
        self.out.push('"');
    }

    fn other(&mut self, c: char) {
        if !self.quoted {
            match c {
                ' ' | '\t' | ',' | ';' => self.close_bracket(),
                '<' => self.angle = true,
                '>' => self.angle = false,
                _ => {}
            }
        }
        self.out.push(c);
    }

    fn close_bracket(&mut self) {
        if std::mem::take(&mut self.bracket) {
            self.out.push('>');
        }
    }
}
