//! Where things are in a TCP or UDP packet. Offsets of the headers, and nothing beyond them.

use super::checksum::{Checksums, Sum};

/// A whole IP packet with a TCP or UDP header, all of it within bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'p> {
    pub(super) packet: &'p [u8],
    pub(super) version: Version,
    pub(super) upper: Upper,
    /// Where the TCP or UDP header begins.
    pub(super) transport: usize,
    /// Where the payload begins.
    pub(super) payload: usize,
    /// Where the checksum should be there is the pseudo-header's sum: the rest vouches for itself.
    pub(super) partial: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    V4,
    V6,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Upper {
    Tcp,
    Udp,
}

impl Upper {
    pub(super) const fn protocol(self) -> u8 {
        match self {
            Self::Tcp => TCP,
            Self::Udp => UDP,
        }
    }

    /// Where the checksum is, counted from the header's start.
    pub(super) const fn checksum_offset(self) -> usize {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }
}

/// TCP flags, in byte 13 of its header.
pub(super) mod flags {
    pub(in super::super) const FIN: u8 = 0x01;
    pub(in super::super) const PSH: u8 = 0x08;
    pub(in super::super) const ACK: u8 = 0x10;
    pub(in super::super) const ECE: u8 = 0x40;
    pub(in super::super) const CWR: u8 = 0x80;
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// IPv6 extension headers that can stand before TCP and UDP without changing what their checksum covers.
const HOP_BY_HOP: u8 = 0;
const DESTINATION_OPTIONS: u8 = 60;

impl<'p> View<'p> {
    /// Finds the headers; `None` if this is no TCP or UDP packet, a fragment, or any length does not fit.
    #[inline]
    pub(super) fn of(packet: &'p [u8]) -> Option<Self> {
        let (version, protocol, transport) = match packet.first()? >> 4 {
            4 => ipv4(packet)?,
            6 => ipv6(packet)?,
            _ => return None,
        };
        let header = packet.get(transport..)?;
        let (upper, header_len) = match protocol {
            TCP => (Upper::Tcp, tcp_header_len(header)?),
            UDP => (Upper::Udp, udp_header_len(header)?),
            _ => return None,
        };
        Some(Self { packet, version, upper, transport, payload: transport + header_len, partial: false })
    }

    /// As [`of`](Self::of), for a packet whose checksum may be partial.
    #[inline]
    pub(super) fn of_either(packet: &'p [u8], checksums: Checksums) -> Option<Self> {
        let mut view = Self::of(packet)?;
        view.partial = checksums == Checksums::Partial && view.checksum() == view.pseudo_sum().folded();
        Some(view)
    }

    pub(super) fn payload(&self) -> &'p [u8] {
        &self.packet[self.payload..]
    }

