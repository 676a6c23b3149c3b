//! Who has been silent for longest: one queue per class, ordered by silence.
//!
//! Packets do not touch a queue, so a place in it may be older than the entry's last packet. Whoever looks at
//! the head of a queue brings it up to date first; since places are never too late, the first head that is up to
//! date is the longest idle of its class.

use std::collections::BTreeSet;

use stead_wire::time::Instant;

use crate::limits::{Class, Limits};

/// A place in a queue: silent since then, at least; entries of one moment in the order they came.
pub(crate) type Place = (Instant, u64);

/// The queues of all classes.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    classes: [BTreeSet<Place>; Class::ALL.len()],
}

impl Queues {
    pub(crate) fn insert(&mut self, class: Class, place: Place) {
        self.classes[class as usize].insert(place);
    }

    pub(crate) fn remove(&mut self, class: Class, place: Place) {
        self.classes[class as usize].remove(&place);
    }

    pub(crate) fn head(&self, class: Class) -> Option<Place> {
        self.classes[class as usize].first().copied()
    }

    /// When the first entry may have to go; early if that entry had packets since.
    pub(crate) fn earliest(&self, limits: &Limits) -> Option<Instant> {
        Class::ALL.into_iter().filter_map(|class| Some(self.head(class)?.0 + limits.silence(class)?)).min()
    }
}
