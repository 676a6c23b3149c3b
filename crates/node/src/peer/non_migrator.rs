//! The non-migrator: the peer moved, or seems to have; its new place is believed once it is proven
//! (seed 002 claims 12 to 19; seed 001 figures 8, 14; RFC 9000 §8.2, §9).
//!
//! Orders connection updates, challenges the addresses they came from, and requests an update (CUR) where data
//! came from an address nobody announced. It does not change the path: it says when one is proven.
//!
//! Two ends that announce themselves at the same moment may each find another path first. Then the one whose key is
//! greater chooses: the other's trials are [left to it](NonMigrator::leave_to_peer).
//!
//! # Invariants
//! - Nothing but a matching echo, over the path in question, proves a path.
//! - An address that has proven nothing gets at most three bytes per byte it sent.

mod trial;

use core::net::SocketAddr;

use stead_noise::allowance::Allowance;
use stead_noise::session::Session;
use stead_wire::options::{ChallengeToken, ConnectionUpdate, Outcome, VcOption};
use stead_wire::time::{Duration, Instant};

use self::trial::{Question, Trial, acknowledge};
use super::migrator::Proven;
use crate::drops::Discard;
use crate::event::Suspension;
use crate::notice::Arrival;
use crate::turn::Turn;

/// Addresses of one peer under trial at once. A host has a handful; more is an attacker re-sourcing datagrams.
const MOST_TRIALS: usize = 4;

/// How long the peer may need to follow us: some round trips.
const FOLLOWING: Duration = Duration::from_millis(500);

/// The peer's moves.
#[derive(Debug, Default)]
pub(crate) struct NonMigrator {
    /// Sequence number of the newest update acted on.
    newest: Option<u64>,
    /// Whether the peer knows what became of that update.
    concluded: bool,
    /// Until then the peer may still be on its way to the active path.
    followed_until: Option<Instant>,
    trials: Vec<Trial>,
}

/// An address that answered our challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) proven: Proven,
    /// The peer said that it is there, and so has its own answer from us.
    pub(crate) announced: bool,
    /// When it was first asked.
    pub(crate) began: Instant,
}

/// An address that left every challenge unanswered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unproven {
    pub(crate) source: SocketAddr,
    /// The peer said that it is there.
    pub(crate) announced: bool,
}

/// What became of a connection update.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It came over the active path: acknowledge, nothing moves.
    SamePlace(VcOption),
    /// The peer moved; our challenge is on its way.
    UnderTrial,
    /// The peer has its answer from us already, over another path.
    Concluded,
    /// Older than the newest: the answer says what a new one has to exceed.
    Stale(VcOption),
}

impl NonMigrator {
    /// Whether and since when packets must be held because the peer announced a move that is not proven yet.
    pub(crate) fn suspension(&self) -> Option<(Suspension, Instant)> {
        self.trials
            .iter()
            .filter_map(|trial| trial.held_since)
            .min()
            .map(|since| (Suspension::PeerMoving, since))
    }

    /// The limit that applies to an address under trial.
    pub(crate) fn allowance(&mut self, arrival: Arrival) -> Option<&mut Allowance> {
        self.trial(arrival).map(|trial| &mut trial.allowance)
    }

    /// The peer says that it moved to where this came from (CU).
    ///
    /// By its `sequence` number an update is never undone by an older one, whatever the order of arrival.
    /// `settled` tells that it came over the active, validated path.
    pub(crate) fn on_update(
        &mut self,
        sequence: u64,
        echo: ChallengeToken,
        from: (Arrival, usize),
        settled: bool,
        session: &Session,
        turn: &mut Turn<'_>,
    ) -> Verdict {
        let (arrival, bytes) = from;
        if let Some(newest) = self.newest.filter(|newest| sequence < *newest) {
            let refused = acknowledge(turn, arrival, newest, echo, Outcome::Refused, None);
            return Verdict::Stale(refused);
        }
        let newer = self.newest != Some(sequence);
        if !newer && self.concluded && !settled {
            return Verdict::Concluded;
        }
        (self.newest, self.concluded) = (Some(sequence), settled);
        let since = self.suspension().map_or(turn.now, |(_, since)| since);
        if newer {
            self.trials.retain(|trial| trial.arrival.source == arrival.source);
            // Whoever announces anew has as long as one that was never heard of.
            self.trials.iter_mut().for_each(|trial| trial.began = turn.now);
        }
        if settled {
            self.trials.clear();
            let unchanged = acknowledge(turn, arrival, sequence, echo, Outcome::Unchanged, None);
            return Verdict::SamePlace(unchanged);
        }
        if let Some(trial) = self.begin(arrival, Question::Announced { sequence, echo }, Some(since), turn) {
            trial.allowance.credit(bytes);
            trial.ask(session, turn);
        }
        Verdict::UnderTrial
    }

