//! What a person or a program may ask a running node.

use std::collections::BTreeMap;

use stead_lct::{ConnectionRow, PeerId};
use stead_noise::keys::PublicKey;
use stead_wire::time::Instant;

use super::Node;
use crate::attachment::LocalAttachment;
use crate::peer::PeerStatus;
use crate::proxy::ServiceStatus;

/// A question to the node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// How does everything stand?
    Status,
    /// Which connections are in the table?
    Connections,
}

/// The node's answer to a [`Command`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Command::Status`].
    Status(Box<NodeStatus>),
    /// To [`Command::Connections`], in the order of their original specifications.
    Connections(Vec<ConnectionStatus>),
}

/// How the node stands. Times are moments of the driver's clock.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Our identity.
    pub public_key: PublicKey,
    /// The port we claim.
    pub listen_port: u16,
    /// Since when the node runs.
    pub started: Instant,
    /// Where the host is attached.
    pub attachment: LocalAttachment,
    /// Entries in the table.
    pub connections: usize,
    /// The subscribe-notify services, as configured.
    pub services: Vec<ServiceStatus>,
    /// The peers, as configured.
    pub peers: Vec<PeerStatus>,
    /// Everything dropped, by reason.
    pub drops: BTreeMap<&'static str, u64>,
}

/// One connection with its peer's name and session.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    /// The table's row.
    pub row: ConnectionRow,
    /// The peer's name.
    pub peer: String,
    /// Our index of the session that carries it; `None` while there is none.
    pub session: Option<u32>,
}

impl Node {
    /// Answers a question; changes nothing.
    #[must_use]
    pub fn handle_command(&self, command: Command, now: Instant) -> Answer {
        match command {
            Command::Status => Answer::Status(Box::new(self.status(now))),
            Command::Connections => Answer::Connections(self.connections(now)),
        }
    }

    fn status(&self, now: Instant) -> NodeStatus {
        let ids = (0..).map(PeerId);
        NodeStatus {
            public_key: self.ground.identity.public,
            listen_port: self.ground.identity.listen_port,
            started: self.ground.clock.at,
            attachment: self.ground.attachment.clone(),
            connections: self.ground.path.table().len(),
            services: self.proxy.status(now),
            peers: ids.zip(&self.peers).map(|(id, peer)| peer.status(self.proxy.relayed(id), now)).collect(),
            drops: self.ground.path.drops().occurred(),
        }
    }

    fn connections(&self, now: Instant) -> Vec<ConnectionStatus> {
        let named = |row: ConnectionRow| {
            let peer = &self.peers[row.peer.0 as usize];
            ConnectionStatus { row, peer: peer.name().to_owned(), session: peer.session_index(now) }
        };
        self.ground.path.table().snapshot().into_iter().map(named).collect()
    }
}
