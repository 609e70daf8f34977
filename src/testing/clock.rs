//! A clock that is turned by hand, so that hours pass in no time. It never reads the machine's clock but once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::Clock;

/// A clock that stands still until it is told to advance. Clones show the same time.
///
/// ```
/// use mailconnect::testing::VirtualClock;
/// use mailconnect::transport::Clock;
/// use std::time::Duration;
///
/// let clock = VirtualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now() - before, clock.elapsed());
/// ```
#[derive(Debug, Clone)]
pub struct VirtualClock {
    start: Instant,
    elapsed: Arc<Mutex<Duration>>,
}

impl VirtualClock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self { start: Instant::now(), elapsed: Arc::default() }
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        *elapsed = elapsed.saturating_add(by);
    }

    /// How far it was turned since it was made.
    pub fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        // Centuries: an Instant can hold as much on every platform, and the clock stands still beyond.
        const LAST: Duration = Duration::from_secs(1 << 33);
        self.start.checked_add(self.elapsed().min(LAST)).unwrap_or(self.start)
    }
}
