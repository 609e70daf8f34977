//! Sets of messages, by sequence number or UID (RFC 9051, 9: `sequence-set`). Ranges stay ranges: `1:*` is never
//! expanded.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{RangeFrom, RangeInclusive};
use std::str::FromStr;

use crate::{Error, Result};

/// A set of messages, by sequence number or UID: `5`, `5,7,9:12`, `1:*`.
///
/// It is checked when it is made, and normalised: in order, the low end of a range first (some servers, QQ's among them,
/// refuse the other), and what touches or overlaps is one range. One that a server sent, as in
/// [`CopyUid`](super::CopyUid), keeps the order of its ranges, which says what has become of what. All verbs that want a
/// set take whatever turns into one:
///
/// ```
/// use mailconnect::imap::SequenceSet;
///
/// assert_eq!(SequenceSet::try_from("12:9,7,5,5")?.to_string(), "5,7,9:12");
/// assert_eq!(SequenceSet::try_from("*:3,4:8")?.to_string(), "3:*");
/// assert_eq!(SequenceSet::try_from(7)?.to_string(), "7");
/// assert_eq!(SequenceSet::try_from(2..=4)?.to_string(), "2:4");
/// assert_eq!(SequenceSet::try_from(100..)?.to_string(), "100:*");
/// assert_eq!(SequenceSet::try_from(&[3, 1, 2, 7][..])?.to_string(), "1:3,7");
/// assert_eq!(SequenceSet::all().to_string(), "1:*");
/// let some = SequenceSet::try_from("5,9:12")?;
/// assert!(some.contains(10) && some.len() == Some(5));
/// assert!(SequenceSet::try_from("0").is_err() && SequenceSet::try_from("1\r\nA9 LOGOUT").is_err());
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet {
    /// Never empty.
    ranges: Vec<Ends>,
}

/// The ends of a range; none is `*`, the last message, and stands high.
type Ends = (Option<NonZeroU32>, Option<NonZeroU32>);

impl SequenceSet {
    /// Every message: `1:*`.
    pub fn all() -> Self {
        Self { ranges: vec![(Some(NonZeroU32::MIN), None)] }
    }

    /// Its ranges, the low end first. None stands for `*`, the last message that there is.
    ///
    /// ```
    /// let set = mailconnect::imap::SequenceSet::try_from("5,7,9:*")?;
    /// let ranges: Vec<_> = set.ranges().collect();
    /// assert_eq!(ranges, [(Some(5), Some(5)), (Some(7), Some(7)), (Some(9), None)]);
    /// # Ok::<(), mailconnect::Error>(())
    /// ```
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (Option<u32>, Option<u32>)> {
        let number = |end: Option<NonZeroU32>| end.map(NonZeroU32::get);
        self.ranges.iter().map(move |&(low, high)| (number(low), number(high)))
    }

    /// True if this number is in it. `*` alone is the last message, which has a number that nobody knows here.
    pub fn contains(&self, number: u32) -> bool {
        self.ranges().any(|(low, high)| low.is_some_and(|low| low <= number) && high.is_none_or(|high| number <= high))
    }

    /// How many numbers it has; none if that hangs on what `*` is. (It is never empty.)
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> Option<u64> {
        self.ranges().map(size).sum()
    }

    /// It in parts that are at most so many bytes long when they are written, in the same order. Ranges stay whole: one that
    /// is longer by itself (at most 21 bytes) is a part of its own.
    ///
    /// A server need not take a line of more than 8000 bytes (RFC 2683, 3.2.1.5), and scattered UIDs make long ones. The rest
    /// of the command must fit too. Use it with UIDs: sequence numbers shift when messages go between two parts.
    ///
    /// ```
    /// use mailconnect::imap::SequenceSet;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).message(b"Subject: Hello\r\n\r\nHi.\r\n").start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// # imap.select("INBOX")?;
    /// # let uids: Vec<u32> = (1..9_999).step_by(2).collect();
    /// let set = SequenceSet::try_from(&uids)?;
    /// for part in set.chunks(7_500) {
    ///     for message in imap.uid_fetch(part, "(FLAGS)")?.collect()? {
    ///         println!("{:?} {:?}", message.uid(), message.flags());
    ///     }
    /// }
    /// # assert_eq!(set.chunks(7_500).count(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn chunks(&self, max_bytes: usize) -> impl Iterator<Item = SequenceSet> {
        let mut rest = &self.ranges[..];
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|&&range| {
                // With the comma before it.
                bytes += usize::from(bytes > 0) + written(range);
                bytes <= max_bytes
            });
            let (part, after) = rest.split_at_checked(fitting.count().max(1))?;
            rest = after;
            Some(Self { ranges: part.to_vec() })
        })
    }

    /// A set in a server's words, in its order; none if it is not one.
    pub(super) fn as_sent(text: &[u8]) -> Option<Self> {
        ranges(std::str::from_utf8(text).ok()?).ok().map(|ranges| Self { ranges })
    }

    fn normal(mut ranges: Vec<Ends>) -> Result<Self> {
        // No number reaches `*`, which may be any.
        let key = |end: Option<NonZeroU32>| end.map_or(u64::MAX, |number| u64::from(number.get()));
        ranges.sort_unstable_by_key(|&(low, high)| (key(low), key(high)));
        ranges.dedup_by(|next, kept| {
            let joins = key(kept.1).saturating_add(1) >= key(next.0);
            if joins && key(next.1) > key(kept.1) {
                kept.1 = next.1;
            }
            joins
        });
        if ranges.is_empty() { Err(invalid("is empty")) } else { Ok(Self { ranges }) }
    }
}

