//! Network address translation on a network's router, and the loss of its memory.

use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::error::RigError;
use crate::namespace::Inside;

/// Which outside port a new mapping gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ports {
    /// The inside port where it is free, as most home routers do.
    Kept,
    /// Any other: what a mapping looks like after the router forgot the first one.
    Random,
}

impl Inside {
    /// Translates what leaves through `uplink`, and lets nothing in that was not asked for.
    ///
    /// The filter is address and port dependent (RFC 4787 §5): a stranger who writes to the outside port
    /// gets no answer at all.
    pub(crate) fn translate(&self, uplink: &str, ports: Ports) -> Result<(), RigError> {
        let target = match ports {
            Ports::Kept => "masquerade",
            Ports::Random => "meta l4proto { tcp, udp } masquerade to :20000-60000 fully-random",
        };
        self.nft(&format!(
            "table inet rig {{}}\nflush table inet rig\n\
             table inet rig {{\n\
               chain translate {{ type nat hook postrouting priority 100; oifname \"{uplink}\" meta nfproto ipv4 {target}; }}\n\
               chain inward {{ type filter hook forward priority 0; iifname \"{uplink}\" meta nfproto ipv4 ct state new,invalid drop; }}\n\
               chain own {{ type filter hook input priority 0; iifname \"{uplink}\" meta l4proto {{ tcp, udp }} ct state new,invalid drop; }}\n\
             }}\n"
        ))
    }

    /// Forgets every mapping, as a router does that restarts.
    pub(crate) fn flush_mappings(&self) -> Result<(), RigError> {
        flush_conntrack().map_err(|source| RigError::Namespace {
            namespace: self.name().to_owned(),
            doing: "flush the mappings",
            source,
        })
    }

    fn nft(&self, rules: &str) -> Result<(), RigError> {
        let spawn = |source| RigError::Spawn {
            host: self.name().to_owned(),
            program: "nft (Debian: apt-get install nftables)".to_owned(),
            source,
        };
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(spawn)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(rules.as_bytes()).map_err(spawn)?;
        }
        let output = child.wait_with_output().map_err(spawn)?;
        if output.status.success() {
            return Ok(());
        }
        Err(RigError::Failed {
            host: self.name().to_owned(),
            program: "nft".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
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
