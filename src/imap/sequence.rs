//! Sets of messages, by sequence number or UID (RFC 9051, 9: `sequence-set`). Ranges stay ranges: `1:*` is never
//! expanded.

use std::fmt;
use std::ops::{RangeFrom, RangeInclusive};
use std::str::FromStr;

use crate::{Error, Result};

/// A set of messages, by sequence number or UID: `5`, `5,7,9:12`, `1:*`.
///
/// It is checked when it is made, and normalised: the low end of a range first, since some servers (QQ) refuse the
/// other order. All verbs that want one take whatever turns into it:
///
/// ```
/// use mailconnect::imap::SequenceSet;
///
/// assert_eq!(SequenceSet::try_from("12:9,5,*:3")?.to_string(), "9:12,5,3:*");
/// assert_eq!(SequenceSet::try_from(7)?.to_string(), "7");
/// assert_eq!(SequenceSet::try_from(2..=4)?.to_string(), "2:4");
/// assert_eq!(SequenceSet::try_from(100..)?.to_string(), "100:*");
/// assert_eq!(SequenceSet::try_from(&[1, 2, 3, 7][..])?.to_string(), "1:3,7");
/// assert!(SequenceSet::try_from("0").is_err() && SequenceSet::try_from("1\r\nA9 LOGOUT").is_err());
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet {
    /// Never empty; none is `*`, the last message, and stands high.
    ranges: Vec<(Option<u32>, Option<u32>)>,
}

impl SequenceSet {
    /// Every message: `1:*`.
    pub fn all() -> Self {
        Self { ranges: vec![(Some(1), None)] }
    }

    fn range(a: Option<u32>, b: Option<u32>) -> (Option<u32>, Option<u32>) {
        match (a, b) {
            (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
            (Some(low), None) | (None, Some(low)) => (Some(low), None),
            (None, None) => (None, None),
        }
    }
}

fn invalid(why: &str) -> Error {
    Error::invalid("sequence set", why)
}

fn number(number: u32) -> Result<Option<u32>> {
    if number == 0 { Err(invalid("0 is no message: numbers start at 1")) } else { Ok(Some(number)) }
}

fn end(text: &str) -> Result<Option<u32>> {
    if text == "*" {
        return Ok(None);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("wants numbers, `*`, `:` and `,`, as in 5,7,9:12 or 1:*"));
    }
    number(text.parse().map_err(|_| invalid("a number above 4294967295"))?)
}

impl FromStr for SequenceSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let range = |part: &str| match part.split_once(':') {
            Some((a, b)) => Ok(Self::range(end(a)?, end(b)?)),
            None => end(part).map(|only| (only, only)),
        };
        text.split(',').map(range).collect::<Result<_>>().map(|ranges| Self { ranges })
    }
}

impl TryFrom<&str> for SequenceSet {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for SequenceSet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for SequenceSet {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<u32> for SequenceSet {
    type Error = Error;

    fn try_from(only: u32) -> Result<Self> {
        number(only).map(|only| Self { ranges: vec![(only, only)] })
    }
}

impl TryFrom<RangeInclusive<u32>> for SequenceSet {
    type Error = Error;

    fn try_from(range: RangeInclusive<u32>) -> Result<Self> {
        Ok(Self { ranges: vec![Self::range(number(*range.start())?, number(*range.end())?)] })
    }
}

impl TryFrom<RangeFrom<u32>> for SequenceSet {
    type Error = Error;

    fn try_from(range: RangeFrom<u32>) -> Result<Self> {
        Ok(Self { ranges: vec![(number(range.start)?, None)] })
    }
}

impl TryFrom<&[u32]> for SequenceSet {
    type Error = Error;

    /// Neighbours become ranges; the order stays.
    fn try_from(numbers: &[u32]) -> Result<Self> {
        let mut ranges: Vec<(Option<u32>, Option<u32>)> = Vec::new();
        for &next in numbers {
            let next = number(next)?;
            match ranges.last_mut() {
                Some((_, Some(high))) if high.checked_add(1) == next => *high += 1,
                _ => ranges.push((next, next)),
            }
        }
        if ranges.is_empty() { Err(invalid("is empty")) } else { Ok(Self { ranges }) }
    }
}

impl TryFrom<&Vec<u32>> for SequenceSet {
    type Error = Error;

    fn try_from(numbers: &Vec<u32>) -> Result<Self> {
        numbers.as_slice().try_into()
    }
}

impl From<&SequenceSet> for SequenceSet {
    fn from(set: &SequenceSet) -> Self {
        set.clone()
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |f: &mut fmt::Formatter<'_>, end: Option<u32>| match end {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("*"),
        };
        for (n, &(low, high)) in self.ranges.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            end(f, low)?;
            if low != high {
                f.write_str(":")?;
                end(f, high)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_normalised() {
        for (text, normal) in [
            ("1", "1"),
            ("007", "7"),
            ("4294967295", "4294967295"),
            ("1:*", "1:*"),
            ("*:1", "1:*"),
            ("*", "*"),
            ("*:*", "*"),
            ("3:3", "3"),
            ("12:9", "9:12"),
            ("5,7,9:12", "5,7,9:12"),
        ] {
            assert_eq!(SequenceSet::try_from(text).unwrap().to_string(), normal, "{text}");
        }
        assert_eq!(SequenceSet::all().to_string(), "1:*");
        assert_eq!(SequenceSet::try_from(RangeInclusive::new(9, 2)).unwrap().to_string(), "2:9");
        assert_eq!(SequenceSet::try_from(&[u32::MAX, 1, 2][..]).unwrap().to_string(), "4294967295,1:2");
    }

    #[test]
    fn rule_9_nothing_else_is() {
        for bad in [
            "",
            "0",
            "0:5",
            "1:0",
            "a",
            "1 2",
            " 1",
            "1 ",
            "1,",
            ",1",
            "1:",
            ":1",
            "1:2:3",
            "-1",
            "+1",
            "1\r",
            "1\n",
            "1\0",
            "1\r\nA9 LOGOUT",
            "4294967296",
            "1:*:2",
            "**",
            "{1}",
            "1,{1}",
            "$",
            "１",
        ] {
            assert!(SequenceSet::try_from(bad).is_err(), "{bad:?}");
        }
        assert!(SequenceSet::try_from(0).is_err() && SequenceSet::try_from(0..).is_err());
        assert!(SequenceSet::try_from(&[][..]).is_err() && SequenceSet::try_from(&[0][..]).is_err());
    }
}
