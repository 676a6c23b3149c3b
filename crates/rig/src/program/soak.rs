//! `soak`: episodes drawn from seeds, one after another, until the time is over; each breach with its command,
//! reduced as far as it goes.

mod interrupted;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use stead_rig::RigError;
use stead_rig::run::play;
use stead_rig::scenario::{Measured, Scenario, WorldKind};
use stead_rig::soak::judge::expectations;
use stead_rig::soak::{Breach, Promise, draw, judge, reduce};

use super::terminal::{Look, Terminal};
use super::world;
use interrupted::Interruption;
use tally::{Found, SoakReport, Tally};

/// What is played, where and for how long.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Scenario files to play and judge by the same promises, in stead of drawn episodes.
    files: Vec<PathBuf>,
    /// How long: minutes of virtual time in the simulator, of real time in network namespaces.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// How many episodes, whatever time they take.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    episodes: Option<u64>,
    /// The first episode's seed; each next episode has the next seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where: in virtual time, or in network namespaces with real programs (needs root).
    #[arg(long, default_value = "sim", value_parser = world)]
    world: WorldKind,
    /// Where scenarios that show a breach are written.
    #[arg(long, value_name = "DIRECTORY", default_value = "soak-found")]
    directory: PathBuf,
    /// Writes what shows a breach as it was drawn, without reducing it.
    #[arg(long)]
    no_reduce: bool,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    pub(super) json: bool,
}

/// Plays episodes until so many minutes are over, virtual ones in the simulator, or until Ctrl-C.
pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<SoakReport, RigError> {
    let title = match arguments.files.len() {
        0 => format!(
            "soak ({}), {} min from seed {}",
            arguments.world.name(),
            arguments.minutes,
            arguments.seed
        ),
        files => format!("soak ({}), {files} files, seed {}", arguments.world.name(), arguments.seed),
    };
    terminal.line(&terminal.paint(Look::Bold, &title));
    let interruption = Interruption::watch();
    let soak = Soak {
        arguments,
        terminal,
        interruption: &interruption,
        files: load(&arguments.files)?,
        next: AtomicU64::new(0),
        tally: Mutex::new(Tally::new()),
    };
    // Namespaces share the machine's processors, so one world at a time.
    let workers = match arguments.world {
        WorldKind::Sim => thread::available_parallelism().map_or(1, Into::into),
        WorldKind::Netns => 1,
    };
    let broken = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(|| soak.work())).collect();
        workers.into_iter().find_map(|worker| worker.join().ok()?.err())
    });
    if let Some(error) = broken {
        return Err(error);
    }
    let tally = soak.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = tally.report(arguments.world, arguments.seed, interruption.came());
    tally::conclude(&report, terminal);
    Ok(report)
}

fn load(files: &[PathBuf]) -> Result<Vec<Scenario>, RigError> {
    let load =
        |file: &PathBuf| Scenario::load(file).map_err(|mistakes| RigError::Scenario(mistakes.to_string()));
    files.iter().map(load).collect()
}

/// A soak under way, shared by its workers.
struct Soak<'a> {
    arguments: &'a Arguments,
    terminal: &'a Terminal,
    interruption: &'a Interruption,
    /// What is played in stead of drawn episodes.
    files: Vec<Scenario>,
    /// The next episode's number.
    next: AtomicU64,
    tally: Mutex<Tally>,
}

