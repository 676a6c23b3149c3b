//! Trains: what one read of the device gave, cut into datagrams and put together again.
//!
//! A train is numbered; each of its datagrams says which train it belongs to, which one it is, and of how many. They come
//! in order or not at all: whoever misses one has lost the train. Nothing is copied as long as a train stays in one piece,
//! as it does where nothing on its way cuts super-packets.

use std::io::IoSlice;

use crate::tun::VIRTIO_HEADER;

/// Cuts what leaves.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    next: u16,
    headers: Vec<[u8; HEADER]>,
}

impl Cutter {
    /// The datagrams of one train, two slices each: a header and a chunk. All but the last have [`DATAGRAM`] bytes.
    pub(super) fn cut<'c>(&'c mut self, packet: &'c [u8]) -> Vec<IoSlice<'c>> {
        debug_assert!(packet.len() <= LONGEST, "{}", packet.len());
        let (train, count) = (self.number(), packet.len().div_ceil(CHUNK) as u8);
        self.headers.clear();
        self.headers.extend((0..count).map(|index| Header { train, index, count }.encode()));
        let chunks = packet.chunks(CHUNK);
        let mut slices = Vec::with_capacity(2 * self.headers.len());
        for (header, chunk) in self.headers.iter().zip(chunks) {
            slices.extend([IoSlice::new(header), IoSlice::new(chunk)]);
        }
        slices
    }

    /// The header of a train of one datagram.
    fn lone(&mut self) -> [u8; HEADER] {
        Header { train: self.number(), index: 0, count: 1 }.encode()
    }

    fn number(&mut self) -> u16 {
        let train = self.next;
        self.next = train.wrapping_add(1);
        train
    }
}

/// Lone packets of one length, read one after the other and sent together; each is a train of its own.
#[derive(Debug)]
pub(super) struct Batch {
    room: Vec<u8>,
    end: usize,
    /// Bytes of each datagram; zero if there is none.
    size: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { room: vec![0; BATCH * DATAGRAM + HEADER + LONGEST], end: 0, size: 0 }
    }

    /// Where the next packet is read to.
    pub(super) fn vacancy(&mut self) -> &mut [u8] {
        &mut self.room[self.end + HEADER..][..LONGEST]
    }

    /// Takes in the packet just read to [`vacancy`](Self::vacancy), unless it is no lone one, is of another length, or is
    /// one too many.
    pub(super) fn join(&mut self, length: usize, cutter: &mut Cutter) -> bool {
        let size = HEADER + length;
        let room = self.size == 0 || self.size == size && self.end < BATCH * size;
        if length > CHUNK || !room {
            return false;
        }
        self.room[self.end..][..HEADER].copy_from_slice(&cutter.lone());
        self.size = size;
        self.end += size;
        true
    }

    /// What is to be sent now, and of how many bytes each datagram is.
    pub(super) fn datagrams(&self) -> (&[u8], usize) {
        (&self.room[..self.end], self.size)
    }

    /// Forgets what was sent. The packet of `length` bytes that did not join stays, as the next to.
    pub(super) fn clear(&mut self, length: usize) {
        let from = self.end + HEADER;
        self.room.copy_within(from..from + length, HEADER);
        (self.end, self.size) = (0, 0);
    }
}

/// Puts together what arrives.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    packet: Vec<u8>,
    /// The datagram that is to come next, if a train is under way.
    next: Option<Header>,
}

