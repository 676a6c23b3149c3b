use std::path::Path;

use super::*;
use crate::scenario::{PathKind, judge};

const FIGURE_8: &str = r#"
name: "figure 8: one public peer moves"
networks:
  home:   { v4: 10.1.0.0/24 }
  cafe:   { v4: 10.2.0.0/24 }
  office: { v4: 10.3.0.0/24, v6: "2001:db8:3::/64", link: { delay: 5ms, loss: 1% } }
hosts:
  a: { at: home }
  b: { at: office }
peers:
  a: { b: endpoint }
  b: { a: endpoint }
traffic:
  - { name: shell, kind: tcp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 8s }
  - { name: file, kind: tcp-bulk, from: b, to: a, start: 1s, bytes: 2MB, rate: 4mbit }
  - { name: call, kind: udp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 8s, over: v4 }
timeline:
  - { at: 3s, host: a, move: cafe, dark: 300ms, spread: 200ms }
  - { at: 5s, network: office, link: { loss: 0% } }
  - { at: 6s, network: office, attack: forge, for: 1s }
expect:
  - { traffic: shell, survives: true, stall: 1s }
  - { traffic: file, intact: true }
  - { traffic: call, lost: 40 }
  - { between: [a, b], handshakes: 1, path: direct, enhanced: true }
  - { host: a, forged: 0 }
"#;

fn scenario(text: &str) -> Scenario {
    Scenario::parse(Path::new("figure-8.yaml"), text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn a_scenario_is_played_and_judged() {
    let scenario = scenario(FIGURE_8);
    let measured = play(&scenario, 1, Detail::Log);

    for verdict in judge(&scenario, &measured) {
        assert!(verdict.held, "{}: {}\n{}", verdict.expected, verdict.found, measured.notes.join("\n"));
    }
    let pair = &measured.pairs[&("a".to_owned(), "b".to_owned())];
    assert_eq!((pair.handshakes, pair.path), (1, Some(PathKind::Direct)));
    assert_eq!(measured.dark.len(), 1);
    assert_eq!(measured.dark[0].to - measured.dark[0].from, std::time::Duration::from_millis(300));
    assert!(measured.hosts["b"].drops["forged-transport"] > 0, "{:?}", measured.hosts["b"]);
    assert!(measured.notes.iter().any(|line| line.contains("a moves to cafe")));
    assert!(measured.notes[2].contains("stead-rig run figure-8.yaml --world sim --seed 1"));
}

#[test]
fn the_same_seed_is_measured_the_same_and_another_otherwise() {
    let scenario = scenario(FIGURE_8);
    let measured = play(&scenario, 7, Detail::Log);
    assert_eq!(measured, play(&scenario, 7, Detail::Log));
    assert_ne!(measured.notes, play(&scenario, 8, Detail::Log).notes);
}

#[test]
fn a_sweep_names_the_seeds_that_fail_and_what_did_not_hold() {
    let impossible = FIGURE_8.replace("stall: 1s", "stall: 1ms");
    let found = sweep(&scenario(&impossible), 0..4, |_, _| true);
    assert_eq!(found.played, 4);
    let seeds: Vec<u64> = found.failures.iter().map(|failure| failure.seed).collect();
    assert_eq!(seeds, [0, 1, 2, 3]);
    let unmet = &found.failures[0].verdicts[0].expected;
    assert!(unmet.starts_with("shell stalls for 1"), "{unmet}");

    let ended = sweep(&scenario(FIGURE_8), 0..4, |seed, _| seed < 1);
    assert_eq!(ended.played, 2);
}
