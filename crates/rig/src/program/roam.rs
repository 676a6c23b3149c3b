//! `roam`: a host goes from network to network every few seconds, with a download and a call under way.
//!
//! Beside it, at the same time, the same download over the same kind of line with nobody moving: what moves may cost in
//! throughput is held against that, the time without any network taken off.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use stead_rig::scenario::unit::Rate;
use stead_rig::scenario::{Link, Way};
use stead_rig::statistics::Summary;
use stead_rig::traffic::datagrams::DatagramsRun;
use stead_rig::traffic::timeline::micros;
use stead_rig::traffic::{Bulk, BulkReport, BulkRun, Datagrams, DatagramsReport, Direction};
use stead_rig::{Driver, Host, Move, Network, NetworkPlan, RigError, Tunnel, World};

use super::RoamArguments;
use super::terminal::{Look, Terminal};
use super::units::{size, time};

/// Both worlds.
#[derive(Debug, Serialize)]
pub(super) struct RoamReport {
    command: &'static str,
    tunnel: Driver,
    moves: usize,
    dark_micros: u64,
    /// What the download stalled for around a move, without the time without a network, in microseconds.
    stall_micros: Option<Summary>,
    roaming: Carried,
    still: Carried,
    /// Throughput with moves by throughput without.
    ratio: f64,
    /// Whether nothing was lost or doubled, and the throughput is nine tenths at least.
    pub(super) held: bool,
}

/// What one world carried.
#[derive(Debug, Serialize)]
struct Carried {
    /// While there was a network.
    bits_per_second: u64,
    download: BulkReport,
    checksum_matches: bool,
    call_up: DatagramsReport,
    call_down: DatagramsReport,
}

pub(super) fn run(arguments: &RoamArguments, terminal: &Terminal) -> Result<RoamReport, RigError> {
    introduce(arguments, terminal);
    let (roaming, still) = thread::scope(|scope| {
        let still = scope.spawn(|| Scene::new(arguments)?.carry(arguments, |_, until| sleep_until(until)));
        let roaming = scope.spawn(|| {
            let scene = Scene::new(arguments)?;
            let mut moves = Vec::new();
            let carried = scene.carry(arguments, |traffic, until| {
                moves = scene.roam(arguments, traffic, until, terminal)?;
                Ok(moves.iter().map(Move::dark).sum())
            })?;
            Ok::<_, RigError>((carried, moves))
        });
        (joined(roaming.join()), joined(still.join()))
    });
    let ((roaming, moves), still) = (roaming?, still?);
    let ratio = roaming.0.bits_per_second as f64 / still.0.bits_per_second as f64;
    let stalls = moves.iter().map(|step| roaming.1.stall(step, step.usable + arguments.every).stall_micros);
    let report = RoamReport {
        command: "roam",
        tunnel: arguments.tunnel,
        moves: moves.len(),
        dark_micros: micros(moves.iter().map(Move::dark).sum()),
        stall_micros: Summary::of(stalls.collect()),
        held: roaming.0.is_whole() && still.0.checksum_matches && ratio >= PROMISED_RATIO,
        roaming: roaming.0,
        still: still.0,
        ratio,
    };
    conclude(&report, terminal);
    Ok(report)
}

fn joined<T>(ended: thread::Result<Result<T, RigError>>) -> Result<T, RigError> {
    ended.unwrap_or_else(|_| Err(RigError::Tunnel("the thread of a world panicked".to_owned())))
}

/// A laptop, two networks for it, and a server.
struct Scene {
    networks: [Network; 2],
    laptop: Host,
    tunnel: Tunnel,
    _world: World,
}

/// What is under way.
struct Traffic {
    download: BulkRun,
    call_up: DatagramsRun,
    call_down: DatagramsRun,
}

impl Scene {
    fn new(arguments: &RoamArguments) -> Result<Self, RigError> {
        let world = World::new()?;
        let rate = Some(Rate(arguments.rate));
        let way = Way { delay: arguments.delay, rate, ..Way::default() };
        let link = Link { up: way, down: way };
        let datacentre = world.network("datacentre", &NetworkPlan::public("198.18.0.0/24"))?;
        let networks = [
            world.network("home", &NetworkPlan::behind_nat("192.168.1.0/24").link(link))?,
            world.network("hotspot", &NetworkPlan::behind_nat("172.20.10.0/28").link(link))?,
        ];
        let (laptop, server) = (world.host("laptop")?, world.host("server")?);
        server.attach(&datacentre)?;
        laptop.attach(&networks[0])?;
        let tunnel = Tunnel::establish(arguments.tunnel, &laptop, &server)?;
        Ok(Self { networks, laptop, tunnel, _world: world })
    }

