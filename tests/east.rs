//! The 185 transcripts of a hostile server (EAST, "Why TLS Is Better Without STARTTLS"), played against the real clients
//! in two orders: capabilities asked before the upgrade, and the upgrade straight after the greeting. In memory with a
//! stand-in for TLS, on sockets with real TLS, and cut off everywhere.
//!
//! The transcripts are read from `../shared/corpora/east`; without them these tests are ignored.

#[path = "east/corpus.rs"]
mod corpus;
#[path = "east/drive.rs"]
mod drive;
#[path = "east/player.rs"]
mod player;
#[path = "east/stages.rs"]
mod stages;
#[path = "east/verdict.rs"]
mod verdict;

use std::collections::BTreeMap;

use corpus::{Transcript, transcripts};
use drive::Order;
use mailconnect::tls::TlsBackend;
use stages::{Medium, play};

/// How many transcripts there are.
const TRANSCRIPTS: usize = 185;
/// How many of their steps are an attack, by `Transcript::injected`.
const INJECTED: usize = 54;
/// How many sessions go on to the login and the goodbye. The others end in an error, as they must or may.
const WHOLE: [(Order, usize); 2] = [(Order::CapabilitiesFirst, 51), (Order::UpgradeFirst, 38)];

/// The back ends that are compiled in.
fn backends() -> Vec<TlsBackend> {
    let mut backends = Vec::new();
    if cfg!(feature = "rustls") {
        backends.push(TlsBackend::Rustls);
    }
    if cfg!(feature = "native-tls") {
        backends.push(TlsBackend::NativeTls);
    }
    backends
}

/// Plays every transcript in both orders, and prints and asserts the counts.
fn play_all(medium: &Medium) {
    let all = transcripts();
    let injected: usize = all.iter().map(|transcript| transcript.injected().len()).sum();
    assert_eq!((all.len(), injected), (TRANSCRIPTS, INJECTED));
    let mut faults = Vec::new();
    for (order, expected) in WHOLE {
        let (mut unsent, mut whole) = (Vec::new(), 0);
        for transcript in &all {
            let run = play(transcript, order, medium, None);
            if let Err(fault) = verdict::judge(transcript, order, &run) {
                faults.push(format!("{} ({order:?}): {fault}\n{run}", transcript.case));
            }
            whole += usize::from(run.is_whole());
            let steps = transcript.injected().into_iter().filter(|step| !run.log.was_sent(*step));
            unsent.extend(steps.map(|step| format!("{} step {step}", transcript.case)));
        }
        let sent = INJECTED - unsent.len();
        println!("{medium}, {order:?}: {TRANSCRIPTS} transcripts, {sent} of {INJECTED} injected steps sent,");
        println!("  {whole} sessions whole; not sent: {unsent:?}");
        if order == Order::CapabilitiesFirst && !unsent.is_empty() {
            faults.push(format!("never sent: {unsent:?}"));
        }
        if whole != expected {
            faults.push(format!("{order:?}: {whole} sessions were whole, and not {expected}"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
#[ignore = "needs ../shared/corpora"]
fn all_in_memory() {
    play_all(&Medium::Memory);
}

#[test]
#[ignore = "needs ../shared/corpora"]
fn all_on_sockets() {
    for backend in backends() {
        play_all(&Medium::sockets(backend));
    }
}

#[test]
#[ignore = "needs ../shared/corpora"]
fn rule_7_and_12_cut_at_every_byte_in_memory() {
    let mut runs = 0_usize;
    for transcript in &transcripts() {
        for order in Order::ALL {
            let whole = play(transcript, order, &Medium::Memory, None).given;
            for cut in 0..=whole {
                let run = play(transcript, order, &Medium::Memory, Some(cut));
                if let Err(fault) = verdict::judge_cut(transcript, &run) {
                    panic!("{} ({order:?}) cut at {cut}: {fault}\n{run}", transcript.case);
                }
                runs += 1;
            }
        }
    }
    println!("{runs} runs, each cut at another byte");
    assert!(runs > 50_000, "only {runs} runs");
}

/// How many cuts are made with real TLS, for each back end.
const CUTS: usize = 1000;

#[test]
#[ignore = "needs ../shared/corpora"]
fn cut_with_real_tls() {
    let mut all = transcripts();
    // Nothing is sent there before the client gives up.
    all.retain(|transcript| !transcript.begins_with_tls);
    // Half of the cuts are for those that go on inside TLS.
    let reached: Vec<_> = all.iter().filter(|transcript| transcript.tls_reached).cloned().collect();
    for backend in backends() {
        let medium = Medium::sockets(backend);
        let mut lengths = BTreeMap::new();
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for number in 0..CUTS {
            // Each transcript several times, in both orders, each time somewhere else: the golden ratio spreads evenly.
            let pool = if number < CUTS / 2 { &all } else { &reached };
            let transcript = &pool[number % pool.len()];
            let order = Order::ALL[number / pool.len() % 2];
            let measure = || play(transcript, order, &medium, None).given;
            let whole = *lengths.entry((&transcript.case, order)).or_insert_with(measure);
            let cut = spread(number, whole);
            let run = play(transcript, order, &medium, Some(cut));
            if let Err(fault) = verdict::judge_cut(transcript, &run) {
                panic!("{} ({order:?}) cut at {cut} of {whole}: {fault}\n{run}", transcript.case);
            }
            *ends.entry(run.last_success()).or_default() += 1;
        }
        println!("{medium}: {CUTS} cuts; what succeeded last: {ends:?}");
        assert!(ends.len() >= 8, "cuts are not spread: {ends:?}");
    }
}

fn spread(number: usize, whole: usize) -> usize {
    let part = (number as f64 * 0.618_033_988_75).fract();
    (part * (whole + 1) as f64) as usize
}

/// A transcript whose server wants TLS first is no lost case: `connect_ssl` gets in.
#[test]
#[ignore = "needs ../shared/corpora"]
fn the_server_that_begins_with_tls() {
    let all = transcripts();
    let transcripts: Vec<&Transcript> = all.iter().filter(|transcript| transcript.begins_with_tls).collect();
    assert_eq!(transcripts.len(), 1);
    stages::connect_ssl(transcripts[0]);
}
