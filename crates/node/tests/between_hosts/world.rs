//! A small world for the node alone: hosts at addresses, a fixed one-way delay, a clock that only this file moves.
//!
//! Datagrams reach whoever owns their destination at the moment they arrive, or nobody. Every datagram that was
//! ever sent is kept, so that a test can count, replay, re-source or forge.

mod nat;
mod seen;
mod service;
mod workers;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use stead_node::{
    Arrival, Cause, Event, LocalAddress, LocalAttachment, Node, Obeyed, Order, Outlet, PeerSettings,
    Resending, Settings, SuspensionSettings, Transmit, Wake,
};
use stead_noise::keys::{PublicKey, StaticSecret};
use stead_wire::options::Capabilities;
use stead_wire::time::{Duration, Instant, UnixTime};

pub(crate) use self::nat::{Mapping, Nat};
use self::service::ServiceHost;
use self::workers::Workers;
use crate::wireguard::Plain;

pub(crate) const PORT: u16 = 51820;

/// 2026-01-01, so that timestamps look like real ones.
const WALL: UnixTime = UnixTime(Duration::from_secs(1_767_225_600));

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One host's number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HostId(pub(crate) usize);

/// A datagram somewhere between two hosts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Flight {
    pub(crate) sent: Instant,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) datagram: Vec<u8>,
}

/// Beside the network that the default route takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Further {
    /// Addresses in others.
    pub(crate) standby: Vec<&'static str>,
    /// Addresses, of whichever network, that are metered.
    pub(crate) metered: Vec<&'static str>,
}

struct Host {
    node: Node,
    workers: Workers,
    peers: Vec<PeerSettings>,
    number: u8,
    secret: StaticSecret,
    addresses: Vec<IpAddr>,
    /// The port that the world sees; a NAT that rebinds changes it.
    mapped_port: u16,
    nat: Option<Nat>,
    timeout: Option<Instant>,
    wake: Option<Wake>,
    received: Vec<(Instant, Vec<u8>)>,
    events: Vec<(Instant, Event)>,
}

/// For each datagram the delays of its copies.
type Disorder = Box<dyn FnMut(&Flight) -> Vec<Duration>>;

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) delay: Duration,
    /// Whether nodes read their workers' mail in the moment in which it was posted: for tests that count round trips to the
    /// microsecond, or look at a node right after a packet was given to it.
    pub(crate) prompt: bool,
    /// How far the calendar of hosts that start from now on is behind.
    pub(crate) calendar_behind: Duration,
    /// Says for each datagram whether the sender's own host refuses it, and says so.
    pub(crate) refuses: Box<dyn FnMut(&Flight) -> bool>,
    /// Says for each datagram whether it is lost.
    pub(crate) loses: Box<dyn FnMut(&Flight) -> bool>,
    /// How many datagrams were refused.
    pub(crate) refusals: usize,
    hosts: Vec<Host>,
    services: Vec<ServiceHost>,
    /// Whether hosts that are made from now on let services relay for them.
    pub(crate) relay: bool,
    /// What hosts that are made from now on keep of what they sent.
    pub(crate) resending: Resending,
    /// On what terms hosts that are made from now on are able to go on.
    pub(crate) able: Capabilities,
    /// Numbers of hosts that say that they will not be attached elsewhere.
    pub(crate) staying: Vec<u8>,
    /// A peer that is no node.
    pub(crate) plain: Option<Plain>,
    /// Says for each datagram when its copies arrive after it was sent; `None` for one after [`delay`](Self::delay).
    pub(crate) disorder: Option<Disorder>,
    in_flight: BTreeMap<(Instant, u64), Flight>,
    /// Tells datagrams that arrive at the same moment apart, in the order in which they were sent.
    numbered: u64,
    /// Everything ever sent.
    pub(crate) trace: Vec<Flight>,
}

