//! What must hold of every run: the corpus' own rules 1 to 5, and that nothing succeeds whose answer has not arrived.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailconnect::Error;
use mailconnect::errors::StartTlsCause;

use super::corpus::{Kind, Transcript};
use super::drive::{HOST, Order, PASSWORD, USER};
use super::stages::{PORT, Run};

type Verdict = Result<(), String>;

fn must(held: bool, rule: impl Into<String>) -> Verdict {
    if held { Ok(()) } else { Err(rule.into()) }
}

/// The rules for a run that was not cut.
pub(crate) fn judge(transcript: &Transcript, order: Order, run: &Run) -> Verdict {
    always(transcript, run)?;
    let connect = if order == Order::CapabilitiesFirst { "connect" } else { "connect_start_tls" };
    let upgraded = run.succeeded("start_tls") || run.succeeded("connect_start_tls");
    if !transcript.greeting_is_good() || transcript.begins_with_tls {
        must(!run.succeeded(connect), "2: connected in spite of the greeting")?;
    }
    must(run.left_the_script.is_none(), format!("2: {:?}", run.left_the_script))?;
    if !transcript.tls_reached {
        must(!upgraded, "2: upgraded where no TLS was reached")?;
    }
    // One phase at most can be silent, and none may take longer than a command.
    must(run.elapsed < Duration::from_secs(61), format!("2: took {:?}", run.elapsed))?;
    if transcript.plaintext_after {
        must(!upgraded, "3: upgraded in spite of plain text after the reply")?;
        let early = run.calls.iter().any(|call| match &call.error {
            Some(Error::StartTls(error)) => matches!(error.cause, StartTlsCause::EarlyData(_)),
            _ => false,
        });
        // Where the reply itself was reached: some of these servers do not offer what they then do.
        must(early, "3: not told as plain text after the reply")?;
    }
    must(upgraded || !run.succeeded("login"), "1: logged in without TLS")
}

/// The rules for a run that was cut somewhere.
pub(crate) fn judge_cut(transcript: &Transcript, run: &Run) -> Verdict {
    always(transcript, run)
}

fn always(transcript: &Transcript, run: &Run) -> Verdict {
    credentials(run)?;
    if transcript.plaintext_after {
        must(run.sent_in_tls == 0, "3: application data after plain text")?;
    }
    beliefs(transcript, run)?;
    must(run.dialled == [(HOST.to_owned(), PORT)], format!("5: dialled {:?}", run.dialled))?;
    if let Some(call) = run.call("login in clear") {
        must(matches!(call.error, Some(Error::InsecureLogin(_))), format!("1: login in clear: {:?}", call.error))?;
    }
    for call in run.calls.iter().filter(|call| call.error.is_none()) {
        // Nothing depends on how a goodbye is answered, see `Protocol::quit`.
        let arrived = call.verb == "quit" || run.log.arrived(call.answers.clone());
        must(arrived, format!("{} succeeded, and its answer has not arrived", call.verb))?;
        if matches!(call.verb, "connect" | "start_tls" | "connect_start_tls") {
            must(!call.answers.is_empty(), format!("{} succeeded without any answer", call.verb))?;
        }
    }
    Ok(())
}

/// Rule 1.
fn credentials(run: &Run) -> Verdict {
    const ALLOWED: [&str; 10] =
        ["EHLO", "HELO", "CAPABILITY", "CAPA", "NOOP", "RSET", "STARTTLS", "STLS", "QUIT", "LOGOUT"];
    let clear = String::from_utf8_lossy(&run.sent_in_clear).into_owned();
    let holds =
        |text: &[u8]| [USER, PASSWORD].iter().any(|secret| text.windows(5).any(|part| part == secret.as_bytes()));
    must(!holds(clear.as_bytes()), "1: credentials in clear")?;
    let decoded = |word: &str| STANDARD.decode(word).is_ok_and(|bytes| holds(&bytes));
    must(!clear.split_whitespace().any(decoded), "1: credentials in clear, in base64")?;
    for entry in run.log.entries.iter().filter(|entry| !entry.secure && !entry.line.is_empty()) {
        let mut words = entry.line.split(' ').take(2);
        must(words.any(|word| ALLOWED.contains(&word)), format!("1: in clear: {}", entry.line))?;
    }
    Ok(())
}

/// Rule 4: what the client believes is what it was told inside TLS, and nothing of what it was told before.
fn beliefs(transcript: &Transcript, run: &Run) -> Verdict {
    let inside: Vec<u8> = transcript.steps_of(true).flat_map(|step| step.bytes.clone()).collect();
    let inside = String::from_utf8_lossy(&inside).to_ascii_uppercase();
    for belief in &run.beliefs.others {
        for word in words_in_clear(transcript) {
            let stale = belief.to_ascii_uppercase().contains(&word) && !inside.contains(&word);
            must(!stale, format!("4: `{word}` was said in clear, and is in {belief}"))?;
        }
        must(!belief.starts_with("a m"), format!("4: nobody has told of {belief}"))?;
    }
    if let Some(exists) = run.beliefs.exists {
        must(inside.contains(&format!("* {exists} EXISTS")) || exists == 0, format!("4: {exists} messages"))?;
    }
    let Some(capabilities) = &run.beliefs.capabilities else { return Ok(()) };
    let told = capabilities_inside(transcript);
    must(*capabilities == told, format!("4: capabilities {capabilities:?}, and not {told:?}"))
}

/// Words that nobody would find elsewhere: names, texts and numbers, no keywords that every server has.
fn words_in_clear(transcript: &Transcript) -> Vec<String> {
    let clear: Vec<u8> = transcript.steps_of(false).flat_map(|step| step.bytes.clone()).collect();
    let clear = String::from_utf8_lossy(&clear).to_ascii_uppercase();
    let words = clear.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.filter(|word| word.len() >= 5 && !NAMES.contains(word)).map(str::to_owned).collect()
}

/// Names of fields and values in the crate's own `Debug`.
const NAMES: [&str; 6] = ["FLAGS", "RECENT", "UNSEEN", "GREETING", "CAPABILITIES", "OTHER"];

/// What the server offers inside TLS, taken apart by hand.
fn capabilities_inside(transcript: &Transcript) -> Vec<String> {
    let verbs = ["EHLO", "CAPA", "CAPABILITY"];
    let step = transcript.steps_of(true).find(|step| verbs.contains(&step.words(transcript.kind).1));
    let text = step.map(|step| String::from_utf8_lossy(&step.bytes).into_owned()).unwrap_or_default();
    match transcript.kind {
        Kind::Smtp => text.lines().skip(1).map(|line| line[4..].to_owned()).collect(),
        Kind::Pop3 if text.starts_with("-ERR") => Vec::new(),
        Kind::Pop3 => text.lines().skip(1).filter(|line| *line != ".").map(str::to_owned).collect(),
        Kind::Imap => {
            let line = text.lines().find_map(|line| line.strip_prefix("* CAPABILITY "));
            line.into_iter().flat_map(str::split_whitespace).map(str::to_ascii_uppercase).collect()
        }
    }
}
