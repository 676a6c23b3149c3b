//! One write to the TUN device: a virtio header, and the pieces of a packet behind it.

use std::io::IoSlice;

use super::checksum::Sum;
use super::coalescer::{Coalescer, First, Group};
use super::view::{Upper, Version, View, flags, low_16};
use super::virtio::{Gso, VirtioHeader};

/// Most packets in one super-packet. With less than 512 bytes each there is little to gain from more, and the
/// system bounds the pieces of one write (`IOV_MAX`).
pub(super) const MAX_SEGMENTS: usize = 128;

/// Most slices that [`SuperPacket::gather`] fills: the headers, and each packet's payload.
pub const MAX_SLICES: usize = MAX_SEGMENTS + 1;

/// A plain packet, or several merged, ready to be written.
#[derive(Debug)]
pub struct SuperPacket<'c, 'p> {
    group: &'c Group<'p>,
    coalescer: &'c Coalescer<'p>,
    head: [u8; MAX_HEAD_LEN],
    head_len: usize,
}

/// Virtio, IPv6 and TCP with all the options it can have.
const MAX_HEAD_LEN: usize = VirtioHeader::LEN + 40 + 60;

impl<'c, 'p> SuperPacket<'c, 'p> {
    pub(super) fn new(group: &'c Group<'p>, coalescer: &'c Coalescer<'p>) -> Self {
        let mut packet = Self { group, coalescer, head: [0; MAX_HEAD_LEN], head_len: VirtioHeader::LEN };
        match group.first {
            First::Flow(first) if group.packets > 1 => packet.write_head(&first),
            First::Flow(first) if first.partial => {
                packet.head[..VirtioHeader::LEN].copy_from_slice(&incomplete(&first).encode());
            }
            First::Flow(_) | First::Opaque(_) => {}
        }
        packet
    }

    /// How many packets it holds.
    #[must_use]
    pub const fn packets(&self) -> usize {
        self.group.packets
    }

    /// Its length as an IP packet, without the virtio header.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.group.first {
            First::Opaque(packet) => packet.len(),
            First::Flow(first) => first.payload + self.group.payload_len,
        }
    }

    /// What all packets of its flow have in common, addresses and ports; `None` for what has no ports.
    #[must_use]
    pub fn flow(&self) -> Option<(&[u8], &[u8])> {
        match &self.group.first {
            First::Opaque(_) => None,
            First::Flow(first) => Some((first.addresses(), first.ports())),
        }
    }

    /// Always false: a super-packet holds at least one packet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The virtio header and, if packets were merged, the IP and TCP or UDP header before their payloads.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head[..self.head_len]
    }

    /// What follows the head, in order: payloads, or a whole packet that was not merged.
    pub fn body(&self) -> impl Iterator<Item = &'p [u8]> {
        let (whole, group) = match self.group.first {
            First::Opaque(packet) => (Some(packet), None),
            First::Flow(view) if self.group.packets == 1 => (Some(view.packet), None),
            First::Flow(_) => (None, Some(self.group)),
        };
        let payloads = group.into_iter().flat_map(|group| self.coalescer.payloads(group));
        whole.into_iter().chain(payloads)
    }

    /// Fills `slices` for one vectored write; how many there are.
    pub fn gather<'s>(&'s self, slices: &mut [IoSlice<'s>; MAX_SLICES]) -> usize {
        let parts = core::iter::once(self.head()).chain(self.body());
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    fn write_head(&mut self, first: &View<'p>) {
        self.head_len = VirtioHeader::LEN + first.payload;
        let total_len = first.payload + self.group.payload_len;
        let (virtio, headers) = self.head[..self.head_len].split_at_mut(VirtioHeader::LEN);
        virtio.copy_from_slice(&virtio_header(first).encode());
        first.write_headers(headers, total_len, 0);
        let transport = &mut headers[first.transport..];
        match first.upper {
            Upper::Tcp => transport[13] = first.tcp_flags() | self.group.flags,
            Upper::Udp => transport[4..6].copy_from_slice(&low_16(total_len - first.transport)),
        }
        let at = first.upper.checksum_offset();
        let pseudo =
            Sum::pseudo_header(first.addresses(), first.upper.protocol(), total_len - first.transport);
        transport[at..at + 2].copy_from_slice(&pseudo.folded());
    }
}

/// A single packet whose checksum is still to be completed.
const fn incomplete(view: &View<'_>) -> VirtioHeader {
    VirtioHeader {
        flags: VirtioHeader::NEEDS_CSUM,
        csum_start: view.transport as u16,
        csum_offset: view.upper.checksum_offset() as u16,
        ..VirtioHeader::PLAIN
    }
}

/// All lengths were bounded by 65 535 when the packets were merged.
fn virtio_header(first: &View<'_>) -> VirtioHeader {
    let gso = match (first.upper, first.version) {
        (Upper::Tcp, Version::V4) => Gso::Tcpv4,
        (Upper::Tcp, Version::V6) => Gso::Tcpv6,
        (Upper::Udp, Version::V4 | Version::V6) => Gso::UdpL4,
    };
    let reduced = first.upper == Upper::Tcp && first.tcp_flags() & flags::CWR != 0;
    VirtioHeader {
        gso_type: gso.encode() | if reduced { VirtioHeader::GSO_ECN } else { 0 },
        hdr_len: first.payload as u16,
        gso_size: first.payload().len() as u16,
        ..incomplete(first)
    }
}
