//! VC options from the peer: each goes to the machine it concerns, the answers go back together.
//!
//! All of them were authenticated by the session; where they came from was not, so an address that has proven
//! nothing gets at most three bytes per byte (RFC 9000 §8).

mod updates;

use std::sync::Arc;

use stead_noise::allowance::Allowance;
use stead_noise::session::Session;
use stead_wire::message::{PADDING, SessionIndex, sealed_len};
use stead_wire::options::{self, ChallengeToken, VcOption};
use stead_wire::time::Instant;

use super::handshaking::Agreement;
use super::non_migrator::Found;
use super::paths::is_relayed;
use super::requests::Echo;
use super::{Peer, migrator, sealing};
use crate::drops::Discard;
use crate::event::{Happening, Suspension};
use crate::notice::Arrival;
use crate::turn::Turn;

/// Options of one message that are looked at: several times what any message of ours has. An answer may be longer
/// than its question, and must fit a datagram.
pub(super) const MOST_OPTIONS: usize = 16;

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
    /// The message is longer than what it says: it measures the path.
    padded: bool,
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
            padded: false,
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
                self.liveness.on_asked(token, self.traffic(), self.paths.round_trip(), turn.now);
                delivery.answers.push(VcOption::PathChallenge(token));
            }
        }
        if self.paths.active_remote() == Some(arrival.source) {
            // Whoever speaks over the path may hear us over it by now.
            self.on_news(migrator::News::Heard, turn);
        }
        // Echoes first: they prove the address that the rest of the message speaks for.
        listed.sort_by_key(|option| !matches!(option, VcOption::PathResponse(_)));
        delivery.padded = encoded.len() >= sealing::encoded_len(&listed) + PADDING;
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
                let claimed = turn.claimed(delivery.arrival.source);
                delivery.answers.push(super::Negotiation::reply(claimed, turn.identity.capabilities()));
            }
            VcOption::ProbeReply(probe) => {
                self.negotiation.on_probe(probe);
                self.paths.compare(probe.claimed, delivery.arrival.source);
                if self.paths.active_remote() == Some(delivery.arrival.source) {
                    self.liveness.on_probe_reply(turn.now);
                }
            }
            VcOption::Twin(theirs) => return self.on_twin(*theirs, delivery, turn),
            VcOption::AttachmentPoints(points) => self.paths.advertise(points.as_slice()),
            VcOption::PathChallenge(token) => self.on_challenge(*token, delivery, turn),
            VcOption::PathResponse(token) => return self.on_echo(*token, delivery, turn),
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

    /// The peer offers a twin of this session, or takes up our offer.
    fn on_twin(
        &mut self,
        theirs: options::Twin,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        match self.handshaking.on_twin(&delivery.session, theirs, turn.identity.able, turn)? {
            Agreement::Goes(twin) => self.go_on_in(&twin, turn),
            Agreement::Waits(ours) => delivery.answers.push(ours),
            Agreement::Stands => {}
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
        // One that measures the path, or asks what arrived of its own, misses nothing of ours.
        if !delivery.padded && !delivery.reported {
            self.ask_along(delivery, turn);
        }
    }

    fn ask_along(&mut self, delivery: &mut Delivery, turn: &mut Turn<'_>) {
        if self.over_active(delivery.arrival)
            && self.suspension().is_none()
            && self.liveness.worth_asking(self.traffic(), turn.now)
        {
            let token = turn.fresh_challenge();
            self.liveness.on_asked(token, self.traffic(), self.paths.round_trip(), turn.now);
            self.liveness.on_suspicion(turn.now);
            delivery.answers.push(VcOption::PathChallenge(token));
        }
    }

    /// The peer echoes a challenge: whoever sent it hears of it.
    fn on_echo(
        &mut self,
        token: ChallengeToken,
        delivery: &mut Delivery,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        if let Some(sent) = self.path_mtu.on_response(token, turn.now) {
            if self.over_active(delivery.arrival) {
                self.liveness.acknowledge_sent(sent, turn.now);
                self.paths.proven(Some(turn.now - sent));
                self.refute_doubt();
            }
            return Ok(());
        }
        let ends = (delivery.arrival.source, self.paths.active_remote());
        if let Some(rtt) = self.resumption.on_response(token, turn.now) {
            self.liveness.acknowledge(turn.now);
            if ends.1 == Some(ends.0) {
                self.paths.proven(rtt);
            }
            return Ok(());
        }
        let lost_since = self.liveness.lost_since(token);
        if self.over_active(delivery.arrival)
            && let Some(rtt) = self.liveness.on_response(token, ends, turn.now)
        {
            self.paths.proven(Some(rtt));
            self.refute_doubt();
            // It answers late: there was an outage too short to suspend anything.
            if let Some(since) = lost_since {
                self.resumption.on_gap(since);
            }
            return Ok(());
        }
        if self.standby.on_response(token, delivery.arrival, turn.now) {
            self.paths.stand_by(self.standby.points().collect());
            return Ok(());
        }
        match self.requests.on_response(token, delivery.arrival.source, turn.now) {
            Echo::Strange => {}
            Echo::Proven(proven) => {
                delivery.echoed = true;
                let found = Found { proven, announced: false, began: turn.now };
                self.on_found(found, turn.now, delivery.arrival, turn);
                return Ok(());
            }
            Echo::Elsewhere => {
                delivery.late = true;
                let (session, bytes) = (Arc::clone(&delivery.session), core::mem::take(&mut delivery.bytes));
                self.non_migrator.on_sighting(delivery.arrival, bytes, &session, turn);
                return Ok(());
            }
        }
        let found = self.non_migrator.on_response(token, turn.now);
        delivery.late = found.is_err();
        delivery.echoed = found.is_ok();
        self.on_found(found?, turn.now, delivery.arrival, turn);
        Ok(())
    }

    /// The active path carried an answer of the peer: if packets are held because it seemed silent, they go on.
    fn refute_doubt(&mut self) {
        if self.migrator.suspension().is_some_and(|(why, _)| why == Suspension::Silent) {
            self.moves.confirm();
            self.migrator.settle();
        }
    }

    /// Sends the answers back to where the options came from, within the limit if that is not proven.
    fn answer(&mut self, delivery: Delivery, turn: &mut Turn<'_>) {
        let Delivery { session, arrival, bytes, reported, mut answers, .. } = delivery;
        if answers.is_empty() {
            return;
        }
        // A twin belongs to the session that it was offered in, and that may be another one than the one in use: both
        // sides may have begun a handshake at once. The peer has the keys, since it sealed the offer with them.
        let agrees = answers.iter().any(|option| matches!(option, VcOption::Twin(_)));
        let sealing = self.handshaking.sealing(turn.now).filter(|_| !agrees);
        let session = sealing.cloned().unwrap_or(session);
        let len = |answers: &[VcOption]| sealed_len(sealing::encoded_len(answers), turn.path.mtu());
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
