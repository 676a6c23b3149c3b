//! A peer's handshakes: both roles, their retries, and the sessions that come of them.
//!
//! Decides when an initiation is sent again and which session seals; never decides where the peer is.
//!
//! # Life-cycle
//! idle → (a session is wanted) → in flight → (response) → session. Meanwhile the peer may ask too; then its
//! session waits for its first message before it is used (WireGuard paper §5.4.4).

mod flight;

use core::net::SocketAddr;
use std::sync::Arc;

use stead_lct::PeerId;
use stead_noise::cookie::CookieStore;
use stead_noise::handshake::{Initiator, Responder, Tai64N};
use stead_noise::keys::{PresharedKey, PublicKey};
use stead_noise::schedule::{Keypairs, REKEY_TIMEOUT};
use stead_noise::session::Session;
use stead_wire::message::{CookieReply, Response, SessionIndex};
use stead_wire::time::{Duration, Instant, UnixTime};

use self::flight::Flight;
use crate::drops::Discard;
use crate::notice::Arrival;
use crate::peer::requests::PAUSES;
use crate::turn::Turn;

/// Initiations of one peer closer together than this are not answered (WireGuard paper §5.1, 50 per second).
const INITIATION_INTERVAL: Duration = Duration::from_millis(20);

/// The same initiation again, while somebody waits for its answer, between one and the next: one that arrives again is
/// dropped as replayed, so that an answer under way stays good.
const EVERY_SECOND: [Duration; 4] = [Duration::from_secs(1); 4];

/// A peer whose initiations are too old is asked no more often than this, however many come.
const COUNTER_INTERVAL: Duration = REKEY_TIMEOUT;

/// An initiation that the host's own filter refused is followed by another one no sooner than this.
const REFUSED_RETRY: Duration = Duration::from_millis(100);

/// The least by which a later calendar's time differs.
const TICK: Duration = Duration::from_micros(1);

/// Where a handshake message goes: the peer's attachment point, and from which of ours.
pub(crate) type Target = (SocketAddr, Option<core::net::IpAddr>);

/// One peer's handshakes and sessions.
pub(crate) struct Handshaking {
    peer: PeerId,
    remote: PublicKey,
    psk: PresharedKey,
    keypairs: Keypairs,
    flight: Option<Flight>,
    cookies: CookieStore,
    newest: Option<Tai64N>,
    /// When our latest initiation was made, by the calendar.
    stamped: UnixTime,
    /// When the peer was last asked because an initiation of its own was too old.
    countered: Option<Instant>,
    answered: Option<Answered>,
    awaited: Option<SessionIndex>,
    completed: u64,
    completed_at: Option<Instant>,
}

/// The last initiation we answered.
struct Answered {
    at: Instant,
    session: SessionIndex,
    to: Arrival,
}

/// A handshake that we began has completed.
pub(crate) struct Established {
    pub(crate) session: Arc<Session>,
    /// The target that the answer came from, if it was one of those we asked.
    pub(crate) target: Option<Target>,
    /// Time from our last initiation to the response.
    pub(crate) rtt: Duration,
}

/// A handshake that the peer began has completed.
pub(crate) struct Confirmed {
    /// Where our response had gone: it arrived, so that path works.
    pub(crate) answered_to: Option<Arrival>,
}

impl Handshaking {
    pub(crate) fn new(peer: PeerId, remote: PublicKey, psk: Option<PresharedKey>) -> Self {
        Self {
            peer,
            remote,
            psk: psk.unwrap_or_default(),
            keypairs: Keypairs::new(),
            flight: None,
            cookies: CookieStore::new(&remote),
            newest: None,
            stamped: UnixTime(Duration::ZERO),
            countered: None,
            answered: None,
            awaited: None,
            completed: 0,
            completed_at: None,
        }
    }

    /// The session that seals now.
    pub(crate) fn sealing(&self, now: Instant) -> Option<&Arc<Session>> {
        self.keypairs.sealing(now)
    }

    pub(crate) fn by_index(&self, index: SessionIndex) -> Option<&Arc<Session>> {
        self.keypairs.by_index(index)
    }

    /// The session that we responded to and that its first message will confirm.
    pub(crate) const fn awaited(&self) -> Option<SessionIndex> {
        self.awaited
    }

    pub(crate) const fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// Since when a handshake goes unanswered, if that is longer than any round trip that matters.
    pub(crate) fn unanswered_since(&self, now: Instant) -> Option<Instant> {
        self.flight.as_ref()?.unanswered_since(now)
    }

    pub(crate) const fn completed(&self) -> u64 {
        self.completed
    }

