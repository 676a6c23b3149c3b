//! A peer's handshakes: both roles, their retries, and the sessions that come of them.
//!
//! Decides when an initiation is sent again and which session seals; never decides where the peer is. Each role has its
//! room: [asking] and [answering].
//!
//! # Life-cycle
//! idle → (a session is wanted) → in flight → (response) → session. Meanwhile the peer may ask too; then its
//! session waits for its first message before it is used (WireGuard paper §5.4.4).

mod answering;
mod asking;
mod flight;
mod renewal;
mod twin;

use core::net::SocketAddr;
use std::sync::Arc;

use stead_lct::PeerId;
use stead_noise::cookie::CookieStore;
use stead_noise::handshake::Tai64N;
use stead_noise::keys::{PresharedKey, PublicKey};
use stead_noise::schedule::Keypairs;
use stead_noise::session::Session;
use stead_wire::message::{CookieReply, SessionIndex};
use stead_wire::options::{self, Capabilities, VcOption};
use stead_wire::time::{Duration, Instant, UnixTime};

use self::answering::Answered;
pub(crate) use self::answering::Confirmed;
use self::flight::Flight;
use self::twin::{Answer, Twins};
use crate::drops::Discard;
use crate::turn::Turn;

/// The same initiation again, while somebody waits for its answer, between one and the next: one that arrives again is
/// dropped as replayed, so that an answer under way stays good.
const EVERY_SECOND: [Duration; 4] = [Duration::from_secs(1); 4];

/// Where a handshake message goes: the peer's attachment point, and from which of ours.
pub(crate) type Target = (SocketAddr, Option<core::net::IpAddr>);

/// One peer's handshakes and sessions.
pub(crate) struct Handshaking {
    peer: PeerId,
    remote: PublicKey,
    psk: PresharedKey,
    keypairs: Keypairs,
    twins: Twins,
    flight: Option<Flight>,
    cookies: CookieStore,
    newest: Option<Tai64N>,
    /// When our latest initiation was made, by the calendar.
    stamped: UnixTime,
    /// When the peer was last asked because an initiation of its own was too old.
    countered: Option<Instant>,
    answered: Option<Answered>,
    /// When we ask for a session ourselves unless the peer has confirmed one.
    postponed: Option<Instant>,
    completed: u64,
    completed_at: Option<Instant>,
}

/// What the peer's offer of a twin leads to.
pub(crate) enum Agreement {
    /// This twin seals from now on; the peer waits for a message in it.
    Goes(Arc<Session>),
    /// To be told to the peer, in the session of its offer; the twin seals once the peer has used it.
    Waits(VcOption),
    /// Nothing new: it was agreed before, or the session has been replaced meanwhile.
    Stands,
}

impl Handshaking {
    pub(crate) fn new(peer: PeerId, remote: PublicKey, psk: Option<PresharedKey>) -> Self {
        Self {
            peer,
            remote,
            psk: psk.unwrap_or_default(),
            keypairs: Keypairs::new(),
            twins: Twins::default(),
            flight: None,
            cookies: CookieStore::new(&remote),
            newest: None,
            stamped: UnixTime(Duration::ZERO),
            countered: None,
            answered: None,
            postponed: None,
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

    /// The sessions that we responded to and that their first message will confirm.
    pub(crate) fn awaited(&self) -> Vec<SessionIndex> {
        self.keypairs.awaited().collect()
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
        self.postponed = None;
        if let Some(flight) = self.flight.take() {
            turn.flights.remove(&flight.initiator.index());
        }
    }

    /// What to offer the peer now, in the session in use, being `able`.
    pub(crate) fn offer_twin(
        &mut self,
        able: Capabilities,
        turn: &mut Turn<'_>,
    ) -> Option<(Arc<Session>, VcOption)> {
        let session = self.keypairs.sealing(turn.now)?;
        let offer = self.twins.offer(session, able, turn)?;
        Some((Arc::clone(session), offer))
    }

    /// When the twin of the session in use, if there is one, is to be offered again.
    pub(crate) fn offers_at(&self, session: Option<SessionIndex>) -> Option<Instant> {
        self.twins.poll_timeout(session?)
    }

    /// The peer offers its twin of `session`, or takes up our offer; we are `able`.
    pub(crate) fn on_twin(
        &mut self,
        session: &Session,
        theirs: options::Twin,
        able: Capabilities,
        turn: &mut Turn<'_>,
    ) -> Result<Agreement, Discard> {
        Ok(match self.twins.on_offer(session, theirs, able, turn)? {
            // The peer does not seal in it before it heard from us in it, which it never will.
            Answer::Ours(twin) if !self.keypairs.is_later(&twin) => Agreement::Stands,
            Answer::Ours(twin) => {
                self.install_initiated(&twin, turn);
                Agreement::Goes(twin)
            }
            Answer::Theirs(twin, ours) => {
                self.install_responded(&twin, turn);
                Agreement::Waits(ours)
            }
            Answer::Again(ours) => Agreement::Waits(ours),
            Answer::Known => Agreement::Stands,
        })
    }

    /// Under load the peer wants our address proven first; the retry carries the cookie. Moves nothing.
    pub(crate) fn on_cookie(&mut self, reply: &CookieReply<'_>, now: Instant) -> Result<(), Discard> {
        self.cookies.opened(reply, now).map_err(|_| Discard::ForgedCookie)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let flight = self.flight.as_ref().map(Flight::poll_timeout);
        [flight, self.postponed, self.keypairs.poll_timeout()].into_iter().flatten().min()
    }

    /// Sends an unanswered initiation again, at `targets` as they are now, and ends sessions past their life. If
    /// `often`, the same initiation goes every second until there is another one.
    /// True if the peer did not answer for so long that we stop asking.
    pub(crate) fn handle_timeout(&mut self, targets: &[Target], often: bool, turn: &mut Turn<'_>) -> bool {
        for ended in self.keypairs.expire(turn.now) {
            self.forget(ended, turn);
        }
        if self.postponed.take_if(|at| *at <= turn.now).is_some() && self.sealing(turn.now).is_none() {
            self.begin(targets, turn);
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

    fn install_initiated(&mut self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let crowded_out = self.keypairs.install_initiated(Arc::clone(session));
        self.install(session, crowded_out, turn);
    }

    fn install_responded(&mut self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let crowded_out = self.keypairs.install_responded(Arc::clone(session));
        self.install(session, crowded_out, turn);
    }

    fn install(&mut self, session: &Arc<Session>, crowded_out: Vec<SessionIndex>, turn: &mut Turn<'_>) {
        for index in crowded_out {
            self.forget(index, turn);
        }
        turn.path.admit(session, self.peer);
    }

    fn forget(&mut self, index: SessionIndex, turn: &Turn<'_>) {
        turn.path.forget(index);
        self.twins.forget(index);
    }

    const fn count_completed(&mut self, now: Instant) {
        self.completed += 1;
        self.completed_at = Some(now);
    }
}
