//! Finds the longest packets that one path takes (RFC 8899): what is asked next, and what an answer or its absence means.
//!
//! Sizes are those of inner packets; a probe is a message as long as that packet's would be. This machine sends
//! nothing: it says which sizes to probe, and is told which of them arrived.
//!
//! # Life-cycle
//! asked for the limit → arrived → resting → (long packets go) → asked again …
//! asked for the limit → three times unanswered, more often where [much is lost](super::chance), while a shorter probe arrived → the shorter one is the limit →
//! searched upwards, by halves → resting → (after a while, if long packets go) → searched upwards again …
//!
//! # Invariants
//! - The limit falls only because probes of the peer's session say so: what routers or strangers say only makes it ask.
//! - Silence of the whole path changes nothing here.
//! - At most three probes go at one moment, and [`PAUSE`] lies between two moments.

use std::collections::VecDeque;

use stead_wire::message::PADDING;
use stead_wire::options::ChallengeToken;
use stead_wire::time::{Duration, Instant};

use super::chance::Chance;
use crate::peer::round_trip::RoundTrip;

/// What every path takes that carries IPv6, or IPv4 as people use it (RFC 8200 §5): 1280 bytes, less an outer IPv6
/// header and the message's own 40 bytes. Also the first to be tried where something longer got lost.
pub(crate) const BASE: usize = 1200;

/// Packets up to this length are never too long: every IPv4 host takes 576 bytes (RFC 1122 §3.3.2), whose inner packet
/// this is, less padding.
pub(crate) const FLOOR: usize = 512;

/// How long the limit is trusted while long packets go. With three attempts a path that narrows without a word is found
/// out within half a second and four round trips: before a TCP that sent just then tries for the third time.
const TRUST: Duration = Duration::from_millis(300);

/// The same while so few bytes go that asking so often would be a burden.
const TRUST_WHEN_SLOW: Duration = Duration::from_secs(2);

/// A probe goes for so many times its bytes: they take three per cent of the line.
const WORTH: u64 = 32;

/// The same where the system knows of a narrower path (an ICMP message came): it only has to be true.
const ATTEMPTS_IF_TOLD: u32 = 2;

/// The least pause between attempts: a train of packets that is lost is shorter.
const PAUSE: Duration = Duration::from_millis(40);

/// Bounds of the pause on a path that was measured a few times only, where the variation is a guess: one and a half round
/// trips.
const FRESH_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// The pause where no round-trip time is known.
const UNMEASURED: Duration = Duration::from_millis(200);

/// The first search upwards after one that ended below what could be used comes after this long, each further one after
/// twice as long, up to [`RAISE_AT_MOST`] (RFC 8899 §5.1.1): a size lost by chance is found again soon.
const RAISE: Duration = Duration::from_secs(10);

/// See [`RAISE`].
const RAISE_AT_MOST: Duration = Duration::from_secs(600);

/// What the system says is asked about this often at most; anybody can forge it.
const HEED: Duration = Duration::from_secs(1);

/// Probes whose answers are waited for.
const MOST_SENT: usize = 51;

/// One path's search.
#[derive(Debug)]
pub(crate) struct Search {
    /// Nothing longer is of any use.
    most: usize,
    limit: usize,
    /// The shortest that did not arrive.
    refuted: Option<usize>,
    trial: Option<Trial>,
    sent: VecDeque<(ChallengeToken, usize, Instant)>,
    /// Since when nothing is asked.
    rested: Instant,
    /// Few bytes go: not before then.
    postponed: Instant,
    /// Bytes that had gone when the limit was last asked for.
    asked_at: u64,
    chance: Chance,
    /// When to search upwards again, and how much later the time after.
    raise: (Instant, Duration),
    /// The search under way is that one.
    raising: bool,
    /// What the system believes, while it is being asked.
    told: Option<usize>,
    /// When what it believes was last heeded.
    heeded: Option<Instant>,
}

