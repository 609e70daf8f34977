//! Where the time comes from, so that tests can replace it.

use std::fmt;
use std::time::Instant;

/// Tells the time. Tests bring one that they turn by hand.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now. Never goes back.
    fn now(&self) -> Instant;
}

/// The machine's own monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}
