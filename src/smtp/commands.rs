//! The verbs of RFC 5321 one by one. A refusal is an error that leaves the client usable; 421 closes it.

use super::send::{go_ahead, transmit};
use super::{Body, Capabilities, Reply, ReplyFramer, Smtp, Transaction, envelope};
use crate::wire::{Answer, Group, LineEnds, Wire};
use crate::{Client, Error, Result};

/// Verbs that a raw line may not have: they change how what follows is read, or what this client knows of the server.
const NOT_RAW: &[&str] = &["AUTH", "BDAT", "DATA", "EHLO", "HELO", "LHLO", "QUIT", "STARTTLS", "TURN", "XEXDATA"];

impl Client<Smtp> {
    // ---- What the server said ----

    /// What the server offers, by the latest EHLO; empty if it knows no EHLO.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let endpoint = server.endpoint();
    /// let smtp = mailconnect::SmtpClient::connect(endpoint)?;
    /// println!("messages of up to {:?} octets", smtp.capabilities().size());
    /// assert!(smtp.capabilities().has("STARTTLS"));
    /// # smtp.quit()
    /// # }
    /// ```
    pub fn capabilities(&self) -> &Capabilities {
        &self.protocol().session.capabilities
    }

    /// What the server greeted with; none after `start_tls`, since all that was said in clear is forgotten then.
    pub fn greeting(&self) -> Option<&Reply> {
        self.protocol().session.greeting.as_ref()
    }

    /// The recipients that the last [`send`](Self::send) was refused, with the server's replies: also when it failed
    /// since all of them were.
    pub fn last_refused(&self) -> &[(String, Reply)] {
        &self.protocol().session.refused
    }

    // ---- A transaction, step by step ----

    /// MAIL: begins a transaction; empty is the null sender. [`send`](Self::send) does all of it at once.
    ///
    /// BODY=8BITMIME goes with it where that is offered, and SMTPUTF8 if the address needs it.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// smtp.mail("me@example.com")?;
    /// smtp.rcpt("you@example.com")?;
    /// let reply = smtp.data("Subject: Hello\n\nIt works.\n")?;
    /// println!("{}", reply.text()); // queued as ..
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for what is no address; [`Error::WrongState`] in a transaction;
    /// [`Error::Unsupported`] for an address outside ASCII if the server does not offer SMTPUTF8.
    pub fn mail(&mut self, from: &str) -> Result<Reply> {
        self.protocol().idle("mail: in a transaction, end it by data or rset")?;
        let from = envelope::sender(from)?;
        self.exchange(|smtp, wire| {
            let capabilities = &smtp.session.capabilities;
            let parameters = Parameters::new(capabilities, !from.is_ascii(), None)?;
            let answer = Answer::new("MAIL", ReplyFramer::new(wire.limits()));
            let mut group = wire.group();
            parameters.put_mail(&mut group, &from)?;
            group.end(answer);
            group.send()?;
            let reply = accepted(wire, "MAIL")?;
            smtp.session.transaction = Some(Transaction { utf8: parameters.utf8, recipients: 0 });
            Ok(reply)
        })
    }

    /// RCPT: names a recipient. See [`mail`](Self::mail) for an example.
    ///
    /// # Errors
    /// [`Error::Rejected`], after which the transaction goes on; [`Error::InvalidArgument`] for what is no address;
    /// [`Error::WrongState`] without a transaction; [`Error::Unsupported`] for an address outside ASCII if that of
    /// `mail` was within.
    pub fn rcpt(&mut self, to: &str) -> Result<Reply> {
        let Some(transaction) = self.protocol().session.transaction else {
            return Err(Error::WrongState("rcpt: mail comes first"));
        };
        let to = envelope::recipient(to)?;
        if !to.is_ascii() && !transaction.utf8 {
            return Err(Error::unsupported("a recipient outside ASCII needs a sender outside ASCII; use send"));
        }
        self.exchange(|smtp, wire| {
            let answer = Answer::new("RCPT", ReplyFramer::new(wire.limits()));
            let mut group = wire.group();
            put_rcpt(&mut group, &to)?;
            group.end(answer);
            group.send()?;
            let reply = accepted(wire, "RCPT")?;
            smtp.note("RCPT");
            Ok(reply)
        })
    }

