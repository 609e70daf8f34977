//! IMAP4rev1, RFC 3501, with SASL-IR (RFC 4959), LITERAL+ (RFC 7888), UNSELECT (RFC 3691) and IDLE (RFC 2177), for one
//! mailbox. What is not supported is answered BAD, never half.

use std::io;
use std::time::Duration;

use super::imap_data::{flags, lists_inbox};
use super::imap_parse::{self, Input, Value};
use super::sasl::{self, Outcome};
use super::stream::{Connection, Line};
use super::{Mode, ReceivedMessage};

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
const UID_VALIDITY: u32 = 1;

/// How often a session in IDLE looks for what others have done.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Session {
    user: Option<String>,
    selected: Option<Selected>,
}

pub(super) struct Selected {
    pub(super) read_only: bool,
    /// The UIDs that the client knows of, by sequence number.
    pub(super) view: Vec<u32>,
}

pub(super) enum Answer {
    Ok(String),
    No(String),
    Bad(String),
    /// After LOGOUT, or where the client is gone.
    Close,
}

use Answer::{Bad, Close, No};

pub(super) fn done(text: impl Into<String>) -> io::Result<Answer> {
    Ok(Answer::Ok(text.into()))
}

pub(super) fn no(text: impl Into<String>) -> io::Result<Answer> {
    Ok(No(text.into()))
}

pub(super) fn bad(text: impl Into<String>) -> io::Result<Answer> {
    Ok(Bad(text.into()))
}

pub(super) fn serve(connection: &mut Connection) -> io::Result<()> {
    let mut session = Session::default();
    if offers_tls(connection) {
        connection.say("* OK IMAP testing server ready")?;
    } else {
        let capabilities = capabilities(connection);
        connection.say(&format!("* OK [CAPABILITY {capabilities}] IMAP testing server ready"))?;
    }
    loop {
        match imap_parse::read(connection, session.user.is_some())? {
            Input::End => return Ok(()),
            Input::Bad { tag, why } => connection.say(&format!("{} BAD {why}", tag.as_deref().unwrap_or("*")))?,
            Input::Command { tag, name, arguments } => {
                let (status, text) = match session.command(connection, &tag, &name, &arguments)? {
                    Answer::Ok(text) => ("OK", text),
                    No(text) => ("NO", text),
                    Bad(text) => ("BAD", text),
                    Close => return Ok(()),
                };
                // STARTTLS has answered inside.
                if !text.is_empty() {
                    connection.say(&format!("{tag} {status} {text}"))?;
                }
            }
        }
    }
}

/// True where TLS can and must come first.
fn offers_tls(connection: &Connection) -> bool {
    connection.shared().mode == Mode::StartTls && !connection.is_secure()
}

fn capabilities(connection: &Connection) -> &'static str {
    if offers_tls(connection) {
        "IMAP4rev1 SASL-IR LITERAL+ UNSELECT IDLE STARTTLS LOGINDISABLED"
    } else {
        "IMAP4rev1 SASL-IR LITERAL+ UNSELECT IDLE AUTH=PLAIN AUTH=LOGIN"
    }
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

impl Session {
    fn command(&mut self, connection: &mut Connection, tag: &str, name: &str, args: &[Value]) -> io::Result<Answer> {
        let answer = match name {
            "CAPABILITY" | "NOOP" | "IDLE" | "LOGOUT" | "STARTTLS" | "CHECK" | "CLOSE" | "UNSELECT" | "EXPUNGE"
                if !args.is_empty() =>
            {
                return bad("no argument allowed");
            }
            "CAPABILITY" => {
                let capabilities = capabilities(connection);
                connection.say(&format!("* CAPABILITY {capabilities}"))?;
                done("CAPABILITY completed")
            }
            "NOOP" => done("NOOP completed"),
            "LOGOUT" => {
                connection.say("* BYE logging out")?;
                connection.say(&format!("{tag} OK LOGOUT completed"))?;
                return Ok(Close);
            }
            "STARTTLS" | "LOGIN" | "AUTHENTICATE" if self.user.is_some() => bad("logged in already"),
            "STARTTLS" => return self.start_tls(connection, tag),
            "LOGIN" => self.login(connection, args),
            "AUTHENTICATE" => self.authenticate(connection, args),
            "IDLE" if self.user.is_none() => bad("log in first"),
            "IDLE" => self.idle(connection),
            "SELECT" | "EXAMINE" | "LIST" | "LSUB" | "STATUS" | "APPEND" | "CREATE" | "DELETE" | "RENAME"
            | "SUBSCRIBE" | "UNSUBSCRIBE" => self.authenticated(connection, name, args),
            "CHECK" | "CLOSE" | "UNSELECT" | "EXPUNGE" | "SEARCH" | "FETCH" | "STORE" | "COPY" | "UID" => {
                self.in_mailbox(connection, name, args)
            }
            _ => bad("unknown command"),
        }?;
        // RFC 3501 7.4.1: while sequence numbers are under way, they must not change.
        if !matches!(name, "FETCH" | "STORE" | "SEARCH") {
            self.announce(connection)?;
        }
        Ok(answer)
    }

