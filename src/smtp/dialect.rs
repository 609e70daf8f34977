//! What tells the protocols apart that speak SMTP's language: submission, relaying, and (in a module of its own) LMTP.

use std::fmt;

use crate::{Security, ports};

/// A protocol in SMTP's language: its name, ports and first word. [`Smtp`](super::Smtp) does the rest.
pub trait Dialect: fmt::Debug + Clone + Copy + Default + Send + 'static {
    /// For error texts: `SMTP`.
    const NAME: &'static str;
    /// The GSSAPI service name.
    const SASL_SERVICE: &'static str;
    /// The default port of `connect` and `connect_start_tls`.
    const PORT: Option<u16>;
    /// The default port of `connect_ssl`; none if there is none.
    const TLS_PORT: Option<u16> = None;
    /// URL schemes, as [`Protocol::SCHEMES`](crate::Protocol::SCHEMES).
    const SCHEMES: &'static [(&'static str, Security)];
    /// What `connect_auto` tries, as [`Protocol::ROUTES`](crate::Protocol::ROUTES).
    const ROUTES: &'static [(u16, Security)] = &[];
    /// The word that asks for capabilities: `EHLO`, `LHLO`.
    const HELLO: &'static str = "EHLO";
    /// What is said to a server that does not know that word; none if that is an error.
    const OLD_HELLO: Option<&'static str> = Some("HELO");
    /// Whether clients log in.
    const LOGIN: bool = true;
    /// Whether each recipient that was taken gets a reply to the message of its own (LMTP).
    const REPLY_FOR_EACH: bool = false;
}

/// A dialect in which one reply answers a message.
pub trait OneReply: Dialect {}

/// Submission, RFC 6409: ports 587 and 465, with a log-in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Submission;

impl Dialect for Submission {
    const NAME: &'static str = "SMTP";
    const SASL_SERVICE: &'static str = "smtp";
    const PORT: Option<u16> = Some(ports::SMTP_SUBMISSION);
    const TLS_PORT: Option<u16> = Some(ports::SMTP_SUBMISSIONS);
    const SCHEMES: &'static [(&'static str, Security)] = &[("smtp", Security::StartTls), ("smtps", Security::Tls)];
    const ROUTES: &'static [(u16, Security)] =
        &[(ports::SMTP_SUBMISSIONS, Security::Tls), (ports::SMTP_SUBMISSION, Security::StartTls)];
}

impl OneReply for Submission {}

/// Relaying, RFC 5321: from server to server on port 25, with no log-in. TLS is asked for by the caller
/// (`start_tls`, `connect_start_tls`), and then it is TLS or an error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Relay;

impl Dialect for Relay {
    const NAME: &'static str = "SMTP";
    const SASL_SERVICE: &'static str = "smtp";
    const PORT: Option<u16> = Some(ports::SMTP_RELAY);
    const SCHEMES: &'static [(&'static str, Security)] = &[("smtp-relay", Security::StartTls)];
    const LOGIN: bool = false;
}

impl OneReply for Relay {}
