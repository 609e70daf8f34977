//! LMTP, RFC 2033: a message to a server that keeps mail, over TCP or a Unix socket. It speaks SMTP's language, with LHLO
//! for EHLO and a reply to the message for each recipient that was taken: so each can get it, or not, by itself.
//!
//! All of [`smtp`](crate::smtp) is here: its verbs, `send`, `send_all`, its reports. In these the reply that took a message
//! for a recipient is the one that the server gave for this recipient, and who was refused at last stands among the
//! refused. BDAT is not used.

use crate::smtp::{Dialect, Smtp};
use crate::{Security, ports};

/// The protocol of an [`LmtpClient`](crate::LmtpClient).
///
/// Port: 24 by custom, or a Unix socket; there is none for TLS from the first byte. URLs: `lmtp:` (STARTTLS, required),
/// `lmtp+insecure:`.
///
/// ```
/// # use mailconnect::testing::Script;
/// # let script = Script::parse("S: 220 keeper\nC: LHLO me.example\nS: 250-keeper\nS: 250 PIPELINING\n\
/// #     C: MAIL FROM:<me@example.com>\nC: RCPT TO:<ann@example.com>\nC: RCPT TO:<bob@example.com>\nC: DATA\n\
/// #     S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: Subject: Hello\nC: \nC: It works.\nC: .\n\
/// #     S: 250 2.1.5 kept for ann\nS: 452 4.2.2 bob has no room\n")?;
/// # let (transport, _) = script.play();
/// use mailconnect::{Connector, LmtpClient, Security, lmtp::Lmtp, smtp::Envelope};
///
/// let lmtp = Lmtp::default().hello_name("me.example")?;
/// // Or, on this machine: LmtpClient::connect("unix:/run/dovecot/lmtp")
/// let mut lmtp: LmtpClient = Connector::new().over(lmtp, transport, "keeper", Security::Plain)?;
/// let envelope = Envelope::new("me@example.com", ["ann@example.com", "bob@example.com"])?;
/// let report = lmtp.send(&envelope, "Subject: Hello\n\nIt works.\n")?;
/// assert_eq!(report.accepted[0].1.text(), "kept for ann");
/// assert_eq!(report.refused[0].1.code, 452);
/// # Ok::<(), mailconnect::Error>(())
/// ```
pub type Lmtp = Smtp<LocalDelivery>;

/// What makes [`Lmtp`] of SMTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDelivery;

impl Dialect for LocalDelivery {
    const NAME: &'static str = "LMTP";
    const SASL_SERVICE: &'static str = "lmtp";
    const PORT: Option<u16> = Some(ports::LMTP);
    const SCHEMES: &'static [(&'static str, Security)] = &[("lmtp", Security::StartTls)];
    const HELLO: &'static str = "LHLO";
    /// RFC 2033 4.1: neither HELO nor EHLO.
    const OLD_HELLO: Option<&'static str> = None;
    const REPLY_FOR_EACH: bool = true;
}
