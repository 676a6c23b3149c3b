//! VC options from the peer: each goes to the machine it concerns, the answers go back together.
//!
//! All of them were authenticated by the session; where they came from was not, so an address that has proven
//! nothing gets at most three bytes per byte (RFC 9000 §8).

use core::net::SocketAddr;
use std::sync::Arc;

use stead_noise::allowance::Allowance;
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;
use stead_wire::options::{
    self, ChallengeToken, ConnectionUpdate, ConnectionUpdateAcknowledge, Connections, VcOption,
};
use stead_wire::time::{Duration, Instant};

use super::migrator::Proven;
use super::non_migrator::{Found, NO_CHALLENGE, Verdict};
use super::paths::{could_be_a_peer_s, is_relayed};
use super::requests::Echo;
use super::{Peer, migrator, non_migrator, sealing};
use crate::drops::Discard;
use crate::event::{Happening, Mover, Suspension};
use crate::notice::Arrival;
use crate::turn::Turn;

/// Options of one message that are looked at: several times what any message of ours has. An answer may be longer
/// than its question, and must fit a datagram.
pub(super) const MOST_OPTIONS: usize = 16;

/// How long after its last proof a direct path is kept although the peer proves that a relay reaches it.
const DIRECT_TRUSTED_FOR: Duration = Duration::from_secs(2);

/// One message's options and how they came.
struct Delivery {
    session: Arc<Session>,
    arrival: Arrival,
    bytes: usize,
    /// The message echoed a challenge of ours, so its source is proven.
    echoed: bool,
    /// The message echoes a challenge that nobody waits for any more: what else it says is as old.
    late: bool,
    /// The message told what the peer has received: it wants to hear the same from us.
    reported: bool,
    answers: Vec<VcOption>,
}

impl Peer {
    /// Acts on a message's options.
    pub(crate) fn on_options(
        &mut self,
        index: SessionIndex,
        from: (Arrival, usize),
        encoded: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let Some(session) = self.handshaking.by_index(index).cloned() else { return };
        let (arrival, bytes) = from;
        if self.plays_dead() {
            return self.overhear(arrival, encoded, turn);
        }
        let mut delivery = Delivery {
            session,
            arrival,
            bytes,
            echoed: false,
            late: false,
            reported: false,
            answers: Vec::new(),
        };
        let mut listed = Vec::new();
        for option in options::decode(encoded).take(MOST_OPTIONS) {
            match option {
                // From the future, or no option at all.
                Ok(VcOption::Unknown { .. }) => {}
                Ok(option) => listed.push(option),
                Err(_) => turn.path.drops().count(Discard::MalformedOptions),
            }
        }
        if !listed.is_empty() && self.negotiation.on_option() {
            self.tell(Happening::VcEnhanced, turn);
            delivery.answers.push(migrator::points(turn));
            // Until now it roamed as a plain peer does, without proof.
            if !self.paths.validated() && self.paths.active_remote() == Some(arrival.source) {
                let token = turn.fresh_challenge();
                self.liveness.on_asked(token, turn.now);
                delivery.answers.push(VcOption::PathChallenge(token));
            }
        }
        if self.paths.active_remote() == Some(arrival.source) {
            // Whoever speaks over the path may hear us over it by now.
            self.migrator.hurry(migrator::NEWS_HURRIES_AFTER, turn.now);
        }
        // Echoes first: they prove the address that the rest of the message speaks for.
        listed.sort_by_key(|option| !matches!(option, VcOption::PathResponse(_)));
        delivery.reported = self.on_reports(&listed, turn.now);
        for option in &listed {
            if let Err(reason) = self.on_option(option, &mut delivery, turn) {
                turn.path.drops().count(reason);
            }
        }
        self.answer(delivery, turn);
    }

    /// What the peer has received of what we sent, if it tells.
    fn on_reports(&mut self, listed: &[VcOption], now: Instant) -> bool {
        let told = |option: &VcOption| match option {
            VcOption::Received(received) => Some(received.clone()),
            _ => None,
        };
        let reports: Vec<_> = listed.iter().filter_map(told).collect();
        let reported = !reports.is_empty();
        if reported {
            self.resumption.on_reports(reports, now);
        }
        reported
    }

