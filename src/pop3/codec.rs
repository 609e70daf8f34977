//! POP3's replies, bytes to values: where an answer ends, and what a line says. It does no I/O; limits are given in.
//! RFC 1939 3 and 5, RFC 2449 5 (CAPA) and 8 (response codes), RFC 5034 4 (AUTH).

use crate::sasl::Exchange;
use crate::wire::{Flaw, Framer, Need};
use crate::{Error, Limits, Rejection, Result, Severity};

use super::{ListEntry, ResponseCode, Stat};

/// Octets of a command line with its CRLF, RFC 2449 4.
const COMMAND_LINE: usize = 255;

/// Empty lines that may stand before a reply (outlook.office365.com sends some). More are no accident.
const EMPTY_LINES: usize = 8;

// ---- Framers ----

/// One status line, `+OK` or `-ERR`, is the whole answer.
pub(super) struct StatusFramer(StatusLine);

impl StatusFramer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(StatusLine::new(limits.reply_line))
    }

    pub(super) fn greeting(limits: &Limits) -> Self {
        Self(StatusLine::new(limits.greeting_line))
    }
}

impl Framer for StatusFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        match self.0.look(frame)? {
            Some(line) => status_of_line(line).map(|_| Need::Last),
            None => Ok(self.0.more()),
        }
    }
}

/// A status line; after `+OK` each line up to the lone dot is a frame, and the dot is the last.
pub(super) struct ListingFramer {
    status: StatusLine,
    in_listing: bool,
    left: usize,
    too_much: Flaw,
}

impl ListingFramer {
    /// For LIST and UIDL.
    pub(super) fn entries(limits: &Limits) -> Self {
        Self::new(limits, "entries of a listing", limits.list_entries)
    }

    /// For CAPA.
    pub(super) fn capabilities(limits: &Limits) -> Self {
        Self::new(limits, "capabilities", limits.capabilities)
    }

    fn new(limits: &Limits, what: &'static str, max: usize) -> Self {
        let too_much = Flaw::TooMuch { what, max: max as u64 };
        Self { status: StatusLine::new(limits.reply_line), in_listing: false, left: max, too_much }
    }
}

impl Framer for ListingFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        if !self.in_listing {
            let Some(line) = self.status.look(frame)? else { return Ok(self.status.more()) };
            self.in_listing = status_of_line(line)?.accepted;
            return Ok(if self.in_listing { Need::Frame } else { Need::Last });
        }
        if frame.is_empty() {
            return Ok(self.status.more());
        }
        match line_of(frame) {
            b"." => Ok(Need::Last),
            line => {
                no_nul(line)?;
                self.left = self.left.checked_sub(1).ok_or_else(|| self.too_much.clone())?;
                Ok(Need::Frame)
            }
        }
    }
}

/// A status line; after `+OK` a dotted body follows.
pub(super) struct BodyFramer(StatusLine);

impl BodyFramer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(StatusLine::new(limits.reply_line))
    }
}

impl Framer for BodyFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let Some(line) = self.0.look(frame)? else { return Ok(self.0.more()) };
        Ok(if status_of_line(line)?.accepted { Need::Dotted } else { Need::Last })
    }
}

/// Any number of challenges (`+ base64`), each a frame, and the status line that ends the exchange.
pub(super) struct AuthFramer(StatusLine);

impl AuthFramer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(StatusLine::new(Exchange::line_limit(limits)))
    }
}

impl Framer for AuthFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let Some(line) = self.0.look(frame)? else { return Ok(self.0.more()) };
        Ok(match auth_of_line(line)? {
            AuthReply::Challenge(_) => Need::Frame,
            AuthReply::Status(_) => Need::Last,
        })
    }
}

/// What all framers begin with: a line, perhaps after empty ones.
struct StatusLine {
    max: usize,
    empty_lines: usize,
}

impl StatusLine {
    fn new(max: usize) -> Self {
        Self { max, empty_lines: 0 }
    }

    fn more(&self) -> Need {
        Need::Line { max: self.max }
    }

    /// The line, if it is there already.
    fn look<'f>(&mut self, frame: &'f [u8]) -> Result<Option<&'f [u8]>, Flaw> {
        let rest = after_empty_lines(frame);
        if !rest.is_empty() {
            return Ok(Some(line_of(rest)));
        }
        if !frame.is_empty() {
            self.empty_lines += 1;
        }
        if self.empty_lines > EMPTY_LINES {
            return Err(Flaw::TooMuch { what: "empty lines before a reply", max: EMPTY_LINES as u64 });
        }
        Ok(None)
    }
}

// ---- Views ----

/// A status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status<'f> {
    pub(super) accepted: bool,
    /// What follows the status, without the blanks around it.
    pub(super) text: &'f [u8],
}

impl<'f> Status<'f> {
    /// The response code, `SYS/TEMP`: printable, without blanks, in brackets at the start of a refusal.
    pub(super) fn code(&self) -> Option<&'f str> {
        let rest = self.text.strip_prefix(b"[").filter(|_| !self.accepted)?;
        let code = rest.split(|&byte| byte == b']').next().filter(|code| code.len() < rest.len())?;
        let printable = !code.is_empty() && code.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(code).ok().filter(|_| printable)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.text).into_owned()
    }

    pub(super) fn rejection(&self, command: &str) -> Rejection {
        let code = self.code();
        let text = match code {
            Some(code) => self.text.get(code.len() + 2..).unwrap_or_default().trim_ascii(),
            None => self.text,
        };
        let lines = if text.is_empty() { Vec::new() } else { vec![String::from_utf8_lossy(text).into_owned()] };
        let transient = code.and_then(ResponseCode::parse).is_some_and(ResponseCode::is_transient);
        let severity = if transient { Severity::Transient } else { Severity::Permanent };
        let mut rejection = Rejection::new(command, "-ERR", severity, lines);
        rejection.code = code.map(Into::into);
        rejection
    }
}

