//! TLS for tests: a handshake that only wraps and encrypts nothing. It understands no peer but a
//! [`Script`](super::Script) at a `TLS` step.

use std::fmt;
use std::io::{self, Read, Write};

use super::play::{CLIENT_HELLO, SERVER_HELLO};
use crate::error::{Error, Result};
use crate::net::{Deadline, Transport};
use crate::tls::Tls;
use crate::tls_info::TlsInfo;

/// A stand-in for TLS, to test everything around a handshake a million times without one.
///
/// The script must be at a `TLS` step; the exchange goes on behind it as it is written there.
///
/// ```
/// use mailconnect::testing::{Script, StandInTls};
/// use mailconnect::tls::Tls;
/// use std::io::Read;
///
/// let (plain, script) = Script::parse("TLS\nS: 220 ready\nEOF")?.play();
/// let mut secure = StandInTls::new().handshake("localhost", Box::new(plain))?;
/// assert!(secure.tls().is_some());
/// assert_eq!(std::io::read_to_string(&mut secure)?, "220 ready\r\n");
/// script.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct StandInTls {
    info: TlsInfo,
}

impl StandInTls {
    /// One that reports a [`TlsInfo`] with nothing filled in.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that reports `info`.
    pub fn with_info(info: TlsInfo) -> Self {
        Self { info }
    }
}

impl Tls for StandInTls {
    fn handshake(&self, host: &str, mut plain: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        shake_hands(&mut *plain).map_err(|source| Error::handshake(host, source))?;
        Ok(Box::new(StandIn { plain, info: self.info.clone() }))
    }
}

fn shake_hands(plain: &mut dyn Transport) -> io::Result<()> {
    plain.write_all(CLIENT_HELLO)?;
    plain.flush()?;
    let mut received = Vec::new();
    let mut byte = [0];
    while received != SERVER_HELLO {
        let ended = plain.read(&mut byte)? == 0;
        if !ended {
            received.extend_from_slice(&byte);
        } else if SERVER_HELLO.starts_with(&received) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let enough = ended || byte == *b"\n" || received.len() >= 512;
        if enough && !SERVER_HELLO.starts_with(&received) {
            let text = received.escape_ascii();
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("plain text where TLS was due: `{text}`")));
        }
    }
    Ok(())
}

/// What the handshake returns: passes everything through.
struct StandIn {
    plain: Box<dyn Transport>,
    info: TlsInfo,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("plain", &self.plain).finish_non_exhaustive()
    }
}

impl Read for StandIn {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.plain.read(buf)
    }
}

impl Write for StandIn {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.plain.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.plain.flush()
    }
}

impl Transport for StandIn {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.plain.set_deadline(deadline)
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(&*self.plain)
    }

    fn tls(&self) -> Option<&TlsInfo> {
        Some(&self.info)
    }

    fn close(&mut self) -> io::Result<()> {
        self.plain.close()
    }
}
