//! Sealed messages in a row, for one send.
//!
//! ```text
//! +--------+------------------+------+-----+--------+------------------+------+-----+---
//! | header | inner packet     | zero | tag | header | inner packet     | zero | tag | …
//! +--------+------------------+------+-----+--------+------------------+------+-----+---
//! |<-------------- stride --------------->|
//! ```
//! All but the last have the same length, so that the kernel, or the network adapter, can cut the row.

use core::net::{IpAddr, SocketAddr};

use stead_wire::message::{TAG_LEN, TRANSPORT_HEADER_LEN, padded_len_within};

use crate::udp::{LONGEST_BATCH, Outgoing};

/// Where a row goes, and from which local address.
pub(super) type Place = (SocketAddr, Option<IpAddr>);

/// A row of sealed messages for one place.
#[derive(Debug)]
pub(super) struct Row {
    bytes: Vec<u8>,
    used: usize,
    stride: usize,
    messages: usize,
    place: Option<Place>,
    mtu: usize,
}

impl Row {
    /// An empty row. Packets up to `mtu` bytes are not padded beyond it.
    pub(super) fn new(mtu: usize) -> Self {
        Self { bytes: vec![0; LONGEST_BATCH], used: 0, stride: 0, messages: 0, place: None, mtu }
    }

    /// Length of the message for an inner packet of `len` bytes.
    pub(super) const fn sealed_len(&self, len: usize) -> usize {
        TRANSPORT_HEADER_LEN + padded_len_within(len, self.mtu) + TAG_LEN
    }

    /// Whether a packet of `len` bytes is too long for any row.
    pub(super) const fn is_too_long(&self, len: usize) -> bool {
        self.sealed_len(len) > LONGEST_BATCH
    }

    /// Whether a message for a packet of `len` bytes to `place` may join what is there already, in a row of at
    /// most `most` messages.
    pub(super) fn takes(&self, place: Place, len: usize, most: usize) -> bool {
        let Some(here) = self.place else { return true };
        let sealed = self.sealed_len(len);
        // A message shorter than the stride is the last one.
        let full = self.used == self.messages * self.stride;
        here == place
            && full
            && sealed <= self.stride
            && self.messages < most
            && self.used + sealed <= self.bytes.len()
    }

    /// Adds a message for a packet of `len` bytes, which `write` puts where it belongs and `seal` seals.
    ///
    /// Only after [`takes`](Self::takes) said yes.
    pub(super) fn add(
        &mut self,
        place: Place,
        len: usize,
        write: impl FnOnce(&mut [u8]),
        seal: impl FnOnce(&mut [u8]),
    ) {
        let sealed = self.sealed_len(len);
        let message = &mut self.bytes[self.used..self.used + sealed];
        let plaintext = &mut message[TRANSPORT_HEADER_LEN..sealed - TAG_LEN];
        write(&mut plaintext[..len]);
        plaintext[len..].fill(0);
        seal(message);
        if self.messages == 0 {
            (self.stride, self.place) = (sealed, Some(place));
        }
        self.used += sealed;
        self.messages += 1;
    }

    /// What there is to send; `None` if nothing.
    pub(super) fn outgoing(&self) -> Option<Outgoing<'_>> {
        let (remote, local) = self.place?;
        Some(Outgoing { remote, local, datagrams: &self.bytes[..self.used], stride: self.stride })
    }

    /// How many messages there are.
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    /// Forgets them.
    pub(super) const fn clear(&mut self) {
        (self.used, self.stride, self.messages, self.place) = (0, 0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Place {
        ("192.0.2.1:1".parse().unwrap(), None)
    }

    fn there() -> Place {
        ("192.0.2.2:1".parse().unwrap(), None)
    }

    fn add(row: &mut Row, len: usize) {
        assert!(row.takes(here(), len, 64));
        row.add(here(), len, |packet| packet.fill(7), |message| message[0] = 4);
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
        assert!(!row.takes(here(), 600, 64));
        assert!(!row.takes(here(), 500, 1), "no segmentation, one message a row");
        row.clear();
        assert!(row.takes(there(), 600, 1));
        assert!(row.outgoing().is_none());
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
