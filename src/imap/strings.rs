//! Strings as they stand on the wire (RFC 9051, 4.3): quoted, as a literal, or an atom in their place.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::codec::number;
use super::text::Text;
use super::tokens::{Span, Tokens};

/// So many bytes are looked at in eights.
const NEAR: usize = 64;

/// The bytes of a value that was found in `bytes`.
pub(super) fn slice(bytes: &[u8], span: Span) -> &[u8] {
    bytes.get(span.0 as usize..span.1 as usize).unwrap_or_default()
}

/// The text of a value as it was sent; none for NIL, a list, and nothing.
pub(super) fn string(raw: &[u8]) -> Option<Text<'_>> {
    let quoted = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let text = match (quoted, raw.first()?) {
        (Some(inside), _) => unescape(inside),
        (None, b'(') => return None,
        (None, _) => match announced(raw) {
            Some((line, _)) => Cow::Borrowed(raw.get(line..).unwrap_or_default()),
            None if raw.eq_ignore_ascii_case(b"NIL") => return None,
            None => Cow::Borrowed(raw),
        },
    };
    Some(Text(text))
}

/// The strings and atoms of a list.
pub(super) fn strings(list: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut tokens = Tokens::inside(list);
    let next = move || tokens.as_mut()?.span().value().map(|span| slice(list, span));
    std::iter::from_fn(next).filter_map(string)
}

/// The length of the line that announces a literal at the start of `rest`, and its size.
pub(super) fn announced(rest: &[u8]) -> Option<(usize, u64)> {
    let start = rest.strip_prefix(b"~").unwrap_or(rest).strip_prefix(b"{")?;
    let digits = start.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = start.split_at_checked(digits)?;
    let after = after.strip_prefix(b"+").unwrap_or(after).strip_prefix(b"}")?;
    let after = after.strip_prefix(b"\r").unwrap_or(after).strip_prefix(b"\n")?;
    Some((rest.len() - after.len(), number(digits)?))
}

/// Where the first quote, backslash or line end is.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    find([b'"', b'\\', b'\n'], bytes, |rest| memchr3(b'"', b'\\', b'\n', rest))
}

/// Where the first of some bytes is. Strings are short, and eight bytes at a time end sooner than a search for long ones,
/// `far`, has begun.
#[inline]
fn find<const N: usize>(wanted: [u8; N], bytes: &[u8], far: impl FnOnce(&[u8]) -> Option<usize>) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk).filter(|_| at < NEAR) {
        let eight = u64::from_le_bytes(*eight);
        // The top bit of each byte that is zero, and perhaps of some above the first of those.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
        let found = wanted.iter().fold(0, |found, &byte| found | zeros(eight ^ (ONES * u64::from(byte))));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    let found = if at < NEAR { rest.iter().position(|byte| wanted.contains(byte)) } else { far(rest) };
    found.map(|found| at + found)
}

/// What a quoted string means. A backslash before a letter or a digit is one that the server has not escaped (hMailServer).
#[inline]
pub(super) fn unescape(inside: &[u8]) -> Cow<'_, [u8]> {
    let backslash = find([b'\\'], inside, |rest| memchr(b'\\', rest));
    if backslash.is_none() || inside == b"\\" { Cow::Borrowed(inside) } else { Cow::Owned(unescaped(inside)) }
}

fn unescaped(inside: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        let (true, Some(&next)) = (byte == b'\\', bytes.as_slice().first()) else {
            plain.push(byte);
            continue;
        };
        if !next.is_ascii_alphanumeric() && next.is_ascii() {
            plain.extend(bytes.next());
        } else {
            plain.push(byte);
        }
    }
    plain
}

/// The words of a list of atoms, as of flags; blanks more than needed are no words.
pub(super) fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| matches!(byte, b' ' | b'(' | b')' | b'\r' | b'\n' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight bytes at a time, the first of three is found wherever it is, whatever is beside it.
    #[test]
    fn special_bytes_are_found_where_they_are() {
        let wanted = |byte: &u8| b"\"\\\n".contains(byte);
        for length in (0..40).chain(NEAR - 9..NEAR + 20) {
            for other in 0..=u8::MAX {
                let mut bytes = vec![other; length];
                assert_eq!(special(&bytes), bytes.iter().position(wanted), "{length} of {other}");
                for (at, special_byte) in (0..length).zip(b"\"\\\n".iter().cycle()) {
                    bytes.iter_mut().skip(at).for_each(|byte| *byte = other);
                    bytes[at] = *special_byte;
                    assert_eq!(special(&bytes), bytes.iter().position(wanted), "{length} of {other}, {at}");
                }
            }
        }
    }
}
