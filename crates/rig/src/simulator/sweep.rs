//! One scenario, many seeds.

use std::ops::Range;
use std::time::Duration;

use super::{Detail, play};
use crate::scenario::verdict::stall;
use crate::scenario::{Measured, Scenario, Verdict, judge};

/// What came of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many seeds were played.
    pub played: u64,
    /// The seeds with which something did not hold, in order.
    pub failures: Vec<Failure>,
    /// Virtual time, over all seeds.
    pub virtual_time: Duration,
    /// The longest stall of each seed, of whatever traffic had it, sorted.
    pub stalls: Vec<Duration>,
}

/// A seed with which something did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What did not hold.
    pub verdicts: Vec<Verdict>,
}

impl Sweep {
    /// The stall that so many in a hundred seeds do not exceed.
    #[must_use]
    pub fn stall_percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.stalls.len().checked_sub(1)?;
        self.stalls.get((last * percent.min(100)).div_ceil(100)).copied()
    }

    /// Adds what another sweep of the same scenario found.
    pub fn join(&mut self, other: Self) {
        self.played += other.played;
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.seed);
        self.virtual_time += other.virtual_time;
        self.stalls.extend(other.stalls);
        self.stalls.sort_unstable();
    }
}

/// Plays a scenario with every seed; tells `played` of each, which may end the sweep by returning false.
pub fn sweep(
    scenario: &Scenario,
    seeds: Range<u64>,
    mut played: impl FnMut(u64, &[Verdict]) -> bool,
) -> Sweep {
    let mut sweep = Sweep::default();
    for seed in seeds {
        let measured = play(scenario, seed, Detail::Measures);
        let verdicts = judge(scenario, &measured);
        sweep.played += 1;
        sweep.virtual_time += measured.ended;
        sweep.stalls.extend(longest_stall(scenario, &measured));
        let failed: Vec<Verdict> = verdicts.iter().filter(|verdict| !verdict.held).cloned().collect();
        if !failed.is_empty() {
            sweep.failures.push(Failure { seed, verdicts: failed });
        }
        if !played(seed, &verdicts) {
            break;
        }
    }
    sweep.stalls.sort_unstable();
    sweep
}

fn longest_stall(scenario: &Scenario, measured: &Measured) -> Option<Duration> {
    let stalls = scenario.traffic.iter().filter_map(|traffic| {
        let seen = measured.traffic.get(&traffic.name)?;
        stall(traffic, seen, measured)
    });
    stalls.max()
}
