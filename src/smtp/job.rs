//! A message on its way: its lines, its transactions, and what they have come to.

use std::collections::HashSet;

use super::body::stuffer;
use super::chunk::Chunks;
use super::params::{self, Content};
use super::pipeline::OCTETS_MAX;
use super::transaction::{Fate, Plan, Transaction};
use super::{Body, Capabilities, Delivery, Message, Policy, Reply, SendReport};
use crate::{Error, Result};

/// What a message of unknown length is taken for.
const UNKNOWN_SIZE: u64 = 64 << 10;

/// What a connection does with messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) secure: bool,
    /// By BDAT, if the message does not say otherwise.
    pub(super) chunking: bool,
    pub(super) reply_for_each: bool,
}

#[derive(Debug)]
pub(super) struct Job<'m> {
    pub(super) message: Message<'m>,
    /// The parameters of MAIL.
    mail: String,
    /// Those of RCPT, for each recipient.
    rcpt: Vec<String>,
    content: Content,
    pub(super) plan: Plan,
    /// Bytes that can go as they are.
    clean: bool,
    /// How long it is, by guess if that is not known; no more than may be under way, since the caller says it.
    pub(super) octets: u64,
    pub(super) chunks: Option<Chunks>,
    /// The body is at its start.
    fresh: bool,
    /// Transactions that have not come to their end.
    pub(super) open: usize,
    fates: Vec<(usize, Fate)>,
    deliveries: Vec<Delivery>,
    refusal: Option<(&'static str, Reply)>,
    /// Why it was not sent.
    pub(super) error: Option<Error>,
}

/// What became of a message. The errors are told apart from it, since there is one of them for many messages.
#[derive(Debug)]
pub(super) enum Verdict {
    Delivered(SendReport),
    /// With the command that was refused.
    Refused(SendReport, &'static str),
    NotSent(Option<Error>),
    Unknown,
}

impl<'m> Job<'m> {
    /// Looks at all that can be looked at before a byte is sent.
    pub(super) fn new(mut message: Message<'m>, capabilities: &Capabilities, habits: Habits) -> Result<Self> {
        let (envelope, secure) = (&message.envelope, habits.secure);
        let (mail, content) = params::mail(envelope.mail_parameters(), capabilities, envelope.needs_utf8(), secure)?;
        if content.binary && habits.reply_for_each {
            return Err(Error::unsupported("LMTP with BDAT, which BODY=BINARYMIME wants"));
        }
        let size = message.body.check(message.options.line_ends, content)?;
        let mail = params::size(capabilities, size)? + &mail;
        let rcpt = |n| params::rcpt(envelope.rcpt_parameters(n), capabilities, secure);
        let rcpt = (0..envelope.to().len()).map(rcpt).collect::<Result<_>>()?;
        let chunking = message.options.chunking.unwrap_or(habits.chunking) && capabilities.has("CHUNKING");
        let plan = Plan {
            chunks: (chunking && !habits.reply_for_each) || content.binary,
            policy: message.options.policy,
            pipelining: capabilities.has("PIPELINING"),
            reply_for_each: habits.reply_for_each,
        };
        let clean = message.body.bytes().is_some_and(|bytes| size == Some(bytes.len() as u64));
        message.body.start()?;
        Ok(Self {
            message,
            mail,
            rcpt,
            content,
            plan,
            clean,
            octets: size.unwrap_or(UNKNOWN_SIZE).min(OCTETS_MAX),
            chunks: None,
            fresh: true,
            open: 0,
            fates: Vec::new(),
            deliveries: Vec::new(),
            refusal: None,
            error: None,
        })
    }

    // ---- Its lines ----

    pub(super) fn mail_line(&self) -> String {
        format!("MAIL FROM:<{}>{}", self.message.envelope.from(), self.mail)
    }

    /// Of the recipient with this number in the envelope.
    pub(super) fn rcpt_line(&self, to: usize) -> String {
        format!("RCPT TO:<{}>{}", self.address(to), self.rcpt.get(to).map_or("", String::as_str))
    }

    fn address(&self, to: usize) -> &str {
        self.message.envelope.to().get(to).map_or("", String::as_str)
    }

    // ---- Its body ----

    /// Goes to the start of the body, for one more transaction.
    pub(super) fn start(&mut self) -> Result<()> {
        self.chunks = None;
        if !std::mem::take(&mut self.fresh) {
            self.message.body.start()?;
        }
        Ok(())
    }

    /// The body, and what writes it with its dots.
    pub(super) fn dotted(&mut self) -> (&mut Body<'m>, crate::wire::Stuffer) {
        let stuffer = stuffer(self.message.options.line_ends, self.content);
        (&mut self.message.body, stuffer)
    }

