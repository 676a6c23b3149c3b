//! What crosses from the packet path to the node, and what the node sends out.

use stead_lct::PeerId;
pub use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::SessionIndex;

/// Something the packet path saw that changes more than counters. Everything in it was authenticated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Who sent it, or who is concerned.
    pub peer: PeerId,
    /// What it was.
    pub sighting: Sighting,
}

/// What the packet path saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// The first traffic since the node looked last: its timers must watch this peer again.
    Stirred,
    /// The session has to be renewed soon.
    SessionAges,
    /// A message of a session that the node has not yet made the current one, or from an address that is
    /// not the active path's.
    Unexpected {
        /// Our index of the session.
        session: SessionIndex,
        /// How it came.
        arrival: Arrival,
        /// Length of the datagram, which the anti-amplification limit credits.
        bytes: usize,
    },
    /// VC options.
    Options {
        /// Our index of the session.
        session: SessionIndex,
        /// How they came.
        arrival: Arrival,
        /// Length of the datagram, which the anti-amplification limit credits.
        bytes: usize,
        /// The options, still encoded.
        options: Vec<u8>,
    },
}
