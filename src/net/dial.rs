//! Resolving and dialling.

/// Where a caller's own dialer shall connect to.
#[derive(Debug)]
pub struct Target<'a>(&'a str);

pub(crate) struct DialSettings;

pub(crate) fn dial() {}
