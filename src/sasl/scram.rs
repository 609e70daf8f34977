//! SCRAM, RFC 5802 with SHA-1, RFC 7677 with SHA-256, and the same with SHA-512. The password never leaves this side, and
//! the server has to prove that it knows it too before success counts.

use std::fmt;
use std::mem;

use zeroize::Zeroizing;

use super::crypto;
use super::scram_message::{self as message, ServerFinal};
use super::{ChannelBinding, Context, Mechanism, Secret};
use crate::error::{Error, Result, SaslCause};

/// A password that is proven and not sent, by both sides. User name and password are prepared by SASLprep (RFC 4013), as
/// the server did it when the password was set.
///
/// ```
/// # if cfg!(not(feature = "scram")) { return Ok(()); }
/// use mailconnect::ImapClient;
/// use mailconnect::sasl::Scram;
///
/// fn log_in(imap: &mut ImapClient) -> mailconnect::Result<()> {
///     // `login` does the same where the server offers it; this asks for nothing else.
///     imap.authenticate(&mut Scram::sha256("user", "password")?)
/// }
/// # Ok::<(), mailconnect::Error>(())
/// ```
pub struct Scram {
    hash: Hash,
    user: Zeroizing<String>,
    password: Secret,
    identity: String,
    /// None without channel binding, else the kinds that will do, the best first.
    binding: Option<&'static [ChannelBinding]>,
    /// The one that was found when this was started last.
    bound_with: Option<ChannelBinding>,
    /// Given by tests; else a random one each time.
    nonce: Option<String>,
    state: State,
}

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    /// The mechanism's registered name.
    pub(super) fn mechanism(self, bound: bool) -> &'static str {
        match (self, bound) {
            (Self::Sha1, false) => "SCRAM-SHA-1",
            (Self::Sha1, true) => "SCRAM-SHA-1-PLUS",
            (Self::Sha256, false) => "SCRAM-SHA-256",
            (Self::Sha256, true) => "SCRAM-SHA-256-PLUS",
            (Self::Sha512, false) => "SCRAM-SHA-512",
            (Self::Sha512, true) => "SCRAM-SHA-512-PLUS",
        }
    }
}

enum State {
    Idle,
    /// The client's first message is sent.
    First(First),
    /// The client's proof is sent, and this is the signature that the server must answer with.
    Last(Expected),
    /// The server has proven itself.
    Verified,
    /// The server has said what is wrong, or has said something wrong.
    Failed(String),
}

struct First {
    nonce: String,
    bare: Zeroizing<String>,
    /// The GS2 header, and the data of the channel binding.
    bound_to: Vec<u8>,
    iterations: (u32, u32),
}

struct Expected {
    server_key: Secret,
    conversation: Zeroizing<Vec<u8>>,
}

impl Scram {
    /// SCRAM-SHA-1: the oldest, and what most servers have.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what SASLprep prohibits (control characters among it) in either, or an empty user
    /// name; [`Error::Unsupported`] without the feature `scram`.
    pub fn sha1(user: &str, password: &str) -> Result<Self> {
        Self::new(Hash::Sha1, user, password)
    }

    /// SCRAM-SHA-256.
    ///
    /// # Errors
    /// As [`sha1`](Self::sha1).
    pub fn sha256(user: &str, password: &str) -> Result<Self> {
        Self::new(Hash::Sha256, user, password)
    }

    /// SCRAM-SHA-512.
    ///
    /// # Errors
    /// As [`sha1`](Self::sha1).
    pub fn sha512(user: &str, password: &str) -> Result<Self> {
        Self::new(Hash::Sha512, user, password)
    }

    pub(super) fn new(hash: Hash, user: &str, password: &str) -> Result<Self> {
        let user = crypto::prepared("user", user)?;
        if user.is_empty() {
            return Err(Error::invalid("user", "is empty"));
        }
        let password = crypto::prepared("password", password)?.as_str().into();
        let (identity, state) = (String::new(), State::Idle);
        Ok(Self { hash, user, password, identity, binding: None, bound_with: None, nonce: None, state })
    }

    /// Acts as `identity`, after logging in as the user.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what SASLprep prohibits.
    pub fn identity(mut self, identity: &str) -> Result<Self> {
        self.identity = crypto::prepared("identity", identity)?.to_string();
        Ok(self)
    }

    /// The `-PLUS` form: bound to the TLS connection by the strongest channel binding that it has, so that nobody can sit
    /// between. A server does not tell which kinds it takes; if it refuses, it may take another.
    #[must_use]
    pub fn bound(mut self) -> Self {
        self.binding = Some(ChannelBinding::ALL);
        self
    }

    /// As [`bound`](Self::bound), by this kind alone.
    #[must_use]
    pub fn bound_by(mut self, kind: ChannelBinding) -> Self {
        self.binding = Some(match kind {
            ChannelBinding::TlsExporter => &[ChannelBinding::TlsExporter],
            ChannelBinding::TlsServerEndPoint => &[ChannelBinding::TlsServerEndPoint],
        });
        self
    }

