//! Linux: super-packets both ways, addresses and routes through netlink.

use core::net::IpAddr;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, IoSlice};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::net::if_::if_nametoindex;
use stead_node::Prefix;
use tracing::{debug, trace, warn};
use tun_rs::{DeviceBuilder, SyncDevice};

use super::{DeviceSettings, TunError, VirtualAddress};
use crate::netlink::Netlink;
use crate::offload::{
    Checksums, Coalescer, MAX_SLICES, Malformed, MergeUdp, Segments, SuperPacket, VirtioHeader,
};

pub(super) const DRIVER_HINT: &str =
    "load the module (`modprobe tun`), or let the container have the device /dev/net/tun";
pub(super) const PRIVILEGE_HINT: &str = "needs root or CAP_NET_ADMIN (`sudo stead up …`)";
pub(super) const NAME_RULE: &str = "1 to 15 bytes without `/` and white space";

pub use self::reader::Reader;

#[path = "linux/reader.rs"]
mod reader;

/// A TUN device with offload and several queues, which the kernel fills by flow: see [`Reader`].
pub struct Device {
    tun: SyncDevice,
    /// Its queues but the first.
    further: Vec<SyncDevice>,
    /// Which flow has which queue; nobody outside can tell.
    spread: RandomState,
    pub(super) name: String,
    pub(super) index: u32,
}

/// A batch of packets on its way to the host's stack. Packets of one stream are merged, so that the stack
/// is run through once for all of them.
pub struct Delivery<'d, 'p> {
    device: &'d Device,
    coalescer: Coalescer<'p>,
}

