//! What the subscribe-notify service tells of a peer, and whether the peer wants to be told (seed 001 figures 10 to 18).
//!
//! The [proxy](crate::proxy) speaks with the services. What it hears is a hint, to be proven like any other (D4).

use core::net::SocketAddr;
use std::sync::Arc;

use stead_noise::schedule::REKEY_ATTEMPT_TIME;
use stead_noise::session::Session;
use stead_wire::time::{Duration, Instant};

use super::Peer;
use crate::drops::Discard;
use crate::event::{Happening, Suspension};
use crate::turn::Turn;

/// The newest that the peer published for us. Its points are authenticated by the pair's key; where it appeared to be
/// is the service's word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Whereabouts {
    /// Where the peer's publication came from, as the service saw it.
    pub(crate) apparent: SocketAddr,
    /// Every attachment point that the peer says it has.
    pub(crate) points: Vec<SocketAddr>,
}

/// How much the services should do to find a peer.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Sought {
    /// Nothing: where it is is known.
    #[default]
    No,
    /// Tell at once where it is: we look for it.
    Watch,
    /// As [`Watch`](Self::Watch), and relay meanwhile if no direct path comes to be proven.
    Relay,
    /// As [`Relay`](Self::Relay), but nothing comes back over the relay: perhaps the service has forgotten us.
    Lost,
}

/// A path that was proven this lately needs no new proof when a service says that the peer is there.
const FRESH: Duration = Duration::from_secs(2);

/// How long a direct path is looked for before a relay is wanted: some round trips.
const RELAY_AFTER: Duration = Duration::from_millis(250);

/// While a relay carries packets, a direct path is tried again after this long, if nobody moves before: NATs come and
/// go, and keep the mapping that a try made for about as long.
const DIRECT_INTERVAL: Duration = Duration::from_secs(25);

impl Peer {
    /// News of where the peer is: hints, to be tried (seed 001 figures 12, 14, 16, 18).
    ///
    /// If we moved too and the peer has not confirmed it, it is told there (CU). If not, it is asked whether it is
    /// there (CUR), unless that is known. Without a session the handshake asks.
    pub(crate) fn on_whereabouts(&mut self, whereabouts: Whereabouts, turn: &mut Turn<'_>) {
        let Whereabouts { apparent, points } = whereabouts;
        self.paths.learn(apparent, &points);
        if self.plays_dead() {
            return;
        }
        let there = self.paths.active_remote() == Some(apparent) && self.paths.validated();
        match self.handshaking.sealing(turn.now).cloned() {
            None => {
                let needed = !self.stage.is_empty() || self.about.persistent_keepalive.is_some();
                let targets = self.every_target(turn);
                self.handshaking.punch(&targets, needed || self.handshaking.in_flight(), turn);
            }
            Some(session) if self.migrator.unsettled() => self.tell_news(&session, turn),
            Some(_) if !self.negotiation.enhanced() => self.ask_everywhere(turn),
            Some(_) if there && self.flowing() && self.liveness.acknowledged_within(FRESH, turn.now) => {}
            Some(session) => {
                let targets = self.paths.direct_targets(turn.attachment);
                self.requests.begin(&targets, &session, turn);
            }
        }
    }

    /// A relay that reaches the peer, or none any more. It is the last resort, and tried as soon as it is there.
    pub(crate) fn on_relay(&mut self, relay: Option<SocketAddr>, turn: &mut Turn<'_>) {
        let ended = self.paths.relayed() && self.paths.active_remote() != relay;
        self.paths.relay(relay);
        if self.plays_dead() {
            return;
        }
        match self.handshaking.sealing(turn.now).cloned() {
            Some(session) if ended && self.flowing() => {
                self.announce(Some(Suspension::Silent), &session, turn);
            }
            Some(session) if relay.is_some() && self.migrator.unsettled() => self.tell_news(&session, turn),
            _ if relay.is_some() => self.ask_everywhere(turn),
            _ => {}
        }
    }

