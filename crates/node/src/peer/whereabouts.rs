//! What the subscribe-notify service tells of a peer, and whether the peer wants to be told (seed 001 figures 10 to 18).
//!
//! The [proxy](crate::proxy) speaks with the services. What it hears is a hint, to be proven like any other (D4).

use core::net::SocketAddr;
use stead_noise::schedule::REKEY_ATTEMPT_TIME;
use stead_wire::time::{Duration, Instant};

use super::Peer;
use super::lookup::{Help, Sought, Want, two_round_trips};
use super::migrator::News;
use super::paths::is_relayed;
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

/// A path that was proven this lately needs no new proof when a service says that the peer is there.
const FRESH: Duration = Duration::from_secs(2);

/// A move is an ordinary one within this time: after a longer outage the peer may have moved too, so the services are
/// asked at once.
const ORDINARY_WITHIN: Duration = Duration::from_secs(1);

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
        self.calls = 0;
        if self.plays_dead() {
            return;
        }
        let there = self.paths.active_remote() == Some(apparent) && self.paths.validated();
        match self.handshaking.sealing(turn.now).cloned() {
            None => self.ask_where_needed(turn),
            Some(_) if self.migrator.unsettled() => self.on_news(News::Places, turn),
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
            // A plain peer is asked for a session, as WireGuard asks.
            Some(_) if ended && !self.negotiation.enhanced() => {
                self.handshaking.begin(&self.every_target(turn), turn);
            }
            Some(_) if relay.is_none() => {}
            Some(_) if self.migrator.unsettled() => self.on_news(News::Places, turn),
            Some(_) => self.ask_everywhere(turn),
            None if relay.is_some() => self.ask_where_needed(turn),
            None => {}
        }
    }

    /// Routes to places where the peer may be came or went.
    pub(crate) fn on_routes(&mut self, turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return;
        }
        match self.handshaking.sealing(turn.now) {
            // What is to be told of a move goes there [in any case](Self::tell_everywhere).
            Some(_) => self.ask_everywhere(turn),
            None if self.handshaking.in_flight() || !self.stage.is_empty() => self.ask_where_needed(turn),
            None => {}
        }
    }

    /// Without a session the handshake asks for the peer, as long as something needs it.
    fn ask_where_needed(&mut self, turn: &mut Turn<'_>) {
        let needed = !self.stage.is_empty() || self.about.persistent_keepalive.is_some();
        let targets = self.every_target(turn);
        self.handshaking.punch(&targets, needed || self.handshaking.in_flight(), turn);
    }

    /// A handshake that is under way is tried wherever the peer might be by now.
    fn ask_everywhere(&mut self, turn: &mut Turn<'_>) {
        if self.handshaking.in_flight() {
            let targets = self.every_target(turn);
            self.handshaking.punch(&targets, true, turn);
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

    /// Whether the peer is public and says that it will not be attached elsewhere.
    pub(crate) fn stays(&self) -> bool {
        self.negotiation.stays() && self.paths.public() == Some(true)
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

    /// Looks for the peer by the services for as long as packets wait for it.
    pub(super) fn look(&mut self, turn: &Turn<'_>) {
        let want = self.wanted(turn);
        let stranded = want != Want::Nothing && self.stranded(turn);
        self.lookup.follow(want, stranded, turn.now);
    }

    /// Whether packets wait for the peer to be found. On a network that leads to none of the places where it was, they
    /// do; without a network nobody could be asked. A session tells nothing while a new one is asked for in vain.
    fn wanted(&self, turn: &Turn<'_>) -> Want {
        if self.plays_dead() {
            return Want::Nothing;
        }
        let met = self.handshaking.sealing(turn.now).is_some();
        let unanswered = self.handshaking.unanswered_since(turn.now).is_some();
        match self.suspension().filter(|_| met) {
            _ if unanswered => Want::Now,
            Some((Suspension::Detached, _)) if turn.attachment.addresses.is_empty() => Want::Nothing,
            Some((Suspension::Moving, since)) => self.wanted_after(since, self.migrator.told_since(), turn),
            Some((Suspension::PeerMoving, since)) => self.wanted_after(since, Some(since), turn),
            Some(_) => Want::Now,
            None if !met && (!self.stage.is_empty() || self.handshaking.in_flight()) => Want::Now,
            None => Want::Nothing,
        }
    }

    /// A move that began at `since` is an ordinary one for a while after the first update.
    fn wanted_after(&self, since: Instant, told: Option<Instant>, turn: &Turn<'_>) -> Want {
        let short = turn.now < since + ORDINARY_WITHIN;
        let direct = !self.paths.direct_targets(turn.attachment).is_empty();
        match told.filter(|_| short && direct) {
            Some(told) => Want::After(told + two_round_trips(self.paths.rtt())),
            None => Want::Now,
        }
    }

    /// Whether the places where the peer was are all of an address family that this host has no network of.
    fn stranded(&self, turn: &Turn<'_>) -> bool {
        let known = self.paths.candidates().iter().any(|point| !is_relayed(*point));
        let attached = !turn.attachment.addresses.is_empty();
        known && attached && self.paths.direct_targets(turn.attachment).is_empty()
    }

    /// What the services are to do for the peer.
    pub(crate) fn sought(&self, now: Instant) -> Sought {
        let met = self.handshaking.sealing(now).is_some();
        let since = self.lookup.since();
        let help = match since {
            _ if met && self.paths.relayed() => Help::Relay,
            Some(_) if self.lookup.wants_relay(now) => Help::Relay,
            Some(_) => Help::Watch,
            None if !met && !self.paths.is_told() => Help::Watch,
            None => Help::None,
        };
        Sought { help, since }
    }
}
