//! Paths that lead over a subscribe-notify service's relay: how they are named, and how datagrams take them.
//!
//! A relayed path is a path like any other, with a made-up remote address, so paths, challenges, updates and
//! handshakes work over a relay as they are. Where a datagram leaves or enters the node, the made-up address is
//! exchanged for the service's own, and the slot rides in the header's reserved bytes
//! ([`stead_wire::relayed`]): no byte more, nothing sealed twice. Which slots there are is the
//! [proxy](crate::proxy)'s business.
//!
//! # Invariants
//! - No made-up address ever comes from the network or from a peer's words, only from here.
//! - A relayed datagram enters only from a service that relays for us, in a slot that it gave us.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use stead_wire::options::RelaySlot;
use stead_wire::relayed;

use crate::drops::Discard;
use crate::notice::{Arrival, Transmit};
use crate::settings::Prefix;

/// The dummy prefix 100:0:0:1::/64 (RFC 9780): no host has such an address, and no route leads there.
const DUMMY: u64 = 0x0100_0000_0000_0001;

/// An address needs a port.
const PORT: u16 = 1;

/// A peer as a relay reaches it: which of the configured services, and which of its slots.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RelayAddress {
    service: u32,
    slot: u32,
}

impl RelayAddress {
    pub(crate) const fn new(service: u32, slot: RelaySlot) -> Self {
        Self { service, slot: slot.number() }
    }

    /// The relay's address that `remote` is; `None` for an address of the network.
    #[inline]
    #[must_use]
    pub fn of(remote: SocketAddr) -> Option<Self> {
        let SocketAddr::V6(v6) = remote else { return None };
        let bits = v6.ip().to_bits();
        let [service, slot] = [(bits >> 32) as u32, bits as u32];
        ((bits >> 64) as u64 == DUMMY).then_some(Self { service, slot })
    }

    /// The service's place among those configured, from 0.
    #[must_use]
    pub const fn service(self) -> u32 {
        self.service
    }

    /// Marks a message as relayed, as it came.
    pub(crate) fn mark(self, message: &mut [u8]) {
        if let Some(slot) = RelaySlot::new(self.slot) {
            relayed::wrap(message, slot);
        }
    }

    /// The addresses of all peers that the service `number` may relay to.
    pub(crate) fn block(number: u32) -> Prefix {
        let all = Ipv6Addr::from_bits((u128::from(DUMMY) << 64) | (u128::from(number) << 32));
        Prefix::new(IpAddr::V6(all), 96).unwrap_or(Prefix::host(IpAddr::V6(all)))
    }
}

impl From<RelayAddress> for SocketAddr {
    fn from(relay: RelayAddress) -> Self {
        let low = (u128::from(relay.service) << 32) | u128::from(relay.slot);
        (Ipv6Addr::from_bits((u128::from(DUMMY) << 64) | low), PORT).into()
    }
}

/// Whether an address is one that only this file makes.
pub(crate) fn is_made_up(ip: IpAddr) -> bool {
    RelayAddress::of(SocketAddr::new(ip, PORT)).is_some()
}

/// The relays that may be used now. Written by the node, read by the workers.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    gates: ArcSwap<BTreeMap<u32, Gate>>,
}

/// A service that relays for us: where it is, and which slots are ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Gate {
    pub(crate) remote: SocketAddr,
    pub(crate) slots: BTreeSet<RelaySlot>,
}

impl Relays {
    /// Shows the workers the gate of the service `number` as it is now; does nothing if that has not changed.
    pub(crate) fn set(&self, number: u32, gate: Option<Gate>) {
        let gates = self.gates.load();
        if gates.get(&number) == gate.as_ref() {
            return;
        }
        let mut changed = BTreeMap::clone(&gates);
        changed.remove(&number);
        changed.extend(gate.map(|gate| (number, gate)));
        self.gates.store(Arc::new(changed));
    }

    /// Where a datagram to `remote` really goes, and the slot to write into it; `None` if that relay is gone.
    #[inline]
    pub(crate) fn resolve(&self, remote: SocketAddr) -> Option<(SocketAddr, Option<RelaySlot>)> {
        match RelayAddress::of(remote) {
            None => Some((remote, None)),
            Some(relay) => self.gate(relay).map(|(remote, slot)| (remote, Some(slot))),
        }
    }

    fn gate(&self, relay: RelayAddress) -> Option<(SocketAddr, RelaySlot)> {
        let slot = RelaySlot::new(relay.slot)?;
        let gates = self.gates.load();
        gates.get(&relay.service).filter(|gate| gate.slots.contains(&slot)).map(|gate| (gate.remote, slot))
    }

