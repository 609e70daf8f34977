//! The window of commands that run ahead of their answers, one command for each message. Answers are matched to messages
//! by their order alone. RFC 2449 6.6.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::codec::{BodyFramer, StatusFramer};
use super::{Pop3, accepted};
use crate::wire::{Answer, Group, Wire};
use crate::{Limits, Phase, Result};

/// A command about one message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Retr,
    /// So many lines.
    Top(u32),
    Dele,
    List,
    Uidl,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Retr => "RETR",
            Self::Top(_) => "TOP",
            Self::Dele => "DELE",
            Self::List => "LIST",
            Self::Uidl => "UIDL",
        }
    }

    /// At most 27 octets, so that a full window is less than 4 KiB: it fits in any socket's buffers, and writing it never
    /// waits for a server that waits for us to read.
    fn put(self, group: &mut Group<'_>, number: u32, limits: &Limits) {
        group.put(self.name()).put(" ").number(number.into());
        if let Self::Top(lines) = self {
            group.put(" ").number(lines.into());
        }
        group.end(match self {
            Self::Retr | Self::Top(_) => Answer::new(self.name(), BodyFramer::new(limits)),
            Self::Dele | Self::List | Self::Uidl => Answer::new(self.name(), StatusFramer::new(limits)),
        });
    }
}

/// Message numbers in the order in which they are asked for, as runs: a mailbox of millions is one.
#[derive(Debug, Default)]
pub(super) struct Numbers(VecDeque<RangeInclusive<u32>>);

impl Numbers {
    pub(super) fn push(&mut self, number: u32) {
        match self.0.back_mut() {
            Some(run) if run.end().checked_add(1) == Some(number) => *run = *run.start()..=number,
            _ => self.0.push_back(number..=number),
        }
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut all = Self::default();
        numbers.into_iter().for_each(|number| all.push(number));
        all
    }
}

impl Iterator for Numbers {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            if let Some(number) = self.0.front_mut()?.next() {
                return Some(number);
            }
            self.0.pop_front();
        }
    }
}

/// One command for each of many messages.
#[derive(Debug)]
pub(super) struct Window {
    verb: Verb,
    /// Not asked for yet.
    numbers: Numbers,
    /// Asked for, and not answered yet.
    under_way: VecDeque<u32>,
    answered: Option<u32>,
    pipelining: bool,
}

impl Window {
    /// Sends nothing yet, but perhaps CAPA.
    pub(super) fn open(pop3: &mut Pop3, wire: &mut Wire, verb: Verb, numbers: Numbers) -> Result<Self> {
        let pipelining = pop3.capabilities(wire)?.has("PIPELINING");
        Ok(Self { verb, numbers, under_way: VecDeque::new(), answered: None, pipelining })
    }

    pub(super) fn one(verb: Verb, number: u32) -> Self {
        let numbers = Numbers::from_iter([number]);
        Self { verb, numbers, under_way: VecDeque::new(), answered: None, pipelining: false }
    }

    /// The message whose answer was read last.
    pub(super) fn answered(&self) -> Option<u32> {
        self.answered
    }

    pub(super) fn ask_no_more(&mut self) {
        self.numbers = Numbers::default();
    }

    /// The next message, whose status was `+OK`; none at the end. What is left of a body is skipped.
    pub(super) fn next(&mut self, wire: &mut Wire) -> Result<Option<u32>> {
        self.ask(wire)?;
        let Some(number) = self.under_way.pop_front() else { return Ok(None) };
        self.answered = Some(number);
        // Each command has its own time.
        wire.enter(Phase::Command);
        accepted(wire, self.verb.name())?;
        Ok(Some(number))
    }

    /// Sends more once half of the window is free: in groups, and while the other half is still on its way.
    fn ask(&mut self, wire: &mut Wire) -> Result<()> {
        let room = if self.pipelining {
            wire.room()
        } else {
            wire.body().copy_to(&mut std::io::sink())?;
            1
        };
        if room < wire.answers_due() {
            return Ok(());
        }
        let limits = wire.limits().clone();
        let mut group = wire.group();
        let before = self.under_way.len();
        for number in self.numbers.by_ref().take(room) {
            self.verb.put(&mut group, number, &limits);
            self.under_way.push_back(number);
        }
        if self.under_way.len() > before { group.send() } else { Ok(()) }
    }
}
