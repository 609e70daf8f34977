//! Tries the addresses of a host side by side; the first to connect wins, and the losers are closed. RFC 8305 section 5.
//! It knows no socket and no name service.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec;

use super::Interrupt;
use super::inbox::{Arrival, Inbox};

/// How a race is run.
#[derive(Debug)]
pub(super) struct Rules {
    /// When all attempts end; none for never.
    pub(super) until: Option<Instant>,
    /// How long an attempt is alone before the next one starts.
    pub(super) stagger: Duration,
    /// How many attempts may run side by side.
    pub(super) at_once: usize,
}

/// Why nobody won.
#[derive(Debug)]
pub(super) enum Lost<A> {
    Interrupted,
    /// Each attempt that was started, in that order, and why it failed.
    Failed(Vec<(A, io::Error)>),
}

/// Connects to the first of `addresses` that answers. `connect` is told how long it may take; it runs on a thread of
/// its own for each address, and what it returns too late is dropped.
pub(super) fn race<A, C>(
    addresses: Vec<A>,
    rules: &Rules,
    interrupt: &Interrupt,
    connect: impl Fn(&A, Duration) -> io::Result<C> + Send + Sync + 'static,
) -> Result<C, Lost<A>>
where
    A: Clone + Send + 'static,
    C: Send + 'static,
{
    let mut race = Race {
        waiting: addresses.into_iter(),
        started: Vec::new(),
        running: 0,
        inbox: Inbox::new(interrupt),
        connect: Arc::new(connect),
    };
    let mut next_start = Instant::now();
    loop {
        let now = Instant::now();
        let left = rules.until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
        let may_start = race.running < rules.at_once && race.waiting.len() > 0;
        if left.is_zero() || (race.running == 0 && !may_start) {
            return Err(Lost::Failed(race.failures()));
        }
        // None runs at the start, after a failure, and if the system had no thread left for the last one.
        if may_start && (next_start <= now || race.running == 0) {
            race.start(left);
            next_start = now + rules.stagger;
            continue;
        }
        let wait = if may_start { left.min(next_start.saturating_duration_since(now)) } else { left };
        match race.inbox.next(wait) {
            Arrival::Result((_, Ok(connection))) => return Ok(connection),
            Arrival::Result((n, Err(error))) => {
                race.fail(n, error);
                next_start = now;
            }
            Arrival::TimedOut => {}
            Arrival::Interrupted => return Err(Lost::Interrupted),
        }
    }
}

type Connect<A, C> = dyn Fn(&A, Duration) -> io::Result<C> + Send + Sync;

struct Race<A, C> {
    waiting: vec::IntoIter<A>,
    /// The addresses that were tried, and why each failed, if it has.
    started: Vec<(A, Option<io::Error>)>,
    running: usize,
    inbox: Inbox<(usize, io::Result<C>)>,
    connect: Arc<Connect<A, C>>,
}

impl<A: Clone + Send + 'static, C: Send + 'static> Race<A, C> {
    fn start(&mut self, left: Duration) {
        let Some(address) = self.waiting.next() else { return };
        let (n, connect, target) = (self.started.len(), Arc::clone(&self.connect), address.clone());
        self.started.push((address, None));
        self.running += 1;
        if let Err(error) = self.inbox.spawn("mailconnect-connect", move || (n, connect(&target, left))) {
            self.fail(n, error);
        }
    }

    fn fail(&mut self, n: usize, error: io::Error) {
        self.running -= 1;
        if let Some((_, failure)) = self.started.get_mut(n) {
            *failure = Some(error);
        }
    }

