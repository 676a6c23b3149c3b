//! Command line of the rig's program: one module per command.

mod bench;
mod both_move;
mod demo;
mod lacking;
mod moves;
mod nat_pairs;
mod outages;
mod roam;
mod run;
mod scene;
mod soak;
mod terminal;
mod units;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stead_rig::scenario::WorldKind;
use stead_rig::{Driver, Requirements, RigError};

use terminal::Terminal;

/// Shows stead at work between network namespaces of this machine, and measures it there.
///
/// Needs Linux and root. Nothing of the machine's own network is touched, and nothing is left behind.
#[derive(Debug, Parser)]
#[command(name = "stead-rig", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A download and a ticker while a laptop goes from home Wi-Fi to a phone hotspot to an IPv6 office,
    /// with the same download beside it that has no tunnel.
    Demo(DemoArguments),
    /// Tunnels side by side between two hosts on one cable: TCP, UDP, latency, processor time, memory.
    Bench(BenchArguments),
    /// Many moves under a running transfer, each with the stall that the application saw.
    Moves(MovesArguments),
    /// Plays scenarios and says of each expectation whether it held.
    Run(RunArguments),
    /// Plays scenarios in the simulator with many seeds; prints the seeds that fail and how to repeat them.
    Sweep(SweepArguments),
    /// Two nodes behind every pair of NAT kinds: which reach each other directly, which by relay.
    NatPairs(NatPairsArguments),
    /// Both ends of a connection move in the same instant, over and over; each with its stall.
    BothMove(BothMoveArguments),
    /// The path is lost for a while and comes back: what connections make of it, over each tunnel side by side.
    Outages(OutagesArguments),
    /// A host goes from network to network every few seconds, with a download and a call under way; beside it one that
    /// stays.
    Roam(RoamArguments),
    /// Random episodes of moves, outages, kills, freezes and losses under long-lived TCP and UDP, judged by what is
    /// promised; each breach is reduced, written to a file, and shown with the command that plays it again.
    Soak(soak::Arguments),
    /// Which programs the tunnels need that are not installed: one a line, with where it comes from; for scripts.
    Lacking(lacking::Arguments),
}

