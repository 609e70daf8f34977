//! PLAIN (RFC 4616) and LOGIN (in no RFC, and everywhere). Both hand over the password: never without TLS, but to this
//! machine.

use super::{Context, Mechanism, Secret, check};
use crate::error::{Error, Result, SaslCause};

/// User and password in one message.
///
/// ```
/// use mailconnect::sasl::Plain;
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::pop3().mode(mailconnect::testing::Mode::Plain).start().unwrap();
/// # let mut pop3 = mailconnect::Pop3Client::connect(server.endpoint())?;
/// pop3.authenticate(&mut Plain::new("user", "password")?)?;
/// # pop3.quit()
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Plain {
    message: Secret,
    sent: bool,
}

impl Plain {
    /// Logs in as `user`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in either.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        Self::with_identity("", user, password)
    }

    /// Logs in as `user`, to act as `identity`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in any of the three.
    pub fn with_identity(identity: &str, user: &str, password: &str) -> Result<Self> {
        check("identity", identity)?;
        check("user", user)?;
        check("password", password)?;
        let mut message = Vec::with_capacity(identity.len() + user.len() + password.len() + 2);
        for (n, part) in [identity, user, password].into_iter().enumerate() {
            message.extend_from_slice(if n > 0 { b"\0" } else { b"" });
            message.extend_from_slice(part.as_bytes());
        }
        Ok(Self { message: message.into(), sent: false })
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        self.sent = true;
        Ok(Some(self.message.clone()))
    }

    fn step(&mut self, _: &[u8]) -> Result<Secret> {
        Err(Error::sasl(self.name(), SaslCause::Unexpected))
    }

    fn is_finished(&self) -> bool {
        self.sent
    }

    fn password(&self) -> Option<&[u8]> {
        self.message.as_bytes().rsplit(|&byte| byte == 0).next()
    }
}

/// User and password, asked for one by one.
///
/// ```
/// use mailconnect::sasl::Login;
/// # fn main() -> mailconnect::Result<()> {
/// # let server = mailconnect::testing::Server::smtp().mode(mailconnect::testing::Mode::Plain).start().unwrap();
/// # let mut smtp = mailconnect::SmtpClient::connect(server.endpoint())?;
/// smtp.authenticate(&mut Login::new("user", "password")?)?;
/// # smtp.quit()
/// # }
/// ```
///
/// What the server calls them is ignored: it differs, and the order does not.
#[derive(Debug, Clone)]
pub struct Login {
    answers: [Secret; 2],
    given: usize,
}

impl Login {
    /// Logs in as `user`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in either.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        check("user", user)?;
        check("password", password)?;
        Ok(Self { answers: [user.into(), password.into()], given: 0 })
    }
}

impl Mechanism for Login {
    fn name(&self) -> &str {
        "LOGIN"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        self.given = 0;
        Ok(None)
    }

    fn step(&mut self, _: &[u8]) -> Result<Secret> {
        let answer = self.answers.get(self.given).cloned();
        self.given += 1;
        answer.ok_or_else(|| Error::sasl(self.name(), SaslCause::Unexpected))
    }

    fn is_finished(&self) -> bool {
        self.given >= self.answers.len()
    }

    fn password(&self) -> Option<&[u8]> {
        self.answers.last().map(Secret::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context<'static> {
        Context::new("imap", "mail.example.com")
    }

    /// RFC 4616 4, both examples.
    #[test]
    fn plain_is_as_in_its_rfc() {
        let mut plain = Plain::new("tim", "tanstaaftanstaaf").unwrap();
        assert!(!plain.is_finished());
        assert_eq!(plain.start(&context()).unwrap().unwrap().as_bytes(), b"\0tim\0tanstaaftanstaaf");
        assert!(plain.is_finished());
        let mut plain = Plain::with_identity("Ursel", "Kurt", "xipj3plmq").unwrap();
        assert_eq!(plain.start(&context()).unwrap().unwrap().as_bytes(), b"Ursel\0Kurt\0xipj3plmq");
        assert!(plain.step(b"more?").is_err());
    }

    #[test]
    fn login_answers_by_order() {
        let mut login = Login::new("user", "pass").unwrap();
        assert!(login.start(&context()).unwrap().is_none());
        assert_eq!(login.step(b"Benutzer?").unwrap().to_base64().as_bytes(), b"dXNlcg==");
        assert!(!login.is_finished());
        assert_eq!(login.step(b"").unwrap().as_bytes(), b"pass");
        assert!(login.is_finished());
        assert!(login.step(b"").is_err());
    }

    #[test]
    fn rule_9_no_control_in_a_credential() {
        for bad in ["a\rb", "a\nb", "a\0b"] {
            assert!(Plain::new(bad, "p").is_err() && Plain::new("u", bad).is_err());
            assert!(Login::new(bad, "p").is_err() && Login::new("u", bad).is_err());
        }
    }

    #[test]
    fn rule_11_debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", Plain::new("u", "hunter2").unwrap(), Login::new("u", "hunter2").unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