    fn on_option(
        &mut self,
        option: &VcOption,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        match option {
            VcOption::Probe(probe) => {
                self.negotiation.on_probe(probe);
                self.paths.compare(probe.claimed, delivery.arrival.source);
                delivery.answers.push(super::Negotiation::reply(turn.claimed(delivery.arrival.source)));
            }
            VcOption::ProbeReply(probe) => {
                self.negotiation.on_probe(probe);
                self.paths.compare(probe.claimed, delivery.arrival.source);
                if self.paths.active_remote() == Some(delivery.arrival.source) {
                    self.liveness.on_probe_reply(turn.now);
                }
            }
            VcOption::AttachmentPoints(points) => self.paths.advertise(points.as_slice()),
            VcOption::PathChallenge(token) => self.on_challenge(*token, delivery, turn),
            VcOption::PathResponse(token) => {
                let ends = (delivery.arrival.source, self.paths.active_remote());
                if let Some(rtt) = self.resumption.on_response(*token, turn.now) {
                    self.liveness.acknowledge(turn.now);
                    if ends.1 == Some(ends.0) {
                        self.paths.proven(rtt);
                    }
                    return Ok(());
                }
                if self.over_active(delivery.arrival)
                    && let Some(rtt) = self.liveness.on_response(*token, ends, turn.now)
                {
                    self.paths.proven(rtt);
                    return Ok(());
                }
                if self.standby.on_response(*token, delivery.arrival, turn.now) {
                    self.paths.stand_by(self.standby.points().collect());
                    return Ok(());
                }
                match self.requests.on_response(*token, delivery.arrival.source, turn.now) {
                    Echo::Strange => {}
                    Echo::Proven(proven) => {
                        delivery.echoed = true;
                        let found = Found { proven, announced: false, began: turn.now };
                        self.on_found(found, turn.now, delivery.arrival, turn);
                        return Ok(());
                    }
                    Echo::Elsewhere => {
                        delivery.late = true;
                        let (session, bytes) =
                            (Arc::clone(&delivery.session), core::mem::take(&mut delivery.bytes));
                        self.non_migrator.on_sighting(delivery.arrival, bytes, &session, turn);
                        return Ok(());
                    }
                }
                let found = self.non_migrator.on_response(*token, turn.now);
                delivery.late = found.is_err();
                delivery.echoed = found.is_ok();
                self.on_found(found?, turn.now, delivery.arrival, turn);
            }
            VcOption::ConnectionUpdate(update) => return self.on_update(update, delivery, turn),
            VcOption::ConnectionUpdateAcknowledge(acknowledge) => {
                return self.on_acknowledge(acknowledge, delivery, turn);
            }
            VcOption::ConnectionUpdateRequest(request) => self.on_request(request.challenge, delivery, turn),
            // Between a client and its service these mean something; a peer has no service to speak for.
            VcOption::Subscription(_)
            | VcOption::Subscribed(_)
            | VcOption::Publication(_)
            | VcOption::Published(_)
            | VcOption::Notification(_)
            | VcOption::Notified(_)
            | VcOption::Apparent(_)
            | VcOption::Claimed(_)
            | VcOption::Declined(_)
            // Heard before all others.
            | VcOption::Received(_)
            | VcOption::Unknown { .. } => {}
        }
        Ok(())
    }

    /// The peer wants proof that we hear it. Our own question rides along if there is one: perhaps the peer asks
    /// because nothing of ours arrives.
    fn on_challenge(&mut self, token: ChallengeToken, delivery: &mut Delivery, turn: &mut Turn<'_>) {
        delivery.answers.push(VcOption::PathResponse(token));
        if !self.over_active(delivery.arrival) && !is_relayed(delivery.arrival.source) {
            delivery.answers.extend(self.standby.ask_back(delivery.arrival, turn));
        }
        self.ask_along(delivery, turn);
    }

