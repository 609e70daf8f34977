//! One connection of a server: lines in, lines out, TLS in place, all of it recorded. Answers leave when the server
//! would have to wait for more, so that a group of commands is answered as a group.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::Shared;

/// Bytes of answers that are held back at most.
const HELD_BACK: usize = 64 << 10;
/// A line longer than this is an attack, or no mail protocol: 1 MiB.
const HOPELESS: usize = 1 << 20;

pub(super) enum Line {
    /// Without its line end.
    Text(Vec<u8>),
    /// Longer than allowed; it was read away.
    TooLong,
    /// The client is gone.
    End,
}

pub(super) struct Connection {
    stream: Stream,
    shared: Arc<Shared>,
    input: Vec<u8>,
    used: usize,
    output: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<::rustls::StreamOwned<::rustls::ServerConnection, TcpStream>>),
}

impl Connection {
    pub(super) fn new(socket: TcpStream, shared: Arc<Shared>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { stream: Stream::Plain(socket), shared, input: Vec::new(), used: 0, output: Vec::new() })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Sends what is held back and turns the connection into TLS.
    ///
    /// # Errors
    /// If plain text came after the command: it would be taken for what was said inside TLS.
    pub(super) fn start_tls(&mut self) -> io::Result<()> {
        self.flush()?;
        if !self.buffered().is_empty() {
            self.note("plain text after the command for TLS: closed");
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Stream::Plain(socket) = &mut self.stream else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut socket = socket.try_clone()?;
        let mut tls = ::rustls::ServerConnection::new(Arc::clone(&self.shared.tls)).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut socket) {
                self.note(&format!("TLS failed: {error}"));
                let _ = socket.shutdown(Shutdown::Both);
                return Err(error);
            }
        }
        self.stream = Stream::Tls(Box::new(::rustls::StreamOwned::new(tls, socket)));
        self.note("TLS");
        Ok(())
    }

    /// The next line, up to CRLF or LF.
    pub(super) fn line(&mut self, max: usize) -> io::Result<Line> {
        Ok(match self.raw_line(max)? {
            Line::Text(mut line) => {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Line::Text(line)
            }
            other => other,
        })
    }

    /// As [`line`](Self::line), of at most 64 KiB; none if it is not there in time.
    pub(super) fn line_within(&mut self, time: Duration) -> io::Result<Option<Line>> {
        self.set_read_timeout(Some(time))?;
        let result = self.line(HELD_BACK);
        self.set_read_timeout(None)?;
        match result {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
            result => result.map(Some),
        }
    }

    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        match &self.stream {
            Stream::Plain(socket) => socket.set_read_timeout(time),
            Stream::Tls(tls) => tls.sock.set_read_timeout(time),
        }
    }

    /// The next line with its line end.
    pub(super) fn raw_line(&mut self, max: usize) -> io::Result<Line> {
        let mut searched = 0;
        let mut length = 0;
        loop {
            let fresh = self.buffered().get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                let line = self.take(searched + at + 1);
                return Ok(if length + line.len() > max { Line::TooLong } else { Line::Text(line) });
            }
            searched = self.buffered().len();
            if length + searched > HOPELESS {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if searched > max {
                length += searched;
                self.take(searched);
                searched = 0;
            }
            if self.fill()? == 0 {
                return Ok(Line::End);
            }
        }
    }

    /// The next `count` bytes.
    pub(super) fn exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffered().len() < count {
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.take(count))
    }

    fn buffered(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.buffered().get(..count).unwrap_or_default().to_vec();
        self.used += taken.len();
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        taken
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.flush()?;
        self.input.drain(..self.used);
        self.used = 0;
        let mut block = [0; 16 << 10];
        let count = loop {
            match self.stream.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.input.extend_from_slice(block.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Answers with a line.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        self.shared.record(format!("S: {}", printable(line)));
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        if self.output.len() > HELD_BACK { self.flush() } else { Ok(()) }
    }

    /// Answers with the bytes of a message, of which only the size is recorded.
    pub(super) fn say_message(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.shared.record(format!("S: ({} bytes)", bytes.len()));
        self.output.extend_from_slice(bytes);
        if self.output.len() > HELD_BACK { self.flush() } else { Ok(()) }
    }

    /// Records what the client said, without passwords.
    pub(super) fn heard(&self, line: &str) {
        self.shared.record(format!("C: {}", printable(&redacted(line))));
    }

    /// Records that a message of this size came.
    pub(super) fn heard_message(&self, size: usize) {
        self.shared.record(format!("C: ({size} bytes)"));
    }

    pub(super) fn note(&self, what: &str) {
        self.shared.record(format!("-- {what}"));
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        self.stream.flush()
    }

    /// Sends what is held back, says goodbye and closes.
    pub(super) fn close(&mut self) {
        let _ = self.flush();
        let socket = match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                &mut tls.sock
            }
        };
        let _ = socket.shutdown(Shutdown::Both);
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(tls) => match tls.read(buf) {
                // Many clients close without close_notify; at the end of a session that is no error.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// The line without what is a secret in any of the three protocols, however badly the line is formed otherwise.
fn redacted(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let command = words.iter().take(3).position(|word| {
        ["AUTH", "AUTHENTICATE", "LOGIN", "PASS", "APOP"].iter().any(|name| word.eq_ignore_ascii_case(name))
    });
    let Some(at) = command else { return line.to_owned() };
    let mechanism = words.get(at).is_some_and(|word| word.to_ascii_uppercase().starts_with("AUTH"));
    let (shown, secret) = words.split_at(words.len().min(at + 1 + usize::from(mechanism)));
    if secret.is_empty() { line.to_owned() } else { format!("{} ***", shown.join(" ")) }
}

fn printable(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for letter in line.chars() {
        if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn secrets_are_not_recorded() {
        for (line, shown) in [
            ("AUTH PLAIN c2VjcmV0", "AUTH PLAIN ***"),
            ("auth  PLAIN  c2VjcmV0 x", "auth PLAIN ***"),
            ("AUTH PLAIN", "AUTH PLAIN"),
            ("PASS two words", "PASS ***"),
            ("a1  LOGIN user \"pass\"", "a1 LOGIN ***"),
            ("a1 AUTHENTICATE PLAIN =", "a1 AUTHENTICATE PLAIN ***"),
            ("a1 SEARCH SUBJECT login x", "a1 SEARCH SUBJECT login x"),
            ("MAIL FROM:<a@b> AUTH=<>", "MAIL FROM:<a@b> AUTH=<>"),
        ] {
            assert_eq!(redacted(line), shown);
        }
    }
}