impl Assembler {
    /// Takes what one receive gave, datagrams of `size` bytes of which the last may be shorter, and delivers each packet
    /// that is whole now, as slices that follow on one another.
    pub(super) fn take(&mut self, received: &[u8], size: usize, mut deliver: impl FnMut(&[IoSlice<'_>])) {
        let mut rest = received;
        while !rest.is_empty() {
            if let Some((chunks, after)) = whole(rest, size) {
                deliver(&chunks);
                (self.next, rest) = (None, after);
                continue;
            }
            let (datagram, after) = rest.split_at(size.min(rest.len()));
            if self.add(datagram) {
                deliver(&[IoSlice::new(&self.packet)]);
            }
            rest = after;
        }
    }

    /// Whether the datagram ended its train, which is in the buffer then.
    fn add(&mut self, datagram: &[u8]) -> bool {
        let Some((header, chunk)) = Header::decode(datagram) else { return false };
        let fits = self.next.take() == Some(header);
        if header.index == 0 {
            self.packet.clear();
        } else if !fits {
            return false;
        }
        self.packet.extend_from_slice(chunk);
        self.next = header.following();
        self.next.is_none()
    }
}

/// The chunks of a train that begins `received` and is whole there, and what follows it.
fn whole(received: &[u8], size: usize) -> Option<(Vec<IoSlice<'_>>, &[u8])> {
    let (first, _) = Header::decode(received)?;
    let length = received.len().min(usize::from(first.count) * size);
    let (train, after) = received.split_at(length);
    let mut chunks = Vec::with_capacity(first.count.into());
    let mut expected = Some(Header { index: 0, ..first });
    for datagram in train.chunks(size) {
        let (header, chunk) = Header::decode(datagram)?;
        if expected != Some(header) {
            return None;
        }
        chunks.push(IoSlice::new(chunk));
        expected = header.following();
    }
    expected.is_none().then_some((chunks, after))
}

/// What each datagram begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Header {
    train: u16,
    index: u8,
    count: u8,
}

impl Header {
    fn encode(self) -> [u8; HEADER] {
        let [high, low] = self.train.to_be_bytes();
        [high, low, self.index, self.count]
    }

    /// A datagram's header and its chunk; none if no train has such a datagram.
    fn decode(datagram: &[u8]) -> Option<(Self, &[u8])> {
        let ([high, low, index, count], chunk) = datagram.split_first_chunk()?;
        let header = Self { train: u16::from_be_bytes([*high, *low]), index: *index, count: *count };
        (index < count && usize::from(*count) <= MOST).then_some((header, chunk))
    }

    fn following(self) -> Option<Self> {
        let index = self.index + 1;
        (index < self.count).then_some(Self { index, ..self })
    }
}

/// Longest super-packet. A train of it fits one send.
pub(super) const SUPER_PACKET: u32 = 65_000;
/// The longest that is cut: a super-packet and its virtio header.
pub(super) const LONGEST: usize = SUPER_PACKET as usize + VIRTIO_HEADER;
/// All datagrams but the last of a train. Over IPv6 it fills an Ethernet frame.
pub(super) const DATAGRAM: usize = 1452;

const HEADER: usize = 4;
const CHUNK: usize = DATAGRAM - HEADER;
const MOST: usize = LONGEST.div_ceil(CHUNK);
/// How many lone packets are sent together at most.
const BATCH: usize = 32;

/// What the kernel sends at once: so many datagrams, and so many bytes over IPv4.
const _: () = assert!(MOST <= 64 && LONGEST + MOST * HEADER <= 65_507);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_train_in_one_receive_is_delivered_from_where_it_lies() {
        let sent = packet(5 * CHUNK + 7);
        let received = datagrams(&mut Cutter::default(), &sent).concat();
        let mut assembler = Assembler::default();
        assembler.take(&received, DATAGRAM, |chunks| {
            assert_eq!(chunks.len(), 6);
            assert_eq!(concat(chunks), sent);
            assert!(received.as_ptr_range().contains(&chunks[0].as_ptr()));
        });
        assert!(assembler.packet.is_empty());
    }

    #[test]
    fn the_longest_packet_survives_its_train() {
        let sent = packet(LONGEST);
        let train = datagrams(&mut Cutter::default(), &sent);
        assert_eq!(train.len(), MOST);
        assert_eq!(delivered(&mut Assembler::default(), &[(train.concat(), DATAGRAM)]), [sent]);
    }

    #[test]
    fn a_train_in_pieces_is_put_together_however_it_is_split() {
        let (first, second) = (packet(4 * CHUNK), packet(3 * CHUNK + 1));
        let mut cutter = Cutter::default();
        let train: Vec<_> = [&first, &second].map(|sent| datagrams(&mut cutter, sent)).concat();
        for joined in 1..=train.len() {
            let receives: Vec<_> = train.chunks(joined).map(|piece| (piece.concat(), DATAGRAM)).collect();
            let expected = [first.clone(), second.clone()];
            assert_eq!(delivered(&mut Assembler::default(), &receives), expected, "{joined} at once");
        }
    }

