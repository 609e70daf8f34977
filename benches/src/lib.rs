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
}

/// Runs both candidates `rounds` times, in turn, after one round that does not count.
///
/// # Panics
/// If `rounds` is 0.
pub fn pair(rounds: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> Pair {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    time(&mut ours);
    time(&mut theirs);
    let mut rounds: Vec<(Duration, Duration)> = (0..rounds)
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
    let middle = rounds.len() / 2;
    let mut ratios: Vec<f64> = rounds.iter().map(|(ours, theirs)| theirs.as_secs_f64() / ours.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    rounds.sort_by_key(|round| round.0);
    let ours = rounds[middle].0;
    rounds.sort_by_key(|round| round.1);
    Pair { ours, theirs: rounds[middle].1, ratio: ratios[middle] }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ours {:>10.3?}  theirs {:>10.3?}  ratio {:>6.2}", self.ours, self.theirs, self.ratio)
    }
}
