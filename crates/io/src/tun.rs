//! The TUN device: where applications' packets leave the host's stack and come back to it.
//!
//! [`Device::create`] makes it, gives it its addresses and the routes to the peers. Reading and writing
//! happen in the workers, through a [`Reader`] and a [`Delivery`].
//!
//! The device belongs to this process: it goes, with addresses and routes, when the process does, however it
//! ends. Nothing else is installed on the host.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::io;

use stead_node::Prefix;

#[cfg(target_os = "linux")]
#[path = "tun/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "tun/macos.rs"]
mod platform;
#[cfg(windows)]
#[path = "tun/windows.rs"]
mod platform;

#[cfg(any(target_os = "macos", windows))]
mod packetwise;

#[cfg(any(target_os = "macos", windows))]
pub use packetwise::{Delivery, Memory};
#[cfg(target_os = "linux")]
pub use platform::{Delivery, Memory};
pub use platform::{Device, Reader};

/// What the device is to be.
#[derive(Clone, Debug)]
pub struct DeviceSettings {
    /// Its name. On macOS it has to be `utun` and a number.
    pub name: String,
    /// Largest packet it hands out, in bytes.
    pub mtu: u16,
    /// Most TCP segments it hands out as one super-packet, where it does so: as many as go out together.
    pub most_segments: usize,
    /// This node's virtual addresses.
    pub addresses: Vec<VirtualAddress>,
    /// What belongs to the peers; each block gets a route unless it is reached without.
    pub peers: Vec<Prefix>,
}

/// A virtual address of this node, and how many of its leading bits are reached through the device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VirtualAddress {
    /// The address.
    pub ip: IpAddr,
    /// Leading bits that it shares with what is behind the device.
    pub prefix_len: u8,
}

impl VirtualAddress {
    /// An address on its own.
    #[must_use]
    pub const fn host(ip: IpAddr) -> Self {
        Self { ip, prefix_len: if ip.is_ipv4() { 32 } else { 128 } }
    }
}

impl core::fmt::Display for VirtualAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_len)
    }
}

/// One of several that divide work among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    /// Which one, from 0.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// What this one has of `many` things.
    pub fn of(self, many: usize) -> impl Iterator<Item = usize> {
        (self.index..many).step_by(self.of.max(1))
    }
}

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// The system has no driver for it.
    #[error("this system offers no TUN devices: {source}\nhint: {}", platform::DRIVER_HINT)]
    NoDriver {
        /// What the system said.
        source: io::Error,
    },
    /// Not root.
    #[error("no permission to make the interface `{name}`\nhint: {}", platform::PRIVILEGE_HINT)]
    Forbidden {
        /// The device's name.
        name: String,
    },
    /// Somebody has the name.
    #[error(
        "the interface `{name}` exists already\nhint: another daemon or tunnel made it; stop that one, or set `interface` to another name"
    )]
    Exists {
        /// The device's name.
        name: String,
    },
    /// The system does not take the name.
    #[error("`{name}` cannot be an interface's name: expected {}", platform::NAME_RULE)]
    Name {
        /// The name asked for.
        name: String,
    },
    /// An address was refused.
    #[error("cannot give the interface the address {address}: {source}")]
    Address {
        /// The address.
        address: VirtualAddress,
        /// What the system said.
        source: io::Error,
    },
    /// A peer claims everything.
    #[error(
        "a default route into the tunnel ({prefix} in `allowed_ips`) is not supported: it would carry the tunnel's own datagrams too\nhint: list the blocks that the peer is to be reached for"
    )]
    DefaultRoute {
        /// The block.
        prefix: Prefix,
    },
    /// A route was refused because there is one.
    #[error(
        "{prefix} in `allowed_ips` has a route to another interface already\nhint: `ip route show {prefix}` shows it; narrow the block, or remove that route"
    )]
    RouteTaken {
        /// The block.
        prefix: Prefix,
    },
    /// A route was refused.
    #[error("cannot route {prefix} through the interface: {source}")]
    Route {
        /// The block.
        prefix: Prefix,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else the system reports.
    #[error("cannot make the interface `{name}`: {source}")]
    Io {
        /// The device's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Device {
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
}

impl DeviceSettings {
    /// The blocks that need a route of their own: reached neither through one of the node's own addresses
    /// nor through a wider block.
    ///
    /// # Errors
    /// [`TunError::DefaultRoute`] for a block that holds every address.
    fn routes(&self) -> Result<Vec<Prefix>, TunError> {
        let mut blocks = self.peers.clone();
        blocks.sort_by_key(Prefix::prefix_len);
        let linked = self.addresses.iter().filter_map(|own| Prefix::new(own.ip, own.prefix_len));
        let mut reached: BTreeSet<Prefix> = linked.collect();
        let mut lengths: BTreeSet<u8> = reached.iter().map(Prefix::prefix_len).collect();
        let mut routes = Vec::new();
        for block in blocks {
            if block.prefix_len() == 0 {
                return Err(TunError::DefaultRoute { prefix: block });
            }
            let covers =
                |len: &u8| Prefix::new(block.address(), *len).is_some_and(|it| reached.contains(&it));
            // One look for each length in use, however many blocks there are.
            if !lengths.range(..=block.prefix_len()).any(covers) {
                reached.insert(block);
                lengths.insert(block.prefix_len());
                routes.push(block);
            }
        }
        Ok(routes)
    }
}

#[cfg(test)]
mod tests;
