//! Cuts what one read of the TUN device gave into the plain IP packets it stands for.
//!
//! Count and lengths are known before anything is written, so a caller can lay the packets out at equal
//! strides, with room around each, and hand the whole row to one send.

use super::checksum::{Checksums, Sum};
use super::view::{Upper, Version, View, flags, low_16};
use super::virtio::{Gso, VirtioHeader};

/// The packets of one read.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'p> {
    packet: &'p [u8],
    cut: Cut<'p>,
}

/// Why a read makes no packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Not even a whole virtio header.
    #[error("a read of {0} bytes is shorter than its virtio header")]
    ShortRead(usize),
    /// A kind of segmentation that was not asked for.
    #[error("segmentation type {0:#04x} is unknown")]
    UnknownGsoType(u8),
    /// Segments of no bytes would never end.
    #[error("segments have no size")]
    NoGsoSize,
    /// More headers than packet.
    #[error("{hdr_len} bytes of headers in a packet of {packet_len}")]
    HeadersBeyondPacket {
        /// What the virtio header claims.
        hdr_len: u16,
        /// What there is.
        packet_len: usize,
    },
    /// A checksum outside the packet.
    #[error("checksum at {csum_start} + {csum_offset} in a packet of {packet_len} bytes")]
    ChecksumBeyondPacket {
        /// Where the sum begins.
        csum_start: u16,
        /// Where it goes.
        csum_offset: u16,
        /// What there is.
        packet_len: usize,
    },
    /// A checksum elsewhere than where the transport header has it.
    #[error("checksum is not where the transport header has it")]
    ChecksumMisplaced,
    /// Something to cut that is not the IP packet that the type promises, whole and with right lengths.
    #[error("packet is not of the kind that is to be segmented")]
    NotSegmentable,
}

/// How the packet is cut.
#[derive(Clone, Copy, Debug)]
enum Cut<'p> {
    /// Not at all; at most its checksum is completed.
    Whole(Option<Checksum>),
    /// Every so many payload bytes.
    Every { view: View<'p>, size: usize },
}

/// A checksum to complete: the sum of everything from `start`, laid down at `at`.
#[derive(Clone, Copy, Debug)]
struct Checksum {
    start: usize,
    at: usize,
}

impl<'p> Segments<'p> {
    /// Judges a whole read: virtio header, then packet.
    ///
    /// # Errors
    /// [`Malformed`] names what does not fit.
    pub fn of_read(read: &'p [u8]) -> Result<Self, Malformed> {
        let (header, packet) = read.split_first_chunk().ok_or(Malformed::ShortRead(read.len()))?;
        Self::new(&VirtioHeader::decode(header), packet)
    }

    /// Judges a packet by its virtio header.
    ///
    /// `hdr_len` is only held against the packet's length, since the kernel gives more than the headers for
    /// forwarded packets; the headers themselves say where they end.
    ///
    /// # Errors
    /// [`Malformed`] names what does not fit.
    pub fn new(header: &VirtioHeader, packet: &'p [u8]) -> Result<Self, Malformed> {
        if usize::from(header.hdr_len) > packet.len() {
            let (hdr_len, packet_len) = (header.hdr_len, packet.len());
            return Err(Malformed::HeadersBeyondPacket { hdr_len, packet_len });
        }
        let checksum = checksum_place(header, packet)?;
        let cut = match header.gso().ok_or(Malformed::UnknownGsoType(header.gso_type))? {
            Gso::None => Cut::Whole(checksum),
            gso => {
                Cut::Every { view: segmentable(gso, packet, checksum)?, size: usize::from(header.gso_size) }
            }
        };
        match cut {
            Cut::Every { size: 0, .. } => Err(Malformed::NoGsoSize),
            Cut::Every { .. } | Cut::Whole(_) => Ok(Self { packet, cut }),
        }
    }

    /// The same, cut into packets of at most `longest` bytes. `None` for what is not cut at all, and for what is no TCP:
    /// only a stream of bytes means the same however it is cut.
    #[must_use]
    pub fn shortened(&self, longest: usize) -> Option<Self> {
        let Cut::Every { view, size } = self.cut else { return None };
        let room = longest.checked_sub(view.payload).filter(|room| *room > 0 && view.upper == Upper::Tcp)?;
        Some(Self { packet: self.packet, cut: Cut::Every { view, size: size.min(room) } })
    }

