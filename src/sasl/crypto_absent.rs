//! In the place of `crypto.rs` in a build without the feature `scram`: the same functions, none of which computes.

use zeroize::Zeroizing;

use super::Secret;
use super::scram::Hash;
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

pub(super) fn prepared(_: &'static str, _: &str) -> Result<Zeroizing<String>> {
    absent()
}

pub(super) struct ScramKeys {
    pub(super) client: Secret,
    pub(super) server: Secret,
}

pub(super) fn nonce() -> Result<String> {
    absent()
}

pub(super) fn scram_keys(_: Hash, _: &[u8], _: &[u8], _: u32) -> Result<ScramKeys> {
    absent()
}

pub(super) fn scram_proof(_: Hash, _: &Secret, _: &[u8]) -> Result<Secret> {
    absent()
}

pub(super) fn is_signature(_: Hash, _: &Secret, _: &[u8], _: &[u8]) -> Result<bool> {
    absent()
}
