//! Which counters of a session were seen: each is accepted once, in any order within a window.
//!
//! Any number of workers share a [`ReplayWindow`] without a lock. It does not authenticate: the session asks
//! [`ReplayWindow::check`] before opening, to spare the work, and [`ReplayWindow::accept`] only once the tag
//! was right.
//!
//! A ring of words, each an epoch and a bitmap for 32 counters, with the epoch telling which round of the
//! ring the bitmap is about:
//! ```text
//!  counter: |      epoch … | slot (9 bits) | bit (5 bits) |
//!
//!  ring[slot]: | epoch, low 32 bits | seen: bitmap of 32 |
//! ```
//!
//! # Invariants
//! - No counter is accepted twice.
//! - A counter is refused unseen only if it lies [`REPLAY_WINDOW`] or more below the greatest accepted one.
//!
//! # Why it needs no lock
//! `accept` raises the greatest counter before it touches the ring. A word of another epoch is thus either newer, and
//! then the greatest counter, read after the word, says that ours is too old; or it is left from an earlier
//! round, and is replaced by compare-and-swap. The ring has room for two windows, so a counter in the window never
//! shares a word with another one in it.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use stead_wire::message::Counter;

use crate::session::Discard;

/// How far below the greatest counter others are still accepted: WireGuard's kernel keeps about as many,
/// enough for 10 Gbit/s of full packets to be reordered by 9 ms.
pub const REPLAY_WINDOW: u64 = 8192;

/// The counters seen in one direction of one session.
pub struct ReplayWindow {
    /// One more than the greatest counter accepted; zero if none was.
    next: AtomicU64,
    ring: Box<[AtomicU64; SLOTS]>,
}

impl ReplayWindow {
    /// A window that saw nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { next: AtomicU64::new(0), ring: Box::new([const { AtomicU64::new(0) }; SLOTS]) }
    }

    /// Whether `counter` would be accepted now. A hint: another worker may be about to accept the same.
    ///
    /// # Errors
    /// As [`ReplayWindow::accept`].
    pub fn check(&self, counter: Counter) -> Result<(), Discard> {
        let place = Place::of(counter);
        let word = self.ring[place.slot].load(Ordering::Acquire);
        if self.is_too_old(counter) {
            return Err(Discard::TooOld);
        }
        if epoch_of(word) == place.epoch && word & place.bit != 0 {
            return Err(Discard::Replayed);
        }
        Ok(())
    }

    /// Marks `counter` as seen. Of all calls with the same counter, from all threads, one succeeds.
    ///
    /// `counter` must be below `u64::MAX`.
    ///
    /// # Errors
    /// [`Discard::Replayed`] if it was seen before, [`Discard::TooOld`] if it is below the window.
    pub fn accept(&self, counter: Counter) -> Result<(), Discard> {
        if counter.0 >= self.next.load(Ordering::Acquire) {
            self.next.fetch_max(counter.0 + 1, Ordering::AcqRel);
        }
        let place = Place::of(counter);
        let slot = &self.ring[place.slot];
        let mut word = slot.load(Ordering::Acquire);
        loop {
            // After the word was read, so that a word newer than ours cannot be taken for an old one.
            if self.is_too_old(counter) {
                return Err(Discard::TooOld);
            }
            let seen = if epoch_of(word) == place.epoch { word & BITMAP } else { 0 };
            if seen & place.bit != 0 {
                return Err(Discard::Replayed);
            }
            let marked = place.epoch << 32 | seen | place.bit;
            match slot.compare_exchange_weak(word, marked, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(current) => word = current,
            }
        }
    }

    /// The greatest counter accepted, if any was.
    #[must_use]
    pub fn greatest(&self) -> Option<Counter> {
        self.next.load(Ordering::Acquire).checked_sub(1).map(Counter)
    }

    /// One more than the greatest counter accepted, and the unseen ones below it that would still be accepted: runs of
    /// them, from the newest to the oldest.
    ///
    /// While other workers accept, it may tell a counter that is just arriving.
    pub fn missing(&self) -> (Counter, impl Iterator<Item = Range<Counter>>) {
        let next = self.next.load(Ordering::Acquire);
        let oldest = next.saturating_sub(REPLAY_WINDOW);
        let mut bound = next;
        let runs = core::iter::from_fn(move || {
            let end = self.skip(bound, oldest, true);
            bound = self.skip(end, oldest, false);
            (bound < end).then_some(Counter(bound)..Counter(end))
        });
        (Counter(next), runs)
    }

    /// Goes down from `bound` over the counters that were seen, or not, to the first of the others, but not below
    /// `oldest`; returns the new bound.
    fn skip(&self, mut bound: u64, oldest: u64, seen: bool) -> u64 {
        while bound > oldest {
            let place = Place::of(Counter(bound - 1));
            let word = self.ring[place.slot].load(Ordering::Acquire);
            let marks = if epoch_of(word) == place.epoch { word as u32 } else { 0 };
            let others = if seen { !marks } else { marks };
            // Those at and below the bound's bit; the highest of them is where to stop.
            let below = others & (u32::MAX >> (31 - place.bit.trailing_zeros()));
            let block = (bound - 1) / COUNTERS_PER_WORD * COUNTERS_PER_WORD;
            if below != 0 {
                return oldest.max(block + u64::from(u32::BITS - below.leading_zeros()));
            }
            bound = block;
        }
        oldest
    }

    fn is_too_old(&self, counter: Counter) -> bool {
        self.next.load(Ordering::Acquire).saturating_sub(counter.0) > REPLAY_WINDOW
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a counter is marked.
struct Place {
    slot: usize,
    /// The low 32 bits of the round. A session never comes round to the same again: that takes 2^46 messages,
    /// or a peer that leaves out as many, and then a counter of its own is refused.
    epoch: u64,
    bit: u64,
}

impl Place {
    fn of(counter: Counter) -> Self {
        let block = counter.0 / COUNTERS_PER_WORD;
        Self {
            slot: (block % SLOTS as u64) as usize,
            epoch: (block / SLOTS as u64) & BITMAP,
            bit: 1 << (counter.0 % COUNTERS_PER_WORD),
        }
    }
}

fn epoch_of(word: u64) -> u64 {
    word >> 32
}

const COUNTERS_PER_WORD: u64 = 32;

/// Room for two windows, 4 KiB.
const SLOTS: usize = 2 * (REPLAY_WINDOW / COUNTERS_PER_WORD) as usize;

/// The lower half of a word.
const BITMAP: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests;
