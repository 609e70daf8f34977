//! One transaction, from MAIL to the reply to the message: what goes out next, what each reply means for it, and who gets
//! the message in the end. It does no I/O.

use super::{Policy, Reply};

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Mail,
    /// The n-th recipient.
    Rcpt(usize),
    Data,
    /// The message with its dot.
    Body,
    /// The dot alone: the server waits for a message, and nobody would get it.
    Dot,
    /// A part of the message, by BDAT.
    Chunk,
}

/// What a transaction does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Send(Step),
    /// A reply decides.
    Wait,
    /// Nothing more goes out.
    Nothing,
    /// The server waits for a message that must not go, and a dot would deliver an empty one.
    Close,
}

/// What a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Rset,
    Mail,
    Rcpt,
    Data,
    /// A part of the message that is not its last.
    Chunk,
    /// The whole message.
    End,
    Dot,
    Quit,
    /// Nothing that was sent whole: the server has answered in the middle of the message.
    Early,
}

impl Slot {
    /// What errors call it.
    pub(super) fn command(self, chunks: bool) -> &'static str {
        match self {
            Self::Rset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Chunk => "BDAT",
            Self::End | Self::Early if chunks => "BDAT",
            Self::Data | Self::Early => "DATA",
            Self::End => "the end of DATA",
            Self::Dot => ".",
            Self::Quit => "QUIT",
        }
    }
}

/// How a transaction goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// By BDAT.
    pub(super) chunks: bool,
    pub(super) policy: Policy,
    pub(super) pipelining: bool,
    /// LMTP: each recipient that was taken gets a reply to the message.
    pub(super) reply_for_each: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// So many of MAIL and RCPT are out.
    Head(usize),
    /// DATA is out, or the dot alone.
    Asked,
    /// The server waits for the message.
    Go,
    /// Part of the message is out.
    Chunks,
    /// Nothing more goes out.
    Sent,
}

/// What became of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted(Reply),
    Refused(Reply),
    /// The server takes no more of them in this transaction.
    Later,
    Unknown,
    NotTried,
}

/// The least number of recipients that a server must take, RFC 5321 4.5.3.1.8; after that 452 means "later".
const RECIPIENTS_MIN: usize = 100;

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) job: usize,
    /// The recipients, by their number in the envelope.
    pub(super) to: Vec<usize>,
    pub(super) plan: Plan,
    stage: Stage,
    mail: Option<Reply>,
    rcpt: Vec<Reply>,
    accepted: usize,
    /// Of each reply to RCPT: it refuses not this recipient, but any more of them at once.
    deferred: Vec<bool>,
    /// The refusal of DATA or of a part of the message, or a goodbye, and what it answers.
    content: Option<(Slot, Reply)>,
    ends: Vec<Reply>,
    /// Replies that are due.
    unanswered: usize,
    /// The message was sent with its dot: whatever the reply, it ends the transaction.
    dotted: bool,
    /// The message has gone out whole, for all that is known.
    whole: bool,
    /// The message cannot be read.
    aborted: bool,
}

impl Transaction {
    pub(super) fn new(job: usize, to: Vec<usize>, plan: Plan) -> Self {
        Self {
            job,
            to,
            plan,
            stage: Stage::Head(0),
            mail: None,
            rcpt: Vec::new(),
            accepted: 0,
            deferred: Vec::new(),
            content: None,
            ends: Vec::new(),
            unanswered: 0,
            dotted: false,
            whole: false,
            aborted: false,
        }
    }

    // ---- On the way out ----

    /// True if the message, or DATA, goes before the replies to RCPT are known.
    fn is_early(&self) -> bool {
        self.plan.pipelining && (self.plan.policy == Policy::AcceptSome || self.to.len() == 1)
    }

