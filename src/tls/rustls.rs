//! The back end on rustls.
