//! A message to its recipients in as few round trips as the server allows: RFC 5321 3.3, RFC 2920. The final dot goes
//! out only after a message that is whole, and never where a recipient could get an empty one.

use super::commands::{Parameters, accepted, ask_more, exchange, put_rcpt, read};
use super::{Body, Envelope, Reply, ReplyFramer, Smtp};
use crate::wire::{Answer, BodyOutcome, LineEnds, Wire};
use crate::{Client, Error, Phase, Rejection, Result};

/// A long list of recipients is topped up by so many at least, lest each goes out in a write of its own.
const TOP_UP: usize = 32;

/// What to do if some recipients are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// The message goes to all others.
    #[default]
    AcceptSome,
    /// It goes to nobody. With more than one recipient this costs a round trip.
    RequireAll,
}

/// How a message is sent.
///
/// ```
/// use mailconnect::smtp::{Policy, SendOptions};
/// use mailconnect::wire::LineEnds;
/// let signed_and_for_all = SendOptions::new().policy(Policy::RequireAll).line_ends(LineEnds::Strict);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// What to do if some recipients are refused. Default: [`Policy::AcceptSome`].
    pub policy: Policy,
    /// What becomes of line ends. Default: [`LineEnds::Normalize`]; signed messages want [`LineEnds::Strict`].
    pub line_ends: LineEnds,
}

impl SendOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`policy`](Self::policy).
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets [`line_ends`](Self::line_ends).
    #[must_use]
    pub fn line_ends(mut self, line_ends: LineEnds) -> Self {
        self.line_ends = line_ends;
        self
    }
}

/// Who a message was taken for. There is one only if the server took the message for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendReport {
    /// The recipients that the server has taken the message for, in the envelope's order; at least one.
    pub accepted: Vec<String>,
    /// Those that were refused, and how.
    pub refused: Vec<(String, Reply)>,
    /// The reply to the message: `250 2.0.0 Ok: queued as 4XyZ`.
    pub reply: Reply,
}

impl Client<Smtp> {
    /// Sends a message: `Ok` says that the server has taken it for at least one recipient; look at
    /// [`SendReport::refused`] for the others.
    ///
    /// One round trip for the envelope and one for the message, if the server offers PIPELINING; nothing is ever sent
    /// twice. The client can send the next message after it, and after a refusal too.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::Envelope;
    /// let envelope = Envelope::new("me@example.com", ["you@example.com", "refused@example.com"])?;
    /// let report = smtp.send(&envelope, "Subject: Hello\n\nIt works.\n")?;
    /// assert_eq!(report.accepted, ["you@example.com"]);
    /// assert_eq!(report.refused[0].1.code, 550);
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`Error::Rejected`]: nobody gets the message. It is the first refusal, of the sender, of a recipient or of the
    ///   message; [`last_refused`](Self::last_refused) has those of all recipients.
    /// - [`Error::InvalidArgument`] before a byte was sent: a NUL in the body, or more octets than the server takes;
    ///   [`Error::Unsupported`] likewise: an address outside ASCII and no SMTPUTF8.
    /// - [`Error::WrongState`] in a transaction that [`mail`](Self::mail) has begun.
    /// - [`Error::Caller`] if the body's reader fails. The message was not delivered, and the client is closed.
    /// - All others are the connection's. Where [`Error::outcome_unknown`] is true the message was sent whole and the
    ///   reply was lost: it may have been delivered, and sending it again may deliver it twice. Else it was not.
    pub fn send<'b>(&mut self, envelope: &Envelope, body: impl Into<Body<'b>>) -> Result<SendReport> {
        self.send_with(envelope, body, &SendOptions::default())
    }

    /// As [`send`](Self::send), with options.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::{Envelope, Policy, SendOptions};
    /// let envelope = Envelope::new("me@example.com", ["you@example.com", "refused@example.com"])?;
    /// let all_or_none = SendOptions::new().policy(Policy::RequireAll);
    /// assert!(smtp.send_with(&envelope, "Subject: Hello\n\nIt works.\n", &all_or_none).is_err());
    /// assert_eq!(smtp.last_refused()[0].0, "refused@example.com");
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); under [`LineEnds::Strict`] also [`Error::InvalidArgument`] for a bad line end or a line
    /// of more than 998 octets.
    pub fn send_with<'b>(
        &mut self,
        envelope: &Envelope,
        body: impl Into<Body<'b>>,
        options: &SendOptions,
    ) -> Result<SendReport> {
        self.protocol().idle("send: in a transaction, end it by data or rset")?;
        let mut body = body.into();
        let size = body.check(options.line_ends)?;
        self.exchange(|smtp, wire| {
            smtp.session.refused.clear();
            let capabilities = &smtp.session.capabilities;
            let parameters = Parameters::new(capabilities, envelope.needs_utf8(), size)?;
            let mut opening = Opening::new(envelope, parameters, options.policy, capabilities.has("PIPELINING"));
            let result = opening.run(wire);
            let (accepted, refused) = opening.recipients();
            smtp.session.refused.clone_from(&refused);
            result?;
            let reply = transmit(wire, &mut body, options.line_ends)?;
            Ok(SendReport { accepted, refused, reply })
        })
    }
}

