//! The transcripts as data, and which of their steps are an attack.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Smtp,
    Imap,
    Pop3,
}

/// What the server sends, and after what.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The client's line; none if it was sent unasked.
    pub(crate) command: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) eof: bool,
    /// Inside TLS.
    pub(crate) secure: bool,
}

/// How the server goes on after it has said that TLS may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    Performed,
    Broken,
    Never,
}

#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    pub(crate) case: String,
    pub(crate) kind: Kind,
    /// False if a client that wants TLS must end in an error.
    pub(crate) tls_reached: bool,
    /// Plain text follows the go-ahead.
    pub(crate) plaintext_after: bool,
    pub(crate) handshake: Handshake,
    /// The very first step is the handshake.
    pub(crate) begins_with_tls: bool,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn transcripts() -> Vec<Transcript> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora/east/transcripts.jsonl");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| transcript(&serde_json::from_str(line).unwrap())).collect()
}

fn transcript(value: &Value) -> Transcript {
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    let (mut secure, mut handshake, mut begins_with_tls) = (false, Handshake::Never, false);
    let mut steps = Vec::new();
    for (index, step) in value["steps"].as_array().unwrap().iter().enumerate() {
        match step["tls"].as_str() {
            Some("handshake") => {
                (secure, handshake, begins_with_tls) = (true, Handshake::Performed, index == 0);
            }
            Some(_) if !secure => handshake = Handshake::Broken,
            Some(_) => {}
            None => steps.push(Step {
                command: step["c"].as_str().map(str::to_owned),
                bytes: STANDARD.decode(step["s_b64"].as_str().unwrap_or_default()).unwrap(),
                eof: step["eof"].as_bool().unwrap_or_default(),
                secure,
            }),
        }
    }
    let kind = match &*text("proto") {
        "smtp" => Kind::Smtp,
        "imap" => Kind::Imap,
        "pop3" => Kind::Pop3,
        other => panic!("{other}"),
    };
    let (tls_reached, plaintext_after) =
        (value["tls_reached"].as_bool(), value["plaintext_after_starttls_reply"].as_bool());
    let (tls_reached, plaintext_after) = (tls_reached.unwrap(), plaintext_after.unwrap());
    Transcript { case: text("case"), kind, tls_reached, plaintext_after, handshake, begins_with_tls, steps }
}

impl Transcript {
    /// The steps that carry an attack, by number.
    pub(crate) fn injected(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|step| self.steps[*step].injected(self)).collect()
    }

    /// The steps before TLS, or those inside.
    pub(crate) fn steps_of(&self, secure: bool) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.secure == secure)
    }

    pub(crate) fn greeting(&self) -> &Step {
        self.steps.iter().find(|step| step.command.is_none()).expect("no greeting")
    }

    /// False if no client may go on after that greeting.
    pub(crate) fn greeting_is_good(&self) -> bool {
        let greeting = &self.greeting().bytes;
        match self.kind {
            Kind::Smtp => greeting.starts_with(b"220"),
            Kind::Pop3 => greeting.starts_with(b"+OK"),
            Kind::Imap => greeting.starts_with(b"* OK"),
        }
    }
}

impl Step {
    /// Tag and verb of the client's line.
    pub(crate) fn words(&self, kind: Kind) -> (&str, &str) {
        let line = self.command.as_deref().unwrap_or_default().trim_end();
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        if kind == Kind::Imap { (first, words.next().unwrap_or_default()) } else { ("", first) }
    }

    /// How many of the bytes are the answer itself; none if the answer is not whole.
    pub(crate) fn reply(&self, kind: Kind) -> Option<usize> {
        let (tag, verb) = self.words(kind);
        reply(kind, &self.bytes, tag, verb)
    }

    /// Whether it carries what no honest server sends there: anything beside the answer, news before TLS, replies to
    /// commands that were not sent, codes that are for the eyes of the user or send the client elsewhere.
    fn injected(&self, transcript: &Transcript) -> bool {
        let (tag, verb) = self.words(transcript.kind);
        let beside = !self.bytes.is_empty() && self.reply(transcript.kind) != Some(self.bytes.len());
        let unasked = self.secure && self.command.is_none() && !transcript.begins_with_tls;
        let mut foreign = false;
        if transcript.kind == Kind::Imap && !self.secure && self.command.is_some() {
            let own = |line: &[u8]| {
                line.starts_with(tag.as_bytes()) || (verb != "STARTTLS" && line.starts_with(b"* CAPABILITY"))
            };
            foreign = !self.bytes.split_inclusive(|byte| *byte == b'\n').all(own);
        }
        let codes: [&[u8]; 5] = [b"[REFERRAL", b"[ALERT]", b"[PARSE]", b"[BADCHARSET", b"* PREAUTH"];
        let code = codes.iter().any(|code| self.bytes.windows(code.len()).any(|window| window == *code));
        beside || unasked || foreign || code
    }
}

/// How many of the bytes are the answer to this verb; none if it is not whole. On purpose not the crate's own code.
pub(crate) fn reply(kind: Kind, bytes: &[u8], tag: &str, verb: &str) -> Option<usize> {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if !line.ends_with(b"\n") {
            return None;
        }
        let last = match kind {
            Kind::Smtp => line.get(3) != Some(&b'-'),
            Kind::Pop3 => !(verb == "CAPA" && bytes.starts_with(b"+OK")) || line == b".\r\n",
            Kind::Imap => verb.is_empty() || line.starts_with(format!("{tag} ").as_bytes()),
        };
        if last {
            return Some(end);
        }
    }
    None
}
