//! A socket that only counts, under a clock that is turned by hand; and one real pair of sockets.

use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Instant;

use super::*;

/// Goes on only when it is told to.
#[derive(Debug)]
struct HandTurned(Mutex<Instant>);

impl HandTurned {
    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandTurned {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

/// What a read or write finds.
#[derive(Debug)]
enum Step {
    /// One byte, this much later.
    Byte(Duration),
    Fail(io::Error),
}

/// Waits in virtual time: a read or write with nothing to give turns the clock by the armed time-out.
struct Fake {
    clock: Arc<HandTurned>,
    steps: VecDeque<Step>,
    timeouts: [Option<Duration>; 2],
    nonblocking: bool,
    /// The system calls, without their results.
    calls: Vec<String>,
    fail_restoring: bool,
}

impl Fake {
    fn step(&mut self, direction: Direction) -> io::Result<usize> {
        self.calls.push(format!("{direction:?}").to_lowercase());
        let patience = if self.nonblocking { Some(Duration::ZERO) } else { self.timeouts[direction as usize] };
        let next = match self.steps.front_mut() {
            Some(Step::Fail(_)) => Duration::ZERO,
            Some(Step::Byte(after)) => {
                let due = *after;
                *after = patience.map_or(due, |patience| due.saturating_sub(patience));
                due
            }
            None => Duration::MAX,
        };
        if let Some(patience) = patience.filter(|patience| next > *patience) {
            self.clock.advance(patience);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        assert_ne!(next, Duration::MAX, "it blocks for ever");
        self.clock.advance(next);
        match self.steps.pop_front() {
            Some(Step::Fail(error)) => Err(error),
            _ => Ok(1),
        }
    }

    fn set_timeout(&mut self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO), "zero means for ever");
        self.calls.push(format!("arm {direction:?} {timeout:?}").to_lowercase());
        self.timeouts[direction as usize] = timeout;
        Ok(())
    }
}

impl Read for Fake {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.step(Direction::Read)
    }
}