/// One step of AUTH.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AuthReply<'f> {
    /// In base64 still.
    Challenge(&'f [u8]),
    Status(Status<'f>),
}

/// The status line that a frame is.
pub(super) fn status(frame: &[u8]) -> Result<Status<'_>, Flaw> {
    status_of_line(line_of(after_empty_lines(frame)))
}

/// The step of AUTH that a frame is.
pub(super) fn auth_reply(frame: &[u8]) -> Result<AuthReply<'_>, Flaw> {
    auth_of_line(line_of(after_empty_lines(frame)))
}

fn status_of_line(line: &[u8]) -> Result<Status<'_>, Flaw> {
    no_nul(line)?;
    let after = |status: &[u8]| {
        let (head, rest) = line.split_at_checked(status.len())?;
        let ends = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
        (ends && head.eq_ignore_ascii_case(status)).then(|| rest.trim_ascii())
    };
    match (after(b"+OK"), after(b"-ERR")) {
        (Some(text), _) => Ok(Status { accepted: true, text }),
        (_, Some(text)) => Ok(Status { accepted: false, text }),
        _ => Err(Flaw::Malformed("a reply that is neither +OK nor -ERR")),
    }
}

/// `+` and a blank, or nothing but `+`, which Microsoft's servers send where the challenge is empty.
fn auth_of_line(line: &[u8]) -> Result<AuthReply<'_>, Flaw> {
    match line {
        [b'+'] => Ok(AuthReply::Challenge(b"")),
        [b'+', b' ' | b'\t', challenge @ ..] => {
            no_nul(challenge)?;
            Ok(AuthReply::Challenge(challenge.trim_ascii()))
        }
        _ => status_of_line(line).map(AuthReply::Status),
    }
}

/// What STAT says; further words are the server's own.
pub(super) fn stat(text: &[u8]) -> Option<Stat> {
    let mut words = words(text);
    Some(Stat { messages: number(words.next()?)?, octets: number(words.next()?)? })
}

/// A line of LIST; further words are the server's own.
pub(super) fn list_entry(line: &[u8]) -> Option<ListEntry> {
    let mut words = words(line);
    Some(ListEntry { number: number(words.next()?)?, octets: number(words.next()?)? })
}

/// A line of UIDL; the id is missing where the server has none for the message.
pub(super) fn uidl_entry(line: &[u8]) -> Option<(u32, Option<&str>)> {
    let mut words = words(line);
    let number = number(words.next()?)?;
    let uid = words.next().map(std::str::from_utf8).transpose().ok()?;
    Some((number, uid))
}

/// A line of a listing, without its line end and without the dot that was put before a dot.
pub(super) fn listed(frame: &[u8]) -> &[u8] {
    let line = line_of(frame);
    line.strip_prefix(b".").unwrap_or(line)
}

/// A line of LANG: the tag, and what follows it.
pub(super) fn language(line: &[u8]) -> (String, String) {
    let line = String::from_utf8_lossy(line.trim_ascii());
    let (tag, description) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
    (tag.to_owned(), description.trim_ascii().to_owned())
}

/// A line of CAPA as text.
pub(super) fn capability(line: &[u8]) -> String {
    String::from_utf8_lossy(line.trim_ascii()).into_owned()
}

/// Runs of blanks separate words: there are servers that align columns.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// Digits only: `parse` alone would take a sign.
fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

fn line_of(frame: &[u8]) -> &[u8] {
    let line = frame.strip_suffix(b"\n").unwrap_or(frame);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn after_empty_lines(mut frame: &[u8]) -> &[u8] {
    while let Some(rest) = frame.strip_prefix(b"\n").or_else(|| frame.strip_prefix(b"\r\n")) {
        frame = rest;
    }
    frame
}

fn no_nul(line: &[u8]) -> Result<(), Flaw> {
    if memchr::memchr(0, line).is_some() { Err(Flaw::Malformed("a NUL in a reply")) } else { Ok(()) }
}

// ---- Arguments ----

/// Refuses what would end the command line or makes it longer than a server must take. `before` counts the octets of
/// the line before the argument.
///
/// # Errors
/// [`Error::InvalidArgument`], which never repeats the argument: it may be a password.
pub(super) fn argument(name: &'static str, before: usize, text: &str) -> Result<()> {
    if let Some(offset) = text.bytes().position(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err(Error::invalid(name, format!("contains CR, LF or NUL at offset {offset}")));
    }
    if fits(before + text.len()) {
        return Ok(());
    }
    let most = COMMAND_LINE.saturating_sub(before + 2);
    Err(Error::invalid(name, format!("is {} octets long; a command line of POP3 has room for {most}", text.len())))
}

/// True if a line of so many octets, without its CRLF, is one that every server takes.
pub(super) fn fits(octets: usize) -> bool {
    octets.saturating_add(2) <= COMMAND_LINE
}

#[cfg(test)]
mod tests;
