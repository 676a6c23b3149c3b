//! A host's TCP/IP stack: smoltcp behind a device that is the host's TUN, or its cable.
//!
//! # Time
//! smoltcp's clock runs [`SPEED`] times as fast as the world's. Its least retransmission timeout is the 1 s of
//! RFC 6298; so here it is 200 ms, as Linux has it, and an application sees about the stalls it would see
//! there. What still differs from Linux, and which way:
//! - the first timeout, before a round trip was measured, is 200 ms and not 1 s; the longest is 12 s and not 120 s:
//!   after an outage of more than about 12 s without suspension, Linux stalls longer than this;
//! - no selective acknowledgement is used by the sender, no tail loss probe: after a burst of losses, Linux
//!   recovers faster;
//! - delayed acknowledgements wait 40 ms at most, as in Linux; congestion control is Reno, not CUBIC;
//! - a connection is never given up (Linux does after about 15 min).
//!
//! # Faults of smoltcp
//! Two of them are made up for at the border; `SMOLTCP.md` describes them. A sender is told of narrow paths by ICMP, which
//! smoltcp does not look at: the longest packet to a destination is remembered here, as a kernel does.
//!
//! The host's clock for the stack stands still while the host sleeps, as CLOCK_MONOTONIC does.

mod border;
mod told;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{Socket, tcp, udp};
use smoltcp::time::{Duration as StackDuration, Instant as StackInstant};
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint, Ipv4Address, Ipv6Address};
use stead_lct::OriginalSpecification;
use stead_wire::ip::Protocol;
use stead_wire::time::{Duration, Instant};

use self::border::{Border, Ends, Outstanding};
use crate::clock::{ORIGIN, since_origin};

/// How much faster the stack's clock runs.
const SPEED: u64 = 5;

/// The longest an acknowledgement is delayed, by the world's clock.
const ACK_DELAY: Duration = Duration::from_millis(40);

/// Room for bytes in either direction of a TCP connection.
const TCP_BUFFER: usize = 512 * 1024;

/// Datagrams and bytes that wait for a UDP application.
const UDP_DATAGRAMS: usize = 256;
const UDP_BYTES: usize = 128 * 1024;

/// See the module's documentation.
pub struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    cable: Cable,
    border: Border,
    /// The longest packets to destinations, as ICMP told.
    narrow: BTreeMap<IpAddr, usize>,
    /// How long the host has slept.
    slept: Duration,
}

/// What carries the stack's packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// A TUN device: checksums are made and checked.
    Tun,
    /// The underlay itself, whose routers rewrite headers: checksums are left out.
    Cable,
}

impl Stack {
    /// A stack without addresses. `mtu` is the longest packet's length, `seed` all its randomness.
    #[must_use]
    pub fn new(carrier: Carrier, mtu: usize, seed: u64) -> Self {
        let mut cable = Cable { carrier, mtu, rx: VecDeque::new(), tx: VecDeque::new() };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let interface = Interface::new(config, &mut cable, StackInstant::ZERO);
        Self {
            interface,
            sockets: SocketSet::new(Vec::new()),
            cable,
            border: Border::default(),
            narrow: BTreeMap::new(),
            slept: Duration::ZERO,
        }
    }

    /// The host has these addresses now, and reaches everything from them. At most one of each family counts.
    pub fn set_addresses(&mut self, addresses: &[IpAddr]) {
        self.interface.update_ip_addrs(|own| {
            own.clear();
            for address in addresses {
                let len = if address.is_ipv4() { 32 } else { 128 };
                // Bounded by the stack; further ones are not used by any traffic here.
                let _full = own.push(IpCidr::new((*address).into(), len));
            }
        });
        let routes = self.interface.routes_mut();
        // Whom a route names as gateway does not matter on a device without link addresses.
        let _full = routes.add_default_ipv4_route(Ipv4Address::new(169, 254, 0, 1));
        let _full = routes.add_default_ipv6_route(Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    }

    /// The host was suspended for this long.
    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.slept += duration;
    }

    /// A packet from the carrier.
    pub fn handle_packet(&mut self, packet: Vec<u8>) {
        if let Some((destination, longest)) = told::too_big(&packet) {
            let known = self.narrow.entry(destination).or_insert(longest);
            *known = longest.min(*known);
            return;
        }
        if self.border.admits(&packet, |ends| outstanding(&self.sockets, ends)) {
            self.cable.rx.push_back(packet);
        }
    }

    /// The longest packet that gets to `destination`, as far as the host was told.
    pub(crate) fn path_mtu(&self, destination: IpAddr) -> usize {
        self.narrow.get(&destination).map_or(self.cable.mtu, |told| self.cable.mtu.min(*told))
    }

