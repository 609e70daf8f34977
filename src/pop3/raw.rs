//! Commands that have no verb here: any line whose answer is one line, or a status and a body. RFC 1939 3, RFC 2449 4.

use super::codec::{self, StatusFramer};
use super::{Pop3, accepted, send};
use crate::wire::{Answer, Body};
use crate::{Client, Error, Result};

/// Commands that neither verb carries, and why: the client must know of them.
const OWN_VERB: &[(&str, &str)] = &[
    ("STLS", "use start_tls"),
    ("USER", "use login"),
    ("PASS", "use login"),
    ("APOP", "use login or authenticate"),
    ("AUTH", "use authenticate"),
    ("UTF8", "use utf8"),
    ("QUIT", "use quit"),
];

/// Commands whose answer has many lines, and the verb for it.
const LONG: &[(&str, &str)] = &[("RETR", "retr"), ("TOP", "top"), ("CAPA", "capabilities")];

/// Commands whose answer is one line, whatever their arguments.
const SHORT: &[(&str, &str)] = &[("STAT", "stat"), ("DELE", "dele"), ("NOOP", "noop"), ("RSET", "rset")];

/// Commands whose answer is one line with an argument, and many lines without.
const EITHER: &[&str] = &["LIST", "UIDL", "LANG"];

impl Client<Pop3> {
    /// Sends any other command whose answer is one line, and returns what follows `+OK`.
    ///
    /// A command whose answer has more lines leaves the client in disorder: it will close at one of the next commands.
    /// Those that are known to have such an answer are refused, and those that have a verb of their own because the
    /// client must know of them.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// assert_eq!(pop3.command("LIST 1")?, "1 3");
    /// assert!(pop3.command("LIST").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF, NUL, more than 255 octets with the line's end, and commands that are not
    /// for this verb; nothing was sent then.
    pub fn command(&mut self, line: &str) -> Result<String> {
        let verb = checked(line, false)?;
        self.exchange(|pop3, wire| {
            let answer = Answer::new("command", StatusFramer::new(wire.limits()));
            send(wire, answer, |group| group.text("command", line.as_bytes()))?;
            accepted(wire, verb)?;
            match verb {
                _ if verb.eq_ignore_ascii_case("DELE") => pop3.deletions = true,
                _ if verb.eq_ignore_ascii_case("RSET") => pop3.deletions = false,
                _ => {}
            }
            let text = codec::status(wire.frame()).map(|status| status.text());
            text.map_err(|flaw| wire.flaw(flaw))
        })
    }

    /// Sends any other command whose answer has many lines, and lends these as a body, without the dots that POP3 puts
    /// in. What is not read is skipped by the next command, up to `limits.drain`.
    ///
    /// A command whose answer is one line after all leaves the client waiting for more until its time is up.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// assert_eq!(pop3.command_body("LIST")?.collect()?, b"1 3\r\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] as for [`command`](Self::command), and for commands whose answer is known to be one
    /// line; nothing was sent then.
    pub fn command_body(&mut self, line: &str) -> Result<Body<'_>> {
        let verb = checked(line, true)?.to_owned();
        self.dotted("command", &verb, |group| group.text("command", line.as_bytes()))
    }
}

/// The verb of a command, if its answer may have this form: a body, or one line.
fn checked(line: &str, body: bool) -> Result<&str> {
    let refused = |why: String| Err(Error::invalid("command", why));
    codec::argument("command", 0, line)?;
    let mut words = line.split([' ', '\t']);
    let Some(verb) = words.next().filter(|verb| !verb.is_empty()) else {
        return refused("does not start with a command's name".to_owned());
    };
    let known = |table: &[(&'static str, &'static str)]| {
        table.iter().copied().find(|(known, _)| known.eq_ignore_ascii_case(verb))
    };
    if let Some((known, why)) = known(OWN_VERB) {
        return refused(format!("may not be {known}: {why}"));
    }
    let (other, lines) = if body { (SHORT, "is one line") } else { (LONG, "has many lines") };
    if let Some((known, verb)) = known(other) {
        return refused(format!("may not be {known}: its answer {lines}; use {verb}"));
    }
    let bare = words.all(str::is_empty);
    match EITHER.iter().find(|known| known.eq_ignore_ascii_case(verb)) {
        Some(known) if bare && !body => refused(format!("may not be {known} alone: its answer has many lines")),
        Some(known) if !bare && body => refused(format!("may not be {known} with an argument: its answer is one line")),
        _ => Ok(verb),
    }
}