    fn start_tls(&mut self, connection: &mut Connection, tag: &str) -> io::Result<Answer> {
        if !offers_tls(connection) {
            return bad("not possible here");
        }
        connection.say(&format!("{tag} OK begin TLS"))?;
        connection.start_tls()?;
        *self = Self::default();
        done("")
    }

    fn login(&mut self, connection: &Connection, args: &[Value]) -> io::Result<Answer> {
        let [user, password] = args else { return bad("LOGIN user password") };
        if offers_tls(connection) {
            return no("[PRIVACYREQUIRED] TLS first");
        }
        match user.text().zip(password.text()) {
            Some((user, password)) if connection.shared().is_user(user, password) => {
                self.user = Some(user.to_owned());
                done("LOGIN completed")
            }
            _ => no("[AUTHENTICATIONFAILED] wrong user or password"),
        }
    }

    fn authenticate(&mut self, connection: &mut Connection, args: &[Value]) -> io::Result<Answer> {
        let (mechanism, initial) = match args {
            [mechanism] => (mechanism, None),
            [mechanism, initial] => (mechanism, initial.atom()),
            _ => return bad("AUTHENTICATE mechanism [initial response]"),
        };
        if offers_tls(connection) {
            return no("[PRIVACYREQUIRED] TLS first");
        }
        let challenge = |connection: &mut Connection, text: &str| connection.say(&format!("+ {text}"));
        let mechanism = mechanism.atom().unwrap_or_default();
        match sasl::exchange(connection, mechanism, initial.map(str::as_bytes), challenge)? {
            Outcome::User(user) => {
                self.user = Some(user);
                done("AUTHENTICATE completed")
            }
            Outcome::Wrong => no("[AUTHENTICATIONFAILED] wrong user or password"),
            Outcome::Cancelled => bad("cancelled"),
            Outcome::Malformed => bad("cannot decode that"),
            Outcome::Unknown => no("unknown mechanism"),
            Outcome::Gone => Ok(Close),
        }
    }

    fn authenticated(&mut self, connection: &mut Connection, name: &str, args: &[Value]) -> io::Result<Answer> {
        if self.user.is_none() {
            return bad("log in first");
        }
        match (name, args) {
            ("SELECT" | "EXAMINE", [mailbox]) => self.select(connection, mailbox, name == "EXAMINE"),
            ("LIST" | "LSUB", [reference, pattern]) => {
                let Some((reference, pattern)) = reference.text().zip(pattern.text()) else {
                    return bad("not a pattern");
                };
                if pattern.is_empty() {
                    connection.say(&format!("* {name} (\\Noselect) \"/\" \"\""))?;
                } else if lists_inbox(&format!("{reference}{pattern}")) {
                    connection.say(&format!("* {name} () \"/\" INBOX"))?;
                }
                done(format!("{name} completed"))
            }
            ("STATUS", [mailbox, items]) => status(connection, mailbox, items),
            ("APPEND", [mailbox, rest @ ..]) => self.append(connection, mailbox, rest),
            ("CREATE" | "DELETE" | "SUBSCRIBE" | "UNSUBSCRIBE", [_]) | ("RENAME", [_, _]) => {
                no("[CANNOT] there is INBOX and nothing else")
            }
            _ => bad("wrong arguments"),
        }
    }

    fn select(&mut self, connection: &mut Connection, mailbox: &Value, read_only: bool) -> io::Result<Answer> {
        self.selected = None;
        if !mailbox.text().is_some_and(is_inbox) {
            return no("[NONEXISTENT] no such mailbox");
        }
        let store = connection.shared().store();
        let view: Vec<u32> = store.messages.iter().map(|message| message.uid).collect();
        let unseen = store.messages.iter().position(|message| !message.flags.contains("\\Seen"));
        let uid_next = store.uid_next;
        drop(store);
        connection.say(&format!("* FLAGS ({FLAGS})"))?;
        connection.say(&format!("* {} EXISTS", view.len()))?;
        connection.say("* 0 RECENT")?;
        if let Some(index) = unseen {
            connection.say(&format!("* OK [UNSEEN {}] first unseen", index + 1))?;
        }
        let permanent = if read_only { String::new() } else { format!("{FLAGS} \\*") };
        connection.say(&format!("* OK [PERMANENTFLAGS ({permanent})] flags that last"))?;
        connection.say(&format!("* OK [UIDNEXT {uid_next}] next UID"))?;
        connection.say(&format!("* OK [UIDVALIDITY {UID_VALIDITY}] UIDs are valid"))?;
        self.selected = Some(Selected { read_only, view });
        done(if read_only { "[READ-ONLY] EXAMINE completed" } else { "[READ-WRITE] SELECT completed" })
    }

