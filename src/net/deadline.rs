//! Until when a read or write may take, and what happens then.

use std::io;
use std::time::Instant;

/// Until when a read or write may take.
///
/// A *hard* deadline ends in [`io::ErrorKind::TimedOut`], after which the connection is closed. A *soft* one ends in
/// [`io::ErrorKind::WouldBlock`], after which everything can go on; one that is already over looks once, without
/// waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Option<Instant>,
    soft: bool,
}

impl Deadline {
    /// Waits for as long as it takes.
    pub const NEVER: Self = Self { at: None, soft: false };

    /// Ends in `TimedOut` at `at`.
    pub const fn hard(at: Instant) -> Self {
        Self { at: Some(at), soft: false }
    }

    /// Ends in `WouldBlock` at `at`.
    pub const fn soft(at: Instant) -> Self {
        Self { at: Some(at), soft: true }
    }

    /// The time, or none for [`NEVER`](Self::NEVER).
    pub const fn at(&self) -> Option<Instant> {
        self.at
    }

    /// True if it ends in `WouldBlock`.
    pub const fn is_soft(&self) -> bool {
        self.soft
    }

    /// The error in which it ends.
    pub fn error(&self) -> io::Error {
        if self.soft { io::ErrorKind::WouldBlock.into() } else { io::ErrorKind::TimedOut.into() }
    }
}
