//! In the place of `crypto.rs` in a build without the feature `scram`: the same functions, none of which computes.

use zeroize::Zeroizing;

use crate::error::{Error, Result};

fn absent<T>() -> Result<T> {
    Err(Error::unsupported("SCRAM, CRAM-MD5 and APOP need the feature `scram` of this crate, which is off"))
}

pub(super) fn hmac_md5_hex(_: &[u8], _: &[u8]) -> Result<Zeroizing<String>> {
    absent()
}

pub(super) fn md5_hex(_: &[&[u8]]) -> Result<Zeroizing<String>> {
    absent()
}
