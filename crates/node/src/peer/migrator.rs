//! The migrator: we move, tell the peer, and wait until it confirms (seed 002 claims 1 to 11; seed 001 figures 8, 9, 17).
//!
//! Numbers and repeats the connection updates; whether packets are held follows from
//! [`suspension`](Migrator::suspension). It does not choose when to move (the peer does, from the local
//! attachment) and it does not touch the table.
//!
//! # Life-cycle
//! `Settled` → (no network) → `Detached` → (a network) → `Announcing` → (acknowledged) → `Settled`.
//! An acknowledgement that asks for an echo leads over `Echoed`, since that echo may be lost and nobody would know.
//! With no connection that needs the peer, `Unannounced` waits for the next packet before announcing.

mod announcement;
mod news;

use core::net::{IpAddr, SocketAddr};

use stead_noise::session::Session;
use stead_wire::options::{
    AttachmentPoints, ConnectionUpdate, ConnectionUpdateAcknowledge, Connections, Outcome, VcOption,
};
use stead_wire::time::{Duration, Instant};

use self::announcement::Announcement;
use self::news::Phase;
pub(crate) use self::news::{News, Step};
use super::non_migrator::NO_CHALLENGE;
use super::round_trip::RoundTrip;
use crate::drops::Discard;
use crate::event::Suspension;
use crate::turn::Turn;

/// The peer repeats an acknowledgement three times within this time, if its echo does not come; after that it must
/// be told anew. A slow path is given three times what an answer takes.
const ECHO_HEARD_WITHIN: Duration = Duration::from_secs(1);

/// Our own moves, towards one peer.
#[derive(Debug, Default)]
pub(crate) struct Migrator {
    /// Of the newest update. Grows with the calendar, so that it goes on growing when the node starts anew, as
    /// the timestamps of handshakes do; sessions have no order that both ends would agree on.
    sequence: u64,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The peer knows where we are.
    #[default]
    Settled,
    /// No network leads to the peer since then.
    Detached { since: Instant },
    /// We moved, and nothing needs the peer yet.
    Unannounced { since: Instant },
    /// Updates are on their way.
    Announcing(Announcement),
    /// The peer acknowledged, and got our echo if it sends something after this moment.
    Echoed { at: Instant, within: Duration },
}

/// A path whose far end answered us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Proven {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    /// Round-trip time, where a single question was asked.
    pub(crate) rtt: Option<Duration>,
}

/// What the passing of time asks of the peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Overdue {
    /// Nothing.
    No,
    /// Updates go unanswered for so long that the session may be gone at the other end.
    SessionDoubtful,
    /// Perhaps our echo was lost: the peer has to be told again, though packets may flow.
    EchoDoubtful,
}

impl Migrator {
    /// Whether, why and since when packets must be held because of our own move.
    pub(crate) fn suspension(&self) -> Option<(Suspension, Instant)> {
        match &self.state {
            State::Settled | State::Echoed { .. } => None,
            State::Detached { since } => Some((Suspension::Detached, *since)),
            State::Unannounced { since } => Some((Suspension::Moving, *since)),
            State::Announcing(announcement) => announcement.why.map(|why| (why, announcement.since)),
        }
    }

    /// Whether the peer has not been told yet where we are.
    pub(crate) const fn unsettled(&self) -> bool {
        !matches!(self.state, State::Settled | State::Echoed { .. })
    }

    /// Whether no network led to the peer when we last looked.
    pub(crate) const fn detached(&self) -> bool {
        matches!(self.state, State::Detached { .. })
    }

    /// Since when the peer is told of this move.
    pub(crate) const fn told_since(&self) -> Option<Instant> {
        match &self.state {
            State::Announcing(announcement) => Some(announcement.first),
            State::Settled | State::Detached { .. } | State::Unannounced { .. } | State::Echoed { .. } => {
                None
            }
        }
    }

