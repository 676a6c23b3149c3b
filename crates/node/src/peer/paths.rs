//! Where a peer is reached: the active path, and the attachment points where else it might be.
//!
//! Keeps the facts; when to leave a path and whether to believe a new one is decided by the
//! [migrator](super::migrator) and the [non-migrator](super::non_migrator).

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stead_lct::{Attachment, PathId};
use stead_wire::time::Duration;

use super::round_trip::RoundTrip;
use crate::attachment::LocalAttachment;
use crate::relay::{RelayAddress, is_made_up};

/// How many attachment points are tried at once, and a relay. More would be noise: a host has one or two per family.
const MOST_TARGETS: usize = 6;

/// How many more are tried from our further networks.
const MOST_FURTHER: usize = 4;

/// How many attachment points are remembered: those of a host in two networks, of either family.
pub(crate) const MOST_REMEMBERED: usize = 4;

/// One peer's paths.
#[derive(Debug)]
pub(crate) struct Paths {
    active: Option<Arc<Attachment>>,
    validated: bool,
    round_trip: RoundTrip,
    configured: Vec<SocketAddr>,
    /// Where it was proven to be, by this program or one before, the newest first.
    proven: Vec<SocketAddr>,
    /// How often that changed.
    proofs: u64,
    /// Whether this program has proven any of them.
    met: bool,
    advertised: Vec<SocketAddr>,
    /// Where a service saw it last.
    apparent: Option<SocketAddr>,
    /// Further places where it is proven to be.
    standby: Vec<SocketAddr>,
    /// The last resort: a relay's address for this peer.
    relay: Option<SocketAddr>,
    next: PathId,
    public: Option<bool>,
}

impl Paths {
    pub(crate) fn new(configured: Vec<SocketAddr>, remembered: Vec<SocketAddr>) -> Self {
        let proven = remembered.into_iter().filter(could_be_a_peer_s).take(MOST_REMEMBERED).collect();
        Self {
            active: None,
            validated: false,
            round_trip: RoundTrip::UNMEASURED,
            configured,
            proven,
            proofs: 0,
            met: false,
            advertised: Vec::new(),
            apparent: None,
            standby: Vec::new(),
            relay: None,
            next: PathId(1),
            public: None,
        }
    }

    /// Makes the path between `local` and `remote` the active one.
    ///
    /// The same pair keeps its path and its id; a path once validated stays so.
    pub(crate) fn activate(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        validated: bool,
    ) -> Arc<Attachment> {
        if let Some(active) =
            self.active.as_ref().filter(|active| active.remote == remote && active.local == local)
        {
            let active = Arc::clone(active);
            self.validated |= validated;
            self.remember_active();
            return active;
        }
        let attachment = Arc::new(Attachment { local, remote, path: self.next });
        self.next = PathId(self.next.0.wrapping_add(1));
        self.validated = validated;
        self.round_trip = RoundTrip::UNMEASURED;
        self.active = Some(Arc::clone(&attachment));
        self.remember_active();
        attachment
    }

    /// Where the peer was proven to be, the newest first, for a program that is started later.
    pub(crate) fn proven_points(&self) -> &[SocketAddr] {
        &self.proven
    }

    /// How often [`proven_points`](Self::proven_points) changed.
    pub(crate) const fn proofs(&self) -> u64 {
        self.proofs
    }

    /// Whether there are hints from a program before, of which none was proven yet.
    pub(crate) fn has_only_memories(&self) -> bool {
        !self.met && !self.proven.is_empty()
    }

    /// Whether anything but such hints tells where the peer is.
    pub(crate) fn is_told(&self) -> bool {
        self.active.is_some()
            || self.apparent.is_some()
            || !self.advertised.is_empty()
            || !self.configured.is_empty()
            || self.relay.is_some()
    }

    /// The active path, if it is proven and direct, is where the peer is known to be.
    fn remember_active(&mut self) {
        let Some(remote) = self.active_remote().filter(|_| self.validated && !self.relayed()) else { return };
        self.met = true;
        if self.proven.first() != Some(&remote) {
            self.proven.retain(|known| *known != remote);
            self.proven.insert(0, remote);
            self.proven.truncate(MOST_REMEMBERED);
            self.proofs += 1;
        }
    }

    pub(crate) const fn active(&self) -> Option<&Arc<Attachment>> {
        self.active.as_ref()
    }

    pub(crate) fn active_remote(&self) -> Option<SocketAddr> {
        self.active.as_ref().map(|active| active.remote)
    }

