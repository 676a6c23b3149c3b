//! The right to seal a run of packets: which session, which counters, to which attachment point.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stead_lct::{Attachment, PeerId};
use stead_noise::session::Session;
use stead_wire::message::Counter;
use stead_wire::options::{Capabilities, RelaySlot};
use stead_wire::relayed;

use crate::notice::Notice;

/// Permission to send a (super-)packet's worth of datagrams: the current connection specification in use.
#[derive(Debug)]
pub struct Grant {
    peer: PeerId,
    session: Arc<Session>,
    next: Counter,
    end: Counter,
    attachment: Arc<Attachment>,
    /// Where the datagrams really go, and the slot that they carry if that is a relay.
    way: (SocketAddr, Option<RelaySlot>),
    notice: Option<Notice>,
}

impl Grant {
    pub(super) const fn new(
        peer: PeerId,
        session: Arc<Session>,
        (first, packets): (Counter, u64),
        attachment: Arc<Attachment>,
        way: (SocketAddr, Option<RelaySlot>),
        notice: Option<Notice>,
    ) -> Self {
        Self { peer, session, next: first, end: Counter(first.0 + packets), attachment, way, notice }
    }

    /// Whom they are for.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where the datagrams go: the remote attachment point, or the relay that reaches it.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.way.0
    }

    /// Whether the other end takes packets with partial checksums.
    #[must_use]
    pub fn partial_checksums(&self) -> bool {
        self.session.terms().contains(Capabilities::PARTIAL_CHECKSUMS)
    }

    /// From which local address; `None` leaves it to the system's routes.
    #[must_use]
    pub fn local(&self) -> Option<IpAddr> {
        self.attachment.local.map(|point| point.ip())
    }

    /// Seals one message with the next counter, in place.
    ///
    /// `message` is 16 bytes for the header, the inner packet zero-padded to a multiple of 16, and 16 bytes
    /// for the tag.
    ///
    /// # Panics
    /// If called more often than packets were asked for: another worker has the next counter, and a counter used
    /// twice would give the plaintexts away.
    pub fn seal(&mut self, message: &mut [u8]) {
        assert!(self.next < self.end, "no more messages than packets were asked for");
        self.session.seal_in_place(self.next, message);
        if let Some(slot) = self.way.1 {
            relayed::wrap(message, slot);
        }
        self.next = Counter(self.next.0 + 1);
    }

    /// What the node must be told, if anything.
    #[must_use]
    pub const fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }
}
