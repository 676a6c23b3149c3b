//! Messages on their way through a relay: as long as they were, with the relay's slot in their header.
//!
//! ```text
//!  0        1              4
//! +--------+--------------+------------------
//! | 1 to 4 | reserved (0) | as WireGuard has it      between two peers
//! +--------+--------------+------------------
//! | +0x10  | relay slot   | unchanged                between a peer and the relay, both ways
//! +--------+--------------+------------------
//! ```
//!
//! No byte is added, so the tunnel's MTU is the same over a relay, and nothing is sealed a second time: what is
//! relayed is sealed by the peers' own session.

use crate::options::RelaySlot;

/// Whether a datagram looks like a relayed message, and its slot.
#[inline]
#[must_use]
pub fn slot_of(datagram: &[u8]) -> Option<RelaySlot> {
    let (&[kind, slot @ ..], _) = datagram.split_first_chunk::<HEADER_LEN>()?;
    if KINDS.contains(&kind) { RelaySlot::from_bytes(slot) } else { None }
}

/// Turns a message into a relayed one; false, and nothing changed, if it is no WireGuard message.
#[inline]
pub fn wrap(message: &mut [u8], slot: RelaySlot) -> bool {
    let Some([kind, reserved @ ..]) = message.first_chunk_mut::<HEADER_LEN>() else { return false };
    if !KINDS.contains(&kind.wrapping_add(MARK)) || *reserved != [0; 3] {
        return false;
    }
    *kind += MARK;
    *reserved = slot.to_bytes();
    true
}

/// Restores a relayed message to what its sender sealed; `None`, and nothing changed, if it is none.
#[inline]
pub fn unwrap(datagram: &mut [u8]) -> Option<RelaySlot> {
    let slot = slot_of(datagram)?;
    let [kind, reserved @ ..] = datagram.first_chunk_mut::<HEADER_LEN>()?;
    *kind -= MARK;
    *reserved = [0; 3];
    Some(slot)
}

/// Type and reserved bytes.
const HEADER_LEN: usize = 4;

/// What marks a relayed message's type.
const MARK: u8 = 0x10;

/// The relayed types.
const KINDS: core::ops::RangeInclusive<u8> = 0x11..=0x14;

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: RelaySlot = RelaySlot::new(0x01_02_03).expect("24 bits");

    #[test]
    fn each_message_comes_out_as_it_went_in_and_carries_its_slot_meanwhile() {
        for kind in 1..=4 {
            let message = [kind, 0, 0, 0, 9, 8, 7];
            let mut relayed = message;

            assert!(wrap(&mut relayed, SLOT));
            assert_eq!(relayed, [kind + 0x10, 1, 2, 3, 9, 8, 7]);
            assert_eq!(slot_of(&relayed), Some(SLOT));
            assert!(!wrap(&mut relayed, SLOT), "not twice");

            assert_eq!(unwrap(&mut relayed), Some(SLOT));
            assert_eq!(relayed, message);
        }
    }

    #[test]
    fn what_is_no_message_is_left_alone() {
        for bytes in [&[][..], &[1, 0, 0], &[0, 0, 0, 0], &[5, 0, 0, 0], &[1, 0, 1, 0], &[0xf1, 0, 0, 0]] {
            let mut copy = bytes.to_vec();
            assert!(!wrap(&mut copy, SLOT), "{bytes:?}");
            assert_eq!(copy, bytes);
        }
        for bytes in [&[0x11, 0, 0][..], &[0x10, 0, 0, 1], &[0x15, 0, 0, 1], &[0x14, 0, 0, 0], &[4, 0, 0, 0]]
        {
            let mut copy = bytes.to_vec();
            assert_eq!((slot_of(bytes), unwrap(&mut copy)), (None, None), "{bytes:?}");
            assert_eq!(copy, bytes);
        }
    }
}
