//! The probe and its reply: is the peer VC enhanced, and what can it do (seed 001 figure 21, par. 71).

use core::net::SocketAddr;
use core::ops::BitOr;

use super::address;
use crate::reader::{DecodeError, Reader};

/// What peers tell each other of themselves when they meet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Probe {
    /// Version of the options that the sender speaks.
    pub version: u8,
    /// What the sender is able to do.
    pub capabilities: Capabilities,
    /// The sender's attachment point as the sender knows it: compared with the source address it tells whether
    /// there is a NAT between (seed 001 figure 19).
    pub claimed: Option<SocketAddr>,
}

impl Probe {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.version);
        out.extend(self.capabilities.0.to_be_bytes());
        address::encode(self.claimed, out);
    }

    pub(super) const fn encoded_len(&self) -> usize {
        1 + 4 + address::encoded_len(self.claimed)
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.u8("version")?,
            capabilities: Capabilities(reader.u32_be("capabilities")?),
            claimed: address::decode(&mut reader, "claimed attachment point")?,
        })
    }
}

/// A set of abilities. Bits that we do not know are kept.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);
    /// "Able to move" (seed 001 par. 71).
    pub const MOBILE: Self = Self(1);
    /// "Processing power" (seed 001 par. 71): AES in hardware, so that AES-256-GCM is the faster cipher.
    pub const FAST_AES: Self = Self(1 << 1);

    /// Packets may come with the sum of their pseudo-header in stead of their checksum: the stack they go to takes it
    /// for right, and completes it where they go further. What was sealed is authentic without it.
    pub const PARTIAL_CHECKSUMS: Self = Self(1 << 2);

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The set's bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set only.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}
