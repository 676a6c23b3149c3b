//! Linux: privileged buffer sizes, marks, and what a failed segmentation offload looks like.

use core::ffi::c_int;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::UdpSockRef;
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

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

/// A socket whose arrivals, and only those, wake the task: registered for more, every datagram that leaves
/// through another descriptor of the same socket would wake it too.
#[derive(Debug)]
pub(super) struct Readable(AsyncFd<UdpSocket>);

impl Readable {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
        // SAFETY: the socket owns its descriptor and is never replaced, so it outlives the registration.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        registered.map(Self).map_err(io::Error::from)
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    pub(super) fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::READABLE, |socket| read(UdpSockRef::from(socket)))
    }
}
