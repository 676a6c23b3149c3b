//! What was lately sealed and sent to a peer, so that it can be sent again when a move has lost it.
//!
//! The slots are the send buffers: a worker [takes](PacketPath::take_chunk) a chunk out, seals a row of messages into it,
//! sends from it and [gives it back](PacketPath::give_chunk). So nothing is copied and nothing allocated per packet, and
//! the ring's lock is held twice per row, for a moment. What the node sends itself is [copied](PacketPath::keep) in.
//!
//! # Invariants
//! - No ring holds more than its memory, all together no more than theirs; the oldest goes first.
//! - What was sent longer ago than the ring's age is never sent again. Only time counts during which traffic could
//!   flow: what was under way when a suspension began stays until it ends.

mod chunk;
mod clock;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stead_lct::PeerId;
use stead_wire::message::{Counter, SessionIndex};
use stead_wire::time::Instant;

pub(crate) use self::chunk::key_of;
pub use self::chunk::{Chunk, LONGEST_ROW};
use self::clock::Clock;
use crate::packet_path::PacketPath;
use crate::settings::Resending;

/// What names a sealed message: the receiver's index of its session, and its number there.
pub(crate) type Key = (SessionIndex, Counter);

/// A message that was sent before, as it was sealed.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) key: Key,
    pub(crate) datagram: Vec<u8>,
}

/// One peer's ring.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// The oldest first; what is taken out is missing.
    chunks: Mutex<VecDeque<Chunk>>,
    /// Nothing is kept: the peer could not tell what it has received.
    off: AtomicBool,
    clock: Clock,
}

/// What all rings share.
#[derive(Debug)]
pub(crate) struct Stock {
    resending: Resending,
    /// How many chunks there are, taken out or not.
    chunks: AtomicUsize,
    /// Whose the chunks are: one mention for each, whoever was given one longest ago first. So a chunk is found at once
    /// however many peers there are.
    holders: Mutex<VecDeque<PeerId>>,
}

impl PacketPath {
    /// Takes a chunk out of the peer's ring, to seal the next row into; `None` if what is sent to it is not kept.
    ///
    /// To be [given back](Self::give_chunk) soon: what it holds cannot be sent again meanwhile.
    #[must_use]
    pub fn take_chunk(&self, peer: PeerId, now: Instant) -> Option<Chunk> {
        let (ring, stock) = (self.lane(peer).ring(), self.stock());
        if ring.off.load(Ordering::Relaxed) || stock.most_per_ring() == 0 {
            return None;
        }
        let mut chunks = ring.lock();
        if chunks.back().is_some_and(Chunk::has_room) {
            return chunks.pop_back();
        }
        let stale =
            chunks.front().is_some_and(|oldest| oldest.unused_since(stock.horizon(ring.clock.read(now))));
        if !stale && chunks.len() < stock.most_per_ring() && stock.reserve() {
            drop(chunks);
            stock.mention(peer);
            return Some(Chunk::new());
        }
        let oldest = chunks.pop_front();
        drop(chunks);
        // All memory is in use: if none of it by this peer, another's goes.
        oldest.or_else(|| self.take_anothers(peer)).map(Chunk::emptied)
    }

    /// For `peer` the oldest chunk of whoever was given one longest ago.
    fn take_anothers(&self, peer: PeerId) -> Option<Chunk> {
        let stock = self.stock();
        let taken = (0..stock.resending.memory_of_all / chunk::BYTES).find_map(|_| {
            let holder = stock.holders().pop_front()?;
            let oldest = self.lane(holder).ring().lock().pop_front();
            if oldest.is_none() {
                // A worker has it taken out just now.
                stock.mention(holder);
            }
            oldest
        });
        if taken.is_some() {
            stock.mention(peer);
        }
        taken
    }

    /// Gives back a chunk with a new row: `len` bytes of messages, all but the last as long as `stride`.
    pub fn give_chunk(&self, peer: PeerId, mut chunk: Chunk, (len, stride): (usize, usize), now: Instant) {
        let ring = self.lane(peer).ring();
        chunk.record(len, stride, ring.clock.read(now));
        ring.lock().push_back(chunk);
    }

