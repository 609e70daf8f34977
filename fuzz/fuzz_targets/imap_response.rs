//! The answer to a command is whatever comes: no panic, and the pieces in which it comes make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailconnect_fuzz::{fetched, imap};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (command, piece, bytes) = input;
    let answer = [bytes, b"\r\nA1 OK\r\n"].concat();
    match command % 8 {
        0 => _ = imap(&answer, 64).noop(),
        1 => _ = imap(&answer, 64).select("INBOX"),
        2 => _ = imap(&answer, 64).list("", "*"),
        3 => _ = imap(&answer, 64).uid_search("ALL"),
        4 => _ = imap(&answer, 64).capabilities().map(|capabilities| capabilities.iter().count()),
        5 => _ = imap(&answer, 64).append("INBOX", &[], b"x"),
        _ => assert_eq!(fetched(&answer, usize::MAX), fetched(&answer, piece.into())),
    }
});
