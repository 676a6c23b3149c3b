//! The round-trip time of one path, estimated from every answer that tells it (RFC 9002 §5).
//!
//! Takes samples and says how long an answer may take; when to ask, and what a missing answer means, is decided by
//! the [liveness machine](super::liveness) and the [search for the path's MTU](super::path_mtu).
//!
//! # Invariants
//! - An answer that came late counts like any other, so a path that became slow is known to be slow.
//! - A [hint](RoundTrip::hint) never outweighs a sample.

use stead_wire::time::Duration;

/// The round-trip time that is assumed before the first sample: a phone network's.
const INITIAL: Duration = Duration::from_millis(150);

/// The least that an answer may be later than the estimate: what a busy host's timers differ by.
const GRANULARITY: Duration = Duration::from_millis(5);

/// Variation that is never worth another question.
const SMALL: Duration = Duration::from_millis(5);

/// Samples after which the variation of a steady path is known to be small: the first guess, half a round trip, has
/// become a fiftieth.
const FIRST: u8 = 12;

/// An estimate of one path's round-trip time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct RoundTrip(Option<Estimate>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Estimate {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
    /// How many there were. None, if it comes from an answer that may belong to an earlier question.
    samples: u8,
}

impl Estimate {
    fn first(sample: Duration, samples: u8) -> Self {
        Self { latest: sample, smoothed: sample, variation: sample / 2, samples }
    }
}

impl RoundTrip {
    /// Of a path that never answered.
    pub(crate) const UNMEASURED: Self = Self(None);

    /// Takes a sample: an answer and the very question it answers were so far apart (RFC 9002 §5.3).
    pub(crate) fn sample(&mut self, latest: Duration) {
        let Some(known) = self.0.filter(|known| known.samples > 0) else {
            self.0 = Some(Estimate::first(latest, 1));
            return;
        };
        let apart = known.smoothed.max(latest) - known.smoothed.min(latest);
        self.0 = Some(Estimate {
            latest,
            smoothed: (known.smoothed * 7 + latest) / 8,
            variation: (known.variation * 3 + apart) / 4,
            samples: known.samples.saturating_add(1),
        });
    }

    /// Takes the age of a question that may have been repeated. It serves until the first sample.
    pub(crate) fn hint(&mut self, rtt: Duration) {
        self.0.get_or_insert(Estimate::first(rtt, 0));
    }

    /// The smoothed round-trip time, if anything was measured.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.0.map(|known| known.smoothed)
    }

    /// How long an answer that is sent at once may take. The newest sample counts in full: a path that has just become
    /// slower is given as much time as it took last.
    pub(crate) fn answer_time(&self) -> Duration {
        let known = self.0.unwrap_or_else(|| Estimate::first(INITIAL, 0));
        known.smoothed.max(known.latest) + (known.variation * 4).max(GRANULARITY)
    }

    /// Whether there were so few samples that the variation is a guess.
    pub(crate) fn fresh(&self) -> bool {
        self.0.is_none_or(|known| known.samples < FIRST)
    }

    /// Whether further samples would hardly change the estimate.
    pub(crate) fn settled(&self) -> bool {
        self.0.is_some_and(|known| !self.fresh() && known.variation <= (known.smoothed / 8).max(SMALL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn sampled(samples: &[u64]) -> RoundTrip {
        let mut path = RoundTrip::default();
        samples.iter().for_each(|sample| path.sample(ms(*sample)));
        path
    }

    #[test]
    fn an_unmeasured_path_is_taken_for_a_phone_network() {
        let path = RoundTrip::default();
        assert_eq!(path.smoothed(), None);
        assert_eq!(path.answer_time(), ms(450), "150 ms, and four times half of it");
    }

    #[test]
    fn samples_weigh_as_much_as_the_standard_says() {
        let path = sampled(&[40, 80]);
        assert_eq!(path.smoothed(), Some(ms(45)));
        assert_eq!(
            path.answer_time(),
            ms(80 + 4 * 25),
            "variation: three quarters of 20 ms, a quarter of 40 ms"
        );
    }

    #[test]
    fn a_steady_path_comes_to_be_known_exactly() {
        let path = sampled(&[40; 40]);
        assert_eq!(path.answer_time(), ms(45));
        assert!(path.settled());
        assert!(sampled(&[40]).fresh(), "one sample says nothing of the variation");
        assert!(sampled(&[40; 12]).settled());
    }

    #[test]
    fn one_late_answer_is_enough_to_wait_for_the_next() {
        let mut path = sampled(&[20; 40]);
        path.sample(ms(1_500));
        assert!(path.answer_time() > ms(1_500));
        assert!(!path.settled(), "it is worth asking again soon");
        (0..40).for_each(|_| path.sample(ms(20)));
        assert!(path.answer_time() < ms(50), "and when the path is fast again, that is learned too");
    }

    #[test]
    fn a_hint_serves_until_the_first_sample() {
        let mut path = RoundTrip::default();
        path.hint(ms(900));
        assert_eq!(path.smoothed(), Some(ms(900)));
        path.sample(ms(40));
        assert_eq!(path.smoothed(), Some(ms(40)));
        path.hint(ms(900));
        assert_eq!(path.smoothed(), Some(ms(40)));
    }
}
