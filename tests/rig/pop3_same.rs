//! 2000 messages of all sorts: what POP3 gives is byte for byte what IMAP gives, pipelined and not, plain and under TLS.

use std::time::Duration;

use mailconnect::imap::Item;
use mailconnect::{ImapClient, Pop3Client};

use crate::model::{Endpoint, Rig};
use crate::{login, mailboxes, opening};

const MESSAGES: usize = 2000;
const CLIENTS: usize = 8;
/// Ends what hangs.
const WATCHDOG: Duration = Duration::from_secs(300);
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Nobody else's tests deliver to him.
const USER: &str = "bob";

/// What lines are made of: dots where they matter, octets that are no text, and line ends that are none.
const PIECES: [&[u8]; 14] = [
    b".",
    b"..",
    b"...",
    b".dot",
    b"",
    b"A line of text, as there are many.",
    b"+OK not a status",
    b"-ERR",
    "\u{fc}\u{f6}\u{e4} \u{20ac} \u{1f4e7}".as_bytes(),
    b"\x80\xff\xfe\xc3",
    b" \t ",
    b"\x01\x07\x1b[0m\x7f",
    b"a CR \r in a line",
    b"a dot at the end.",
];

/// A small generator, which gives the same messages each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

fn message(number: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = format!("From: a@example.test\r\nSubject: message {number}\r\n\r\n").into_bytes();
    for _ in 0..random.below(60) {
        bytes.extend_from_slice(PIECES[random.below(PIECES.len())]);
        if random.below(40) == 0 {
            bytes.extend(std::iter::repeat_n(b'x', random.below(20_000)));
        }
        // One in thirty ends in LF alone, which the server stores as any other.
        bytes.extend_from_slice(if random.below(30) == 0 { b"\n" } else { b"\r\n" });
    }
    if random.below(10) == 0 {
        bytes.extend_from_slice(b"no line end");
    }
    bytes
}

fn imap(rig: &Rig, endpoint: &Endpoint) -> ImapClient {
    let mut client = opening::open(&opening::trusting(rig).deadline(WATCHDOG), endpoint).unwrap();
    login::log_in(rig, endpoint, &mut client, USER).unwrap();
    client
}

/// How many messages were there before, and what IMAP gives of the new ones. The server takes its time for each, so that
/// several clients put them there.
fn fill(rig: &Rig, endpoint: &Endpoint) -> (u32, Vec<Vec<u8>>) {
    let mut random = Random(SEED);
    println!("seed {SEED:#x}");
    let mut client = imap(rig, endpoint);
    let before = client.examine("INBOX").unwrap().exists;
    let messages: Vec<_> = (0..MESSAGES).map(|number| message(number, &mut random)).collect();
    std::thread::scope(|scope| {
        for messages in messages.chunks(MESSAGES / CLIENTS) {
            scope.spawn(move || {
                let mut client = imap(rig, endpoint);
                for message in messages {
                    client.append("INBOX", &[], message).unwrap();
                }
                client.quit().unwrap();
            });
        }
    });
    let exists = client.select("INBOX").unwrap().exists;
    assert!(exists as usize >= before as usize + MESSAGES, "{exists} messages after APPEND, {before} before");
    let last = before as usize + MESSAGES;
    let (mut copies, mut list) = (Vec::new(), client.fetch(&*format!("{}:{last}", before + 1), "BODY.PEEK[]").unwrap());
    while let Some(mut message) = list.next_message().unwrap() {
        while let Some(item) = message.next_item().unwrap() {
            if let Item::Section(mut section) = item {
                copies.push(section.collect().unwrap());
            }
        }
    }
    client.quit().unwrap();
    assert_eq!(copies.len(), MESSAGES);
    (before, copies)
}

fn pop3(rig: &Rig, endpoint: &Endpoint, tls: bool) -> Pop3Client {
    let connector = opening::trusting(rig).deadline(WATCHDOG);
    let mut client: Pop3Client =
        if tls { opening::open(&connector, endpoint) } else { connector.connect(endpoint.address()) }.unwrap();
    assert_eq!(client.is_secure(), tls);
    login::log_in(rig, endpoint, &mut client, USER).unwrap();
    client
}

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn pop3_gives_what_imap_gives_of_2000_messages() {
    let rig = Rig::from_environment();
    let (imap, plain, tls) =
        (rig.endpoint("dovecot.imaps"), rig.endpoint("dovecot.pop3"), rig.endpoint("dovecot.pop3s"));
    let _guard = mailboxes::alone(plain);
    let (before, copies) = fill(&rig, imap);
    let octets: usize = copies.iter().map(Vec::len).sum();
    let numbers = before + 1..=before + u32::try_from(MESSAGES).unwrap();
    let mut ways = 0;
    for (endpoint, secure, how) in [(plain, false, "in clear"), (plain, true, "after STLS"), (tls, true, "under TLS")] {
        for pipelined in [true, false] {
            let mut client = pop3(&rig, endpoint, secure);
            assert!(client.capabilities().unwrap().has("PIPELINING"));
            let mut got = Vec::new();
            if pipelined {
                let mut many = client.retr_many(numbers.clone()).unwrap();
                while let Some(mut message) = many.next_body().unwrap() {
                    got.push(message.collect().unwrap());
                }
            } else {
                got.extend(numbers.clone().map(|number| client.retr(number).unwrap().collect().unwrap()));
            }
            client.quit().unwrap();
            are_the_same(&copies, &got);
            ways += 1;
            let way = if pipelined { "pipelined" } else { "one at a time" };
            println!("ok     {} messages, {octets} octets, {way}, {how} ({:?})", got.len(), opening::backend());
        }
    }
    let mut client = pop3(&rig, plain, true);
    assert!(client.dele_many(numbers).unwrap().is_empty());
    client.quit().unwrap();
    println!("{ways} of 6 ways gave {MESSAGES} messages byte for byte ({:?})", opening::backend());
}

/// POP3 has to end the last line, since the dot stands on one of its own.
fn are_the_same(copies: &[Vec<u8>], got: &[Vec<u8>]) {
    assert_eq!(copies.len(), got.len());
    let mut open_ended = 0;
    for (number, (copy, got)) in copies.iter().zip(got).enumerate() {
        let same = match copy.ends_with(b"\n") {
            true => copy == got,
            false => got.strip_suffix(b"\r\n") == Some(copy),
        };
        open_ended += usize::from(!copy.ends_with(b"\n"));
        assert!(same, "message {number}: IMAP {}, POP3 {}", copy.escape_ascii(), got.escape_ascii());
    }
    assert!(open_ended > 100, "only {open_ended} messages end without a line end");
}
