//! Paths beside the active one, proven before they are needed: make before break.
//!
//! A host in two networks asks for proof over the second one when it comes up, and seldom after while packets go.
//! The peer that is asked asks back, so both ends know the path before anybody moves to it. It does not move
//! anything: the [moves](super::moving) choose among what is proven here.
//!
//! # Life-cycle of a path
//! planned → asked (again, a few times) → proven → (packets went for a while) → asked …
//! Those that begin at an address of ours are planned from the local attachment; those that lead to another address of
//! the peer's come with its questions.
//!
//! # Invariants
//! - An idle pair asks nothing: only packets make a proof grow old.
//! - Only an echo that came over the very path proves it.
//! - What a peer can make us remember is bounded.

use core::net::{IpAddr, SocketAddr};

use stead_noise::session::Session;
use stead_wire::options::{ChallengeToken, VcOption};
use stead_wire::time::{Duration, Instant};

use super::migrator::Proven;
use super::sealing;
use crate::notice::Arrival;
use crate::turn::Turn;

/// Between the questions of one round. Whoever leaves all unanswered is asked again with the next round.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(800)];

/// Between two rounds, while packets go: as often as keeps a NAT's mapping open.
const INTERVAL: Duration = Duration::from_secs(25);

/// A proof younger than this is good for sending at once: two rounds, and the time that their questions take.
const FRESH: Duration = Duration::from_secs(60);

/// A path that fell silent while it was the active one is not preferred again so soon.
const DISTRUST: Duration = Duration::from_secs(10);

/// Whoever was proven this lately is not asked back.
const JUST_PROVEN: Duration = Duration::from_secs(1);

/// Paths that begin at another of our addresses.
const MOST_OURS: usize = 4;

/// Paths that lead to another of the peer's addresses.
const MOST_THEIRS: usize = 4;

/// One peer's standby paths.
#[derive(Debug, Default)]
pub(crate) struct Standby {
    ours: Vec<Alternative>,
    theirs: Vec<Alternative>,
    /// The path that was active last when it fell silent, and when.
    silent: Option<((SocketAddr, Option<IpAddr>), Instant)>,
    /// There is no session to ask in; the next one begins anew.
    lapsed: bool,
}

/// One path beside the active one.
#[derive(Debug)]
struct Alternative {
    remote: SocketAddr,
    local: Option<IpAddr>,
    challenge: ChallengeToken,
    /// Questions of this round so far.
    asked: usize,
    sent: Instant,
    proven: Option<Instant>,
    rtt: Option<Duration>,
    /// Packets that had gone either way when the last round began.
    packets: u64,
}

/// A path that can be used as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ready {
    pub(crate) path: Proven,
    /// When it was proven.
    pub(crate) proven: Instant,
}

/// A standby path, as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StandbyStatus {
    /// Our end of it; `None` if the system's routes choose it.
    pub local: Option<IpAddr>,
    /// The peer's end of it.
    pub remote: SocketAddr,
    /// When the peer last proved that it is reached this way; `None` if it did not yet.
    pub proven: Option<Instant>,
    /// Round-trip time, where one was measured.
    pub rtt: Option<Duration>,
}

impl Standby {
    /// Plans for exactly these paths of ours; what is known of those that stay is kept.
    pub(crate) fn plan(&mut self, pairs: &[(SocketAddr, IpAddr)], turn: &mut Turn<'_>) {
        let pairs = &pairs[..pairs.len().min(MOST_OURS)];
        self.ours.retain(|path| pairs.iter().any(|pair| path.is(pair.0, Some(pair.1))));
        for (remote, local) in pairs {
            if !self.ours.iter().any(|path| path.is(*remote, Some(*local))) {
                self.ours.push(Alternative::new(*remote, Some(*local), turn));
            }
        }
    }

    /// Whether nothing is planned.
    pub(crate) const fn is_empty(&self) -> bool {
        self.ours.is_empty()
    }

    /// The peer's addresses that are proven beside the active one.
    pub(crate) fn points(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.theirs.iter().filter(|path| path.proven.is_some()).map(|path| path.remote)
    }

    /// The peer asks over a path that is not the active one: the challenge that asks it back, unless that is known.
    pub(crate) fn ask_back(&mut self, arrival: Arrival, turn: &mut Turn<'_>) -> Option<VcOption> {
        let now = turn.now;
        if let Some(ours) = self.ours.iter().find(|path| path.is(arrival.source, arrival.local)) {
            // It has a round of its own.
            return (ours.asked == 0 && !ours.proven_within(JUST_PROVEN, now))
                .then_some(VcOption::PathChallenge(ours.challenge));
        }
        let known = self.theirs.iter().position(|path| path.is(arrival.source, arrival.local));
        let at = known.unwrap_or_else(|| {
            if self.theirs.len() >= MOST_THEIRS {
                let stalest = (0..self.theirs.len()).min_by_key(|at| self.theirs[*at].proven);
                self.theirs.remove(stalest.unwrap_or(0));
            }
            self.theirs.push(Alternative::new(arrival.source, arrival.local, turn));
            self.theirs.len() - 1
        });
        let path = &mut self.theirs[at];
        if path.proven_within(JUST_PROVEN, now) {
            return None;
        }
        (path.asked, path.sent) = (path.asked + 1, now);
        Some(VcOption::PathChallenge(path.challenge))
    }

