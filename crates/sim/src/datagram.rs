//! What crosses the underlay: a UDP datagram, or a bare host's TCP segment.

use core::fmt;
use core::net::SocketAddr;

/// The transport protocol, as far as a NAT cares.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// UDP; the payload is the datagram's.
    Udp,
    /// TCP; the payload is the whole segment, whose ports the endpoints here override.
    Tcp,
}

/// Something under way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Its apparent source.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// What it is.
    pub protocol: Protocol,
    /// See [`Protocol`].
    pub payload: Vec<u8>,
}

impl Datagram {
    /// A UDP datagram.
    #[must_use]
    pub const fn udp(source: SocketAddr, destination: SocketAddr, payload: Vec<u8>) -> Self {
        Self { source, destination, protocol: Protocol::Udp, payload }
    }

    /// Bytes of the whole IP packet.
    #[must_use]
    pub const fn wire_len(&self) -> usize {
        let ip = if self.destination.is_ipv4() { 20 } else { 40 };
        let udp = match self.protocol {
            Protocol::Udp => 8,
            Protocol::Tcp => 0,
        };
        ip + udp + self.payload.len()
    }

    /// What it is, as far as an onlooker can tell: WireGuard's message types, and relayed ones.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.protocol, self.payload.first()) {
            (Protocol::Tcp, _) => Kind::Tcp,
            (Protocol::Udp, Some(1)) => Kind::Initiation,
            (Protocol::Udp, Some(2)) => Kind::Response,
            (Protocol::Udp, Some(3)) => Kind::CookieReply,
            (Protocol::Udp, Some(4)) if self.payload.len() == 32 => Kind::Keepalive,
            (Protocol::Udp, Some(4)) => Kind::Transport,
            (Protocol::Udp, Some(0x11..=0x14)) => Kind::Relayed,
            (Protocol::Udp, _) => Kind::Other,
        }
    }
}

/// What an onlooker takes a datagram for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A handshake initiation.
    Initiation,
    /// A handshake response.
    Response,
    /// A cookie reply.
    CookieReply,
    /// A transport message without content.
    Keepalive,
    /// A transport message.
    Transport,
    /// A message in a relay's slot.
    Relayed,
    /// A bare host's TCP segment.
    Tcp,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether it carries what applications say, as far as an onlooker can tell.
    #[must_use]
    pub const fn is_data(self) -> bool {
        matches!(self, Self::Transport | Self::Relayed | Self::Tcp)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initiation => "initiation",
            Self::Response => "response",
            Self::CookieReply => "cookie reply",
            Self::Keepalive => "keepalive",
            Self::Transport => "transport",
            Self::Relayed => "relayed",
            Self::Tcp => "tcp",
            Self::Other => "other",
        })
    }
}
