//! What arrived in a session, and what is missing below it: the other side sends that again.
//!
//! ```text
//! +---------------+--------------+-------+----------------+---------------+-----
//! | session index | next counter | holes | 1st hole: down | 1st hole: len | …
//! +---------------+--------------+-------+----------------+---------------+-----
//!   4               8              1       2                2
//! ```
//! Holes are told from the newest to the oldest. `down` is how many counters that did arrive lie between a hole and
//! what was told before it: the next counter, or the hole before.

use super::HEADER_LEN;
use crate::message::{Counter, SessionIndex};
use crate::reader::{DecodeError, Reader};

/// What the sender has received in one session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// The session, as the headers of the messages concerned name it: by the index of who received them.
    pub session: SessionIndex,
    /// One more than the greatest counter that arrived; zero if nothing did.
    pub next: Counter,
    /// What is missing below.
    pub holes: Holes,
}

/// Runs of counters that did not arrive, from the newest to the oldest; what is older than the last has arrived, or is
/// not wanted any more.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holes(Vec<Hole>);

/// A run of counters that did not arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hole {
    /// The first of them.
    pub first: Counter,
    /// How many, at least one.
    pub len: u16,
}

impl Hole {
    const LEN: usize = 4;

    /// The counter behind the last of them.
    #[must_use]
    pub const fn end(&self) -> Counter {
        Counter(self.first.0.saturating_add(self.len as u64))
    }
}

impl Holes {
    /// Loss without any move leaves one hole per hundred messages or so; these reach back over more than the time that a
    /// move takes, and two sessions' fit a small datagram.
    pub const MOST: usize = 24;

    /// The newest of `holes` below `next`: as many as can be told. They come from the newest to the oldest, and do not
    /// touch each other.
    #[must_use]
    pub fn below(next: Counter, holes: impl IntoIterator<Item = Hole>) -> Self {
        let mut bound = next.0;
        let tellable = |hole: &Hole| {
            let down = bound.checked_sub(hole.end().0).filter(|down| *down <= u64::from(u16::MAX));
            bound = hole.first.0;
            hole.len > 0 && down.is_some()
        };
        Self(holes.into_iter().take_while(tellable).take(Self::MOST).collect())
    }

    /// The holes, the newest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Hole] {
        &self.0
    }
}

impl Received {
    /// Length of the longest.
    pub(super) const MOST_LEN: usize = 4 + 8 + 1 + Holes::MOST * Hole::LEN;

    /// Bytes that the longest needs beside other options.
    pub const LONGEST: usize = HEADER_LEN + Self::MOST_LEN;

    /// Whether the message with this counter is told to be missing.
    #[must_use]
    pub fn misses(&self, counter: Counter) -> bool {
        let within = |hole: &Hole| (hole.first..hole.end()).contains(&counter);
        counter >= self.next || self.holes.0.iter().any(within)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.session.0.to_be_bytes());
        out.extend(self.next.0.to_be_bytes());
        // At most `Holes::MOST`, by construction.
        out.push(u8::try_from(self.holes.0.len()).unwrap_or(u8::MAX));
        let mut bound = self.next;
        for hole in &self.holes.0 {
            // Fits, by construction.
            let down = u16::try_from(bound.0.saturating_sub(hole.end().0)).unwrap_or(u16::MAX);
            out.extend(down.to_be_bytes());
            out.extend(hole.len.to_be_bytes());
            bound = hole.first;
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        4 + 8 + 1 + self.holes.0.len() * Hole::LEN
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let session = SessionIndex(reader.u32_be("session index")?);
        let next = Counter(reader.u64_be("next counter")?);
        let count = reader.count(Holes::MOST, "holes")?;
        let mut holes = Vec::with_capacity(count);
        let mut bound = next.0;
        for _ in 0..count {
            let down = u64::from(reader.u16_be("distance of a hole")?);
            let len = reader.u16_be("length of a hole")?;
            if len == 0 {
                return Err(too_small("length of a hole", 1, 0));
            }
            let span = down + u64::from(len);
            // No counter is below zero.
            let first = bound.checked_sub(span).ok_or(too_small("next counter", span, bound))?;
            holes.push(Hole { first: Counter(first), len });
            bound = first;
        }
        Ok(Self { session, next, holes: Holes(holes) })
    }
}

fn too_small(field: &'static str, least: u64, found: u64) -> DecodeError {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    DecodeError::LengthTooSmall {
        message: "received option",
        field,
        least: number(least),
        found: number(found),
    }
}
