//! `demo`: a laptop goes to work with a download and a remote shell open.
//!
//! The same download runs twice, through the tunnel and without it, from the same laptop to the same server.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use stead_rig::address::Family;
use stead_rig::report::ConnectionReport;
use stead_rig::traffic::timeline::micros;
use stead_rig::traffic::{Bulk, BulkReport, BulkRun, Length, Line, Stall, Ticker, TickerReport, TickerRun};
use stead_rig::{Driver, Network, RigError, Tunnel};

use super::DemoArguments;
use super::moves::{Bound, await_resumption, bound, counted_since, handshakes};
use super::scene::{Change, Scene};
use super::terminal::{Look, Terminal, bar};
use super::units::{size, time};

/// Everything that was seen.
#[derive(Debug, Serialize)]
pub(super) struct DemoReport {
    command: &'static str,
    tunnel: Driver,
    moves: Vec<MoveReport>,
    download: BulkReport,
    checksum_matches: bool,
    ticker: TickerReport,
    without: BulkReport,
    /// Whether the download without the tunnel broke, as it must for the comparison to mean something.
    without_broke: bool,
    handshakes_under_way: Option<u64>,
    /// Whether all that is promised held.
    pub(super) held: bool,
}

/// One move.
#[derive(Debug, Serialize)]
struct MoveReport {
    /// From the start of the traffic to the loss of the old network.
    at_micros: u64,
    from: String,
    to: String,
    change: Change,
    dark_micros: u64,
    download: Stall,
    ticker: Stall,
    bound: Bound,
    within_bound: Option<bool>,
    by_hand: Option<String>,
    before: Option<ConnectionReport>,
    after: Option<ConnectionReport>,
    /// For how long nothing had come without the tunnel when the move was looked at.
    without_silent_micros: u64,
    /// Whether anything came without the tunnel after the move.
    without_resumed: bool,
}

pub(super) fn run(arguments: &DemoArguments, terminal: &Terminal) -> Result<DemoReport, RigError> {
    let scene = Scene::new()?;
    draw(&scene, arguments, terminal);
    let began = Instant::now();
    let tunnel = Tunnel::establish(arguments.tunnel, &scene.laptop, &scene.server)?;
    let opened = format!("{} is up: first connection through it after {}", tunnel.driver(), since(began));
    terminal.line(&format!("  {opened}"));
    let traffic = Traffic::start(arguments, &scene, &tunnel)?;
    let handshakes_before = handshakes(&tunnel)?;

    let mut moves = Vec::new();
    for (number, to) in (1..).zip([&scene.hotspot, &scene.office, &scene.train]) {
        traffic.watch(arguments.size * number / 4, terminal);
        let report = one_move(&traffic, &tunnel, to, arguments.dark)?;
        show_move(&report, terminal);
        moves.push(report);
    }
    traffic.watch(arguments.size, terminal);
    let handshakes_under_way = counted_since(handshakes_before, handshakes(&tunnel)?);
    let report = traffic.finish(arguments, moves, handshakes_under_way);
    conclude(&report, terminal);
    Ok(report)
}

/// What runs while the laptop moves.
struct Traffic {
    began: Instant,
    size: u64,
    download: BulkRun,
    ticker: TickerRun,
    without: BulkRun,
}

impl Traffic {
    fn start(arguments: &DemoArguments, scene: &Scene, tunnel: &Tunnel) -> Result<Self, RigError> {
        let line = tunnel.line()?;
        let address = scene.server.address(Family::V4).unwrap_or(line.address);
        let bare = Line { client: scene.laptop.clone(), server: scene.server.clone(), address };
        let pace = (arguments.size as f64 / arguments.time.as_secs_f64().max(1.0)) as u64;
        let bulk = Bulk {
            length: Length::Bytes(arguments.size),
            pace: Some(pace.max(1)),
            patience: PATIENCE,
            ..Bulk::default()
        };
        Ok(Self {
            size: arguments.size,
            download: bulk.start(&line)?,
            ticker: Ticker { patience: PATIENCE, ..Ticker::default() }.start(&line)?,
            without: bulk.start(&bare)?,
            began: Instant::now(),
        })
    }

