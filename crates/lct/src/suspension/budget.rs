//! How much may be held: by all peers together, and by each of those that hold something now.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// What all peers together may hold. Shared by them.
#[derive(Debug)]
pub struct Budget {
    total: usize,
    used: AtomicUsize,
    holders: AtomicUsize,
}

/// What a packet costs besides its bytes: its places in the maps and what the allocator adds.
pub(super) const OVERHEAD: usize = 128;

impl Budget {
    /// A budget of `total` bytes.
    #[must_use]
    pub const fn new(total: usize) -> Self {
        Self { total, used: AtomicUsize::new(0), holders: AtomicUsize::new(0) }
    }

    /// How much is held by all of them, in bytes, overhead included.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What one of the holders may hold. There is always a share left for one more.
    fn share(&self) -> usize {
        self.total / (self.holders.load(Ordering::Relaxed) + 1)
    }
}

/// One peer's part of the budget.
#[derive(Debug)]
pub(super) struct Purse {
    budget: Arc<Budget>,
    spent: usize,
    packets: usize,
    bytes: usize,
}

impl Purse {
    pub(super) const fn new(budget: Arc<Budget>) -> Self {
        Self { budget, spent: 0, packets: 0, bytes: 0 }
    }

    /// Segments held.
    pub(super) const fn packets(&self) -> usize {
        self.packets
    }

    /// Their bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Pays for something if the share allows it.
    pub(super) fn pay(&mut self, cost: usize) -> bool {
        let affordable =
            self.spent + cost <= self.budget.share() && self.budget.used() + cost <= self.budget.total;
        if affordable {
            self.spend(self.spent + cost);
        }
        affordable
    }

    pub(super) fn refund(&mut self, cost: usize) {
        self.spend(self.spent - cost);
    }

    /// A connection's lot changed: its cost, packets and bytes `before` and `after`.
    pub(super) fn settle(&mut self, before: (usize, usize, usize), after: (usize, usize, usize)) {
        self.packets = self.packets + after.1 - before.1;
        self.bytes = self.bytes + after.2 - before.2;
        self.spend(self.spent + after.0 - before.0);
    }

    /// Whether something has to go.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.spent > 0 && (self.spent > self.budget.share() || self.budget.used() > self.budget.total)
    }

    /// Whether it will have to soon, if as much comes again.
    pub(super) fn is_half_spent(&self) -> bool {
        self.spent > self.budget.share() / 2 || self.budget.used() > self.budget.total / 2 && self.spent > 0
    }

    fn spend(&mut self, spent: usize) {
        let before = core::mem::replace(&mut self.spent, spent);
        self.budget.used.fetch_add(spent.wrapping_sub(before), Ordering::Relaxed);
        match (before, spent) {
            (0, 1..) => drop(self.budget.holders.fetch_add(1, Ordering::Relaxed)),
            (1.., 0) => drop(self.budget.holders.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        self.spend(0);
    }
}
