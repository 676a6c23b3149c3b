//! What the packet path knows of a peer: how to reach it right now, and when something last went either way.
//!
//! A [`Lane`] is shared by the node, which writes the [`Way`], and the workers, which read it and stamp times.
//! It decides nothing: keepalives, handshakes and moves are the node's.
//!
//! # Invariants
//! - A [`Way`] is replaced whole, so a worker never sees a session of one moment and a path of another.
//! - Whoever sets a stamp that the node would have to act on later either sees the lane armed, which means that
//!   the node's timers run for a stamp at least as old, or arms it and tells the node.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use stead_lct::{Attachment, PeerId};
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;
use stead_wire::time::{Duration, Instant};

/// How packets reach a peer at this moment.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// The session that seals; `None` before the first handshake and after the last session's end.
    pub(crate) session: Option<Arc<Session>>,
    /// The active path; `None` while nobody knows where the peer is.
    pub(crate) active: Option<Arc<Attachment>>,
    /// The session that we responded to and that its first message will confirm.
    pub(crate) awaited: Option<SessionIndex>,
    /// Whether packets may go straight out.
    pub(crate) flow: Flow,
}

/// Whether a worker may send, or must give the packet to the node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Flow {
    /// Everything goes to the node: no session, no path, or suspended because of a move.
    #[default]
    Held,
    /// Packets that leave this much room below the MTU go to the node, which adds the probe option
    /// (seed 001 figure 21); the others go straight out.
    Probing {
        /// Bytes that the probe needs.
        room: usize,
    },
    /// Straight out.
    Flowing,
}

/// One peer's lane. Times are microseconds of [`Instant`]; zero means never or not pending.
#[derive(Debug)]
pub(crate) struct Lane {
    peer: PeerId,
    way: ArcSwap<Way>,
    armed: AtomicBool,
    elsewhere_noticed: AtomicU64,
    aging_noticed: AtomicU64,
    pending: Stamps,
    sent: Direction,
    received: Direction,
}

/// Since when something is owed either way.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stamps {
    unanswered_since: AtomicU64,
    unacknowledged_since: AtomicU64,
}

/// Inner packets and bytes as the TUN device sees them, and when the last datagram went. Each direction has a
/// cache line of its own, since different workers write them.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Direction {
    last: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// What was owed either way at one moment: what the node's timers must run for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pending {
    /// Since when data went to the peer without anything coming back.
    pub(crate) unanswered: Option<Instant>,
    /// Since when data came from the peer without anything going back.
    pub(crate) unacknowledged: Option<Instant>,
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

impl Lane {
    pub(crate) fn new(peer: PeerId) -> Self {
        Self {
            peer,
            way: ArcSwap::default(),
            armed: AtomicBool::new(false),
            elsewhere_noticed: AtomicU64::new(0),
            aging_noticed: AtomicU64::new(0),
            pending: Stamps::default(),
            sent: Direction::default(),
            received: Direction::default(),
        }
    }

    pub(crate) const fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn way(&self) -> arc_swap::Guard<Arc<Way>> {
        self.way.load()
    }

    pub(crate) fn set_way(&self, way: Way) {
        self.way.store(Arc::new(way));
    }

    /// Replaces the active path alone; what may flow is decided later.
    pub(crate) fn repoint(&self, active: &Arc<Attachment>) {
        let way = self.way();
        let (session, awaited, flow) = (way.session.clone(), way.awaited, way.flow);
        self.set_way(Way { session, active: Some(Arc::clone(active)), awaited, flow });
    }

    /// Stamps an authenticated datagram to the peer; with `data`, one that expects an answer.
    ///
    /// Returns whether the node must be woken, because nobody watches this lane's stamps yet.
    pub(crate) fn stamp_sent(&self, data: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        put(&self.sent.last, now);
        put(&self.pending.unacknowledged_since, 0);
        data && begin(&self.pending.unanswered_since, now) && self.arm()
    }

    /// Stamps an authenticated datagram from the peer; with `data`, one that deserves an answer.
    ///
    /// Returns whether the node must be woken, as [`stamp_sent`](Self::stamp_sent) does.
    pub(crate) fn stamp_received(&self, data: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        put(&self.received.last, now);
        put(&self.pending.unanswered_since, 0);
        data && begin(&self.pending.unacknowledged_since, now) && self.arm()
    }

