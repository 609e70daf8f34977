//! Tables of notes on SMTP smuggling, and a model: what is written is read back by a decoder that knows nothing of the
//! encoder, and nothing in it can end it early.

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

#[test]
fn eight_bits_are_seen_and_refused_where_asked() {
    let refused = |body: &[u8], line_ends| {
        let bad = Stuffer::new(line_ends).seven_bit().push(body, &mut Vec::new()).unwrap_err();
        (bad.what, bad.offset)
    };
    let long = [b"x".repeat(998), b"\xff".to_vec()].concat();
    assert_eq!(refused(b"ab\r\nc\xe9", LineEnds::Strict), ("an octet above 127", 5));
    assert_eq!(refused(b"ab\nc\xe9\0", LineEnds::Normalize), ("an octet above 127", 4));
    assert_eq!(refused(b"ab\0\xe9", LineEnds::Normalize), ("a NUL", 2));
    assert_eq!(refused(&long, LineEnds::Strict), ("an octet above 127", 998));
    assert_eq!(refused(&[b"x", &*long].concat(), LineEnds::Strict), ("a line of more than 998 octets", 998));
    let mut stuffer = Stuffer::new(LineEnds::Normalize);
    for (piece, seen) in [(&b"a\r\n"[..], false), (b"\x7f", false), (b"\x80\r\n", true), (b"a", true)] {
        stuffer.push(piece, &mut Vec::new()).unwrap();
        assert_eq!(stuffer.saw_eight_bit(), seen, "{piece:?}");
    }
    assert!(LineEnds::Strict.check(b"\xff\r\n").unwrap().eight_bit);
    assert!(!LineEnds::Strict.check(b"a\r\n").unwrap().eight_bit);
}

#[test]
fn without_dots_only_line_ends_are_looked_after() {
    let mut out = Vec::new();
    let mut stuffer = Stuffer::new(LineEnds::Normalize).without_dots();
    stuffer.push(b".\n..\r\n.\r\nx\r\n.", &mut out).unwrap();
    stuffer.finish(&mut out).unwrap();
    assert_eq!(out.escape_ascii().to_string(), r".\r\n..\r\n.\r\nx\r\n.\r\n");
    assert_eq!(LineEnds::Normalize.check(b".\n..\r\n.\r\nx\r\n.").unwrap().octets, out.len() as u64);
}

/// Around the seams of the slices that are judged at once: whatever ends one and begins the next.
#[test]
fn rule_10_seams_between_slices() {
    let parts: [&[u8]; 9] = [b"\r\n", b"\r", b"\n", b".", b"\r\n.", b"\n.", b"\r\n\r\n", b"\r\r\n", b"a"];
    for fill in [&b"a"[..], b"abc\r\n", b".\r\n", b"\r\n"] {
        for before in SLICE - 5..=SLICE {
            let pad: Vec<u8> = fill.iter().copied().cycle().take(before).collect();
            for (first, second) in parts.iter().flat_map(|first| parts.iter().map(move |second| (first, second))) {
                let body = [&*pad, first, second, b"b\r\n.c"].concat();
                let wire = stuff(&[&body], LineEnds::Normalize).unwrap();
                assert_eq!(wire, stuff(&[&body[..before - 9], &body[before - 9..]], LineEnds::Normalize).unwrap());
                let decoded = decode(&wire).unwrap_or_else(|why| panic!("{why}: {first:?} {second:?} at {before}"));
                assert_eq!(decoded, normalised(&body), "{first:?} {second:?} at {before}");
                let strict = stuff(&[&body], LineEnds::Strict).map_err(|bad| (bad.what, bad.offset));
                assert_eq!(strict.map(drop), judged(&body), "{first:?} {second:?} at {before}");
            }
        }
    }
}

/// Lines of 997 to 999 octets whose ends lie in another slice, in another piece, or nowhere.
#[test]
fn rule_10_long_lines_across_seams() {
    for length in 997..=1000 {
        for before in SLICE - 1003..=SLICE + 2 {
            let mut pad = b"\r\n".repeat(before / 2);
            if before % 2 == 1 {
                pad.insert(0, b'x');
            }
            for end in [&b"\r\n"[..], b"", b"\r", b"\r\nx"] {
                let body = [&*pad, &vec![b'y'; length], end].concat();
                let cut = (before * 7) % body.len();
                let strict =
                    stuff(&[&body[..cut], &body[cut..]], LineEnds::Strict).map_err(|bad| (bad.what, bad.offset));
                assert_eq!(strict.map(drop), judged(&body), "{length} octets and {end:?} behind {before}");
            }
        }
    }
}

// ---- The model: all of it is written without a look at the encoder ----

/// A small generator is enough, and gives the same bodies each time.
fn random(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap()
}

/// What arrives: each CR, LF or CRLF is a CRLF, and the last line has one too.
fn normalised(body: &[u8]) -> Vec<u8> {
    let mut lines = vec![Vec::new()];
    for (at, &byte) in body.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && body[at - 1] == b'\r' => {}
            b'\r' | b'\n' => lines.push(Vec::new()),
            byte => lines.last_mut().unwrap().push(byte),
        }
    }
    if lines.last().unwrap().is_empty() {
        lines.pop();
    }
    lines.iter().flat_map(|line| line.iter().chain(b"\r\n")).copied().collect()
}

