//! Reading is exact in any chunking, and no body ends early.

use super::*;

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
