//! One connection update on its way: which attachment points it goes to, how often and how long.
//!
//! Begins and repeats; whether an answer settles the move is the [migrator](super)'s to decide.

use core::net::{IpAddr, SocketAddr};

use stead_noise::session::Session;
use stead_wire::options::{ChallengeToken, ConnectionUpdate, Connections, VcOption};
use stead_wire::time::{Duration, Instant};

use super::points;
use crate::event::Suspension;
use crate::peer::round_trip::RoundTrip;
use crate::peer::sealing;
use crate::turn::Turn;

/// First retry of a connection update when no round-trip time is known: a phone network's, generously.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// Bounds of the first retry when the round-trip time is known: the new path's may differ much from the old's.
const RETRY_BOUNDS: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(400));

/// The longest pause between two connection updates is this part of the time since the first, while nothing waits for the
/// peer: the end of an outage is noticed within an eighth of its length.
const SELDOM: u32 = 8;

/// The same while something waits for it. Both ends ask, so that somebody who waits does so for a 128th more of what the
/// outage took anyway; a peer that is gone costs six hundred updates in the first half hour.
const OFTEN: u32 = 128;

/// Bounds of that pause: in the end a peer that is gone costs four updates a minute.
const LONGEST_RETRY: (Duration, Duration) = (Duration::from_millis(400), Duration::from_secs(15));

/// Attachment points told at once, the newest first; as many as are targets, and as many again that came up meanwhile.
const MOST_TOLD: usize = 12;

/// Pauses when not even a handshake was answered for as long as WireGuard tries.
const GIVEN_UP_RETRY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));

/// After this many updates without an answer the peer may have lost the session: ask for a new one as well.
const DOUBT_SESSION_AFTER: u32 = 5;

/// The same where the path fell silent: nobody moved, so the other end may have started anew.
const DOUBT_SILENT_SESSION_AFTER: u32 = 2;

/// Updates over a path that was proven before which may go unanswered until packets are held after all.
const TRUSTED_ATTEMPTS: u32 = 3;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Announcement {
    /// Since when packets are held, if they are.
    pub(super) since: Instant,
    /// Why packets are held; `None` if they flow.
    pub(super) why: Option<Suspension>,
    /// Packets flow in the trust that the path was proven before.
    pub(super) leapt: bool,
    /// When the first update went.
    pub(super) first: Instant,
    /// What an answer may take on the path that is in use.
    answer_time: Duration,
    /// Since when the pauses grow.
    began: Instant,
    told: Vec<Told>,
    attempts: u32,
    /// Points to which the system let no update go at the last attempt.
    refused: Vec<SocketAddr>,
    sent: Instant,
    pause: Duration,
    retry_at: Instant,
}

/// One attachment point that the update goes to. The challenge tells its answer from the others'.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) remote: SocketAddr,
    pub(super) local: IpAddr,
    challenge: ChallengeToken,
}

impl Announcement {
    /// To every one of `targets`; nothing is sent yet.
    pub(super) fn new(
        targets: &[(SocketAddr, IpAddr)],
        (why, since): (Option<Suspension>, Instant),
        path: RoundTrip,
        turn: &mut Turn<'_>,
    ) -> Self {
        let rtt = path.smoothed();
        Self {
            answer_time: path.answer_time(),
            since,
            why,
            leapt: false,
            first: turn.now,
            began: turn.now,
            told: targets.iter().map(|target| Told::new(*target, turn)).collect(),
            attempts: 0,
            refused: Vec::new(),
            sent: turn.now,
            pause: rtt.map_or(FIRST_RETRY, |rtt| (rtt * 2).clamp(RETRY_BOUNDS.0, RETRY_BOUNDS.1)),
            retry_at: turn.now,
        }
    }

    /// Goes to those of `targets` too that it did not go to yet, at the pace of a beginning.
    pub(super) fn widen(&mut self, targets: &[(SocketAddr, IpAddr)], turn: &mut Turn<'_>) {
        self.add(targets, turn);
        (self.began, self.pause) = (turn.now, FIRST_RETRY);
    }

    /// Goes to those of `targets` too that it did not go to yet; says whether there are any.
    pub(super) fn add(&mut self, targets: &[(SocketAddr, IpAddr)], turn: &mut Turn<'_>) -> bool {
        let new: Vec<Told> = targets
            .iter()
            .filter(|target| !self.goes_to(**target))
            .map(|target| Told::new(*target, turn))
            .collect();
        let any = !new.is_empty();
        // The newest first: what was known before has not answered.
        self.told.splice(0..0, new);
        self.told.truncate(MOST_TOLD);
        any
    }

