//! Servers that are well until a certain place, and what a client does to get there.

use std::time::Duration;

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::testing::Script;
use mailconnect::{Client, Phase, Protocol, Result};

/// The name in EHLO: what a client says of itself on loopback.
pub(crate) const HELLO: &str = "[127.0.0.1]";

/// Where it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Greeting,
    Capabilities,
    /// TLS from the first byte.
    Handshake,
    /// The answer to STARTTLS.
    StartTls,
    /// The handshake after it.
    Upgrade,
    Login,
    Command,
    /// In the middle of a body that is received.
    Body,
    /// The answer to a body that was sent.
    Final,
    Quit,
    /// The answer to POP3's QUIT, with deletions.
    Commit,
}

impl Place {
    pub(crate) const ALL: [Self; 11] = [
        Self::Greeting,
        Self::Capabilities,
        Self::Handshake,
        Self::StartTls,
        Self::Upgrade,
        Self::Login,
        Self::Command,
        Self::Body,
        Self::Final,
        Self::Quit,
        Self::Commit,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Silence,
    /// A byte a second.
    Drip,
    Close,
    Reset,
    Garbage,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [Self::Silence, Self::Drip, Self::Close, Self::Reset, Self::Garbage];

    fn apply(self, script: Script) -> Script {
        match self {
            Self::Silence => script.stall(),
            // More than the longest time-out takes, and less than the shortest limit of a line.
            Self::Drip => script.drip(Duration::from_secs(1)).server([b'2'; 2000]).stall(),
            Self::Close => script.eof(),
            Self::Reset => script.reset(),
            Self::Garbage => script.server(b"\x00\xff garbage\r\n").stall(),
        }
    }
}

/// What differs between the protocols.
pub(crate) trait Subject: Protocol + Default {
    const GREETING: &'static str;

    /// The server's answer to a line, and the place that this answer is; none in the middle of a message.
    fn answer(line: &str, state: &mut State) -> Option<(Place, String)>;

    /// Gets to the place, where a verb of its own does not do.
    fn prepare(_: &mut Client<Self>, _: Place) -> Result<()> {
        Ok(())
    }

    /// The verb that fails there.
    fn work(client: &mut Client<Self>, place: Place) -> Result<()>;

    fn has(place: Place) -> bool;

    /// Whether a line that is no answer is passed over there, so that it is as if nothing had come.
    fn passes_over_garbage(_: Place) -> bool {
        false
    }

    /// In which phase a body is received.
    const BODY: Phase = Phase::Body;

    /// The phase in which that is, and how long it may take.
    fn phase(place: Place) -> (Phase, Duration) {
        let (phase, seconds) = match place {
            Place::Greeting => (Phase::Greeting, 30),
            Place::Handshake | Place::Upgrade => (Phase::Handshake, 20),
            Place::StartTls => (Phase::StartTls, 60),
            Place::Login => (Phase::Login, 60),
            Place::Capabilities | Place::Command | Place::Commit => (Phase::Command, 60),
            Place::Body => (Self::BODY, 60),
            Place::Final => (Phase::FinalAnswer, 600),
            Place::Quit => (Phase::Quit, 5),
        };
        (phase, Duration::from_secs(seconds))
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// A message is being sent.
    in_message: bool,
    /// The tag of the APPEND that it is for.
    tag: String,
    deleting: bool,
}

pub(crate) fn server<P: Subject>(place: Place, fault: Fault) -> Script {
    match place {
        Place::Greeting => return fault.apply(Script::new()),
        Place::Handshake => return broken_handshake(Script::new(), fault),
        _ => {}
    }
    let mut state = State::default();
    Script::new().server(P::GREETING).respond(move |line| {
        let line = String::from_utf8_lossy(line);
        let Some((here, answer)) = P::answer(line.trim_end(), &mut state) else { return Script::new() };
        match (here, place) {
            (Place::StartTls, Place::Upgrade) => broken_handshake(Script::new().server(answer), fault),
            // What there is of the answer is its beginning.
            (Place::Body, Place::Body) => fault.apply(Script::new().server(answer)),
            _ if here == place => fault.apply(Script::new()),
            _ => Script::new().server(answer),
        }
    })
}

/// Not at once: what comes before the client has begun the handshake is early, and an error of its own.
fn broken_handshake(script: Script, fault: Fault) -> Script {
    match fault {
        Fault::Garbage => fault.apply(script.pause(Duration::from_millis(500))),
        _ => fault.apply(script),
    }
}

impl Subject for Smtp {
    const GREETING: &'static str = "220 hi\r\n";

