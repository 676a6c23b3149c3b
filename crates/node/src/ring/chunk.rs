//! A piece of a ring: rows of sealed messages, one behind the other, and where each begins.

use stead_wire::message::{Counter, SessionIndex};
use stead_wire::relayed;
use stead_wire::time::Instant;

use super::Key;

/// Most bytes of a row: no less than the largest UDP payload.
pub const LONGEST_ROW: usize = 1 << 16;

/// Length of a chunk: four full rows, or more of those that are not full.
pub(super) const BYTES: usize = 4 * LONGEST_ROW;

/// See the module's documentation. Taken out of a ring for a new row, see
/// [`PacketPath::take_chunk`](crate::PacketPath::take_chunk).
#[derive(Debug)]
pub struct Chunk {
    bytes: Vec<u8>,
    used: usize,
    rows: Vec<Row>,
}

/// Messages that were sent together: all but the last have the same length.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: usize,
    len: usize,
    stride: usize,
    at: Instant,
}

impl Chunk {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; BYTES], used: 0, rows: Vec::new() }
    }

    /// Room for the next row.
    #[must_use]
    pub fn row_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.used..self.used + LONGEST_ROW]
    }

    /// What is in that room.
    #[must_use]
    pub fn row(&self) -> &[u8] {
        &self.bytes[self.used..self.used + LONGEST_ROW]
    }

    /// The row is complete.
    pub(super) fn record(&mut self, len: usize, stride: usize, at: Instant) {
        let (start, len) = (self.used, len.min(LONGEST_ROW));
        if len > 0 {
            self.rows.push(Row { start, len, stride: stride.max(1), at });
            self.used += len;
        }
    }

    pub(super) const fn has_room(&self) -> bool {
        BYTES - self.used >= LONGEST_ROW
    }

    /// The same memory with nothing in it.
    pub(super) fn emptied(mut self) -> Self {
        self.used = 0;
        self.rows.clear();
        self
    }

    /// Whether nothing in it was sent since `horizon`.
    pub(super) fn unused_since(&self, horizon: Instant) -> bool {
        self.rows.last().is_none_or(|last| last.at < horizon)
    }

    /// Every message that was sent since `horizon`.
    pub(super) fn since(&self, horizon: Instant) -> impl Iterator<Item = (Key, &[u8])> {
        let young = self.rows.iter().filter(move |row| row.at >= horizon);
        young.flat_map(|row| {
            let messages = self.bytes[row.start..row.start + row.len].chunks(row.stride);
            messages.filter_map(|message| Some((key_of(message)?, message)))
        })
    }
}

/// A message as its sender sealed it, whether or not it went over a relay.
pub(super) fn restored(sent: &[u8]) -> Vec<u8> {
    let mut message = sent.to_vec();
    relayed::unwrap(&mut message);
    message
}

/// What names the message: receiver's index and counter, behind type and reserved bytes.
pub(crate) fn key_of(message: &[u8]) -> Option<Key> {
    let receiver = message.get(4..8)?.try_into().ok()?;
    let counter = message.get(8..16)?.try_into().ok()?;
    Some((SessionIndex(u32::from_le_bytes(receiver)), Counter(u64::from_le_bytes(counter))))
}