    fn append(&self, connection: &Connection, mailbox: &Value, rest: &[Value]) -> io::Result<Answer> {
        let (flag_values, date, message) = match rest {
            [Value::Literal(message)] => (&[][..], None, message),
            [Value::List(flags), Value::Literal(message)] => (&flags[..], None, message),
            [Value::Quoted(date), Value::Literal(message)] => (&[][..], Some(date), message),
            [Value::List(flags), Value::Quoted(date), Value::Literal(message)] => (&flags[..], Some(date), message),
            _ => return bad("APPEND mailbox [(flags)] [\"date\"] literal"),
        };
        let Some(flags) = flags(flag_values) else { return bad("not flags") };
        let date = date.map(|date| String::from_utf8_lossy(date).into_owned());
        if date.as_ref().is_some_and(|date| !is_date_time(date)) {
            return bad("not a date");
        }
        if !mailbox.text().is_some_and(is_inbox) {
            return no("[TRYCREATE] no such mailbox");
        }
        let (secure, user) = (connection.is_secure(), self.user.clone());
        let received = ReceivedMessage { from: String::new(), to: Vec::new(), data: message.clone(), secure, user };
        let mut store = connection.shared().store();
        store.received.push(received);
        store.add(message.clone(), flags, date);
        done("APPEND completed")
    }

    fn in_mailbox(&mut self, connection: &mut Connection, name: &str, args: &[Value]) -> io::Result<Answer> {
        let Some(selected) = &mut self.selected else { return bad("SELECT first") };
        match (name, args) {
            ("CHECK", []) => done("CHECK completed"),
            ("EXPUNGE", []) if selected.read_only => no("read-only"),
            ("EXPUNGE" | "CLOSE", []) => {
                if !selected.read_only {
                    connection.shared().store().remove(|message| message.flags.contains("\\Deleted"));
                }
                if name == "CLOSE" {
                    self.selected = None;
                }
                done(format!("{name} completed"))
            }
            ("UNSELECT", []) => {
                self.selected = None;
                done("UNSELECT completed")
            }
            ("UID", [name, args @ ..]) => {
                let name = name.atom().unwrap_or_default().to_ascii_uppercase();
                selected.on_messages(connection, &name, args, true)
            }
            _ => selected.on_messages(connection, name, args, false),
        }
    }

    fn idle(&mut self, connection: &mut Connection) -> io::Result<Answer> {
        connection.say("+ idling")?;
        loop {
            self.announce(connection)?;
            match connection.line_within(LOOK)? {
                None => {}
                Some(Line::Text(line)) => {
                    connection.heard(&String::from_utf8_lossy(&line));
                    let ended = line.eq_ignore_ascii_case(b"DONE");
                    return if ended { done("IDLE completed") } else { bad("DONE expected") };
                }
                Some(Line::TooLong) => return bad("DONE expected"),
                Some(Line::End) => return Ok(Close),
            }
        }
    }

    /// Tells what other sessions (or this one) removed and added.
    fn announce(&mut self, connection: &mut Connection) -> io::Result<()> {
        let Some(selected) = &mut self.selected else { return Ok(()) };
        let now: Vec<u32> = connection.shared().store().messages.iter().map(|message| message.uid).collect();
        for index in (0..selected.view.len()).rev() {
            if selected.view.get(index).is_some_and(|uid| now.binary_search(uid).is_err()) {
                selected.view.remove(index);
                connection.say(&format!("* {} EXPUNGE", index + 1))?;
            }
        }
        if now.len() > selected.view.len() {
            connection.say(&format!("* {} EXISTS", now.len()))?;
        }
        selected.view = now;
        Ok(())
    }
}

fn status(connection: &mut Connection, mailbox: &Value, items: &Value) -> io::Result<Answer> {
    let Value::List(items) = items else { return bad("STATUS mailbox (items)") };
    if !mailbox.text().is_some_and(is_inbox) {
        return no("[NONEXISTENT] no such mailbox");
    }
    let store = connection.shared().store();
    let mut answers = Vec::new();
    for item in items {
        let name = item.atom().unwrap_or_default().to_ascii_uppercase();
        let number = match name.as_str() {
            "MESSAGES" => store.messages.len(),
            "RECENT" => 0,
            "UIDNEXT" => store.uid_next as usize,
            "UIDVALIDITY" => UID_VALIDITY as usize,
            "UNSEEN" => store.messages.iter().filter(|message| !message.flags.contains("\\Seen")).count(),
            _ => return bad("unknown item"),
        };
        answers.push(format!("{name} {number}"));
    }
    drop(store);
    connection.say(&format!("* STATUS INBOX ({})", answers.join(" ")))?;
    done("STATUS completed")
}

/// `dd-Mon-yyyy hh:mm:ss +zzzz`, where the first digit may be a blank.
fn is_date_time(text: &str) -> bool {
    const SHAPE: &str = "Dd-aaa-dddd dd:dd:dd Sdddd";
    text.len() == SHAPE.len()
        && text.chars().zip(SHAPE.chars()).all(|(letter, shape)| match shape {
            'D' => letter == ' ' || letter.is_ascii_digit(),
            'd' => letter.is_ascii_digit(),
            'a' => letter.is_ascii_alphabetic(),
            'S' => matches!(letter, '+' | '-'),
            _ => letter == shape,
        })
}
