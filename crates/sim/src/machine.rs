//! What runs on a host between its stack and its networks: the tunnel, or a service.
//!
//! A [`Machine`] has the shape of every machine of this project: inputs are `handle_*`, and one call drains it.
//! The world drives it through this trait alone, so a node, a plain WireGuard peer and a subscribe-notify
//! service stand side by side.

mod mailbox;
mod node;
mod service;
mod wireguard;

pub(crate) use node::NodeMachine;
pub(crate) use service::ServiceMachine;
pub(crate) use wireguard::WireguardMachine;

use core::fmt;

use stead_lct::OriginalSpecification;
use stead_node::{Arrival, Event, LocalAttachment, Node, Outlet, Transmit};
use stead_sns::Service;
use stead_wire::time::Instant;

/// See the module's documentation.
pub trait Machine {
    /// Datagrams from the underlay that arrived together, in order.
    fn handle_datagrams(&mut self, datagrams: Vec<(Arrival, Vec<u8>)>, now: Instant);

    /// An inner packet from the host's own stack.
    fn handle_packet(&mut self, packet: &[u8], now: Instant);

    /// Where the host is attached now.
    fn handle_attachment(&mut self, attachment: LocalAttachment, now: Instant);

    /// The host's stack kept these connections from before the machine was started.
    fn handle_survivors(&mut self, _connections: &[OriginalSpecification], _now: Instant) {}

    /// The moment that [`drain`](Self::drain) named has come.
    fn handle_timeout(&mut self, now: Instant);

    /// Everything that leaves, and when to call [`handle_timeout`](Self::handle_timeout).
    fn drain(&mut self, exits: &mut Exits) -> Option<Instant>;

    /// The node, if it is one.
    fn node(&self) -> Option<&Node> {
        None
    }

    /// The subscribe-notify service, if it is one.
    fn service(&self) -> Option<&Service> {
        None
    }
}

/// What left a machine.
#[derive(Debug, Default)]
pub struct Exits {
    /// Datagrams for the underlay.
    pub transmits: Vec<Transmit>,
    /// Inner packets that a peer had sealed.
    pub opened: Vec<Vec<u8>>,
    /// Inner packets that the machine itself made for its host's stack.
    pub made: Vec<Vec<u8>>,
    /// What is worth telling.
    pub words: Vec<Word>,
}

/// What a machine told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Word {
    /// A node.
    OfNode(Event),
    /// A subscribe-notify service.
    OfService(stead_sns::Event),
}

impl Exits {
    /// Whether nothing left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.transmits.is_empty() && self.opened.is_empty() && self.made.is_empty() && self.words.is_empty()
    }
}

impl Outlet for Exits {
    fn transmit(&mut self, transmit: Transmit) {
        self.transmits.push(transmit);
    }

    fn packet(&mut self, packet: Vec<u8>) {
        self.made.push(packet);
    }

    fn event(&mut self, event: Event) {
        self.words.push(Word::OfNode(event));
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfNode(event) => event.fmt(f),
            Self::OfService(event) => event.fmt(f),
        }
    }
}