/// How many numbers a range has, if no end of it is `*`.
fn size(range: (Option<u32>, Option<u32>)) -> Option<u64> {
    Some(u64::from(range.1?) - u64::from(range.0?) + 1)
}

/// How many bytes a range takes on the wire.
fn written((low, high): Ends) -> usize {
    let end = |end: Option<NonZeroU32>| end.map_or(1, |number| number.ilog10() as usize + 1);
    if low == high { end(low) } else { end(low) + 1 + end(high) }
}

fn in_order(a: Option<NonZeroU32>, b: Option<NonZeroU32>) -> Ends {
    match (a, b) {
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        (low, high) => (low.or(high), None),
    }
}

fn invalid(why: &str) -> Error {
    Error::invalid("sequence set", why)
}

fn number(number: u32) -> Result<Option<NonZeroU32>> {
    NonZeroU32::new(number).map(Some).ok_or_else(|| invalid("0 is no message: numbers start at 1"))
}

fn end(text: &str) -> Result<Option<NonZeroU32>> {
    if text == "*" {
        return Ok(None);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("wants numbers, `*`, `:` and `,`, as in 5,7,9:12 or 1:*"));
    }
    number(text.parse().map_err(|_| invalid("a number above 4294967295"))?)
}

fn ranges(text: &str) -> Result<Vec<Ends>> {
    let range = |part: &str| match part.split_once(':') {
        Some((a, b)) => Ok(in_order(end(a)?, end(b)?)),
        None => end(part).map(|only| (only, only)),
    };
    text.split(',').map(range).collect()
}

impl FromStr for SequenceSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::normal(ranges(text)?)
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
        Ok(Self { ranges: vec![in_order(number(*range.start())?, number(*range.end())?)] })
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

    fn try_from(numbers: &[u32]) -> Result<Self> {
        Self::normal(numbers.iter().map(|&only| number(only).map(|only| (only, only))).collect::<Result<_>>()?)
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
        for (n, (low, high)) in self.ranges().enumerate() {
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

impl fmt::Debug for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceSet({self})")
    }
}

// ---- Two sets side by side ----

/// Which number of one set stands where which number of another does. Both stay ranges.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pairs {
    /// In the order of their numbers, none of which is in two of them.
    runs: Vec<Run>,
}

/// The numbers `first..=last`, beside `beside..`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    beside: u32,
}

impl Pairs {
    /// Goes over both in the order of their ranges. A number that is in the first set twice counts once,
    /// in the range that starts lower, or comes first of those that start alike.
    pub(super) fn new(set: &SequenceSet, beside: &SequenceSet) -> Self {
        let (mut ours, mut theirs) = (numbers(set), numbers(beside));
        let (mut our, mut their) = (ours.next(), theirs.next());
        let mut runs = Vec::new();
        while let (Some((first, last)), Some((beside, end))) = (our, their) {
            let more = (last - first).min(end - beside);
            runs.push(Run { first, last: first + more, beside });
            our = if first + more < last { Some((first + more + 1, last)) } else { ours.next() };
            their = if beside + more < end { Some((beside + more + 1, end)) } else { theirs.next() };
        }
        runs.sort_by_key(|run| run.first);
        let mut free = 0;
        runs.retain_mut(|run| {
            let taken = u64::from(run.first).max(free) - u64::from(run.first);
            let left = u64::from(run.last) >= free;
            if left {
                // No more than its length, so it fits.
                let taken = u32::try_from(taken).unwrap_or_default();
                (run.first, run.beside) = (run.first + taken, run.beside + taken);
                free = u64::from(run.last) + 1;
            }
            left
        });
        Self { runs }
    }

    /// The number beside this one.
    pub(super) fn beside(&self, number: u32) -> Option<u32> {
        let after = self.runs.partition_point(|run| run.first <= number);
        let run = self.runs.get(after.checked_sub(1)?).filter(|run| number <= run.last)?;
        Some(run.beside + (number - run.first))
    }
}

/// The ranges of a set that has no `*`.
fn numbers(set: &SequenceSet) -> impl Iterator<Item = (u32, u32)> {
    set.ranges().filter_map(|(low, high)| Some((low?, high?)))
}

#[cfg(test)]
mod tests;
