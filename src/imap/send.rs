//! How commands go out: one tag each, literals that wait for the server's `+` where they must, and groups of commands in
//! one write.

use std::io::BufRead;
use std::ops::RangeInclusive;

use super::exchange::{Heard, Step, nothing};
use super::framer::ResponseFramer;
use super::line::{Line, Piece, name_on_wire, pattern_on_wire};
use super::names::Names;
use super::{Imap, STARTTLS};
use crate::wire::{Answer, BodyOutcome, Group, Wire};
use crate::{Error, Limits, Phase, Result};

/// LITERAL- (RFC 7888, 5) sends up to this without waiting.
const LITERAL_MINUS: u64 = 4096;

/// A message up to this size goes out without waiting, where LITERAL+ allows it: 64 KiB. For a larger one it is worth a
/// round trip to hear first whether the server wants it.
const UNASKED_BODY: u64 = 64 << 10;

impl Imap {
    /// Sends a command whole.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the server refuses it at one of its literals, of which nothing more is sent then.
    pub(super) fn send(&mut self, wire: &mut Wire, line: &Line<'_>) -> Result<()> {
        self.send_with(wire, line, None)
    }

    /// As [`send`](Self::send); the command ends in a body of this size.
    pub(super) fn send_with(
        &mut self,
        wire: &mut Wire,
        line: &Line<'_>,
        body: Option<(&mut dyn BufRead, u64)>,
    ) -> Result<()> {
        self.begin_with(wire, &[line], body.as_ref().map(|&(_, size)| size))?;
        let (tag, names) = (self.next_tags(1), self.names);
        let unasked = self.unasked();
        let waits = |piece: &&Piece<'_>| piece_waits(piece, unasked);
        let body_waits = body.as_ref().is_some_and(|&(_, size)| size > UNASKED_BODY || must_wait(size, unasked));
        // A body is always a part of its own, and the last.
        let mut waiting = line.pieces.iter().filter(waits).count() + usize::from(body.is_some());
        let framer = framer(line.command, tag.clone(), wire.limits()).after_done(self.done_sent);
        let answer = Answer::new(line.command, framer);
        // What is sent in parts changes nothing before its last.
        let mut answer = Some(if line.changes && waiting == 0 { answer.changing() } else { answer });
        let mut group = wire.group();
        group.put("A").number((*tag.start()).into()).put(" ");
        for piece in &line.pieces {
            put(&mut group, piece, names, waits(&piece), &mut answer)?;
            if waits(&piece) {
                group.send()?;
                waiting -= 1;
                self.go_ahead(wire, line, waiting)?;
                group = wire.group();
            }
            put_literal(&mut group, piece);
        }
        let Some((source, size)) = body else {
            end(&mut group, &mut answer);
            group.send()?;
            if line.takes_long() {
                wire.enter(Phase::FinalAnswer);
            }
            return Ok(());
        };
        announce(&mut group, size, body_waits, &mut answer);
        if body_waits {
            group.send()?;
            self.go_ahead(wire, line, 1)?;
            group = wire.group();
        }
        if group.counted(source, size)? == BodyOutcome::Answered {
            drop(group);
            return Err(self.cut_off(wire, line.command));
        }
        group.line().mark_changing();
        match group.send() {
            Err(_) if wire.is_open() => return Err(self.cut_off(wire, line.command)),
            result => result?,
        }
        wire.enter(Phase::FinalAnswer);
        Ok(())
    }

    /// The server hung up before a message was whole: what it has said of that.
    fn cut_off(&mut self, wire: &mut Wire, command: &'static str) -> Error {
        wire.enter(Phase::FinalAnswer);
        match self.finish(wire, command, nothing) {
            Ok(_) => wire.malformed("success before the message was whole"),
            Err(Error::Rejected(mut refusal)) => {
                refusal.closing = true;
                Error::Rejected(refusal)
            }
            Err(error) => error,
        }
    }

