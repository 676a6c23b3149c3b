//! Two nodes that talk, and a network that the input's bytes drive: it loses, doubles, reorders, forwards from
//! elsewhere, spoils and replays datagrams, moves the hosts, and lets time pass.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use stead_node::{
    Answer, Arrival, Cause, Command, Event, LocalAddress, LocalAttachment, Node, Outlet, PeerKind,
    PeerSettings, PeerStatus, Resending, Settings, SuspensionSettings, Transmit,
};
use stead_noise::keys::StaticSecret;
use stead_wire::time::{Duration, Instant, UnixTime};

const PORT: u16 = 51820;
const CONNECTIONS: usize = 16;

/// More steps than this teach nothing new about a state that grows no further.
const STEPS: usize = 400;

/// Most that a node may hold for its peer.
const HELD: usize = 4096;

/// Timers that may fire one after another without time passing: each kind once on either side.
const AT_ONCE: usize = 18;

struct Host {
    node: Node,
    ip: Option<IpAddr>,
    timeout: Option<Instant>,
}

/// What went to and came from an address that belongs to nobody.
#[derive(Clone, Copy, Default)]
struct Victim {
    sent_in_its_name: usize,
    got: usize,
    /// A peer that nobody knew to be VC enhanced roamed there: WireGuard believes it.
    believed: bool,
}

struct Flight {
    source: SocketAddr,
    destination: SocketAddr,
    datagram: Vec<u8>,
}

struct Stage {
    now: Instant,
    hosts: [Host; 2],
    flights: Vec<Flight>,
    /// Everything ever sent, for replays.
    past: Vec<(SocketAddr, Vec<u8>)>,
    victims: BTreeMap<SocketAddr, Victim>,
}

#[derive(Default)]
struct Out(Vec<Transmit>);

impl Outlet for Out {
    fn transmit(&mut self, transmit: Transmit) {
        self.0.push(transmit);
    }
    fn packet(&mut self, _: Vec<u8>) {}
    fn event(&mut self, _: Event) {}
}

/// Node against node: whatever the network does, no address that proved nothing becomes an enhanced peer's path or
/// gets more than three bytes per byte, no timer fires for ever, and nothing grows without bound.
pub fn node(bytes: &[u8]) {
    let mut stage = Stage::new();
    stage.send(1);
    stage.settle_network();
    stage.send(0);
    stage.settle_network();
    for step in bytes.chunks(2).take(STEPS) {
        let (what, how) = (step[0], step.get(1).copied().unwrap_or(0));
        let before = [0, 1].map(|host| stage.peer(host));
        stage.act(what, how);
        stage.check(&before);
    }
}

fn secret(host: usize) -> StaticSecret {
    StaticSecret::from_random([host as u8 + 1; 32])
}

fn home(host: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, host as u8 + 1).into()
}

