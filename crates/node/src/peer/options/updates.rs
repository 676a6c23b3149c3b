//! The options of a move: CU, CUA and CUR, and what a path that was found changes.
//!
//! Decides which path of those that were proven is used where both ends have a say; what the move's machines answer
//! is the [migrator](super::super::migrator)'s and the [non-migrator](super::super::non_migrator)'s.

use std::sync::Arc;

use stead_noise::session::Session;
use stead_wire::options::{
    ChallengeToken, ConnectionUpdate, ConnectionUpdateAcknowledge, Connections, VcOption,
};
use stead_wire::time::{Duration, Instant};

use super::super::migrator::{News, Proven};
use super::super::non_migrator::{self, Found, NO_CHALLENGE, Verdict};
use super::super::paths::{could_be_a_peer_s, is_relayed};
use super::super::{Peer, sealing};
use super::Delivery;
use crate::drops::Discard;
use crate::event::{Mover, Suspension};
use crate::notice::Arrival;
use crate::turn::Turn;

/// How long after its last proof a direct path is kept although a message of the peer comes over a relay: it may have
/// been on its way when the peer left the relay.
const DIRECT_TRUSTED_FOR: Duration = Duration::from_secs(2);

impl Peer {
    /// The peer has proven where it is. That ends a search, and also a move of our own if the peer has learned from
    /// us where we are: if it announced itself, it has our acknowledgement from there.
    pub(super) fn on_found(
        &mut self,
        found: Found,
        proven_at: Instant,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) {
        let ours = found.announced && self.chooses(turn) && self.chosen_at >= Some(found.began);
        if ours || !self.better(&found, turn.now) {
            return;
        }
        self.liveness.acknowledge(self.liveness.acknowledged().map_or(proven_at, |at| at.max(proven_at)));
        self.adopt(found.proven, true, Mover::Peer, turn);
        let silent = self.migrator.suspension().is_some_and(|(why, _)| why == Suspension::Silent);
        if silent || (found.announced && self.reached_at_home(arrival, turn)) {
            self.moves.confirm();
            self.migrator.settle();
        } else {
            self.on_news(News::Places, turn);
        }
    }

    /// CU: the peer says where it is (seed 001 par. 62; seed 002 claim 12).
    pub(super) fn on_update(
        &mut self,
        update: &ConnectionUpdate,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let arrival = delivery.arrival;
        if update.connections != Connections::All {
            // All connections with a peer share one path; one alone is not steered to another.
            delivery.answers.push(non_migrator::refuse(update, arrival, turn));
            return Ok(());
        }
        let settled = self.paths.validated() && self.over_active(arrival);
        // It answers our own request, and the path that this proved is not the one to use: the peer announces nothing.
        if delivery.echoed && !settled {
            return Ok(());
        }
        if delivery.late || (!settled && self.follow_to_standby(update, delivery, turn)) {
            return Ok(());
        }
        // The peer answers our own request, over a path that was proven thereby and is not wanted: it did not move.
        if delivery.echoed && !settled {
            return Ok(());
        }
        let sealing = self.handshaking.sealing(turn.now).cloned();
        let session = sealing.as_ref().unwrap_or(&delivery.session);
        let from = (arrival, delivery.bytes);
        let verdict =
            self.non_migrator.on_update(update.sequence, update.challenge, from, settled, session, turn);
        self.paths.compare(update.claimed, arrival.source);
        self.resumption.on_update();
        match verdict {
            // An update that answers our own request needs no acknowledgement (seed 001 figure 14).
            Verdict::SamePlace(_) if delivery.echoed => {}
            Verdict::SamePlace(acknowledge) => {
                delivery.answers.push(acknowledge);
                // If we look for the peer too, it is there: what we ask now is answered.
                self.on_news(News::AskNow, turn);
                self.ask_along(delivery, turn);
            }
            // Credited and answered by the trial itself.
            Verdict::UnderTrial => {
                delivery.bytes = 0;
                let claim =
                    update.claimed.filter(|claim| *claim != arrival.source && could_be_a_peer_s(claim));
                if let Some(source) = claim.filter(|_| !is_relayed(arrival.source)) {
                    let claimed = (Arrival { source, ..arrival }, from.1);
                    self.non_migrator.on_claim(update.sequence, update.challenge, claimed, session, turn);
                }
            }
            Verdict::Concluded => {}
            Verdict::Stale(refused) => {
                delivery.answers.push(refused);
                return Err(Discard::StaleUpdate);
            }
        }
        Ok(())
    }

