//! Ends a blocked call from another thread.

/// Ends whatever a client waits for, from any thread, at once and for good.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(());

pub(crate) struct Registration(());
