//! POP3 against Python's poplib and the Rust crates that work: 2000 messages of 4 KiB, and one of 50 MiB, from one server
//! process, in turn. Prints ratios, and the most memory that ours took.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin pop3 [ROUNDS]
//!
//! Left out: `pop3` 1.0.6 and `pop3-rs` 0.1.0 do not build on a stable compiler of today (OpenSSL 1.0, `syntex`).
//! `async-pop` 1.1.3 takes 44 ms a message, since it sends each command in two writes and leaves Nagle's algorithm on; and
//! it refuses answers above 20 MiB.

mod peers;
mod server;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use mailconnect::Connector;
use mailconnect_benches::{Pair, pair};
use peers::{Place, Poplib, Way};

/// Counts what this process has on its heap. The server and poplib are others.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all of it is the system's allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes at most during `work`, above what there was before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

/// What is fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Small,
    Large,
}

impl Task {
    pub(crate) fn numbers(self) -> RangeInclusive<u32> {
        let large = server::LARGE as u32;
        if self == Self::Small { 1..=large - 1 } else { large..=large }
    }

    fn octets(self) -> u64 {
        let size = if self == Self::Small { server::SMALL_SIZE } else { server::LARGE_SIZE };
        self.numbers().count() as u64 * size as u64
    }

    fn name(self) -> &'static str {
        if self == Self::Small { "2000 x 4 KiB" } else { "1 x 50 MiB" }
    }
}

fn main() {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("serve") {
        return server::run();
    }
    let rounds = argument.map_or(11, |rounds| rounds.parse().expect("the number of rounds"));
    let mut serving = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let place = place(serving.stdout.take().unwrap());
    measure(&place, rounds);
    drop(serving.stdin.take());
    serving.wait().unwrap();
}

fn place(output: impl Read) -> Place {
    let mut lines = BufReader::new(output).lines().map(Result::unwrap);
    let ports = lines.next().unwrap();
    let (plain, tls) = ports.split_once(' ').unwrap();
    // The certificate ends with an empty line.
    let pem = lines.take_while(|line| !line.is_empty()).fold(String::new(), |pem, line| pem + &line + "\n");
    Place { plain: plain.parse().unwrap(), tls: tls.parse().unwrap(), pem }
}

fn measure(place: &Place, rounds: usize) {
    // rust-pop3-client switches on a second provider, and leaves the choice to the process.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let connector = Connector::new().system_roots(false).root_certificates_pem(place.pem.as_bytes()).unwrap();
    let mut poplib = Poplib::start(place);
    for (task, tls) in [(Task::Small, false), (Task::Large, false), (Task::Small, true), (Task::Large, true)] {
        let over = if tls { "TLS" } else { "plain" };
        println!("\n== {}, {over}", task.name());
        let ours = |way| assert_eq!(peers::ours(place, &connector, task, way, tls), task.octets());
        let against = |name: &str, way: Way, their: &mut dyn FnMut()| {
            let pair: Pair = pair(rounds, || ours(way), their);
            println!("{name:<34} {pair}");
        };
        against("poplib", Way::Pipelined, &mut || assert_eq!(poplib.fetch(task, tls).0, task.octets()));
        against("rust-pop3-client", Way::Pipelined, &mut || peers::rust_pop3_client(place, task, tls));
        if !tls {
            against("pop3-client", Way::Pipelined, &mut || peers::pop3_client(place, task));
            if task == Task::Small {
                against("pop3-client, ours not pipelined", Way::Single, &mut || peers::pop3_client(place, task));
            }
            against("pop3-client, ours in memory too", Way::Collected, &mut || peers::pop3_client(place, task));
        }
        let most = peak(|| ours(Way::Pipelined));
        println!("peak heap of ours {} KiB; poplib's process {} KiB", most >> 10, poplib.fetch(task, tls).1);
    }
}
