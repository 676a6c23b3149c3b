//! Orders of a person or a script: suspend a peer's traffic, and resume it (`stead suspend`, `stead resume`).
//!
//! A peer that is suspended on order is one that we play dead to: its packets are held here, and nothing is asked,
//! answered or repeated, so that it suspends its own end within a second, as in any outage. What it still sends
//! arrives. Only an order ends that: not a move, not a wake from sleep, not anything of the peer's.
//!
//! # Life-cycle
//! nothing → [suspended](Peer::on_suspend) → [resumed](Peer::on_resume): the peer is told at once where we are (CU), and
//! traffic flows when it has confirmed that.

use core::net::SocketAddr;

use stead_wire::options::{self, VcOption};

use super::Peer;
use super::migrator::News;
use super::options::MOST_OPTIONS;
use crate::attachment::LocalAttachment;
use crate::drops::Discard;
use crate::event::{Happening, Suspension};
use crate::notice::Arrival;
use crate::turn::Turn;

impl Peer {
    /// Suspends the peer until it is resumed; false if it was so ordered before.
    pub(crate) fn on_suspend(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.ordered.is_some() {
            return false;
        }
        self.ordered = Some(turn.now);
        // Every machine comes to rest: nothing may be asked whose answer nobody would take.
        self.handshaking.abandon(turn);
        self.non_migrator.settle();
        self.requests.end();
        self.liveness.forget_path();
        self.lane.forget_unanswered();
        self.search = None;
        (self.barred, self.refusal) = (None, None);
        if self.paths.active().is_some() {
            self.migrator.detach(turn.now);
        }
        if self.suspended.is_some() {
            self.tell(Happening::Suspended { why: Suspension::Ordered }, turn);
        }
        true
    }

    /// Resumes the peer and asks it at once; false if no order had suspended it. Then it is asked at once all the same,
    /// if it is being looked for.
    pub(crate) fn on_resume(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.ordered.take().is_none() {
            self.ask_now(turn);
            return false;
        }
        let waits = !self.stage.is_empty() || self.about.persistent_keepalive.is_some();
        if self.paths.active().is_none() {
            // Never met.
            if waits {
                self.want(turn);
            }
            return true;
        }
        let targets = self.paths.targets(turn.attachment);
        match self.handshaking.sealing(turn.now).cloned() {
            _ if targets.is_empty() => self.migrator.detach(turn.now),
            None => self.ask_from_new_place(waits, &targets, turn),
            Some(session) if !self.negotiation.enhanced() => self.roam(&session, &targets, turn),
            Some(session) => self.announce(Some(Suspension::Resuming), &session, turn),
        }
        true
    }

    fn ask_now(&mut self, turn: &mut Turn<'_>) {
        self.on_news(News::AskNow, turn);
        if self.handshaking.in_flight() {
            let targets = self.every_target(turn);
            self.handshaking.restart(&targets, turn);
        }
    }

    /// Whether we play dead to the peer.
    pub(super) const fn plays_dead(&self) -> bool {
        self.ordered.is_some()
    }

    /// The host moves while the peer is suspended on order: it is told when that ends.
    pub(super) fn move_unheard(&mut self, before: &LocalAttachment, turn: &Turn<'_>) {
        self.moves.unconfirmed |= self.paths.active().is_some() && self.moved(before, turn);
    }

    /// What the peer says while it is suspended on order: nothing is answered, but where it can be found is remembered.
    pub(super) fn overhear(&mut self, arrival: Arrival, encoded: &[u8], turn: &Turn<'_>) {
        for option in options::decode(encoded).take(MOST_OPTIONS) {
            match option {
                Ok(VcOption::AttachmentPoints(points)) => self.paths.advertise(points.as_slice()),
                Ok(VcOption::ConnectionUpdate(_)) => self.overhear_from(arrival.source),
                Ok(VcOption::Probe(probe) | VcOption::ProbeReply(probe)) => self.negotiation.on_probe(&probe),
                Ok(_) => {}
                Err(_) => turn.path.drops().count(Discard::MalformedOptions),
            }
        }
    }

    /// It announces itself from there; a hint, like a service's.
    fn overhear_from(&mut self, source: SocketAddr) {
        self.paths.appear(source);
    }
}