    /// An echo: whether it proves a path here.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, arrival: Arrival, now: Instant) -> bool {
        let path = self.ours.iter_mut().chain(&mut self.theirs).find(|path| {
            path.challenge == token && path.remote == arrival.source && path.begins_at(arrival.local)
        });
        let Some(path) = path else { return false };
        if path.asked == 1 {
            path.rtt = Some(now - path.sent);
        }
        path.proven = Some(now);
        path.asked = 0;
        true
    }

    /// The path that a message came over, if it is proven well enough to be used at once.
    pub(crate) fn proven(&self, arrival: Arrival, now: Instant) -> Option<Ready> {
        let mut all = self.theirs.iter().chain(&self.ours);
        all.find(|path| path.is(arrival.source, arrival.local))?.ready(now)
    }

    /// The best path that begins at an address that `usable` accepts, proven well enough to be used at once.
    pub(crate) fn best(&self, usable: impl Fn(SocketAddr, IpAddr) -> bool, now: Instant) -> Option<Ready> {
        let usable = |path: &&Alternative| path.local.is_some_and(|local| usable(path.remote, local));
        let trusted = |path: &&Alternative| {
            self.silent.is_none_or(|(silent, since)| now >= since + DISTRUST || !path.is(silent.0, silent.1))
        };
        self.ours
            .iter()
            .filter(usable)
            .filter(trusted)
            .filter_map(|path| path.ready(now))
            .max_by_key(|ready| ready.proven)
    }

    /// The path that was active is silent.
    pub(crate) fn on_silence(&mut self, remote: SocketAddr, local: Option<IpAddr>, now: Instant) {
        self.silent = Some(((remote, local), now));
        self.theirs.retain(|path| !path.is(remote, local));
    }

    /// There was no session for a while: everything is asked anew.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// A session can be asked in again.
    pub(crate) const fn resume(&mut self) {
        self.lapsed = false;
    }

    /// When a question is due. `packets` went either way so far.
    pub(crate) fn poll_timeout(&self, packets: u64) -> Option<Instant> {
        self.ours.iter().filter_map(|path| path.due(packets)).min().filter(|_| !self.lapsed)
    }

    /// Asks where that is due; without a session not before there is one.
    pub(crate) fn handle_timeout(&mut self, packets: u64, session: Option<&Session>, turn: &mut Turn<'_>) {
        self.lapsed = session.is_none();
        let Some(session) = session else { return };
        let now = turn.now;
        for path in self.ours.iter_mut().filter(|path| path.due(packets).is_some_and(|at| now >= at)) {
            path.ask(packets, session, turn);
        }
    }

    pub(crate) fn status(&self) -> Vec<StandbyStatus> {
        self.ours.iter().chain(&self.theirs).map(Alternative::status).collect()
    }
}

impl Alternative {
    fn new(remote: SocketAddr, local: Option<IpAddr>, turn: &mut Turn<'_>) -> Self {
        Self {
            remote,
            local,
            challenge: turn.fresh_challenge(),
            asked: 0,
            sent: turn.now,
            proven: None,
            rtt: None,
            packets: u64::MAX,
        }
    }

    fn is(&self, remote: SocketAddr, local: Option<IpAddr>) -> bool {
        self.remote == remote && self.begins_at(local)
    }

    fn begins_at(&self, local: Option<IpAddr>) -> bool {
        self.local.is_none() || local.is_none() || self.local == local
    }

    fn proven_within(&self, age: Duration, now: Instant) -> bool {
        self.proven.is_some_and(|at| now - at <= age)
    }

    /// Not while question after question goes unanswered.
    fn ready(&self, now: Instant) -> Option<Ready> {
        if self.asked > 2 {
            return None;
        }
        let proven = self.proven.filter(|at| now - *at <= FRESH)?;
        Some(Ready { path: Proven { remote: self.remote, local: self.local, rtt: self.rtt }, proven })
    }

    fn due(&self, packets: u64) -> Option<Instant> {
        match self.asked {
            // Never asked, or answered.
            0 if self.packets == u64::MAX => Some(self.sent),
            0 => (packets != self.packets).then(|| self.sent + INTERVAL),
            asked => match PAUSES.get(asked - 1) {
                Some(pause) => Some(self.sent + *pause),
                // All unanswered: with the next round, if somebody still needs it.
                None => (packets != self.packets).then(|| self.sent + INTERVAL),
            },
        }
    }

    fn ask(&mut self, packets: u64, session: &Session, turn: &mut Turn<'_>) {
        if self.asked == 0 || self.asked > PAUSES.len() {
            self.asked = 0;
            self.packets = packets;
            self.challenge = turn.fresh_challenge();
        }
        self.asked += 1;
        self.sent = turn.now;
        sealing::send(session, &[VcOption::PathChallenge(self.challenge)], (self.remote, self.local), turn);
    }

    const fn status(&self) -> StandbyStatus {
        StandbyStatus { local: self.local, remote: self.remote, proven: self.proven, rtt: self.rtt }
    }
}
