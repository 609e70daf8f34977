//! Questions to the server, outside of a transaction or in it: RFC 5321 3.5, RFC 1985.

use super::commands::{accepted, ask_line, exchange};
use super::{Dialect, Reply, ReplyFramer, Smtp};
use crate::wire::Answer;
use crate::{Client, Error, Result};

/// Verbs that a raw line may not have: they change how what follows is read, or what this client knows of the server.
const NOT_RAW: &[&str] =
    &["ATRN", "AUTH", "BDAT", "DATA", "EHLO", "HELO", "LHLO", "QUIT", "STARTTLS", "TURN", "XEXDATA"];

impl<D: Dialect> Client<Smtp<D>> {
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

    /// VRFY: asks whether there is such a mailbox or user. Many servers answer 252, "cannot say".
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// assert_eq!(smtp.vrfy("postmaster")?.code, 252);
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for what is neither a word, an address nor a quoted string;
    /// [`Error::Unsupported`] for text outside ASCII if the server does not offer SMTPUTF8.
    pub fn vrfy(&mut self, who: &str) -> Result<Reply> {
        self.ask_about("VRFY", who)
    }

    /// EXPN: asks who is on a list. Few servers tell.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// match smtp.expn("friends") {
    ///     Ok(reply) => println!("{}", reply.text()),
    ///     Err(error) => assert!(error.is_permanent()),
    /// }
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`vrfy`](Self::vrfy).
    pub fn expn(&mut self, list: &str) -> Result<Reply> {
        self.ask_about("EXPN", list)
    }

    fn ask_about(&mut self, command: &'static str, what: &str) -> Result<Reply> {
        check_text(what)?;
        self.exchange(|smtp, wire| {
            let utf8 = match (what.is_ascii(), smtp.session.capabilities.has("SMTPUTF8")) {
                (true, _) => "",
                (false, true) => " SMTPUTF8",
                (false, false) => {
                    return Err(Error::unsupported("text outside ASCII, and the server does not offer SMTPUTF8"));
                }
            };
            ask_line(wire, command, &format!("{command} {what}{utf8}"))
        })
    }

    /// HELP: asks what there is to know about a topic, a verb for instance; empty is all.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// match smtp.help("MAIL") {
    ///     Ok(reply) => println!("{}", reply.text()),
    ///     Err(error) => assert!(error.is_permanent()),
    /// }
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`]; [`Error::InvalidArgument`] for what is no topic.
    pub fn help(&mut self, topic: &str) -> Result<Reply> {
        if topic.is_empty() {
            return self.exchange(|_, wire| exchange(wire, "HELP"));
        }
        check_text(topic)?;
        self.exchange(|_, wire| ask_line(wire, "HELP", &format!("HELP {topic}")))
    }

    /// ETRN (RFC 1985): asks the server to send what it keeps for a host: `example.com`, `@example.com` (with all below
    /// it), `#queue`.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// let error = smtp.etrn("@example.com").unwrap_err();
    /// assert_eq!(error.to_string(), "the server does not offer ETRN");
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer it; [`Error::Rejected`]; [`Error::InvalidArgument`] for what is
    /// no name; [`Error::WrongState`] in a transaction.
    pub fn etrn(&mut self, node: &str) -> Result<Reply> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
        let name = node.strip_prefix(['@', '#']).unwrap_or(node);
        if name.is_empty() || !name.bytes().all(good) {
            return Err(Error::invalid("node", "is neither a domain nor a queue"));
        }
        self.protocol().idle("etrn: in a transaction, end it by data or rset")?;
        if !self.capabilities().has("ETRN") {
            return Err(Error::unsupported("the server does not offer ETRN"));
        }
        self.exchange(|_, wire| ask_line(wire, "ETRN", &format!("ETRN {node}")))
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
            smtp.note(&verb, line);
            Ok(reply)
        })
    }
}

/// What VRFY, EXPN and HELP may ask for: no control characters, and no blank or angle bracket outside of quotes.
fn check_text(text: &str) -> Result<()> {
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            c if c.is_control() => return Err(Error::invalid("text", "contains a control character")),
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '<' | '>' if !quoted => {
                return Err(Error::invalid("text", "contains a blank or an angle bracket outside of quotes"));
            }
            _ => {}
        }
    }
    if text.is_empty() || quoted { Err(Error::invalid("text", "is empty, or its quotes do not end")) } else { Ok(()) }
}
