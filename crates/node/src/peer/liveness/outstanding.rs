//! Challenges that went over the active path and may still be answered.
//!
//! Every challenge has a token of its own, so every answer tells which question it answers and how long that took,
//! however late it comes. Bounded: the oldest is forgotten for the newest.

use std::collections::VecDeque;

use stead_wire::options::ChallengeToken;
use stead_wire::time::Instant;

/// Challenges that are remembered: those of two questions.
const MOST: usize = 40;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Outstanding(VecDeque<(ChallengeToken, Instant)>);

impl Outstanding {
    /// A challenge goes.
    pub(super) fn sent(&mut self, token: ChallengeToken, now: Instant) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((token, now));
    }

    /// When the challenge went, if it is still waited for.
    pub(super) fn sent_at(&self, token: ChallengeToken) -> Option<Instant> {
        self.0.iter().find(|sent| sent.0 == token).map(|sent| sent.1)
    }

    /// It is answered.
    pub(super) fn answered(&mut self, token: ChallengeToken) {
        self.0.retain(|sent| sent.0 != token);
    }

    /// Answers to what went so far say nothing any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
