//! POP3, RFC 1939, with RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH), RFC 3206 (response codes) and RFC 6856 (UTF8,
//! LANG). Deletions take effect at QUIT and only there.

use std::io;

use super::Mode;
use super::sasl::{self, Outcome};
use super::stream::{Connection, Line};

/// Longest command line: RFC 5034 allows 255 octets; a password may be longer.
const MAX_LINE: usize = 4_096;

/// A message as this session sees it.
struct Entry {
    uid: u32,
    /// With CRLF at every line's end, as it goes out.
    text: Vec<u8>,
    deleted: bool,
}

#[derive(Default)]
struct Session {
    /// The name given by USER.
    name: Option<String>,
    /// The mailbox as it was at login; none before.
    mailbox: Option<Vec<Entry>>,
}

type Reply = Result<String, String>;

pub(super) fn serve(connection: &mut Connection) -> io::Result<()> {
    let mut session = Session::default();
    connection.say("+OK POP3 testing server ready")?;
    loop {
        let line = match connection.line(MAX_LINE)? {
            Line::End => return Ok(()),
            Line::TooLong => {
                connection.note("a line that is too long");
                connection.say("-ERR line too long")?;
                continue;
            }
            Line::Text(line) => String::from_utf8_lossy(&line).into_owned(),
        };
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        connection.heard(&line);
        match verb.as_str() {
            "LANG" if argument.is_empty() => languages(connection)?,
            "CAPA" => session.capabilities(connection)?,
            "STLS" => session.start_tls(connection)?,
            "AUTH" => session.authenticate(connection, argument)?,
            "RETR" | "TOP" | "LIST" | "UIDL" => session.long(connection, &verb, argument)?,
            "QUIT" => {
                session.commit(connection);
                return connection.say("+OK bye");
            }
            _ => {
                let reply = session.short(connection, &verb, argument);
                say(connection, reply)?;
            }
        }
    }
}

fn say(connection: &mut Connection, reply: Reply) -> io::Result<()> {
    match reply {
        Ok(text) => connection.say(format!("+OK {text}").trim_end()),
        Err(text) => connection.say(&format!("-ERR {text}")),
    }
}

fn languages(connection: &mut Connection) -> io::Result<()> {
    connection.say("+OK languages follow")?;
    connection.say("en English")?;
    connection.say(".")
}

/// True where TLS can and must come first.
fn offers_tls(connection: &Connection) -> bool {
    connection.shared().mode == Mode::StartTls && !connection.is_secure()
}

