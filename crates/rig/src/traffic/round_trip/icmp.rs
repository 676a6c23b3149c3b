//! ICMP echo over a raw socket: an unprivileged one is allowed in few namespaces, and the rig is root anyway.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, connect, recv, send, setsockopt,
    socket,
};
use nix::sys::time::TimeVal;
use stead_wire::checksum::checksum;

use super::{Line, PATIENCE, answered};
use crate::error::RigError;

/// A socket that asks one host over IPv4.
#[derive(Debug)]
pub(super) struct Pinger {
    socket: OwnedFd,
    identifier: u16,
}

impl Pinger {
    pub(super) fn new(line: &Line) -> Result<Self, RigError> {
        let IpAddr::V4(address) = line.address else {
            return Err(RigError::Missing {
                host: line.server.name().to_owned(),
                what: "IPv4 address to ping".to_owned(),
            });
        };
        let made = line.client.call(move || {
            let socket =
                socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp)?;
            setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, PATIENCE.subsec_micros().into()))?;
            // What others send is not seen then.
            connect(socket.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(address, 0)))?;
            Ok::<_, nix::Error>(socket)
        })?;
        let socket = made.map_err(|error| RigError::Io {
            doing: format!("{}: make a socket that pings", line.client.name()),
            source: error.into(),
        })?;
        Ok(Self { socket, identifier: std::process::id() as u16 })
    }

    /// Asks, and waits for the answer; false if none came.
    pub(super) fn ask(&self, sequence: u16) -> io::Result<bool> {
        let wanted = Echo { identifier: self.identifier, sequence };
        send(self.socket.as_raw_fd(), &wanted.request(), MsgFlags::empty())?;
        let mut packet = [0; 512];
        answered(|| {
            let length = recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::empty())?;
            Ok(Echo::replied(&packet[..length]) == Some(wanted))
        })
    }
}

/// What an answer shares with its question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Echo {
    identifier: u16,
    sequence: u16,
}

impl Echo {
    /// The question: eight bytes of header, 56 of payload (RFC 792).
    fn request(self) -> [u8; 64] {
        let mut message = [0x5a; 64];
        message[..4].copy_from_slice(&[ECHO_REQUEST, 0, 0, 0]);
        message[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        message[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        message
    }

    /// What an IPv4 packet answers, if it is an echo reply.
    fn replied(packet: &[u8]) -> Option<Self> {
        let header = usize::from(packet.first()? & 0x0f) * 4;
        let message: &[u8; 8] = packet.get(header..)?.first_chunk()?;
        (message[0] == ECHO_REPLY).then(|| Self {
            identifier: u16::from_be_bytes([message[4], message[5]]),
            sequence: u16::from_be_bytes([message[6], message[7]]),
        })
    }
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_checks_and_is_not_taken_for_an_answer() {
        let echo = Echo { identifier: 0x1234, sequence: 7 };
        let message = echo.request();
        assert_eq!(checksum(&message), 0, "a message with its checksum sums up to nothing");
        let mut packet = vec![0x45; 20];
        packet.extend(message);
        assert_eq!(Echo::replied(&packet), None);
        packet[20] = ECHO_REPLY;
        assert_eq!(Echo::replied(&packet), Some(echo));
        assert_eq!(Echo::replied(&packet[..24]), None);
        assert_eq!(Echo::replied(&[]), None);
    }
}
