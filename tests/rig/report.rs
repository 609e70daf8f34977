//! Runs the checks of all endpoints on a few threads, says one line for each, and counts.

use std::any::Any;
use std::collections::VecDeque;
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use crate::model::{Endpoint, Rig};

/// Endpoints checked at a time. The checks mostly wait for servers.
const THREADS: usize = 8;

/// Whether an endpoint did as it was expected to; if not, what it did.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// What was checked at one endpoint, in words.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    pub(crate) fn add(&mut self, note: impl Into<String>) {
        self.0.push(note.into());
    }
}

/// How many endpoints passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

/// Checks every endpoint and prints a line for each.
pub(crate) fn run(rig: &Rig, check: impl Fn(&Rig, &Endpoint, &mut Notes) -> Checked + Sync) -> Count {
    let queue: Mutex<VecDeque<&Endpoint>> = Mutex::new(rig.endpoints.iter().collect());
    let count = Mutex::new(Count { passed: 0, failed: 0 });
    let work = || {
        while let Some(endpoint) = next(&queue) {
            let mut notes = Notes::default();
            let result = one(rig, endpoint, &mut notes, &check);
            let mut count = count.lock().unwrap();
            match result {
                Ok(()) => count.passed += 1,
                Err(_) => count.failed += 1,
            }
            println!("{}", line(endpoint, &notes, &result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    count.into_inner().unwrap()
}

/// A function of its own, so that the lock is not held during the check.
fn next<'a>(queue: &Mutex<VecDeque<&'a Endpoint>>) -> Option<&'a Endpoint> {
    queue.lock().unwrap().pop_front()
}

/// Checks one endpoint; a panic in the check is a failure of this endpoint only.
pub(crate) fn one(
    rig: &Rig,
    endpoint: &Endpoint,
    notes: &mut Notes,
    check: &impl Fn(&Rig, &Endpoint, &mut Notes) -> Checked,
) -> Checked {
    catch_unwind(AssertUnwindSafe(|| check(rig, endpoint, notes)))
        .unwrap_or_else(|panic| Err(format!("panicked: {}", message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?")
}

fn line(endpoint: &Endpoint, notes: &Notes, result: &Checked) -> String {
    let Endpoint { name, proto, mode, .. } = endpoint;
    let checked = notes.0.join("; ");
    match result {
        Ok(()) => format!("ok     {name} ({proto}, {mode}): {checked}"),
        Err(why) => format!("FAILED {name} ({proto}, {mode}): {why} [before that: {checked}]"),
    }
}

/// What went wrong and the whole chain of reasons, with the step in front.
pub(crate) trait During<T> {
    fn during(self, step: &str) -> Checked<T>;
}

impl<T> During<T> for mailconnect::Result<T> {
    fn during(self, step: &str) -> Checked<T> {
        self.map_err(|error| format!("{step}: {}", whole(&error)))
    }
}

/// An error with all its sources.
pub(crate) fn whole(error: &mailconnect::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// The error of what had to fail.
pub(crate) fn refused<T>(step: &str, result: mailconnect::Result<T>) -> Checked<mailconnect::Error> {
    result.err().ok_or_else(|| format!("{step}: succeeded, and should have failed"))
}

/// Fails with `why` unless it `holds`.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}
