//! The subscription store: topics, their two sides, and when each side's lease ends.
//!
//! Bounded by its callers, who ask [`Store::subscriptions`] first. Leases end silently.
//!
//! # Invariants
//! - A pair that is held has at least one side, and its two sides are different clients.
//! - Each side has one entry among the ends of leases. A renewal does not move it: when it comes due early, it is set
//!   again. So renewing costs nothing but the look-up of the topic.

use std::collections::{BTreeMap, BTreeSet};

use stead_wire::options::{RelaySlot, Sealed, Topic, Wishes};
use stead_wire::time::Instant;

use crate::client::ClientId;
use crate::notify::Notice;

/// One of a pair's two places.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Which {
    First,
    Second,
}

impl Which {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// One side of a pair.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) client: ClientId,
    /// When its lease ends.
    pub(crate) until: Instant,
    pub(crate) wishes: Wishes,
    /// Its newest publication.
    pub(crate) newest: Option<Newest>,
    /// What it is owed: the other side's newest publication.
    pub(crate) notice: Notice,
    /// Whether it knows the pair's relay slot.
    pub(crate) slot: SlotKnown,
    /// Its entry among the ends.
    ends: Instant,
}

/// Whether a side knows the relay slot of its pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotKnown {
    /// It was told without having asked, so that word may be lost; `None` if not even that.
    Perhaps(Option<Instant>),
    /// It used the slot, or asked after there was one and will ask again if it hears nothing.
    Surely,
}

/// A publication as it is held: where it came from is its publisher's to say.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) number: u64,
    pub(crate) sealed: Sealed,
    /// When it came, if it said that its publisher moved.
    pub(crate) moved: Option<Instant>,
}

/// What is known of a topic.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    first: Option<Side>,
    second: Option<Side>,
    pub(crate) slot: Option<RelaySlot>,
}

impl Pair {
    pub(crate) const fn side(&self, which: Which) -> Option<&Side> {
        match which {
            Which::First => self.first.as_ref(),
            Which::Second => self.second.as_ref(),
        }
    }

    pub(crate) const fn side_mut(&mut self, which: Which) -> Option<&mut Side> {
        match which {
            Which::First => self.first.as_mut(),
            Which::Second => self.second.as_mut(),
        }
    }

    /// Which place is the client's.
    pub(crate) fn of(&self, client: ClientId) -> Option<Which> {
        let is = |side: Option<&Side>| side.is_some_and(|side| side.client == client);
        if is(self.first.as_ref()) {
            Some(Which::First)
        } else if is(self.second.as_ref()) {
            Some(Which::Second)
        } else {
            None
        }
    }

    pub(crate) const fn is_matched(&self) -> bool {
        self.first.is_some() && self.second.is_some()
    }

    const fn place(&mut self, which: Which) -> &mut Option<Side> {
        match which {
            Which::First => &mut self.first,
            Which::Second => &mut self.second,
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pairs: BTreeMap<Topic, Pair>,
    ends: BTreeSet<(Instant, Topic, Which)>,
    matched: usize,
}

impl Store {
    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.ends.len()
    }

    /// How many topics have both sides.
    pub(crate) const fn matched(&self) -> usize {
        self.matched
    }

    pub(crate) fn pair(&self, topic: &Topic) -> Option<&Pair> {
        self.pairs.get(topic)
    }

    pub(crate) fn pair_mut(&mut self, topic: &Topic) -> Option<&mut Pair> {
        self.pairs.get_mut(topic)
    }

    /// Puts a new side into a free place of the topic; `None` if two others have it.
    pub(crate) fn insert(
        &mut self,
        topic: Topic,
        client: ClientId,
        until: Instant,
        wishes: Wishes,
    ) -> Option<Which> {
        let pair = self.pairs.entry(topic).or_default();
        let which = match (&pair.first, &pair.second) {
            (None, _) => Which::First,
            (_, None) => Which::Second,
            (Some(_), Some(_)) => return None,
        };
        let notice = Notice::None;
        let side =
            Side { client, until, wishes, newest: None, notice, slot: SlotKnown::Perhaps(None), ends: until };
        *pair.place(which) = Some(side);
        self.matched += usize::from(pair.is_matched());
        self.ends.insert((until, topic, which));
        Some(which)
    }

    /// Takes a side out, and with the last one the topic.
    pub(crate) fn remove(&mut self, topic: &Topic, which: Which) -> Option<Side> {
        let pair = self.pairs.get_mut(topic)?;
        let matched = pair.is_matched();
        let side = pair.place(which).take()?;
        self.matched -= usize::from(matched);
        self.ends.remove(&(side.ends, *topic, which));
        if pair.side(which.other()).is_none() {
            self.pairs.remove(topic);
        }
        Some(side)
    }

    /// When a lease may end next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|(at, ..)| *at)
    }

    /// A side whose lease has ended, if there is one; the caller takes it out.
    pub(crate) fn next_ended(&mut self, now: Instant) -> Option<(Topic, Which)> {
        while let Some(&(at, topic, which)) = self.ends.first().filter(|(at, ..)| *at <= now) {
            let side = self.pairs.get_mut(&topic).and_then(|pair| pair.side_mut(which));
            match side {
                Some(side) if side.until <= now => return Some((topic, which)),
                Some(side) => {
                    side.ends = side.until;
                    self.ends.remove(&(at, topic, which));
                    self.ends.insert((side.ends, topic, which));
                }
                None => {
                    self.ends.remove(&(at, topic, which));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId(1);
    const B: ClientId = ClientId(2);
    const TOPIC: Topic = Topic([3; 16]);

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_topic_has_two_sides_and_a_third_finds_no_place() {
        let mut store = Store::default();
        assert_eq!(store.insert(TOPIC, A, at(10), Wishes::NONE), Some(Which::First));
        assert_eq!(store.insert(TOPIC, B, at(10), Wishes::NONE), Some(Which::Second));
        assert_eq!(store.insert(TOPIC, ClientId(3), at(10), Wishes::NONE), None);
        assert_eq!((store.subscriptions(), store.matched()), (2, 1));

        store.remove(&TOPIC, Which::First);

        assert_eq!(store.insert(TOPIC, ClientId(3), at(10), Wishes::NONE), Some(Which::First));
        assert_eq!(store.pair(&TOPIC).unwrap().of(B), Some(Which::Second));
    }

    #[test]
    fn a_renewed_lease_ends_when_the_renewal_does() {
        let mut store = Store::default();
        store.insert(TOPIC, A, at(10), Wishes::NONE);
        store.pair_mut(&TOPIC).unwrap().side_mut(Which::First).unwrap().until = at(15);

        assert_eq!(store.next_ended(at(10)), None);
        assert_eq!(store.poll_timeout(), Some(at(15)));
        assert_eq!(store.next_ended(at(15)), Some((TOPIC, Which::First)));
    }

    #[test]
    fn nothing_is_left_of_a_topic_without_sides() {
        let mut store = Store::default();
        store.insert(TOPIC, A, at(10), Wishes::NONE);
        store.remove(&TOPIC, Which::First);

        assert!(store.pair(&TOPIC).is_none());
        assert_eq!((store.subscriptions(), store.poll_timeout(), store.matched()), (0, None, 0));
    }
}
