//! Packets that are no TCP: first in, first out, and not for long. What is late is worth little to them.

use std::collections::VecDeque;

use stead_wire::time::Instant;

use super::budget::OVERHEAD;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    packets: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Datagrams {
    pub(super) const fn cost_of(packet: &[u8]) -> usize {
        packet.len() + OVERHEAD
    }

    pub(super) fn push(&mut self, packet: Vec<u8>, now: Instant) {
        self.bytes += packet.len();
        self.packets.push_back((now, packet));
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let (_, packet) = self.packets.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }

    /// Since when the oldest waits.
    pub(super) fn first_at(&self) -> Option<Instant> {
        self.packets.front().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
