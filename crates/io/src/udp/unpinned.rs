//! Systems whose monitor tells of no further networks: nothing has to be told by which interface it leaves.

use core::net::IpAddr;
use std::io;
use std::net::UdpSocket;

use super::Outgoing;

/// Not here, so nothing asks for it.
pub(super) fn send_through(
    _socket: &UdpSocket,
    _outgoing: Outgoing<'_>,
    _local: IpAddr,
    _interface: u32,
) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
