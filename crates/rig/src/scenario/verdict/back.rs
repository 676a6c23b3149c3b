//! When a path between two hosts was lost and came back, and how soon an application heard something again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::measured::{Measured, TrafficMeasured};
use super::super::unit::Share;
use super::super::{Deed, Link, Scenario, Traffic};
use crate::steady::steady_after;

/// From a path's being back to the first arrival of a steady stream; the longest of all such times. None if something
/// never came back.
///
/// A path is lost while one of the two hosts is [dark](Measured::dark), or while the line of its network loses
/// everything, whichever way. A stream that stalls once more within [`WATCHED`] was not steady.
pub(super) fn resumes(
    scenario: &Scenario,
    traffic: &Traffic,
    seen: &TrafficMeasured,
    world: &Measured,
) -> Option<Duration> {
    let last = seen.arrivals.last?;
    let planned = traffic.kind.lasts().map(|lasts| traffic.start + lasts);
    let over = seen.over.unwrap_or(world.ended).min(planned.unwrap_or(Duration::MAX));
    let mut longest = Duration::ZERO;
    for (from, back) in lost(scenario, traffic, world) {
        if from < traffic.start || back >= over {
            continue;
        }
        if last <= back {
            return None;
        }
        let resumed = steady_after(seen.arrivals.gaps.iter().copied(), back, back + WATCHED);
        longest = longest.max(resumed.unwrap_or_default());
    }
    Some(longest)
}

/// Since when and until when the two hosts of a traffic had no path; in order, and nothing twice.
fn lost(scenario: &Scenario, traffic: &Traffic, world: &Measured) -> Vec<(Duration, Duration)> {
    let hosts = [traffic.from.as_str(), traffic.to.as_str()];
    let dark = world.dark.iter().filter(|dark| hosts.contains(&dark.host.as_str()));
    let silent = silences(scenario, world.ended)
        .into_iter()
        .filter(|(network, from, _)| {
            hosts.iter().any(|host| network_of(scenario, host, *from) == Some(network))
        })
        .map(|(_, from, to)| (from, to));
    super::merged(dark.map(|dark| (dark.from, dark.to)).chain(silent).collect())
}

/// When which network's line lost everything.
fn silences(scenario: &Scenario, ended: Duration) -> Vec<(String, Duration, Duration)> {
    let mut links: BTreeMap<&str, Link> =
        scenario.networks.iter().map(|(name, network)| (name.as_str(), network.link)).collect();
    let mut since: BTreeMap<String, Duration> = BTreeMap::new();
    let mut silences = Vec::new();
    for event in &scenario.timeline {
        let Deed::ChangeLink { network, change } = &event.deed else { continue };
        let Some(link) = links.get_mut(network.as_str()) else { continue };
        change.apply(link);
        if [link.up, link.down].iter().any(|way| way.loss == EVERYTHING) {
            since.entry(network.clone()).or_insert(event.at);
        } else if let Some(from) = since.remove(network) {
            silences.push((network.clone(), from, event.at));
        }
    }
    silences.extend(since.into_iter().map(|(network, from)| (network, from, ended)));
    silences
}

/// The network that a host prefers at a moment, as the timeline has it.
fn network_of<'s>(scenario: &'s Scenario, host: &str, at: Duration) -> Option<&'s String> {
    let before = scenario.timeline.iter().filter(|event| event.at <= at && event.deed.host() == Some(host));
    let mut moved = before.filter_map(|event| match &event.deed {
        Deed::Move { to, .. } => Some(to),
        Deed::Plug { network, .. } => Some(network),
        _ => None,
    });
    moved.next_back().or_else(|| scenario.hosts.get(host)?.at.first())
}

const EVERYTHING: Share = Share(1_000_000);
/// How long after its first arrival a stream is watched.
const WATCHED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::measured::{Arrivals, Dark};

    const SCENARIO: &str = "
name: silence
networks:
  home: { v4: 10.1.0.0/24 }
  cafe: { v4: 10.2.0.0/24 }
hosts:
  a: { at: home }
  b: { at: cafe }
traffic:
  - { name: shell, kind: tcp-ticker, from: a, to: b, start: 0ms, every: 20ms, for: 10s }
timeline:
  - { at: 1s, network: home, link: { loss: 100% } }
  - { at: 2s, network: home, link: { loss: 0% } }
";

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Of a stream that ticks every 20 ms within each of `runs`.
    fn found(runs: &[(u64, u64)], dark: &[(u64, u64)]) -> Option<Duration> {
        let scenario = Scenario::parse(Path::new("silence.yaml"), SCENARIO).unwrap();
        let mut seen = TrafficMeasured { arrivals: Arrivals::default(), ..Default::default() };
        let ticks = runs.iter().flat_map(|(from, to)| (*from..=*to).step_by(20));
        ticks.for_each(|at| seen.arrivals.record(ms(at)));
        let dark = dark.iter().map(|(from, to)| Dark { host: "b".to_owned(), from: ms(*from), to: ms(*to) });
        let world = Measured { dark: dark.collect(), ended: ms(10_000), ..Default::default() };
        resumes(&scenario, &scenario.traffic[0], &seen, &world)
    }

    #[test]
    fn a_stream_resumes_when_its_longest_gap_after_the_silence_is_over() {
        assert_eq!(found(&[(0, 980), (2070, 9990)], &[]), Some(ms(70)));
        assert_eq!(
            found(&[(0, 980), (2005, 2005), (2300, 9990)], &[]),
            Some(ms(300)),
            "one packet is no stream"
        );
    }

    #[test]
    fn the_worst_of_all_silences_counts_and_those_that_touch_are_one() {
        assert_eq!(found(&[(0, 980), (2400, 9990)], &[(1500, 2300)]), Some(ms(100)));
        assert_eq!(found(&[(0, 980), (2010, 3190), (3700, 9990)], &[(3200, 3400)]), Some(ms(300)));
    }

    #[test]
    fn what_never_came_back_did_not_resume() {
        assert_eq!(found(&[(0, 980)], &[]), None);
    }
}
