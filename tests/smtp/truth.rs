//! The truth about deliveries: a server that keeps what it accepted, the connection cut at every octet, and what the client
//! says became of each message held against what the server kept. The server shares no code with the library.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};

use mailconnect::smtp::{Body, Envelope, Message, Outcome, Policy, SendOptions, SendReport, Smtp};
use mailconnect::{Connector, Error, Result, Security, SmtpClient};

use super::server::{End, Kept, Line, Machine, Offer, Record};

/// Runs of the model.
const RUNS: usize = 100_000;
const WORKERS: usize = 4;
const SEED: u64 = 0x5EED_2026;

/// Knuth's linear congruential generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}

/// A message by what becomes of it. Its text names it.
#[derive(Debug, Clone)]
struct Letter {
    number: usize,
    from: String,
    to: Vec<String>,
    text: String,
    all: bool,
    streamed: bool,
}

impl Letter {
    fn random(number: usize, random: &mut Random) -> Self {
        let refused = |refused| if refused { "refused" } else { "user" };
        let to = (0..1 + random.below(3)).map(|n| format!("{}{n}@b.example", refused(random.below(4) == 0))).collect();
        let text = match random.below(5) {
            0 => format!("letter {number}\n.\nREFUSE\n"),
            1 => format!("letter {number}\r\n..\r\nfour lines\r\nin all"),
            _ => format!("letter {number}\n"),
        };
        let from = format!("{}@a.example", refused(random.below(8) == 0));
        Self { number, from, to, text, all: random.below(4) == 0, streamed: random.below(3) == 0 }
    }

    fn message(&self) -> Message<'_> {
        let envelope = Envelope::new(&self.from, &self.to).unwrap();
        let policy = if self.all { Policy::RequireAll } else { Policy::AcceptSome };
        let body = if self.streamed { Body::reader(self.text.as_bytes()) } else { Body::from(&self.text) };
        Message::new(envelope, body).options(SendOptions::new().policy(policy))
    }

    /// What the server must have, if it has it.
    fn data(&self) -> Vec<u8> {
        let text = self.text.replace("\r\n", "\n");
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(&text).split('\n').collect();
        (lines.join("\r\n") + "\r\n").into_bytes()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Single,
    Bulk,
}

#[derive(Debug)]
struct Plan {
    letters: Vec<Letter>,
    chunking: bool,
    pipelining: bool,
    way: Way,
}

impl Plan {
    fn random(random: &mut Random) -> Self {
        let way = if random.below(3) == 0 { Way::Single } else { Way::Bulk };
        let letters = if way == Way::Single { 1 } else { 2 + random.below(3) };
        let letters = (0..letters).map(|number| Letter::random(number, random)).collect();
        Self { letters, chunking: random.below(2) == 0, pipelining: random.below(6) > 0, way }
    }

    fn offer(&self) -> Offer {
        let mut lines = vec!["8BITMIME"];
        lines.extend(self.pipelining.then_some("PIPELINING"));
        lines.extend(self.chunking.then_some("CHUNKING"));
        Offer::new(&lines)
    }

    /// Plays it; the outcomes of all messages that were taken up, and what the server has seen.
    fn play(&self, cut: usize, end: End, half_open: bool) -> (Vec<Claim>, Arc<Mutex<Record>>) {
        let line = Line { cut, end, half_open, ..Line::new(Machine::new(self.offer())) };
        let machine = Arc::clone(&line.machine);
        let record = Arc::clone(&machine.lock().unwrap().record);
        let claims = match open(line, self.chunking) {
            Ok(client) => self.send(client),
            Err(_) => Vec::new(),
        };
        // The server works off what it has received before the end, too.
        machine.lock().unwrap().run();
        (claims, record)
    }

    fn send(&self, mut client: SmtpClient) -> Vec<Claim> {
        match self.way {
            Way::Single => {
                let letter = &self.letters[0];
                let envelope = Envelope::new(&letter.from, &letter.to).unwrap();
                let policy = if letter.all { Policy::RequireAll } else { Policy::AcceptSome };
                vec![Claim::single(client.send_with(&envelope, &letter.text, &SendOptions::new().policy(policy)))]
            }
            Way::Bulk => client.send_all(self.letters.iter().map(Letter::message)).map(Claim::of).collect(),
        }
    }
}

fn open(line: Line, chunking: bool) -> Result<SmtpClient> {
    let smtp = Smtp::new().hello_name("me.example").unwrap().chunking(chunking);
    Connector::new().over(smtp, line, "mx.example", Security::Plain)
}

/// What the client says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    Delivered(Vec<String>),
    Refused,
    NotSent,
    Unknown,
}

impl Claim {
    fn single(result: Result<SendReport>) -> Self {
        match result {
            Ok(report) => Self::delivered(&report),
            Err(Error::Rejected(_)) => Self::Refused,
            Err(error) if error.outcome_unknown() => Self::Unknown,
            Err(_) => Self::NotSent,
        }
    }

