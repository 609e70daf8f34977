//! The back ends against servers in the same process, over pipes in memory.

mod bindings;
mod certificates;
mod differences;
mod handshake;
mod hostile;
#[cfg(feature = "rustls")]
mod inspect;
mod matrix;
mod openssl;
mod policies;
mod rig;
mod roots;
mod stream;
#[cfg(feature = "rustls")]
mod suites;
mod surgery;
