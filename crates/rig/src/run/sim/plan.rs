//! From a scenario to a world: networks, hosts, traffic, and everything that will happen.

use std::collections::BTreeMap;

use stead_sim::{
    Acquaintance, Action, HostId, HostPlan, LinkPlan, NatPlan, NetworkId, NetworkPlan, TrafficKind,
    TrafficPlan, World,
};

use crate::address::{Family, Prefix};
use crate::scenario::network::{Link, QUEUE, Way};
use crate::scenario::{Attack, Deed, Host, Kind, Knowledge, Nat, Network, Role, Scenario, Traffic};

/// A world made for a scenario, and who is who in it.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) hosts: BTreeMap<String, HostId>,
    /// The world's numbers of the traffic, in the scenario's order.
    pub(super) traffic: Vec<usize>,
    networks: BTreeMap<String, NetworkId>,
}

impl Stage {
    /// Everything in place, before the beginning.
    pub(super) fn set(scenario: &Scenario, seed: u64) -> Self {
        let world = World::new(seed);
        let mut stage =
            Self { world, hosts: BTreeMap::new(), traffic: Vec::new(), networks: BTreeMap::new() };
        for (name, network) in &scenario.networks {
            let id = stage.world.network(network_plan(name, network));
            stage.networks.insert(name.clone(), id);
        }
        for (name, host) in &scenario.hosts {
            let plan = stage.host_plan(scenario, name, host);
            let id = stage.world.host(plan);
            stage.hosts.insert(name.clone(), id);
        }
        for traffic in &scenario.traffic {
            if let Some(plan) = stage.traffic_plan(traffic) {
                stage.traffic.push(stage.world.traffic(plan));
            }
        }
        stage.plan_deeds(scenario);
        stage
    }

    fn host_plan(&self, scenario: &Scenario, name: &str, host: &Host) -> HostPlan {
        let known = scenario.peers.get(name).map(|known| {
            let acquaintance = |(name, knowledge): (&String, &Knowledge)| Acquaintance {
                name: name.clone(),
                endpoint: *knowledge == Knowledge::Endpoint,
            };
            known.iter().map(acquaintance).collect()
        });
        HostPlan {
            name: name.to_owned(),
            role: role(host.role),
            at: host.at.iter().filter_map(|network| self.networks.get(network).copied()).collect(),
            knows: known.map_or(stead_sim::Knowledge::Keys, stead_sim::Knowledge::Some),
        }
    }

    /// Every name in a scenario that was read is known.
    fn traffic_plan(&self, traffic: &Traffic) -> Option<TrafficPlan> {
        Some(TrafficPlan {
            name: traffic.name.clone(),
            kind: match traffic.kind {
                Kind::TcpTicker { every, lasts } => TrafficKind::TcpTicker { every, lasts },
                Kind::UdpTicker { every, lasts } => TrafficKind::udp_ticker(every, lasts),
                Kind::TcpBulk { bytes, rate } => {
                    TrafficKind::TcpBulk { bytes, rate: rate.map(|rate| rate.0) }
                }
            },
            from: self.host(&traffic.from)?,
            to: self.host(&traffic.to)?,
            start: traffic.start,
            over: traffic.over.map(|family| match family {
                Family::V4 => stead_sim::Family::V4,
                Family::V6 => stead_sim::Family::V6,
            }),
        })
    }

    fn plan_deeds(&mut self, scenario: &Scenario) {
        let mut links: BTreeMap<&str, Link> = BTreeMap::new();
        for event in &scenario.timeline {
            let action = match &event.deed {
                // A change says only what is new, so the line is remembered from one to the next.
                Deed::ChangeLink { network, change } => {
                    let Some(plan) = scenario.networks.get(network) else { continue };
                    let link = links.entry(network).or_insert(plan.link);
                    change.apply(link);
                    let (up, down) = (way(&link.up, plan.mtu), way(&link.down, plan.mtu));
                    self.network(network).map(|network| Action::ChangeLink { network, up, down })
                }
                deed => self.action(deed),
            };
            if let Some(action) = action {
                self.world.plan(event.at, action);
            }
        }
    }