    pub(crate) const fn completed_at(&self) -> Option<Instant> {
        self.completed_at
    }

    /// Asks for a session at every one of `targets`; does nothing if a handshake is under way.
    pub(crate) fn begin(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        if self.flight.is_none() {
            self.initiate(targets.to_vec(), turn.now, turn);
        }
    }

    /// The system did not let an initiation go: it is tried again after `pause`, or a little later, since each is made
    /// anew.
    pub(crate) fn on_refused(&mut self, pause: Duration, now: Instant) {
        if let Some(flight) = &mut self.flight {
            flight.retry_within(pause.max(REFUSED_RETRY), now);
        }
    }

    /// Asks again at once, wherever a handshake under way has got to: where we are attached has changed.
    ///
    /// At once, but not so soon after the last time that the peer would drop it for that: then a moment later.
    pub(crate) fn restart(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        match self.flight.as_mut().filter(|flight| flight.just_sent(turn.now)) {
            Some(flight) => flight.restart_soon(turn.now),
            None => self.initiate(targets.to_vec(), turn.now, turn),
        }
    }

    /// Asks at every one of `targets` at once and, with the same message, repeatedly within the next seconds: the peer
    /// was told to do the same. If `needed`, for as long as a handshake is tried; else no longer than its first retry.
    pub(crate) fn punch(&mut self, targets: &[Target], needed: bool, turn: &mut Turn<'_>) {
        let brief = self.flight.as_ref().is_none_or(|flight| flight.brief) && !needed;
        match self.flight.as_mut().filter(|flight| flight.repeatable(turn.now)) {
            Some(flight) => flight.redirect(targets, turn),
            None => self.restart(targets, turn),
        }
        let Some(flight) = self.flight.as_mut() else { return };
        flight.begin_repeats(&PAUSES, turn.now);
        flight.brief = brief;
    }

    /// Asks the peer for a session because its own initiation was refused for its age: a replay, or the peer has
    /// forgotten that its calendar was ahead, and every initiation of its own will be refused until that is caught up.
    /// Ours, which it cannot have seen, it will take.
    ///
    /// Asks once, at `target`, where the peer is known to be, and not again so soon; whether it did is the answer.
    pub(crate) fn counter(&mut self, target: Target, turn: &mut Turn<'_>) -> bool {
        let early = self.countered.is_some_and(|last| turn.now < last + COUNTER_INTERVAL);
        if early || self.flight.is_some() {
            return false;
        }
        self.countered = Some(turn.now);
        self.initiate(vec![target], turn.now, turn);
        if let Some(flight) = &mut self.flight {
            flight.brief = true;
        }
        true
    }

    /// Whether this initiation is so much older than the newest that the peer's next ones will be, too.
    pub(crate) fn outdated(&self, timestamp: Tai64N) -> bool {
        self.newest.is_some_and(|newest| timestamp.seconds_before(newest) > REKEY_TIMEOUT.as_secs())
    }

    fn initiate(&mut self, targets: Vec<Target>, began: Instant, turn: &mut Turn<'_>) {
        self.abandon(turn);
        if targets.is_empty() {
            return;
        }
        let index = turn.fresh_index();
        // Each is later than the one before, or the peer would take it for a replay.
        self.stamped = turn.wall.max(self.stamped + TICK);
        let timestamp = Tai64N::from(self.stamped);
        let identity = &turn.identity.secret;
        let random = &mut turn.random.handshakes;
        let Ok((initiator, mut message)) =
            Initiator::start(identity, &self.remote, &self.psk, index, timestamp, random)
        else {
            return;
        };
        self.cookies.finish_macs(&mut message, turn.now);
        turn.flights.insert(index, self.peer);
        self.flight = Some(Flight::depart(initiator, message.to_vec(), targets, began, turn));
    }

    /// The peer has answered in the session that there is: if it was asked for another one in doubt of that, it need
    /// not answer.
    pub(crate) fn forget_doubt(&mut self, turn: &mut Turn<'_>) {
        let young = |session: &Arc<Session>| {
            !session.wants_rekey_on_send(turn.now) && !session.wants_rekey_on_receive(turn.now)
        };
        if self.keypairs.sealing(turn.now).is_some_and(young) {
            self.abandon(turn);
        }
    }

