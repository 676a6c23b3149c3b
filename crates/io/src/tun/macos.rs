//! macOS: utun devices, one packet at a time, routes through the routing socket.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::debug;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::{DeviceSettings, Share, TunError};
use crate::watch::Watch;

pub(super) const DRIVER_HINT: &str = "utun is part of macOS; a sandbox may keep it from this process";
pub(super) const PRIVILEGE_HINT: &str = "needs root (`sudo stead up …`)";
pub(super) const NAME_RULE: &str = "`utun` and a number, or any other name to let the system choose";

/// A utun device.
pub struct Device {
    pub(super) tun: SyncDevice,
    pub(super) name: String,
    pub(super) index: u32,
}

/// Reads the device. One per device; registered with the runtime it was made in.
pub struct Reader {
    device: AsyncFd<Shared>,
}

struct Shared(Arc<Device>);

impl Device {
    pub(super) fn open(settings: &DeviceSettings) -> io::Result<Self> {
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

    /// Hands one packet to the host's stack.
    ///
    /// # Errors
    /// What the system reports; the packet is lost then.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        self.tun.send(packet).map(drop)
    }
}

impl Reader {
    /// Registers the device with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot watch the device.
    pub fn new(device: &Arc<Device>, _whole: Share, _runtime: &Watch) -> io::Result<Self> {
        let shared = Shared(Arc::clone(device));
        #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
        // SAFETY: the device owns its descriptor and keeps it for as long as it lives, and is kept alive here.
        let device = unsafe { AsyncFd::register_with_interest(shared, Interest::READABLE) }?;
        Ok(Self { device })
    }

    /// Waits until there is something to read. Cancel safe.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn ready(&self) -> io::Result<()> {
        self.device.readable().await.map(drop)
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; anything else means that the device is gone.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.try_io(Interest::READABLE, |device| device.0.tun.recv(buffer))
    }
}

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.0.tun.as_fd().as_raw_fd()
    }
}

/// What the system's refusal to make it means.
pub(super) fn open_error(name: String, error: io::Error) -> TunError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TunError::Forbidden { name },
        Some(libc::EBUSY) => TunError::Exists { name },
        Some(libc::ENOENT) => TunError::NoDriver { source: error },
        _ if error.kind() == io::ErrorKind::InvalidInput => TunError::Name { name },
        _ => TunError::Io { name, source: error },
    }
}
