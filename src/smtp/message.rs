//! A message with all that sending it needs.

use std::borrow::Cow;

use super::{Body, Envelope};
use crate::wire::LineEnds;

/// What to do if some recipients are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// The message goes to all others.
    #[default]
    AcceptSome,
    /// It goes to nobody. With more than one recipient this costs a round trip.
    RequireAll,
}

/// How a message is sent.
///
/// ```
/// use mailconnect::smtp::{Policy, SendOptions};
/// use mailconnect::wire::LineEnds;
/// let signed_and_for_all = SendOptions::new().policy(Policy::RequireAll).line_ends(LineEnds::Strict);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// What to do if some recipients are refused. Default: [`Policy::AcceptSome`].
    pub policy: Policy,
    /// What becomes of line ends. Default: [`LineEnds::Normalize`]; signed messages want [`LineEnds::Strict`].
    pub line_ends: LineEnds,
    /// Whether this message goes out by BDAT where the server offers CHUNKING. Default: as
    /// [`Smtp::chunking`](super::Smtp::chunking) says.
    pub chunking: Option<bool>,
}

impl SendOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`policy`](Self::policy).
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets [`line_ends`](Self::line_ends).
    #[must_use]
    pub fn line_ends(mut self, line_ends: LineEnds) -> Self {
        self.line_ends = line_ends;
        self
    }

    /// Sets [`chunking`](Self::chunking).
    #[must_use]
    pub fn chunking(mut self, chunking: bool) -> Self {
        self.chunking = Some(chunking);
        self
    }
}

/// A message, its envelope and how it is sent: what [`send_all`](crate::Client::send_all) takes.
///
/// ```
/// use mailconnect::smtp::{Envelope, Message, SendOptions};
/// let envelope = Envelope::new("me@example.com", ["you@example.com"])?;
/// let message = Message::new(envelope, "Subject: Hello\n\nIt works.\n").options(SendOptions::new().chunking(true));
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug)]
pub struct Message<'m> {
    pub(super) envelope: Cow<'m, Envelope>,
    pub(super) body: Body<'m>,
    pub(super) options: SendOptions,
}

impl<'m> Message<'m> {
    /// With default options.
    pub fn new(envelope: Envelope, body: impl Into<Body<'m>>) -> Self {
        Self { envelope: Cow::Owned(envelope), body: body.into(), options: SendOptions::default() }
    }

    /// As [`new`](Self::new), with an envelope that is used again.
    pub fn with(envelope: &'m Envelope, body: impl Into<Body<'m>>) -> Self {
        Self { envelope: Cow::Borrowed(envelope), body: body.into(), options: SendOptions::default() }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }
}
