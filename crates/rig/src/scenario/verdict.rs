//! Whether what was measured is what was expected.

mod back;
mod beside;

use std::time::Duration;

use serde::Serialize;

pub use beside::{Losses, rate};

use super::expect::{AtHost, Between, OfTraffic};
use super::measured::{Dark, End, Measured, PairMeasured, TrafficMeasured};
use super::{Expectation, Kind, Scenario, Traffic};

/// One thing that was expected, and what was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// The line of the row.
    pub line: usize,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words.
    pub found: String,
    /// Whether it held.
    pub held: bool,
}

/// Holds what was measured against every row of `expect`.
#[must_use]
pub fn judge(scenario: &Scenario, measured: &Measured) -> Vec<Verdict> {
    let mut judge = Judge { scenario, measured, verdicts: Vec::new() };
    for row in &scenario.expect {
        match row {
            Expectation::Traffic(row) => judge.traffic(row),
            Expectation::Beside(row) => judge.beside(row),
            Expectation::Between(row) => judge.between(row),
            Expectation::Host(row) => judge.host(row),
        }
    }
    judge.never();
    judge.verdicts
}

/// The longest gap that the receiving application saw after the first arrival, without the time in which one
/// of the two hosts was dark; the time from the last arrival until the traffic was to be over is a gap too.
/// None if nothing ever arrived.
#[must_use]
pub fn stall(traffic: &Traffic, measured: &TrafficMeasured, world: &Measured) -> Option<Duration> {
    stall_within(traffic, measured, world, (Duration::ZERO, Duration::MAX))
}

/// As [`stall`], of the gaps that touch a time.
#[must_use]
pub fn stall_within(
    traffic: &Traffic,
    measured: &TrafficMeasured,
    world: &Measured,
    time: (Duration, Duration),
) -> Option<Duration> {
    let gaps = gaps(traffic, measured, world)?;
    let dark = lights_out(&world.dark, [&traffic.from, &traffic.to]);
    let touching = gaps.filter(|(from, to)| *to > time.0 && *from < time.1);
    Some(touching.map(|gap| without(gap, &dark)).max().unwrap_or_default())
}

/// As [`stall`], of the gaps that touch none of some times.
fn stall_apart(
    traffic: &Traffic,
    measured: &TrafficMeasured,
    world: &Measured,
    apart: &[(Duration, Duration)],
) -> Option<Duration> {
    let gaps = gaps(traffic, measured, world)?;
    let dark = lights_out(&world.dark, [&traffic.from, &traffic.to]);
    let touches = |gap: &(Duration, Duration)| apart.iter().any(|(from, to)| gap.1 > *from && gap.0 < *to);
    Some(gaps.filter(|gap| !touches(gap)).map(|gap| without(gap, &dark)).max().unwrap_or_default())
}

/// The gaps between arrivals, and the one after the last; none if nothing ever arrived.
fn gaps<'a>(
    traffic: &Traffic,
    measured: &'a TrafficMeasured,
    world: &Measured,
) -> Option<impl Iterator<Item = (Duration, Duration)> + use<'a>> {
    let last = measured.arrivals.last?;
    let silent_until = match traffic.kind {
        Kind::UdpTicker { lasts, .. } => traffic.start + lasts,
        Kind::TcpTicker { .. } | Kind::TcpBulk { .. } => measured.over.unwrap_or(world.ended),
    };
    let open = Some((last, silent_until)).filter(|(from, to)| from < to);
    Some(measured.arrivals.gaps.iter().copied().chain(open))
}

/// When one of the two was dark: in order, and nothing twice.
fn lights_out(dark: &[Dark], hosts: [&String; 2]) -> Vec<(Duration, Duration)> {
    let ours = dark.iter().filter(|dark| hosts.contains(&&dark.host));
    merged(ours.map(|dark| (dark.from, dark.to)).collect())
}

