//! A network: its prefixes, who is in it under which address, and the router that joins it to the internet.
//!
//! IPv4 may be behind a NAT; IPv6 never is. Routers decide nothing else.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use stead_node::Prefix;
use stead_wire::time::Duration;

use crate::attacker::Attacker;
use crate::dice::Dice;
use crate::link::{LinkPlan, Wire};
use crate::nat::{Nat, NatPlan};

/// Which network of a world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NetworkId(pub(crate) usize);

/// Which host of a world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HostId(pub(crate) usize);

/// From a host to its router, or to a host in the same network.
pub const LAN: Duration = Duration::from_micros(200);

/// From one router to another. With the default link and [`LAN`] at both ends, hosts in two networks are
/// 5.4 ms apart, one way.
pub const INTERNET: Duration = Duration::from_millis(5);

/// What a network is like.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPlan {
    /// Its name, in traces.
    pub name: String,
    /// Its IPv4 prefix. Behind a NAT, other networks may have the same one.
    pub v4: Option<Prefix>,
    /// Its IPv6 prefix.
    pub v6: Option<Prefix>,
    /// What translates its IPv4 addresses.
    pub nat: Option<NatPlan>,
    /// Towards the internet.
    pub up: LinkPlan,
    /// From the internet.
    pub down: LinkPlan,
}

impl NetworkPlan {
    /// A network with good links, and no NAT.
    #[must_use]
    pub fn new(name: &str, v4: Option<Prefix>, v6: Option<Prefix>) -> Self {
        let link = LinkPlan::default();
        Self { name: name.to_owned(), v4, v6, nat: None, up: link, down: link }
    }

    /// The same network behind a NAT.
    #[must_use]
    pub fn behind(self, nat: NatPlan) -> Self {
        Self { nat: Some(nat), ..self }
    }

    /// The same network with the same link both ways.
    #[must_use]
    pub fn over(self, link: LinkPlan) -> Self {
        Self { up: link, down: link, ..self }
    }

    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.v4.into_iter().chain(self.v6)
    }
}

pub(crate) struct Network {
    pub(crate) plan: NetworkPlan,
    pub(crate) nat: Option<Nat>,
    pub(crate) up: Wire,
    pub(crate) down: Wire,
    pub(crate) attacker: Option<Attacker>,
    present: BTreeMap<IpAddr, HostId>,
    /// The number in the prefixes that a host had here last.
    leases: BTreeMap<HostId, u32>,
}

/// The first number that a host gets; 1 is the router's.
const FIRST_NUMBER: u32 = 2;

impl Network {
    pub(crate) fn new(plan: NetworkPlan, external: Ipv4Addr, dice: Dice) -> Self {
        let nat = plan.nat.filter(|_| plan.v4.is_some()).map(|nat| Nat::new(nat, external.into(), dice));
        Self {
            plan,
            nat,
            up: Wire::default(),
            down: Wire::default(),
            attacker: None,
            present: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }

    /// Whether an address is one of this network's own.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.plan.prefixes().any(|prefix| prefix.contains(address))
    }

    /// Whether the router translates this address.
    pub(crate) const fn translates(&self, address: IpAddr) -> bool {
        self.nat.is_some() && address.is_ipv4()
    }

    /// Whether the internet leads datagrams for this address here.
    pub(crate) fn is_reached_at(&self, address: IpAddr) -> bool {
        match &self.nat {
            Some(nat) if address.is_ipv4() => nat.external() == address,
            Some(_) | None => self.contains(address),
        }
    }

    /// Who has this address now.
    pub(crate) fn who_is_at(&self, address: IpAddr) -> Option<HostId> {
        self.present.get(&address).copied()
    }

    /// A host joins: the addresses it has here. It gets those it had before if they are free, or those that `takes`
    /// had, or the lowest free ones.
    pub(crate) fn join(&mut self, host: HostId, takes: Option<HostId>) -> Vec<(IpAddr, Prefix)> {
        let wanted = self.leases.get(&takes.unwrap_or(host)).copied().filter(|number| self.is_free(*number));
        let number = wanted.unwrap_or_else(|| self.lowest_free());
        self.leases.insert(host, number);
        let addresses: Vec<_> =
            self.plan.prefixes().map(|prefix| (address_of(prefix, number), prefix)).collect();
        self.present.extend(addresses.iter().map(|(ip, _)| (*ip, host)));
        addresses
    }

    /// A host leaves.
    pub(crate) fn leave(&mut self, host: HostId) {
        self.present.retain(|_, present| *present != host);
    }

    fn is_free(&self, number: u32) -> bool {
        self.plan.prefixes().all(|prefix| !self.present.contains_key(&address_of(prefix, number)))
    }

    /// A number that nobody has, and if possible nobody had.
    fn lowest_free(&self) -> u32 {
        let unused = |number: &u32| !self.leases.values().any(|leased| leased == number);
        let mut free = (FIRST_NUMBER..).filter(|number| self.is_free(*number));
        let last = FIRST_NUMBER + 200;
        (FIRST_NUMBER..last)
            .find(|number| unused(number) && self.is_free(*number))
            .or_else(|| free.next())
            .unwrap_or(last)
    }
}

/// The address with this number in a prefix.
fn address_of(prefix: Prefix, number: u32) -> IpAddr {
    match prefix.address() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | number)),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | u128::from(number)).into()),
    }
}

/// An endpoint with another address or port.
pub(crate) const fn readdressed(endpoint: SocketAddr, ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, endpoint.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_noise::random::Random;

    fn network() -> Network {
        let prefix = |ip: &str, len| Prefix::new(ip.parse().unwrap(), len);
        let plan = NetworkPlan::new("cafe", prefix("10.2.0.0", 24), prefix("fd02::", 64));
        let dice = Dice::new(Random::from_seed([1; 32]).stream("nat"));
        Network::new(plan, Ipv4Addr::new(203, 0, 113, 1), dice)
    }

    fn first(addresses: &[(IpAddr, Prefix)]) -> String {
        addresses[0].0.to_string()
    }

    #[test]
    fn a_host_that_comes_back_has_the_address_it_had() {
        let mut cafe = network();
        let (a, b) = (HostId(0), HostId(1));
        assert_eq!(first(&cafe.join(a, None)), "10.2.0.2");
        cafe.leave(a);
        let joined = cafe.join(b, None);
        assert_eq!(first(&joined), "10.2.0.3", "not one that another had");
        assert_eq!(joined[1].0, "fd02::3".parse::<IpAddr>().unwrap());
        assert_eq!(first(&cafe.join(a, None)), "10.2.0.2");
        assert_eq!(cafe.who_is_at("fd02::2".parse().unwrap()), Some(a));
    }

    #[test]
    fn a_host_may_take_the_address_that_another_abandoned_but_not_one_in_use() {
        let mut cafe = network();
        let (a, b, c) = (HostId(0), HostId(1), HostId(2));
        cafe.join(a, None);
        assert_eq!(first(&cafe.join(b, Some(a))), "10.2.0.3", "a is still there");
        cafe.leave(a);
        assert_eq!(first(&cafe.join(c, Some(a))), "10.2.0.2");
        assert_eq!(first(&cafe.join(a, None)), "10.2.0.4", "and now it is c's");
    }
}
