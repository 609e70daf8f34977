//! How much a server may send. Every limit is checked while reading, never after.

/// The limits, each with its number and reason. Exceeding one closes the client, where nothing else is said.
///
/// ```
/// let mut limits = mailconnect::Limits::default();
/// limits.collected = 8 << 20; // a small machine: no value above 8 MiB in memory
/// let connector = mailconnect::Connector::new().limits(limits);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a greeting line: 8 KiB. The longest of well-known servers, with all capabilities in it, is below 2 KiB.
    pub greeting_line: usize,
    /// Bytes of an SMTP or POP3 reply line: 16 KiB. RFC 4954 needs 12 288 for a challenge.
    pub reply_line: usize,
    /// Lines of an SMTP reply: 512. The longest EHLO or HELP known is below 100.
    pub reply_lines: usize,
    /// Bytes of an SMTP reply: 128 KiB.
    pub reply_size: usize,
    /// Bytes of an IMAP line: 1 MiB. The answer to SEARCH, which takes 0.8 MB for 100 000 UIDs, is bound by
    /// [`collected`](Self::collected) alone.
    pub imap_line: usize,
    /// Bytes of an IMAP literal inside a value (an address, a mailbox name): 64 KiB. A larger one goes by, up to
    /// [`collected`](Self::collected), and costs that value; those who ask for METADATA may want more. Sections of messages
    /// have no such limit.
    pub value_literal: usize,
    /// Bytes collected in memory for one answer: 64 MiB. Streaming has no such limit.
    pub collected: usize,
    /// Parts within parts in an IMAP body structure: 64. A message nested deeper is an attack; its structure stays raw, and
    /// the client stays open.
    pub nesting: usize,
    /// Tokens in an IMAP response: 1 000 000.
    pub tokens: usize,
    /// Bytes of a decoded SASL challenge: 12 288, as RFC 4954 has it. A longer one ends the log-in alone.
    pub sasl_challenge: usize,
    /// Lowest and highest SCRAM iteration count taken: 4 096 as RFC 5802 demands, 1 000 000 to bound the work. Another one
    /// ends the log-in alone.
    pub scram_iterations: (u32, u32),
    /// Capabilities: 1 000.
    pub capabilities: usize,
    /// Entries of a LIST or UIDL: 4 000 000, the largest mailboxes known.
    pub list_entries: usize,
    /// Unsolicited events kept until they are read: 1 024. More are dropped, which `Events::incomplete` tells.
    pub event_queue: usize,
    /// Bytes of an unread rest that the next command reads away, and of message bodies in an answer that nobody has asked
    /// for: 1 MiB. Above, closing is cheaper.
    pub drain: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            greeting_line: 8 << 10,
            reply_line: 16 << 10,
            reply_lines: 512,
            reply_size: 128 << 10,
            imap_line: 1 << 20,
            value_literal: 64 << 10,
            collected: 64 << 20,
            nesting: 64,
            tokens: 1_000_000,
            sasl_challenge: 12_288,
            scram_iterations: (4_096, 1_000_000),
            capabilities: 1_000,
            list_entries: 4_000_000,
            event_queue: 1_024,
            drain: 1 << 20,
        }
    }
}
