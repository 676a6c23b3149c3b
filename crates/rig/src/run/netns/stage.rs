//! Builds what a scenario describes: networks, hosts where they are in the beginning, programs that run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::address::Family;
use crate::error::RigError;
use crate::host::{Host, WLAN};
use crate::network::{Network, NetworkPlan};
use crate::scenario::{self, Deed, Knowledge, Link, Measured, Role, Scenario, Traffic};
use crate::traffic::Line;
use crate::tunnel;
use crate::world::World;

use super::configuration::{Acquaintance, Identity, PORT, Plan};
use super::program::Program;

/// A world with everything in its place.
pub(super) struct Stage {
    pub(super) networks: BTreeMap<String, Network>,
    pub(super) hosts: BTreeMap<String, Place>,
    _world: World,
}

/// A host, its interfaces, and what it runs.
pub(super) struct Place {
    pub(super) host: Host,
    /// Interface and network, the preferred one first.
    pub(super) attachments: Mutex<Vec<(String, String)>>,
    pub(super) program: Mutex<Program>,
    identity: Option<Identity>,
}

impl Stage {
    pub(super) fn build(scenario: &Scenario) -> Result<Self, RigError> {
        let world = World::new()?;
        let mut networks = BTreeMap::new();
        for (name, network) in &scenario.networks {
            networks.insert(name.clone(), world.network(name, &plan(scenario, name, network))?);
        }
        let mut hosts = BTreeMap::new();
        for (number, (name, host)) in (1..).zip(&scenario.hosts) {
            hosts.insert(name.clone(), Place::new(&world, name, number, host, &networks)?);
        }
        let stage = Self { networks, hosts, _world: world };
        stage.start(scenario)?;
        Ok(stage)
    }

    /// From which host to which, and by which address, a traffic's connection goes.
    pub(super) fn line(&self, scenario: &Scenario, traffic: &Traffic) -> Result<Line, RigError> {
        let place = |name: &str| {
            self.hosts.get(name).ok_or_else(|| RigError::Tunnel(format!("there is no host {name}")))
        };
        let (from, to) = (place(&traffic.from)?, place(&traffic.to)?);
        let tunnelled = [&traffic.from, &traffic.to]
            .into_iter()
            .all(|name| scenario.hosts.get(name).is_some_and(|host| host.role.has_tunnel()));
        let family = traffic.over;
        let address = match &to.identity {
            Some(identity) if tunnelled => Some(identity.address(family.unwrap_or(Family::V6))),
            _ => match family {
                Some(family) => to.host.address(family),
                None => Family::BOTH.into_iter().find_map(|family| {
                    from.host.address(family)?;
                    to.host.address(family)
                }),
            },
        };
        let missing = || RigError::Missing { host: traffic.to.clone(), what: "address for this".to_owned() };
        Ok(Line { client: from.host.clone(), server: to.host.clone(), address: address.ok_or_else(missing)? })
    }

    /// Asks every node what it knows and counted, and keeps what the programs printed.
    pub(super) fn question(&self, measured: &mut Measured) {
        for (name, place) in &self.hosts {
            let program = place.program.lock().unwrap_or_else(PoisonError::into_inner);
            program.tell(name, measured);
        }
    }

    /// Starts services first, so that nodes find them, then everything else at once.
    fn start(&self, scenario: &Scenario) -> Result<(), RigError> {
        let (services, others): (Vec<_>, Vec<_>) =
            scenario.hosts.iter().partition(|(_, host)| matches!(host.role, Role::Sns { .. }));
        for group in [services, others] {
            thread::scope(|scope| {
                let starting: Vec<_> = group
                    .into_iter()
                    .map(|(name, host)| scope.spawn(move || self.start_one(scenario, name, host.role)))
                    .collect();
                starting.into_iter().try_for_each(|started| {
                    started.join().unwrap_or_else(|_| Err(super::broken("a program's start")))
                })
            })?;
        }
        Ok(())
    }

