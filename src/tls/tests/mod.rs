//! The back ends against servers in the same process, over pipes in memory.

mod bindings;
mod certificates;
mod differences;
mod handshake;
mod hostile;
mod identity;
#[cfg(feature = "rustls")]
mod inspect;
mod keys;
mod matrix;
mod openssl;
mod options;
mod policies;
mod rig;
mod roots;
mod stream;
#[cfg(feature = "rustls")]
mod suites;
mod surgery;
