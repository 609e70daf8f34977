//! How long each phase may take.

use std::time::Duration;

/// A time-out for each phase, with its number and reason. The defaults suit a program that a person waits for.
///
/// Beside them stands one optional overall deadline, [`Connector::deadline`](crate::Connector::deadline). None of them
/// can be stretched by a server that sends a byte now and then, and time that the caller's own code takes (between two
/// calls, or in a callback or reader) is not charged.
///
/// ```
/// use mailconnect::{Connector, Timeouts};
/// let patient = Connector::new().timeouts(Timeouts::rfc5321());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Asking the name service: 10 s, two rounds of a stub resolver's 5 s.
    pub resolve: Duration,
    /// Until one of all addresses is connected: 20 s, enough for three lost SYNs (1 + 2 + 4 s) on the last address.
    pub connect: Duration,
    /// The TLS handshake: 20 s.
    pub handshake: Duration,
    /// The greeting: 30 s, since some servers delay it on purpose (up to 20 s) to catch spammers.
    pub greeting: Duration,
    /// A command and its whole answer: 60 s. Long answers and bodies get more as they make progress, see
    /// [`body`](Self::body); commands that take long have [`final_answer`](Self::final_answer).
    pub command: Duration,
    /// A body may take this long (60 s) plus one second for each 500 bytes that were transferred, of which at most ten
    /// minutes are kept for later: nobody is waited for longer than that.
    pub body: Duration,
    /// The answer to a whole body: 10 min, as RFC 5321 4.5.3.2.6 wants. Giving up early makes duplicates. So it does with
    /// IMAP's commands that go over any number of messages, which have this time too once they were sent whole: COPY, MOVE,
    /// EXPUNGE, STORE, SEARCH and their UID forms, CLOSE, DELETE, RENAME, and SORT and THREAD by `command`. An answer that comes at 500 bytes a second stretches it as any other; a server that says now
    /// and then that it is still at it does not.
    pub final_answer: Duration,
    /// The answer to QUIT or LOGOUT: 5 s. Nothing depends on it but POP3's deletions.
    pub close: Duration,
}

impl Timeouts {
    /// Bytes a second that a body must make on average once its time-out has passed.
    pub const BODY_RATE: u32 = 500;

    /// The minimum times of RFC 5321 4.5.3.2, for a mail queue that can wait.
    pub fn rfc5321() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            greeting: minutes(5),
            command: minutes(5),
            body: minutes(3),
            final_answer: minutes(10),
            connect: minutes(1),
            handshake: minutes(1),
            ..Self::default()
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            resolve: seconds(10),
            connect: seconds(20),
            handshake: seconds(20),
            greeting: seconds(30),
            command: seconds(60),
            body: seconds(60),
            final_answer: seconds(600),
            close: seconds(5),
        }
    }
}
