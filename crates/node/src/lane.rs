//! What the packet path knows of a peer: how to reach it right now, and when something last went either way.
//!
//! A [`Lane`] is shared by the node, which writes the [`Way`], and the workers, which read it and stamp times.
//! It decides nothing: keepalives, handshakes and moves are the node's.
//!
//! # Invariants
//! - A [`Way`] is replaced whole, so a worker never sees a session of one moment and a path of another.
//! - Whoever sets a stamp that the node would have to act on later either sees it armed, which means that the
//!   node's timers run for a stamp of its kind at least as old, or arms it and tells the node.

mod hearing;
mod stamps;
mod way;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use stead_lct::{Attachment, PeerId};
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;
use stead_wire::options::VcOption;
use stead_wire::time::{Duration, Instant};

use self::hearing::Hearing;
use self::stamps::{Owed, moment, put};
pub(crate) use self::way::{Flow, Way};
use crate::ring::Ring;

/// One peer's lane. Times are microseconds of [`Instant`]; zero means never or not pending.
#[derive(Debug)]
pub(crate) struct Lane {
    peer: PeerId,
    way: ArcSwap<Way>,
    elsewhere_noticed: AtomicU64,
    aging_noticed: AtomicU64,
    too_long_noticed: AtomicU64,
    owed: Owed,
    sent: Direction,
    received: Direction,
    ring: Ring,
    hearing: Hearing,
}

/// Inner packets and bytes as the TUN device sees them, and when the last datagram went. Each direction has a
/// cache line of its own, since different workers write them.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Direction {
    last: AtomicU64,
    /// The last that expected an answer; of what is received, the last over the path in use.
    data: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// What was owed either way at one moment: what the node's timers must run for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pending {
    /// Since when data went to the peer without anything coming back over the active path.
    pub(crate) unanswered: Option<Instant>,
    /// Since when data came from the peer without anything going back.
    pub(crate) unacknowledged: Option<Instant>,
    /// Since when packets have gone that may be too long for the path, without anybody asking.
    pub(crate) long: Option<Instant>,
}

/// What a lane has counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LaneTraffic {
    /// Inner packets sealed for the peer.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Inner packets the peer sealed for us.
    pub packets_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// At most one notice of traffic from elsewhere per this many microseconds and peer: each starts work in the
/// node, and a flood from a rebound NAT would start it once per packet.
const ELSEWHERE_NOTICE_INTERVAL: Duration = Duration::from_millis(20);

/// At most one notice of an old session per this long and peer: a handshake takes a round trip, or many if the
/// peer is away, and packets meanwhile have nothing new to say.
const AGING_NOTICE_INTERVAL: Duration = Duration::from_millis(100);

/// A lane without a packet for this long is quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(40);

/// At most one packet that is too long and may not be cut is given to the node per this long and peer: it tells the
/// sender, and one that does not listen must not keep it busy.
const TOO_LONG_NOTICE_INTERVAL: Duration = Duration::from_millis(5);

impl Lane {
    pub(crate) fn new(peer: PeerId) -> Self {
        Self {
            peer,
            way: ArcSwap::default(),
            elsewhere_noticed: AtomicU64::new(0),
            aging_noticed: AtomicU64::new(0),
            too_long_noticed: AtomicU64::new(0),
            owed: Owed::default(),
            sent: Direction::default(),
            received: Direction::default(),
            ring: Ring::default(),
            hearing: Hearing::default(),
        }
    }

    pub(crate) const fn peer(&self) -> PeerId {
        self.peer
    }

    /// What was lately sent to the peer.
    pub(crate) const fn ring(&self) -> &Ring {
        &self.ring
    }

    /// From now on messages of this session are opened.
    pub(crate) fn admit(&self, session: &Arc<Session>) {
        self.hearing.admit(session);
    }

    /// From now on they are not.
    pub(crate) fn forget(&self, session: SessionIndex) {
        self.hearing.forget(session);
    }

    /// What arrived from the peer in the sessions that it uses, for it to know what did not.
    pub(crate) fn received_reports(&self) -> Vec<VcOption> {
        self.hearing.report()
    }

    pub(crate) fn way(&self) -> arc_swap::Guard<Arc<Way>> {
        self.way.load()
    }

    pub(crate) fn set_way(&self, way: Way) {
        self.way.store(Arc::new(way));
    }

    /// Replaces the active path alone; what may flow is decided later.
    pub(crate) fn repoint(&self, active: &Arc<Attachment>) {
        self.set_way(Way { active: Some(Arc::clone(active)), ..Way::clone(&self.way()) });
    }

    /// Lets packets flow, over what they were held for.
    pub(crate) fn open(&self, flow: Flow) {
        self.set_way(Way { flow, ..Way::clone(&self.way()) });
    }

