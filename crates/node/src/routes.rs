//! Cryptokey routing: which peer owns a virtual address (WireGuard paper §2).
//!
//! Longest prefix first. Outbound it picks the peer, inbound it checks that a packet's source belongs to the
//! peer that sealed it. Built once from the settings and shared without a lock.

use core::net::IpAddr;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use stead_lct::PeerId;

use crate::settings::{Prefix, mask_v4, mask_v6};

/// Hashing with fixed keys, so that the same settings give the same table everywhere. Its keys come from
/// the configuration, never from a stranger, so nobody can aim for collisions.
type FixedHasher = BuildHasherDefault<DefaultHasher>;

/// The owners of all configured prefixes.
#[derive(Debug, Default)]
pub struct Routes {
    v4: Family<u32>,
    v6: Family<u128>,
}

/// One address family: for each prefix length in use, longest first, the blocks of that length.
#[derive(Debug)]
struct Family<A> {
    by_length: Vec<(u8, HashMap<A, PeerId, FixedHasher>)>,
}

impl<A> Default for Family<A> {
    fn default() -> Self {
        Self { by_length: Vec::new() }
    }
}

impl Routes {
    /// A table in which each of `owned` belongs to its peer. A later owner of the same prefix replaces the earlier.
    #[must_use]
    pub fn new(owned: impl IntoIterator<Item = (Prefix, PeerId)>) -> Self {
        let mut routes = Self::default();
        for (prefix, peer) in owned {
            match prefix.address() {
                IpAddr::V4(v4) => routes.v4.insert(v4.to_bits(), prefix.prefix_len(), peer),
                IpAddr::V6(v6) => routes.v6.insert(v6.to_bits(), prefix.prefix_len(), peer),
            }
        }
        routes
    }

    /// Who owns `address`. Costs one hash look-up per distinct prefix length in use.
    #[must_use]
    pub fn owner(&self, address: IpAddr) -> Option<PeerId> {
        match address {
            IpAddr::V4(v4) => self.v4.owner(|len| v4.to_bits() & mask_v4(len)),
            IpAddr::V6(v6) => self.v6.owner(|len| v6.to_bits() & mask_v6(len)),
        }
    }
}

impl<A: core::hash::Hash + Eq> Family<A> {
    fn insert(&mut self, address: A, len: u8, peer: PeerId) {
        // Descending by length, so that the first hit is the longest match.
        let at = match self.by_length.binary_search_by(|(other, _)| len.cmp(other)) {
            Ok(at) => at,
            Err(at) => {
                self.by_length.insert(at, (len, HashMap::default()));
                at
            }
        };
        self.by_length[at].1.insert(address, peer);
    }

    fn owner(&self, masked: impl Fn(u8) -> A) -> Option<PeerId> {
        self.by_length.iter().find_map(|(len, blocks)| blocks.get(&masked(*len)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(table: &[(&str, u8, u32)]) -> Routes {
        Routes::new(table.iter().map(|(address, len, peer)| {
            (Prefix::new(address.parse().unwrap(), *len).unwrap(), PeerId(*peer))
        }))
    }

    fn owner(routes: &Routes, address: &str) -> Option<u32> {
        routes.owner(address.parse().unwrap()).map(|peer| peer.0)
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order_of_insertion() {
        let table =
            routes(&[("10.0.0.0", 8, 1), ("10.1.2.3", 32, 3), ("10.1.0.0", 16, 2), ("0.0.0.0", 0, 9)]);
        assert_eq!(owner(&table, "10.1.2.3"), Some(3));
        assert_eq!(owner(&table, "10.1.2.4"), Some(2));
        assert_eq!(owner(&table, "10.9.9.9"), Some(1));
        assert_eq!(owner(&table, "192.0.2.1"), Some(9));
    }

    #[test]
    fn families_do_not_mix() {
        let table = routes(&[("0.0.0.0", 0, 1), ("fd00::", 8, 2)]);
        assert_eq!(owner(&table, "fd12::1"), Some(2));
        assert_eq!(owner(&table, "2001:db8::1"), None);
    }
}
