//! `bench`: tunnels side by side between two hosts on one cable.
//!
//! The tunnels take turns, so that whatever else the machine does meets all of them alike; each figure is the median
//! of its runs. A tunnel that cannot be measured is left out, with the reason, and the others go on.

mod iperf3;
mod machine;
mod measure;
mod metric;
mod plot;
mod progress;
mod promise;
mod report;
mod step;
mod table;

use std::path::Path;
use std::time::Duration;
use std::{fs, mem};

use stead_rig::{Driver, RigError};

use super::BenchArguments;
use super::terminal::{Look, Terminal};
use machine::Machine;
use measure::Stage;
use progress::Progress;
pub(super) use report::BenchReport;
use report::{LeftOut, Measuree, Run, Settings};
pub(super) use step::Part;
use step::{ESTABLISHING, Size, Step, Times};

pub(super) fn run(arguments: &BenchArguments, terminal: &Terminal) -> Result<BenchReport, RigError> {
    let report = match &arguments.from {
        Some(file) => read(file)?,
        None => measure(arguments, terminal)?,
    };
    table::show(&report, terminal);
    if let Some(file) = &arguments.plot {
        write(file, &plot::svg(&report))?;
    }
    arguments.keep(&report)?;
    Ok(report)
}

fn measure(arguments: &BenchArguments, terminal: &Terminal) -> Result<BenchReport, RigError> {
    let mut bench = Bench {
        terminal,
        steps: Step::plan(&arguments.only, arguments.iperf3),
        times: Times::of(arguments.time),
        left_out: Vec::new(),
        runs: Vec::new(),
    };
    let mut tunnels = arguments.tunnels();
    tunnels.retain(|tunnel| match tunnel.check() {
        Ok(()) => true,
        Err(reason) => {
            bench.leave_out(*tunnel, None, reason);
            false
        }
    });
    let mut progress = bench.start(tunnels.len(), arguments.runs);
    for round in 1..=arguments.runs {
        bench.round(&mut tunnels, round, &mut progress);
        if round < arguments.runs {
            // A run takes long: whoever ends it early has the rounds so far.
            let report = bench.sum_up(arguments, round);
            arguments.keep(&report)?;
            (bench.left_out, bench.runs) = (report.left_out, report.runs);
        }
    }
    Ok(bench.sum_up(arguments, arguments.runs))
}

/// A benchmark under way.
struct Bench<'a> {
    terminal: &'a Terminal,
    steps: Vec<Step>,
    times: Times,
    left_out: Vec<LeftOut>,
    runs: Vec<Run>,
}

