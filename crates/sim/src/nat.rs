//! Network address translators, by the behaviours that RFC 4787 names.
//!
//! A [`Nat`] translates what leaves a network and decides what may enter. It never sends anything itself.
//!
//! # Invariants
//! - Only datagrams from inside make or refresh a mapping (RFC 4787 REQ-6, outbound refresh).
//! - An external port belongs to one internal endpoint at a time (no port overloading, REQ-3).

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use stead_wire::time::{Duration, Instant};

use crate::datagram::Protocol;
use crate::dice::Dice;

/// On what of the destination a mapping or a filter depends (RFC 4787 sections 4.1 and 5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// On nothing.
    EndpointIndependent,
    /// On its address.
    AddressDependent,
    /// On its address and port.
    AddressAndPortDependent,
}

/// How external ports are chosen (RFC 4787 section 4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ports {
    /// The internal port, if it is free.
    Preserved,
    /// Any, by chance: nothing tells the next one.
    Random,
}

/// What a NAT does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NatPlan {
    /// When an internal endpoint gets another external one.
    pub mapping: Behaviour,
    /// Who may answer.
    pub filtering: Behaviour,
    /// How external ports are chosen.
    pub ports: Ports,
    /// After how long without a datagram from inside a UDP mapping is gone.
    pub udp_timeout: Duration,
    /// Whether two hosts inside may meet at external endpoints (RFC 4787 section 6).
    pub hairpin: bool,
}

impl NatPlan {
    /// "Full cone": endpoint-independent mapping and filtering.
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::of(Behaviour::EndpointIndependent, Behaviour::EndpointIndependent)
    }

    /// "Restricted cone": endpoint-independent mapping, address-dependent filtering.
    #[must_use]
    pub const fn address_restricted() -> Self {
        Self::of(Behaviour::EndpointIndependent, Behaviour::AddressDependent)
    }

    /// "Port restricted cone": endpoint-independent mapping, address- and port-dependent filtering.
    #[must_use]
    pub const fn port_restricted() -> Self {
        Self::of(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent)
    }

    /// "Symmetric": address- and port-dependent mapping and filtering.
    #[must_use]
    pub const fn symmetric() -> Self {
        Self::of(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent)
    }

    /// Random ports, 120 s for UDP (RFC 4787 REQ-5's least), no hairpinning.
    #[must_use]
    pub const fn of(mapping: Behaviour, filtering: Behaviour) -> Self {
        let udp_timeout = Duration::from_secs(120);
        Self { mapping, filtering, ports: Ports::Random, udp_timeout, hairpin: false }
    }
}

/// How long a TCP mapping lives without a segment from inside (RFC 5382 REQ-5).
const TCP_TIMEOUT: Duration = Duration::from_secs(7440);

/// Most mappings at a time; beyond it, new ones are refused.
const MAPPINGS: usize = 4096;

/// Where external ports begin.
const FIRST_PORT: u16 = 1024;

/// A translator at work.
#[derive(Debug)]
pub(crate) struct Nat {
    plan: NatPlan,
    external: IpAddr,
    mappings: BTreeMap<Inside, u16>,
    outside: BTreeMap<(Protocol, u16), Mapping>,
    dice: Dice,
}

/// What a mapping is found by from inside.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Inside {
    protocol: Protocol,
    endpoint: SocketAddr,
    /// As much of the destination as the mapping depends on.
    towards: Scope,
}

/// As much of a remote endpoint as a behaviour looks at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Scope {
    Anyone,
    Address(IpAddr),
    Endpoint(SocketAddr),
}

impl Scope {
    const fn of(behaviour: Behaviour, remote: SocketAddr) -> Self {
        match behaviour {
            Behaviour::EndpointIndependent => Self::Anyone,
            Behaviour::AddressDependent => Self::Address(remote.ip()),
            Behaviour::AddressAndPortDependent => Self::Endpoint(remote),
        }
    }
}

#[derive(Debug)]
struct Mapping {
    inside: Inside,
    refreshed: Instant,
    /// To whom something went, and when last.
    permitted: BTreeMap<Scope, Instant>,
}

/// Why a NAT let nothing through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// No mapping has that external port.
    NoMapping,
    /// There is a mapping, but not for this sender.
    Filtered,
    /// No port or no room for another mapping.
    Exhausted,
    /// From inside to the own external address, and the NAT does not hairpin.
    NoHairpin,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMapping => "the NAT has no such mapping",
            Self::Filtered => "the NAT's filter lets this sender not in",
            Self::Exhausted => "the NAT has no room for another mapping",
            Self::NoHairpin => "the NAT does not hairpin",
        })
    }
}