    /// The GS2 header with what it announces, RFC 5802 6: `p` if this log-in is bound; `y` if it could be and the server
    /// does not offer that (one that does learns from it that its offer was taken out on the way); else `n`.
    fn bound_to(&mut self, context: &Context<'_>) -> Result<(String, Vec<u8>)> {
        let (flag, data) = match self.binding {
            Some(kinds) => {
                let found = kinds.iter().find_map(|kind| Some((*kind, context.channel_binding(*kind)?)));
                let (kind, data) = found.ok_or_else(|| self.unbindable(kinds))?;
                self.bound_with = Some(kind);
                (format!("p={}", kind.name()), data)
            }
            None => {
                let could = context.bindings.is_some_and(|bindings| !bindings.is_empty());
                let offered = context.offered.iter().any(|name| name.to_ascii_uppercase().ends_with("-PLUS"));
                (if could && !offered { "y" } else { "n" }.to_owned(), &[][..])
            }
        };
        let identity = match &*self.identity {
            "" => String::new(),
            identity => format!("a={}", message::escaped(identity)),
        };
        let header = format!("{flag},{identity},");
        let bound_to = [header.as_bytes(), data].concat();
        Ok((header, bound_to))
    }

    fn unbindable(&self, kinds: &[ChannelBinding]) -> Error {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        let (name, kinds) = (self.name(), names.join(" or "));
        Error::unsupported(format!("{name} needs the channel binding {kinds}, which this connection does not have"))
    }

    fn wrong(&self, cause: SaslCause) -> Error {
        Error::sasl(self.name(), cause)
    }

    fn answer_first(&mut self, first: First, challenge: &str) -> Result<Secret> {
        if challenge.starts_with("e=") {
            return self.told_why(challenge);
        }
        let server = message::server_first(challenge).map_err(|cause| self.wrong(cause))?;
        let printable = server.nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || !server.nonce.starts_with(&first.nonce) || server.nonce.len() == first.nonce.len() {
            return Err(self.wrong(SaslCause::Nonce));
        }
        let (min, max) = first.iterations;
        let count = server.iterations;
        let taken = u32::try_from(count).ok().filter(|count| (min..=max).contains(count));
        let Some(iterations) = taken else { return Err(self.wrong(SaslCause::Iterations { count, min, max })) };

        let bound_to = Secret::from(first.bound_to).to_base64();
        let bound_to = String::from_utf8_lossy(bound_to.as_bytes());
        let without_proof = format!("c={bound_to},r={}", server.nonce);
        let conversation = [&first.bare, challenge, &without_proof].join(",").into_bytes();
        let keys = crypto::scram_keys(self.hash, self.password.as_bytes(), server.salt.as_bytes(), iterations)?;
        let proof = crypto::scram_proof(self.hash, &keys.client, &conversation)?.to_base64();
        let mut answer = Vec::with_capacity(without_proof.len() + ",p=".len() + proof.as_bytes().len());
        for part in [without_proof.as_bytes(), b",p=", proof.as_bytes()] {
            answer.extend_from_slice(part);
        }
        self.state = State::Last(Expected { server_key: keys.server, conversation: conversation.into() });
        Ok(answer.into())
    }

    fn answer_last(&mut self, expected: &Expected, challenge: &str) -> Result<Secret> {
        match message::server_final(challenge).map_err(|cause| self.wrong(cause))? {
            ServerFinal::Error(_) => self.told_why(challenge),
            ServerFinal::Signature(signature) => {
                let Expected { server_key, conversation } = expected;
                if !crypto::is_signature(self.hash, server_key, conversation, signature.as_bytes())? {
                    return Err(self.wrong(SaslCause::Signature));
                }
                self.state = State::Verified;
                Ok(Secret::default())
            }
        }
    }

    /// The server says what is wrong, and refuses after the answer, which is empty.
    fn told_why(&mut self, challenge: &str) -> Result<Secret> {
        self.state = State::Failed(challenge.to_owned());
        Ok(Secret::default())
    }
}

impl Mechanism for Scram {
    fn name(&self) -> &str {
        self.hash.mechanism(self.binding.is_some())
    }

    fn start(&mut self, context: &Context<'_>) -> Result<Option<Secret>> {
        let (header, bound_to) = self.bound_to(context)?;
        let nonce = match &self.nonce {
            Some(nonce) => nonce.clone(),
            None => crypto::nonce()?,
        };
        let bare = Zeroizing::new(format!("n={},r={nonce}", message::escaped(&self.user)));
        let first = format!("{header}{}", *bare);
        self.state = State::First(First { nonce, bare, bound_to, iterations: context.scram_iterations });
        Ok(Some(first.into()))
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        let state = mem::replace(&mut self.state, State::Failed(String::new()));
        let text = std::str::from_utf8(challenge);
        let text = text.map_err(|_| self.wrong(SaslCause::Malformed("a message of SCRAM that is not UTF-8")))?;
        match state {
            State::First(first) => self.answer_first(first, text),
            State::Last(expected) => self.answer_last(&expected, text),
            State::Idle | State::Verified | State::Failed(_) => Err(self.wrong(SaslCause::Unexpected)),
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Verified)
    }

    fn password(&self) -> Option<&[u8]> {
        Some(self.password.as_bytes())
    }

    fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Failed(why) if !why.is_empty() => Some(why),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let binding = self.bound_with.map_or(String::new(), |kind| {
            format!(
                "a server does not tell which channel bindings it takes, and may not take {}: try Scram::bound_by another, \
                 or do without; ",
                kind.name()
            )
        });
        Some(format!(
            "{binding}if user and password are right, the server may hold no SCRAM secret for this user: to send the \
             password itself, ask for it by Connector::mechanisms([\"PLAIN\", \"LOGIN\"])"
        ))
    }
}

impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scram").field("mechanism", &self.name()).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "scram"))]
mod tests;