/// Room that a [`Delivery`] leaves to the next, so that none allocates.
pub struct Memory(Coalescer<'static>);

/// Which figure of a device's line in `/proc/net/dev` counts what could not be sent.
const TX_DROPPED: usize = 11;

/// As many packets as the kernel's own tunnels queue.
const QUEUE_LEN: u32 = 1000;

impl Device {
    /// Whether packets with partial checksums can be handed to the host's stack.
    pub const TAKES_PARTIAL_CHECKSUMS: bool = true;

    /// Longest read: a super-packet and its virtio header.
    pub const LONGEST_READ: usize = VirtioHeader::LEN + 65_535;

    /// How many queues there are at most. Few flows are busy at once; eight keep most of them apart.
    pub const MOST_QUEUES: usize = 8;

    /// Makes the device, with addresses and routes, and brings it up.
    ///
    /// # Errors
    /// See [`TunError`]; the device is gone again then.
    pub fn create(settings: &DeviceSettings) -> Result<Self, TunError> {
        let routes = settings.routes()?;
        let name = settings.name.clone();
        if name.is_empty() || name.len() > 15 || name.contains(|c: char| c == '/' || c.is_whitespace()) {
            return Err(TunError::Name { name });
        }
        if if_nametoindex(name.as_str()).is_ok() {
            return Err(TunError::Exists { name });
        }
        let device = Self::open(settings).map_err(|error| open_error(name.clone(), error))?;
        let io = |source| TunError::Io { name: name.clone(), source };
        let mut netlink = Netlink::open().map_err(io)?;
        quieten(&name);
        device.bound_super_packets(&mut netlink, settings.most_segments);
        for address in &settings.addresses {
            device.add_address(&mut netlink, *address)?;
        }
        device.tun.enabled(true).map_err(io)?;
        for route in routes {
            device.add_route(&mut netlink, route)?;
        }
        Ok(device)
    }

    fn open(settings: &DeviceSettings) -> io::Result<Self> {
        let tun = DeviceBuilder::new()
            .name(settings.name.clone())
            .mtu(settings.mtu)
            .offload(true)
            .tx_queue_len(QUEUE_LEN)
            .multi_queue(true)
            .enable(false)
            .build_sync()?;
        let further = (1..Self::MOST_QUEUES).map(|_| tun.try_clone()).collect::<io::Result<Vec<_>>>()?;
        for queue in core::iter::once(&tun).chain(&further) {
            queue.set_nonblocking(true)?;
        }
        let index = tun.if_index()?;
        debug!(name = settings.name, index, tcp = tun.tcp_gso(), udp = tun.udp_gso(), "Device made");
        Ok(Self { tun, further, spread: RandomState::new(), name: settings.name.clone(), index })
    }

    fn queue(&self, index: usize) -> &SyncDevice {
        index.checked_sub(1).and_then(|index| self.further.get(index)).unwrap_or(&self.tun)
    }

    /// The queue that a flow's packets go through, so that the kernel lets those of the other direction come through it,
    /// too. What has no ports has the first one for itself.
    fn queue_of(&self, packet: &SuperPacket<'_, '_>) -> &SyncDevice {
        let busy = self.further.len() as u64;
        let index =
            packet.flow().filter(|_| busy > 0).map_or(0, |flow| 1 + self.spread.hash_one(flow) % busy);
        self.queue(usize::try_from(index).unwrap_or_default())
    }

    /// How many packets and super-packets the kernel dropped because nobody read them in time.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        // Of this namespace, whatever is mounted at /sys.
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
        let named =
            |line: &str| Some(line.trim_start().strip_prefix(&self.name)?.strip_prefix(':')?.to_owned());
        let figures = devices.lines().find_map(named).unwrap_or_default();
        figures.split_whitespace().nth(TX_DROPPED).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// What a worker keeps from one [`Delivery`] to the next.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory(Coalescer::new(if self.tun.udp_gso() { MergeUdp::Yes } else { MergeUdp::No }))
    }

    /// Begins to hand a batch of packets to the host's stack.
    #[must_use]
    pub fn deliver<'p>(&self, memory: Memory) -> Delivery<'_, 'p> {
        Delivery { device: self, coalescer: memory.0.recycle() }
    }

    /// Takes apart what one read gave.
    ///
    /// # Errors
    /// [`Malformed`] if it is no packet or cannot be cut as it says.
    pub fn segments(read: &[u8]) -> Result<Segments<'_>, Malformed> {
        Segments::of_read(read)
    }

    /// Hands one packet to the host's stack.
    ///
    /// # Errors
    /// What the system reports; the packet is lost then.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        let header = VirtioHeader::PLAIN.encode();
        self.tun.send_vectored(&[IoSlice::new(&header), IoSlice::new(packet)]).map(drop)
    }

    fn write_super(&self, packet: &SuperPacket<'_, '_>) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let filled = packet.gather(&mut slices);
        self.queue_of(packet).send_vectored(&slices[..filled]).map(drop)
    }

    /// Best effort: a longer super-packet is sent in two parts, of which the second is a short one.
    fn bound_super_packets(&self, netlink: &mut Netlink, most: usize) {
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message.attributes = vec![LinkAttribute::GsoMaxSegs(u32::try_from(most).unwrap_or(u32::MAX))];
        if let Err(error) = netlink.change(RouteNetlinkMessage::SetLink(message), 0) {
            debug!(most, %error, "Super-packets stay as long as they are");
        }
    }

    /// A host without IPv6 goes without the IPv6 addresses.
    fn add_address(&self, netlink: &mut Netlink, address: VirtualAddress) -> Result<(), TunError> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.ip);
        message.header.prefix_len = address.prefix_len;
        message.header.index = self.index;
        // Nobody else can have it, so applications need not wait until that was asked.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![AddressAttribute::Local(address.ip), AddressAttribute::Address(address.ip)];
        match netlink.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE) {
            Ok(()) => Ok(()),
            Err(error) if address.ip.is_ipv6() && has_no_ipv6(&error) => {
                warn!(%address, "This host has no IPv6: going without the address");
                Ok(())
            }
            Err(source) => Err(TunError::Address { address, source }),
        }
    }

    fn add_route(&self, netlink: &mut Netlink, prefix: Prefix) -> Result<(), TunError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(prefix.address());
        message.header.destination_prefix_length = prefix.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.scope =
            if prefix.address().is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(RouteAddress::from(prefix.address())),
            RouteAttribute::Oif(self.index),
        ];
        match netlink.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Err(TunError::RouteTaken { prefix }),
            Err(error) if prefix.address().is_ipv6() && has_no_ipv6(&error) => Ok(()),
            Err(source) => Err(TunError::Route { prefix, source }),
        }
    }
}

impl<'p> Delivery<'_, 'p> {
    /// Adds a packet; it goes out with [`finish`](Self::finish).
    pub fn push(&mut self, packet: &'p [u8], checksums: Checksums) {
        self.coalescer.push(packet, checksums);
    }

    /// Writes everything, and returns how many packets the system did not take.
    #[must_use]
    pub fn finish(self) -> (Memory, u64) {
        let mut lost = 0;
        for packet in self.coalescer.super_packets() {
            if let Err(error) = self.device.write_super(&packet) {
                trace!(packets = packet.packets(), %error, "Packets not written");
                lost += packet.packets() as u64;
            }
        }
        (Memory(self.coalescer.recycle()), lost)
    }
}

/// Without a link-local address of its own the kernel multicasts nothing into the tunnel. Best effort: where
/// it may not be set, such packets are dropped for want of a peer.
fn quieten(name: &str) {
    let setting = format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode");
    if let Err(error) = std::fs::write(&setting, "1") {
        debug!(setting, %error, "Link-local address stays");
    }
}

fn open_error(name: String, error: io::Error) -> TunError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TunError::NoDriver { source: error },
        Some(libc::EPERM | libc::EACCES) => TunError::Forbidden { name },
        Some(libc::EBUSY | libc::EEXIST) => TunError::Exists { name },
        _ => TunError::Io { name, source: error },
    }
}

const fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// Disabled on the device, at boot, or when the kernel was built.
fn has_no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::ENODEV))
}
