//! One subscribe-notify service: what it knows of us, what it is to be told, when it is asked again.
//!
//! What it says is heard in `service/hearing.rs`; this file speaks.
//!
//! # Life-cycle
//! no session → (asked until it answers) → session, everything registered → (answers fail to come) → asked for a
//! new session meanwhile → (answered) → everything registered anew. Being told is all that keeps a session: it is
//! renewed for as long as there are peers.
//!
//! # Invariants
//! - An idle public node sends nothing between two sessions; one behind a NAT only what keeps the NAT's mapping.
//! - Whatever the service says is about topics that we subscribed to, or is dropped.

mod hearing;
mod status;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use stead_lct::PeerId;
use stead_noise::random::RandomStream;
use stead_noise::session::Session;
use stead_wire::options::{Topic, VcOption};
use stead_wire::time::{Duration, Instant};

use super::announcement::Announcement;
use super::contact::Contact;
use super::inquiry::Inquiry;
use super::patience::{Asked, Patience};
use super::registration::Registration;
use crate::node::Wake;
use crate::peer;
use crate::relay::Gate;
use crate::settings::ServiceSettings;
use crate::turn::Turn;

pub(super) use self::hearing::Word;
pub use self::status::ServiceStatus;

/// Bytes of options in one message: with everything around them it fits the smallest IPv6 path (1280).
const MOST_BYTES: usize = 1120;

/// See the module's documentation.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) relays: bool,
    keepalive: Option<Duration>,
    pub(super) contact: Contact,
    registrations: BTreeMap<PeerId, Registration>,
    by_topic: BTreeMap<Topic, PeerId>,
    patience: Patience,
    inquiry: Inquiry,
    /// Options that answer the service, to be sent with whatever else is due.
    answers: Vec<VcOption>,
    /// Where our datagrams seem to come from since the last local change.
    apparent: Option<SocketAddr>,
    public: Option<bool>,
    answered: Option<Instant>,
    spoke: Option<Instant>,
    /// Whether a route leads to the service.
    reachable: bool,
    /// When to publish that a NAT gave us another place, which was too soon when it did.
    pub(super) rebound_at: Option<Instant>,
    /// Whose subscription the next keepalive renews.
    next: Option<PeerId>,
    /// The service was told to be silent.
    silence_told: bool,
}

impl Service {
    pub(super) fn new(id: PeerId, settings: ServiceSettings) -> Self {
        Self {
            name: settings.name,
            relays: settings.relay,
            keepalive: settings.keepalive,
            contact: Contact::new(id, settings.public_key, settings.endpoints),
            registrations: BTreeMap::new(),
            by_topic: BTreeMap::new(),
            patience: Patience::default(),
            inquiry: Inquiry::default(),
            answers: Vec::new(),
            apparent: None,
            public: None,
            answered: None,
            spoke: None,
            reachable: false,
            rebound_at: None,
            next: None,
            silence_told: false,
        }
    }

    /// From now on `peer` is registered here.
    pub(super) fn register(&mut self, peer: PeerId, registration: Registration) {
        self.by_topic.insert(registration.topic(), peer);
        self.registrations.insert(peer, registration);
    }

    pub(super) fn registration(&mut self, peer: PeerId) -> Option<&mut Registration> {
        self.registrations.get_mut(&peer)
    }

    /// The relay's gate: where it is and which slots are ours.
    pub(super) fn gate(&self) -> Option<Gate> {
        let slots: BTreeSet<_> = self.registrations.values().filter_map(Registration::slot).collect();
        let remote = self.contact.place()?;
        (!slots.is_empty()).then_some(Gate { remote, slots })
    }

    /// We are somewhere else: what was asked from the old place is asked anew, and there is news to publish.
    pub(super) fn on_move(&mut self, turn: &mut Turn<'_>) {
        self.apparent = None;
        self.rebound_at = None;
        self.patience.rest();
        self.contact.abandon(turn);
        self.republish();
    }

    /// What the service keeps for this node is to be ended.
    pub(super) fn end(&mut self) {
        self.registrations.values_mut().for_each(|registration| registration.need(false));
    }

    /// There is something new to publish.
    pub(super) fn republish(&mut self) {
        self.registrations.values_mut().for_each(Registration::republish);
    }

