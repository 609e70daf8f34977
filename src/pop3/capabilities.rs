//! What a server says it can do: the lines of CAPA, and what the known ones mean. RFC 2449 6.

use std::time::Duration;

/// What a server says it can do, RFC 2449. Empty if it does not know CAPA, which says nothing about what it can do.
///
/// ```
/// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::pop3().mode(Mode::Plain).start()?;
/// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
/// let capabilities = pop3.capabilities()?;
/// assert!(capabilities.has("PIPELINING") && capabilities.has("TOP"));
/// assert_eq!(capabilities.mechanisms(), ["PLAIN"]);
/// assert_eq!(capabilities.expire(), None); // the server does not tell how long it keeps messages
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

/// How long messages are kept on the server: `EXPIRE`, RFC 2449 6.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expire {
    /// Days from the day on which a message came; none if none is ever deleted but by DELE. **Zero says that RETR
    /// deletes**: a message that was retrieved may be gone after the session.
    pub days: Option<u32>,
    /// It differs from user to user: ask again after the log-in.
    pub per_user: bool,
}

/// How long a user must wait between two log-ins: `LOGIN-DELAY`, RFC 2449 6.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginDelay {
    /// From one log-in to the next.
    pub least: Duration,
    /// It differs from user to user: ask again after the log-in.
    pub per_user: bool,
}

impl Capabilities {
    pub(super) fn new(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// True if the capability is there, in any case: `TOP`, `UIDL`, `PIPELINING`.
    pub fn has(&self, name: &str) -> bool {
        self.after(name).is_some()
    }

    /// The words after the capability: the mechanisms after `SASL`. None if it is not there.
    pub fn arguments(&self, name: &str) -> Option<Vec<&str>> {
        self.after(name).map(|rest| rest.split_ascii_whitespace().collect())
    }

    /// The SASL mechanisms on offer: `SASL`, RFC 5034 3.
    pub fn mechanisms(&self) -> Vec<&str> {
        self.arguments("SASL").unwrap_or_default()
    }

    /// How long messages are kept; none if the server does not tell.
    pub fn expire(&self) -> Option<Expire> {
        let (days, per_user) = self.number("EXPIRE")?;
        let days = if days.eq_ignore_ascii_case("NEVER") { None } else { Some(days.parse().ok()?) };
        Some(Expire { days, per_user })
    }

    /// How long to wait between two log-ins; none if the server does not tell.
    pub fn login_delay(&self) -> Option<LoginDelay> {
        let (seconds, per_user) = self.number("LOGIN-DELAY")?;
        let seconds: u32 = seconds.parse().ok()?;
        Some(LoginDelay { least: Duration::from_secs(seconds.into()), per_user })
    }

    /// The server's name and version: `IMPLEMENTATION`, RFC 2449 6.9. Many tell it only after the log-in, or never.
    pub fn implementation(&self) -> Option<&str> {
        self.after("IMPLEMENTATION")
    }

    /// All of them as they were told, with their arguments.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// True if the server told none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What follows the capability's name.
    fn after(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|line| {
            let (first, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            first.eq_ignore_ascii_case(name).then(|| rest.trim_ascii())
        })
    }

    /// The first argument, and whether `USER` follows it.
    fn number(&self, name: &str) -> Option<(&str, bool)> {
        let mut words = self.after(name)?.split_ascii_whitespace();
        let first = words.next()?;
        Some((first, words.next().is_some_and(|word| word.eq_ignore_ascii_case("USER"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Capabilities {
        Capabilities::new(lines.iter().map(|&line| line.to_owned()).collect())
    }

    #[test]
    fn they_are_found_in_any_case() {
        let told = of(&["TOP", "sasl PLAIN  Login", "LOGIN-DELAY 900", "IMPLEMENTATION  some server 1.0 ", ""]);
        assert!(told.has("top") && told.has("SASL") && !told.has("UIDL") && !told.has("PLAIN"));
        assert_eq!(told.mechanisms(), ["PLAIN", "Login"]);
        assert_eq!(told.arguments("TOP"), Some(vec![]));
        assert_eq!((told.implementation(), of(&["TOP"]).implementation()), (Some("some server 1.0"), None));
        assert!(of(&["SASL"]).mechanisms().is_empty() && of(&[]).mechanisms().is_empty() && of(&[]).is_empty());
    }

    #[test]
    fn numbers_of_expire_and_login_delay() {
        let expire = |line| of(&[line]).expire().map(|expire| (expire.days, expire.per_user));
        assert_eq!(expire("EXPIRE NEVER"), Some((None, false)));
        assert_eq!(expire("expire never user"), Some((None, true)));
        assert_eq!(expire("EXPIRE 0"), Some((Some(0), false)));
        assert_eq!(expire("EXPIRE  30  USER"), Some((Some(30), true)));
        for odd in ["EXPIRE", "EXPIRE x", "EXPIRE -1", "EXPIRE 4294967296", "EXPIRENEVER", "TOP"] {
            assert_eq!(expire(odd), None, "{odd}");
        }
        let delay = |line| of(&[line]).login_delay().map(|delay| (delay.least.as_secs(), delay.per_user));
        assert_eq!(delay("LOGIN-DELAY 900"), Some((900, false)));
        assert_eq!(delay("Login-Delay 0 user"), Some((0, true)));
        assert_eq!(delay("LOGIN-DELAY soon"), None);
    }
}
