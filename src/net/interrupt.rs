//! Ends a blocked call from another thread: a sticky flag, and a table of what has to be woken when it is set. It knows
//! no socket; whoever waits registers how to wake it. No waker is ever called under the lock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends whatever a client waits for, from any thread, at once and for good.
///
/// Clones are handles to the same interrupt. Set one before connecting, and it ends resolving and connecting too; it
/// then follows the client to each new socket. What is interrupted fails with
/// [`Error::Interrupted`](crate::Error::Interrupted) and is closed. It cannot be taken back: whatever starts later with
/// the same interrupt ends at once, so that no call slips through between two waits.
///
/// ```
/// use mailconnect::Interrupt;
///
/// let interrupt = Interrupt::new();
/// let handle = interrupt.clone();
/// let other = std::thread::spawn(move || handle.interrupt());
/// # other.join().unwrap();
/// assert!(interrupt.is_set());
/// ```
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    set: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    next: u64,
    table: BTreeMap<u64, Arc<dyn Fn() + Send + Sync>>,
}

impl Interrupt {
    /// An interrupt that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends all that waits with this interrupt, now and from now on. Never blocks; a second call changes nothing.
    pub fn interrupt(&self) {
        // The flag comes first: a waker registered after the table was read sees it and is called at once.
        self.shared.set.store(true, Ordering::SeqCst);
        let wakers: Vec<_> = self.shared.wakers().table.values().cloned().collect();
        for wake in wakers {
            wake();
        }
    }

    /// True once [`interrupt`](Self::interrupt) was called.
    pub fn is_set(&self) -> bool {
        self.shared.set.load(Ordering::SeqCst)
    }

    /// Has `wake` called when the interrupt is set, until the registration is dropped; at once if it is set already.
    ///
    /// `wake` may be called more than once, from any thread, and once more while the registration is being dropped.
    pub(crate) fn register(&self, wake: Box<dyn Fn() + Send + Sync>) -> Registration {
        let wake: Arc<dyn Fn() + Send + Sync> = wake.into();
        let id = {
            let mut wakers = self.shared.wakers();
            let id = wakers.next;
            wakers.next = id.wrapping_add(1);
            wakers.table.insert(id, Arc::clone(&wake));
            id
        };
        if self.is_set() {
            wake();
        }
        Registration { shared: Arc::clone(&self.shared), id }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("set", &self.is_set()).finish_non_exhaustive()
    }
}

impl Shared {
    /// The table holds no state that a panic could leave half done, so a poisoned lock is as good as any.
    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a waker registered; dropping it deregisters.
#[must_use = "dropping it deregisters the waker"]
pub(crate) struct Registration {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let wake = self.shared.wakers().table.remove(&self.id);
        // Only now that the lock is released: what the waker owns may run code of its own when it is dropped.
        drop(wake);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn counter() -> (Arc<AtomicUsize>, Box<dyn Fn() + Send + Sync>) {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let wake = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        (seen, Box::new(wake))
    }

    #[test]
    fn clones_share_the_flag() {
        let interrupt = Interrupt::new();
        assert!(!interrupt.is_set());
        interrupt.clone().interrupt();
        assert!(interrupt.is_set());
        assert_eq!(format!("{interrupt:?}"), "Interrupt { set: true, .. }");
    }

    #[test]
    fn a_registered_waker_is_called() {
        let interrupt = Interrupt::new();
        let (first, wake) = counter();
        let _first = interrupt.register(wake);
        let (second, wake) = counter();
        let _second = interrupt.register(wake);
        interrupt.interrupt();
        assert_eq!((first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)), (1, 1));
    }

    #[test]
    fn a_dropped_registration_is_not_called() {
        let interrupt = Interrupt::new();
        let (count, wake) = counter();
        let (kept, other) = counter();
        let registration = interrupt.register(wake);
        let _other = interrupt.register(other);
        drop(registration);
        interrupt.interrupt();
        assert_eq!((count.load(Ordering::SeqCst), kept.load(Ordering::SeqCst)), (0, 1));
        assert_eq!(Arc::strong_count(&count), 1, "the waker is freed with its registration");
    }

    #[test]
    fn registering_after_it_was_set_wakes_at_once() {
        let interrupt = Interrupt::new();
        interrupt.interrupt();
        let (count, wake) = counter();
        let _registration = interrupt.register(wake);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_waker_may_register_and_deregister() {
        let interrupt = Interrupt::new();
        let (count, wake) = counter();
        let slot = Arc::new(Mutex::new(Some(interrupt.register(wake))));
        let inner = interrupt.clone();
        let _outer = interrupt.register(Box::new(move || {
            drop(slot.lock().unwrap().take());
            drop(inner.register(Box::new(|| {})));
        }));
        interrupt.interrupt();
        interrupt.interrupt();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_panic_under_the_lock_changes_nothing() {
        let interrupt = Interrupt::new();
        let (count, wake) = counter();
        let _registration = interrupt.register(wake);
        let shared = Arc::clone(&interrupt.shared);
        let panicked = std::thread::spawn(move || {
            let _guard = shared.wakers.lock().unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err() && interrupt.shared.wakers.is_poisoned());
        interrupt.interrupt();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