    /// Sets the armed flag; true if it was not set before.
    pub(crate) fn arm(&self) -> bool {
        !self.armed.load(Ordering::SeqCst) && !self.armed.swap(true, Ordering::SeqCst)
    }

    /// What is pending now. The caller's timers must run for exactly this; if it is nothing, the lane is disarmed
    /// and the next stamp wakes the node.
    ///
    /// The lane stays armed only for stamps that are in the answer: if a worker clears one and sets it again
    /// without waking the node, the timer of the older one fires, and the node looks here again.
    pub(crate) fn watch(&self) -> Pending {
        self.armed.store(false, Ordering::SeqCst);
        // A worker may have stamped before the store and have seen the lane armed: look after it.
        let pending =
            Pending { unanswered: self.unanswered_since(), unacknowledged: self.unacknowledged_since() };
        if pending != Pending::default() {
            self.armed.store(true, Ordering::SeqCst);
        }
        pending
    }

    /// Whether traffic from an unexpected source is worth a notice now.
    pub(crate) fn notice_elsewhere(&self, now: Instant) -> bool {
        due(&self.elsewhere_noticed, ELSEWHERE_NOTICE_INTERVAL, now)
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

    /// When something authenticated last came from the peer.
    pub(crate) fn last_received(&self) -> Option<Instant> {
        moment(&self.received.last)
    }

    /// Since when data went to the peer without anything coming back.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        moment(&self.pending.unanswered_since)
    }

    /// Since when data came from the peer without anything going back.
    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        moment(&self.pending.unacknowledged_since)
    }

    /// Forgets that data went unanswered: a new handshake asks again.
    pub(crate) fn forget_unanswered(&self) {
        put(&self.pending.unanswered_since, 0);
    }

    /// Forgets that an answer is owed: it cannot be given now, and what ends that gives it.
    pub(crate) fn forget_unacknowledged(&self) {
        put(&self.pending.unacknowledged_since, 0);
    }
}

impl Direction {
    fn count(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Stores `value` unless it is there already, which it mostly is: packets come in batches with one time.
fn put(stamp: &AtomicU64, value: u64) {
    if stamp.load(Ordering::Relaxed) != value {
        stamp.store(value, Ordering::Relaxed);
    }
}

/// Whether `interval` has passed since the moment in `last`, which then becomes `now`. True for one caller.
fn due(last: &AtomicU64, interval: Duration, now: Instant) -> bool {
    let before = last.load(Ordering::Relaxed);
    let due = before == 0 || now >= Instant::from_micros(before) + interval;
    due && last.swap(now.as_micros().max(1), Ordering::Relaxed) == before
}

/// Sets `since` if it is not pending; true if it was set by this call. The read before the exchange keeps the
/// common case free of writes to a shared line.
fn begin(since: &AtomicU64, now: u64) -> bool {
    since.load(Ordering::Relaxed) == 0
        && since.compare_exchange(0, now, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

fn moment(stamp: &AtomicU64) -> Option<Instant> {
    match stamp.load(Ordering::SeqCst) {
        0 => None,
        micros => Some(Instant::from_micros(micros)),
    }
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

        assert!(!lane.stamp_received(false, T2), "a keepalive deserves no answer");
        assert_eq!(lane.unanswered_since(), None);
        assert!(!lane.stamp_sent(true, T2), "the node watches already");
    }

    #[test]
    fn a_lane_is_disarmed_only_when_nothing_is_pending() {
        let lane = Lane::new(PeerId(0));
        lane.stamp_received(true, T1);
        assert_eq!(lane.watch(), Pending { unanswered: None, unacknowledged: Some(T1) });
        assert!(!lane.arm(), "still armed: an answer is owed");

        lane.stamp_sent(false, T2);
        assert_eq!(lane.watch(), Pending::default());
        assert!(lane.arm(), "quiet, so the next packet wakes the node");
    }

    #[test]
    fn what_keeps_a_lane_armed_is_what_the_node_is_told_to_watch() {
        let lane = Lane::new(PeerId(0));
        lane.stamp_sent(true, T1);
        let watched = lane.watch();
        // Workers answer and ask again before the node has set its timers.
        lane.stamp_received(false, T2);
        assert!(!lane.stamp_sent(true, T2), "armed, so nobody tells the node");

        assert_eq!(watched.unanswered, Some(T1), "and so its timer must run all the same");
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
