//! CRAM-MD5, RFC 2195. The password does not go over the wire, but MD5 alone protects it, and a server has to keep it as
//! it is: over TLS the mechanisms that send it are no worse.

use super::{Context, Mechanism, Secret, check, crypto};
use crate::error::{Error, Result, SaslCause};

/// A keyed MD5 of the server's challenge. [`login`](crate::Client::login) takes it on request only
/// ([`Connector::mechanisms`](crate::Connector::mechanisms)), or from a server on this machine that has nothing better.
///
/// ```
/// # if cfg!(not(feature = "scram")) { return Ok(()); }
/// use mailconnect::sasl::CramMd5;
/// # let script = "S: +OK ready\nC: CAPA\nS: +OK\nS: SASL CRAM-MD5\nS: .\nC: AUTH CRAM-MD5\n\
/// #   S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n\
/// #   C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\nS: +OK in";
/// # let (transport, script) = mailconnect::testing::Script::parse(script)?.play();
/// # let connector = mailconnect::Connector::new().clock(script.clock()).danger_plaintext_auth(true);
/// # let security = mailconnect::Security::Plain;
/// # let mut pop3 = connector.over(mailconnect::pop3::Pop3::new(), transport, "mail.example.com", security)?;
/// pop3.authenticate(&mut CramMd5::new("tim", "tanstaaftanstaaf")?)?;
/// # script.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CramMd5 {
    user: String,
    password: Secret,
    answered: bool,
}

impl CramMd5 {
    /// Logs in as `user`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in either; [`Error::Unsupported`] without the feature `scram`.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        check("user", user)?;
        check("password", password)?;
        crypto::md5_hex(&[])?;
        Ok(Self { user: user.to_owned(), password: password.into(), answered: false })
    }
}

impl Mechanism for CramMd5 {
    fn name(&self) -> &str {
        "CRAM-MD5"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        self.answered = false;
        Ok(None)
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        if self.answered {
            return Err(Error::sasl(self.name(), SaslCause::Unexpected));
        }
        let digest = crypto::hmac_md5_hex(self.password.as_bytes(), challenge)?;
        self.answered = true;
        Ok([self.user.as_bytes(), b" ", digest.as_bytes()].concat().into())
    }

    fn is_finished(&self) -> bool {
        self.answered
    }

    fn password(&self) -> Option<&[u8]> {
        Some(self.password.as_bytes())
    }
}

#[cfg(all(test, feature = "scram"))]
mod tests {
    use super::*;

    /// RFC 2195 2.
    #[test]
    fn cram_md5_is_as_in_its_rfc() {
        let mut cram = CramMd5::new("tim", "tanstaaftanstaaf").unwrap();
        assert!(!cram.is_finished());
        let answer = cram.step(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer.as_bytes(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(cram.is_finished());
        assert!(cram.step(b"<another>").is_err());
    }

    #[test]
    fn rule_9_and_11_no_control_no_secret() {
        for bad in ["a\rb", "a\nb", "a\0b"] {
            assert!(CramMd5::new(bad, "p").is_err() && CramMd5::new("u", bad).is_err());
        }
        let shown = format!("{:?}", CramMd5::new("u", "hunter2").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