    /// Starts traffic, lets `meanwhile` do what it does until the time is over, and says what was carried.
    fn carry(
        &self,
        arguments: &RoamArguments,
        meanwhile: impl FnOnce(&Traffic, Instant) -> Result<Duration, RigError>,
    ) -> Result<(Carried, stead_rig::traffic::Timeline), RigError> {
        let line = self.tunnel.line()?;
        let call = |direction| Datagrams { direction, ..Datagrams::default() }.start(&line);
        let traffic = Traffic {
            download: Bulk { direction: Direction::ToClient, ..Bulk::default() }.start(&line)?,
            call_up: call(Direction::ToServer)?,
            call_down: call(Direction::ToClient)?,
        };
        thread::sleep(SETTLE);
        let (began, before) = (Instant::now(), traffic.download.received());
        let dark = meanwhile(&traffic, began + arguments.time)?;
        let bytes = traffic.download.received() - before;
        let lit = began.elapsed().saturating_sub(dark).as_secs_f64();
        traffic.download.stop();
        let (call_up, call_down) = (traffic.call_up.finish()?, traffic.call_down.finish()?);
        let timeline = traffic.download.timeline();
        let download = traffic.download.finish();
        let carried = Carried {
            bits_per_second: (bytes as f64 * 8.0 / lit) as u64,
            checksum_matches: download.outcome.is_complete()
                && download.sha256_sent == download.sha256_received,
            download,
            call_up,
            call_down,
        };
        Ok((carried, timeline))
    }

    /// Moves to the other network every so often, until `until`.
    fn roam(
        &self,
        arguments: &RoamArguments,
        traffic: &Traffic,
        until: Instant,
        terminal: &Terminal,
    ) -> Result<Vec<Move>, RigError> {
        let mut moves = Vec::new();
        for to in self.networks.iter().cycle().skip(1) {
            let next = Instant::now() + arguments.every;
            if next + arguments.dark >= until {
                break;
            }
            sleep_until(next)?;
            let received = size(traffic.download.received());
            terminal.progress(&format!(
                "  move {}: to {}, {received} downloaded",
                moves.len() + 1,
                to.name()
            ));
            let step = self.laptop.move_to(to, arguments.dark)?;
            let _by_hand = self.tunnel.after_move(&step)?;
            moves.push(step);
        }
        sleep_until(until)?;
        Ok(moves)
    }
}

impl Carried {
    /// Nothing lost, nothing twice.
    fn is_whole(&self) -> bool {
        let calls = [&self.call_up, &self.call_down];
        self.checksum_matches && calls.iter().all(|call| call.lost == 0 && call.duplicates == 0)
    }
}

/// No time is lost by it.
fn sleep_until(until: Instant) -> Result<Duration, RigError> {
    thread::sleep(until.saturating_duration_since(Instant::now()));
    Ok(Duration::ZERO)
}

fn introduce(arguments: &RoamArguments, terminal: &Terminal) {
    let title = format!(
        "A move every {} for {} over {}, nowhere for {} each time; lines of {} Mbit/s, {} one way",
        time(micros(arguments.every)),
        time(micros(arguments.time)),
        arguments.tunnel,
        time(micros(arguments.dark)),
        arguments.rate / 1_000_000,
        time(micros(arguments.delay)),
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    terminal.line("");
}

fn conclude(report: &RoamReport, terminal: &Terminal) {
    let heads = format!(
        "  {:<10} {:>9} {:>12} {:>9}  {:<26} {:<26}",
        "", "Mbit/s", "downloaded", "SHA-256", "call up", "call down"
    );
    terminal.line(&terminal.paint(Look::Dim, &heads));
    for (name, carried) in [("still", &report.still), ("roaming", &report.roaming)] {
        terminal.line(&format!(
            "  {:<10} {:>9.1} {:>12} {:>9}  {:<26} {:<26}",
            name,
            carried.bits_per_second as f64 / 1e6,
            size(carried.download.bytes_received),
            if carried.checksum_matches { "the same" } else { "NOT" },
            call(&carried.call_up),
            call(&carried.call_down),
        ));
    }
    terminal.line("");
    if let Some(stall) = report.stall_micros {
        terminal.line(&format!(
            "  {} moves, {} without a network; the download stalled beyond that: median {}, p95 {}, max {}",
            report.moves,
            time(report.dark_micros),
            time(stall.median),
            time(stall.p95),
            time(stall.max)
        ));
    }
    let whole = report.roaming.is_whole();
    terminal.line(&format!("  nothing lost, nothing twice  {}", terminal.verdict(whole)));
    terminal.line(&format!(
        "  throughput {:.0} % of that without moves; promised are {:.0} %  {}",
        report.ratio * 100.0,
        PROMISED_RATIO * 100.0,
        terminal.verdict(report.ratio >= PROMISED_RATIO)
    ));
}

/// `0 of 3000 lost, 0 twice, 2 late`.
fn call(seen: &DatagramsReport) -> String {
    format!("{} of {} lost, {} twice, {} late", seen.lost, seen.sent, seen.duplicates, seen.reordered)
}

/// Before the first move: the download has found its speed.
const SETTLE: Duration = Duration::from_secs(3);
/// Throughput with moves by throughput without, at least.
const PROMISED_RATIO: f64 = 0.9;
