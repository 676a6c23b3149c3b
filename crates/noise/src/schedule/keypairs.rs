//! The sessions with one peer, and which of them seals.
//!
//! Handshakes replace sessions while messages are in flight, so older sessions go on opening until they
//! expire. More of them are kept than WireGuard keeps, so that handshakes begun by both sides at once lose
//! nothing either.
//!
//! # Life-cycle of a session
//! ```text
//! install_initiated ──────────────────────> current ─┬─> retired ──> gone (expired, or crowded out)
//! install_responded ──> awaited ── confirm ────┘      │
//!                          └─ a later one seals ──────┘
//! ```
//!
//! # Invariants
//! - Only `current` seals: of an initiated session the peer is known to have the keys, of a responded one
//!   only after it was confirmed by a message (WireGuard paper §5.4.5).
//! - A message confirms each session that is later than `current`, whatever handshakes came after it.
//! - No more than [`MAX_SESSIONS`] sessions. Handshakes that the peer never used crowd out one another, and never a
//!   session in which the peer has sealed.

use std::sync::Arc;

use stead_wire::message::SessionIndex;
use stead_wire::time::Instant;

use super::REJECT_AFTER_TIME;
use crate::session::Session;

/// The sessions with one peer.
#[derive(Debug, Default)]
pub struct Keypairs {
    /// Seals.
    current: Option<Arc<Session>>,
    /// Open only; the latest first.
    others: Vec<Other>,
}

/// A session that opens and does not seal.
#[derive(Debug)]
struct Other {
    session: Arc<Session>,
    /// We responded, it is later than the current one, and the peer has not sent in it yet.
    awaited: bool,
}

impl Other {
    const fn retired(session: Arc<Session>) -> Self {
        Self { session, awaited: false }
    }

    /// Whether the peer never sealed in it, as far as anything arrived.
    fn is_unheard(&self) -> bool {
        self.session.received_highest().is_none()
    }
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
        self.seal_with(session);
        self.crowd_out()
    }

    /// Puts in place a session that we responded to: it seals once the peer has confirmed it. The twin of a session that
    /// is earlier than the current one only opens.
    ///
    /// Returns the indices of sessions that had to go for it, mostly none.
    #[must_use = "the sessions named are gone, so messages to them have no one to open them"]
    pub fn install_responded(&mut self, session: Arc<Session>) -> Vec<SessionIndex> {
        let awaited = !session.is_twin() || self.is_later(&session);
        self.others.insert(0, Other { session, awaited });
        self.crowd_out()
    }

    /// Whether `session` is later than the current one. A twin is later than its parent, and earlier than all that is
    /// later than its parent.
    #[must_use]
    pub fn is_later(&self, session: &Session) -> bool {
        self.current.as_ref().is_none_or(|current| order(session) > order(current))
    }

    /// A message of the peer authenticated in the session `index`. If that one waited for it, it becomes the current one.
    ///
    /// Returns whether it did: then what waits for a session can be sent.
    pub fn confirm(&mut self, index: SessionIndex, now: Instant) -> bool {
        let waited =
            |other: &Other| other.awaited && other.session.local() == index && !other.session.expired(now);
        let Some(at) = self.others.iter().position(waited) else { return false };
        let confirmed = self.others.remove(at).session;
        self.seal_with(confirmed);
        true
    }

    /// Whether the first message in the session `index` will confirm it.
    #[must_use]
    pub fn awaits(&self, index: SessionIndex) -> bool {
        self.awaited().any(|awaited| awaited == index)
    }

    /// The sessions that wait for their first message.
    pub fn awaited(&self) -> impl Iterator<Item = SessionIndex> {
        self.others.iter().filter(|other| other.awaited).map(|other| other.session.local())
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
        self.current.iter().chain(self.others.iter().map(|other| &other.session))
    }

    /// Drops the sessions that are too old and returns their indices.
    #[must_use = "the sessions named are gone, so messages to them have no one to open them"]
    pub fn expire(&mut self, now: Instant) -> Vec<SessionIndex> {
        let gone =
            self.iter().filter(|session| session.expired(now)).map(|session| session.local()).collect();
        self.current.take_if(|session| session.expired(now));
        self.others.retain(|other| !other.session.expired(now));
        gone
    }

    /// When the next session expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.iter().map(|session| session.created() + REJECT_AFTER_TIME).min()
    }

    /// `session` seals. What is not later is not awaited any more.
    fn seal_with(&mut self, session: Arc<Session>) {
        for other in &mut self.others {
            other.awaited &= order(&other.session) > order(&session);
        }
        let replaced = self.current.replace(session);
        self.others.splice(..0, replaced.map(Other::retired));
    }

    /// Drops what is too many and returns the indices.
    fn crowd_out(&mut self) -> Vec<SessionIndex> {
        let room = MAX_SESSIONS - usize::from(self.current.is_some());
        let mut gone = Vec::new();
        while self.others.len() > room {
            gone.push(self.others.remove(self.least_wanted()).session.local());
        }
        gone
    }

    /// Which of the others goes first: the earliest that the peer never used, but for the latest [`MIN_UNHEARD`] of
    /// these; then the earliest of all that it used.
    fn least_wanted(&self) -> usize {
        let mut unheard =
            self.others.iter().enumerate().filter(|(_, other)| other.is_unheard()).map(|(at, _)| at);
        let spare = unheard.clone().nth(MIN_UNHEARD).and_then(|_| unheard.next_back());
        let heard = self.others.iter().rposition(|other| !other.is_unheard());
        spare.or(heard).unwrap_or(self.others.len() - 1)
    }
}

/// Sessions in the order of their handshakes, each before its twin.
fn order(session: &Session) -> (Instant, bool) {
    (session.created(), session.is_twin())
}

/// The current one and six others: enough for both sides to begin at once and for one of the handshakes to be
/// repeated, each with its twin under the other cipher. Each costs about 5 KiB.
const MAX_SESSIONS: usize = 7;

/// The peer may have begun to seal in its latest handshake, or in the twin of one, before anything of it arrives.
const MIN_UNHEARD: usize = 2;

#[cfg(test)]
mod tests;
