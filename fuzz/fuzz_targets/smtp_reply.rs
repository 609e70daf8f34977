//! A hostile greeting and hostile replies of SMTP: no panic, and never a message that was not taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailconnect::smtp::{Envelope, Smtp};
use mailconnect_fuzz::client;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let _ = client(Smtp::new(), bytes, b"", piece.into());
    if let Ok(mut smtp) = client(Smtp::new(), b"220 x\r\n", &[b"250 x\r\n", bytes].concat(), piece.into()) {
        let envelope = Envelope::new("a@example.com", ["b@example.com"]).expect("an envelope");
        let _ = smtp.send(&envelope, b"x\r\n");
    }
});
