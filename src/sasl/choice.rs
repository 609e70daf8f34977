//! What `login` may take for a user name and a password, in which order, and how it is made. Whether the link is safe
//! enough for it is decided elsewhere.

use super::scram::Hash;
use super::{Apop, CramMd5, Login, Mechanism, Plain, Scram};
use crate::error::Result;

/// When [`login`](crate::Client::login) binds itself to the TLS connection, so that nobody can sit between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingPolicy {
    /// Never of itself: a server that offers it does not tell which kinds of binding it takes, and refuses all others.
    #[default]
    OnRequest,
    /// Always, by the strongest binding that the connection has: `tls-exporter` (RFC 9266) on rustls with TLS 1.3, else
    /// `tls-server-end-point` (RFC 5929). Where that is not possible, `login` fails.
    Required,
}

/// The mechanisms that take a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Scram(Hash, bool),
    Plain,
    Login,
    CramMd5,
    Apop,
}

const SCRAM: [Hash; 3] = [Hash::Sha512, Hash::Sha256, Hash::Sha1];

impl Choice {
    /// What may be taken, the best first. `wanted` are the names that the caller has chosen; `local` is true for a server
    /// on this machine, which nobody listens on the way to, so that a weak hash of the password is no worse than the
    /// password.
    pub(crate) fn possible(wanted: Option<&[String]>, policy: BindingPolicy, local: bool) -> Vec<Self> {
        let required = policy == BindingPolicy::Required;
        let mut choices: Vec<Self> = match wanted {
            Some(names) => names.iter().filter_map(|name| Self::of(name, required)).collect(),
            None => {
                let scram = SCRAM.into_iter().map(|hash| Self::Scram(hash, required));
                let last = local.then_some(Self::CramMd5);
                scram.chain([Self::Plain, Self::Login]).chain(last).collect()
            }
        };
        choices.retain(|choice| !required || matches!(choice, Self::Scram(_, true)));
        choices.retain(|choice| cfg!(feature = "scram") || matches!(choice, Self::Plain | Self::Login));
        choices
    }

    fn of(name: &str, bound: bool) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let scram = SCRAM.into_iter().find_map(|hash| match () {
            () if is(hash.mechanism(true)) => Some(Self::Scram(hash, true)),
            () if is(hash.mechanism(false)) => Some(Self::Scram(hash, bound)),
            () => None,
        });
        let others = [Self::Plain, Self::Login, Self::CramMd5, Self::Apop];
        scram.or_else(|| others.into_iter().find(|choice| is(choice.name())))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scram(hash, bound) => hash.mechanism(bound),
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::Apop => "APOP",
        }
    }

    /// # Errors
    /// `InvalidArgument` for what this mechanism cannot carry.
    pub(crate) fn make(self, user: &str, password: &str) -> Result<Box<dyn Mechanism>> {
        Ok(match self {
            Self::Scram(hash, false) => Box::new(Scram::new(hash, user, password)?),
            Self::Scram(hash, true) => Box::new(Scram::new(hash, user, password)?.bound()),
            Self::Plain => Box::new(Plain::new(user, password)?),
            Self::Login => Box::new(Login::new(user, password)?),
            Self::CramMd5 => Box::new(CramMd5::new(user, password)?),
            Self::Apop => Box::new(Apop::new(user, password)?),
        })
    }
}

#[cfg(all(test, feature = "scram"))]
mod tests {
    use super::*;

    fn names(wanted: Option<&[&str]>, policy: BindingPolicy, local: bool) -> String {
        let wanted = wanted.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let choices = Choice::possible(wanted.as_deref(), policy, local);
        choices.into_iter().map(Choice::name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn strongest_first_and_what_is_weak_on_request() {
        use BindingPolicy::{OnRequest, Required};
        assert_eq!(names(None, OnRequest, false), "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
        assert_eq!(names(None, OnRequest, true), "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5");
        assert_eq!(names(None, Required, true), "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS");
        let wanted = ["cram-md5", "Plain", "XOAUTH2", "scram-sha-1", "GSSAPI", "apop", "SCRAM-SHA-256-PLUS"];
        assert_eq!(names(Some(&wanted), OnRequest, false), "CRAM-MD5 PLAIN SCRAM-SHA-1 APOP SCRAM-SHA-256-PLUS");
        assert_eq!(names(Some(&wanted), Required, false), "SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS");
        assert_eq!(names(Some(&[]), OnRequest, true), "");
    }

    #[test]
    fn every_choice_makes_the_mechanism_of_its_name() {
        let wanted = ["SCRAM-SHA-1", "SCRAM-SHA-512-PLUS", "PLAIN", "LOGIN", "CRAM-MD5", "APOP"];
        let wanted = wanted.map(str::to_owned);
        for (choice, name) in Choice::possible(Some(&wanted), BindingPolicy::OnRequest, false).into_iter().zip(&wanted)
        {
            assert_eq!((choice.name(), choice.make("u", "p").unwrap().name()), (name.as_str(), name.as_str()));
        }
    }
}

#[cfg(all(test, not(feature = "scram")))]
mod tests_without_cryptography {
    use super::*;
    use crate::error::Error;

    #[test]
    fn rule_13_what_needs_the_feature_is_unsupported_and_never_chosen() {
        let names = |wanted: Option<&[String]>| {
            let choices = Choice::possible(wanted, BindingPolicy::OnRequest, true).into_iter();
            choices.map(Choice::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(None), "PLAIN LOGIN");
        assert_eq!(names(Some(&["CRAM-MD5", "LOGIN", "SCRAM-SHA-1"].map(str::to_owned))), "LOGIN");
        assert!(Choice::possible(None, BindingPolicy::Required, true).is_empty());
        let errors = [
            Scram::sha1("user", "password").map(drop),
            Scram::sha256("user", "password").map(drop),
            Scram::sha512("user", "password").map(drop),
            CramMd5::new("user", "password").map(drop),
            Apop::new("user", "password").map(drop),
            crate::sasl::apop_digest(b"<a@b>", "password").map(drop),
        ];
        for error in errors {
            assert!(matches!(&error, Err(Error::Unsupported(text)) if text.contains("feature `scram`")), "{error:?}");
        }
    }
}
