//! Port numbers, and what a port stands for: plain text, an upgrade, or TLS from the first byte.

/// SMTP submission, RFC 6409: the default of `connect` and `connect_start_tls`.
pub const SMTP_SUBMISSION: u16 = 587;
/// SMTP submission with TLS from the first byte, RFC 8314: the default of `connect_ssl`.
pub const SMTP_SUBMISSIONS: u16 = 465;
/// SMTP between servers, RFC 5321. Many networks block it for anything else.
pub const SMTP_RELAY: u16 = 25;
/// What many providers offer beside 587, for networks that block that; in no RFC.
pub const SMTP_ALTERNATIVE: u16 = 2525;
/// LMTP, RFC 2033. It is not registered; most servers listen there or on a Unix socket.
pub const LMTP: u16 = 24;
/// IMAP, RFC 9051.
pub const IMAP: u16 = 143;
/// IMAP with TLS from the first byte, RFC 8314.
pub const IMAPS: u16 = 993;
/// POP3, RFC 1939.
pub const POP3: u16 = 110;
/// POP3 with TLS from the first byte, RFC 8314.
pub const POP3S: u16 = 995;

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Security {
    /// Plain text. Logging in is refused unless the server is on this machine.
    Plain,
    /// Plain text at first, upgraded by STARTTLS or STLS before anything else, or an error.
    StartTls,
    /// TLS from the first byte.
    Tls,
}
