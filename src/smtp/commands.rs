//! The verbs of RFC 5321 one by one. A refusal is an error that leaves the client usable; 421 closes it.

use super::{
    Capabilities, Dialect, MailParameter, RcptParameter, Reply, ReplyFramer, Smtp, Transaction, envelope, params,
};
use crate::wire::{Answer, Wire};
use crate::{Client, Error, Result};

impl<D: Dialect> Client<Smtp<D>> {
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
    /// [`Error::Unsupported`] for an address outside ASCII if the server does not offer SMTPUTF8, and beyond MAILMAX.
    pub fn mail(&mut self, from: &str) -> Result<Reply> {
        self.mail_with(from, &[])
    }

    /// As [`mail`](Self::mail), with parameters.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::{MailParameter, RcptParameter};
    /// smtp.mail_with("me@example.com", &[MailParameter::priority(3)?.optional()])?;
    /// smtp.rcpt_with("you@example.com", &[RcptParameter::notify([]).optional()])?;
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there, and [`Error::Unsupported`] for a parameter that the server does not offer and that is not optional.
    pub fn mail_with(&mut self, from: &str, parameters: &[MailParameter]) -> Result<Reply> {
        self.protocol().idle("mail: in a transaction, end it by data or rset")?;
        let from = envelope::sender(from)?;
        self.exchange(|smtp, wire| {
            let capabilities = &smtp.session.capabilities;
            if capabilities.limit("MAILMAX").is_some_and(|max| smtp.session.mails >= max) {
                return Err(Error::unsupported("the server takes no more transactions on this connection (MAILMAX)"));
            }
            let (line, content) = params::mail(parameters, capabilities, !from.is_ascii(), wire.is_secure())?;
            smtp.session.mails += 1;
            let reply = ask_line(wire, "MAIL", &format!("MAIL FROM:<{from}>{line}"))?;
            let (utf8, binary) = (content.utf8, content.binary);
            smtp.session.transaction = Some(Transaction { utf8, binary, recipients: Vec::new(), chunks: false });
            Ok(reply)
        })
    }

    /// RCPT: names a recipient. See [`mail`](Self::mail) for an example.
    ///
    /// # Errors
    /// [`Error::Rejected`], after which the transaction goes on; [`Error::InvalidArgument`] for what is no address;
    /// [`Error::WrongState`] without a transaction, or after BDAT; [`Error::Unsupported`] for an address outside ASCII if
    /// that of `mail` was within and [`MailParameter::smtputf8`] was not given.
    pub fn rcpt(&mut self, to: &str) -> Result<Reply> {
        self.rcpt_with(to, &[])
    }

    /// As [`rcpt`](Self::rcpt), with parameters. See [`mail_with`](Self::mail_with) for an example.
    ///
    /// # Errors
    /// As there, and [`Error::Unsupported`] for a parameter that the server does not offer and that is not optional.
    pub fn rcpt_with(&mut self, to: &str, parameters: &[RcptParameter]) -> Result<Reply> {
        let begun = self.protocol().session.transaction.as_ref();
        let Some(transaction) = begun.filter(|transaction| !transaction.chunks) else {
            return Err(Error::WrongState("rcpt: mail comes first, and bdat later"));
        };
        let to = envelope::recipient(to)?;
        if !to.is_ascii() && !transaction.utf8 {
            return Err(Error::unsupported("a recipient outside ASCII needs SMTPUTF8 with MAIL; use send"));
        }
        self.exchange(|smtp, wire| {
            let line = params::rcpt(parameters, &smtp.session.capabilities, wire.is_secure())?;
            let reply = ask_line(wire, "RCPT", &format!("RCPT TO:<{to}>{line}"))?;
            smtp.note("RCPT", &to);
            Ok(reply)
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
            smtp.note("RSET", "");
            Ok(reply)
        })
    }
}

impl<D> Smtp<D> {
    /// Keeps the state of the transaction after a command that was taken.
    pub(super) fn note(&mut self, verb: &str, argument: &str) {
        match (verb, &mut self.session.transaction) {
            ("MAIL", transaction) => {
                self.session.mails += 1;
                *transaction = Some(Transaction::default());
            }
            ("RCPT", Some(transaction)) => transaction.recipients.push(argument.to_owned()),
            ("RSET", transaction) => *transaction = None,
            _ => {}
        }
    }
}

/// Sends a command that is one word.
pub(super) fn ask(wire: &mut Wire, command: &'static str) -> Result<()> {
    let answer = Answer::new(command, ReplyFramer::new(wire.limits()));
    let mut group = wire.group();
    group.put(command).end(answer);
    group.send()
}

/// Sends a line that begins with `command`, and takes 2yz only.
pub(super) fn ask_line(wire: &mut Wire, command: &'static str, line: &str) -> Result<Reply> {
    let answer = Answer::new(command, ReplyFramer::new(wire.limits()));
    let mut group = wire.group();
    group.text(command, line.as_bytes())?.end(answer);
    group.send()?;
    accepted(wire, command)
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
