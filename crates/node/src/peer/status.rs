//! A peer as plain data, for people and programs.

use core::net::SocketAddr;

use stead_lct::HeldCount;
use stead_noise::cipher::Cipher;
use stead_noise::keys::PublicKey;
use stead_wire::time::{Duration, Instant};

use super::{Peer, PeerKind, Refusal, ResumptionStatus, StandbyStatus};
use crate::event::Suspension;
use crate::lane::LaneTraffic;
use crate::proxy::RelayedStatus;
use crate::settings::Prefix;

/// Proofs in both directions younger than this make a peer [`Condition::Proven`]. Three times the interval at
/// which proof is asked for while data flows.
const PROOF_FRESH: Duration = Duration::from_secs(30);

/// How a peer stands, judged by proofs and never by hope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// No session, and none is being made.
    NoSession,
    /// A handshake is under way.
    Handshaking,
    /// Traffic is suspended because of a move.
    Held(Suspension),
    /// There is a session, but the last proof in one direction is old.
    Unproven,
    /// Both directions were proven a short time ago.
    Proven,
}

/// The active path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathStatus {
    /// Our attachment point; `None` leaves it to the system's routes.
    pub local: Option<SocketAddr>,
    /// The peer's attachment point.
    pub remote: SocketAddr,
    /// Whether the peer proved that it is there.
    pub validated: bool,
    /// Round-trip time, where one was measured.
    pub rtt: Option<Duration>,
    /// The longest inner packet that it takes, in bytes, as far as anybody asked; `None` before, and of plain peers.
    pub mtu: Option<usize>,
}

/// How often a peer's traffic was held since the node began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Suspensions {
    /// How many suspensions began.
    pub count: u64,
    /// The longest; the one that lasts counts for as long as it has lasted.
    pub longest: Duration,
}

impl Suspensions {
    /// One began.
    pub(super) const fn begin(&mut self) {
        self.count += 1;
    }

    /// One lasted for so long.
    pub(super) fn lasted(&mut self, after: Duration) {
        self.longest = self.longest.max(after);
    }

    /// With the one that has lasted since `held`.
    fn by_now(mut self, held: Option<Instant>, now: Instant) -> Self {
        if let Some(since) = held {
            self.lasted(now - since);
        }
        self
    }
}

/// One peer, as it stands. Times are moments of the driver's clock.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its configured name.
    pub name: String,
    /// Its identity.
    pub public_key: PublicKey,
    /// What belongs to it.
    pub allowed_ips: Vec<Prefix>,
    /// What it speaks.
    pub kind: PeerKind,
    /// How it stands.
    pub condition: Condition,
    /// Since when its traffic is held.
    pub held_since: Option<Instant>,
    /// How often its traffic was held so far, and for how long at most.
    pub suspensions: Suspensions,
    /// What this host's own filter refuses now.
    pub refusal: Option<Refusal>,
    /// The last resumption that sent something again, or what was held.
    pub resumption: Option<ResumptionStatus>,
    /// What waits for it, and what this host's TCP was told in its name.
    pub held: HeldCount,
    /// Where it is reached.
    pub path: Option<PathStatus>,
    /// Which paths are kept ready beside it.
    pub standby: Vec<StandbyStatus>,
    /// Which relay carries its packets; `None` for a direct path, or none.
    pub relayed: Option<RelayedStatus>,
    /// Where else it might be.
    pub candidates: Vec<SocketAddr>,
    /// When something authenticated last came from it.
    pub last_received: Option<Instant>,
    /// When something of ours last provably arrived there.
    pub last_acknowledged: Option<Instant>,
    /// When the last handshake completed.
    pub last_handshake: Option<Instant>,
    /// How many completed.
    pub handshakes: u64,
    /// How often we moved.
    pub moves_local: u64,
    /// How often it moved.
    pub moves_remote: u64,
    /// Inner traffic.
    pub traffic: LaneTraffic,
    /// Whether it is public; `None` if it never claimed an attachment point.
    pub public: Option<bool>,
    /// Our index of the session in use.
    pub session: Option<u32>,
    /// What seals in it.
    pub cipher: Option<Cipher>,
}

impl Peer {
    pub(crate) fn status(&self, relayed: Option<RelayedStatus>, now: Instant) -> PeerStatus {
        let active = self.paths.active();
        PeerStatus {
            name: self.about.name.clone(),
            public_key: self.about.key,
            allowed_ips: self.about.allowed_ips.clone(),
            kind: self.negotiation.kind(),
            condition: self.condition(now),
            held_since: self.suspended.map(|(_, since)| since),
            suspensions: self.suspensions.by_now(self.suspended.map(|(_, since)| since), now),
            refusal: self.refusal,
            resumption: self.resumption.last(),
            held: self.stage.count(),
            path: active.map(|active| PathStatus {
                local: active.local,
                remote: active.remote,
                validated: self.paths.validated(),
                rtt: self.paths.rtt(),
                mtu: self.path_mtu.limit(),
            }),
            standby: self.standby.status(),
            relayed,
            candidates: self.paths.candidates(),
            last_received: self.lane.last_received(),
            last_acknowledged: self.liveness.acknowledged(),
            last_handshake: self.handshaking.completed_at(),
            handshakes: self.handshaking.completed(),
            moves_local: self.moves.ours,
            moves_remote: self.moves.theirs,
            traffic: self.lane.traffic(),
            public: self.paths.public(),
            session: self.session_index(now),
            cipher: self.handshaking.sealing(now).map(|session| session.cipher()),
        }
    }

    fn condition(&self, now: Instant) -> Condition {
        let fresh = |proof: Option<Instant>| proof.is_some_and(|at| now - at <= PROOF_FRESH);
        if let Some((why, _)) = self.suspended {
            return Condition::Held(why);
        }
        match (self.handshaking.sealing(now), self.handshaking.in_flight()) {
            (None, true) => Condition::Handshaking,
            (None, false) => Condition::NoSession,
            (Some(_), _) if fresh(self.lane.last_received()) && fresh(self.liveness.acknowledged()) => {
                Condition::Proven
            }
            (Some(_), _) => Condition::Unproven,
        }
    }
}
