//! What stead promises beside other systems, and whether it was kept.
//!
//! Every bound is a ratio or a distance to what ran beside it in the same run, so that machines compare. What was not
//! measured is not judged.

use serde::{Deserialize, Serialize};
use stead_rig::traffic::Probe;

use super::metric::{Metric, Quantile};
use super::report::{Measuree, Results};
use super::step::{Flow, Load, Size};

/// A promise that could be judged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Promise {
    /// What is promised.
    pub(super) promise: String,
    /// The bound.
    pub(super) bound: String,
    /// What was measured.
    pub(super) figure: String,
    pub(super) kept: bool,
}

/// Judges whatever was measured.
pub(super) fn judge(results: &Results, systems: &[Measuree]) -> Vec<Promise> {
    let scales = Scales { results, systems };
    let mut promises = scales.streams();
    promises.extend(Size::ALL.into_iter().filter_map(|size| scales.datagrams(size)));
    promises.extend(scales.transactions());
    promises
        .extend(Probe::ALL.into_iter().filter(|probe| *probe != Probe::Tcp).filter_map(|p| scales.queue(p)));
    promises.extend(scales.costs());
    promises
}

struct Scales<'a> {
    results: &'a Results,
    systems: &'a [Measuree],
}

impl Scales<'_> {
    fn streams(&self) -> Vec<Promise> {
        let bounds = [
            (STEAD, WIREGUARD_GO, true, 9.0),
            (STEAD, RAW, true, 0.35),
            (STEAD, RAW, false, 0.4),
            (CHACHA, WIREGUARD_GO, true, 4.5),
            // What is kept for a move may cost this much.
            (STEAD, FORGETFUL, true, 0.97),
        ];
        bounds
            .into_iter()
            .filter_map(|(one, other, offload, least)| {
                // Kept in both directions, or not at all.
                let ratio = [Flow::Up1, Flow::Down1]
                    .into_iter()
                    .filter_map(|flow| self.results.ratio(Metric::Tcp { offload, flow }, one, other))
                    .reduce(f64::min)?;
                let condition = if offload { "" } else { ", offload off" };
                Some(at_least(format!("one TCP stream{condition}: {one} by {other}"), ratio, least))
            })
            .collect()
    }

    fn datagrams(&self, size: Size) -> Option<Promise> {
        let least = match size {
            Size::Small => 1.5,
            Size::Large => 2.0,
        };
        let metric = Metric::Datagrams(size);
        let (best, rate) = self.others(metric).max_by_key(|(_, rate)| *rate)?;
        let ratio = self.results.median(metric, STEAD)? as f64 / rate.max(1) as f64;
        Some(at_least(format!("UDP {} B: stead by the best other, {best}", size.packet()), ratio, least))
    }

    fn transactions(&self) -> Vec<Promise> {
        let trip = |quantile| Metric::RoundTrip { load: Load::Idle, probe: Probe::Tcp, quantile };
        let median = || {
            let (best, least) = self.others(trip(Quantile::Median)).min_by_key(|(_, nanos)| *nanos)?;
            let nanos = self.results.median(trip(Quantile::Median), STEAD)?;
            Some(at_most_micros(
                format!("TCP request-response, median: the best other, {best}, + 5 µs"),
                nanos,
                least + 5_000,
            ))
        };
        let slowest = || {
            let raw = self.results.median(trip(Quantile::P99), RAW)?;
            let of = |tunnel| self.results.median(trip(Quantile::Median), tunnel);
            // What carries packets as they are spends its time on crossing the TUN device, both ways at both ends.
            let crossing = of(FORWARDER)?.saturating_sub(of(RAW)?);
            let nanos = self.results.median(trip(Quantile::P99), STEAD)?;
            Some(at_most_micros(
                "TCP request-response, p99: 2 x raw + TUN crossing (forwarder less raw, medians)".to_owned(),
                nanos,
                2 * raw + crossing,
            ))
        };
        median().into_iter().chain(slowest()).collect()
    }

    fn queue(&self, probe: Probe) -> Option<Promise> {
        let median = |load| {
            let metric = Metric::RoundTrip { load, probe, quantile: Quantile::Median };
            self.results.median(metric, STEAD)
        };
        let name = if probe == Probe::Ping { "ping" } else { "UDP echo" };
        Some(at_most_micros(
            format!("{name} under a download, median: 3 x idle + 1 ms"),
            median(Load::Download)?,
            3 * median(Load::Idle)? + 1_000_000,
        ))
    }

    fn costs(&self) -> Vec<Promise> {
        let mut promises = Vec::new();
        if let Some(ratio) = self.results.ratio(Metric::ProcessorOfTunnel, STEAD, WIREGUARD_GO) {
            promises.push(Promise {
                promise: "CPU seconds per GB, programs at both ends: stead by wireguard-go".to_owned(),
                bound: "<= 0.333".to_owned(),
                figure: format!("{ratio:.3}"),
                kept: ratio <= 1.0 / 3.0,
            });
        }
        // Where one end is somebody else's program, the larger of both may be that one.
        let ours = |system: &&Measuree| system.name.starts_with(STEAD) && system.name != PLAIN_PEER;
        let most = self.systems.iter().filter(ours).filter_map(|system| {
            let resident = self.results.summary(Metric::Resident, &system.name)?.max;
            Some((resident, &system.name))
        });
        if let Some((resident, name)) = most.max() {
            promises.push(Promise {
                promise: format!("resident memory after it all, the most of any ({name})"),
                bound: "<= 32 MB".to_owned(),
                figure: format!("{:.1} MB", resident as f64 / 1e6),
                kept: resident <= MOST_RESIDENT,
            });
        }
        promises
    }

    /// What others than stead and the ceilings reached.
    fn others(&self, metric: Metric) -> impl Iterator<Item = (&str, u64)> {
        let others = self.systems.iter().map(|system| system.name.as_str());
        others
            .filter(|name| !name.starts_with(STEAD) && !is_ceiling(name))
            .filter_map(move |name| Some((name, self.results.median(metric, name)?)))
    }
}