    pub(super) fn next(&self) -> Next {
        match self.stage {
            Stage::Head(_) | Stage::Chunks if self.is_doomed() => Next::Nothing,
            Stage::Head(0) => Next::Send(Step::Mail),
            Stage::Head(n) if n <= self.to.len() => Next::Send(Step::Rcpt(n - 1)),
            Stage::Head(_) if !self.is_early() && self.rcpt.len() < self.to.len() => Next::Wait,
            Stage::Head(_) => Next::Send(if self.plan.chunks { Step::Chunk } else { Step::Data }),
            Stage::Asked => Next::Wait,
            // LMTP has no reply to the dot where nobody was taken, RFC 2033 4.2.
            Stage::Go if self.accepted == 0 && self.plan.reply_for_each => Next::Close,
            Stage::Go if self.accepted == 0 => Next::Send(Step::Dot),
            Stage::Go if self.is_doomed() => Next::Close,
            Stage::Go => Next::Send(Step::Body),
            Stage::Chunks => Next::Send(Step::Chunk),
            Stage::Sent => Next::Nothing,
        }
    }

    /// How many commands can go out one after the other, and whether another transaction may follow at once.
    pub(super) fn sendable(&self) -> (usize, bool) {
        match (self.next(), self.stage) {
            (Next::Nothing, _) => (0, true),
            (Next::Wait | Next::Close, _) => (0, false),
            (_, Stage::Head(n)) if n <= self.to.len() => {
                let early = self.is_early();
                (self.to.len() + 1 - n + usize::from(early), early && self.plan.chunks)
            }
            (_, Stage::Head(_)) => (1, self.plan.chunks),
            (Next::Send(Step::Dot), _) => (1, false),
            _ => (1, true),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.stage != Stage::Head(0)
    }

    /// True if part of the message is out, and more is to follow.
    pub(super) fn is_amid_chunks(&self) -> bool {
        self.stage == Stage::Chunks && self.next() != Next::Nothing
    }

    /// Notes what goes out; `last` of a chunk. Returns what its reply answers.
    pub(super) fn sent(&mut self, step: Step, last: bool) -> Slot {
        let (stage, slot) = match (step, self.stage) {
            (Step::Mail, _) => (Stage::Head(1), Slot::Mail),
            (Step::Rcpt(n), _) => (Stage::Head(n + 2), Slot::Rcpt),
            (Step::Data, _) => (Stage::Asked, Slot::Data),
            (Step::Body, _) => (Stage::Sent, Slot::End),
            // Its reply is read before anything follows.
            (Step::Dot, _) => (Stage::Asked, Slot::Dot),
            (Step::Chunk, _) if last => (Stage::Sent, Slot::End),
            (Step::Chunk, _) => (Stage::Chunks, Slot::Chunk),
        };
        self.stage = stage;
        self.dotted |= step == Step::Body;
        self.unanswered += if slot == Slot::End { self.ends_due() } else { 1 };
        slot
    }

    /// How many replies the whole message gets.
    pub(super) fn ends_due(&self) -> usize {
        if self.plan.reply_for_each { self.accepted } else { 1 }
    }

    /// The message has gone out whole.
    pub(super) fn mark_whole(&mut self) {
        self.whole = true;
    }

    /// The message cannot be read: no more of it goes out.
    pub(super) fn abort(&mut self) {
        self.aborted = true;
    }

    // ---- On the way in ----

    pub(super) fn take(&mut self, slot: Slot, reply: Reply) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if reply.code == 421 && self.content.is_none() && slot != Slot::End {
            self.content = Some((slot, reply.clone()));
        }
        match slot {
            Slot::Mail => self.mail = Some(reply),
            Slot::Rcpt => {
                self.deferred.push(self.is_deferral(&reply));
                self.accepted += usize::from(reply.is_positive());
                self.rcpt.push(reply);
            }
            Slot::Data if reply.code == 354 => self.stage = Stage::Go,
            Slot::Data | Slot::Early => self.refuse(slot, reply),
            Slot::Chunk if !reply.is_positive() => self.refuse(slot, reply),
            Slot::End => self.ends.push(reply),
            Slot::Dot => self.stage = Stage::Sent,
            Slot::Chunk | Slot::Rset | Slot::Quit => {}
        }
    }

    fn refuse(&mut self, slot: Slot, reply: Reply) {
        self.stage = Stage::Sent;
        self.content.get_or_insert((slot, reply));
    }

