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
    /// What SASL can bind a log-in to.
    pub channel_bindings: ChannelBindings,
}

impl TlsInfo {
    /// True if the default check passed, so that the event was not needed.
    pub fn is_verified(&self) -> bool {
        self.certificate_errors.is_empty()
    }

    /// The data of a channel binding; none if this connection has none of that kind.
    pub fn channel_binding(&self, kind: ChannelBinding) -> Option<&[u8]> {
        self.channel_bindings.get(kind)
    }
}

/// A kind of channel binding: something that both ends of a TLS connection know, and that nobody who sits between two
/// connections can make alike on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// `tls-exporter`, RFC 9266: a key of this very connection. On rustls with TLS 1.3; in TLS 1.2 it would be safe only
    /// with an extension that rustls does not report.
    TlsExporter,
    /// `tls-server-end-point`, RFC 5929 4: a hash of the server's certificate. On both back ends, unless the
    /// certificate's signature has no single hash (Ed25519); on rustls with the feature `scram`.
    TlsServerEndPoint,
}

impl ChannelBinding {
    /// All kinds, the strongest first.
    pub const ALL: &'static [Self] = &[Self::TlsExporter, Self::TlsServerEndPoint];

    /// Its registered name: `tls-exporter`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

/// The channel bindings of a connection, taken at the handshake. `Debug` shows their names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings(Vec<(ChannelBinding, Vec<u8>)>);

impl ChannelBindings {
    /// None at all.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With this one added, in the place of one of the same kind; for implementations of [`Tls`](crate::tls::Tls).
    #[must_use]
    pub fn with(mut self, kind: ChannelBinding, data: impl Into<Vec<u8>>) -> Self {
        self.0.retain(|(known, _)| *known != kind);
        self.0.push((kind, data.into()));
        self
    }

    /// The data of this kind; none if there is none.
    pub fn get(&self, kind: ChannelBinding) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == kind).map(|(_, data)| data.as_slice())
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kind, _)| kind)).finish()
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
