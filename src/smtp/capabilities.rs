//! What a server says it can do, in its reply to EHLO: RFC 5321 4.1.1.1. Only what the latest EHLO said counts.

use super::Reply;

/// The extensions that a server offers, from the latest EHLO only: what it said before STARTTLS is forgotten.
///
/// Keywords are compared in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Keyword in upper case, and what stands behind it.
    all: Vec<(String, String)>,
}

impl Capabilities {
    /// Reads the reply to EHLO, whose first line is a greeting.
    pub(super) fn parse(reply: &Reply) -> Self {
        let lines = reply.lines.iter().skip(1).map(|line| line.trim()).filter(|line| !line.is_empty());
        Self { all: lines.map(capability).collect() }
    }

    /// Without those that the caller has switched off.
    pub(super) fn without(mut self, disabled: &[String]) -> Self {
        self.all.retain(|(name, _)| !disabled.contains(name));
        self
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// True if the server offers `keyword`.
    pub fn has(&self, keyword: &str) -> bool {
        self.parameter(keyword).is_some()
    }

    /// What stands behind `keyword`, as the server wrote it; empty if nothing does, none if it is not offered.
    pub fn parameter(&self, keyword: &str) -> Option<&str> {
        self.iter().find(|(name, _)| name.eq_ignore_ascii_case(keyword)).map(|(_, parameter)| parameter)
    }

    /// All of them in the server's order: the keyword in upper case, and what stands behind it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(name, parameter)| (name.as_str(), parameter.as_str()))
    }

    /// The SASL mechanisms on offer, in upper case, each once: of `AUTH`, and of `X-EXPS`, where Microsoft Exchange keeps
    /// some of them.
    pub fn mechanisms(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (_, parameter) in self.iter().filter(|(name, _)| matches!(*name, "AUTH" | "X-EXPS")) {
            for name in parameter.split_ascii_whitespace().map(str::to_ascii_uppercase) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// A number of LIMITS, RFC 9422: `MAILMAX` transactions a connection, `RCPTMAX` recipients and `RCPTDOMAINMAX` domains
    /// a transaction. None if the server does not say.
    pub fn limit(&self, name: &str) -> Option<u64> {
        let pairs = self.parameter("LIMITS")?.split_ascii_whitespace().filter_map(|word| word.split_once('='));
        let mut values = pairs.filter(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next()?.parse().ok().filter(|&max| max > 0)
    }

    /// The largest message that the server takes, in octets; none if it does not say.
    pub fn size(&self) -> Option<u64> {
        self.parameter("SIZE")?.parse().ok().filter(|&max| max > 0)
    }
}

fn capability(line: &str) -> (String, String) {
    let (name, parameter) = line.split_once(' ').unwrap_or((line, ""));
    let name = name.to_ascii_uppercase();
    // `AUTH=LOGIN PLAIN`, for clients older than RFC 2554: a form that many servers still send, some of them alone.
    for own in ["AUTH", "X-EXPS"] {
        if let Some(first) = name.strip_prefix(own).and_then(|rest| rest.strip_prefix('=')) {
            return (own.to_owned(), format!("{first} {parameter}").trim().to_owned());
        }
    }
    (name, parameter.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Capabilities {
        Capabilities::parse(&Reply::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn keywords_in_any_case_and_both_forms_of_auth() {
        let found = of("250-mx.example.com PIPELINING\n250-size 1000\n250-\n250-Auth=LOGIN plain\n250-AUTH PLAIN X\n\
             250-8bitmime\n250 XANY  a b \n");
        assert!(found.has("SIZE") && found.has("8BitMime") && !found.has("PIPELINING") && !found.has("AUTH=LOGIN"));
        assert_eq!((found.size(), found.parameter("xany")), (Some(1000), Some("a b")));
        assert_eq!(found.mechanisms(), ["LOGIN", "PLAIN", "X"]);
        assert_eq!(found.iter().next(), Some(("SIZE", "1000")));
    }

    /// As Exchange says it.
    #[test]
    fn exchange_has_mechanisms_elsewhere_too() {
        let found = of("250-mx\n250-X-EXPS GSSAPI NTLM LOGIN\n250-x-exps=login\n250 AUTH NTLM PLAIN\n");
        assert_eq!(found.mechanisms(), ["GSSAPI", "NTLM", "LOGIN", "PLAIN"]);
        assert_eq!(found.parameter("X-EXPS"), Some("GSSAPI NTLM LOGIN"));
        assert_eq!(of("250-mx\n250 X-EXPS=LOGIN\n").mechanisms(), ["LOGIN"]);
    }

    #[test]
    fn limits_and_what_is_switched_off() {
        let found = of("250-x\n250-limits rcptmax=20 MAILMAX=x RCPTDOMAINMAX=0 A\n250-CHUNKING\n250 SIZE 1\n");
        let limit = |name| found.limit(name);
        assert_eq!(
            (limit("RCPTMAX"), limit("MAILMAX"), limit("RCPTDOMAINMAX"), limit("A")),
            (Some(20), None, None, None)
        );
        let left = found.clone().without(&["CHUNKING".to_owned(), "LIMITS".to_owned()]);
        assert_eq!(left.iter().collect::<Vec<_>>(), [("SIZE", "1")]);
        assert_eq!(left.limit("RCPTMAX"), None);
    }

    #[test]
    fn a_size_of_zero_or_nonsense_is_no_limit() {
        for text in ["250-x\n250 SIZE\n", "250-x\n250 SIZE 0\n", "250-x\n250 SIZE -1\n", "250 x\n"] {
            assert_eq!(of(text).size(), None, "{text}");
        }
    }
}
