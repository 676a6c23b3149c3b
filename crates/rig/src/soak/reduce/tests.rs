use super::*;
use crate::scenario::Kind;
use crate::soak::draw;
use crate::soak::judge::Promise;

fn breach(at: Duration) -> Breach {
    Breach { kind: Promise::Flows, traffic: String::new(), at_millis: at.as_millis(), seen: String::new() }
}

/// An episode with a kill and a move, and the numbers of both.
fn episode() -> (Scenario, Event, Event) {
    (1..)
        .find_map(|seed| {
            let episode = draw(seed);
            let kill = episode.timeline.iter().find(|event| matches!(event.deed, Deed::Kill { .. }))?.clone();
            let moved =
                episode.timeline.iter().rev().find(|event| matches!(event.deed, Deed::Move { .. }))?.clone();
            (episode.timeline.len() > 15 && moved.at > kill.at).then_some((episode, kill, moved))
        })
        .unwrap()
}

#[test]
fn only_what_the_breach_needs_is_left() {
    let (episode, kill, moved) = episode();
    let has = |scenario: &Scenario, wanted: &Event| scenario.timeline.iter().any(|event| event == wanted);
    let calls = |scenario: &Scenario| scenario.traffic.iter().any(|traffic| traffic.name == "call-b-a");
    let shows = |scenario: &Scenario| {
        (has(scenario, &kill) && has(scenario, &moved) && calls(scenario)).then(|| breach(moved.at))
    };
    let reduced = reduce(&episode, &breach(moved.at), 500, shows);
    let left = &reduced.scenario;
    assert!(has(left, &kill) && has(left, &moved));
    assert_eq!(left.timeline.len(), 3, "the kill has its start: {}", left.to_yaml());
    assert_eq!(left.traffic.iter().map(|traffic| &traffic.name).collect::<Vec<_>>(), ["call-b-a"]);
    assert!(left.ends < moved.at + Duration::from_secs(11));
    let Kind::UdpTicker { lasts, .. } = left.traffic[0].kind else { panic!("{left:?}") };
    assert!(lasts < left.ends);
    assert!(
        left.networks.values().all(|network| network.nat == Nat::None && network.link == Link::default())
    );
    assert!(!left.networks.contains_key("quiet") && !left.hosts.contains_key("x"));
    assert!(Scenario::parse(&left.file, &left.to_yaml()).is_ok());
}

#[test]
fn another_promises_breach_is_not_followed() {
    let (episode, _, moved) = episode();
    let other = |_: &Scenario| Some(Breach { kind: Promise::Kept, ..breach(moved.at) });
    let reduced = reduce(&episode, &breach(moved.at), 500, other);
    assert_eq!(reduced.scenario, episode);
}

#[test]
fn no_more_is_tried_than_allowed() {
    let (episode, _, moved) = episode();
    let mut played = 0;
    let reduced = reduce(&episode, &breach(moved.at), 10, |_| {
        played += 1;
        None
    });
    assert_eq!((reduced.tries, played), (10, 10));
}

#[test]
fn events_that_belong_together_go_together() {
    let text = "
name: groups
networks: { home: { v4: 10.1.0.0/24 }, cafe: { v4: 10.2.0.0/24 } }
hosts: { a: { at: home }, b: { at: cafe } }
timeline:
  - { at: 1s, host: a, kill: true }
  - { at: 2s, network: home, link: { loss: 100% } }
  - { at: 3s, host: b, unplug: true }
  - { at: 4s, host: a, start: true }
  - { at: 5s, network: cafe, link: { loss: 1% } }
  - { at: 6s, network: home, link: { loss: 0% } }
  - { at: 7s, host: b, plug: home }
  - { at: 8s, host: a, kill: true }
";
    let scenario = Scenario::parse(std::path::Path::new("groups.yaml"), text).unwrap();
    let expected: [&[usize]; 5] = [&[0, 3], &[1, 5], &[2, 6], &[4], &[7]];
    assert_eq!(groups(&scenario.timeline), expected);
}
