//! Messages one after the other: RETR or TOP for each, and the cursor over what comes. RFC 1939 5 and 7, RFC 2449 6.6.

use std::io::{self, BufRead, Read, Write};

use super::Pop3;
use super::window::{Numbers, Verb, Window};
use crate::wire::Body;
use crate::{Client, Phase, Result};

/// # Many messages
/// A refusal of one message costs that message and no more; any other error closes the client, as everywhere. If the
/// server offers PIPELINING, up to 128 commands run ahead of their answers: a thousand messages cost about eight round
/// trips. If it does not, each waits for the one before.
impl Client<Pop3> {
    /// All messages of the mailbox, to be read one after the other while they arrive: LIST, and RETR for each.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let mut all = pop3.retr_all()?;
    /// while let Some(mut message) = all.next_body()? {
    ///     println!("message {}", message.number());
    ///     std::io::copy(&mut message, &mut std::io::stdout())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`list_each`](Self::list_each); those of the messages come from the cursor.
    pub fn retr_all(&mut self) -> Result<Bodies<'_>> {
        let mut numbers = Numbers::default();
        self.list_each(|entry| numbers.push(entry.number))?;
        self.bodies(Verb::Retr, numbers)
    }

    /// As [`retr_all`](Self::retr_all), of the messages with these numbers: RETR for each.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let mut some = pop3.retr_many([2, 7, 1])?;
    /// loop {
    ///     match some.next_body() {
    ///         Ok(Some(mut message)) => println!("{} bytes", message.collect()?.len()),
    ///         Ok(None) => break,
    ///         Err(error) if error.is_fatal() => return Err(error.into()),
    ///         Err(refused) => println!("message {:?}: {refused}", some.number()), // and on to the next
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of CAPA, if that was not asked yet; those of the messages come from the cursor.
    pub fn retr_many(&mut self, numbers: impl IntoIterator<Item = u32>) -> Result<Bodies<'_>> {
        self.bodies(Verb::Retr, numbers.into_iter().collect())
    }

    /// As [`retr_many`](Self::retr_many), with a function that is given each message, or its refusal. The first error of
    /// the function ends it; what it does not read of a message is skipped.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// pop3.retr_each([1, 2, 3], |number, answer| match answer {
    ///     Ok(mut message) => message.copy_to(&mut std::io::stdout()).map(drop),
    ///     Err(refused) => Ok(println!("message {number}: {refused}")),
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the function, and those of the connection.
    pub fn retr_each(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        mut each: impl FnMut(u32, Result<Message<'_>>) -> Result<()>,
    ) -> Result<()> {
        let mut bodies = self.retr_many(numbers)?;
        loop {
            match bodies.next_body() {
                Ok(Some(message)) => each(message.number, Ok(message))?,
                Ok(None) => return Ok(()),
                Err(error) if error.is_fatal() => return Err(error),
                Err(refused) => each(bodies.number().unwrap_or_default(), Err(refused))?,
            }
        }
    }

    /// The headers of these messages and so many lines of each body: TOP for each, which servers need not have.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("Subject: a\r\n\r\none\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let mut headers = pop3.top_many([1], 0)?;
    /// while let Some(mut header) = headers.next_body()? {
    ///     assert_eq!(header.collect()?, b"Subject: a\r\n\r\n");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`retr_many`](Self::retr_many).
    pub fn top_many(&mut self, numbers: impl IntoIterator<Item = u32>, lines: u32) -> Result<Bodies<'_>> {
        self.bodies(Verb::Top(lines), numbers.into_iter().collect())
    }

    fn bodies(&mut self, verb: Verb, numbers: Numbers) -> Result<Bodies<'_>> {
        let window = self.exchange(|pop3, wire| Window::open(pop3, wire, verb, numbers))?;
        Ok(Bodies { client: self, window })
    }
}

/// Goes over the messages that were asked for, in the order of their numbers in the call.
///
/// Left before its end, it leaves a client that is usable: what was asked for already is read away by the next command,
/// which closes if that is more than `limits.drain`. [`finish`](Self::finish) reads it away whatever its size.
#[must_use = "nothing is read until next_body is called, and refusals come from there"]
#[derive(Debug)]
pub struct Bodies<'c> {
    client: &'c mut Client<Pop3>,
    window: Window,
}

impl Bodies<'_> {
    /// The next message; none at the end. What was not read of the one before is skipped.
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected) if the server refuses this message, whose number is
    /// [`number`](Self::number): call again for the next. Those of the connection.
    pub fn next_body(&mut self) -> Result<Option<Message<'_>>> {
        let window = &mut self.window;
        let found = self.client.proceed(|_, wire| {
            let found = window.next(wire)?;
            wire.enter(Phase::Body);
            Ok(found)
        })?;
        Ok(found.map(|number| Message { number, body: self.client.body() }))
    }

    /// The number of the message that was answered last, also if that was a refusal; none before the first.
    pub fn number(&self) -> Option<u32> {
        self.window.answered()
    }

    /// Asks for no more messages, and reads away what is under way: to leave early with a client that goes on, whatever
    /// the size of that.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).message("a\r\n").message("b\r\n").start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// # pop3.login("user", "password")?;
    /// let mut all = pop3.retr_all()?;
    /// if let Some(mut first) = all.next_body()? {
    ///     first.copy_to(&mut std::io::stdout())?;
    /// }
    /// all.finish()?;
    /// pop3.quit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the connection.
    pub fn finish(mut self) -> Result<()> {
        self.window.ask_no_more();
        loop {
            match self.next_body() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// A message that is being received: a [`Body`] with its number.
///
/// A failure of the connection is an [`io::Error`] whose inner error is this crate's [`Error`](crate::Error).
#[derive(Debug)]
pub struct Message<'m> {
    number: u32,
    body: Body<'m>,
}

impl Message<'_> {
    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Copies all that is left to `target` and returns how many bytes that were, see [`Body::copy_to`].
    ///
    /// # Errors
    /// As there.
    pub fn copy_to(&mut self, target: &mut (impl Write + ?Sized)) -> Result<u64> {
        self.body.copy_to(target)
    }

    /// All that is left, in memory, up to `limits.collected`, see [`Body::collect`].
    ///
    /// # Errors
    /// As there.
    pub fn collect(&mut self) -> Result<Vec<u8>> {
        self.body.collect()
    }
}

impl Read for Message<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.body.read(buf)
    }
}

impl BufRead for Message<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.body.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
    }
}
