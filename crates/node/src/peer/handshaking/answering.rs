//! The handshakes that the peer begins: its initiations, and the first message that confirms our response.
//!
//! Answers where an initiation came from; where the peer is then the peer decides.

use std::sync::Arc;

use stead_noise::handshake::{Responder, Tai64N};
use stead_noise::schedule::REKEY_TIMEOUT;
use stead_noise::session::Session;
use stead_noise::twin::TwinKeys;
use stead_wire::message::SessionIndex;
use stead_wire::time::{Duration, Instant};

use super::{Handshaking, Target};
use crate::drops::Discard;
use crate::notice::Arrival;
use crate::turn::Turn;

/// Initiations of one peer closer together than this are not answered (WireGuard paper §5.1, 50 per second).
const INITIATION_INTERVAL: Duration = Duration::from_millis(20);

/// How long the first message of a session that we responded to is waited for before we ask for a session ourselves:
/// longer than most round trips, and shorter than anybody at a keyboard notices where the response was lost.
const CONFIRMATION: Duration = Duration::from_millis(250);

/// The last initiation we answered.
pub(super) struct Answered {
    at: Instant,
    session: SessionIndex,
    to: Arrival,
}

/// The first message of a session that waited for it.
pub(crate) enum Confirmed {
    /// A handshake that the peer began has completed.
    Handshake {
        /// Where our response had gone: it arrived, so that path works.
        answered_to: Option<Arrival>,
    },
    /// The peer goes on in the twin that it offered.
    Twin(Arc<Session>),
}

impl Handshaking {
    /// Whether this initiation is so much older than the newest that the peer's next ones will be, too.
    pub(crate) fn outdated(&self, timestamp: Tai64N) -> bool {
        self.newest.is_some_and(|newest| timestamp.seconds_before(newest) > REKEY_TIMEOUT.as_secs())
    }

    /// The peer asks for a session: answers it where it came from (92 bytes for 148, within the limit of 3).
    pub(crate) fn on_initiation(
        &mut self,
        responder: Responder,
        sender: SessionIndex,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let newer = self.newest.is_none_or(|newest| responder.timestamp() > newest);
        let early = self.answered.as_ref().is_some_and(|last| turn.now < last.at + INITIATION_INTERVAL);
        if !newer {
            return Err(Discard::ReplayedHandshake);
        }
        if early {
            return Err(Discard::RateLimited);
        }
        debug_assert!(responder.remote() == self.remote, "routed by its key");
        let timestamp = responder.timestamp();
        let index = turn.fresh_index();
        let (mut message, keys) = responder
            .respond(&self.psk, index, &mut turn.random.handshakes)
            .map_err(|_| Discard::ForgedHandshake)?;
        debug_assert!(keys.remote == sender, "the responder knows whom it answers");
        self.newest = Some(timestamp);
        self.cookies.finish_macs(&mut message, turn.now);
        turn.transmit(arrival.source, arrival.local, message.to_vec());
        let twin = TwinKeys::of(&keys);
        let session = Arc::new(Session::new(keys, turn.now));
        self.install_responded(&session, turn);
        self.twins.begin(index, twin);
        self.answered = Some(Answered { at: turn.now, session: index, to: arrival });
        Ok(())
    }

    /// Asks for a session at every one of `targets`, but not while the peer's first message in the session that we have
    /// just responded to may be under way: the two handshakes would cross, and one of them be an orphan.
    pub(crate) fn begin_unless_answered(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        let answered = self.answered.as_ref().filter(|answered| self.keypairs.awaits(answered.session));
        match answered.map(|answered| answered.at + CONFIRMATION).filter(|until| *until > turn.now) {
            Some(until) => self.postponed = Some(until),
            None => self.begin(targets, turn),
        }
    }

    /// A message of a session that perhaps waited for its first: then it is in use from now on.
    pub(crate) fn on_confirmation(&mut self, index: SessionIndex, turn: &mut Turn<'_>) -> Option<Confirmed> {
        if !self.keypairs.confirm(index, turn.now) {
            return None;
        }
        if let Some(twin) = self.keypairs.by_index(index).filter(|session| session.is_twin()) {
            return Some(Confirmed::Twin(Arc::clone(twin)));
        }
        // Whatever we still asked for has been answered by this.
        self.abandon(turn);
        self.count_completed(turn.now);
        let answered = self.answered.as_ref().filter(|answered| answered.session == index);
        Some(Confirmed::Handshake { answered_to: answered.map(|answered| answered.to) })
    }
}
