//! TCP connections that the host's stack kept while no daemon ran: a daemon that was killed takes its device along, not
//! the connections through it.
//!
//! Only looks, once, when the daemon starts; what is done about them is the node's. Where the system does not say, there
//! seem to be none: then the first packet of either side is waited for.

use core::net::IpAddr;

#[cfg(target_os = "linux")]
#[path = "survivors/linux.rs"]
mod platform;

/// The remote addresses of connections that begin at one of `own`; each may be there several times.
#[cfg(target_os = "linux")]
pub(crate) fn of(own: &[IpAddr]) -> Vec<IpAddr> {
    platform::connections().filter(|(local, _)| own.contains(local)).map(|(_, remote)| remote).collect()
}

/// See the module's documentation.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn of(_own: &[IpAddr]) -> Vec<IpAddr> {
    Vec::new()
}