/// Whether a system shows what tunnels could reach, and is none itself.
pub(super) fn is_ceiling(name: &str) -> bool {
    name == RAW || name.starts_with(FORWARDER)
}

fn at_least(promise: String, ratio: f64, least: f64) -> Promise {
    Promise { promise, bound: format!(">= {least}"), figure: format!("{ratio:.2}"), kept: ratio >= least }
}

fn at_most_micros(promise: String, nanos: u64, most: u64) -> Promise {
    let micros = |nanos: u64| format!("{:.1} µs", nanos as f64 / 1e3);
    Promise { promise, bound: format!("<= {}", micros(most)), figure: micros(nanos), kept: nanos <= most }
}

/// Names of systems that promises are about.
pub(super) const STEAD: &str = "stead";
pub(super) const RAW: &str = "none";
pub(super) const WIREGUARD_GO: &str = "wireguard-go";
const CHACHA: &str = "stead-chacha";
const PLAIN_PEER: &str = "stead-plain-peer";
const FORGETFUL: &str = "stead-forgetful";
const FORWARDER: &str = "forwarder";
const MOST_RESIDENT: u64 = 32_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn systems(names: &[&str]) -> Vec<Measuree> {
        names.iter().map(|name| Measuree { name: (*name).to_owned(), versions: Vec::new() }).collect()
    }

    const ALL: [&str; 5] = [RAW, FORWARDER, STEAD, WIREGUARD_GO, "nebula"];

    #[test]
    fn nothing_measured_is_nothing_promised() {
        assert_eq!(judge(&Results::default(), &systems(&ALL)), []);
    }

    #[test]
    fn a_stream_that_is_fast_one_way_only_breaks_its_promise() {
        let up = Metric::Tcp { offload: true, flow: Flow::Up1 };
        let down = Metric::Tcp { offload: true, flow: Flow::Down1 };
        let results = Results::default().with(up, &[(STEAD, 90), (WIREGUARD_GO, 10)]);
        assert!(judge(&results, &systems(&ALL))[0].kept);
        let results = results.with(down, &[(STEAD, 89), (WIREGUARD_GO, 10)]);
        let [promise] = &*judge(&results, &systems(&ALL)) else { panic!("one promise") };
        assert_eq!((promise.figure.as_str(), promise.kept), ("8.90", false));
    }

    #[test]
    fn datagrams_are_compared_with_the_best_other_and_never_with_a_ceiling() {
        let small = Metric::Datagrams(Size::Small);
        let ceilings = [(RAW, 9_000), (FORWARDER, 8_000), ("forwarder-aes", 7_000)];
        let tunnels = [(STEAD, 300), (WIREGUARD_GO, 100), ("nebula", 200)];
        let results = Results::default().with(small, &ceilings).with(small, &tunnels);
        let promises = judge(&results, &systems(&[&ALL[..], &["forwarder-aes"]].concat()));
        assert_eq!(promises.len(), 1);
        assert!(promises[0].promise.contains("nebula") && promises[0].kept, "{promises:?}");
    }

    #[test]
    fn transactions_may_take_five_microseconds_more_than_the_best_other() {
        let trip = |quantile| Metric::RoundTrip { load: Load::Idle, probe: Probe::Tcp, quantile };
        let medians = [(RAW, 20_000), (FORWARDER, 40_000), (STEAD, 55_001), (WIREGUARD_GO, 50_000)];
        let slowest = [(RAW, 30_000), (STEAD, 80_000)];
        let results =
            Results::default().with(trip(Quantile::Median), &medians).with(trip(Quantile::P99), &slowest);
        let kept: Vec<bool> = judge(&results, &systems(&ALL)).iter().map(|promise| promise.kept).collect();
        assert_eq!(kept, [false, true], "one nanosecond too many; 2 x 30 + 20 is just enough");
    }

    #[test]
    fn costs_are_bounded_by_a_third_of_wireguards_and_by_thirty_two_megabytes() {
        let results = Results::default()
            .with(Metric::ProcessorOfTunnel, &[(STEAD, 34), (WIREGUARD_GO, 100)])
            .with(Metric::Resident, &[(STEAD, 32_000_000), (WIREGUARD_GO, 99_000_000)]);
        let kept: Vec<bool> = judge(&results, &systems(&ALL)).iter().map(|promise| promise.kept).collect();
        assert_eq!(kept, [false, true]);

        let towards_another = Results::default().with(Metric::Resident, &[(PLAIN_PEER, 50_000_000)]);
        assert_eq!(judge(&towards_another, &systems(&[PLAIN_PEER])), [], "that may be the other's program");
    }

    #[test]
    fn a_ping_under_a_download_may_take_three_times_as_long_and_a_millisecond() {
        let ping = |load| Metric::RoundTrip { load, probe: Probe::Ping, quantile: Quantile::Median };
        let results = Results::default()
            .with(ping(Load::Idle), &[(STEAD, 100)])
            .with(ping(Load::Download), &[(STEAD, 1_000_300)]);
        assert!(judge(&results, &systems(&ALL))[0].kept);
    }
}
