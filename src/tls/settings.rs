//! The caller's choices about TLS.

pub(crate) struct TlsSettings;