    fn action(&self, deed: &Deed) -> Option<Action> {
        Some(match deed {
            Deed::Move { host, to, dark, takes } => Action::Move {
                host: self.host(host)?,
                to: self.network(to)?,
                dark: *dark,
                takes: takes.as_ref().and_then(|name| self.host(name)),
            },
            Deed::Attach { host, network } | Deed::Plug { host, network } => {
                Action::Attach { host: self.host(host)?, network: self.network(network)? }
            }
            Deed::Detach { host, network } => {
                Action::Detach { host: self.host(host)?, network: self.network(network)? }
            }
            Deed::Unplug { host } => Action::Unplug { host: self.host(host)? },
            Deed::Kill { host } | Deed::Stop { host } => Action::Kill { host: self.host(host)? },
            Deed::Start { host } => Action::Start { host: self.host(host)? },
            Deed::Freeze { host, lasts } => Action::Freeze { host: self.host(host)?, lasts: *lasts },
            // Every reboot gives other ports here.
            Deed::RebootNat { network } | Deed::RebindNat { network } => {
                Action::RebootNat { network: self.network(network)? }
            }
            Deed::ChangeLink { .. } => return None,
            Deed::Attack { network, attack, lasts } => {
                Action::Attack { network: self.network(network)?, attack: attacker(*attack), lasts: *lasts }
            }
        })
    }

    pub(super) fn host(&self, name: &str) -> Option<HostId> {
        self.hosts.get(name).copied()
    }

    fn network(&self, name: &str) -> Option<NetworkId> {
        self.networks.get(name).copied()
    }
}

fn network_plan(name: &str, network: &Network) -> NetworkPlan {
    let kind = match network.nat {
        Nat::None => None,
        Nat::FullCone => Some(NatPlan::full_cone()),
        Nat::AddressRestricted => Some(NatPlan::address_restricted()),
        Nat::PortRestricted => Some(NatPlan::port_restricted()),
        Nat::Symmetric => Some(NatPlan::symmetric()),
    };
    NetworkPlan {
        name: name.to_owned(),
        v4: network.v4.and_then(prefix),
        v6: network.v6.and_then(prefix),
        nat: kind.map(|nat| NatPlan { udp_timeout: network.expiry, ..nat }),
        up: way(&network.link.up, network.mtu),
        down: way(&network.link.down, network.mtu),
    }
}

fn prefix(prefix: Prefix) -> Option<stead_sim::Prefix> {
    stead_sim::Prefix::new(prefix.address, prefix.length)
}

fn way(way: &Way, mtu: u32) -> LinkPlan {
    LinkPlan {
        delay: way.delay,
        jitter: way.jitter,
        loss: way.loss.fraction(),
        duplicate: way.duplicate.fraction(),
        reorder: way.reorder.fraction(),
        rate: way.rate.map(|rate| rate.0),
        queue: QUEUE,
        mtu: usize::try_from(way.mtu.map_or(mtu, |narrower| narrower.min(mtu))).unwrap_or(usize::MAX),
    }
}

const fn role(role: Role) -> stead_sim::Role {
    match role {
        Role::Node => stead_sim::Role::Node,
        Role::Sns { window, relay } => stead_sim::Role::Sns { window, relay },
        Role::WireGuard => stead_sim::Role::WireGuard,
        Role::Bare => stead_sim::Role::Bare,
    }
}

const fn attacker(attack: Attack) -> stead_sim::Attack {
    match attack {
        Attack::Replay => stead_sim::Attack::Replay,
        Attack::Delay => stead_sim::Attack::Delay,
        Attack::Resource => stead_sim::Attack::Resource,
        Attack::Forge => stead_sim::Attack::Forge,
    }
}
