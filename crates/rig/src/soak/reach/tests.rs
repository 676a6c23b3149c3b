use std::path::Path;

use super::*;

const NETWORKS: &str = "
name: reach
networks:
  home: { v4: 10.1.0.0/24 }
  cafe: { v4: 10.2.0.0/24 }
  flat: { v4: 10.3.0.0/24, nat: port-restricted }
  cell: { v4: 10.4.0.0/24, nat: symmetric }
  six: { v6: \"fd06::/64\" }
  open: { v4: 10.6.0.0/24, nat: full-cone }
  core: { v4: 10.5.0.0/24, v6: \"fd05::/64\" }
";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn dark(host: &str, from: u64, to: u64) -> Dark {
    Dark { host: host.to_owned(), from: ms(from), to: ms(to) }
}

/// The outages of `a` and `b`, in milliseconds, over 20 s. `s` is the service.
fn outages(a: &str, b: &str, timeline: &str, dark: &[Dark]) -> Vec<(u64, u64)> {
    let text = format!(
        "{NETWORKS}hosts: {{ a: {{ at: {a} }}, b: {{ at: {b} }}, s: {{ at: core, role: sns }} }}\ntimeline:\n{timeline}"
    );
    let scenario = Scenario::parse(Path::new("reach.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    let reach = Reach::of(&scenario, dark, ["a", "b"], ms(20_000));
    reach.outages().iter().map(|(from, to)| (millis(*from), millis(*to))).collect()
}

/// The service is away from 8 s to 12 s.
const AWAY: &str = "  - { at: 8s, host: s, kill: true }\n  - { at: 12s, host: s, start: true }\n";

/// As [`outages`], while the service is away.
fn without_service(a: &str, b: &str, before: &str, during: &str, more: &[Dark]) -> Vec<(u64, u64)> {
    let [kill, start] = AWAY.split_inclusive('\n').collect::<Vec<_>>()[..] else { unreachable!() };
    let dark: Vec<Dark> = [dark("s", 8_000, 12_000)].into_iter().chain(more.iter().cloned()).collect();
    outages(a, b, &format!("{before}{kill}{during}{start}"), &dark)
}

#[test]
fn a_host_that_is_nowhere_dead_or_frozen_has_no_path() {
    let nowhere = outages(
        "home",
        "cafe",
        "  - { at: 5s, host: a, move: flat, dark: 300ms }\n",
        &[dark("a", 5_003, 5_320)],
    );
    assert_eq!(nowhere, [(5_003, 5_320)], "as executed, not as planned");
    let both =
        outages("home", "cafe", "", &[dark("a", 1_000, 2_000), dark("b", 1_500, 3_000), dark("c", 0, 9_000)]);
    assert_eq!(both, [(1_000, 3_000)]);
}

#[test]
fn a_line_that_loses_everything_one_way_is_an_outage_and_one_that_loses_much_is_none() {
    let lost = |share: &str| {
        let timeline = format!(
            "  - {{ at: 5s, network: home, link: {{ up: {{ loss: {share} }} }} }}\n  - {{ at: 7s, network: home, link: {{ loss: 0% }} }}\n"
        );
        outages("home", "cafe", &timeline, &[])
    };
    assert_eq!(lost("100%"), [(5_000, 7_000)]);
    assert_eq!(lost("99%"), []);
    let elsewhere = "  - { at: 5s, network: flat, link: { loss: 100% } }\n";
    assert_eq!(outages("home", "cafe", elsewhere, &[]), []);
}

#[test]
fn without_a_service_one_end_can_move_and_both_cannot() {
    let one = "  - { at: 9s, host: a, move: flat }\n";
    assert_eq!(without_service("home", "cafe", "", one, &[]), []);
    let both = "  - { at: 9s, host: a, move: flat }\n  - { at: 9s, host: b, move: home }\n";
    assert_eq!(without_service("home", "cafe", "", both, &[]), [(9_000, 12_000)]);
    let later = "  - { at: 9s, host: a, move: flat }\n  - { at: 11s, host: b, move: home }\n";
    assert_eq!(
        without_service("home", "cafe", "", later, &[]),
        [(11_000, 12_000)],
        "b is a stranger at the NAT of a"
    );
}

#[test]
fn a_host_behind_a_nat_is_found_without_a_service_while_its_mapping_lives() {
    assert_eq!(without_service("flat", "flat", "", "", &[]), []);
    let other_moves = "  - { at: 9s, host: b, move: cafe }\n";
    assert_eq!(
        without_service("flat", "home", "", other_moves, &[]),
        [(9_000, 12_000)],
        "b is a stranger there"
    );
    assert_eq!(without_service("open", "home", "", other_moves, &[]), [], "which that NAT lets in");
    let reboot = "  - { at: 9s, network: flat, nat: reboot }\n";
    assert_eq!(without_service("flat", "home", "", reboot, &[]), [], "a speaks first");
    assert_eq!(without_service("flat", "flat", "", reboot, &[]), [], "they are in the same network");
    let reboots = "  - { at: 9s, network: flat, nat: reboot }\n  - { at: 9s, network: cell, nat: reboot }\n";
    assert_eq!(
        without_service("flat", "cell", "", reboots, &[]),
        [(8_000, 12_000)],
        "they need the relay anyway"
    );
}

#[test]
fn two_strict_nats_or_two_families_need_the_relay() {
    assert_eq!(without_service("cell", "flat", "", "", &[]), [(8_000, 12_000)]);
    assert_eq!(without_service("six", "home", "", "", &[]), [(8_000, 12_000)]);
    assert_eq!(without_service("six", "core", "", "", &[]), []);
    assert_eq!(without_service("cell", "home", "", "", &[]), []);
}

#[test]
fn a_program_that_was_killed_is_asked_by_the_peer_that_knows_it() {
    let killed = "  - { at: 9s, host: a, kill: true }\n  - { at: 10s, host: a, start: true }\n";
    let down = [dark("a", 9_000, 10_000)];
    assert_eq!(without_service("home", "flat", "", killed, &down), [(9_000, 10_000)]);
    let and_moved = "  - { at: 9s, host: a, kill: true }\n  - { at: 9500ms, host: a, move: cafe }\n  - { at: 10s, host: a, start: true }\n";
    assert_eq!(
        without_service("home", "flat", "", and_moved, &down),
        [(9_000, 12_000)],
        "neither knows where the other is"
    );
}

#[test]
fn what_the_ends_know_of_a_place_takes_a_second_of_a_usable_path() {
    let early = "  - { at: 7500ms, host: a, move: flat }\n  - { at: 7500ms, host: b, move: home }\n";
    assert_eq!(without_service("home", "cafe", early, "", &[]), [(8_000, 12_000)]);
    let before = "  - { at: 6500ms, host: a, move: flat }\n  - { at: 6500ms, host: b, move: home }\n";
    assert_eq!(without_service("home", "cafe", before, "", &[]), []);
}

#[test]
fn a_pair_needs_the_service_while_it_is_relayed_or_not_yet_located() {
    let text = format!(
        "{NETWORKS}hosts: {{ a: {{ at: home }}, b: {{ at: cafe }}, s: {{ at: core, role: sns }} }}\ntimeline:\n  - {{ at: 5s, host: a, move: six }}\n"
    );
    let scenario = Scenario::parse(Path::new("reach.yaml"), &text).unwrap();
    let reach = Reach::of(&scenario, &[], ["a", "b"], ms(20_000));
    let needs: Vec<bool> = [500, 3_000, 6_000].into_iter().map(|at| reach.needs_service(ms(at))).collect();
    assert_eq!(needs, [true, false, true]);
    assert_eq!(reach.ready(ms(5_000)), Some(ms(5_000)));
    assert_eq!(reach.ready(ms(20_000)), None);
}
