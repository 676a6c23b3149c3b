//! Puts consecutive packets of a flow together again, under the rules of Linux's own GRO.
//!
//! A [`Coalescer`] lives for one batch: packets go in with [`push`](Coalescer::push), in the order they were
//! decrypted, and come out with [`super_packets`](Coalescer::super_packets), so that a lone small packet never
//! waits for more. Payloads are borrowed throughout.
//!
//! # Invariants
//! - Packets of one flow leave in the order they came.
//! - Cutting a super-packet again gives its packets, byte for byte, but for the ids of IPv4 packets that must
//!   not be fragmented, which mean nothing (RFC 6864 §4), and for partial checksums, which are complete then.
//! - Only packets whose checksums are right are merged: damage is never hidden under a new checksum.

use super::checksum::Checksums;
use super::super_packet::{MAX_SEGMENTS, SuperPacket};
use super::view::{Upper, Version, View, flags};

/// One batch of packets on its way to the TUN device.
#[derive(Debug)]
pub struct Coalescer<'p> {
    udp: MergeUdp,
    groups: Vec<Group<'p>>,
    pieces: Vec<Piece<'p>>,
    /// Groups before this one take nothing any more.
    barrier: usize,
}

/// Whether UDP datagrams may be merged, which a TUN device takes since Linux 6.2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MergeUdp {
    /// The kernel takes them.
    Yes,
    /// It does not.
    No,
}

/// Packets that leave together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'p> {
    pub(super) first: First<'p>,
    pub(super) packets: usize,
    pub(super) payload_len: usize,
    /// FIN and PSH of any packet in the group.
    pub(super) flags: u8,
    verified: bool,
    open: bool,
    first_piece: usize,
    last_piece: usize,
}

/// What a group begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum First<'p> {
    /// A packet that is passed on as it is, whatever it is.
    Opaque(&'p [u8]),
    /// A TCP or UDP packet that others may follow.
    Flow(View<'p>),
}

/// A packet's payload, and where the group's next one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'p> {
    payload: &'p [u8],
    next: Option<usize>,
}

/// How many of the newest groups are looked through for a packet's flow. Bounds the work per packet; a batch
/// with more flows than that, all interleaved, has little to merge.
const WINDOW: usize = 32;

/// A length field has 16 bits.
const MAX_TOTAL_LEN: usize = 65_535;

/// Linux takes no more datagrams in one.
const MAX_UDP_SEGMENTS: usize = 64;

/// Flags that end a group with the packet that carries them.
const ENDING: u8 = flags::FIN | flags::PSH;

impl<'p> Coalescer<'p> {
    /// An empty batch.
    #[must_use]
    pub const fn new(udp: MergeUdp) -> Self {
        Self { udp, groups: Vec::new(), pieces: Vec::new(), barrier: 0 }
    }

    /// An empty batch in the memory of this one, for packets that live elsewhere.
    #[must_use]
    pub fn recycle<'q>(self) -> Coalescer<'q> {
        Coalescer { udp: self.udp, groups: emptied(self.groups), pieces: emptied(self.pieces), barrier: 0 }
    }

    /// Takes the next packet: one whole IP packet, exactly.
    pub fn push(&mut self, packet: &'p [u8], checksums: Checksums) {
        let Some(view) = View::of_either(packet, checksums) else {
            // It might belong to any flow (a fragment does): nothing behind it may go before it.
            self.begin(First::Opaque(packet), false);
            self.barrier = self.groups.len();
            return;
        };
        if !self.join(&view) {
            let open = self.may_begin(&view);
            self.begin(First::Flow(view), open);
        }
    }

    /// What to write, in order; each with one vectored write.
    pub fn super_packets(&self) -> impl ExactSizeIterator<Item = SuperPacket<'_, 'p>> {
        self.groups.iter().map(|group| SuperPacket::new(group, self))
    }

