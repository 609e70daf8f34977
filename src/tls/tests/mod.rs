//! The back end on rustls against servers in the same process, over pipes in memory.

mod certificates;
mod handshake;
mod inspect;
mod rig;
mod roots;
mod stream;
