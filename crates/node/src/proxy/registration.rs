//! One peer at one service: what we asked for, what was granted, what we heard (seed 001 figure 10).
//!
//! Knows which of its options are due, unanswered or done; never sends. Opens what the peer published.
//!
//! # Invariants
//! - A publication that is older than one already heard is not believed, whoever repeats it.

use stead_noise::random::RandomStream;
use stead_noise::rendezvous::Rendezvous;
use stead_wire::options::{
    self, Lease, Marks, Notification, Publication, Reason, RelaySlot, Subscribed, Subscription, Topic,
    VcOption, Wishes,
};
use stead_wire::time::{Duration, Instant};

use core::net::SocketAddr;

use super::announcement::Announcement;
use crate::drops::Discard;
use crate::peer::Whereabouts;

/// What is asked for: two lives of a session, since every new session renews it.
const LEASE: Lease = Lease::from_secs(360);

/// When to ask again for what was refused: the service is full, or has had enough of us.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Registration {
    meeting: Rendezvous,
    /// Whether the service is needed for this peer. What it keeps for one that needs none is ended.
    needed: bool,
    wishes: Wishes,
    /// The peer is looked for.
    sought: bool,
    subscription: Step,
    publication: Step,
    /// Unanswered when the wishes changed: the next answer is to what was wished before.
    outdated: bool,
    lease: Option<Held>,
    slot: Option<RelaySlot>,
    heard: Option<Heard>,
    refused: Option<Reason>,
}

/// How far something that the service must know has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Step {
    /// To be sent.
    #[default]
    Due,
    /// Sent, not answered.
    Asked,
    /// Answered.
    Done,
    /// Refused, to be asked again at this moment.
    Refused { again: Instant },
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug)]
struct Held {
    renew_at: Instant,
    ends: Instant,
}

/// The newest publication of the peer that came over this service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Heard {
    number: u64,
    apparent: SocketAddr,
    /// Since then we look for the peer anew, and what was heard before may be told again.
    again: bool,
}

impl Registration {
    pub(super) const fn new(meeting: Rendezvous) -> Self {
        Self {
            meeting,
            needed: true,
            wishes: Wishes::NONE,
            sought: false,
            subscription: Step::Due,
            publication: Step::Due,
            outdated: false,
            lease: None,
            slot: None,
            heard: None,
            refused: None,
        }
    }

    pub(super) fn topic(&self) -> Topic {
        self.meeting.topic()
    }

    pub(super) const fn slot(&self) -> Option<RelaySlot> {
        self.slot
    }

    pub(super) const fn refused(&self) -> Option<Reason> {
        self.refused
    }

    /// Whether the service keeps us subscribed.
    pub(super) fn is_granted(&self, now: Instant) -> bool {
        self.lease.is_some_and(|lease| now < lease.ends)
    }

    /// Whether the service is needed for this peer.
    pub(super) const fn is_needed(&self) -> bool {
        self.needed
    }

    /// Says whether the service is needed for this peer: if no longer, the subscription is to be ended; if again, all is
    /// to be told anew.
    pub(super) fn need(&mut self, needed: bool) {
        if core::mem::replace(&mut self.needed, needed) != needed {
            self.renew();
        }
    }

    /// Replaces what is wished for.
    pub(super) fn wish(&mut self, wishes: Wishes) {
        if self.wishes == wishes {
            return;
        }
        if let Some(heard) = self.heard.as_mut().filter(|_| !self.wishes.contains(Wishes::WATCH)) {
            heard.again = true;
        }
        self.wishes = wishes;
        self.outdated |= self.subscription == Step::Asked;
        self.subscription = Step::Due;
    }

    /// Whether the peer is looked for.
    pub(super) const fn seek(&mut self, sought: bool) {
        self.sought = sought;
    }

    /// While the peer is looked for, what the service granted is not trusted: it is to be granted again.
    pub(super) fn inquire(&mut self) {
        if self.sought && self.subscription == Step::Done {
            self.subscription = Step::Due;
        }
    }

    /// The service has to be told all anew: it may have forgotten.
    pub(super) const fn renew(&mut self) {
        self.subscription = Step::Due;
        self.publication = Step::Due;
        self.outdated = false;
    }

