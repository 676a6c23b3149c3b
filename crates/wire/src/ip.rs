//! Inner packets: just enough of IPv4, IPv6, TCP, UDP and ICMP to know a packet's length and its connection.

mod parse;

use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// Names a connection as one packet shows it: from where, to where, over which upper protocol.
///
/// Where there are no ports (ICMP echo) both ports hold the echo identifier, so that the reply's tuple
/// is the request's [`reversed`](FiveTuple::reversed). Protocols without either, and fragments after the
/// first, have ports 0: the address pair alone names them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FiveTuple {
    /// Where the packet comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// IANA protocol number of the upper layer.
    pub protocol: Protocol,
}

impl FiveTuple {
    /// The tuple of a packet that answers this one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, protocol: self.protocol }
    }
}

/// Upper layer protocol, by its IANA number (seed 001 par. 49, "Upper Layer Protocol Type").
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ICMP => f.write_str("icmp"),
            Self::TCP => f.write_str("tcp"),
            Self::UDP => f.write_str("udp"),
            Self::ICMPV6 => f.write_str("icmpv6"),
            Self(number) => write!(f, "ip-{number}"),
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the LCT table needs of a TCP header to know a connection's state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TcpFlags {
    /// The sender has no more data.
    pub fin: bool,
    /// Opens a connection.
    pub syn: bool,
    /// Aborts a connection.
    pub rst: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
}

impl TcpFlags {
    /// From byte 13 of a TCP header (RFC 9293 §3.1).
    #[must_use]
    pub const fn of_byte(byte: u8) -> Self {
        Self { fin: byte & 0x01 != 0, syn: byte & 0x02 != 0, rst: byte & 0x04 != 0, ack: byte & 0x10 != 0 }
    }
}

/// What one inner packet's headers say. Made by [`IpHeaders::parse`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IpHeaders {
    /// The connection this packet belongs to.
    pub tuple: FiveTuple,
    /// Length of the whole IP datagram by its own header, in bytes.
    pub total_len: usize,
    /// Where the upper layer's header begins, in bytes from the start of the datagram.
    pub transport_offset: usize,
    /// Set for TCP segments that carry their header (not for later fragments).
    pub tcp: Option<TcpFlags>,
}

impl IpHeaders {
    /// Source address of the datagram.
    #[must_use]
    pub const fn source(&self) -> IpAddr {
        self.tuple.source.ip()
    }

    /// Destination address of the datagram.
    #[must_use]
    pub const fn destination(&self) -> IpAddr {
        self.tuple.destination.ip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversing_swaps_both_ends_and_keeps_the_protocol() {
        let (a, b) = (SocketAddr::from(([10, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 2], 2)));
        let there = FiveTuple { source: a, destination: b, protocol: Protocol::UDP };
        assert_eq!(there.reversed(), FiveTuple { source: b, destination: a, protocol: Protocol::UDP });
    }

    #[test]
    fn protocols_print_as_words_where_there_is_one() {
        let names = [1, 6, 17, 58, 47].map(|number| Protocol(number).to_string());
        assert_eq!(names, ["icmp", "tcp", "udp", "icmpv6", "ip-47"]);
    }
}
