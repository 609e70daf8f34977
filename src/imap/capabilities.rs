//! What a server says that it can do.

use super::codec::word;
use crate::Limits;
use crate::wire::Flaw;

/// What a server says that it can do: `IMAP4REV1`, `IDLE`, `AUTH=PLAIN`, ..
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// In upper case, in the order in which they came.
    names: Vec<String>,
}

impl Capabilities {
    pub(super) const NONE: Self = Self { names: Vec::new() };

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
        Ok(Self { names })
    }

    /// True if the server has this one, in whatever case it is written.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Their names, in upper case, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The SASL mechanisms among them.
    pub(super) fn mechanisms(&self) -> Vec<String> {
        self.names.iter().filter_map(|name| name.strip_prefix("AUTH=")).map(str::to_owned).collect()
    }
}