    /// Makes the next part of the body; true if it is the last.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let (clean, content, line_ends) = (self.clean, self.content, self.message.options.line_ends);
        let make = || match clean {
            true => Chunks::clean(),
            false => Chunks::new((!content.binary).then(|| stuffer(line_ends, content))),
        };
        self.chunks.get_or_insert_with(make).advance(&mut self.message.body)
    }

    // ---- Its recipients ----

    /// The recipients, in as many transactions as the server wants.
    ///
    /// # Errors
    /// There would be several, and the body can be read only once, or all or none was asked for.
    pub(super) fn split(&self, to: Vec<usize>, capabilities: &Capabilities) -> Result<Vec<Vec<usize>>> {
        let limit = |name| capabilities.limit(name).and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        let (most, domains_most) = (limit("RCPTMAX"), limit("RCPTDOMAINMAX"));
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut domains = HashSet::new();
        for to in to {
            let domain = self.address(to).rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
            let new = !domains.contains(&domain);
            match parts.last_mut() {
                Some(part) if part.len() < most && !(new && domains.len() >= domains_most) => part.push(to),
                _ => {
                    domains.clear();
                    parts.push(vec![to]);
                }
            }
            domains.insert(domain);
        }
        let limits = capabilities.parameter("LIMITS").unwrap_or_default();
        let refuse = |why| {
            Err(Error::invalid("recipients", format!("are more than the server takes at once ({limits}), and {why}")))
        };
        match parts.len() {
            0 | 1 => Ok(parts),
            _ if self.plan.policy == Policy::RequireAll => refuse("all or none was asked for"),
            _ if !self.message.body.can_repeat() => refuse("the body can be read only once"),
            _ => Ok(parts),
        }
    }

    /// Takes up what a transaction has come to. Returns recipients for another one.
    pub(super) fn absorb(&mut self, transaction: &Transaction) -> Vec<usize> {
        self.open = self.open.saturating_sub(1);
        let fates = transaction.fates();
        let took = |(to, fate): &(usize, Fate)| matches!(fate, Fate::Accepted(_)).then(|| self.address(*to).to_owned());
        let to: Vec<String> = fates.iter().filter_map(took).collect();
        if let (Some(reply), false) = (transaction.delivery(), to.is_empty()) {
            self.deliveries.push(Delivery { to, reply: reply.clone() });
        }
        if self.refusal.is_none() {
            let told = transaction.refusal();
            self.refusal = told.map(|(slot, reply)| (slot.command(self.plan.chunks), reply.clone()));
        }
        let delivered = transaction.delivery().is_some();
        let mut later = Vec::new();
        for (to, fate) in fates {
            match fate {
                Fate::Later if delivered && self.message.body.can_repeat() => later.push(to),
                Fate::Later => self.fates.push((to, Fate::NotTried)),
                fate => self.fates.push((to, fate)),
            }
        }
        later
    }

    /// These get no transaction.
    pub(super) fn leave_out(&mut self, to: Vec<usize>) {
        self.fates.extend(to.into_iter().map(|to| (to, Fate::NotTried)));
    }

    // ---- Its end ----

    /// What it has come to, once all its transactions have.
    pub(super) fn verdict(mut self) -> Verdict {
        self.fates.sort_by_key(|(to, _)| *to);
        let (mut accepted, mut refused, mut unknown, mut not_attempted) = (vec![], vec![], vec![], vec![]);
        for (to, fate) in std::mem::take(&mut self.fates) {
            let address = self.address(to).to_owned();
            match fate {
                Fate::Accepted(reply) => accepted.push((address, reply)),
                Fate::Refused(reply) => refused.push((address, reply)),
                Fate::Unknown => unknown.push(address),
                Fate::Later | Fate::NotTried => not_attempted.push(address),
            }
        }
        let reply = self.deliveries.first().map(|delivery| delivery.reply.clone());
        let delivered = !accepted.is_empty();
        let refusal = self.refusal.filter(|_| self.error.is_none() && unknown.is_empty());
        let (reply, command) = match (reply, refusal) {
            (Some(reply), _) if delivered => (reply, ""),
            (_, Some((command, reply))) => (reply, command),
            _ if unknown.is_empty() => return Verdict::NotSent(self.error),
            _ => return Verdict::Unknown,
        };
        let deliveries = self.deliveries;
        let report = SendReport { accepted, refused, unknown, not_attempted, reply, deliveries };
        if delivered { Verdict::Delivered(report) } else { Verdict::Refused(report, command) }
    }
}
