//! What names a connection: the specification applications see, and the one that carries it now.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use blake2::Blake2sMac;
use blake2::digest::consts::U8;
use blake2::digest::{FixedOutput, KeyInit, Update};
use stead_wire::ip::{FiveTuple, Protocol};

/// Names a peer inside this node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(pub u32);

/// Names one path to a peer inside this node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PathId(pub u32);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {}", self.0)
    }
}

impl fmt::Display for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path {}", self.0)
    }
}

/// The 5-tuple an application sees, from this host's side (seed 001 par. 49). Never changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OriginalSpecification {
    /// This side's virtual address and port.
    pub local: SocketAddr,
    /// The other side's virtual address and port.
    pub remote: SocketAddr,
    /// Upper layer protocol.
    pub protocol: Protocol,
}

impl OriginalSpecification {
    /// The connection of a packet that this side sends.
    #[must_use]
    pub const fn from_outbound(tuple: FiveTuple) -> Self {
        Self { local: tuple.source, remote: tuple.destination, protocol: tuple.protocol }
    }

    /// The connection of a packet that the other side sent.
    #[must_use]
    pub const fn from_inbound(tuple: FiveTuple) -> Self {
        Self::from_outbound(tuple.reversed())
    }

    /// The connection's token. Both sides compute the same one, because the two ends go in ordered.
    ///
    /// `attempt` is 0 but for a connection whose token was taken already: the next attempt gives another.
    pub(crate) fn token(&self, attempt: u8) -> Token {
        let (low, high) =
            if self.local <= self.remote { (self.local, self.remote) } else { (self.remote, self.local) };
        let mut message = [0; 2 * END_LEN + 2];
        encode_end(low, &mut message[..END_LEN]);
        encode_end(high, &mut message[END_LEN..2 * END_LEN]);
        message[2 * END_LEN] = self.protocol.0;
        message[2 * END_LEN + 1] = attempt;
        let hash = Blake2sMac::<U8>::new(TOKEN_KEY.into()).chain(message).finalize_fixed();
        Token(u64::from_be_bytes(hash.into()))
    }
}

impl fmt::Display for OriginalSpecification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.protocol, self.local, self.remote)
    }
}

/// Names a connection inside a peer's traffic without its addresses: a hash of the original specification, as
/// seed 001 par. 61 suggests. A CU names single connections by it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The attachment points of both sides on one path. Shared by all entries of a peer that use the path.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Attachment {
    /// This side's attachment point; `None` leaves the choice to the system's routes.
    pub local: Option<SocketAddr>,
    /// The peer's attachment point.
    pub remote: SocketAddr,
    /// The path between them.
    pub path: PathId,
}

impl Attachment {
    /// Where a datagram over this path goes, and from which of our addresses; `None` leaves that to the system's routes.
    #[must_use]
    pub fn target(&self) -> (SocketAddr, Option<IpAddr>) {
        (self.remote, self.local.map(|point| point.ip()))
    }
}

/// What carries a connection right now. Replaced by each move.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CurrentSpecification {
    /// Where both sides are attached.
    pub attachment: Arc<Attachment>,
    /// Which of the attachment's connections this is.
    pub token: Token,
}

/// Separates these hashes from every other use of BLAKE2s. Not secret: the other side needs it too, and a
/// token only means something inside an authenticated message.
const TOKEN_KEY: &[u8; 32] = b"stead connection token, version1";

/// Family, address, port.
const END_LEN: usize = 1 + 16 + 2;

fn encode_end(end: SocketAddr, out: &mut [u8]) {
    match end.ip() {
        IpAddr::V4(ip) => {
            out[0] = 4;
            out[1..5].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out[0] = 6;
            out[1..17].copy_from_slice(&ip.octets());
        }
    }
    out[17..].copy_from_slice(&end.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple() -> FiveTuple {
        FiveTuple {
            source: "10.77.0.1:40000".parse().unwrap(),
            destination: "10.77.0.2:22".parse().unwrap(),
            protocol: Protocol::TCP,
        }
    }

    #[test]
    fn a_reply_belongs_to_the_same_connection_as_the_request() {
        let sent = OriginalSpecification::from_outbound(tuple());
        let answered = OriginalSpecification::from_inbound(tuple().reversed());

        assert_eq!(sent, answered);
    }

    #[test]
    fn both_sides_compute_the_same_token() {
        let ours = OriginalSpecification::from_outbound(tuple());
        let theirs = OriginalSpecification::from_inbound(tuple());

        assert_ne!(ours, theirs);
        assert_eq!(ours.token(0), theirs.token(0));
        assert_eq!(ours.token(1), theirs.token(1));
    }

    #[test]
    fn every_part_of_the_specification_changes_the_token() {
        let base = OriginalSpecification::from_outbound(tuple());
        let port = OriginalSpecification { local: "10.77.0.1:40001".parse().unwrap(), ..base };
        let swapped_ports = OriginalSpecification {
            local: "10.77.0.1:22".parse().unwrap(),
            remote: "10.77.0.2:40000".parse().unwrap(),
            ..base
        };
        let mapped = OriginalSpecification { local: "[::10.77.0.1]:40000".parse().unwrap(), ..base };
        let protocol = OriginalSpecification { protocol: Protocol::UDP, ..base };

        for other in [port, swapped_ports, mapped, protocol] {
            assert_ne!(base.token(0), other.token(0), "{other}");
        }
        assert_ne!(base.token(0), base.token(1));
    }

    #[test]
    fn tokens_do_not_change_between_versions() {
        let token = OriginalSpecification::from_outbound(tuple()).token(0);

        // hashlib.blake2s(ends and protocol, key=TOKEN_KEY, digest_size=8)
        assert_eq!(token, Token(0x9458_1861_a517_767b), "peers of other versions compute the same");
    }
}