/// In order, and those that touch as one.
fn merged(mut times: Vec<(Duration, Duration)>) -> Vec<(Duration, Duration)> {
    times.sort_unstable();
    let mut merged: Vec<(Duration, Duration)> = Vec::new();
    for (from, to) in times {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => merged.push((from, to)),
        }
    }
    merged
}

fn without(gap: (Duration, Duration), dark: &[(Duration, Duration)]) -> Duration {
    let overlap = |(from, to): &(Duration, Duration)| (*to).min(gap.1).saturating_sub((*from).max(gap.0));
    (gap.1 - gap.0).saturating_sub(dark.iter().map(overlap).sum())
}

struct Judge<'a> {
    scenario: &'a Scenario,
    measured: &'a Measured,
    verdicts: Vec<Verdict>,
}

impl Judge<'_> {
    fn say(&mut self, line: usize, expected: String, found: String, held: bool) {
        self.verdicts.push(Verdict { line, expected, found, held });
    }

    /// What no row needs to forbid.
    fn never(&mut self) {
        let found = self.measured.impossible.clone();
        if !found.is_empty() {
            let expected = "nothing that must never happen".to_owned();
            self.say(0, expected, found.join("; "), false);
        }
    }

    fn traffic(&mut self, row: &OfTraffic) {
        let scenario = self.scenario;
        let Some(traffic) = scenario.traffic.iter().find(|traffic| traffic.name == row.traffic) else {
            return;
        };
        let nothing = TrafficMeasured::default();
        let world = self.measured;
        let seen = world.traffic.get(&row.traffic).unwrap_or(&nothing);
        let (name, line) = (&row.traffic, row.line);
        let never = || "nothing ever arrived".to_owned();
        let at_most = |found: Option<Duration>, bound| match found {
            Some(found) => (shown(found), found <= bound),
            None => (never(), false),
        };
        let mut say = |expected, (found, held)| self.say(line, expected, found, held);
        if let Some(intact) = row.intact {
            let held = seen.survived(traffic) && seen.correct;
            say(format!("{name} {}intact", not(intact)), (seen.described(traffic), held == intact));
        }
        if let Some(survives) = row.survives {
            let held = seen.survived(traffic) == survives;
            say(
                format!("{name} survives{}", if survives { "" } else { " not" }),
                (seen.described(traffic), held),
            );
        }
        if let Some(bound) = row.opens {
            let opening = seen.arrivals.first.map(|first| first.saturating_sub(traffic.start));
            say(format!("{name} opens within {}", shown(bound)), at_most(opening, bound));
        }
        if let Some(bound) = row.stall {
            let stall = stall(traffic, seen, world);
            say(format!("{name} stalls for {} at most", shown(bound)), at_most(stall, bound));
        }
        if let Some(bound) = row.resumes {
            let found = match back::resumes(scenario, traffic, seen, world) {
                Some(found) => (shown(found), found <= bound),
                None => ("not every time".to_owned(), false),
            };
            say(format!("{name} resumes within {}", shown(bound)), found);
        }
        if let Some(bound) = row.ends {
            let over = seen.arrivals.last.filter(|_| seen.survived(traffic));
            let (found, held) = at_most(over, bound);
            let found = if over.is_some() { found } else { seen.described(traffic) };
            say(format!("{name} ends by {}", shown(bound)), (found, held));
        }
        if let Some(bound) = row.lost {
            let lost = seen.sent.saturating_sub(seen.received);
            let found = format!("{lost} of {} lost", seen.sent);
            say(format!("{name} loses {bound} at most"), (found, lost <= bound && seen.sent > 0));
        }
        if let Some(bound) = row.duplicated {
            let found = format!("{} doubled", seen.duplicated);
            say(format!("{name} doubles {bound} at most"), (found, seen.duplicated <= bound));
        }
    }

    fn between(&mut self, row: &Between) {
        let [first, second] = &row.hosts;
        let named = format!("between {first} and {second}");
        // What plain peers and services know is not asked.
        let told: Vec<(String, PairMeasured)> = [(first, second), (second, first)]
            .into_iter()
            .filter_map(|(who, of)| {
                let pair = self.measured.pairs.get(&(who.clone(), of.clone()))?;
                Some((who.clone(), pair.clone()))
            })
            .collect();
        let each = |words: fn(&PairMeasured) -> String| match told.is_empty() {
            true => "neither tells".to_owned(),
            false => told
                .iter()
                .map(|(who, pair)| format!("{who}: {}", words(pair)))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let all = |holds: &dyn Fn(&PairMeasured) -> bool| {
            !told.is_empty() && told.iter().all(|(_, pair)| holds(pair))
        };
        if let Some(bound) = row.handshakes {
            let held = all(&|pair| pair.handshakes <= bound);
            let found = each(|pair| pair.handshakes.to_string());
            self.say(row.line, format!("{named}: {bound} handshakes at most"), found, held);
        }
        if let Some(bound) = row.suspensions {
            let held = all(&|pair| pair.suspensions <= bound);
            let found = each(|pair| pair.suspensions.to_string());
            self.say(row.line, format!("{named}: {bound} suspensions at most"), found, held);
        }
        if let Some(bound) = row.suspended {
            let held = all(&|pair| pair.suspended <= bound);
            let found = each(|pair| shown(pair.suspended));
            self.say(row.line, format!("{named}: suspended for {} at most", shown(bound)), found, held);
        }
        if let Some(kind) = row.path {
            let held = all(&|pair| pair.path == Some(kind));
            let found = each(|pair| match (&pair.path, &pair.remote) {
                (Some(kind), Some(remote)) => format!("{} ({remote})", kind.name()),
                (Some(kind), None) => kind.name().to_owned(),
                (None, _) => "none".to_owned(),
            });
            self.say(row.line, format!("{named}: path {}", kind.name()), found, held);
        }
        if let Some(enhanced) = row.enhanced {
            let held = all(&|pair| pair.enhanced == Some(enhanced));
            let found = each(|pair| match pair.enhanced {
                Some(true) => "VC enhanced".to_owned(),
                Some(false) => "plain".to_owned(),
                None => "unknown".to_owned(),
            });
            let expected = if enhanced { "VC enhanced" } else { "not VC enhanced" };
            self.say(row.line, format!("{named}: {expected}"), found, held);
        }
        if let Some(cipher) = row.cipher {
            let held = all(&|pair| pair.cipher.as_deref() == Some(cipher));
            let found = each(|pair| pair.cipher.clone().unwrap_or_else(|| "no session".to_owned()));
            self.say(row.line, format!("{named}: {cipher}"), found, held);
        }
    }

    fn host(&mut self, row: &AtHost) {
        let seen = self.measured.hosts.get(&row.host);
        if let Some(bound) = row.forged {
            let held = seen.is_some_and(|seen| seen.forged <= bound);
            let found =
                seen.map_or_else(|| "it does not tell".to_owned(), |seen| format!("{} forged", seen.forged));
            self.say(row.line, format!("{}: {bound} forged at most", row.host), found, held);
        }
    }
}

