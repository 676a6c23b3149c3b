//! What all these tests stand on: names for peers, places, connections and flags.

use std::net::SocketAddr;
use std::sync::Arc;

use stead_lct::{Attachment, OriginalSpecification, PathId, PeerId};
use stead_wire::ip::{Protocol, TcpFlags};
use stead_wire::time::{Duration, Instant};

pub(crate) const BOB: PeerId = PeerId(1);
pub(crate) const CAROL: PeerId = PeerId(2);

const NONE: TcpFlags = TcpFlags { fin: false, syn: false, rst: false, ack: false };
pub(crate) const SYN: Option<TcpFlags> = Some(TcpFlags { syn: true, ..NONE });
pub(crate) const SYN_ACK: Option<TcpFlags> = Some(TcpFlags { syn: true, ack: true, ..NONE });
pub(crate) const ACK: Option<TcpFlags> = Some(TcpFlags { ack: true, ..NONE });
pub(crate) const FIN_ACK: Option<TcpFlags> = Some(TcpFlags { fin: true, ack: true, ..NONE });
pub(crate) const RST: Option<TcpFlags> = Some(TcpFlags { rst: true, ..NONE });

pub(crate) fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

/// A connection of ours from `port` to the virtual address that `peer` has.
pub(crate) fn connection(protocol: Protocol, peer: PeerId, port: u16) -> OriginalSpecification {
    let [_, _, high, low] = peer.0.to_be_bytes();
    OriginalSpecification {
        local: SocketAddr::from(([10, 77, 0, 1], port)),
        remote: SocketAddr::from(([10, 78, high, low], 443)),
        protocol,
    }
}

/// Reached at `remote` over `path`.
pub(crate) fn place(remote: &str, path: u32) -> Arc<Attachment> {
    let remote = remote.parse().expect("tests write attachment points correctly");
    Arc::new(Attachment { local: None, remote, path: PathId(path) })
}
