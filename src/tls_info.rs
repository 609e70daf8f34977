//! What TLS has to tell: what was negotiated, and what was wrong with a certificate. A leaf, since transports and
//! errors below and beside TLS speak of it.

use std::fmt;

use crate::certificate::{Certificate, CertificateErrors};

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
    /// The group of the key exchange by its IANA name: `x25519`, `secp256r1`, `X25519MLKEM768`. None for a resumed session
    /// of TLS 1.2, and on native-tls for all of 1.2.
    pub key_exchange: Option<String>,
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
    /// The server's own certificate, the first of `chain`, to look at.
    pub fn certificate(&self) -> Option<Certificate<'_>> {
        self.certificates().next()
    }

    /// All of `chain`, to look at.
    pub fn certificates(&self) -> impl Iterator<Item = Certificate<'_>> {
        self.chain.iter().map(|der| Certificate::new(der))
    }

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
    /// certificate's signature has no single hash (Ed25519).
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

/// Where rustls has its cryptography from. With both compiled in, ring is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsProvider {
    /// ring. Feature `rustls`.
    Ring,
    /// aws-lc-rs, which knows the post-quantum key exchange X25519MLKEM768 and the curve P-521. Feature `aws-lc-rs`.
    AwsLcRs,
}
