//! How many probes are lost by chance on one path, and so how many have to go unanswered to say anything.
//!
//! Counts probes of sizes that turned out to arrive: what those lost, the path loses whatever the size.

/// A verdict is wrong this seldom: once in so many.
const WRONG_ONCE_IN: u64 = 100_000;

/// Bounds of the probes that a verdict takes. On a path that loses half, fifteen are needed.
const PROBES: (u32, u32) = (3, 17);

/// Weighs against the losses that were seen: a path is taken to lose one probe in so many more.
const ASSUMED: u64 = 8;

/// When so many were counted, the older half is forgotten.
const MOST: u64 = 128;

/// Probes of sizes that the path takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chance {
    probes: u64,
    lost: u64,
}

impl Chance {
    /// A size arrived, with the last of so many probes.
    pub(super) fn arrived(&mut self, attempts: u32) {
        self.probes += u64::from(attempts);
        self.lost += u64::from(attempts.saturating_sub(1));
        if self.probes >= MOST {
            (self.probes, self.lost) = (self.probes / 2, self.lost / 2);
        }
    }

    /// How many probes of one size have to go unanswered until chance is no longer a likely cause.
    ///
    /// Where none was lost yet, the fewest: most paths lose little, connections wait for the verdict, and the search
    /// upwards mends a wrong one.
    pub(super) fn needed(self) -> u32 {
        if self.lost == 0 {
            return PROBES.0;
        }
        let (lost, probes) = (self.lost + 1, self.probes + ASSUMED);
        let (mut likely, mut unlikely) = (1_u64, 1_u64);
        for count in 1..=PROBES.1 {
            (likely, unlikely) = (likely * lost, unlikely * probes);
            if likely * WRONG_ONCE_IN <= unlikely {
                return count.max(PROBES.0);
            }
            // Shares matter, not counts.
            while unlikely > 1 << 24 {
                (likely, unlikely) = (likely.div_ceil(2), unlikely / 2);
            }
        }
        PROBES.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_needs_three_probes_and_one_that_loses_half_fifteen() {
        assert_eq!(Chance::default().needed(), 3, "nothing is known yet");
        let mut clean = Chance::default();
        (0..100).for_each(|_| clean.arrived(1));
        assert_eq!(clean.needed(), 3);
        let mut bad = Chance::default();
        (0..100).for_each(|_| bad.arrived(2));
        assert!(bad.needed() >= 15, "{}", bad.needed());
    }

    #[test]
    fn the_more_a_path_loses_the_more_it_needs() {
        let needed = |percent: u32| {
            let mut path = Chance::default();
            (0..300).for_each(|at| path.arrived(if at % 100 < percent { 2 } else { 1 }));
            path.needed()
        };
        assert!(
            needed(5) < needed(20) && needed(20) < needed(60),
            "{} {} {}",
            needed(5),
            needed(20),
            needed(60)
        );
    }
}
