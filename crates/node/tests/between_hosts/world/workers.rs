//! A host's workers, and the mailbox between them and its node: what the daemon has.
//!
//! Packets and datagrams enter by the packet path. What it does not do itself is posted, and the node reads it a little
//! later, packets first; meanwhile others go past the node.

use std::sync::Arc;

use stead_node::{Arrival, FlowCursor, Node, Notice, Outbound, PacketPath, Transmit, Verdict};
use stead_wire::message::{TRANSPORT_HEADER_LEN, sealed_len};
use stead_wire::time::{Duration, Instant};

/// What workers leave to the node.
enum Mail {
    Packet(Vec<u8>),
    Datagram(Arrival, Vec<u8>),
    Notice(Notice),
}

/// See the module's documentation.
pub(super) struct Workers {
    path: Arc<PacketPath>,
    outbound: FlowCursor,
    inbound: FlowCursor,
    mails: Vec<Mail>,
    read_at: Option<Instant>,
    reads: u64,
}

/// The node's thread wakes this long after a mail came, in turn: every multiple of the first up to the last.
const STEP: Duration = Duration::from_micros(10);
const STEPS: u64 = 30;

impl Workers {
    pub(super) fn of(node: &Node) -> Self {
        Self {
            path: node.packet_path(),
            outbound: FlowCursor::default(),
            inbound: FlowCursor::default(),
            mails: Vec::new(),
            read_at: None,
            reads: 0,
        }
    }

    /// A packet from an application: the datagram that carries it, unless the node has to act first.
    pub(super) fn depart(&mut self, packet: &[u8], now: Instant) -> Option<Transmit> {
        match self.path.outbound(&mut self.outbound, packet, (1, packet.len()), now) {
            Outbound::Send(mut grant) => {
                if let Some(notice) = grant.take_notice() {
                    self.post(Mail::Notice(notice), now);
                }
                let mut message = vec![0; sealed_len(packet.len(), self.path.mtu())];
                message[TRANSPORT_HEADER_LEN..][..packet.len()].copy_from_slice(packet);
                grant.seal(&mut message);
                if let Some(mut chunk) = self.path.take_chunk(grant.peer(), now) {
                    chunk.row_mut()[..message.len()].copy_from_slice(&message);
                    self.path.give_chunk(grant.peer(), chunk, (message.len(), message.len()), now);
                }
                let (remote, local) = (grant.remote(), grant.local());
                return Some(Transmit { remote, local, datagram: message, whole: false });
            }
            Outbound::Hold | Outbound::Shorten(_) => self.post(Mail::Packet(packet.to_vec()), now),
            Outbound::Drop(_) => {}
        }
        None
    }

    /// A datagram from the network: the packet in it, if it carries one.
    pub(super) fn arrive(&mut self, arrival: Arrival, datagram: &mut [u8], now: Instant) -> Option<Vec<u8>> {
        let path = Arc::clone(&self.path);
        let inbound = path.inbound(&mut self.inbound, arrival, datagram, now);
        let (packet, verdict) = (inbound.packet.map(|packet| packet.to_vec()), inbound.verdict);
        if let Some(notice) = inbound.notice {
            self.post(Mail::Notice(*notice), now);
        }
        if verdict == Verdict::ForNode {
            self.post(Mail::Datagram(arrival, datagram.to_vec()), now);
        }
        packet
    }

    fn post(&mut self, mail: Mail, now: Instant) {
        self.mails.push(mail);
        if self.read_at.is_none() {
            let steps = 1 + self.reads * 7 % STEPS;
            self.read_at = Some(now + STEP * u32::try_from(steps).unwrap_or(1));
            self.reads += 1;
        }
    }

    /// When the node reads.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.read_at
    }

    /// The node reads what has been posted.
    pub(super) fn read(&mut self, node: &mut Node, now: Instant) {
        self.read_at = None;
        let (packets, others): (Vec<Mail>, Vec<Mail>) =
            self.mails.drain(..).partition(|mail| matches!(mail, Mail::Packet(_)));
        for mail in packets.into_iter().chain(others) {
            match mail {
                Mail::Packet(packet) => node.handle_packet(&packet, now),
                Mail::Datagram(arrival, mut datagram) => node.handle_datagram(arrival, &mut datagram, now),
                Mail::Notice(notice) => node.handle_notice(notice, now),
            }
        }
    }
}