    pub(crate) const fn validated(&self) -> bool {
        self.validated
    }

    /// The smoothed round-trip time of the active path, if one was measured.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    /// What is known of the active path's round trip.
    pub(crate) const fn round_trip(&self) -> RoundTrip {
        self.round_trip
    }

    /// The peer answered over the active path what was asked there; in this time, where it can be told.
    pub(crate) fn proven(&mut self, rtt: Option<Duration>) {
        self.validated = true;
        self.remember_active();
        if let Some(rtt) = rtt {
            self.round_trip.sample(rtt);
        }
    }

    /// Takes the time that the answer to something took which may have been asked more than once.
    pub(crate) fn hint(&mut self, rtt: Duration) {
        self.round_trip.hint(rtt);
    }

    /// Replaces the attachment points that the peer says it has, but for those that no peer can have.
    pub(crate) fn advertise(&mut self, points: &[SocketAddr]) {
        self.advertised = points.iter().copied().filter(could_be_a_peer_s).collect();
    }

    /// Takes where a service saw the peer, and which points the peer says it has (seed 001 figure 19).
    pub(crate) fn learn(&mut self, apparent: SocketAddr, points: &[SocketAddr]) {
        self.advertise(points);
        self.apparent = Some(apparent).filter(could_be_a_peer_s);
        self.public = Some(points.contains(&apparent));
    }

    /// Takes where the peer speaks from, unproven.
    pub(crate) fn appear(&mut self, source: SocketAddr) {
        self.apparent = Some(source).filter(could_be_a_peer_s);
    }

    /// Takes what reaches the peer if nothing direct does.
    pub(crate) const fn relay(&mut self, relay: Option<SocketAddr>) {
        self.relay = relay;
    }

    /// Learns from one message whether the peer is public (seed 001 par. 106, figure 19).
    pub(crate) fn compare(&mut self, claimed: Option<SocketAddr>, apparent: SocketAddr) {
        // Over a relay nobody comes from where he is.
        if let Some(claimed) = claimed.filter(|_| RelayAddress::of(apparent).is_none()) {
            self.public = Some(claimed == apparent);
        }
    }

    /// Whether the active path leads over a relay.
    pub(crate) fn relayed(&self) -> bool {
        self.active_remote().is_some_and(is_relayed)
    }

    pub(crate) const fn public(&self) -> Option<bool> {
        self.public
    }

    /// Every attachment point where the peer might be, the likeliest first: the active one, others that were proven,
    /// where a service saw it, those it told us of, those remembered from before the start, those configured, a relay.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        let mut candidates: Vec<SocketAddr> = Vec::new();
        let memories = if self.met { &[][..] } else { &self.proven };
        let told =
            self.apparent.iter().chain(&self.advertised).chain(memories).chain(&self.configured).copied();
        let proven = self.active_remote().into_iter().chain(self.standby.iter().copied());
        for point in proven.chain(told).chain(self.relay) {
            if !candidates.contains(&point) {
                candidates.push(point);
            }
        }
        candidates
    }

    /// Takes at which further places the peer is proven to be.
    pub(crate) fn stand_by(&mut self, points: Vec<SocketAddr>) {
        self.standby = points;
    }

    /// The ways to the likeliest candidates over metered networks, for when nothing else leads there.
    pub(crate) fn last_resorts(&self, here: &LocalAttachment) -> Vec<(SocketAddr, IpAddr)> {
        let direct = self.candidates().into_iter().filter(|point| !is_relayed(*point));
        direct
            .flat_map(|point| here.last_resorts_for(point.ip()).map(move |source| (point, source)))
            .take(MOST_FURTHER)
            .collect()
    }

    /// The candidates that a route leads to from where we are attached, with our source address for each, and the
    /// likeliest of them from our further networks too.
    pub(crate) fn targets(&self, here: &LocalAttachment) -> Vec<(SocketAddr, IpAddr)> {
        let (relayed, direct): (Vec<_>, Vec<_>) =
            self.reachable(here).into_iter().partition(|(point, _)| is_relayed(*point));
        let further: Vec<_> = direct
            .iter()
            .flat_map(|(point, chosen)| {
                let others = here.standby_for(point.ip()).filter(move |source| source != chosen);
                others.map(move |source| (*point, source))
            })
            .take(MOST_FURTHER)
            .collect();
        direct.into_iter().take(MOST_TARGETS).chain(further).chain(relayed).collect()
    }

    /// As [`targets`](Self::targets), but for relays.
    pub(crate) fn direct_targets(&self, here: &LocalAttachment) -> Vec<(SocketAddr, IpAddr)> {
        self.targets(here).into_iter().filter(|(point, _)| !is_relayed(*point)).collect()
    }

    fn reachable(&self, here: &LocalAttachment) -> Vec<(SocketAddr, IpAddr)> {
        let reachable = |point: SocketAddr| Some((point, here.source_for(point.ip())?));
        self.candidates().into_iter().filter_map(reachable).collect()
    }
}