impl Bench<'_> {
    /// Tells what is about to happen.
    fn start(&self, tunnels: usize, rounds: u32) -> Progress {
        let each: Duration = self.steps.iter().map(|step| step.expected(self.times)).sum();
        let progress = Progress::new(tunnels * rounds as usize, each + ESTABLISHING);
        let title = format!(
            "{tunnels} tunnels over one cable, {rounds} runs of {} steps each, in turn: about {}",
            self.steps.len(),
            progress::minutes(progress.expected())
        );
        self.terminal.line(&self.terminal.paint(Look::Bold, &title));
        progress
    }

    /// Measures each tunnel once; what does not come to life is not waited for in the rounds to come.
    fn round(&mut self, tunnels: &mut Vec<Driver>, round: u32, progress: &mut Progress) {
        tunnels.retain(|tunnel| {
            let lives = self.one(*tunnel, round, progress);
            progress.turn_over();
            lives
        });
        self.terminal.clear();
    }

    /// What is known after so many rounds; takes the measurements with it.
    fn sum_up(&mut self, arguments: &BenchArguments, rounds: u32) -> BenchReport {
        let mut systems: Vec<Measuree> = Vec::new();
        for tunnel in arguments.tunnels() {
            let name = tunnel.to_string();
            if self.runs.iter().any(|run| run.tunnel == name) {
                systems.push(Measuree { name, versions: machine::versions(tunnel) });
            }
        }
        let settings = Settings {
            runs: rounds,
            seconds: arguments.time.as_secs_f64(),
            packet_and_payload_bytes: Size::ALL.map(|size| (size.packet(), size.payload())).to_vec(),
        };
        let (left_out, runs) = (mem::take(&mut self.left_out), mem::take(&mut self.runs));
        BenchReport::new(Machine::here(), settings, systems, left_out, runs)
    }

    /// Measures a tunnel once; false if it did not come to life.
    fn one(&mut self, tunnel: Driver, round: u32, progress: &mut Progress) -> bool {
        self.terminal.progress(&progress.line(&format!("{tunnel}: starting")));
        // Some systems are not quite ready when they say so; a second failure is no accident.
        let stage = match Stage::set_up(tunnel).or_else(|_| Stage::set_up(tunnel)) {
            Ok(stage) => stage,
            Err(error) => {
                self.leave_out(tunnel, None, error.to_string());
                return false;
            }
        };
        progress.advance(ESTABLISHING);
        let (mut measured, mut failed) = (Vec::new(), 0);
        for step in self.steps.clone() {
            if failed < MOST_FAILURES {
                self.terminal.progress(&progress.line(&format!("{tunnel}: {step}")));
                match stage.measure(step, self.times) {
                    Ok(figures) => {
                        measured.extend(figures);
                        failed = 0;
                    }
                    Err(error) => {
                        self.leave_out(tunnel, Some((round, step)), error.to_string());
                        failed += 1;
                    }
                }
            }
            progress.advance(step.expected(self.times));
        }
        let run = Run { tunnel: tunnel.to_string(), round, measured };
        self.terminal.line(&format!("  round {round}  {:<17} {}", run.tunnel, progress::headline(&run)));
        self.runs.push(run);
        true
    }

    fn leave_out(&mut self, tunnel: Driver, step: Option<(u32, Step)>, reason: String) {
        let step = step.map(|(round, step)| format!("{step}, round {round}"));
        let first = reason.lines().next().unwrap_or_default();
        let what = step.as_ref().map_or_else(String::new, |step| format!(" ({step})"));
        self.terminal.line(&self.terminal.paint(Look::Dim, &format!("  left out: {tunnel}{what}: {first}")));
        self.left_out.push(LeftOut { tunnel: tunnel.to_string(), step, reason });
    }
}

impl BenchArguments {
    /// Writes the report where a file was asked for.
    fn keep(&self, report: &BenchReport) -> Result<(), RigError> {
        let file = self.json.as_ref().filter(|file| *file != Path::new(STANDARD_OUTPUT));
        file.map_or(Ok(()), |file| {
            let text = serde_json::to_string_pretty(report).unwrap_or_default();
            write(file, &(text + "\n"))
        })
    }

    /// What was asked for, each once; without a wish the ceilings, then all but the variant that shows what moving
    /// costs.
    fn tunnels(&self) -> Vec<Driver> {
        let ceilings = [Driver::None, Driver::Forwarder, Driver::ForwarderAes];
        let others = Driver::ALL.iter().filter(|driver| **driver != Driver::SteadForgetful);
        let all = || ceilings.iter().chain(others).copied().collect();
        let wanted = if self.tunnels.is_empty() { all() } else { self.tunnels.clone() };
        let mut tunnels = Vec::new();
        for tunnel in wanted {
            if !tunnels.contains(&tunnel) {
                tunnels.push(tunnel);
            }
        }
        tunnels
    }
}

fn read(file: &Path) -> Result<BenchReport, RigError> {
    let doing = || RigError::io(format!("read {}", file.display()));
    let text = fs::read_to_string(file).map_err(doing())?;
    serde_json::from_str(&text).map_err(|error| doing()(error.into()))
}

fn write(file: &Path, text: &str) -> Result<(), RigError> {
    fs::write(file, text).map_err(RigError::io(format!("write {}", file.display())))
}

/// The name that stands for standard output in place of a file.
pub(super) const STANDARD_OUTPUT: &str = "-";
/// So many steps that fail one after the other mean that the tunnel is dead; the rest would only take time.
const MOST_FAILURES: u32 = 2;
