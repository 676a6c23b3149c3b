//! The table as plain data, for people and programs.

use core::net::SocketAddr;

use stead_wire::time::Instant;

use crate::entry::State;
use crate::specification::{OriginalSpecification, PathId, PeerId, Token};

/// Packets and their bytes, one way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Inner packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One connection, as it was when the table was listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionRow {
    /// What applications see.
    pub original: OriginalSpecification,
    /// This side's attachment point now; `None` leaves it to the system's routes.
    pub local: Option<SocketAddr>,
    /// The peer's attachment point now.
    pub remote: SocketAddr,
    /// The path now.
    pub path: PathId,
    /// The connection's name on its path.
    pub token: Token,
    /// Who is at the other end.
    pub peer: PeerId,
    /// How far it is.
    pub state: State,
    /// When its first packet passed.
    pub created: Instant,
    /// When a packet last passed, either way.
    pub last_seen: Instant,
    /// What this side sent.
    pub outbound: Traffic,
    /// What the other side sent.
    pub inbound: Traffic,
    /// How often it moved.
    pub moves: u64,
}

/// What a table has done since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Entries made.
    pub tracked: u64,
    /// Entries removed after their time of silence.
    pub expired: u64,
    /// Entries of ended TCP connections replaced by a new connection with the same ports.
    pub reopened: u64,
    /// Entries removed because the table was full.
    pub evicted: u64,
    /// Connections refused because another peer has one with the same original specification.
    pub refused: u64,
    /// Tokens that were taken already and had to be made again.
    pub token_conflicts: u64,
    /// Entries that changed their attachment.
    pub moved: u64,
}
