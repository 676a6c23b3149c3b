//! Handing packets to the host's stack one by one, where the system knows no segmentation offload.

use core::marker::PhantomData;
use core::net::IpAddr;
use std::io;

use route_manager::{Route, RouteManager};
use stead_node::Prefix;
use tracing::trace;

use super::platform::{Device, open_error};
use super::{DeviceSettings, TunError, VirtualAddress};
use crate::offload::{Checksums, Malformed, Segments, VirtioHeader};

/// A batch of packets on its way to the host's stack.
pub struct Delivery<'d, 'p> {
    device: &'d Device,
    lost: u64,
    packets: PhantomData<&'p [u8]>,
}

/// Nothing: packets are written as they come.
pub struct Memory(());

impl Device {
    /// Longest read: one packet.
    pub const LONGEST_READ: usize = 65_535;

    /// There is one queue.
    pub const MOST_QUEUES: usize = 1;

    /// Makes the device, with addresses and routes, and brings it up.
    ///
    /// # Errors
    /// See [`TunError`]; the device is gone again then.
    pub fn create(settings: &DeviceSettings) -> Result<Self, TunError> {
        let routes = settings.routes()?;
        let device = Self::open(settings).map_err(|error| open_error(settings.name.clone(), error))?;
        for address in &settings.addresses {
            device.add_address(*address)?;
        }
        for prefix in routes {
            device.add_route(prefix)?;
        }
        Ok(device)
    }

    /// Whether packets with partial checksums can be handed to the host's stack.
    pub const TAKES_PARTIAL_CHECKSUMS: bool = false;

    /// What the system dropped before it was read is not told here.
    #[must_use]
    pub const fn overflowed(&self) -> u64 {
        0
    }

    /// What a worker keeps from one [`Delivery`] to the next.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        Memory(())
    }

    /// Begins to hand a batch of packets to the host's stack.
    #[must_use]
    pub const fn deliver<'p>(&self, _memory: Memory) -> Delivery<'_, 'p> {
        Delivery { device: self, lost: 0, packets: PhantomData }
    }

    /// Takes apart what one read gave: a single packet, here.
    ///
    /// # Errors
    /// [`Malformed`] if it is no packet.
    pub fn segments(read: &[u8]) -> Result<Segments<'_>, Malformed> {
        Segments::new(&VirtioHeader::PLAIN, read)
    }

    fn add_address(&self, address: VirtualAddress) -> Result<(), TunError> {
        match address.ip {
            IpAddr::V4(ip) => self.tun.add_address_v4(ip, address.prefix_len),
            IpAddr::V6(ip) => self.tun.add_address_v6(ip, address.prefix_len),
        }
        .map_err(|source| TunError::Address { address, source })
    }

    fn add_route(&self, prefix: Prefix) -> Result<(), TunError> {
        let route = Route::new(prefix.address(), prefix.prefix_len()).with_if_index(self.index());
        let added = RouteManager::new().and_then(|mut routes| routes.add(&route));
        added.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => TunError::RouteTaken { prefix },
            _ => TunError::Route { prefix, source },
        })
    }
}

impl<'p> Delivery<'_, 'p> {
    /// Writes a packet. Nobody was told that its checksum may be partial, see
    /// [`TAKES_PARTIAL_CHECKSUMS`](Device::TAKES_PARTIAL_CHECKSUMS).
    pub fn push(&mut self, packet: &'p [u8], checksums: Checksums) {
        debug_assert_eq!(checksums, Checksums::Complete, "the peers agree on what both take");
        if let Err(error) = self.device.write(packet) {
            trace!(%error, "Packet not written");
            self.lost += 1;
        }
    }

    /// Returns how many packets the system did not take.
    #[must_use]
    pub const fn finish(self) -> (Memory, u64) {
        (Memory(()), self.lost)
    }
}
