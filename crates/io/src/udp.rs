//! The underlay: one IPv4 and one IPv6 socket on one port.
//!
//! Both are bound to the wildcard address, so they stay usable while interfaces and addresses come and go;
//! the source of each datagram is chosen when it is sent, and the destination of each that arrives is told.
//! A host without one of the two families has one socket.
//!
//! Datagrams may be fragmented on their way, as WireGuard's may: a tunnel over a path with a small MTU
//! is slow, not dead. Those that find out how small it is are not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tracing::debug;

mod egress;
mod receiver;
mod sender;

#[cfg(unix)]
mod unix;
#[cfg(any(target_os = "macos", windows))]
mod unpinned;

#[cfg(target_os = "linux")]
#[path = "udp/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "udp/macos.rs"]
mod platform;
#[cfg(windows)]
#[path = "udp/windows.rs"]
mod platform;

pub use egress::Egress;
pub use platform::Readable;
pub use receiver::{Batch, Receiver, Source};
pub use sender::{LONGEST_BATCH, Outgoing, SendError, Sender};

/// The two sockets. Workers make their own [`Sender`] and [`Receiver`] from them.
#[derive(Debug)]
pub struct UdpSockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    port: u16,
    egress: Arc<Egress>,
}

/// Why the sockets could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum UdpError {
    /// Somebody has the port.
    #[error(
        "UDP port {port} is in use\nhint: another tunnel has it (`ss -ulpn` shows which); set `listen_port` to a free one, or 0 for any"
    )]
    PortTaken {
        /// The port asked for.
        port: u16,
    },
    /// The port may not be bound by this user.
    #[error(
        "no permission to use UDP port {port}\nhint: ports below 1024 need root; set `listen_port` to another"
    )]
    Forbidden {
        /// The port asked for.
        port: u16,
    },
    /// Neither family can be used.
    #[error("this host has neither IPv4 nor IPv6")]
    NoFamily,
    /// Anything else the system reports.
    #[error("cannot open a UDP socket on port {port}: {source}")]
    Io {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// How much the kernel may queue either way, in bytes: 8 ms at 1 Gbit/s, while a worker is busy. What lies there delays
/// whatever comes behind it, so it is no more than that.
const BUFFER: usize = 1 << 20;

/// How often another port is tried when any will do and the IPv6 socket cannot have the IPv4 one's.
const ATTEMPTS: u32 = 16;

/// What a port is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    /// One socket of each family.
    Alone,
    /// Several.
    Shared,
}

impl UdpSockets {
    /// How many may [share a port](Self::bind_several) here.
    pub const MOST_SHARING: usize = platform::MOST_SHARING;

    /// Opens both sockets on `port`, or on any free one for 0.
    ///
    /// With `mark` (Linux), the sockets' datagrams carry it, so that a routing rule can tell them from
    /// the traffic that belongs into the tunnel.
    ///
    /// # Errors
    /// See [`UdpError`]. A family that the host does not have is no error unless the other is missing too.
    pub fn bind(port: u16, mark: Option<u32>) -> Result<Self, UdpError> {
        let mut attempts = if port == 0 { ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match Self::bind_once(port, mark, Use::Alone) {
                Err(UdpError::PortTaken { .. }) if attempts > 0 => {}
                settled => return settled,
            }
        }
    }

    /// As [`bind`](Self::bind), several times on one port: the kernel divides the senders among them, and what one
    /// sender sends goes to one of them. All leave by the same networks. Not more than
    /// [`MOST_SHARING`](Self::MOST_SHARING).
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_several(port: u16, mark: Option<u32>, several: usize) -> Result<Vec<Self>, UdpError> {
        // Somebody else who lets the port be shared would share it with us, so nobody may have it.
        let alone = Self::bind(port, mark)?;
        if several <= 1 {
            return Ok(vec![alone]);
        }
        let (port, egress) = (alone.port, alone.egress());
        drop(alone);
        let sockets = (0..several).map(|_| {
            let sockets = Self::bind_once(port, mark, Use::Shared)?;
            Ok(Self { egress: Arc::clone(&egress), ..sockets })
        });
        sockets.collect()
    }

    fn bind_once(port: u16, mark: Option<u32>, wanted: Use) -> Result<Self, UdpError> {
        let v4 = open(Ipv4Addr::UNSPECIFIED.into(), port, mark, wanted)?;
        let port = v4.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(port, |addr| addr.port());
        let v6 = open(Ipv6Addr::UNSPECIFIED.into(), port, mark, wanted)?;
        let port = v6.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(port, |addr| addr.port());
        if v4.is_none() && v6.is_none() {
            return Err(UdpError::NoFamily);
        }
        Ok(Self { v4, v6, port, egress: Arc::default() })
    }

    /// The port both sockets have.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Which network datagrams from an address leave by, for all senders.
    #[must_use]
    pub fn egress(&self) -> Arc<Egress> {
        Arc::clone(&self.egress)
    }

    /// How many datagrams the kernel dropped because its queue for them was full, where it tells.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        [&self.v4, &self.v6].into_iter().flatten().map(platform::overflowed).sum()
    }

    /// The families there are: (IPv4, IPv6).
    #[must_use]
    pub const fn families(&self) -> (bool, bool) {
        (self.v4.is_some(), self.v6.is_some())
    }
}

/// A socket on `ip` and `port`; `None` if the host does not have the family.
fn open(ip: IpAddr, port: u16, mark: Option<u32>, wanted: Use) -> Result<Option<UdpSocket>, UdpError> {
    let io = |source| UdpError::Io { port, source };
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = match Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)) {
        Ok(socket) => socket,
        Err(error) if family_missing(&error) => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if ip.is_ipv6() {
        socket.set_only_v6(true).map_err(io)?;
    }
    socket.set_nonblocking(true).map_err(io)?;
    platform::enlarge_buffers(&socket, BUFFER);
    if wanted == Use::Shared {
        platform::share_port(&socket).map_err(io)?;
    }
    if let Some(mark) = mark {
        platform::set_mark(&socket, mark).map_err(io)?;
    }
    match socket.bind(&SockAddr::from(SocketAddr::new(ip, port))) {
        Ok(()) => Ok(Some(socket.into())),
        Err(error) if family_missing(&error) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(UdpError::PortTaken { port }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(UdpError::Forbidden { port }),
        Err(error) => Err(io(error)),
    }
}

fn family_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || platform::is_family_missing(error)
}

/// What quinn-udp knows about a socket, with fragmentation allowed again, which it forbids, and without what it has the
/// kernel tell about every datagram that nobody here wants to know.
fn fresh_state(socket: &UdpSocket) -> io::Result<UdpSocketState> {
    let state = UdpSocketState::new(UdpSockRef::from(socket))?;
    if let Err(error) = platform::set_fragments(socket, true) {
        debug!(%error, "Datagrams stay unfragmented");
    }
    platform::tell_less(socket);
    Ok(state)
}

#[cfg(test)]
mod tests;
