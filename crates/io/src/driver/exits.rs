//! Where what leaves the node goes: datagrams to the sockets, packets to the TUN device, events to the log.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stead_node::{Event, Happening, Outlet, Transmit};
use tracing::{debug, info};

use crate::drops::{IoDrop, IoDrops};
use crate::gate::Gate;
use crate::tun::Device;
use crate::udp::{Outgoing, SendError, Sender};

/// Every way out of the node.
pub(super) struct Exits {
    pub(super) sender: Sender,
    pub(super) device: Arc<Device>,
    pub(super) drops: Arc<IoDrops>,
    /// Whom to tell of paths before they are used.
    pub(super) gate: Option<Gate>,
    /// What a filter of this host did not let go since the node was told last.
    pub(super) refused: BTreeSet<(SocketAddr, Option<IpAddr>)>,
    /// How long IP packets may be on the way to whom, as the system believes, since the node was told last.
    pub(super) believed: BTreeMap<SocketAddr, usize>,
}

impl Exits {
    /// Sends at once. What the system refuses is counted, and lost.
    pub(super) fn send(&mut self, transmit: &Transmit) {
        let outgoing = Outgoing::single(transmit.remote, transmit.local, &transmit.datagram);
        if transmit.whole {
            // Too long for a device of this host it may well be.
            let believed = Sender::believed_mtu(transmit.remote, transmit.local);
            self.believed.extend(believed.map(|mtu| (transmit.remote, mtu)));
        }
        let sent = match transmit.whole {
            true => self.sender.try_send_whole(outgoing),
            false => self.sender.try_send(outgoing),
        };
        match sent {
            Ok(()) => {}
            Err(SendError::Lost(IoDrop::DatagramTooBig)) if transmit.whole => {}
            // The node repeats what matters; nothing else may keep it waiting.
            Err(SendError::Full) => self.drops.count(IoDrop::SendBufferFull, 1),
            Err(SendError::Lost(reason)) => {
                debug!(remote = %transmit.remote, local = ?transmit.local, reason = reason.label(), "Not sent");
                self.drops.count(reason, 1);
                if reason == IoDrop::SendForbidden {
                    self.refused.insert((transmit.remote, transmit.local));
                }
            }
        }
    }
}

impl Outlet for Exits {
    fn transmit(&mut self, transmit: Transmit) {
        let passed = match &mut self.gate {
            Some(gate) => gate.pass(transmit),
            None => Some(transmit),
        };
        if let Some(transmit) = passed {
            self.send(&transmit);
        }
    }

    fn packet(&mut self, packet: Vec<u8>) {
        if let Err(error) = self.device.write(&packet) {
            debug!(%error, "Packet not written");
            self.drops.count(IoDrop::TunWriteFailed, 1);
        }
    }

    fn event(&mut self, event: Event) {
        info!(peer = event.peer, "{}", event.what);
        if let (Some(gate), Happening::PathMoved { from, to, .. }) = (&mut self.gate, &event.what) {
            gate.moved(&event.peer, *from, *to);
        }
    }
}
