//! The sans-IO endpoint: peers, peer negotiation, paths, moves, and the packet path.
//!
//! Its job: everything that two peers who can reach each other need, from an inner packet to a datagram and
//! back, through any number of moves. Not its job: sockets, devices, clocks, randomness, files; they come in as
//! arguments and go out through [`Outlet`].
//!
//! Two doors lead in. [`Node`] takes every kind of input, one at a time. [`PacketPath`] takes plain data packets
//! from any number of workers at once, and hands to the node what is not plain.
//!
//! Read in this order: [`node`](Node), `peer.rs` (one file per machine beside it), `packet_path.rs`.

mod attachment;
mod drops;
mod event;
mod lane;
mod node;
mod notice;
mod packet_path;
mod peer;
mod proxy;
mod relay;
mod ring;
mod routes;
mod settings;
mod turn;

pub use attachment::{Cause, LocalAddress, LocalAttachment, LocalRoute};
pub use drops::{Discard, Drops};
pub use event::{Ends, Event, Happening, Mover, Suspension};
pub use lane::LaneTraffic;
pub use node::{
    Answer, Command, ConnectionStatus, Node, NodeStatus, Obeyed, Order, Outlet, UnknownPeer, Wake,
};
pub use notice::{Arrival, Notice, Sighting, Transmit};
pub use packet_path::{Arrivals, FlowCursor, Grant, Inbound, Outbound, PacketPath, Verdict};
pub use peer::{
    Condition, PathStatus, PeerKind, PeerStatus, Refusal, ResumptionStatus, StandbyStatus, Suspensions,
};
pub use proxy::{RelayedStatus, ServiceStatus};
pub use relay::RelayAddress;
pub use ring::{Chunk, LONGEST_ROW};
pub use routes::Routes;
pub use settings::{
    PeerSettings, Prefix, Resending, ServiceSettings, Settings, SettingsError, SuspensionSettings,
};
