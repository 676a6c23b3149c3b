//! How far a benchmark is, and how long it still takes.

use std::time::{Duration, Instant};

use super::metric::Metric;
use super::report::Run;
use super::step::{Flow, Load, Size};
use crate::program::terminal::bar;
use stead_rig::traffic::Probe;

use super::metric::Quantile;

/// Turns done and to come; a turn is one tunnel in one round.
#[derive(Debug)]
pub(super) struct Progress {
    turns: usize,
    done: usize,
    each: Duration,
    /// How much of the running turn is through, by expectation.
    within: Duration,
    began: Instant,
}

impl Progress {
    pub(super) fn new(turns: usize, each: Duration) -> Self {
        Self { turns, done: 0, each, within: Duration::ZERO, began: Instant::now() }
    }

    /// How long all of it is expected to take.
    pub(super) fn expected(&self) -> Duration {
        self.each * self.turns as u32
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.within += by;
    }

    pub(super) fn turn_over(&mut self) {
        self.done += 1;
        self.within = Duration::ZERO;
    }

    /// `████░░░░  turn 5 of 33, 17 minutes left  stead: TCP up-1`
    pub(super) fn line(&self, doing: &str) -> String {
        let through = self.each * self.done as u32 + self.within.min(self.each);
        let left = self.left(through, self.began.elapsed());
        format!(
            "  {}  {} of {}, {} left  {doing}",
            bar(through.as_millis() as u64, self.expected().as_millis() as u64, 24),
            (self.done + 1).min(self.turns),
            self.turns,
            minutes(left)
        )
    }

    /// What is expected still, at the pace so far once there is one.
    fn left(&self, through: Duration, took: Duration) -> Duration {
        let still = self.expected().saturating_sub(through);
        let pace = if through < self.each / 4 { 1.0 } else { took.as_secs_f64() / through.as_secs_f64() };
        still.mul_f64(pace)
    }
}

/// `17 minutes`, `40 s`.
pub(super) fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds => format!("{} minutes", (seconds + 30) / 60),
    }
}

/// A turn in one line, of whatever was measured in it.
pub(super) fn headline(run: &Run) -> String {
    let figures: Vec<(Metric, u64)> = run.measured.iter().flat_map(Metric::of).collect();
    let wanted = [
        ("TCP up", Metric::Tcp { offload: true, flow: Flow::Up1 }),
        ("down", Metric::Tcp { offload: true, flow: Flow::Down1 }),
        ("offload off", Metric::Tcp { offload: false, flow: Flow::Up1 }),
        ("iperf3", Metric::Iperf3),
        ("UDP 200 B", Metric::Datagrams(Size::Small)),
        ("1400 B", Metric::Datagrams(Size::Large)),
        ("TCP RR", Metric::RoundTrip { load: Load::Idle, probe: Probe::Tcp, quantile: Quantile::Median }),
        ("memory", Metric::Resident),
    ];
    let shown = wanted.into_iter().filter_map(|(name, wanted)| {
        let (metric, figure) = figures.iter().find(|(metric, _)| *metric == wanted)?;
        Some(format!("{name} {} {}", metric.unit().show(*figure), metric.unit().shown()))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_pace_so_far() {
        let secs = Duration::from_secs;
        let mut progress = Progress::new(10, secs(20));
        assert_eq!(progress.left(secs(0), secs(3)), secs(200), "nothing is known of the pace yet");
        progress.turn_over();
        assert_eq!(progress.left(secs(20), secs(40)), secs(360), "twice as slow as expected");
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        assert_eq!(
            [minutes(Duration::from_secs(40)), minutes(Duration::from_secs(1260))],
            ["40 s", "21 minutes"]
        );
    }
}
