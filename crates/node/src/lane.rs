//! What the packet path knows of a peer: how to reach it right now, and when something last went either way.
//!
//! A [`Lane`] is shared by the node, which writes the [`Way`], and the workers, which read it and stamp times.
//! It decides nothing: keepalives, handshakes and moves are the node's.
//!
//! # Invariants
//! - A [`Way`] is replaced whole, so a worker never sees a session of one moment and a path of another.
//! - [`Lane::armed`] is false only while no stamp is set that the node would have to act on later.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use stead_lct::{Attachment, PeerId};
use stead_noise::session::Session;
use stead_wire::time::Instant;

/// How packets reach a peer at this moment.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// The session that seals; `None` before the first handshake and after the last session's end.
    pub(crate) session: Option<Arc<Session>>,
    /// The active path; `None` while nobody knows where the peer is.
    pub(crate) active: Option<Arc<Attachment>>,
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
    last_sent: AtomicU64,
    last_received: AtomicU64,
    unanswered_since: AtomicU64,
    unacknowledged_since: AtomicU64,
    elsewhere_noticed: AtomicU64,
    traffic: Traffic,
}

/// Inner packets and bytes, as the TUN device sees them.
#[derive(Debug, Default)]
struct Traffic {
    packets_sent: AtomicU64,
    bytes_sent: AtomicU64,
    packets_received: AtomicU64,
    bytes_received: AtomicU64,
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
const ELSEWHERE_NOTICE_INTERVAL: u64 = 20_000;

impl Lane {
    pub(crate) fn new(peer: PeerId) -> Self {
        Self {
            peer,
            way: ArcSwap::default(),
            armed: AtomicBool::new(false),
            last_sent: AtomicU64::new(0),
            last_received: AtomicU64::new(0),
            unanswered_since: AtomicU64::new(0),
            unacknowledged_since: AtomicU64::new(0),
            elsewhere_noticed: AtomicU64::new(0),
            traffic: Traffic::default(),
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

    /// Stamps an authenticated datagram to the peer; with `data`, one that expects an answer.
    ///
    /// Returns whether the node must be woken, because nobody watches this lane's stamps yet.
    pub(crate) fn stamp_sent(&self, data: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        self.last_sent.store(now, Ordering::Relaxed);
        self.unacknowledged_since.store(0, Ordering::Relaxed);
        data && begin(&self.unanswered_since, now) && self.arm()
    }

    /// Stamps an authenticated datagram from the peer; with `data`, one that deserves an answer.
    ///
    /// Returns whether the node must be woken, as [`stamp_sent`](Self::stamp_sent) does.
    pub(crate) fn stamp_received(&self, data: bool, now: Instant) -> bool {
        let now = now.as_micros().max(1);
        self.last_received.store(now, Ordering::Relaxed);
        self.unanswered_since.store(0, Ordering::Relaxed);
        data && begin(&self.unacknowledged_since, now) && self.arm()
    }

    /// Sets the armed flag; true if it was not set before.
    pub(crate) fn arm(&self) -> bool {
        !self.armed.load(Ordering::Relaxed) && !self.armed.swap(true, Ordering::SeqCst)
    }

    /// Clears the armed flag unless a stamp is pending, which the caller must then watch.
    pub(crate) fn disarm_if_quiet(&self) {
        self.armed.store(false, Ordering::SeqCst);
        // A worker may have stamped between our look and the store: look again, now that it would wake us.
        if self.unanswered_since().is_some() || self.unacknowledged_since().is_some() {
            self.armed.store(true, Ordering::SeqCst);
        }
    }

    /// Whether traffic from an unexpected source is worth a notice now.
    pub(crate) fn notice_elsewhere(&self, now: Instant) -> bool {
        let now = now.as_micros();
        let last = self.elsewhere_noticed.load(Ordering::Relaxed);
        let due = last == 0 || now >= last + ELSEWHERE_NOTICE_INTERVAL;
        due && self.elsewhere_noticed.swap(now.max(1), Ordering::Relaxed) == last
    }

    pub(crate) fn count_sent(&self, packets: u64, bytes: u64) {
        self.traffic.packets_sent.fetch_add(packets, Ordering::Relaxed);
        self.traffic.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_received(&self, packets: u64, bytes: u64) {
        self.traffic.packets_received.fetch_add(packets, Ordering::Relaxed);
        self.traffic.bytes_received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn traffic(&self) -> LaneTraffic {
        LaneTraffic {
            packets_sent: self.traffic.packets_sent.load(Ordering::Relaxed),
            bytes_sent: self.traffic.bytes_sent.load(Ordering::Relaxed),
            packets_received: self.traffic.packets_received.load(Ordering::Relaxed),
            bytes_received: self.traffic.bytes_received.load(Ordering::Relaxed),
        }
    }

    /// When something authenticated last went to the peer.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        moment(&self.last_sent)
    }

    /// When something authenticated last came from the peer.
    pub(crate) fn last_received(&self) -> Option<Instant> {
        moment(&self.last_received)
    }

    /// Since when data went to the peer without anything coming back.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        moment(&self.unanswered_since)
    }

    /// Since when data came from the peer without anything going back.
    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        moment(&self.unacknowledged_since)
    }

    /// Forgets that data went unanswered: a new handshake asks again.
    pub(crate) fn forget_unanswered(&self) {
        self.unanswered_since.store(0, Ordering::Relaxed);
    }
}

/// Sets `since` if it is not pending; true if it was set by this call. The read before the exchange keeps the
/// common case free of writes to a shared line.
fn begin(since: &AtomicU64, now: u64) -> bool {
    since.load(Ordering::Relaxed) == 0
        && since.compare_exchange(0, now, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

fn moment(stamp: &AtomicU64) -> Option<Instant> {
    match stamp.load(Ordering::Relaxed) {
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
        lane.disarm_if_quiet();
        assert!(!lane.arm(), "still armed: an answer is owed");

        lane.stamp_sent(false, T2);
        lane.disarm_if_quiet();
        assert!(lane.arm(), "quiet, so the next packet wakes the node");
    }

    #[test]
    fn traffic_from_elsewhere_is_noticed_at_once_and_then_at_most_every_interval() {
        let lane = Lane::new(PeerId(0));
        assert!(lane.notice_elsewhere(T1));
        assert!(!lane.notice_elsewhere(T1));
        assert!(lane.notice_elsewhere(T2));
    }
}