    /// The peer says that it moved to a place that is proven already (CU): it is there, and has its answer at once.
    ///
    /// `None` if that is older than what it said last, or concerns a move that is concluded.
    pub(crate) fn on_known(
        &mut self,
        sequence: u64,
        echo: ChallengeToken,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Option<VcOption> {
        if self.newest.is_some_and(|newest| sequence < newest || (sequence == newest && self.concluded)) {
            return None;
        }
        (self.newest, self.concluded) = (Some(sequence), true);
        self.trials.clear();
        self.on_followed(turn.now);
        Some(acknowledge(turn, arrival, sequence, echo, Outcome::Updated, None))
    }

    /// The peer that announced itself claims to be at another place than its update came from. The claim is its own
    /// word, the source is anybody's: whoever forwards the peer's datagrams faster than they come by themselves must
    /// not keep it from being found.
    pub(crate) fn on_claim(
        &mut self,
        sequence: u64,
        echo: ChallengeToken,
        from: (Arrival, usize),
        session: &Session,
        turn: &mut Turn<'_>,
    ) {
        let (claim, bytes) = from;
        let since = self.suspension().map_or(turn.now, |(_, since)| since);
        if let Some(trial) = self.begin(claim, Question::Announced { sequence, echo }, Some(since), turn) {
            trial.allowance.credit(bytes);
            trial.ask(session, turn);
        }
    }

    /// Data came from an address that is not the active path's: ask the peer whether it is there (CUR).
    pub(crate) fn on_sighting(
        &mut self,
        arrival: Arrival,
        bytes: usize,
        session: &Session,
        turn: &mut Turn<'_>,
    ) {
        if let Some(trial) = self.trial(arrival) {
            trial.allowance.credit(bytes);
            return;
        }
        if self.followed_until.is_some_and(|until| turn.now < until) {
            return;
        }
        if let Some(trial) = self.begin(arrival, Question::Sighted, None, turn) {
            trial.allowance.credit(bytes);
            trial.ask(session, turn);
        }
    }

    /// An echo of one of our challenges: the address is proven, and the others are dropped.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, now: Instant) -> Result<Found, Discard> {
        // A response counts on whatever path it comes (RFC 9000 §8.2.3): the challenge went nowhere else, and somebody
        // on the way may forward what comes back faster than it comes by itself.
        let trial =
            self.trials.iter().find(|trial| trial.challenge == token).ok_or(Discard::UnsolicitedResponse)?;
        let proven = Proven { remote: trial.arrival.source, local: trial.arrival.local, rtt: trial.rtt(now) };
        let found = Found { proven, announced: trial.announced(), began: trial.began };
        self.concluded |= found.announced;
        self.trials.clear();
        Ok(found)
    }

    /// We have chosen a path while the peer was choosing: it will follow, and its own choice is not waited for.
    pub(crate) fn conclude(&mut self) {
        self.concluded = true;
        self.trials.clear();
    }

    /// We have found a path while the peer was choosing: until it has chosen, ours will do, and nothing is held for it.
    pub(crate) fn leave_to_peer(&mut self) {
        self.trials.retain(Trial::announced);
        self.trials.iter_mut().for_each(|trial| trial.held_since = None);
    }

    /// The peer is about to follow us to the active path: what it sends meanwhile from elsewhere is nothing to follow.
    pub(crate) fn on_followed(&mut self, now: Instant) {
        self.trials.retain(Trial::announced);
        self.followed_until = Some(now + FOLLOWING);
    }

    /// The path was proven otherwise, for instance by a handshake.
    pub(crate) fn settle(&mut self) {
        self.trials.clear();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.trials.iter().map(Trial::poll_timeout).min()
    }

    /// Repeats challenges; gives up on addresses that never answered and returns them.
    pub(crate) fn handle_timeout(&mut self, session: Option<&Session>, turn: &mut Turn<'_>) -> Vec<Unproven> {
        let over = |trial: &Trial| session.is_none() || trial.over(turn.now);
        let (lost, kept): (Vec<_>, Vec<_>) = core::mem::take(&mut self.trials).into_iter().partition(over);
        self.trials = kept;
        if let Some(session) = session {
            self.trials.iter_mut().for_each(|trial| trial.ask_again(session, turn));
        }
        lost.iter()
            .filter(|trial| trial.held_since.is_some() || !trial.announced())
            .map(Trial::unproven)
            .collect()
    }

    fn trial(&mut self, arrival: Arrival) -> Option<&mut Trial> {
        self.trials.iter_mut().find(|trial| trial.arrival.source == arrival.source)
    }

    /// A new trial for `arrival`, or the running one with a new question; `None` if there is no room for it.
    fn begin(
        &mut self,
        arrival: Arrival,
        question: Question,
        held_since: Option<Instant>,
        turn: &mut Turn<'_>,
    ) -> Option<&mut Trial> {
        if let Some(at) = self.trials.iter().position(|trial| trial.arrival.source == arrival.source) {
            let trial = &mut self.trials[at];
            // Repeating itself, the peer does not take back that the choice is its.
            let left = trial.question == question && trial.held_since.is_none();
            trial.held_since = held_since.filter(|_| !left);
            trial.question = question;
            trial.arrival = arrival;
            return Some(trial);
        }
        if self.trials.len() >= MOST_TRIALS {
            self.make_room(question)?;
        }
        let challenge = turn.fresh_challenge();
        self.trials.push(Trial::new(arrival, question, challenge, held_since, turn.now));
        self.trials.last_mut()
    }

    /// Gives up a trial for a new one. What the peer announced is never given up for what was merely sighted:
    /// whoever forwards the peer's datagrams from many addresses cannot crowd out its own.
    fn make_room(&mut self, question: Question) -> Option<()> {
        let sighted = self.trials.iter().position(|trial| trial.question == Question::Sighted);
        let at = match question {
            Question::Announced { .. } => sighted.unwrap_or(0),
            Question::Sighted => sighted?,
        };
        self.trials.remove(at);
        Some(())
    }
}

/// The answer to an update that asks for what is not done here; nothing changed.
pub(super) fn refuse(update: &ConnectionUpdate, arrival: Arrival, turn: &Turn<'_>) -> VcOption {
    acknowledge(turn, arrival, update.sequence, update.challenge, Outcome::Refused, None)
}

/// In an acknowledgement: the path is proven, nothing is asked.
pub(crate) const NO_CHALLENGE: ChallengeToken = ChallengeToken([0; 8]);
