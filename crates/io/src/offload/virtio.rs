//! The header in front of every packet of a TUN device with offload.
//!
//! ```text
//!  0       1          2         4          6            8             10
//! +-------+----------+---------+----------+------------+-------------+------------
//! | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset | IP packet…
//! +-------+----------+---------+----------+------------+-------------+------------
//! ```
//! Numbers are in the machine's own byte order, as a TUN device uses them unless told otherwise.

/// `struct virtio_net_hdr`. Offsets count from the start of the IP packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VirtioHeader {
    /// [`NEEDS_CSUM`](Self::NEEDS_CSUM) and others that do not concern us.
    pub flags: u8,
    /// What has to be cut, and whether the first segment's CWR is to be kept from the others.
    pub gso_type: u8,
    /// The kernel's hint how much of the packet is headers. Not to be trusted: for forwarded packets it is more.
    pub hdr_len: u16,
    /// Payload bytes of each segment but the last.
    pub gso_size: u16,
    /// Where the sum begins that the checksum covers.
    pub csum_start: u16,
    /// Where the checksum goes, counted from `csum_start`.
    pub csum_offset: u16,
}

/// What a super-packet is cut into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gso {
    /// Nothing to cut.
    None,
    /// TCP segments over IPv4.
    Tcpv4,
    /// TCP segments over IPv6.
    Tcpv6,
    /// UDP datagrams, each with a header of its own.
    UdpL4,
}

impl VirtioHeader {
    /// Encoded length.
    pub const LEN: usize = 10;

    /// Flag: the checksum at `csum_start + csum_offset` holds only the pseudo-header's sum.
    pub const NEEDS_CSUM: u8 = 1;

    /// Bit of `gso_type`: the first segment alone carries TCP's CWR.
    pub const GSO_ECN: u8 = 0x80;

    /// A packet that is complete as it is.
    pub const PLAIN: Self =
        Self { flags: 0, gso_type: 0, hdr_len: 0, gso_size: 0, csum_start: 0, csum_offset: 0 };

    /// Reads the fields; whether they make sense is for [`Segments`](super::Segments) to judge.
    #[must_use]
    pub const fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = *bytes;
        Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([h0, h1]),
            gso_size: u16::from_ne_bytes([g0, g1]),
            csum_start: u16::from_ne_bytes([s0, s1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        }
    }

    /// The header as a TUN device takes it.
    #[must_use]
    pub const fn encode(&self) -> [u8; Self::LEN] {
        let [h0, h1] = self.hdr_len.to_ne_bytes();
        let [g0, g1] = self.gso_size.to_ne_bytes();
        let [s0, s1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }

    /// What has to be cut; `None` for types we never asked the kernel for.
    #[must_use]
    pub const fn gso(&self) -> Option<Gso> {
        match self.gso_type & !Self::GSO_ECN {
            0 => Some(Gso::None),
            1 => Some(Gso::Tcpv4),
            4 => Some(Gso::Tcpv6),
            5 => Some(Gso::UdpL4),
            _ => None,
        }
    }

    /// Whether the checksum has to be completed.
    #[must_use]
    pub const fn needs_checksum(&self) -> bool {
        self.flags & Self::NEEDS_CSUM != 0
    }
}

impl Gso {
    /// As `gso_type` has it.
    #[must_use]
    pub const fn encode(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Tcpv4 => 1,
            Self::Tcpv6 => 4,
            Self::UdpL4 => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_encoding() {
        let header = VirtioHeader {
            flags: 1,
            gso_type: 0x84,
            hdr_len: 0x0102,
            gso_size: 0x0304,
            csum_start: 0x0506,
            csum_offset: 0x0708,
        };
        assert_eq!(VirtioHeader::decode(&header.encode()), header);
        assert_eq!(header.encode()[2..4], 0x0102_u16.to_ne_bytes());
        assert_eq!(VirtioHeader::PLAIN.encode(), [0; 10]);
    }

    #[test]
    fn the_ecn_bit_does_not_hide_the_type() {
        for gso in [Gso::None, Gso::Tcpv4, Gso::Tcpv6, Gso::UdpL4] {
            for ecn in [0, VirtioHeader::GSO_ECN] {
                let header = VirtioHeader { gso_type: gso.encode() | ecn, ..VirtioHeader::PLAIN };
                assert_eq!(header.gso(), Some(gso));
            }
        }
        let ufo = VirtioHeader { gso_type: 3, ..VirtioHeader::PLAIN };
        assert_eq!(ufo.gso(), None, "fragments of one datagram are not datagrams");
    }
}
