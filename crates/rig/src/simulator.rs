//! Plays scenarios in the simulator: the same files, virtual time, thousands of seeds.
//!
//! [`play`] plays one and says what it measured, as every world does; [`sweep`] plays one with many seeds. What the
//! hosts of the simulator are, and how they differ from a kernel's, is said in [`stead_sim`].
//!
//! In this world `forged` counts what forgeries and replays *changed*: packets that came out of a tunnel though nobody
//! sent them, paths to places where the peer never was. Whatever fails authentication is among `drops`.

mod measure;
mod plan;
mod sweep;

use crate::scenario::{Measured, Scenario};

pub use sweep::{Failure, Sweep, sweep};

/// What is written down while a scenario is played.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// Only what is measured: fast.
    Measures,
    /// A log in virtual time and a packet diagram as well, which go into [`Measured::notes`].
    Log,
}

/// How much is remembered while a scenario is played.
const REMEMBERED: usize = 200_000;

/// Lines of the log, and rows of the diagram, that are shown at most: the last ones.
const LINES: usize = 300;
const ROWS: usize = 150;

/// Plays a scenario from beginning to end. The same scenario and seed give the same result, byte for byte.
#[must_use]
pub fn play(scenario: &Scenario, seed: u64, detail: Detail) -> Measured {
    let scenario = scenario.drawn(seed);
    let mut stage = plan::Stage::set(&scenario, seed);
    if detail == Detail::Log {
        stage.world.keep_trace(REMEMBERED);
    }
    stage.world.run_until(scenario.ends);
    let mut measured = measure::measure(&scenario, &stage);
    if detail == Detail::Log {
        measured.notes = notes(&scenario, &stage.world, seed);
    }
    measured
}

/// The command that plays a scenario again with this seed.
#[must_use]
pub fn command(scenario: &Scenario, seed: u64) -> String {
    format!("stead-rig run {} --world sim --seed {seed}", scenario.file.display())
}

fn notes(scenario: &Scenario, world: &stead_sim::World, seed: u64) -> Vec<String> {
    let names = world.names();
    let head = |words: &str| ["".to_owned(), format!("== {words}")];
    let mut notes = vec![
        format!("scenario: {} ({})", scenario.name, scenario.file.display()),
        format!("seed:     {seed}"),
        format!("again:    {}", command(scenario, seed)),
    ];
    notes.extend(head("log without plain data, virtual seconds"));
    notes.extend(world.trace().story(&names, LINES));
    notes.extend(head("packets"));
    notes.extend(world.trace().diagram(&names, ROWS));
    notes
}

#[cfg(test)]
mod tests;
