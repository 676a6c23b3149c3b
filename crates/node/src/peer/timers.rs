//! A peer's timers: WireGuard's (paper §6.5), and those of its machines.

use stead_noise::schedule::{KEEPALIVE_TIMEOUT, REKEY_TIMEOUT};
use stead_wire::options::VcOption;
use stead_wire::time::{Duration, Instant};

use super::liveness::{Due, Traffic};
use super::migrator::{News, Overdue};
use super::{Peer, sealing};
use crate::drops::Discard;
use crate::event::{Happening, Suspension};
use crate::lane::Flow;
use crate::node::Wake;
use crate::turn::Turn;

/// Data without any answer for this long asks for a new handshake (WireGuard paper §6.5).
pub(super) const SILENCE: Duration = KEEPALIVE_TIMEOUT.saturating_add(REKEY_TIMEOUT);

/// How long an initiation that something waits for goes every second; a longer outage is noticed within a hundredth of
/// its length by WireGuard's own retries.
const OFTEN_FOR: Duration = Duration::from_secs(600);

/// Between two calls of a peer that was there before this program was started, where no keepalive is configured: the
/// default of one.
const CALL_INTERVAL: Duration = Duration::from_secs(25);

/// A silent peer's interval doubles so often: to four keepalive intervals.
const MOST_DOUBLINGS: u32 = 2;

/// After so many updates without an answer a metered network is tried too.
const LAST_RESORT_AFTER: u32 = 4;

/// Bytes of an inner packet in whose place a challenge goes that only measures the path. By the padding the peer sees
/// that nothing is missing.
const MEASURING: usize = 64;

