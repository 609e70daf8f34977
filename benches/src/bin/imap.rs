//! IMAP against the crates `imap` and `async-imap`, in one run: metadata of 20 000 messages to typed values, 2 000 bodies
//! of 20 KiB, and one of 50 MiB to a sink, which a loop of bare reads takes too: what the kernel needs, no client can save.
//! And how much memory ours takes for that one. All talk to the same server in this process, which writes prepared bytes;
//! without TLS, and all with TCP_NODELAY.
//!
//!   cargo run --release --manifest-path benches/Cargo.toml --bin imap

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};
use std::thread;

use futures::TryStreamExt;
use mailconnect::ImapClient;
use mailconnect::imap::{Address, Item};
use mailconnect_benches::{Pair, pair};

const MESSAGES: usize = 20_000;
const BODIES: usize = 2_000;
const BODY: usize = 20 << 10;
const LARGE: usize = 50 << 20;

const METADATA: &str = "(FLAGS UID RFC822.SIZE ENVELOPE BODYSTRUCTURE)";

// ---- What is on the heap, while it is counted ----

struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    if COUNTS.load(Relaxed) {
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
    }
}

// The system's allocator, counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that lay on the heap during `work`, above what lay there before.
fn peak(work: impl FnOnce()) -> isize {
    LIVE.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    work();
    COUNTS.store(false, Relaxed);
    PEAK.load(Relaxed)
}

// ---- The server ----

/// The answers, without the tagged reply.
struct Answers {
    metadata: Vec<u8>,
    bodies: Vec<u8>,
    large: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let mut metadata = String::new();
        for n in 1..=MESSAGES {
            let (uid, size) = (n * 3, 2_000 + n);
            let author = format!("((\"Terry Gray {}\" NIL \"gray.{}\" \"cac.washington.example\"))", n % 700, n % 700);
            let _ = write!(
                metadata,
                "* {n} FETCH (FLAGS (\\Seen $Forwarded NonJunk) UID {uid} RFC822.SIZE {size} ENVELOPE (\"Wed, 17 Jul 2024 \
                 02:23:25 -0700\" \"Re: [list] The minutes of meeting number {n}, with what was said\" {author} {author} \
                 {author} ((NIL NIL \"imap\" \"lists.example.com\")(\"Somebody Else\" NIL \"else\" \"example.org\")) ((NIL NIL \
                 \"minutes\" \"example.net\")) NIL \"<B27396-{n}@example.com>\" \"<B27397-{n}@example.com>\") BODYSTRUCTURE \
                 (((\"text\" \"plain\" (\"charset\" \"utf-8\" \"format\" \"flowed\") NIL NIL \"quoted-printable\" 2034 50 NIL NIL \
                 NIL NIL)(\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"base64\" 5034 80 NIL (\"inline\" NIL) NIL NIL) \
                 \"alternative\" (\"boundary\" \"=_alternative_{n}\") NIL NIL NIL)(\"application\" \"pdf\" (\"name\" \
                 \"minutes {n}.pdf\") \"<part.{n}@example.com>\" NIL \"base64\" 52344 NIL (\"attachment\" (\"filename\" \
                 \"minutes {n}.pdf\")) NIL NIL) \"mixed\" (\"boundary\" \"=_mixed_{n}\") NIL NIL NIL))\r\n"
            );
        }
        let mut bodies = Vec::new();
        for n in 1..=BODIES {
            message(&mut bodies, n, BODY);
        }
        let mut large = Vec::new();
        message(&mut large, 1, LARGE);
        Self { metadata: metadata.into_bytes(), bodies, large }
    }

    fn to(&self, command: &str) -> &[u8] {
        match command {
            _ if command.contains("ENVELOPE") => &self.metadata,
            _ if command.contains("FETCH 1:") => &self.bodies,
            _ if command.contains("FETCH 1 ") => &self.large,
            _ if command.contains("SELECT") => {
                b"* 20000 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1] x\r\n"
            }
            _ if command.contains("CAPABILITY") => b"* CAPABILITY IMAP4rev1\r\n",
            _ => b"",
        }
    }
}

/// A message of so many bytes, in lines.
fn message(answer: &mut Vec<u8>, number: usize, size: usize) {
    answer.extend_from_slice(format!("* {number} FETCH (BODY[] {{{size}}}\r\n").as_bytes());
    let line = b"The quick brown fox jumps over the lazy dog, and over it again, and again..\r\n";
    answer.extend(line.iter().cycle().take(size));
    answer.extend_from_slice(b")\r\n");
}

fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answers = Arc::new(Answers::new());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answers = Arc::clone(&answers);
            // A client that goes away ends its thread.
            thread::spawn(move || stream.and_then(|stream| session(stream, &answers)));
        }
    });
    Ok(address)
}

fn session(stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut output) = (BufReader::new(stream.try_clone()?), stream);
    output.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")?;
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        output.write_all(answers.to(command))?;
        output.write_all(format!("{tag} OK done\r\n").as_bytes())?;
        line.clear();
    }
    Ok(())
}

// ---- Ours ----

fn ours(address: SocketAddr) -> ImapClient {
    let mut client = ImapClient::connect(address).expect("a server");
    client.login("user", "password").expect("a login");
    client.select("INBOX").expect("a mailbox");
    client
}

fn length(text: Option<mailconnect::imap::Text<'_>>) -> usize {
    text.map_or(0, |text| text.as_bytes().len())
}

fn address_length(address: Address<'_>) -> usize {
    length(address.name) + length(address.route) + length(address.mailbox) + length(address.host)
}

/// Reads every value of every message.
fn our_metadata(client: &mut ImapClient) {
    let (mut messages, mut seen) = (0, 0_u64);
    let mut list = client.fetch("1:*", METADATA).expect("an answer");
    while let Some(mut message) = list.next_message().expect("a message") {
        messages += 1;
        while let Some(item) = message.next_item().expect("an item") {
            seen += match item {
                Item::Uid(uid) => uid.into(),
                Item::Size(size) => size,
                Item::Flags(flags) => flags.iter().map(|flag| flag.len() as u64).sum(),
                Item::Envelope(envelope) => {
                    let all = [
                        envelope.from(),
                        envelope.sender(),
                        envelope.reply_to(),
                        envelope.to(),
                        envelope.cc(),
                        envelope.bcc(),
                    ];
                    let texts = length(envelope.date()) + length(envelope.subject()) + length(envelope.in_reply_to());
                    let addresses: usize = all.into_iter().flatten().map(address_length).sum();
                    (texts + addresses + length(envelope.message_id())) as u64
                }
                Item::Structure(structure) => structure.parts().map(|part| part_length(&part)).sum(),
                item => panic!("{item:?}"),
            };
        }
    }
    assert_eq!(messages, MESSAGES);
    black_box(seen);
}

fn part_length(part: &mailconnect::imap::BodyPart<'_>) -> u64 {
    let parameters = |list: mailconnect::imap::Parameters<'_>| -> usize {
        list.iter().map(|(name, value)| name.as_bytes().len() + value.as_bytes().len()).sum()
    };
    let disposition = part.disposition().map_or(0, |found| found.kind.as_bytes().len() + parameters(found.parameters));
    let texts = part.media_type().as_bytes().len() + part.subtype().as_bytes().len() + length(part.encoding());
    let all = texts + disposition + parameters(part.parameters()) + length(part.id()) + length(part.description());
    all as u64 + part.octets().unwrap_or_default() + part.lines().unwrap_or_default()
}

fn our_bodies(client: &mut ImapClient, set: &str, total: usize) {
    let mut read = 0;
    let mut list = client.fetch(set, "(BODY.PEEK[])").expect("an answer");
    while let Some(mut message) = list.next_message().expect("a message") {
        while let Some(item) = message.next_item().expect("an item") {
            if let Item::Section(mut section) = item {
                read += section.copy_to(&mut io::sink()).expect("a body");
            }
        }
    }
    assert_eq!(read, total as u64);
}

// ---- No client at all: what the kernel takes ----

/// The same bytes by a loop of reads, none of which is looked at.
fn bare_body(stream: &mut TcpStream) {
    stream.write_all(b"A1 FETCH 1 (BODY.PEEK[])\r\n").expect("a server");
    let around = format!("* 1 FETCH (BODY[] {{{LARGE}}}\r\n)\r\nA1 OK done\r\n").len();
    let (mut block, mut left) = (vec![0; 48 << 10], LARGE + around);
    while left > 0 {
        left -= stream.read(&mut block).expect("an answer");
    }
}

fn bare(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server");
    let mut greeting = String::new();
    BufReader::with_capacity(1, &mut stream).read_line(&mut greeting).expect("a greeting");
    stream
}

// ---- Theirs: their values are only looked at, not gone through ----

type Theirs = imap::Session<TcpStream>;

fn blocking(address: SocketAddr) -> Theirs {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("an option");
    let mut client = imap::Client::new(stream);
    client.read_greeting().expect("a greeting");
    let mut session = client.login("user", "password").map_err(|(error, _)| error).expect("a login");
    session.select("INBOX").expect("a mailbox");
    session
}

