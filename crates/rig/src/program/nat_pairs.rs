//! `nat-pairs`: two nodes behind every pair of NAT kinds, and how they reach each other.

use std::path::Path;

use serde::Serialize;
use stead_rig::RigError;
use stead_rig::run::play;
use stead_rig::scenario::{Nat, PathKind, Scenario};
use stead_rig::traffic::timeline::micros;

use super::NatPairsArguments;
use super::terminal::{Look, Terminal};
use super::units::time;

/// Every pair.
#[derive(Debug, Serialize)]
pub(super) struct NatPairsReport {
    command: &'static str,
    pairs: Vec<Pair>,
    /// Whether all pairs connect.
    pub(super) held: bool,
}

/// Two kinds of NAT, and what came of them.
#[derive(Debug, Serialize)]
struct Pair {
    first: Nat,
    second: Nat,
    /// How the two reach each other in the end; none if they do not agree or do not at all.
    path: Option<PathKind>,
    /// From the application's wish to its first arrival, in microseconds.
    opened_micros: Option<u64>,
    /// Whether everything that the application sent arrived.
    carries: bool,
}

pub(super) fn run(arguments: &NatPairsArguments, terminal: &Terminal) -> Result<NatPairsReport, RigError> {
    let title = format!("how two nodes behind NATs reach each other ({})", arguments.world.name());
    terminal.line(&terminal.paint(Look::Bold, &title));
    let heads: Vec<String> = Nat::KINDS.iter().map(|nat| format!("{:>20}", nat.name())).collect();
    terminal.line(&terminal.paint(Look::Dim, &format!("{:<20}{}", "", heads.concat())));
    let mut pairs = Vec::new();
    for first in Nat::KINDS {
        let mut row = format!("{:<20}", first.name());
        for second in Nat::KINDS {
            terminal.progress(&format!("  {} and {}", first.name(), second.name()));
            let pair = one_pair(first, second, arguments)?;
            row += &format!("{:>20}", cell(&pair));
            pairs.push(pair);
        }
        terminal.line(&row);
    }
    let held = pairs.iter().all(|pair| pair.carries);
    terminal.line(&format!("  all {} pairs connect  {}", pairs.len(), terminal.verdict(held)));
    Ok(NatPairsReport { command: "nat-pairs", pairs, held })
}

fn one_pair(first: Nat, second: Nat, arguments: &NatPairsArguments) -> Result<Pair, RigError> {
    let broken = |error: String| RigError::Scenario(format!("error: {error}"));
    let scenario = Scenario::parse(Path::new("nat-pairs.yaml"), &text(first, second))
        .map_err(|mistakes| broken(mistakes.to_string()))?;
    let played =
        play(&scenario, arguments.world, arguments.seed).map_err(|error| broken(error.to_string()))?;
    let measured = played.measured;
    let seen = measured.traffic.get(TRAFFIC);
    let started = scenario.traffic.first().map(|traffic| traffic.start).unwrap_or_default();
    let mut paths = measured.pairs.iter().filter(|((who, of), _)| who != SERVICE && of != SERVICE);
    let path = paths.next().and_then(|(_, pair)| pair.path);
    Ok(Pair {
        first,
        second,
        path: path.filter(|kind| paths.all(|(_, pair)| pair.path == Some(*kind))),
        opened_micros: seen
            .and_then(|seen| seen.arrivals.first)
            .map(|first| micros(first.saturating_sub(started))),
        carries: played.held,
    })
}

fn text(first: Nat, second: Nat) -> String {
    format!(
        "name: {} and {}
networks:
  home:   {{ v4: 10.1.0.0/24, nat: {}, link: {{ delay: 10ms }} }}
  cafe:   {{ v4: 10.2.0.0/24, nat: {}, link: {{ delay: 15ms }} }}
  office: {{ v4: 10.4.0.0/24, link: {{ delay: 10ms }} }}
hosts:
  a: {{ at: home }}
  b: {{ at: cafe }}
  {SERVICE}: {{ at: office, role: sns }}
traffic:
  - {{ name: {TRAFFIC}, kind: tcp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 5s }}
ends: 15s
expect:
  - {{ traffic: {TRAFFIC}, survives: true }}
",
        first.name(),
        second.name(),
        first.name(),
        second.name(),
    )
}

fn cell(pair: &Pair) -> String {
    match (pair.carries, pair.path, pair.opened_micros) {
        (true, Some(kind), Some(opened)) => format!("{} {}", kind.name(), time(opened)),
        (true, None, _) => "undecided".to_owned(),
        _ => "none".to_owned(),
    }
}

const SERVICE: &str = "s";
const TRAFFIC: &str = "shell";
