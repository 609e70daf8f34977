//! Recorded answers of real servers, which are not part of this repository: each is framed, none ends the session, and
//! each value is typed or raw.
//!
//! `MAILCONNECT_RESPONSES` names a file or a folder (with all below it). A `.jsonl` file has an object a line, with
//! `response` (text) or `response_b64`, and perhaps `name`; any other file is what a server has sent, as it is, to one
//! command or to several. Tags are replaced by the client's own; `+` lines, which answer what no test sends, are left out.
//! Where no tagged reply ends it, one is added. A file without any CR was stored with LF line ends, and gets CRLF back.
//!
//! `MAILCONNECT_RESPONSES=responses cargo test --test imap recorded -- --ignored --nocapture`

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use mailconnect::imap::{Event, Imap, Item};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, ImapClient, Result, Security};

use crate::open_with;

/// What one command was answered with; the tag of the reply is left out.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    data: Vec<u8>,
    /// ` OK ..`
    reply: Vec<u8>,
    /// The server said goodbye.
    leaves: bool,
    continuations: usize,
}

#[derive(Debug, Default)]
struct Counts {
    answers: usize,
    goodbyes: usize,
    continuations: usize,
    typed: usize,
    raw: usize,
}

/// The announced size of the literal at the end of a line.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.trim_ascii_end().strip_suffix(b"}")?;
    let line = line.strip_suffix(b"+").unwrap_or(line);
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// Cuts what was recorded into the answers to single commands.
fn answers(recorded: &[u8]) -> Vec<Answer> {
    let crlf = recorded.contains(&b'\r');
    let mut recorded =
        if crlf { recorded.to_vec() } else { String::from_utf8_lossy(recorded).replace('\n', "\r\n").into() };
    if !recorded.is_empty() && !recorded.ends_with(b"\n") {
        recorded.extend_from_slice(b"\r\n");
    }
    let (mut found, mut answer, mut at) = (Vec::new(), Answer::default(), 0);
    while at < recorded.len() {
        let start = at;
        // A response, with its literals.
        loop {
            let rest = &recorded[at..];
            let line = &rest[..rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1)];
            at += line.len();
            match literal(line) {
                Some(size) if at + size <= recorded.len() => at += size,
                _ => break,
            }
        }
        let response = &recorded[start..at];
        let mut words = response.split(u8::is_ascii_whitespace);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_ascii_uppercase());
        answer.leaves |= first == b"*" && second == b"BYE";
        if first.starts_with(b"+") {
            answer.continuations += 1;
        } else if first != b"*" && [&b"OK"[..], b"NO", b"BAD"].contains(&second.as_slice()) {
            answer.reply = response[first.len()..].to_vec();
            found.push(std::mem::take(&mut answer));
        } else {
            answer.data.extend_from_slice(response);
        }
    }
    if !answer.data.is_empty() {
        answer.reply = b" OK\r\n".to_vec();
        found.push(answer);
    }
    found
}

/// All answers in a file, each with a name.
fn read(path: &Path) -> Vec<(String, Answer)> {
    let bytes = fs::read(path).unwrap();
    let name = path.display().to_string();
    if path.extension().is_none_or(|extension| extension != "jsonl") {
        return answers(&bytes).into_iter().map(|answer| (name.clone(), answer)).collect();
    }
    let mut found = Vec::new();
    for (number, line) in String::from_utf8(bytes).unwrap().lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let response = match (value["response"].as_str(), value["response_b64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(base64)) => base64::engine::general_purpose::STANDARD.decode(base64).unwrap(),
            (None, None) => panic!("{name}:{}: no response", number + 1),
        };
        let name = value["name"].as_str().map_or(format!("{name}:{}", number + 1), str::to_owned);
        found.extend(answers(&response).into_iter().map(|answer| (name.clone(), answer)));
    }
    found
}

fn files(path: PathBuf) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<_> = entries.flat_map(|entry| files(entry.unwrap().path())).collect();
    found.sort();
    found
}

/// A FETCH and a NOOP get the answer, a NOOP after them works. Events and items are counted.
fn replay(answer: &Answer, chunking: Chunking, counts: &mut Counts) -> Result<()> {
    let answered = |tag: &str| [&answer.data, tag.as_bytes(), &answer.reply].concat();
    let script = Script::new().server("* OK\r\n").client("A1 FETCH 1 ALL\r\n").server(answered("A1"));
    let script = script.client("A2 NOOP\r\n").server(answered("A2")).client("A3 NOOP\r\n").server("A3 OK\r\n");
    let (client, _) = open_with(Connector::new(), Imap::new(), script.chunking(chunking), Security::Plain);
    let mut client = client?;
    survived(fetch(&mut client, counts))?;
    survived(client.noop())?;
    client.noop()?;
    for event in client.events() {
        match event {
            Event::Other(_) => counts.raw += 1,
            _ => counts.typed += 1,
        }
    }
    Ok(())
}

