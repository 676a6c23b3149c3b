//! Requests (CUR) to points where the peer might be, because a service saw it there or the peer says so (seed 001
//! figures 14, 16, 18).
//!
//! A burst of small datagrams, close together: while both ends send to each other, each opens its own NAT for what
//! the other sends (hole punching). An answer proves a point; which path to use is the peer machine's to decide.
//!
//! # Invariants
//! - A point gets at most [`PAUSES`] + 1 requests of 48 bytes per burst, [`MOST_POINTS`] points get them, and a burst
//!   begins at most every [`BURST_INTERVAL`] unless the points are others: they are hints, and may be strangers'.

use core::net::{IpAddr, SocketAddr};

use stead_noise::session::Session;
use stead_wire::options::{ChallengeToken, ConnectionUpdateRequest, VcOption};
use stead_wire::time::{Duration, Instant};

use super::migrator::Proven;
use super::sealing;
use crate::turn::Turn;

/// Between the requests of a burst: most NATs are open after the first two, and two ends that were told of each other
/// at different moments meet within the rest.
pub(super) const PAUSES: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// Points that get requests.
const MOST_POINTS: usize = 8;

/// The same points get a new burst no sooner than this after the last began.
const BURST_INTERVAL: Duration = Duration::from_secs(1);

/// One peer's requests under way.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    asked: Vec<Asked>,
    sent: usize,
    began: Option<Instant>,
    next: Option<Instant>,
    /// There was news of the same points during the burst: another one follows.
    again: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    remote: SocketAddr,
    local: IpAddr,
    challenge: ChallengeToken,
}

/// What an echo of a request's challenge tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Echo {
    /// Of no request.
    Strange,
    /// It came from where the request went: that path is proven.
    Proven(Proven),
    /// The request arrived, but its answer comes from another place, which has to be asked itself.
    Elsewhere,
}

impl Requests {
    /// When the last burst began.
    pub(crate) const fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Whether a burst is under way.
    pub(crate) const fn under_way(&self) -> bool {
        self.next.is_some() || self.again
    }

    /// Asks for the peer at every one of `targets`, now and repeatedly.
    pub(crate) fn begin(&mut self, targets: &[(SocketAddr, IpAddr)], session: &Session, turn: &mut Turn<'_>) {
        let known = |remote: &SocketAddr| self.asked.iter().find(|asked| asked.remote == *remote).copied();
        let news = targets.iter().any(|(remote, _)| known(remote).is_none());
        let early = self.began.is_some_and(|began| turn.now < began + BURST_INTERVAL);
        if targets.is_empty() {
            return;
        }
        if early && !news {
            self.again = true;
            return;
        }
        // A late answer to the last burst counts, so the challenges stay.
        let asked = targets.iter().take(MOST_POINTS).map(|(remote, local)| {
            let challenge = known(remote).map_or_else(|| turn.fresh_challenge(), |asked| asked.challenge);
            Asked { remote: *remote, local: *local, challenge }
        });
        *self = Self {
            asked: asked.collect(),
            sent: 0,
            began: Some(turn.now),
            next: Some(turn.now),
            again: false,
        };
        self.handle_timeout(Some(session), turn);
    }

    /// Somebody moved since: what was asked before proves nothing any more, and the next burst may begin at once.
    pub(crate) fn renew(&mut self) {
        *self = Self::default();
    }

    /// There is nobody to ask now.
    pub(crate) const fn skip(&mut self, now: Instant) {
        self.began = Some(now);
        (self.next, self.again) = (None, false);
    }

    /// The peer is found.
    pub(crate) fn end(&mut self) {
        self.next = None;
        self.again = false;
        self.asked.clear();
    }

    /// An echo from `source`.
    pub(crate) fn on_response(&self, token: ChallengeToken, source: SocketAddr, now: Instant) -> Echo {
        let Some(asked) = self.asked.iter().find(|asked| asked.challenge == token) else {
            return Echo::Strange;
        };
        if asked.remote != source {
            return Echo::Elsewhere;
        }
        let rtt = self.began.filter(|_| self.sent == 1).map(|began| now - began);
        Echo::Proven(Proven { remote: asked.remote, local: Some(asked.local), rtt })
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.next, self.again_at()].into_iter().flatten().min()
    }

    /// When the burst begins again.
    fn again_at(&self) -> Option<Instant> {
        self.began.filter(|_| self.again).map(|began| began + BURST_INTERVAL)
    }

    /// Sends the next request of the burst to every point, if it is due.
    pub(crate) fn handle_timeout(&mut self, session: Option<&Session>, turn: &mut Turn<'_>) {
        if self.again_at().is_some_and(|at| turn.now >= at) {
            (self.began, self.next, self.sent, self.again) = (Some(turn.now), Some(turn.now), 0, false);
        }
        if self.next.is_none_or(|at| turn.now < at) {
            return;
        }
        let Some(session) = session else {
            (self.next, self.again) = (None, false);
            return;
        };
        for asked in &self.asked {
            let request = ConnectionUpdateRequest { challenge: asked.challenge };
            let to = (asked.remote, Some(asked.local));
            sealing::send(session, &[VcOption::ConnectionUpdateRequest(request)], to, turn);
        }
        self.next = PAUSES.get(self.sent).map(|pause| turn.now + *pause);
        self.sent += 1;
    }
}
