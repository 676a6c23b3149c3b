//! A segment with nothing but an acknowledgement.

use core::net::{IpAddr, SocketAddr};

use super::{FIXED_LEN, Sequence, Timestamps, kind};
use crate::checksum::{folded, sum};
use crate::ip::Protocol;

/// A segment without data, with the ACK flag and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BareAcknowledgement {
    /// Who says it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Of the next byte that the sender would send.
    pub sequence: Sequence,
    /// The next byte that the sender expects.
    pub acknowledgement: Sequence,
    /// As it stands in the header: not scaled.
    pub window: u16,
    /// Written if the connection has them.
    pub timestamps: Option<Timestamps>,
}

impl BareAcknowledgement {
    /// The whole IP packet, checksums included; `None` if the two ends are not of one family.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let segment = self.segment();
        let (mut packet, pseudo) = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total_len = (20 + segment.len()) as u16;
                let mut header = vec![0x45, 0, 0, 0, 0, 0, DONT_FRAGMENT, 0, HOPS, Protocol::TCP.0, 0, 0];
                header[2..4].copy_from_slice(&total_len.to_be_bytes());
                header.extend(from.octets());
                header.extend(to.octets());
                let checksum = !folded(sum(&header));
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                (header, sum(&from.octets()) + sum(&to.octets()))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut header = vec![0x60, 0, 0, 0, 0, segment.len() as u8, Protocol::TCP.0, HOPS];
                header.extend(from.octets());
                header.extend(to.octets());
                (header, sum(&from.octets()) + sum(&to.octets()))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        };
        let pseudo = pseudo + u64::from(Protocol::TCP.0) + segment.len() as u64;
        let checksum = !folded(pseudo + sum(&segment));
        let at = packet.len() + 16;
        packet.extend(segment);
        packet[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        Some(packet)
    }

    /// The TCP part, its checksum still zero.
    fn segment(&self) -> Vec<u8> {
        let options_len = if self.timestamps.is_some() { 12 } else { 0 };
        let words = ((FIXED_LEN + options_len) / 4) as u8;
        let mut segment = Vec::with_capacity(FIXED_LEN + options_len);
        segment.extend(self.from.port().to_be_bytes());
        segment.extend(self.to.port().to_be_bytes());
        segment.extend(self.sequence.0.to_be_bytes());
        segment.extend(self.acknowledgement.0.to_be_bytes());
        segment.extend([words << 4, ACK]);
        segment.extend(self.window.to_be_bytes());
        segment.extend([0; 4]);
        if let Some(Timestamps { value, echo }) = self.timestamps {
            segment.extend([kind::NO_OPERATION, kind::NO_OPERATION, kind::TIMESTAMPS, 10]);
            segment.extend(value.0.to_be_bytes());
            segment.extend(echo.0.to_be_bytes());
        }
        segment
    }
}

const ACK: u8 = 0x10;

/// In IPv4's flags.
const DONT_FRAGMENT: u8 = 0x40;

/// What most systems begin with.
const HOPS: u8 = 64;
