//! Unix: a socket that wakes its task for arrivals only.

use core::task::{Context, Poll};
use std::io;
use std::net::UdpSocket;

use quinn_udp::UdpSockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Source;

/// A socket whose arrivals, and only those, wake its task in tokio's runtime: registered for more, every datagram that
/// leaves through another descriptor of the same socket would wake it too.
#[derive(Debug)]
pub struct Readable(AsyncFd<UdpSocket>);

impl Readable {
    /// Registers with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot watch the socket.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
        // SAFETY: the socket owns its descriptor and is never replaced, so it outlives the registration.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        registered.map(Self).map_err(io::Error::from)
    }
}

impl Source for Readable {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(context).map_ok(drop)
    }

    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::READABLE, |socket| read(UdpSockRef::from(socket)))
    }
}
