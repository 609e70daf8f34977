//! Tables of notes on SMTP smuggling, and a model: what is written is read back, and nothing in it can end it early.

use super::*;

fn stuff(pieces: &[&[u8]], line_ends: LineEnds) -> Result<Vec<u8>, BadBody> {
    let mut out = Vec::new();
    let mut stuffer = Stuffer::new(line_ends);
    for piece in pieces {
        stuffer.push(piece, &mut out)?;
    }
    stuffer.finish(&mut out)?;
    Ok(out)
}

/// Reads `wire` in pieces of `size`, taking at most `bite` bytes at a time; returns the body and what is left behind it.
fn unstuff(wire: &[u8], size: usize, bite: usize, bare_lf: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut body, mut unstuffer) = (Vec::new(), Unstuffer::new(bare_lf));
    let (mut at, mut end) = (0, size.min(wire.len()));
    loop {
        if at == end {
            if end == wire.len() {
                return None;
            }
            end = (end + size).min(wire.len());
        }
        match unstuffer.next(&wire[at..end]) {
            Piece::Give(n) => {
                let n = n.min(bite);
                body.extend_from_slice(&wire[at..at + n]);
                unstuffer.taken(&wire[at..at + n]);
                at += n;
            }
            Piece::Skip(n) => at += n,
            Piece::Cr => body.push(b'\r'),
            Piece::End(n) => return Some((body, wire[at + n..].to_vec())),
        }
    }
}

#[test]
fn rule_10_normalize_table() {
    let table: &[(&[u8], &[u8])] = &[
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\n.\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\r\n.", b"a\r\n\r\n..\r\n.\r\n"),
        (b"\n", b"\r\n.\r\n"),
        (b"\r", b"\r\n.\r\n"),
        (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
        (b"\r\n\r\n.x", b"\r\n\r\n..x\r\n.\r\n"),
        (b"a.b\xff\r\n..", b"a.b\xff\r\n...\r\n.\r\n"),
    ];
    for (body, expected) in table {
        for a in 0..=body.len() {
            for b in a..=body.len() {
                let pieces = [&body[..a], &body[a..b], &body[b..]];
                let wire = stuff(&pieces, LineEnds::Normalize).unwrap();
                assert_eq!(wire.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{a} {b}");
            }
        }
    }
}

#[test]
fn rule_10_strict_names_the_offset() {
    let long = [b"x".repeat(998), b"\r\n".to_vec(), b"y".repeat(999)].concat();
    let table: &[(&[u8], &str, u64)] = &[
        (b"a\nb", "a bare LF", 1),
        (b"ab\rc", "a bare CR", 2),
        (b"ab\r", "a bare CR", 2),
        (b"a\r\r\n", "a bare CR", 1),
        (b"ab\r\n\0", "a NUL", 4),
        (&long, "a line of more than 998 octets", 1998),
    ];
    for (body, what, offset) in table {
        for at in 0..=body.len() {
            let bad = stuff(&[&body[..at], &body[at..]], LineEnds::Strict).unwrap_err();
            assert_eq!((bad.what, bad.offset), (*what, *offset), "split at {at}");
        }
    }
    assert_eq!(stuff(&[&b"x".repeat(998), b"\r\n"], LineEnds::Strict).unwrap().len(), 1003);
    assert_eq!(stuff(&[b"a\0"], LineEnds::Normalize).unwrap_err().offset, 1);
}

/// A small generator is enough, and gives the same bodies each time.
fn random(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap()
}

/// Written without a look at the encoder: line by line, any line end.
fn normalised(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(body.to_vec()).unwrap().replace("\r\n", "\n").replace('\r', "\n");
    let mut text = text.replace('\n', "\r\n");
    if !text.is_empty() && !text.ends_with("\r\n") {
        text.push_str("\r\n");
    }
    text.into_bytes()
}

#[test]
fn rule_10_random_bodies_hold_no_bare_line_end_and_come_back() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..20_000 {
        let body: Vec<u8> = (0..random(&mut seed) % 24).map(|_| b"\r\n.a"[random(&mut seed) % 4]).collect();
        let cut = random(&mut seed) % (body.len() + 1);
        let wire = stuff(&[&body[..cut], &body[cut..]], LineEnds::Normalize).unwrap();
        let text = String::from_utf8(wire.clone()).unwrap();
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        let framed = format!("\r\n{text}");
        assert_eq!(framed.find("\r\n.\r\n"), Some(framed.len() - 5), "{text:?}");
        let (size, bite) = (1 + random(&mut seed) % 9, 1 + random(&mut seed) % 5);
        let (back, rest) = unstuff(&wire, size, bite, false).unwrap();
        assert_eq!((back, rest), (normalised(&body), Vec::new()), "{text:?}");
    }
}

#[test]
fn reading_is_exact_in_any_chunking() {
    let table: &[(&[u8], bool, &[u8])] = &[
        (b".\r\n", false, b""),
        (b"a\r\n.\r\n+OK", false, b"a\r\n"),
        (b"..\r\n.\r\n+OK", false, b".\r\n"),
        (b"\0\xff\r\r\n.x\r\n.\r\n", false, b"\0\xff\r\r\nx\r\n"),
        // A body of bare LFs from a server that ends its lines in CRLF cannot end itself.
        (b"a\n.\n+OK\n.\r\nb\r\n.\r\n", false, b"a\n.\n+OK\n.\r\nb\r\n"),
        (b".\rx\r\n.\r\n", false, b"\rx\r\n"),
        (b".\r\r\n.\r\n", false, b"\r\r\n"),
        (b"a\n..b\n.\n+OK", true, b"a\n.b\n"),
        (b"a\r\n.\r\n+OK", true, b"a\r\n"),
        (b"a\n.\r\n", true, b"a\n"),
    ];
    for (wire, bare_lf, expected) in table {
        for size in 1..=wire.len() {
            for bite in [1, 2, 100] {
                let (body, _) = unstuff(wire, size, bite, *bare_lf).unwrap();
                assert_eq!(body.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{size} {bite}");
            }
        }
        let whole = unstuff(wire, wire.len(), wire.len(), *bare_lf).unwrap();
        let end = wire.len() - whole.1.len();
        for cut in 0..end {
            assert!(cut == 0 || unstuff(&wire[..cut], cut, cut, *bare_lf).is_none(), "rule 7: cut at {cut}");
        }
    }
}
