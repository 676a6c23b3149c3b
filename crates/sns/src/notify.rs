//! Notify: telling a subscriber where its peer is, until it says that it heard (seed 001 figures 10 and 18).
//!
//! ```text
//!        begin                 acknowledged
//! None ────────> Told ───────────────────────> None
//!                 │  ^ again, a few times
//!                 │  └──┘
//!                 └───────> Waiting ─ its subscriber speaks of the topic, or from elsewhere ─> Told
//!                  silence
//! ```
//! Waiting is figure 18's "waits for its own publication": the subscriber itself is moving, or its NAT forgot it, and
//! only it can open the way again.

use std::collections::BTreeSet;

use stead_wire::options::{Notification, Receipt, Topic, VcOption};
use stead_wire::time::{Duration, Instant};

use crate::client::ClientId;
use crate::drops::Discard;
use crate::service::Service;
use crate::store::Which;

/// What one side is owed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Notice {
    /// Nothing.
    None,
    /// It was told of a publication and has not acknowledged it.
    Told {
        /// Which one.
        number: u64,
        /// How often it was told.
        times: u32,
        /// When it is told again, or given up.
        again: Instant,
    },
    /// Nobody was there to be told. The newest publication goes out with its next word.
    Waiting,
}

/// When who is told again.
#[derive(Debug, Default)]
pub(crate) struct Retries(BTreeSet<(Instant, Topic, Which)>);

/// How often a subscriber is told: the third time after three waits, and as long again until it is given up.
const TIMES: u32 = 3;

/// The first wait where no round trip was measured. Doubled each time, all three make 1.2 s: a little more than the
/// window within which two moves count as one.
const FIRST_WAIT: Duration = Duration::from_millis(170);

/// Bounds of the first wait where one was.
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_millis(400);

impl Retries {
    /// Replaces what one side waits for.
    pub(crate) fn change(&mut self, topic: Topic, which: Which, from: Notice, to: Notice) {
        if let Notice::Told { again, .. } = from {
            self.0.remove(&(again, topic, which));
        }
        if let Notice::Told { again, .. } = to {
            self.0.insert((again, topic, which));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.0.first().map(|(at, ..)| *at)
    }

    fn next_due(&self, now: Instant) -> Option<(Topic, Which)> {
        self.0.first().filter(|(at, ..)| *at <= now).map(|(_, topic, which)| (*topic, *which))
    }
}

impl Service {
    /// Tells `which` side of the topic of the other side's newest publication, if there is one.
    pub(crate) fn notify(&mut self, topic: Topic, which: Which, now: Instant) {
        if self.tell(topic, which, 1, now) {
            self.counts.notifications.begun += 1;
        }
    }

    /// The side spoke: what it could not be told before, it can be told now.
    pub(crate) fn notify_waiting(&mut self, topic: Topic, which: Which, now: Instant) {
        let side = self.store.pair(&topic).and_then(|pair| pair.side(which));
        if side.is_some_and(|side| side.notice == Notice::Waiting) {
            self.notify(topic, which, now);
        }
    }

    pub(crate) fn on_notified(&mut self, id: ClientId, receipt: Receipt) -> Result<(), Discard> {
        let Receipt { topic, number: heard } = receipt;
        let pair = self.store.pair(&topic).ok_or(Discard::UnsolicitedReceipt)?;
        let which = pair.of(id).ok_or(Discard::UnsolicitedReceipt)?;
        match pair.side(which).map(|side| side.notice) {
            Some(Notice::Told { number, .. }) if number == heard => {
                self.set_notice(topic, which, Notice::None);
                self.counts.notifications.acknowledged += 1;
                Ok(())
            }
            Some(_) | None => Err(Discard::UnsolicitedReceipt),
        }
    }

    /// Tells again, or gives up, whoever has been silent for long enough.
    pub(crate) fn retry_notifications(&mut self, now: Instant) {
        while let Some((topic, which)) = self.retries.next_due(now) {
            let side = self.store.pair(&topic).and_then(|pair| pair.side(which));
            match side.map(|side| side.notice) {
                Some(Notice::Told { times, .. }) if times < TIMES => {
                    self.tell(topic, which, times + 1, now);
                }
                Some(Notice::Told { .. }) => self.defer(topic, which),
                Some(Notice::None | Notice::Waiting) | None => {
                    debug_assert!(false, "only who was told is told again");
                    return;
                }
            }
        }
    }

    /// Puts one notification on its way, for the `times`th time. False if there is nothing to tell or nobody to tell
    /// it to.
    fn tell(&mut self, topic: Topic, which: Which, times: u32, now: Instant) -> bool {
        let Some(pair) = self.store.pair(&topic) else { return false };
        let (Some(subscriber), Some(publisher)) = (pair.side(which), pair.side(which.other())) else {
            self.set_notice(topic, which, Notice::None);
            return false;
        };
        let apparent = self.clients.get(publisher.client).and_then(|client| client.whereabouts.newest());
        let (Some(newest), Some(apparent)) = (&publisher.newest, apparent) else {
            self.set_notice(topic, which, Notice::None);
            return false;
        };
        let client = subscriber.client;
        let Some(listener) = self.clients.get(client).filter(|it| it.keypairs.sealing(now).is_some()) else {
            self.defer(topic, which);
            return false;
        };
        let first = listener.whereabouts.round_trip().map_or(FIRST_WAIT, |it| it.saturating_mul(2));
        let wait = first.clamp(LEAST_WAIT, MOST_WAIT) * (1 << (times - 1));
        let number = newest.number;
        let notification =
            Notification { topic, number, apparent: apparent.remote, sealed: newest.sealed.clone() };
        self.answer(client, VcOption::Notification(notification));
        self.set_notice(topic, which, Notice::Told { number, times, again: now + wait });
        true
    }

    fn defer(&mut self, topic: Topic, which: Which) {
        self.set_notice(topic, which, Notice::Waiting);
        self.counts.notifications.deferred += 1;
    }

    fn set_notice(&mut self, topic: Topic, which: Which, notice: Notice) {
        let Some(side) = self.store.pair_mut(&topic).and_then(|pair| pair.side_mut(which)) else { return };
        let before = core::mem::replace(&mut side.notice, notice);
        self.retries.change(topic, which, before, notice);
    }
}
