//! A host: where it is attached, its stack, and the machine that runs on it.
//!
//! What it knows of the outside is what its address monitor would tell ([`Host::snapshot`]); the world moves it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use stead_node::{Arrival, Cause, LocalAddress, LocalAttachment, Prefix, Suspensions};
use stead_noise::keys::StaticSecret;
use stead_sns::Settings;
use stead_wire::time::{Duration, Instant};

use crate::machine::Machine;
use crate::network::{HostId, NetworkId};
use crate::stack::{Carrier, Stack};

/// The UDP port of every machine.
pub const PORT: u16 = 51820;

/// The longest inner packet; the same as WireGuard's usual default.
pub const TUNNEL_MTU: u16 = 1420;

/// What a host is told before the world begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPlan {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub role: Role,
    /// The networks it is in at the beginning, the preferred one first.
    pub at: Vec<NetworkId>,
    /// Whom it knows; everybody's key unless told.
    pub knows: Knowledge,
}

/// What a host runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A node of this project.
    Node,
    /// A subscribe-notify service.
    Sns {
        /// How far apart two moves may be and still count as simultaneous.
        window: Duration,
        /// Whether it relays.
        relay: bool,
    },
    /// A plain WireGuard peer.
    WireGuard,
    /// Nothing: its stack speaks from its own addresses.
    Bare,
}

/// Whom a host knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Knowledge {
    /// Everybody's key, and of the addresses only those of services.
    Keys,
    /// These, by their names.
    Some(Vec<Acquaintance>),
}

impl Knowledge {
    /// Whether this host is known.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.endpoint_of(name).is_some()
    }

    /// Whether it is known where this host is at the beginning; `None` if it is not known at all.
    pub(crate) fn endpoint_of(&self, name: &str) -> Option<bool> {
        match self {
            Self::Keys => Some(false),
            Self::Some(known) => known.iter().find(|known| known.name == name).map(|known| known.endpoint),
        }
    }
}

/// What a host knows of another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acquaintance {
    /// Who.
    pub name: String,
    /// Whether it knows the addresses that the other has at the beginning.
    pub endpoint: bool,
}

impl Role {
    /// A service as it is unless told otherwise.
    pub const SNS: Self = Self::Sns { window: Settings::WINDOW, relay: true };
}

impl HostPlan {
    /// A node in one network that knows everybody's key.
    #[must_use]
    pub fn node(name: &str, at: NetworkId) -> Self {
        Self { name: name.to_owned(), role: Role::Node, at: vec![at], knows: Knowledge::Keys }
    }

    /// The same host with another role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The same host, which knows where these are at the beginning, and no other keys.
    #[must_use]
    pub fn finding(self, names: &[&str]) -> Self {
        let known = |name: &&str| Acquaintance { name: (*name).to_owned(), endpoint: true };
        Self { knows: Knowledge::Some(names.iter().map(known).collect()), ..self }
    }
}

pub(crate) struct Host {
    pub(crate) plan: HostPlan,
    pub(crate) secret: StaticSecret,
    virtual_v4: Ipv4Addr,
    pub(crate) attached: Vec<Attached>,
    pub(crate) stack: Stack,
    pub(crate) machine: Option<Box<dyn Machine>>,
    /// How often its machine was started.
    pub(crate) starts: u64,
    /// What earlier machines had counted of each peer.
    pub(crate) past: Vec<Counted>,
    /// Where peers were proven to be, by their names: the state directory.
    pub(crate) remembered: BTreeMap<String, Vec<SocketAddr>>,
    pub(crate) pause: Option<Pause>,
    /// What came for the machine while it was suspended.
    pub(crate) waiting: Waiting,
    /// What is to be said to the machine when it runs again.
    pub(crate) unheard: Option<Cause>,
    /// How far the calendar is behind the right one.
    pub(crate) calendar_behind: Duration,
    /// Voids what was planned for the host before its last move.
    pub(crate) travels: u64,
    /// The next moment at which its machine, its stack and its applications want to run.
    pub(crate) machine_wake: Option<Instant>,
    pub(crate) wake: Option<Instant>,
    /// An interface's number for the next network.
    interfaces: u32,
    pub(crate) outages: Vec<Outage>,
}

/// One network a host is in.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) network: NetworkId,
    pub(crate) addresses: Vec<(IpAddr, Prefix)>,
    interface: u32,
}

/// A host that does not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pause {
    pub(crate) since: Instant,
    /// The whole host, or its machine alone.
    pub(crate) whole: bool,
}

/// The queues before a suspended machine.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) datagrams: Vec<(Arrival, Vec<u8>)>,
    pub(crate) packets: Vec<Vec<u8>>,
}

/// A time in which a host could do nothing, for reasons of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outage {
    /// Why.
    pub why: Why,
    /// Since when.
    pub from: Instant,
    /// Until when; `None` while it lasts.
    pub to: Option<Instant>,
}

/// Why a host could do nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It was in no network.
    Nowhere,
    /// Its program did not run.
    Down,
    /// It, or its program, was suspended.
    Paused,
}

