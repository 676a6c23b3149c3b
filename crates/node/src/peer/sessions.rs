//! What handshakes and unexpected messages mean for a peer's path (no move is believed before it is proven).

use std::sync::Arc;

use stead_noise::handshake::Responder;
use stead_noise::schedule::REKEY_AFTER_TIME;
use stead_noise::session::Session;
use stead_wire::message::{CookieReply, Response, SessionIndex};
use stead_wire::options::Capabilities;
use stead_wire::time::Duration;

use super::handshaking::Confirmed;
use super::migrator::Proven;
use super::{Peer, PeerKind, sealing};
use crate::drops::Discard;
use crate::event::{Happening, Mover};
use crate::notice::Arrival;
use crate::turn::Turn;

/// What was acknowledged is repeated no more often than this, however many handshakes the peer begins.
const REPEAT_INTERVAL: Duration = Duration::from_secs(1);

/// A session of this age is renewed by the one that began it; the rest of the 120 s is for clocks that differ.
const RENEWED_AFTER: Duration = REKEY_AFTER_TIME.saturating_sub(Duration::from_secs(5));

/// Connections of which the last acknowledgement is repeated, those used last: 60 kB in all.
const MOST_REPEATED: usize = 1024;

impl Peer {
    /// The session has to be renewed, by whoever began it.
    pub(crate) fn on_session_ages(&mut self, turn: &mut Turn<'_>) {
        let ages = self.handshaking.sealing(turn.now).is_some_and(|session| {
            session.wants_rekey_on_send(turn.now) || session.wants_rekey_on_receive(turn.now)
        });
        let left = self.handshaking.leaves_renewal(turn.identity.public, turn.now);
        if ages && !left && !self.plays_dead() {
            let targets = self.likely_targets(turn);
            self.handshaking.begin(&targets, turn);
        }
    }

    /// The peer asks for a session.
    pub(crate) fn on_initiation(
        &mut self,
        responder: Responder,
        sender: SessionIndex,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        if self.plays_dead() {
            return Err(Discard::Suspended);
        }
        let outdated = self.handshaking.outdated(responder.timestamp());
        if let Err(refused) = self.handshaking.on_initiation(responder, sender, arrival, turn) {
            if outdated {
                self.counter(turn);
            }
            return Err(refused);
        }
        self.lane.stamp_received(false, true, turn.now);
        self.calls = 0;
        // A plain peer roams by any authenticated message, as WireGuard says. A VC enhanced one has to prove the
        // new place first: its first message in the new session does.
        if !self.negotiation.enhanced() || self.paths.active().is_none() {
            self.adopt(at(arrival), false, Mover::Roaming, turn);
        }
        Ok(())
    }

    /// The peer's initiation is authentic, and too old: asks it, where it is known to be and nowhere else. Whoever sent
    /// an old initiation again gets nothing.
    fn counter(&mut self, turn: &mut Turn<'_>) {
        let Some(active) = self.paths.active().cloned() else { return };
        let target = active.target();
        if self.handshaking.counter(target, turn) {
            self.tell(Happening::OutdatedHandshake, turn);
        }
    }

    /// The peer answered our initiation.
    pub(crate) fn on_response(
        &mut self,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let anew = self.handshaking.sealing(turn.now).is_none();
        let unforeseen = self.unforeseen(turn);
        let known = self.negotiation.enhanced() && self.paths.active().is_some();
        let established = self.handshaking.on_response(response, arrival, turn)?;
        self.on_contact(anew, turn);
        self.repeat_acknowledgements(unforeseen, turn);
        let mover = if self.moves.confirm() { Mover::Us } else { Mover::Roaming };
        match established.target {
            // Only whoever got our initiation there could answer it: the path is proven.
            Some((remote, local)) => {
                let proven = Proven { remote, local, rtt: Some(established.rtt) };
                self.adopt(proven, true, mover, turn);
            }
            // Nobody was asked there. A VC enhanced peer stays where it is until its first message from there
            // starts a request; a plain peer roams.
            None if known => {}
            None => self.adopt(at(arrival), false, mover, turn),
        }
        self.migrator.settle();
        self.non_migrator.settle();
        self.tell(Happening::SessionEstablished { initiated: true }, turn);
        if self.stage.is_empty() {
            // The responder may not send before it heard from us in the new session (WireGuard paper §5.4.4).
            self.send_keepalive(&established.session, turn);
        }
        Ok(())
    }

    /// Under load the peer wants to see a cookie first.
    pub(crate) fn on_cookie(&mut self, reply: &CookieReply<'_>, turn: &Turn<'_>) -> Result<(), Discard> {
        self.handshaking.on_cookie(reply, turn.now)
    }

    /// A message in a session not yet in use, or from an address that is not the active path's.
    pub(crate) fn on_unexpected(&mut self, index: SessionIndex, from: (Arrival, usize), turn: &mut Turn<'_>) {
        let (arrival, bytes) = from;
        if self.plays_dead() {
            return;
        }
        self.on_first_message(index, arrival, turn);
        if self.over_active(arrival) {
            return;
        }
        let Some(session) = self.handshaking.by_index(index).cloned() else { return };
        match self.negotiation.kind() {
            // Perhaps its NAT rebound. Perhaps somebody forwards its datagrams. Ask (CUR), and believe the answer.
            PeerKind::Enhanced => self.non_migrator.on_sighting(arrival, bytes, &session, turn),
            PeerKind::Plain | PeerKind::Unknown => self.adopt(at(arrival), false, Mover::Roaming, turn),
        }
    }