/// All that comes before the message: MAIL, RCPT for each recipient, DATA.
struct Opening<'e> {
    envelope: &'e Envelope,
    parameters: Parameters,
    policy: Policy,
    pipelining: bool,
    /// DATA goes out before the replies to RCPT are known.
    early_data: bool,
    sent: usize,
    mail: Option<Reply>,
    rcpt: Vec<Reply>,
    data: Option<Reply>,
}

impl<'e> Opening<'e> {
    fn new(envelope: &'e Envelope, parameters: Parameters, policy: Policy, pipelining: bool) -> Self {
        let early_data = pipelining && (policy == Policy::AcceptSome || envelope.to().len() == 1);
        let (mail, rcpt, data) = (None, Vec::new(), None);
        Self { envelope, parameters, policy, pipelining, early_data, sent: 0, mail, rcpt, data }
    }

    /// `Ok` if the server waits for the message, and it may go out.
    fn run(&mut self, wire: &mut Wire) -> Result<()> {
        self.exchange(wire)?;
        if let Some(refusal) = self.refusal() {
            return Err(self.give_up(wire, refusal));
        }
        if self.data.is_none() {
            ask_more(wire, "DATA", 354)?;
            self.take(wire)?;
        }
        match self.data.as_ref().and_then(|reply| reply.rejection("DATA")) {
            Some(refusal) => Err(self.give_up(wire, refusal)),
            None => Ok(()),
        }
    }

    /// Keeps the window full, and reads a reply to each command that was sent. Once the outcome is known to be a
    /// refusal, nothing more is sent.
    fn exchange(&mut self, wire: &mut Wire) -> Result<()> {
        let all = 1 + self.envelope.to().len() + usize::from(self.early_data);
        loop {
            let left = if self.is_lost() { 0 } else { all - self.sent };
            if left > 0 && self.may_send(wire, left) {
                self.send_some(wire, all)?;
            }
            if wire.answers_due() == 0 {
                return Ok(());
            }
            self.take(wire)?;
            // Each command has its own time.
            wire.enter(Phase::Command);
        }
    }

    fn may_send(&self, wire: &Wire, left: usize) -> bool {
        let room = wire.room();
        wire.answers_due() == 0 || (self.pipelining && room > 0 && room >= left.min(TOP_UP))
    }

    /// Sends as many commands as there is room for, in one write.
    fn send_some(&mut self, wire: &mut Wire, all: usize) -> Result<()> {
        let room = if self.pipelining { wire.room() } else { 1 };
        let framer = ReplyFramer::new(wire.limits());
        let end = all.min(self.sent + room);
        let mut group = wire.group();
        for n in self.sent..end {
            match (n, n.checked_sub(1).and_then(|n| self.envelope.to().get(n))) {
                (0, _) => {
                    self.parameters.put_mail(&mut group, self.envelope.from())?;
                    group.end(Answer::new("MAIL", framer.clone()));
                }
                (_, Some(to)) => {
                    put_rcpt(&mut group, to)?;
                    group.end(Answer::new("RCPT", framer.clone()));
                }
                (_, None) => drop(group.put("DATA").end(Answer::new("DATA", framer.clone().or_more(354)))),
            }
        }
        group.send().map_err(|error| self.or_refusal(error))?;
        self.sent = end;
        Ok(())
    }

