//! Make before break: which paths are kept ready beside the active one, and when it gives way to one of them.
//!
//! A path of ours gives way when the system prefers another of our networks and that one is proven, or when it is
//! gone and another one is proven already. Either way packets flow at once: nothing is held, and nothing is asked
//! first. The peer is told by an ordinary update (CU); it knows the path as well.

use core::net::{IpAddr, SocketAddr};

use super::Peer;
use super::standby::Ready;
use crate::event::Mover;
use crate::notice::Arrival;
use crate::turn::Turn;

impl Peer {
    /// Keeps the plan for standby paths what attachment and active path make of it, and moves to a better one.
    pub(super) fn stand_by(&mut self, turn: &mut Turn<'_>) {
        let pairs = self.standby_pairs(turn);
        self.standby.plan(&pairs, turn);
        self.prove_standby(turn);
        if self.standby.is_empty() || !self.flowing() || self.migrator.announcing() {
            return;
        }
        let Some((remote, local)) = self.active_pair() else { return };
        let better = self.standby.best(
            |to, from| {
                let preferred = to == remote && turn.attachment.source_for(to.ip()) == Some(from);
                preferred || local.is_some_and(|local| turn.attachment.is_metered(local))
            },
            turn.now,
        );
        if let Some(ready) = better.filter(|ready| ready.path.local != local) {
            self.moves.unconfirmed = true;
            self.leap(ready, turn);
        }
    }

    /// The active path's beginning is gone: goes on over a path that is proven already. False if there is none.
    pub(super) fn leap_aside(&mut self, turn: &mut Turn<'_>) -> bool {
        let there = |_, from| turn.attachment.has(from);
        let ready = self.standby.best(there, turn.now).filter(|_| self.flowing());
        let leaps = ready.is_some() && self.handshaking.sealing(turn.now).is_some();
        if let Some(ready) = ready.filter(|_| leaps) {
            self.leap(ready, turn);
        }
        leaps
    }

    /// Sends over `ready` from now on, and tells the peer.
    fn leap(&mut self, ready: Ready, turn: &mut Turn<'_>) {
        let Some(session) = self.handshaking.sealing(turn.now).cloned() else { return };
        self.adopt(ready.path, true, Mover::Us, turn);
        // What is still on its way over the path that was left is nothing to follow.
        self.non_migrator.on_followed(turn.now);
        self.announce(None, &session, turn);
        self.migrator.leapt();
    }

    /// The paths that begin at others of our networks, but for metered ones.
    fn standby_pairs(&self, turn: &Turn<'_>) -> Vec<(SocketAddr, IpAddr)> {
        let here = turn.attachment;
        // Who will not be attached elsewhere has nothing to be ready for.
        let idle = !turn.identity.mobile || here.standby.is_empty() && self.standby.is_empty();
        let able = self.negotiation.enhanced() && !self.paths.relayed() && self.paths.validated();
        let Some((remote, local)) = self.active_pair().filter(|_| able && !idle) else { return Vec::new() };
        if here.standby.is_empty() && local.is_none_or(|local| here.source_for(remote.ip()) == Some(local)) {
            return Vec::new();
        }
        let from_all = |to: SocketAddr| {
            let sources = here.source_for(to.ip()).into_iter().chain(here.standby_for(to.ip()));
            sources.map(move |from| (to, from))
        };
        let other_family = self
            .paths
            .candidates()
            .into_iter()
            .find(|point| point.is_ipv4() != remote.is_ipv4() && !super::paths::is_relayed(*point))
            // A peer that stays where it is does not lose one family and keep the other.
            .filter(|_| !self.stays());
        let mut pairs: Vec<(SocketAddr, IpAddr)> = Vec::new();
        let of_other = other_family.into_iter().flat_map(from_all);
        for pair in from_all(remote).chain(of_other) {
            if Some(pair.1) != local && !here.is_metered(pair.1) && !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        pairs
    }

    fn active_pair(&self) -> Option<(SocketAddr, Option<IpAddr>)> {
        self.paths.active().map(|active| active.target())
    }

    /// Whether a message came over the active path, as far as can be told.
    pub(super) fn over_active(&self, arrival: Arrival) -> bool {
        self.active_pair().is_some_and(|(remote, local)| {
            let same = local.is_none() || arrival.local.is_none() || local == arrival.local;
            remote == arrival.source && same
        })
    }

    /// When a standby path is to be asked for its proof.
    pub(super) fn standby_due(&self) -> Option<stead_wire::time::Instant> {
        self.standby.poll_timeout(self.packets()).filter(|_| self.flowing())
    }

    /// Asks standby paths for their proof.
    pub(super) fn prove_standby(&mut self, turn: &mut Turn<'_>) {
        if self.standby_due().is_none_or(|at| turn.now < at) {
            return;
        }
        let session = self.handshaking.sealing(turn.now).cloned();
        self.standby.handle_timeout(self.packets(), session.as_deref(), turn);
    }

    /// Packets either way.
    fn packets(&self) -> u64 {
        let traffic = self.lane.traffic();
        traffic.packets_sent + traffic.packets_received
    }
}