    /// The subscription is to be asked for anew.
    pub(super) const fn resubscribe(&mut self) {
        self.subscription = Step::Due;
    }

    /// There is something new to publish.
    pub(super) const fn republish(&mut self) {
        if self.needed {
            self.publication = Step::Due;
        }
    }

    /// Whether an answer is awaited.
    pub(super) fn is_awaited(&self) -> bool {
        self.subscription == Step::Asked || self.publication == Step::Asked
    }

    /// Adds the options that are due; `again` those that went unanswered, too.
    pub(super) fn take_due(
        &mut self,
        again: bool,
        announcement: &Announcement,
        random: &mut RandomStream,
        now: Instant,
        out: &mut Vec<VcOption>,
    ) {
        let is_due = |step: Step| match step {
            Step::Due => true,
            Step::Asked => again,
            Step::Done => false,
            Step::Refused { again } => now >= again,
        };
        let topic = self.topic();
        if !self.needed {
            if is_due(self.subscription) {
                self.subscription = if self.lease.is_some() { Step::Asked } else { Step::Done };
                let (lease, wishes) = (Lease::ENDED, Wishes::NONE);
                out.extend(self.lease.map(|_| VcOption::Subscription(Subscription { topic, lease, wishes })));
            }
            self.publication = Step::Done;
            return;
        }
        if is_due(self.subscription) {
            self.subscription = Step::Asked;
            out.push(VcOption::Subscription(Subscription { topic, lease: LEASE, wishes: self.wishes }));
        }
        if is_due(self.publication) {
            let number = announcement.number();
            let Some(sealed) = self.meeting.seal(number, announcement.text(), random) else { return };
            let marks = if announcement.is_move(now) { Marks::MOVED } else { Marks::NONE };
            self.publication = Step::Asked;
            out.push(VcOption::Publication(Publication { topic, number, marks, sealed }));
        }
    }

    /// The service granted the subscription, or says that something about it changed.
    pub(super) fn on_subscribed(&mut self, subscribed: &Subscribed, relays: bool, now: Instant) {
        let length = subscribed.lease.duration();
        self.slot = subscribed.slot.filter(|_| relays);
        if length == Duration::ZERO {
            self.lease = None;
            let refused = Step::Refused { again: now + ASK_AGAIN_AFTER };
            self.subscription = if self.needed { refused } else { Step::Done };
            return;
        }
        self.refused = None;
        self.lease = Some(Held { renew_at: now + length / 2, ends: now + length });
        if self.subscription == Step::Asked && !core::mem::take(&mut self.outdated) {
            self.subscription = Step::Done;
        }
    }

    /// The service has the publication `number`.
    pub(super) fn on_published(&mut self, number: u64, announcement: &Announcement) {
        if self.publication == Step::Asked && number == announcement.number() {
            self.publication = Step::Done;
        }
    }

    /// Whether the service is yet to answer our publication.
    pub(super) fn is_publishing(&self) -> bool {
        self.publication == Step::Asked
    }

    /// The service refused something.
    pub(super) fn on_declined(&mut self, reason: Reason, now: Instant) {
        let again = Step::Refused { again: now + ASK_AGAIN_AFTER };
        let granted = self.is_granted(now);
        self.refused = Some(reason);
        match reason {
            // The subscription stands, the slot does not.
            Reason::RelayOff => self.slot = None,
            // It has forgotten the subscription that the publication needs.
            Reason::NotServed if granted => {
                self.lease = None;
                self.renew();
            }
            // Repeated in due course, with a number that is larger by then.
            Reason::Stale => {}
            Reason::Full | Reason::Quota | Reason::NotServed => {
                for step in [&mut self.subscription, &mut self.publication] {
                    if *step == Step::Asked {
                        *step = again;
                    }
                }
            }
        }
    }

