//! What ends a connection: each failure is told with what was being done and to whom, and closes.

use std::io;

use super::{Flaw, Wire};
use crate::error::{Context, Error, HandshakeError, LimitExceeded, ProtocolError, Timeout};

/// So many characters of a server's text are kept in an error.
const SHOWN: usize = 512;

impl Wire {
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::new(self.phase, &self.settings.peer);
        context.command = self.due.front().map_or(self.answered, |answer| answer.command);
        context.outcome_unknown = self.due.iter().any(|answer| answer.changes_state);
        context
    }

    /// Closes, since `error` leaves the connection in a state that nobody knows.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.close();
        error
    }

    pub(super) fn broken(&mut self, source: io::Error) -> Error {
        let at = self.context();
        let source = match source.downcast::<HandshakeError>() {
            // A server that speaks TLS 1.3 refuses the client's certificate after the handshake.
            Ok(mut failed) => {
                failed.peer = at.peer;
                return self.fail(Error::Handshake(Box::new(failed)));
            }
            Err(source) => source,
        };
        let error = match source.kind() {
            _ if self.settings.interrupt.is_set() => Error::Interrupted(Box::new(at)),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                let limit = self.stream.gate().left.is_zero().then(|| self.allowance(self.phase).0);
                Error::Timeout(Box::new(Timeout { at, limit }))
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Error::ConnectionLost(Box::new(at))
            }
            _ => Error::Io { at: Box::new(at), source },
        };
        self.fail(error)
    }

    /// Writing failed. A server that hangs up in the middle of a body has often said why: if something of it is there,
    /// the connection stays open for reading alone, so that a protocol can tell that instead.
    pub(super) fn cut_off(&mut self, source: io::Error) -> Error {
        let hung_up = matches!(
            source.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        );
        if hung_up && !self.settings.interrupt.is_set() && self.has_arrived() {
            self.half_sent = true;
            return Error::ConnectionLost(Box::new(self.context()));
        }
        self.broken(source)
    }

    pub(super) fn lost(&mut self) -> Error {
        self.broken(io::ErrorKind::UnexpectedEof.into())
    }

    /// The server broke the protocol with the frame that was read last; closes the connection.
    pub fn malformed(&mut self, what: &str) -> Error {
        let received = lossy(self.frame());
        self.protocol_error(what, received)
    }

    /// As [`malformed`](Self::malformed), for what a codec found.
    pub fn flaw(&mut self, flaw: Flaw) -> Error {
        match flaw {
            Flaw::Malformed(what) => self.malformed(what),
            Flaw::TooMuch { what, max } => self.too_much(what, max),
        }
    }

    /// The server sent more than a limit allows; closes the connection.
    pub fn too_much(&mut self, what: &'static str, max: u64) -> Error {
        let at = self.context();
        self.fail(Error::Limit(Box::new(LimitExceeded { at, what, max })))
    }

    pub(super) fn protocol_error(&mut self, what: &str, received: Box<str>) -> Error {
        // Cut after secrets were taken out, lest half of one stays.
        let received = self.transcript.in_error(&received);
        let received = received.chars().take(SHOWN).collect::<String>().trim_end().into();
        let error = ProtocolError { at: self.context(), what: what.into(), received };
        self.fail(Error::Protocol(Box::new(error)))
    }
}

/// The beginning as text, of which an error shows the first [`SHOWN`] characters.
pub(super) fn lossy(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes.get(..8 * SHOWN).unwrap_or(bytes)).into()
}
