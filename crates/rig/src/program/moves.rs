//! `moves`: many moves under one running transfer, and what each cost the application.
//!
//! The bound that a move is held against: until the host has noticed (detection), for two round trips
//! (the Connection Update and its Acknowledge, then data), and for what a busy machine takes to schedule it all. TCP's
//! retransmission timeout, back-off included, is shown beside it: a tunnel that loses what was under way waits for that.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use stead_rig::statistics::Summary;
use stead_rig::traffic::timeline::micros;
use stead_rig::traffic::{Bulk, BulkReport, BulkRun, Direction, Stall};
use stead_rig::{Driver, Move, Network, RigError, Tunnel};

use super::scene::{Change, Scene};
use super::terminal::{Look, Terminal};
use super::units::{size, time};
use super::{MovesArguments, Sender};

/// Everything that was seen.
#[derive(Debug, Serialize)]
pub(super) struct MovesReport {
    command: &'static str,
    tunnel: Driver,
    sender: Sender,
    moves: Vec<MoveReport>,
    /// Stalls, dark time taken off, in microseconds.
    stall_micros: Option<Summary>,
    /// From usable to noticed, in microseconds.
    detection_micros: Option<Summary>,
    moves_beyond_bound: usize,
    transfer: BulkReport,
    checksum_matches: bool,
    /// Handshakes completed while the transfer ran; none where the tunnel does not tell.
    handshakes_under_way: Option<u64>,
    /// Whether all that is promised held.
    pub(super) held: bool,
}

/// One move.
#[derive(Debug, Serialize)]
struct MoveReport {
    number: u32,
    from: String,
    to: String,
    change: Change,
    #[serde(flatten)]
    stall: Stall,
    bound: Bound,
    within_bound: Option<bool>,
    by_hand: Option<String>,
}

/// What a move may cost, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bound {
    /// From the new network's being usable to the mover's noticing; none where the tunnel does not tell.
    pub(super) detection_micros: Option<u64>,
    pub(super) rtt_micros: u64,
    pub(super) rto_micros: u64,
    /// Detection, two round trips and [`SCHEDULING`].
    pub(super) total_micros: Option<u64>,
}

impl Bound {
    /// Whether a stall is within it, as finely as a paced stream shows.
    pub(super) fn holds(&self, stall: &Stall) -> Option<bool> {
        self.total_micros.map(|bound| stall.resumed && stall.stall_micros <= bound + RESOLUTION_MICROS)
    }
}

pub(super) fn run(arguments: &MovesArguments, terminal: &Terminal) -> Result<MovesReport, RigError> {
    let scene = Scene::new()?;
    let tunnel = Tunnel::establish(arguments.tunnel, &scene.laptop, &scene.server)?;
    let direction = match arguments.sender {
        Sender::Mover => Direction::ToServer,
        Sender::Other => Direction::ToClient,
    };
    introduce(arguments, terminal);
    let bulk = Bulk { direction, pace: Some(arguments.pace), ..Bulk::default() };
    let transfer = bulk.start(&tunnel.line()?)?;
    thread::sleep(SETTLE);
    let handshakes = handshakes(&tunnel)?;

    let around = [&scene.hotspot, &scene.office, &scene.campus, &scene.home];
    let mut moves = Vec::new();
    for (number, to) in (1..=arguments.count).zip(around.into_iter().cycle()) {
        terminal.progress(&format!("  move {number} of {}: to {}", arguments.count, to.name()));
        let report = one_move(&tunnel, &transfer, to, arguments.dark, number)?;
        terminal.line(&row(&report, terminal));
        moves.push(report);
        if transfer.is_over() {
            break;
        }
        thread::sleep(SETTLE);
    }
    let handshakes_under_way = counted_since(handshakes, self::handshakes(&tunnel)?);
    transfer.stop();
    let report = sum_up(arguments, moves, transfer.finish(), handshakes_under_way);
    conclude(&report, terminal);
    Ok(report)
}

fn one_move(
    tunnel: &Tunnel,
    transfer: &BulkRun,
    to: &Network,
    dark: Duration,
    number: u32,
) -> Result<MoveReport, RigError> {
    let mover = &tunnel.mover().host;
    let old = mover.network().ok_or_else(|| RigError::Tunnel("the mover is in no network".to_owned()))?;
    let before = transfer.sender_state().unwrap_or_default();
    let step = mover.move_to(to, dark)?;
    let after = transfer.sender_state().unwrap_or_default();
    let by_hand = tunnel.after_move(&step)?;
    await_resumption(transfer, &step);
    let bound = bound(tunnel, &step, before.rtt_micros.into(), after.rto_micros.into());
    let stall = transfer.timeline().stall(&step, Instant::now());
    Ok(MoveReport {
        number,
        from: old.name().to_owned(),
        to: to.name().to_owned(),
        change: Change::of(&old, &step),
        within_bound: bound.holds(&stall),
        stall,
        bound,
        by_hand,
    })
}

/// Waits until something arrived after the move, and a moment more; or until it is clear that nothing will.
pub(super) fn await_resumption(transfer: &BulkRun, step: &Move) {
    while transfer.last_arrival() <= step.usable && !transfer.is_over() {
        thread::sleep(Duration::from_millis(2));
    }
    // The first arrival may be one that was under way; the stall's end is what follows steadily.
    thread::sleep(STEADY);
}

/// What the daemons and their kernels may take on a machine that has other work: a quarter of TCP's shortest timeout.
const SCHEDULING: u64 = 50_000;

