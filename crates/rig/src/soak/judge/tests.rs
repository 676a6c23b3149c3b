use std::path::Path;

use super::*;
use crate::scenario::measured::{Arrivals, Dark};

/// Two public hosts, 10.4 ms apart; traffic from 0 to 60 s.
const GROUND: &str = "
name: made up
ends: 70s
networks:
  home: { v4: 10.1.0.0/24 }
  cafe: { v4: 10.2.0.0/24, link: { delay: 5ms } }
  core: { v4: 10.5.0.0/24 }
hosts:
  a: { at: home }
  b: { at: cafe }
  s: { at: core, role: sns }
  x: { at: core, role: bare }
  y: { at: core, role: bare }
traffic:
  - { name: keys, kind: tcp-ticker, from: a, to: b, start: 0ms, every: 20ms, for: 60s }
  - { name: call, kind: udp-ticker, from: a, to: b, start: 0ms, every: 20ms, for: 60s }
  - { name: file, kind: tcp-bulk, from: a, to: b, start: 0ms, bytes: 3MB }
  - { name: still, kind: udp-ticker, from: x, to: y, start: 0ms, every: 20ms, for: 60s }
  - { name: beside, kind: tcp-ticker, from: x, to: y, start: 0ms, every: 20ms, for: 60s }
";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was seen, made up: every traffic whole, until a test changes it.
struct Seen {
    scenario: Scenario,
    measured: Measured,
}