/// What a strict encoder says of a body, octet by octet.
fn judged(body: &[u8]) -> Result<(), (&'static str, u64)> {
    let mut line = 0;
    for (at, &byte) in body.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|at| body[at]), body.get(at + 1));
        line = if byte == b'\n' { 0 } else { line + 1 };
        match byte {
            0 => return Err(("a NUL", at as u64)),
            b'\n' if before != Some(b'\r') => return Err(("a bare LF", at as u64)),
            b'\r' if after != Some(&b'\n') => return Err(("a bare CR", at as u64)),
            b'\r' => {}
            _ if line > 998 => return Err(("a line of more than 998 octets", at as u64)),
            _ => {}
        }
    }
    Ok(())
}

/// A server that knows only RFC 5321 4.5.2: one octet after the other, a line at a time, and not one octet after the
/// dot.
fn decode(wire: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (mut body, mut line, mut octets) = (Vec::new(), Vec::new(), wire.iter());
    while let Some(&octet) = octets.next() {
        match octet {
            0 => return Err("a NUL"),
            b'\n' => return Err("a bare LF"),
            b'\r' if octets.next() != Some(&b'\n') => return Err("a bare CR"),
            b'\r' if line == b"." => return if octets.next().is_none() { Ok(body) } else { Err("more after the end") },
            b'\r' => {
                body.extend_from_slice(if line.first() == Some(&b'.') { &line[1..] } else { &line });
                body.extend_from_slice(b"\r\n");
                line.clear();
            }
            octet => line.push(octet),
        }
    }
    Err("no end")
}

#[test]
fn the_decoder_sees_what_it_should() {
    assert_eq!(decode(b"..a\r\n\r\n.\r\n").unwrap(), b".a\r\n\r\n");
    for (wire, why) in [
        (&b"a\n.\r\n"[..], "a bare LF"),
        (b"a\r.\r\n", "a bare CR"),
        (b"a\0\r\n.\r\n", "a NUL"),
        (b".\r\n.\r\n", "more after the end"),
        (b"a\r\n", "no end"),
        (b"a\r\n.", "no end"),
    ] {
        assert_eq!(decode(wire), Err(why));
    }
}

/// One in four of the bodies holds a NUL, and must not go out.
fn random_body(seed: &mut u64, body: &mut Vec<u8>) {
    body.clear();
    let letters: &[u8] = if random(seed) % 4 == 0 { b"\r\n.a\0" } else { b"\r\n.a" };
    body.extend((0..random(seed) % 14).map(|_| letters[random(seed) % letters.len()]));
}

#[test]
fn rule_10_a_million_random_bodies_come_back() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut body, mut wire, mut refused) = (Vec::new(), Vec::new(), 0);
    for _ in 0..1_000_000 {
        random_body(&mut seed, &mut body);
        let cuts = [random(&mut seed) % (body.len() + 1), random(&mut seed) % (body.len() + 1)];
        let (a, b) = (cuts[0].min(cuts[1]), cuts[0].max(cuts[1]));
        wire.clear();
        let mut stuffer = Stuffer::new(LineEnds::Normalize);
        let pieces = [&body[..a], &body[a..b], &body[b..]];
        let pushed = pieces.iter().try_for_each(|piece| stuffer.push(piece, &mut wire));
        if let Some(nul) = body.iter().position(|&byte| byte == 0) {
            assert_eq!(pushed, Err(BadBody { what: "a NUL", offset: nul as u64 }), "{body:?}");
            refused += 1;
            continue;
        }
        assert_eq!(pushed, Ok(()));
        stuffer.finish(&mut wire).unwrap();
        let decoded = decode(&wire).unwrap_or_else(|why| panic!("{why}: {body:?} became {wire:?}"));
        assert_eq!(decoded, normalised(&body), "{body:?}");
    }
    assert!((100_000..200_000).contains(&refused), "{refused} refused");
}

#[test]
fn rule_10_a_check_says_what_sending_does() {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let (mut body, mut fine) = (Vec::new(), 0);
    for _ in 0..300_000 {
        random_body(&mut seed, &mut body);
        for line_ends in [LineEnds::Normalize, LineEnds::Strict] {
            let sent = stuff(&[&body], line_ends);
            let facts = line_ends.check(&body);
            let cut = random(&mut seed) % (body.len() + 1);
            assert_eq!(line_ends.check_parts([&body[..cut], &body[cut..]]), facts, "{body:?}");
            assert_eq!(facts.err(), sent.as_ref().err().copied(), "{body:?}");
            let octets = sent.ok().map(|wire| decode(&wire).unwrap().len() as u64);
            assert_eq!(facts.ok().map(|facts| facts.octets), octets, "{body:?}");
        }
        let strict = LineEnds::Strict.check(&body).map(drop).map_err(|bad| (bad.what, bad.offset));
        assert_eq!(strict, judged(&body), "{body:?}");
        fine += u32::from(strict.is_ok());
    }
    assert!(fine > 20_000, "{fine}");
}