    /// Whether it goes to every one of `targets`.
    pub(super) fn covers(&self, targets: &[(SocketAddr, IpAddr)]) -> bool {
        targets.iter().all(|target| self.goes_to(*target))
    }

    fn goes_to(&self, target: (SocketAddr, IpAddr)) -> bool {
        self.told.iter().any(|told| (told.remote, told.local) == target)
    }

    /// Asks again now instead of later, unless that was done less than `after` ago.
    pub(super) fn hurry(&mut self, after: Duration, now: Instant) {
        self.retry_at = self.retry_at.min(now.max(self.sent + after));
    }

    /// The system did not let the update go to `remote`. If it went nowhere, it is as if it had not been tried, and is
    /// tried again after `pause`.
    pub(super) fn on_refused(&mut self, remote: SocketAddr, pause: Duration, now: Instant) {
        let told = self.told.iter().any(|told| told.remote == remote);
        if !told || self.refused.contains(&remote) {
            return;
        }
        self.refused.push(remote);
        if self.told.iter().all(|told| self.refused.contains(&told.remote)) {
            self.attempts = self.attempts.saturating_sub(1);
            self.retry_at = self.retry_at.min(now + pause);
            if self.why.is_some() {
                self.why = Some(Suspension::Refused);
            }
        }
    }

    /// Asks seldom from now on.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(GIVEN_UP_RETRY.0, GIVEN_UP_RETRY.1);
        self.retry_at = now + self.pause;
    }

    /// Where the update went that `echo` answers.
    pub(super) fn answered(&self, echo: ChallengeToken) -> Option<Told> {
        self.told.iter().find(|told| told.challenge == echo).copied()
    }

    /// The time that the answer took, where it can be told.
    pub(super) fn rtt(&self, now: Instant) -> Option<Duration> {
        (self.attempts == 1).then(|| now - self.sent)
    }

    /// When it is to be repeated.
    pub(super) const fn retry_at(&self) -> Instant {
        self.retry_at
    }

    /// Whether it goes unanswered for so long that the peer may have lost the session.
    pub(super) const fn session_doubtful(&self) -> bool {
        let patience = match self.why {
            Some(Suspension::Silent) => DOUBT_SILENT_SESSION_AFTER,
            _ => DOUBT_SESSION_AFTER,
        };
        self.attempts >= patience
    }

    /// Sends update number `sequence` to every point; the next one comes the sooner if something `waits` for the peer.
    pub(super) fn tell(&mut self, sequence: u64, session: &Session, waits: bool, turn: &mut Turn<'_>) {
        let received = turn.path.received_reports(session);
        for told in &self.told {
            let mut options = vec![
                VcOption::ConnectionUpdate(ConnectionUpdate {
                    sequence,
                    challenge: told.challenge,
                    claimed: Some(SocketAddr::new(told.local, turn.identity.listen_port)),
                    connections: Connections::All,
                }),
                points(turn),
            ];
            options.extend_from_slice(&received);
            sealing::send(session, &options, (told.remote, Some(told.local)), turn);
        }
        self.refused.clear();
        self.attempts += 1;
        self.wait(waits, turn.now);
        let overdue = turn.now >= self.began + self.answer_time * 2;
        if self.leapt && self.attempts > TRUSTED_ATTEMPTS && overdue && self.why.is_none() {
            (self.why, self.since) = (Some(Suspension::Moving), turn.now);
        }
    }

    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What an answer may take on the path that was in use when it began.
    pub(super) const fn answer_time(&self) -> Duration {
        self.answer_time
    }

    /// Until the next attempt.
    pub(super) fn wait(&mut self, waits: bool, now: Instant) {
        let part = if waits { OFTEN } else { SELDOM };
        let longest = ((now - self.began) / part).clamp(LONGEST_RETRY.0, LONGEST_RETRY.1);
        if waits {
            self.pause = self.pause.min(longest);
        }
        self.sent = now;
        self.retry_at = now + self.pause;
        self.pause = (self.pause * 2).min(longest.max(self.pause));
    }
}

impl Told {
    fn new((remote, local): (SocketAddr, IpAddr), turn: &mut Turn<'_>) -> Self {
        Self { remote, local, challenge: turn.fresh_challenge() }
    }
}
