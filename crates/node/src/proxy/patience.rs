//! How long a service's answer is awaited, and how long after that (seed 001 leaves it open; RFC 8085 §3.1.1 asks for
//! backing off).

use stead_wire::time::{Duration, Instant};

/// First repetition while no round-trip time is known: a phone network's, generously.
const FIRST: Duration = Duration::from_millis(100);

/// Bounds of the first repetition when the round-trip time is known: a new network's may differ much.
const FIRST_BOUNDS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// First repetition of a handshake. Each makes the answer to the one before worthless, so it takes longer.
const FIRST_HANDSHAKE: Duration = Duration::from_millis(250);

/// After this many repetitions the service may have lost the session: ask for a new one as well.
pub(super) const DOUBT_AFTER: u32 = 2;

/// Longest pause while somebody waits to be found.
const LONGEST_URGENT: Duration = Duration::from_secs(4);

/// Longest pause otherwise: a service that is away for days costs one small datagram a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// When to repeat what went unanswered.
#[derive(Debug, Default)]
pub(super) struct Patience {
    repeated: u32,
    pause: Option<Duration>,
    asked: Option<Instant>,
    retry_at: Option<Instant>,
    rtt: Option<Duration>,
}

impl Patience {
    /// Nothing is awaited.
    pub(super) const fn rest(&mut self) {
        self.repeated = 0;
        self.pause = None;
        self.asked = None;
        self.retry_at = None;
    }

    /// How often the same was repeated without any answer.
    pub(super) const fn repeated(&self) -> u32 {
        self.repeated
    }

    pub(super) const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether it is time to repeat.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| now >= at)
    }

    /// Something was asked, for the first time or `again`. `spread` from 0 to 255 keeps many from asking at once.
    pub(super) fn wait(&mut self, asked: Asked, spread: u8, now: Instant) {
        let longest = if asked.urgent { LONGEST_URGENT } else { LONGEST };
        let pause = match self.pause {
            None if asked.handshake => self.rtt.map_or(FIRST_HANDSHAKE, |rtt| FIRST_HANDSHAKE.max(rtt * 2)),
            None => self.rtt.map_or(FIRST, |rtt| (rtt * 2).clamp(FIRST_BOUNDS.0, FIRST_BOUNDS.1)),
            Some(pause) if asked.again => pause * 2,
            Some(pause) => pause,
        };
        let pause = pause.min(longest);
        self.repeated += u32::from(asked.again);
        self.asked = (!asked.again).then_some(now);
        self.pause = Some(pause);
        // An eighth at most, so that many nodes do not come to a service that has come back all at once.
        self.retry_at = Some(now + pause + pause * u32::from(spread) / 2048);
    }

    /// Something came from the service.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Some(asked) = self.asked.take() {
            // It may have been on its way when we asked, so a shorter time is believed only slowly.
            let sample = now - asked;
            self.rtt = Some(self.rtt.map_or(sample, |rtt| sample.max((rtt * 7 + sample) / 8)));
        }
        self.repeated = 0;
    }

    /// A round trip was measured otherwise.
    pub(super) const fn measured(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }
}

/// What was asked of a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// It went unanswered before.
    pub(super) again: bool,
    /// It is a handshake, without which nothing else can be said.
    pub(super) handshake: bool,
    /// Somebody waits for it.
    pub(super) urgent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Asked = Asked { again: false, handshake: false, urgent: true };
    const AGAIN: Asked = Asked { again: true, ..FRESH };

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn pauses_double_from_a_tenth_of_a_second_to_a_bound() {
        let mut patience = Patience::default();
        let mut now = at(0);
        patience.wait(FRESH, 0, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let next = patience.retry_at().unwrap();
            pauses.push((next - now).as_millis());
            now = next;
            assert!(patience.is_over(now));
            patience.wait(AGAIN, 0, now);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 4000, 4000]);
        assert_eq!(patience.repeated(), 8);
        patience.rest();
        assert_eq!((patience.repeated(), patience.retry_at()), (0, None));
    }

    #[test]
    fn a_round_trip_is_measured_only_where_one_question_had_one_answer() {
        let mut patience = Patience::default();
        patience.wait(FRESH, 0, at(0));
        patience.wait(AGAIN, 0, at(100));
        patience.answered(at(130));
        assert_eq!(patience.rtt(), None, "to which of the two?");
        patience.rest();
        patience.wait(FRESH, 0, at(1000));
        patience.answered(at(1040));
        assert_eq!(patience.rtt(), Some(Duration::from_millis(40)));
        patience.rest();
        patience.wait(FRESH, 0, at(2000));
        assert_eq!(patience.retry_at(), Some(at(2080)));
    }
}
