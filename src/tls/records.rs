//! What can be told of a handshake from outside: the server's records as they pass below a TLS library that says little
//! about itself (RFC 8446 5.1 and 4.1.3, RFC 5246 6.2.1 and 7.4). It changes nothing and decides nothing about trust.

use std::ops::RangeInclusive;

use super::{TlsVersion, groups};

const CHANGE_CIPHER_SPEC: u8 = 0x14;
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
const APPLICATION_DATA: u8 = 0x17;

/// Bytes of the server's first messages that are kept. A ServerHello has some hundred.
const MAX_MESSAGES: usize = 4096;

/// The records that a server has sent so far.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: Vec<u8>,
    /// What is still to come of the record that is passing.
    left: usize,
    /// Kind and length of the record that passed last, or is passing.
    kind: u8,
    length: usize,
    /// The first handshake messages in clear.
    messages: Vec<u8>,
    /// True once something was encrypted in the way of TLS 1.3.
    encrypted: bool,
    /// True once what follows is encrypted in the way of TLS 1.2.
    changed: bool,
    walk: Walk,
    /// Level and description of the last alert in clear.
    alert: Vec<u8>,
}

/// Steps over the handshake messages in clear, however long they are.
#[derive(Debug, Default)]
struct Walk {
    header: Vec<u8>,
    left: usize,
    certificate_requested: bool,
}

impl Walk {
    fn pass(&mut self, mut bytes: &[u8]) {
        const HEADER: usize = 4;
        const CERTIFICATE_REQUEST: u8 = 13;

        while !bytes.is_empty() {
            let wanted = if self.left > 0 { self.left } else { HEADER - self.header.len() };
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.left > 0 {
                self.left -= taken.len();
                continue;
            }
            self.header.extend_from_slice(taken);
            if let [kind, length @ ..] = &self.header[..] {
                if length.len() + 1 < HEADER {
                    continue;
                }
                self.certificate_requested |= *kind == CERTIFICATE_REQUEST;
                self.left = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                self.header.clear();
            }
        }
    }
}

impl Records {
    /// Takes note of bytes that pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes = self.begin(bytes);
                continue;
            }
            let (passing, rest) = bytes.split_at(self.left.min(bytes.len()));
            if self.kind == HANDSHAKE && !self.encrypted {
                let room = MAX_MESSAGES - self.messages.len();
                self.messages.extend(passing.iter().take(room));
                if !self.changed {
                    self.walk.pass(passing);
                }
            }
            if self.kind == ALERT && !self.changed {
                self.alert.extend(passing.iter().take(3));
            }
            self.left -= passing.len();
            bytes = rest;
        }
    }

    /// Takes what belongs to the header of the next record.
    fn begin<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        const HEADER: usize = 5;

        let (header, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
        self.header.extend_from_slice(header);
        if let [kind, _, _, high, low] = self.header[..] {
            self.kind = kind;
            self.length = usize::from(high) << 8 | usize::from(low);
            self.left = self.length;
            self.encrypted |= kind == APPLICATION_DATA;
            self.changed |= kind == CHANGE_CIPHER_SPEC;
            self.alert.clear();
            self.header.clear();
        }
        rest
    }

    /// True if the last that the server said was an alert: it refused, not this side. TLS 1.3 encrypts alerts too, but
    /// no handshake message is as short.
    pub(super) fn end_in_alert(&self) -> bool {
        /// Level and description, the true kind of the record, and an authentication tag of 16 bytes at most.
        const ENCRYPTED_ALERT: usize = 2 + 1 + 16;

        self.kind == ALERT || (self.kind == APPLICATION_DATA && self.length <= ENCRYPTED_ALERT)
    }

    /// The number of the alert that came last, if that was in clear.
    pub(super) fn alert(&self) -> Option<u8> {
        if let [_level, description] = self.alert[..] { Some(description) } else { None }
    }

    /// True if the server asked for a client certificate, which only TLS 1.2 does in clear.
    pub(super) fn certificate_requested(&self) -> bool {
        self.walk.certificate_requested
    }

    /// True if a certificate has arrived, so that it may be what the handshake failed on. TLS 1.3 encrypts it.
    pub(super) fn have_certificate(&self) -> bool {
        const CERTIFICATE: u8 = 11;

        match server_hello(&self.messages) {
            Some((hello, _)) if hello.version() == Some(TlsVersion::Tls13) => self.encrypted,
            Some((_, next)) => next.first() == Some(&CERTIFICATE),
            None => false,
        }
    }

    /// The version that was negotiated, the cipher suite and, as far as it is in clear, the group of the key exchange, both
    /// by their IANA names.
    pub(super) fn negotiated(&self) -> (Option<TlsVersion>, Option<&'static str>, Option<&'static str>) {
        match server_hello(&self.messages) {
            Some((hello, _)) => (hello.version(), suite_name(hello.suite), hello.group.and_then(groups::name)),
            None => (None, None, None),
        }
    }

    /// True if the server chose another version than it was offered.
    pub(super) fn have_version_outside(&self, offered: &RangeInclusive<TlsVersion>) -> bool {
        server_hello(&self.messages).is_some_and(|(hello, _)| hello.version().is_none_or(|own| !offered.contains(&own)))
    }
}

