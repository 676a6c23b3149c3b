//! Packets that wait for their peer: for a session, for a path, for the end of a move.
//!
//! Bounded in packets and bytes; the oldest go first when it overflows, since the newest are what a TCP
//! sender would send again.

use std::collections::VecDeque;

/// Most packets held for one peer.
const PACKETS: usize = 4096;

/// Most bytes held for one peer: a full window of a fast TCP connection.
const BYTES: usize = 4 << 20;

/// One peer's held packets, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    packets: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Stage {
    /// Holds `packet`; returns how many older ones had to go for it.
    pub(crate) fn push(&mut self, packet: Vec<u8>) -> u64 {
        self.bytes += packet.len();
        self.packets.push_back(packet);
        let mut dropped = 0;
        while self.packets.len() > PACKETS || self.bytes > BYTES {
            self.pop();
            dropped += 1;
        }
        dropped
    }

    /// The oldest packet.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Forgets all; returns how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        self.bytes = 0;
        let len = self.packets.len();
        self.packets = VecDeque::new();
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_in_the_order_they_came() {
        let mut stage = Stage::default();
        assert_eq!(stage.push(vec![1]) + stage.push(vec![2, 2]), 0);
        assert_eq!(stage.pop(), Some(vec![1]));
        assert_eq!(stage.pop(), Some(vec![2, 2]));
        assert_eq!(stage.pop(), None);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_much() {
        let mut many = Stage::default();
        let dropped: u64 = (0..=PACKETS).map(|n| many.push(n.to_be_bytes().to_vec())).sum();
        assert_eq!(dropped, 1);
        assert_eq!(many.pop(), Some(1_usize.to_be_bytes().to_vec()), "the very first one went");

        let mut large = Stage::default();
        let dropped: u64 = (0..5).map(|_| large.push(vec![0; 1 << 20])).sum();
        assert_eq!((dropped, large.len()), (1, 4));
        assert_eq!(large.clear(), 4);
        assert_eq!(large.push(vec![0]), 0, "nothing is left of the old bytes");
    }
}
