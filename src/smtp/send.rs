//! One message to its recipients in as few round trips as the server allows: RFC 5321 3.3, RFC 2920. The final dot goes
//! out only after a message that is whole, and never where a recipient could get an empty one.

use super::job::{Habits, Verdict};
use super::pipeline::Pipeline;
use super::{Body, Dialect, Envelope, Message, SendOptions, SendReport, Smtp};
use crate::wire::Wire;
use crate::{Client, Error, Result};

impl<D: Dialect> Client<Smtp<D>> {
    /// Sends a message: `Ok` says that the server has taken it for at least one recipient; look at
    /// [`SendReport::refused`] for the others.
    ///
    /// One round trip for the envelope and one for the message, if the server offers PIPELINING, and one for both with
    /// [chunking](Smtp::chunking); nothing is ever sent twice. The client can send the next message after it, and after a
    /// refusal too.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::Envelope;
    /// let envelope = Envelope::new("me@example.com", ["you@example.com", "refused@example.com"])?;
    /// let report = smtp.send(&envelope, "Subject: Hello\n\nIt works.\n")?;
    /// assert_eq!(report.accepted[0].0, "you@example.com");
    /// assert_eq!(report.refused[0].1.code, 550);
    /// println!("{}", report.reply); // 250 2.0.0 queued as ..
    /// # smtp.quit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`Error::Rejected`]: nobody gets the message. It is the first refusal, of the sender, of a recipient or of the
    ///   message; [`last_refused`](Self::last_refused) has those of all recipients.
    /// - [`Error::InvalidArgument`] before a byte was sent: a NUL in the body, more octets than the server takes, or more
    ///   recipients than it takes at once (LIMITS) where they cannot be split; [`Error::Unsupported`] likewise: a parameter
    ///   that the server does not offer, an address outside ASCII and no SMTPUTF8, more messages than MAILMAX.
    /// - [`Error::WrongState`] in a transaction that [`mail`](Self::mail) has begun.
    /// - [`Error::Caller`] if the body's reader fails. The message was not delivered; the client is closed, unless the
    ///   message went by BDAT.
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
    /// As [`send`](Self::send); under [`LineEnds::Strict`](crate::wire::LineEnds::Strict) also
    /// [`Error::InvalidArgument`] for a bad line end, a line of more than 998 octets, and octets above 127 that the server
    /// does not take.
    pub fn send_with<'b>(
        &mut self,
        envelope: &Envelope,
        body: impl Into<Body<'b>>,
        options: &SendOptions,
    ) -> Result<SendReport> {
        let body = body.into();
        self.send_one(Message::with(envelope, body).options(*options), false)
    }

    /// As [`send`](Self::send), for the last message: QUIT goes with it, which saves its round trip.
    /// Nothing follows it: recipients that the server puts off then are in `not_attempted`.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::{Envelope, SendOptions};
    /// let envelope = Envelope::new("me@example.com", ["you@example.com"])?;
    /// let report = smtp.send_and_quit(&envelope, "Subject: Hello\n\nIt works.\n", &SendOptions::new())?;
    /// # assert_eq!(report.accepted.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_with`](Self::send_with). A goodbye that is lost or refused is none.
    pub fn send_and_quit<'b>(
        mut self,
        envelope: &Envelope,
        body: impl Into<Body<'b>>,
        options: &SendOptions,
    ) -> Result<SendReport> {
        let body = body.into();
        self.send_one(Message::with(envelope, body).options(*options), true)
    }

    fn send_one(&mut self, message: Message<'_>, quit: bool) -> Result<SendReport> {
        self.protocol().idle("send: in a transaction, end it by data or rset")?;
        self.exchange(|smtp, wire| {
            smtp.session.refused.clear();
            let mut pipeline = smtp.pipeline(wire);
            pipeline.push(message)?;
            pipeline.end(quit);
            while !pipeline.is_idle() {
                if let Err(error) = pipeline.step(wire) {
                    pipeline.fail(error, wire);
                }
            }
            smtp.session.mails = pipeline.mails();
            smtp.tell(&mut pipeline, wire)
        })
    }
}

impl<D: Dialect> Smtp<D> {
    /// What sends messages over this connection.
    pub(super) fn pipeline<'m>(&self, wire: &Wire) -> Pipeline<'m> {
        let (secure, chunking) = (wire.is_secure(), self.options.chunking);
        let habits = Habits { secure, chunking, reply_for_each: D::REPLY_FOR_EACH };
        Pipeline::new(&self.session.capabilities, habits, self.session.mails, wire)
    }

    /// The verdict on a single message.
    fn tell(&mut self, pipeline: &mut Pipeline<'_>, wire: &Wire) -> Result<SendReport> {
        match pipeline.verdict() {
            Some(Verdict::Delivered(report)) => {
                self.session.refused.clone_from(&report.refused);
                Ok(report)
            }
            Some(Verdict::Refused(report, command)) => {
                self.session.refused = report.refused;
                let rejection = report.reply.rejection(command).map(|mut rejection| {
                    rejection.closing |= !wire.is_open();
                    rejection
                });
                Err(rejection.map_or(Error::Closed, Error::Rejected))
            }
            Some(Verdict::NotSent(error)) => {
                let mut error = error.unwrap_or_else(|| pipeline.why());
                match &mut error {
                    Error::Caller { closed, .. } => *closed |= !wire.is_open(),
                    Error::InvalidArgument(invalid) => invalid.closed |= !wire.is_open(),
                    _ => {}
                }
                Err(error)
            }
            Some(Verdict::Unknown) => Err(pipeline.lost()),
            None => Err(Error::Closed),
        }
    }
}