impl Write for Fake {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.step(Direction::Write)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Fake {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(Direction::Read, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(Direction::Write, timeout)
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        self.calls.push(if nonblocking { "look" } else { "block" }.to_owned());
        if self.fail_restoring && !nonblocking {
            return Err(io::Error::other("cannot block"));
        }
        self.nonblocking = nonblocking;
        Ok(())
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn timed(steps: impl IntoIterator<Item = Step>) -> (Timed<Fake>, Arc<HandTurned>) {
    let clock = Arc::new(HandTurned(Mutex::new(Instant::now())));
    let socket = Fake {
        clock: Arc::clone(&clock),
        steps: steps.into_iter().collect(),
        timeouts: [None; 2],
        // As bad as a caller's socket may come: not blocking.
        nonblocking: true,
        calls: Vec::new(),
        fail_restoring: false,
    };
    (Timed::with_clock(socket, clock.clone()), clock)
}

fn hard(timed: &mut Timed<Fake>, clock: &HandTurned, left: Duration) {
    timed.set_deadline(Deadline::hard(clock.now() + left)).unwrap();
}

fn soft(timed: &mut Timed<Fake>, clock: &HandTurned, left: Duration) {
    timed.set_deadline(Deadline::soft(clock.now() + left)).unwrap();
}

fn read(timed: &mut Timed<Fake>) -> Result<usize, io::ErrorKind> {
    timed.read(&mut [0; 4]).map_err(|error| error.kind())
}

fn calls(timed: &mut Timed<Fake>) -> Vec<String> {
    std::mem::take(&mut timed.socket.calls)
}

#[test]
fn setting_a_deadline_costs_no_call() {
    let (mut timed, clock) = timed([]);
    hard(&mut timed, &clock, SECOND);
    timed.set_deadline(Deadline::NEVER).unwrap();
    assert!(calls(&mut timed).is_empty());
}

#[test]
fn a_bulk_transfer_is_hardly_ever_armed_anew() {
    let pace = Duration::from_micros(10);
    let (mut timed, clock) = timed((0..20_000).map(|_| Step::Byte(pace)));
    hard(&mut timed, &clock, 60 * SECOND);
    for _ in 0..10_000 {
        assert_eq!(read(&mut timed), Ok(1));
        assert_eq!(timed.write(b"x").unwrap(), 1);
    }
    let calls = calls(&mut timed);
    let count = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
    // 0.2 s of virtual time, and a new time-out for each 0.1 s that the old one would overshoot.
    assert_eq!((count("arm read"), count("arm write"), count("block"), count("look")), (2, 2, 1, 0));
    assert_eq!(count("read") + count("write"), 20_000);
}

#[test]
fn a_new_deadline_for_each_command_costs_no_call() {
    let (mut timed, clock) = timed((0..1000).map(|_| Step::Byte(Duration::from_millis(5))));
    for _ in 0..1000 {
        hard(&mut timed, &clock, 60 * SECOND);
        assert_eq!(read(&mut timed), Ok(1));
    }
    assert_eq!(calls(&mut timed).iter().filter(|call| call.starts_with("arm")).count(), 1);
}

#[test]
fn silence_ends_at_a_hard_deadline() {
    let (mut timed, clock) = timed([]);
    let start = clock.now();
    hard(&mut timed, &clock, 5 * SECOND);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::TimedOut));
    assert_eq!(clock.now() - start, 5 * SECOND);
    assert_eq!(calls(&mut timed), ["block", "arm read some(5s)", "read"]);
    hard(&mut timed, &clock, 5 * SECOND);
    assert_eq!(timed.write(b"x").unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(calls(&mut timed), ["arm write some(5s)", "write"]);
}

#[test]
fn a_server_that_drips_cannot_stretch_it() {
    let (mut timed, clock) = timed((0..1000).map(|_| Step::Byte(SECOND)));
    let start = clock.now();
    hard(&mut timed, &clock, 60 * SECOND);
    let mut received = 0;
    let end = loop {
        match read(&mut timed) {
            Ok(n) => received += n,
            Err(kind) => break kind,
        }
    };
    assert_eq!((received, end), (60, io::ErrorKind::TimedOut));
    assert_eq!(clock.now() - start, 60 * SECOND);
}

#[test]
fn a_passed_hard_deadline_does_not_even_look() {
    let (mut timed, clock) = timed([Step::Byte(Duration::ZERO)]);
    hard(&mut timed, &clock, Duration::ZERO);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::TimedOut));
    assert_eq!(timed.write(b"x").unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(calls(&mut timed).is_empty());
}

#[test]
fn after_a_soft_deadline_all_goes_on() {
    let (mut timed, clock) = timed([]);
    soft(&mut timed, &clock, SECOND);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
    assert_eq!(calls(&mut timed), ["block", "arm read some(1s)", "read"], "it waited; it need not look again");
    timed.socket.steps.push_back(Step::Byte(3 * SECOND));
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
    // The short time-out is left armed until it has passed in vain.
    assert_eq!(calls(&mut timed), ["read", "arm read some(59s)", "read"]);
}

/// IDLE looks five times a second, and must neither be late nor wake up more often.
#[test]
fn a_soft_deadline_is_kept_closely_and_waited_for_once() {
    let millis = Duration::from_millis;
    let (mut timed, clock) = timed([Step::Byte(millis(90))]);
    soft(&mut timed, &clock, millis(200));
    let start = clock.now();
    assert_eq!((read(&mut timed), read(&mut timed)), (Ok(1), Err(io::ErrorKind::WouldBlock)));
    assert_eq!(clock.now() - start, millis(200));
    assert_eq!(calls(&mut timed), ["block", "arm read some(200ms)", "read", "arm read some(110ms)", "read"]);
    // A little less or more is armed once for all.
    for left in [199_980, 199_999, 200_000, 199_970] {
        soft(&mut timed, &clock, Duration::from_micros(left));
        let start = clock.now();
        assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
        assert_eq!(clock.now() - start, millis(200));
    }
    assert_eq!(calls(&mut timed), ["arm read some(200ms)", "read", "read", "read", "read"]);
}

#[test]
fn a_passed_soft_deadline_looks_once() {
    let (mut timed, clock) = timed([Step::Byte(Duration::ZERO), Step::Byte(SECOND)]);
    soft(&mut timed, &clock, Duration::ZERO);
    let start = clock.now();
    assert_eq!(read(&mut timed), Ok(1));
    assert_eq!(calls(&mut timed), ["look", "read", "block"]);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
    assert_eq!(calls(&mut timed), ["look", "read", "block"]);
    assert_eq!(clock.now(), start, "a look does not wait");
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
}

#[test]
fn a_look_passes_on_end_of_file_and_errors() {
    let reset = || Step::Fail(io::ErrorKind::ConnectionReset.into());
    let (mut timed, clock) = timed([Step::Fail(io::ErrorKind::Interrupted.into()), reset()]);
    soft(&mut timed, &clock, Duration::ZERO);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::ConnectionReset));
    assert_eq!(calls(&mut timed), ["look", "read", "read", "block"]);
}