impl Seen {
    /// After these rows of a timeline.
    fn after(timeline: &str) -> Self {
        let rows = if timeline.is_empty() { String::new() } else { format!("timeline:\n{timeline}") };
        let text = format!("{GROUND}{rows}");
        let scenario =
            Scenario::parse(Path::new("made-up.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        let mut seen = Self { scenario, measured: Measured { ended: ms(70_000), ..Measured::default() } };
        for name in ["keys", "call", "file", "still", "beside"] {
            let whole = TrafficMeasured {
                end: End::Closed,
                sent: 3_000,
                received: if name == "file" { 3_000_000 } else { 3_000 },
                correct: true,
                over: Some(ms(60_000)),
                ..TrafficMeasured::default()
            };
            seen.measured.traffic.insert(name.to_owned(), whole);
            seen = seen.silent(name, &[]);
        }
        seen
    }

    /// Something arrived every 20 ms but for these times.
    fn silent(self, name: &str, gaps: &[(u64, u64)]) -> Self {
        let mut arrivals = Arrivals::default();
        let ticks = (20..=60_000).step_by(20);
        let arrived = |at: &u64| !gaps.iter().any(|(from, to)| from < at && at < to);
        ticks.filter(arrived).for_each(|at| arrivals.record(ms(at)));
        self.of(name, |seen| seen.arrivals = arrivals)
    }

    /// Datagrams of the call sent at these moments never arrived.
    fn lost(self, sent: impl IntoIterator<Item = u64>) -> Self {
        let losses: Vec<Duration> = sent.into_iter().map(ms).collect();
        self.of("call", |seen| {
            seen.received = seen.sent - losses.len() as u64;
            seen.losses = losses;
        })
    }

    fn of(mut self, name: &str, change: impl FnOnce(&mut TrafficMeasured)) -> Self {
        change(self.measured.traffic.get_mut(name).unwrap());
        self
    }

    fn dark(mut self, host: &str, from: u64, to: u64) -> Self {
        self.measured.dark.push(Dark { host: host.to_owned(), from: ms(from), to: ms(to) });
        self
    }

    /// Which promises were broken, and by which traffic.
    fn breaches(&self) -> Vec<(Promise, String)> {
        let breaches = judge(&self.scenario, &self.measured);
        breaches.into_iter().map(|breach| (breach.kind, breach.traffic)).collect()
    }
}

fn one(promise: Promise, traffic: &str) -> Vec<(Promise, String)> {
    vec![(promise, traffic.to_owned())]
}

const SILENCE: &str = "  - { at: 10s, network: cafe, link: { loss: 100% } }\n  - { at: 12s, network: cafe, link: { loss: 0% } }\n";
const LOSS: &str = "  - { at: 10s, network: cafe, link: { loss: 10% } }\n  - { at: 20s, network: cafe, link: { loss: 0% } }\n";

#[test]
fn traffic_that_is_whole_breaks_nothing() {
    assert_eq!(Seen::after("").breaches(), []);
    assert_eq!(Seen::after(SILENCE).silent("keys", &[(10_000, 12_400)]).breaches(), []);
}

#[test]
fn a_connection_that_ends_or_never_opens_is_found() {
    let reset = Seen::after("").of("keys", |seen| seen.end = End::Broken("reset".to_owned()));
    assert_eq!(reset.breaches(), one(Promise::Lasts, "keys"));
    let early = Seen::after("").of("keys", |seen| seen.received -= 1);
    assert_eq!(early.breaches()[0], one(Promise::Lasts, "keys")[0]);
    let never = Seen::after("").of("file", |seen| {
        *seen = TrafficMeasured { end: End::NeverOpened, ..TrafficMeasured::default() };
    });
    assert!(never.breaches().contains(&one(Promise::Lasts, "file")[0]));
}

#[test]
fn what_is_corrupt_doubled_or_impossible_is_found() {
    let corrupt = Seen::after("").of("file", |seen| seen.correct = false);
    assert_eq!(corrupt.breaches(), one(Promise::Intact, "file"));
    let doubled = Seen::after(LOSS).of("call", |seen| seen.duplicated = 1);
    assert_eq!(doubled.breaches(), one(Promise::Once, "call"));
    let mut impossible = Seen::after("");
    impossible.measured.impossible.push("a packet came that nobody sent".to_owned());
    assert_eq!(impossible.breaches(), one(Promise::Possible, ""));
}

#[test]
fn a_gap_of_more_than_half_a_second_without_a_disturbance_is_found() {
    let gap = |length: u64| Seen::after("").silent("call", &[(30_000, 30_000 + length)]).breaches();
    assert_eq!(gap(520), []);
    assert_eq!(gap(540), one(Promise::Flows, "call"));
}

#[test]
fn a_gap_must_end_half_a_second_after_the_path_is_usable() {
    let until = |to: u64| Seen::after(SILENCE).silent("keys", &[(10_000, to)]).breaches();
    assert_eq!(until(12_520), []);
    assert_eq!(until(12_540), one(Promise::Flows, "keys"));
    let again = Seen::after(SILENCE).silent("keys", &[(10_000, 12_100), (12_120, 12_700)]);
    assert_eq!(again.breaches(), one(Promise::Flows, "keys"), "a second stall has no time of its own");
    let elsewhere = Seen::after(SILENCE).silent("keys", &[(13_000, 14_000)]);
    assert_eq!(elsewhere.breaches(), one(Promise::Flows, "keys"), "an earlier disturbance excuses nothing");
}

#[test]
fn a_stream_that_ends_before_its_time_is_a_gap() {
    let cut = Seen::after("").silent("call", &[(58_000, 61_000)]);
    assert_eq!(cut.breaches(), one(Promise::Flows, "call"));
    let unfinished = Seen::after("").silent("file", &[(30_000, 61_000)]).of("file", |seen| {
        (seen.end, seen.over, seen.received) = (End::Unfinished, None, 1_000_000);
    });
    assert_eq!(unfinished.breaches(), one(Promise::Flows, "file"));
    let complete = Seen::after("").silent("file", &[(30_000, 61_000)]);
    assert_eq!(complete.breaches(), [], "what is through is silent");
}

#[test]
fn what_kept_the_bare_flow_from_arriving_is_no_breach() {
    let stalled = Seen::after("").silent("keys", &[(30_000, 31_000)]);
    assert_eq!(stalled.breaches(), one(Promise::Flows, "keys"));
    let starved = stalled.silent("still", &[(30_100, 30_300)]);
    assert_eq!(starved.breaches(), []);
    let other_time = Seen::after("").silent("keys", &[(30_000, 31_000)]).silent("still", &[(20_000, 21_000)]);
    assert_eq!(other_time.breaches(), one(Promise::Flows, "keys"));
}

#[test]
fn tcp_on_a_lossy_line_is_judged_beside_a_bare_connection_and_datagrams_are_not() {
    let stalled = |name: &str, to: u64| Seen::after(LOSS).silent(name, &[(15_000, to)]);
    assert_eq!(stalled("keys", 17_000).breaches(), []);
    assert_eq!(stalled("keys", 18_000).breaches(), one(Promise::Flows, "keys"));
    assert_eq!(stalled("keys", 18_000).silent("beside", &[(12_000, 13_500)]).breaches(), []);
    assert_eq!(stalled("call", 16_000).breaches(), one(Promise::Flows, "call"));
}

#[test]
fn a_datagram_that_is_lost_without_an_excuse_is_found() {
    assert_eq!(Seen::after("").lost([30_000]).breaches(), one(Promise::Kept, "call"));
    assert_eq!(Seen::after(SILENCE).lost([9_980]).breaches(), one(Promise::Kept, "call"), "in flight");
    assert_eq!(Seen::after(SILENCE).lost([11_000]).breaches(), one(Promise::Kept, "call"), "held");
}

#[test]
fn a_lossy_line_excuses_as_many_as_chance_takes_and_at_its_time() {
    let every = |step: usize| (10_000_u64..20_000).step_by(step);
    assert_eq!(Seen::after(LOSS).lost(every(200)).breaches(), [], "50 of 500 at 10 %");
    assert_eq!(Seen::after(LOSS).lost(every(100)).breaches(), one(Promise::Kept, "call"), "100 of 500");
    assert_eq!(Seen::after(LOSS).lost([25_000]).breaches(), one(Promise::Kept, "call"));
}

#[test]
fn what_was_older_than_the_buffer_may_be_lost_and_what_was_younger_not() {
    let silence = "  - { at: 10s, network: cafe, link: { loss: 100% } }\n  - { at: 40s, network: cafe, link: { loss: 0% } }\n";
    assert_eq!(Seen::after(silence).lost([11_000, 29_900]).breaches(), []);
    assert_eq!(Seen::after(silence).lost([31_000]).breaches(), one(Promise::Kept, "call"));
    assert_eq!(Seen::after(silence).lost([9_990]).breaches(), one(Promise::Kept, "call"), "the clock stood");
}

#[test]
fn what_still_waited_for_a_path_in_the_end_may_be_lost() {
    let for_good = "  - { at: 50s, network: cafe, link: { loss: 100% } }\n";
    let silent = Seen::after(for_good).silent("call", &[(50_000, 61_000)]);
    assert_eq!(silent.lost([49_990, 59_000]).breaches(), []);
    let before = Seen::after(for_good).silent("call", &[(50_000, 61_000)]);
    assert_eq!(before.lost([49_000]).breaches(), one(Promise::Kept, "call"));
}

#[test]
fn what_a_killed_daemon_held_may_be_lost() {
    let kill = |host: &str| {
        let rows = format!(
            "  - {{ at: 10s, host: {host}, kill: true }}\n  - {{ at: 14s, host: {host}, start: true }}\n"
        );
        Seen::after(&rows).dark(host, 10_000, 14_000)
    };
    assert_eq!(kill("a").lost([9_990, 12_000, 14_000]).breaches(), []);
    assert_eq!(kill("a").lost([14_100]).breaches(), one(Promise::Kept, "call"));
    assert_eq!(kill("b").lost([9_990, 10_400]).breaches(), [], "until the other end noticed");
    assert_eq!(kill("b").lost([12_000]).breaches(), one(Promise::Kept, "call"), "then the other end held");
    assert_eq!(kill("s").lost([10_100]).breaches(), one(Promise::Kept, "call"));
}

#[test]
fn what_did_not_fit_the_devices_queue_during_a_freeze_may_be_lost() {
    let freeze = |host: &str, lasts: u64| {
        let rows = format!("  - {{ at: 10s, host: {host}, freeze: {lasts}ms }}\n");
        Seen::after(&rows).dark(host, 10_000, 10_000 + lasts)
    };
    assert_eq!(freeze("a", 5_000).lost([13_000]).breaches(), []);
    assert_eq!(freeze("a", 5_000).lost([11_000]).breaches(), one(Promise::Kept, "call"), "it fits");
    assert_eq!(freeze("a", 1_500).lost([11_000]).breaches(), one(Promise::Kept, "call"));
    assert_eq!(freeze("b", 5_000).lost([13_000]).breaches(), one(Promise::Kept, "call"), "a held it");
}
