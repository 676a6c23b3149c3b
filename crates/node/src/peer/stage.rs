//! Packets that wait for their peer: for a session, for a path, for the end of a move.
//!
//! What waits how, and what this host's TCP is told meanwhile, is [`Held`]'s to decide; here its losses become
//! counted drops.

use core::ops::{Deref, DerefMut};
use std::sync::Arc;

use stead_lct::{Budget, Held, Losses, PeerId, Rules};
use stead_wire::time::Instant;

use crate::drops::Discard;
use crate::packet_path::PacketPath;

/// One peer's held packets.
#[derive(Debug)]
pub(crate) struct Stage(Held);

impl Stage {
    pub(crate) fn new(peer: PeerId, rules: Rules, budget: Arc<Budget>) -> Self {
        Self(Held::new(peer, rules, budget))
    }

    /// Holds `packet`.
    pub(crate) fn push(&mut self, packet: Vec<u8>, path: &PacketPath, now: Instant) {
        self.0.push(packet, path.table(), now);
        self.count_losses(path);
    }

    /// The next packet to go. When there is none left, the windows may be opened.
    pub(crate) fn pop(&mut self, path: &PacketPath, now: Instant) -> Option<Vec<u8>> {
        let packet = self.0.pop(now);
        self.count_losses(path);
        packet
    }

    /// Lets go what has waited for too long.
    pub(crate) fn expire(&mut self, path: &PacketPath, now: Instant) {
        self.0.expire(now);
        self.count_losses(path);
    }

    fn count_losses(&mut self, path: &PacketPath) {
        let Losses { overflow, overdue, reset } = self.0.take_losses();
        for (reason, many) in [
            (Discard::HeldOverflow, overflow),
            (Discard::HeldTooLong, overdue),
            (Discard::HeldForReset, reset),
        ] {
            if many > 0 {
                path.drops().count_many(reason, many);
            }
        }
    }
}

impl Deref for Stage {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.0
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.0
    }
}
