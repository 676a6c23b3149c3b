//! A session: the two keys of a finished handshake, sealing and opening transport messages in place.
//!
//! Used through `&self` by any number of workers at once; nothing is allocated and nothing is locked per
//! message. How old a session may grow is [`schedule`](crate::schedule)'s; what a plaintext says is the wire
//! crate's.
//!
//! # Life-cycle
//! [`Session::new`] → for each message [`Session::reserve`] and [`Session::seal_in_place`], or
//! [`Session::open_in_place`] → dropped, which wipes the keys.
//!
//! # Invariants
//! - A counter is given out once, and none from [`Cipher::reject_after_messages`] on.
//! - The replay window moves only for messages that authenticate.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use stead_wire::message::{Counter, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, encode_transport_header};
use stead_wire::options::{Capabilities, Hole, Holes, Received};
use stead_wire::time::Instant;

use crate::aead::{AeadKey, Forged};
use crate::cipher::Cipher;
use crate::handshake::{Role, SessionKeys};
use crate::replay::ReplayWindow;

/// Why a transport message was not opened. Nothing about the session changed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum Discard {
    /// Shorter than a header and a tag.
    #[error("too short for a transport message")]
    TooShort,
    /// The tag does not match.
    #[error("does not authenticate")]
    Forged,
    /// The counter was seen before.
    #[error("counter was seen before")]
    Replayed,
    /// The counter is below the replay window.
    #[error("counter is older than the replay window")]
    TooOld,
    /// The counter is one that no session may use.
    #[error("counter is past the session's last")]
    CounterExhausted,
}

/// One session with a peer.
pub struct Session {
    sealing: AeadKey,
    opening: AeadKey,
    next: AtomicU64,
    received: ReplayWindow,
    local: SessionIndex,
    remote: SessionIndex,
    role: Role,
    created: Instant,
    /// What a twin was agreed on; `None` in the session that the handshake itself gave.
    agreed: Option<Capabilities>,
}

impl Session {
    /// The session that a handshake finished at `created` gave: WireGuard's, under ChaCha20-Poly1305.
    #[must_use]
    pub fn new(keys: SessionKeys, created: Instant) -> Self {
        Self::under(Cipher::ChaCha20Poly1305, None, keys, created)
    }

    pub(crate) fn on_terms(terms: Capabilities, keys: SessionKeys, created: Instant) -> Self {
        Self::under(Cipher::on(terms), Some(terms), keys, created)
    }

    fn under(cipher: Cipher, agreed: Option<Capabilities>, keys: SessionKeys, created: Instant) -> Self {
        Self {
            agreed,
            sealing: AeadKey::new(cipher, &keys.send),
            opening: AeadKey::new(cipher, &keys.receive),
            next: AtomicU64::new(0),
            received: ReplayWindow::new(),
            local: keys.local,
            remote: keys.remote,
            role: keys.role,
            created,
        }
    }

    /// Takes `n` counters and returns the first; `None` if the session has not that many left, or `n` is 0.
    #[must_use]
    pub fn reserve(&self, n: u64) -> Option<Counter> {
        let last = self.cipher().reject_after_messages();
        let take = |next: u64| next.checked_add(n).filter(|end| n > 0 && *end <= last);
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().map(Counter)
    }

    /// Makes a transport message of a buffer that holds room for the header, the padded plaintext, and room
    /// for the tag.
    ///
    /// Each reserved counter must be used for one message only.
    ///
    /// # Panics
    /// If `message` is shorter than header and tag.
    pub fn seal_in_place(&self, counter: Counter, message: &mut [u8]) {
        let (header, rest) = message.split_first_chunk_mut().expect("room for the header");
        let (text, tag) = rest.split_last_chunk_mut().expect("room for the tag");
        encode_transport_header(self.remote, counter, header);
        *tag = self.sealing.seal(counter.0, &[], text);
    }

    /// Opens a whole transport message for this session and returns its plaintext, padding included.
    ///
    /// The type and the session index in the header are not looked at: they led here.
    ///
    /// # Errors
    /// Each [`Discard`] as it says. A forged message's bytes are spoiled, any other refused one's are as before.
    pub fn open_in_place<'m>(&self, message: &'m mut [u8]) -> Result<&'m mut [u8], Discard> {
        if message.len() < TRANSPORT_HEADER_LEN + TAG_LEN {
            return Err(Discard::TooShort);
        }
        let (header, sealed) = message.split_at_mut(TRANSPORT_HEADER_LEN);
        let counter = header.last_chunk().map(|bytes| Counter(u64::from_le_bytes(*bytes)));
        let counter = counter.ok_or(Discard::TooShort)?;
        if counter.0 >= self.cipher().reject_after_messages() {
            return Err(Discard::CounterExhausted);
        }
        self.received.check(counter)?;
        let plaintext = self.opening.open(counter.0, &[], sealed)?;
        self.received.accept(counter)?;
        Ok(plaintext)
    }

    /// What seals its messages.
    #[must_use]
    pub const fn cipher(&self) -> Cipher {
        self.sealing.cipher()
    }

    /// What both ends agreed to do in it beyond WireGuard; nothing but in a twin.
    #[must_use]
    pub const fn terms(&self) -> Capabilities {
        match self.agreed {
            Some(terms) => terms,
            None => Capabilities::NONE,
        }
    }

    /// Whether it is the twin of another session.
    #[must_use]
    pub const fn is_twin(&self) -> bool {
        self.agreed.is_some()
    }

    /// What we call this session.
    #[must_use]
    pub fn local(&self) -> SessionIndex {
        self.local
    }

    /// What the peer calls it.
    #[must_use]
    pub fn remote(&self) -> SessionIndex {
        self.remote
    }

    /// Which side of its handshake we were.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// When its handshake finished here.
    #[must_use]
    pub fn created(&self) -> Instant {
        self.created
    }

    /// The counter that is reserved next: how many were.
    #[must_use]
    pub fn sent(&self) -> Counter {
        Counter(self.next.load(Ordering::Relaxed))
    }

    /// The greatest counter of an authentic message so far; `None` before the first.
    #[must_use]
    pub fn received_highest(&self) -> Option<Counter> {
        self.received.greatest()
    }

    /// What arrived and what is missing below it, to be told to the peer.
    #[must_use]
    pub fn received(&self) -> Received {
        let (next, missing) = self.received.missing();
        let holes = missing.filter_map(|run| {
            let len = u16::try_from(run.end.0 - run.start.0).ok()?;
            Some(Hole { first: run.start, len })
        });
        Received { session: self.local, next, holes: Holes::below(next, holes) }
    }
}

impl From<Forged> for Discard {
    fn from(_: Forged) -> Self {
        Self::Forged
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, remote, role, created, .. } = self;
        let cipher = self.cipher();
        write!(
            f,
            "Session {{ local: {local}, remote: {remote}, role: {role:?}, created: {created}, {cipher}, .. }}"
        )
    }
}

#[cfg(test)]
pub(crate) mod tests;
