//! What the targets share: a server in memory that answers with what was made up, and a look at all that came of it.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::sync::LazyLock;

use mailconnect::imap::{Imap, Item};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, ImapClient, Protocol, Result, Security};

/// A server in memory. It greets; once anything was sent, it answers, in pieces of `piece` bytes, and then is gone.
#[derive(Debug)]
pub struct Feed {
    greeting: Vec<u8>,
    answer: Vec<u8>,
    at: usize,
    piece: usize,
    asked: bool,
}

impl Read for Feed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let greeted = self.at >= self.greeting.len();
        if greeted && !self.asked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let rest = if greeted { &self.answer[self.at - self.greeting.len()..] } else { &self.greeting[self.at..] };
        let n = rest.len().min(buf.len()).min(self.piece);
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

impl Write for Feed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.asked = true;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Feed {
    fn set_deadline(&mut self, _: Deadline) -> io::Result<()> {
        Ok(())
    }
}

/// A client of such a server.
pub fn client<P: Protocol>(
    protocol: P,
    greeting: &[u8],
    answer: &[u8],
    piece: usize,
) -> Result<mailconnect::Client<P>> {
    static CONNECTOR: LazyLock<Connector> = LazyLock::new(|| Connector::new().danger_plaintext_auth(true));
    let (greeting, answer) = (greeting.to_vec(), answer.to_vec());
    let feed = Feed { greeting, answer, at: 0, piece: piece.max(1), asked: false };
    CONNECTOR.over(protocol, feed, "localhost", Security::Plain)
}

/// A client of IMAP whose first command is answered with this.
pub fn imap(answer: &[u8], piece: usize) -> ImapClient {
    client(Imap::new(), b"* OK\r\n", answer, piece).expect("the greeting is good")
}

/// All that a FETCH gives, in words; and how it ended.
pub fn fetched(answer: &[u8], piece: usize) -> String {
    let mut client = imap(answer, piece);
    let mut all = String::new();
    let end = fetch_into(&mut client, &mut all);
    let _ = write!(all, "{end:?} {:?}", client.events().collect::<Vec<_>>());
    all
}

fn fetch_into(client: &mut ImapClient, all: &mut String) -> Result<()> {
    let mut list = client.fetch(1, "ALL")?;
    while let Some(mut message) = list.next_message()? {
        let _ = write!(all, "message {}: ", message.number());
        while let Some(item) = message.next_item()? {
            let _ = match item {
                Item::Section(mut section) => write!(all, "{} {:?}; ", section.name().to_owned(), section.collect()?),
                Item::Structure(structure) => {
                    for part in structure.parts() {
                        let _ = write!(all, "{part:?} {:?} {:?} ", part.parameters(), part.disposition());
                        let _ = write!(all, "{:?} {:?} {:?} ", part.envelope(), part.lines(), part.location());
                        let _ = write!(all, "{} {} ", part.children().count(), part.extensions().count());
                    }
                    write!(all, "; ")
                }
                item => write!(all, "{item:?}; "),
            };
        }
    }
    Ok(())
}
