//! APOP, RFC 1939 7: POP3's own way to log in by a hash of the greeting's stamp and the password. Not a SASL mechanism,
//! but shaped like one: the stamp is its challenge.

use super::{Context, Mechanism, Secret, check, crypto};
use crate::error::{Error, Result};

/// POP3's APOP: a hash of the password and of a stamp in the server's greeting. MD5 alone protects it, and a server must
/// know the password itself to check it; so it is never chosen, but has to be asked for.
///
/// ```
/// # if cfg!(not(feature = "scram")) { return Ok(()); }
/// use mailconnect::sasl::apop_digest;
/// # // RFC 1939 7.
/// let digest = apop_digest(b"<1896.697170952@dbc.mtview.ca.us>", "tanstaaf")?;
/// assert_eq!(digest.as_bytes(), b"c4c9334bac560ecc979e58001b3e22fb");
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Apop {
    user: String,
    password: Secret,
    answered: bool,
}

impl Apop {
    /// Logs in as `user`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for CR, LF or NUL in either, or a user name that is empty or holds a blank;
    /// [`Error::Unsupported`] without the feature `scram`.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        check("user", user)?;
        check("password", password)?;
        if user.is_empty() || user.contains([' ', '\t']) {
            return Err(Error::invalid("user", "is empty or holds a blank, which APOP cannot carry"));
        }
        crypto::md5_hex(&[])?;
        Ok(Self { user: user.to_owned(), password: password.into(), answered: false })
    }
}

impl Mechanism for Apop {
    fn name(&self) -> &str {
        "APOP"
    }

    fn start(&mut self, context: &Context<'_>) -> Result<Option<Secret>> {
        if context.service != "pop" {
            return Err(Error::unsupported("APOP is POP3's alone"));
        }
        self.answered = false;
        Ok(None)
    }

    /// Takes the stamp, and answers with the user name, a blank and the digest.
    fn step(&mut self, stamp: &[u8]) -> Result<Secret> {
        let digest = digest(stamp, self.password.as_bytes())?;
        let mut answer = Vec::with_capacity(self.user.len() + 1 + digest.as_bytes().len());
        for part in [self.user.as_bytes(), b" ", digest.as_bytes()] {
            answer.extend_from_slice(part);
        }
        self.answered = true;
        Ok(answer.into())
    }

    fn is_finished(&self) -> bool {
        self.answered
    }

    fn password(&self) -> Option<&[u8]> {
        Some(self.password.as_bytes())
    }
}

/// What APOP sends beside the user name, in hexadecimal. `stamp` is that of the greeting, with its angle brackets.
///
/// # Errors
/// [`Error::InvalidArgument`] for a stamp that is not `<...@...>`: a server that chooses it freely can find out the
/// password piece by piece. [`Error::Unsupported`] without the feature `scram`.
pub fn apop_digest(stamp: &[u8], password: &str) -> Result<Secret> {
    digest(stamp, password.as_bytes())
}

fn digest(stamp: &[u8], password: &[u8]) -> Result<Secret> {
    if !is_stamp(stamp) {
        return Err(Error::invalid("stamp", "is not of the form <...@...> (RFC 1939 7)"));
    }
    let digest = crypto::md5_hex(&[stamp, password])?;
    Ok(digest.as_bytes().to_vec().into())
}

/// The stamp in a greeting of POP3; none if there is none that is well-formed.
///
/// ```
/// use mailconnect::sasl::apop_stamp;
/// assert_eq!(apop_stamp(b"POP3 <ready> <1896.697170952@dbc.mtview.ca.us>"), Some(&b"<1896.697170952@dbc.mtview.ca.us>"[..]));
/// ```
pub fn apop_stamp(greeting: &[u8]) -> Option<&[u8]> {
    let starts = greeting.iter().enumerate().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
    starts.filter_map(|at| greeting.get(at..)).find_map(|rest| {
        let end = rest.iter().position(|&byte| byte == b'>')?;
        rest.get(..=end).filter(|stamp| is_stamp(stamp))
    })
}

/// A `msg-id` of RFC 822 as servers make them: printable ASCII without blanks, and nothing empty beside the `@`.
fn is_stamp(stamp: &[u8]) -> bool {
    let inner = stamp.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
    let Some(inner) = inner.filter(|inner| inner.iter().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(byte)))
    else {
        return false;
    };
    let mut sides = inner.split(|&byte| byte == b'@');
    let (left, right, more) = (sides.next(), sides.next(), sides.next());
    let filled = |side: Option<&[u8]>| side.is_some_and(|side| !side.is_empty());
    filled(left) && filled(right) && more.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stamp_is_one() {
        for good in ["<1896.697170952@dbc.mtview.ca.us>", "<a@b>", "<1.2+3@[127.0.0.1]>"] {
            assert!(is_stamp(good.as_bytes()), "{good}");
        }
        let bad =
            ["", "<>", "<a>", "<@b>", "<a@>", "<a@b@c>", "a@b", "<a@b", "<a @b>", "<<a@b>>", "<a@b\u{e9}>", "<a@\x01>"];
        for bad in bad {
            assert!(!is_stamp(bad.as_bytes()), "{bad}");
        }
    }

    #[cfg(feature = "scram")]
    #[test]
    fn apop_is_as_in_its_rfc() {
        let mut apop = Apop::new("mrose", "tanstaaf").unwrap();
        assert!(!apop.is_finished());
        let answer = apop.step(b"<1896.697170952@dbc.mtview.ca.us>").unwrap();
        assert_eq!(answer.as_bytes(), b"mrose c4c9334bac560ecc979e58001b3e22fb");
        assert!(apop.is_finished());
        assert!(apop.step(b"<a collision>").is_err());
    }

    #[cfg(feature = "scram")]
    #[test]
    fn rule_9_and_11_no_blank_no_control_no_secret() {
        for bad in ["", "a b", "a\tb", "a\rb", "a\nb", "a\0b"] {
            assert!(Apop::new(bad, "p").is_err(), "{bad:?}");
        }
        assert!(Apop::new("u", "p\r\nDELE 1").is_err());
        let shown = format!("{:?}", Apop::new("u", "hunter2").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
