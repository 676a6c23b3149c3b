//! One client: its sessions, where it is, what it subscribed to.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::Arc;

use stead_noise::handshake::Tai64N;
use stead_noise::keys::PublicKey;
use stead_noise::schedule::Keypairs;
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;
use stead_wire::options::Topic;
use stead_wire::time::{Duration, Instant};

use crate::whereabouts::{Reach, Whereabouts};

/// A client, by its place among the [`Clients`](crate::clients::Clients). Used again once it is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ClientId(pub(crate) u32);

/// How far a client has come. Who has come less far goes first when room is needed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    /// We answered its handshake and it has not used the session. It may be a replay.
    Knocking,
    /// It proved that the handshake was its own.
    Confirmed,
}

/// See the module's documentation.
pub(crate) struct Client {
    pub(crate) key: PublicKey,
    pub(crate) stage: Stage,
    pub(crate) keypairs: Keypairs,
    /// The timestamp of its newest initiation.
    pub(crate) latest: Tai64N,
    pub(crate) whereabouts: Whereabouts,
    /// The address that its quota is counted for.
    pub(crate) home: IpAddr,
    pub(crate) topics: BTreeSet<Topic>,
    /// Since when it holds no lease: its turn when room is needed.
    pub(crate) leaseless: Instant,
    /// When it is looked at next.
    pub(crate) wake: Instant,
    /// Our response that it has not used yet.
    answered: Option<Answered>,
}

struct Answered {
    session: SessionIndex,
    reach: Reach,
    at: Instant,
}

/// How long a handshake that its initiator never used is kept: two of WireGuard's retries.
pub(crate) const KNOCK: Duration = Duration::from_secs(10);

impl Client {
    /// A client whose first initiation came from `reach`.
    pub(crate) fn new(key: PublicKey, latest: Tai64N, reach: Reach, now: Instant) -> Self {
        Self {
            key,
            stage: Stage::Knocking,
            keypairs: Keypairs::new(),
            latest,
            whereabouts: Whereabouts::default(),
            home: reach.remote.ip(),
            topics: BTreeSet::new(),
            leaseless: now,
            wake: now + KNOCK,
            answered: None,
        }
    }

    /// A handshake of this client was answered. Returns the sessions that had to go for it.
    #[must_use = "messages to the sessions named have no one to open them"]
    pub(crate) fn install(&mut self, session: Session, reach: Reach, now: Instant) -> Vec<SessionIndex> {
        self.answered = Some(Answered { session: session.local(), reach, at: now });
        self.keypairs.install_responded(Arc::new(session))
    }

    /// A message in `session` authenticated; if it is the first of a new session, that becomes the current one, and
    /// the client is known to receive where our response went.
    pub(crate) fn confirm(&mut self, session: SessionIndex, now: Instant) {
        if !self.keypairs.confirm(session, now) {
            return;
        }
        let answered = self.answered.take_if(|answered| answered.session == session);
        if let Some(Answered { reach, at, .. }) = answered {
            self.whereabouts.on_handshake(reach, now - at);
        }
    }

    /// Whether `session` is the newest that the client has used.
    pub(crate) fn is_current(&self, session: SessionIndex, now: Instant) -> bool {
        self.keypairs.sealing(now).is_some_and(|current| current.local() == session)
    }

    /// When its state changes by itself.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        let sessions = self.keypairs.poll_timeout().unwrap_or(now);
        match self.stage {
            Stage::Knocking => sessions.min(self.leaseless + KNOCK),
            Stage::Confirmed => sessions,
        }
    }

    /// Whether nothing is left to keep it for.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let silent = self.keypairs.iter().next().is_none();
        let never_used = self.stage == Stage::Knocking && now >= self.leaseless + KNOCK;
        self.topics.is_empty() && (silent || never_used)
    }
}
