//! A connection of native-tls as a transport, and what lies below it: the read-ahead, which a failed handshake gives
//! back. After a soft deadline the same call goes on where it was; an end without close_notify is an error, as on rustls.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use native_tls::TlsStream;

use super::TlsInfo;
use super::alert::{ClientCertificate, alert_number, late_refusal, meaning};
use super::readahead::ReadAhead;
use super::records::Records;
use crate::error::{HandshakeCause, HandshakeError};
use crate::net::{Deadline, Transport};

/// What lies below native-tls, with what was noted of what passed.
pub(super) struct Below {
    pub(super) lower: ReadAhead,
    pub(super) records: Records,
    handshaking: bool,
    /// The peer closed the connection of the transport.
    pub(super) ended: bool,
}

impl Below {
    /// Takes note of what has arrived and was not read.
    pub(super) fn read_rest(&mut self) {
        /// More than a server says in a handshake, and an end to one that never stops.
        const BLOCKS: usize = 128;

        let mut block = [0; 1024];
        if self.lower.stop_waiting().is_err() {
            return;
        }
        for _ in 0..BLOCKS {
            let Ok(received @ 1..) = self.lower.read(&mut block) else { return };
            self.records.pass(block.get(..received).unwrap_or_default());
        }
    }

    fn new(plain: Box<dyn Transport>) -> Self {
        Self { lower: ReadAhead::new(plain), records: Records::default(), handshaking: true, ended: false }
    }
}

/// Where it comes back to.
pub(super) type Home = Arc<Mutex<Option<Below>>>;

/// [`Below`] while native-tls has it. A handshake that fails drops its stream; what was received is then wanted for the
/// error, so dropping this sends it home.
pub(super) struct Lent {
    below: Option<Below>,
    home: Home,
}

impl Lent {
    pub(super) fn new(plain: Box<dyn Transport>) -> (Self, Home) {
        let home = Home::default();
        (Self { below: Some(Below::new(plain)), home: Arc::clone(&home) }, home)
    }

    /// It is there until the drop.
    fn below(&mut self) -> io::Result<&mut Below> {
        self.below.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

/// What has come home.
pub(super) fn returned(home: &Home) -> Option<Below> {
    home.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.below.take();
    }
}

/// Repeats what a signal interrupted: native-tls would take it for a failure.
fn uninterrupted<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl Read for Lent {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let below = self.below()?;
        let received = uninterrupted(|| below.lower.read(buf))?;
        below.ended |= received == 0 && !buf.is_empty();
        if below.handshaking {
            if below.lower.is_plain_text() {
                // Known from the first byte; OpenSSL would wait for five.
                return Err(io::Error::new(io::ErrorKind::InvalidData, "plain text instead of TLS"));
            }
            below.records.pass(buf.get(..received).unwrap_or_default());
        }
        Ok(received)
    }
}

impl Write for Lent {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let below = self.below()?;
        uninterrupted(|| below.lower.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        let below = self.below()?;
        uninterrupted(|| below.lower.flush())
    }
}

/// A secured transport.
pub(super) struct NativeStream {
    tls: TlsStream<Lent>,
    info: TlsInfo,
    /// Whether the server was shown a client certificate, if it asked for one.
    has_identity: bool,
    /// None until it was set after the handshake: what it was before is not known.
    deadline: Option<Deadline>,
    /// A read has failed for good. OpenSSL calls what comes after it the end.
    failed: bool,
}

impl NativeStream {
    /// The handshake is complete. Fills in what passed below it.
    pub(super) fn new(mut tls: TlsStream<Lent>, mut info: TlsInfo, has_identity: bool) -> Self {
        if let Ok(below) = tls.get_mut().below() {
            let (version, suite, group) = std::mem::take(&mut below.records).negotiated();
            (info.version, info.cipher_suite) = (version, suite.map(str::to_owned));
            info.key_exchange = group.map(str::to_owned);
            below.handshaking = false;
        }
        Self { tls, info, has_identity, deadline: None, failed: false }
    }

    /// What the platform's error of a read means. A server that speaks of a certificate then means the client's.
    fn explained(&self, error: io::Error) -> io::Error {
        let client = if self.has_identity { ClientCertificate::Sent } else { ClientCertificate::Missing };
        match alert_number(&error.to_string()).map(|alert| meaning(alert, client)) {
            None | Some(HandshakeCause::Other) => error,
            Some(cause) => late_refusal(cause, error),
        }
    }

    /// The error of a write, or what the peer said before it went away, if it was why.
    fn last_word(&mut self, error: io::Error) -> io::Error {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return error;
        }
        let stopped = self.tls.get_mut().below().and_then(|below| below.lower.stop_waiting());
        match stopped.and_then(|()| self.tls.read(&mut [0])).map_err(|word| self.explained(word)) {
            Err(word) if word.get_ref().is_some_and(|word| word.is::<HandshakeError>()) => word,
            _ => error,
        }
    }

    fn has_ended(&self) -> bool {
        self.tls.get_ref().below.as_ref().is_none_or(|below| below.ended)
    }

    /// Sends close_notify as far as it goes without waiting.
    fn say_goodbye(&mut self) -> io::Result<()> {
        self.tls.get_mut().below()?.lower.stop_waiting()?;
        // The peer may be gone already.
        let _ = self.tls.shutdown();
        match self.deadline {
            Some(deadline) => self.tls.get_mut().below()?.lower.set_deadline(deadline),
            None => Ok(()),
        }
    }
}

impl Read for NativeStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        match self.tls.read(buf) {
            // After a close_notify nothing below is read, so its end is not seen.
            Ok(0) if self.failed || self.has_ended() => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer closed the connection without a close_notify of TLS",
            )),
            Err(error) => {
                self.failed |= !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                Err(self.explained(error))
            }
            received => received,
        }
    }
}

impl Write for NativeStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tls.write(buf).map_err(|error| self.last_word(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.flush().map_err(|error| self.last_word(error))
    }
}

impl Transport for NativeStream {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.tls.get_mut().below()?.lower.set_deadline(deadline)?;
        self.deadline = Some(deadline);
        Ok(())
    }

    fn lower(&self) -> Option<&dyn Transport> {
        self.tls.get_ref().below.as_ref().map(|below| below.lower.lower())
    }

    fn tls(&self) -> Option<&TlsInfo> {
        Some(&self.info)
    }

    fn close(&mut self) -> io::Result<()> {
        let _ = self.say_goodbye();
        self.tls.get_mut().below()?.lower.close()
    }
}