#[derive(Args, Debug)]
struct RoamArguments {
    /// What carries the traffic: stead, or wireguard-go.
    #[arg(long, default_value = "stead")]
    tunnel: Driver,
    /// The time between two moves.
    #[arg(long, default_value = "3s", value_parser = units::duration)]
    every: Duration,
    /// How long the host roams.
    #[arg(long, default_value = "60s", value_parser = units::duration)]
    time: Duration,
    /// How long it is nowhere at each move.
    #[arg(long, default_value = "100ms", value_parser = units::duration)]
    dark: Duration,
    /// What each line carries.
    #[arg(long, default_value = "50mbit", value_parser = units::rate)]
    rate: u64,
    /// How far it is from end to end, one way.
    #[arg(long, default_value = "20ms", value_parser = units::duration)]
    delay: Duration,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct OutagesArguments {
    /// What is compared: stead, wireguard-go, and a plain forwarder of packets.
    #[arg(long, value_delimiter = ',', default_values = ["stead", "wireguard-go", "forwarder"])]
    tunnels: Vec<Driver>,
    /// How long the outages are, in seconds or with a unit.
    #[arg(long, value_delimiter = ',', default_values = ["1", "5", "30", "60"], value_parser = units::seconds)]
    outages: Vec<Duration>,
    /// How the path is lost: silence (the line loses everything), carrier (interface down), address (and its addresses gone).
    #[arg(long, value_delimiter = ',', default_values = ["silence"])]
    cuts: Vec<outages::Cut>,
    /// How often TCP sends a segment again before it gives up (`tcp_retries2`); as the kernel has it unless told.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=255))]
    retries2: Option<u32>,
    /// How far it is from end to end, one way.
    #[arg(long, default_value = "20ms", value_parser = units::duration)]
    delay: Duration,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct NatPairsArguments {
    /// Where: in virtual time, or in network namespaces with real programs (needs root).
    #[arg(long, default_value = "sim", value_parser = world)]
    world: WorldKind,
    /// Draws what is left open.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct BothMoveArguments {
    /// Where: in virtual time, or in network namespaces with real programs (needs root).
    #[arg(long, default_value = "sim", value_parser = world)]
    world: WorldKind,
    /// How many times.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How long both are nowhere each time.
    #[arg(long, default_value = "100ms", value_parser = units::duration)]
    dark: Duration,
    /// How far each network is from the internet's middle, one way.
    #[arg(long, default_value = "10ms", value_parser = units::duration)]
    delay: Duration,
    /// Puts one of the two behind a NAT, wherever it goes.
    #[arg(long)]
    nat: bool,
    /// Draws what is left open.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct RunArguments {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where: in virtual time, or in network namespaces with real programs (needs root).
    #[arg(long, default_value = "sim", value_parser = world)]
    world: WorldKind,
    /// Draws what the files leave open.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct SweepArguments {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

fn world(text: &str) -> Result<WorldKind, String> {
    let found = WorldKind::ALL.into_iter().find(|world| world.name() == text);
    found.ok_or_else(|| format!("`{text}` is no world: expected sim or netns"))
}

#[derive(Args, Debug)]
struct DemoArguments {
    /// What carries the traffic: stead, wireguard-go or none.
    #[arg(long, default_value = "stead")]
    tunnel: Driver,
    /// How much is downloaded.
    #[arg(long, default_value = "200MB", value_parser = units::bytes)]
    size: u64,
    /// How long the download would take without a move.
    #[arg(long, default_value = "30s", value_parser = units::duration)]
    time: Duration,
    /// How long the laptop is nowhere between two networks.
    #[arg(long, default_value = "300ms", value_parser = units::duration)]
    dark: Duration,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct BenchArguments {
    /// What is measured, in this order, over and over; without it every system but stead-forgetful.
    #[arg(long, value_delimiter = ',')]
    tunnels: Vec<Driver>,
    /// What is measured of each; without it all.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<bench::Part>,
    /// How often each is measured; the figures are medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long TCP streams are measured; the other measurements take times in proportion.
    #[arg(long, default_value = "2s", value_parser = units::duration)]
    time: Duration,
    /// Measures one TCP stream with iperf3 as well, as a check on the rig's own traffic.
    #[arg(long)]
    iperf3: bool,
    /// Writes every measurement, median and verdict to a file; without a name, as one line at the end.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = bench::STANDARD_OUTPUT)]
    json: Option<PathBuf>,
    /// Draws the figures that matter most, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Measures nothing, and shows or draws a report that `--json` wrote.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct MovesArguments {
    /// What carries the traffic: stead or wireguard-go.
    #[arg(long, default_value = "stead")]
    tunnel: Driver,
    /// How many moves; they go around home, hotspot, office and campus, so every change of family occurs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Who sends: the host that moves, or the other one, so that the mover has nothing to send.
    #[arg(long, value_enum, default_value_t = Sender::Other)]
    sender: Sender,
    /// How long the mover is nowhere at each move.
    #[arg(long, default_value = "100ms", value_parser = units::duration)]
    dark: Duration,
    /// How much is sent each second.
    #[arg(long, default_value = "8MB", value_parser = units::bytes)]
    pace: u64,
    /// End with one line of JSON that holds every figure and verdict.
    #[arg(long)]
    json: bool,
}

/// Which of the two hosts sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Sender {
    /// The host that moves.
    Mover,
    /// The host that stays.
    Other,
}

/// Runs the command; the exit code tells whether everything held.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // What is wrong in a file brings its own heading, one for each mistake.
        Err(RigError::Scenario(mistakes)) => {
            let _unseen = writeln!(io::stderr(), "{mistakes}");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _unseen = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<bool, RigError> {
    let terminal = Terminal::new();
    match command {
        Command::Demo(arguments) => {
            require(&[arguments.tunnel], &["nft"])?;
            let report = demo::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Bench(arguments) => {
            if arguments.from.is_none() {
                require(&[], if arguments.iperf3 { &["iperf3"] } else { &[] })?;
            }
            let report = bench::run(arguments, &terminal)?;
            let last_line = arguments.json.as_deref() == Some(bench::STANDARD_OUTPUT.as_ref());
            terminal.json(last_line, &report);
            Ok(report.held)
        }
        Command::Moves(arguments) => {
            require(&[arguments.tunnel], &["nft"])?;
            let report = moves::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Run(arguments) => {
            let report = run::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::NatPairs(arguments) => {
            let report = nat_pairs::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::BothMove(arguments) => {
            let report = both_move::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Outages(arguments) => {
            require(&arguments.tunnels, &[])?;
            let report = outages::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Roam(arguments) => {
            require(&[arguments.tunnel], &["nft"])?;
            let report = roam::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Soak(arguments) => {
            let report = soak::run(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
        Command::Lacking(arguments) => {
            lacking::run(arguments, &terminal);
            Ok(true)
        }
        Command::Sweep(arguments) => {
            let report = run::sweep(arguments, &terminal)?;
            terminal.json(arguments.json, &report);
            Ok(report.held)
        }
    }
}

/// Says at once what is missing, before anything is made.
fn require(tunnels: &[Driver], programs: &[&str]) -> Result<(), RigError> {
    Requirements::check_with(programs).map_err(RigError::Tunnel)?;
    tunnels.iter().try_for_each(|tunnel| tunnel.check()).map_err(RigError::Tunnel)
}
