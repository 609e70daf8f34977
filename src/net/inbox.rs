//! Waits for what other threads do, no longer than a time-out and only until the interrupt. It never joins a thread: one
//! whose result comes too late ends by itself, and its result is dropped.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::{Interrupt, Registration};

/// Where the results of threads arrive.
pub(super) struct Inbox<T> {
    sender: Sender<Option<T>>,
    receiver: Receiver<Option<T>>,
    _registration: Registration,
}

/// What ended a wait.
#[derive(Debug)]
pub(super) enum Arrival<T> {
    Result(T),
    TimedOut,
    Interrupted,
}

impl<T: Send + 'static> Inbox<T> {
    pub(super) fn new(interrupt: &Interrupt) -> Self {
        let (sender, receiver) = mpsc::channel();
        let waker = sender.clone();
        let registration = interrupt.register(Box::new(move || drop(waker.send(None))));
        Self { sender, receiver, _registration: registration }
    }

    /// Does `work` on a thread of its own.
    pub(super) fn spawn(&self, name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
        let sender = self.sender.clone();
        // Nobody may be waiting any more; the result is then dropped here, which closes a socket.
        thread::Builder::new().name(name.to_owned()).spawn(move || drop(sender.send(Some(work()))))?;
        Ok(())
    }

    pub(super) fn next(&self, wait: Duration) -> Arrival<T> {
        match self.receiver.recv_timeout(wait) {
            Ok(Some(result)) => Arrival::Result(result),
            Ok(None) => Arrival::Interrupted,
            // This end holds a sender too, so that it is never disconnected.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Arrival::TimedOut,
        }
    }
}