    /// Reads the reply that is due next.
    fn take(&mut self, wire: &mut Wire) -> Result<()> {
        let reply = read(wire).map_err(|error| self.or_refusal(error))?;
        let command = match &self.mail {
            None => "MAIL",
            Some(_) if self.rcpt.len() < self.envelope.to().len() => "RCPT",
            Some(_) => "DATA",
        };
        if command == "DATA" && reply.is_positive() {
            return Err(wire.malformed(NOT_A_GO_AHEAD));
        }
        let goodbye = reply.rejection(command).filter(|rejection| rejection.closing);
        match command {
            "MAIL" => self.mail = Some(reply),
            "RCPT" => self.rcpt.push(reply),
            _ => self.data = Some(reply),
        }
        goodbye.map_or(Ok(()), |rejection| Err(Error::Rejected(rejection)))
    }

    /// A server that refuses and hangs up has said why; the end of the connection would hide that.
    fn or_refusal(&self, error: Error) -> Error {
        match (self.refusal(), error) {
            (Some(mut refusal), Error::ConnectionLost(_)) => {
                refusal.closing = true;
                Error::Rejected(refusal)
            }
            (_, error) => error,
        }
    }

    /// True if nobody can get the message any more.
    fn is_lost(&self) -> bool {
        let refused = self.mail.as_ref().is_some_and(|reply| !reply.is_positive());
        refused || (self.policy == Policy::RequireAll && self.rcpt.iter().any(|reply| !reply.is_positive()))
    }

    fn any_accepted(&self) -> bool {
        self.rcpt.iter().any(Reply::is_positive)
    }

    /// The refusal that the caller is told, once it is sure that nobody gets the message.
    fn refusal(&self) -> Option<Box<Rejection>> {
        let all_refused = self.rcpt.len() == self.envelope.to().len() && !self.any_accepted();
        if !self.is_lost() && !all_refused {
            return None;
        }
        let sender = self.mail.as_ref().and_then(|reply| reply.rejection("MAIL"));
        sender.or_else(|| self.rcpt.iter().find_map(|reply| reply.rejection("RCPT")))
    }

    /// Leaves a session that is usable, or a closed one.
    fn give_up(&self, wire: &mut Wire, mut refusal: Box<Rejection>) -> Error {
        // The refusal says more than whatever goes wrong now.
        refusal.closing |= self.clean_up(wire).is_err();
        Error::Rejected(refusal)
    }

    fn clean_up(&self, wire: &mut Wire) -> Result<()> {
        if self.data.as_ref().is_some_and(|reply| reply.code == 354) {
            if self.any_accepted() {
                // A dot would deliver an empty message to them.
                wire.close();
                return Err(Error::Closed);
            }
            match exchange(wire, ".") {
                Err(Error::Rejected(rejection)) if !rejection.closing => {}
                result => drop(result?),
            }
        }
        exchange(wire, "RSET").map(drop)
    }

    fn recipients(&self) -> (Vec<String>, Vec<(String, Reply)>) {
        let both = self.envelope.to().iter().cloned().zip(self.rcpt.iter().cloned());
        let (accepted, refused): (Vec<_>, Vec<_>) = both.partition(|(_, reply)| reply.is_positive());
        (accepted.into_iter().map(|(to, _)| to).collect(), refused)
    }
}

const NOT_A_GO_AHEAD: &str = "neither 354 nor a refusal";

/// 354, and nothing else, lets the message go.
pub(super) fn go_ahead(wire: &mut Wire, reply: &Reply) -> Result<()> {
    match reply.rejection("DATA") {
        Some(rejection) => Err(Error::Rejected(rejection)),
        None if reply.code == 354 => Ok(()),
        None => Err(wire.malformed(NOT_A_GO_AHEAD)),
    }
}

/// Sends the message with its final dot and reads the reply. From the dot on the outcome is unknown until that is there.
pub(super) fn transmit(wire: &mut Wire, body: &mut Body<'_>, line_ends: LineEnds) -> Result<Reply> {
    let framer = ReplyFramer::new(wire.limits());
    let mut group = wire.group();
    match group.dotted(body.source(), line_ends)? {
        BodyOutcome::Complete => {
            group.expect(Answer::new(END, framer).changing());
            group.send()?;
            wire.enter(Phase::FinalAnswer);
            accepted(wire, END)
        }
        BodyOutcome::Answered => {
            drop(group);
            wire.expect(Answer::new("DATA", framer));
            let Some(mut rejection) = read(wire)?.rejection("DATA") else {
                return Err(wire.malformed("no refusal in the middle of a message"));
            };
            // What is left of the message would be taken for commands.
            rejection.closing = true;
            Err(Error::Rejected(rejection))
        }
    }
}

/// What the dot is called in errors.
const END: &str = "the end of DATA";