    fn start_one(&self, scenario: &Scenario, name: &str, role: Role) -> Result<(), RigError> {
        let Some(place) = self.hosts.get(name) else { return Ok(()) };
        let Some(identity) = place.identity.clone() else { return Ok(()) };
        let known = scenario.peers.get(name).into_iter().flatten();
        let known = known.filter_map(|(other, knowledge)| self.acquaintance(scenario, other, *knowledge));
        let plan = Plan { role, identity, known: known.collect() };
        let mut program = place.program.lock().unwrap_or_else(PoisonError::into_inner);
        *program = Program::new(&place.host, plan);
        program.start()
    }

    fn acquaintance(&self, scenario: &Scenario, name: &str, knowledge: Knowledge) -> Option<Acquaintance> {
        let place = self.hosts.get(name)?;
        let endpoints = match knowledge {
            Knowledge::Key => Vec::new(),
            Knowledge::Endpoint => {
                place.host.addresses().into_iter().map(|address| SocketAddr::new(address, PORT)).collect()
            }
        };
        Some(Acquaintance {
            name: name.to_owned(),
            role: scenario.hosts.get(name)?.role,
            identity: place.identity.clone()?,
            endpoints,
        })
    }
}

impl Place {
    fn new(
        world: &World,
        name: &str,
        number: u8,
        told: &scenario::Host,
        networks: &BTreeMap<String, Network>,
    ) -> Result<Self, RigError> {
        let host = world.host(name)?;
        let mut attachments = Vec::new();
        for (number, network) in (0..).zip(&told.at) {
            let Some(found) = networks.get(network) else { continue };
            let interface = if number == 0 { WLAN.to_owned() } else { format!("eth{number}") };
            host.attach_as(&interface, found, FIRST_METRIC + number)?;
            attachments.push((interface, network.clone()));
        }
        let identity = if told.role.has_program() { Some(identity(&host, number)?) } else { None };
        Ok(Self {
            host,
            attachments: Mutex::new(attachments),
            program: Mutex::new(Program::none()),
            identity,
        })
    }
}

/// A key of the host's own, and the addresses that go with it.
fn identity(host: &Host, number: u8) -> Result<Identity, RigError> {
    let secret = host.output(tunnel::stead_command(&["keygen"])?)?;
    let path = tunnel::write_secret(host, KEY_FILE, secret.clone())?;
    let printed = host.output_fed(tunnel::stead_command(&["pubkey", "--address"])?, Path::new(&path))?;
    let mut lines = printed.lines().map(str::trim);
    let wrong = || RigError::Tunnel(format!("stead pubkey --address printed `{printed}`"));
    let public = lines.next().ok_or_else(wrong)?.to_owned();
    let derived: IpAddr = lines.next().and_then(|line| line.parse().ok()).ok_or_else(wrong)?;
    Ok(Identity { secret: secret.trim().to_owned(), public, derived, number })
}

/// A network as the rig builds it; its line is emulated if it ever is anything but a bare cable.
fn plan(scenario: &Scenario, name: &str, network: &scenario::Network) -> NetworkPlan {
    let mut plan = NetworkPlan::default().nat(network.nat).expiry(network.expiry).mtu(network.mtu);
    for prefix in network.v4.into_iter().chain(network.v6) {
        plan = plan.and(&prefix.to_string());
    }
    let changed: BTreeSet<&str> = scenario
        .timeline
        .iter()
        .filter(|event| matches!(event.deed, Deed::ChangeLink { .. } | Deed::Attack { .. }))
        .filter_map(|event| event.deed.network())
        .collect();
    if network.link != Link::default() || changed.contains(name) {
        plan = plan.link(network.link);
    }
    plan
}

const KEY_FILE: &str = "private.key";
/// The metric of the preferred attachment; the next ones follow.
pub(super) const FIRST_METRIC: u32 = 100;
