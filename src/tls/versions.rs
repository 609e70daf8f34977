//! Which versions of TLS may be spoken.

use std::ops::RangeInclusive;

use super::TlsVersion;
use crate::error::{Error, Result};

/// From the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) min: TlsVersion,
    pub(super) max: TlsVersion,
}

impl Default for Versions {
    fn default() -> Self {
        Self { min: TlsVersion::Tls12, max: TlsVersion::Tls13 }
    }
}

impl Versions {
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none.
    pub(super) fn allowed(self) -> Result<RangeInclusive<TlsVersion>> {
        if self.min > self.max {
            return Err(Error::invalid("TLS version", "the lowest that is allowed is above the highest"));
        }
        Ok(self.min..=self.max)
    }
}
