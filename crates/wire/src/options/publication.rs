//! Where a client is, published sealed for one peer and handed on by the subscribe-notify service (seed 001
//! figures 10 and 18).

use core::fmt;
use core::net::SocketAddr;
use core::ops::BitOr;

use super::{Topic, address};
use crate::reader::{DecodeError, Reader};

/// What only the publisher's peer can open; its sender and the service see bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// Nonce 24, tag 16, and the longest list of attachment points, with a few bytes to spare.
    pub const MOST: usize = 200;

    /// `None` for more than [`Self::MOST`] bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MOST).then(|| Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn encode(&self, out: &mut Vec<u8>) {
        // At most `Self::MOST`, by construction.
        out.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        out.extend(&self.0);
    }

    fn encoded_len(&self) -> usize {
        1 + self.0.len()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = reader.count(Self::MOST, "sealed bytes")?;
        reader.bytes(len, "sealed bytes").map(|bytes| Self(bytes.into()))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What the service may know of a publication. Bits that we do not know are kept.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Marks(u8);

impl Marks {
    /// None: the publisher is where it was.
    pub const NONE: Self = Self(0);
    /// The publisher moved just now (seed 001 figure 12: both moved at once).
    pub const MOVED: Self = Self(1);

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Publishes where the sender is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publication {
    /// The pair that it is for.
    pub topic: Topic,
    /// Orders the publisher's publications; an older one than the newest known is refused.
    pub number: u64,
    /// What the service may know of it.
    pub marks: Marks,
    /// The rest.
    pub sealed: Sealed,
}

impl Publication {
    /// Length of the longest.
    pub(super) const MOST_LEN: usize = Topic::LEN + 8 + 1 + 1 + Sealed::MOST;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.extend(self.number.to_be_bytes());
        out.push(self.marks.0);
        self.sealed.encode(out);
    }

    pub(super) fn encoded_len(&self) -> usize {
        Topic::LEN + 8 + 1 + self.sealed.encoded_len()
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: Topic::decode(&mut reader)?,
            number: reader.u64_be("number")?,
            marks: Marks(reader.u8("marks")?),
            sealed: Sealed::decode(&mut reader)?,
        })
    }
}

/// Names one publication of a topic: acknowledges it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// That of the publication.
    pub topic: Topic,
    /// That of the publication.
    pub number: u64,
}

impl Receipt {
    pub(super) const LEN: usize = Topic::LEN + 8;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.extend(self.number.to_be_bytes());
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { topic: Topic::decode(&mut reader)?, number: reader.u64_be("number")? })
    }
}

/// Hands a publication on to its subscriber.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notification {
    /// That of the publication.
    pub topic: Topic,
    /// That of the publication.
    pub number: u64,
    /// Where the publisher's datagrams come from: the service's word, a hint to be proven (D7).
    pub apparent: SocketAddr,
    /// As it was published.
    pub sealed: Sealed,
}

impl Notification {
    /// Length of the longest.
    pub(super) const MOST_LEN: usize = Topic::LEN + 8 + address::MOST_LEN + 1 + Sealed::MOST;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.extend(self.number.to_be_bytes());
        address::encode(Some(self.apparent), out);
        self.sealed.encode(out);
    }

    pub(super) fn encoded_len(&self) -> usize {
        Topic::LEN + 8 + address::encoded_len(Some(self.apparent)) + self.sealed.encoded_len()
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: Topic::decode(&mut reader)?,
            number: reader.u64_be("number")?,
            apparent: address::decode_some(&mut reader, "apparent attachment point")?,
            sealed: Sealed::decode(&mut reader)?,
        })
    }
}
