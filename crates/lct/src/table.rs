//! The table itself: what workers look up, and what the node asks of it.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use stead_wire::ip::TcpFlags;
use stead_wire::time::Instant;

use crate::entry::{Entry, Founding, State, Transitions};
use crate::index::Index;
use crate::limits::Limits;
use crate::listing::{ConnectionRow, Stats};
use crate::specification::{Attachment, OriginalSpecification, PeerId, Token};

/// The local connection translation table (seed 001 figure 6, 604).
///
/// # Invariants
/// - No two entries have the same original specification, and no two the same current one (par. 47).
/// - Never more than [`Limits::entries`] entries.
/// - The concurrent map is never iterated: whatever has an order comes from the index.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    /// Keyed by chance of the process, so that no peer can choose connections that collide; since the map is
    /// never iterated, nothing else depends on it.
    by_original: DashMap<OriginalSpecification, Arc<Entry>>,
    index: Mutex<Index>,
    transitions: Arc<Transitions>,
}

/// Why a connection gets no entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Seed 001 par. 69: a second connection with the same original specification would make packets of one
    /// peer reach the other.
    #[error("{0} has a connection with the same original specification")]
    TakenByAnotherPeer(PeerId),
    /// Every token this connection could have is another one's.
    #[error("no token is free for the connection")]
    NoFreeToken,
}

/// Expiry is looked for at whole multiples of this, so that thousands of connections that began one after
/// another wake the node once a second at most.
const EXPIRY_GRANULARITY: Duration = Duration::from_secs(1);

/// How many entries are looked at, of those that passed packets since they were looked at last, while the table's lock is
/// held: a millisecond's work, since a worker may wait for it. If there are more, expiry is due again at once.
const MOST_LOOKS: usize = 4096;

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { entries: limits.entries.max(1), ..limits };
        Self { limits, by_original: DashMap::new(), index: Mutex::default(), transitions: Arc::default() }
    }

    /// The entry of a connection. One shard's read lock, one hash.
    #[must_use]
    pub fn lookup(&self, original: &OriginalSpecification) -> Option<Arc<Entry>> {
        self.by_original.get(original).map(|entry| Arc::clone(&entry))
    }

    /// The entry a packet belongs to, made if there is none: [`lookup`](Self::lookup), then
    /// [`track`](Self::track) unless the entry is `peer`'s and admits the packet.
    ///
    /// # Errors
    /// As [`track`](Self::track).
    pub fn find_or_track(
        &self,
        original: OriginalSpecification,
        peer: PeerId,
        attachment: &Arc<Attachment>,
        tcp: Option<TcpFlags>,
        now: Instant,
    ) -> Result<Arc<Entry>, Refusal> {
        match self.lookup(&original) {
            Some(entry) if entry.peer() == peer && entry.admits(tcp) => Ok(entry),
            Some(_) | None => self.track(original, peer, attachment, now),
        }
    }

    /// Makes an entry for a connection whose first packet passes now, or returns the one it has.
    ///
    /// An entry that ended, or that was silent for too long, gives way to the new connection. In a full table
    /// the expired go first, then the longest idle of those that would be missed least.
    ///
    /// # Errors
    /// [`Refusal::TakenByAnotherPeer`] if another peer's connection has this original specification. The table
    /// is unchanged.
    pub fn track(
        &self,
        original: OriginalSpecification,
        peer: PeerId,
        attachment: &Arc<Attachment>,
        now: Instant,
    ) -> Result<Arc<Entry>, Refusal> {
        let mut index = self.index();
        self.expire_in(&mut index, now);
        if let Some(present) = self.lookup(&original) {
            if present.state() != State::Closed {
                return index.admit(&present, peer);
            }
            self.remove(&mut index, present.id);
            index.stats.reopened += 1;
        }
        let token = index.free_token(|attempt| original.token(attempt)).ok_or(Refusal::NoFreeToken)?;
        self.make_room(&mut index);
        let attachment = index.landing(peer, attachment);
        let id = index.next_id();
        let numbers = self.limits.tcp_numbers;
        let founding = Founding { id, original, peer, token, attachment, numbers, now };
        let entry = Arc::new(Entry::new(founding, Arc::clone(&self.transitions)));
        self.by_original.insert(original, Arc::clone(&entry));
        index.insert(Arc::clone(&entry));
        Ok(entry)
    }

    /// Moves all of a peer's entries to `attachment`; how many were elsewhere. Each of those counts one move.
    pub fn migrate(&self, peer: PeerId, attachment: &Arc<Attachment>) -> usize {
        self.index().migrate(peer, attachment)
    }

    /// Moves those of a peer's entries that `tokens` name; how many were elsewhere. Tokens of other peers'
    /// entries, and unknown ones, are passed over.
    pub fn migrate_tokens(&self, peer: PeerId, tokens: &[Token], attachment: &Arc<Attachment>) -> usize {
        self.index().migrate_tokens(peer, tokens, attachment)
    }

    /// From now on the peer's established TCP connections do not expire: nobody knows where it is, so their
    /// silence means nothing.
    pub fn hold_peer(&self, peer: PeerId) {
        let mut index = self.index();
        index.hold(peer);
    }

    /// Ends [`hold_peer`](Self::hold_peer); silence counts from now.
    pub fn release_peer(&self, peer: PeerId, now: Instant) {
        let mut index = self.index();
        index.release(peer, now);
    }

    /// Removes the entries whose time of silence is over; how many there were.
    pub fn expire(&self, now: Instant) -> usize {
        let mut index = self.index();
        self.expire_in(&mut index, now)
    }

    /// When to call [`expire`](Self::expire) next; `None` if nothing here ever expires. Looked at again after
    /// each new entry.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let earliest = self.index().earliest(&self.limits)?;
        let step = EXPIRY_GRANULARITY.as_micros() as u64;
        Some(Instant::from_micros(earliest.as_micros().div_ceil(step).saturating_mul(step)))
    }

    /// Peers with at least one entry: those who must hear of a move. In order of their ids.
    #[must_use]
    pub fn peers_with_entries(&self) -> Vec<PeerId> {
        self.index().peers().collect()
    }

    /// A peer's entries, oldest first.
    #[must_use]
    pub fn entries_of(&self, peer: PeerId) -> Vec<Arc<Entry>> {
        self.index().of_peer(peer)
    }

    /// The table as plain data, oldest entry first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ConnectionRow> {
        self.index().all().map(|entry| entry.row()).collect()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the table has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.index().stats
    }

    /// The index, with every change of state that workers saw taken in.
    fn index(&self) -> MutexGuard<'_, Index> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.reclassify(self.transitions.take(), Instant::ZERO);
        index
    }

    fn expire_in(&self, index: &mut Index, now: Instant) -> usize {
        let (mut expired, mut looks) = (0, MOST_LOOKS);
        while let Some(id) = index.due(&self.limits, &mut looks, now) {
            self.remove(index, id);
            expired += 1;
        }
        index.stats.expired += expired as u64;
        expired
    }

    fn make_room(&self, index: &mut Index) {
        while index.len() >= self.limits.entries {
            let Some(id) = index.victim() else { return };
            self.remove(index, id);
            index.stats.evicted += 1;
        }
    }

    /// Takes an entry out of both sides of the table. The index's lock makes it one step.
    fn remove(&self, index: &mut Index, id: u64) {
        if let Some(entry) = index.remove(id) {
            self.by_original.remove(entry.original());
        }
    }
}