    /// Shows progress until so many bytes have been downloaded.
    fn watch(&self, bytes: u64, terminal: &Terminal) {
        while self.download.received() < bytes && !self.download.is_over() {
            let silent = self.without.last_arrival().elapsed();
            let without = match silent > NOTABLE {
                true => terminal.paint(Look::Bad, &format!("silent for {:.0} s", silent.as_secs_f64())),
                false => size(self.without.received()),
            };
            terminal.progress(&format!(
                "  {} {} of {}   ticks {}   without: {without}",
                terminal.paint(Look::Accent, &bar(self.download.received(), self.size, 24)),
                size(self.download.received()),
                size(self.size),
                self.ticker.received(),
            ));
            thread::sleep(if terminal.is_live() { REDRAW } else { REDRAW / 4 });
        }
    }

    fn connection(&self, tunnel: &Tunnel) -> Result<Option<ConnectionReport>, RigError> {
        let Some(control) = tunnel.mover().control.as_ref() else { return Ok(None) };
        let local = self.download.client.to_string();
        Ok(control.connections()?.into_iter().find(|connection| connection.original.local == local))
    }

    fn finish(
        self,
        arguments: &DemoArguments,
        moves: Vec<MoveReport>,
        handshakes_under_way: Option<u64>,
    ) -> DemoReport {
        let download = self.download.finish();
        let ticker = self.ticker.finish();
        // It has had as long as the other one, and the patience of a user on top of each move.
        self.without.abandon();
        let without = self.without.finish();
        let checksum_matches =
            download.outcome.is_complete() && download.sha256_sent == download.sha256_received;
        let without_broke = !without.outcome.is_complete();
        let within = moves.iter().all(|report| report.within_bound != Some(false));
        let resumed = moves.iter().all(|report| report.download.resumed && report.ticker.resumed);
        DemoReport {
            command: "demo",
            tunnel: arguments.tunnel,
            held: checksum_matches
                && ticker.outcome.is_complete()
                && without_broke
                && within
                && resumed
                && handshakes_under_way.unwrap_or(0) == 0,
            moves,
            download,
            checksum_matches,
            ticker,
            without,
            without_broke,
            handshakes_under_way,
        }
    }
}

