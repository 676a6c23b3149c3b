//! Machines: how they start, die, are suspended, and what waits for them meanwhile.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use stead_node::{
    Arrival, Cause, Command, PeerSettings, Prefix, Resending, ServiceSettings, Settings, SuspensionSettings,
};
use stead_noise::keys::PublicKey;
use stead_wire::options::Capabilities;
use stead_wire::time::Duration;

use super::{CALENDAR, Task, World};
use crate::clock::ORIGIN;
use crate::datagram::Datagram;
use crate::host::{Counted, Host, PORT, Pause, Role, TUNNEL_MTU, Waiting, Why};
use crate::machine::{Machine, NodeMachine, ServiceMachine, WireguardMachine};
use crate::network::HostId;
use crate::trace::Drop;

/// Sizes of the queues before a suspended program: a TUN device's, and a socket's.
const TUN_QUEUE: usize = 500;
const SOCKET_QUEUE: usize = 256;

/// Most entries of a node's table.
const CONNECTIONS: usize = 1024;

/// Sleeps up to this long are not noticed by the address monitor.
const NAP: Duration = Duration::from_secs(2);

/// How often a node behind a NAT speaks to a service: the configuration's default.
const KEEPALIVE: Duration = Duration::from_secs(25);

/// How often the address monitor looks whether the host slept.
const MONITOR_TICK: Duration = Duration::from_secs(1);

impl World {
    /// A host's program begins, with its key and what it knew from the beginning.
    pub(super) fn power_up(&mut self, id: HostId) {
        let now = self.now;
        let mut seed = [0; 32];
        self.draws.machines.fill(&mut seed);
        if self.hosts[id.0].machine.is_some() {
            return;
        }
        let (peers, services) = (self.peers_of(id), self.services_of(id));
        let host = &mut self.hosts[id.0];
        let calendar = (CALENDAR + (now - ORIGIN)).0.saturating_sub(host.calendar_behind);
        let wall = stead_wire::time::UnixTime(calendar);
        let secret = host.secret.clone();
        let mut machine: Box<dyn Machine> = match host.plan.role {
            Role::Bare => return,
            Role::WireGuard => Box::new(WireguardMachine::new(secret, peers, seed, wall, now)),
            Role::Sns { window, relay } => {
                let settings = stead_sns::Settings::new(secret);
                let relay = settings.relay.filter(|_| relay);
                let settings = stead_sns::Settings { window, relay, ..settings };
                Box::new(ServiceMachine::new(settings, seed, now))
            }
            Role::Node => {
                let (listen_port, mtu, connections) = (PORT, TUNNEL_MTU, CONNECTIONS);
                let able = Capabilities::FAST_AES;
                let resending = Resending::default();
                let suspension = SuspensionSettings::default();
                let settings = Settings {
                    secret,
                    listen_port,
                    mtu,
                    able,
                    mobile: true,
                    connections,
                    resending,
                    suspension,
                    services,
                    peers,
                };
                match NodeMachine::new(settings, seed, wall, now) {
                    Ok(node) => Box::new(node),
                    // Keys of different hosts differ, so nothing here contradicts itself.
                    Err(_) => return,
                }
            }
        };
        machine.handle_attachment(host.snapshot(Cause::Start), now);
        machine.handle_survivors(&host.stack.connections(), now);
        host.machine = Some(machine);
        host.starts += 1;
        host.end_outage(Why::Down, now);
        self.service(id);
    }

    /// A host's program ends without a word.
    pub(super) fn power_down(&mut self, id: HostId) {
        let (now, counted) = (self.now, self.counted(id));
        let remembered = self.proven_points(id);
        let host = &mut self.hosts[id.0];
        host.remembered.extend(remembered);
        if host.machine.take().is_some() {
            host.past.extend(counted);
            host.machine_wake = None;
            host.waiting = Waiting::default();
            host.begin_outage(Why::Down, now);
        }
    }

    /// What the machine that runs now has counted of each peer.
    pub(super) fn counted(&self, id: HostId) -> Vec<Counted> {
        let node = self.hosts[id.0].machine.as_ref().and_then(|machine| machine.node());
        let Some(node) = node else { return Vec::new() };
        let stead_node::Answer::Status(status) = node.handle_command(Command::Status, self.now) else {
            return Vec::new();
        };
        let counted = |peer: stead_node::PeerStatus| Counted {
            peer: peer.name,
            handshakes: peer.handshakes,
            suspensions: peer.suspensions,
        };
        status.peers.into_iter().map(counted).collect()
    }

    /// What a daemon's state directory holds when it is killed: where its peers were proven to be.
    fn proven_points(&self, id: HostId) -> BTreeMap<String, Vec<SocketAddr>> {
        let node = self.hosts[id.0].machine.as_ref().and_then(|machine| machine.node());
        let known = node.into_iter().flat_map(|node| node.proven_points());
        let named = |(key, points): (PublicKey, &[SocketAddr])| {
            let host = self.hosts.iter().find(|host| host.secret.public_key() == key)?;
            Some((host.plan.name.clone(), points.to_vec()))
        };
        known.filter_map(named).collect()
    }

