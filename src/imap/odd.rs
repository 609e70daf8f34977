//! Strings as some servers send them: with quotes that were not escaped, with a size that was counted in characters. What
//! is right by RFC 9051 is never read in another way.

use memchr::memchr3;

use super::codec::number;
use super::strings::special;

/// How far the end of a string is looked for in which quotes were not escaped: a header line is shorter.
const STRING: usize = 1000;

/// Up to where, counted from the end of the bytes, such an end was looked for in vain: it is not looked for again before
/// that, so that no byte is searched twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odd(usize);

impl Default for Odd {
    fn default() -> Self {
        Self(usize::MAX)
    }
}

impl Odd {
    /// The end of a string that seems to have ended here, right before an atom: `"a "b" c"`. Then quotes in it were not
    /// escaped (Gmail, Zimbra, MailKit #485), and those that begin so end with the next. The string begins at `start`.
    #[inline]
    pub(super) fn end(&mut self, bytes: &[u8], start: usize, at: usize) -> Option<usize> {
        if ends_at(bytes, at) {
            return None;
        }
        let before = at.checked_sub(2).and_then(|before| bytes.get(before));
        // Quotes that go together stand before words, not in them.
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
            return end_of_one(bytes, at).or_else(|| self.of_pairs(bytes, start, at));
        }
        self.of_pairs(bytes, start, at).or_else(|| end_of_one(bytes, at))
    }

    fn of_pairs(&mut self, bytes: &[u8], start: usize, at: usize) -> Option<usize> {
        let rest = bytes.len().saturating_sub(at);
        if rest > self.0 {
            return None;
        }
        let end = odd_end(bytes, start, at);
        if let Err(searched) = end {
            *self = Self(bytes.len().saturating_sub(searched));
        }
        end.ok()
    }
}

/// The end of a string with one such quote in it, as for inches: the next quote, if another value follows.
fn end_of_one(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + special(bytes.get(at..)?)?;
        at = found + 1;
        match bytes.get(found)? {
            b'"' => {
                let ends = match bytes.get(at) {
                    Some(b' ') => ends_at(bytes, at + 1),
                    next => matches!(next, None | Some(b')' | b'\r' | b'\n')),
                };
                return ends.then_some(at);
            }
            b'\\' => at += 1,
            _ => return None,
        }
    }
}

/// True if a string that seems to end before the byte `end`, right before an atom, or to have no end, has ended at a quote with
/// a backslash, which `at` is behind: after that come no more than blanks, parentheses, NIL and numbers (MailKit #422).
pub(super) fn ended(bytes: &[u8], at: usize, end: Option<usize>) -> bool {
    let between = bytes.get(at..end.map_or(bytes.len(), |end| end - 1)).unwrap_or_default();
    let nothing = |word: &[u8]| word.is_empty() || word.eq_ignore_ascii_case(b"NIL") || number(word).is_some();
    end.is_none_or(|end| atom_at(bytes, end))
        && matches!(between.first(), Some(b' ' | b')'))
        && between.split(|byte| matches!(byte, b' ' | b'(' | b')' | b'\r' | b'\n')).all(nothing)
}

/// The end of `""""`, which seems to be an empty string and another one (163.com).
#[inline]
pub(super) fn two_quotes(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let two = end == start + 2 && bytes.get(end..end + 2) == Some(b"\"\"");
    (two && matches!(bytes.get(end + 2), None | Some(b' ' | b')' | b'\r' | b'\n'))).then_some(end + 2)
}

/// The end of a string with pairs of such quotes; or how far it was looked for in vain. Where their number is odd, the quotes
/// of the strings behind it seem to be in it, with what stands between them: then it has ended before that.
fn odd_end(bytes: &[u8], start: usize, mut at: usize) -> Result<usize, usize> {
    let near = bytes.get(..at.saturating_add(STRING)).unwrap_or(bytes);
    let between = |from, to| near.get(from..to).unwrap_or_default();
    let mut depth = deeper(Some(0), between(start, at));
    let (mut inner, mut closed) = (true, at);
    loop {
        let next = near.get(at..).and_then(|rest| memchr3(b'"', b'\\', b'\n', rest));
        let Some(found) = next.map(|next| at + next) else { return Err(near.len()) };
        at = found + 1;
        match near.get(found) {
            Some(b'"') if inner => {
                depth = deeper(depth, between(closed, at));
                if depth == Some(0) && closes_list(near.get(at..).unwrap_or_default()) {
                    return Ok(at);
                }
                (inner, closed) = (false, at);
            }
            Some(b'"') => {
                let text = between(closed, found);
                let opens = matches!(text.last(), Some(b' ' | b'('));
                match ends_at(bytes, at) {
                    _ if opens && is_structure(text) => return Ok(closed),
                    true if opens => return Err(found),
                    true => return Ok(at),
                    false => (inner, depth, closed) = (true, deeper(depth, text), at),
                }
            }
            Some(b'\\') => at += 1,
            _ => return Err(found),
        }
    }
}

