//! Looks at nodes from outside: what they tell, what their tables say, and whether it can be true.

use core::net::{IpAddr, SocketAddr};

use stead_node::{
    Answer, Command, Condition, ConnectionStatus, Event, Happening, Node, NodeStatus, PeerKind, PeerStatus,
    Suspensions,
};

use stead_sns::Service;

use super::World;
use crate::audit::Wrong;
use crate::host::Counted;
use crate::machine::Word;
use crate::network::HostId;
use crate::trace::What;

/// The prefix whose addresses stand for a service's relay slots, not for places: 100:0:0:1::/64 (RFC 9780).
const RELAYS: [u16; 4] = [0x100, 0, 0, 1];

/// What a node tells of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerSeen {
    /// How it reaches it; `None` if it does not.
    pub path: Option<PeerPath>,
    /// Whether it knows it to be VC enhanced, or not to be; `None` if it does not know.
    pub enhanced: Option<bool>,
    /// What it seals with to it; `None` without a session.
    pub cipher: Option<&'static str>,
}

/// How a node reaches a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerPath {
    /// At its attachment point.
    Direct(SocketAddr),
    /// Through a service's slot.
    Relayed(SocketAddr),
}

impl PeerPath {
    /// The attachment point, or the address that stands for the slot.
    #[must_use]
    pub const fn remote(self) -> SocketAddr {
        match self {
            Self::Direct(remote) | Self::Relayed(remote) => remote,
        }
    }
}

impl World {
    /// The node on a host, if one runs there.
    #[must_use]
    pub fn node(&self, host: HostId) -> Option<&Node> {
        self.hosts[host.0].machine.as_ref().and_then(|machine| machine.node())
    }

    /// The subscribe-notify service on a host, if one runs there.
    #[must_use]
    pub fn service_on(&self, host: HostId) -> Option<&Service> {
        self.hosts[host.0].machine.as_ref().and_then(|machine| machine.service())
    }

    /// How the node on a host stands.
    #[must_use]
    pub fn status(&self, host: HostId) -> Option<NodeStatus> {
        match self.node(host)?.handle_command(Command::Status, self.now) {
            Answer::Status(status) => Some(*status),
            _ => None,
        }
    }

    /// What the node on a host tells of another host.
    #[must_use]
    pub fn peer(&self, host: HostId, other: HostId) -> Option<PeerSeen> {
        let name = &self.hosts[other.0].plan.name;
        let peer = self.status(host)?.peers.into_iter().find(|peer| &peer.name == name)?;
        let reached = matches!(peer.condition, Condition::Proven | Condition::Unproven);
        let place =
            |remote| if is_relay(remote) { PeerPath::Relayed(remote) } else { PeerPath::Direct(remote) };
        Some(PeerSeen {
            path: peer.path.filter(|_| reached).map(|path| place(path.remote)),
            enhanced: match peer.kind {
                PeerKind::Enhanced => Some(true),
                PeerKind::Plain => Some(false),
                PeerKind::Unknown => None,
            },
            cipher: peer.cipher.map(|cipher| cipher.as_str()),
        })
    }

    /// The connections in the table of the node on a host.
    #[must_use]
    pub fn connections(&self, host: HostId) -> Vec<ConnectionStatus> {
        match self.node(host).map(|node| node.handle_command(Command::Connections, self.now)) {
            Some(Answer::Connections(rows)) => rows,
            Some(_) | None => Vec::new(),
        }
    }

    /// Handshakes with a peer that a host's nodes have completed, over all their lives.
    #[must_use]
    pub fn handshakes(&self, host: HostId, peer: HostId) -> u64 {
        self.counted_of(host, peer).iter().map(|counted| counted.handshakes).sum()
    }

    /// How often a host's nodes held a peer's traffic, over all their lives, and for how long at most.
    #[must_use]
    pub fn suspensions(&self, host: HostId, peer: HostId) -> Suspensions {
        let all = self.counted_of(host, peer).into_iter().map(|counted| counted.suspensions);
        all.fold(Suspensions::default(), |sum, one| Suspensions {
            count: sum.count + one.count,
            longest: sum.longest.max(one.longest),
        })
    }

    /// What each of a host's nodes counted of a peer.
    fn counted_of(&self, host: HostId, peer: HostId) -> Vec<Counted> {
        let name = &self.hosts[peer.0].plan.name;
        let all = self.hosts[host.0].past.iter().cloned().chain(self.counted(host));
        all.filter(|counted| &counted.peer == name).collect()
    }

    /// A machine told something.
    pub(super) fn told(&mut self, host: HostId, word: Word) {
        if let Word::OfNode(Event { peer, what: Happening::PathMoved { .. } }) = &word {
            let told = self.status(host).into_iter().flat_map(|status| status.peers);
            told.filter(|told| &told.name == peer).for_each(|told| self.check_peer(host, &told));
        }
        self.note(|| What::Told { host, word });
    }

    /// Whether every node's tables and paths can be true.
    pub(super) fn inspect(&mut self) {
        for host in (0..self.hosts.len()).map(HostId) {
            for row in self.connections(host) {
                self.check_row(host, &row);
            }
            let told = self.status(host).into_iter().flat_map(|status| status.peers);
            told.for_each(|told| self.check_peer(host, &told));
        }
    }

    /// A peer that is not known to be VC enhanced roams as WireGuard lets it, wherever somebody makes it seem to be.
    fn check_peer(&mut self, host: HostId, told: &PeerStatus) {
        let path = told.path.filter(|path| path.validated && told.kind == PeerKind::Enhanced);
        if let Some(path) = path {
            self.check_path(host, &told.name, path.remote);
        }
    }

    fn check_row(&mut self, host: HostId, row: &ConnectionStatus) {
        let address = row.row.original.remote.ip();
        let owner = self.hosts.iter().find(|other| other.virtual_addresses().contains(&address));
        if owner.is_some_and(|owner| owner.plan.name != row.peer) {
            self.wrong(host, Wrong::WrongPeer { peer: row.peer.clone(), address });
        }
    }

    fn check_path(&mut self, host: HostId, peer: &str, remote: SocketAddr) {
        let Some(other) = self.find(peer) else { return };
        if !is_relay(remote) && !self.audit.was_at(other, remote) {
            self.wrong(host, Wrong::StrangePath { peer: peer.to_owned(), remote });
        }
    }

    fn wrong(&mut self, host: HostId, wrong: Wrong) {
        let finding = format!("{}: {wrong}", self.hosts[host.0].plan.name);
        self.note(|| What::Wrong { finding });
        self.audit.found(host, wrong, self.now);
    }
}

/// Whether an address stands for a service's slot.
fn is_relay(remote: SocketAddr) -> bool {
    matches!(remote.ip(), IpAddr::V6(v6) if v6.segments()[..4] == RELAYS)
}