impl Soak<'_> {
    /// Plays episodes until it is time to end.
    fn work(&self) -> Result<(), RigError> {
        while let Some((scenario, seed)) = self.next_episode() {
            let Some(measured) = self.play(&scenario, seed)? else { return Ok(()) };
            let breaches = judge(&scenario, &measured);
            self.tally().add(&scenario, &measured, &breaches);
            for promise in promises(&breaches) {
                self.tell(&scenario, seed, &measured, &breaches, promise);
            }
            if self.tally().minute_is_over() {
                self.terminal.line(&self.tally().progress());
            }
            self.terminal.progress(&self.tally().progress());
        }
        Ok(())
    }

    fn next_episode(&self) -> Option<(Scenario, u64)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let over = match self.files.len() as u64 {
            0 => self.tally().played() >= Duration::from_secs(60 * self.arguments.minutes),
            files => number >= files,
        };
        let enough = self.arguments.episodes.is_some_and(|episodes| number >= episodes);
        if (over && self.arguments.episodes.is_none()) || enough || self.interruption.came() {
            return None;
        }
        let seed = self.arguments.seed;
        match usize::try_from(number).ok().and_then(|number| self.files.get(number)) {
            Some(file) => Some((file.drawn(seed), seed)),
            None => Some((draw(seed + number), seed + number)),
        }
    }

    /// Plays it; `None` if it was cut off by Ctrl-C, which in namespaces ends the programs too.
    fn play(&self, scenario: &Scenario, seed: u64) -> Result<Option<Measured>, RigError> {
        let world = self.arguments.world;
        let played = play(scenario, world, seed);
        if world == WorldKind::Netns && self.interruption.came() {
            return Ok(None);
        }
        let broken = |error| RigError::Scenario(format!("error: {}: {error}", scenario.name));
        played.map(|played| Some(played.measured)).map_err(broken)
    }

    /// Shows the breaches of a promise, reduced, with what plays them again.
    fn tell(
        &self,
        scenario: &Scenario,
        seed: u64,
        measured: &Measured,
        breaches: &[Breach],
        promise: Promise,
    ) {
        let of_it: Vec<&Breach> = breaches.iter().filter(|breach| breach.kind == promise).collect();
        let Some(worst) = of_it.first() else { return };
        let began = Instant::now();
        let (smallest, breach, tries) = match self.arguments.world {
            WorldKind::Sim if !self.arguments.no_reduce => {
                let reduced = reduce(scenario, worst, TRIES, |smaller| shows(smaller, seed, promise));
                (reduced.scenario, reduced.breach, reduced.tries)
            }
            WorldKind::Sim | WorldKind::Netns => (scenario.clone(), (*worst).clone(), 0),
        };
        let file = self.arguments.directory.join(format!(
            "{}-{}.yaml",
            scenario.stem(),
            promise.broken().replace(' ', "-")
        ));
        let written = write(&file, smallest.clone(), &breach);
        let world = self.arguments.world.name();
        let source = match scenario.file.is_file() {
            true => format!("stead-rig soak {} --seed {seed} --world {world}", scenario.file.display()),
            false => format!("stead-rig soak --seed {seed} --episodes 1 --world {world}"),
        };
        let mut lines = vec![
            format!("{} {}: {}", terminal_bad(self.terminal, promise.broken()), breach.traffic, breach.seen),
            format!("    {} of {} in {}; again: {source}", of_it.len(), breaches.len(), scenario.name),
        ];
        match written {
            Ok(()) => lines.push(format!(
                "    {} events, {} flows left of {} and {} after {tries} tries ({:.1} s): stead-rig soak {} --seed {seed} --world {world}",
                smallest.timeline.len(),
                smallest.traffic.len(),
                scenario.timeline.len(),
                scenario.traffic.len(),
                began.elapsed().as_secs_f64(),
                file.display()
            )),
            Err(error) => lines.push(format!("    {} cannot be written: {error}", file.display())),
        }
        if !self.arguments.no_reduce && self.arguments.world == WorldKind::Netns {
            self.write_notes(&file, measured);
        }
        lines.iter().for_each(|line| self.terminal.line(line));
        self.tally().found(Found {
            seed,
            promise,
            seen: breach.seen,
            traffic: breach.traffic,
            again: source,
            file,
        });
    }

    /// What the programs printed, beside the scenario.
    fn write_notes(&self, file: &Path, measured: &Measured) {
        let notes = file.with_extension("log");
        if let Err(error) = fs::write(&notes, measured.notes.join("\n")) {
            self.terminal.line(&format!("    {} cannot be written: {error}", notes.display()));
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every promise that was broken, once.
fn promises(breaches: &[Breach]) -> Vec<Promise> {
    let mut promises: Vec<Promise> = breaches.iter().map(|breach| breach.kind).collect();
    promises.sort_unstable();
    promises.dedup();
    promises
}

/// The first breach of a promise that a scenario shows in the simulator.
fn shows(scenario: &Scenario, seed: u64, promise: Promise) -> Option<Breach> {
    let played = play(scenario, WorldKind::Sim, seed).ok()?;
    judge(scenario, &played.measured).into_iter().find(|breach| breach.kind == promise)
}

/// Writes a scenario that `stead-rig run` fails as well, with what was expected of the traffic.
fn write(file: &Path, mut scenario: Scenario, breach: &Breach) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    scenario.expect = expectations(breach);
    let heading = format!("# {}: {}\n", breach.traffic, breach.seen.replace('\n', " "));
    fs::write(file, heading + &scenario.to_yaml())
}

fn terminal_bad(terminal: &Terminal, text: &str) -> String {
    terminal.paint(Look::Bad, text)
}

/// How many smaller scenarios are tried for each breach: about a minute of the simulator.
const TRIES: usize = 250;
