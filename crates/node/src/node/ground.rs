//! What the node's machines stand on: identity, attachment, packet path, randomness, and what waits to leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use stead_lct::PeerId;
use stead_wire::message::SessionIndex;
use stead_wire::time::{Instant, UnixTime};

use crate::attachment::LocalAttachment;
use crate::packet_path::PacketPath;
use crate::turn::{Identity, Outbox, Streams, Turn};

/// What every machine looks at and writes to while it has its turn.
pub(super) struct Ground {
    pub(super) identity: Identity,
    pub(super) attachment: LocalAttachment,
    pub(super) path: Arc<PacketPath>,
    pub(super) flights: BTreeMap<SessionIndex, PeerId>,
    pub(super) streams: Streams,
    pub(super) outbox: Outbox,
    pub(super) clock: Clock,
    /// Whether there is a service that could find a peer.
    pub(super) can_look_up: bool,
}

impl Ground {
    pub(super) fn turn(&mut self, now: Instant) -> Turn<'_> {
        Turn {
            now,
            wall: self.clock.wall(now),
            identity: &self.identity,
            attachment: &self.attachment,
            path: &self.path,
            can_look_up: self.can_look_up,
            flights: &mut self.flights,
            random: &mut self.streams,
            out: &mut self.outbox,
        }
    }
}

/// The calendar's time at a known moment.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) wall: UnixTime,
    pub(super) at: Instant,
}

impl Clock {
    fn wall(&self, now: Instant) -> UnixTime {
        self.wall + (now - self.at)
    }
}
