//! Certificates out of a PEM file (RFC 7468), one reader for all back ends. Everything but certificates is skipped;
//! what is wrong is named by its line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// The label of RFC 7468 5.1, and the older one that it says is still met.
const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];

/// A certificate in DER, and the line on which its PEM part begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) line: usize,
    pub(super) der: Vec<u8>,
}

/// All certificates of a PEM text, in their order.
///
/// # Errors
/// What is wrong, with its line.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Part>, String> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    for (index, line) in pem.split(|byte| *byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(line.trim_ascii());
        if let Some(label) = marker(&text, BEGIN) {
            if let Some(open) = open {
                return Err(open.unfinished());
            }
            open = Some(Open { line: index + 1, label: label.to_owned(), base64: String::new() });
        } else if let Some(label) = marker(&text, END) {
            let Some(open) = open.take().filter(|open| open.label == label) else {
                return Err(format!("line {}: an END without its BEGIN", index + 1));
            };
            found.extend(open.decode()?);
        } else if let Some(open) = &mut open {
            open.base64.extend(text.split_ascii_whitespace());
        }
    }
    match open {
        Some(open) => Err(open.unfinished()),
        None => Ok(found),
    }
}

fn marker<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix(DASHES)
}

/// A part whose END has not come.
struct Open {
    line: usize,
    label: String,
    base64: String,
}

impl Open {
    fn unfinished(&self) -> String {
        format!("line {}: a PEM part without its END", self.line)
    }

    fn decode(self) -> Result<Option<Part>, String> {
        if !LABELS.contains(&self.label.as_str()) {
            return Ok(None);
        }
        match STANDARD.decode(&self.base64) {
            Ok(der) => Ok(Some(Part { line: self.line, der })),
            Err(error) => Err(format!("line {}: not base64: {error}", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_certificates_and_skips_the_rest() {
        let pem = b"subject=/CN=x\r\n-----BEGIN CERTIFICATE-----\r\nAQ ID\r\nBA==\r\n-----END CERTIFICATE-----\r\n\
            -----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n\n  -----BEGIN X509 CERTIFICATE-----  \nBQ==\n\
            -----END X509 CERTIFICATE-----";
        let parts = certificates(pem).unwrap();
        assert_eq!(parts, [Part { line: 2, der: vec![1, 2, 3, 4] }, Part { line: 10, der: vec![5] }]);
        assert_eq!(certificates(b"no certificate \xff here\n"), Ok(Vec::new()));
        assert_eq!(certificates(b""), Ok(Vec::new()));
    }

    #[test]
    fn names_the_line_of_what_is_wrong() {
        let line = |pem: &str| certificates(pem.as_bytes()).unwrap_err();
        assert!(line("\n-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----").starts_with("line 2: not base64"));
        assert!(line("-----BEGIN CERTIFICATE-----\nAQID\n").starts_with("line 1: a PEM part without"));
        assert!(
            line("-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----").starts_with("line 1: a PEM part without")
        );
        assert!(line("\n\n-----END CERTIFICATE-----").starts_with("line 3: an END without"));
        assert!(line("-----BEGIN A-----\n-----END B-----").starts_with("line 2: an END without"));
    }
}
