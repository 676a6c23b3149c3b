//! Draws an episode: a scenario of one to several minutes, from a seed.
//!
//! Two nodes and a service that know each other's keys and no more; four or five networks of every kind; keystrokes,
//! paced transfers and calls in both directions; one trouble after another, some at once. Beside them two bare flows
//! for the judge: one that nothing disturbs, and one over a line that loses whenever a node's line does.

mod ground;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::dice::Dice;
use super::judge::{BESIDE, RHYTHM, STILL};
use crate::address::Family;
use crate::scenario::mistake::Place;
use crate::scenario::unit::Rate;
use crate::scenario::{Event, Kind, Knowledge, Scenario, Traffic, WorldKind};
use trouble::Troubles;

/// The scenario that a seed draws.
#[must_use]
pub fn draw(seed: u64) -> Scenario {
    let mut dice = Dice::new(seed);
    let networks = ground::networks(&mut dice);
    let hosts = ground::hosts(&networks, &mut dice);
    let lasts = length(&mut dice);
    let timeline = Troubles::new(&networks, &hosts, &mut dice).fill(CALM, lasts);
    let over = timeline.last().map_or(CALM, |(at, _)| *at).max(lasts);
    let ends = over + AFTER;
    let know = |name: &str, others: [(&str, Knowledge); 2]| {
        let known = others.into_iter().map(|(other, knowledge)| (other.to_owned(), knowledge)).collect();
        (name.to_owned(), known)
    };
    let peers = BTreeMap::from([
        know("a", [("b", Knowledge::Key), ("s", Knowledge::Endpoint)]),
        know("b", [("a", Knowledge::Key), ("s", Knowledge::Endpoint)]),
    ]);
    Scenario {
        file: PathBuf::from(format!("episode-{seed}.yaml")),
        name: format!("episode {seed} of the soak"),
        worlds: WorldKind::ALL.to_vec(),
        networks,
        hosts,
        peers,
        traffic: traffic(over + SETTLES, &mut dice),
        timeline: timeline.into_iter().map(|(at, deed)| event(at, deed)).collect(),
        expect: Vec::new(),
        ends,
    }
}

/// One episode in eight is long enough for an outage of minutes.
fn length(dice: &mut Dice) -> Duration {
    if dice.percent(12) { dice.millis(180_000, 420_000) } else { dice.millis(40_000, 70_000) }
}

const fn event(at: Duration, deed: crate::scenario::Deed) -> Event {
    Event { at, spread: Duration::ZERO, deed, place: Place { line: 0, column: 0 } }
}

/// Everything in both directions, until `until`.
fn traffic(until: Duration, dice: &mut Dice) -> Vec<Traffic> {
    let lasts = until.saturating_sub(START);
    let mut all = Vec::new();
    for (from, to) in [("a", "b"), ("b", "a")] {
        let way = format!("{from}-{to}");
        let every = *dice.pick(&[20, 20, 50, 200]);
        let ticks = Kind::TcpTicker { every: Duration::from_millis(every), lasts };
        all.push(flow(&format!("keys-{way}"), ticks, from, to, family(dice)));
        // A transfer's rate leaves a third of its time for outages to be made up for.
        let rate = Rate(1_000 * *dice.pick(&[200, 400, 1_000]));
        let bytes = rate.0 / 8 * lasts.as_secs() * 2 / 3;
        all.push(flow(
            &format!("file-{way}"),
            Kind::TcpBulk { bytes, rate: Some(rate) },
            from,
            to,
            family(dice),
        ));
        let call = Kind::UdpTicker { every: RHYTHM, lasts };
        all.push(flow(&format!("call-{way}"), call, from, to, family(dice)));
    }
    let still = Kind::UdpTicker { every: RHYTHM, lasts };
    all.push(flow(STILL, still, "x", "y", Some(Family::V4)));
    let beside = Kind::TcpTicker { every: RHYTHM, lasts };
    all.push(flow(BESIDE, beside, "z", "y", Some(Family::V4)));
    all
}

fn family(dice: &mut Dice) -> Option<Family> {
    dice.percent(30).then_some(Family::V4)
}

fn flow(name: &str, kind: Kind, from: &str, to: &str, over: Option<Family>) -> Traffic {
    let (name, from, to) = (name.to_owned(), from.to_owned(), to.to_owned());
    Traffic { name, kind, from, to, start: START, over, line: 0 }
}

/// When traffic starts: the nodes have found each other.
const START: Duration = Duration::from_secs(2);
/// When trouble starts.
const CALM: Duration = Duration::from_secs(5);
/// How long traffic goes on after the last trouble.
const SETTLES: Duration = Duration::from_secs(5);
/// How long the scenario goes on after the last trouble.
const AFTER: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
