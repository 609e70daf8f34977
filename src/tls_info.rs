//! What TLS has to tell: what was negotiated, and what was wrong with a certificate. A leaf, since transports and
//! errors below and beside TLS speak of it.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What a handshake negotiated. A field is `None` where the back end cannot tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// Who did it; none for a caller's own [`Tls`](crate::tls::Tls).
    pub backend: Option<TlsBackend>,
    /// The protocol version.
    pub version: Option<TlsVersion>,
    /// The cipher suite by its IANA name: `TLS13_AES_256_GCM_SHA384` is `TLS_AES_256_GCM_SHA384`.
    pub cipher_suite: Option<String>,
    /// The server's certificates in DER, leaf first; on native-tls the leaf alone.
    pub chain: Vec<Vec<u8>>,
    /// What the default check found wrong; not empty only if the event accepted it all the same.
    pub certificate_errors: CertificateErrors,
    /// True if an earlier session was resumed; only ever done where no event is set.
    pub resumed: Option<bool>,
}

impl TlsInfo {
    /// True if the default check passed, so that the event was not needed.
    pub fn is_verified(&self) -> bool {
        self.certificate_errors.is_empty()
    }
}

/// A version of TLS. Older ones are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}

/// Which TLS library does the work. With both compiled in, rustls is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// rustls with ring, trust from the system's certificate store. Feature `rustls`.
    Rustls,
    /// The platform's own library. Feature `native-tls`.
    NativeTls,
}

/// A set of certificate failures. Empty means that the default check passed.
///
/// ```
/// use mailconnect::tls::CertificateErrors;
/// let found = CertificateErrors::SELF_SIGNED | CertificateErrors::EXPIRED;
/// assert!(found.contains(CertificateErrors::EXPIRED));
/// assert_eq!(found.to_string(), "self-signed, expired");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CertificateErrors(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl CertificateErrors {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];
        }
    };
}

flags! {
    /// Issuer and subject are one, and nobody trusted vouches for it.
    SELF_SIGNED = 0, "self-signed";
    /// A certificate's last day has passed.
    EXPIRED = 1, "expired";
    /// A certificate's first day has not come.
    NOT_YET_VALID = 2, "not yet valid";
    /// The certificate is for another name, or for none.
    NAME_MISMATCH = 3, "issued for another name";
    /// No path leads to a trusted root.
    UNKNOWN_ISSUER = 4, "unknown issuer";
    /// Revoked, as a certificate revocation list says.
    REVOKED = 5, "revoked";
    /// No revocation list says anything about it, and one was demanded.
    REVOCATION_UNKNOWN = 6, "revocation status unknown";
    /// A signature in the chain is wrong.
    BAD_SIGNATURE = 7, "bad signature";
    /// Not meant for a server, or a certificate authority's own.
    BAD_PURPOSE = 8, "not a server certificate";
    /// An issuer may not issue for this name.
    NAME_CONSTRAINT = 9, "name constraint violated";
    /// An algorithm that is not taken any more.
    WEAK_ALGORITHM = 10, "weak or unknown algorithm";
    /// A key that is too short.
    WEAK_KEY = 11, "weak key";
    /// Not readable as a certificate.
    MALFORMED = 12, "malformed";
    /// The chain was not verified: the platform does not say why, or something about the server's own certificate
    /// came first.
    CHAIN_ERROR = 13, "chain refused";
    /// The server sent none.
    NO_CERTIFICATE = 14, "no certificate";
}

impl CertificateErrors {
    /// Nothing is wrong.
    pub const NONE: Self = Self(0);

    /// True if nothing is wrong.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// It without all of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for CertificateErrors {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for CertificateErrors {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for CertificateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, text) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{separator}{text}")?;
            separator = ", ";
        }
        if self.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for CertificateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateErrors({self})")
    }
}
