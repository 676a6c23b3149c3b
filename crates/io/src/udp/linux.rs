//! Linux: privileged buffer sizes, marks, and what a failed segmentation offload looks like.

use core::ffi::c_int;
use core::net::IpAddr;
use std::io::{self, IoSlice};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt, sockopt};
use socket2::Socket;

use super::Outgoing;
pub(super) use super::unix::Readable;

/// Past `rmem_max` and `wmem_max` with CAP_NET_ADMIN, up to them without.
pub(super) fn enlarge_buffers(socket: &Socket, bytes: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        let _ = socket.set_recv_buffer_size(bytes);
    }
    if setsockopt(socket, sockopt::SndBufForce, &bytes).is_err() {
        let _ = socket.set_send_buffer_size(bytes);
    }
}

pub(super) fn set_mark(socket: &Socket, mark: u32) -> io::Result<()> {
    socket.set_mark(mark)
}

/// The kernel was built or booted without the family.
pub(super) fn is_family_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT))
}

/// `EIO` and `EINVAL` come from devices and routes that cannot segment, `EMSGSIZE` from segments beyond their MTU.
pub(super) fn segmentation_failed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

/// As WireGuard does: routers may cut IPv4 datagrams, this host cuts IPv6 datagrams to the path's MTU.
pub(super) fn allow_fragments(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        return set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT);
    }
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0)?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT)
}

/// Sends from `local` by an interface, whatever the routes to other interfaces say.
pub(super) fn send_through(
    socket: &UdpSocket,
    outgoing: Outgoing<'_>,
    local: IpAddr,
    interface: u32,
) -> io::Result<()> {
    let contents = [IoSlice::new(outgoing.datagrams)];
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let stride = u16::try_from(outgoing.stride).map_err(|_| invalid())?;
    let segments = (!outgoing.is_single()).then_some(ControlMessage::UdpGsoSegments(&stride));
    let remote = SockaddrStorage::from(outgoing.remote);
    let send = |place: ControlMessage<'_>| {
        let messages: Vec<_> = core::iter::once(place).chain(segments).collect();
        sendmsg(socket.as_raw_fd(), &contents, &messages, MsgFlags::empty(), Some(&remote))
    };
    let sent = match local {
        IpAddr::V4(local) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: c_int::try_from(interface).map_err(|_| invalid())?,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            send(ControlMessage::Ipv4PacketInfo(&info))
        }
        IpAddr::V6(local) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
                ipi6_ifindex: interface,
            };
            send(ControlMessage::Ipv6PacketInfo(&info))
        }
    };
    sent.map(drop).map_err(io::Error::from)
}

fn set(socket: &UdpSocket, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe wrapper has these socket options")]
    // SAFETY: passes a pointer to a live c_int together with its size; the descriptor is open.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
