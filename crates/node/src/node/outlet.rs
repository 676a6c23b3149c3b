//! What leaves the node: datagrams, inner packets, events, and when it wants to be woken.

use stead_wire::time::Instant;

use super::{Node, Wake};
use crate::drops::Discard;
use crate::event::Event;
use crate::notice::Transmit;

/// Where [`Node::drain`] puts what leaves the node.
pub trait Outlet {
    /// A datagram to send.
    fn transmit(&mut self, transmit: Transmit);
    /// An inner packet for the TUN.
    fn packet(&mut self, packet: Vec<u8>);
    /// Something worth telling.
    fn event(&mut self, event: Event);
}

impl Node {
    /// The next datagram to send. To be asked until there is none: only then may workers send what is newer.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let Some(transmit) = self.ground.outbox.transmits.pop_front() else {
                self.open();
                return None;
            };
            match self.ground.path.relays().send(transmit) {
                Some(transmit) => return Some(transmit),
                None => self.ground.path.drops().count(Discard::UnknownRelay),
            }
        }
    }

    /// Lets packets flow past the node where they may.
    fn open(&mut self) {
        while let Some((peer, (flow, now))) = self.ground.outbox.opening.pop_first() {
            self.ground.path.lane(peer).open(flow);
            self.ground.path.set_flowing(peer, true, now);
        }
    }

    /// The next inner packet for the TUN.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.ground.outbox.packets.pop_front()
    }

    /// The next thing worth telling.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.ground.outbox.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        let table = self.ground.path.table().poll_timeout().map(|at| (at, Wake::TableExpiry));
        [self.wakes.first(), table].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Empties the node into `outlet`; returns what [`poll_timeout`](Self::poll_timeout) does.
    ///
    /// The one loop that the daemon, the simulator and the fuzzers share.
    pub fn drain(&mut self, outlet: &mut impl Outlet) -> Option<(Instant, Wake)> {
        while let Some(transmit) = self.poll_transmit() {
            outlet.transmit(transmit);
        }
        while let Some(packet) = self.poll_packet() {
            outlet.packet(packet);
        }
        while let Some(event) = self.poll_event() {
            outlet.event(event);
        }
        self.poll_timeout()
    }
}