#[derive(Default)]
struct Collected {
    transmits: Vec<Transmit>,
    packets: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Outlet for Collected {
    fn transmit(&mut self, transmit: Transmit) {
        self.transmits.push(transmit);
    }
    fn packet(&mut self, packet: Vec<u8>) {
        self.packets.push(packet);
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

pub(crate) fn secret(number: u8) -> StaticSecret {
    StaticSecret::from_random([number; 32])
}

pub(crate) fn peer(name: &str, key: PublicKey, endpoints: &[SocketAddr]) -> PeerSettings {
    PeerSettings {
        name: name.into(),
        public_key: key,
        preshared_key: None,
        endpoints: endpoints.to_vec(),
        remembered: Vec::new(),
        allowed_ips: Vec::new(),
        persistent_keepalive: None,
    }
}

pub(crate) fn at(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), PORT)
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::from_micros(1_000_000),
            delay: ms(10),
            prompt: false,
            calendar_behind: Duration::ZERO,
            refuses: Box::new(|_| false),
            loses: Box::new(|_| false),
            refusals: 0,
            hosts: Vec::new(),
            services: Vec::new(),
            relay: true,
            resending: Resending::default(),
            able: Capabilities::FAST_AES,
            staying: Vec::new(),
            plain: None,
            disorder: None,
            in_flight: BTreeMap::new(),
            numbered: 0,
            trace: Vec::new(),
        }
    }

    /// Two hosts that know each other: alice at 10.0.0.1, bob at 10.0.0.2; bob knows where alice is.
    pub(crate) fn pair() -> (Self, HostId, HostId) {
        Self::pair_able(Capabilities::FAST_AES, Capabilities::FAST_AES)
    }

    /// As [`pair`](Self::pair), alice and bob able to go on on these terms.
    pub(crate) fn pair_able(alice: Capabilities, bob: Capabilities) -> (Self, HostId, HostId) {
        let mut world = Self { able: alice, ..Self::new() };
        let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
        world.able = bob;
        let bob =
            world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
        (world, alice, bob)
    }

    /// As [`pair`](Self::pair), after a packet each way.
    pub(crate) fn connected_pair() -> (Self, HostId, HostId) {
        let (mut world, alice, bob) = Self::pair();
        world.send(bob, alice, b"hello");
        world.run_for(ms(200));
        world.send(alice, bob, b"hello yourself");
        world.run_for(ms(200));
        assert_eq!(world.received(alice).len(), 1);
        assert_eq!(world.received(bob).len(), 1);
        (world, alice, bob)
    }

    pub(crate) fn host(&mut self, number: u8, addresses: &[&str], peers: Vec<PeerSettings>) -> HostId {
        let node = self.new_node(number, &peers, number);
        self.hosts.push(Host {
            workers: Workers::of(&node),
            node,
            peers,
            number,
            secret: secret(number),
            addresses: Vec::new(),
            mapped_port: PORT,
            nat: None,
            timeout: None,
            wake: None,
            received: Vec::new(),
            events: Vec::new(),
        });
        let id = HostId(self.hosts.len() - 1);
        self.attach(id, addresses, Cause::Start);
        id
    }

    fn new_node(&self, number: u8, peers: &[PeerSettings], seed: u8) -> Node {
        let settings = Settings {
            secret: secret(number),
            listen_port: PORT,
            mtu: 1420,
            connections: 64,
            resending: self.resending,
            // What waits here is no TCP.
            suspension: SuspensionSettings { datagrams_for: secs(3600), ..SuspensionSettings::default() },
            able: self.able,
            mobile: !self.staying.contains(&number),
            services: self.service_settings(),
            peers: peers.to_vec(),
        };
        let right = (WALL + (self.now - Instant::ZERO)).0;
        let wall = UnixTime(right.saturating_sub(self.calendar_behind));
        Node::new(settings, [seed; 32], wall, self.now).expect("settings are fine")
    }

    /// The host's program is killed and started again at once: same settings, other randomness, no session.
    pub(crate) fn restart(&mut self, host: HostId) {
        let old = &self.hosts[host.0];
        let node = self.new_node(old.number, &old.peers, old.number + 100);
        let addresses: Vec<String> = old.addresses.iter().map(IpAddr::to_string).collect();
        self.hosts[host.0].workers = Workers::of(&node);
        self.hosts[host.0].node = node;
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        self.attach(host, &addresses, Cause::Start);
    }

    /// As [`restart`](Self::restart); the new program remembers where its peers were.
    pub(crate) fn restart_with_memory(&mut self, host: HostId) {
        let old = &mut self.hosts[host.0];
        let points: BTreeMap<PublicKey, Vec<SocketAddr>> =
            old.node.proven_points().map(|(key, points)| (key, points.to_vec())).collect();
        for peer in &mut old.peers {
            peer.remembered = points.get(&peer.public_key).cloned().unwrap_or_default();
        }
        self.restart(host);
    }

    /// The host's program ends in good order.
    pub(crate) fn end(&mut self, host: HostId) {
        let now = self.now;
        self.hosts[host.0].node.handle_end(now);
        self.drain(host);
    }

    /// Puts a host at other addresses, at once.
    pub(crate) fn move_to(&mut self, host: HostId, addresses: &[&str]) {
        self.attach(host, addresses, Cause::Changed);
    }

    pub(crate) fn attach(&mut self, host: HostId, addresses: &[&str], cause: Cause) {
        self.attach_to(host, addresses, &Further::default(), cause);
    }

    /// As [`attach`](Self::attach), to further networks too.
    pub(crate) fn attach_to(&mut self, host: HostId, addresses: &[&str], further: &Further, cause: Cause) {
        let parse = |ips: &[&str]| ips.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mut addresses = parse(addresses);
        let standby = parse(&further.standby);
        addresses.extend(standby.iter().filter(|ip| !addresses.contains(ip)).copied().collect::<Vec<_>>());
        let find = |v4: bool| addresses.iter().find(|ip| ip.is_ipv4() == v4).copied();
        let attachment = LocalAttachment {
            addresses: addresses
                .iter()
                .map(|ip| LocalAddress { ip: *ip, prefix_len: 32, interface: 2 })
                .collect(),
            default_source_v4: find(true).and_then(|ip| match ip {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            }),
            default_source_v6: find(false).and_then(|ip| match ip {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            }),
            routes: Vec::new(),
            standby,
            metered: parse(&further.metered),
            cause,
        };
        let now = self.now;
        let host_state = &mut self.hosts[host.0];
        host_state.addresses = addresses;
        host_state.node.handle_attachment(attachment, now);
        self.drain(host);
    }

    /// From now on the host's datagrams seem to come from another port, and only that one reaches it.
    pub(crate) fn rebind_port(&mut self, host: HostId, port: u16) {
        self.hosts[host.0].mapped_port = port;
    }

    /// An application at `from` sends a UDP datagram to `to`'s virtual address.
    pub(crate) fn send(&mut self, from: HostId, to: HostId, payload: &[u8]) {
        let packet = udp(self.virtual_address(from), self.virtual_address(to), payload);
        self.send_packet(from, &packet);
    }

    pub(crate) fn send_packet(&mut self, from: HostId, packet: &[u8]) {
        let now = self.now;
        if let Some(transmit) = self.hosts[from.0].workers.depart(packet, now) {
            self.put_out(from, vec![transmit]);
        }
        self.read_mail(from);
    }

    pub(crate) fn node(&mut self, host: HostId) -> &mut Node {
        &mut self.hosts[host.0].node
    }

    /// Somebody orders the host's peer suspended or resumed; says what that changed.
    pub(crate) fn order(&mut self, host: HostId, order: Order) -> Obeyed {
        let obeyed = self.hosts[host.0].node.handle_order(order, &[], self.now).expect("all peers are known");
        self.drain(host);
        obeyed[0].clone()
    }

    pub(crate) fn virtual_address(&self, host: HostId) -> std::net::Ipv6Addr {
        self.hosts[host.0].secret.public_key().virtual_address()
    }

    /// Puts a datagram on the wire that no node sent.
    pub(crate) fn inject(&mut self, source: SocketAddr, destination: SocketAddr, datagram: Vec<u8>) {
        let flight = Flight { sent: self.now, source, destination, datagram };
        self.launch(flight, self.delay);
    }

    /// A packet of `from`, delivered to `to` at another of its addresses than the one it was sent to.
    pub(crate) fn inject_as(&mut self, from: HostId, to: HostId, destination: SocketAddr) {
        let loses = core::mem::replace(&mut self.loses, Box::new(|_| true));
        self.send(from, to, b"elsewhere");
        self.loses = loses;
        let sent = self.trace.last().expect("just sent").clone();
        self.inject(sent.source, destination, sent.datagram);
    }

    fn launch(&mut self, flight: Flight, delay: Duration) {
        self.numbered += 1;
        self.in_flight.insert((flight.sent + delay, self.numbered), flight);
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
            let timeouts = self.hosts.iter().flat_map(|host| [host.timeout, host.workers.poll_timeout()]);
            let timeout = timeouts.chain(self.services.iter().map(|host| host.timeout)).flatten().min();
            let Some(next) = [arrival, timeout].into_iter().flatten().min().filter(|next| *next <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, flight) = self.in_flight.pop_first().expect("there is one");
                self.deliver(flight);
            } else {
                self.fire();
            }
        }
        self.now = end;
    }

    fn fire(&mut self) {
        let now = self.now;
        self.fire_services();
        (0..self.hosts.len()).map(HostId).for_each(|id| self.read_mail(id));
        let due: Vec<usize> = (0..self.hosts.len())
            .filter(|at| self.hosts[*at].timeout.is_some_and(|when| when <= now))
            .collect();
        for at in due {
            self.hosts[at].node.handle_timeout(now);
            self.drain(HostId(at));
            let next = self.hosts[at].timeout;
            assert!(
                next.is_none_or(|next| next > now),
                "a timer that fired is over: {:?}",
                self.hosts[at].wake
            );
        }
    }

    /// The node reads what its workers posted, if it is time.
    fn read_mail(&mut self, id: HostId) {
        let (now, prompt) = (self.now, self.prompt);
        let Host { node, workers, .. } = &mut self.hosts[id.0];
        if workers.poll_timeout().is_some_and(|at| prompt || at <= now) {
            workers.read(node, now);
            self.drain(id);
        }
    }

    fn deliver(&mut self, mut flight: Flight) {
        if let Some(at) = self.services.iter().position(|host| host.address == flight.destination) {
            return self.deliver_to_service(at, flight);
        }
        let inside = self.hosts.iter().find_map(|host| {
            host.nat.as_ref().and_then(|nat| nat.inbound(flight.source, flight.destination))
        });
        flight.destination = inside.unwrap_or(flight.destination);
        let owner = self.hosts.iter().position(|host| {
            (host.nat.is_none() || inside.is_some())
                && host.addresses.contains(&flight.destination.ip())
                && host.mapped_port == flight.destination.port()
        });
        let Some(owner) = owner else { return self.deliver_to_plain(flight) };
        let arrival = Arrival { source: flight.source, local: Some(flight.destination.ip()) };
        let host = &mut self.hosts[owner];
        let packet = host.workers.arrive(arrival, &mut flight.datagram, self.now);
        host.received.extend(packet.map(|packet| (self.now, packet)));
        self.read_mail(HostId(owner));
    }

    fn deliver_to_plain(&mut self, mut flight: Flight) {
        let now = self.now;
        let Some(plain) = self.plain.as_mut().filter(|plain| plain.address == flight.destination) else {
            return;
        };
        if let Some(answer) = plain.handle(flight.source, &mut flight.datagram, now) {
            self.inject(flight.destination, flight.source, answer);
        }
    }

    /// What the plain peer sends to ask for a session now.
    pub(crate) fn plain_initiation(&mut self) -> Vec<u8> {
        let wall = WALL + (self.now - Instant::ZERO);
        self.plain.as_mut().expect("a plain peer").initiate(wall)
    }

    fn drain(&mut self, id: HostId) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let mut out = Collected::default();
        let next = host.node.drain(&mut out);
        (host.timeout, host.wake) = (next.map(|(at, _)| at), next.map(|(_, wake)| wake));
        host.received.extend(out.packets.into_iter().map(|packet| (now, packet)));
        host.events.extend(out.events.into_iter().map(|event| (now, event)));
        self.put_out(id, out.transmits);
    }

    /// What a host's node or worker sends, unless a filter of the host refuses.
    fn put_out(&mut self, id: HostId, transmits: Vec<Transmit>) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let mut flights = Vec::new();
        for transmit in transmits {
            let local = transmit.local.or_else(|| {
                host.addresses.iter().find(|ip| ip.is_ipv4() == transmit.remote.is_ipv4()).copied()
            });
            let Some(local) = local.filter(|ip| host.addresses.contains(ip)) else { continue };
            let inside = SocketAddr::new(local, host.mapped_port);
            let flight = Flight {
                sent: now,
                source: host.nat.as_mut().map_or(inside, |nat| nat.outbound(inside, transmit.remote)),
                destination: transmit.remote,
                datagram: transmit.datagram,
            };
            flights.push(flight);
        }
        let mut refused = Vec::new();
        for flight in flights {
            if (self.refuses)(&flight) {
                refused.push(flight);
            } else {
                self.send_off(flight);
            }
        }
        for flight in &refused {
            let local = Some(flight.source.ip());
            self.hosts[id.0].node.handle_refusal(flight.destination, local, now);
        }
        if !refused.is_empty() {
            self.refusals += refused.len();
            self.drain(id);
        }
    }

    /// On the wire, where it may be lost.
    fn send_off(&mut self, flight: Flight) {
        self.trace.push(flight.clone());
        if (self.loses)(&flight) {
            return;
        }
        let copies = self.disorder.as_mut().map_or(vec![self.delay], |copies| copies(&flight));
        copies.into_iter().for_each(|delay| self.launch(flight.clone(), delay));
    }

    /// Puts the host behind a NAT, or out of it.
    pub(crate) fn nat(&mut self, host: HostId, nat: Option<Nat>) {
        self.hosts[host.0].nat = nat;
    }

    pub(crate) fn reboot_nat(&mut self, host: HostId) {
        self.hosts[host.0].nat.as_mut().expect("a NAT").reboot();
    }
}

/// An IPv6/UDP packet between two virtual addresses, port 7 to port 7.
pub(crate) fn udp(source: std::net::Ipv6Addr, destination: std::net::Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len();
    let mut packet = vec![0x60, 0, 0, 0, (len >> 8) as u8, len as u8, 17, 64];
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    packet.extend_from_slice(&[0, 7, 0, 7, (len >> 8) as u8, len as u8, 0, 0]);
    packet.extend_from_slice(payload);
    packet
}
