//! A server that is far away, on a clock of its own: what it says arrives one round trip after what was asked. So the
//! clock counts round trips, and nothing waits.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailconnect::pop3::Pop3;
use mailconnect::testing::VirtualClock;
use mailconnect::transport::{Clock, Socket, Timed};
use mailconnect::{Connector, Pop3Client, Security};

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// What the server answers to a line.
pub(crate) type Answers = Box<dyn FnMut(&str) -> Vec<u8> + Send>;

/// How far the client went ahead of the answers, and in how many writes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Most {
    pub(crate) commands: usize,
    pub(crate) octets: usize,
    /// Not ahead: how often it wrote.
    pub(crate) writes: usize,
}

struct Far {
    clock: VirtualClock,
    answers: Answers,
    line: Vec<u8>,
    /// When it arrives, how many octets of it were read, and the length of the command that it answers.
    coming: VecDeque<(Instant, Vec<u8>, usize, usize)>,
    most: Arc<Mutex<Most>>,
}

/// A client of such a server, and what counts.
pub(crate) struct Trips {
    clock: VirtualClock,
    most: Arc<Mutex<Most>>,
}

impl Trips {
    /// Round trips until now.
    pub(crate) fn count(&self) -> u128 {
        self.clock.elapsed().as_millis() / ROUND_TRIP.as_millis()
    }

    pub(crate) fn most(&self) -> Most {
        *self.most.lock().unwrap()
    }
}

pub(crate) fn far_away(answers: Answers) -> (Pop3Client, Trips) {
    let (clock, most) = (VirtualClock::new(), Arc::default());
    let coming = [(clock.now(), b"+OK\r\n".to_vec(), 0, 0)].into();
    let far = Far { clock: clock.clone(), answers, line: Vec::new(), coming, most: Arc::clone(&most) };
    let transport = Timed::with_clock(far, Arc::new(clock.clone()));
    let connector = Connector::new().clock(clock.clone());
    let client = connector.over(Pop3::new(), transport, "mail.example.com", Security::Plain).unwrap();
    (client, Trips { clock, most })
}

impl Read for Far {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some((arrival, bytes, read, _)) = self.coming.front_mut() else {
            panic!("the client reads, and has asked for nothing");
        };
        self.clock.advance(arrival.saturating_duration_since(self.clock.now()));
        let n = (&bytes[*read..]).read(buf)?;
        *read += n;
        if *read == bytes.len() {
            self.coming.pop_front();
        }
        Ok(n)
    }
}

impl Write for Far {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let arrival = self.clock.now() + ROUND_TRIP;
        for &byte in buf {
            self.line.push(byte);
            if byte == b'\n' {
                let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                let answer = (self.answers)(line.trim_end());
                self.coming.push_back((arrival, answer, 0, line.len()));
            }
        }
        let mut most = self.most.lock().unwrap();
        most.writes += 1;
        most.commands = most.commands.max(self.coming.len());
        most.octets = most.octets.max(self.coming.iter().map(|(.., octets)| octets).sum());
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Far {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_nonblocking(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}
