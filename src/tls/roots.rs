//! The system's root certificates, loaded once.
