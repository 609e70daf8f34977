//! What a mechanism may know of the connection that it is used on. Values only.

use super::{ChannelBinding, ChannelBindings};
use crate::limits::Limits;

/// What a mechanism may want to know of the connection that it is used on.
///
/// ```
/// use mailconnect::sasl::{Context, Mechanism, OAuthBearer};
/// // The client makes it; for a mechanism's own tests:
/// let mut context = Context::new("imap", "mail.example.com");
/// context.port = Some(993);
/// context.secure = true;
/// let first = OAuthBearer::new("user@example.com", "token")?.start(&context)?.unwrap();
/// let expected = "n,a=user@example.com,\x01host=mail.example.com\x01port=993\x01auth=Bearer token\x01\x01";
/// assert_eq!(first.as_bytes(), expected.as_bytes());
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The GSSAPI service name: `smtp`, `imap`, `pop`.
    pub service: &'a str,
    /// The host as it was named.
    pub host: &'a str,
    /// The port that was connected to; none for a Unix socket.
    pub port: Option<u16>,
    /// True if the link is encrypted.
    pub secure: bool,
    /// What the server offers, as it was told.
    pub offered: &'a [String],
    /// What a log-in can be bound to; none without TLS.
    pub bindings: Option<&'a ChannelBindings>,
    /// The lowest and the highest count of SCRAM's iterations, see
    /// [`Limits::scram_iterations`](crate::Limits::scram_iterations).
    pub scram_iterations: (u32, u32),
}

impl<'a> Context<'a> {
    /// A connection in clear to a server that offers nothing, with the default limits.
    pub fn new(service: &'a str, host: &'a str) -> Self {
        let scram_iterations = Limits::default().scram_iterations;
        Self { service, host, port: None, secure: false, offered: &[], bindings: None, scram_iterations }
    }

    /// The data of a channel binding; none if the connection has none of that kind.
    pub fn channel_binding(&self, kind: ChannelBinding) -> Option<&'a [u8]> {
        self.bindings?.get(kind)
    }

    /// True if the server offers the mechanism, in whatever case it is written.
    pub fn offers(&self, mechanism: &str) -> bool {
        self.offered.iter().any(|name| name.eq_ignore_ascii_case(mechanism))
    }
}
