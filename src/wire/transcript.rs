//! What goes over the wire, for people to read: line by line, with every secret replaced. It never sees a body.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Escaped;

/// One line of a session's transcript. Secrets are `[redacted]`, control characters are escaped; `Display` gives the
/// usual form with `C:` and `S:` in front.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TranscriptEvent<'a> {
    /// Connected to this server.
    Connected(&'a str),
    /// The link is encrypted from here on.
    Secured,
    /// A line that the client sent.
    Sent(&'a str),
    /// A line that the server sent.
    Received(&'a str),
    /// So many bytes of a body went out.
    BodySent(u64),
    /// So many bytes of a body came in.
    BodyReceived(u64),
    /// The connection is closed.
    Closed,
}

impl fmt::Display for TranscriptEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(peer) => write!(f, "-- connected to {peer}"),
            Self::Secured => f.write_str("-- TLS"),
            Self::Sent(line) => write!(f, "C: {line}"),
            Self::Received(line) => write!(f, "S: {line}"),
            Self::BodySent(bytes) => write!(f, "C: [{bytes} bytes]"),
            Self::BodyReceived(bytes) => write!(f, "S: [{bytes} bytes]"),
            Self::Closed => f.write_str("-- closed"),
        }
    }
}

/// The caller's function.
pub(crate) type Listener = Arc<dyn Fn(&TranscriptEvent<'_>) + Send + Sync>;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Shorter secrets would be found everywhere, and thereby given away.
const SHORTEST: usize = 4;

/// Tells the caller's function and the log.
#[derive(Default)]
pub(super) struct Transcript {
    listener: Option<Listener>,
    secrets: Vec<Zeroizing<Vec<u8>>>,
    /// While true, what the server says may be a secret too: a challenge.
    pub(super) hide_received: bool,
}

impl Transcript {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// True if anybody listens; else no text needs to be made.
    pub(super) fn is_on(&self) -> bool {
        self.listener.is_some() || log::log_enabled!(log::Level::Debug)
    }

    pub(super) fn tell(&self, event: &TranscriptEvent<'_>) {
        log::debug!("{event}");
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }

    pub(super) fn sent(&self, line: &[u8]) {
        self.tell(&TranscriptEvent::Sent(&self.shown(line)));
    }

    pub(super) fn received(&self, line: &[u8]) {
        let mut text = self.shown(line);
        if self.hide_received {
            // The status may be seen, what it carries may not.
            let status = text.split(' ').next().unwrap_or_default();
            text = format!("{status} {REDACTED}");
        }
        self.tell(&TranscriptEvent::Received(&text));
    }

    /// What may be in an error of what the server has sent.
    pub(super) fn in_error(&self, text: &str) -> String {
        if self.hide_received { REDACTED.to_owned() } else { self.scrub(text) }
    }

    /// From now on this is not shown, whoever says it.
    pub(super) fn hide(&mut self, secret: &[u8]) {
        let known = self.secrets.iter().any(|known| known.as_slice() == secret);
        if secret.len() >= SHORTEST && !known {
            self.secrets.push(Zeroizing::new(secret.to_vec()));
            // The longest first: of a secret that starts like another one nothing may be left.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    fn shown(&self, line: &[u8]) -> String {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Escaped(&self.scrub(&String::from_utf8_lossy(line))).to_string()
    }

    /// The text without any secret that went over this connection.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if let Ok(secret) = std::str::from_utf8(secret) {
                text = text.replace(secret, REDACTED);
            }
        }
        text
    }
}
