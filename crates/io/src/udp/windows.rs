//! Windows: sockets that live in tokio's completion ports.

use core::task::{Context, Poll};
use std::io;
use std::net::UdpSocket;

use quinn_udp::UdpSockRef;
use socket2::Socket;
use tokio::io::Interest;

use super::Source;
pub(super) use super::unpinned::{
    MOST_SHARING, believed_mtu, overflowed, send_through, share_port, tell_less,
};

pub(super) fn enlarge_buffers(socket: &Socket, bytes: usize) {
    let _ = socket.set_recv_buffer_size(bytes);
    let _ = socket.set_send_buffer_size(bytes);
}

pub(super) fn set_mark(_socket: &Socket, _mark: u32) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "datagrams cannot be marked on Windows"))
}

/// WSAEAFNOSUPPORT and WSAEPROTONOSUPPORT.
pub(super) fn is_family_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(10047 | 10043))
}

/// WSAEINVAL, WSAEMSGSIZE and WSAEOPNOTSUPP: the adapter does not segment UDP.
pub(super) fn segmentation_failed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(10022 | 10040 | 10045))
}

/// Sets or clears the flag that quinn-udp sets when it looks at a socket.
pub(super) fn set_fragments(socket: &UdpSocket, allowed: bool) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket as _;
    use windows_sys::Win32::Networking::WinSock::{
        IP_DONTFRAGMENT, IPPROTO_IP, IPPROTO_IPV6, IPV6_DONTFRAG, SOCKET, setsockopt,
    };

    let (level, name) = if socket.local_addr()?.is_ipv4() {
        (IPPROTO_IP, IP_DONTFRAGMENT)
    } else {
        (IPPROTO_IPV6, IPV6_DONTFRAG)
    };
    let forbidden = u32::from(!allowed).to_ne_bytes();
    #[expect(unsafe_code, reason = "no safe wrapper has this socket option")]
    // SAFETY: passes a pointer to four live bytes together with their count; the socket is open.
    let status = unsafe { setsockopt(socket.as_raw_socket() as SOCKET, level, name, forbidden.as_ptr(), 4) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A socket whose arrivals wake its task in tokio's runtime.
#[derive(Debug)]
pub struct Readable(tokio::net::UdpSocket);

impl Readable {
    /// Registers with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot watch the socket.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        tokio::net::UdpSocket::from_std(socket).map(Self)
    }
}

impl Source for Readable {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_recv_ready(context)
    }

    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::READABLE, || read(UdpSockRef::from(&self.0)))
    }
}
