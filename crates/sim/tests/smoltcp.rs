//! The faults of smoltcp 0.14.0 that `SMOLTCP.md` describes, each in its smallest form: against smoltcp itself, and against
//! the simulated host's stack, whose border makes up for it.
//!
//! Where a test says that smoltcp itself is well again, what makes up for the fault can go.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant as StackInstant;
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint};
use stead_sim::{Carrier, ORIGIN, Stack};
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::Segment;
use stead_wire::time::Duration;

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40_000);
const THERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 80);

const SYN: u8 = 2;
const ACK: u8 = 16;

/// The peer's first sequence number, and a window that is open.
const PEER: u32 = 1000;
const OPEN: u16 = 5000;

/// A client's stack under test.
trait Client {
    fn show(&mut self, packet: Vec<u8>);
    /// What it sends at `at`.
    fn run(&mut self, at: Duration) -> Vec<Vec<u8>>;
    fn socket(&mut self) -> &mut tcp::Socket<'static>;
}

/// smoltcp itself.
struct Raw {
    interface: Interface,
    sockets: SocketSet<'static>,
    cable: Cable,
    handle: SocketHandle,
}

/// The simulated host's stack.
struct Hosted(Stack, SocketHandle);

#[derive(Default)]
struct Cable {
    rx: VecDeque<Vec<u8>>,
    tx: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Room<'c>(&'c mut Vec<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Cable {
    type RxToken<'c> = Received;
    type TxToken<'c> = Room<'c>;

    fn receive(&mut self, _now: StackInstant) -> Option<(Received, Room<'_>)> {
        Some((Received(self.rx.pop_front()?), Room(&mut self.tx)))
    }

    fn transmit(&mut self, _now: StackInstant) -> Option<Room<'_>> {
        Some(Room(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

impl Raw {
    fn new() -> Self {
        let mut cable = Cable::default();
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut cable, StackInstant::ZERO);
        interface.update_ip_addrs(|own| own.push(IpCidr::new(HERE.ip().into(), 24)).expect("room"));
        let buffer = || tcp::SocketBuffer::new(vec![0; 10_000]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.connect(interface.context(), IpEndpoint::from(THERE), HERE.port()).expect("free");
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Self { interface, sockets, cable, handle }
    }
}

impl Client for Raw {
    fn show(&mut self, packet: Vec<u8>) {
        self.cable.rx.push_back(packet);
    }

    fn run(&mut self, at: Duration) -> Vec<Vec<u8>> {
        let at = StackInstant::from_micros(i64::try_from(at.as_micros()).expect("soon"));
        self.interface.poll(at, &mut self.cable, &mut self.sockets);
        std::mem::take(&mut self.cable.tx)
    }

    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }
}

impl Hosted {
    fn new() -> Self {
        let mut stack = Stack::new(Carrier::Cable, 1500, 1);
        stack.set_addresses(&[HERE.ip()]);
        let handle = stack.connect(HERE.port(), THERE).expect("free");
        Self(stack, handle)
    }
}

impl Client for Hosted {
    fn show(&mut self, packet: Vec<u8>) {
        self.0.handle_packet(packet);
    }

    fn run(&mut self, at: Duration) -> Vec<Vec<u8>> {
        self.0.handle_timeout(ORIGIN + at);
        std::iter::from_fn(|| self.0.poll_packet()).collect()
    }

    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.0.tcp(self.1)
    }
}

/// A segment from the peer, without data.
fn segment(flags: u8, acknowledgement: u32, window: u16) -> Vec<u8> {
    let sequence = if flags & SYN != 0 { PEER } else { PEER + 1 };
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
    packet.extend(THERE.port().to_be_bytes());
    packet.extend(HERE.port().to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(acknowledgement.to_be_bytes());
    packet.extend([0x50, flags]);
    packet.extend(window.to_be_bytes());
    packet.extend([0; 4]);
    packet
}

fn read(packet: &[u8]) -> Segment {
    Segment::read(packet, &IpHeaders::parse(packet).expect("a packet")).expect("a segment")
}

/// A connection that is open; the first number that the client sends data under.
fn open(client: &mut impl Client) -> u32 {
    let first = read(&client.run(Duration::ZERO)[0]).sequence.0.wrapping_add(1);
    client.show(segment(SYN | ACK, first, OPEN));
    assert_eq!(client.run(Duration::from_millis(1)).len(), 1, "the handshake's last ACK");
    first
}

/// What the client sends in ten minutes after the first second.
fn sent_later(client: &mut impl Client) -> Vec<Segment> {
    let moments = (1..6000).map(|tenth| Duration::from_secs(1) + Duration::from_millis(100) * tenth);
    moments.flat_map(|at| client.run(at)).map(|packet| read(&packet)).collect()
}

/// Everything is lost that it sends under `first`, and the peer's window closes meanwhile.
fn window_closes(client: &mut impl Client) -> (u32, Vec<Segment>) {
    let first = open(client);
    client.socket().send_slice(&[7; 100]).expect("room");
    assert_eq!(client.run(Duration::from_millis(2)).len(), 1, "lost");
    client.show(segment(ACK, first, 0));
    client.run(Duration::from_millis(3));
    (first, sent_later(client))
}

/// The FIN is lost, and three duplicate ACKs come.
fn fin_is_lost(client: &mut impl Client) -> Vec<Segment> {
    let first = open(client);
    client.socket().close();
    assert!(read(&client.run(Duration::from_millis(2))[0]).flags.fin, "lost");
    (0..3).for_each(|_| client.show(segment(ACK, first, OPEN)));
    client.run(Duration::from_millis(3));
    sent_later(client)
}

#[test]
fn smoltcp_sends_nothing_ever_after_a_window_closed_while_bytes_were_outstanding() {
    let (_, sent) = window_closes(&mut Raw::new());
    assert!(sent.is_empty(), "smoltcp is well again: {sent:?}");
}

#[test]
fn a_simulated_host_probes_a_window_that_closed_while_bytes_were_outstanding() {
    let mut client = Hosted::new();
    let (first, probes) = window_closes(&mut client);
    assert!(probes.len() > 20, "one in 12 s at least: {}", probes.len());
    client.show(segment(ACK, first, OPEN));
    let sent = client.run(Duration::from_secs(601));
    assert_eq!(sent.iter().map(|packet| read(packet).payload_len).sum::<u32>(), 100);
}

#[test]
fn smoltcp_never_sends_a_lost_fin_again_after_three_duplicate_acks() {
    let sent = fin_is_lost(&mut Raw::new());
    assert!(sent.is_empty(), "smoltcp is well again: {sent:?}");
}

#[test]
fn a_simulated_host_sends_a_lost_fin_again_after_three_duplicate_acks() {
    let sent = fin_is_lost(&mut Hosted::new());
    assert!(sent.iter().any(|segment| segment.flags.fin), "{sent:?}");
}
