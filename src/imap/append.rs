//! APPEND (RFC 9051, 6.3.12): puts a message into a mailbox, from memory or from a reader, in constant memory.

use std::io::{BufReader, Read};

use super::codec::{Code, number, word};
use super::exchange::nothing;
use super::line::Line;
use super::{DateTime, Imap, MailboxName};
use crate::{Client, Result};

/// Where an appended message has gone, as servers with UIDPLUS (RFC 4315) tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AppendUid {
    /// The UIDVALIDITY of the mailbox.
    pub validity: u32,
    /// The message's UID there.
    pub uid: u32,
}

impl AppendUid {
    fn new(code: Code<'_>) -> Option<Self> {
        let (validity, uid) = word(Some(code.value).filter(|_| code.is("APPENDUID"))?);
        let small = |digits| number(digits).and_then(|number| u32::try_from(number).ok());
        Some(Self { validity: small(validity)?, uid: small(uid)? })
    }
}

/// What an appended message is to have beside its bytes.
///
/// ```
/// use mailconnect::imap::AppendOptions;
///
/// let options = AppendOptions::new().flags(&["\\Seen"]).date("17-Jul-1996 02:44:25 -0700".parse()?);
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendOptions<'a> {
    /// Its flags. Default: none.
    pub flags: &'a [&'a str],
    /// Its internal date. Default: that of its arrival.
    pub date: Option<DateTime>,
}

impl<'a> AppendOptions<'a> {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`flags`](Self::flags).
    #[must_use]
    pub fn flags(mut self, flags: &'a [&'a str]) -> Self {
        self.flags = flags;
        self
    }

    /// Sets [`date`](Self::date).
    #[must_use]
    pub fn date(mut self, date: DateTime) -> Self {
        self.date = Some(date);
        self
    }
}

impl Client<Imap> {
    /// Puts a message into a mailbox (RFC 9051, 6.3.12), named in UTF-8, with these flags: `\Seen`, `\Draft`, .. It goes out
    /// as it is: its lines must end in CRLF.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// imap.append("INBOX", &["\\Seen"], b"Subject: A note\r\n\r\nRemember the milk.\r\n")?;
    /// # assert_eq!(imap.select("INBOX")?.exists, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected), with the code `TRYCREATE` if the mailbox is not there. No message is
    /// there after an error, unless [`Error::outcome_unknown`](crate::Error::outcome_unknown) is true: the message was sent
    /// whole and the answer to it is lost, perhaps since the server said goodbye instead.
    pub fn append<'m>(
        &mut self,
        mailbox: impl Into<MailboxName<'m>>,
        flags: &[&str],
        message: &[u8],
    ) -> Result<Option<AppendUid>> {
        self.append_from(mailbox, flags, &mut &*message, message.len() as u64)
    }

    /// As [`append`](Self::append), from a reader of which exactly `size` bytes are taken, in constant memory. If the
    /// server refuses before it has asked for the message, none of it is read or sent. Up to 64 KiB it need not ask where
    /// it offers LITERAL+ (RFC 7888), and up to 4 KiB with LITERAL-; the capabilities are asked for first if they are not
    /// known.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// # let path = std::env::temp_dir().join(format!("mailconnect-append-{}", std::process::id()));
    /// # std::fs::write(&path, "Subject: A note\r\n\r\nRemember the milk.\r\n")?;
    /// let mut file = std::fs::File::open(&path)?;
    /// let size = file.metadata()?.len();
    /// imap.append_from("INBOX", &[], &mut file, size)?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`append`](Self::append); and [`Error::Caller`](crate::Error::Caller) if the reader fails or ends early, which
    /// closes the client, since the server waits for the rest.
    pub fn append_from<'m>(
        &mut self,
        mailbox: impl Into<MailboxName<'m>>,
        flags: &[&str],
        message: &mut dyn Read,
        size: u64,
    ) -> Result<Option<AppendUid>> {
        self.append_with(mailbox, &AppendOptions::new().flags(flags), message, size)
    }

    /// As [`append_from`](Self::append_from), with a date too.
    ///
    /// ```
    /// use mailconnect::imap::AppendOptions;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use mailconnect::testing::{Mode, Server};
    /// # let server = Server::imap().mode(Mode::Plain).start()?;
    /// # let mut imap = mailconnect::ImapClient::connect(server.endpoint())?;
    /// # imap.login("user", "password")?;
    /// let message = b"Subject: An old note\r\n\r\nRemember the milk.\r\n";
    /// let options = AppendOptions::new().date("17-Jul-1996 02:44:25 -0700".parse()?);
    /// imap.append_with("INBOX", &options, &mut &message[..], message.len() as u64)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`append_from`](Self::append_from).
    pub fn append_with<'m>(
        &mut self,
        mailbox: impl Into<MailboxName<'m>>,
        options: &AppendOptions<'_>,
        message: &mut dyn Read,
        size: u64,
    ) -> Result<Option<AppendUid>> {
        self.exchange(|imap, wire| {
            let mut line = Line::changing("APPEND").mailbox(mailbox)?;
            if !options.flags.is_empty() {
                line = line.flags(options.flags)?;
            }
            if let Some(date) = options.date {
                line = line.text("date", format!("\"{date}\"").into_bytes());
            }
            // Never more than its size is read, so that the caller's reader stands behind it.
            let mut source = BufReader::with_capacity(32 << 10, message.take(size));
            imap.send_with(wire, &line.own(" "), Some((&mut source, size)))?;
            let done = imap.finish(wire, "APPEND", nothing)?;
            Ok(done.code().and_then(AppendUid::new))
        })
    }
}
