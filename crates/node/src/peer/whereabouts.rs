//! What the subscribe-notify service tells of a peer, and whether the peer wants to be told (seed 001 figures 10 to 18).
//!
//! The [proxy](crate::proxy) speaks with the services. What it hears is a hint, to be proven like any other (D4).

use core::net::SocketAddr;

use stead_noise::schedule::REKEY_ATTEMPT_TIME;
use stead_wire::time::Instant;

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
}

impl Peer {
    /// News of where the peer is. It is tried there, all within the retry schedule.
    pub(crate) fn on_whereabouts(&mut self, whereabouts: Whereabouts, turn: &mut Turn<'_>) {
        let Whereabouts { apparent, points } = whereabouts;
        let known: Vec<SocketAddr> = core::iter::once(apparent).chain(points).collect();
        self.paths.advertise(&known);
        let waiting = self.stage.len() > 0 || self.about.persistent_keepalive.is_some();
        match self.handshaking.sealing(turn.now).cloned() {
            Some(session) if self.migrator.unsettled() => {
                self.announce(Some(Suspension::Moving), &session, turn);
            }
            Some(_) => {}
            None if waiting || self.handshaking.in_flight() => {
                let targets = self.every_target(turn);
                self.handshaking.restart(&targets, turn);
            }
            None => {}
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
        let dropped = self.stage.clear();
        turn.path.drops().count_many(Discard::HeldTooLong, dropped as u64);
        self.tell(Happening::HandshakeGaveUp { dropped }, turn);
    }

    /// A relay that reaches the peer, or none any more.
    pub(crate) fn on_relay(&mut self, relay: Option<SocketAddr>, _turn: &mut Turn<'_>) {
        self.paths.relay(relay);
    }

    /// Whether we look for the peer.
    pub(crate) fn sought(&self, now: Instant) -> Sought {
        let met = self.handshaking.sealing(now).is_some() && self.paths.active().is_some();
        let needed = self.stage.len() > 0 || self.handshaking.in_flight();
        if needed {
            Sought::Relay
        } else if self.suspension().is_some() || !met && self.paths.candidates().is_empty() {
            Sought::Watch
        } else {
            Sought::No
        }
    }
}
