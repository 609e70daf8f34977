//! What a script says of a client that has left it, and of steps that were not played.

use std::fmt::Write as _;
use std::io;

use super::{Cursor, Play, Step};

/// Unplayed steps that are shown; more would only hide the first.
const SHOWN_STEPS: usize = 8;
/// Bytes of a step that are shown.
const SHOWN_BYTES: usize = 200;

impl Play {
    pub(super) fn mismatch(&mut self, buf: &[u8], rest: &[u8], same: usize) -> io::Error {
        self.record(buf);
        let Some((_, Step::Client(expected))) = self.steps.get(self.writer.step) else {
            return io::ErrorKind::InvalidData.into();
        };
        let before = expected.get(..self.writer.offset).unwrap_or_default();
        let got = [before, rest].concat();
        let position = before.len() + same;
        let (from, cut) = if position > SHOWN_BYTES / 2 { (position - SHOWN_BYTES / 2, "..") } else { (0, "") };
        let part = |bytes: &[u8], to: usize| shown(bytes.get(from..to.min(bytes.len())).unwrap_or_default());
        let text = format!(
            "{}: the client sent something else at byte {position}\n  expected: \"{cut}{}\"\n       got: \"{cut}{}\"\n{}^",
            self.place(self.writer.step),
            part(expected, usize::MAX),
            part(&got, usize::MAX),
            " ".repeat(13 + cut.len() + part(expected, position).len()),
        );
        self.fail(text)
    }

    pub(super) fn place(&self, index: usize) -> String {
        match self.steps.get(index) {
            Some((0, _)) => format!("step {}", index + 1),
            Some((line, _)) => format!("step {} (line {line})", index + 1),
            None => format!("after the last step ({})", self.steps.len()),
        }
    }

    /// What [`finish`](super::ScriptHandle::finish) panics with.
    pub(in crate::testing) fn verdict(&self) -> Result<(), String> {
        if let Some(error) = &self.error {
            return Err(format!("the client left the script at {error}"));
        }
        let left: Vec<String> = (0..self.steps.len()).filter_map(|index| self.unplayed(index)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut text = format!("{} steps of the script were not played:", left.len());
        for line in left.iter().take(SHOWN_STEPS) {
            let _ = write!(text, "\n  {line}");
        }
        Err(text)
    }

    fn unplayed(&self, index: usize) -> Option<String> {
        let (_, step) = self.steps.get(index)?;
        let offset = |cursor: Cursor| if cursor.step == index { cursor.offset } else { 0 };
        let what = match step {
            Step::Server(bytes) if self.reader.step <= index => {
                format!("not read: \"{}\"", shown(bytes.get(offset(self.reader)..)?))
            }
            Step::Client(bytes) if !self.client_is_past(index) => {
                format!("not sent: \"{}\"", shown(bytes.get(offset(self.writer)..)?))
            }
            Step::Tls if self.reader.step <= index => "no TLS handshake".to_owned(),
            _ => return None,
        };
        Some(format!("{}: {what}", self.place(index)))
    }
}

pub(super) fn shown(bytes: &[u8]) -> String {
    let text = bytes.get(..SHOWN_BYTES).unwrap_or(bytes).escape_ascii().to_string();
    if bytes.len() > SHOWN_BYTES { text + ".." } else { text }
}
