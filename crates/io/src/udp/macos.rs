//! macOS: no segmentation offload, no marks.

use std::io;
use std::net::UdpSocket;

use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::UdpSockRef;
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Halves the wish until the system grants it: beyond `kern.ipc.maxsockbuf` it refuses in stead of clamping.
pub(super) fn enlarge_buffers(socket: &Socket, bytes: usize) {
    let sizes =
        || std::iter::successors(Some(bytes), |size| Some(size / 2)).take_while(|size| *size >= 1 << 16);
    let _ = sizes().find(|size| socket.set_recv_buffer_size(*size).is_ok());
    let _ = sizes().find(|size| socket.set_send_buffer_size(*size).is_ok());
}

pub(super) fn set_mark(_socket: &Socket, _mark: u32) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "datagrams cannot be marked on macOS"))
}

pub(super) fn is_family_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT))
}

/// Never: nothing is offloaded.
pub(super) fn segmentation_failed(_error: &io::Error) -> bool {
    false
}

pub(super) fn allow_fragments(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        setsockopt(socket, sockopt::IpDontFrag, &false)?;
    } else {
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(())
}

/// A socket whose arrivals, and only those, wake the task.
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
