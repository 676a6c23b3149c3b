//! Systems whose monitor tells of no further networks: nothing has to be told by which interface it leaves. They are
//! not asked what they believe of a path either, and do not divide senders among sockets that share a port.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::net::UdpSocket;

use socket2::Socket;

use super::Outgoing;

/// Not asked for: probes find out by themselves.
pub(super) const fn believed_mtu(_remote: SocketAddr, _local: Option<IpAddr>) -> Option<usize> {
    None
}

pub(super) const MOST_SHARING: usize = 1;

/// Not counted per socket here.
pub(super) const fn overflowed(_socket: &UdpSocket) -> u64 {
    0
}

/// What comes with each datagram is cheap here.
pub(super) const fn tell_less(_socket: &UdpSocket) {}

/// Not here, so nothing asks for it.
pub(super) fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
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
