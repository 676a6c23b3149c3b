//! macOS: no segmentation offload, no marks.

use std::io;
use std::net::UdpSocket;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

pub use super::unix::Readable;
pub(super) use super::unpinned::{
    MOST_SHARING, believed_mtu, overflowed, send_through, share_port, tell_less,
};

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

pub(super) fn set_fragments(socket: &UdpSocket, allowed: bool) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        setsockopt(socket, sockopt::IpDontFrag, &!allowed)?;
    } else {
        setsockopt(socket, sockopt::Ipv6DontFrag, &!allowed)?;
    }
    Ok(())
}