    /// True once nothing more goes out or comes in.
    pub(super) fn is_over(&self) -> bool {
        self.unanswered == 0 && self.next() == Next::Nothing
    }

    /// True if the server may still be in this transaction once all its replies are there.
    pub(super) fn leaves_open(&self) -> bool {
        match self.stage {
            Stage::Head(0) => false,
            _ if self.dotted => false,
            _ => !self.ends.iter().any(Reply::is_positive),
        }
    }

    /// True if recipients may turn out to be too many for this transaction.
    pub(super) fn may_defer(&self) -> bool {
        let unknown = self.rcpt.len() < self.to.len() && self.to.len() > RECIPIENTS_MIN;
        unknown || self.deferred.contains(&true)
    }

    fn mail_refused(&self) -> bool {
        self.mail.as_ref().is_some_and(|reply| !reply.is_positive())
    }

    fn some_refused(&self) -> bool {
        self.accepted < self.rcpt.len()
    }

    /// True if the message must not go out, or not any further.
    fn is_doomed(&self) -> bool {
        self.aborted
            || self.content.is_some()
            || self.mail_refused()
            || (self.plan.policy == Policy::RequireAll && self.some_refused())
            || (self.rcpt.len() == self.to.len() && self.accepted == 0)
    }

    /// The refusal that the caller is told where nobody gets the message, and what it answers.
    pub(super) fn refusal(&self) -> Option<(Slot, &Reply)> {
        let refused = |reply: &&Reply| !reply.is_positive();
        if self.mail_refused() {
            return self.mail.as_ref().map(|reply| (Slot::Mail, reply));
        }
        if self.accepted == 0 || self.plan.policy == Policy::RequireAll {
            if let Some(reply) = self.rcpt.iter().find(refused) {
                return Some((Slot::Rcpt, reply));
            }
        }
        let content = self.content.as_ref().map(|(slot, reply)| (*slot, reply));
        content.or_else(|| self.ends.iter().find(refused).map(|reply| (Slot::End, reply)))
    }

    /// The reply that took the message.
    pub(super) fn delivery(&self) -> Option<&Reply> {
        self.ends.iter().find(|reply| reply.is_positive())
    }

    /// What became of each recipient, by its number in the envelope. What is still missing was lost.
    pub(super) fn fates(&self) -> Vec<(usize, Fate)> {
        let mut ends = self.ends.iter();
        let for_all = if self.plan.reply_for_each { None } else { self.ends.first() };
        let fate = |(n, &to): (usize, &usize)| {
            let fate = match (self.rcpt.get(n), &self.mail) {
                (_, Some(mail)) if self.mail_refused() && self.accepted == 0 => Fate::Refused(mail.clone()),
                (Some(reply), _) if !reply.is_positive() => {
                    if self.deferred.get(n) == Some(&true) {
                        Fate::Later
                    } else {
                        Fate::Refused(reply.clone())
                    }
                }
                (reply, _) => self.fate(reply, for_all.or_else(|| ends.next())),
            };
            (to, fate)
        };
        self.to.iter().enumerate().map(fate).collect()
    }

    /// Of a recipient that was not refused itself.
    fn fate(&self, reply: Option<&Reply>, end: Option<&Reply>) -> Fate {
        match (end, &self.content) {
            (Some(end), _) if !end.is_positive() => Fate::Refused(end.clone()),
            (Some(end), _) => Fate::Accepted(reply.filter(|_| !self.plan.reply_for_each).unwrap_or(end).clone()),
            (None, _) if self.whole => Fate::Unknown,
            (None, Some((_, reply))) => Fate::Refused(reply.clone()),
            (None, None) => Fate::NotTried,
        }
    }

    /// RFC 5321 4.5.3.1.10. Who asked for all or none gets none.
    fn is_deferral(&self, reply: &Reply) -> bool {
        let says_so = reply.enhanced.is_some_and(|code| code.subject == 5 && code.detail == 3);
        let too_many = reply.code == 452 || (reply.code == 552 && says_so);
        let enough = self.accepted >= RECIPIENTS_MIN || (says_so && self.accepted > 0);
        too_many && enough && self.plan.policy == Policy::AcceptSome
    }
}
