//! When which peer wants to be looked at. One entry per peer, however many timers it has.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use stead_lct::PeerId;
use stead_wire::time::Instant;

/// Why the node wants to be woken. The words are metric labels.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wake {
    /// A handshake is to be retried, or a session ends.
    Handshake,
    /// A probe went unanswered.
    Probe,
    /// An offer of better terms went unanswered.
    Terms,
    /// A connection update went unanswered.
    Update,
    /// A path challenge went unanswered.
    Challenge,
    /// The peer is to be asked for where it might be.
    Request,
    /// A path beside the active one is to be asked for its proof.
    Standby,
    /// Data came and nothing went back: a keepalive is owed.
    Keepalive,
    /// Data went and nothing came back: a new handshake is due.
    Silence,
    /// The configured keepalive.
    PersistentKeepalive,
    /// The proof that the peer hears us grows old.
    Proof,
    /// A service did not answer, or something is to be asked of it again.
    Registration,
    /// A NAT between us and a service is about to forget us.
    ServiceKeepalive,
    /// A peer was not found for so long that more is done for it, or that it is given up.
    Search,
    /// The peer did not tell what it has received, or is to be asked.
    Resumption,
    /// Packets have been held for too long.
    Held,
    /// Connections that outlived the program before are to be woken.
    Survivors,
    /// It is to be asked how long packets may be.
    PathMtu,
    /// The host's filter refused a plain peer's datagrams: one is tried again.
    Refused,
    /// Connections of the table have been silent for too long.
    TableExpiry,
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Probe => "probe",
            Self::Terms => "terms",
            Self::Update => "update",
            Self::Challenge => "challenge",
            Self::Request => "request",
            Self::Standby => "standby",
            Self::Keepalive => "keepalive",
            Self::Silence => "silence",
            Self::PersistentKeepalive => "persistent-keepalive",
            Self::Proof => "proof",
            Self::Registration => "registration",
            Self::ServiceKeepalive => "service-keepalive",
            Self::Search => "search",
            Self::Resumption => "resumption",
            Self::Held => "held",
            Self::Survivors => "survivors",
            Self::PathMtu => "path-mtu",
            Self::Refused => "refused",
            Self::TableExpiry => "table-expiry",
        })
    }
}

/// All peers' next moments, in order.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    by_time: BTreeSet<(Instant, PeerId, Wake)>,
    by_peer: BTreeMap<PeerId, (Instant, Wake)>,
}

impl Wakes {
    /// Replaces the peer's next moment.
    pub(super) fn set(&mut self, peer: PeerId, next: Option<(Instant, Wake)>) {
        if let Some((at, wake)) = self.by_peer.remove(&peer) {
            self.by_time.remove(&(at, peer, wake));
        }
        if let Some((at, wake)) = next {
            self.by_time.insert((at, peer, wake));
            self.by_peer.insert(peer, (at, wake));
        }
    }

    /// The first moment of all.
    pub(super) fn first(&self) -> Option<(Instant, Wake)> {
        self.by_time.first().map(|(at, _, wake)| (*at, *wake))
    }

    /// Takes out every peer whose moment has come, in the order of their moments.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<PeerId> {
        let due: Vec<PeerId> =
            self.by_time.iter().take_while(|(at, ..)| *at <= now).map(|(_, peer, _)| *peer).collect();
        due.iter().for_each(|peer| self.set(*peer, None));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn a_peer_has_one_moment_and_the_first_of_all_comes_first() {
        let mut wakes = Wakes::default();
        wakes.set(PeerId(1), Some((at(50), Wake::Keepalive)));
        wakes.set(PeerId(2), Some((at(40), Wake::Update)));
        wakes.set(PeerId(1), Some((at(30), Wake::Probe)));
        assert_eq!(wakes.first(), Some((at(30), Wake::Probe)));

        assert_eq!(wakes.take_due(at(29)), []);
        assert_eq!(wakes.take_due(at(45)), [PeerId(1), PeerId(2)]);
        assert_eq!(wakes.first(), None, "the replaced moment is gone");
    }
}