    /// Keeps a message that the node itself has sealed.
    pub(crate) fn keep(&self, peer: PeerId, datagram: &[u8], now: Instant) {
        if datagram.len() > LONGEST_ROW {
            return;
        }
        if let Some(mut chunk) = self.take_chunk(peer, now) {
            chunk.row_mut()[..datagram.len()].copy_from_slice(datagram);
            self.give_chunk(peer, chunk, (datagram.len(), datagram.len()), now);
        }
    }

    /// Copies of the first messages to the peer that are kept, were not sent before `since` and that `wanted` asks for
    /// by name and length, in the order in which they were sent: `most` bytes, the message that exceeds them included.
    pub(crate) fn kept(
        &self,
        peer: PeerId,
        most: usize,
        since: Instant,
        mut wanted: impl FnMut(Key, usize) -> bool,
        now: Instant,
    ) -> Vec<Sent> {
        let ring = self.lane(peer).ring();
        let horizon = self.horizon(peer, now).max(ring.clock.read(since));
        let chunks = ring.lock();
        let messages = chunks.iter().flat_map(|chunk| chunk.since(horizon));
        let mut bytes = 0;
        let asked =
            messages.filter(|(key, message)| wanted(*key, message.len())).take_while(|(_, message)| {
                let room = bytes < most;
                bytes += message.len();
                room
            });
        asked.map(|(key, bytes)| Sent { key, datagram: chunk::restored(bytes) }).collect()
    }

    /// Whether anything that was sent to the peer can be sent again.
    pub(crate) fn keeps_any(&self, peer: PeerId, now: Instant) -> bool {
        let horizon = self.horizon(peer, now);
        self.lane(peer).ring().lock().iter().any(|chunk| !chunk.unused_since(horizon))
    }

    /// Whether to keep what is sent to the peer from now on. If not, what was kept goes at once.
    pub(crate) fn set_keeping(&self, peer: PeerId, on: bool) {
        let ring = self.lane(peer).ring();
        if ring.off.swap(!on, Ordering::Relaxed) == on && !on {
            self.give_up(peer, |_| true);
        }
    }

    /// Gives the memory of what is too old back.
    pub(crate) fn forget_old(&self, peer: PeerId, now: Instant) {
        let horizon = self.horizon(peer, now);
        self.give_up(peer, |chunk| chunk.unused_since(horizon));
    }

    /// Whether traffic to the peer can flow. As long as it cannot, what is kept grows no older.
    pub(crate) fn set_flowing(&self, peer: PeerId, on: bool, now: Instant) {
        self.lane(peer).ring().clock.set_going(on, now);
    }

    /// What was sent to the peer before this moment of its ring's clock is too old.
    fn horizon(&self, peer: PeerId, now: Instant) -> Instant {
        self.stock().horizon(self.lane(peer).ring().clock.read(now))
    }

    fn give_up(&self, peer: PeerId, goes: impl Fn(&Chunk) -> bool) {
        let mut chunks = self.lane(peer).ring().lock();
        let before = chunks.len();
        chunks.retain(|chunk| !goes(chunk));
        let gone = before - chunks.len();
        drop(chunks);
        (0..gone).for_each(|_| self.stock().unreserve(peer));
    }
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Chunk>> {
        // A chunk is never half changed.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    pub(crate) fn new(resending: Resending) -> Self {
        Self { resending, chunks: AtomicUsize::new(0), holders: Mutex::default() }
    }

    const fn most_per_ring(&self) -> usize {
        self.resending.memory / chunk::BYTES
    }

    /// What was sent before this moment is too old.
    fn horizon(&self, now: Instant) -> Instant {
        let age = u64::try_from(self.resending.age.as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(now.as_micros().saturating_sub(age))
    }

    /// Room for one more chunk, if there is any.
    fn reserve(&self) -> bool {
        let most = (self.resending.memory_of_all / chunk::BYTES).max(1);
        let more = |chunks: usize| (chunks < most).then_some(chunks + 1);
        self.chunks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn unreserve(&self, holder: PeerId) {
        self.chunks.fetch_sub(1, Ordering::Relaxed);
        let mut holders = self.holders();
        if let Some(at) = holders.iter().position(|mentioned| *mentioned == holder) {
            holders.remove(at);
        }
    }

    /// `holder` was given a chunk.
    fn mention(&self, holder: PeerId) {
        self.holders().push_back(holder);
    }

    /// Never locked while a ring is: whoever asks another's ring has to have let go of his own.
    fn holders(&self) -> MutexGuard<'_, VecDeque<PeerId>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
