//! Windows: a wintun adapter, one packet at a time, routes through the IP helper.

use core::marker::PhantomData;
use core::net::IpAddr;
use std::io;
use std::sync::Arc;

use route_manager::{Route, RouteManager};
use stead_node::Prefix;
use tracing::{debug, trace};
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::{DeviceSettings, TunError, VirtualAddress};
use crate::offload::{Malformed, Segments, VirtioHeader};

pub(super) const DRIVER_HINT: &str = "put wintun.dll (from https://www.wintun.net) beside stead.exe";
pub(super) const PRIVILEGE_HINT: &str = "run it as administrator";
pub(super) const NAME_RULE: &str = "up to 127 characters";

/// A wintun adapter.
pub struct Device {
    tun: AsyncDevice,
    name: String,
    index: u32,
}

/// A batch of packets on its way to the host's stack.
pub struct Delivery<'d, 'p> {
    device: &'d Device,
    lost: u64,
    packets: PhantomData<&'p [u8]>,
}

/// Nothing: packets are written as they come.
pub struct Memory(());

/// Reads the adapter. One per device.
pub struct Reader {
    device: Arc<Device>,
}

const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_MOD_NOT_FOUND: i32 = 126;
const ERROR_INVALID_NAME: i32 = 123;

impl Device {
    /// Longest read: one packet.
    pub const LONGEST_READ: usize = 65_535;

    /// Makes the adapter, with addresses and routes, and brings it up.
    ///
    /// # Errors
    /// See [`TunError`]; the adapter is gone again then.
    pub fn create(settings: &DeviceSettings) -> Result<Self, TunError> {
        let routes = settings.routes()?;
        let device = Self::open(settings).map_err(|error| open_error(settings.name.clone(), error))?;
        for address in &settings.addresses {
            device.add_address(*address).map_err(|source| TunError::Address { address: *address, source })?;
        }
        for prefix in routes {
            device.add_route(prefix).map_err(|error| route_error(prefix, error))?;
        }
        Ok(device)
    }

    fn open(settings: &DeviceSettings) -> io::Result<Self> {
        let tun = DeviceBuilder::new().name(settings.name.clone()).mtu(settings.mtu).build_async()?;
        let (name, index) = (tun.name()?, tun.if_index()?);
        debug!(name, index, "Device made");
        Ok(Self { tun, name, index })
    }

    /// The interface's index.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Its name, as the system has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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

    /// Hands one packet to the host's stack.
    ///
    /// # Errors
    /// What the system reports; the packet is lost then.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        self.tun.try_send(packet).map(drop)
    }

    fn add_address(&self, address: VirtualAddress) -> io::Result<()> {
        match address.ip {
            IpAddr::V4(ip) => self.tun.add_address_v4(ip, address.prefix_len),
            IpAddr::V6(ip) => self.tun.add_address_v6(ip, address.prefix_len),
        }
    }

    fn add_route(&self, prefix: Prefix) -> io::Result<()> {
        let route = Route::new(prefix.address(), prefix.prefix_len()).with_if_index(self.index);
        RouteManager::new()?.add(&route)
    }
}

impl<'p> Delivery<'_, 'p> {
    /// Writes a packet.
    pub fn push(&mut self, packet: &'p [u8]) {
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

impl Reader {
    /// A reader of the adapter.
    ///
    /// # Errors
    /// None here; other platforms have some.
    pub const fn new(device: Arc<Device>) -> io::Result<Self> {
        Ok(Self { device })
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; anything else means that the adapter is gone.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.tun.try_recv(buffer)
    }

    /// Waits for something to read, and reads it. Cancel safe.
    ///
    /// # Errors
    /// When the adapter is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.tun.recv(buffer).await
    }
}

fn open_error(name: String, error: io::Error) -> TunError {
    match error.raw_os_error() {
        Some(ERROR_ACCESS_DENIED) => TunError::Forbidden { name },
        Some(ERROR_MOD_NOT_FOUND) => TunError::NoDriver { source: error },
        Some(ERROR_INVALID_NAME) => TunError::Name { name },
        _ if error.kind() == io::ErrorKind::NotFound => TunError::NoDriver { source: error },
        _ if error.kind() == io::ErrorKind::AlreadyExists => TunError::Exists { name },
        _ => TunError::Io { name, source: error },
    }
}

fn route_error(prefix: Prefix, source: io::Error) -> TunError {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return TunError::RouteTaken { prefix };
    }
    TunError::Route { prefix, source }
}
