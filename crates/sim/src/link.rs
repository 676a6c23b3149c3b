//! A link with delay, jitter, loss, duplication, reordering, a rate with a bounded queue, and an MTU.
//!
//! Each direction is a [`Wire`] of its own. It decides when copies of a datagram arrive; carrying them is the
//! world's.
//!
//! # Invariants
//! - Jitter alone overtakes nothing: what was sent first arrives first, unless `reorder` says otherwise.

use core::fmt;

use stead_wire::time::{Duration, Instant};

use crate::dice::Dice;

/// What one direction of a link is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkPlan {
    /// From one end to the other.
    pub delay: Duration,
    /// Up to this much more, drawn for each datagram.
    pub jitter: Duration,
    /// Probability (0 to 1) that a datagram is lost.
    pub loss: f64,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram is overtaken by those behind it.
    pub reorder: f64,
    /// Bits per second; `None` for as many as wanted.
    pub rate: Option<u64>,
    /// How long the queue before a limited rate may get; what would wait longer is dropped.
    pub queue: Duration,
    /// Largest IP packet in bytes. Larger ones are dropped without a word, as behind a broken router.
    pub mtu: usize,
}

impl Default for LinkPlan {
    /// A good cable: no delay of its own, nothing is lost.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            rate: None,
            queue: Duration::from_millis(100),
            mtu: 1500,
        }
    }
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// When the last bit of what waits will have been sent.
    busy_until: Instant,
    /// When the latest datagram in order arrives.
    latest: Instant,
}

/// What becomes of a datagram on a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passage {
    /// It arrives, and maybe again.
    Arrives(Instant, Option<Instant>),
    /// It does not.
    Lost(Loss),
}

/// Why a link lost a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// By chance.
    Chance,
    /// The queue was full.
    QueueFull,
    /// It was longer than the link's MTU.
    TooLong,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chance => "lost by the link",
            Self::QueueFull => "the link's queue is full",
            Self::TooLong => "longer than the link's MTU",
        })
    }
}

/// How far behind its place an overtaken datagram falls, at most, beyond twice the link's jitter.
const OVERTAKEN: Duration = Duration::from_millis(10);

impl Wire {
    /// Sends an IP packet of `bytes` at `now`.
    pub(crate) fn carry(&mut self, plan: &LinkPlan, bytes: usize, dice: &mut Dice, now: Instant) -> Passage {
        if bytes > plan.mtu {
            return Passage::Lost(Loss::TooLong);
        }
        if dice.chance(plan.loss) {
            return Passage::Lost(Loss::Chance);
        }
        let Some(sent) = self.queue(plan, bytes, now) else {
            return Passage::Lost(Loss::QueueFull);
        };
        let first = self.arrival(plan, sent, dice);
        let again = dice.chance(plan.duplicate).then(|| self.arrival(plan, sent, dice));
        Passage::Arrives(first, again)
    }

    /// When the last bit has left; `None` if it does not fit the queue.
    fn queue(&mut self, plan: &LinkPlan, bytes: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = plan.rate.filter(|rate| *rate > 0) else { return Some(now) };
        let start = self.busy_until.max(now);
        if start - now > plan.queue {
            return None;
        }
        let micros = (bytes as u64 * 8).saturating_mul(1_000_000).div_ceil(rate);
        self.busy_until = start + Duration::from_micros(micros);
        Some(self.busy_until)
    }

    fn arrival(&mut self, plan: &LinkPlan, sent: Instant, dice: &mut Dice) -> Instant {
        let arrival = sent + plan.delay + dice.up_to(plan.jitter);
        if dice.chance(plan.reorder) {
            return arrival + dice.up_to(plan.jitter * 2 + OVERTAKEN);
        }
        self.latest = self.latest.max(arrival);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ORIGIN;
    use stead_noise::random::Random;

    fn dice() -> Dice {
        Dice::new(Random::from_seed([1; 32]).stream("link"))
    }

    fn arrivals(plan: LinkPlan, packets: u64, every: Duration) -> Vec<Option<Duration>> {
        let (mut wire, mut dice) = (Wire::default(), dice());
        let send = |number: u64| {
            let now = ORIGIN + every * u32::try_from(number).unwrap();
            match wire.carry(&plan, 1250, &mut dice, now) {
                Passage::Arrives(at, _) => Some(at - ORIGIN),
                Passage::Lost(_) => None,
            }
        };
        (0..packets).map(send).collect()
    }

    #[test]
    fn a_rate_spaces_datagrams_and_its_queue_is_bounded_by_time() {
        // 1250 bytes at 10 Mbit/s are 1 ms.
        let plan = LinkPlan {
            rate: Some(10_000_000),
            queue: Duration::from_millis(3),
            delay: Duration::ZERO,
            ..LinkPlan::default()
        };
        let ms = |millis| Some(Duration::from_millis(millis));
        assert_eq!(
            arrivals(plan, 6, Duration::ZERO),
            [ms(1), ms(2), ms(3), ms(4), None, None],
            "those that would wait for more than 3 ms are dropped"
        );
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jittery = LinkPlan { jitter: Duration::from_millis(30), ..LinkPlan::default() };
        let steady = arrivals(jittery, 200, Duration::from_millis(1));
        assert!(steady.is_sorted());
        let mixed = arrivals(LinkPlan { reorder: 0.2, ..jittery }, 200, Duration::from_millis(1));
        assert!(!mixed.is_sorted());
    }

    #[test]
    fn about_as_many_are_lost_as_the_link_says() {
        let lossy = arrivals(LinkPlan { loss: 0.3, ..LinkPlan::default() }, 2000, Duration::ZERO);
        let lost = lossy.iter().filter(|arrival| arrival.is_none()).count();
        assert!((500..700).contains(&lost), "{lost} of 2000");
    }

    #[test]
    fn what_is_longer_than_the_mtu_does_not_pass() {
        let plan = LinkPlan { mtu: 1249, ..LinkPlan::default() };
        assert_eq!(arrivals(plan, 1, Duration::ZERO), [None]);
    }
}