#[test]
fn bytes_survive_a_socket_that_cannot_be_put_back() {
    let (mut timed, clock) = timed([Step::Byte(Duration::ZERO), Step::Byte(SECOND)]);
    timed.socket.fail_restoring = true;
    soft(&mut timed, &clock, Duration::ZERO);
    assert_eq!(read(&mut timed), Ok(1));
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::Other), "it must not spin");
    timed.socket.fail_restoring = false;
    assert_eq!(read(&mut timed), Ok(1));
}

#[test]
fn a_shorter_deadline_is_armed_at_once() {
    let (mut timed, clock) = timed([Step::Byte(SECOND)]);
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
    let start = clock.now();
    soft(&mut timed, &clock, Duration::from_millis(250));
    assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
    assert_eq!(clock.now() - start, Duration::from_millis(250));
}

#[test]
fn less_than_a_millisecond_is_not_armed_as_zero() {
    let (mut timed, clock) = timed([]);
    hard(&mut timed, &clock, Duration::from_nanos(1));
    assert_eq!(read(&mut timed), Err(io::ErrorKind::TimedOut));
    assert_eq!(calls(&mut timed), ["block", "arm read some(1ms)", "read"]);
}

#[test]
fn never_disarms() {
    let (mut timed, clock) = timed([Step::Byte(SECOND), Step::Byte(500 * SECOND), Step::Byte(500 * SECOND)]);
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
    calls(&mut timed);
    timed.set_deadline(Deadline::NEVER).unwrap();
    assert_eq!((read(&mut timed), read(&mut timed)), (Ok(1), Ok(1)));
    assert_eq!(calls(&mut timed), ["arm read none", "read", "read"]);
}

#[test]
fn an_interrupted_call_is_done_again() {
    let interrupted = || Step::Fail(io::ErrorKind::Interrupted.into());
    let (mut timed, clock) = timed([interrupted(), interrupted(), Step::Byte(SECOND)]);
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
    assert_eq!(calls(&mut timed), ["block", "arm read some(60s)", "read", "read", "read"]);
}

#[test]
fn a_time_out_of_either_kind_with_time_left_is_waited_out() {
    let early = |kind: io::ErrorKind| Step::Fail(kind.into());
    let steps = [early(io::ErrorKind::TimedOut), early(io::ErrorKind::WouldBlock), Step::Byte(SECOND)];
    let (mut timed, clock) = timed(steps);
    hard(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Ok(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_died_of_silence_is_an_error() {
    const ETIMEDOUT: i32 = 110;
    let dead = io::Error::from_raw_os_error(ETIMEDOUT);
    let (mut timed, clock) = timed([Step::Fail(dead), Step::Byte(Duration::ZERO)]);
    soft(&mut timed, &clock, 60 * SECOND);
    assert_eq!(read(&mut timed), Err(io::ErrorKind::TimedOut));
}

#[test]
fn a_real_socket_keeps_its_deadlines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let mut timed = Timed::new(client);
    assert!(timed.is_local() && timed.peer_addr() == listener.local_addr().ok());
    assert!(format!("{timed:?}").starts_with("Timed { peer: Some(127.0.0.1:"));
    let mut buf = [0; 4];
    let mut read = |timed: &mut Timed<TcpStream>| timed.read(&mut buf).map_err(|error| error.kind());
    let soon = || Instant::now() + Duration::from_millis(20);
    let later = || Instant::now() + 600 * SECOND;

    timed.set_deadline(Deadline::soft(soon())).unwrap();
    assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
    assert_eq!(read(&mut timed), Err(io::ErrorKind::WouldBlock));
    timed.set_deadline(Deadline::hard(later())).unwrap();
    server.write_all(b"abcdefgh").unwrap();
    assert_eq!(read(&mut timed), Ok(4));
    timed.set_deadline(Deadline::soft(Instant::now())).unwrap();
    assert_eq!(read(&mut timed), Ok(4));
    timed.set_deadline(Deadline::hard(soon())).unwrap();
    assert_eq!(read(&mut timed), Err(io::ErrorKind::TimedOut));

    timed.set_deadline(Deadline::hard(later())).unwrap();
    timed.write_all(b"xyz").unwrap();
    timed.flush().unwrap();
    server.read_exact(&mut [0; 3]).unwrap();
    // Nobody reads any more: the buffers fill up, and writing ends at its deadline.
    timed.set_deadline(Deadline::hard(soon())).unwrap();
    let error = timed.write_all(&vec![0; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(server);
    timed.set_deadline(Deadline::NEVER).unwrap();
    assert!(matches!(read(&mut timed), Ok(0) | Err(io::ErrorKind::ConnectionReset)));
}