    /// DATA and the message: ends the transaction. See [`mail`](Self::mail) for an example. Line ends become CRLF.
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for a NUL in the body; [`Error::WrongState`] without a recipient
    /// that was taken. If [`Error::outcome_unknown`] the message may have been delivered or not.
    pub fn data<'b>(&mut self, body: impl Into<Body<'b>>) -> Result<Reply> {
        if self.protocol().session.transaction.is_none_or(|transaction| transaction.recipients == 0) {
            return Err(Error::WrongState("data: mail and a recipient that is taken come first"));
        }
        let mut body = body.into();
        body.check(LineEnds::Normalize)?;
        self.exchange(|smtp, wire| {
            ask_more(wire, "DATA", 354)?;
            let reply = read(wire)?;
            go_ahead(wire, &reply)?;
            smtp.session.transaction = None;
            transmit(wire, &mut body, LineEnds::Normalize)
        })
    }

    /// RSET: gives up the transaction, if there is one.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// smtp.mail("me@example.com")?;
    /// smtp.rset()?;
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`].
    pub fn rset(&mut self) -> Result<Reply> {
        self.exchange(|smtp, wire| {
            let reply = exchange(wire, "RSET")?;
            smtp.note("RSET");
            Ok(reply)
        })
    }

    // ---- Others ----

    /// NOOP: does nothing, and shows that the server is there.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// assert_eq!(smtp.noop()?.code, 250);
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`].
    pub fn noop(&mut self) -> Result<Reply> {
        self.exchange(|_, wire| exchange(wire, "NOOP"))
    }

    /// Sends a line of the caller's and reads one reply, for commands that this crate has no verb for.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// println!("{}", smtp.command("VRFY postmaster")?);
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for CR, LF or NUL, for a line that does not begin with a verb, and
    /// for the verbs that change how what follows is read: AUTH, BDAT, DATA, EHLO, HELO, QUIT, STARTTLS.
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if verb.is_empty() || !verb.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::invalid("command", "does not begin with a verb and a space"));
        }
        if NOT_RAW.contains(&&*verb) {
            return Err(Error::invalid("command", format!("{verb} has a verb of its own, or none")));
        }
        self.exchange(|smtp, wire| {
            // Nobody knows what it does.
            let answer = Answer::new("command", ReplyFramer::new(wire.limits())).changing();
            let mut group = wire.group();
            group.text("command", line.as_bytes())?.end(answer);
            group.send()?;
            let reply = accepted(wire, &verb)?;
            smtp.note(&verb);
            Ok(reply)
        })
    }
}

impl Smtp {
    /// Keeps the state of the transaction after a command that was taken.
    fn note(&mut self, verb: &str) {
        match (verb, &mut self.session.transaction) {
            ("MAIL", transaction) => *transaction = Some(Transaction::default()),
            ("RCPT", Some(transaction)) => transaction.recipients += 1,
            ("RSET", transaction) => *transaction = None,
            _ => {}
        }
    }
}

/// What goes with MAIL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    size: Option<u64>,
    eight_bit: bool,
    pub(super) utf8: bool,
}

impl Parameters {
    /// What the server offers of what is needed.
    pub(super) fn new(capabilities: &Capabilities, utf8: bool, size: Option<u64>) -> Result<Self> {
        if utf8 && !capabilities.has("SMTPUTF8") {
            return Err(Error::unsupported("an address outside ASCII, and the server does not offer SMTPUTF8"));
        }
        if let (Some(size), Some(max)) = (size, capabilities.size()) {
            if size > max {
                let why = format!("is {size} octets long, and the server takes at most {max}");
                return Err(Error::invalid("body", why));
            }
        }
        let size = size.filter(|_| capabilities.has("SIZE"));
        Ok(Self { size, eight_bit: capabilities.has("8BITMIME"), utf8 })
    }

    pub(super) fn put_mail(self, group: &mut Group<'_>, from: &str) -> Result<()> {
        group.put("MAIL FROM:<").text("sender", from.as_bytes())?.put(">");
        if let Some(size) = self.size {
            group.put(" SIZE=").number(size);
        }
        if self.eight_bit {
            group.put(" BODY=8BITMIME");
        }
        if self.utf8 {
            group.put(" SMTPUTF8");
        }
        Ok(())
    }
}

pub(super) fn put_rcpt(group: &mut Group<'_>, to: &str) -> Result<()> {
    group.put("RCPT TO:<").text("recipient", to.as_bytes())?.put(">");
    Ok(())
}

/// Sends a command that is one word.
pub(super) fn ask(wire: &mut Wire, command: &'static str) -> Result<()> {
    let answer = Answer::new(command, ReplyFramer::new(wire.limits()));
    let mut group = wire.group();
    group.put(command).end(answer);
    group.send()
}

/// As [`ask`], for one to which the server may say go on.
pub(super) fn ask_more(wire: &mut Wire, command: &'static str, code: u16) -> Result<()> {
    let answer = Answer::new(command, ReplyFramer::new(wire.limits()).or_more(code));
    let mut group = wire.group();
    group.put(command).end(answer);
    group.send()
}

/// Reads a reply, whatever it says.
pub(super) fn read(wire: &mut Wire) -> Result<Reply> {
    wire.next_part()?;
    let reply = Reply::parse(wire.frame());
    reply.map_err(|flaw| wire.flaw(flaw))
}

/// Reads the reply to `command`, and takes 2yz only.
pub(super) fn accepted(wire: &mut Wire, command: &str) -> Result<Reply> {
    let reply = read(wire)?;
    match reply.rejection(command) {
        Some(rejection) => Err(Error::Rejected(rejection)),
        None if reply.is_positive() => Ok(reply),
        None => Err(wire.malformed("neither a success nor a refusal")),
    }
}

/// A command that is one word, and its reply.
pub(super) fn exchange(wire: &mut Wire, command: &'static str) -> Result<Reply> {
    ask(wire, command)?;
    accepted(wire, command)
}
