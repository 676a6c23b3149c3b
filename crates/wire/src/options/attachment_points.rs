//! Candidates: every attachment point where the sender believes it can be reached.

use core::net::SocketAddr;

use super::address;
use crate::reader::{DecodeError, Reader};

/// At most [`AttachmentPoints::MOST`] attachment points, the preferred ones first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AttachmentPoints(Vec<SocketAddr>);

impl AttachmentPoints {
    /// A host has a handful of addresses that work, and the option has 253 bytes.
    pub const MOST: usize = 8;

    /// Length of the longest.
    pub(super) const MOST_LEN: usize = 1 + Self::MOST * address::MOST_LEN;

    /// The first [`Self::MOST`] of `points`.
    #[must_use]
    pub fn new(points: &[SocketAddr]) -> Self {
        Self(points.iter().copied().take(Self::MOST).collect())
    }

    /// The attachment points, in the sender's order.
    #[must_use]
    pub fn as_slice(&self) -> &[SocketAddr] {
        &self.0
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        // At most `Self::MOST`, by construction.
        out.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for point in &self.0 {
            address::encode(Some(*point), out);
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        1 + self.0.iter().map(|point| address::encoded_len(Some(*point))).sum::<usize>()
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(Self::MOST, "attachment points")?;
        (0..count)
            .map(|_| address::decode_some(&mut reader, "attachment points"))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}