impl TrafficMeasured {
    /// Whether the connection was never broken and everything arrived. Datagrams survive if they still
    /// arrived in the last [`STILL_THERE`] of their time.
    fn survived(&self, traffic: &Traffic) -> bool {
        match traffic.kind {
            Kind::UdpTicker { lasts, .. } => {
                self.arrivals.last.is_some_and(|last| last + STILL_THERE >= traffic.start + lasts)
            }
            Kind::TcpTicker { .. } => self.end == End::Closed && self.sent == self.received && self.sent > 0,
            Kind::TcpBulk { bytes, .. } => self.end == End::Closed && self.received == bytes,
        }
    }

    fn described(&self, traffic: &Traffic) -> String {
        let amount = format!("{} of {}", self.received, self.sent);
        let last =
            self.arrivals.last.map_or_else(String::new, |last| format!(", the last at {}", shown(last)));
        match &self.end {
            End::NeverOpened => "never opened".to_owned(),
            End::Broken(reason) => format!("broken ({reason}) after {amount}{last}"),
            End::Unfinished => format!("unfinished: {amount} arrived{last}"),
            End::Closed if self.survived(traffic) && self.correct => format!("all came through: {amount}"),
            End::Closed if !self.correct => format!("something else arrived than was sent: {amount}"),
            End::Closed => format!("{amount} arrived{last}"),
        }
    }
}

