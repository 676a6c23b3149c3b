//! `run` and `sweep`: scenarios from files, once or with many seeds, and what became of each expectation.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;
use stead_rig::RigError;
use stead_rig::run::{Played, Player, play};
use stead_rig::scenario::{Scenario, WorldKind};

use super::terminal::{Look, Terminal, bar};
use super::{RunArguments, SweepArguments};

/// Every scenario that was played.
#[derive(Debug, Serialize)]
pub(super) struct RunReport {
    command: &'static str,
    played: Vec<Played>,
    /// Whether every expectation of every scenario held.
    pub(super) held: bool,
}

pub(super) fn run(arguments: &RunArguments, terminal: &Terminal) -> Result<RunReport, RigError> {
    let scenarios = load(&arguments.files)?;
    let mut all = Vec::new();
    for scenario in for_world(&scenarios, arguments.world, terminal) {
        terminal.progress(&format!("  {} in {}", scenario.stem(), arguments.world.name()));
        let played = play(scenario, arguments.world, arguments.seed).map_err(unplayed(scenario))?;
        show(&played, terminal);
        all.push(played);
    }
    Ok(RunReport { command: "run", held: all.iter().all(|played| played.held), played: all })
}

/// What came of many seeds.
#[derive(Debug, Serialize)]
pub(super) struct SweepReport {
    command: &'static str,
    swept: Vec<Swept>,
    /// Whether every expectation held with every seed.
    pub(super) held: bool,
}

#[derive(Debug, Serialize)]
struct Swept {
    file: String,
    seeds: u64,
    failed: Vec<u64>,
}

pub(super) fn sweep(arguments: &SweepArguments, terminal: &Terminal) -> Result<SweepReport, RigError> {
    let mut swept = Vec::new();
    let scenarios = load(&arguments.files)?;
    for scenario in for_world(&scenarios, WorldKind::Sim, terminal) {
        let failures = sweep_one(scenario, arguments, terminal)?;
        let held = failures.is_empty();
        terminal.line(&format!(
            "  {:<58} {:>6} seeds   {}",
            scenario.stem(),
            arguments.seeds,
            terminal.verdict(held)
        ));
        for played in failures.iter().take(SHOWN) {
            show(played, terminal);
        }
        swept.push(Swept {
            file: scenario.file.display().to_string(),
            seeds: arguments.seeds,
            failed: failures.iter().map(|played| played.seed).collect(),
        });
    }
    let held = swept.iter().all(|swept| swept.failed.is_empty());
    Ok(SweepReport { command: "sweep", swept, held })
}

/// Plays a scenario with every seed, on every processor, and returns what did not hold, by seed.
fn sweep_one(
    scenario: &Scenario,
    arguments: &SweepArguments,
    terminal: &Terminal,
) -> Result<Vec<Played>, RigError> {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let found = Mutex::new(Ok(Vec::new()));
    let player = Player::new(scenario, WorldKind::Sim);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= arguments.seeds {
            return;
        }
        let played = player.play(arguments.first + number).map_err(unplayed(scenario));
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        let drawn = bar(count, arguments.seeds, 30);
        terminal.progress(&format!("  {} {drawn} {count} of {}", scenario.stem(), arguments.seeds));
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match (played, found.as_mut()) {
            (Ok(played), Ok(failures)) if !played.held => failures.push(played),
            (Err(error), Ok(_)) => {
                *found = Err(error);
                next.store(arguments.seeds, Ordering::Relaxed);
            }
            _ => {}
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    let mut failures = found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    failures.sort_by_key(|played| played.seed);
    Ok(failures)
}

/// Reads every file before anything is played.
fn load(files: &[PathBuf]) -> Result<Vec<Scenario>, RigError> {
    let (mut scenarios, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match Scenario::load(file) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => mistakes.push(found.to_string()),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(RigError::Scenario(mistakes.join("\n"))) }
}

/// Of several scenarios those that are for this world; a single one is refused when it is played.
fn for_world<'s>(scenarios: &'s [Scenario], world: WorldKind, terminal: &Terminal) -> Vec<&'s Scenario> {
    let (fit, unfit): (Vec<_>, Vec<_>) =
        scenarios.iter().partition(|scenario| scenarios.len() == 1 || scenario.runs_in(world));
    for scenario in unfit {
        let text = format!("  {}: not for the world {}", scenario.stem(), world.name());
        terminal.line(&terminal.paint(Look::Dim, &text));
    }
    fit
}

fn unplayed(scenario: &Scenario) -> impl Fn(stead_rig::run::PlayError) -> RigError {
    move |error| RigError::Scenario(format!("error: {}: {error}", scenario.file.display()))
}

fn show(played: &Played, terminal: &Terminal) {
    let title = format!("{}  ({}, seed {})", played.name, played.world.name(), played.seed);
    terminal.line(&terminal.paint(Look::Bold, &title));
    for verdict in &played.verdicts {
        terminal.line(&format!(
            "  {}  {:<48} {}",
            terminal.verdict(verdict.held),
            verdict.expected,
            terminal.paint(Look::Dim, &verdict.found)
        ));
    }
    if played.held {
        return;
    }
    for note in &played.measured.notes {
        let lines: Vec<&str> = note.lines().collect();
        let skipped = lines.len().saturating_sub(NOTE_LINES);
        let mut errors = std::io::stderr().lock();
        for line in lines.iter().take(1).chain(lines.iter().skip(skipped.max(1))) {
            let _unseen = writeln!(errors, "{line}");
        }
    }
    terminal.line(&format!("  again: {}", played.command()));
}

/// How many failures of a sweep are shown in full.
const SHOWN: usize = 3;
/// How many of a program's last lines are shown when an expectation did not hold.
const NOTE_LINES: usize = 120;