    /// If this is the first message of a session that we responded to, the session is in use from now on, and the
    /// path that our response took is proven.
    pub(crate) fn on_first_message(&mut self, index: SessionIndex, arrival: Arrival, turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return;
        }
        let anew = self.handshaking.sealing(turn.now).is_none();
        let unforeseen = self.unforeseen(turn);
        let answered_to = match self.handshaking.on_confirmation(index, turn) {
            None => return,
            Some(Confirmed::Twin(twin)) => return self.tell_terms(&twin, turn),
            Some(Confirmed::Handshake { answered_to }) => answered_to,
        };
        self.on_contact(anew, turn);
        self.repeat_acknowledgements(unforeseen, turn);
        self.tell(Happening::SessionEstablished { initiated: false }, turn);
        if anew || self.reached_at_home(arrival, turn) {
            self.moves.confirm();
            self.migrator.settle();
        }
        if answered_to.is_some_and(|to| to.source == arrival.source) {
            self.adopt(at(arrival), true, Mover::Peer, turn);
            self.non_migrator.settle();
        }
    }

    /// Whether a message came to the address from which we would answer, so that its sender knows where we are.
    pub(super) fn reached_at_home(&self, arrival: Arrival, turn: &Turn<'_>) -> bool {
        arrival.local.is_none_or(|local| {
            let chosen = turn.attachment.source_for(arrival.source.ip()) == Some(local);
            chosen || (self.over_active(arrival) && turn.attachment.has(local))
        })
    }

    /// A handshake completed; `anew` if no session was alive before it.
    fn on_contact(&mut self, anew: bool, turn: &mut Turn<'_>) {
        self.lane.stamp_received(false, true, turn.now);
        self.lane.forget_unanswered();
        self.liveness.acknowledge(turn.now);
        (self.barred, self.refusal) = (None, None);
        self.calls = 0;
        self.standby.resume();
        if anew {
            self.negotiation.restart();
            self.resumption.restart();
            self.standby.restart();
            self.paths.stand_by(Vec::new());
        }
    }

    /// Whether a handshake now is no mere renewal, so that the peer may be another program than before.
    fn unforeseen(&self, turn: &Turn<'_>) -> bool {
        let renewed = |session: &Arc<Session>| turn.now >= session.created() + RENEWED_AFTER;
        self.suspended.is_some() || !self.handshaking.sealing(turn.now).is_some_and(renewed)
    }

    /// If the peer may be another program than before, which does not know what the one before had told its host's TCP:
    /// that hears again what this host's TCP acknowledged last, and with which window.
    fn repeat_acknowledgements(&mut self, unforeseen: bool, turn: &mut Turn<'_>) {
        let early = self.repeated.is_some_and(|last| turn.now < last + REPEAT_INTERVAL);
        if !unforeseen || early {
            return;
        }
        let mut connections = turn.path.table().entries_of(self.about.id);
        if connections.len() > MOST_REPEATED {
            connections.sort_by_key(|entry| core::cmp::Reverse(entry.last_seen()));
            connections.truncate(MOST_REPEATED);
        }
        if self.stage.repeat(&connections) > 0 {
            self.repeated = Some(turn.now);
        }
    }

    /// Offers a VC-enhanced peer the twin of the session in use, if both are able to keep better terms and it is time.
    pub(super) fn offer_twin(&mut self, turn: &mut Turn<'_>) {
        let able = turn.identity.able;
        if !self.flowing() || self.negotiation.shares(able) == Capabilities::NONE {
            return;
        }
        let Some(active) = self.paths.active().cloned() else { return };
        if let Some((session, offer)) = self.handshaking.offer_twin(able, turn) {
            sealing::send(&session, &[offer], active.target(), turn);
            self.lane.stamp_sent(false, turn.now);
        }
    }

    /// The twin that we offered seals from now on. The peer may not send in it before it heard from us in it.
    pub(super) fn go_on_in(&self, twin: &Arc<Session>, turn: &mut Turn<'_>) {
        self.tell_terms(twin, turn);
        self.send_keepalive(twin, turn);
    }

    fn tell_terms(&self, twin: &Session, turn: &mut Turn<'_>) {
        let partial_checksums = twin.terms().contains(Capabilities::PARTIAL_CHECKSUMS);
        self.tell(Happening::TermsAgreed { cipher: twin.cipher(), partial_checksums }, turn);
    }

    /// WireGuard's keepalive: an empty message.
    pub(super) fn send_keepalive(&self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let Some(active) = self.paths.active() else { return };
        let to = active.target();
        if sealing::send(session, &[], to, turn) {
            self.lane.stamp_sent(false, turn.now);
        }
    }
}

const fn at(arrival: Arrival) -> Proven {
    Proven { remote: arrival.source, local: arrival.local, rtt: None }
}
