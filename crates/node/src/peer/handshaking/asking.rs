//! The handshakes that we begin: initiations, and the response that ends them.
//!
//! Makes initiations; how long each is tried is its [flight](super::flight)'s to know, and whether a session is wanted
//! the peer's.

use std::sync::Arc;

use stead_noise::handshake::{Initiator, Tai64N};
use stead_noise::schedule::REKEY_TIMEOUT;
use stead_noise::session::Session;
use stead_noise::twin::TwinKeys;
use stead_wire::message::Response;
use stead_wire::time::{Duration, Instant};

use super::flight::Flight;
use super::{EVERY_SECOND, Handshaking, Target};
use crate::drops::Discard;
use crate::notice::Arrival;
use crate::peer::requests::PAUSES;
use crate::turn::Turn;

/// A peer whose initiations are too old is asked no more often than this, however many come.
const COUNTER_INTERVAL: Duration = REKEY_TIMEOUT;

/// An initiation that the host's own filter refused is followed by another one no sooner than this.
const REFUSED_RETRY: Duration = Duration::from_millis(100);

/// The least by which a later calendar's time differs.
const TICK: Duration = Duration::from_micros(1);

/// A handshake that we began has completed.
pub(crate) struct Established {
    pub(crate) session: Arc<Session>,
    /// The target that the answer came from, if it was one of those we asked.
    pub(crate) target: Option<Target>,
    /// Time from our last initiation to the response.
    pub(crate) rtt: Duration,
}

impl Handshaking {
    /// Asks for a session at every one of `targets`; does nothing if a handshake is under way.
    pub(crate) fn begin(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        if self.flight.is_none() {
            self.initiate(targets.to_vec(), turn.now, turn);
        }
    }

    /// As [`begin`](Self::begin); the same initiation goes again every second until it is time for another: whoever is
    /// to answer may be about to start.
    pub(crate) fn begin_often(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        if self.flight.is_some() {
            return;
        }
        self.begin(targets, turn);
        if let Some(flight) = &mut self.flight {
            flight.begin_repeats(&EVERY_SECOND, turn.now);
        }
    }

    /// As [`begin`](Self::begin), for no longer than one retry: nothing waits for the answer.
    pub(crate) fn begin_briefly(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        if self.flight.is_none() {
            self.initiate(targets.to_vec(), turn.now, turn);
            if let Some(flight) = &mut self.flight {
                flight.brief = true;
            }
        }
    }

    /// The system did not let an initiation go: it is tried again after `pause`, or a little later, since each is made
    /// anew.
    pub(crate) fn on_refused(&mut self, pause: Duration, now: Instant) {
        if let Some(flight) = &mut self.flight {
            flight.retry_within(pause.max(REFUSED_RETRY), now);
        }
    }

    /// Asks again at once, wherever a handshake under way has got to: where we are attached has changed.
    ///
    /// At once, but not so soon after the last time that the peer would drop it for that: then a moment later.
    pub(crate) fn restart(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        match self.flight.as_mut().filter(|flight| flight.just_sent(turn.now)) {
            Some(flight) => flight.restart_soon(turn.now),
            None => self.initiate(targets.to_vec(), turn.now, turn),
        }
    }

    /// Asks at every one of `targets` at once and, with the same message, repeatedly within the next seconds: the peer
    /// was told to do the same. If `needed`, for as long as a handshake is tried; else no longer than its first retry.
    pub(crate) fn punch(&mut self, targets: &[Target], needed: bool, turn: &mut Turn<'_>) {
        let brief = self.flight.as_ref().is_none_or(|flight| flight.brief) && !needed;
        match self.flight.as_mut().filter(|flight| flight.repeatable(turn.now)) {
            Some(flight) => flight.redirect(targets, turn),
            None => self.restart(targets, turn),
        }
        let Some(flight) = self.flight.as_mut() else { return };
        flight.begin_repeats(&PAUSES, turn.now);
        flight.brief = brief;
    }

    /// Asks the peer for a session because its own initiation was refused for its age: a replay, or the peer has
    /// forgotten that its calendar was ahead, and every initiation of its own will be refused until that is caught up.
    /// Ours, which it cannot have seen, it will take.
    ///
    /// Asks once, at `target`, where the peer is known to be, and not again so soon; whether it did is the answer.
    pub(crate) fn counter(&mut self, target: Target, turn: &mut Turn<'_>) -> bool {
        let early = self.countered.is_some_and(|last| turn.now < last + COUNTER_INTERVAL);
        if early {
            return false;
        }
        self.countered = Some(turn.now);
        // The peer may have missed the one under way, which it will take as well as another.
        if let Some(flight) = &mut self.flight {
            flight.send_again(target, turn);
            return true;
        }
        self.initiate(vec![target], turn.now, turn);
        if let Some(flight) = &mut self.flight {
            flight.brief = true;
        }
        true
    }

    /// Asks with a new message at every one of `targets`, in place of what was asked before.
    pub(super) fn initiate(&mut self, targets: Vec<Target>, began: Instant, turn: &mut Turn<'_>) {
        self.abandon(turn);
        if targets.is_empty() {
            return;
        }
        let index = turn.fresh_index();
        // Each is later than the one before, or the peer would take it for a replay.
        self.stamped = turn.wall.max(self.stamped + TICK);
        let timestamp = Tai64N::from(self.stamped);
        let identity = &turn.identity.secret;
        let random = &mut turn.random.handshakes;
        let Ok((initiator, mut message)) =
            Initiator::start(identity, &self.remote, &self.psk, index, timestamp, random)
        else {
            return;
        };
        self.cookies.finish_macs(&mut message, turn.now);
        turn.flights.insert(index, self.peer);
        self.flight = Some(Flight::depart(initiator, message.to_vec(), targets, began, turn));
    }

    /// The peer answered our initiation.
    pub(crate) fn on_response(
        &mut self,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<Established, Discard> {
        let flight = self.flight.as_mut().ok_or(Discard::UnsolicitedHandshake)?;
        if flight.initiator.index() != response.receiver {
            return Err(Discard::UnsolicitedHandshake);
        }
        let keys = flight.initiator.finish(response).map_err(|_| Discard::ForgedHandshake)?;
        let target = flight.target(arrival);
        let rtt = flight.age(turn.now);
        self.abandon(turn);
        let twin = TwinKeys::of(&keys);
        let session = Arc::new(Session::new(keys, turn.now));
        self.install_initiated(&session, turn);
        self.twins.begin(session.local(), twin);
        self.count_completed(turn.now);
        Ok(Established { session, target, rtt })
    }
}
