//! Certificate revocation lists of the caller's (RFC 5280 5), for rustls. Nothing is ever fetched, and native-tls cannot be
//! given any.

#[cfg(feature = "rustls")]
use std::sync::Arc;

use super::pem;
use crate::certificate::der;
use crate::error::{Error, Result};

/// The name of the argument in errors.
const LISTS: &str = "certificate revocation lists";

/// What is known to be revoked.
#[derive(Debug, Clone, Default)]
pub(super) struct Revocation {
    lists: Vec<Vec<u8>>,
    /// Whether a certificate is refused that no valid list speaks for.
    pub(super) required: bool,
}

impl Revocation {
    #[cfg(feature = "native-tls")]
    pub(super) fn is_used(&self) -> bool {
        self.required || !self.lists.is_empty()
    }

    /// # Errors
    /// [`Error::InvalidArgument`]; then none is added.
    pub(super) fn add_pem(&mut self, pem: &[u8]) -> Result<()> {
        let parts = pem::revocation_lists(pem).map_err(|reason| Error::invalid(LISTS, reason))?;
        if parts.is_empty() {
            return Err(Error::invalid(LISTS, "no PEM part `X509 CRL` in it"));
        }
        for part in &parts {
            check(&part.der).map_err(|why| Error::invalid(LISTS, format!("line {}: {why}", part.line)))?;
        }
        self.lists.extend(parts.into_iter().map(|part| part.der));
        Ok(())
    }

    /// # Errors
    /// [`Error::InvalidArgument`].
    pub(super) fn add_der(&mut self, der: &[u8]) -> Result<()> {
        check(der).map_err(|why| Error::invalid(LISTS, why))?;
        self.lists.push(der.to_vec());
        Ok(())
    }

    /// # Errors
    /// [`Error::InvalidArgument`] if nothing could ever be known.
    #[cfg(feature = "rustls")]
    pub(super) fn demand_lists(&self) -> Result<()> {
        if self.required && self.lists.is_empty() {
            return Err(Error::invalid(LISTS, "they are required, and there are none"));
        }
        Ok(())
    }

    /// The builder with the lists. Where they are required, so is that they have not expired.
    #[cfg(feature = "rustls")]
    pub(super) fn applied(&self, builder: Builder) -> Builder {
        // Of the lists of one issuer the first is looked at.
        let mut lists: Vec<_> = self.lists.iter().collect();
        lists.sort_by_key(|list| std::cmp::Reverse(updates(list).map(|(this, _)| this)));
        let builder = builder.with_crls(lists.into_iter().map(|list| list.clone().into()));
        if self.required { builder.enforce_revocation_expiration() } else { builder.allow_unknown_revocation_status() }
    }
}

#[cfg(feature = "rustls")]
impl Revocation {
    /// When the first list that must be valid is not any more.
    pub(super) fn valid_until(&self) -> Option<i64> {
        let ends = self.lists.iter().filter_map(|list| updates(list)?.1);
        if self.required { ends.min() } else { None }
    }
}

#[cfg(feature = "rustls")]
type Builder = ::rustls::client::ServerCertVerifierBuilder;

/// When a list was made, and when the next one is due if it says so.
#[cfg(feature = "rustls")]
fn updates(list: &[u8]) -> Option<(i64, Option<i64>)> {
    let (list, _) = der::element(list, der::SEQUENCE)?;
    let (signed, _) = der::element(der::content(list)?, der::SEQUENCE)?;
    let mut rest = der::content(signed)?;
    if let Some((_version, after)) = der::element(rest, der::INTEGER) {
        rest = after;
    }
    let (_algorithm, rest) = der::element(rest, der::SEQUENCE)?;
    let (_issuer, rest) = der::element(rest, der::SEQUENCE)?;
    let (this, rest) = der::time(rest)?;
    Some((this, der::time(rest).map(|(next, _)| next)))
}

/// Whether rustls, if it is there, can read a list.
fn check(list: &[u8]) -> Result<(), String> {
    const SEQUENCE: u8 = 0x30;

    let outer = der::element(list, SEQUENCE).filter(|(_, rest)| rest.is_empty());
    let Some((outer, _)) = outer else { return Err("not a certificate revocation list".into()) };
    if der::content(outer).is_none_or(|content| der::element(content, SEQUENCE).is_none()) {
        return Err("not a certificate revocation list".into());
    }
    #[cfg(feature = "rustls")]
    {
        let mut roots = ::rustls::RootCertStore::empty();
        roots.roots.push(super::roots::nobody());
        let provider = super::provider::provider(super::TlsProvider::Ring).map_err(|error| error.to_string())?;
        let alone = Revocation { lists: vec![list.to_vec()], required: false };
        let builder = ::rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        alone.applied(builder).build().map_err(|error| error.to_string())?;
    }
    Ok(())
}
