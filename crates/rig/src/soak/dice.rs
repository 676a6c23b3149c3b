//! Chance for episodes: the same seed draws the same numbers on every machine.

use std::time::Duration;

/// A SplitMix64 generator.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; zero if `bound` is.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        // The bias is below bound / 2^64.
        match self.next().checked_rem(bound) {
            Some(drawn) => drawn,
            None => 0,
        }
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(super) const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Whole milliseconds from `least` to `most`, evenly spread.
    pub(super) const fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }

    /// Whole milliseconds from `least` to `most`, so that each doubling is as probable as every other.
    pub(super) fn doubling_millis(&mut self, least: u64, most: u64) -> Duration {
        let doublings = u64::from((most / least.max(1)).max(1).ilog2());
        let start = least << self.below(doublings + 1);
        self.millis(start, (2 * start).min(most))
    }

    /// One of them; `items` is not empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_times_stay_within_their_bounds() {
        let (mut one, mut same, mut other) = (Dice::new(7), Dice::new(7), Dice::new(8));
        let drawn: Vec<Duration> = (0..200).map(|_| one.doubling_millis(100, 60_000)).collect();
        assert_eq!(drawn, (0..200).map(|_| same.doubling_millis(100, 60_000)).collect::<Vec<_>>());
        assert_ne!(drawn, (0..200).map(|_| other.doubling_millis(100, 60_000)).collect::<Vec<_>>());
        let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
        assert!(drawn.iter().all(|time| bounds.contains(time)), "{drawn:?}");
        assert!(drawn.iter().any(|time| *time > Duration::from_secs(20)));
        assert_eq!(one.below(0), 0);
    }
}
