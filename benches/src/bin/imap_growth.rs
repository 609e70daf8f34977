//! Reads an answer of a given shape and size, from memory, so that its instructions can be counted:
//!
//!   cargo build --release --manifest-path benches/Cargo.toml --bin imap_growth
//!   valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/imap_growth line 64
//!
//! `benches/imap-growth` does so for all shapes and for sizes up to 64 MiB, and wants that twice the size takes at most
//! 2.1 times the instructions.

use std::io::{self, Read, Write};

use mailconnect::imap::{Imap, Item};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, ImapClient, Limits, Security};

const GREETING: &[u8] = b"* OK\r\n";

/// What stands once at the start, again and again in between, and once at the end.
struct Shape {
    name: &'static str,
    start: &'static [u8],
    piece: &'static [u8],
    end: &'static [u8],
    /// Bytes that a read gives; 0 for all that fits.
    at_once: usize,
}

const SHAPES: &[Shape] = &[
    Shape { name: "line", start: b"* X ", piece: b"a long line, ", end: b"\r\n", at_once: 0 },
    Shape { name: "bytes", start: b"* X ", piece: b"one byte a read, ", end: b"\r\n", at_once: 1 },
    Shape { name: "lines", start: b"", piece: b"* OK a line of many\r\n", end: b"", at_once: 0 },
    Shape { name: "literals", start: b"* 1 FETCH (X (", piece: b"{3}\r\nabc ", end: b"))\r\n", at_once: 0 },
    Shape { name: "untagged", start: b"", piece: b"* 1 FETCH (FLAGS (\\Seen) UID 5)\r\n", end: b"", at_once: 0 },
    Shape {
        name: "metadata",
        start: b"",
        piece: b"* 1 FETCH (FLAGS (\\Seen $Forwarded) UID 5 RFC822.SIZE 4827 ENVELOPE (\"Wed, 17 Jul 2024 02:23:25 -0700\" \
                 \"Re: [list] The minutes of the meeting, with what was said\" ((\"Terry Gray\" NIL \"gray\" \"cac.example\")) \
                 ((\"Terry Gray\" NIL \"gray\" \"cac.example\")) ((\"Terry Gray\" NIL \"gray\" \"cac.example\")) ((NIL NIL \
                 \"imap\" \"lists.example.com\")) NIL NIL NIL \"<B27397-1@example.com>\") BODYSTRUCTURE ((\"text\" \"plain\" \
                 (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 2034 50 NIL NIL NIL NIL)(\"application\" \"pdf\" (\"name\" \
                 \"minutes.pdf\") NIL NIL \"base64\" 52344 NIL (\"attachment\" (\"filename\" \"minutes.pdf\")) NIL NIL) \
                 \"mixed\" (\"boundary\" \"=_mixed_1\") NIL NIL NIL))\r\n",
        end: b"",
        at_once: 0,
    },
    Shape {
        name: "structure",
        start: b"* 1 FETCH (BODYSTRUCTURE (",
        piece: b"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1)",
        end: b" \"mixed\"))\r\n",
        at_once: 0,
    },
    Shape { name: "nested", start: b"* 1 FETCH (X ", piece: b"(", end: b"\r\n", at_once: 0 },
    Shape { name: "quotes", start: b"* 1 FETCH (X (", piece: b"\"\\\"\" ", end: b"))\r\n", at_once: 0 },
    Shape { name: "body", start: b"* 1 FETCH (BODY[] {SIZE}\r\n", piece: b"a line of a body\r\n", end: b")\r\n", at_once: 0 },
];

/// A server in memory that makes up what it sends while it is read.
struct Feed {
    shape: &'static Shape,
    parts: [Vec<u8>; 3],
    part: usize,
    at: usize,
    left: usize,
    asked: bool,
}

impl Feed {
    fn new(shape: &'static Shape, size: usize) -> Self {
        let pieces = size / shape.piece.len();
        let size = (pieces * shape.piece.len()).to_string();
        let start = String::from_utf8_lossy(shape.start).replace("SIZE", &size);
        let end = [shape.end, b"A1 OK\r\n"].concat();
        // Many pieces at once, so that making them up costs little.
        let batch = (16 << 10) / shape.piece.len();
        let parts = [[GREETING, start.as_bytes()].concat(), shape.piece.repeat(batch), end];
        Self { shape, parts, part: 0, at: 0, left: pieces * shape.piece.len(), asked: false }
    }
}

impl Read for Feed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.part == 0 && self.at == GREETING.len() && !self.asked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.at == self.parts[self.part].len() || (self.part == 1 && self.left == 0) {
            self.at = 0;
            self.part += usize::from(self.part != 1 || self.left == 0);
        }
        let mut rest = self.parts.get(self.part).map_or(&[][..], |part| &part[self.at..]);
        if self.part == 0 && !self.asked {
            rest = &rest[..GREETING.len() - self.at];
        }
        if self.part == 1 {
            rest = &rest[..rest.len().min(self.left)];
        }
        let most = if self.shape.at_once == 0 { buf.len() } else { self.shape.at_once.min(buf.len()) };
        let n = rest.len().min(most);
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        self.left -= if self.part == 1 { n } else { 0 };
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

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let names = || SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>().join(" ");
    let (Some(shape), Some(size)) = (
        arguments.get(1).and_then(|name| SHAPES.iter().find(|shape| shape.name == name)),
        arguments.get(2).and_then(|size| size.parse::<usize>().ok()),
    ) else {
        eprintln!("imap_growth SHAPE MIB; shapes: {}", names());
        std::process::exit(2);
    };
    // Nothing but the reader itself sets a limit here.
    let mut limits = Limits::default();
    (limits.imap_line, limits.collected, limits.tokens) = (usize::MAX, usize::MAX, usize::MAX);
    let connector = Connector::new().limits(limits);
    let feed = Feed::new(shape, size << 20);
    let mut client: ImapClient = connector.over(Imap::new(), feed, "localhost", Security::Plain).expect("a greeting");
    let mut list = client.fetch(1, "ALL").expect("a command");
    let mut seen = 0;
    while let Some(mut message) = list.next_message().expect("a message") {
        while let Some(item) = message.next_item().expect("an item") {
            seen += match item {
                Item::Section(mut section) => section.copy_to(&mut io::sink()).expect("a body"),
                Item::Envelope(envelope) => envelope.from().count() as u64,
                Item::Structure(structure) => structure.parts().filter_map(|part| part.octets()).sum(),
                Item::Other { raw, .. } => raw.len() as u64,
                _ => 1,
            };
        }
    }
    println!("{} {size} MiB: {seen}", shape.name);
}
