//! A distinguished name as text: RFC 4514, with the values of the usual attributes as letters and those of all others in
//! hexadecimal. What comes out can be shown anywhere: nothing in it moves a cursor or hides.

use std::fmt::Write;

use super::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, content, element};

/// The text of a name as it is encoded; empty if it cannot be read.
pub(super) fn text(name: &[u8]) -> String {
    let parts = content(name).and_then(relative_names).unwrap_or_default();
    // RFC 4514 2.1: the last comes first.
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn relative_names(mut input: &[u8]) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    while !input.is_empty() {
        let (set, rest) = element(input, SET)?;
        input = rest;
        let (mut attributes, mut texts) = (content(set)?, Vec::new());
        while !attributes.is_empty() {
            let (attribute, rest) = element(attributes, SEQUENCE)?;
            attributes = rest;
            texts.push(attribute_text(content(attribute)?)?);
        }
        parts.push(texts.join("+"));
    }
    Some(parts)
}

/// `CN=mail.example.com`.
fn attribute_text(attribute: &[u8]) -> Option<String> {
    let (id, value) = element(attribute, OBJECT_IDENTIFIER)?;
    let id = content(id)?;
    let known = short_name(id).zip(string(value));
    Some(match known {
        Some((name, value)) => format!("{name}={}", escaped(&value)),
        None => format!("{}=#{}", dotted(id), hexadecimal(value)),
    })
}

/// RFC 4514 3, and the two others that certificates have.
fn short_name(id: &[u8]) -> Option<&'static str> {
    Some(match id {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 25] => "DC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        _ => return None,
    })
}

/// What a string of any of ASN.1's kinds says; none for anything else.
fn string(value: &[u8]) -> Option<String> {
    const UTF8: u8 = 0x0c;
    const ASCII: [u8; 4] = [0x12, 0x13, 0x16, 0x1a];
    const TELETEX: u8 = 0x14;
    const UNIVERSAL: u8 = 0x1c;
    const BMP: u8 = 0x1e;

    let kind = *value.first()?;
    let (whole, rest) = element(value, kind)?;
    let bytes = content(whole).filter(|_| rest.is_empty())?;
    match kind {
        UTF8 => String::from_utf8(bytes.to_vec()).ok(),
        kind if ASCII.contains(&kind) => bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect()),
        // Whatever it should be, it is used for Latin-1.
        TELETEX => Some(bytes.iter().copied().map(char::from).collect()),
        BMP if bytes.len() % 2 == 0 => {
            let units = bytes.chunks(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        UNIVERSAL if bytes.len() % 4 == 0 => {
            let numbers =
                bytes.chunks(4).map(|four| four.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)));
            numbers.map(char::from_u32).collect()
        }
        _ => None,
    }
}

/// RFC 4514 2.4; control characters and what cannot be seen by their octets.
fn escaped(value: &str) -> String {
    let (mut text, last) = (String::with_capacity(value.len()), value.len().saturating_sub(1));
    for (at, c) in value.char_indices() {
        let at_an_end = (c == '#' && at == 0) || (c == ' ' && (at == 0 || at == last));
        if at_an_end || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
            text.push(c);
        } else if is_visible(c) {
            text.push(c);
        } else {
            let _ = c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(text, "\\{byte:02X}"));
        }
    }
    text
}

/// False for what a terminal obeys, and for marks that turn, join or hide what stands beside them.
fn is_visible(c: char) -> bool {
    c == ' ' || c == '\'' || c.is_ascii_graphic() || (!c.is_ascii() && c.escape_debug().count() == 1)
}