/// A size that is being asked for.
#[derive(Debug)]
struct Trial {
    size: usize,
    attempts: u32,
    due: Instant,
    /// The longest shorter probe of this trial that arrived.
    witness: Option<usize>,
}

impl Search {
    /// On a new path: `most` is used until it is refuted, and asked for at once.
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        Self {
            most,
            limit: most,
            refuted: None,
            trial: Some(Trial::new(most, now)),
            sent: VecDeque::new(),
            rested: now,
            postponed: now,
            asked_at: 0,
            chance: Chance::default(),
            raise: (now + RAISE, RAISE * 2),
            raising: false,
            told: None,
            heeded: None,
        }
    }

    /// On a new path of a peer to which nothing long has ever gone: asked for with the first long packet.
    pub(crate) fn unasked(most: usize, now: Instant) -> Self {
        Self { trial: None, rested: Instant::ZERO, ..Self::new(most, now) }
    }

    /// On a path that took no more than `limit` when it was last used: asked for that first, then whether it takes more
    /// by now.
    pub(crate) fn known(most: usize, limit: usize, now: Instant) -> Self {
        let trial = Some(Trial::new(limit, now));
        let refuted = Some(limit + PADDING);
        Self { limit, refuted, trial, raise: (now, RAISE), ..Self::new(most, now) }
    }

    /// The longest packet that may go now.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the path takes less than could be used.
    pub(crate) const fn narrow(&self) -> bool {
        self.limit < self.most
    }

    /// When there is something to ask. Without long packets, sent unasked for `since`, nobody needs to know.
    pub(crate) fn poll_timeout(&self, since: Option<Instant>) -> Option<Instant> {
        match &self.trial {
            Some(trial) => Some(trial.due),
            None => since.map(|since| since.max(self.rested + TRUST).max(self.postponed)),
        }
    }

    /// Whether so little was sent since the last question that another one has time.
    fn postpones(&mut self, bytes: u64, now: Instant) -> bool {
        if self.trial.is_some() {
            return false;
        }
        let worth = bytes.saturating_sub(self.asked_at) >= self.limit as u64 * WORTH;
        if worth || now >= self.rested + TRUST_WHEN_SLOW {
            self.asked_at = bytes;
            return false;
        }
        self.postponed = (now + TRUST).min(self.rested + TRUST_WHEN_SLOW);
        true
    }

    /// What is due: the sizes to probe now. Each is to be told by [`on_sent`](Self::on_sent).
    pub(crate) fn handle_timeout(
        &mut self,
        since: Option<Instant>,
        (path, bytes): (RoundTrip, u64),
        now: Instant,
    ) -> Vec<usize> {
        if self.poll_timeout(since).is_none_or(|at| now < at) || self.postpones(bytes, now) {
            return Vec::new();
        }
        let enough = if self.told.is_some() { ATTEMPTS_IF_TOLD } else { self.chance.needed() };
        if let Some(over) = self.trial.take_if(|trial| trial.attempts >= enough) {
            self.unanswered(&over, now);
        } else if self.trial.is_none() {
            self.trial = Some(Trial::new(self.next_question(now), now));
        }
        let (limit, told) = (self.limit, self.told);
        let Some(trial) = &mut self.trial else { return Vec::new() };
        trial.attempts += 1;
        trial.due = now + pause(path);
        // Only the limit needs witnesses: if more than that does not arrive, nothing changes.
        let asks_limit = trial.size == limit;
        let further = match (asks_limit, trial.attempts) {
            (false, _) => [None, None],
            (true, 1) => [told, None],
            (true, 2) => [Some(told.unwrap_or(BASE)), None],
            (true, _) => [Some(BASE), Some(0)],
        };
        let shorter = further.into_iter().flatten().filter(|size| *size < trial.size);
        // Where the base itself is in doubt, only the shortest can speak for the path.
        let last = (asks_limit && trial.attempts > 1 && trial.size <= BASE).then_some(0);
        let mut sizes: Vec<usize> = core::iter::once(trial.size).chain(shorter).chain(last).collect();
        sizes.dedup();
        sizes
    }

    /// A probe of `size` goes.
    pub(crate) fn on_sent(&mut self, token: ChallengeToken, size: usize, now: Instant) {
        if self.sent.len() >= MOST_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((token, size, now));
    }

    /// An echo came back: when the probe went that it answers, if it is one's.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, now: Instant) -> Option<Instant> {
        let at = self.sent.iter().position(|sent| sent.0 == token)?;
        let (_, size, sent) = self.sent.remove(at)?;
        self.arrived(size, now);
        Some(sent)
    }

    /// The system says that the path takes no more than `size`: nobody knows who told it.
    pub(crate) fn on_hint(&mut self, size: usize, now: Instant) {
        let heeded = self.heeded.is_some_and(|at| now < at + HEED);
        if size >= self.limit || heeded {
            return;
        }
        (self.told, self.heeded) = (Some(size.max(FLOOR)), Some(now));
        if self.trial.as_ref().is_none_or(|trial| trial.size != self.limit) {
            self.trial = Some(Trial::new(self.limit, now));
        }
    }

    fn arrived(&mut self, size: usize, now: Instant) {
        if self.refuted.is_some_and(|refuted| refuted <= size) {
            self.refuted = None;
        }
        let grown = size > self.limit;
        self.limit = self.limit.max(size);
        match &mut self.trial {
            Some(trial) if size < trial.size => trial.witness = trial.witness.max(Some(size)),
            Some(trial) => {
                self.chance.arrived(trial.attempts);
                self.told = None;
                self.search_on(now);
            }
            // Later than it was waited for.
            None if grown => self.search_on(now),
            None => {}
        }
    }

    /// Nobody answered, however often the size was tried.
    fn unanswered(&mut self, trial: &Trial, now: Instant) {
        self.rested = now;
        if trial.size > self.limit {
            self.refuted = Some(trial.size);
            return self.search_on(now);
        }
        // Without a witness the path is silent, which is not for its width to say.
        let told = self.told.take();
        let Some(witness) = trial.witness else { return };
        self.limit = witness.max(FLOOR);
        self.raise = (now + RAISE, RAISE * 2);
        self.refuted = Some(trial.size);
        // What the system said may have been right, and may have been lost by chance.
        let candidate = told.filter(|size| *size > self.limit);
        match candidate {
            Some(size) => self.trial = Some(Trial::new(size, now)),
            None => self.search_on(now),
        }
    }

    /// Upwards, by halves, until no size is left that padding would tell from the limit.
    fn search_on(&mut self, now: Instant) {
        self.trial = None;
        self.rested = now;
        let next = match self.refuted {
            None => self.most,
            Some(refuted) => {
                let half = usize::midpoint(self.limit, refuted) / PADDING * PADDING;
                let next = half.max(self.limit / PADDING * PADDING + PADDING);
                if next < refuted { next } else { self.limit }
            }
        };
        if next > self.limit {
            self.trial = Some(Trial::new(next, now));
        } else if core::mem::take(&mut self.raising) {
            self.raise = (now + self.raise.1, (self.raise.1 * 2).min(RAISE_AT_MOST));
        }
    }

    /// The limit, whether it still holds; now and then more than it, whether that arrives by now.
    fn next_question(&mut self, now: Instant) -> usize {
        if self.narrow() && now >= self.raise.0 {
            (self.refuted, self.raising) = (None, true);
            return self.most;
        }
        self.limit
    }
}

/// Between two attempts on `path`.
fn pause(path: RoundTrip) -> Duration {
    match path.smoothed() {
        None => UNMEASURED,
        Some(rtt) if path.fresh() => (rtt + rtt / 2).clamp(FRESH_PAUSE.0, FRESH_PAUSE.1),
        Some(_) => path.answer_time().max(PAUSE),
    }
}

impl Trial {
    const fn new(size: usize, now: Instant) -> Self {
        Self { size, attempts: 0, due: now, witness: None }
    }
}

#[cfg(test)]
mod tests;