    /// Whether nothing was pushed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        (self.groups.capacity(), self.pieces.capacity())
    }

    pub(super) fn payloads(&self, group: &Group<'p>) -> impl Iterator<Item = &'p [u8]> {
        let mut next = Some(group.first_piece);
        core::iter::from_fn(move || {
            let piece = self.pieces.get(next?)?;
            next = piece.next;
            Some(piece.payload)
        })
    }

    fn begin(&mut self, first: First<'p>, open: bool) {
        let payload = match first {
            First::Opaque(packet) => packet,
            First::Flow(view) => view.payload(),
        };
        let piece = self.pieces.len();
        self.pieces.push(Piece { payload, next: None });
        self.groups.push(Group {
            first,
            packets: 1,
            payload_len: payload.len(),
            flags: 0,
            verified: false,
            open,
            first_piece: piece,
            last_piece: piece,
        });
    }

    /// Whether others may follow this packet in a group.
    fn may_begin(&self, view: &View<'_>) -> bool {
        match view.upper {
            // An acknowledgement and at most congestion signals: SYN, RST and URG stand alone, FIN and PSH end.
            Upper::Tcp => {
                !view.payload().is_empty() && view.tcp_flags() & !(flags::ECE | flags::CWR) == flags::ACK
            }
            Upper::Udp => !view.payload().is_empty() && self.udp == MergeUdp::Yes,
        }
    }

    /// Adds the packet to its flow's newest group; false if that cannot take it.
    fn join(&mut self, view: &View<'p>) -> bool {
        let oldest = self.barrier.max(self.groups.len().saturating_sub(WINDOW));
        let newest = self.groups[oldest..].iter_mut().rev().find(|group| group.is_of_flow(view));
        let Some(group) = newest else { return false };
        if !group.takes(view) {
            return false;
        }
        let piece = self.pieces.len();
        self.pieces[group.last_piece].next = Some(piece);
        self.pieces.push(Piece { payload: view.payload(), next: None });
        group.add(view, piece);
        true
    }
}

impl<'p> Group<'p> {
    fn is_of_flow(&self, view: &View<'_>) -> bool {
        match self.first {
            First::Opaque(_) => false,
            First::Flow(first) => {
                first.upper == view.upper
                    && first.version == view.version
                    && first.ports() == view.ports()
                    && first.addresses() == view.addresses()
            }
        }
    }

    fn takes(&mut self, view: &View<'_>) -> bool {
        let First::Flow(first) = self.first else { return false };
        self.open
            && self.has_room_for(&first, view)
            && self.ip_headers_agree(&first, view)
            && match view.upper {
                Upper::Tcp => self.tcp_continues(&first, view),
                Upper::Udp => true,
            }
            && self.is_intact(&first)
            && view.is_intact()
    }

    fn has_room_for(&self, first: &View<'_>, view: &View<'_>) -> bool {
        let most = match view.upper {
            Upper::Tcp => MAX_SEGMENTS,
            Upper::Udp => MAX_UDP_SEGMENTS,
        };
        let len = view.payload().len();
        self.packets < most
            && (1..=first.payload().len()).contains(&len)
            && first.payload + self.payload_len + len <= MAX_TOTAL_LEN
    }

    fn ip_headers_agree(&self, first: &View<'_>, view: &View<'_>) -> bool {
        let (ours, theirs) = (first.ip(), view.ip());
        match view.version {
            Version::V4 => {
                let expected = first.ipv4_id().wrapping_add(self.packets as u16);
                let unfragmentable = theirs[6] & 0x40 != 0;
                // Without options: version, type of service, flags, time to live, protocol; and the id.
                (ours.len(), theirs.len()) == (20, 20)
                    && ours[..2] == theirs[..2]
                    && ours[6..10] == theirs[6..10]
                    && (unfragmentable || view.ipv4_id() == expected)
            }
            // Without extension headers: everything but length and addresses, which are compared already.
            Version::V6 => {
                (ours.len(), theirs.len()) == (40, 40)
                    && ours[..4] == theirs[..4]
                    && ours[6..8] == theirs[6..8]
            }
        }
    }

    fn tcp_continues(&self, first: &View<'_>, view: &View<'_>) -> bool {
        let (ours, theirs) = (first.header(), view.header());
        let differing = (ours[13] ^ theirs[13]) & !(flags::CWR | ENDING);
        first.tcp_sequence().wrapping_add(self.payload_len as u32) == view.tcp_sequence()
            && differing == 0
            && theirs[13] & flags::CWR == 0
            && ours.len() == theirs.len()
            // Acknowledgement number and reserved bits; window; urgent pointer and options.
            && ours[8..13] == theirs[8..13]
            && ours[14..16] == theirs[14..16]
            && ours[18..] == theirs[18..]
    }

    /// Verified only when a second packet comes: most groups of interactive traffic never see one.
    fn is_intact(&mut self, first: &View<'_>) -> bool {
        if !self.verified {
            self.verified = first.is_intact();
            self.open = self.verified;
        }
        self.verified
    }

    fn add(&mut self, view: &View<'p>, piece: usize) {
        let First::Flow(first) = self.first else { return };
        let len = view.payload().len();
        self.packets += 1;
        self.payload_len += len;
        self.last_piece = piece;
        if view.upper == Upper::Tcp {
            self.flags |= view.tcp_flags() & ENDING;
        }
        self.open = len == first.payload().len() && self.flags == 0;
    }
}

/// The memory of `items` for items of another lifetime; collecting in place keeps the allocation.
fn emptied<From, Into>(mut items: Vec<From>) -> Vec<Into> {
    items.clear();
    items.into_iter().map(|_| unreachable!("there is none")).collect()
}
