//! PEM files (RFC 7468), one reader for all back ends: certificates, revocation lists, private keys. What a caller did not ask for is
//! skipped, what is wrong is named by its line, and nothing of a key is ever repeated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// The label of RFC 7468 5.1, and the older one that it says is still met.
const CERTIFICATE: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];
/// How the labels of all kinds of private keys end.
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// A certificate or list in DER, and the line on which its PEM part begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) line: usize,
    pub(super) der: Vec<u8>,
}

/// A private key in DER, as its label says, and the line on which its PEM part begins.
pub(super) struct Key {
    pub(super) line: usize,
    pub(super) label: String,
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// All certificates of a PEM text, in their order.
///
/// # Errors
/// What is wrong, with its line.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Part>, String> {
    labelled(pem, &CERTIFICATE)
}

/// All certificate revocation lists of a PEM text (RFC 7468 6), in their order.
///
/// # Errors
/// What is wrong, with its line.
pub(super) fn revocation_lists(pem: &[u8]) -> Result<Vec<Part>, String> {
    labelled(pem, &["X509 CRL"])
}

fn labelled(pem: &[u8], labels: &[&str]) -> Result<Vec<Part>, String> {
    let wanted = blocks(pem)?.into_iter().filter(|block| labels.contains(&&*block.label));
    wanted.map(|block| Ok(Part { line: block.line, der: block.decode()?.to_vec() })).collect()
}

/// The one private key of a PEM text.
///
/// # Errors
/// What is wrong, with its line; also if there is none, or a second one.
pub(super) fn private_key(pem: &[u8]) -> Result<Key, String> {
    let mut keys = blocks(pem)?.into_iter().filter(|block| block.label.ends_with(PRIVATE_KEY));
    let Some(block) = keys.next() else { return Err("no PEM part `PRIVATE KEY` in it".into()) };
    if let Some(second) = keys.next() {
        return Err(format!("line {}: a second private key", second.line));
    }
    if block.is_encrypted() {
        let advice = "take the encryption off first, as `openssl pkey` does";
        return Err(format!("line {}: the private key is encrypted; {advice}", block.line));
    }
    // The decoder's own words would quote a byte of it.
    let der = block.decode().map_err(|_| format!("line {}: not base64", block.line))?;
    Ok(Key { line: block.line, label: block.label, der })
}

/// A PEM text of one part. It may be a key's, so it is made in one piece.
#[cfg(feature = "native-tls")]
pub(super) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    /// RFC 7468 2: lines of 64 characters.
    const LINE: usize = 48;

    let lines = der.len().div_ceil(LINE);
    let mut pem = Zeroizing::new(String::with_capacity(lines * 65 + 2 * (label.len() + 20)));
    pem.push_str(&format!("{BEGIN}{label}{DASHES}\n"));
    for line in der.chunks(LINE) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem.push_str(&format!("{END}{label}{DASHES}\n"));
    pem
}

/// A whole PEM part.
struct Block<'a> {
    line: usize,
    label: String,
    body: &'a [u8],
}

impl Block<'_> {
    /// In the form of PKCS#8, or in the older one of RFC 1421.
    fn is_encrypted(&self) -> bool {
        const HEADER: &[u8] = b"ENCRYPTED";

        self.label.starts_with("ENCRYPTED") || self.body.windows(HEADER.len()).any(|part| part == HEADER)
    }

    /// Makes no copy that stays behind in memory.
    fn decode(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut base64 = Zeroizing::new(Vec::with_capacity(self.body.len()));
        base64.extend(self.body.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let der = STANDARD.decode(&*base64).map_err(|error| format!("line {}: not base64: {error}", self.line))?;
        Ok(Zeroizing::new(der))
    }
}

/// All parts of a PEM text; what stands between them is skipped.
fn blocks(pem: &[u8]) -> Result<Vec<Block<'_>>, String> {
    let unfinished = |line: usize| format!("line {line}: a PEM part without its END");
    let mut found = Vec::new();
    let mut open: Option<(Block<'_>, usize)> = None;
    let mut next = 0;
    for (index, line) in pem.split(|byte| *byte == b'\n').enumerate() {
        let start = next;
        next += line.len() + 1;
        let text = std::str::from_utf8(line.trim_ascii()).unwrap_or_default();
        if let Some(label) = marker(text, BEGIN) {
            if let Some((block, _)) = open {
                return Err(unfinished(block.line));
            }
            open = Some((Block { line: index + 1, label: label.to_owned(), body: &[] }, next));
        } else if let Some(label) = marker(text, END) {
            let Some((mut block, body)) = open.take().filter(|(block, _)| block.label == label) else {
                return Err(format!("line {}: an END without its BEGIN", index + 1));
            };
            block.body = pem.get(body..start).unwrap_or_default();
            found.push(block);
        }
    }
    match open {
        Some((block, _)) => Err(unfinished(block.line)),
        None => Ok(found),
    }
}

fn marker<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix(DASHES)
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

    #[test]
    fn finds_the_one_private_key() {
        let key = |text: &str| private_key(text.as_bytes()).map(|key| (key.line, key.label, key.der.to_vec()));
        let part = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let (certificate, curve) = (part("CERTIFICATE", "AQ=="), part("EC PARAMETERS", "BggqhkjOPQMBBw=="));
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
            let both = format!("{certificate}{curve}{}", part(label, "AQ\nID"));
            assert_eq!(key(&both), Ok((7, label.to_owned(), vec![1, 2, 3])));
        }
        let two = format!("{}{}", part("PRIVATE KEY", "AQID"), part("RSA PRIVATE KEY", "AQID"));
        assert_eq!(key(&two).unwrap_err(), "line 4: a second private key");
        assert_eq!(key(&certificate).unwrap_err(), "no PEM part `PRIVATE KEY` in it");
        // Not even the byte that is wrong.
        assert_eq!(key(&part("PRIVATE KEY", "s3cret!")).unwrap_err(), "line 1: not base64");
        for encrypted in [
            part("ENCRYPTED PRIVATE KEY", "AQID"),
            part("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAQID"),
        ] {
            assert!(key(&encrypted).unwrap_err().starts_with("line 1: the private key is encrypted"));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let pem = b"x\n-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
        for at in 0..pem.len() {
            for value in [0, b'\n', b'-', b'=', 0x80, 0xff] {
                let mut mutant = pem.to_vec();
                mutant[at] = value;
                let _ = (certificates(&mutant), private_key(&mutant).is_ok(), private_key(&pem[..at]).is_ok());
            }
        }
    }
}