#[inline]
fn atom_at(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'!' | b'#'..=b'\'' | b'*'..=b'~' | 0x80..))
}

/// How deep in parentheses some text ends; none if it closes more than it opens.
fn deeper(depth: Option<usize>, text: &[u8]) -> Option<usize> {
    text.iter().try_fold(depth?, |depth, byte| match byte {
        b'(' => Some(depth + 1),
        b')' => depth.checked_sub(1),
        _ => Some(depth),
    })
}

/// True for the end of a list, before which nothing is left out but NIL.
fn closes_list(text: &[u8]) -> bool {
    let mut rest = text.trim_ascii_start();
    while let Some((b"NIL" | b"nil", behind)) = rest.split_at_checked(3) {
        rest = behind.trim_ascii_start();
    }
    rest.starts_with(b")")
}

/// True for what stands before a string in a list, and in no text: NIL, or `((`.
fn is_structure(between: &[u8]) -> bool {
    let mut words = between.split(|byte| b" ()".contains(byte)).filter(|word| !word.is_empty()).peekable();
    let some = words.peek().is_some() || between.windows(2).any(|pair| pair == b"((");
    some && words.all(|word| word.eq_ignore_ascii_case(b"NIL"))
}

/// True if a quote before this byte can be the end of a string: no atom begins here but NIL and numbers, before which some
/// servers leave out the blank.
#[inline]
fn ends_at(bytes: &[u8], at: usize) -> bool {
    if !atom_at(bytes, at) {
        return true;
    }
    let next = bytes.get(at..).unwrap_or_default();
    let next = next.get(..20).unwrap_or(next);
    let end = next.iter().position(|byte| matches!(byte, b' ' | b'(' | b')' | b']' | b'{' | b'"' | b'\r' | b'\n'));
    let word = next.get(..end.unwrap_or(next.len())).unwrap_or_default();
    word.is_empty() || word.eq_ignore_ascii_case(b"NIL") || number(word).is_some()
}

/// The size of a literal of which so much is announced. Where it would end within a character or a word, and would not if
/// that were its length in UTF-16, as Java and .NET count, then it was counted so (MailKit #1369).
pub(super) fn in_bytes(rest: &[u8], size: usize) -> usize {
    let ends = |at: usize| matches!(rest.get(at), None | Some(b' ' | b'(' | b')' | b'\r' | b'\n'));
    if ends(size) || rest.get(..size).is_none_or(<[u8]>::is_ascii) {
        return size;
    }
    // No character takes more than three bytes for each of its units.
    let text = rest.get(..size.saturating_mul(3)).unwrap_or(rest);
    let text = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut units = 0;
    let last = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units >= size
    });
    let end = last.map_or(size, |(at, c)| at + c.len_utf8());
    if units == size && ends(end) { end } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 12: bytes in which no end was found are not gone over for the next string; those behind them are.
    #[test]
    fn rule_12_an_end_is_not_looked_for_twice() {
        let second = "\"c \"d\"x e\" f";
        for (first, between, found) in [
            ("\"a\"b\"", 0, false),
            ("\"a\"b\"", STRING - 40, false),
            ("\"a\"b\"", STRING, true),
            ("\"a\"b\n", 0, true),
        ] {
            let text = [first, &"x".repeat(between), second].concat();
            let (bytes, at, end) = (text.as_bytes(), text.len() - 8, text.len() - 2);
            assert_eq!(Odd::default().end(bytes, at - 3, at), Some(end));
            let mut odd = Odd::default();
            assert_eq!(odd.end(bytes, 0, 3), None);
            assert_eq!(odd.end(bytes, at - 3, at), found.then_some(end), "{between} behind {first:?}");
        }
    }
}
