//! An initiation under way: where it went, when it is sent again, and for how long.
//!
//! Sends one message; whether another one is made is the [handshaking](super)'s to decide.

use stead_noise::handshake::Initiator;
use stead_noise::schedule::{REKEY_ATTEMPT_TIME, REKEY_TIMEOUT};
use stead_wire::time::{Duration, Instant};

use super::Target;
use crate::notice::Arrival;
use crate::turn::Turn;

/// Our own initiations are at least this far apart: twice what the peer refuses, since they may arrive closer together.
const RESTART_INTERVAL: Duration = Duration::from_millis(40);

/// A handshake that went unanswered for this long may have gone to where the peer is not.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// How long an initiation is good to be sent again as it is: longer than a round trip takes.
const REPEATABLE_FOR: Duration = Duration::from_secs(2);

/// Jitter on retries, so that two peers do not ask at the same moment for ever.
const JITTER: Duration = Duration::from_millis(333);

/// See the module's documentation.
pub(super) struct Flight {
    pub(super) initiator: Initiator,
    /// Nothing waits for it: it is not tried for long.
    pub(super) brief: bool,
    /// When the first of the messages went of which this one is the latest.
    pub(super) began: Instant,
    targets: Vec<Target>,
    message: Vec<u8>,
    sent: Instant,
    retry_at: Instant,
    /// How often the same message is still to be sent, and when next: both ends try at once, and each opens its NAT
    /// for the other.
    repeats: core::slice::Iter<'static, Duration>,
    repeat_at: Option<Instant>,
}

impl Flight {
    /// Sends `message` to every one of `targets`.
    pub(super) fn depart(
        initiator: Initiator,
        message: Vec<u8>,
        targets: Vec<Target>,
        began: Instant,
        turn: &mut Turn<'_>,
    ) -> Self {
        for (remote, local) in &targets {
            turn.transmit(*remote, *local, message.clone());
        }
        let jitter = u64::from(turn.random.jitter.next_u32()) % (JITTER.as_micros() as u64 + 1);
        Self {
            initiator,
            brief: false,
            began,
            targets,
            message,
            sent: turn.now,
            retry_at: turn.now + REKEY_TIMEOUT + Duration::from_micros(jitter),
            repeats: [].iter(),
            repeat_at: None,
        }
    }

    /// Since when it goes unanswered, if that is longer than any round trip that matters.
    pub(super) fn unanswered_since(&self, now: Instant) -> Option<Instant> {
        (now >= self.began + ANSWERED_WITHIN).then_some(self.began)
    }

    /// Whether the peer would drop another one now, so soon after this.
    pub(super) fn just_sent(&self, now: Instant) -> bool {
        now < self.sent + RESTART_INTERVAL
    }

    /// Begins anew as soon as the peer would not drop it for that.
    pub(super) fn restart_soon(&mut self, now: Instant) {
        self.began = now;
        self.retry_at = self.sent + RESTART_INTERVAL;
    }

    /// Another one is tried no later than after `pause`.
    pub(super) fn retry_within(&mut self, pause: Duration, now: Instant) {
        self.retry_at = self.retry_at.min(now + pause);
    }

    /// Whether its answer may be on the way, so that the same message is to be sent again rather than another one.
    pub(super) fn repeatable(&self, now: Instant) -> bool {
        now < self.sent + REPEATABLE_FOR
    }

    /// Goes to `targets` from now on: at once to those where it was not sent yet.
    pub(super) fn redirect(&mut self, targets: &[Target], turn: &mut Turn<'_>) {
        for (remote, local) in targets.iter().filter(|target| !self.targets.contains(target)) {
            turn.transmit(*remote, *local, self.message.clone());
        }
        self.targets = targets.to_vec();
    }

    /// Is sent again at `target`, at once.
    pub(super) fn send_again(&mut self, target: Target, turn: &mut Turn<'_>) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
        turn.transmit(target.0, target.1, self.message.clone());
    }

    /// Is sent repeatedly within the next seconds, with `pauses` between.
    pub(super) fn begin_repeats(&mut self, pauses: &'static [Duration], now: Instant) {
        self.repeats = pauses.iter();
        self.schedule_repeat(now);
    }

    /// Sends the same message again, if that is due.
    pub(super) fn repeat(&mut self, turn: &mut Turn<'_>) {
        if self.repeat_at.is_none_or(|at| turn.now < at) {
            return;
        }
        for (remote, local) in &self.targets {
            turn.transmit(*remote, *local, self.message.clone());
        }
        self.schedule_repeat(turn.now);
    }

    fn schedule_repeat(&mut self, now: Instant) {
        self.repeat_at = self.repeats.next().map(|pause| now + *pause);
    }

    /// The target that an answer came from, if it was asked there; of several the one that begins where it came to.
    pub(super) fn target(&self, arrival: Arrival) -> Option<Target> {
        let asked = self.targets.iter().filter(|(remote, _)| *remote == arrival.source);
        asked.rev().max_by_key(|(_, local)| (*local == arrival.local) as u8).copied()
    }

    /// Time since the message was first sent.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now - self.sent
    }

    /// Whether another message is to be tried.
    pub(super) fn unanswered(&self, now: Instant) -> bool {
        now >= self.retry_at
    }

    /// Whether it was tried for as long as WireGuard tries.
    pub(super) fn in_vain(&self, now: Instant) -> bool {
        now >= self.began + REKEY_ATTEMPT_TIME
    }

    /// Nowhere to go now: is tried again later.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.retry_at = now + REKEY_TIMEOUT;
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.repeat_at.map_or(self.retry_at, |at| at.min(self.retry_at))
    }
}