impl Stage {
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        let host = |host: usize| {
            let peer = PeerSettings {
                name: "peer".into(),
                public_key: secret(1 - host).public_key(),
                preshared_key: None,
                endpoints: vec![SocketAddr::new(home(1 - host), PORT)],
                remembered: Vec::new(),
                allowed_ips: Vec::new(),
                persistent_keepalive: None,
            };
            let settings = Settings {
                secret: secret(host),
                listen_port: PORT,
                mtu: 1420,
                able: stead_wire::options::Capabilities::FAST_AES,
                mobile: true,
                connections: CONNECTIONS,
                resending: Resending::default(),
                suspension: SuspensionSettings::default(),
                services: Vec::new(),
                peers: vec![peer],
            };
            let wall = UnixTime(Duration::from_secs(1_767_225_600));
            let node = Node::new(settings, [host as u8; 32], wall, now).expect("sound settings");
            Host { node, ip: None, timeout: None }
        };
        let mut stage = Self {
            now,
            hosts: [host(0), host(1)],
            flights: Vec::new(),
            past: Vec::new(),
            victims: BTreeMap::new(),
        };
        (0..2).for_each(|host| stage.attach(host, Some(home(host)), Cause::Start));
        stage
    }

    fn act(&mut self, what: u8, how: u8) {
        let (host, at) = (usize::from(how & 1), usize::from(how) % self.flights.len().max(1));
        match what % 16 {
            0 | 1 => self.send(usize::from(what % 2)),
            2 | 3 => self.deliver(0, None),
            4 => self.deliver(at, None),
            5 if !self.flights.is_empty() => drop(self.flights.remove(at)),
            6 => self.double(at),
            7 => self.deliver(at, Some(SocketAddr::new(Ipv4Addr::new(203, 0, 113, how & 3).into(), 9))),
            8 => self.spoil(at, how),
            9 => self.attach(host, Some(Ipv4Addr::new(10, 7, how >> 1, host as u8).into()), Cause::Changed),
            10 => self.attach(host, None, Cause::Changed),
            11 => self.attach(host, self.hosts[host].ip, Cause::Woke),
            12 => self.pass(Duration::from_millis(how.into())),
            13 => self.pass(Duration::from_secs(how.into())),
            14 => self.replay(how),
            _ => self.settle_network(),
        }
    }

    fn send(&mut self, host: usize) {
        let [from, to] = [host, 1 - host].map(|host| secret(host).public_key().virtual_address());
        let mut packet = vec![0x60, 0, 0, 0, 0, 16, 17, 64];
        packet.extend(from.octets());
        packet.extend(to.octets());
        packet.extend([0, 7, 0, 7, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        self.hosts[host].node.handle_packet(&packet, self.now);
        self.drain(host);
    }

    /// Delivers a datagram, perhaps from another source than its own.
    fn deliver(&mut self, at: usize, source: Option<SocketAddr>) {
        if at < self.flights.len() {
            let Flight { source: own, destination, datagram } = self.flights.remove(at);
            self.arrive(source.unwrap_or(own), destination, datagram);
        }
    }

    fn arrive(&mut self, source: SocketAddr, destination: SocketAddr, mut datagram: Vec<u8>) {
        let owner = self.hosts.iter().position(|host| host.ip == Some(destination.ip()));
        let Some(host) = owner else { return };
        if is_victim(source) {
            self.victims.entry(source).or_default().sent_in_its_name += datagram.len();
        }
        let arrival = Arrival { source, local: Some(destination.ip()) };
        self.hosts[host].node.handle_datagram(arrival, &mut datagram, self.now);
        self.drain(host);
    }

    fn double(&mut self, at: usize) {
        if let Some(Flight { source, destination, datagram }) = self.flights.get(at) {
            let copy = Flight { source: *source, destination: *destination, datagram: datagram.clone() };
            self.flights.push(copy);
        }
    }

    fn spoil(&mut self, at: usize, how: u8) {
        if let Some(flight) = self.flights.get_mut(at) {
            let place = usize::from(how) * 7 % flight.datagram.len();
            flight.datagram[place] ^= 1 << (how % 8);
            if how.is_multiple_of(5) {
                flight.datagram.truncate(place);
            }
            self.deliver(at, None);
        }
    }

    fn replay(&mut self, how: u8) {
        if self.past.is_empty() {
            return;
        }
        let (destination, datagram) = self.past[usize::from(how) % self.past.len()].clone();
        let source = SocketAddr::new(Ipv4Addr::new(203, 0, 113, how & 3).into(), 9);
        self.arrive(source, destination, datagram);
    }

    fn attach(&mut self, host: usize, ip: Option<IpAddr>, cause: Cause) {
        let default_source_v4 = ip.and_then(|ip| match ip {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        });
        let addresses = ip.into_iter().map(|ip| LocalAddress { ip, prefix_len: 32, interface: 2 }).collect();
        let attachment = LocalAttachment {
            addresses,
            default_source_v4,
            default_source_v6: None,
            routes: Vec::new(),
            standby: Vec::new(),
            metered: Vec::new(),
            cause,
        };
        self.hosts[host].ip = ip;
        self.hosts[host].node.handle_attachment(attachment, self.now);
        self.drain(host);
    }

    /// Lets time pass; every timer fires at its moment.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut at_once = 0;
        while let Some((next, host)) = (0..2)
            .filter_map(|host| Some((self.hosts[host].timeout?, host)))
            .min()
            .filter(|(at, _)| *at <= end)
        {
            at_once = if next > self.now { 0 } else { at_once + 1 };
            let wake = self.hosts[host].node.poll_timeout();
            assert!(at_once < AT_ONCE, "a timer fires for ever: {wake:?}");
            self.now = self.now.max(next);
            self.hosts[host].node.handle_timeout(self.now);
            self.drain(host);
        }
        self.now = end;
    }

    /// Everything under way arrives, and what it causes, up to a bound.
    fn settle_network(&mut self) {
        for _ in 0..64 {
            self.deliver(0, None);
        }
    }

    fn drain(&mut self, host: usize) {
        let mut out = Out::default();
        self.hosts[host].timeout = self.hosts[host].node.drain(&mut out).map(|(at, _)| at);
        for Transmit { remote, datagram, .. } in out.0 {
            assert!(datagram.len() <= 1420 + 32, "a datagram longer than the tunnel's MTU allows");
            if is_victim(remote) {
                self.victims.entry(remote).or_default().got += datagram.len();
            }
            let Some(ip) = self.hosts[host].ip else { continue };
            if self.past.len() < 256 {
                self.past.push((remote, datagram.clone()));
            }
            if self.flights.len() < 256 {
                self.flights.push(Flight {
                    source: SocketAddr::new(ip, PORT),
                    destination: remote,
                    datagram,
                });
            }
        }
    }

    fn peer(&self, host: usize) -> PeerStatus {
        match self.hosts[host].node.handle_command(Command::Status, self.now) {
            Answer::Status(mut status) => {
                assert!(status.connections <= CONNECTIONS);
                status.peers.remove(0)
            }
            Answer::Connections(_) => unreachable!("a status was asked for"),
        }
    }

    fn check(&mut self, before: &[PeerStatus; 2]) {
        for (host, before) in before.iter().enumerate() {
            let after = self.peer(host);
            assert!(after.held.packets <= HELD && after.candidates.len() <= 16);
            let Some(path) = after.path.filter(|path| is_victim(path.remote)) else { continue };
            assert!(!path.validated, "{} proved nothing", path.remote);
            let moved = before.path.is_none_or(|before| before.remote != path.remote);
            let enhanced = before.kind == PeerKind::Enhanced && after.kind == PeerKind::Enhanced;
            assert!(!(moved && enhanced), "an enhanced peer was moved to {}", path.remote);
            self.victims.entry(path.remote).or_default().believed = true;
        }
        for (address, victim) in &self.victims {
            let limit = 3 * victim.sent_in_its_name;
            assert!(victim.believed || victim.got <= limit, "{address} got {} of {limit}", victim.got);
        }
    }
}

const fn is_victim(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(v4) => v4.octets()[0] == 203,
        IpAddr::V6(_) => false,
    }
}
