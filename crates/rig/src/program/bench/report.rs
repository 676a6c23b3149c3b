//! The whole report: what was measured where, every measurement, their medians, and what was promised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stead_rig::statistics::Summary;

use super::machine::Machine;
use super::measure::Measured;
use super::metric::Metric;
use super::promise::{self, Promise};

/// Everything that is known after a run; what is shown of it needs no measurement any more.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::program) struct BenchReport {
    command: String,
    pub(super) machine: Machine,
    pub(super) settings: Settings,
    /// What was measured, in that order.
    pub(super) systems: Vec<Measuree>,
    /// What could not be measured, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// Every measurement, in order.
    #[serde(skip_deserializing)]
    pub(super) runs: Vec<Run>,
    /// What each figure is counted in.
    pub(super) units: BTreeMap<String, String>,
    /// By figure and system.
    pub(super) results: Results,
    pub(super) promises: Vec<Promise>,
    /// Whether every promise that could be judged was kept, and stead itself ran.
    pub(in crate::program) held: bool,
}

/// How it was measured.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Settings {
    pub(super) runs: u32,
    /// How long a flood was measured.
    pub(super) seconds: f64,
    /// The IP packets of the UDP figures, and what of them is payload, in bytes.
    pub(super) packet_and_payload_bytes: Vec<(u64, u64)>,
}

/// A system and what it is made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Measuree {
    pub(super) name: String,
    /// Of its programs, as their package has it.
    pub(super) versions: Vec<String>,
}

/// Something that could not be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct LeftOut {
    pub(super) tunnel: String,
    /// One step in one round; none if all of it.
    pub(super) step: Option<String>,
    pub(super) reason: String,
}

/// All of one tunnel in one round.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) tunnel: String,
    pub(super) round: u32,
    pub(super) measured: Vec<Measured>,
}

impl BenchReport {
    pub(super) fn new(
        machine: Machine,
        settings: Settings,
        systems: Vec<Measuree>,
        left_out: Vec<LeftOut>,
        runs: Vec<Run>,
    ) -> Self {
        let (results, units) = Results::of(&runs);
        let promises = promise::judge(&results, &systems);
        let stead_ran = left_out.iter().all(|left_out| left_out.tunnel != promise::STEAD);
        let held = stead_ran && promises.iter().all(|promise| promise.kept);
        Self {
            command: "bench".to_owned(),
            machine,
            settings,
            systems,
            left_out,
            runs,
            units,
            results,
            promises,
            held,
        }
    }
}

/// Figures in short: by the figure's name, then by the system's.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Results(pub(super) BTreeMap<String, BTreeMap<String, Summary>>);

impl Results {
    fn of(runs: &[Run]) -> (Self, BTreeMap<String, String>) {
        let mut figures: BTreeMap<String, BTreeMap<String, Vec<u64>>> = BTreeMap::new();
        let mut units = BTreeMap::new();
        for run in runs {
            for (metric, figure) in run.measured.iter().flat_map(Metric::of) {
                let of_metric = figures.entry(metric.to_string()).or_default();
                of_metric.entry(run.tunnel.clone()).or_default().push(figure);
                units.insert(metric.to_string(), metric.unit().name().to_owned());
            }
        }
        let in_short = |figures: BTreeMap<String, Vec<u64>>| {
            figures
                .into_iter()
                .filter_map(|(tunnel, figures)| Some((tunnel, Summary::of(figures)?)))
                .collect()
        };
        let results = figures.into_iter().map(|(metric, figures)| (metric, in_short(figures))).collect();
        (Self(results), units)
    }

    pub(super) fn summary(&self, metric: Metric, tunnel: &str) -> Option<Summary> {
        self.0.get(&metric.to_string())?.get(tunnel).copied()
    }

    pub(super) fn median(&self, metric: Metric, tunnel: &str) -> Option<u64> {
        self.summary(metric, tunnel).map(|summary| summary.median)
    }

