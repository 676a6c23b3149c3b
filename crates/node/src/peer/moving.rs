//! Moves, both ways: what a change of the local attachment asks for, and what a proven path changes.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stead_lct::Attachment;
use stead_noise::session::Session;

use super::handshaking::Target;
use super::migrator::{self, News, Proven, Step};
use super::{Peer, sealing};
use crate::attachment::{Cause, LocalAttachment};
use crate::event::{Ends, Happening, Mover, Suspension};
use crate::turn::Turn;

/// What a change of the local attachment means for the active path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    /// It begins where it began, and nothing better came up.
    None,
    /// It still leads to the peer, but another network is preferred now.
    Better,
    /// It leads nowhere any more.
    Gone,
}

impl Peer {
    /// Where this host is attached has changed, or it woke (seed 001 figure 17, for this peer's entries).
    ///
    /// `needed` tells that the table has connections with this peer, which then must hear of it at once.
    pub(crate) fn on_attachment(&mut self, before: &LocalAttachment, needed: bool, turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return self.move_unheard(before, turn);
        }
        if self.paths.active().is_none() && !self.handshaking.in_flight() {
            // Never met. What waits for it waited for a network.
            if !self.stage.is_empty() {
                self.want(turn);
            } else if self.is_called() {
                self.calls = 0;
                self.call(turn);
            }
            return;
        }
        let targets = self.paths.targets(turn.attachment);
        if targets.is_empty() {
            self.migrator.detach(turn.now);
            return;
        }
        let woke = turn.attachment.cause == Cause::Woke;
        let change = self.change(before, turn);
        if change == Change::Better && !woke && self.flowing() {
            // The path in use stays until the better one is proven.
            self.tell_points(before, turn);
            return;
        }
        let moved = change != Change::None;
        self.moves.unconfirmed |= moved && self.paths.active().is_some();
        if change == Change::Gone && self.leap_aside(turn) {
            return;
        }
        if !moved && !woke && !self.migrator.unsettled() {
            self.tell_points(before, turn);
            return;
        }
        // A host that wakes wants to be found by the peers that it had been in touch with, also if their sessions ended.
        let needed = needed
            || !self.stage.is_empty()
            || self.about.persistent_keepalive.is_some()
            || (woke && self.paths.validated());
        match self.handshaking.sealing(turn.now).cloned() {
            None => self.ask_from_new_place(needed, &targets, turn),
            Some(session) if !self.negotiation.enhanced() => self.roam(&session, &targets, turn),
            // Waking where it slept, the host still has its path; it only wants to be sure of it.
            Some(session) if needed => {
                let holds = moved || self.migrator.unsettled();
                self.announce(holds.then_some(Suspension::Moving), &session, turn);
            }
            Some(_) => self.migrator.move_quietly(turn.now),
        }
    }

    /// Whether the active path no longer begins at the address it began at, or a better one came up.
    pub(super) fn moved(&self, before: &LocalAttachment, turn: &Turn<'_>) -> bool {
        self.change(before, turn) != Change::None
    }

    /// What became of the active path's beginning.
    ///
    /// The peer may have chosen another of our addresses than we would have: as long as that one is there, and
    /// our choice stays what it was, nothing moved.
    fn change(&self, before: &LocalAttachment, turn: &Turn<'_>) -> Change {
        // A handshake under way towards everywhere: whatever leads anywhere counts.
        let Some(active) = self.paths.active() else {
            let same = self.paths.targets(before) == self.paths.targets(turn.attachment);
            return if same { Change::None } else { Change::Gone };
        };
        let remote = active.remote.ip();
        let source = turn.attachment.source_for(remote);
        let Some(local) = active.local.map(|point| point.ip()) else {
            let same = source.is_some() && source == before.source_for(remote);
            return if same { Change::None } else { Change::Gone };
        };
        let chosen_anew = source != Some(local) && source != before.source_for(remote);
        if source.is_none() || !turn.attachment.has(local) {
            return Change::Gone;
        }
        match (chosen_anew, turn.attachment.leads(local, remote)) {
            (false, _) => Change::None,
            (true, true) => Change::Better,
            (true, false) => Change::Gone,
        }
    }

    /// Without a session the handshake itself tells the peer where we are.
    pub(super) fn ask_from_new_place(
        &mut self,
        needed: bool,
        targets: &[(SocketAddr, IpAddr)],
        turn: &mut Turn<'_>,
    ) {
        self.migrator.settle();
        let targets: Vec<Target> = targets.iter().map(|(remote, local)| (*remote, Some(*local))).collect();
        if needed || self.handshaking.in_flight() {
            self.handshaking.restart(&targets, turn);
        }
    }

    /// A plain peer learns of our move by any message from the new place, as WireGuard says.
    pub(super) fn roam(
        &mut self,
        session: &Arc<Session>,
        targets: &[(SocketAddr, IpAddr)],
        turn: &mut Turn<'_>,
    ) {
        self.migrator.settle();
        let Some((remote, local)) = targets.first().copied() else { return };
        self.moves.confirm();
        self.adopt(Proven { remote, local: Some(local), rtt: None }, false, Mover::Us, turn);
        self.send_keepalive(session, turn);
    }

    /// News of the peer, for a move of ours that it does not know of yet.
    pub(super) fn on_news(&mut self, news: News, turn: &mut Turn<'_>) {
        let step = self.migrator.step(news);
        let places = match step {
            Step::Widen | Step::Join(_) => self.paths.targets(turn.attachment),
            Step::Add => self.paths.last_resorts(turn.attachment),
            Step::Announce => return self.announce_at_last(turn),
            Step::Rest | Step::Hurry(_) | Step::Retry(..) | Step::Slow => Vec::new(),
        };
        let session = self.handshaking.sealing(turn.now).cloned();
        self.migrator.take(step, &places, session.as_deref(), turn);
    }

    /// Tells the peer of a move that it was not told of, if a network leads to any place where it may be.
    fn announce_at_last(&mut self, turn: &mut Turn<'_>) {
        let targets = self.paths.targets(turn.attachment);
        if targets.is_empty() || self.plays_dead() {
            return;
        }
        match self.handshaking.sealing(turn.now).cloned() {
            None => self.ask_from_new_place(self.needs_peer(turn), &targets, turn),
            Some(session) if !self.negotiation.enhanced() => self.roam(&session, &targets, turn),
            Some(session) => self.announce(Some(Suspension::Moving), &session, turn),
        }
    }

    /// After any input: a peer that is to be told of our move is told at every place where it may be by now.
    pub(super) fn tell_everywhere(&mut self, turn: &mut Turn<'_>) {
        if !self.migrator.unsettled() || self.plays_dead() {
            return;
        }
        if self.migrator.covers(&self.paths.targets(turn.attachment)) {
            return;
        }
        if self.migrator.detached() && self.handshaking.sealing(turn.now).is_some() && !self.needs_peer(turn)
        {
            return self.migrator.move_quietly(turn.now);
        }
        self.on_news(News::Mentioned, turn);
    }

    /// Whether a packet, a keepalive or a connection needs the peer.
    fn needs_peer(&self, turn: &Turn<'_>) -> bool {
        !self.stage.is_empty()
            || self.about.persistent_keepalive.is_some()
            || !turn.path.table().entries_of(self.about.id).is_empty()
    }

    /// Tells the peer, at every place where it might be, where we are now (CU).
    ///
    /// Packets are held meanwhile if there is a reason `why`.
    pub(super) fn announce(&mut self, why: Option<Suspension>, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let mut targets = self.paths.targets(turn.attachment);
        if let Some(active) = self.paths.active()
            && let Some(local) =
                active.local.filter(|local| turn.attachment.leads(local.ip(), active.remote.ip()))
        {
            // Wherever it begins, the path in use is told first.
            let pair = (active.remote, local.ip());
            targets.retain(|target| *target != pair);
            targets.insert(0, pair);
        }
        self.migrator.announce(&targets, why, self.paths.round_trip(), session, turn);
        self.lane.stamp_sent(false, turn.now);
    }

    /// As [`announce`](Self::announce), over the path in use alone: the peer may have missed our echo there, and nobody
    /// moved since.
    pub(super) fn announce_again(&mut self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let Some(active) = self.paths.active().cloned() else { return };
        let local =
            active.local.map(|local| local.ip()).or_else(|| turn.attachment.source_for(active.remote.ip()));
        let targets: Vec<_> = local.map(|local| (active.remote, local)).into_iter().collect();
        self.migrator.announce(&targets, None, self.paths.round_trip(), session, turn);
        self.lane.stamp_sent(false, turn.now);
    }

    /// Where else we can be reached changed, though not the path in use: the peer may need it when that one ends.
    fn tell_points(&self, before: &LocalAttachment, turn: &mut Turn<'_>) {
        let port = turn.identity.listen_port;
        let news = before.points(port) != turn.attachment.points(port);
        let (Some(session), Some(active)) = (self.handshaking.sealing(turn.now), self.paths.active()) else {
            return;
        };
        if news && self.negotiation.enhanced() {
            let to = active.target();
            sealing::send(session, &[migrator::points(turn)], to, turn);
        }
    }

    /// Makes a path the active one, and moves the table's entries to it.
    pub(super) fn adopt(&mut self, path: Proven, validated: bool, who: Mover, turn: &mut Turn<'_>) {
        let from = self.paths.active().cloned();
        let source = path.local.or_else(|| turn.attachment.source_for(path.remote.ip()));
        let local = source.map(|ip| SocketAddr::new(ip, turn.identity.listen_port));
        let active = self.paths.activate(path.remote, local, validated);
        if let Some(rtt) = path.rtt {
            self.paths.hint(rtt);
        }
        if from.as_ref() == Some(&active) {
            return;
        }
        // What was asked on the old path proves nothing about the new one.
        self.liveness.forget_path();
        if self.paths.relayed() {
            self.requests.renew();
        } else {
            self.requests.end();
        }
        // First the path, then the entries: see `PacketPath::enter`.
        self.lane.repoint(&active);
        let connections = turn.path.table().migrate(self.about.id, &active);
        if from.is_some() && who != Mover::Us {
            self.moves.theirs += 1;
        }
        let from = from.as_deref().map(ends);
        self.tell(Happening::PathMoved { from, to: ends(&active), who, connections }, turn);
    }
}

const fn ends(path: &Attachment) -> Ends {
    Ends { local: path.local, remote: path.remote }
}
