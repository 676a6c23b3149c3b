//! Linux: privileged buffer sizes, marks, and what a failed segmentation offload looks like.

use core::ffi::c_int;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

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
