//! The packet path: from an inner packet to the session and attachment point that carry it, and back.
//!
//! Reached by any number of workers at once through `&self`. A plain data packet runs to completion here:
//! one look-up in the local connection translation table tells its peer and its current connection
//! specification, one load of the peer's lane tells the session. Everything else (handshakes, options, a
//! packet for a peer that is suspended or not yet connected) is handed to the [`Node`](crate::Node), which
//! is also what the simulator does: same functions, one thread.
//!
//! # Invariants
//! - Nothing changes before a datagram has authenticated, except a counter of drops.
//! - An inner packet leaves for the TUN only if its source belongs to the peer that sealed it.

mod arrivals;
mod cursor;
mod grant;
mod inbound;
mod outbound;

use std::sync::Arc;

use core::sync::atomic::{AtomicU64, Ordering};
use dashmap::DashMap;
use stead_lct::{PeerId, Table};
use stead_noise::cookie::CookieChecker;
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;
use stead_wire::options::VcOption;

pub use self::arrivals::Arrivals;
pub use self::cursor::FlowCursor;
pub use self::grant::Grant;
pub use self::inbound::{Inbound, Verdict};
pub use self::outbound::Outbound;
use crate::drops::Drops;
use crate::lane::Lane;
use crate::relay::Relays;
use crate::ring::Stock;
use crate::routes::Routes;
use crate::settings::Resending;

/// What all workers share. Made by [`Node::new`](crate::Node::new).
pub struct PacketPath {
    routes: Routes,
    lanes: Vec<Arc<Lane>>,
    table: Table,
    sessions: DashMap<SessionIndex, (Arc<Session>, PeerId)>,
    /// Counts removals of sessions, so that a cursor's memory of one is void at once.
    removals: AtomicU64,
    strangers: CookieChecker,
    relays: Relays,
    drops: Drops,
    stock: Stock,
    mtu: usize,
}

impl PacketPath {
    pub(crate) fn new(
        routes: Routes,
        peers: usize,
        table: Table,
        strangers: CookieChecker,
        resending: Resending,
        mtu: usize,
    ) -> Self {
        let ids = (0..).map(PeerId).take(peers);
        Self {
            routes,
            lanes: ids.map(|peer| Arc::new(Lane::new(peer))).collect(),
            table,
            sessions: DashMap::new(),
            removals: AtomicU64::new(0),
            strangers,
            relays: Relays::default(),
            drops: Drops::default(),
            stock: Stock::new(resending),
            mtu,
        }
    }

    /// The local connection translation table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Counters of everything dropped.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    pub(crate) const fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Largest inner packet; padding stops there.
    #[must_use]
    pub const fn mtu(&self) -> usize {
        self.mtu
    }

    pub(crate) const fn relays(&self) -> &Relays {
        &self.relays
    }

    pub(crate) const fn stock(&self) -> &Stock {
        &self.stock
    }

    pub(crate) fn lane(&self, peer: PeerId) -> &Arc<Lane> {
        &self.lanes[peer.0 as usize]
    }

    /// From now on messages for this session are opened.
    pub(crate) fn admit(&self, session: &Arc<Session>, peer: PeerId) {
        self.lane(peer).admit(session);
        self.sessions.insert(session.local(), (Arc::clone(session), peer));
    }

    /// From now on messages for this session are strangers'.
    pub(crate) fn forget(&self, session: SessionIndex) {
        if let Some((_, (_, peer))) = self.sessions.remove(&session) {
            self.lane(peer).forget(session);
        }
        self.removals.fetch_add(1, Ordering::Release);
    }

    /// What arrived from the peer whose session this is, for it to know what did not.
    pub(crate) fn received_reports(&self, session: &Session) -> Vec<VcOption> {
        self.peer_of(session.local()).map_or_else(Vec::new, |peer| self.lane(peer).received_reports())
    }

    /// Whose session this is.
    pub(crate) fn peer_of(&self, session: SessionIndex) -> Option<PeerId> {
        self.sessions.get(&session).map(|known| known.1)
    }

    /// Whether an index is in use, so that a new one does not clash.
    pub(crate) fn knows(&self, session: SessionIndex) -> bool {
        self.sessions.contains_key(&session)
    }
}
