//! What the measurements share: two candidates timed in turn, in one run, and told as a ratio. These machines are noisy,
//! so a single time means nothing.

pub mod smtp_server;

use std::time::{Duration, Instant};

/// What a pair of candidates took: the medians, and the median of the ratios of the rounds.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The median of ours.
    pub ours: Duration,
    /// The median of theirs.
    pub theirs: Duration,
    /// How many times as long as ours theirs took: the median over the rounds, each of which ran both.
    pub ratio: f64,
    /// The same in the time that this thread was on a processor, over all rounds: without what the other side takes. None
    /// where the system does not tell.
    pub busy: Option<f64>,
}

/// For how many nanoseconds this thread has been on a processor.
fn on_processor() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// What one round took: the time, and that on a processor.
type Took = (Duration, Option<u64>);

fn time(work: &mut dyn FnMut()) -> Took {
    let (start, before) = (Instant::now(), on_processor());
    work();
    (start.elapsed(), on_processor().zip(before).map(|(after, before)| after - before))
}

/// Runs both candidates `rounds` times, in turn, after one round that does not count.
///
/// # Panics
/// If `rounds` is 0.
pub fn pair(rounds: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Pair {
    ours();
    theirs();
    let rounds: Vec<(Took, Took)> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let ours = time(&mut ours);
                (ours, time(&mut theirs))
            } else {
                let theirs = time(&mut theirs);
                (time(&mut ours), theirs)
            }
        })
        .collect();
    let median = |all: Vec<Duration>| sorted(all, Duration::cmp)[rounds.len() / 2];
    let ratios = rounds.iter().map(|(ours, theirs)| theirs.0.as_secs_f64() / ours.0.as_secs_f64()).collect();
    let busy = |side: fn(&(Took, Took)) -> Took| rounds.iter().map(|round| side(round).1).sum::<Option<u64>>();
    Pair {
        ours: median(rounds.iter().map(|round| round.0.0).collect()),
        theirs: median(rounds.iter().map(|round| round.1.0).collect()),
        ratio: sorted(ratios, f64::total_cmp)[rounds.len() / 2],
        busy: busy(|round| round.1).zip(busy(|round| round.0)).map(|(theirs, ours)| theirs as f64 / ours as f64),
    }
}

fn sorted<T>(mut all: Vec<T>, by: fn(&T, &T) -> std::cmp::Ordering) -> Vec<T> {
    all.sort_by(by);
    all
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ours {:>10.3?}  theirs {:>10.3?}  ratio {:>6.2}", self.ours, self.theirs, self.ratio)?;
        self.busy.map_or(Ok(()), |busy| write!(f, "  on the processor {busy:>6.2}"))
    }
}