    fn peers_of(&self, id: HostId) -> Vec<PeerSettings> {
        let own = &self.hosts[id.0].plan;
        let known = |number: &usize| -> Option<PeerSettings> {
            let other = &self.hosts[*number];
            let plain = |role| role == Role::WireGuard;
            let speechless = matches!(other.plan.role, Role::Bare | Role::Sns { .. });
            if *number == id.0 || speechless || plain(own.role) && plain(other.plan.role) {
                return None;
            }
            let endpoint = own.knows.endpoint_of(&other.plan.name)?;
            Some(PeerSettings {
                name: other.plan.name.clone(),
                public_key: other.secret.public_key(),
                preshared_key: None,
                endpoints: if endpoint { self.first_points[*number].clone() } else { Vec::new() },
                remembered: self.hosts[id.0].remembered.get(&other.plan.name).cloned().unwrap_or_default(),
                allowed_ips: other.virtual_addresses().map(Prefix::host).to_vec(),
                persistent_keepalive: None,
            })
        };
        (0..self.hosts.len()).filter_map(|number| known(&number)).collect()
    }

    /// The services that a node knows, each with where it was at the beginning.
    fn services_of(&self, id: HostId) -> Vec<ServiceSettings> {
        let knows = &self.hosts[id.0].plan.knows;
        let known = |(number, host): (usize, &Host)| {
            let name = &host.plan.name;
            let service = matches!(host.plan.role, Role::Sns { .. });
            (service && knows.includes(name)).then(|| ServiceSettings {
                name: name.clone(),
                public_key: host.secret.public_key(),
                endpoints: self.first_points[number].clone(),
                relay: true,
                keepalive: Some(KEEPALIVE),
            })
        };
        self.hosts.iter().enumerate().filter_map(known).collect()
    }

    /// A host, or its program alone, stops for a while.
    pub(super) fn pause(&mut self, id: HostId, lasts: Duration, whole: bool) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        if host.pause.is_some() {
            return;
        }
        host.pause = Some(Pause { since: now, whole });
        host.begin_outage(Why::Paused, now);
        self.agenda.put(now + lasts, Task::Resume(id));
        self.service(id);
    }

    /// A pause ends: what waited is handled first.
    pub(super) fn resume(&mut self, id: HostId) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let Some(pause) = host.pause.take() else { return };
        host.end_outage(Why::Paused, now);
        let asleep = now - pause.since;
        if pause.whole {
            host.stack.sleep(asleep);
            if asleep > NAP {
                let noticed = now + self.draws.hosts.up_to(MONITOR_TICK);
                self.agenda.put(noticed, Task::Woke(id));
            }
        }
        self.catch_up(id);
        self.service(id);
    }

    /// What the machine missed while it was suspended.
    fn catch_up(&mut self, id: HostId) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let Waiting { datagrams, packets } = core::mem::take(&mut host.waiting);
        let attachment = host.unheard.take().map(|cause| host.snapshot(cause));
        let Some(machine) = &mut host.machine else { return };
        if let Some(attachment) = attachment {
            machine.handle_attachment(attachment, now);
        }
        machine.handle_datagrams(datagrams, now);
        for packet in packets {
            machine.handle_packet(&packet, now);
        }
    }

    /// The address monitor has noticed that the host slept.
    pub(super) fn woke(&mut self, id: HostId) {
        self.tell_attachment(id, Cause::Woke);
    }

    /// Tells a host's machine where the host is attached now.
    pub(super) fn tell_attachment(&mut self, id: HostId, cause: Cause) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        if host.pause.is_some() {
            host.unheard = Some(cause);
            return;
        }
        let snapshot = host.snapshot(cause);
        if let Some(machine) = &mut host.machine {
            machine.handle_attachment(snapshot, now);
        }
        self.service(id);
    }

    /// A datagram for a host's machine.
    pub(super) fn offer(&mut self, id: HostId, arrival: Arrival, datagram: &Datagram) -> Result<(), Drop> {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let paused = host.pause.is_some();
        let machine = host.machine.as_mut().ok_or(Drop::NotListening)?;
        let bytes = datagram.payload.clone();
        if !paused {
            machine.handle_datagrams(vec![(arrival, bytes)], now);
            return Ok(());
        }
        if host.waiting.datagrams.len() >= SOCKET_QUEUE {
            return Err(Drop::SocketFull);
        }
        host.waiting.datagrams.push((arrival, bytes));
        Ok(())
    }

    /// A packet from a host's stack for its machine.
    pub(super) fn hand_over(&mut self, id: HostId, packet: Vec<u8>) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let paused = host.pause.is_some();
        let Some(machine) = &mut host.machine else { return };
        self.audit.packet_sent(&packet);
        if !paused {
            machine.handle_packet(&packet, now);
        } else if host.waiting.packets.len() < TUN_QUEUE {
            host.waiting.packets.push(packet);
        }
    }
}
