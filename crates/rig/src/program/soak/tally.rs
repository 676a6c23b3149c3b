//! What a soak has seen so far, and the report in the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use stead_rig::scenario::{Kind, Measured, Scenario, WorldKind};
use stead_rig::soak::{Breach, Promise};

use crate::program::terminal::{Look, Terminal};

/// The counts so far.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    /// How long all episodes took, on their worlds' own clocks.
    played: Duration,
    minutes_shown: u64,
    figures: Figures,
    found: Vec<Found>,
}

/// What went through the episodes.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    episodes: u64,
    /// Episodes in which a promise was broken.
    broken: u64,
    events: u64,
    keystrokes: u64,
    datagrams: u64,
    datagrams_lost: u64,
    /// Blocks of [`BLOCK`] bytes that transfers delivered.
    blocks: u64,
    breaches: BTreeMap<&'static str, u64>,
}

/// One promise that an episode broke.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Found {
    pub(super) seed: u64,
    pub(super) promise: Promise,
    pub(super) traffic: String,
    pub(super) seen: String,
    /// The command that plays the episode again.
    pub(super) again: String,
    /// The reduced scenario.
    pub(super) file: PathBuf,
}

/// A soak's report.
#[derive(Debug, Serialize)]
pub(in crate::program) struct SoakReport {
    command: &'static str,
    world: WorldKind,
    seed: u64,
    /// On the worlds' own clocks.
    minutes: f64,
    real_minutes: f64,
    interrupted: bool,
    figures: Figures,
    found: Vec<Found>,
    /// Whether every promise was kept.
    pub(in crate::program) held: bool,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            played: Duration::ZERO,
            minutes_shown: 0,
            figures: Figures::default(),
            found: Vec::new(),
        }
    }

    pub(super) const fn played(&self) -> Duration {
        self.played
    }

    /// Adds an episode.
    pub(super) fn add(&mut self, scenario: &Scenario, measured: &Measured, breaches: &[Breach]) {
        let figures = &mut self.figures;
        self.played += measured.ended;
        figures.episodes += 1;
        figures.broken += u64::from(!breaches.is_empty());
        figures.events += scenario.timeline.len() as u64;
        for breach in breaches {
            *figures.breaches.entry(breach.kind.broken()).or_default() += 1;
        }
        let seen = scenario
            .traffic
            .iter()
            .filter_map(|traffic| Some((traffic, measured.traffic.get(&traffic.name)?)));
        for (traffic, seen) in seen {
            match traffic.kind {
                Kind::TcpTicker { .. } => figures.keystrokes += seen.received,
                Kind::TcpBulk { .. } => figures.blocks += seen.received / BLOCK,
                Kind::UdpTicker { .. } => {
                    figures.datagrams += seen.sent;
                    figures.datagrams_lost += seen.sent.saturating_sub(seen.received);
                }
            }
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        self.found.push(found);
    }

    /// Whether another minute of real time is over since this was asked last.
    pub(super) fn minute_is_over(&mut self) -> bool {
        let minutes = self.began.elapsed().as_secs() / 60;
        let over = minutes > self.minutes_shown;
        self.minutes_shown = minutes;
        over
    }

    pub(super) fn progress(&self) -> String {
        let Figures { episodes, events, datagrams, .. } = self.figures;
        let breaches: u64 = self.figures.breaches.values().sum();
        format!(
            "  {:>8.1} min in {:>6.1} min   {episodes} episodes   {events} events   {datagrams} datagrams   {breaches} breaches",
            minutes(self.played),
            minutes(self.began.elapsed())
        )
    }

    pub(super) fn report(self, world: WorldKind, seed: u64, interrupted: bool) -> SoakReport {
        SoakReport {
            command: "soak",
            world,
            seed,
            minutes: minutes(self.played),
            real_minutes: minutes(self.began.elapsed()),
            interrupted,
            held: self.figures.breaches.is_empty(),
            figures: self.figures,
            found: self.found,
        }
    }
}

fn minutes(time: Duration) -> f64 {
    (time.as_secs_f64() / 6.0).round() / 10.0
}

/// The last lines.
pub(super) fn conclude(report: &SoakReport, terminal: &Terminal) {
    let SoakReport { figures, minutes, real_minutes, .. } = report;
    let Figures { episodes, broken, events, keystrokes, datagrams, datagrams_lost, blocks, breaches } =
        figures;
    if report.interrupted {
        terminal.line(&terminal.paint(Look::Dim, "  interrupted: this is the report so far"));
    }
    terminal.line(&format!(
        "  {minutes} min in {real_minutes} min: {episodes} episodes, {events} events, {keystrokes} keystrokes, \
         {blocks} blocks of {BLOCK} bytes, {datagrams} datagrams ({datagrams_lost} lost)"
    ));
    let kinds: Vec<String> = breaches.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let told = if kinds.is_empty() {
        "none".to_owned()
    } else {
        format!("{} in {broken} episodes", kinds.join(", "))
    };
    terminal.line(&format!("  breaches: {told}  {}", terminal.verdict(report.held)));
}

const BLOCK: u64 = 1_000;