    /// Stamps an authenticated datagram to the peer; with `data`, one that expects an answer.
    ///
    /// Returns whether the node must be woken, because nobody watches this lane's stamps yet.
    pub(crate) fn stamp_sent(&self, data: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        put(&self.sent.last, now);
        self.owed.unacknowledged.clear();
        if !data {
            return false;
        }
        put(&self.sent.data, now);
        self.owed.unanswered.begin(now)
    }

    /// Stamps a packet that may be too long for the path. Returns whether the node must be woken.
    pub(crate) fn stamp_long(&self, now: Instant) -> bool {
        self.owed.long.begin(now.as_micros().max(1))
    }

    /// Since when such packets have gone without anybody asking whether they arrive.
    pub(crate) fn long_since(&self) -> Option<Instant> {
        self.owed.long.since()
    }

    /// It is being asked.
    pub(crate) fn forget_long(&self) {
        self.owed.long.clear();
    }

    /// Stamps an authenticated datagram from the peer; with `data`, one that deserves an answer. What came from
    /// elsewhere than `over_active`, the path in use, answers nothing that went over it.
    ///
    /// Returns whether the node must be woken, as [`stamp_sent`](Self::stamp_sent) does.
    pub(crate) fn stamp_received(&self, data: bool, over_active: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        put(&self.received.last, now);
        if over_active {
            self.owed.unanswered.clear();
            if data {
                put(&self.received.data, now);
            }
        }
        data && self.owed.unacknowledged.begin(now)
    }

    /// What the caller's timers must run for, exactly: what is pending, or may be by the time they fire. What is not in
    /// the answer is not armed, so the next stamp of its kind wakes the node.
    ///
    /// If a worker clears a stamp and sets it again without waking the node, the timer of an older one fires, and the
    /// node looks here again.
    pub(crate) fn watch(&self) -> Pending {
        Pending {
            unanswered: self.owed.unanswered.watch(self.last_data_sent()),
            unacknowledged: self.owed.unacknowledged.watch(self.last_received()),
            long: self.owed.long.look(),
        }
    }

    /// Disarms what has been quiet for a while: as long as traffic flows, nobody needs to be woken for it, however often
    /// answers come.
    ///
    /// The caller's timers run longer than [`QUIET`] after what they are for.
    pub(crate) fn rest(&self, now: Instant) {
        let quiet = |last: Option<Instant>| last.is_none_or(|last| now >= last + QUIET);
        if quiet(self.last_data_sent()) {
            self.owed.unanswered.rest();
        }
        if quiet(self.last_received()) {
            self.owed.unacknowledged.rest();
        }
    }

    /// Whether traffic from an unexpected source is worth a notice now.
    pub(crate) fn notice_elsewhere(&self, now: Instant) -> bool {
        due(&self.elsewhere_noticed, ELSEWHERE_NOTICE_INTERVAL, now)
    }

    /// Whether a packet that is too long and may not be cut is worth the node's time now.
    pub(crate) fn notice_too_long(&self, now: Instant) -> bool {
        due(&self.too_long_noticed, TOO_LONG_NOTICE_INTERVAL, now)
    }

    /// Whether an old session is worth a notice now.
    pub(crate) fn notice_aging(&self, now: Instant) -> bool {
        due(&self.aging_noticed, AGING_NOTICE_INTERVAL, now)
    }

    pub(crate) fn count_sent(&self, packets: u64, bytes: u64) {
        self.sent.count(packets, bytes);
    }

    pub(crate) fn count_received(&self, packets: u64, bytes: u64) {
        self.received.count(packets, bytes);
    }

    pub(crate) fn traffic(&self) -> LaneTraffic {
        LaneTraffic {
            packets_sent: self.sent.packets.load(Ordering::Relaxed),
            bytes_sent: self.sent.bytes.load(Ordering::Relaxed),
            packets_received: self.received.packets.load(Ordering::Relaxed),
            bytes_received: self.received.bytes.load(Ordering::Relaxed),
        }
    }

    /// When something authenticated last went to the peer.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        moment(&self.sent.last)
    }

    /// When a packet last went to the peer. What only answers or asks is none.
    pub(crate) fn last_data_sent(&self) -> Option<Instant> {
        moment(&self.sent.data)
    }

    /// When something authenticated last came from the peer.
    pub(crate) fn last_received(&self) -> Option<Instant> {
        moment(&self.received.last)
    }

    /// When a packet last came from the peer over the active path.
    pub(crate) fn last_data_received(&self) -> Option<Instant> {
        moment(&self.received.data)
    }

    /// Since when data went to the peer without anything coming back over the active path.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        self.owed.unanswered.since()
    }

    /// Since when data came from the peer without anything going back.
    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        self.owed.unacknowledged.since()
    }

    /// Forgets that data went unanswered: a new handshake asks again.
    pub(crate) fn forget_unanswered(&self) {
        self.owed.unanswered.clear();
    }

    /// Forgets that an answer is owed: it cannot be given now, and what ends that gives it.
    pub(crate) fn forget_unacknowledged(&self) {
        self.owed.unacknowledged.clear();
    }
}

