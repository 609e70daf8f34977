//! IDLE (RFC 2177; RFC 9051, 6.3.13): the server tells what is new when it happens. No answer is due while nothing is
//! said, so a cursor that is dropped leaves a client whose next command ends the IDLE first.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Imap;
use super::codec::is_reply_to;
use super::events::Event;
use super::exchange::{Heard, Step};
use super::framer::ResponseFramer;
use super::line::Line;
use crate::wire::{Answer, Part, Ready, Wire};
use crate::{Client, Phase, Result};

const IDLE: &str = "IDLE";

/// How often to look whether [`IdleHandle::done`] was called: every 201 ms, which is less than five times a second, and
/// leaves as much as can be of 250 ms for DONE.
const LOOK: Duration = Duration::from_millis(201);

/// An IDLE is ended and begun again no sooner than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// An IDLE is ended and begun again after 28 min: servers close after 30 (RFC 2177 asks for 29 at most).
const RENEWAL: Duration = Duration::from_secs(28 * 60);

impl Client<Imap> {
    /// Listens for news of the selected mailbox for so long, counted from now: a cursor over events. Events that were not
    /// read yet come first, but none of a mailbox that was open before. It takes less than five wake-ups a second. Over a
    /// transport that has no deadlines, only what the server says can end it.
    ///
    /// A server that is gone without a word is noticed only when the IDLE is ended or [renewed](Idle::renew_every), unless
    /// [`Connector::keepalive`](crate::Connector::keepalive) has TCP ask for it.
    ///
    /// ```
    /// use mailconnect::imap::Event;
    /// use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 IDLE] ready\n\
    /// #      C: A1 IDLE\n\
    /// #      S: + idling\n\
    /// #      S: * 5 EXISTS\n\
    /// #      PAUSE 30s\n\
    /// #      S: * 2 EXPUNGE\n\
    /// #      C: DONE\n\
    /// #      S: A1 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let mut idle = imap.idle(Duration::from_secs(60))?;
    /// while let Some(event) = idle.next_event()? {
    ///     println!("{event:?}");
    ///     if event == Event::Expunge(2) {
    ///         break;
    ///     }
    /// }
    /// idle.done()?; // or drop it: the next command ends it first
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A notifier is a loop: fetch what is new (see [the module](super)), IDLE until an event comes, end it, and again. What
    /// comes between is told by the next IDLE at once. The example `imap_idle` does so, and connects anew where a failure
    /// [may pass](crate::Error::is_transient).
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the server does not offer it;
    /// [`Error::Rejected`](crate::Error::Rejected) if it refuses.
    pub fn idle(&mut self, time: Duration) -> Result<Idle<'_>> {
        let (now, under_way) = self.exchange(|imap, wire| {
            let now = wire.now();
            imap.check(wire, &Line::new(IDLE).needing(IDLE))?;
            Ok((now, imap.begin_idle(wire)?))
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        Ok(Idle { client: self, until: now.checked_add(time), begun: now, renewal: RENEWAL, stop, over: !under_way })
    }
}

/// Listens for news; see [`Client::idle`](crate::Client::idle).
#[must_use = "nothing is read until next_event is called"]
pub struct Idle<'c> {
    client: &'c mut Client<Imap>,
    /// None if that is later than time goes.
    until: Option<Instant>,
    /// When IDLE was last sent.
    begun: Instant,
    renewal: Duration,
    stop: Arc<AtomicBool>,
    over: bool,
}

