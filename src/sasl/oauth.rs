//! OAuth 2.0 tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, which is the same before it had an RFC. A token is one to
//! whoever holds it: never without TLS, but to this machine.

use std::fmt;
use std::io;

use super::{Context, Mechanism, Secret};
use crate::error::{Error, Result, SaslCause};

/// Where tokens come from.
type Source = Box<dyn FnMut() -> io::Result<String> + Send>;

/// OAuth 2.0 by RFC 7628. A refused token's reason, JSON of the server's, is in the error
/// ([`Rejection::detail`](crate::Rejection::detail)).
///
/// ```
/// use mailconnect::sasl::OAuthBearer;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] ready\n\
/// #   C: A1 AUTHENTICATE OAUTHBEARER bixhPW1lQGV4YW1wbGUuY29tLAFob3N0PW1haWwuZXhhbXBsZS5jb20BcG9ydD0xNDMBYXV0aD1CZWFyZXIgdDBrM24BAQ==\n\
/// #   S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\nC: AQ==\nS: A1 NO [AUTHENTICATIONFAILED] no";
/// # let (transport, script) = mailconnect::testing::Script::parse(script)?.play();
/// # let connector = mailconnect::Connector::new().clock(script.clock()).danger_plaintext_auth(true);
/// # let security = mailconnect::Security::Plain;
/// # let mut imap = connector.over(mailconnect::imap::Imap::new(), transport, "mail.example.com", security)?;
/// # let fetch_token = || Ok("t0k3n".to_owned());
/// // Asked for a token at each log-in: one that has expired is of no use to the next connection.
/// let mut oauth = OAuthBearer::with_source("me@example.com", fetch_token)?;
/// if let Err(error) = imap.authenticate(&mut oauth) {
///     let reason = error.rejection().and_then(|refused| refused.detail.as_deref());
///     assert_eq!(reason, Some(r#"{"status":"invalid_token"}"#));
/// }
/// # script.finish();
/// # Ok(())
/// # }
/// ```
pub struct OAuthBearer(OAuth);

/// OAuth 2.0 as Google and Microsoft had it first. For servers without [`OAuthBearer`].
///
/// ```
/// use mailconnect::sasl::XOAuth2;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\n\
/// #   C: A1 AUTHENTICATE XOAUTH2 dXNlcj1tZUBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB0MGszbgEB\nS: A1 OK in";
/// # let (transport, script) = mailconnect::testing::Script::parse(script)?.play();
/// # let connector = mailconnect::Connector::new().clock(script.clock()).danger_plaintext_auth(true);
/// # let security = mailconnect::Security::Plain;
/// # let mut imap = connector.over(mailconnect::imap::Imap::new(), transport, "mail.example.com", security)?;
/// imap.authenticate(&mut XOAuth2::new("me@example.com", "t0k3n")?)?;
/// # script.finish();
/// # Ok(())
/// # }
/// ```
pub struct XOAuth2(OAuth);

/// What the two have in common.
struct OAuth {
    user: String,
    token: Secret,
    /// None for a token that was given once.
    source: Option<Source>,
    state: State,
}

enum State {
    Idle,
    Sent,
    /// With the server's reason.
    Refused(String),
}

impl OAuthBearer {
    /// Logs in as `user` with this token, or without a user as whom the token names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a control character in the user name, or anything but printable ASCII in the token.
    pub fn new(user: &str, token: &str) -> Result<Self> {
        OAuth::new(user, token).map(Self)
    }

    /// Logs in as `user` with the token that `source` returns, which is asked at each log-in. It may take its time: the
    /// connection waits as long as the server does.
    ///
    /// # Errors
    /// As [`new`](Self::new). If `source` fails, the log-in ends in [`Error::Caller`], before a byte was sent.
    pub fn with_source(user: &str, source: impl FnMut() -> io::Result<String> + Send + 'static) -> Result<Self> {
        OAuth::with_source(user, Box::new(source)).map(Self)
    }
}

impl XOAuth2 {
    /// Logs in as `user` with this token.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a control character in the user name, or anything but printable ASCII in the token.
    pub fn new(user: &str, token: &str) -> Result<Self> {
        OAuth::new(user, token).map(Self)
    }

