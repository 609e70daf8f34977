//! The one place that knows time.

/// A stream of bytes whose reads and writes can be given a time-out.
pub trait Socket: Send {}

/// A transport out of a socket.
#[derive(Debug)]
pub struct Timed<S>(S);
