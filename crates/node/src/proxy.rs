//! The SNS proxy (seed 001 figure 6): what the node says to its subscribe-notify services, and hears from them.
//!
//! Registers every peer with every service, publishes on every local change (figure 17), looks up peers that are
//! looked for, hands on what they published, and keeps the relays' slots. One service that answers suffices. Not
//! its job: what news of a peer's place mean for its paths (the [peer](crate::peer) decides), and how
//! relayed datagrams travel ([relay](crate::relay)).
//!
//! # Invariants
//! - The services learn no peer's key and no peer's name from us (D7), and nothing that they say is believed
//!   before it is proven: notifications are sealed by the peer, addresses in them are hints.
//! - Nothing is sent while no peer is configured.

mod announcement;
mod contact;
mod inquiry;
mod patience;
mod registration;
mod service;

use core::net::SocketAddr;
use std::collections::VecDeque;

use stead_lct::PeerId;
use stead_noise::keys::StaticSecret;
use stead_noise::random::RandomStream;
use stead_noise::rendezvous::Rendezvous;
use stead_wire::message::{CookieReply, Response, SessionIndex};
use stead_wire::options::Wishes;
use stead_wire::time::{Duration, Instant};

use self::announcement::Announcement;
use self::registration::Registration;
pub use self::service::ServiceStatus;
use self::service::{Service, Word};
use crate::attachment::{Cause, LocalAttachment, LocalRoute};
use crate::drops::Discard;
use crate::event::{Event, Happening};
use crate::node::Wake;
use crate::notice::Arrival;
use crate::peer::{Help, Sought, Whereabouts};
use crate::relay::RelayAddress;
use crate::settings::{PeerSettings, ServiceSettings};
use crate::turn::Turn;

/// A NAT that forgets us every moment must not make us publish every moment.
const REBOUND_INTERVAL: Duration = Duration::from_secs(10);

/// See the module's documentation.
pub(crate) struct Proxy {
    services: Vec<Service>,
    /// By number of the peer.
    peers: Vec<Followed>,
    announcement: Announcement,
    random: RandomStream,
    news: VecDeque<(PeerId, News)>,
}

/// What is known of a peer besides its registrations.
#[derive(Debug, Default)]
struct Followed {
    sought: Sought,
    /// Number of the newest publication, over any service.
    newest: Option<u64>,
    relay: Option<RelayAddress>,
    /// Since when its packets take a relay.
    relayed: Option<(RelayAddress, Instant)>,
}

/// What a peer has to be told.
#[derive(Debug)]
pub(crate) enum News {
    /// Where it is.
    Whereabouts(Whereabouts),
    /// A relay reaches it, or none any more.
    Relay(Option<SocketAddr>),
}

/// A path over a relay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayedStatus {
    /// The name of the service that relays.
    pub by: String,
    /// Since when.
    pub since: Instant,
}

impl Proxy {
    /// A proxy that speaks with `services` for `peers`; the first service is called `first`.
    pub(crate) fn new(
        secret: &StaticSecret,
        peers: &[PeerSettings],
        services: Vec<ServiceSettings>,
        first: PeerId,
        random: RandomStream,
    ) -> Self {
        let ids = (first.0..).map(PeerId);
        let mut services: Vec<_> =
            ids.zip(services).map(|(id, settings)| Service::new(id, settings)).collect();
        for service in &mut services {
            for (id, peer) in (0..).map(PeerId).zip(peers) {
                if let Some(meeting) = Rendezvous::new(secret, &peer.public_key, &service.contact.key()) {
                    service.register(id, Registration::new(meeting));
                }
            }
        }
        Self {
            services,
            peers: peers.iter().map(|_| Followed::default()).collect(),
            announcement: Announcement::default(),
            random,
            news: VecDeque::new(),
        }
    }

    /// Whether there is anyone who could find a peer.
    pub(crate) const fn can_look_up(&self) -> bool {
        !self.services.is_empty()
    }

    /// What a peer has to be told, next.
    pub(crate) fn poll_news(&mut self) -> Option<(PeerId, News)> {
        self.news.pop_front()
    }