    /// Lets the stack see what has come and what time it is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let again = self.border.again(now, |ends| outstanding(&self.sockets, ends));
        self.cable.rx.extend(again);
        let now = self.stack_time(now);
        self.interface.poll(now, &mut self.cable, &mut self.sockets);
    }

    /// The next packet for the carrier.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.cable.tx.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let stack = self.interface.poll_at(self.stack_time(now), &self.sockets).map(|at| {
            let micros = u64::try_from(at.total_micros()).unwrap_or(0).div_ceil(SPEED);
            ORIGIN + self.slept + Duration::from_micros(micros)
        });
        [stack, self.border.poll_timeout()].into_iter().flatten().min()
    }

    fn stack_time(&self, now: Instant) -> StackInstant {
        let awake = since_origin(now).saturating_sub(self.slept);
        let micros = u64::try_from(awake.as_micros()).unwrap_or(0) * SPEED;
        StackInstant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// TCP connections in which either end may still have something to say, as Linux lists them.
    pub(crate) fn connections(&self) -> Vec<OriginalSpecification> {
        let alive = |state| {
            use tcp::State::{CloseWait, Closing, Established, FinWait1, FinWait2};
            matches!(state, Established | FinWait1 | FinWait2 | CloseWait | Closing)
        };
        let end = |endpoint: IpEndpoint| SocketAddr::new(endpoint.addr.into(), endpoint.port);
        let connection = |socket: &tcp::Socket<'_>| {
            let (local, remote) = (end(socket.local_endpoint()?), end(socket.remote_endpoint()?));
            Some(OriginalSpecification { local, remote, protocol: Protocol::TCP })
        };
        let sockets = self.sockets.iter().filter_map(|(_, socket)| match socket {
            Socket::Tcp(socket) if alive(socket.state()) => connection(socket),
            _ => None,
        });
        sockets.collect()
    }

    /// A TCP socket that listens on `port`.
    pub fn listen(&mut self, port: u16) -> Option<SocketHandle> {
        let mut socket = tcp_socket();
        socket.listen(port).ok()?;
        Some(self.sockets.add(socket))
    }

    /// A TCP socket that connects to `remote`.
    pub fn connect(&mut self, port: u16, remote: SocketAddr) -> Option<SocketHandle> {
        let mut socket = tcp_socket();
        let endpoint = IpEndpoint::new(remote.ip().into(), remote.port());
        socket.connect(self.interface.context(), endpoint, port).ok()?;
        Some(self.sockets.add(socket))
    }

    /// A UDP socket on `port`.
    pub fn bind(&mut self, port: u16) -> Option<SocketHandle> {
        let buffer = || {
            let metadata = vec![udp::PacketMetadata::EMPTY; UDP_DATAGRAMS];
            udp::PacketBuffer::new(metadata, vec![0; UDP_BYTES])
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).ok()?;
        Some(self.sockets.add(socket))
    }

    /// A TCP socket.
    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// A UDP socket.
    pub fn udp(&mut self, handle: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

/// What a connection has sent, or has to send, that is not acknowledged.
fn outstanding(sockets: &SocketSet<'static>, (local, remote): Ends) -> Outstanding {
    let connection = sockets.iter().find_map(|(_, socket)| match socket {
        Socket::Tcp(tcp) => {
            let ends = (tcp.local_endpoint(), tcp.remote_endpoint());
            (ends == (Some(local.into()), Some(remote.into()))).then_some(tcp)
        }
        Socket::Udp(_) => None,
    });
    match connection {
        None => Outstanding::Nothing,
        Some(tcp) if tcp.send_queue() > 0 => Outstanding::Bytes,
        Some(tcp) => match tcp.state() {
            tcp::State::FinWait1 | tcp::State::Closing | tcp::State::LastAck => Outstanding::Fin,
            _ => Outstanding::Nothing,
        },
    }
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_congestion_control(tcp::CongestionControl::Reno);
    let delay = ACK_DELAY.as_micros() as u64 * SPEED;
    socket.set_ack_delay(Some(StackDuration::from_micros(delay)));
    socket.set_nagle_enabled(false);
    socket
}

/// The device: two queues.
struct Cable {
    carrier: Carrier,
    mtu: usize,
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Room<'c>(&'c mut VecDeque<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Cable {
    type RxToken<'c> = Received;
    type TxToken<'c> = Room<'c>;

    fn receive(&mut self, _now: StackInstant) -> Option<(Received, Room<'_>)> {
        let packet = self.rx.pop_front()?;
        Some((Received(packet), Room(&mut self.tx)))
    }

    fn transmit(&mut self, _now: StackInstant) -> Option<Room<'_>> {
        Some(Room(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        if self.carrier == Carrier::Cable {
            capabilities.checksum = ChecksumCapabilities::ignored();
        }
        capabilities
    }
}