impl Idle<'_> {
    /// After how long IDLE is ended and begun again, since servers close and routers forget what is silent for long.
    /// Default: 28 min. Behind a router of bad memory, 4 min may be better. Less than 1 s is taken for 1 s.
    pub fn renew_every(mut self, renewal: Duration) -> Self {
        self.renewal = renewal.max(SHORTEST);
        self
    }

    /// What ends it from another thread.
    pub fn handle(&self) -> IdleHandle {
        IdleHandle { stop: Arc::clone(&self.stop) }
    }

    /// Waits for the next event; none once the time is over, [`IdleHandle::done`] was called, or the server has ended it.
    /// The client can be used for something else then. If half a response is there when the time is over, it is not waited
    /// for: the next command ends the IDLE, as if this were dropped. If there were more events than are kept, some are
    /// missing, and `incomplete` of [`Client::events`](crate::Client::events) tells so afterwards.
    ///
    /// # Errors
    /// Those of the connection. A goodbye of the server is [`Error::Rejected`](crate::Error::Rejected).
    pub fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.client.protocol().news.next() {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            self.advance()?;
        }
    }

    /// Ends it. Events that were not read are in [`Client::events`](crate::Client::events).
    ///
    /// # Errors
    /// Those of the connection; [`Error::Rejected`](crate::Error::Rejected) if the server says that it went wrong.
    pub fn done(self) -> Result<()> {
        // The next command may be left to do it even if this is over.
        let ended = self.over && self.client.protocol().idling.is_none();
        if ended { Ok(()) } else { self.client.proceed(end_idle_anew) }
    }

    /// Waits for a while at most, for something to happen.
    fn advance(&mut self) -> Result<()> {
        let Self { client, until, begun, renewal, stop, over } = self;
        // A failure ends it too.
        *over = true;
        *over = client.proceed(|imap, wire| {
            let now = wire.now();
            if stop.load(Ordering::Acquire) {
                return end_idle_anew(imap, wire).map(|()| true);
            }
            if until.is_some_and(|until| until <= now) {
                wire.enter(Phase::Command);
                return imap.end_idle_in_time(wire).map(|()| true);
            }
            let renew_at = begun.checked_add(*renewal);
            if renew_at.is_some_and(|at| at <= now) {
                *begun = now;
                end_idle_anew(imap, wire)?;
                return imap.begin_idle(wire).map(|under_way| !under_way);
            }
            let look = [now.checked_add(LOOK), renew_at, *until].into_iter().flatten().min();
            imap.forget_response(wire);
            imap.idle_step_by(wire, look.unwrap_or(now)).map(|step| matches!(step, Some(Step::Done(_))))
        })?;
        Ok(())
    }
}

impl fmt::Debug for Idle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("until", &self.until).field("over", &self.over).finish_non_exhaustive()
    }
}

/// Ends an IDLE from another thread; see [`Idle::handle`].
#[derive(Debug, Clone)]
pub struct IdleHandle {
    stop: Arc<AtomicBool>,
}

impl IdleHandle {
    /// Ends it within 250 ms and the time that the server takes to answer: [`Idle::next_event`] gives none, and the client
    /// is usable. [`Interrupt`](crate::Interrupt) would close it.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let script = mailconnect::testing::Script::parse(
    /// #     "S: * OK [CAPABILITY IMAP4rev1 IDLE] ready\n\
    /// #      C: A1 IDLE\n\
    /// #      S: + idling\n\
    /// #      C: DONE\n\
    /// #      S: A1 OK done\n\
    /// #      C: A2 NOOP\n\
    /// #      S: A2 OK done",
    /// # )?;
    /// # let transport = script.play().0;
    /// # let connector = mailconnect::Connector::new();
    /// # let plain = mailconnect::Security::Plain;
    /// # let imap = mailconnect::imap::Imap::new();
    /// # let mut imap = connector.over(imap, transport, "localhost", plain)?;
    /// let mut idle = imap.idle(Duration::from_secs(3600))?;
    /// let handle = idle.handle();
    /// let other = std::thread::spawn(move || handle.done());
    /// assert_eq!(idle.next_event()?, None);
    /// other.join().unwrap();
    /// imap.noop()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn done(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Imap {
    /// Sends IDLE and waits for the `+`. False if the server has said OK at once, which ends it.
    fn begin_idle(&mut self, wire: &mut Wire) -> Result<bool> {
        self.begin(wire)?;
        wire.enter(Phase::Command);
        let tag = *self.next_tags(1).start();
        let mut group = wire.group();
        group.put("A").number(tag.into()).put(" IDLE").line();
        group.send()?;
        self.idling = Some(tag);
        loop {
            match self.idle_step(wire)? {
                Step::Continue => return Ok(true),
                Step::Data => {}
                Step::Done(_) => return Ok(false),
            }
        }
    }