impl Session {
    fn capabilities(&self, connection: &mut Connection) -> io::Result<()> {
        connection.say("+OK capabilities follow")?;
        for capability in ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "UTF8 USER", "LANG"] {
            connection.say(capability)?;
        }
        if offers_tls(connection) {
            connection.say("STLS")?;
        } else {
            connection.say("USER")?;
            connection.say("SASL PLAIN")?;
        }
        connection.say(".")
    }

    fn start_tls(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.mailbox.is_some() || !offers_tls(connection) {
            return connection.say("-ERR not possible here");
        }
        connection.say("+OK begin TLS")?;
        connection.start_tls()?;
        *self = Self::default();
        Ok(())
    }

    fn authenticate(&mut self, connection: &mut Connection, argument: &str) -> io::Result<()> {
        if self.mailbox.is_some() {
            return connection.say("-ERR logged in already");
        }
        if offers_tls(connection) {
            return connection.say("-ERR TLS first");
        }
        let mut words = argument.split_whitespace();
        let (mechanism, initial) = (words.next().unwrap_or_default(), words.next().map(str::as_bytes));
        let challenge = |connection: &mut Connection, text: &str| connection.say(&format!("+ {text}"));
        let outcome = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" if words.next().is_none() => sasl::exchange(connection, mechanism, initial, challenge)?,
            _ => Outcome::Unknown,
        };
        let reply = match outcome {
            Outcome::User(_) => Ok(self.open(connection)),
            Outcome::Wrong => Err("[AUTH] wrong user or password".to_owned()),
            Outcome::Cancelled => Err("cancelled".to_owned()),
            Outcome::Malformed => Err("cannot decode that".to_owned()),
            Outcome::Unknown => Err("unknown mechanism".to_owned()),
            Outcome::Gone => return Ok(()),
        };
        say(connection, reply)
    }

    fn open(&mut self, connection: &Connection) -> String {
        let store = connection.shared().store();
        let entry = |message: &super::store::Message| Entry {
            uid: message.uid,
            text: canonical(&message.body),
            deleted: false,
        };
        let entries: Vec<Entry> = store.messages.iter().map(entry).collect();
        let text = format!("welcome, {} messages", entries.len());
        self.mailbox = Some(entries);
        text
    }

    /// The commands whose answer is one line.
    fn short(&mut self, connection: &Connection, verb: &str, argument: &str) -> Reply {
        match (verb, &mut self.mailbox) {
            ("USER" | "PASS", None) if offers_tls(connection) => Err("TLS first".to_owned()),
            ("USER", None) if argument.is_empty() => Err("whom?".to_owned()),
            ("USER", None) => {
                self.name = Some(argument.to_owned());
                Ok("and the password?".to_owned())
            }
            ("PASS", None) => {
                let Some(name) = self.name.take() else { return Err("USER first".to_owned()) };
                let right = connection.shared().is_user(&name, argument);
                if right { Ok(self.open(connection)) } else { Err("[AUTH] wrong user or password".to_owned()) }
            }
            ("USER" | "PASS", Some(_)) => Err("logged in already".to_owned()),
            ("UTF8", None) => Ok("UTF-8 it is".to_owned()),
            ("LANG", _) if matches!(argument, "en" | "*") => Ok("en English it is".to_owned()),
            ("LANG", _) => Err("en English only".to_owned()),
            ("STAT" | "DELE" | "RSET" | "NOOP", None) => Err("log in first".to_owned()),
            ("STAT", Some(_)) => Ok(format!("{} {}", self.listed().count(), self.size())),
            ("RSET", Some(entries)) => {
                entries.iter_mut().for_each(|entry| entry.deleted = false);
                Ok(format!("{} messages", entries.len()))
            }
            ("DELE", Some(entries)) => {
                let index = number(argument)?.checked_sub(1).ok_or("no such message")?;
                let entry = entries.get_mut(index).filter(|entry| !entry.deleted).ok_or("no such message")?;
                entry.deleted = true;
                Ok("deleted at QUIT".to_owned())
            }
            ("NOOP", Some(_)) => Ok(String::new()),
            _ => Err("unknown command".to_owned()),
        }
    }

    /// The commands whose answer may be long.
    fn long(&self, connection: &mut Connection, verb: &str, argument: &str) -> io::Result<()> {
        if self.mailbox.is_none() {
            return connection.say("-ERR log in first");
        }
        if let ("LIST" | "UIDL", "") = (verb, argument) {
            connection.say(&format!("+OK {} messages ({} octets)", self.listed().count(), self.size()))?;
            for (number, entry) in self.listed() {
                connection.say(&listing(verb, number, entry))?;
            }
            return connection.say(".");
        }
        let (first, lines) = match argument.split_once(' ') {
            Some((first, lines)) if verb == "TOP" => (first, number(lines).map(Some)),
            _ if verb == "TOP" => return connection.say("-ERR how many lines?"),
            _ => (argument, Ok(None)),
        };
        let found =
            number(first).and_then(|n| self.listed().find(|(m, _)| *m == n).ok_or("no such message".to_owned()));
        match (found, lines) {
            (Err(why), _) | (_, Err(why)) => say(connection, Err(why)),
            (Ok((number, entry)), _) if verb == "LIST" || verb == "UIDL" => {
                say(connection, Ok(listing(verb, number, entry)))
            }
            (Ok((_, entry)), Ok(lines)) => {
                connection.say(&format!("+OK {} octets", entry.text.len()))?;
                connection.say_message(&stuffed(&entry.text, lines))?;
                connection.say(".")
            }
        }
    }

    /// The messages that are not marked as deleted, with their numbers.
    fn listed(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.mailbox.iter().flatten().enumerate();
        entries.filter(|(_, entry)| !entry.deleted).map(|(index, entry)| (index + 1, entry))
    }

    fn size(&self) -> usize {
        self.listed().map(|(_, entry)| entry.text.len()).sum()
    }

    fn commit(&self, connection: &Connection) {
        let entries = self.mailbox.iter().flatten();
        let gone: Vec<u32> = entries.filter(|entry| entry.deleted).map(|entry| entry.uid).collect();
        connection.shared().store().remove(|message| gone.contains(&message.uid));
    }
}

fn listing(verb: &str, number: usize, entry: &Entry) -> String {
    if verb == "LIST" { format!("{number} {}", entry.text.len()) } else { format!("{number} message-{}", entry.uid) }
}

fn number(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| "not a number".to_owned())
}

/// The message with CRLF at every line's end and at its own: POP3 knows no other.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(message.len() + 2);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// The message with leading dots doubled; with `lines`, only the header and that many lines of the body.
fn stuffed(text: &[u8], lines: Option<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut left = None;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if line == b"\r\n" => left = lines,
            None => {}
        }
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}
