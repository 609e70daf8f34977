//! The server: it reads a line of the client, finds the transcript's step for that verb, and sends that step's bytes in
//! one write. Steps are found by verb, not by number, since no client sends the lines that the transcript was made with.

use std::sync::{Arc, Mutex, MutexGuard};

use mailconnect::testing::Script;

use super::corpus::{Handshake, Kind, Transcript, reply};

/// One answer that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The client's line without its end; empty for what was sent unasked.
    pub(crate) line: String,
    pub(crate) secure: bool,
    /// The transcript's step, by number; none if it has none for that verb.
    step: Option<usize>,
    /// Where the answer ends, counted in bytes of all that the server said. None if it is never whole.
    whole_at: Option<usize>,
    begins_at: usize,
}

/// What the server did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    said: usize,
    /// How many bytes of what was said have reached the client.
    pub(crate) delivered: usize,
}

impl Log {
    pub(crate) fn was_sent(&self, step: usize) -> bool {
        self.entries.iter().any(|entry| entry.step == Some(step) && entry.begins_at < self.delivered)
    }

    /// True if all answers in this part of the log have reached the client whole. What was sent inside TLS without being
    /// asked is no answer.
    pub(crate) fn arrived(&self, part: std::ops::Range<usize>) -> bool {
        let mut answers = self.entries[part].iter().filter(|entry| !entry.line.is_empty() || !entry.secure);
        answers.all(|entry| entry.whole_at.is_some_and(|end| end <= self.delivered))
    }
}

pub(crate) type SharedLog = Arc<Mutex<Log>>;

pub(crate) fn lock(log: &SharedLog) -> MutexGuard<'_, Log> {
    log.lock().unwrap()
}

struct Player {
    transcript: Transcript,
    secure: bool,
    /// The tag of an AUTHENTICATE whose response is due.
    authenticating: Option<String>,
    log: SharedLog,
}

/// The script of a transcript. If `patient`, a server that has nothing to say keeps the connection open.
pub(crate) fn script(transcript: &Transcript, log: &SharedLog, patient: bool) -> Script {
    let mut player =
        Player { transcript: transcript.clone(), secure: false, authenticating: None, log: Arc::clone(log) };
    let mut script = Script::new();
    if transcript.begins_with_tls {
        script = script.tls();
        player.secure = true;
    }
    let script = player.unasked(script);
    script.respond(move |line| player.answer(line, patient))
}

impl Player {
    /// What comes without being asked, now that a phase has begun.
    fn unasked(&mut self, mut script: Script) -> Script {
        for index in 0..self.transcript.steps.len() {
            let step = &self.transcript.steps[index];
            if step.command.is_none() && step.secure == self.secure {
                script = self.say(script, "", Some(index), "");
            }
        }
        script
    }

    fn answer(&mut self, line: &[u8], patient: bool) -> Script {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        let mut words = line.split(' ');
        let imap = self.transcript.kind == Kind::Imap;
        let tag = if imap { words.next().unwrap_or_default().to_owned() } else { String::new() };
        let mut verb = words.next().unwrap_or_default().to_ascii_uppercase();
        if let Some(tag) = self.authenticating.take() {
            return self.step_for(&line, &tag, "LOGIN", patient);
        }
        if verb == "AUTHENTICATE" {
            if words.nth(1).is_none() {
                self.authenticating = Some(tag);
                lock(&self.log).said += 4;
                return Script::new().server("+ \r\n");
            }
            verb = "LOGIN".to_owned();
        }
        self.step_for(&line, &tag, &verb, patient)
    }

    fn step_for(&mut self, line: &str, tag: &str, verb: &str, patient: bool) -> Script {
        let (kind, secure) = (self.transcript.kind, self.secure);
        let found = self
            .transcript
            .steps
            .iter()
            .position(|step| step.secure == secure && step.command.is_some() && step.words(kind).1 == verb);
        let mut script = self.say(Script::new(), line, found, tag);
        let Some(step) = found.map(|index| &self.transcript.steps[index]) else { return script };
        if step.eof {
            return script.eof();
        }
        let silence = |script: Script| if patient { script.stall() } else { script.eof() };
        if step.bytes.is_empty() {
            return silence(script);
        }
        if !matches!(verb, "STARTTLS" | "STLS") || self.secure || !self.goes_ahead(&step.bytes, step.words(kind).0) {
            return script;
        }
        match self.transcript.handshake {
            Handshake::Performed => {
                script = script.tls();
                self.secure = true;
                self.unasked(script)
            }
            Handshake::Broken => script.eof(),
            Handshake::Never => silence(script),
        }
    }

    fn goes_ahead(&self, bytes: &[u8], tag: &str) -> bool {
        let good = match self.transcript.kind {
            Kind::Smtp => "220".to_owned(),
            Kind::Pop3 => "+OK".to_owned(),
            Kind::Imap => format!("{tag} OK"),
        };
        bytes.split_inclusive(|byte| *byte == b'\n').any(|line| line.starts_with(good.as_bytes()))
    }

    /// The transcripts hold no HELO. Some cases name the answer: `ehlo500_helo421`.
    fn hello(&self) -> &str {
        self.transcript.case.split_once("_helo").map_or("250", |(_, code)| code)
    }

    /// Says the step, or what a server says that does not know the command, and logs it.
    fn say(&mut self, script: Script, line: &str, step: Option<usize>, tag: &str) -> Script {
        let kind = self.transcript.kind;
        let bytes = match step {
            Some(index) => {
                let step = &self.transcript.steps[index];
                retag(&step.bytes, step.words(kind).0, tag)
            }
            None => match kind {
                Kind::Smtp if line.starts_with("HELO") => format!("{} hello\r\n", self.hello()).into_bytes(),
                Kind::Smtp => b"502 5.5.1 not in the transcript\r\n".to_vec(),
                Kind::Pop3 => b"-ERR not in the transcript\r\n".to_vec(),
                // Done, and nothing found: what the client then has must be from elsewhere.
                Kind::Imap if self.secure || line.ends_with("NOOP") => {
                    format!("{tag} OK not in the transcript\r\n").into_bytes()
                }
                Kind::Imap => format!("{tag} BAD not in the transcript\r\n").into_bytes(),
            },
        };
        let verb = step.map_or("", |index| self.transcript.steps[index].words(kind).1);
        let mut log = lock(&self.log);
        let begins_at = log.said;
        let whole_at = reply(kind, &bytes, tag, if tag.is_empty() { verb } else { "any" }).map(|end| begins_at + end);
        log.said += bytes.len();
        log.entries.push(Entry { line: line.to_owned(), secure: self.secure, step, whole_at, begins_at });
        if bytes.is_empty() { script } else { script.server(bytes) }
    }
}

/// The bytes with the client's own tag; and where the transcript has a reply to a command that was not sent yet (its tag
/// is 2), with the tag that the client will use next, as an attacker would.
fn retag(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let next = || {
        let number: usize = new.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or_default();
        format!("{}{}", new.trim_end_matches(|letter: char| letter.is_ascii_digit()), number + 1)
    };
    let mut all = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let tagged = |tag: &str| !tag.is_empty() && line.starts_with(format!("{tag} ").as_bytes());
        let (tag, rest) = match () {
            () if tagged(old) => (new.to_owned(), &line[old.len()..]),
            () if !old.is_empty() && tagged("2") => (next(), &line[1..]),
            () => (String::new(), line),
        };
        all.extend_from_slice(tag.as_bytes());
        all.extend_from_slice(rest);
    }
    all
}
