//! Mechanisms without a password: EXTERNAL (RFC 4422 A), where the client certificate counts, and ANONYMOUS (RFC 4505).

use super::{Context, Mechanism, Secret, check};
use crate::error::{Error, Result, SaslCause};

/// Octets of ANONYMOUS' trace: RFC 4505 2 has 255 characters at most.
const TRACE_MAX: usize = 255;

/// Logs in as whom the client certificate says.
///
/// ```
/// use mailconnect::sasl::External;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=EXTERNAL] ready\nC: A1 AUTHENTICATE EXTERNAL =\nS: A1 OK in";
/// # let (transport, script) = mailconnect::testing::Script::parse(script)?.play();
/// # let connector = mailconnect::Connector::new().clock(script.clock()).danger_plaintext_auth(true);
/// # let security = mailconnect::Security::Plain;
/// # let mut imap = connector.over(mailconnect::imap::Imap::new(), transport, "mail.example.com", security)?;
/// imap.authenticate(&mut External::new())?;
/// # script.finish();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct External(OneMessage);

impl External {
    /// As whoever the certificate is for.
    pub fn new() -> Self {
        Self::default()
    }

    /// To act as `identity`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL.
    pub fn with_identity(identity: &str) -> Result<Self> {
        check("identity", identity)?;
        Ok(Self(OneMessage { text: identity.to_owned(), sent: false }))
    }
}

/// Logs in as nobody in particular, for servers that let anybody read.
///
/// ```
/// use mailconnect::sasl::Anonymous;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=ANONYMOUS] ready\n\
/// #               C: A1 AUTHENTICATE ANONYMOUS bWVAZXhhbXBsZS5jb20=\nS: A1 OK in";
/// # let (transport, script) = mailconnect::testing::Script::parse(script)?.play();
/// # let connector = mailconnect::Connector::new().clock(script.clock()).danger_plaintext_auth(true);
/// # let security = mailconnect::Security::Plain;
/// # let mut imap = connector.over(mailconnect::imap::Imap::new(), transport, "mail.example.com", security)?;
/// imap.authenticate(&mut Anonymous::new("me@example.com")?)?;
/// # script.finish();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Anonymous(OneMessage);

impl Anonymous {
    /// With a trace: an e-mail address, a word, or nothing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it holds a control character or is longer than 255 octets.
    pub fn new(trace: &str) -> Result<Self> {
        check("trace", trace)?;
        if trace.len() > TRACE_MAX || trace.contains(char::is_control) {
            return Err(Error::invalid("trace", "is longer than 255 octets or holds a control character"));
        }
        Ok(Self(OneMessage { text: trace.to_owned(), sent: false }))
    }
}

#[derive(Debug, Clone, Default)]
struct OneMessage {
    text: String,
    sent: bool,
}

impl OneMessage {
    fn send(&mut self) -> Option<Secret> {
        self.sent = true;
        Some(self.text.as_str().into())
    }
}

impl Mechanism for External {
    fn name(&self) -> &str {
        "EXTERNAL"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        Ok(self.0.send())
    }

    fn step(&mut self, _: &[u8]) -> Result<Secret> {
        Err(Error::sasl(self.name(), SaslCause::Unexpected))
    }

    fn is_finished(&self) -> bool {
        self.0.sent
    }

    fn hint(&self) -> Option<String> {
        Some("EXTERNAL takes a client certificate that the server trusts, and knows the user of".to_owned())
    }
}

impl Mechanism for Anonymous {
    fn name(&self) -> &str {
        "ANONYMOUS"
    }

    fn start(&mut self, _: &Context<'_>) -> Result<Option<Secret>> {
        Ok(self.0.send())
    }

    fn step(&mut self, _: &[u8]) -> Result<Secret> {
        Err(Error::sasl(self.name(), SaslCause::Unexpected))
    }

    fn is_finished(&self) -> bool {
        self.0.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_and_no_more() {
        let context = Context::new("imap", "mail.example.com");
        let first = |mechanism: &mut dyn Mechanism| {
            assert!(!mechanism.is_finished());
            let first = mechanism.start(&context).unwrap().unwrap();
            assert!(mechanism.is_finished() && mechanism.step(b"").is_err());
            String::from_utf8(first.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(first(&mut External::new()), "");
        assert_eq!(first(&mut External::with_identity("fred@example.com").unwrap()), "fred@example.com");
        // RFC 4505 3.
        assert_eq!(first(&mut Anonymous::new("sirhc").unwrap()), "sirhc");
    }

    #[test]
    fn rule_9_no_control_in_an_argument() {
        for bad in ["a\rb", "a\nb", "a\0b"] {
            assert!(External::with_identity(bad).is_err() && Anonymous::new(bad).is_err());
        }
        assert!(Anonymous::new(&"a".repeat(256)).is_err() && Anonymous::new("a\x01").is_err());
        assert!(Anonymous::new(&"a".repeat(255)).is_ok() && Anonymous::new("").is_ok());
    }
}