    /// One system's median by another's.
    pub(super) fn ratio(&self, metric: Metric, tunnel: &str, other: &str) -> Option<f64> {
        let (one, other) = (self.median(metric, tunnel)?, self.median(metric, other)?);
        (other > 0).then(|| one as f64 / other as f64)
    }
}

#[cfg(test)]
impl Results {
    /// One figure of each system.
    pub(super) fn with(mut self, metric: Metric, figures: &[(&str, u64)]) -> Self {
        let of_metric = self.0.entry(metric.to_string()).or_default();
        for (tunnel, figure) in figures {
            of_metric.insert((*tunnel).to_owned(), Summary::of(vec![*figure]).expect("there is one"));
        }
        self
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::program::bench::metric::Quantile;
    use crate::program::bench::step::{Flow, Load, Size};
    use stead_rig::traffic::{Probe, RoundTrips};

    /// A report that nothing was measured for.
    pub(in crate::program::bench) fn fixed() -> BenchReport {
        let names = ["none", "stead", "stead-chacha", "a&b"];
        let systems: Vec<Measuree> = names
            .iter()
            .map(|name| Measuree { name: (*name).to_owned(), versions: vec!["1".to_owned()] })
            .collect();
        let machine = Machine {
            processor: "a <fast> one".to_owned(),
            processors: 2,
            kernel: "Linux 6".to_owned(),
            memory_bytes: 1,
            commit: None,
        };
        let settings = Settings { runs: 1, seconds: 2.0, packet_and_payload_bytes: vec![(200, 172)] };
        let mut report = BenchReport::new(machine, settings, systems, Vec::new(), Vec::new());
        report.results = Results::default()
            .with(
                Metric::Tcp { offload: true, flow: Flow::Up1 },
                &[
                    ("none", 40_000_000_000),
                    ("stead", 18_000_000_000),
                    ("stead-chacha", 9_000_000_000),
                    ("a&b", 1),
                ],
            )
            .with(
                Metric::Datagrams(Size::Small),
                &[("none", 900_000), ("stead", 300_000), ("stead-chacha", 250_000), ("a&b", 10)],
            )
            .with(
                Metric::Resident,
                &[("stead", 20_000_000), ("stead-chacha", 21_000_000), ("a&b", 9_000_000)],
            );
        report
    }

    #[test]
    fn figures_of_all_rounds_become_medians() {
        let trips = |median_nanos| RoundTrips {
            count: 10,
            lost: 0,
            median_nanos,
            p95_nanos: 2,
            p99_nanos: 3,
            max_nanos: 4,
            per_second: 5,
        };
        let run = |round, nanos| Run {
            tunnel: "stead".to_owned(),
            round,
            measured: vec![Measured::Latency { load: Load::Idle, probe: Probe::Tcp, trips: trips(nanos) }],
        };
        let (results, units) = Results::of(&[run(1, 30), run(2, 10), run(3, 20)]);
        let metric = Metric::RoundTrip { load: Load::Idle, probe: Probe::Tcp, quantile: Quantile::Median };
        assert_eq!(results.median(metric, "stead"), Some(20));
        assert_eq!(results.median(Metric::Transactions(Load::Idle), "stead"), Some(5));
        assert_eq!(units.get("tcp-rr-idle-median").map(String::as_str), Some("ns"));
    }

    #[test]
    fn a_report_that_was_kept_is_read_again_with_all_that_is_shown_of_it() {
        let report = fixed();
        let text = serde_json::to_string(&report).expect("it serialises");
        let read: BenchReport = serde_json::from_str(&text).expect("it reads again");
        assert_eq!(crate::program::bench::plot::svg(&read), crate::program::bench::plot::svg(&report));
    }

    #[test]
    fn a_run_without_stead_itself_has_not_held() {
        let report = fixed();
        assert!(report.held, "nothing was promised, nothing broken");
        let left_out = LeftOut { tunnel: "stead".to_owned(), step: None, reason: "not built".to_owned() };
        let without =
            BenchReport::new(report.machine, report.settings, report.systems, vec![left_out], Vec::new());
        assert!(!without.held);
    }
}
