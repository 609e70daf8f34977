//! The messages that go through the servers, and what of them must come back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::report::{Checked, ensure};

/// A message that can be told from all others.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its subject, and the left side of its Message-ID.
    pub(crate) tag: String,
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn new(recipient: &str, body: &[u8]) -> Self {
        let tag = tag();
        let mut bytes = format!(
            "From: Rig <rig@example.test>\r\nTo: <{recipient}>\r\nSubject: {tag}\r\nMessage-ID: <{tag}@example.test>\r\n\
             Date: Sat, 10 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self { tag, bytes }
    }

    /// A short one with what transports get wrong: dots at line starts, a line that is one dot, an empty last line.
    pub(crate) fn short(recipient: &str) -> Self {
        Self::new(recipient, b"One line.\r\n.dot\r\n..two dots\r\n.\r\n \r\nend\r\n")
    }

    /// What was wrong with the copy that came back; none if its body is the same byte for byte.
    pub(crate) fn differs_from(&self, copy: &[u8]) -> Option<String> {
        let (Some(sent), Some(got)) = (body(&self.bytes), body(copy)) else {
            return Some(format!("no empty line in {:?}", String::from_utf8_lossy(&copy[..copy.len().min(200)])));
        };
        difference(sent, got)
    }
}

/// Where the bytes that came back begin to differ from what was sent; none if they do not.
pub(crate) fn difference(sent: &[u8], got: &[u8]) -> Option<String> {
    if sent == got {
        return None;
    }
    let same = sent.iter().zip(got).take_while(|(sent, got)| sent == got).count();
    let piece = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[same.saturating_sub(20)..bytes.len().min(same + 40)]).into_owned()
    };
    let lengths = (sent.len(), got.len());
    Some(format!("{lengths:?} bytes, differing at {same}: {:?} came back as {:?}", piece(sent), piece(got)))
}

/// All after the headers.
pub(crate) fn body(message: &[u8]) -> Option<&[u8]> {
    let at = message.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some(&message[at + 4..])
}

/// Compares a copy with what the rig put there. Servers that keep all messages in one file (mbox) take the empty line
/// between two for a part of the first.
pub(crate) fn is_seed(seed: &[u8], copy: &[u8]) -> Checked {
    let text = |message| body(message).map(<[u8]>::trim_ascii_end);
    ensure(text(seed).is_some() && text(seed) == text(copy), || {
        format!("a seed came back as {:?}", String::from_utf8_lossy(copy))
    })
}

fn tag() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    format!("rig{time:x}x{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
