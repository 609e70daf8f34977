//! Two protocols that mailconnect does not have: ManageSieve (RFC 5804) and LMTP (RFC 2033). They show what a fourth
//! protocol must supply, and how its verbs become an extension trait.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod lmtp;
pub mod sieve;
