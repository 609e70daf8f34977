//! The text form of a script. See [`Script`](super::Script) for what it looks like.

use std::time::Duration;

use super::Script;
use super::play::Step;
use crate::error::{Error, Result};

pub(super) fn parse(text: &str) -> Result<Script> {
    let mut script = Script::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim_start();
        if line.trim_end().is_empty() || line.starts_with('#') {
            continue;
        }
        let step = step(line).map_err(|why| Error::invalid("script", format!("line {number}: {why}")))?;
        script = script.step(number, step);
    }
    Ok(script)
}

fn step(line: &str) -> Result<Step, String> {
    if let Some((kind, text)) = line.split_at_checked(2) {
        let bytes =
            |newline: &[u8]| unescape(text.strip_prefix(' ').unwrap_or(text)).map(|text| [&text, newline].concat());
        match kind {
            "S:" => return bytes(b"\r\n").map(Step::Server),
            "C:" => return bytes(b"\r\n").map(Step::Client),
            "S-" => return bytes(b"").map(Step::Server),
            "C-" => return bytes(b"").map(Step::Client),
            _ => {}
        }
    }
    let mut words = line.split_whitespace();
    let step = match (words.next().unwrap_or_default(), words.next()) {
        ("EOF", None) => Step::Eof,
        ("CLOSE", None) => Step::Close,
        ("RESET", None) => Step::Reset,
        ("STALL", None) => Step::Stall,
        ("TLS", None) => Step::Tls,
        ("WAIT", None) => Step::Wait,
        ("PAUSE", Some(time)) => Step::Pause(duration(time)?),
        ("DRIP", Some(time)) => Step::Drip(duration(time)?),
        _ => return Err(format!("neither a step nor a directive: `{line}`")),
    };
    if words.next().is_some() { Err(format!("too many words: `{line}`")) } else { Ok(step) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.parse().map_err(|_| format!("not a time: `{text}`"));
    if let Some(digits) = text.strip_suffix("ms") {
        number(digits).map(Duration::from_millis)
    } else if let Some(digits) = text.strip_suffix('s') {
        number(digits).map(Duration::from_secs)
    } else {
        Err(format!("a time ends in `s` or `ms`: `{text}`"))
    }
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let mut letters = escaped.chars();
        let byte = match letters.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => hex(&mut letters)?,
            Some(other) => return Err(format!("unknown escape `\\{other}`")),
            None => return Err("a lone backslash at the end".to_owned()),
        };
        bytes.push(byte);
        rest = letters.as_str();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn hex(letters: &mut std::str::Chars<'_>) -> Result<u8, String> {
    let mut digit = || letters.next()?.to_digit(16);
    let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
    value.and_then(|value| u8::try_from(value).ok()).ok_or_else(|| "`\\x` wants two hexadecimal digits".to_owned())
}
