//! A node with many peers, and those of them that speak with it, in one thread and in memory: no sockets, no clock but
//! one that stands.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use stead_node::{
    Arrival, Cause, Event, FlowCursor, LocalAttachment, Node, Outbound, Outlet, PacketPath, PeerSettings,
    Prefix, Resending, Settings, SuspensionSettings, Transmit,
};
use stead_noise::keys::{PublicKey, StaticSecret};
use stead_wire::message::{TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::Capabilities;
use stead_wire::time::{Duration, Instant, UnixTime};

/// 2026-01-01, so that handshakes' times look like real ones.
const WALL: UnixTime = UnixTime(Duration::from_secs(1_767_225_600));

const MTU: u16 = 1420;

/// Where the hub waits. Peers live in 10.128.0.0/9.
const HUB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 51820);
const SPOKES: u32 = Ipv4Addr::new(10, 128, 0, 0).to_bits();

/// Between two handshakes, so that they are no load.
const APART: Duration = Duration::from_millis(10);

/// How a hub is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Peers in its configuration.
    pub(crate) peers: u32,
    /// Blocks of addresses of the first peer, beside the one that its key gives it.
    pub(crate) routes: u32,
    /// Most entries of its table.
    pub(crate) connections: usize,
    /// On what terms the hub and its peers are able to go on.
    pub(crate) able: Capabilities,
}

/// The hub and the peers that were connected to it.
pub(crate) struct Hub {
    pub(crate) node: Node,
    pub(crate) path: Arc<PacketPath>,
    pub(crate) now: Instant,
    able: Capabilities,
    pub(crate) spokes: BTreeMap<u32, Node>,
}

#[derive(Default)]
struct Sent(VecDeque<Transmit>);

impl Outlet for Sent {
    fn transmit(&mut self, transmit: Transmit) {
        self.0.push_back(transmit);
    }
    fn packet(&mut self, _: Vec<u8>) {}
    fn event(&mut self, _: Event) {}
}

impl Hub {
    /// From [its settings](settings_of_hub).
    pub(crate) fn of(settings: Settings) -> Self {
        let (now, able) = (Instant::from_micros(1_000_000), settings.able);
        let mut node = Node::new(settings, [1; 32], WALL, now).expect("settings are fine");
        node.handle_attachment(attached(HUB.ip()), now);
        Self { path: node.packet_path(), node, now, able, spokes: BTreeMap::new() }
    }

    /// Peer `number` gets a session with the hub, and both learn what they speak.
    pub(crate) fn connect(&mut self, number: u32) {
        self.now += APART;
        let hub = PeerSettings { endpoints: vec![HUB], allowed_ips: everything(), ..peer("hub", key(0)) };
        let settings = settings(secret(number + 1), self.able, 64, vec![hub]);
        let mut node = Node::new(settings, [2; 32], WALL, self.now).expect("settings are fine");
        node.handle_attachment(attached(address(number).ip()), self.now);
        self.spokes.insert(number, node);
        for _ in 0..2 {
            let packet = udp((virtual_address(number + 1), 7), (virtual_address(0), 7), 64);
            let now = self.now;
            self.spoke(number).handle_packet(&packet, now);
            self.exchange(number);
            let packet = udp((virtual_address(0), 7), (virtual_address(number + 1), 7), 64);
            self.node.handle_packet(&packet, self.now);
            self.exchange(number);
        }
    }

    fn spoke(&mut self, number: u32) -> &mut Node {
        self.spokes.get_mut(&number).expect("it was connected")
    }

    /// Until neither the hub nor the peer has anything to say.
    fn exchange(&mut self, number: u32) {
        let now = self.now;
        let spoke = self.spokes.get_mut(&number).expect("it was connected");
        loop {
            let (mut up, mut down) = (Sent::default(), Sent::default());
            spoke.drain(&mut up);
            self.node.drain(&mut down);
            if up.0.is_empty() && down.0.is_empty() {
                return;
            }
            for mut sent in up.0 {
                let arrival = Arrival { source: address(number), local: Some(HUB.ip()) };
                self.node.handle_datagram(arrival, &mut sent.datagram, now);
            }
            for mut sent in down.0.into_iter().filter(|sent| sent.remote == address(number)) {
                let arrival = Arrival { source: HUB, local: Some(address(number).ip()) };
                spoke.handle_datagram(arrival, &mut sent.datagram, now);
            }
        }
    }

    /// What seals at peer `number`.
    pub(crate) fn path_of(&mut self, number: u32) -> Arc<PacketPath> {
        self.spoke(number).packet_path()
    }

    /// How a datagram of peer `number` arrives at the hub.
    pub(crate) fn arrival(number: u32) -> Arrival {
        Arrival { source: address(number), local: Some(HUB.ip()) }
    }
}

/// One worker's way out, as the daemon's goes it: the decision, a piece of the ring, the seal.
pub(crate) struct Way {
    path: Arc<PacketPath>,
    cursor: FlowCursor,
    now: Instant,
}

impl Way {
    pub(crate) fn new(path: &Arc<PacketPath>, now: Instant) -> Self {
        Self { path: Arc::clone(path), cursor: FlowCursor::default(), now }
    }

    /// Length of the datagram that this packet makes.
    pub(crate) fn send(&mut self, packet: &[u8]) -> usize {
        self.send_with(packet, |_| {})
    }