    #[test]
    fn a_lost_piece_loses_its_train_and_no_other() {
        let packets = [packet(4 * CHUNK), packet(3 * CHUNK), packet(3 * CHUNK + 5)];
        // Of the second train, which is datagrams 4 to 6.
        for (joined, lost) in (1..=10).flat_map(|joined| (4..=6).map(move |lost| (joined, lost))) {
            let mut cutter = Cutter::default();
            let mut train: Vec<_> = packets.each_ref().map(|sent| datagrams(&mut cutter, sent)).concat();
            train.remove(lost);
            let receives: Vec<_> = train.chunks(joined).map(|piece| (piece.concat(), DATAGRAM)).collect();
            let expected = [packets[0].clone(), packets[2].clone()];
            assert_eq!(delivered(&mut Assembler::default(), &receives), expected, "{lost}, {joined} at once");
        }
    }

    #[test]
    fn lone_packets_are_one_datagram_each_joined_or_not() {
        let mut cutter = Cutter::default();
        let sent = [packet(60), packet(60), packet(40)];
        let each: Vec<_> = sent.iter().flat_map(|sent| datagrams(&mut cutter, sent)).collect();
        assert_eq!(each.len(), 3);
        let joined = [(each.concat(), 60 + HEADER)];
        assert_eq!(delivered(&mut Assembler::default(), &joined), sent);
        assert_eq!(delivered(&mut Assembler::default(), &one_by_one(&each)), sent);
    }

    #[test]
    fn lone_packets_of_one_length_leave_together_up_to_so_many() {
        let (mut cutter, mut batch) = (Cutter::default(), Batch::new());
        let sent = packet(60);
        let mut read = |batch: &mut Batch, packet: &[u8]| {
            batch.vacancy()[..packet.len()].copy_from_slice(packet);
            batch.join(packet.len(), &mut cutter)
        };
        assert!((0..BATCH).all(|_| read(&mut batch, &sent)));
        assert!(!read(&mut batch, &sent));
        let (datagrams, size) = batch.datagrams();
        let receives = [(datagrams.to_vec(), size)];
        assert_eq!(delivered(&mut Assembler::default(), &receives), vec![sent.clone(); BATCH]);
        batch.clear(sent.len());
        assert_eq!(batch.datagrams(), (&[][..], 0));
        assert_eq!(batch.vacancy()[..sent.len()], sent);
        assert!(read(&mut batch, &sent));
        for other in [packet(59), packet(61), packet(CHUNK + 1)] {
            assert!(!read(&mut batch, &other), "{}", other.len());
        }
    }

    #[test]
    fn what_no_train_has_is_passed_over() {
        let absurd: [&[u8]; 4] = [&[], &[0, 0, 0], &[0, 0, 0, 0, 1], &[0, 0, 3, 3, 1]];
        let receives = absurd.map(|datagram| (datagram.to_vec(), DATAGRAM));
        assert!(delivered(&mut Assembler::default(), &receives).is_empty());
        let endless = Header { train: 0, index: 0, count: MOST as u8 + 1 };
        assert_eq!(Header::decode(&endless.encode()), None);
    }

    fn packet(length: usize) -> Vec<u8> {
        (0..length).map(|place| (place * 7 + length) as u8).collect()
    }

    fn datagrams(cutter: &mut Cutter, packet: &[u8]) -> Vec<Vec<u8>> {
        cutter.cut(packet).chunks(2).map(concat).collect()
    }

    fn concat(slices: &[IoSlice<'_>]) -> Vec<u8> {
        slices.iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    fn one_by_one(datagrams: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
        datagrams.iter().map(|datagram| (datagram.clone(), datagram.len())).collect()
    }

    fn delivered(assembler: &mut Assembler, receives: &[(Vec<u8>, usize)]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for (received, size) in receives {
            assembler.take(received, *size, |chunks| packets.push(concat(chunks)));
        }
        packets
    }
}
