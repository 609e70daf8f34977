//! What can be wrong with a certificate: a set of failures, and the three flags to which .NET folds them.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A type that is a set of flags, each with its number and its text.
macro_rules! set {
    ($(#[$set_doc:meta])* $set:ident { $($(#[$doc:meta])* $name:ident = $value:expr, $text:expr;)* }) => {
        $(#[$set_doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $set(u32);

        impl $set {
            $($(#[$doc])* pub const $name: Self = Self($value);)*
            /// Nothing is wrong.
            pub const NONE: Self = Self(0);
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            /// True if nothing is wrong.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// True if all of `other` is in it.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// True if any of `other` is in it.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// It without all of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Each failure in it, in the order of `Display`.
            pub fn iter(self) -> impl Iterator<Item = Self> {
                Self::NAMES.iter().map(|(flag, _)| *flag).filter(move |flag| self.contains(*flag))
            }
        }

        impl BitOr for $set {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitOrAssign for $set {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl fmt::Display for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "";
                for (_, text) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
                    write!(f, "{separator}{text}")?;
                    separator = ", ";
                }
                if self.is_empty() { f.write_str("none") } else { Ok(()) }
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($set), "({})"), self)
            }
        }
    };
}

set! {
    /// A set of certificate failures. Empty means that the default check passed.
    ///
    /// ```
    /// use mailconnect::tls::CertificateErrors;
    /// let found = CertificateErrors::SELF_SIGNED | CertificateErrors::EXPIRED;
    /// assert!(found.contains(CertificateErrors::EXPIRED));
    /// assert_eq!(found.to_string(), "self-signed, expired");
    /// ```
    CertificateErrors {
        /// Issuer and subject are one, and nobody trusted vouches for it.
        SELF_SIGNED = 1, "self-signed";
        /// A certificate's last day has passed.
        EXPIRED = 1 << 1, "expired";
        /// A certificate's first day has not come.
        NOT_YET_VALID = 1 << 2, "not yet valid";
        /// The certificate is for another name, or for none.
        NAME_MISMATCH = 1 << 3, "issued for another name";
        /// No path leads to a trusted root.
        UNKNOWN_ISSUER = 1 << 4, "unknown issuer";
        /// Revoked, as a certificate revocation list says.
        REVOKED = 1 << 5, "revoked";
        /// No revocation list says anything about it, and one was demanded.
        REVOCATION_UNKNOWN = 1 << 6, "revocation status unknown";
        /// A signature in the chain is wrong.
        BAD_SIGNATURE = 1 << 7, "bad signature";
        /// Not meant for a server, or a certificate authority's own.
        BAD_PURPOSE = 1 << 8, "not a server certificate";
        /// An issuer may not issue for this name.
        NAME_CONSTRAINT = 1 << 9, "name constraint violated";
        /// An algorithm that is not taken any more.
        WEAK_ALGORITHM = 1 << 10, "weak or unknown algorithm";
        /// A key that is too short: RSA below 2048 bits.
        WEAK_KEY = 1 << 11, "weak key";
        /// Not readable as a certificate of version 3, or with a critical extension that nobody knows.
        MALFORMED = 1 << 12, "malformed";
        /// The chain was not verified: the platform does not say why, or something about the server's own certificate
        /// came first.
        CHAIN_ERROR = 1 << 13, "chain refused";
        /// The server sent none.
        NO_CERTIFICATE = 1 << 14, "no certificate";
    }
}

set! {
    /// The three flags of .NET's `SslPolicyErrors`, for programs that think in them:
    /// [`CertificateEvent::ssl_policy_errors`](crate::tls::CertificateEvent::ssl_policy_errors).
    SslPolicyErrors {
        /// `RemoteCertificateNotAvailable`: the server sent no certificate.
        REMOTE_CERTIFICATE_NOT_AVAILABLE = 1, "RemoteCertificateNotAvailable";
        /// `RemoteCertificateNameMismatch`: it is for another name.
        REMOTE_CERTIFICATE_NAME_MISMATCH = 2, "RemoteCertificateNameMismatch";
        /// `RemoteCertificateChainErrors`: everything else.
        REMOTE_CERTIFICATE_CHAIN_ERRORS = 4, "RemoteCertificateChainErrors";
    }
}

impl SslPolicyErrors {
    /// The number that .NET has for it.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl From<CertificateErrors> for SslPolicyErrors {
    fn from(errors: CertificateErrors) -> Self {
        use CertificateErrors as E;

        let mut folded = Self::NONE;
        if errors.contains(E::NO_CERTIFICATE) {
            folded |= Self::REMOTE_CERTIFICATE_NOT_AVAILABLE;
        }
        if errors.contains(E::NAME_MISMATCH) {
            folded |= Self::REMOTE_CERTIFICATE_NAME_MISMATCH;
        }
        if !errors.without(E::NO_CERTIFICATE | E::NAME_MISMATCH).is_empty() {
            folded |= Self::REMOTE_CERTIFICATE_CHAIN_ERRORS;
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CertificateErrors as E;

    #[test]
    fn every_failure_folds_to_one_flag_of_net() {
        for flag in 0..32 {
            let error = E(1 << flag);
            let expected = match error {
                E::NO_CERTIFICATE => 1,
                E::NAME_MISMATCH => 2,
                _ => 4,
            };
            assert_eq!(SslPolicyErrors::from(error).bits(), expected);
        }
        assert!(SslPolicyErrors::from(E::NONE).is_empty());
        let all = SslPolicyErrors::from(E::NO_CERTIFICATE | E::NAME_MISMATCH | E::EXPIRED);
        assert_eq!((all.bits(), all.iter().count()), (7, 3));
        assert_eq!(all.without(SslPolicyErrors::NONE).to_string().matches("Remote").count(), 3);
    }

    #[test]
    fn every_failure_has_a_name_and_a_bit_of_its_own() {
        assert_eq!(E::NAMES.len(), 15);
        let together = E::NAMES.iter().fold(E::NONE, |all, (flag, _)| {
            assert!(!all.intersects(*flag));
            all | *flag
        });
        assert_eq!(together.iter().count(), E::NAMES.len());
        assert_eq!(E::NONE.to_string(), "none");
    }
}
