//! Sealed messages in a row, for one send.
//!
//! ```text
//! +--------+------------------+------+-----+--------+------------------+------+-----+---
//! | header | inner packet     | zero | tag | header | inner packet     | zero | tag | …
//! +--------+------------------+------+-----+--------+------------------+------+-----+---
//! |<-------------- stride --------------->|
//! ```
//! All but the last have the same length, so that the kernel, or the network adapter, can cut the row. It is sealed into a
//! chunk of its peer's ring of sent messages, if there is one, and sent from there: what stays behind costs no copy.

use core::net::{IpAddr, SocketAddr};

use stead_lct::PeerId;
use stead_node::{Chunk, LONGEST_ROW};
use stead_wire::message::{TAG_LEN, TRANSPORT_HEADER_LEN, sealed_len};

use crate::udp::{LONGEST_BATCH, Outgoing};

/// How many messages for packets of `mtu` bytes fit a row.
pub(crate) const fn messages_of(mtu: usize) -> usize {
    LONGEST_BATCH / sealed_len(mtu, mtu)
}

/// For whom a row is, where it goes, and from which local address.
pub(super) type Place = (PeerId, SocketAddr, Option<IpAddr>);

/// A row of sealed messages for one place.
#[derive(Debug)]
pub(super) struct Row {
    /// Lent by the peer's ring for this row.
    chunk: Option<Chunk>,
    /// Where a row is sealed that nobody keeps, and one that waits for the socket.
    own: Vec<u8>,
    used: usize,
    stride: usize,
    messages: usize,
    place: Option<Place>,
    mtu: usize,
}

/// A row that goes into its peer's ring.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) peer: PeerId,
    pub(super) chunk: Chunk,
    /// Length of the row and of its messages but the last.
    pub(super) measures: (usize, usize),
}

impl Row {
    /// An empty row. Packets up to `mtu` bytes are not padded beyond it.
    pub(super) fn new(mtu: usize) -> Self {
        let own = vec![0; LONGEST_BATCH];
        Self { chunk: None, own, used: 0, stride: 0, messages: 0, place: None, mtu }
    }

    /// Length of the message for an inner packet of `len` bytes.
    pub(super) const fn sealed_len(&self, len: usize) -> usize {
        sealed_len(len, self.mtu)
    }

    /// Whether a packet of `len` bytes is too long for any row.
    pub(super) const fn is_too_long(&self, len: usize) -> bool {
        self.sealed_len(len) > LONGEST_BATCH
    }

    /// Whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Begins an empty row for `place`, in a chunk of its peer's ring if that lends one.
    pub(super) fn begin(&mut self, place: Place, chunk: Option<Chunk>) {
        (self.place, self.chunk) = (Some(place), chunk);
    }

    /// Whether a message for a packet of `len` bytes to `place` may join what is there already, in a row of at
    /// most `most` messages.
    pub(super) fn takes(&self, place: Place, len: usize, most: usize) -> bool {
        if self.is_empty() {
            return true;
        }
        let sealed = self.sealed_len(len);
        // A message shorter than the stride is the last one.
        let full = self.used == self.messages * self.stride;
        self.place == Some(place)
            && full
            && sealed <= self.stride
            && self.messages < most
            && self.used + sealed <= LONGEST_BATCH
    }

    /// Adds a message for a packet of `len` bytes, which `write` puts where it belongs and `seal` seals.
    ///
    /// Only after [`takes`](Self::takes) said yes, and [`begin`](Self::begin) where the row is empty.
    pub(super) fn add(&mut self, len: usize, write: impl FnOnce(&mut [u8]), seal: impl FnOnce(&mut [u8])) {
        let sealed = self.sealed_len(len);
        let room = self.chunk.as_mut().map_or(self.own.as_mut_slice(), Chunk::row_mut);
        let message = &mut room[self.used..self.used + sealed];
        let plaintext = &mut message[TRANSPORT_HEADER_LEN..sealed - TAG_LEN];
        write(&mut plaintext[..len]);
        plaintext[len..].fill(0);
        seal(message);
        if self.messages == 0 {
            self.stride = sealed;
        }
        self.used += sealed;
        self.messages += 1;
    }

