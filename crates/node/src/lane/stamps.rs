//! Since when something is owed, and whether a timer of the node runs for it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stead_wire::time::Instant;

/// Since when something is owed either way.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Owed {
    pub(super) unanswered: Stamp,
    pub(super) unacknowledged: Stamp,
}

/// Since when something is owed, and whether a timer of the node runs for it.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    since: AtomicU64,
    armed: AtomicBool,
}

impl Stamp {
    /// Since when it is pending.
    pub(super) fn since(&self) -> Option<Instant> {
        moment(&self.since)
    }

    /// Sets the stamp if it is not pending; true if this call did and the node must be woken. The read before the
    /// exchange keeps the common case free of writes to a shared line.
    pub(super) fn begin(&self, now: u64) -> bool {
        self.since.load(Ordering::Relaxed) == 0
            && self.since.compare_exchange(0, now, Ordering::SeqCst, Ordering::Relaxed).is_ok()
            && self.arm()
    }

    pub(super) fn clear(&self) {
        put(&self.since, 0);
    }

    /// Sets the armed flag; true if it was not set before.
    pub(super) fn arm(&self) -> bool {
        !self.armed.load(Ordering::SeqCst) && !self.armed.swap(true, Ordering::SeqCst)
    }

    /// See [`Lane::watch`](super::Lane::watch).
    pub(super) fn watch(&self) -> Option<Instant> {
        self.armed.store(false, Ordering::SeqCst);
        // A worker may have stamped before the store and have seen the flag: look after it.
        let since = moment(&self.since);
        if since.is_some() {
            self.armed.store(true, Ordering::SeqCst);
        }
        since
    }
}

/// Stores `value` unless it is there already, which it mostly is: packets come in batches with one time.
pub(super) fn put(stamp: &AtomicU64, value: u64) {
    if stamp.load(Ordering::Relaxed) != value {
        stamp.store(value, Ordering::Relaxed);
    }
}

/// The moment in a stamp; zero is none.
pub(super) fn moment(stamp: &AtomicU64) -> Option<Instant> {
    match stamp.load(Ordering::SeqCst) {
        0 => None,
        micros => Some(Instant::from_micros(micros)),
    }
}