    /// Whether updates are on their way.
    pub(crate) const fn announcing(&self) -> bool {
        matches!(self.state, State::Announcing(_))
    }

    /// No network leads to the peer any more.
    pub(crate) fn detach(&mut self, now: Instant) {
        self.state = State::Detached { since: self.held_since(now) };
    }

    /// We moved; the next packet for the peer will tell it.
    pub(crate) fn move_quietly(&mut self, now: Instant) {
        self.state = State::Unannounced { since: self.held_since(now) };
    }

    /// Packets flow already over a path that was proven before. If the update goes unanswered, that is in doubt.
    pub(crate) const fn leapt(&mut self) {
        if let State::Announcing(announcement) = &mut self.state {
            announcement.leapt = true;
        }
    }

    /// How often the peer was told in vain.
    pub(crate) const fn attempts(&self) -> u32 {
        match &self.state {
            State::Announcing(announcement) => announcement.attempts(),
            State::Settled | State::Detached { .. } | State::Unannounced { .. } | State::Echoed { .. } => 0,
        }
    }

    /// The peer learned otherwise where we are, for instance by a handshake.
    pub(crate) fn settle(&mut self) {
        self.state = State::Settled;
    }

    /// Tells the peer at every one of `targets` where we are now, and keeps telling until it acknowledges.
    pub(crate) fn announce(
        &mut self,
        targets: &[(SocketAddr, IpAddr)],
        why: Option<Suspension>,
        path: RoundTrip,
        session: &Session,
        turn: &mut Turn<'_>,
    ) {
        self.number(turn);
        let held = (why, self.held_since(turn.now));
        let mut announcement = Announcement::new(targets, held, path, turn);
        announcement.tell(self.sequence, session, false, turn);
        self.state = State::Announcing(announcement);
    }

    /// What `news` of the peer asks for in the state that this is in.
    pub(crate) fn step(&self, news: News) -> Step {
        self.phase().step(news)
    }

    /// Takes the step, as far as it concerns the updates under way; `places` are those that `news` adds.
    pub(crate) fn take(
        &mut self,
        step: Step,
        places: &[(SocketAddr, IpAddr)],
        session: Option<&Session>,
        turn: &mut Turn<'_>,
    ) {
        let announcement = match &mut self.state {
            State::Announcing(announcement) => announcement,
            State::Settled | State::Detached { .. } | State::Unannounced { .. } | State::Echoed { .. } => {
                return;
            }
        };
        match step {
            // Without updates under way the peer begins them.
            Step::Rest | Step::Announce => {}
            Step::Widen => {
                announcement.widen(places, turn);
                if let Some(session) = session {
                    announcement.tell(self.sequence, session, false, turn);
                }
            }
            Step::Join(after) => {
                announcement.add(places, turn);
                announcement.hurry(after, turn.now);
            }
            Step::Add => {
                if let (true, Some(session)) = (announcement.add(places, turn), session) {
                    announcement.tell(self.sequence, session, true, turn);
                }
            }
            Step::Hurry(after) => announcement.hurry(after, turn.now),
            Step::Retry(remote, pause) => announcement.on_refused(remote, pause, turn.now),
            Step::Slow => announcement.give_up(turn.now),
        }
    }

    /// Whether the peer is told at every one of `places`, or is not to be told anything yet.
    pub(crate) fn covers(&self, places: &[(SocketAddr, IpAddr)]) -> bool {
        match &self.state {
            State::Settled | State::Echoed { .. } | State::Unannounced { .. } => true,
            State::Detached { .. } => places.is_empty(),
            State::Announcing(announcement) => announcement.covers(places),
        }
    }

    const fn phase(&self) -> Phase {
        match &self.state {
            State::Settled => Phase::Settled,
            State::Detached { .. } => Phase::Detached,
            State::Unannounced { .. } => Phase::Unannounced,
            State::Announcing(_) => Phase::Announcing,
            State::Echoed { .. } => Phase::Echoed,
        }
    }

