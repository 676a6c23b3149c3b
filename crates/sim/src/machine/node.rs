//! A stead node, driven as the daemon drives it.
//!
//! Workers take packets and datagrams to the packet path; what they cannot do they post, and the node reads it a little
//! later ([`Mailbox`]). Meanwhile further packets go past the node. Attachment changes and timers reach the node directly.
//!
//! # Invariants
//! - The node acts only in a step of its own: a mail, an attachment change, a timer. Its outputs, and the moment of its
//!   next timer, are taken after such a step and at no other time.

use std::sync::Arc;

use stead_lct::{OriginalSpecification, PeerId};
use stead_node::{
    Arrival, FlowCursor, LocalAttachment, Node, Outbound, PacketPath, Settings, SettingsError, Transmit,
    Verdict,
};
use stead_noise::random::Random;
use stead_wire::message::{TRANSPORT_HEADER_LEN, sealed_len};
use stead_wire::time::{Instant, UnixTime};

use super::mailbox::{Mail, Mailbox};
use super::{Exits, Machine};

/// See the module's documentation.
pub(crate) struct NodeMachine {
    node: Node,
    path: Arc<PacketPath>,
    /// The memories of the two workers.
    outbound: FlowCursor,
    inbound: FlowCursor,
    mailbox: Mailbox,
    /// What the workers have put out since the last drain.
    exits: Exits,
    /// Whether the node has acted since the last drain.
    acted: bool,
    /// When the node wants to be woken, as it said after its last step.
    wake: Option<Instant>,
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
        Ok(Self {
            path: node.packet_path(),
            node,
            outbound: FlowCursor::default(),
            inbound: FlowCursor::default(),
            mailbox: Mailbox::new(Random::from_seed(seed).stream("mailbox")),
            exits: Exits::default(),
            acted: true,
            wake: None,
        })
    }

    /// What was sent stays in the peer's ring for a while.
    fn keep(&self, peer: PeerId, message: &[u8], now: Instant) {
        if let Some(mut chunk) = self.path.take_chunk(peer, now) {
            chunk.row_mut()[..message.len()].copy_from_slice(message);
            self.path.give_chunk(peer, chunk, (message.len(), message.len()), now);
        }
    }

    /// The node takes its mails.
    fn read_mails(&mut self, now: Instant) {
        for mail in self.mailbox.read(now) {
            self.acted = true;
            match mail {
                Mail::Packet(packet) => self.node.handle_packet(&packet, now),
                Mail::Datagram(arrival, mut datagram) => {
                    self.node.handle_datagram(arrival, &mut datagram, now);
                }
                Mail::Notice(notice) => self.node.handle_notice(notice, now),
            }
        }
    }

    /// Every step of the node ends with a look at the time.
    fn settle(&mut self, now: Instant) {
        self.acted = true;
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            self.node.handle_timeout(now);
        }
    }
}

impl Machine for NodeMachine {
    fn handle_datagrams(&mut self, mut datagrams: Vec<(Arrival, Vec<u8>)>, now: Instant) {
        let Self { path, inbound, mailbox, exits, .. } = self;
        let mut arrivals = path.arrivals(inbound, datagrams.len(), now);
        for (arrival, datagram) in &mut datagrams {
            let opened = arrivals.open(arrival, datagram);
            if let Some(packet) = opened.packet {
                exits.opened.push(packet.to_vec());
            }
            if let Some(notice) = opened.notice {
                mailbox.post(Mail::Notice(*notice), now);
            }
            if opened.verdict == Verdict::ForNode {
                mailbox.post(Mail::Datagram(*arrival, datagram.clone()), now);
            }
        }
    }

    fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        match self.path.outbound(&mut self.outbound, packet, (1, packet.len()), now) {
            Outbound::Send(mut grant) => {
                if let Some(notice) = grant.take_notice() {
                    self.mailbox.post(Mail::Notice(notice), now);
                }
                let mut message = vec![0; sealed_len(packet.len(), self.path.mtu())];
                message[TRANSPORT_HEADER_LEN..][..packet.len()].copy_from_slice(packet);
                grant.seal(&mut message);
                self.keep(grant.peer(), &message, now);
                let (remote, local) = (grant.remote(), grant.local());
                self.exits.transmits.push(Transmit { remote, local, datagram: message, whole: false });
            }
            Outbound::Hold | Outbound::Shorten(_) => {
                self.mailbox.post(Mail::Packet(packet.to_vec()), now);
            }
            Outbound::Drop(_) => {}
        }
    }

    fn handle_attachment(&mut self, attachment: LocalAttachment, now: Instant) {
        self.node.handle_attachment(attachment, now);
        self.settle(now);
    }

    fn handle_survivors(&mut self, connections: &[OriginalSpecification], now: Instant) {
        self.node.handle_survivors(connections, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.read_mails(now);
        self.settle(now);
    }

    fn drain(&mut self, exits: &mut Exits) -> Option<Instant> {
        exits.transmits.append(&mut self.exits.transmits);
        exits.opened.append(&mut self.exits.opened);
        if core::mem::take(&mut self.acted) {
            self.wake = self.node.drain(exits).map(|(at, _)| at);
        }
        [self.wake, self.mailbox.poll_timeout()].into_iter().flatten().min()
    }

    fn node(&self) -> Option<&Node> {
        Some(&self.node)
    }
}