fn blocking_metadata(session: &mut Theirs) {
    let list = session.fetch("1:*", METADATA).expect("an answer");
    assert_eq!(list.len(), MESSAGES);
    for message in list.iter() {
        black_box((message.uid, message.size, message.flags(), message.envelope(), message.bodystructure()));
        assert!(message.envelope().is_some() && message.bodystructure().is_some());
    }
}

fn blocking_bodies(session: &mut Theirs, set: &str, total: usize) {
    let list = session.fetch(set, "(BODY.PEEK[])").expect("an answer");
    let written = |body: &[u8]| io::sink().write_all(body).map(|()| body.len()).expect("a sink");
    assert_eq!(list.iter().map(|message| message.body().map_or(0, written)).sum::<usize>(), total);
}

struct Async {
    runtime: tokio::runtime::Runtime,
    session: async_imap::Session<tokio::net::TcpStream>,
}

impl Async {
    fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let session = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.expect("a server");
            stream.set_nodelay(true).expect("an option");
            let mut client = async_imap::Client::new(stream);
            client.read_response().await.expect("a greeting");
            let mut session = client.login("user", "password").await.map_err(|(error, _)| error).expect("a login");
            session.select("INBOX").await.expect("a mailbox");
            session
        });
        Self { runtime, session }
    }

    fn metadata(&mut self) {
        let messages = self.runtime.block_on(async {
            let mut messages = 0;
            let mut list = self.session.fetch("1:*", METADATA).await.expect("an answer");
            while let Some(message) = list.try_next().await.expect("a message") {
                messages += 1;
                assert!(message.envelope().is_some() && message.bodystructure().is_some());
                black_box((message.uid, message.size, message.flags().count()));
            }
            messages
        });
        assert_eq!(messages, MESSAGES);
    }

    fn bodies(&mut self, set: &str, total: usize) {
        let read = self.runtime.block_on(async {
            let mut read = 0;
            let mut list = self.session.fetch(set, "(BODY.PEEK[])").await.expect("an answer");
            while let Some(message) = list.try_next().await.expect("a message") {
                let body = message.body().unwrap_or_default();
                io::sink().write_all(body).expect("a sink");
                read += body.len();
            }
            read
        });
        assert_eq!(read, total);
    }
}

// ---- The measurement ----

/// Both pairs of a task; what counts is the faster of the two others.
fn told(task: &str, blocking: &Pair, asynchronous: &Pair) {
    println!("{task}\n  imap        {blocking}\n  async-imap  {asynchronous}");
    println!("  times as long as ours, the faster of them: {:.2}", blocking.ratio.min(asynchronous.ratio));
}

fn main() -> io::Result<()> {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(11);
    let address = serve()?;
    let (mut ours, mut blocking, mut asynchronous) = (ours(address), blocking(address), Async::new(address));
    told(
        "FLAGS, UID, RFC822.SIZE, ENVELOPE, BODYSTRUCTURE of 20 000 messages",
        &pair(rounds, || our_metadata(&mut ours), || blocking_metadata(&mut blocking)),
        &pair(rounds, || our_metadata(&mut ours), || asynchronous.metadata()),
    );
    for (task, set, total) in [("2 000 bodies of 20 KiB", "1:2000", BODIES * BODY), ("a body of 50 MiB", "1", LARGE)] {
        told(
            task,
            &pair(rounds, || our_bodies(&mut ours, set, total), || blocking_bodies(&mut blocking, set, total)),
            &pair(rounds, || our_bodies(&mut ours, set, total), || asynchronous.bodies(set, total)),
        );
    }
    let mut stream = bare(address);
    let kernel = pair(rounds, || our_bodies(&mut ours, "1", LARGE), || bare_body(&mut stream));
    println!("  no client   {kernel}");
    println!("  a client that did nothing would take {:.2} times as long as ours", kernel.ratio);
    let heap = |work: &mut dyn FnMut()| peak(work) >> 10;
    println!("heap at most, above what lay there before, in KiB");
    println!("  a body of 50 MiB: ours {}", heap(&mut || our_bodies(&mut ours, "1", LARGE)));
    println!("  a body of 50 MiB: imap {}", heap(&mut || blocking_bodies(&mut blocking, "1", LARGE)));
    println!("  a body of 50 MiB: async-imap {}", heap(&mut || asynchronous.bodies("1", LARGE)));
    println!("  metadata: ours {}", heap(&mut || our_metadata(&mut ours)));
    println!("  metadata: imap {}", heap(&mut || blocking_metadata(&mut blocking)));
    println!("  metadata: async-imap {}", heap(&mut || asynchronous.metadata()));
    Ok(())
}