    /// The peer says that it moved to a standby path, which both ends know: it is followed at once.
    fn follow_to_standby(
        &mut self,
        update: &ConnectionUpdate,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> bool {
        let arrival = delivery.arrival;
        let Some(ready) = self.standby.proven(arrival, turn.now) else { return false };
        // Both moved at the same moment: one of them chooses.
        if self.migrator.announcing() && self.chooses(turn) {
            return false;
        }
        let known = self.non_migrator.on_known(update.sequence, update.challenge, arrival, turn);
        let Some(acknowledge) = known else { return false };
        self.paths.compare(update.claimed, arrival.source);
        let proven = Proven { local: arrival.local.or(ready.path.local), ..ready.path };
        let found = Found { proven, announced: true, began: turn.now };
        self.on_found(found, ready.proven, arrival, turn);
        delivery.answers.push(acknowledge);
        true
    }

    /// CUR: the peer saw a message of ours come from another place, and asks whether we are there.
    pub(super) fn on_request(
        &mut self,
        challenge: ChallengeToken,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) {
        let arrival = delivery.arrival;
        if self.reached_at_home(arrival, turn) {
            delivery.answers.push(self.migrator.on_request(turn.claimed(arrival.source), turn));
            delivery.answers.push(VcOption::PathResponse(challenge));
            if self.paths.active_remote() != Some(arrival.source) {
                // It speaks from there, so it may be reached there too.
                let (session, bytes) = (Arc::clone(&delivery.session), core::mem::take(&mut delivery.bytes));
                self.non_migrator.on_sighting(arrival, bytes, &session, turn);
            } else if self.chooses(turn) {
                self.non_migrator.on_followed(turn.now);
            }
        } else if !self.migrator.unsettled() {
            // We were there, or could be, but are elsewhere by now: say so from there.
            let session = Arc::clone(&delivery.session);
            self.announce(None, &session, turn);
        }
    }

    /// CUA: the peer has changed, the new path is proven, we resume (seed 002 claims 1 d, 8).
    pub(super) fn on_acknowledge(
        &mut self,
        acknowledge: &ConnectionUpdateAcknowledge,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let acknowledged = self.migrator.on_acknowledge(acknowledge, turn.now);
        if let Ok(proven) = acknowledged {
            self.paths.compare(acknowledge.claimed, delivery.arrival.source);
            self.liveness.acknowledge(turn.now);
            // Nobody moved if we only asked around: then the peer is where its answer says.
            let mover = if self.moves.confirm() { Mover::Us } else { Mover::Peer };
            self.adopt(proven, true, mover, turn);
            if self.chooses(turn) {
                self.chosen_at = Some(turn.now);
                self.non_migrator.conclude();
            } else {
                self.non_migrator.leave_to_peer();
            }
        }
        if acknowledge.challenge == NO_CHALLENGE {
            return acknowledged.map(|_| ());
        }
        // Our echo may have been lost: then the peer repeats its acknowledgement, and needs the echo again.
        let echo = VcOption::PathResponse(acknowledge.challenge);
        let here = self.paths.active_remote() == Some(delivery.arrival.source);
        if !here {
            self.echo_to_active(&echo, &delivery.session, turn);
        }
        if here || acknowledged.is_ok() {
            delivery.answers.push(echo);
            return Ok(());
        }
        acknowledged.map(|_| ())
    }

    /// Who forwards the peer's datagrams faster than they come makes them seem to come from elsewhere. The echo that the
    /// peer waits for goes where the peer is known to be, as well.
    fn echo_to_active(&self, echo: &VcOption, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let Some(active) = self.paths.active().filter(|_| self.paths.validated()) else { return };
        let session = self.handshaking.sealing(turn.now).unwrap_or(session);
        let to = active.target();
        if sealing::send(session, core::slice::from_ref(echo), to, turn) {
            self.lane.stamp_sent(false, turn.now);
        }
    }

    /// Whether a path that was just proven is to be used: a relay only while nothing direct is known to work.
    ///
    /// A place that the peer itself announced counts in any case. Its newest update is younger than every proof of
    /// another path: while that update is under trial no other path is asked.
    fn better(&self, found: &Found, now: Instant) -> bool {
        let works =
            self.paths.validated() && self.suspension().is_none_or(|(why, _)| why == Suspension::PeerMoving);
        let direct = self.paths.active().is_some() && !self.paths.relayed();
        let trusted = direct && works && self.liveness.acknowledged_within(DIRECT_TRUSTED_FOR, now);
        found.announced || !is_relayed(found.proven.remote) || !trusted
    }

    /// Whether our choice counts where both ends choose a path at the same moment.
    fn chooses(&self, turn: &Turn<'_>) -> bool {
        turn.identity.public > self.about.key
    }
}
