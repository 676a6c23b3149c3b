//! `both-move`: both ends of a connection move in the same instant, over and over, and what each costs.
//!
//! The bound is three round trips to the service and the time until a move is noticed: each end's word to the
//! service and its answer, the Connection Update and its Acknowledge between the two, and the data. TCP gets no more than
//! datagrams do: what was in flight when both left is sent again by stead, before TCP would learn that it was lost.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use stead_rig::RigError;
use stead_rig::run::play;
use stead_rig::scenario::verdict::stall_within;
use stead_rig::scenario::{Deed, Measured, Scenario, Traffic};
use stead_rig::statistics::Summary;
use stead_rig::traffic::timeline::micros;

use super::BothMoveArguments;
use super::terminal::{Look, Terminal};
use super::units::time;

/// Every move of both.
#[derive(Debug, Serialize)]
pub(super) struct BothMoveReport {
    command: &'static str,
    /// A round trip from the farther end to the service, in microseconds.
    round_trip_micros: u64,
    rows: Vec<Row>,
    /// Whether everything arrived and no move cost more.
    pub(super) held: bool,
}

/// What one kind of traffic saw.
#[derive(Debug, Serialize)]
struct Row {
    traffic: String,
    /// Stalls without dark time, in microseconds.
    stall_micros: Option<Summary>,
    /// What a move may cost it, in microseconds.
    bound_micros: u64,
    beyond_bound: usize,
    /// Moves after which nothing ever arrived.
    never: usize,
}

pub(super) fn run(arguments: &BothMoveArguments, terminal: &Terminal) -> Result<BothMoveReport, RigError> {
    let round_trip = 2 * (arguments.delay + arguments.delay);
    let title = format!(
        "{} moves of both ends in the same instant ({}), {} to the service and back",
        arguments.count,
        arguments.world.name(),
        time(micros(round_trip))
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    let broken = |error: String| RigError::Scenario(format!("error: {error}"));
    let scenario = Scenario::parse(Path::new("both-move.yaml"), &text(arguments))
        .map_err(|mistakes| broken(mistakes.to_string()))?;
    terminal.progress("  under way");
    let played =
        play(&scenario, arguments.world, arguments.seed).map_err(|error| broken(error.to_string()))?;
    let bound = 3 * round_trip + NOTICED;
    let rows: Vec<Row> =
        scenario.traffic.iter().map(|traffic| row(&scenario, traffic, &played.measured, bound)).collect();
    for row in &rows {
        terminal.line(&shown(row, terminal));
    }
    terminal.line(&format!("  bound: {} to notice, and three round trips", time(micros(NOTICED))));
    let within = rows.iter().all(|row| row.beyond_bound == 0 && row.never == 0);
    Ok(BothMoveReport {
        command: "both-move",
        round_trip_micros: micros(round_trip),
        rows,
        held: within && played.held,
    })
}

fn row(scenario: &Scenario, traffic: &Traffic, measured: &Measured, bound: Duration) -> Row {
    let moves = scenario
        .timeline
        .iter()
        .filter(|event| matches!(&event.deed, Deed::Move { host, .. } if host == "a"));
    let seen = measured.traffic.get(&traffic.name);
    let stalls: Vec<Option<Duration>> = moves
        .map(|event| {
            let until = event.at + APART - Duration::from_millis(1);
            let seen = seen?;
            // After a connection's last arrival nothing is a stall; it is an end.
            seen.arrivals.last.filter(|last| *last > event.at)?;
            stall_within(traffic, seen, measured, (event.at, until))
        })
        .collect();
    let known: Vec<Duration> = stalls.iter().copied().flatten().collect();
    Row {
        traffic: traffic.name.clone(),
        beyond_bound: known.iter().filter(|stall| **stall > bound).count(),
        never: stalls.len() - known.len(),
        bound_micros: micros(bound),
        stall_micros: Summary::of(known.into_iter().map(micros).collect()),
    }
}

fn shown(row: &Row, terminal: &Terminal) -> String {
    let Some(stall) = row.stall_micros else { return format!("  {:<10} nothing ever arrived", row.traffic) };
    format!(
        "  {:<10} median {:>9}   p95 {:>9}   max {:>9}   {} of {} beyond {}  {}",
        row.traffic,
        time(stall.median),
        time(stall.p95),
        time(stall.max),
        row.beyond_bound + row.never,
        stall.count + row.never,
        time(row.bound_micros),
        terminal.verdict(row.beyond_bound + row.never == 0)
    )
}

/// Every network is as far away as every other, so that a round trip to the service is the same for both.
fn text(arguments: &BothMoveArguments) -> String {
    let BothMoveArguments { count, dark, delay, nat, .. } = arguments;
    let (dark, delay) = (dark.as_millis(), delay.as_millis());
    let lasts = (APART * (*count + 1)).as_millis();
    let every = APART.as_millis();
    let nat = if *nat { "nat: port-restricted, " } else { "" };
    format!(
        "name: both move in the same instant
networks:
  home:   {{ v4: 10.1.0.0/24, link: {{ delay: {delay}ms }} }}
  cafe:   {{ v4: 10.2.0.0/24, {nat}link: {{ delay: {delay}ms }} }}
  train:  {{ v4: 10.3.0.0/24, link: {{ delay: {delay}ms }} }}
  hotel:  {{ v4: 10.5.0.0/24, {nat}link: {{ delay: {delay}ms }} }}
  office: {{ v4: 10.4.0.0/24, link: {{ delay: {delay}ms }} }}
hosts:
  a: {{ at: home }}
  b: {{ at: cafe }}
  s: {{ at: office, role: sns }}
traffic:
  - {{ name: datagrams, kind: udp-ticker, from: a, to: b, start: 500ms, every: 5ms, for: {lasts}ms }}
  - {{ name: keystrokes, kind: tcp-ticker, from: b, to: a, start: 500ms, every: 20ms, for: {lasts}ms }}
timeline:
  - {{ at: 2s, host: a, move: [train, home], every: {every}ms, times: {count}, dark: {dark}ms }}
  - {{ at: 2s, host: b, move: [hotel, cafe], every: {every}ms, times: {count}, dark: {dark}ms }}
expect:
  - {{ traffic: keystrokes, survives: true }}
  - {{ between: [a, b], path: direct }}
"
    )
}

/// Between two moves: everything is steady again.
const APART: Duration = Duration::from_millis(2500);
/// How long until an end knows that its network is another one, and what the tickers' own rhythm blurs.
const NOTICED: Duration = Duration::from_millis(25);
