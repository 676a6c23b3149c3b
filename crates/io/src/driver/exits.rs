//! Where what leaves the node goes: datagrams to the sockets, packets to the TUN device, events to the log.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;
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
}

impl Exits {
    /// Sends at once. What the system refuses is counted, and lost.
    pub(super) fn send(&mut self, transmit: &Transmit) {
        let outgoing = Outgoing::single(transmit.remote, transmit.local, &transmit.datagram);
        match self.sender.try_send(outgoing) {
            Ok(()) => {}
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
