//! What must never happen, watched for while the world runs.
//!
//! - An inner packet comes out of a tunnel that nobody at the other end put in, or more often than it was put in:
//!   somebody forged or replayed it. A TCP segment may come in pieces, and a node may say once more what its host's TCP has
//!   acknowledged.
//! - A node's active path to a VC enhanced peer leads to a place from which that peer never spoke.
//! - An entry of a node's table belongs to another peer than the one whose address it names.
//!
//! A [`Finding`] of the first two kinds is a forgery or a replay that changed something.

mod bare;
mod pieces;

use core::fmt;
use core::hash::{Hash as _, Hasher as _};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::DefaultHasher;

use stead_wire::ip::IpHeaders;
use stead_wire::tcp;
use stead_wire::time::Instant;

use self::bare::Acknowledgements;
use self::pieces::Pieces;
use crate::network::HostId;
use crate::trace::moment;

/// Something that must never happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// When it was seen.
    pub at: Instant,
    /// At which host.
    pub host: HostId,
    /// What.
    pub wrong: Wrong,
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// A packet was delivered that nobody sent, or again.
    StrangePacket {
        /// Its length.
        len: usize,
    },
    /// The path to a peer leads where that peer never was.
    StrangePath {
        /// Which peer.
        peer: String,
        /// Where to.
        remote: SocketAddr,
    },
    /// A table entry is a wrong peer's.
    WrongPeer {
        /// Whose it says it is.
        peer: String,
        /// The virtual address it is for.
        address: IpAddr,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StrangePacket { len } => write!(f, "a packet of {len} bytes came that nobody sent"),
            Self::StrangePath { peer, remote } => {
                write!(f, "the path to {peer} leads to {remote}, where it never was")
            }
            Self::WrongPeer { peer, address } => {
                write!(f, "the table has {peer} at {address}, which is not its")
            }
        }
    }
}

impl Finding {
    /// The finding in words; `names` are the hosts'.
    #[must_use]
    pub fn told(&self, names: &[&str]) -> String {
        let host = names.get(self.host.0).copied().unwrap_or("?");
        format!("{} {host}: {}", moment(self.at).trim_start(), self.wrong)
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Packets that went into tunnels and have not come out, by what they are.
    under_way: BTreeMap<u64, u32>,
    pieces: Pieces,
    acknowledgements: Acknowledgements,
    /// From where each host spoke, as anybody might have seen it.
    places: BTreeMap<HostId, BTreeSet<SocketAddr>>,
    findings: Vec<Finding>,
}

/// Findings beyond these tell nothing new.
const FINDINGS: usize = 100;

impl Audit {
    /// An inner packet goes into a tunnel.
    pub(crate) fn packet_sent(&mut self, packet: &[u8]) {
        *self.under_way.entry(fingerprint(packet)).or_default() += 1;
        self.pieces.sent(packet);
        self.acknowledgements.sent(packet);
    }

    /// An inner packet came out of a tunnel at `host`.
    pub(crate) fn packet_opened(&mut self, host: HostId, packet: &[u8], now: Instant) {
        let fingerprint = fingerprint(packet);
        match self.under_way.get_mut(&fingerprint) {
            Some(1) => {
                self.under_way.remove(&fingerprint);
            }
            Some(count) => *count -= 1,
            None if self.pieces.opened(fingerprint, packet) => {}
            None if self.acknowledgements.is_repeated(packet) => {}
            None => self.found(host, Wrong::StrangePacket { len: packet.len() }, now),
        }
    }

    /// A host speaks, or could, from this place.
    pub(crate) fn place(&mut self, host: HostId, place: SocketAddr) {
        self.places.entry(host).or_default().insert(place);
    }

    /// Whether `host` ever spoke from this place.
    pub(crate) fn was_at(&self, host: HostId, place: SocketAddr) -> bool {
        self.places.get(&host).is_some_and(|places| places.contains(&place))
    }

    pub(crate) fn found(&mut self, host: HostId, wrong: Wrong, at: Instant) {
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding { at, host, wrong });
        }
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Fixed keys: the same on every run. A SYN may be made to ask for shorter segments on its way.
fn fingerprint(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    match IpHeaders::parse(packet) {
        Ok(headers) if headers.tcp.is_some_and(|flags| flags.syn) => {
            let mut least = packet.to_vec();
            tcp::clamp_mss(&mut least, &headers, 0, false);
            let checksum = headers.transport_offset + 16;
            if let Some(checksum) = least.get_mut(checksum..checksum + 2) {
                checksum.fill(0);
            }
            least.hash(&mut hasher);
        }
        _ => packet.hash(&mut hasher),
    }
    hasher.finish()
}