/// Whether a path to there leads over a relay.
pub(crate) fn is_relayed(point: SocketAddr) -> bool {
    RelayAddress::of(point).is_some()
}

/// A peer must not make us speak to ourselves, to a whole network, or to nobody.
pub(crate) fn could_be_a_peer_s(point: &SocketAddr) -> bool {
    let one = match point.ip() {
        IpAddr::V4(v4) => !(v4.is_broadcast() || v4.is_link_local()),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none(),
    };
    let ip = point.ip();
    one && !is_made_up(ip)
        && point.port() != 0
        && !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::Cause;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_pair_keeps_its_path_and_another_pair_gets_a_new_one() {
        let mut paths = Paths::new(Vec::new(), Vec::new());
        let first = paths.activate(at("192.0.2.1:1"), None, false);
        assert_eq!(paths.activate(at("192.0.2.1:1"), None, true).path, first.path);
        assert!(paths.validated());
        assert_eq!(paths.activate(at("192.0.2.1:1"), None, false).path, first.path);
        assert!(paths.validated(), "proof is not lost by using the path");

        let second = paths.activate(at("192.0.2.2:1"), None, false);
        assert_ne!(second.path, first.path);
        assert!(!paths.validated());
    }

    #[test]
    fn only_reachable_candidates_are_targets_and_the_active_one_comes_first() {
        let mut paths = Paths::new(vec![at("192.0.2.1:1"), at("[2001:db8::1]:1")], Vec::new());
        paths.activate(at("192.0.2.9:9"), None, true);
        paths.advertise(&[at("192.0.2.1:1"), at("[2001:db8::7]:1")]);

        let v4_only = LocalAttachment {
            default_source_v4: Some("10.0.0.2".parse().unwrap()),
            ..LocalAttachment::detached(Cause::Changed)
        };
        let targets: Vec<_> = paths.targets(&v4_only).into_iter().map(|(remote, _)| remote).collect();
        assert_eq!(targets, [at("192.0.2.9:9"), at("192.0.2.1:1")]);
        assert!(paths.targets(&LocalAttachment::detached(Cause::Changed)).is_empty());
    }

    #[test]
    fn a_peer_is_public_if_it_comes_from_where_it_says_it_is() {
        let mut paths = Paths::new(Vec::new(), Vec::new());
        paths.compare(None, at("192.0.2.1:1"));
        assert_eq!(paths.public(), None, "it said nothing");
        paths.compare(Some(at("10.0.0.2:1")), at("192.0.2.1:1"));
        assert_eq!(paths.public(), Some(false));
        paths.compare(Some(at("192.0.2.1:1")), at("192.0.2.1:1"));
        assert_eq!(paths.public(), Some(true));
    }

    #[test]
    fn what_is_remembered_is_tried_before_what_is_configured_until_the_peer_is_met() {
        let remembered = vec![at("192.0.2.7:7"), at("127.0.0.1:7")];
        let mut paths = Paths::new(vec![at("192.0.2.1:1")], remembered);
        assert!(paths.has_only_memories() && paths.is_told());
        assert_eq!(paths.candidates(), [at("192.0.2.7:7"), at("192.0.2.1:1")], "and nobody is here");

        paths.activate(at("192.0.2.9:9"), None, false);
        assert_eq!((paths.proofs(), paths.proven_points()), (0, &[at("192.0.2.7:7")][..]), "not proven");
        paths.proven(None);
        assert_eq!(paths.proven_points(), [at("192.0.2.9:9"), at("192.0.2.7:7")]);
        assert_eq!(paths.candidates(), [at("192.0.2.9:9"), at("192.0.2.1:1")]);
        for host in 1..10 {
            paths.activate(at(&format!("192.0.2.{host}:5")), None, true);
        }
        assert_eq!((paths.proven_points().len(), paths.proofs()), (MOST_REMEMBERED, 10));
    }
}
