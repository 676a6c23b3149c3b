//! The sessions with one peer, and which of them seals.
//!
//! Handshakes replace sessions while messages are in flight, so older sessions go on opening until they
//! expire. More of them are kept than WireGuard keeps, so that handshakes begun by both sides at once lose
//! nothing either.
//!
//! # Life-cycle of a session
//! ```text
//! install_initiated ────────────────────> current ─┬─> retired ──> gone (expired, or crowded out)
//! install_responded ──> next ── confirm ──────┘    │
//!                        └─ replaced unconfirmed ──┘
//! ```
//!
//! # Invariants
//! - Only `current` seals: of an initiated session the peer is known to have the keys, of a responded one
//!   only after it was confirmed by a message (WireGuard paper §5.4.5).
//! - No more than [`SESSIONS_AT_MOST`] sessions.

use std::sync::Arc;

use stead_wire::message::SessionIndex;
use stead_wire::time::Instant;

use super::REJECT_AFTER_TIME;
use crate::session::Session;

/// The sessions with one peer.
#[derive(Debug, Default)]
pub struct Keypairs {
    /// Open only; the latest first.
    retired: Vec<Arc<Session>>,
    /// Seals.
    current: Option<Arc<Session>>,
    /// We responded, and the peer has not sent in it yet.
    next: Option<Arc<Session>>,
}

impl Keypairs {
    /// No session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in place a session that we initiated: it seals from now on.
    ///
    /// Returns the indices of sessions that had to go for it, mostly none.
    #[must_use = "the sessions named are gone, so messages to them have no one to open them"]
    pub fn install_initiated(&mut self, session: Arc<Session>) -> Vec<SessionIndex> {
        let replaced = self.current.replace(session);
        let overtaken = self.next.take();
        self.retire([overtaken, replaced])
    }

    /// Puts in place a session that we responded to: it seals once the peer has confirmed it.
    ///
    /// Returns the indices of sessions that had to go for it, mostly none.
    #[must_use = "the sessions named are gone, so messages to them have no one to open them"]
    pub fn install_responded(&mut self, session: Arc<Session>) -> Vec<SessionIndex> {
        let replaced = self.next.replace(session);
        self.retire([replaced, None])
    }

    /// A message of the peer authenticated in the session `index`. If that is the next one, it becomes the
    /// current one.
    ///
    /// Returns whether it did: then what waits for a session can be sent.
    pub fn confirm(&mut self, index: SessionIndex, now: Instant) -> bool {
        let Some(confirmed) = self.next.take_if(|next| next.local() == index && !next.expired(now)) else {
            return false;
        };
        let replaced = self.current.replace(confirmed);
        // As many sessions as before: `next` came in under the limit.
        self.retired.splice(..0, replaced);
        true
    }

    /// The session to seal in, if there is one that may still be used.
    #[must_use]
    pub fn sealing(&self, now: Instant) -> Option<&Arc<Session>> {
        let usable = |session: &&Arc<Session>| {
            !session.expired(now) && session.sent().0 < session.cipher().reject_after_messages()
        };
        self.current.as_ref().filter(usable)
    }

    /// The session that we call `index`.
    #[must_use]
    pub fn by_index(&self, index: SessionIndex) -> Option<&Arc<Session>> {
        self.iter().find(|session| session.local() == index)
    }

    /// Every session, the one that seals first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.current.iter().chain(&self.next).chain(&self.retired)
    }

    /// Drops the sessions that are too old and returns their indices.
    #[must_use = "the sessions named are gone, so messages to them have no one to open them"]
    pub fn expire(&mut self, now: Instant) -> Vec<SessionIndex> {
        let gone =
            self.iter().filter(|session| session.expired(now)).map(|session| session.local()).collect();
        self.current.take_if(|session| session.expired(now));
        self.next.take_if(|session| session.expired(now));
        self.retired.retain(|session| !session.expired(now));
        gone
    }

    /// When the next session expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.iter().map(|session| session.created() + REJECT_AFTER_TIME).min()
    }

    /// Moves sessions to the retired ones and returns the indices of those crowded out.
    fn retire(&mut self, sessions: [Option<Arc<Session>>; 2]) -> Vec<SessionIndex> {
        self.retired.splice(..0, sessions.into_iter().flatten());
        let others = usize::from(self.current.is_some()) + usize::from(self.next.is_some());
        let kept = self.retired.len().min(SESSIONS_AT_MOST - others);
        self.retired.drain(kept..).map(|session| session.local()).collect()
    }
}

/// The current and the next one, and five more: enough for both sides to begin at once and for one of the
/// handshakes to be begun anew, each with its twin under the other cipher. Each costs about 5 KiB.
const SESSIONS_AT_MOST: usize = 7;

#[cfg(test)]
mod tests;
