//! A hostile greeting and hostile replies of POP3: no panic, and the pieces in which they come make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailconnect::pop3::Pop3;
use mailconnect_fuzz::client;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (command, piece, bytes) = input;
    let _ = client(Pop3::new(), bytes, b"", piece.into());
    let told = |piece: usize| {
        let mut pop3 = client(Pop3::new(), b"+OK\r\n", bytes, piece).expect("the greeting is good");
        match command % 4 {
            0 => format!("{:?}", pop3.stat()),
            1 => format!("{:?}", pop3.list()),
            2 => format!("{:?}", pop3.uidl()),
            _ => {
                let mut message = Vec::new();
                let result = pop3.retr_to(1, &mut message).map(drop);
                format!("{result:?} {message:?}")
            }
        }
    };
    assert_eq!(told(usize::MAX), told(piece.into()));
});
