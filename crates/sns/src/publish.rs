//! Publish: a client says where it is, for one peer (seed 001 figure 10).

use stead_wire::options::{Declined, Marks, Publication, Reason, Receipt, VcOption, Wishes};
use stead_wire::time::Instant;

use crate::client::ClientId;
use crate::matching::{self, Party};
use crate::service::Service;
use crate::store::{Newest, Side};

impl Service {
    pub(crate) fn on_publication(&mut self, id: ClientId, publication: Publication, now: Instant) {
        let Publication { topic, number, marks, sealed } = publication;
        let pair = self.store.pair(&topic);
        let place = pair.and_then(|pair| pair.of(id).and_then(|which| Some((which, pair.side(which)?))));
        let Some((which, side)) = place else {
            return self.decline(id, Declined { topic, reason: Reason::NotServed });
        };
        let known = side.newest.as_ref().map(|newest| newest.number);
        if known.is_some_and(|known| known > number) {
            return self.decline(id, Declined { topic, reason: Reason::Stale });
        }
        self.answer(id, VcOption::Published(Receipt { topic, number }));
        if known == Some(number) {
            // Sent again because our acknowledgement was lost. It may still be the word that a notice waits for.
            return self.notify_waiting(topic, which, now);
        }
        let moved = marks.contains(Marks::MOVED).then_some(now);
        if let Some(side) = self.store.pair_mut(&topic).and_then(|pair| pair.side_mut(which)) {
            side.newest = Some(Newest { number, sealed, moved });
        }
        self.counts.publications.taken += 1;
        self.counts.publications.moves += u64::from(moved.is_some());

        let Some(pair) = self.store.pair(&topic) else { return };
        if let (Some(publisher), Some(subscriber)) = (pair.side(which), pair.side(which.other())) {
            let (publisher, subscriber) = (self.party(publisher), self.party(subscriber));
            let told = matching::decide(publisher, subscriber, self.settings.window, now);
            self.counts.publications.simultaneous += u64::from(told.simultaneous);
            if told.subscriber {
                self.notify(topic, which.other(), now);
            }
            if told.publisher {
                self.notify(topic, which, now);
            }
        }
        self.notify_waiting(topic, which, now);
    }

    fn party(&self, side: &Side) -> Party {
        let client = self.clients.get(side.client);
        Party {
            private: client.is_none_or(|client| client.whereabouts.is_private()),
            watching: side.wishes.contains(Wishes::WATCH),
            moved: side.newest.as_ref().and_then(|newest| newest.moved),
        }
    }
}