    fn ask_along(&mut self, delivery: &mut Delivery, turn: &mut Turn<'_>) {
        if self.over_active(delivery.arrival)
            && self.suspension().is_none()
            && self.liveness.worth_asking(self.traffic(), turn.now)
        {
            let token = turn.fresh_challenge();
            self.liveness.on_asked(token, turn.now);
            delivery.answers.push(VcOption::PathChallenge(token));
        }
    }

    /// The peer has proven where it is. That ends a search, and also a move of our own if the peer has learned from
    /// us where we are: if it announced itself, it has our acknowledgement from there.
    fn on_found(&mut self, found: Found, proven_at: Instant, arrival: Arrival, turn: &mut Turn<'_>) {
        let ours = found.announced && self.chooses(turn) && self.chosen_at >= Some(found.began);
        if ours || !self.better(found.proven.remote, turn.now) {
            return;
        }
        self.liveness.acknowledge(self.liveness.acknowledged().map_or(proven_at, |at| at.max(proven_at)));
        self.adopt(found.proven, true, Mover::Peer, turn);
        let silent = self.migrator.suspension().is_some_and(|(why, _)| why == Suspension::Silent);
        if silent || (found.announced && self.reached_at_home(arrival, turn)) {
            self.moves.confirm();
            self.migrator.settle();
        } else if let Some(session) = self.handshaking.sealing(turn.now).cloned() {
            let targets = self.paths.targets(turn.attachment);
            self.migrator.widen(&targets, &session, turn);
        }
    }

    /// CU: the peer says where it is (seed 001 par. 62; seed 002 claim 12).
    fn on_update(
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
        if delivery.late || (!settled && self.follow_to_standby(update, delivery, turn)) {
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
                self.migrator.hurry(Duration::ZERO, turn.now);
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
    fn on_request(&mut self, challenge: ChallengeToken, delivery: &mut Delivery, turn: &mut Turn<'_>) {
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
    fn on_acknowledge(
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
        let to = (active.remote, active.local.map(|point| point.ip()));
        if sealing::send(session, core::slice::from_ref(echo), to, turn) {
            self.lane.stamp_sent(false, turn.now);
        }
    }

    /// Whether a path that was just proven is to be used: a relay only while nothing direct is known to work.
    fn better(&self, remote: SocketAddr, now: Instant) -> bool {
        let works =
            self.paths.validated() && self.suspension().is_none_or(|(why, _)| why == Suspension::PeerMoving);
        let direct = self.paths.active().is_some() && !self.paths.relayed();
        !(is_relayed(remote) && direct && works && self.liveness.acknowledged_within(DIRECT_TRUSTED_FOR, now))
    }

    /// Whether our choice counts where both ends choose a path at the same moment.
    fn chooses(&self, turn: &Turn<'_>) -> bool {
        turn.identity.public > self.about.key
    }

    /// Sends the answers back to where the options came from, within the limit if that is not proven.
    fn answer(&mut self, delivery: Delivery, turn: &mut Turn<'_>) {
        let Delivery { session, arrival, bytes, reported, mut answers, .. } = delivery;
        let session = self.handshaking.sealing(turn.now).cloned().unwrap_or(session);
        if answers.is_empty() {
            return;
        }
        let len = |answers: &[VcOption]| sealing::sealed_len(sealing::encoded_len(answers), turn.path.mtu());
        let alone = answers.len();
        let updates = answers.iter().any(|option| matches!(option, VcOption::ConnectionUpdate(_)));
        if reported || updates {
            answers.extend(self.lane.received_reports());
        }
        let proven = self.paths.validated() && self.paths.active_remote() == Some(arrival.source);
        let mut unknown = Allowance::default();
        let allowance = self.non_migrator.allowance(arrival).unwrap_or(&mut unknown);
        allowance.credit(bytes);
        if !proven && !allowance.spend(len(&answers)) {
            // What arrived can be told later.
            answers.truncate(alone);
            if !allowance.spend(len(&answers)) {
                turn.path.drops().count(Discard::AmplificationLimit);
                return;
            }
        }
        if sealing::send(&session, &answers, (arrival.source, arrival.local), turn) {
            self.lane.stamp_sent(false, turn.now);
        }
    }
}
