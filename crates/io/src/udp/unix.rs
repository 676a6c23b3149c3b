//! Unix: a socket that wakes its task for arrivals only.

use std::io;
use std::net::UdpSocket;

use quinn_udp::UdpSockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

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
