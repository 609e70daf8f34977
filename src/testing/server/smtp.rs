//! Submission, RFC 6409 on RFC 5321, with RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 2920 (PIPELINING), RFC 1870 (SIZE),
//! RFC 6152 (8BITMIME) and RFC 2034 (enhanced codes). It delivers to nobody.

use std::io;

use super::sasl::{self, Outcome};
use super::stream::{Connection, Line};
use super::{Mode, ReceivedMessage};

/// What SIZE announces: 50 MiB.
const MAX_MESSAGE: usize = 52_428_800;
/// Longest command line: what RFC 4954 wants for an initial response; all others are shorter.
const MAX_LINE: usize = 12_288;
/// Longest line of a message that is taken, far above the 1000 octets of RFC 5321, so that tests can see what was sent.
const MAX_TEXT_LINE: usize = 1 << 20;
/// Recipients of a message: the least that RFC 5321 4.5.3.1.8 allows.
const MAX_RECIPIENTS: usize = 100;

#[derive(Default)]
struct Session {
    greeted: bool,
    user: Option<String>,
    /// The sender, once MAIL was taken.
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    fn end_transaction(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

pub(super) fn serve(connection: &mut Connection) -> io::Result<()> {
    let mut session = Session::default();
    connection.say("220 localhost ESMTP testing server")?;
    loop {
        let line = match connection.line(MAX_LINE)? {
            Line::End => return Ok(()),
            Line::TooLong => {
                connection.note("a line that is too long");
                connection.say("500 5.5.2 Line too long")?;
                continue;
            }
            Line::Text(line) => String::from_utf8_lossy(&line).into_owned(),
        };
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        connection.heard(&line);
        if !session.command(connection, &verb, argument)? {
            return Ok(());
        }
    }
}

impl Session {
    /// False if the connection shall be closed.
    fn command(&mut self, connection: &mut Connection, verb: &str, argument: &str) -> io::Result<bool> {
        let bare = argument.trim().is_empty();
        match verb {
            "EHLO" | "HELO" => self.hello(connection, verb, argument.trim())?,
            "STARTTLS" | "DATA" | "RSET" | "QUIT" if !bare => connection.say("501 5.5.4 No argument allowed")?,
            "STARTTLS" => self.start_tls(connection)?,
            "AUTH" => self.authenticate(connection, argument)?,
            "MAIL" => {
                let reply = self.mail(connection, argument);
                connection.say(reply)?;
            }
            "RCPT" => {
                let reply = self.rcpt(argument);
                connection.say(&reply)?;
            }
            "DATA" => return self.data(connection),
            "RSET" => {
                self.end_transaction();
                connection.say("250 2.0.0 Forgotten")?;
            }
            "NOOP" => connection.say("250 2.0.0 OK")?,
            "VRFY" if bare => connection.say("501 5.5.4 Whom?")?,
            "VRFY" => connection.say("252 2.5.0 Cannot verify, but will take a message")?,
            "QUIT" => {
                connection.say("221 2.0.0 Bye")?;
                return Ok(false);
            }
            "EXPN" | "HELP" | "TURN" | "ETRN" | "BDAT" => connection.say("502 5.5.1 Command not implemented")?,
            _ => connection.say("500 5.5.2 Command not recognized")?,
        }
        Ok(true)
    }

    fn hello(&mut self, connection: &mut Connection, verb: &str, name: &str) -> io::Result<()> {
        if name.is_empty() {
            return connection.say("501 5.5.4 Who are you?");
        }
        self.end_transaction();
        self.greeted = true;
        if verb == "HELO" {
            return connection.say("250 localhost");
        }
        connection.say("250-localhost greets you")?;
        for extension in ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"] {
            connection.say(&format!("250-{extension}"))?;
        }
        if offers_tls(connection) {
            connection.say("250-STARTTLS")?;
        } else {
            connection.say("250-AUTH PLAIN LOGIN")?;
        }
        connection.say(&format!("250 SIZE {MAX_MESSAGE}"))
    }

    fn start_tls(&mut self, connection: &mut Connection) -> io::Result<()> {
        if connection.is_secure() {
            return connection.say("503 5.5.1 TLS already");
        }
        if !offers_tls(connection) {
            return connection.say("502 5.5.1 Command not implemented");
        }
        connection.say("220 2.0.0 Go ahead")?;
        connection.start_tls()?;
        *self = Self::default();
        Ok(())
    }

    fn authenticate(&mut self, connection: &mut Connection, argument: &str) -> io::Result<()> {
        if !self.greeted || self.user.is_some() || self.from.is_some() {
            return connection.say("503 5.5.1 Not now");
        }
        if offers_tls(connection) {
            return connection.say("538 5.7.11 Encryption required for authentication");
        }
        let mut words = argument.split_whitespace();
        let (mechanism, initial) = (words.next().unwrap_or_default(), words.next().map(str::as_bytes));
        if mechanism.is_empty() || words.next().is_some() {
            return connection.say("501 5.5.4 AUTH mechanism [initial response]");
        }
        let challenge = |connection: &mut Connection, text: &str| connection.say(&format!("334 {text}"));
        match sasl::exchange(connection, mechanism, initial, challenge)? {
            Outcome::User(user) => {
                self.user = Some(user);
                connection.say("235 2.7.0 Welcome")
            }
            Outcome::Wrong => connection.say("535 5.7.8 Wrong user or password"),
            Outcome::Cancelled => connection.say("501 5.7.0 Cancelled"),
            Outcome::Malformed => connection.say("501 5.5.2 Cannot decode that"),
            Outcome::Unknown => connection.say("504 5.5.4 Unknown mechanism"),
            Outcome::Gone => Ok(()),
        }
    }

    fn mail(&mut self, connection: &Connection, argument: &str) -> &'static str {
        if !self.greeted {
            return "503 5.5.1 EHLO first";
        }
        if offers_tls(connection) {
            return "530 5.7.0 Must issue a STARTTLS command first";
        }
        if self.user.is_none() {
            return "530 5.7.0 Authentication required";
        }
        if self.from.is_some() {
            return "503 5.5.1 There is a sender already";
        }
        let Some((from, parameters)) = path(argument, "FROM:") else { return "501 5.1.7 Not a sender" };
        for parameter in parameters.split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_uppercase().as_str() {
                "SIZE" => match value.parse::<u64>() {
                    Ok(size) if size <= MAX_MESSAGE as u64 => {}
                    Ok(_) => return "552 5.3.4 Message too big",
                    Err(_) => return "501 5.5.4 SIZE wants a number",
                },
                "BODY" if ["7BIT", "8BITMIME"].iter().any(|body| value.eq_ignore_ascii_case(body)) => {}
                "AUTH" if !value.is_empty() => {}
                _ => return "555 5.5.4 Unknown parameter",
            }
        }
        self.from = Some(from.to_owned());
        "250 2.1.0 Sender OK"
    }

    fn rcpt(&mut self, argument: &str) -> String {
        if self.from.is_none() {
            return "503 5.5.1 MAIL first".to_owned();
        }
        let Some((to, parameters)) = path(argument, "TO:").filter(|(to, _)| !to.is_empty()) else {
            return "501 5.1.3 Not a recipient".to_owned();
        };
        let local = to.to_ascii_lowercase();
        if !parameters.trim().is_empty() {
            "555 5.5.4 Unknown parameter".to_owned()
        } else if local.starts_with("refuse") {
            format!("550 5.1.1 <{to}> No such user")
        } else if local.starts_with("later") {
            format!("451 4.2.1 <{to}> Mailbox disabled, try again later")
        } else if self.to.len() >= MAX_RECIPIENTS {
            "452 4.5.3 Too many recipients".to_owned()
        } else {
            self.to.push(to.to_owned());
            "250 2.1.5 Recipient OK".to_owned()
        }
    }

    fn data(&mut self, connection: &mut Connection) -> io::Result<bool> {
        if self.from.is_none() {
            connection.say("503 5.5.1 MAIL first")?;
            return Ok(true);
        }
        if self.to.is_empty() {
            connection.say("554 5.5.1 No valid recipients")?;
            return Ok(true);
        }
        connection.say("354 End with a line that is only a dot")?;
        let Some(data) = body(connection)? else { return Ok(false) };
        connection.heard_message(data.len());
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to);
        if data.len() > MAX_MESSAGE {
            connection.say("552 5.3.4 Message too big")?;
            return Ok(true);
        }
        let (secure, user) = (connection.is_secure(), self.user.clone());
        let mut store = connection.shared().store();
        store.received.push(ReceivedMessage { from, to, data, secure, user });
        let number = store.received.len();
        drop(store);
        connection.say(&format!("250 2.0.0 queued as {number:06}"))?;
        Ok(true)
    }
}

