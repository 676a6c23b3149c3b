//! The session with one service: WireGuard's initiator, with no other role and its own patience.
//!
//! A service never asks for a session and never moves of its own accord, so nothing of a
//! [`Peer`](crate::peer::Peer) is needed but this. When to ask is the [service](super::service)'s business.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::sync::Arc;

use stead_lct::PeerId;
use stead_noise::cookie::CookieStore;
use stead_noise::handshake::{Initiator, Tai64N};
use stead_noise::keys::{PresharedKey, PublicKey};
use stead_noise::schedule::Keypairs;
use stead_noise::session::Session;
use stead_wire::message::{CookieReply, Response, SessionIndex};
use stead_wire::time::{Duration, Instant};

use crate::drops::Discard;
use crate::notice::Arrival;
use crate::turn::Turn;

/// A session of this age is renewed. Later than WireGuard's 120 s, since nothing but this keeps it: the fewer, the
/// longer a phone sleeps. Early enough for many tries before it ends at 180 s.
const RENEW_AFTER: Duration = Duration::from_secs(150);

/// Initiations whose answers are awaited at once: a service may be further away than the pause between two of them.
const MOST_FLIGHTS: usize = 4;

/// See the module's documentation.
pub(super) struct Contact {
    id: PeerId,
    key: PublicKey,
    endpoints: Vec<SocketAddr>,
    /// Where the service last answered.
    place: Option<SocketAddr>,
    keypairs: Keypairs,
    cookies: CookieStore,
    /// Initiations under way, the newest last.
    flights: VecDeque<Flight>,
    completed: u64,
}

/// An initiation under way.
struct Flight {
    initiator: Initiator,
    sent: Instant,
}

impl Contact {
    pub(super) fn new(id: PeerId, key: PublicKey, endpoints: Vec<SocketAddr>) -> Self {
        Self {
            id,
            key,
            endpoints,
            place: None,
            keypairs: Keypairs::new(),
            cookies: CookieStore::new(&key),
            flights: VecDeque::new(),
            completed: 0,
        }
    }

    pub(super) const fn id(&self) -> PeerId {
        self.id
    }

    pub(super) const fn key(&self) -> PublicKey {
        self.key
    }

    pub(super) const fn completed(&self) -> u64 {
        self.completed
    }

    /// Where the service last answered.
    pub(super) const fn place(&self) -> Option<SocketAddr> {
        self.place
    }

    pub(super) fn session(&self, now: Instant) -> Option<&Arc<Session>> {
        self.keypairs.sealing(now)
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.flights.is_empty()
    }

    /// When the session is old enough to be renewed.
    pub(super) fn renew_at(&self, now: Instant) -> Option<Instant> {
        self.session(now).map(|session| session.created() + RENEW_AFTER)
    }

    /// When a session ends.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.keypairs.poll_timeout()
    }

    /// Where to send, and from which of our addresses: where it last answered if a route leads there.
    pub(super) fn target(&self, turn: &Turn<'_>) -> Option<(SocketAddr, IpAddr)> {
        self.targets(turn).next()
    }

    fn targets<'c>(&'c self, turn: &'c Turn<'_>) -> impl Iterator<Item = (SocketAddr, IpAddr)> + 'c {
        let others = self.endpoints.iter().copied().filter(|point| Some(*point) != self.place);
        let source = |point: SocketAddr| Some((point, turn.attachment.source_for(point.ip())?));
        self.place.into_iter().chain(others).filter_map(source)
    }

    /// Asks for a session wherever the service may be. The answers to the last few questions count.
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
        if self.flights.len() >= MOST_FLIGHTS {
            self.end_flights(1, turn);
        }
        let targets: Vec<_> = self.targets(turn).collect();
        let index = turn.fresh_index();
        let timestamp = Tai64N::from(turn.wall);
        let random = &mut turn.random.handshakes;
        let psk = PresharedKey::default();
        let Ok((initiator, mut message)) =
            Initiator::start(&turn.identity.secret, &self.key, &psk, index, timestamp, random)
        else {
            return;
        };
        self.cookies.finish_macs(&mut message, turn.now);
        for (remote, local) in targets {
            turn.transmit(remote, Some(local), message.to_vec());
        }
        turn.flights.insert(index, self.id);
        self.flights.push_back(Flight { initiator, sent: turn.now });
    }

    /// Whatever was asked is not awaited any more.
    pub(super) fn abandon(&mut self, turn: &mut Turn<'_>) {
        self.end_flights(self.flights.len(), turn);
    }

    /// The oldest `count` questions are not awaited any more.
    fn end_flights(&mut self, count: usize, turn: &mut Turn<'_>) {
        for flight in self.flights.drain(..count) {
            turn.flights.remove(&flight.initiator.index());
        }
    }

    /// The service answered; returns how long that took.
    pub(super) fn on_response(
        &mut self,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<Duration, Discard> {
        let asked = |flight: &Flight| flight.initiator.index() == response.receiver;
        let at = self.flights.iter().position(asked).ok_or(Discard::UnsolicitedHandshake)?;
        let flight = &mut self.flights[at];
        let keys = flight.initiator.finish(response).map_err(|_| Discard::ForgedHandshake)?;
        let rtt = turn.now - flight.sent;
        // A later question, which the service may answer too, leads to a later session.
        self.end_flights(at + 1, turn);
        self.place = Some(arrival.source);
        self.completed += 1;
        let session = Arc::new(Session::new(keys, turn.now));
        for retired in self.keypairs.install_initiated(Arc::clone(&session)) {
            turn.path.forget(retired);
        }
        turn.path.admit(&session, self.id);
        Ok(rtt)
    }

    /// Under load the service wants our address proven first; the next question carries the cookie.
    pub(super) fn on_cookie(&mut self, reply: &CookieReply<'_>, now: Instant) -> Result<(), Discard> {
        self.cookies.opened(reply, now).map_err(|_| Discard::ForgedCookie)
    }

    /// An authenticated message: the service is where its newest session speaks from, as WireGuard says.
    pub(super) fn on_message(&mut self, index: SessionIndex, arrival: Arrival, turn: &mut Turn<'_>) {
        let Some(session) = self.session(turn.now).filter(|session| session.local() == index) else { return };
        let created = session.created();
        self.place = Some(arrival.source);
        // It goes on in this session, so nothing that was asked before it needs an answer.
        let before = self.flights.iter().take_while(|flight| flight.sent < created).count();
        self.end_flights(before, turn);
    }

    /// Ends sessions past their life.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) {
        for ended in self.keypairs.expire(turn.now) {
            turn.path.forget(ended);
        }
    }
}
