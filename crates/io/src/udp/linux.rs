//! Linux: privileged buffer sizes, marks, and what a failed segmentation offload looks like.

use core::ffi::c_int;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, IoSlice};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt, sockopt};
use socket2::Socket;

use super::Outgoing;
pub use super::unix::Readable;

/// Past `rmem_max` and `wmem_max` with CAP_NET_ADMIN, up to them without.
pub(super) fn enlarge_buffers(socket: &Socket, bytes: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        let _ = socket.set_recv_buffer_size(bytes);
    }
    if setsockopt(socket, sockopt::SndBufForce, &bytes).is_err() {
        let _ = socket.set_send_buffer_size(bytes);
    }
}

/// More workers than this have more to wait for than to do.
pub(super) const MOST_SHARING: usize = 8;

/// Lets further sockets of this process have the same port.
pub(super) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Datagrams that found the socket's receive queue full.
pub(super) fn overflowed(socket: &UdpSocket) -> u64 {
    // As many as the kernel has; it fills what fits.
    let mut figures = [0_u32; SK_MEMINFO_DROPS + 1];
    let mut len = size_of_val(&figures) as libc::socklen_t;
    #[expect(unsafe_code, reason = "no safe wrapper has this socket option")]
    // SAFETY: passes a pointer to a live array together with its size; the descriptor is open.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            figures.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if status == 0 { u64::from(figures[SK_MEMINFO_DROPS]) } else { 0 }
}

/// Which of `SO_MEMINFO`'s figures (linux/sock_diag.h) counts drops.
const SK_MEMINFO_DROPS: usize = 8;

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

/// Allowed as WireGuard allows it: routers may cut IPv4 datagrams, this host cuts IPv6 datagrams to the path's MTU. Else
/// nobody cuts, whatever this host believes of the path.
pub(super) fn set_fragments(socket: &UdpSocket, allowed: bool) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        let discovery = if allowed { libc::IP_PMTUDISC_DONT } else { libc::IP_PMTUDISC_PROBE };
        return set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discovery);
    }
    let discovery = if allowed { libc::IPV6_PMTUDISC_WANT } else { libc::IPV6_PMTUDISC_PROBE };
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, c_int::from(!allowed))?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, discovery)
}

/// No word with every datagram of when it came and of its type of service, each of which costs a control message.
pub(super) fn tell_less(socket: &UdpSocket) {
    let _ = set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0);
    let _ = set(socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 0);
    let _ = set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 0);
}

/// The longest IP packet to `remote` that this host believes to arrive whole, by its devices and by what routers told it
/// (ICMP). Asked with a socket of its own: one that is not connected cannot be asked, and must not be connected.
pub(super) fn believed_mtu(remote: SocketAddr, local: Option<IpAddr>) -> Option<usize> {
    let ours = local.unwrap_or_else(|| match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    });
    let socket = UdpSocket::bind(SocketAddr::new(ours, 0)).ok()?;
    socket.connect(remote).ok()?;
    let (level, name) = match remote {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    let (mut mtu, mut len): (c_int, _) = (0, size_of::<c_int>() as libc::socklen_t);
    #[expect(unsafe_code, reason = "no safe wrapper has this socket option")]
    // SAFETY: passes a pointer to a live c_int together with its size; the descriptor is open.
    let status =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut mtu).cast(), &raw mut len) };
    if status == 0 { usize::try_from(mtu).ok() } else { None }
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
