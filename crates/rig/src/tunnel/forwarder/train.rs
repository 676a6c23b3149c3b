//! Trains: what one read of the device gave, cut into datagrams and put together again.
//!
//! A train is numbered; each of its datagrams says which train it belongs to, which one it is, and of how many. They come
//! in order or not at all: whoever misses one has lost the train. Nothing is copied as long as a train stays in one piece,
//! as it does where nothing on its way cuts super-packets.

use std::io::IoSlice;

use super::cipher::{Cipher, TAG};
use crate::tun::VIRTIO_HEADER;

/// Cuts and seals what leaves.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    cipher: Cipher,
    next: u16,
    /// What stands before and behind each chunk.
    around: Vec<([u8; HEADER], Option<[u8; TAG]>)>,
}

impl Cutter {
    pub(super) fn new(cipher: Cipher) -> Self {
        Self { cipher, ..Self::default() }
    }

    /// The datagrams of one train, as many slices each as [`SLICES`] says: a header, a chunk, and its tag. All but the last
    /// have so many bytes as [`size`](Self::size) says.
    pub(super) fn cut<'c>(&'c mut self, packet: &'c mut [u8]) -> Vec<IoSlice<'c>> {
        debug_assert!(packet.len() <= LONGEST, "{}", packet.len());
        let (train, count) = (self.number(), packet.len().div_ceil(CHUNK) as u8);
        self.around.clear();
        for (index, chunk) in (0..count).zip(packet.chunks_mut(CHUNK)) {
            let header = Header { train, index, count };
            self.around.push((header.encode(), self.cipher.seal(header, chunk)));
        }
        let mut slices = Vec::with_capacity(SLICES * self.around.len());
        for ((header, tag), chunk) in self.around.iter().zip(packet.chunks(CHUNK)) {
            let tag = tag.as_ref().map_or(&[][..], <[u8; TAG]>::as_slice);
            slices.extend([header, chunk, tag].map(IoSlice::new));
        }
        slices
    }

    /// Bytes of all datagrams of a train but the last.
    pub(super) const fn size(&self) -> usize {
        self.size_of(CHUNK)
    }

    /// Makes a train of one datagram: a packet of `length` bytes stands in `room` behind the place of the header.
    fn couple(&mut self, room: &mut [u8], length: usize) {
        let header = Header { train: self.number(), index: 0, count: 1 };
        let (front, behind) = room.split_at_mut(HEADER + length);
        front[..HEADER].copy_from_slice(&header.encode());
        if let Some(tag) = self.cipher.seal(header, &mut front[HEADER..]) {
            behind[..TAG].copy_from_slice(&tag);
        }
    }

    /// Bytes of a datagram with `length` bytes of a packet.
    const fn size_of(&self, length: usize) -> usize {
        HEADER + length + self.cipher.overhead()
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
        Self { room: vec![0; (BATCH + 1) * (HEADER + TAG) + BATCH * CHUNK + LONGEST], end: 0, size: 0 }
    }

    /// Where the next packet is read to.
    pub(super) fn vacancy(&mut self) -> &mut [u8] {
        &mut self.room[self.end + HEADER..][..LONGEST]
    }

    /// Takes in the packet just read to [`vacancy`](Self::vacancy), unless it is no lone one, is of another length, or is
    /// one too many.
    pub(super) fn join(&mut self, length: usize, cutter: &mut Cutter) -> bool {
        let size = cutter.size_of(length);
        let room = self.size == 0 || self.size == size && self.end < BATCH * size;
        if length > CHUNK || !room {
            return false;
        }
        cutter.couple(&mut self.room[self.end..], length);
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
    cipher: Cipher,
    packet: Vec<u8>,
    /// The datagram that is to come next, if a train is under way.
    next: Option<Header>,
}

impl Assembler {
    pub(super) fn new(cipher: Cipher) -> Self {
        Self { cipher, ..Self::default() }
    }