    /// Opens what the peer published; `newest` is the newest number of the peer heard over any service.
    pub(super) fn on_notification(
        &mut self,
        notification: &Notification,
        newest: Option<u64>,
    ) -> Result<Whereabouts, Discard> {
        let Notification { number, apparent, sealed, .. } = notification;
        let text = self.meeting.open(*number, sealed).map_err(|_| Discard::ForgedNotification)?;
        let known = self.heard.is_some_and(|heard| {
            *number < heard.number || (*number == heard.number && *apparent == heard.apparent && !heard.again)
        });
        if known || newest.is_some_and(|newest| *number < newest) {
            return Err(Discard::StaleNotification);
        }
        self.heard = Some(Heard { number: *number, apparent: *apparent, again: false });
        let points = options::decode(&text).find_map(|option| match option {
            Ok(VcOption::AttachmentPoints(points)) => Some(points.as_slice().to_vec()),
            _ => None,
        });
        Ok(Whereabouts { apparent: *apparent, points: points.unwrap_or_default() })
    }

    /// When a lease is to be renewed or ends, or a refused request is to be made again. Without a session nothing can
    /// be asked, and only the end of what was granted is waited for.
    pub(super) fn poll_timeout(&self, connected: bool) -> Option<Instant> {
        if !connected {
            return self.lease.map(|lease| lease.ends);
        }
        let again = |step: Step| match step {
            Step::Refused { again } => Some(again),
            Step::Due | Step::Asked | Step::Done => None,
        };
        let lease = self.lease.and_then(|lease| match self.subscription {
            Step::Done => Some(lease.renew_at),
            Step::Due | Step::Asked | Step::Refused { .. } => self.slot.map(|_| lease.ends),
        });
        [again(self.subscription), again(self.publication), lease].into_iter().flatten().min()
    }

