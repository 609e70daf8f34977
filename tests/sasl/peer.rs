//! Servers of the three protocols that do nothing but log in, over a script, with a SASL mechanism of the test's.

use std::sync::{Arc, Mutex};

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::sasl::{ChannelBindings, Mechanism, Secret};
use mailconnect::smtp::Smtp;
use mailconnect::testing::{Script, ScriptHandle, StandInTls};
use mailconnect::tls::TlsInfo;
use mailconnect::{Client, Connector, Protocol, Result, Security};

/// What a server says to a message of the client's.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    Challenge(Vec<u8>),
    /// A challenge as it is, in base64 or not.
    Raw(String),
    Success,
    Refusal,
}

/// The server's part of a mechanism; called with each message of the client's, and once with none if there was no initial
/// response.
pub(crate) type Part = Box<dyn FnMut(Option<&[u8]>) -> Say + Send>;

/// What the client has done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The mechanism of each attempt.
    pub(crate) attempts: Vec<String>,
    pub(crate) cancelled: bool,
    /// Lines that are no log-in.
    pub(crate) others: Vec<String>,
}

/// What a line of the client's is.
pub(crate) enum Line {
    /// It asks for the capabilities.
    Ask,
    Begin {
        mechanism: String,
        initial: Option<String>,
    },
    Other,
}

/// The words of a protocol.
pub(crate) trait Dialect: Protocol + Default {
    fn greeting() -> &'static str;
    fn line(line: &str) -> Line;
    fn offer(tag: &str, mechanisms: &[&str]) -> String;
    fn say(tag: &str, say: &Say) -> String;
    const CANCELLED: &'static str;
    const OTHER: &'static str;

    fn tag(_: &str) -> &str {
        ""
    }

    fn noop(client: &mut Client<Self>) -> Result<()>;
}

fn begun(line: &str, command: &str) -> Line {
    let mut words = line.split(' ').skip_while(|word| *word != command).skip(1);
    let mechanism = words.next().unwrap_or_default().to_owned();
    Line::Begin { mechanism, initial: words.next().map(str::to_owned) }
}

fn challenge(say: &Say) -> Option<String> {
    match say {
        Say::Challenge(bytes) => {
            let base64 = Secret::from(bytes.clone()).to_base64();
            Some(String::from_utf8(base64.as_bytes().to_vec()).unwrap())
        }
        Say::Raw(text) => Some(text.clone()),
        _ => None,
    }
}

impl Dialect for Smtp {
    const CANCELLED: &'static str = "501 5.0.0 cancelled";
    const OTHER: &'static str = "250 ok";

    fn greeting() -> &'static str {
        "220 mx.example ESMTP"
    }

    fn line(line: &str) -> Line {
        match () {
            () if line.starts_with("EHLO") => Line::Ask,
            () if line.starts_with("AUTH ") => begun(line, "AUTH"),
            () => Line::Other,
        }
    }

    fn offer(_: &str, mechanisms: &[&str]) -> String {
        format!("250-mx.example\r\n250 AUTH {}", mechanisms.join(" "))
    }

    fn say(_: &str, say: &Say) -> String {
        match (say, challenge(say)) {
            (_, Some(challenge)) => format!("334 {challenge}"),
            (Say::Success, _) => "235 2.7.0 in".to_owned(),
            _ => "535 5.7.8 no".to_owned(),
        }
    }

    fn noop(client: &mut Client<Self>) -> Result<()> {
        client.noop().map(drop)
    }
}

impl Dialect for Imap {
    const CANCELLED: &'static str = "BAD cancelled";
    const OTHER: &'static str = "OK done";

    fn greeting() -> &'static str {
        "* OK ready"
    }

    fn line(line: &str) -> Line {
        match () {
            () if line.ends_with("CAPABILITY") => Line::Ask,
            () if line.contains(" AUTHENTICATE ") => begun(line, "AUTHENTICATE"),
            () => Line::Other,
        }
    }

    fn offer(tag: &str, mechanisms: &[&str]) -> String {
        let names: String = mechanisms.iter().map(|name| format!(" AUTH={name}")).collect();
        format!("* CAPABILITY IMAP4rev1 SASL-IR{names}\r\n{tag} OK")
    }

    fn say(tag: &str, say: &Say) -> String {
        match (say, challenge(say)) {
            (_, Some(challenge)) => format!("+ {challenge}"),
            (Say::Success, _) => format!("{tag} OK in"),
            _ => format!("{tag} NO [AUTHENTICATIONFAILED] no"),
        }
    }

    fn tag(line: &str) -> &str {
        line.split(' ').next().unwrap_or_default()
    }

    fn noop(client: &mut Client<Self>) -> Result<()> {
        client.noop().map(drop)
    }
}

