//! What a test can see of the world.

use std::net::SocketAddr;

use stead_node::{Answer, Command, ConnectionStatus, Happening, PeerStatus};
use stead_wire::time::Instant;

use super::{HostId, World};

impl World {
    /// Payloads of the UDP datagrams that an application at `host` received.
    pub(crate) fn received(&self, host: HostId) -> Vec<Vec<u8>> {
        self.hosts[host.0].received.iter().map(|(_, packet)| packet[48..].to_vec()).collect()
    }

    /// Packets that came out of the tunnel at `host`, or that its node made for its stack.
    pub(crate) fn packets(&self, host: HostId) -> Vec<Vec<u8>> {
        self.hosts[host.0].received.iter().map(|(_, packet)| packet.clone()).collect()
    }

    /// What was received after the first `from`, as text.
    pub(crate) fn texts(&self, host: HostId, from: usize) -> Vec<String> {
        let received = self.received(host);
        received[from..].iter().map(|payload| String::from_utf8_lossy(payload).into_owned()).collect()
    }

    pub(crate) fn received_at(&self, host: HostId) -> Vec<Instant> {
        self.hosts[host.0].received.iter().map(|(at, _)| *at).collect()
    }

    pub(crate) fn status(&self, host: HostId) -> PeerStatus {
        match self.hosts[host.0].node.handle_command(Command::Status, self.now) {
            Answer::Status(status) => status.peers[0].clone(),
            Answer::Connections(_) => unreachable!("a status was asked for"),
        }
    }

    pub(crate) fn connections(&self, host: HostId) -> Vec<ConnectionStatus> {
        match self.hosts[host.0].node.handle_command(Command::Connections, self.now) {
            Answer::Connections(rows) => rows,
            Answer::Status(_) => unreachable!("the connections were asked for"),
        }
    }

    pub(crate) fn drops(&self, host: HostId, reason: stead_node::Discard) -> u64 {
        self.hosts[host.0].node.packet_path().drops().of(reason)
    }

    pub(crate) fn happenings(&self, host: HostId) -> Vec<Happening> {
        self.hosts[host.0].events.iter().map(|(_, event)| event.what.clone()).collect()
    }

    /// Where `host` reaches its peer.
    pub(crate) fn remote(&self, host: HostId) -> SocketAddr {
        self.status(host).path.expect("a path").remote
    }

    /// Bytes sent to an address since `from` in the trace.
    pub(crate) fn bytes_to(&self, destination: SocketAddr, from: usize) -> usize {
        self.trace[from..].iter().filter(|f| f.destination == destination).map(|f| f.datagram.len()).sum()
    }

    /// Handshake initiations sent by anyone.
    pub(crate) fn initiations(&self) -> usize {
        self.trace.iter().filter(|flight| flight.datagram[0] == 1).count()
    }
}
