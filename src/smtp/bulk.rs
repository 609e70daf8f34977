//! Many messages over one connection, which is kept full: the next envelope rides with the message before it, and with
//! chunking whole messages follow each other without waiting.

use std::iter::FusedIterator;

use super::pipeline::Pipeline;
use super::{Dialect, Message, Outcome, Smtp, Submission};
use crate::{Client, Result};

impl<D: Dialect> Client<Smtp<D>> {
    /// Sends messages one after the other, and tells what became of each, in order.
    ///
    /// Messages are pulled ahead: with DATA by one, with [chunking](Smtp::chunking) as many as the window of 128 commands
    /// and 1 MiB allows. A refused message does not disturb its neighbours. When the connection is lost, the messages under
    /// way get their outcome, and no more are pulled.
    ///
    /// Dropping the iterator in the middle closes the client, unless nothing is under way.
    ///
    /// ```
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
    /// # smtp.login("user", "password")?;
    /// use mailconnect::smtp::{Envelope, Message, Outcome};
    /// let names = ["you@example.com", "refused@example.com", "them@example.com"];
    /// let messages = names.map(|to| {
    ///     let envelope = Envelope::new("me@example.com", [to]).unwrap();
    ///     Message::new(envelope, format!("To: {to}\nSubject: Hello\n\nIt works.\n"))
    /// });
    /// let mut delivered = 0;
    /// for outcome in smtp.send_all(messages) {
    ///     match outcome {
    ///         Outcome::Delivered(_) => delivered += 1,
    ///         Outcome::Refused(report) => println!("refused: {}", report.reply),
    ///         Outcome::NotSent(error) => println!("not sent: {error}"),
    ///         Outcome::Unknown(error) => println!("perhaps sent: {error}"),
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(delivered, 2);
    /// # smtp.quit()
    /// # }
    /// ```
    pub fn send_all<'c, 'm, I>(&'c mut self, messages: I) -> SendAll<'c, 'm, I::IntoIter, D>
    where
        I: IntoIterator<Item = Message<'m>>,
    {
        SendAll { client: self, messages: messages.into_iter(), pipeline: None, quit: false, ended: false }
    }
}

/// Sends messages, and tells what became of each; made by [`Client::send_all`].
#[derive(Debug)]
#[must_use = "nothing is sent before the first outcome is asked for"]
pub struct SendAll<'c, 'm, I, D: Dialect = Submission> {
    client: &'c mut Client<Smtp<D>>,
    messages: I,
    /// None before the first message.
    pipeline: Option<Pipeline<'m>>,
    quit: bool,
    /// No more messages are pulled.
    ended: bool,
}

impl<'m, I: Iterator<Item = Message<'m>>, D: Dialect> SendAll<'_, 'm, I, D> {
    /// QUIT goes with the last message, and the client is closed after it.
    pub fn and_quit(mut self) -> Self {
        self.quit = true;
        self
    }

    /// Starts, or says why that cannot be.
    fn begin(&mut self) -> Result<Pipeline<'m>> {
        self.client.protocol().idle("send_all: in a transaction, end it by data or rset")?;
        self.client.exchange(|smtp, wire| {
            smtp.session.refused.clear();
            Ok(smtp.pipeline(wire))
        })
    }

    /// Takes messages up while they can ride with what goes out next.
    fn pull(&mut self, pipeline: &mut Pipeline<'m>) -> Result<()> {
        while !self.ended && self.client.proceed(|_, wire| Ok(pipeline.wants_more(wire)))? {
            // Of a connection that takes no more messages only one is told so.
            let full = pipeline.is_full();
            match self.messages.next().map(|message| pipeline.push(message)) {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    pipeline.refuse(error);
                    self.ended |= full;
                }
                None => self.ended = true,
            }
        }
        if self.ended {
            pipeline.end(self.quit);
        }
        Ok(())
    }

    fn step(&mut self, pipeline: &mut Pipeline<'m>) -> Result<()> {
        let ended = &mut self.ended;
        self.client.proceed(|smtp, wire| {
            wire.reserve(false);
            if let Err(error) = pipeline.step(wire) {
                pipeline.fail(error, wire);
                *ended = true;
            }
            smtp.session.mails = pipeline.mails();
            wire.reserve(!pipeline.is_idle());
            Ok(())
        })
    }

    fn advance(&mut self, pipeline: &mut Pipeline<'m>) -> Option<Outcome> {
        loop {
            if let Some(outcome) = pipeline.outcome() {
                return Some(match outcome {
                    Outcome::NotSent(error) => Outcome::NotSent(self.client.clean(error)),
                    Outcome::Unknown(error) => Outcome::Unknown(self.client.clean(error)),
                    outcome => outcome,
                });
            }
            if self.ended && pipeline.is_idle() {
                return None;
            }
            let result = if self.ended { Ok(()) } else { self.pull(pipeline) };
            if let Err(error) = result.and_then(|()| self.step(pipeline)) {
                // Only a client that was closed before fails here.
                self.ended = true;
                pipeline.abandon(error);
            }
        }
    }
}

impl<'m, I: Iterator<Item = Message<'m>>, D: Dialect> Iterator for SendAll<'_, 'm, I, D> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        if self.pipeline.is_none() {
            if self.ended {
                return None;
            }
            match self.begin() {
                Ok(pipeline) => self.pipeline = Some(pipeline),
                Err(error) => {
                    self.ended = true;
                    return self.messages.next().map(|_| Outcome::NotSent(error));
                }
            }
        }
        let mut pipeline = self.pipeline.take()?;
        let outcome = self.advance(&mut pipeline);
        self.pipeline = Some(pipeline);
        outcome
    }
}

impl<'m, I: Iterator<Item = Message<'m>>, D: Dialect> FusedIterator for SendAll<'_, 'm, I, D> {}

impl<I, D: Dialect> Drop for SendAll<'_, '_, I, D> {
    /// A server that waits for a message would take the next command for it.
    fn drop(&mut self) {
        if self.pipeline.as_ref().is_some_and(|pipeline| !pipeline.is_idle()) {
            // A closed client is what is wanted.
            let _ = self.client.proceed(|_, wire| {
                wire.close();
                Ok(())
            });
        }
    }
}
