//! What a server says that it can do.

use super::codec::word;
use crate::Limits;
use crate::wire::Flaw;

/// What IMAP4rev2 has taken in whole (RFC 9051, appendix E; of BINARY and SPECIAL-USE it has only a part).
const REV2: &[&str] = &[
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "ESEARCH",
    "SEARCHRES",
    "ENABLE",
    "IDLE",
    "SASL-IR",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "MOVE",
    "LITERAL-",
    "STATUS=SIZE",
];

/// Capabilities that include others, which a server then need not name: RFC 7162, 3.2.2; RFC 7888, 5; RFC 6855, 6; and what
/// a server of both versions is switched to IMAP4rev2 by.
const INCLUDED: &[(&str, &str)] =
    &[("QRESYNC", "CONDSTORE"), ("LITERAL+", "LITERAL-"), ("UTF8=ONLY", "UTF8=ACCEPT"), ("IMAP4REV2", "ENABLE")];

/// What a server says that it can do: `IMAP4REV1`, `IDLE`, `AUTH=PLAIN`, ..
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// In upper case, in the order in which they came.
    names: Vec<String>,
    /// IMAP4rev2 was enabled.
    pub(super) rev2: bool,
}

impl Capabilities {
    pub(super) const NONE: Self = Self { names: Vec::new(), rev2: false };

    pub(super) fn parse(list: &[u8], limits: &Limits) -> Result<Self, Flaw> {
        let mut names = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let (name, after) = word(rest);
            rest = after;
            if names.len() >= limits.capabilities {
                return Err(Flaw::TooMuch { what: "capabilities", max: limits.capabilities as u64 });
            }
            if !name.is_empty() {
                names.push(String::from_utf8_lossy(name).to_ascii_uppercase());
            }
        }
        Ok(Self { names, rev2: false })
    }

    /// True if the server has this one, in whatever case it is written: it names it, or another one that includes it.
    /// One that names both IMAP4rev1 and IMAP4rev2 has what the latter includes once that was enabled (RFC 9051, appendix A).
    ///
    /// ```
    /// use mailconnect::imap::ResponseCode;
    ///
    /// let ResponseCode::Capability(capabilities) = ResponseCode::parse(b"CAPABILITY IMAP4rev2 QRESYNC") else { panic!() };
    /// assert!(capabilities.has("qresync") && capabilities.has("CONDSTORE")); // RFC 7162
    /// assert!(capabilities.has("MOVE") && !capabilities.has("QUOTA")); // RFC 9051, appendix E
    /// assert_eq!(capabilities.iter().collect::<Vec<_>>(), ["IMAP4REV2", "QRESYNC"]);
    /// ```
    pub fn has(&self, name: &str) -> bool {
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        let including = INCLUDED.iter().filter(|(_, included)| is(included));
        self.iter().any(|known| is(&known) || including.clone().any(|(whole, _)| known == *whole))
            || REV2.iter().any(is) && self.is_rev2()
    }

    /// True if the server speaks IMAP4rev2. One that names IMAP4rev1 too does so only once that was enabled, RFC 9051,
    /// appendix A.
    pub(super) fn is_rev2(&self) -> bool {
        let names = |version| self.iter().any(|known| known == version);
        self.rev2 || names("IMAP4REV2") && !names("IMAP4REV1")
    }

    /// The names that the server gave, in upper case, in its order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The SASL mechanisms among them.
    pub(super) fn mechanisms(&self) -> Vec<String> {
        self.names.iter().filter_map(|name| name.strip_prefix("AUTH=")).map(str::to_owned).collect()
    }
}
