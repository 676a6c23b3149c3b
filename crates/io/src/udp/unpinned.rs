//! Systems whose monitor tells of no further networks: nothing has to be told by which interface it leaves. They are
//! not asked what they believe of a path either.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::net::UdpSocket;

use super::Outgoing;

/// Not asked for: probes find out by themselves.
pub(super) const fn believed_mtu(_remote: SocketAddr, _local: Option<IpAddr>) -> Option<usize> {
    None
}

/// Not here, so nothing asks for it.
pub(super) fn send_through(
    _socket: &UdpSocket,
    _outgoing: Outgoing<'_>,
    _local: IpAddr,
    _interface: u32,
) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
