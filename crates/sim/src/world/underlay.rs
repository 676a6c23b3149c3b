//! How a datagram gets from one host to another: its network, a NAT, a link, the internet, and all of it backwards.

use stead_node::{Arrival, Transmit};

use super::{Flight, Task, World};
use crate::bare;
use crate::datagram::{Datagram, Protocol};
use crate::host::{PORT, Role};
use crate::link::Passage;
use crate::network::{HostId, INTERNET, LAN, NetworkId, readdressed};
use crate::trace::{Drop, Seen, What};
use core::net::SocketAddr;
use stead_wire::time::Duration;

/// Which way over a network's line.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    Up,
    Down,
}

impl World {
    /// A machine sends: from the address it names, or from the one that leads there.
    pub(super) fn transmit(&mut self, by: HostId, transmit: Transmit) {
        let host = &self.hosts[by.0];
        let local = transmit
            .local
            .or_else(|| host.snapshot(stead_node::Cause::Changed).source_for(transmit.remote.ip()));
        let Some(local) = local else {
            let unspecified = if transmit.remote.is_ipv4() {
                SocketAddr::from(([0; 4], PORT))
            } else {
                SocketAddr::from(([0_u16; 8], PORT))
            };
            let lost = Datagram::udp(unspecified, transmit.remote, transmit.datagram);
            return self.lose(Some(by), &lost, Drop::NoRoute);
        };
        self.send(by, Datagram::udp(SocketAddr::new(local, PORT), transmit.remote, transmit.datagram));
    }

    /// A host sends.
    pub(super) fn send(&mut self, by: HostId, datagram: Datagram) {
        self.datagrams += 1;
        let seen = || What::Sent { by, seen: Seen::of(&datagram) };
        self.trace.note(self.now, seen);
        let Some(network) = self.hosts[by.0].network_of(datagram.source.ip()) else {
            return self.lose(Some(by), &datagram, Drop::NoSource);
        };
        self.audit.place(by, datagram.source);
        let flight = Flight { by: Some(by), sent: self.now, datagram };
        if self.networks[network.0].contains(flight.datagram.destination.ip()) {
            return self.agenda.put(self.now + LAN, Task::Deliver(network, flight));
        }
        self.leave(network, flight);
    }

    /// A datagram leaves a network through its router.
    fn leave(&mut self, network: NetworkId, mut flight: Flight) {
        let now = self.now;
        let ends = (flight.datagram.source, flight.datagram.destination);
        let protocol = flight.datagram.protocol;
        let here = &mut self.networks[network.0];
        if here.translates(ends.0.ip())
            && let Some(nat) = &mut here.nat
        {
            let hairpin = nat.plan().hairpin;
            match nat.outbound(protocol, ends, now) {
                Err(refusal) => return self.lose(flight.by, &flight.datagram, Drop::Nat(refusal)),
                Ok(translated) => {
                    let back = nat.external() == ends.1.ip();
                    flight.datagram.source = translated.external;
                    if translated.new && self.trace.is_on() {
                        let network = here.plan.name.clone();
                        self.note(|| What::Mapped { network, inside: ends.0, outside: translated.external });
                    }
                    if let Some(by) = flight.by {
                        self.audit.place(by, translated.external);
                    }
                    if back && !hairpin {
                        let refusal = Drop::Nat(crate::nat::Refusal::NoHairpin);
                        return self.lose(flight.by, &flight.datagram, refusal);
                    }
                    if back {
                        return self.agenda.put(now + LAN, Task::Enter(network, flight));
                    }
                }
            }
        }
        if let Some(flight) = self.pass_attacker(network, flight) {
            self.carry(network, Way::Up, flight);
        }
    }

    /// A datagram has reached the internet, which brings it to the line of the network it is for.
    pub(super) fn cross(&mut self, flight: Flight) {
        let address = flight.datagram.destination.ip();
        let Some(network) = self.networks.iter().position(|network| network.is_reached_at(address)) else {
            return self.lose(flight.by, &flight.datagram, Drop::NoRoute);
        };
        let network = NetworkId(network);
        if let Some(flight) = self.pass_attacker(network, flight) {
            self.carry(network, Way::Down, flight);
        }
    }

