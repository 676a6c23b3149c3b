use std::path::Path;

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn dark(host: &str, from: u64, to: u64) -> Dark {
    Dark { host: host.to_owned(), from: ms(from), to: ms(to) }
}

/// When `a` and `b` must have traffic again after each disturbance, in milliseconds.
fn deadlines(timeline: &str, dark: &[Dark]) -> Vec<Option<u64>> {
    let text = format!(
        "name: course
networks:
  home: {{ v4: 10.1.0.0/24 }}
  cafe: {{ v4: 10.2.0.0/24, link: {{ delay: 20ms }} }}
  flat: {{ v4: 10.3.0.0/24, nat: port-restricted }}
  cell: {{ v4: 10.4.0.0/24, nat: symmetric, mtu: 1300 }}
  core: {{ v4: 10.5.0.0/24 }}
hosts: {{ a: {{ at: flat }}, b: {{ at: cafe }}, s: {{ at: core, role: sns }} }}
timeline:
{timeline}"
    );
    let scenario = Scenario::parse(Path::new("course.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    let course = Course::of(&scenario, dark, ["a", "b"], ms(100_000));
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    course.disturbances.iter().map(|disturbance| disturbance.deadline.map(millis)).collect()
}

#[test]
fn a_move_has_half_a_second_from_when_it_really_ended() {
    let moved = "  - { at: 5s, host: a, move: home, dark: 300ms }\n";
    assert_eq!(deadlines(moved, &[dark("a", 5_010, 5_330)]), [Some(5_830)]);
}

#[test]
fn a_long_outage_has_a_part_of_its_length() {
    let silent = "  - { at: 5s, network: cafe, link: { loss: 100% } }\n  - { at: 85s, network: cafe, link: { loss: 0% } }\n";
    assert_eq!(deadlines(silent, &[]), [Some(85_625), Some(85_500)]);
    let two = [dark("a", 5_000, 45_000), dark("b", 45_400, 85_400)];
    let unplugged = "  - { at: 5s, host: a, unplug: true }\n  - { at: 45s, host: a, plug: home }\n  - { at: 45400ms, host: b, unplug: true }\n  - { at: 85400ms, host: b, plug: cafe }\n";
    assert_eq!(
        deadlines(unplugged, &two)[2],
        Some(85_400 + 80_400 / 128),
        "400 ms of a path between two outages are none"
    );
}

#[test]
fn a_narrower_path_and_a_killed_program_have_longer() {
    let narrow = "  - { at: 5s, network: cafe, link: { mtu: 1280 } }\n  - { at: 9s, network: cafe, link: { mtu: 1500 } }\n";
    assert_eq!(deadlines(narrow, &[]), [Some(6_200), Some(9_500)]);
    let moved = "  - { at: 5s, host: a, move: cell }\n";
    assert_eq!(deadlines(moved, &[]), [Some(6_200)]);
    let killed = "  - { at: 5s, host: a, kill: true }\n  - { at: 7s, host: a, start: true }\n";
    assert_eq!(deadlines(killed, &[dark("a", 5_000, 7_100)]), [Some(8_100), Some(8_100)]);
}

#[test]
fn a_service_disturbs_only_the_pair_that_needs_it() {
    let killed = "  - { at: 7s, host: s, kill: true }\n  - { at: 8s, host: s, start: true }\n";
    let away = [dark("s", 7_000, 8_000)];
    assert_eq!(deadlines(killed, &away), []);
    let relayed = "  - { at: 5s, host: b, move: cell }\n  - { at: 7s, host: s, kill: true }\n  - { at: 8s, host: s, start: true }\n";
    assert_eq!(deadlines(relayed, &away)[1..], [Some(9_000), Some(9_000)]);
}

#[test]
fn a_nat_that_forgets_is_noticed_by_silence_only_if_the_other_end_cannot_be_heard() {
    let reboot = "  - { at: 5s, network: flat, nat: reboot }\n";
    assert_eq!(deadlines(reboot, &[]), [Some(5_500)]);
    let both = "  - { at: 3s, host: b, move: cell }\n  - { at: 5s, network: flat, nat: reboot }\n";
    let round_trip = 2 * 5_400 + 4 * 10_000;
    assert_eq!(deadlines(both, &[])[1], Some(5_950 + 2 * round_trip / 1_000));
}

#[test]
fn what_happens_elsewhere_is_no_disturbance_and_what_never_ends_has_no_deadline() {
    let elsewhere = "  - { at: 5s, network: home, link: { loss: 100% } }\n";
    assert_eq!(deadlines(elsewhere, &[]), []);
    let for_good = "  - { at: 5s, network: cafe, link: { loss: 100% } }\n";
    assert_eq!(deadlines(for_good, &[]), [None]);
}
