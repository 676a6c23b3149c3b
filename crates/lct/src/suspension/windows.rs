//! Whose window is closed in the peer's name, and who is to be told so.

use std::collections::BTreeMap;
use std::sync::Arc;

use stead_wire::time::{Duration, Instant};

use super::answer;
use super::lot::Lot;
use crate::entry::Entry;
use crate::specification::OriginalSpecification;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Windows {
    owed: BTreeMap<OriginalSpecification, Arc<Entry>>,
    closed: BTreeMap<OriginalSpecification, (Arc<Entry>, Instant)>,
    pub(super) answers: u64,
    pub(super) updates: u64,
}

/// At most one answer per connection and this long: a burst that was under way needs no more, and what is sent again
/// comes later than that.
const ANSWER_INTERVAL: Duration = Duration::from_millis(5);

impl Windows {
    /// The connection's stack is to be answered.
    pub(super) fn owe(&mut self, entry: &Arc<Entry>) {
        self.owed.insert(*entry.original(), Arc::clone(entry));
    }

    /// See [`Held::poll_answer`](super::Held::poll_answer).
    pub(super) fn poll_answer(&mut self, now: Instant) -> Option<Vec<u8>> {
        while let Some((original, entry)) = self.owed.pop_first() {
            if self.closed.get(&original).is_some_and(|(_, at)| now < *at + ANSWER_INTERVAL) {
                continue;
            }
            if let Some(packet) = answer::close(&entry) {
                self.closed.insert(original, (entry, now));
                self.answers += 1;
                return Some(packet);
            }
        }
        None
    }

    /// See [`Held::poll_update`](super::Held::poll_update).
    pub(super) fn poll_update(&mut self) -> Option<Vec<u8>> {
        self.owed.clear();
        while let Some((_, (entry, _))) = self.closed.pop_first() {
            if let Some(packet) = answer::open(&entry) {
                self.updates += 1;
                return Some(packet);
            }
        }
        None
    }

    /// How many windows are closed of connections that are not among `lots`.
    pub(super) fn closed_besides(&self, lots: &BTreeMap<OriginalSpecification, Lot>) -> usize {
        self.closed.keys().filter(|original| !lots.contains_key(original)).count()
    }
}