    /// When each service wants to be looked at, and what for.
    pub(crate) fn poll_timeouts(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (PeerId, Option<(Instant, Wake)>)> {
        self.services.iter().map(move |service| (service.contact.id(), service.poll_timeout(now)))
    }

    /// From which of our addresses relayed paths begin: from the one that leads to the relay.
    pub(crate) fn relay_routes(&self, here: &LocalAttachment) -> Vec<LocalRoute> {
        let route = |(number, service): (u32, &Service)| {
            let source = here.source_for(service.contact.place()?.ip())?;
            Some(LocalRoute { destination: RelayAddress::block(number), source })
        };
        (0..).zip(&self.services).filter_map(route).collect()
    }

    /// Where this host is attached has changed, or it woke (seed 001 figure 17).
    pub(crate) fn on_attachment(&mut self, before: &LocalAttachment, turn: &mut Turn<'_>) {
        if self.services.is_empty() {
            return;
        }
        let port = turn.identity.listen_port;
        let sources = |here: &LocalAttachment| {
            let source = |service: &Service| here.source_for(service.contact.place()?.ip());
            self.services.iter().map(source).collect::<Vec<_>>()
        };
        let moved = before.points(port) != turn.attachment.points(port)
            || sources(before) != sources(turn.attachment)
            || turn.attachment.cause == Cause::Woke;
        if moved {
            self.announcement.on_move(turn);
            self.services.iter_mut().for_each(|service| service.on_move(turn));
        }
        self.advance(turn);
    }

    /// This node ends in good order: the services need keep nothing for it any longer.
    pub(crate) fn end(&mut self, turn: &mut Turn<'_>) {
        self.services.iter_mut().for_each(Service::end);
        self.advance(turn);
    }

    /// Whether a peer `stays` where it is, in public: then no service is needed for it, unless it is not found there. True
    /// if the services were told.
    pub(crate) fn settle_down(&mut self, peer: PeerId, stays: bool, turn: &mut Turn<'_>) -> bool {
        let Some(followed) = self.peers.get(peer.0 as usize) else { return false };
        let needed = !stays || followed.sought.help == Help::Relay || followed.relayed.is_some();
        let mut changed = false;
        for registration in self.services.iter_mut().filter_map(|service| service.registration(peer)) {
            changed |= registration.is_needed() != needed;
            registration.need(needed);
        }
        if changed {
            self.advance(turn);
        }
        changed
    }

    /// How much a peer is sought now, and over which relay it is reached. True if the services were told.
    pub(crate) fn follow(
        &mut self,
        peer: PeerId,
        sought: Sought,
        relayed: Option<RelayAddress>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(followed) = self.peers.get_mut(peer.0 as usize) else { return false };
        if followed.relayed.map(|(relay, _)| relay) != relayed {
            followed.relayed = relayed.map(|relay| (relay, turn.now));
        }
        let before = core::mem::replace(&mut followed.sought, sought);
        if self.services.is_empty() || before == sought {
            return false;
        }
        // A peer behind a NAT that forgot us, or never knew us, has to send first: it is told where we wait for it.
        if before.help == Help::None {
            self.announcement.repeat();
        }
        // Where the search begins, a service that has forgotten us is told all again.
        let begins = before.help == Help::None || (before.since.is_none() && sought.since.is_some());
        for service in &mut self.services {
            let wishes = wishes(sought.help, service.relays);
            if let Some(registration) = service.registration(peer) {
                registration.wish(wishes);
                registration.seek(sought.since.is_some());
                if begins {
                    registration.resubscribe();
                    registration.republish();
                }
            }
        }
        self.advance(turn);
        true
    }

    /// A service answered our handshake.
    pub(crate) fn on_response(
        &mut self,
        id: PeerId,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        self.service(id).ok_or(Discard::UnsolicitedHandshake)?.on_response(response, arrival, turn)?;
        self.advance(turn);
        Ok(())
    }

    /// A service is under load.
    pub(crate) fn on_cookie(
        &mut self,
        id: PeerId,
        reply: &CookieReply<'_>,
        now: Instant,
    ) -> Result<(), Discard> {
        self.service(id).ok_or(Discard::UnsolicitedHandshake)?.on_cookie(reply, now)
    }

    /// A service says something.
    pub(crate) fn on_message(
        &mut self,
        id: PeerId,
        index: SessionIndex,
        arrival: Arrival,
        encoded: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let Some(at) = self.services.iter().position(|service| service.contact.id() == id) else { return };
        let peers = &self.peers;
        let newest = |peer: PeerId| peers.get(peer.0 as usize)?.newest;
        let words = self.services[at].on_message(index, arrival, encoded, &self.announcement, newest, turn);
        for word in words {
            self.on_word(at, word, turn);
        }
        self.advance(turn);
    }

    fn on_word(&mut self, at: usize, word: Word, turn: &mut Turn<'_>) {
        match word {
            Word::Found(peer, number, whereabouts) => {
                if let Some(followed) = self.peers.get_mut(peer.0 as usize) {
                    followed.newest = followed.newest.max(Some(number));
                    self.news.push_back((peer, News::Whereabouts(whereabouts)));
                }
            }
            Word::Relays(peer) => self.offer_relay(peer),
            Word::Overtaken => self.announcement.overtake(),
            Word::Rebound => match self.announcement.moved().map(|at| at + REBOUND_INTERVAL) {
                Some(later) if turn.now < later => self.services[at].rebound_at = Some(later),
                _ => self.on_rebound(turn),
            },
            Word::Answers { apparent, public } => {
                let what = Happening::ServiceAnswers { apparent, public };
                turn.out.events.push_back(Event { peer: self.services[at].name.clone(), what });
            }
        }
    }

    /// We are reached at another place, though we did not move.
    fn on_rebound(&mut self, turn: &Turn<'_>) {
        self.announcement.on_move(turn);
        for service in &mut self.services {
            service.rebound_at = None;
            service.republish();
        }
    }

    /// The moment that a service named has come.
    pub(crate) fn handle_timeout(&mut self, id: PeerId, turn: &mut Turn<'_>) {
        if self.service(id).and_then(|service| service.rebound_at).is_some_and(|at| turn.now >= at) {
            self.on_rebound(turn);
        }
        let Some(service) = self.service(id) else { return };
        for peer in service.handle_timeout(turn) {
            self.offer_relay(peer);
        }
        self.advance(turn);
        let Some(service) = self.service(id) else { return };
        if service.went_silent() {
            let event = Event { peer: service.name.clone(), what: Happening::ServiceSilent };
            turn.out.events.push_back(event);
            // What it relayed, another one may relay.
            (0..).map(PeerId).take(self.peers.len()).for_each(|peer| self.offer_relay(peer));
        }
    }

    /// Tells a peer of the first service that relays to it, if that is another than before. One that is silent comes
    /// last: its slots are as old as its last word.
    fn offer_relay(&mut self, peer: PeerId) {
        let slot = |(number, service): (u32, &mut Service)| {
            let relay = RelayAddress::new(number, service.registration(peer)?.slot()?);
            Some((service.is_silent(), relay))
        };
        let slots = (0..).zip(&mut self.services).filter_map(slot);
        let relay = slots.min_by_key(|(silent, _)| *silent).map(|(_, relay)| relay);
        let Some(followed) = self.peers.get_mut(peer.0 as usize) else { return };
        if core::mem::replace(&mut followed.relay, relay) != relay {
            self.news.push_back((peer, News::Relay(relay.map(Into::into))));
        }
    }

    /// Lets every service say what it is to be told, and shows the workers which relays there are.
    fn advance(&mut self, turn: &mut Turn<'_>) {
        let search = self.peers.iter().filter_map(|peer| peer.sought.since).max();
        for (number, service) in (0..).zip(&mut self.services) {
            service.advance(&self.announcement, search, &mut self.random, turn);
            turn.path.relays().set(number, service.gate());
        }
    }

    pub(crate) fn status(&self, now: Instant) -> Vec<ServiceStatus> {
        self.services.iter().map(|service| service.status(now)).collect()
    }

    /// Which relay carries a peer's packets.
    pub(crate) fn relayed(&self, peer: PeerId) -> Option<RelayedStatus> {
        let (relay, since) = self.peers.get(peer.0 as usize)?.relayed?;
        let by = self.services.get(relay.service() as usize)?.name.clone();
        Some(RelayedStatus { by, since })
    }

    fn service(&mut self, id: PeerId) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.contact.id() == id)
    }
}

/// What a service is asked for besides being matched. One that may not relay for us is not asked to.
fn wishes(help: Help, relays: bool) -> Wishes {
    match help {
        Help::None => Wishes::NONE,
        Help::Relay if relays => Wishes::WATCH | Wishes::RELAY,
        Help::Watch | Help::Relay => Wishes::WATCH,
    }
}
