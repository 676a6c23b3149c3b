//! Since when something is owed, and whether a timer of the node runs for it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stead_wire::time::Instant;

/// Since when something is owed either way, or a question.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Owed {
    pub(super) unanswered: Stamp,
    pub(super) unacknowledged: Stamp,
    pub(super) long: Stamp,
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

    /// Since when what the node's timers run for: what is pending; or, while the stamp is armed all the same, `latest`,
    /// before which nothing that is pending by now can have begun.
    pub(super) fn watch(&self, latest: Option<Instant>) -> Option<Instant> {
        if !self.armed.load(Ordering::SeqCst) {
            return None;
        }
        self.since().or(latest)
    }

    /// Since when it is pending; if it is not, it is disarmed.
    pub(super) fn look(&self) -> Option<Instant> {
        self.rest();
        self.since()
    }

    /// Disarms the stamp unless it is pending: the next one of its kind wakes the node.
    pub(super) fn rest(&self) {
        if self.since().is_some() {
            return;
        }
        self.armed.store(false, Ordering::SeqCst);
        // A worker may have stamped before the store and have seen the flag: look after it.
        if self.since().is_some() {
            self.armed.store(true, Ordering::SeqCst);
        }
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
