//! The certificate that a server makes for itself at its start: self-signed, P-256, no authority's.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::rustls::ServerConfig;
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};

const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::testing) struct Certificate {
    pub(in crate::testing) pem: String,
    pub(super) der: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// Valid for 90 days from yesterday on (some platforms refuse what is valid for years).
    pub(in crate::testing) fn new(hosts: &[String]) -> io::Result<Self> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend_from_slice(hosts);
        let mut params = CertificateParams::new(names).map_err(invalid)?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + DAY * 90).into();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(invalid)?;
        Ok(Self { pem: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_der() })
    }

    /// TLS 1.2 and 1.3, with the provider named, so that no default of the process matters.
    pub(in crate::testing) fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(::rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from(self.der.clone())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map(Arc::new)
            .map_err(io::Error::other)
    }
}

fn invalid(error: rcgen::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
