//! Subscribe: a client asks to be told of one peer, for a while (seed 001 figure 10).
//!
//! Also the end of a subscription, and the relay slot that a pair has while both sides are there.

use stead_wire::options::{Declined, Lease, Reason, Subscribed, Subscription, Topic, VcOption, Wishes};
use stead_wire::time::{Duration, Instant};

use crate::client::ClientId;
use crate::event::{Event, Happening};
use crate::notify::Notice;
use crate::service::Service;
use crate::store::{SlotKnown, Which};

/// The shortest lease granted: less would only cost both sides messages.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);

/// How often at most a side is told of its slot while messages come for it there.
const SLOT_PAUSE: Duration = Duration::from_millis(100);

impl Service {
    pub(crate) fn on_subscription(&mut self, id: ClientId, wanted: Subscription, now: Instant) {
        let topic = wanted.topic;
        if wanted.lease == Lease::ENDED {
            if let Some(which) = self.store.pair(&topic).and_then(|pair| pair.of(id)) {
                self.unsubscribe(topic, which, now);
            }
            let ended = Subscribed { topic, lease: Lease::ENDED, slot: None, present: false };
            return self.answer(id, VcOption::Subscribed(ended));
        }
        let longest = self.settings.longest_lease.max(SHORTEST_LEASE);
        let granted = wanted.lease.duration().clamp(SHORTEST_LEASE, longest);
        let which = match self.place(id, topic, now + granted, wanted.wishes) {
            Ok(which) => which,
            Err(reason) => return self.decline(id, Declined { topic, reason }),
        };
        self.allot_slot(topic, which, now);
        let lease = Lease::from_secs(u16::try_from(granted.as_secs()).unwrap_or(u16::MAX));
        self.answer_subscribed(topic, which, lease);
        if self.relay.is_none() && wanted.wishes.contains(Wishes::RELAY) {
            // The subscription stands; only this wish is declined.
            self.decline(id, Declined { topic, reason: Reason::RelayOff });
        }
        if wanted.wishes.contains(Wishes::WATCH) {
            // It looks for its peer: it hears the newest at once.
            self.notify(topic, which, now);
        } else {
            self.notify_waiting(topic, which, now);
        }
    }

    /// The client's place in the topic, renewed or new.
    fn place(&mut self, id: ClientId, topic: Topic, until: Instant, wishes: Wishes) -> Result<Which, Reason> {
        if let Some(pair) = self.store.pair_mut(&topic)
            && let Some(which) = pair.of(id)
        {
            if let Some(side) = pair.side_mut(which) {
                (side.until, side.wishes) = (until, wishes);
            }
            return Ok(which);
        }
        let quotas = self.settings.quotas;
        let client = self.clients.get(id).ok_or(Reason::NotServed)?;
        let of_address = self.clients.tallies().of(client.home).subscriptions;
        if client.topics.len() >= quotas.subscriptions_per_client
            || of_address >= quotas.subscriptions_per_address
        {
            return Err(Reason::Quota);
        }
        if self.store.subscriptions() >= quotas.subscriptions {
            return Err(Reason::Full);
        }
        let which = self.store.insert(topic, id, until, wishes).ok_or(Reason::Full)?;
        self.clients.subscribed(id, topic);
        Ok(which)
    }

    /// Ends one side's subscription, and with it the pair's slot.
    pub(crate) fn unsubscribe(&mut self, topic: Topic, which: Which, now: Instant) {
        let slot = self.store.pair_mut(&topic).and_then(|pair| pair.slot.take());
        if let (Some(slot), Some(relay)) = (slot, &mut self.relay) {
            relay.close(slot);
        }
        let Some(side) = self.store.remove(&topic, which) else { return };
        self.retries.change(topic, which, side.notice, Notice::None);
        self.clients.unsubscribed(side.client, &topic, now);
        if self.clients.get(side.client).is_some_and(|client| client.is_over(now))
            && let Some(client) = self.clients.remove(side.client)
        {
            self.event(Event { client: client.key, what: Happening::Left });
        }
    }

    /// Gives a pair that has both sides, of which one wishes it, a slot of the relay.
    ///
    /// The side that did not ask now is told too. That word may be lost, so it is told again when something comes for it.
    fn allot_slot(&mut self, topic: Topic, asking: Which, now: Instant) {
        let Some(relay) = &mut self.relay else { return };
        let Some(pair) = self.store.pair_mut(&topic) else { return };
        if pair.slot.is_some() {
            if let Some(side) = pair.side_mut(asking) {
                side.slot = SlotKnown::Surely;
            }
            return;
        }
        if !pair.is_matched() {
            return;
        }
        let wishes = |which| pair.side(which).is_some_and(|side| side.wishes.contains(Wishes::RELAY));
        if !wishes(Which::First) && !wishes(Which::Second) {
            return;
        }
        pair.slot = relay.open(topic, now);
        for (which, known) in [(asking, SlotKnown::Surely), (asking.other(), SlotKnown::Perhaps(None))] {
            if let Some(side) = pair.side_mut(which) {
                side.slot = known;
            }
        }
        self.tell_slot(topic, asking.other(), now);
    }

    /// Tells a side of its slot without having been asked, if it may not know.
    pub(crate) fn tell_slot(&mut self, topic: Topic, which: Which, now: Instant) {
        let Some(side) = self.store.pair_mut(&topic).and_then(|pair| pair.side_mut(which)) else { return };
        match side.slot {
            SlotKnown::Surely => return,
            SlotKnown::Perhaps(Some(told)) if now - told < SLOT_PAUSE => return,
            SlotKnown::Perhaps(_) => side.slot = SlotKnown::Perhaps(Some(now)),
        }
        let rest = u16::try_from((side.until - now).as_secs()).unwrap_or(u16::MAX);
        self.answer_subscribed(topic, which, Lease::from_secs(rest.max(1)));
    }

    fn answer_subscribed(&mut self, topic: Topic, which: Which, lease: Lease) {
        let Some(pair) = self.store.pair(&topic) else { return };
        let (slot, present) = (pair.slot, pair.is_matched());
        let Some(client) = pair.side(which).map(|side| side.client) else { return };
        self.answer(client, VcOption::Subscribed(Subscribed { topic, lease, slot, present }));
    }
}