impl Dialect for Pop3 {
    const CANCELLED: &'static str = "-ERR cancelled";
    const OTHER: &'static str = "+OK";

    fn greeting() -> &'static str {
        "+OK ready"
    }

    fn line(line: &str) -> Line {
        match () {
            () if line == "CAPA" => Line::Ask,
            () if line.starts_with("AUTH ") => begun(line, "AUTH"),
            () => Line::Other,
        }
    }

    fn offer(_: &str, mechanisms: &[&str]) -> String {
        format!("+OK\r\nSASL {}\r\n.", mechanisms.join(" "))
    }

    fn say(_: &str, say: &Say) -> String {
        match (say, challenge(say)) {
            (_, Some(challenge)) => format!("+ {challenge}"),
            (Say::Success, _) => "+OK in".to_owned(),
            _ => "-ERR [AUTH] no".to_owned(),
        }
    }

    fn noop(client: &mut Client<Self>) -> Result<()> {
        client.noop().map(drop)
    }
}

/// A server's script. With TLS first if `tls`.
pub(crate) fn script<P: Dialect>(offered: &[&'static str], mut part: Part, tls: bool) -> (Script, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (log, offered) = (Arc::clone(&seen), offered.to_vec());
    let mut tag: Option<String> = None;
    let start = if tls { Script::new().tls() } else { Script::new() };
    let script = start.server(format!("{}\r\n", P::greeting())).respond(move |line| {
        let line = String::from_utf8(line.to_vec()).unwrap();
        let line = line.trim_end_matches("\r\n");
        let mut log = log.lock().unwrap();
        let decode = |text: &str, part: &mut Part| {
            let bytes = Secret::from_base64(if text == "=" { b"" } else { text.as_bytes() }).expect("no base64");
            part(Some(bytes.as_bytes()))
        };
        let said = match tag.clone() {
            Some(_) if line == "*" => {
                log.cancelled = true;
                None
            }
            Some(_) => Some(decode(line, &mut part)),
            None => match P::line(line) {
                Line::Ask => return Script::new().server(format!("{}\r\n", P::offer(P::tag(line), &offered))),
                Line::Other => {
                    log.others.push(line.to_owned());
                    return Script::new().server(format!("{} {}\r\n", P::tag(line), P::OTHER).trim_start());
                }
                Line::Begin { mechanism, initial } => {
                    log.attempts.push(mechanism);
                    tag = Some(P::tag(line).to_owned());
                    Some(match initial {
                        Some(initial) => decode(&initial, &mut part),
                        None => part(None),
                    })
                }
            },
        };
        let own = tag.clone().unwrap_or_default();
        let (text, goes_on) = match &said {
            Some(say) => (P::say(&own, say), matches!(say, Say::Challenge(_) | Say::Raw(_))),
            None => (format!("{own} {}", P::CANCELLED).trim_start().to_owned(), false),
        };
        if !goes_on {
            tag = None;
        }
        Script::new().server(format!("{text}\r\n"))
    });
    (script, seen)
}

/// A client of such a server, over a stand-in for TLS with these bindings, or in clear (which is allowed) without.
pub(crate) fn client<P: Dialect>(
    connector: Connector,
    offered: &[&'static str],
    part: Part,
    bindings: Option<ChannelBindings>,
) -> (Client<P>, Arc<Mutex<Seen>>, ScriptHandle) {
    let (script, seen) = script::<P>(offered, part, bindings.is_some());
    let (transport, handle) = script.play();
    let security = if bindings.is_some() { Security::Tls } else { Security::Plain };
    let mut info = TlsInfo::default();
    info.channel_bindings = bindings.unwrap_or_default();
    let connector = connector.clock(handle.clock()).tls(StandInTls::with_info(info)).danger_plaintext_auth(true);
    let client = connector.over(P::default(), transport, ("mail.example.com", 25), security).unwrap();
    (client, seen, handle)
}

/// One exchange in clear; what came of it, and the client.
pub(crate) fn exchange<P: Dialect>(mechanism: &mut dyn Mechanism, part: Part) -> (Result<()>, Client<P>, Seen) {
    let (mut client, seen, _handle) = client::<P>(Connector::new(), &[], part, None);
    let result = client.authenticate(mechanism);
    let seen = seen.lock().unwrap().clone();
    (result, client, seen)
}