    /// Over a network's line.
    fn carry(&mut self, network: NetworkId, way: Way, flight: Flight) {
        let now = self.now;
        let here = &mut self.networks[network.0];
        let bytes = flight.datagram.wire_len();
        let links = &mut self.draws.links;
        let passage = match way {
            Way::Up => here.up.carry(&here.plan.up, bytes, links, now),
            Way::Down => here.down.carry(&here.plan.down, bytes, links, now),
        };
        match passage {
            Passage::Lost(loss) => self.lose(flight.by, &flight.datagram, Drop::Link(loss)),
            Passage::Arrives(first, again) => {
                for at in again.into_iter().chain([first]) {
                    let flight = flight.clone();
                    match way {
                        Way::Up => self.agenda.put(at + LAN + INTERNET, Task::Cross(flight)),
                        Way::Down => self.agenda.put(at, Task::Enter(network, flight)),
                    }
                }
            }
        }
    }

    /// Past whoever sits on the line; the datagram itself, unless it was withheld.
    fn pass_attacker(&mut self, network: NetworkId, flight: Flight) -> Option<Flight> {
        let now = self.now;
        let Some(attacker) = &mut self.networks[network.0].attacker else { return Some(flight) };
        let interference = attacker.interfere(&flight.datagram, now);
        for (after, datagram) in interference.sent {
            let own = interference.withheld && datagram == flight.datagram;
            let by = if own { flight.by } else { None };
            self.agenda.put(now + after, Task::Inject(network, Flight { by, sent: now, datagram }));
        }
        (!interference.withheld).then_some(flight)
    }

    /// An attacker's datagram goes over the line it was put on.
    pub(super) fn inject(&mut self, network: NetworkId, flight: Flight) {
        if self.trace.is_on() && flight.by.is_none() {
            let (name, seen) = (self.networks[network.0].plan.name.clone(), Seen::of(&flight.datagram));
            self.note(|| What::Injected { network: name, seen });
        }
        let inbound = self.networks[network.0].is_reached_at(flight.datagram.destination.ip());
        self.carry(network, if inbound { Way::Down } else { Way::Up }, flight);
    }

    /// A datagram has reached a network's router from outside.
    pub(super) fn enter(&mut self, network: NetworkId, mut flight: Flight) {
        let now = self.now;
        let destination = flight.datagram.destination;
        let here = &self.networks[network.0];
        if here.translates(destination.ip())
            && let Some(nat) = &here.nat
        {
            match nat.inbound(flight.datagram.protocol, flight.datagram.source, destination.port(), now) {
                Ok(inside) => flight.datagram.destination = readdressed(inside, inside.ip()),
                Err(refusal) => return self.lose(flight.by, &flight.datagram, Drop::Nat(refusal)),
            }
        }
        self.agenda.put(now + LAN, Task::Deliver(network, flight));
    }

    /// A datagram has crossed the network of its destination.
    pub(super) fn deliver(&mut self, network: NetworkId, flight: Flight) {
        let destination = flight.datagram.destination;
        let Some(to) = self.networks[network.0].who_is_at(destination.ip()) else {
            return self.lose(flight.by, &flight.datagram, Drop::Nobody);
        };
        let host = &mut self.hosts[to.0];
        if !host.is_awake() {
            return self.lose(flight.by, &flight.datagram, Drop::Asleep);
        }
        let is_bare = host.plan.role == Role::Bare;
        if !is_bare && (flight.datagram.protocol == Protocol::Tcp || destination.port() != PORT) {
            return self.lose(flight.by, &flight.datagram, Drop::NotListening);
        }
        if is_bare {
            host.stack.handle_packet(bare::to_packet(flight.datagram.clone()));
        } else {
            let arrival = Arrival { source: flight.datagram.source, local: Some(destination.ip()) };
            if let Err(why) = self.offer(to, arrival, &flight.datagram) {
                return self.lose(flight.by, &flight.datagram, why);
            }
        }
        let (by, sent, seen) = (flight.by, flight.sent, Seen::of(&flight.datagram));
        self.note(|| What::Delivered { to, by, sent, seen });
        self.service(to);
    }

    pub(super) fn lose(&mut self, by: Option<HostId>, datagram: &Datagram, why: Drop) {
        self.trace.note(self.now, || What::Dropped { by, seen: Seen::of(datagram), why });
    }
}

/// From a host to another in another network and back, over links without delay of their own.
pub const ROUND_TRIP: Duration = Duration::from_micros(2 * (2 * 200 + 5000));