    /// Renews the lease if it is time; forgets what it gave if it ended.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Some(lease) = self.lease else { return };
        if now >= lease.ends {
            self.lease = None;
            self.slot = None;
        }
        if now >= lease.renew_at && self.subscription == Step::Done {
            self.subscription = Step::Due;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_noise::keys::StaticSecret;
    use stead_noise::random::Random;
    use stead_wire::options::AttachmentPoints;

    const NOW: Instant = Instant::from_micros(5_000_000);

    fn secret(number: u8) -> StaticSecret {
        StaticSecret::from_random([number; 32])
    }

    /// `own`'s side of its pair with `peer` at the service of key `service`.
    fn meeting(own: u8, peer: u8, service: u8) -> Rendezvous {
        Rendezvous::new(&secret(own), &secret(peer).public_key(), &secret(service).public_key()).unwrap()
    }

    fn alice() -> Registration {
        Registration::new(meeting(1, 2, 9))
    }

    /// What `publisher` sealed for its pair, as a service hands it on.
    fn told(publisher: &Rendezvous, number: u64, apparent: &str) -> Notification {
        let mut text = Vec::new();
        let points = AttachmentPoints::new(&["10.0.0.2:7".parse().unwrap()]);
        VcOption::AttachmentPoints(points).encode(&mut text);
        let mut random = Random::from_seed([7; 32]).stream("test");
        let sealed = publisher.seal(number, &text, &mut random).unwrap();
        Notification { topic: publisher.topic(), number, apparent: apparent.parse().unwrap(), sealed }
    }

    fn due(registration: &mut Registration, again: bool) -> Vec<VcOption> {
        let mut random = Random::from_seed([7; 32]).stream("test");
        let mut out = Vec::new();
        registration.take_due(again, &Announcement::default(), &mut random, NOW, &mut out);
        out
    }

    fn granted(registration: &mut Registration, slot: Option<RelaySlot>) {
        let lease = Lease::from_secs(100);
        let subscribed = Subscribed { topic: registration.topic(), lease, slot, present: true };
        registration.on_subscribed(&subscribed, true, NOW);
    }

    #[test]
    fn what_the_peer_sealed_is_heard_and_what_anyone_else_made_up_is_not() {
        let mut alice = alice();
        let heard = alice.on_notification(&told(&meeting(2, 1, 9), 5, "192.0.2.2:7"), None).unwrap();
        assert_eq!(heard.apparent.to_string(), "192.0.2.2:7");
        assert_eq!(heard.points, ["10.0.0.2:7".parse().unwrap()]);

        let forged = Err(Discard::ForgedNotification);
        assert_eq!(
            alice.on_notification(&told(&meeting(3, 1, 9), 6, "192.0.2.3:7"), None),
            forged,
            "a stranger's"
        );
        assert_eq!(
            alice.on_notification(&told(&meeting(1, 2, 9), 6, "192.0.2.3:7"), None),
            forged,
            "our own"
        );
        assert_eq!(
            alice.on_notification(&told(&meeting(2, 1, 8), 6, "192.0.2.3:7"), None),
            forged,
            "elsewhere's"
        );
        let renumbered = Notification { number: 7, ..told(&meeting(2, 1, 9), 6, "192.0.2.3:7") };
        assert_eq!(alice.on_notification(&renumbered, None), forged);
    }

    #[test]
    fn what_was_heard_is_no_news_and_what_is_older_is_not_believed_whoever_repeats_it() {
        let mut alice = alice();
        let bob = meeting(2, 1, 9);
        let stale = Err(Discard::StaleNotification);
        assert!(alice.on_notification(&told(&bob, 5, "192.0.2.2:7"), None).is_ok());
        assert_eq!(alice.on_notification(&told(&bob, 5, "192.0.2.2:7"), Some(5)), stale);
        assert_eq!(alice.on_notification(&told(&bob, 4, "192.0.2.4:7"), Some(5)), stale);
        assert_eq!(alice.on_notification(&told(&bob, 6, "192.0.2.6:7"), Some(7)), stale, "7 came elsewhere");

        assert!(alice.on_notification(&told(&bob, 5, "192.0.2.2:99"), Some(5)).is_ok(), "its NAT rebound");
        alice.wish(Wishes::WATCH);
        assert!(alice.on_notification(&told(&bob, 5, "192.0.2.2:99"), Some(5)).is_ok(), "looked for anew");
        assert_eq!(alice.on_notification(&told(&bob, 5, "192.0.2.2:99"), Some(5)), stale, "once");
    }

    #[test]
    fn what_is_unanswered_is_due_again_and_what_is_answered_is_not() {
        let mut alice = alice();
        assert_eq!(due(&mut alice, false).len(), 2, "subscription and publication");
        assert!(due(&mut alice, false).is_empty() && alice.is_awaited());
        granted(&mut alice, None);
        assert_eq!(due(&mut alice, true).len(), 1, "the publication alone");
        alice.on_published(0, &Announcement::default());
        assert!(due(&mut alice, true).is_empty() && !alice.is_awaited());
        assert_eq!(alice.poll_timeout(true), Some(NOW + Duration::from_secs(50)), "half of the lease");
    }

    #[test]
    fn an_answer_to_an_earlier_wish_does_not_pass_for_one_to_the_newest() {
        let mut alice = alice();
        due(&mut alice, false);
        alice.wish(Wishes::WATCH);
        due(&mut alice, false);
        granted(&mut alice, None);
        assert!(matches!(due(&mut alice, true)[0], VcOption::Subscription(s) if s.wishes == Wishes::WATCH));
        granted(&mut alice, None);
        alice.on_published(0, &Announcement::default());
        assert!(!alice.is_awaited());
    }

    #[test]
    fn what_is_refused_is_asked_for_again_after_a_while_and_a_lost_subscription_at_once() {
        let mut alice = alice();
        due(&mut alice, false);
        alice.on_declined(Reason::Quota, NOW);
        assert!(due(&mut alice, true).is_empty());
        assert_eq!(alice.poll_timeout(true), Some(NOW + ASK_AGAIN_AFTER));
        assert_eq!(alice.poll_timeout(false), None, "nobody could be asked");
        assert_eq!(alice.refused(), Some(Reason::Quota));

        granted(&mut alice, None);
        assert_eq!(alice.refused(), None);
        alice.on_declined(Reason::NotServed, NOW);
        assert_eq!(due(&mut alice, false).len(), 2, "it has forgotten us");
    }

    #[test]
    fn a_relay_slot_is_taken_only_from_a_service_that_may_relay_and_ends_with_the_lease() {
        let mut alice = alice();
        let slot = RelaySlot::new(3);
        let subscribed =
            Subscribed { topic: alice.topic(), lease: Lease::from_secs(100), slot, present: true };
        alice.on_subscribed(&subscribed, false, NOW);
        assert_eq!(alice.slot(), None);
        granted(&mut alice, slot);
        assert_eq!(alice.slot(), slot);
        alice.handle_timeout(NOW + Duration::from_secs(100));
        assert_eq!((alice.slot(), alice.is_granted(NOW)), (None, false));
    }
}