/// RFC 4514 1.4: `1.2.840.113549`; `?` for what is none.
fn dotted(id: &[u8]) -> String {
    let (mut text, mut number) = (String::new(), 0u64);
    for byte in id {
        if number > u64::MAX >> 7 {
            return "?".to_owned();
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if text.is_empty() {
                let first = (number / 40).min(2);
                let _ = write!(text, "{first}.{}", number - first * 40);
            } else {
                let _ = write!(text, ".{number}");
            }
            number = 0;
        }
    }
    if text.is_empty() || id.last().is_some_and(|last| last & 0x80 != 0) { "?".to_owned() } else { text }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    /// A name of these attributes, one a set.
    fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let sets = attributes.iter().map(|(id, kind, value)| {
            tagged(SET, &tagged(SEQUENCE, &[tagged(OBJECT_IDENTIFIER, id), tagged(*kind, value)].concat()))
        });
        tagged(SEQUENCE, &sets.collect::<Vec<_>>().concat())
    }

    const CN: &[u8] = &[0x55, 4, 3];

    #[test]
    fn the_last_part_comes_first() {
        let dn = name(&[(&[0x55, 4, 6], 0x13, b"DE"), (&[0x55, 4, 10], 0x0c, b"Acme"), (CN, 0x0c, b"mail.test")]);
        assert_eq!(text(&dn), "CN=mail.test,O=Acme,C=DE");
        let both = [(CN, b"a"), (&[0x55, 4, 11], b"b")]
            .map(|(id, value)| tagged(SEQUENCE, &[tagged(OBJECT_IDENTIFIER, id), tagged(0x0c, value)].concat()));
        assert_eq!(text(&tagged(SEQUENCE, &tagged(SET, &both.concat()))), "CN=a+OU=b");
        assert_eq!(text(&name(&[])), "");
    }

    #[test]
    fn nothing_in_a_value_passes_for_another_part_or_moves_a_cursor() {
        let shown = |kind, value: &[u8]| text(&name(&[(CN, kind, value)]));
        assert_eq!(shown(0x0c, b"a,CN=b+c;\"<>\\"), r#"CN=a\,CN=b\+c\;\"\<\>\\"#);
        assert_eq!(shown(0x0c, b"# #"), r"CN=\# #");
        assert_eq!(shown(0x0c, b" a b "), r"CN=\ a b\ ");
        assert_eq!(shown(0x0c, b" "), r"CN=\ ");
        assert_eq!(shown(0x0c, b"a\r\n\x1b[31m\0"), r"CN=a\0D\0A\1B[31m\00");
        assert_eq!(shown(0x0c, "M\u{fc}ller's \u{202e}x\u{200b}".as_bytes()), r"CN=Müller's \E2\80\AEx\E2\80\8B");
        assert_eq!(shown(0x14, b"M\xfcller"), "CN=M\u{fc}ller");
        assert_eq!(shown(0x1e, b"\0M\0\xfc"), "CN=M\u{fc}");
        assert_eq!(shown(0x1c, b"\0\0\0M\0\x01\xf6\0"), "CN=M\u{1f600}");
    }

    #[test]
    fn what_is_no_string_is_shown_in_hexadecimal() {
        let shown = |kind, value: &[u8]| text(&name(&[(CN, kind, value)]));
        assert_eq!(shown(0x0c, b"\xff"), "2.5.4.3=#0c01ff");
        assert_eq!(shown(0x13, b"\xe4"), "2.5.4.3=#1301e4");
        assert_eq!(shown(0x1e, b"abc"), "2.5.4.3=#1e03616263");
        assert_eq!(shown(0x1e, b"\xd8\0"), "2.5.4.3=#1e02d800");
        assert_eq!(shown(0x02, b"\x05"), "2.5.4.3=#020105");
        assert_eq!(text(&name(&[(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d], 0x0c, b"x")])), "1.2.840.113549=#0c0178");
        assert_eq!(text(&name(&[(&[0x88, 0x37], 0x0c, b"x")])), "2.999=#0c0178");
        for bad in [&[][..], &[0x80], &[0xff; 12], &[0x2a, 0x80]] {
            assert_eq!(text(&name(&[(bad, 0x0c, b"x")])), "?=#0c0178");
        }
        assert_eq!(text(&[0x30, 3, 0x31, 5, 1]), "");
        assert_eq!(text(b""), "");
    }
}
