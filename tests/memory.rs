//! What a connection costs in memory, counted by an allocator of this thread alone, so that servers do not count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use mailconnect::testing::{Mode, Script, Server};
use mailconnect::{Connector, Error, ImapClient, Pop3Client, Security};

/// Bytes that this thread has, and the most that it had.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: all of it is the system's allocator's; the counting beside it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and says how many bytes it kept, and how many it had at most.
fn measured<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, LIVE.get() - before, PEAK.get() - before)
}

const MESSAGE: usize = 16 << 20;

fn message() -> Vec<u8> {
    b"A line of the message, which is as long as lines are, more or less.\r\n".repeat(MESSAGE / 69)
}

#[test]
fn rule_6_a_large_body_takes_the_same_memory_as_a_small_one() {
    let message = message();
    for mode in [Mode::Plain, Mode::Tls] {
        if mode == Mode::Tls && !cfg!(feature = "rustls") {
            continue;
        }
        let server = Server::imap().mode(mode).message(&message).start().unwrap();
        let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
        let security = if mode == Mode::Tls { Security::Tls } else { Security::Plain };
        let mut imap: ImapClient = connector.open(Default::default(), server.endpoint(), security).unwrap();
        imap.login("user", "password").unwrap();
        imap.select("INBOX").unwrap();
        let (size, _, peak) = measured(|| imap.fetch_to(1, &mut std::io::sink()).unwrap());
        assert_eq!(size, message.len() as u64);
        assert!(peak < 64 << 10, "IMAP {mode:?}: {peak} bytes");
        // On its way out it lies in two blocks, and TLS has its own.
        let mut source = std::io::repeat(b'x');
        let (result, _, peak) = measured(|| imap.append_from("INBOX", &[], &mut source, MESSAGE as u64));
        result.unwrap();
        assert!(peak < 256 << 10, "APPEND {mode:?}: {peak} bytes");

        let server = Server::pop3().mode(mode).message(&message).start().unwrap();
        let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
        let mut pop3: Pop3Client = connector.open(Default::default(), server.endpoint(), security).unwrap();
        pop3.login("user", "password").unwrap();
        let (size, _, peak) = measured(|| pop3.retr_to(1, &mut std::io::sink()).unwrap());
        assert_eq!(size, message.len() as u64);
        assert!(peak < 64 << 10, "POP3 {mode:?}: {peak} bytes");
    }
}

/// Neither the number of messages nor that of commands under way shows.
#[test]
fn rule_6_a_pipelined_mailbox_takes_little_memory() {
    let text = b"A line of a message.\r\n".repeat(200);
    for messages in [200, 2000] {
        let server = (0..messages).fold(Server::pop3().mode(Mode::Plain), |server, _| server.message(&text));
        let server = server.start().unwrap();
        let mut pop3 = Pop3Client::connect(server.endpoint()).unwrap();
        pop3.login("user", "password").unwrap();
        let (count, _, peak) = measured(|| {
            let (mut all, mut count) = (pop3.retr_all().unwrap(), 0);
            while let Some(mut message) = all.next_body().unwrap() {
                assert_eq!(message.copy_to(&mut std::io::sink()).unwrap(), text.len() as u64);
                count += 1;
            }
            count
        });
        assert_eq!(count, messages);
        assert!(peak < 48 << 10, "{messages} messages: {peak} bytes");
    }
}

#[cfg(feature = "rustls")]
#[test]
fn a_connection_with_tls_takes_about_100_kib() {
    let server = Server::pop3().mode(Mode::Tls).start().unwrap();
    let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
    // The roots are loaded once for all connections.
    connector.connect_ssl::<mailconnect::pop3::Pop3>(server.endpoint()).unwrap();
    let (pop3, kept, peak) = measured(|| {
        let mut pop3: Pop3Client = connector.connect_ssl(server.endpoint()).unwrap();
        pop3.login("user", "password").unwrap();
        pop3
    });
    drop(pop3);
    assert!(kept < 100 << 10, "{kept} bytes");
    assert!(peak < 200 << 10, "{peak} bytes in the handshake");
}

#[test]
fn rule_6_nothing_is_allocated_on_announcement() {
    for size in ["1000000000", "4294967295", "9223372036854775807", "18446744073709551615"] {
        let script = format!("S: * OK hi\nC: A1 NOOP\nS: * X {{{size}}}\nS- abc\nEOF\n");
        let (transport, handle) = Script::parse(&script).unwrap().play();
        let connector = Connector::new().clock(handle.clock());
        let imap = mailconnect::imap::Imap::new();
        let mut imap = connector.over(imap, transport, "mail.example.com", Security::Plain).unwrap();
        let (error, _, peak) = measured(|| imap.noop().unwrap_err());
        assert!(matches!(error, Error::Limit(_)), "{size}: {error:?}");
        assert!(peak < 64 << 10, "{size}: {peak} bytes");
    }
}
