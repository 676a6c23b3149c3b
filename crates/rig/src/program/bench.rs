//! `bench`: how fast one TCP stream goes between two hosts on one cable.
//!
//! The tunnels take turns, so that whatever else the machine does meets all of them alike; each figure is
//! the median of its runs.

use std::process::Command;
use std::time::Duration;

use serde::Serialize;
use stead_rig::statistics::Summary;
use stead_rig::traffic::{Flood, FloodReport, Line};
use stead_rig::{Driver, RigError, Tunnel, World};

use super::BenchArguments;
use super::terminal::{Look, Terminal, bar};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct BenchReport {
    command: &'static str,
    processors: usize,
    runs: Vec<Run>,
    results: Vec<Ranking>,
    /// stead's median by wireguard-go's, where both ran.
    stead_by_wireguard_go: Option<f64>,
    /// stead's median by that of a stead that keeps nothing for a move, where both ran: what the ring and the memory of
    /// TCP's numbers cost.
    stead_by_forgetful: Option<f64>,
    /// Whether stead is as fast as promised beside those that it was compared with.
    pub(super) held: bool,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Run {
    tunnel: Driver,
    round: u32,
    #[serde(flatten)]
    flood: FloodReport,
    iperf3_bits_per_second: Option<u64>,
}

/// All measurements of one tunnel in short, in bits per second.
#[derive(Debug, Serialize)]
struct Ranking {
    tunnel: Driver,
    bits_per_second: Summary,
    iperf3_bits_per_second: Option<Summary>,
    /// Its median by that of the bare cable, where that was measured.
    by_bare: Option<f64>,
}

pub(super) fn run(arguments: &BenchArguments, terminal: &Terminal) -> Result<BenchReport, RigError> {
    let title = format!(
        "One TCP stream over one cable: {} runs of {} s each, in turn",
        arguments.runs,
        arguments.time.as_secs_f64()
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    terminal.line("");
    let mut runs = Vec::new();
    for round in 1..=arguments.runs {
        for tunnel in &arguments.tunnels {
            terminal.progress(&format!("  round {round} of {}: {tunnel} …", arguments.runs));
            let run = measure(*tunnel, round, arguments)?;
            terminal.line(&format!(
                "  round {round}  {:<14} {:>7.2} Gbit/s{}",
                name(*tunnel),
                gigabits(run.flood.bits_per_second),
                run.iperf3_bits_per_second
                    .map_or_else(String::new, |rate| format!("   iperf3 {:>7.2}", gigabits(rate))),
            ));
            runs.push(run);
        }
    }
    let report = sum_up(arguments, runs);
    conclude(&report, terminal);
    Ok(report)
}

fn measure(driver: Driver, round: u32, arguments: &BenchArguments) -> Result<Run, RigError> {
    let world = World::new()?;
    let (near, far) = (world.host("near")?, world.host("far")?);
    world.cable((&near, "198.18.0.1/30"), (&far, "198.18.0.2/30"))?;
    let tunnel = Tunnel::establish(driver, &near, &far)?;
    let line = tunnel.line()?;
    let flood = Flood { up: 1, down: 0 }.start(&line, WARM_UP)?.measure(arguments.time)?;
    let iperf3_bits_per_second = arguments.iperf3.then(|| iperf3(&line, arguments.time)).transpose()?;
    Ok(Run { tunnel: driver, round, flood, iperf3_bits_per_second })
}

/// The same with iperf3: received bits per second.
fn iperf3(line: &Line, time: Duration) -> Result<u64, RigError> {
    let address = line.address.to_string();
    let mut server = Command::new("iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", &address]);
    let server = line.server.spawn(server)?;
    server.wait_for("Server listening", Duration::from_secs(5))?;
    let seconds = time.as_secs().max(1).to_string();
    let mut client = Command::new("iperf3");
    client.args(["--client", &address, "--time", &seconds, "--omit", "1", "--json"]);
    let printed = line.client.output(client)?;
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
    let rate = report.pointer("/end/sum_received/bits_per_second").and_then(serde_json::Value::as_f64);
    rate.map(|rate| rate as u64)
        .ok_or_else(|| RigError::Tunnel(format!("iperf3 reported no rate: {printed}")))
}

fn sum_up(arguments: &BenchArguments, runs: Vec<Run>) -> BenchReport {
    let summary = |driver: Driver, rate: &dyn Fn(&Run) -> Option<u64>| {
        Summary::of(runs.iter().filter(|run| run.tunnel == driver).filter_map(rate).collect())
    };
    let rate = |run: &Run| Some(run.flood.bits_per_second);
    let bare = summary(Driver::None, &rate);
    let mut tunnels = arguments.tunnels.clone();
    tunnels.dedup();
    let results: Vec<Ranking> = tunnels
        .into_iter()
        .filter_map(|tunnel| {
            let bits_per_second = summary(tunnel, &rate)?;
            let iperf3_bits_per_second = summary(tunnel, &|run| run.iperf3_bits_per_second);
            Some(Ranking {
                tunnel,
                bits_per_second,
                iperf3_bits_per_second,
                by_bare: bare.map(|bare| ratio(bits_per_second, bare)),
            })
        })
        .collect();
    let compared = summary(Driver::Stead, &rate).zip(summary(Driver::WireguardGo, &rate));
    let stead_by_wireguard_go = compared.map(|(stead, other)| ratio(stead, other));
    let compared = summary(Driver::Stead, &rate).zip(summary(Driver::SteadForgetful, &rate));
    let stead_by_forgetful = compared.map(|(stead, other)| ratio(stead, other));
    BenchReport {
        command: "bench",
        processors: std::thread::available_parallelism().map_or(0, usize::from),
        runs,
        results,
        stead_by_wireguard_go,
        stead_by_forgetful,
        held: stead_by_wireguard_go.is_none_or(|ratio| ratio >= PROMISED_RATIO)
            && stead_by_forgetful.is_none_or(|ratio| ratio >= LEAST_BY_FORGETFUL),
    }
}

fn conclude(report: &BenchReport, terminal: &Terminal) {
    let heads = format!("  {:<14} {:>9} {:>9} {:>9}", "Gbit/s", "median", "least", "most");
    terminal.line("");
    terminal.line(&terminal.paint(Look::Dim, &heads));
    let most = report.results.iter().map(|result| result.bits_per_second.median).max().unwrap_or(0);
    for result in &report.results {
        let rates = result.bits_per_second;
        terminal.line(&format!(
            "  {:<14} {:>9.2} {:>9.2} {:>9.2}  {}",
            name(result.tunnel),
            gigabits(rates.median),
            gigabits(rates.min),
            gigabits(rates.max),
            terminal.paint(Look::Accent, &bar(rates.median, most, 30)),
        ));
    }
    if let Some(ratio) = report.stead_by_wireguard_go {
        terminal.line("");
        terminal.line(&format!(
            "  stead is {ratio:.1} times as fast as wireguard-go; promised are {PROMISED_RATIO:.0}  {}",
            terminal.verdict(ratio >= PROMISED_RATIO)
        ));
    }
    conclude_forgetful(report, terminal);
}

fn conclude_forgetful(report: &BenchReport, terminal: &Terminal) {
    let Some(ratio) = report.stead_by_forgetful else { return };
    terminal.line("");
    terminal.line(&format!(
        "  what is kept for a move costs {:.1} % of the rate; at most {:.0} % are allowed  {}",
        (1.0 - ratio) * 100.0,
        (1.0 - LEAST_BY_FORGETFUL) * 100.0,
        terminal.verdict(ratio >= LEAST_BY_FORGETFUL)
    ));
}

const fn name(driver: Driver) -> &'static str {
    match driver {
        Driver::None => "bare cable",
        driver => driver.name(),
    }
}

fn ratio(one: Summary, other: Summary) -> f64 {
    one.median as f64 / other.median as f64
}

fn gigabits(bits: u64) -> f64 {
    bits as f64 / 1e9
}

/// TCP finds its speed on such a cable within a few round trips; the rest is for the machine to settle.
const WARM_UP: Duration = Duration::from_millis(500);
/// stead's rate by wireguard-go's, at least.
const PROMISED_RATIO: f64 = 2.0;
/// stead's rate by that of one that keeps nothing for a move, at least.
const LEAST_BY_FORGETFUL: f64 = 0.97;