    /// Says what is due, asks for a session if one is needed, and decides when to look again.
    ///
    /// `search` tells since when a peer is looked for, if one is.
    pub(super) fn advance(
        &mut self,
        announcement: &Announcement,
        search: Option<Instant>,
        random: &mut RandomStream,
        turn: &mut Turn<'_>,
    ) {
        let target = self.contact.target(turn);
        self.reachable = target.is_some() && !self.registrations.is_empty();
        let Some(target) = target.filter(|_| self.reachable) else {
            self.patience.rest();
            self.inquiry = Inquiry::default();
            return;
        };
        let now = turn.now;
        let again = self.patience.is_over(now);
        self.inquiry.follow(search, self.patience.rtt(), now);
        if self.inquiry.take_due(now) {
            self.registrations.values_mut().for_each(Registration::inquire);
        }
        if self.keepalive_due().is_some_and(|at| now >= at) {
            self.keep_alive();
        }
        let session = self.contact.session(now).cloned();
        let doubtful = self.patience.doubts_session(again, search.is_some());
        let renew = doubtful || self.contact.renew_at(now).is_none_or(|at| now >= at);
        let asks = renew && (again || !self.contact.is_asking()) && self.patience.may_shake_hands(now);
        if asks {
            self.contact.ask(turn);
        }
        let tells = session.as_ref().is_some_and(|session| {
            let due = self.take_due(again, announcement, random, now);
            self.tell(due, session, target, turn)
        });
        let awaited = self.contact.is_asking() || self.registrations.values().any(Registration::is_awaited);
        if !awaited {
            self.patience.rest();
        } else if asks || tells || again {
            let asked = Asked { again, handshake: session.is_none(), search };
            let spread = turn.random.jitter.next_u32().to_le_bytes()[0];
            self.patience.wait(asked, spread, now);
        }
    }

    fn take_due(
        &mut self,
        again: bool,
        announcement: &Announcement,
        random: &mut RandomStream,
        now: Instant,
    ) -> Vec<VcOption> {
        let mut due = core::mem::take(&mut self.answers);
        for registration in self.registrations.values_mut() {
            registration.take_due(again, announcement, random, now, &mut due);
        }
        due
    }

    /// Sends options, as many messages as they need; each says where we believe to be. True if there were any.
    fn tell(
        &mut self,
        due: Vec<VcOption>,
        session: &Session,
        (remote, local): (SocketAddr, core::net::IpAddr),
        turn: &mut Turn<'_>,
    ) -> bool {
        let claimed = VcOption::Claimed(SocketAddr::new(local, turn.identity.listen_port));
        let mut due = due.into_iter().peekable();
        let told = due.peek().is_some();
        while due.peek().is_some() {
            let mut message = vec![claimed.clone()];
            let mut len = claimed.encoded_len();
            while let Some(option) = due.next_if(|next| len + next.encoded_len() <= MOST_BYTES) {
                len += option.encoded_len();
                message.push(option);
            }
            peer::send(session, &message, (remote, Some(local)), turn);
        }
        if told {
            self.spoke = Some(turn.now);
        }
        told
    }

    /// Whether the service went silent, as nobody was told yet.
    pub(super) const fn went_silent(&mut self) -> bool {
        self.patience.is_hopeless() && !core::mem::replace(&mut self.silence_told, true)
    }

    /// Whether it was told to be silent, and has said nothing since.
    pub(super) const fn is_silent(&self) -> bool {
        self.silence_told
    }

    /// Behind a NAT: when the mapping wants refreshing. While an answer is awaited it is refreshed anyway.
    fn keepalive_due(&self) -> Option<Instant> {
        let waits = self.public == Some(false)
            && self.patience.retry_at().is_none()
            && self.registrations.values().any(Registration::is_needed);
        Some(self.spoke? + self.keepalive.filter(|_| waits)?)
    }

    /// Renews one subscription after the other: the service answers that, and says where it sees us now.
    fn keep_alive(&mut self) {
        let after = self.next.map_or(0, |peer| peer.0 + 1);
        let needed = |from: u32| {
            let mut following = self.registrations.range(PeerId(from)..);
            following.find(|(_, registration)| registration.is_needed()).map(|(peer, _)| *peer)
        };
        let next = needed(after).or_else(|| needed(0));
        self.next = next;
        if let Some(registration) = next.and_then(|peer| self.registrations.get_mut(&peer)) {
            registration.resubscribe();
        }
    }

    /// When something is to be done, and what.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<(Instant, Wake)> {
        let ends = (self.contact.poll_timeout(), Wake::Handshake);
        let renews = self.contact.renew_at(now).filter(|_| !self.contact.is_asking());
        let renews = renews.map(|at| self.patience.handshake_at().map_or(at, |later| at.max(later)));
        let connected = self.contact.session(now).is_some();
        let leases = self.registrations.values().filter_map(|it| it.poll_timeout(connected)).min();
        let active = [
            (self.patience.retry_at(), Wake::Registration),
            (renews, Wake::Handshake),
            (leases, Wake::Registration),
            (self.keepalive_due(), Wake::ServiceKeepalive),
            (self.inquiry.poll_timeout(), Wake::Registration),
            (self.rebound_at, Wake::Registration),
        ];
        let active = active.into_iter().filter(|_| self.reachable);
        core::iter::once(ends)
            .chain(active)
            .filter_map(|(at, wake)| Some((at?, wake)))
            .min_by_key(|(at, _)| *at)
    }

    /// Ends what is over. Returns the peers whose relay may be gone.
    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) -> Vec<PeerId> {
        self.contact.expire(turn);
        let mut changed = Vec::new();
        for (peer, registration) in &mut self.registrations {
            let before = registration.slot();
            registration.handle_timeout(turn.now);
            if before != registration.slot() {
                changed.push(*peer);
            }
        }
        changed
    }
}