    /// Takes back whatever is asked: no answer is waited for any more.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        if let Some(flight) = self.flight.take() {
            turn.flights.remove(&flight.initiator.index());
        }
    }

    /// The peer answered our initiation.
    pub(crate) fn on_response(
        &mut self,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<Established, Discard> {
        let flight = self.flight.as_mut().ok_or(Discard::UnsolicitedHandshake)?;
        if flight.initiator.index() != response.receiver {
            return Err(Discard::UnsolicitedHandshake);
        }
        let keys = flight.initiator.finish(response).map_err(|_| Discard::ForgedHandshake)?;
        let target = flight.target(arrival);
        let rtt = flight.age(turn.now);
        self.abandon(turn);
        let session = Arc::new(Session::new(keys, turn.now));
        self.awaited = None;
        let retired = self.keypairs.install_initiated(Arc::clone(&session));
        self.install(&session, retired, turn);
        self.count_completed(turn.now);
        Ok(Established { session, target, rtt })
    }

    /// The peer asks for a session: answers it where it came from (92 bytes for 148, within the limit of 3).
    pub(crate) fn on_initiation(
        &mut self,
        responder: Responder,
        sender: SessionIndex,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let newer = self.newest.is_none_or(|newest| responder.timestamp() > newest);
        let early = self.answered.as_ref().is_some_and(|last| turn.now < last.at + INITIATION_INTERVAL);
        if !newer {
            return Err(Discard::ReplayedHandshake);
        }
        if early {
            return Err(Discard::RateLimited);
        }
        debug_assert!(responder.remote() == self.remote, "routed by its key");
        let timestamp = responder.timestamp();
        let index = turn.fresh_index();
        let (mut message, keys) = responder
            .respond(&self.psk, index, &mut turn.random.handshakes)
            .map_err(|_| Discard::ForgedHandshake)?;
        debug_assert!(keys.remote == sender, "the responder knows whom it answers");
        self.newest = Some(timestamp);
        self.cookies.finish_macs(&mut message, turn.now);
        turn.transmit(arrival.source, arrival.local, message.to_vec());
        let session = Arc::new(Session::new(keys, turn.now));
        let retired = self.keypairs.install_responded(Arc::clone(&session));
        self.install(&session, retired, turn);
        self.awaited = Some(index);
        self.answered = Some(Answered { at: turn.now, session: index, to: arrival });
        Ok(())
    }

    /// A message of a session that perhaps waited for its first: then it is in use from now on.
    pub(crate) fn on_confirmation(&mut self, index: SessionIndex, turn: &mut Turn<'_>) -> Option<Confirmed> {
        if !self.keypairs.confirm(index, turn.now) {
            return None;
        }
        self.awaited = None;
        // Whatever we still asked for has been answered by this.
        self.abandon(turn);
        self.count_completed(turn.now);
        let answered = self.answered.as_ref().filter(|answered| answered.session == index);
        Some(Confirmed { answered_to: answered.map(|answered| answered.to) })
    }

    /// Under load the peer wants our address proven first; the retry carries the cookie. Moves nothing.
    pub(crate) fn on_cookie(&mut self, reply: &CookieReply<'_>, now: Instant) -> Result<(), Discard> {
        self.cookies.opened(reply, now).map_err(|_| Discard::ForgedCookie)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let flight = self.flight.as_ref().map(Flight::poll_timeout);
        [flight, self.keypairs.poll_timeout()].into_iter().flatten().min()
    }

    /// Sends an unanswered initiation again, at `targets` as they are now, and ends sessions past their life. If
    /// `often`, the same initiation goes every second until there is another one.
    /// True if the peer did not answer for so long that we stop asking.
    pub(crate) fn handle_timeout(&mut self, targets: &[Target], often: bool, turn: &mut Turn<'_>) -> bool {
        for ended in self.keypairs.expire(turn.now) {
            turn.path.forget(ended);
        }
        let Some(flight) = self.flight.as_mut() else { return false };
        flight.repeat(turn);
        if !flight.unanswered(turn.now) {
            return false;
        }
        if flight.brief || flight.in_vain(turn.now) {
            let brief = flight.brief;
            self.abandon(turn);
            return !brief;
        }
        if targets.is_empty() {
            // Attached to nothing: keep asking later, so that the attempt's end is noticed.
            flight.postpone(turn.now);
            return false;
        }
        let began = flight.began;
        self.initiate(targets.to_vec(), began, turn);
        if let Some(flight) = self.flight.as_mut().filter(|_| often) {
            flight.begin_repeats(&EVERY_SECOND, turn.now);
        }
        false
    }

    fn install(&mut self, session: &Arc<Session>, retired: Vec<SessionIndex>, turn: &mut Turn<'_>) {
        for index in retired {
            turn.path.forget(index);
        }
        turn.path.admit(session, self.peer);
    }

    const fn count_completed(&mut self, now: Instant) {
        self.completed += 1;
        self.completed_at = Some(now);
    }
}
