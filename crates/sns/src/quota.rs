//! How much belongs to which address: clients and subscriptions, counted so that one network cannot crowd out others.
//!
//! An address counts as [`network`] says. A client counts for the last address that it proved to receive at, so that
//! forged sources shift nothing.

use core::net::IpAddr;
use std::collections::BTreeMap;

use stead_noise::admission::network;

/// What one address has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) clients: usize,
    pub(crate) subscriptions: usize,
}

/// What every address has. Addresses that have nothing are not held.
#[derive(Debug, Default)]
pub(crate) struct Tallies(BTreeMap<IpAddr, Tally>);

impl Tallies {
    pub(crate) fn of(&self, address: IpAddr) -> Tally {
        self.0.get(&network(address)).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, address: IpAddr, more: Tally) {
        let tally = self.0.entry(network(address)).or_default();
        tally.clients += more.clients;
        tally.subscriptions += more.subscriptions;
    }

    pub(crate) fn remove(&mut self, address: IpAddr, less: Tally) {
        let address = network(address);
        let Some(tally) = self.0.get_mut(&address) else { return };
        tally.clients = tally.clients.saturating_sub(less.clients);
        tally.subscriptions = tally.subscriptions.saturating_sub(less.subscriptions);
        if *tally == Tally::default() {
            self.0.remove(&address);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_as_its_network_and_is_forgotten_with_its_last_client() {
        let mut tallies = Tallies::default();
        let (one, same, other) =
            ("2001:db8::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap(), "192.0.2.1".parse().unwrap());
        tallies.add(one, Tally { clients: 1, subscriptions: 2 });
        tallies.add(same, Tally { clients: 1, subscriptions: 3 });

        assert_eq!(tallies.of(one), Tally { clients: 2, subscriptions: 5 });
        assert_eq!(tallies.of(other), Tally::default());

        tallies.remove(same, Tally { clients: 2, subscriptions: 5 });
        assert_eq!((tallies.of(one), tallies.len()), (Tally::default(), 0));
    }
}