struct ServerHello {
    /// That of TLS 1.3 is in an extension.
    version: u16,
    suite: u16,
    /// Only TLS 1.3 names it here.
    group: Option<u16>,
}

impl ServerHello {
    fn version(&self) -> Option<TlsVersion> {
        match self.version {
            0x0303 => Some(TlsVersion::Tls12),
            0x0304 => Some(TlsVersion::Tls13),
            _ => None,
        }
    }
}

/// The message at the head of `messages` if it is a ServerHello, and what follows it. One that asks for another key
/// share has the same form, the same version and the same suite as the one that counts.
fn server_hello(messages: &[u8]) -> Option<(ServerHello, &[u8])> {
    const SERVER_HELLO: u8 = 2;
    const RANDOM: usize = 32;
    const SUPPORTED_VERSIONS: u16 = 43;
    const KEY_SHARE: u16 = 51;

    let mut rest = messages;
    if take(&mut rest, 1)? != [SERVER_HELLO] {
        return None;
    }
    let mut body = vector(&mut rest, 3)?;
    let mut version = number(&mut body)?;
    take(&mut body, RANDOM)?;
    let _session = vector(&mut body, 1)?;
    let suite = number(&mut body)?;
    let mut group = None;
    let _compression = take(&mut body, 1)?;
    // TLS 1.2 may have no extensions at all.
    let mut extensions = vector(&mut body, 2).unwrap_or_default();
    while !extensions.is_empty() {
        let kind = number(&mut extensions)?;
        let mut value = vector(&mut extensions, 2)?;
        match kind {
            SUPPORTED_VERSIONS => version = number(&mut value)?,
            KEY_SHARE => group = number(&mut value),
            _ => {}
        }
    }
    Some((ServerHello { version, suite, group }, rest))
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(taken)
}

fn number(input: &mut &[u8]) -> Option<u16> {
    take(input, 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// What a length of so many bytes announces.
fn vector<'a>(input: &mut &'a [u8], length_bytes: usize) -> Option<&'a [u8]> {
    let length = take(input, length_bytes)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    take(input, length)
}