    /// Reads one response, whole, and keeps it as an event.
    fn idle_step(&mut self, wire: &mut Wire) -> Result<Step> {
        loop {
            self.expect_news(wire);
            let (rest, part) = self.part(wire)?;
            if let Some(step) = self.take_news(wire, rest, part)? {
                return Ok(step);
            }
        }
    }

    /// The same until then; none if none is whole by that time. What there is of it is kept, and read on by the next step.
    fn idle_step_by(&mut self, wire: &mut Wire, until: Instant) -> Result<Option<Step>> {
        if !is_in_response(wire) && wire.wait(until)? == Ready::Nothing {
            return Ok(None);
        }
        loop {
            self.expect_news(wire);
            let Some((rest, part)) = self.part_by(wire, until)? else { return Ok(None) };
            if let Some(step) = self.take_news(wire, rest, part)? {
                return Ok(Some(step));
            }
        }
    }

    /// Counts anew what is heard, unless it is in the middle of a response.
    fn forget_response(&mut self, wire: &Wire) {
        if !is_in_response(wire) {
            self.heard = Heard::default();
        }
    }

    /// Has a response read, unless it is in the middle of one.
    fn expect_news(&mut self, wire: &mut Wire) {
        if !is_in_response(wire) {
            let framer = ResponseFramer::one_response(self.idling.unwrap_or_default(), wire.limits());
            wire.expect(Answer::new(IDLE, framer.after_done(self.done_sent)).resumable());
        }
    }

    /// Takes a part of a response; none unless that ends it.
    fn take_news(&mut self, wire: &mut Wire, rest: bool, part: Part) -> Result<Option<Step>> {
        if !rest && part == Part::Last && self.idling.is_some_and(|tag| is_reply_to(tag, wire.frame())) {
            let completion = self.completion(wire)?;
            self.idling = None;
            return completion.accept(IDLE).map(Step::Done).map(Some);
        }
        let step = if rest { None } else { self.response(wire)? };
        if let Some(Step::Data) = step {
            self.keep(wire);
        }
        Ok((part == Part::Last).then(|| step.unwrap_or(Step::Data)))
    }

    /// Hears what is there. True if the server has ended the IDLE itself.
    fn hear_idle(&mut self, wire: &mut Wire) -> Result<bool> {
        self.forget_response(wire);
        let now = wire.now();
        // One that floods is heard no further than the queue goes.
        for _ in 0..wire.limits().event_queue {
            match self.idle_step_by(wire, now)? {
                Some(Step::Done(_)) => return Ok(true),
                Some(_) => {}
                None => break,
            }
        }
        Ok(false)
    }

    /// Ends an IDLE, if the server has not done so itself, in the time of the phase. If it is in the middle of a response,
    /// the rest comes first.
    pub(super) fn end_idle(&mut self, wire: &mut Wire) -> Result<()> {
        if self.hear_idle(wire)? { Ok(()) } else { self.say_done(wire) }
    }

    /// The same at the end of its time: in the middle of a response it is left to the next command.
    fn end_idle_in_time(&mut self, wire: &mut Wire) -> Result<()> {
        let ended = self.hear_idle(wire)?;
        if ended || is_in_response(wire) { Ok(()) } else { self.say_done(wire) }
    }

    fn say_done(&mut self, wire: &mut Wire) -> Result<()> {
        let mut group = wire.group();
        group.put("DONE").line();
        group.send()?;
        self.heard = Heard::default();
        let ended = loop {
            match self.idle_step(wire) {
                Ok(Step::Data) => {}
                Ok(Step::Continue) => return Err(wire.malformed("a continuation that nothing has asked for")),
                Ok(Step::Done(_)) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.done_sent = true;
        ended
    }
}

/// Ends an IDLE in the time that a command has.
fn end_idle_anew(imap: &mut Imap, wire: &mut Wire) -> Result<()> {
    wire.enter(Phase::Command);
    imap.end_idle(wire)
}

/// True in the middle of a response: of the answers that are due, IDLE's is there only while it is read.
fn is_in_response(wire: &Wire) -> bool {
    wire.answers_due() > 0
}