    /// The datagram that this packet makes.
    pub(crate) fn datagram(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        self.send_with(packet, |message| datagram = message.to_vec());
        datagram
    }

    fn send_with(&mut self, packet: &[u8], look: impl FnOnce(&[u8])) -> usize {
        let Outbound::Send(mut grant) =
            self.path.outbound(&mut self.cursor, packet, (1, packet.len()), self.now)
        else {
            panic!("the peer is connected and nothing suspends it");
        };
        let len = TRANSPORT_HEADER_LEN + padded_len(packet.len()) + TAG_LEN;
        let mut chunk = self.path.take_chunk(grant.peer(), self.now).expect("a VC-enhanced peer's is kept");
        let message = &mut chunk.row_mut()[..len];
        message[TRANSPORT_HEADER_LEN..][..packet.len()].copy_from_slice(packet);
        message[TRANSPORT_HEADER_LEN + packet.len()..].fill(0);
        grant.seal(message);
        look(message);
        self.path.give_chunk(grant.peer(), chunk, (len, len), self.now);
        len
    }
}

/// One worker's way in: opens a datagram, checks whose packet it holds, counts it.
pub(crate) struct WayIn {
    path: Arc<PacketPath>,
    cursor: FlowCursor,
    now: Instant,
}

impl WayIn {
    pub(crate) fn new(path: &Arc<PacketPath>, now: Instant) -> Self {
        Self { path: Arc::clone(path), cursor: FlowCursor::default(), now }
    }

    /// Length of the packet that peer `number` sealed.
    pub(crate) fn receive(&mut self, number: u32, datagram: &mut [u8]) -> usize {
        self.receive_all(number, core::iter::once(datagram))
    }

    /// Length of all packets that peer `number` sealed, of datagrams that arrive together.
    pub(crate) fn receive_all<'d>(
        &mut self,
        number: u32,
        datagrams: impl ExactSizeIterator<Item = &'d mut [u8]>,
    ) -> usize {
        let mut arrivals = self.path.arrivals(&mut self.cursor, datagrams.len(), self.now);
        let packets = datagrams.map(|datagram| {
            let inbound = arrivals.open(&Hub::arrival(number), datagram);
            inbound.packet.expect("it is the peer's").len()
        });
        packets.sum()
    }
}

/// What a hub is told at its start.
pub(crate) fn settings_of_hub(plan: Plan) -> Settings {
    let peers = (0..plan.peers).map(|number| PeerSettings {
        endpoints: vec![address(number)],
        allowed_ips: if number == 0 { blocks(plan.routes) } else { Vec::new() },
        ..peer(&format!("peer{number}"), key(number + 1))
    });
    settings(secret(0), plan.able, plan.connections, peers.collect())
}

fn settings(
    secret: StaticSecret,
    able: Capabilities,
    connections: usize,
    peers: Vec<PeerSettings>,
) -> Settings {
    Settings {
        secret,
        listen_port: HUB.port(),
        mtu: MTU,
        able,
        mobile: true,
        connections,
        resending: Resending::default(),
        suspension: SuspensionSettings::default(),
        services: Vec::new(),
        peers,
    }
}

fn peer(name: &str, key: PublicKey) -> PeerSettings {
    PeerSettings {
        name: name.to_owned(),
        public_key: key,
        preshared_key: None,
        endpoints: Vec::new(),
        remembered: Vec::new(),
        allowed_ips: Vec::new(),
        persistent_keepalive: None,
    }
}

/// Number 0 is the hub, peer `n` is number `n + 1`.
fn secret(number: u32) -> StaticSecret {
    let mut bytes = [7; 32];
    // The first byte's low bits mean nothing.
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    StaticSecret::from_random(bytes)
}

fn key(number: u32) -> PublicKey {
    secret(number).public_key()
}

pub(crate) fn virtual_address(number: u32) -> Ipv6Addr {
    key(number).virtual_address()
}

/// A /64 each.
fn blocks(count: u32) -> Vec<Prefix> {
    let block =
        |number: u32| Prefix::new(in_block(number, 0).into(), 64).expect("the family has so many bits");
    (0..count).map(block).collect()
}

/// An address in one of the first peer's blocks.
pub(crate) fn in_block(number: u32, host: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits((0xfd99 << 112) | (u128::from(number) << 64) | u128::from(host))
}

fn everything() -> Vec<Prefix> {
    vec![Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0).expect("none is a length")]
}

fn address(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(SPOKES + number).into(), 51820)
}

/// One address, and a default route.
pub(crate) fn attached(ip: IpAddr) -> LocalAttachment {
    let IpAddr::V4(v4) = ip else { panic!("all of them are IPv4 here") };
    LocalAttachment { default_source_v4: Some(v4), ..LocalAttachment::detached(Cause::Changed) }
}

/// An IPv6/UDP packet, `len` bytes in all.
pub(crate) fn udp(source: (Ipv6Addr, u16), destination: (Ipv6Addr, u16), len: usize) -> Vec<u8> {
    let upper = ((len - 40) as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, upper[0], upper[1], 17, 64];
    packet.extend(source.0.octets());
    packet.extend(destination.0.octets());
    packet.extend(source.1.to_be_bytes());
    packet.extend(destination.1.to_be_bytes());
    packet.extend(upper);
    packet.resize(len, 0);
    packet
}