    /// What there is to send; `None` if nothing.
    pub(super) fn outgoing(&self) -> Option<Outgoing<'_>> {
        let (_, remote, local) = self.place.filter(|_| !self.is_empty())?;
        let row = self.chunk.as_ref().map_or(self.own.as_slice(), Chunk::row);
        Some(Outgoing { remote, local, datagrams: &row[..self.used], stride: self.stride })
    }

    /// How many messages there are.
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    /// Copies the row out of the chunk it was sealed into, which then goes back: the row has to wait, and what lies in
    /// the chunk may be needed meanwhile.
    pub(super) fn step_aside(&mut self) -> Option<Kept> {
        let kept = self.keep()?;
        self.own[..self.used].copy_from_slice(&kept.chunk.row()[..self.used]);
        Some(kept)
    }

    /// Forgets the messages; what was sealed into a chunk is kept there.
    pub(super) fn clear(&mut self) -> Option<Kept> {
        let kept = self.keep();
        (self.used, self.stride, self.messages, self.place) = (0, 0, 0, None);
        kept
    }

    fn keep(&mut self) -> Option<Kept> {
        let (peer, _, _) = self.place?;
        let chunk = self.chunk.take()?;
        Some(Kept { peer, chunk, measures: (self.used, self.stride) })
    }
}

// A row fits the room in a chunk.
const _: () = assert!(LONGEST_BATCH <= LONGEST_ROW);

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Place {
        (PeerId(0), "192.0.2.1:1".parse().unwrap(), None)
    }

    fn there() -> Place {
        (PeerId(0), "192.0.2.2:1".parse().unwrap(), None)
    }

    fn add(row: &mut Row, len: usize) {
        assert!(row.takes(here(), len, 64));
        if row.is_empty() {
            row.begin(here(), None);
        }
        row.add(len, |packet| packet.fill(7), |message| message[0] = 4);
    }

    #[test]
    fn messages_of_one_length_stand_in_a_row_and_a_shorter_one_ends_it() {
        let mut row = Row::new(1420);
        add(&mut row, 1420);
        add(&mut row, 1420);
        add(&mut row, 100);

        assert!(!row.takes(here(), 100, 64), "nothing may follow the shorter one");
        let outgoing = row.outgoing().unwrap();
        assert_eq!(outgoing.stride, 16 + 1420 + 16, "not padded beyond the MTU");
        assert_eq!(outgoing.datagrams.len(), 2 * 1452 + 16 + 112 + 16);
        assert_eq!(row.messages(), 3);
    }

    #[test]
    fn padding_is_zero_even_where_an_earlier_message_lay() {
        let mut row = Row::new(1420);
        add(&mut row, 1400);
        row.clear();
        add(&mut row, 33);

        let message = row.outgoing().unwrap().datagrams;
        assert_eq!(message.len(), 16 + 48 + 16);
        assert_eq!(message[16..16 + 33], [7; 33]);
        assert_eq!(message[16 + 33..16 + 48], [0; 15]);
    }

    #[test]
    fn another_place_a_longer_message_and_a_full_row_begin_a_new_one() {
        let mut row = Row::new(1420);
        add(&mut row, 500);

        assert!(!row.takes(there(), 500, 64));
        let (_, remote, local) = here();
        assert!(!row.takes((PeerId(1), remote, local), 500, 64), "another peer behind the same relay");
        assert!(!row.takes(here(), 600, 64));
        assert!(!row.takes(here(), 500, 1), "no segmentation, one message a row");
        row.clear();
        assert!(row.takes(there(), 600, 1));
        assert!(row.outgoing().is_none());
    }

    #[test]
    fn as_many_of_the_longest_messages_as_it_says_fit_a_row() {
        for mtu in [1280, 1420, 9000] {
            let mut row = Row::new(mtu);
            while row.takes(here(), mtu, 64) {
                add(&mut row, mtu);
            }
            assert_eq!(row.messages(), messages_of(mtu), "{mtu}");
        }
    }

    #[test]
    fn a_row_never_outgrows_a_datagrams_largest_payload() {
        let mut row = Row::new(9000);
        while row.takes(here(), 9000, 64) {
            add(&mut row, 9000);
        }
        assert_eq!(row.messages(), 7);
        assert!(row.is_too_long(65_500));
        assert!(!row.is_too_long(65_000));
    }
}