impl Direction {
    fn count(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Whether `interval` has passed since the moment in `last`, which then becomes `now`. True for one caller.
fn due(last: &AtomicU64, interval: Duration, now: Instant) -> bool {
    let before = last.load(Ordering::Relaxed);
    let due = before == 0 || now >= Instant::from_micros(before) + interval;
    due && last.swap(now.as_micros().max(1), Ordering::Relaxed) == before
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Instant = Instant::from_micros(1_000_000);
    const T2: Instant = Instant::from_micros(2_000_000);

    #[test]
    fn only_the_first_unanswered_packet_wakes_the_node() {
        let lane = Lane::new(PeerId(0));
        assert!(lane.stamp_sent(true, T1));
        assert!(!lane.stamp_sent(true, T2));
        assert_eq!(lane.unanswered_since(), Some(T1), "since the first of them");

        assert!(!lane.stamp_received(false, true, T2), "a keepalive deserves no answer");
        assert_eq!(lane.unanswered_since(), None);
        assert!(!lane.stamp_sent(true, T2), "the node watches already");
    }

    #[test]
    fn what_comes_from_elsewhere_answers_nothing_and_what_is_no_packet_asks_nothing() {
        let lane = Lane::new(PeerId(0));
        lane.stamp_sent(true, T1);
        lane.stamp_received(true, false, T2);
        assert_eq!(lane.unanswered_since(), Some(T1));
        assert_eq!(lane.last_received(), Some(T2));

        lane.stamp_sent(false, T2);
        assert_eq!((lane.last_data_sent(), lane.last_sent()), (Some(T1), Some(T2)));
    }

    #[test]
    fn a_stamp_is_disarmed_only_when_it_is_not_pending() {
        let lane = Lane::new(PeerId(0));
        lane.stamp_received(true, true, T1);
        lane.rest(T2);
        assert_eq!(lane.watch(), Pending { unacknowledged: Some(T1), ..Pending::default() });
        assert!(!lane.owed.unacknowledged.arm(), "still armed: an answer is owed");
        assert!(lane.stamp_sent(true, T1), "that the other kind is watched does not help this one");
        lane.stamp_received(false, true, T1);

        lane.stamp_sent(false, T2);
        lane.rest(T2);
        assert_eq!(lane.watch(), Pending::default());
        assert!(lane.stamp_received(true, true, T2), "quiet, so the next packet wakes the node");
    }

    #[test]
    fn what_keeps_a_lane_armed_is_what_the_node_is_told_to_watch() {
        let lane = Lane::new(PeerId(0));
        lane.stamp_sent(true, T1);
        let watched = lane.watch();
        // Workers answer and ask again before the node has set its timers.
        lane.stamp_received(false, true, T2);
        assert!(!lane.stamp_sent(true, T2), "armed, so nobody tells the node");

        assert_eq!(watched.unanswered, Some(T1), "and so its timer must run all the same");
    }

    #[test]
    fn as_long_as_traffic_flows_answers_and_new_questions_wake_nobody() {
        let lane = Lane::new(PeerId(0));
        assert!(lane.stamp_sent(true, T1));
        let woken = (1..1_000).filter(|round| {
            let now = T1 + Duration::from_millis(*round);
            lane.stamp_received(true, true, now);
            let stirred = lane.stamp_sent(true, now);
            lane.rest(now);
            assert_eq!(lane.watch().unanswered, Some(now), "and the timers run for the newest");
            stirred
        });
        assert_eq!(woken.count(), 0);

        let last = T1 + Duration::from_millis(999);
        lane.stamp_received(false, true, last);
        assert_eq!(lane.watch().unanswered, Some(last), "nothing is pending, but might be soon");
        lane.rest(last + QUIET);
        assert_eq!(lane.watch().unanswered, None);
        assert!(lane.stamp_sent(true, last + QUIET));
    }

    #[test]
    fn an_old_session_is_noticed_once_per_interval() {
        let lane = Lane::new(PeerId(0));
        assert!(lane.notice_aging(T1));
        assert!(!lane.notice_aging(T1 + Duration::from_millis(99)));
        assert!(lane.notice_aging(T1 + Duration::from_millis(100)));
    }

    #[test]
    fn traffic_from_elsewhere_is_noticed_at_once_and_then_at_most_every_interval() {
        let lane = Lane::new(PeerId(0));
        assert!(lane.notice_elsewhere(T1));
        assert!(!lane.notice_elsewhere(T1));
        assert!(lane.notice_elsewhere(T2));
    }
}
