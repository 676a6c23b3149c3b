//! TCP connections that the host's stack kept while no daemon ran: a daemon that was killed takes its device along, not
//! the connections through it.
//!
//! Only looks, once, when the daemon starts; what is done about them is the node's. Only Linux is asked. Elsewhere there
//! seem to be none: then the first packet of either side is waited for, and what a killed program told this host's TCP
//! holds until the peer repeats its acknowledgements or TCP's own timers fire.

use core::net::IpAddr;

use stead_lct::OriginalSpecification;
#[cfg(target_os = "linux")]
use stead_wire::ip::Protocol;

#[cfg(target_os = "linux")]
#[path = "survivors/linux.rs"]
mod platform;

/// Connections that begin at one of `own`.
#[cfg(target_os = "linux")]
pub(crate) fn of(own: &[IpAddr]) -> Vec<OriginalSpecification> {
    let protocol = Protocol::TCP;
    platform::connections()
        .filter(|(local, _)| own.contains(&local.ip()))
        .map(|(local, remote)| OriginalSpecification { local, remote, protocol })
        .collect()
}

/// See the module's documentation.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn of(_own: &[IpAddr]) -> Vec<OriginalSpecification> {
    Vec::new()
}