const fn not(expected: bool) -> &'static str {
    if expected { "" } else { "not " }
}

/// `3.2 ms`, `26.4 s`.
fn shown(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// How near its planned end a stream of datagrams must still arrive to have survived.
const STILL_THERE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn ticker() -> Traffic {
        Traffic {
            name: "shell".to_owned(),
            kind: Kind::TcpTicker { every: ms(20), lasts: ms(2000) },
            from: "a".to_owned(),
            to: "b".to_owned(),
            start: ms(0),
            over: None,
            line: 1,
        }
    }

    fn seen(arrivals: &[u64]) -> TrafficMeasured {
        let mut seen = TrafficMeasured { over: arrivals.last().map(|at| ms(*at)), ..Default::default() };
        arrivals.iter().for_each(|at| seen.arrivals.record(ms(*at)));
        seen
    }

    fn dark(host: &str, from: u64, to: u64) -> Dark {
        Dark { host: host.to_owned(), from: ms(from), to: ms(to) }
    }

    #[test]
    fn a_stall_is_the_longest_gap_without_the_dark_time_of_both_ends() {
        let world = Measured {
            dark: vec![dark("a", 100, 300), dark("b", 250, 400), dark("c", 0, 5000)],
            ..Default::default()
        };
        assert_eq!(stall(&ticker(), &seen(&[20, 90, 500, 520]), &world), Some(ms(110)));
    }

    #[test]
    fn a_gap_that_never_ends_is_a_stall() {
        let world = Measured { ended: ms(9000), ..Default::default() };
        let seen = TrafficMeasured { over: None, ..seen(&[20, 40]) };
        assert_eq!(stall(&ticker(), &seen, &world), Some(ms(8960)));
    }

    #[test]
    fn what_never_arrived_has_no_stall() {
        assert_eq!(stall(&ticker(), &seen(&[]), &Measured::default()), None);
    }

    #[test]
    fn suspensions_are_counted_and_timed_at_both_ends() {
        let scenario = |bounds: &str| {
            let text = format!(
                "name: held\nnetworks: {{ n: {{ v4: 10.1.0.0/24 }} }}\nhosts: {{ a: {{ at: n }}, b: {{ at: n }} }}\n\
                 traffic: [{{ name: t, kind: udp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 1s }}]\n\
                 expect: [{{ between: [a, b], {bounds} }}]\n"
            );
            Scenario::parse(std::path::Path::new("held.yaml"), &text).expect("nothing is wrong with it")
        };
        let pair = |suspensions, suspended| PairMeasured { suspensions, suspended, ..Default::default() };
        let measured = Measured {
            pairs: [
                (("a".to_owned(), "b".to_owned()), pair(1, ms(300))),
                (("b".to_owned(), "a".to_owned()), pair(0, ms(0))),
            ]
            .into(),
            ..Default::default()
        };
        let held = |bounds| judge(&scenario(bounds), &measured).iter().all(|verdict| verdict.held);
        assert!(held("suspensions: 1, suspended: 300ms"));
        assert!(!held("suspensions: 0"));
        assert!(!held("suspended: 299ms"));
    }

    #[test]
    fn the_time_before_the_first_arrival_is_opening_and_not_stalling() {
        assert_eq!(stall(&ticker(), &seen(&[700, 720]), &Measured::default()), Some(ms(20)));
    }
}