/// An external endpoint, and whether it was made just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Translated {
    pub(crate) external: SocketAddr,
    pub(crate) new: bool,
}

impl Nat {
    pub(crate) const fn new(plan: NatPlan, external: IpAddr, dice: Dice) -> Self {
        Self { plan, external, mappings: BTreeMap::new(), outside: BTreeMap::new(), dice }
    }

    pub(crate) const fn plan(&self) -> NatPlan {
        self.plan
    }

    pub(crate) const fn external(&self) -> IpAddr {
        self.external
    }

    /// Everything is forgotten, and nothing tells the next ports from the last.
    pub(crate) fn reboot(&mut self) {
        self.mappings.clear();
        self.outside.clear();
    }

    /// From now on it behaves otherwise; what was mapped is gone.
    pub(crate) fn replace(&mut self, plan: NatPlan) {
        self.plan = plan;
        self.reboot();
    }

    /// A datagram leaves: from which external endpoint?
    pub(crate) fn outbound(
        &mut self,
        protocol: Protocol,
        (source, destination): (SocketAddr, SocketAddr),
        now: Instant,
    ) -> Result<Translated, Refusal> {
        let inside =
            Inside { protocol, endpoint: source, towards: Scope::of(self.plan.mapping, destination) };
        let known = self.mappings.get(&inside).copied().filter(|port| self.lives(protocol, *port, now));
        let (port, new) = match known {
            Some(port) => (port, false),
            None => (self.map(inside, now)?, true),
        };
        let permitted = Scope::of(self.plan.filtering, destination);
        if let Some(mapping) = self.outside.get_mut(&(protocol, port)) {
            mapping.refreshed = now;
            mapping.permitted.insert(permitted, now);
        }
        Ok(Translated { external: SocketAddr::new(self.external, port), new })
    }

    /// A datagram arrives from outside for `port`: to which internal endpoint?
    pub(crate) fn inbound(
        &self,
        protocol: Protocol,
        source: SocketAddr,
        port: u16,
        now: Instant,
    ) -> Result<SocketAddr, Refusal> {
        let mapping = self.outside.get(&(protocol, port)).filter(|_| self.lives(protocol, port, now));
        let mapping = mapping.ok_or(Refusal::NoMapping)?;
        let fresh = |at: &Instant| now - *at < self.timeout(protocol);
        match mapping.permitted.get(&Scope::of(self.plan.filtering, source)) {
            Some(at) if fresh(at) => Ok(mapping.inside.endpoint),
            Some(_) | None => Err(Refusal::Filtered),
        }
    }

    fn lives(&self, protocol: Protocol, port: u16, now: Instant) -> bool {
        let mapping = self.outside.get(&(protocol, port));
        mapping.is_some_and(|mapping| now - mapping.refreshed < self.timeout(protocol))
    }

    const fn timeout(&self, protocol: Protocol) -> Duration {
        match protocol {
            Protocol::Udp => self.plan.udp_timeout,
            Protocol::Tcp => TCP_TIMEOUT,
        }
    }

    fn map(&mut self, inside: Inside, now: Instant) -> Result<u16, Refusal> {
        self.forget_expired(now);
        if self.mappings.len() >= MAPPINGS {
            return Err(Refusal::Exhausted);
        }
        let port = self.free_port(inside.protocol, inside.endpoint.port());
        self.mappings.insert(inside, port);
        let mapping = Mapping { inside, refreshed: now, permitted: BTreeMap::new() };
        self.outside.insert((inside.protocol, port), mapping);
        Ok(port)
    }

    /// There is one: mappings are far fewer than ports.
    fn free_port(&mut self, protocol: Protocol, internal: u16) -> u16 {
        let mut port = internal;
        while self.plan.ports == Ports::Random && port == internal
            || self.outside.contains_key(&(protocol, port))
        {
            let offset = self.dice.below(u64::from(u16::MAX - FIRST_PORT) + 1);
            port = FIRST_PORT + u16::try_from(offset).unwrap_or(0);
        }
        port
    }

    fn forget_expired(&mut self, now: Instant) {
        let (udp, tcp) = (self.timeout(Protocol::Udp), self.timeout(Protocol::Tcp));
        self.outside.retain(|(protocol, _), mapping| {
            now - mapping.refreshed < if *protocol == Protocol::Udp { udp } else { tcp }
        });
        let outside = &self.outside;
        self.mappings.retain(|inside, port| outside.contains_key(&(inside.protocol, *port)));
    }
}

#[cfg(test)]
mod tests;