    /// Makes a datagram to a relay's address one that the service relays; `None` if that relay is gone.
    pub(crate) fn send(&self, mut transmit: Transmit) -> Option<Transmit> {
        let (remote, slot) = self.resolve(transmit.remote)?;
        transmit.remote = remote;
        match slot {
            Some(slot) if !relayed::wrap(&mut transmit.datagram, slot) => None,
            _ => Some(transmit),
        }
    }

    /// Makes a relayed datagram what its sender sealed, arrived from the relay's address. Others pass as they are.
    #[inline]
    pub(crate) fn receive(&self, arrival: Arrival, datagram: &mut [u8]) -> Result<Arrival, Discard> {
        if is_made_up(arrival.source.ip()) {
            return Err(Discard::MadeUpSource);
        }
        let Some(slot) = relayed::slot_of(datagram) else { return Ok(arrival) };
        let gates = self.gates.load();
        let ours = |gate: &Gate| same(gate.remote, arrival.source) && gate.slots.contains(&slot);
        let (number, _) = gates.iter().find(|(_, gate)| ours(gate)).ok_or(Discard::UnknownRelay)?;
        relayed::unwrap(datagram);
        Ok(Arrival { source: RelayAddress::new(*number, slot).into(), local: arrival.local })
    }
}

/// Flow labels and scopes say nothing about who it is.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip(), one.port()) == (other.ip(), other.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: RelaySlot = RelaySlot::new(77).expect("a slot");
    const STRANGE: RelaySlot = RelaySlot::new(78).expect("a slot");

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn relays() -> Relays {
        let relays = Relays::default();
        relays.set(3, Some(Gate { remote: at("192.0.2.1:51821"), slots: [SLOT].into() }));
        relays
    }

    fn arrived(source: &str) -> Arrival {
        Arrival { source: at(source), local: None }
    }

    #[test]
    fn a_relays_address_is_told_from_the_networks() {
        let address = SocketAddr::from(RelayAddress::new(3, SLOT));
        assert_eq!(address, at("[100:0:0:1:0:3:0:4d]:1"));
        assert_eq!(RelayAddress::of(address), Some(RelayAddress::new(3, SLOT)));
        assert!(RelayAddress::block(3).contains(address.ip()));
        assert!(!RelayAddress::block(2).contains(address.ip()));
        for other in ["100.0.0.1:1", "[100::1]:1", "[100:0:0:2::1]:1", "[2001:db8::1]:1"] {
            assert_eq!(RelayAddress::of(at(other)), None, "{other}");
        }
    }

    #[test]
    fn a_datagram_goes_to_the_service_with_its_slot_and_comes_back_as_it_was() {
        let relays = relays();
        let remote = SocketAddr::from(RelayAddress::new(3, SLOT));
        let sent = Transmit { remote, local: None, datagram: vec![4, 0, 0, 0, 9, 9], whole: false };

        let mut relayed = relays.send(sent.clone()).expect("the relay is there");
        assert_eq!(relayed.remote, at("192.0.2.1:51821"));
        assert_eq!(relayed.datagram, [0x14, 0, 0, 77, 9, 9]);

        let arrival = relays.receive(arrived("192.0.2.1:51821"), &mut relayed.datagram).unwrap();
        assert_eq!((arrival.source, relayed.datagram), (remote, sent.datagram));
    }

    #[test]
    fn nothing_enters_from_elsewhere_in_a_strange_slot_or_from_an_address_that_is_made_up() {
        let relays = relays();
        let datagram = |slot: RelaySlot| {
            let mut datagram = vec![4, 0, 0, 0, 9, 9];
            relayed::wrap(&mut datagram, slot);
            datagram
        };
        let receive = |source: &str, mut datagram: Vec<u8>| relays.receive(arrived(source), &mut datagram);
        assert_eq!(receive("192.0.2.2:51821", datagram(SLOT)), Err(Discard::UnknownRelay));
        assert_eq!(receive("192.0.2.1:51822", datagram(SLOT)), Err(Discard::UnknownRelay));
        assert_eq!(receive("192.0.2.1:51821", datagram(STRANGE)), Err(Discard::UnknownRelay));
        assert_eq!(receive("[100:0:0:1:0:3:0:4d]:1", vec![4, 0, 0, 0, 9]), Err(Discard::MadeUpSource));
        assert_eq!(receive("192.0.2.2:1", vec![4, 0, 0, 0, 9]), Ok(arrived("192.0.2.2:1")));
    }

    #[test]
    fn a_relay_that_is_gone_carries_nothing() {
        let relays = relays();
        relays.set(3, None);
        let remote = SocketAddr::from(RelayAddress::new(3, SLOT));
        assert_eq!(relays.resolve(remote), None);
        assert_eq!(relays.resolve(at("192.0.2.9:1")), Some((at("192.0.2.9:1"), None)));
    }
}
