//! A server of SCRAM-SHA-256, written from RFC 5802 alone and with its own hashes.

use std::sync::LazyLock;

use mailconnect::sasl::Secret;

use crate::peer::{Part, Say};
use crate::sha256::{hmac, pbkdf2, sha256};

pub(crate) const USER: &str = "user";
pub(crate) const PASSWORD: &str = "pencil";
const SALT: &[u8] = b"sixteen octets..";
const ITERATIONS: u32 = 4096;

static SALTED: LazyLock<[u8; 32]> = LazyLock::new(|| pbkdf2(PASSWORD.as_bytes(), SALT, ITERATIONS));

/// What a server knows beside the password.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    /// The binding that it takes, and its data.
    pub(crate) binding: Option<(&'static str, Vec<u8>)>,
    /// It offers `-PLUS`.
    pub(crate) offers_plus: bool,
}

fn base64(bytes: &[u8]) -> String {
    String::from_utf8(Secret::from(bytes.to_vec()).to_base64().as_bytes().to_vec()).unwrap()
}

fn decoded(text: &str) -> Vec<u8> {
    Secret::from_base64(text.as_bytes()).expect("no base64").as_bytes().to_vec()
}

impl Server {
    /// Its part of an exchange. `tamper` may change what it says: the first message (0), the last (1).
    pub(crate) fn part(self, mut tamper: impl FnMut(usize, String) -> String + Send + 'static) -> Part {
        let mut conversation: Option<(String, String, String)> = None;
        let mut verified = false;
        Box::new(move |message| {
            let message = match message {
                None => return Say::Challenge(Vec::new()),
                Some(message) => std::str::from_utf8(message).unwrap(),
            };
            if verified {
                assert_eq!(message, "", "the answer to the last message is empty");
                return Say::Success;
            }
            match conversation.take() {
                None => match self.first(message) {
                    Some((header, bare, first)) => {
                        let said = tamper(0, first.clone());
                        conversation = Some((header, bare, first));
                        Say::Challenge(said.into_bytes())
                    }
                    None => Say::Refusal,
                },
                Some((header, bare, first)) => match self.last(message, &header, &bare, &first) {
                    Some(signature) => {
                        verified = true;
                        Say::Challenge(tamper(1, format!("v={}", base64(&signature))).into_bytes())
                    }
                    None => Say::Refusal,
                },
            }
        })
    }

    /// The header, the rest and the answer; none if that flag is refused.
    fn first(&self, message: &str) -> Option<(String, String, String)> {
        let mut parts = message.splitn(3, ',');
        let (flag, identity, bare) = (parts.next()?, parts.next()?, parts.next()?);
        let taken = match (flag.strip_prefix("p="), &self.binding) {
            (Some(kind), Some((own, _))) => kind == *own,
            (Some(_), None) => false,
            // The client can, and thinks that this server cannot: somebody took the offer out.
            (None, _) if flag == "y" => !self.offers_plus,
            (None, _) => flag == "n",
        };
        let nonce = bare.strip_prefix(&format!("n={USER},r="))?;
        let first = format!("r={nonce}~server,s={},i={ITERATIONS}", base64(SALT));
        taken.then(|| (format!("{flag},{identity},"), bare.to_owned(), first))
    }

    /// The signature, if the proof is right.
    fn last(&self, message: &str, header: &str, bare: &str, first: &str) -> Option<Vec<u8>> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let data = match &self.binding {
            Some((_, data)) if header.starts_with('p') => data.clone(),
            _ => Vec::new(),
        };
        let nonce = first.split(',').next()?;
        if without_proof != format!("c={},{nonce}", base64(&[header.as_bytes(), &data].concat())) {
            return None;
        }
        let conversation = format!("{bare},{first},{without_proof}");
        let salted = *SALTED;
        let stored = sha256(&hmac(&salted, b"Client Key"));
        let mask = hmac(&stored, conversation.as_bytes());
        let key: Vec<u8> = decoded(proof).iter().zip(mask).map(|(proof, mask)| proof ^ mask).collect();
        (sha256(&key) == stored).then(|| hmac(&hmac(&salted, b"Server Key"), conversation.as_bytes()).to_vec())
    }
}