    /// What came of each attempt; one that still runs is cut off here.
    fn failures(self) -> Vec<(A, io::Error)> {
        let cut_off = || io::ErrorKind::TimedOut.into();
        self.started.into_iter().map(|(address, error)| (address, error.unwrap_or_else(cut_off))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn rules(stagger: Duration, at_once: usize) -> Rules {
        Rules { until: None, stagger, at_once }
    }

    /// A network that answers only when it is told to.
    struct Network {
        started: Receiver<u8>,
        answers: Vec<Option<Sender<io::Result<Connection>>>>,
    }

    /// Says so when it is closed.
    #[derive(Debug)]
    struct Connection(u8, Option<Sender<u8>>);

    impl Drop for Connection {
        fn drop(&mut self) {
            if let Some(closed) = self.1.take() {
                let _ = closed.send(self.0);
            }
        }
    }

    /// Addresses are 0, 1, 2, ...
    fn network(addresses: u8) -> (Network, impl Fn(&u8, Duration) -> io::Result<Connection> + Send + Sync + 'static) {
        let (starting, started) = mpsc::channel();
        let (answers, questions): (Vec<_>, Vec<_>) = (0..addresses).map(|_| mpsc::channel()).unzip();
        let questions: Vec<_> = questions.into_iter().map(Mutex::new).collect();
        let connect = move |address: &u8, _| {
            starting.send(*address).unwrap();
            let answer = questions[usize::from(*address)].lock().unwrap().recv();
            answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        (Network { started, answers: answers.into_iter().map(Some).collect() }, connect)
    }

    impl Network {
        fn answer(&mut self, address: u8, answer: io::Result<Connection>) {
            let sender = self.answers[usize::from(address)].take().unwrap();
            sender.send(answer).unwrap();
        }

        fn wait_for(&self, expected: &[u8]) {
            let mut started: Vec<_> = expected.iter().map(|_| self.started.recv().unwrap()).collect();
            started.sort_unstable();
            assert_eq!(started, expected);
        }
    }

    fn refused() -> io::Result<Connection> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn up(address: u8) -> io::Result<Connection> {
        Ok(Connection(address, None))
    }

    type Outcome = Result<Connection, Lost<u8>>;

    /// Runs a race while `script` plays the network.
    fn run(addresses: u8, rules: Rules, script: impl FnOnce(&mut Network, &Interrupt)) -> Outcome {
        let (mut network, connect) = network(addresses);
        let interrupt = Interrupt::new();
        let handle = interrupt.clone();
        let racing = std::thread::spawn(move || race((0..addresses).collect(), &rules, &handle, connect));
        script(&mut network, &interrupt);
        let outcome = racing.join().unwrap();
        network.answers.clear();
        assert_eq!(network.started.iter().count(), 0, "started without need");
        outcome
    }

    fn kinds(outcome: Outcome) -> Vec<(u8, io::ErrorKind)> {
        match outcome {
            Err(Lost::Failed(failures)) => failures.into_iter().map(|(n, error)| (n, error.kind())).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_is_alone_while_it_is_young() {
        let outcome = run(3, rules(HOUR, 8), |network, _| {
            network.wait_for(&[0]);
            network.answer(0, up(0));
        });
        assert_eq!(outcome.unwrap().0, 0);
    }

    #[test]
    fn a_failure_starts_the_next_at_once() {
        let outcome = run(3, rules(HOUR, 8), |network, _| {
            network.wait_for(&[0]);
            network.answer(0, refused());
            network.wait_for(&[1]);
            network.answer(1, refused());
            network.wait_for(&[2]);
            network.answer(2, up(2));
        });
        assert_eq!(outcome.unwrap().0, 2);
    }

    #[test]
    fn a_dead_first_address_does_not_stop_a_live_second() {
        let outcome = run(2, rules(Duration::from_millis(1), 8), |network, _| {
            network.wait_for(&[0, 1]);
            network.answer(1, up(1));
            // The first never answers at all.
        });
        assert_eq!(outcome.unwrap().0, 1);
    }

    #[test]
    fn a_slow_first_address_may_still_win() {
        let outcome = run(3, rules(Duration::ZERO, 8), |network, _| {
            network.wait_for(&[0, 1, 2]);
            network.answer(2, refused());
            network.answer(0, up(0));
        });
        assert_eq!(outcome.unwrap().0, 0);
    }

    #[test]
    fn a_loser_that_connects_late_is_closed() {
        let (closing, closed) = mpsc::channel();
        let (mut network, connect) = network(2);
        let racing =
            std::thread::spawn(move || race(vec![0, 1], &rules(Duration::ZERO, 8), &Interrupt::new(), connect));
        network.wait_for(&[0, 1]);
        network.answer(1, up(1));
        let winner = racing.join().unwrap().unwrap();
        network.answer(0, Ok(Connection(0, Some(closing))));
        assert_eq!((winner.0, closed.recv()), (1, Ok(0)));
    }

    #[test]
    fn all_failures_are_listed_in_the_order_of_starting() {
        let outcome = run(3, rules(Duration::ZERO, 8), |network, _| {
            network.wait_for(&[0, 1, 2]);
            network.answer(2, refused());
            network.answer(0, Err(io::ErrorKind::HostUnreachable.into()));
            network.answer(1, refused());
        });
        use io::ErrorKind::{ConnectionRefused, HostUnreachable};
        assert_eq!(kinds(outcome), [(0, HostUnreachable), (1, ConnectionRefused), (2, ConnectionRefused)]);
    }

    #[test]
    fn no_more_run_side_by_side_than_allowed() {
        let outcome = run(4, rules(Duration::ZERO, 2), |network, _| {
            network.wait_for(&[0, 1]);
            // Were another one started too early, it would be seen instead of the one that is let in here.
            network.answer(1, refused());
            network.wait_for(&[2]);
            network.answer(0, refused());
            network.wait_for(&[3]);
            network.answer(3, up(3));
        });
        assert_eq!(outcome.unwrap().0, 3);
    }

    /// Runs a race of 0, 1 and 2 in which `refusing` is refused at once and the others never answer, until `expected`
    /// come of it. A busy machine may use up a short time before anything is started; a longer one is tried then.
    fn run_until(expected: &[(u8, io::ErrorKind)], refusing: u8, rules: impl Fn(Duration) -> Rules) {
        let mut outcomes = (5..14).map(|doublings| {
            let (_release, released) = mpsc::channel::<()>();
            let released = Mutex::new(released);
            let connect = move |address: &u8, _| {
                if *address != refusing {
                    let _ = released.lock().unwrap().recv();
                }
                refused()
            };
            kinds(race(vec![0, 1, 2], &rules(Duration::from_millis(1 << doublings)), &Interrupt::new(), connect))
        });
        assert!(outcomes.any(|outcome| outcome == expected));
    }

    #[test]
    fn the_end_cuts_off_what_runs_and_lists_nothing_else() {
        let rules = |time| Rules { until: Some(Instant::now() + time), stagger: HOUR, at_once: 8 };
        run_until(&[(0, io::ErrorKind::ConnectionRefused), (1, io::ErrorKind::TimedOut)], 0, rules);
    }

    #[test]
    fn a_failure_starts_the_next_while_others_run() {
        use io::ErrorKind::{ConnectionRefused, TimedOut};
        // By the stagger alone, 2 would start after the end.
        let rules = |time| Rules { until: Some(Instant::now() + time * 3 / 2), stagger: time, at_once: 8 };
        run_until(&[(0, TimedOut), (1, ConnectionRefused), (2, TimedOut)], 1, rules);
    }

    #[test]
    fn without_time_nothing_is_started() {
        let outcome = run(2, Rules { until: Some(Instant::now()), stagger: HOUR, at_once: 8 }, |_, _| {});
        assert_eq!(kinds(outcome), []);
    }

    #[test]
    fn the_interrupt_ends_connecting() {
        let outcome = run(2, rules(HOUR, 8), |network, interrupt| {
            network.wait_for(&[0]);
            interrupt.interrupt();
        });
        assert!(matches!(outcome, Err(Lost::Interrupted)));
    }
}
