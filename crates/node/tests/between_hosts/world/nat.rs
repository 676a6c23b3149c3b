//! A NAT in front of one host (RFC 4787): what it maps, and what it lets in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// How a NAT maps. Both kinds let in only what answers, by address and port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mapping {
    /// One port whatever the destination: port-restricted cone.
    EndpointIndependent,
    /// A port for each destination: symmetric.
    AddressAndPortDependent,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Nat {
    public: IpAddr,
    mapping: Mapping,
    ports: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
    contacted: BTreeSet<(u16, SocketAddr)>,
    next_port: u16,
}

impl Nat {
    pub(crate) fn new(public: &str, mapping: Mapping) -> Self {
        let public = public.parse().expect("an address");
        Self { public, mapping, ports: BTreeMap::new(), contacted: BTreeSet::new(), next_port: 40_000 }
    }

    /// Forgets every mapping; new ones get other ports.
    pub(crate) fn reboot(&mut self) {
        self.ports.clear();
        self.contacted.clear();
        self.next_port += 100;
    }

    /// What the world sees a datagram come from.
    pub(crate) fn outbound(&mut self, source: SocketAddr, destination: SocketAddr) -> SocketAddr {
        let towards = (self.mapping == Mapping::AddressAndPortDependent).then_some(destination);
        let fresh = self.next_port;
        let port = *self.ports.entry((source, towards)).or_insert(fresh);
        self.next_port += u16::from(port == fresh);
        self.contacted.insert((port, destination));
        SocketAddr::new(self.public, port)
    }

    /// Whom a datagram that comes here is for, if it is let in.
    pub(crate) fn inbound(&self, source: SocketAddr, destination: SocketAddr) -> Option<SocketAddr> {
        let open = destination.ip() == self.public && self.contacted.contains(&(destination.port(), source));
        let mapped = |((inside, _), port): (&(SocketAddr, Option<SocketAddr>), &u16)| {
            (*port == destination.port()).then_some(*inside)
        };
        self.ports.iter().find_map(mapped).filter(|_| open)
    }
}
