//! Just enough DER to look at a certificate that no library would read: its fields and extensions (RFC 5280 4.1, 4.2). It
//! takes any bytes, never panics, and never decides whether to trust.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Issuer and subject of a certificate, as they are encoded; none if it is not one.
pub(crate) fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    fields(certificate).map(|fields| (fields.issuer, fields.subject))
}

/// The parts of a certificate that matter here, as they are encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) serial: &'a [u8],
    /// The algorithm of the issuer's signature, as the signed part names it.
    #[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
    pub(crate) signature: &'a [u8],
    pub(crate) issuer: &'a [u8],
    validity: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) key: &'a [u8],
    /// What follows the key.
    rest: &'a [u8],
}

/// The parts of a certificate; none if it is not one.
pub(crate) fn fields(certificate: &[u8]) -> Option<Fields<'_>> {
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
    let (serial, rest) = element(rest, INTEGER)?;
    let (signature, rest) = element(rest, SEQUENCE)?;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, rest) = element(rest, SEQUENCE)?;
    let (key, rest) = element(rest, SEQUENCE)?;
    Some(Fields { serial, signature, issuer, validity, subject, key, rest })
}

/// The first element of `input`, header included, if it has this tag; and what follows it.
pub(crate) fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if input.first() != Some(&tag) {
        return None;
    }
    let (header, length) = header(input)?;
    input.split_at_checked(header.checked_add(length)?)
}

pub(crate) fn content(element: &[u8]) -> Option<&[u8]> {
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

/// First and last second of a certificate, since 1970; none if they cannot be read.
pub(crate) fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (first, rest) = time(content(fields(certificate)?.validity)?)?;
    let (last, rest) = time(rest)?;
    rest.is_empty().then_some((first, last))
}

/// An extension of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    /// The content of its object identifier.
    pub(crate) id: &'a [u8],
    pub(crate) critical: bool,
    /// What its octets hold.
    pub(crate) value: &'a [u8],
}

/// All extensions in their order; none if they cannot be read.
pub(crate) fn extensions(certificate: &[u8]) -> Option<Vec<Extension<'_>>> {
    const EXTENSIONS: u8 = 0xa3;

    let mut rest = fields(certificate)?.rest;
    // Two identifiers that nobody uses any more.
    for unique_id in [0x81, 0x82] {
        rest = element(rest, unique_id).map_or(rest, |(_, rest)| rest);
    }
    let mut found = Vec::new();
    if rest.is_empty() {
        return Some(found);
    }
    let (extensions, rest) = element(rest, EXTENSIONS)?;
    let (list, after) = element(content(extensions)?, SEQUENCE)?;
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    let mut list = content(list)?;
    while !list.is_empty() {
        let (each, others) = element(list, SEQUENCE)?;
        list = others;
        found.push(extension(content(each)?)?);
    }
    Some(found)
}

fn extension(input: &[u8]) -> Option<Extension<'_>> {
    let (id, rest) = element(input, OBJECT_IDENTIFIER)?;
    let (critical, rest) = element(rest, BOOLEAN).map_or((None, rest), |(critical, rest)| (Some(critical), rest));
    let (octets, after) = element(rest, OCTET_STRING)?;
    let critical = critical.and_then(content).is_some_and(|value| value != [0]);
    after.is_empty().then_some(Extension { id: content(id)?, critical, value: content(octets)? })
}

/// The content of the one extension of this kind, which must be a sequence: empty if there is none; no value if the
/// extensions cannot be read, or if there are two of it.
pub(crate) fn extension_sequence<'a>(certificate: &'a [u8], id: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    for extension in extensions(certificate)?.into_iter().filter(|extension| extension.id == id) {
        let (sequence, end) = element(extension.value, SEQUENCE)?;
        if !end.is_empty() || found.is_some() {
            return None;
        }
        found = content(sequence);
    }
    Some(found.unwrap_or_default())
}

/// The content of the extension `subjectAltName`, as [`extension_sequence`] gives it.
pub(crate) fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    extension_sequence(certificate, &[0x55, 0x1d, 17])
}

/// `UTCTime` or `GeneralizedTime` as RFC 5280 4.1.2.5 wants them, in seconds since 1970.
pub(crate) fn time(input: &[u8]) -> Option<(i64, &[u8])> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;

    let (text, rest, year_digits) = match element(input, UTC_TIME) {
        Some((text, rest)) => (text, rest, 2),
        None => element(input, GENERALIZED_TIME).map(|(text, rest)| (text, rest, 4))?,
    };
    let digits = content(text)?.strip_suffix(b"Z")?;
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, others) = digits.split_at_checked(year_digits)?;
    let number = |digits: &[u8]| digits.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let year = match (year_digits, number(year)) {
        (2, short @ 0..50) => 2000 + short,
        (2, short) => 1900 + short,
        (_, year) => year,
    };
    let mut pairs = others.chunks(2).map(number);
    let (month, day) = (pairs.next()?, pairs.next()?);
    let (hour, minute, second) = (pairs.next()?, pairs.next()?, pairs.next()?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    in_range.then(|| (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second, rest))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years start in March here, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
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
    #[test]
    fn reads_dates_and_alternative_names() {
        let mut params = rcgen::CertificateParams::new(["mail.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2104, 2, 29);
        let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
        assert_eq!(validity(&der), Some((946_598_400, 4_233_686_400)));
        assert_eq!(alternative_names(&der), Some(&b"\x82\x09mail.test"[..]));
        for at in 0..der.len() {
            for value in [0, 1, 0x7f, 0x80, 0x84, 0xff, der[at] ^ 1] {
                let mut mutant = der.clone();
                mutant[at] = value;
                let _ = (names(&mutant), validity(&mutant), alternative_names(&mutant));
            }
            assert_eq!((validity(&der[..at]), alternative_names(&der[..at])), (None, None));
        }
    }

    #[test]
    fn times_are_what_rfc_5280_says() {
        let utc = |text: &str| time(&[&[0x17, text.len() as u8], text.as_bytes()].concat()).map(|(time, _)| time);
        let general = |text: &str| time(&[&[0x18, text.len() as u8], text.as_bytes()].concat()).map(|(time, _)| time);
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("491231235959Z"), Some(2_524_607_999));
        assert_eq!(utc("500101000000Z"), Some(-631_152_000));
        assert_eq!(utc("000229120000Z"), Some(951_825_600));
        assert_eq!(general("20500101000000Z"), Some(2_524_608_000));
        assert_eq!(general("99991231235959Z"), Some(253_402_300_799));
        for bad in
            ["7001010000Z", "700101000000", "701301000000Z", "700100000000Z", "70010100000xZ", "700101240000Z", ""]
        {
            assert_eq!(utc(bad), None, "{bad}");
        }
        assert_eq!(general("20500101000000.5Z"), None);
    }
}