impl Peer {
    /// The next moment at which something is to be done for this peer, and what. If nothing is pending in the
    /// lane nor was lately, the next packet wakes us.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        let pending = self.lane.watch();
        let owes = pending.unacknowledged.map(|since| since + KEEPALIVE_TIMEOUT);
        let waits = pending.unanswered.map(|since| since + SILENCE).filter(|_| !self.negotiation.enhanced());
        let traffic = Traffic { unanswered: pending.unanswered, ..self.traffic() };
        let proof = self.liveness.poll_timeout(traffic, self.paths.round_trip()).filter(|_| self.flowing());
        let in_use = self.lane.way().session.as_ref().map(|session| session.local());
        [
            (self.handshaking.poll_timeout(), Wake::Handshake),
            (self.negotiation.poll_timeout(), Wake::Probe),
            (self.handshaking.offers_at(in_use).filter(|_| self.flowing()), Wake::Terms),
            (self.migrator.poll_timeout(), Wake::Update),
            (self.non_migrator.poll_timeout(), Wake::Challenge),
            (self.requests.poll_timeout(), Wake::Request),
            (self.direct_due(), Wake::Request),
            (self.standby_due(), Wake::Standby),
            (self.barred_due(), Wake::Refused),
            (owes, Wake::Keepalive),
            (waits, Wake::Silence),
            (self.persistent_due(), Wake::PersistentKeepalive),
            (proof, Wake::Proof),
            (self.search_ends(), Wake::Search),
            (self.lookup.poll_timeout(), Wake::Search),
            (self.resumption.poll_timeout(), Wake::Resumption),
            (self.stage.poll_timeout(), Wake::Held),
            (self.survivors.poll_timeout(self.lets_flow()), Wake::Survivors),
            (self.path_mtu.poll_timeout(pending.long).filter(|_| self.asks_of_path()), Wake::PathMtu),
        ]
        .into_iter()
        .filter_map(|(at, wake)| Some((at?, wake)))
        .min_by_key(|(at, _)| *at)
    }

    /// Does whatever is due.
    pub(crate) fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        let waits = self.waits();
        // What is repeated was not answered, so the place where the peer was is in doubt.
        let targets = self.every_target(turn);
        // A plain peer is asked as WireGuard asks.
        let lately = self.suspended.is_none_or(|(_, since)| turn.now < since + OFTEN_FOR);
        let often = waits && lately && self.negotiation.enhanced();
        if self.handshaking.handle_timeout(&targets, often, turn) {
            let dropped = self.stage.give_up();
            turn.path.drops().count_many(Discard::HeldTooLong, dropped as u64);
            if !waits {
                self.on_news(News::GaveUp, turn);
            }
            self.tell(Happening::HandshakeGaveUp { dropped }, turn);
        }
        if self.negotiation.handle_timeout(self.lane.last_received(), turn.now) {
            self.tell(Happening::Plain, turn);
        }
        self.move_on(waits, turn);
        self.stage.expire(turn.path, turn.now);
        self.answer_silence(turn);
        self.keep_alive(turn);
        self.watch_path(turn);
        self.try_direct(turn);
        self.prove_standby(turn);
        self.try_barred(turn);
        self.end_search(turn);
        self.lane.rest(turn.now);
        // The resumption takes its own steps whenever the peer settles, and so does the path's MTU.
        turn.path.forget_old(self.about.id, turn.now);
    }

    /// Whether applications wait for the peer.
    fn waits(&self) -> bool {
        !self.stage.is_empty()
    }

    fn move_on(&mut self, waits: bool, turn: &mut Turn<'_>) {
        let session = self.handshaking.sealing(turn.now).cloned();
        let heard = self.lane.last_received();
        let overdue = self.migrator.handle_timeout(session.as_deref(), (heard, waits), turn);
        match (overdue, &session) {
            (Overdue::No, _) | (Overdue::EchoDoubtful, None) => {}
            (Overdue::EchoDoubtful, Some(session)) => self.announce_again(session, turn),
            (Overdue::SessionDoubtful, _) => {
                let targets = self.every_target(turn);
                // What waits cannot wait for WireGuard's own retries, should this one be lost.
                match waits && self.negotiation.enhanced() {
                    true => self.handshaking.begin_often(&targets, turn),
                    false => self.handshaking.begin(&targets, turn),
                }
            }
        }
        if self.migrator.attempts() == LAST_RESORT_AFTER {
            self.on_news(News::LastResorts, turn);
        }
        let began = self.non_migrator.suspension();
        let lost = self.non_migrator.handle_timeout(session.as_deref(), turn);
        for unproven in &lost {
            self.tell(Happening::PathUnproven { remote: unproven.source }, turn);
        }
        // The peer said that it has left, so the path that stays is in doubt until it answers.
        let left = lost.iter().any(|unproven| unproven.announced) && self.flowing();
        if let (Some((_, since)), Some(session), true) = (began, session, left)
            && self.liveness.acknowledged() < Some(since)
        {
            self.announce(Some(Suspension::Silent), &session, turn);
        }
    }

    /// WireGuard's way to doubt a path. A VC enhanced peer is asked much sooner, see
    /// [`watch_path`](Self::watch_path).
    fn answer_silence(&mut self, turn: &mut Turn<'_>) {
        if !self.negotiation.enhanced()
            && self.lane.unanswered_since().is_some_and(|since| turn.now >= since + SILENCE)
        {
            if !self.plays_dead() {
                let targets = self.every_target(turn);
                self.handshaking.begin(&targets, turn);
            }
            self.lane.forget_unanswered();
        }
    }

    fn keep_alive(&mut self, turn: &mut Turn<'_>) {
        let owed =
            self.lane.unacknowledged_since().is_some_and(|since| turn.now >= since + KEEPALIVE_TIMEOUT);
        let persistent = self.persistent_due().is_some_and(|at| turn.now >= at);
        if !owed && !persistent {
            return;
        }
        self.called = Some(turn.now);
        match self.handshaking.sealing(turn.now).cloned() {
            Some(session) if self.suspension().is_none() => self.send_keepalive(&session, turn),
            // What cannot go now is not owed later: the session's end or the move's end sends something anyway.
            Some(_) => {}
            None => self.call(turn),
        }
        self.lane.forget_unacknowledged();
    }

    fn persistent_due(&self) -> Option<Instant> {
        let last =
            [self.lane.last_sent(), self.lane.last_received(), self.called].into_iter().flatten().max();
        if self.lane.way().session.is_some() {
            let interval = self.about.persistent_keepalive?;
            return Some(last.map_or(Instant::ZERO, |last| last + interval));
        }
        let interval = self.call_interval().filter(|_| !self.handshaking.in_flight())?;
        Some(self.called.map_or(Instant::ZERO, |called| called + interval))
    }

    /// Between two calls of a peer with which there is no session; `None` if nothing needs it.
    ///
    /// A peer that is silent is called less and less often.
    fn call_interval(&self) -> Option<Duration> {
        let remembered = self.paths.has_only_memories().then_some(CALL_INTERVAL);
        let interval = self.about.persistent_keepalive.or(remembered)?;
        Some(interval * (1 << self.calls.saturating_sub(1).min(MOST_DOUBLINGS)))
    }

    /// Whether the peer is called though nothing waits for it.
    pub(super) fn is_called(&self) -> bool {
        self.call_interval().is_some()
    }

    /// Asks a peer for a session though nothing waits for it: after the first call briefly.
    pub(super) fn call(&mut self, turn: &mut Turn<'_>) {
        if turn.attachment.addresses.is_empty() || self.plays_dead() {
            return;
        }
        self.called = Some(turn.now);
        self.calls = self.calls.saturating_add(1);
        match self.calls {
            1 => self.want(turn),
            _ => {
                let targets = self.every_target(turn);
                self.handshaking.begin_briefly(&targets, turn);
            }
        }
    }

    /// Asks a VC enhanced peer for proof that it hears us over the active path; when it gives none, looks for another
    /// way to it.
    fn watch_path(&mut self, turn: &mut Turn<'_>) {
        let (Some(session), Some(active)) =
            (self.handshaking.sealing(turn.now).cloned(), self.paths.active().cloned())
        else {
            self.liveness.lapse();
            return;
        };
        let (traffic, path) = (self.traffic(), self.paths.round_trip());
        match self.liveness.due(traffic, path, turn.now) {
            _ if !self.flowing() => {}
            Due::Nothing => {}
            Due::Challenge => {
                let token = turn.fresh_challenge();
                self.liveness.on_asked(token, traffic, path, turn.now);
                let (to, challenge) = (active.target(), [VcOption::PathChallenge(token)]);
                match self.liveness.measures() {
                    true => sealing::send_padded(&session, &challenge, MEASURING, to, turn),
                    false => sealing::send(&session, &challenge, to, turn),
                };
                self.lane.stamp_sent(false, turn.now);
            }
            Due::Doubt => {
                self.liveness.forget_question();
                self.lane.forget_unanswered();
                let (remote, local) = active.target();
                self.standby.on_silence(remote, local, turn.now);
                self.announce(Some(Suspension::Silent), &session, turn);
            }
        }
    }

    /// Whether the path can be asked how long packets may be.
    fn asks_of_path(&self) -> bool {
        self.flowing() && self.lane.way().session.is_some()
    }

    /// Whether packets go to the peer.
    fn lets_flow(&self) -> bool {
        self.lane.way().flow != Flow::Held
    }

    /// Whether packets go to a peer that can be asked for proof.
    pub(super) fn flowing(&self) -> bool {
        self.negotiation.enhanced() && self.suspension().is_none()
    }

    /// What went over the active path.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            unanswered: self.lane.unanswered_since(),
            last_data: self.lane.last_data_sent(),
            heard_data: self.lane.last_data_received(),
            unvalidated: !self.paths.validated(),
        }
    }
}