/// The suites that are met; the others have names too, but nobody chooses them.
fn suite_name(suite: u16) -> Option<&'static str> {
    Some(match suite {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0x1304 => "TLS_AES_128_CCM_SHA256",
        0x1305 => "TLS_AES_128_CCM_8_SHA256",
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xcca8 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca9 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        0xccaa => "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xc009 => "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        0xc00a => "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        0xc013 => "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        0xc014 => "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        0xc023 => "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        0xc024 => "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        0xc027 => "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        0xc028 => "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        0x009c => "TLS_RSA_WITH_AES_128_GCM_SHA256",
        0x009d => "TLS_RSA_WITH_AES_256_GCM_SHA384",
        0x009e => "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        0x009f => "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        0x002f => "TLS_RSA_WITH_AES_128_CBC_SHA",
        0x0035 => "TLS_RSA_WITH_AES_256_CBC_SHA",
        0x003c => "TLS_RSA_WITH_AES_128_CBC_SHA256",
        0x003d => "TLS_RSA_WITH_AES_256_CBC_SHA256",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with one message: ServerHello with this version, suite and extensions.
    fn hello(suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 0, 0]);
        body.extend(suite);
        body.push(0);
        if !extensions.is_empty() {
            body.extend([0, extensions.len() as u8]);
            body.extend(extensions);
        }
        record(0x16, &[&[2, 0, 0, body.len() as u8], &body[..]].concat())
    }

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3, (content.len() >> 8) as u8, content.len() as u8], content].concat()
    }

    const VERSION_13: &[u8] = &[0, 51, 0, 4, 0, 0x1d, 9, 9, 0, 43, 0, 2, 3, 4];

    fn seen(parts: &[Vec<u8>], step: usize) -> Records {
        let mut records = Records::default();
        parts.concat().chunks(step).for_each(|bytes| records.pass(bytes));
        records
    }

    #[test]
    fn tells_version_suite_and_whether_a_certificate_came() {
        for step in [1, 3, 1000] {
            let old = [hello([0xc0, 0x2f], &[]), record(0x16, &[11, 0, 0, 0])];
            let records = seen(&old, step);
            let suite = Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
            assert_eq!(records.negotiated(), (Some(TlsVersion::Tls12), suite, None));
            assert!(records.have_certificate() && !seen(&old[..1], step).have_certificate());

            let new = [hello([0x13, 1], VERSION_13), record(0x14, &[1]), record(0x17, &[5; 40])];
            let records = seen(&new, step);
            let (suite, group) = (Some("TLS_AES_128_GCM_SHA256"), Some("x25519"));
            assert_eq!(records.negotiated(), (Some(TlsVersion::Tls13), suite, group));
            let versions = TlsVersion::Tls12..=TlsVersion::Tls12;
            assert!(records.have_version_outside(&versions) && !seen(&old, step).have_version_outside(&versions));
            assert!(records.have_certificate() && !seen(&new[..2], step).have_certificate());
        }
        assert_eq!(seen(&[hello([0x13, 0xff], VERSION_13)], 9).negotiated().1, None);
        let older = seen(&[hello([0, 0], &[0, 43, 0, 2, 3, 2])], 9);
        assert_eq!(older.negotiated(), (None, None, None));
        assert!(older.have_version_outside(&(TlsVersion::Tls12..=TlsVersion::Tls13)));
    }

    #[test]
    fn tells_what_the_server_asked_for_and_why_it_refused() {
        let messages = [&[11, 0, 0x20, 0][..], &[9; 0x2000], &[13, 0, 0, 2, 1, 2], &[14, 0, 0, 0]].concat();
        let (first, second) = messages.split_at(8193);
        let asks = [hello([0xc0, 0x2f], &[]), record(0x16, first), record(0x16, second)];
        let refuses = [&asks[..], &[record(0x15, &[2, 40])]].concat();
        for step in [1, 3, 10_000] {
            assert!(seen(&asks, step).certificate_requested() && !seen(&asks[..2], step).certificate_requested());
            assert_eq!((seen(&asks, step).alert(), seen(&refuses, step).alert()), (None, Some(40)));
        }
        // What is encrypted says nothing.
        let done = [hello([0xc0, 0x2f], &[]), record(0x14, &[1]), record(0x16, &[13, 0, 0, 0]), record(0x15, &[2, 40])];
        let records = seen(&done, 5);
        assert_eq!((records.certificate_requested(), records.alert()), (false, None));
    }

    #[test]
    fn an_alert_counts_where_it_is_the_last_word() {
        let (warning, hello) = (record(0x15, &[1, 112]), hello([0xc0, 0x2f], &[]));
        assert!(seen(&[hello.clone(), warning.clone()], 4).end_in_alert());
        assert!(!seen(&[warning, hello.clone()], 4).end_in_alert());
        assert!(seen(&[hello.clone(), record(0x17, &[9; 19])], 4).end_in_alert());
        assert!(!seen(&[hello, record(0x17, &[9; 23])], 4).end_in_alert());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = hello([0x13, 1], VERSION_13);
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut mutant = good.clone();
                mutant[at] = value;
                let records = seen(&[mutant, vec![0x16; 100]], 7);
                let _ = (records.negotiated(), records.have_certificate());
            }
            assert_eq!(seen(&[good[..at].to_vec()], 7).negotiated(), (None, None, None));
        }
    }
}