    /// The packet before it is cut. Its headers name the connection of all segments; its checksums may be
    /// incomplete.
    #[must_use]
    pub const fn packet(&self) -> &'p [u8] {
        self.packet
    }

    /// How many packets it makes, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        match self.cut {
            Cut::Whole(_) => 1,
            Cut::Every { view, size } => view.payload().len().div_ceil(size).max(1),
        }
    }

    /// Length of every packet but the last.
    #[must_use]
    pub fn full_len(&self) -> usize {
        match self.cut {
            Cut::Whole(_) => self.packet.len(),
            Cut::Every { view, size } => (view.payload + size).min(self.packet.len()),
        }
    }

    /// Length of the packet at `index`.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Self::count).
    #[must_use]
    pub fn len_of(&self, index: usize) -> usize {
        match self.cut {
            Cut::Whole(_) => {
                assert_eq!(index, 0, "the packet is not cut");
                self.packet.len()
            }
            Cut::Every { view, size } => view.payload + view.payload_of(index, size).len(),
        }
    }

    /// Writes the packet at `index` to the start of `out`, with lengths and `checksums`; how long it is.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Self::count), or `out` is shorter than [`len_of`](Self::len_of) says.
    pub fn write(&self, index: usize, out: &mut [u8], checksums: Checksums) -> usize {
        let len = self.len_of(index);
        let out = &mut out[..len];
        match self.cut {
            Cut::Whole(checksum) => {
                out.copy_from_slice(self.packet);
                if let Some(Checksum { start, at }) = checksum
                    && !self.stays_partial(at, checksums)
                {
                    // What lies there now is the pseudo-header's sum, and is summed with the rest.
                    let checksum = Sum::default().add(&out[start..]).transport_checksum();
                    out[at..at + 2].copy_from_slice(&checksum);
                }
            }
            Cut::Every { view, size } => {
                view.write_segment(index, size, index + 1 == self.count(), out);
                view.sum_segment(out, checksums);
            }
        }
        len
    }

    /// Whether the checksum at `at` may stay as the stack left it: the other end must be able to tell.
    fn stays_partial(&self, at: usize, checksums: Checksums) -> bool {
        View::of_either(self.packet, checksums)
            .is_some_and(|view| view.partial && at == view.transport + view.upper.checksum_offset())
    }
}

impl View<'_> {
    fn payload_of(&self, index: usize, size: usize) -> &[u8] {
        let payload = self.payload();
        let start = index * size;
        assert!(start < payload.len() || index == 0, "there is no segment {index}");
        &payload[start..payload.len().min(start + size)]
    }

    fn write_segment(&self, index: usize, size: usize, last: bool, out: &mut [u8]) {
        let total_len = out.len();
        self.write_headers(out, total_len, index);
        out[self.payload..].copy_from_slice(self.payload_of(index, size));
        let transport = &mut out[self.transport..];
        match self.upper {
            Upper::Tcp => self.fix_tcp(index, size, last, transport),
            Upper::Udp => transport[4..6].copy_from_slice(&low_16(total_len - self.transport)),
        }
    }

    fn sum_segment(&self, out: &mut [u8], checksums: Checksums) {
        let transport = &mut out[self.transport..];
        let at = self.upper.checksum_offset();
        let pseudo = Sum::pseudo_header(self.addresses(), self.upper.protocol(), transport.len());
        let checksum = match checksums {
            Checksums::Complete => {
                transport[at..at + 2].fill(0);
                pseudo.add(transport).transport_checksum()
            }
            Checksums::Partial => pseudo.folded(),
        };
        transport[at..at + 2].copy_from_slice(&checksum);
    }

    fn fix_tcp(&self, index: usize, size: usize, last: bool, header: &mut [u8]) {
        let sequence = self.tcp_sequence().wrapping_add((index * size) as u32);
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        // RFC 3168 §6.1.2: only the first packet after a reduction says so.
        let not_first = if index > 0 { flags::CWR } else { 0 };
        let not_last = if last { 0 } else { flags::FIN | flags::PSH };
        header[13] = self.tcp_flags() & !(not_first | not_last);
    }
}

fn checksum_place(header: &VirtioHeader, packet: &[u8]) -> Result<Option<Checksum>, Malformed> {
    if !header.needs_checksum() {
        return Ok(None);
    }
    let start = usize::from(header.csum_start);
    let at = start + usize::from(header.csum_offset);
    if at + 2 > packet.len() {
        let VirtioHeader { csum_start, csum_offset, .. } = *header;
        return Err(Malformed::ChecksumBeyondPacket { csum_start, csum_offset, packet_len: packet.len() });
    }
    Ok(Some(Checksum { start, at }))
}

fn segmentable(gso: Gso, packet: &[u8], checksum: Option<Checksum>) -> Result<View<'_>, Malformed> {
    let view = View::of(packet).ok_or(Malformed::NotSegmentable)?;
    let promised = match gso {
        Gso::None => false,
        Gso::Tcpv4 => (view.version, view.upper) == (Version::V4, Upper::Tcp),
        Gso::Tcpv6 => (view.version, view.upper) == (Version::V6, Upper::Tcp),
        Gso::UdpL4 => view.upper == Upper::Udp,
    };
    if !promised {
        return Err(Malformed::NotSegmentable);
    }
    let misplaced = checksum.is_some_and(|Checksum { start, at }| {
        start != view.transport || at != view.transport + view.upper.checksum_offset()
    });
    if misplaced { Err(Malformed::ChecksumMisplaced) } else { Ok(view) }
}
