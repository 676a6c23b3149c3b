//! Datagrams on the underlay: how one arrived, and one to send. What both the node and the service exchange with
//! the sockets.

use core::net::{IpAddr, SocketAddr};

/// How a datagram arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Its apparent source.
    pub source: SocketAddr,
    /// The local address it was sent to, where the system tells.
    pub local: Option<IpAddr>,
}

/// A datagram to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Where to.
    pub remote: SocketAddr,
    /// From which local address; `None` leaves the choice to the system's routes.
    pub local: Option<IpAddr>,
    /// The UDP payload.
    pub datagram: Vec<u8>,
    /// Whether it is lost rather than cut where it is too long for the network: it finds out how long datagrams may be.
    pub whole: bool,
}
