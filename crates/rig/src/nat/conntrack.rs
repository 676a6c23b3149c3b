//! The kernel's memory of connections: forgetting it, and how long it lasts.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::error::RigError;
use crate::namespace::Inside;

impl Inside {
    /// Forgets every connection, as a router does that restarts.
    pub(super) fn flush_connections(&self) -> Result<(), RigError> {
        flush_conntrack().map_err(|source| RigError::Namespace {
            namespace: self.name().to_owned(),
            doing: "flush the mappings",
            source,
        })
    }

    /// How long an idle UDP mapping lasts, answered or not, in whole seconds.
    pub(super) fn expire_mappings_after(&self, expiry: Duration) -> Result<(), RigError> {
        let seconds = expiry.as_secs().max(1).to_string();
        ["nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"]
            .iter()
            .try_for_each(|key| self.sysctl(&format!("net/netfilter/{key}"), &seconds))
    }
}

/// Asks the kernel to delete every entry of this namespace's connection tracking, and reads its answer.
fn flush_conntrack() -> io::Result<()> {
    let netlink: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    send(netlink.as_raw_fd(), &flush_request(), MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    match answer[..length].get(16..20).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("the kernel's answer is too short")),
    }
}

/// `IPCTNL_MSG_CT_DELETE` without a tuple: a netlink header, then a netfilter header of zeros.
fn flush_request() -> [u8; 20] {
    const LENGTH: u32 = 20;
    const CTNETLINK_DELETE: u16 = (1 << 8) | 2;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    let mut request = [0; LENGTH as usize];
    request[0..4].copy_from_slice(&LENGTH.to_ne_bytes());
    request[4..6].copy_from_slice(&CTNETLINK_DELETE.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    request[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    request
}
