//! The simulator: the same files in virtual time, thousands of seeds.
//!
//! What its hosts and networks are, and how they differ from a kernel's, is said in [`stead_sim`]. A scenario is played
//! without a log first; only if something did not hold it is played once more, to be written down.
//!
//! This world sees more than any node: packets that came out of a tunnel though nobody sent them, paths to places where
//! the peer never was, entries of a wrong peer. Such things are [`Measured::impossible`], and fail any scenario.

mod measure;
mod plan;

use std::sync::Arc;

use crate::scenario::{Measured, Scenario, judge};

/// How much is remembered while a scenario is played.
const REMEMBERED: usize = 200_000;

/// Lines of the log, and rows of the diagram, that are shown at most: the last ones.
const LINES: usize = 100;
const ROWS: usize = 100;

/// Plays a scenario whose times are drawn, from beginning to end. The same scenario and seed give the same result, byte
/// for byte.
pub(super) fn play(scenario: &Scenario, seed: u64, bare: Vec<Arc<Measured>>) -> Measured {
    let measured = Measured { bare, ..perform(scenario, seed, 0) };
    if judge(scenario, &measured).iter().all(|verdict| verdict.held) {
        return measured;
    }
    Measured { bare: measured.bare, ..perform(scenario, seed, REMEMBERED) }
}

/// With `remembered` records of a log, which go into the notes.
fn perform(scenario: &Scenario, seed: u64, remembered: usize) -> Measured {
    let mut stage = plan::Stage::set(scenario, seed);
    stage.world.keep_trace(remembered);
    stage.world.run_until(scenario.ends);
    let mut measured = measure::measure(scenario, &stage);
    if remembered > 0 {
        let (trace, names) = (stage.world.trace(), stage.world.names());
        let titled = |title: &str, lines: Vec<String>| format!("== {title}\n{}", lines.join("\n"));
        measured.notes = vec![
            titled("log without plain data, in virtual seconds", trace.story(&names, LINES)),
            titled("packets", trace.diagram(&names, ROWS)),
        ];
    }
    measured
}

#[cfg(test)]
mod tests;
