//! Windows: a wintun adapter, one packet at a time, routes through the IP helper.

use std::io;
use std::sync::Arc;

use tracing::debug;
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::{DeviceSettings, Share, TunError};
use crate::watch::Watch;

pub(super) const DRIVER_HINT: &str = "put wintun.dll (from https://www.wintun.net) beside stead.exe";
pub(super) const PRIVILEGE_HINT: &str = "run it as administrator";
pub(super) const NAME_RULE: &str = "up to 127 characters";

/// A wintun adapter.
pub struct Device {
    pub(super) tun: AsyncDevice,
    pub(super) name: String,
    pub(super) index: u32,
}

/// Reads the adapter. One per device.
pub struct Reader {
    device: Arc<Device>,
}

const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_MOD_NOT_FOUND: i32 = 126;
const ERROR_INVALID_NAME: i32 = 123;

impl Device {
    pub(super) fn open(settings: &DeviceSettings) -> io::Result<Self> {
        let tun = DeviceBuilder::new().name(settings.name.clone()).mtu(settings.mtu).build_async()?;
        let (name, index) = (tun.name()?, tun.if_index()?);
        debug!(name, index, "Device made");
        Ok(Self { tun, name, index })
    }

    /// Hands one packet to the host's stack.
    ///
    /// # Errors
    /// What the system reports; the packet is lost then.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        self.tun.try_send(packet).map(drop)
    }
}

impl Reader {
    /// A reader of the adapter.
    ///
    /// # Errors
    /// None here; other platforms have some.
    pub fn new(device: &Arc<Device>, _whole: Share, _runtime: &Watch) -> io::Result<Self> {
        Ok(Self { device: Arc::clone(device) })
    }

    /// Waits until there is something to read. Cancel safe.
    ///
    /// # Errors
    /// When the adapter is gone.
    pub async fn ready(&self) -> io::Result<()> {
        self.device.tun.readable().await
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; anything else means that the adapter is gone.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.tun.try_recv(buffer)
    }
}

/// What the system's refusal to make it means.
pub(super) fn open_error(name: String, error: io::Error) -> TunError {
    match error.raw_os_error() {
        Some(ERROR_ACCESS_DENIED) => TunError::Forbidden { name },
        Some(ERROR_MOD_NOT_FOUND) => TunError::NoDriver { source: error },
        Some(ERROR_INVALID_NAME) => TunError::Name { name },
        _ if error.kind() == io::ErrorKind::NotFound => TunError::NoDriver { source: error },
        _ if error.kind() == io::ErrorKind::AlreadyExists => TunError::Exists { name },
        _ => TunError::Io { name, source: error },
    }
}