    /// The IP header, extension headers or options included.
    pub(super) fn ip(&self) -> &'p [u8] {
        &self.packet[..self.transport]
    }

    /// The TCP or UDP header, options included.
    pub(super) fn header(&self) -> &'p [u8] {
        &self.packet[self.transport..self.payload]
    }

    /// Source and destination address.
    pub(super) fn addresses(&self) -> &'p [u8] {
        match self.version {
            Version::V4 => &self.packet[12..20],
            Version::V6 => &self.packet[8..40],
        }
    }

    /// Source and destination port.
    pub(super) fn ports(&self) -> &'p [u8] {
        &self.packet[self.transport..self.transport + 4]
    }

    pub(super) fn tcp_sequence(&self) -> u32 {
        let at = self.transport + 4;
        u32::from_be_bytes([self.packet[at], self.packet[at + 1], self.packet[at + 2], self.packet[at + 3]])
    }

    pub(super) fn tcp_flags(&self) -> u8 {
        self.packet[self.transport + 13]
    }

    pub(super) fn ipv4_id(&self) -> u16 {
        u16::from_be_bytes([self.packet[4], self.packet[5]])
    }

    /// Whether all checksums are right, as far as there are any. UDP without one is not: nobody could cut it the same way again.
    pub(super) fn is_intact(&self) -> bool {
        if self.version == Version::V4 && !Sum::default().add(self.ip()).is_intact() {
            return false;
        }
        let absent = self.upper == Upper::Udp && self.checksum() == [0, 0];
        self.partial || !absent && self.pseudo_sum().add(&self.packet[self.transport..]).is_intact()
    }

    /// Writes the headers to the start of `out`, for the packet at `index` of those that this one is cut into, `total_len`
    /// bytes long: all that the IP header says of it is right then.
    ///
    /// Nothing of `out` is read back: what was just written there would have to reach the cache first, and all that was
    /// written before with it.
    pub(super) fn write_headers(&self, out: &mut [u8], total_len: usize, index: usize) {
        out[..self.payload].copy_from_slice(&self.packet[..self.payload]);
        match self.version {
            Version::V4 => {
                let len = low_16(total_len);
                let id = self.ipv4_id().wrapping_add(index as u16).to_be_bytes();
                out[2..4].copy_from_slice(&len);
                out[4..6].copy_from_slice(&id);
                out[10..12].copy_from_slice(&self.ipv4_checksum(len, id));
            }
            Version::V6 => out[4..6].copy_from_slice(&low_16(total_len - IPV6_HEADER_LEN)),
        }
    }

    /// The checksum of this IPv4 header with another length and id.
    fn ipv4_checksum(&self, len: [u8; 2], id: [u8; 2]) -> [u8; 2] {
        let header = self.ip();
        let rest = Sum::default().add(&header[..2]).add(&header[6..10]).add(&header[12..]);
        rest.add(&len).add(&id).checksum()
    }

    /// What stands where the transport's checksum should be.
    fn checksum(&self) -> [u8; 2] {
        let at = self.transport + self.upper.checksum_offset();
        [self.packet[at], self.packet[at + 1]]
    }

    /// The pseudo-header's sum.
    fn pseudo_sum(&self) -> Sum {
        Sum::pseudo_header(self.addresses(), self.upper.protocol(), self.packet.len() - self.transport)
    }
}

/// The low 16 bits, big-endian; lengths here never have more.
pub(super) const fn low_16(len: usize) -> [u8; 2] {
    let [.., high, low] = len.to_be_bytes();
    [high, low]
}

const IPV6_HEADER_LEN: usize = 40;

fn ipv4(packet: &[u8]) -> Option<(Version, u8, usize)> {
    let header_len = usize::from(packet.first()? & 0x0f) * 4;
    let header = packet.get(..header_len.max(20))?;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // All bits but "don't fragment": more fragments, the offset, and the one that must be zero.
    let whole = header[6] & 0xbf == 0 && header[7] == 0;
    (header_len >= 20 && total_len == packet.len() && whole).then_some((Version::V4, header[9], header_len))
}

fn ipv6(packet: &[u8]) -> Option<(Version, u8, usize)> {
    let header = packet.get(..IPV6_HEADER_LEN)?;
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if payload_len + IPV6_HEADER_LEN != packet.len() {
        return None;
    }
    let (mut protocol, mut at) = (header[6], IPV6_HEADER_LEN);
    while matches!(protocol, HOP_BY_HOP | DESTINATION_OPTIONS) {
        let extension = packet.get(at..at + 2)?;
        protocol = extension[0];
        at += (usize::from(extension[1]) + 1) * 8;
    }
    Some((Version::V6, protocol, at))
}

fn tcp_header_len(header: &[u8]) -> Option<usize> {
    let len = usize::from(header.get(12)? >> 4) * 4;
    (len >= 20 && len <= header.len()).then_some(len)
}

fn udp_header_len(header: &[u8]) -> Option<usize> {
    let fields = header.get(..8)?;
    let len = usize::from(u16::from_be_bytes([fields[4], fields[5]]));
    (len == header.len()).then_some(8)
}