/// The bound for a move that has just been resumed from.
pub(super) fn bound(tunnel: &Tunnel, step: &Move, rtt_micros: u64, rto_micros: u64) -> Bound {
    let detection_micros = detection(tunnel, step);
    let total_micros = detection_micros.map(|detection| detection + 2 * rtt_micros + SCHEDULING);
    Bound { detection_micros, rtt_micros, rto_micros, total_micros }
}

/// How long after the new network was usable the mover noticed, by its own word.
fn detection(tunnel: &Tunnel, step: &Move) -> Option<u64> {
    let status = tunnel.mover().control.as_ref()?.status().ok()?;
    let changed = Instant::now().checked_sub(Duration::from_micros(status.attachment.changed?))?;
    Some(micros(changed.saturating_duration_since(step.usable)))
}

/// Handshakes completed so far, as the mover counts them.
pub(super) fn handshakes(tunnel: &Tunnel) -> Result<Option<u64>, RigError> {
    let Some(control) = tunnel.mover().control.as_ref() else { return Ok(None) };
    Ok(Some(control.status()?.peers.iter().map(|peer| peer.handshakes).sum()))
}

pub(super) fn counted_since(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(after?.saturating_sub(before?))
}

fn sum_up(
    arguments: &MovesArguments,
    moves: Vec<MoveReport>,
    transfer: BulkReport,
    handshakes_under_way: Option<u64>,
) -> MovesReport {
    let checksum_matches = transfer.outcome.is_complete() && transfer.sha256_sent == transfer.sha256_received;
    let moves_beyond_bound = moves.iter().filter(|report| report.within_bound == Some(false)).count();
    let all_moved =
        moves.len() == arguments.count as usize && moves.iter().all(|report| report.stall.resumed);
    MovesReport {
        command: "moves",
        tunnel: arguments.tunnel,
        sender: arguments.sender,
        stall_micros: Summary::of(moves.iter().map(|report| report.stall.stall_micros).collect()),
        detection_micros: Summary::of(
            moves.iter().filter_map(|report| report.bound.detection_micros).collect(),
        ),
        moves_beyond_bound,
        held: all_moved
            && checksum_matches
            && moves_beyond_bound == 0
            && handshakes_under_way.unwrap_or(0) == 0,
        moves,
        transfer,
        checksum_matches,
        handshakes_under_way,
    }
}

fn introduce(arguments: &MovesArguments, terminal: &Terminal) {
    let sender = match arguments.sender {
        Sender::Mover => "the mover sends",
        Sender::Other => "only the other side sends",
    };
    let title = format!(
        "{} moves over {}: {sender}, {}/s, nowhere for {} each time",
        arguments.count,
        arguments.tunnel,
        size(arguments.pace),
        time(micros(arguments.dark)),
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    terminal.line("");
    let heads = format!(
        "  {:>3}  {:<30} {:<12} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "#", "move", "family", "dark", "stall", "noticed", "RTO", "bound"
    );
    terminal.line(&terminal.paint(Look::Dim, &heads));
}

fn row(report: &MoveReport, terminal: &Terminal) -> String {
    let unknown = || "-".to_owned();
    let stall = match report.stall.resumed {
        true => time(report.stall.stall_micros),
        false => "never".to_owned(),
    };
    let verdict = report.within_bound.map_or_else(String::new, |held| terminal.verdict(held));
    let by_hand = report.by_hand.as_deref().map_or_else(String::new, |done| terminal.paint(Look::Dim, done));
    format!(
        "  {:>3}  {:<30} {:<12} {:>9} {:>9} {:>9} {:>9} {:>9}  {verdict}{by_hand}",
        report.number,
        format!("{} → {}", report.from, report.to),
        report.change.to_string(),
        time(report.stall.dark_micros),
        stall,
        report.bound.detection_micros.map_or_else(unknown, time),
        time(report.bound.rto_micros),
        report.bound.total_micros.map_or_else(unknown, time),
    )
}

fn conclude(report: &MovesReport, terminal: &Terminal) {
    terminal.line("");
    for (name, summary) in [("stall", report.stall_micros), ("noticed", report.detection_micros)] {
        if let Some(summary) = summary {
            terminal.line(&format!(
                "  {name:<8} median {:>9}   p95 {:>9}   max {:>9}   of {} moves",
                time(summary.median),
                time(summary.p95),
                time(summary.max),
                summary.count
            ));
        }
    }
    if report.detection_micros.is_some() {
        terminal.line(&format!(
            "  bound    {} of {} moves beyond it  {}",
            report.moves_beyond_bound,
            report.moves.len(),
            terminal.verdict(report.moves_beyond_bound == 0)
        ));
    }
    terminal.line(&format!(
        "  transfer {}: {}, SHA-256 {}  {}",
        report.transfer.outcome,
        size(report.transfer.bytes_received),
        if report.checksum_matches { "the same at both ends" } else { "not the same" },
        terminal.verdict(report.checksum_matches)
    ));
    if let Some(count) = report.handshakes_under_way {
        terminal.line(&format!("  handshakes while it ran: {count}  {}", terminal.verdict(count == 0)));
    }
}

/// Between two moves: the stream is steady again, and TCP's timeout back at its floor.
const SETTLE: Duration = Duration::from_millis(1000);
/// How long a resumed stream is watched before the stall is read off.
const STEADY: Duration = Duration::from_millis(100);
/// What the measurement itself cannot tell apart: one block of a paced sender, a timer tick at each end.
const RESOLUTION_MICROS: u64 = 10_000;