    /// Logs in as `user` with the token that `source` returns, which is asked at each log-in. It may take its time: the
    /// connection waits as long as the server does.
    ///
    /// # Errors
    /// As [`new`](Self::new). If `source` fails, the log-in ends in [`Error::Caller`], before a byte was sent.
    pub fn with_source(user: &str, source: impl FnMut() -> io::Result<String> + Send + 'static) -> Result<Self> {
        OAuth::with_source(user, Box::new(source)).map(Self)
    }
}

impl OAuth {
    fn new(user: &str, token: &str) -> Result<Self> {
        check_token(token)?;
        Ok(Self { token: token.into(), ..Self::for_user(user)? })
    }

    fn with_source(user: &str, source: Source) -> Result<Self> {
        Ok(Self { source: Some(source), ..Self::for_user(user)? })
    }

    fn for_user(user: &str) -> Result<Self> {
        if user.contains(|c: char| c.is_control()) {
            return Err(Error::invalid("user", "holds a control character"));
        }
        Ok(Self { user: user.to_owned(), token: Secret::default(), source: None, state: State::Idle })
    }

    /// Gets a token if it is time, and puts it between two pieces of text.
    fn message(&mut self, before: &str, after: &str) -> Result<Secret> {
        if let Some(source) = &mut self.source {
            let what = "the source of tokens";
            let token = Secret::from(source().map_err(|source| Error::Caller { what, source, closed: false })?);
            std::str::from_utf8(token.as_bytes()).map_or(Ok(()), check_token)?;
            self.token = token;
        }
        let token = self.token.as_bytes();
        let mut message = Vec::with_capacity(before.len() + token.len() + after.len());
        for part in [before.as_bytes(), token, after.as_bytes()] {
            message.extend_from_slice(part);
        }
        self.state = State::Sent;
        Ok(message.into())
    }

    /// The only challenge there can be is the server's reason to refuse, which it wants answered.
    fn refused(&mut self, mechanism: &'static str, challenge: &[u8], answer: &'static str) -> Result<Secret> {
        match self.state {
            State::Sent => {
                self.state = State::Refused(String::from_utf8_lossy(challenge).into_owned());
                Ok(answer.into())
            }
            _ => Err(Error::sasl(mechanism, SaslCause::Unexpected)),
        }
    }

    fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Refused(reason) if !reason.is_empty() => Some(reason),
            _ => None,
        }
    }
}

/// RFC 6750 2.1 has letters, digits and `-._~+/=`; nothing is refused here but what could end the message.
fn check_token(token: &str) -> Result<()> {
    match token.bytes().position(|byte| !byte.is_ascii_graphic()) {
        None if !token.is_empty() => Ok(()),
        None => Err(Error::invalid("token", "is empty")),
        Some(offset) => Err(Error::invalid("token", format!("is not printable ASCII at offset {offset}"))),
    }
}

impl Mechanism for OAuthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn start(&mut self, context: &Context<'_>) -> Result<Option<Secret>> {
        let user = super::scram_message::escaped(&self.0.user);
        let port = context.port.map_or(String::new(), |port| format!("port={port}\x01"));
        // Without one the token says who it is.
        let identity = if user.is_empty() { String::new() } else { format!("a={user}") };
        let before = format!("n,{identity},\x01host={}\x01{port}auth=Bearer ", context.host);
        self.0.message(&before, "\x01\x01").map(Some)
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        self.0.refused("OAUTHBEARER", challenge, "\x01")
    }

    fn is_finished(&self) -> bool {
        matches!(self.0.state, State::Sent)
    }

    fn password(&self) -> Option<&[u8]> {
        Some(self.0.token.as_bytes())
    }

    fn failure(&self) -> Option<&str> {
        self.0.failure()
    }
}

impl Mechanism for XOAuth2 {
    fn name(&self) -> &str {
        "XOAUTH2"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        let before = format!("user={}\x01auth=Bearer ", self.0.user);
        self.0.message(&before, "\x01\x01").map(Some)
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        self.0.refused("XOAUTH2", challenge, "")
    }

    fn is_finished(&self) -> bool {
        matches!(self.0.state, State::Sent)
    }

    fn password(&self) -> Option<&[u8]> {
        Some(self.0.token.as_bytes())
    }

    fn failure(&self) -> Option<&str> {
        self.0.failure()
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("user", &self.user).field("token", &self.token).finish_non_exhaustive()
    }
}

impl fmt::Debug for OAuthBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OAuthBearer").field(&self.0).finish()
    }
}

impl fmt::Debug for XOAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("XOAuth2").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests;
