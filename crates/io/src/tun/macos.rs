//! macOS: utun devices, one packet at a time, routes through the routing socket.

use core::marker::PhantomData;
use core::net::IpAddr;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use route_manager::{Route, RouteManager};
use stead_node::Prefix;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::{debug, trace};
use tun_rs::{DeviceBuilder, SyncDevice};

use super::{DeviceSettings, TunError, VirtualAddress};
use crate::offload::{Malformed, Segments, VirtioHeader};

pub(super) const DRIVER_HINT: &str = "utun is part of macOS; a sandbox may keep it from this process";
pub(super) const PRIVILEGE_HINT: &str = "needs root (`sudo stead up …`)";
pub(super) const NAME_RULE: &str = "`utun` and a number, or any other name to let the system choose";

/// A utun device.
pub struct Device {
    tun: SyncDevice,
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

/// Reads the device. One per device; registered with the runtime it was made in.
pub struct Reader {
    device: AsyncFd<Shared>,
}

struct Shared(Arc<Device>);

impl Device {
    /// Longest read: one packet.
    pub const LONGEST_READ: usize = 65_535;

    /// Makes the device, with addresses and routes, and brings it up.
    ///
    /// # Errors
    /// See [`TunError`]; the device is gone again then.
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
        let mut builder = DeviceBuilder::new().mtu(settings.mtu);
        if settings.name.starts_with("utun") {
            builder = builder.name(settings.name.clone());
        }
        let tun = builder.build_sync()?;
        tun.set_nonblocking(true)?;
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
        self.tun.send(packet).map(drop)
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
    /// Registers the device with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot watch the device.
    pub fn new(device: Arc<Device>) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
        // SAFETY: the device owns its descriptor and keeps it for as long as it lives, and is kept alive here.
        let device = unsafe { AsyncFd::register_with_interest(Shared(device), Interest::READABLE) }?;
        Ok(Self { device })
    }

    /// Reads what is there, without asking the runtime first.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; anything else means that the device is gone.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.get_ref().0.tun.recv(buffer)
    }

    /// Waits for something to read, and reads it. Cancel safe.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.device.readable().await?;
            if let Ok(read) = ready.try_io(|device| device.get_ref().0.tun.recv(buffer)) {
                return read;
            }
        }
    }
}

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.0.tun.as_fd().as_raw_fd()
    }
}

fn open_error(name: String, error: io::Error) -> TunError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TunError::Forbidden { name },
        Some(libc::EBUSY) => TunError::Exists { name },
        Some(libc::ENOENT) => TunError::NoDriver { source: error },
        _ if error.kind() == io::ErrorKind::InvalidInput => TunError::Name { name },
        _ => TunError::Io { name, source: error },
    }
}

fn route_error(prefix: Prefix, source: io::Error) -> TunError {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return TunError::RouteTaken { prefix };
    }
    TunError::Route { prefix, source }
}