impl Host {
    pub(crate) fn new(plan: HostPlan, secret: StaticSecret, virtual_v4: Ipv4Addr, seed: u64) -> Self {
        let stack = match plan.role {
            Role::Bare => Stack::new(Carrier::Cable, 1500, seed),
            Role::Node | Role::WireGuard | Role::Sns { .. } => {
                Stack::new(Carrier::Tun, usize::from(TUNNEL_MTU), seed)
            }
        };
        let mut host = Self {
            plan,
            secret,
            virtual_v4,
            attached: Vec::new(),
            stack,
            machine: None,
            starts: 0,
            past: Vec::new(),
            remembered: BTreeMap::new(),
            pause: None,
            waiting: Waiting::default(),
            unheard: None,
            calendar_behind: Duration::ZERO,
            travels: 0,
            machine_wake: None,
            wake: None,
            interfaces: 1,
            outages: Vec::new(),
        };
        host.readdress();
        host
    }

    /// The address of this family under which applications reach it: virtual, or its own if it has no other.
    pub(crate) fn address(&self, v4: bool) -> Option<IpAddr> {
        if self.is_bare() {
            return self.addresses().find(|ip| ip.is_ipv4() == v4);
        }
        self.virtual_addresses().into_iter().find(|ip| ip.is_ipv4() == v4)
    }

    /// The one that follows from its key, and an IPv4 one.
    pub(crate) fn virtual_addresses(&self) -> [IpAddr; 2] {
        [self.secret.public_key().virtual_address().into(), self.virtual_v4.into()]
    }

    /// Whether it has no tunnel.
    pub(crate) fn is_bare(&self) -> bool {
        self.plan.role == Role::Bare
    }

    /// Its addresses in the networks it is in, preferred ones first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.attached.iter().flat_map(|attached| attached.addresses.iter().map(|(ip, _)| *ip))
    }

    /// Its attachment points.
    pub(crate) fn points(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addresses().map(|ip| SocketAddr::new(ip, PORT))
    }

    /// The network that an address of its is in.
    pub(crate) fn network_of(&self, address: IpAddr) -> Option<NetworkId> {
        let owner = |attached: &&Attached| attached.addresses.iter().any(|(ip, _)| *ip == address);
        self.attached.iter().find(owner).map(|attached| attached.network)
    }

    pub(crate) fn is_in(&self, network: NetworkId) -> bool {
        self.attached.iter().any(|attached| attached.network == network)
    }

    /// Joins a network that gave it these addresses.
    pub(crate) fn join(&mut self, network: NetworkId, addresses: Vec<(IpAddr, Prefix)>) {
        self.interfaces += 1;
        self.attached.push(Attached { network, addresses, interface: self.interfaces });
        self.readdress();
    }

    /// Leaves the networks that `whether` names.
    pub(crate) fn leave(&mut self, whether: impl Fn(NetworkId) -> bool) -> Vec<NetworkId> {
        let left: Vec<NetworkId> = self
            .attached
            .iter()
            .map(|attached| attached.network)
            .filter(|network| whether(*network))
            .collect();
        self.attached.retain(|attached| !left.contains(&attached.network));
        self.readdress();
        left
    }

    fn readdress(&mut self) {
        let addresses: Vec<IpAddr> = if self.is_bare() {
            [true, false].into_iter().filter_map(|v4| self.address(v4)).collect()
        } else {
            self.virtual_addresses().to_vec()
        };
        self.stack.set_addresses(&addresses);
    }

    /// What its address monitor tells.
    pub(crate) fn snapshot(&self, cause: Cause) -> LocalAttachment {
        let default = |v4: bool| self.addresses().find(|ip| ip.is_ipv4() == v4);
        let local = |attached: &Attached| {
            let interface = attached.interface;
            let entry = move |(ip, prefix): &(IpAddr, Prefix)| LocalAddress {
                ip: *ip,
                prefix_len: prefix.prefix_len(),
                interface,
            };
            attached.addresses.iter().map(entry).collect::<Vec<_>>()
        };
        // A network's IPv4 address, then its IPv6 one: as many as could have been chosen for the default routes.
        let standby = self.attached.iter().skip(1).flat_map(|attached| &attached.addresses);
        LocalAttachment {
            addresses: self.attached.iter().flat_map(local).collect(),
            default_source_v4: match default(true) {
                Some(IpAddr::V4(v4)) => Some(v4),
                Some(IpAddr::V6(_)) | None => None,
            },
            default_source_v6: match default(false) {
                Some(IpAddr::V6(v6)) => Some(v6),
                Some(IpAddr::V4(_)) | None => None,
            },
            routes: Vec::new(),
            standby: standby.map(|(ip, _)| *ip).collect(),
            metered: Vec::new(),
            cause,
        }
    }

    /// Whether applications and the stack run.
    pub(crate) fn is_awake(&self) -> bool {
        self.pause.is_none_or(|pause| !pause.whole)
    }

    /// Whether the machine runs.
    pub(crate) fn machine_runs(&self) -> bool {
        self.machine.is_some() && self.pause.is_none()
    }

    pub(crate) fn begin_outage(&mut self, why: Why, now: Instant) {
        if !self.outages.iter().any(|outage| outage.why == why && outage.to.is_none()) {
            self.outages.push(Outage { why, from: now, to: None });
        }
    }

    pub(crate) fn end_outage(&mut self, why: Why, now: Instant) {
        let ends = |outage: &&mut Outage| outage.why == why && outage.to.is_none();
        if let Some(outage) = self.outages.iter_mut().find(ends) {
            outage.to = Some(now);
        }
    }
}

/// What one machine counted of one peer.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) peer: String,
    pub(crate) handshakes: u64,
    pub(crate) suspensions: Suspensions,
}

/// Hosts by number.
pub(crate) fn by_name(hosts: &[Host], name: &str) -> Option<HostId> {
    hosts.iter().position(|host| host.plan.name == name).map(HostId)
}