fn one_move(
    traffic: &Traffic,
    tunnel: &Tunnel,
    to: &Network,
    dark: Duration,
) -> Result<MoveReport, RigError> {
    let laptop = &tunnel.mover().host;
    let from = laptop.network().ok_or_else(|| RigError::Tunnel("the laptop is in no network".to_owned()))?;
    let before = traffic.connection(tunnel)?;
    let rtt = traffic.download.sender_state().unwrap_or_default().rtt_micros;
    let step = laptop.move_to(to, dark)?;
    let rto = traffic.download.sender_state().unwrap_or_default().rto_micros;
    let by_hand = tunnel.after_move(&step)?;
    await_resumption(&traffic.download, &step);
    let bound = bound(tunnel, &step, rtt.into(), rto.into());
    // The ticker has a retransmission timer of its own, which may be due later than the download's.
    let limit = Instant::now() + PATIENCE;
    while traffic.ticker.timeline().last() <= step.usable && Instant::now() < limit {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(AFTERWARDS);
    let download = traffic.download.timeline().stall(&step, Instant::now());
    Ok(MoveReport {
        at_micros: micros(step.cut.saturating_duration_since(traffic.began)),
        from: from.name().to_owned(),
        to: to.name().to_owned(),
        change: Change::of(&from, &step),
        dark_micros: micros(step.dark()),
        within_bound: bound.holds(&download),
        download,
        ticker: traffic.ticker.timeline().stall(&step, Instant::now()),
        bound,
        by_hand,
        before,
        after: traffic.connection(tunnel)?,
        without_silent_micros: micros(traffic.without.last_arrival().elapsed()),
        without_resumed: traffic.without.last_arrival() > step.usable,
    })
}

fn draw(scene: &Scene, arguments: &DemoArguments, terminal: &Terminal) {
    let title = format!(
        "A {} download and a ticker every 20 ms, while the laptop goes to work",
        size(arguments.size)
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    terminal.line("");
    let places = [&scene.home, &scene.hotspot, &scene.office, &scene.train];
    for (number, place) in places.iter().enumerate() {
        let joint = ["─╮", "─┼─ internet ── datacentre ── server", "─┤", "─╯"][number];
        let step = if number == 0 { "   laptop at".to_owned() } else { format!("     move {number}:") };
        let about = terminal.paint(Look::Dim, place.character());
        terminal.line(&format!("  {step:<12} {:<14} {:─<3}{joint:<38} {about}", place.name(), ""));
    }
    terminal.line("");
}

fn show_move(report: &MoveReport, terminal: &Terminal) {
    let arrow = terminal.paint(Look::Accent, "▸");
    let title = terminal.paint(Look::Bold, &format!("{} → {}", report.from, report.to));
    terminal.line("");
    terminal.line(&format!(
        "{arrow} {:>5.1} s  {title}   {}, nowhere for {}",
        report.at_micros as f64 / 1e6,
        report.change,
        time(report.dark_micros)
    ));
    let verdict = report.within_bound.map_or_else(String::new, |held| {
        let bound = report.bound.total_micros.map_or_else(String::new, time);
        format!("(at most {bound}: noticed, two round trips, one TCP timeout)  {}", terminal.verdict(held))
    });
    terminal.line(&format!("    download   {}  {verdict}", stalled(&report.download)));
    terminal.line(&format!("    ticker     {}", stalled(&report.ticker)));
    let silent = format!("silent for {}", time(report.without_silent_micros));
    let silent = match report.without_resumed {
        true => "goes on".to_owned(),
        false => terminal.paint(Look::Bad, &silent),
    };
    terminal.line(&format!("    without    {silent}"));
    if let (Some(before), Some(after)) = (&report.before, &report.after) {
        let original = &after.original;
        terminal.line(&format!(
            "    original   {} ↔ {} {}   never changes",
            original.local, original.remote, original.protocol
        ));
        terminal.line(&format!("    before     {}", current(before)));
        terminal.line(&format!("    now        {}   moves {}", current(after), after.moves));
    }
    if let Some(done) = &report.by_hand {
        terminal.line(&format!("    by hand    {done}"));
    }
}

fn stalled(stall: &Stall) -> String {
    match stall.resumed {
        true => format!("stalled {:>8} beyond that", time(stall.stall_micros)),
        false => "never came back".to_owned(),
    }
}

fn current(connection: &ConnectionReport) -> String {
    let local = connection.current.local.as_deref().unwrap_or("any");
    format!("{local} ↔ {}   path {}", connection.current.remote, connection.current.path)
}

fn conclude(report: &DemoReport, terminal: &Terminal) {
    let matches = if report.checksum_matches { "the same at both ends" } else { "not the same" };
    terminal.line("");
    terminal.line(&format!(
        "  {:<13} {}, {}, SHA-256 {matches}  {}",
        report.tunnel.to_string(),
        report.download.outcome,
        size(report.download.bytes_received),
        terminal.verdict(report.checksum_matches),
    ));
    terminal.line(&format!("  {:<13} {}", "", terminal.paint(Look::Dim, &report.download.sha256_received)));
    terminal.line(&format!(
        "  {:<13} {}, {} of {} ticks came back in order  {}",
        "ticker",
        report.ticker.outcome,
        report.ticker.received,
        report.ticker.sent,
        terminal.verdict(report.ticker.outcome.is_complete()),
    ));
    if let Some(count) = report.handshakes_under_way {
        let verdict = terminal.verdict(count == 0);
        terminal.line(&format!("  {:<13} {count} after the first  {verdict}", "handshakes"));
    }
    terminal.line(&format!(
        "  {:<13} {}, {} of {} arrived",
        "without",
        terminal.paint(Look::Bad, &report.without.outcome.to_string()),
        size(report.without.bytes_received),
        size(report.download.bytes_sent),
    ));
}

fn since(began: Instant) -> String {
    time(micros(began.elapsed()))
}

/// How long an application waits before it gives a connection up; longer than any tunnel takes that recovers.
const PATIENCE: Duration = Duration::from_secs(60);
/// A silence that a person would notice.
const NOTABLE: Duration = Duration::from_millis(1500);
/// How long after a move its figures are taken, so that what follows is seen to be steady.
const AFTERWARDS: Duration = Duration::from_millis(700);
const REDRAW: Duration = Duration::from_millis(100);