    /// Sends commands in one write, and returns their tags. None of them has a literal that waits.
    pub(super) fn send_group(&mut self, wire: &mut Wire, lines: &[&Line<'_>]) -> Result<RangeInclusive<u32>> {
        self.begin_with(wire, lines, None)?;
        let tags = self.next_tags(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let limits = wire.limits().clone();
        let mut group = wire.group();
        for (tag, line) in tags.clone().zip(lines) {
            // Whatever comes late comes before the first answer.
            let late = self.done_sent && tag == *tags.start();
            let framer = framer(line.command, tags.clone(), &limits).after_done(late);
            let answer = Answer::new(line.command, framer);
            let mut answer = Some(if line.changes { answer.changing() } else { answer });
            group.put("A").number(tag.into()).put(" ");
            for piece in &line.pieces {
                put(&mut group, piece, self.names, false, &mut answer)?;
                put_literal(&mut group, piece);
            }
            end(&mut group, &mut answer);
        }
        group.send()?;
        if lines.first().is_some_and(|first| first.takes_long()) {
            wire.enter(Phase::FinalAnswer);
        }
        Ok(tags)
    }

    /// Before these commands, the last of which may end in a body of this size: as [`begin`](Self::begin), and asks for the
    /// capabilities, if they are not known and something hangs on them: how names stand on the wire, and whether a literal
    /// may go out without a wait. Some servers (Exchange) do not tell them after a log-in.
    fn begin_with(&mut self, wire: &mut Wire, lines: &[&Line<'_>], body: Option<u64>) -> Result<()> {
        let names = self.names != Names::Utf8 && lines.iter().any(|line| line.names_a_mailbox());
        let literals = body.is_some_and(|size| size <= UNASKED_BODY) || lines.iter().any(|line| line.has_literal());
        if names || literals {
            self.ask_capabilities(wire)?;
        }
        self.begin(wire)?;
        self.bodies_asked = lines.iter().any(|line| line.asks_for_bodies());
        Ok(())
    }

    /// Asks for the capabilities, unless they are known. With a server that refuses to tell, names go out in UTF-7, and
    /// literals wait; it is not asked again for their sake.
    pub(super) fn ask_capabilities(&mut self, wire: &mut Wire) -> Result<()> {
        if self.will_not_tell {
            return Ok(());
        }
        // Even if LOGOUT is what comes next, a goodbye now is no answer to it.
        let leaving = std::mem::take(&mut self.leaving);
        match self.learn_capabilities(wire).map(drop) {
            Err(Error::Rejected(refusal)) if !refusal.closing => self.will_not_tell = true,
            result => result?,
        }
        self.leaving = leaving;
        Ok(())
    }

    /// Before a command: hears what is new, and forgets the last answer.
    pub(super) fn begin(&mut self, wire: &mut Wire) -> Result<()> {
        if self.left {
            return Err(Error::WrongState("a command after LOGOUT"));
        }
        self.hear(wire)?;
        self.rest = false;
        self.heard = Heard::default();
        Ok(())
    }

    /// So many new tags, in a row.
    pub(super) fn next_tags(&mut self, count: u32) -> RangeInclusive<u32> {
        // They start again at 1 where the numbers end; nothing is on its way then.
        let before = if self.tag.checked_add(count).is_some() { self.tag } else { 0 };
        self.tag = before.saturating_add(count);
        before + 1..=self.tag
    }

    /// Refuses a command that the server cannot do, before a byte of it is sent. Asks for the capabilities, unless they
    /// are known.
    pub(super) fn check(&mut self, wire: &mut Wire, line: &Line<'_>) -> Result<()> {
        let Some(extension) = line.needs else { return Ok(()) };
        if self.learn_capabilities(wire)?.has(extension) {
            return Ok(());
        }
        Err(Error::unsupported(format!("{}: the server does not offer {extension}", line.command)))
    }

    /// True if the command goes out in one piece, without the server's leave for a literal.
    pub(super) fn goes_at_once(&self, line: &Line<'_>) -> bool {
        let unasked = self.unasked();
        !line.pieces.iter().any(|piece| piece_waits(piece, unasked))
    }

    /// Up to which size a literal goes out without the server's leave; none if never.
    fn unasked(&self) -> Option<u64> {
        match self.known() {
            capabilities if capabilities.has("LITERAL+") => Some(u64::MAX),
            capabilities => capabilities.has("LITERAL-").then_some(LITERAL_MINUS),
        }
    }

    /// Waits for the `+` that lets a literal go on; `waiting` more of them follow in this command.
    fn go_ahead(&mut self, wire: &mut Wire, line: &Line<'_>, waiting: usize) -> Result<()> {
        loop {
            match self.step(wire)? {
                Step::Continue => break,
                Step::Data => self.keep(wire),
                Step::Done(completion) => {
                    completion.accept(line.command)?;
                    return Err(wire.malformed("success before the command was whole"));
                }
            }
        }
        if line.changes && waiting == 0 {
            wire.mark_changing();
        }
        Ok(())
    }
}

/// What cuts the answer to a command into responses.
fn framer(command: &str, tags: RangeInclusive<u32>, limits: &Limits) -> ResponseFramer {
    match command {
        STARTTLS => ResponseFramer::strict(tags, limits),
        "SEARCH" | "UID SEARCH" => ResponseFramer::new(tags, limits).long_lines(),
        _ => ResponseFramer::new(tags, limits),
    }
}

/// True if a literal of this size needs the server's leave.
fn must_wait(size: u64, unasked: Option<u64>) -> bool {
    unasked.is_none_or(|most| size > most)
}

fn piece_waits(piece: &Piece<'_>, unasked: Option<u64>) -> bool {
    matches!(piece, Piece::Literal { bytes, .. } if must_wait(bytes.len() as u64, unasked))
}

/// Composes a piece; of a literal, only its announcement.
fn put(group: &mut Group<'_>, piece: &Piece<'_>, names: Names, waits: bool, answer: &mut Option<Answer>) -> Result<()> {
    match piece {
        Piece::Own(text) => _ = group.put(text),
        Piece::Text(argument, text) => _ = group.text(argument, text)?,
        Piece::Name(argument, name) => _ = group.text(argument, &name_on_wire(name, names))?,
        Piece::Pattern(argument, pattern) => _ = group.text(argument, &pattern_on_wire(pattern, names))?,
        Piece::Charset if names == Names::Utf8 => _ = group.put(" "),
        Piece::Charset => _ = group.put(" CHARSET UTF-8 "),
        Piece::Secret(argument, secret) => _ = group.secret(argument, secret)?,
        Piece::Literal { bytes, .. } => announce(group, bytes.len() as u64, waits, answer),
    }
    Ok(())
}

/// Composes what a literal holds; of any other piece, nothing.
fn put_literal(group: &mut Group<'_>, piece: &Piece<'_>) {
    match piece {
        Piece::Literal { bytes, secret: true } => _ = group.secret_bytes(bytes),
        Piece::Literal { bytes, .. } => _ = group.bytes(bytes),
        _ => {}
    }
}

/// Ends a line with the announcement of a literal.
fn announce(group: &mut Group<'_>, size: u64, waits: bool, answer: &mut Option<Answer>) {
    group.put("{").number(size).put(if waits { "}" } else { "+}" });
    end(group, answer);
}

/// Ends a line. With the first one the command's answer is due.
fn end(group: &mut Group<'_>, answer: &mut Option<Answer>) {
    match answer.take() {
        Some(answer) => _ = group.end(answer),
        None => _ = group.line(),
    }
}
