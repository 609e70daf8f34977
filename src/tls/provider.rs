//! The cryptography of rustls, always named: no process-wide default is needed, looked at or set, so that neither two
//! providers in one build nor another crate's default can make it panic.

use std::sync::{Arc, OnceLock};

use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::PrivateKeyDer;
use ::rustls::sign::SigningKey;

use super::TlsProvider;
use crate::error::Result;

/// Those of this build.
pub(super) const ALL: &[TlsProvider] = &[
    TlsProvider::Ring,
    #[cfg(feature = "aws-lc-rs")]
    TlsProvider::AwsLcRs,
];

/// The provider of this name.
///
/// # Errors
/// [`Error::Unsupported`] if it is not in this build.
pub(super) fn provider(name: TlsProvider) -> Result<Arc<CryptoProvider>> {
    static RING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    #[cfg(feature = "aws-lc-rs")]
    static AWS_LC_RS: OnceLock<Arc<CryptoProvider>> = OnceLock::new();

    match name {
        TlsProvider::Ring => Ok(Arc::clone(RING.get_or_init(|| Arc::new(ring::default_provider())))),
        #[cfg(feature = "aws-lc-rs")]
        TlsProvider::AwsLcRs => Ok(Arc::clone(AWS_LC_RS.get_or_init(|| Arc::new(aws_lc_rs_provider())))),
        #[cfg(not(feature = "aws-lc-rs"))]
        TlsProvider::AwsLcRs => {
            let why = "rustls with aws-lc-rs is not in this build of mailconnect: it needs the feature aws-lc-rs";
            Err(crate::error::Error::unsupported(why))
        }
    }
}

/// With the post-quantum group first: rustls has it last, for who wants it only where the server insists.
#[cfg(feature = "aws-lc-rs")]
fn aws_lc_rs_provider() -> CryptoProvider {
    use ::rustls::crypto::aws_lc_rs::{default_provider, kx_group};

    let mut provider = default_provider();
    provider.kx_groups.retain(|group| group.name() != kx_group::X25519MLKEM768.name());
    provider.kx_groups.insert(0, kx_group::X25519MLKEM768);
    provider
}

/// A key that signs, without the copy that rustls' own way would leave behind.
pub(super) fn signing_key(name: TlsProvider, key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, ::rustls::Error> {
    match name {
        TlsProvider::Ring => ring::sign::any_supported_type(key),
        #[cfg(feature = "aws-lc-rs")]
        TlsProvider::AwsLcRs => ::rustls::crypto::aws_lc_rs::sign::any_supported_type(key),
        #[cfg(not(feature = "aws-lc-rs"))]
        TlsProvider::AwsLcRs => Err(::rustls::Error::General("not in this build".into())),
    }
}
