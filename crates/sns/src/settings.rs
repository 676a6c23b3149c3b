//! What a service is told at its start.

use core::time::Duration;
use std::collections::BTreeSet;

use stead_noise::keys::{PublicKey, StaticSecret};

/// Everything a [`Service`](crate::Service) needs to know before its first datagram.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its static key: what its clients know it by.
    pub secret: StaticSecret,
    /// Whom it serves; `None` for every key within the quotas.
    pub clients: Option<BTreeSet<PublicKey>>,
    /// How much it holds.
    pub quotas: Quotas,
    /// The longest lease it grants, in whole seconds; longer wishes are cut.
    pub longest_lease: Duration,
    /// Two sides of a pair that move within this time moved at once (seed 001 par. 66).
    pub window: Duration,
    /// How much it relays; `None` for not at all.
    pub relay: Option<RelayLimits>,
}

/// How much the service holds: in all, per client, and per address (an IPv4 address, or the /64 of an IPv6 one).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quotas {
    /// Clients at most. Each costs some 6 KiB.
    pub clients: usize,
    /// Clients of one address at most: a network behind one NAT has one address.
    pub clients_per_address: usize,
    /// Subscriptions at most. Each costs less than half a KiB.
    pub subscriptions: usize,
    /// Subscriptions of one client at most: one for each of its peers.
    pub subscriptions_per_client: usize,
    /// Subscriptions of all clients of one address at most.
    pub subscriptions_per_address: usize,
}

/// How much the service relays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelayLimits {
    /// Bytes per second of one pair, both directions together.
    pub rate: u64,
    /// Bytes that a pair may send at once after a pause.
    pub burst: u64,
    /// Bytes per second of all pairs together, shared equally among those that send.
    pub total: u64,
}

impl Settings {
    /// A service for every key, with the default quotas and a relay.
    #[must_use]
    pub fn new(secret: StaticSecret) -> Self {
        Self {
            secret,
            clients: None,
            quotas: Quotas::default(),
            longest_lease: Self::LONGEST_LEASE,
            window: Self::WINDOW,
            relay: Some(RelayLimits::default()),
        }
    }

    /// Ten minutes: a phone behind NAT speaks every 25 s anyway, and a node that vanished costs memory no longer.
    pub const LONGEST_LEASE: Duration = Duration::from_secs(600);

    /// One second, as the seed proposes.
    pub const WINDOW: Duration = Duration::from_secs(1);
}

impl Default for Quotas {
    /// Room for a thousand nodes with a thousand peers each, in less than a GiB.
    fn default() -> Self {
        Self {
            clients: 65_536,
            clients_per_address: 256,
            subscriptions: 1_000_000,
            subscriptions_per_client: 1024,
            subscriptions_per_address: 16_384,
        }
    }
}

impl Default for RelayLimits {
    /// A video call for a pair, some fifty of them in all.
    fn default() -> Self {
        Self { rate: 1_000_000, burst: 256_000, total: 16_000_000 }
    }
}