/// A refusal is no failure.
fn survived(result: Result<()>) -> Result<()> {
    result.or_else(|error| if error.is_fatal() { Err(error) } else { Ok(()) })
}

fn fetch(client: &mut ImapClient, counts: &mut Counts) -> Result<()> {
    let mut list = client.fetch(1, "ALL")?;
    while let Some(mut message) = list.next_message()? {
        while let Some(item) = message.next_item()? {
            match item {
                Item::Other { .. } => counts.raw += 1,
                Item::Section(mut section) => {
                    counts.typed += usize::from(section.copy_to(&mut std::io::sink()).is_ok())
                }
                item => counts.typed += usize::from(!format!("{item:?}").is_empty()),
            }
        }
    }
    Ok(())
}

/// Replays all of them in every chunking, and says which failed.
fn replay_all(all: &[(String, Answer)], counts: &mut Counts) -> Vec<String> {
    let mut failed = Vec::new();
    for (name, answer) in all {
        counts.answers += 1;
        counts.continuations += answer.continuations;
        for chunking in Chunking::ALL {
            let mut again = Counts::default();
            let counts = if chunking == Chunking::Whole { &mut *counts } else { &mut again };
            match replay(answer, chunking, counts) {
                Ok(()) => {}
                // After a goodbye there is no session.
                Err(error) if answer.leaves && error.rejection().is_some_and(|said| &*said.status == "BYE") => {
                    counts.goodbyes += 1
                }
                Err(error) => {
                    failed.push(format!("{name} ({chunking:?}): {error}"));
                    break;
                }
            }
        }
    }
    failed
}

#[test]
#[ignore = "needs MAILCONNECT_RESPONSES"]
fn recorded_answers_end_no_session() {
    let Some(path) = std::env::var_os("MAILCONNECT_RESPONSES") else {
        println!("RECORDED ANSWERS SKIPPED: MAILCONNECT_RESPONSES names no file or folder");
        return;
    };
    let files = files(path.into());
    let all: Vec<_> = files.iter().flat_map(|file| read(file)).collect();
    let mut counts = Counts::default();
    let failed = replay_all(&all, &mut counts);
    println!("{} of {} recorded answers survived", all.len() - failed.len(), all.len());
    println!(
        "{} files, {} goodbyes, {} continuations left out; {} values typed, {} raw",
        files.len(),
        counts.goodbyes,
        counts.continuations,
        counts.typed,
        counts.raw
    );
    assert!(!all.is_empty(), "there is none");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What reads the recordings must itself be right.
#[test]
fn recordings_are_cut_into_answers() {
    let found =
        answers(b"* 1 FETCH (BODY[] {9}\r\nx OK\r\n+ y)\r\n+ idling\r\nB1 OK [X] done\r\n* BYE\r\nB2 NO\r\n* 2 EXISTS");
    let answer = |data: &[u8], reply: &[u8], leaves, continuations| Answer {
        data: data.to_vec(),
        reply: reply.to_vec(),
        leaves,
        continuations,
    };
    assert_eq!(
        found,
        [
            answer(b"* 1 FETCH (BODY[] {9}\r\nx OK\r\n+ y)\r\n", b" OK [X] done\r\n", false, 1),
            answer(b"* BYE\r\n", b" NO\r\n", true, 0),
            answer(b"* 2 EXISTS\r\n", b" OK\r\n", false, 0),
        ]
    );
    assert_eq!(answers(b"* X\nA OK\n"), [answer(b"* X\r\n", b" OK\r\n", false, 0)]);
    assert_eq!(answers(b""), []);
    let all: Vec<_> = found.into_iter().map(|answer| (String::new(), answer)).collect();
    let mut counts = Counts::default();
    assert_eq!(replay_all(&all, &mut counts), Vec::<String>::new());
    assert_eq!((counts.answers, counts.goodbyes, counts.continuations), (3, 1, 1));
    assert_eq!((counts.typed, counts.raw), (3, 1));
    let bad = [("bad".to_owned(), answer(b"A9 OK\r\n", b" OK\r\n", false, 0))];
    assert_eq!(replay_all(&bad, &mut counts).len(), 1);
}