    /// Takes what one receive gave, datagrams of `size` bytes of which the last may be shorter, opens it in place, and
    /// delivers each packet that is whole now, as slices that follow on one another.
    pub(super) fn take(&mut self, received: &mut [u8], size: usize, mut deliver: impl FnMut(&[IoSlice<'_>])) {
        self.cipher.open(received, size);
        let (mut rest, overhead) = (&*received, self.cipher.overhead());
        while !rest.is_empty() {
            if let Some((chunks, after)) = whole(rest, size, overhead) {
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
        let Some((header, chunk)) = parts(datagram, self.cipher.overhead()) else { return false };
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
fn whole(received: &[u8], size: usize, overhead: usize) -> Option<(Vec<IoSlice<'_>>, &[u8])> {
    let first = Header::decode(received)?;
    let length = received.len().min(usize::from(first.count) * size);
    let (train, after) = received.split_at(length);
    let mut chunks = Vec::with_capacity(first.count.into());
    let mut expected = Some(Header { index: 0, ..first });
    for datagram in train.chunks(size) {
        let (header, chunk) = parts(datagram, overhead)?;
        if expected != Some(header) {
            return None;
        }
        chunks.push(IoSlice::new(chunk));
        expected = header.following();
    }
    expected.is_none().then_some((chunks, after))
}

/// A datagram's header and its chunk, without the `overhead` behind it.
fn parts(datagram: &[u8], overhead: usize) -> Option<(Header, &[u8])> {
    Some((Header::decode(datagram)?, datagram.get(HEADER..datagram.len().checked_sub(overhead)?)?))
}

/// What each datagram begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    train: u16,
    index: u8,
    count: u8,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER] {
        let [high, low] = self.train.to_be_bytes();
        [high, low, self.index, self.count]
    }

    /// A datagram's header; none if no train has such a datagram.
    pub(super) fn decode(datagram: &[u8]) -> Option<Self> {
        let [high, low, index, count] = *datagram.first_chunk()?;
        let header = Self { train: u16::from_be_bytes([high, low]), index, count };
        (index < count && usize::from(count) <= MOST).then_some(header)
    }

    fn following(self) -> Option<Self> {
        let index = self.index + 1;
        (index < self.count).then_some(Self { index, ..self })
    }
}

/// Longest super-packet. A train of it fits one send.
pub(super) const SUPER_PACKET: u32 = 64_500;
/// The longest that is cut: a super-packet and its virtio header.
pub(super) const LONGEST: usize = SUPER_PACKET as usize + VIRTIO_HEADER;
/// Of how many slices [`Cutter::cut`] makes a datagram.
pub(super) const SLICES: usize = 3;
/// Bytes of a [`Header`].
pub(super) const HEADER: usize = 4;

/// A datagram that is sealed fills an Ethernet frame over IPv6.
const CHUNK: usize = 1452 - HEADER - TAG;
const MOST: usize = LONGEST.div_ceil(CHUNK);
/// How many lone packets are sent together at most.
const BATCH: usize = 32;

/// What the kernel sends at once: so many datagrams, and so many bytes over IPv4.
const _: () = assert!(MOST <= 64 && LONGEST + MOST * (HEADER + TAG) <= 65_507);

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each kind of forwarder.
    const CIPHERS: [fn() -> Cipher; 2] = [Cipher::default, Cipher::aes];

    fn ends(cipher: fn() -> Cipher) -> (Cutter, Assembler) {
        (Cutter::new(cipher()), Assembler::new(cipher()))
    }

    #[test]
    fn a_whole_train_in_one_receive_is_delivered_from_where_it_lies() {
        for (mut cutter, mut assembler) in CIPHERS.map(ends) {
            let sent = packet(5 * CHUNK + 7);
            let mut received = datagrams(&mut cutter, &sent).concat();
            let lies = received.as_ptr_range();
            assembler.take(&mut received, cutter.size(), |chunks| {
                assert_eq!(chunks.len(), 6);
                assert_eq!(concat(chunks), sent);
                assert!(lies.contains(&chunks[0].as_ptr()));
            });
            assert!(assembler.packet.is_empty());
        }
    }

    #[test]
    fn the_longest_packet_survives_its_train() {
        for (mut cutter, mut assembler) in CIPHERS.map(ends) {
            let sent = packet(LONGEST);
            let train = datagrams(&mut cutter, &sent);
            assert_eq!(train.len(), MOST);
            assert!(train[..MOST - 1].iter().all(|datagram| datagram.len() == cutter.size()));
            assert_eq!(delivered(&mut assembler, &[(train.concat(), cutter.size())]), [sent]);
        }
    }

    #[test]
    fn a_train_in_pieces_is_put_together_however_it_is_split() {
        for cipher in CIPHERS {
            let (mut cutter, _) = ends(cipher);
            let (first, second) = (packet(4 * CHUNK), packet(3 * CHUNK + 1));
            let train: Vec<_> = [&first, &second].map(|sent| datagrams(&mut cutter, sent)).concat();
            for joined in 1..=train.len() {
                let receives: Vec<_> =
                    train.chunks(joined).map(|piece| (piece.concat(), cutter.size())).collect();
                let expected = [first.clone(), second.clone()];
                assert_eq!(delivered(&mut ends(cipher).1, &receives), expected, "{joined} at once");
            }
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
            let receives: Vec<_> =
                train.chunks(joined).map(|piece| (piece.concat(), cutter.size())).collect();
            let expected = [packets[0].clone(), packets[2].clone()];
            assert_eq!(delivered(&mut Assembler::default(), &receives), expected, "{lost}, {joined} at once");
        }
    }

    #[test]
    fn a_piece_that_was_changed_is_as_lost() {
        let (mut cutter, mut assembler) = ends(Cipher::aes);
        let packets = [packet(2 * CHUNK), packet(2 * CHUNK)];
        let train: Vec<_> = packets.each_ref().map(|sent| datagrams(&mut cutter, sent)).concat();
        for place in [0, 3, HEADER, cutter.size() - 1] {
            let mut changed = train.concat();
            changed[place] ^= 1;
            assert_eq!(delivered(&mut assembler, &[(changed, cutter.size())]), packets[1..], "byte {place}");
        }
    }

    #[test]
    fn lone_packets_are_one_datagram_each_joined_or_not() {
        for (mut cutter, mut assembler) in CIPHERS.map(ends) {
            let sent = [packet(60), packet(60), packet(40)];
            let each: Vec<_> = sent.iter().flat_map(|sent| datagrams(&mut cutter, sent)).collect();
            assert_eq!(each.len(), 3);
            let joined = [(each.concat(), cutter.size_of(60))];
            assert_eq!(delivered(&mut assembler, &joined), sent);
            assert_eq!(delivered(&mut assembler, &one_by_one(&each)), sent);
        }
    }

    #[test]
    fn lone_packets_of_one_length_leave_together_up_to_so_many() {
        for (mut cutter, mut assembler) in CIPHERS.map(ends) {
            let mut batch = Batch::new();
            let sent = packet(60);
            let mut read = |batch: &mut Batch, packet: &[u8]| {
                batch.vacancy()[..packet.len()].copy_from_slice(packet);
                batch.join(packet.len(), &mut cutter)
            };
            assert!((0..BATCH).all(|_| read(&mut batch, &sent)));
            assert!(!read(&mut batch, &sent));
            let (datagrams, size) = batch.datagrams();
            let receives = [(datagrams.to_vec(), size)];
            assert_eq!(delivered(&mut assembler, &receives), vec![sent.clone(); BATCH]);
            batch.clear(sent.len());
            assert_eq!(batch.datagrams(), (&[][..], 0));
            assert_eq!(batch.vacancy()[..sent.len()], sent);
            assert!(read(&mut batch, &sent));
            for other in [packet(59), packet(61), packet(CHUNK + 1)] {
                assert!(!read(&mut batch, &other), "{}", other.len());
            }
        }
    }

    #[test]
    fn what_no_train_has_is_passed_over() {
        let absurd: [&[u8]; 4] = [&[], &[0, 0, 0], &[0, 0, 0, 0, 1], &[0, 0, 3, 3, 1]];
        for cipher in CIPHERS {
            let receives = absurd.map(|datagram| (datagram.to_vec(), 1452));
            assert!(delivered(&mut ends(cipher).1, &receives).is_empty());
        }
        let endless = Header { train: 0, index: 0, count: MOST as u8 + 1 };
        assert_eq!(Header::decode(&endless.encode()), None);
    }

    fn packet(length: usize) -> Vec<u8> {
        (0..length).map(|place| (place * 7 + length) as u8).collect()
    }

    fn datagrams(cutter: &mut Cutter, packet: &[u8]) -> Vec<Vec<u8>> {
        cutter.cut(&mut packet.to_vec()).chunks(SLICES).map(concat).collect()
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
            assembler.take(&mut received.clone(), *size, |chunks| packets.push(concat(chunks)));
        }
        packets
    }
}
