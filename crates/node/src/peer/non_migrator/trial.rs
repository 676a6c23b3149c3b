//! One address under trial: it is challenged until it answers, or has left every challenge unanswered.
//!
//! Asks within the limit that holds for an address that has proven nothing (RFC 9000 §8). What follows from an answer
//! is the [non-migrator](super)'s to decide.

use stead_noise::allowance::Allowance;
use stead_noise::session::Session;
use stead_wire::message::sealed_len;
use stead_wire::options::{
    ChallengeToken, ConnectionUpdateAcknowledge, ConnectionUpdateRequest, Outcome, VcOption,
};
use stead_wire::time::{Duration, Instant};

use super::{NO_CHALLENGE, Unproven};
use crate::drops::Discard;
use crate::notice::Arrival;
use crate::peer::sealing;
use crate::turn::Turn;

/// First repetition of an unanswered challenge; doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// How long an address may leave our challenges unanswered (RFC 9000 §8.2.4 takes three probe timeouts; this
/// is that for a slow phone network). The peer repeats its update all the while.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3);

/// An address under trial.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) arrival: Arrival,
    pub(super) question: Question,
    pub(super) challenge: ChallengeToken,
    pub(super) allowance: Allowance,
    /// Since when packets wait for the peer's new place, wherever it first said that it is; `None` if they do not.
    pub(super) held_since: Option<Instant>,
    pub(super) began: Instant,
    attempts: u32,
    asked: Instant,
    retry_at: Instant,
}

/// Why an address is under trial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    /// The peer says it moved there: its update is acknowledged together with our challenge.
    Announced { sequence: u64, echo: ChallengeToken },
    /// Data came from there: the peer is asked for an update.
    Sighted,
}

impl Trial {
    pub(super) fn new(
        arrival: Arrival,
        question: Question,
        challenge: ChallengeToken,
        held_since: Option<Instant>,
        now: Instant,
    ) -> Self {
        let allowance = Allowance::default();
        Self {
            arrival,
            question,
            challenge,
            allowance,
            held_since,
            began: now,
            attempts: 0,
            asked: now,
            retry_at: now,
        }
    }

    pub(super) const fn announced(&self) -> bool {
        matches!(self.question, Question::Announced { .. })
    }

    /// When it is asked again, or given up.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.retry_at.min(self.gives_up_at())
    }

    /// Whether it left every challenge unanswered.
    pub(super) fn over(&self, now: Instant) -> bool {
        now >= self.gives_up_at()
    }

    /// What is told of one that did.
    pub(super) const fn unproven(&self) -> Unproven {
        Unproven { source: self.arrival.source, announced: self.announced() }
    }

    /// The time that the answer took, where it can be told.
    pub(super) fn rtt(&self, now: Instant) -> Option<Duration> {
        (self.attempts == 1).then(|| now - self.asked)
    }

    /// Asks again, if that is due.
    pub(super) fn ask_again(&mut self, session: &Session, turn: &mut Turn<'_>) {
        if turn.now >= self.retry_at {
            self.ask(session, turn);
        }
    }

    /// Sends the challenge, if the limit allows.
    pub(super) fn ask(&mut self, session: &Session, turn: &mut Turn<'_>) {
        let option = match self.question {
            Question::Announced { sequence, echo } => {
                acknowledge(turn, self.arrival, sequence, echo, Outcome::Updated, Some(self.challenge))
            }
            Question::Sighted => {
                VcOption::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge: self.challenge })
            }
        };
        let pause = FIRST_RETRY * 2_u32.saturating_pow(self.attempts.min(4));
        self.retry_at = turn.now + pause;
        self.asked = turn.now;
        self.attempts += 1;
        let mut options = vec![option];
        if self.announced() {
            options.extend(turn.path.received_reports(session));
        }
        if !self.spend(&options, turn) {
            // What arrived can be told later.
            options.truncate(1);
            if !self.spend(&options, turn) {
                turn.path.drops().count(Discard::AmplificationLimit);
                return;
            }
        }
        let to = (self.arrival.source, self.arrival.local);
        sealing::send(session, &options, to, turn);
    }

    fn spend(&mut self, options: &[VcOption], turn: &Turn<'_>) -> bool {
        self.allowance.spend(sealed_len(sealing::encoded_len(options), turn.path.mtu()))
    }

    fn gives_up_at(&self) -> Instant {
        self.began + GIVE_UP_AFTER
    }
}

/// The answer to an update (CUA). `challenge` asks the address for proof.
pub(super) fn acknowledge(
    turn: &Turn<'_>,
    arrival: Arrival,
    sequence: u64,
    echo: ChallengeToken,
    outcome: Outcome,
    challenge: Option<ChallengeToken>,
) -> VcOption {
    VcOption::ConnectionUpdateAcknowledge(ConnectionUpdateAcknowledge {
        sequence,
        outcome,
        echo,
        challenge: challenge.unwrap_or(NO_CHALLENGE),
        claimed: turn.claimed(arrival.source),
    })
}
