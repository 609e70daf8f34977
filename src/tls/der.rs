//! Just enough DER to look at a certificate that no library would read: where its names are (RFC 5280 4.1). It takes
//! any bytes, never panics, and never decides whether to trust.

/// Issuer and subject of a certificate, as they are encoded; none if it is not one.
pub(super) fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;

    let (whole, rest) = element(certificate, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let (body, _) = element(content(whole)?, SEQUENCE)?;
    let mut rest = content(body)?;
    if let Some((_, after_version)) = element(rest, VERSION) {
        rest = after_version;
    }
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (_validity, rest) = element(rest, SEQUENCE)?;
    let (subject, rest) = element(rest, SEQUENCE)?;
    let (_key, _) = element(rest, SEQUENCE)?;
    Some((issuer, subject))
}

/// The first element of `input`, header included, if it has this tag; and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if input.first() != Some(&tag) {
        return None;
    }
    let (header, length) = header(input)?;
    input.split_at_checked(header.checked_add(length)?)
}

fn content(element: &[u8]) -> Option<&[u8]> {
    let (header, _) = header(element)?;
    element.get(header..)
}

/// How many bytes the header takes, and how many it announces. Longer lengths than of four bytes are no certificate's.
fn header(input: &[u8]) -> Option<(usize, usize)> {
    const LONG_FORM: u8 = 0x80;

    let first = *input.get(1)?;
    if first < LONG_FORM {
        return Some((2, usize::from(first)));
    }
    let count = usize::from(first & !LONG_FORM);
    if !(1..=4).contains(&count) {
        return None;
    }
    let digits = input.get(2..2 + count)?;
    let length = digits.iter().fold(0u64, |length, digit| length << 8 | u64::from(*digit));
    Some((2 + count, usize::try_from(length).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate's outer shape, with these names and no version.
    fn certificate(issuer: &[u8], subject: &[u8]) -> Vec<u8> {
        let sequence = |parts: &[&[u8]]| {
            let content = parts.concat();
            let mut all = vec![0x30, 0x82, (content.len() >> 8) as u8, content.len() as u8];
            all.extend(content);
            all
        };
        let empty: &[u8] = &[0x30, 0];
        let body = sequence(&[&[0x02, 1, 7], empty, &sequence(&[issuer]), empty, &sequence(&[subject]), empty]);
        sequence(&[&body, empty, &[0x03, 1, 0]])
    }

    #[test]
    fn finds_both_names() {
        let der = certificate(b"abc", b"defg");
        assert_eq!(names(&der), Some((&b"\x30\x82\0\x03abc"[..], &b"\x30\x82\0\x04defg"[..])));
    }

    #[test]
    fn what_is_cut_or_too_long_is_no_certificate() {
        let mut der = certificate(b"abc", b"def");
        for cut in 0..der.len() {
            assert_eq!(names(&der[..cut]), None);
        }
        der.push(0);
        assert_eq!(names(&der), None);
        assert_eq!(names(&[0x30, 0x85, 1, 1, 1, 1, 1]), None);
        assert_eq!(names(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(names(&[0x30, 0x80]), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let der = certificate(b"abc", b"def");
        for at in 0..der.len() {
            for value in 0..=255 {
                let mut mutant = der.clone();
                mutant[at] = value;
                let _ = names(&mutant);
            }
        }
    }
}