    fn answer(line: &str, state: &mut State) -> Option<(Place, String)> {
        if state.in_message && line != "." {
            return None;
        }
        let (place, answer) = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => (Place::Capabilities, "250-hi\r\n250-AUTH PLAIN\r\n250 STARTTLS"),
            "STARTTLS" => (Place::StartTls, "220 go"),
            "AUTH" => (Place::Login, "235 ok"),
            "NOOP" => (Place::Command, "250 ok"),
            "DATA" => (Place::Greeting, "354 go"),
            "." => (Place::Final, "250 queued"),
            "QUIT" => (Place::Quit, "221 bye"),
            _ => (Place::Greeting, "250 ok"),
        };
        state.in_message = line == "DATA";
        Some((place, format!("{answer}\r\n")))
    }

    fn work(client: &mut Client<Self>, place: Place) -> Result<()> {
        if place == Place::Final {
            client.mail("me@example.com")?;
            client.rcpt("you@example.com")?;
            return client.data("Subject: x\r\n\r\nx\r\n").map(drop);
        }
        client.noop().map(drop)
    }

    /// Nothing in SMTP is received as a body, and nothing depends on QUIT.
    fn has(place: Place) -> bool {
        !matches!(place, Place::Body | Place::Commit)
    }
}

impl Subject for Imap {
    const GREETING: &'static str = "* OK hi\r\n";
    /// A FETCH has any number of them. They are part of one answer, and have one time-out with it.
    const BODY: Phase = Phase::Command;

    fn answer(line: &str, state: &mut State) -> Option<(Place, String)> {
        if state.in_message {
            // The command ends in an empty line, after the message.
            state.in_message = !line.is_empty();
            return line.is_empty().then(|| (Place::Final, format!("{} OK done\r\n", state.tag)));
        }
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default();
        let (place, data) = match words.next().unwrap_or_default() {
            "CAPABILITY" => (Place::Capabilities, "* CAPABILITY IMAP4rev1 STARTTLS\r\n"),
            "STARTTLS" => (Place::StartTls, ""),
            "LOGIN" => (Place::Login, ""),
            "NOOP" => (Place::Command, ""),
            "FETCH" => return Some((Place::Body, "* 1 FETCH (BODY[] {100000}\r\nSubject: x\r\n".to_owned())),
            "APPEND" => {
                (state.in_message, state.tag) = (true, tag.to_owned());
                return Some((Place::Greeting, "+ go on\r\n".to_owned()));
            }
            "LOGOUT" => (Place::Quit, "* BYE\r\n"),
            _ => (Place::Greeting, ""),
        };
        Some((place, format!("{data}{tag} OK done\r\n")))
    }

    fn work(client: &mut Client<Self>, place: Place) -> Result<()> {
        match place {
            Place::Capabilities => client.capabilities().map(drop),
            Place::Body => {
                let mut list = client.fetch("1", "BODY.PEEK[]")?;
                while let Some(mut message) = list.next_message()? {
                    while let Some(item) = message.next_item()? {
                        if let mailconnect::imap::Item::Section(mut body) = item {
                            body.copy_to(&mut std::io::sink())?;
                        }
                    }
                }
                Ok(())
            }
            Place::Final => client.append("INBOX", &[], b"x\r\n").map(drop),
            _ => client.noop(),
        }
    }

    /// Where no upgrade hangs on it.
    fn passes_over_garbage(place: Place) -> bool {
        !matches!(place, Place::Greeting | Place::Handshake | Place::StartTls | Place::Upgrade)
    }

    fn has(place: Place) -> bool {
        place != Place::Commit
    }
}

impl Subject for Pop3 {
    const GREETING: &'static str = "+OK hi\r\n";

    fn answer(line: &str, state: &mut State) -> Option<(Place, String)> {
        let (place, answer) = match line.split(' ').next().unwrap_or_default() {
            "CAPA" => (Place::Capabilities, "+OK\r\nUSER\r\n.\r\n"),
            "STLS" => (Place::StartTls, "+OK\r\n"),
            "USER" => (Place::Login, "+OK\r\n"),
            "NOOP" => (Place::Command, "+OK\r\n"),
            "RETR" => (Place::Body, "+OK\r\nSubject: x\r\n"),
            "QUIT" if state.deleting => (Place::Commit, "+OK\r\n"),
            "QUIT" => (Place::Quit, "+OK\r\n"),
            _ => (Place::Greeting, "+OK\r\n"),
        };
        state.deleting |= line.starts_with("DELE");
        Some((place, answer.to_owned()))
    }

    fn prepare(client: &mut Client<Self>, place: Place) -> Result<()> {
        if place == Place::Commit { client.dele(1) } else { Ok(()) }
    }

    fn work(client: &mut Client<Self>, place: Place) -> Result<()> {
        match place {
            Place::Capabilities => client.capabilities().map(drop),
            Place::Body => client.retr(1)?.copy_to(&mut std::io::sink()).map(drop),
            _ => client.noop(),
        }
    }

    /// No body is sent in POP3.
    fn has(place: Place) -> bool {
        place != Place::Final
    }
}
