//! Resumption: once a path is proven, what was held goes before anything newer (seed 002 claims 1 d, 8).

use core::net::SocketAddr;

use stead_wire::options::VcOption;

use super::{Peer, sealing};
use crate::drops::Discard;
use crate::lane::Flow;
use crate::turn::Turn;

impl Peer {
    /// Lets what was held go, if it can.
    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        if self.suspended.is_some() {
            return;
        }
        let (Some(session), Some(active)) =
            (self.handshaking.sealing(turn.now).cloned(), self.paths.active().cloned())
        else {
            return;
        };
        while let Some(packet) = self.stage.pop() {
            let released = turn.path.release(&packet, &self.lane, (&session, &active), turn.now);
            let Some(mut grant) = released else {
                turn.path.drops().count(Discard::ExpiredSession);
                continue;
            };
            let probe = self.probe_beside(packet.len(), grant.remote(), turn);
            let mut message = sealing::layout(&packet, probe.as_slice(), turn.path.mtu());
            grant.seal(&mut message);
            turn.transmit(grant.remote(), grant.local(), message);
        }
    }

    /// The probe option, if one is due and fits beside a packet of `len` bytes.
    fn probe_beside(&mut self, len: usize, remote: SocketAddr, turn: &Turn<'_>) -> Option<VcOption> {
        match self.negotiation.flow() {
            Flow::Probing { room } if len + room <= turn.path.mtu() => {
                self.negotiation.probe(turn.claimed(remote), turn.now)
            }
            _ => None,
        }
    }
}