    fn delivered(report: &SendReport) -> Self {
        assert!(report.unknown.is_empty() && !report.deliveries.is_empty());
        Self::Delivered(report.accepted.iter().map(|(to, _)| to.clone()).collect())
    }

    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered(report) => Self::delivered(&report),
            Outcome::Refused(report) => {
                assert!(report.accepted.is_empty() && report.deliveries.is_empty());
                Self::Refused
            }
            Outcome::NotSent(error) => {
                assert!(!error.outcome_unknown(), "{error}");
                Self::NotSent
            }
            Outcome::Unknown(error) => {
                assert!(error.outcome_unknown(), "{error}");
                Self::Unknown
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Whether what the client says about a letter can be true.
fn contradiction(letter: &Letter, claim: Option<&Claim>, kept: &[Kept]) -> Option<String> {
    let name = format!("letter {}\r\n", letter.number);
    let found: Vec<_> = kept.iter().filter(|kept| kept.data.starts_with(name.as_bytes())).collect();
    let wrong = match (claim, &found[..]) {
        (Some(Claim::Delivered(to)), [kept]) => {
            kept.to != *to || kept.from != letter.from || kept.data != letter.data()
        }
        (Some(Claim::Delivered(_)), _) => true,
        (Some(Claim::Unknown), [kept]) => kept.data != letter.data(),
        (Some(Claim::Unknown), many) => many.len() > 1,
        (Some(Claim::Refused | Claim::NotSent) | None, found) => !found.is_empty(),
    };
    wrong.then(|| format!("{claim:?} of {letter:?}, and the server has {found:?}"))
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    runs: usize,
    told: BTreeMap<&'static str, usize>,
    ways: BTreeMap<String, usize>,
}

/// Plays one plan, cut at every octet.
fn cut_everywhere(seed: u64, plan: &Plan, end: End, half_open: bool, counts: &mut Counts) {
    let (_, record) = plan.play(usize::MAX, End::Eof, false);
    let whole = record.lock().unwrap().octets;
    for cut in 0..=whole {
        let (claims, record) = plan.play(cut, end, half_open);
        let record = record.lock().unwrap();
        assert!(claims.len() <= plan.letters.len());
        for (number, letter) in plan.letters.iter().enumerate() {
            let wrong = contradiction(letter, claims.get(number), &record.kept);
            let at = || format!("seed {seed:#x}, cut at {cut} of {whole} by {end:?}, half open {half_open}: {plan:?}");
            assert!(wrong.is_none(), "{}\n{}", wrong.unwrap(), at());
        }
        for claim in &claims {
            let name = match claim {
                Claim::Delivered(_) => "delivered",
                Claim::Refused => "refused",
                Claim::NotSent => "not sent",
                Claim::Unknown => "unknown",
            };
            *counts.told.entry(name).or_default() += 1;
        }
        let verb = if plan.chunking { "BDAT" } else { "DATA" };
        *counts.ways.entry(format!("{:?} by {verb}", plan.way)).or_default() += 1;
        counts.runs += 1;
    }
}

#[test]
fn rule_10_what_is_said_of_a_message_is_true_wherever_the_connection_ends() {
    let work = |seed: u64| {
        let (mut random, mut counts) = (Random(seed), Counts::default());
        while counts.runs < RUNS / WORKERS {
            let plan = Plan::random(&mut random);
            let half_open = random.below(2) == 0;
            let end = [End::Eof, End::Reset, End::Silence][random.below(3)];
            cut_everywhere(seed, &plan, end, half_open, &mut counts);
        }
        counts
    };
    let mut all = Counts::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS as u64).map(|worker| scope.spawn(move || work(SEED + worker))).collect();
        for worker in workers {
            let counts = worker.join().unwrap();
            all.runs += counts.runs;
            counts.told.into_iter().for_each(|(name, n)| *all.told.entry(name).or_default() += n);
            counts.ways.into_iter().for_each(|(name, n)| *all.ways.entry(name).or_default() += n);
        }
    });
    let messages: usize = all.told.values().sum();
    println!("seeds from {SEED:#x}: {} runs, {:?}; of {messages} messages {:?}", all.runs, all.ways, all.told);
    assert!(all.runs >= RUNS);
    for name in ["delivered", "refused", "unknown"] {
        assert!(all.told[name] * 20 > messages, "{name}: only {} of {messages}", all.told[name]);
    }
    assert!(all.ways.len() == 4 && all.ways.values().all(|&runs| runs > RUNS / 20), "{:?}", all.ways);
}

/// The judge itself: what it must not let pass.
#[test]
fn a_false_claim_is_seen() {
    let letter = Letter {
        number: 0,
        from: "user@a.example".to_owned(),
        to: vec!["x@b.example".to_owned()],
        text: "letter 0\n".to_owned(),
        all: false,
        streamed: false,
    };
    let kept = Kept { from: letter.from.clone(), to: letter.to.clone(), data: letter.data() };
    let delivered = Claim::Delivered(letter.to.clone());
    let wrong = |claim, kept: &[Kept]| contradiction(&letter, claim, kept).is_some();
    assert!(!wrong(Some(&delivered), from_ref(&kept)) && !wrong(Some(&Claim::Unknown), from_ref(&kept)));
    assert!(!wrong(Some(&Claim::Unknown), &[]) && !wrong(Some(&Claim::Refused), &[]) && !wrong(None, &[]));
    assert!(wrong(Some(&delivered), &[]) && wrong(Some(&delivered), &[kept.clone(), kept.clone()]));
    assert!(wrong(Some(&Claim::Refused), from_ref(&kept)) && wrong(Some(&Claim::NotSent), from_ref(&kept)));
    assert!(wrong(None, from_ref(&kept)));
    let half = Kept { data: b"letter 0\r\n\r\n".to_vec(), ..kept.clone() };
    assert!(wrong(Some(&delivered), from_ref(&half)) && wrong(Some(&Claim::Unknown), &[half]));
    let others = Kept { to: vec!["y@b.example".to_owned()], ..kept };
    assert!(wrong(Some(&delivered), &[others]));
}
