//! What a client asks of the subscribe-notify service, and what the service grants (seed 001 figure 10).
//!
//! A topic belongs to a pair of nodes; the service learns from it neither key nor name (D7).

use core::fmt;
use core::ops::BitOr;
use core::time::Duration;

use crate::reader::{DecodeError, Reader};

/// Names a pair of nodes to one service, and to nobody else anything.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Topic(pub [u8; 16]);

impl Topic {
    /// Bytes of a topic.
    pub const LEN: usize = 16;

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array("topic").copied().map(Self)
    }
}

impl fmt::Display for Topic {
    /// The first bytes in hexadecimal: enough to tell topics apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({self})")
    }
}

/// How long a subscription holds, in whole seconds. Zero ends it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lease(u16);

impl Lease {
    /// Asks to end a subscription, or says that it ended.
    pub const ENDED: Self = Self(0);

    /// A lease of so many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u16) -> Self {
        Self(seconds)
    }

    /// Its length.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    const fn encode(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// What a subscriber wishes besides being matched. Bits that we do not know are kept.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Wishes(u8);

impl Wishes {
    /// None.
    pub const NONE: Self = Self(0);
    /// "We look for this peer": tell its newest publication at once, and every later one, even if the
    /// subscriber is public and did not move.
    pub const WATCH: Self = Self(1);
    /// A relay slot is wanted.
    pub const RELAY: Self = Self(1 << 1);

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

impl BitOr for Wishes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Subscribes to a topic, renews the subscription, or ends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subscription {
    /// The pair that it is about.
    pub topic: Topic,
    /// How long it is asked for.
    pub lease: Lease,
    /// What else is wanted.
    pub wishes: Wishes,
}

impl Subscription {
    pub(super) const LEN: usize = Topic::LEN + 2 + 1;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.extend(self.lease.encode());
        out.push(self.wishes.0);
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: Topic::decode(&mut reader)?,
            lease: Lease(reader.u16_be("lease")?),
            wishes: Wishes(reader.u8("wishes")?),
        })
    }
}

/// A pair's place in the service's relay: 24 bits that ride in a relayed message's header, never zero.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RelaySlot(u32);

impl RelaySlot {
    /// How many slots there are.
    pub const COUNT: u32 = (1 << 24) - 1;

    /// `None` for zero and for what needs more than 24 bits.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::COUNT { None } else { Some(Self(number)) }
    }

    /// Its number, from 1 to [`Self::COUNT`].
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// In network byte order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }

    /// `None` for zeros.
    #[must_use]
    pub const fn from_bytes([a, b, c]: [u8; 3]) -> Option<Self> {
        Self::new(u32::from_be_bytes([0, a, b, c]))
    }
}

impl fmt::Display for RelaySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Grants a subscription and says how things stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subscribed {
    /// That of the subscription.
    pub topic: Topic,
    /// How long it holds, which may be less than was asked for.
    pub lease: Lease,
    /// Where to send what the service should relay; `None` if it does not, or the other side is not there.
    pub slot: Option<RelaySlot>,
    /// Whether the other side is subscribed too.
    pub present: bool,
}

impl Subscribed {
    pub(super) const LEN: usize = Topic::LEN + 2 + 3 + 1;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.extend(self.lease.encode());
        out.extend(self.slot.map_or([0; 3], RelaySlot::to_bytes));
        out.push(u8::from(self.present));
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: Topic::decode(&mut reader)?,
            lease: Lease(reader.u16_be("lease")?),
            slot: RelaySlot::from_bytes(*reader.array("relay slot")?),
            present: match reader.u8("presence")? {
                0 => false,
                1 => true,
                found => return Err(reader.unknown_value("presence", found)),
            },
        })
    }
}

/// Refuses a subscription or a publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Declined {
    /// That of what is refused.
    pub topic: Topic,
    /// Why.
    pub reason: Reason,
}

/// Why the service refuses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// The service holds as much as it may, or two others have the topic already.
    Full,
    /// This client, or its address, holds as much as it may.
    Quota,
    /// The service does not serve this client, or knows no such subscription.
    NotServed,
    /// The service does not relay.
    RelayOff,
    /// A newer publication is known.
    Stale,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 5] = [Self::Full, Self::Quota, Self::NotServed, Self::RelayOff, Self::Stale];

    /// The reason as a stable, greppable word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quota => "quota",
            Self::NotServed => "not-served",
            Self::RelayOff => "relay-off",
            Self::Stale => "stale",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Quota => 1,
            Self::NotServed => 2,
            Self::RelayOff => 3,
            Self::Stale => 4,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Declined {
    pub(super) const LEN: usize = Topic::LEN + 1;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.topic.0);
        out.push(self.reason.code());
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let topic = Topic::decode(&mut reader)?;
        let code = reader.u8("reason")?;
        let reason = Reason::ALL.into_iter().find(|reason| reason.code() == code);
        Ok(Self { topic, reason: reason.ok_or_else(|| reader.unknown_value("reason", code))? })
    }
}
