//! The back ends against servers in the same process, over pipes in memory.

mod certificates;
mod handshake;
#[cfg(feature = "rustls")]
mod inspect;
mod rig;
mod roots;
mod stream;