    /// A handshake that is under way is tried wherever the peer might be by now.
    fn ask_everywhere(&mut self, turn: &mut Turn<'_>) {
        if self.handshaking.in_flight() {
            let targets = self.every_target(turn);
            self.handshaking.punch(&targets, true, turn);
        }
    }

    /// The peer, which does not know yet where we are, may be at other places than it was told at; if no network led
    /// to those, one may lead to these.
    fn tell_news(&mut self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let targets = self.paths.targets(turn.attachment);
        if targets.is_empty() {
            return;
        }
        if self.migrator.announcing() {
            self.migrator.widen(&targets, session, turn);
        } else {
            self.announce(Some(Suspension::Moving), session, turn);
        }
    }

    /// When a direct path is to be tried, because a relay carries the packets.
    pub(super) fn direct_due(&self) -> Option<Instant> {
        if !self.paths.relayed() || !self.flowing() || self.requests.under_way() {
            return None;
        }
        match self.requests.began() {
            None => Some(Instant::ZERO),
            Some(began) => (self.lane.last_data_sent() > Some(began)).then(|| began + DIRECT_INTERVAL),
        }
    }

    /// Goes on asking where the peer might be, and tries to get away from a relay.
    pub(super) fn try_direct(&mut self, turn: &mut Turn<'_>) {
        let session = self.handshaking.sealing(turn.now).cloned();
        self.requests.handle_timeout(session.as_deref(), turn);
        if self.direct_due().is_none_or(|at| turn.now < at) {
            return;
        }
        let targets = self.paths.direct_targets(turn.attachment);
        match session {
            Some(session) if !targets.is_empty() => self.requests.begin(&targets, &session, turn),
            _ => self.requests.skip(turn.now),
        }
    }

    /// Where the peer is now, as far as anybody knows.
    pub(crate) fn active_remote(&self) -> Option<SocketAddr> {
        self.paths.active_remote()
    }

    /// When packets that wait for a peer which nobody finds have waited long enough.
    pub(super) fn search_ends(&self) -> Option<Instant> {
        self.search.map(|since| since + REKEY_ATTEMPT_TIME)
    }

    /// Gives up what waits for a peer that was not found. Once it is somewhere, a handshake's patience counts.
    pub(super) fn end_search(&mut self, turn: &mut Turn<'_>) {
        if self.search_ends().is_none_or(|at| turn.now < at) {
            return;
        }
        self.search = None;
        if self.handshaking.in_flight() || self.handshaking.sealing(turn.now).is_some() {
            return;
        }
        let dropped = self.stage.give_up();
        turn.path.drops().count_many(Discard::HeldTooLong, dropped as u64);
        self.tell(Happening::HandshakeGaveUp { dropped }, turn);
    }

    /// Since when packets wait for somebody to find the peer. On a network that leads to none of the places where it
    /// was, they do; without a network nobody could be asked. A session tells nothing while a new one is asked for in vain.
    pub(super) fn looks(&self, turn: &Turn<'_>) -> Option<Instant> {
        if self.plays_dead() {
            return None;
        }
        let attached = !turn.attachment.addresses.is_empty();
        let waits = match self.handshaking.sealing(turn.now) {
            None => !self.stage.is_empty() || self.handshaking.in_flight(),
            Some(_) => self.suspension().is_some_and(|(why, _)| why != Suspension::Detached || attached),
        };
        if waits { Some(turn.now) } else { self.handshaking.unanswered_since(turn.now) }
    }

    /// Whether we look for the peer, and what the services are to do for it.
    pub(crate) fn sought(&self, now: Instant) -> Sought {
        let met = self.handshaking.sealing(now).is_some();
        match self.looked_since {
            Some(_) if met && self.paths.relayed() => Sought::Lost,
            None if met && self.paths.relayed() => Sought::Relay,
            Some(since) if now >= since + RELAY_AFTER => Sought::Relay,
            Some(_) => Sought::Watch,
            None if !met && self.paths.candidates().is_empty() => Sought::Watch,
            None => Sought::No,
        }
    }
}
