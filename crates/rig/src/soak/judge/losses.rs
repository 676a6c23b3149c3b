//! Which lost datagrams are excused.
//!
//! A datagram's *passage* is from its sending to when it must have arrived at the latest: a round trip, or the
//! deadline of the outage that it met. Excused are
//! - what a killed daemon held: sent since the outage began in which it was killed (since a round trip before the
//!   kill, if there was none) until the program runs again, and what the other end sent until it noticed;
//! - what did not fit the device's queue during a freeze: sent by the frozen host after [`QUEUE_FILLS`];
//! - what was older than the buffer: it would have waited for more than [`BUFFER`];
//! - what still waited for a usable path when the world stopped looking;
//! - plain line loss: as many as chance takes of those whose passage meets a lossy line ([`Chance`]).

use std::time::Duration;

use crate::scenario::measured::TrafficMeasured;
use crate::scenario::{Deed, Kind, Scenario, Traffic};
use crate::soak::disturbance::{Course, NOTICED, RESUMES};
use crate::soak::places::Places;

/// How long packets wait: the age of the node's buffer, and of held datagrams.
pub(super) const BUFFER: Duration = Duration::from_secs(10);
/// How long after the beginning of a freeze the device's queue of 500 packets may be full of what an episode sends.
pub(super) const QUEUE_FILLS: Duration = Duration::from_secs(2);

/// Why some datagrams may be lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Excuse {
    /// A killed daemon held them.
    Killed,
    /// They did not fit the device's queue during a freeze.
    Frozen,
    /// They were older than the buffer.
    Old,
    /// No usable path came back before the world stopped looking.
    Unseen,
}

/// A time in which a line lost by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Since when.
    pub from: Duration,
    /// Until when.
    pub to: Duration,
    /// What share of the datagrams, from 0 to 1.
    pub share: f64,
}

/// When each datagram was sent that was lost without an excuse.
pub(super) fn unexcused(
    scenario: &Scenario,
    traffic: &Traffic,
    seen: &TrafficMeasured,
    course: &Course,
) -> Vec<Duration> {
    let Kind::UdpTicker { every, .. } = traffic.kind else { return Vec::new() };
    let excuses = excuses(scenario, traffic, course);
    let excused = |at: Duration| excuses.iter().any(|(from, to, _)| *from <= at && at <= *to);
    let lost: Vec<Duration> = seen.losses.iter().copied().filter(|at| !excused(*at)).collect();
    let chances = chances(scenario, [&traffic.from, &traffic.to]);
    let meets = |at: Duration| {
        let arrives = passage(at, course);
        chances.iter().any(|chance| chance.from <= arrives && at <= chance.to)
    };
    let (by_chance, plain): (Vec<Duration>, Vec<Duration>) = lost.into_iter().partition(|at| meets(*at));
    let sent = (0..seen.sent).map(|number| traffic.start + every * u32::try_from(number).unwrap_or(u32::MAX));
    let at_risk = sent.filter(|at| meets(*at)).count();
    let share = chances.iter().map(|chance| chance.share).fold(0.0, f64::max);
    if by_chance.len() as f64 <= most_by_chance(at_risk, share) { plain } else { [plain, by_chance].concat() }
}

/// Whether the line between two hosts lost by chance, in either direction, at a time or shortly before.
pub(super) fn is_lossy(scenario: &Scenario, traffic: &Traffic, (from, to): (Duration, Duration)) -> bool {
    let [there, back] = [[&traffic.from, &traffic.to], [&traffic.to, &traffic.from]];
    let mut chances = chances(scenario, there).into_iter().chain(chances(scenario, back));
    chances.any(|chance| chance.from < to && from < chance.to + AFTERMATH)
}

/// More than so many are not lost by chance: the mean, and five standard deviations.
fn most_by_chance(at_risk: usize, share: f64) -> f64 {
    let mean = at_risk as f64 * share;
    mean + 5.0 * (mean * (1.0 - share)).sqrt() + 3.0
}

/// When a datagram that is sent `at` must have arrived.
fn passage(at: Duration, course: &Course) -> Duration {
    let in_flight = course.round_trip + MOMENT;
    let outage = course.outages.iter().find(|(from, to)| *from <= at + in_flight && at < *to);
    match outage {
        Some((_, to)) => *to + RESUMES,
        None => at + in_flight,
    }
}

/// Times in which datagrams may be sent in vain.
fn excuses(scenario: &Scenario, traffic: &Traffic, course: &Course) -> Vec<(Duration, Duration, Excuse)> {
    let in_flight = course.round_trip + MOMENT;
    let unnoticed = NOTICED + 2 * course.round_trip;
    let mut excuses = Vec::new();
    for (from, to) in course.outages.iter().copied() {
        if course.reach.ready(to).is_none() {
            excuses.push((from.saturating_sub(in_flight), to, Excuse::Unseen));
        }
        if to - from > BUFFER {
            // What is sent last waits least. Unnoticed silence stops no clock.
            let last = to.saturating_sub(BUFFER.saturating_sub(unnoticed));
            excuses.push((from, last, Excuse::Old));
        }
        if to - from > OLD_SESSION {
            excuses.push((from.saturating_sub(in_flight), from, Excuse::Old));
        }
    }
    for event in &scenario.timeline {
        match &event.deed {
            Deed::Kill { host } | Deed::Stop { host } if [&traffic.from, &traffic.to].contains(&host) => {
                let down =
                    course.outages.iter().find(|(from, to)| *from <= event.at + LATE && event.at < *to);
                let (from, to) = down.copied().unwrap_or((event.at, event.at));
                let begins = from.min(event.at).saturating_sub(in_flight);
                let ends = if *host == traffic.from { to + MOMENT } else { event.at + LATE + unnoticed };
                excuses.push((begins, ends, Excuse::Killed));
            }
            Deed::Freeze { host, lasts } if *host == traffic.from && *lasts > QUEUE_FILLS => {
                excuses.push((event.at + QUEUE_FILLS, event.at + *lasts + MOMENT, Excuse::Frozen));
            }
            _ => {}
        }
    }
    excuses
}

/// When the lines from one host to the other lost by chance, and how much.
fn chances(scenario: &Scenario, [from, to]: [&String; 2]) -> Vec<Chance> {
    let mut places = Places::new(scenario);
    let mut found = Vec::new();
    let mut since = Duration::ZERO;
    let share = |places: &Places<'_>| {
        let passes = |share: f64| if share < 1.0 { 1.0 - share } else { 1.0 };
        let (up, down) = (places.link_of(from).up, places.link_of(to).down);
        1.0 - passes(up.loss.fraction()) * passes(down.loss.fraction())
    };
    for event in &scenario.timeline {
        let before = share(&places);
        if before > 0.0 && since < event.at {
            found.push(Chance { from: since, to: event.at, share: before });
        }
        places.follow(&event.deed);
        since = event.at;
    }
    let last = share(&places);
    if last > 0.0 {
        found.push(Chance { from: since, to: scenario.ends, share: last });
    }
    found
}

/// What clocks of two threads, and a rhythm of 20 ms, blur.
const MOMENT: Duration = Duration::from_millis(50);
/// How late a kill may be done on a busy machine.
const LATE: Duration = Duration::from_millis(50);
/// How long a connection may be busy with what a lossy line cost it, after the line is well again.
const AFTERMATH: Duration = Duration::from_secs(2);
/// A session opens nothing that is older (WireGuard paper, section 6.2).
const OLD_SESSION: Duration = Duration::from_secs(180);
