//! Where to connect to: a host, a port, or a path.

/// Where to connect to.
#[derive(Debug, Clone)]
pub struct Endpoint(());