/// True where TLS can and must come first.
fn offers_tls(connection: &Connection) -> bool {
    connection.shared().mode == Mode::StartTls && !connection.is_secure()
}

/// The address of `FROM:<address> parameters`; RFC 5321 allows no blank after the colon.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = argument.split_at_checked(keyword.len())?;
    let rest = rest.strip_prefix('<').filter(|_| start.eq_ignore_ascii_case(keyword))?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let (address, parameters) = (rest.get(..at)?, rest.get(at + 1..)?);
                let apart = parameters.is_empty() || parameters.starts_with(' ');
                return apart.then_some((address, parameters));
            }
            ' ' | '<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

/// The message up to the line with a dot, unstuffed; none if the client went away. Only CRLF counts as a line's end,
/// RFC 5321 4.1.1.4. Of a message that is too big only enough is kept to know that.
fn body(connection: &mut Connection) -> io::Result<Option<Vec<u8>>> {
    let mut data = Vec::new();
    let mut at_start = true;
    loop {
        let line = match connection.raw_line(MAX_TEXT_LINE)? {
            Line::Text(line) => line,
            Line::TooLong => return Err(io::ErrorKind::InvalidData.into()),
            Line::End => return Ok(None),
        };
        if at_start && line == b".\r\n" {
            return Ok(Some(data));
        }
        let text = line.strip_prefix(b".").filter(|_| at_start).unwrap_or(&line);
        if data.len() <= MAX_MESSAGE {
            data.extend_from_slice(text);
        }
        at_start = line.ends_with(b"\r\n");
    }
}