    /// The update that answers a request (CUR), for a peer that wants to hear it from us.
    pub(crate) fn on_request(&mut self, claimed: Option<SocketAddr>, turn: &mut Turn<'_>) -> VcOption {
        if !self.unsettled() {
            self.number(turn);
        }
        VcOption::ConnectionUpdate(ConnectionUpdate {
            sequence: self.sequence,
            challenge: turn.fresh_challenge(),
            claimed,
            connections: Connections::All,
        })
    }

    /// The peer acknowledges: the path whose challenge it echoes is proven, and we have moved.
    pub(crate) fn on_acknowledge(
        &mut self,
        acknowledge: &ConnectionUpdateAcknowledge,
        now: Instant,
    ) -> Result<Proven, Discard> {
        if let State::Echoed { at, .. } = &mut self.state {
            // Repeated, so our echo has not arrived.
            *at = now;
        }
        let State::Announcing(announcement) = &mut self.state else {
            return Err(Discard::UnsolicitedResponse);
        };
        let told = announcement.answered(acknowledge.echo).ok_or(Discard::UnsolicitedResponse)?;
        if acknowledge.outcome == Outcome::Refused && acknowledge.sequence > self.sequence {
            // Our calendar was set back since we last spoke: go on from where the peer is.
            self.sequence = acknowledge.sequence.saturating_add(1);
            announcement.hurry(Duration::ZERO, now);
        }
        if acknowledge.sequence != self.sequence || acknowledge.outcome == Outcome::Refused {
            return Err(Discard::StaleUpdate);
        }
        let proven = Proven { remote: told.remote, local: Some(told.local), rtt: announcement.rtt(now) };
        let asks = acknowledge.challenge != NO_CHALLENGE;
        let within = ECHO_HEARD_WITHIN.max(announcement.answer_time() * 3);
        self.state = if asks { State::Echoed { at: now, within } } else { State::Settled };
        Ok(proven)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Announcing(announcement) => Some(announcement.retry_at()),
            State::Echoed { at, within } => Some(*at + *within),
            State::Settled | State::Detached { .. } | State::Unannounced { .. } => None,
        }
    }

    /// Repeats updates that went unanswered: more often if something `waits` for the peer. `heard` is when something
    /// last came from it.
    pub(crate) fn handle_timeout(
        &mut self,
        session: Option<&Session>,
        (heard, waits): (Option<Instant>, bool),
        turn: &mut Turn<'_>,
    ) -> Overdue {
        if let State::Echoed { at, within } = self.state
            && turn.now >= at + within
        {
            self.state = State::Settled;
            return if heard > Some(at) { Overdue::No } else { Overdue::EchoDoubtful };
        }
        let State::Announcing(announcement) = &mut self.state else { return Overdue::No };
        if turn.now < announcement.retry_at() {
            return Overdue::No;
        }
        let doubtful = announcement.session_doubtful() || session.is_none();
        match session {
            Some(session) => announcement.tell(self.sequence, session, waits, turn),
            None => announcement.wait(waits, turn.now),
        }
        if doubtful { Overdue::SessionDoubtful } else { Overdue::No }
    }

    /// The next update is a new one.
    fn number(&mut self, turn: &Turn<'_>) {
        let calendar = u64::try_from(turn.wall.0.as_micros()).unwrap_or(u64::MAX);
        self.sequence = calendar.max(self.sequence.saturating_add(1));
    }

    /// A move during a move does not restart the clock of the suspension.
    fn held_since(&self, now: Instant) -> Instant {
        self.suspension().map_or(now, |(_, since)| since)
    }
}

/// Every attachment point of ours, as an option.
pub(crate) fn points(turn: &Turn<'_>) -> VcOption {
    VcOption::AttachmentPoints(AttachmentPoints::new(&turn.attachment.points(turn.identity.listen_port)))
}
