//! How fast bodies are made fit for DATA, against a plain copy of the same bytes in the same blocks.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin encoder

use std::hint::black_box;

use mailconnect::wire::{LineEnds, Stuffer};
use mailconnect_benches::pair;

/// As bodies are sent: block by block into one buffer.
const BLOCK: usize = 32 << 10;
const BODY: usize = 64 << 20;
const ROUNDS: usize = 9;

fn main() {
    let bodies = [
        ("text, 76 columns, CRLF", text("\r\n")),
        ("text, 76 columns, LF", text("\n")),
        ("base64, 76 columns, CRLF", base64()),
        ("lines of 900 octets, CRLF", filled(|line| line.extend([b'x'; 900]))),
        ("every line a dot", filled(|line| line.extend(b".."))),
        ("empty lines", filled(|_| {})),
    ];
    println!("MiB/s                          encode   strict    check     copy  copy/encode");
    for (name, body) in &bodies {
        let encode = pair(ROUNDS, || encode(body, LineEnds::Normalize), || copy(body));
        let strict = pair(ROUNDS, || encode_if(body, LineEnds::Strict), || copy(body));
        let check = pair(ROUNDS, || assert!(LineEnds::Normalize.check(body).is_ok()), || copy(body));
        let rate = |time: std::time::Duration| (body.len() >> 20) as f64 / time.as_secs_f64();
        println!(
            "{name:<26} {:>10.0} {:>8.0} {:>8.0} {:>8.0} {:>12.2}",
            rate(encode.ours),
            rate(strict.ours),
            rate(check.ours),
            rate(encode.theirs),
            1.0 / encode.ratio,
        );
    }
}

fn encode(body: &[u8], line_ends: LineEnds) {
    assert!(try_encode(body, line_ends).is_ok());
}

/// Text with bare LFs ends at once.
fn encode_if(body: &[u8], line_ends: LineEnds) {
    let _ = try_encode(body, line_ends);
}

fn try_encode(body: &[u8], line_ends: LineEnds) -> Result<(), mailconnect::wire::BadBody> {
    let (mut out, mut stuffer) = (Vec::with_capacity(2 * BLOCK), Stuffer::new(line_ends));
    for block in body.chunks(BLOCK) {
        out.clear();
        stuffer.push(block, &mut out)?;
        black_box(&out);
    }
    stuffer.finish(&mut out)
}

fn copy(body: &[u8]) {
    let mut out = Vec::with_capacity(2 * BLOCK);
    for block in body.chunks(BLOCK) {
        out.clear();
        out.extend_from_slice(block);
        black_box(&out);
    }
}

fn filled(mut line: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = Vec::with_capacity(BODY + 1000);
    while body.len() < BODY {
        line(&mut body);
        body.extend(b"\r\n");
    }
    body
}

/// One line in fifty begins with a dot, as in a list of files.
fn text(end: &str) -> Vec<u8> {
    let line = "The quick brown fox jumps over the lazy dog, and does so all day long, yes";
    let mut body = Vec::with_capacity(BODY + 1000);
    for n in 0.. {
        body.extend(if n % 50 == 0 { b"./" } else { b"  " });
        body.extend([line, end].concat().bytes());
        if body.len() >= BODY {
            return body;
        }
    }
    body
}

fn base64() -> Vec<u8> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    filled(|line| {
        line.extend((0..76).map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            letters[(seed >> 58) as usize]
        }));
    })
}
