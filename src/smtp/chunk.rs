//! A message in parts, for BDAT (RFC 3030): never dot-stuffed, and each part in memory before its count is announced, so
//! that the count is always met.

use std::io::{self, BufRead};

use super::Body;
use crate::wire::{BodyOutcome, Group, Stuffer};
use crate::{Error, Result};

/// Of bytes that can go as they are.
const LARGE: usize = 1 << 20;

/// Of all others, which are copied.
const SMALL: usize = 64 << 10;

/// What is left of a message. Each part is made first and put into a group then.
#[derive(Debug)]
pub(super) struct Chunks {
    kind: Kind,
    /// The body can be read no further.
    ended: bool,
}

#[derive(Debug)]
enum Kind {
    /// Bytes as they are, by the range of the part.
    Range(std::ops::Range<usize>),
    /// A copy; with line ends made if there is what makes them.
    Copy { part: Vec<u8>, lines: Option<Stuffer> },
}

impl Chunks {
    /// Of bytes in memory that need no change.
    pub(super) fn clean() -> Self {
        Self { kind: Kind::Range(0..0), ended: false }
    }

    /// Of all others; `lines` makes the line ends, none leaves the octets as they are.
    pub(super) fn new(lines: Option<Stuffer>) -> Self {
        Self { kind: Kind::Copy { part: Vec::new(), lines: lines.map(Stuffer::without_dots) }, ended: false }
    }

    /// Makes the next part; true if it is the last.
    pub(super) fn advance(&mut self, body: &mut Body<'_>) -> Result<bool> {
        match &mut self.kind {
            Kind::Range(range) => {
                let all = body.bytes().map_or(0, <[u8]>::len);
                *range = range.end..all.min(range.end + LARGE);
                self.ended = range.end == all;
            }
            Kind::Copy { part, lines } => {
                part.clear();
                while part.len() < SMALL && !self.ended {
                    self.ended = copy(body.source(), part, lines)? == 0;
                }
            }
        }
        Ok(self.ended)
    }

    /// Appends the command and the part, without what is expected for it.
    pub(super) fn put(&self, body: &Body<'_>, group: &mut Group<'_>) -> Result<BodyOutcome> {
        let mut part = match &self.kind {
            Kind::Range(range) => body.bytes().and_then(|bytes| bytes.get(range.clone())).unwrap_or_default(),
            Kind::Copy { part, .. } => part,
        };
        let size = part.len() as u64;
        group.put("BDAT ").number(size).put(if self.ended { " LAST" } else { "" }).line();
        group.counted(&mut part, size)
    }
}

/// Copies a block; says how many octets of the source that were.
fn copy(source: &mut dyn BufRead, part: &mut Vec<u8>, lines: &mut Option<Stuffer>) -> Result<usize> {
    let block = loop {
        match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Caller { what: "the reader of a body", source, closed: false }),
            // Asked again, since what was lent in a loop stays lent.
            Ok(_) => break source.fill_buf().unwrap_or_default(),
        }
    };
    let block = block.get(..SMALL).unwrap_or(block);
    let bad = |bad: crate::wire::BadBody| Error::invalid("body", bad.to_string());
    let n = block.len();
    match lines {
        Some(lines) if n == 0 => lines.clone().finish(part).map_err(bad)?,
        Some(lines) => lines.push(block, part).map_err(bad)?,
        None => part.extend_from_slice(block),
    }
    source.consume(n);
    Ok(n)
}
