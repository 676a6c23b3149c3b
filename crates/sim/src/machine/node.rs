//! A stead node, driven as the daemon drives it: plain data through the packet path, as its workers do, and
//! everything else through the node.

use std::sync::Arc;

use stead_lct::PeerId;
use stead_node::{
    Arrival, FlowCursor, LocalAttachment, Node, Outbound, PacketPath, Settings, SettingsError, Transmit,
    Verdict,
};
use stead_wire::message::{TRANSPORT_HEADER_LEN, sealed_len};
use stead_wire::time::{Instant, UnixTime};

use super::{Exits, Machine};

/// See the module's documentation.
pub(crate) struct NodeMachine {
    node: Node,
    path: Arc<PacketPath>,
    /// The memories of the two workers.
    outbound: FlowCursor,
    inbound: FlowCursor,
    /// What the workers have put out since the last drain.
    exits: Exits,
}

impl NodeMachine {
    /// A node that starts.
    ///
    /// # Errors
    /// See [`Node::new`].
    pub(crate) fn new(
        settings: Settings,
        seed: [u8; 32],
        wall: UnixTime,
        now: Instant,
    ) -> Result<Self, SettingsError> {
        let node = Node::new(settings, seed, wall, now)?;
        let path = node.packet_path();
        let (outbound, inbound) = (FlowCursor::default(), FlowCursor::default());
        Ok(Self { node, path, outbound, inbound, exits: Exits::default() })
    }

    /// What was sent stays in the peer's ring for a while.
    fn keep(&self, peer: PeerId, message: &[u8], now: Instant) {
        if let Some(mut chunk) = self.path.take_chunk(peer, now) {
            chunk.row_mut()[..message.len()].copy_from_slice(message);
            self.path.give_chunk(peer, chunk, (message.len(), message.len()), now);
        }
    }
}

impl Machine for NodeMachine {
    fn handle_datagram(&mut self, arrival: Arrival, datagram: &mut [u8], now: Instant) {
        let inbound = self.path.inbound(&mut self.inbound, arrival, datagram, now);
        if let Some(packet) = inbound.packet {
            self.exits.opened.push(packet.to_vec());
        }
        let (notice, verdict) = (inbound.notice, inbound.verdict);
        if let Some(notice) = notice {
            self.node.handle_notice(*notice, now);
        }
        if verdict == Verdict::ForNode {
            self.node.handle_datagram(arrival, datagram, now);
        }
    }

    fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        match self.path.outbound(&mut self.outbound, packet, (1, packet.len()), now) {
            Outbound::Send(mut grant) => {
                let mut message = vec![0; sealed_len(packet.len(), self.path.mtu())];
                message[TRANSPORT_HEADER_LEN..][..packet.len()].copy_from_slice(packet);
                grant.seal(&mut message);
                self.keep(grant.peer(), &message, now);
                let (remote, local) = (grant.remote(), grant.local());
                self.exits.transmits.push(Transmit { remote, local, datagram: message, whole: false });
                if let Some(notice) = grant.take_notice() {
                    self.node.handle_notice(notice, now);
                }
            }
            Outbound::Hold | Outbound::Shorten(_) => self.node.handle_packet(packet, now),
            Outbound::Drop(_) => {}
        }
    }

    fn handle_attachment(&mut self, attachment: LocalAttachment, now: Instant) {
        self.node.handle_attachment(attachment, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }

    fn drain(&mut self, exits: &mut Exits) -> Option<Instant> {
        exits.transmits.append(&mut self.exits.transmits);
        exits.opened.append(&mut self.exits.opened);
        self.node.drain(exits).map(|(at, _)| at)
    }

    fn node(&self) -> Option<&Node> {
        Some(&self.node)
    }
}
