use std::path::Path;
use std::time::Duration;

use super::*;

const WHOLE: &str = r#"
name: "figure 11: both move at once"
networks:
  home:    { v4: 10.1.0.0/24, v6: "fd01::/64" }
  cafe:    { v4: 10.2.0.0/24, nat: port-restricted }
  hotspot: { v4: 192.168.43.0/24, nat: symmetric, link: { delay: 40ms, jitter: 10ms, loss: 1%, rate: 50mbit } }
  office:  { v4: 10.4.0.0/24 }
hosts:
  a: { at: home }
  b: { at: cafe }
  s: { at: office, role: sns }
traffic:
  - { name: shell,    kind: tcp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s }
  - { name: download, kind: tcp-bulk,   from: b, to: a, start: 1s, bytes: 20MB }
  - { name: call,     kind: udp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s }
timeline:
  - { at: 5s,  host: a, move: hotspot, dark: 300ms }
  - { at: 5s,  host: b, move: home }
  - { at: 8s,  host: a, attach: cafe }
  - { at: 10s, host: b, unplug: true }
  - { at: 11s, host: b, plug: home }
  - { at: 12s, network: cafe, nat: reboot }
  - { at: 13s, network: cafe, link: { loss: 30% } }
  - { at: 14s, host: s, kill: true }
  - { at: 15s, host: s, start: true }
  - { at: 16s, host: s, freeze: 3s }
expect:
  - { traffic: download, intact: true }
  - { traffic: shell, survives: true, stall: 400ms }
  - { traffic: call, lost: 15 }
  - { between: [a, b], handshakes: 1 }
  - { between: [a, b], path: direct }
  - { host: a, forged: 0 }
"#;

fn parsed(text: &str) -> Scenario {
    Scenario::parse(Path::new("whole.yaml"), text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// What is said about the whole scenario after one piece of it was replaced.
fn said(piece: &str, replacement: &str) -> String {
    assert!(WHOLE.contains(piece), "{piece}");
    Scenario::parse(Path::new("whole.yaml"), &WHOLE.replace(piece, replacement)).unwrap_err().to_string()
}

#[test]
fn every_key_of_the_format_is_read() {
    let scenario = parsed(WHOLE);
    assert_eq!(scenario.hosts["s"].role, Role::Sns { window: Duration::from_secs(1), relay: true });
    assert_eq!(scenario.networks["hotspot"].nat, Nat::Symmetric);
    assert_eq!(scenario.networks["hotspot"].link.down.rate, Some(unit::Rate(50_000_000)));
    assert_eq!((scenario.timeline.len(), scenario.expect.len()), (10, 6));
    assert_eq!(
        scenario.timeline[0].deed,
        Deed::Move {
            host: "a".to_owned(),
            to: "hotspot".to_owned(),
            dark: Duration::from_millis(300),
            takes: None
        }
    );
    assert_eq!(scenario.ends, Duration::from_secs(61));
}

#[test]
fn every_node_knows_all_nodes_by_key_and_services_by_their_endpoint() {
    let scenario = parsed(WHOLE);
    assert_eq!(scenario.peers.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        scenario.peers["a"].iter().map(|(name, known)| (name.as_str(), *known)).collect::<Vec<_>>(),
        [("b", Knowledge::Key), ("s", Knowledge::Endpoint)]
    );
    let told = WHOLE.replace("traffic:\n", "peers:\n  a: { b: endpoint }\ntraffic:\n");
    let scenario = parsed(&told);
    assert_eq!(scenario.peers["a"].len(), 1);
    assert_eq!(scenario.peers["b"].len(), 2);
}

#[test]
fn a_mistake_names_file_line_and_key_and_what_was_expected() {
    assert_eq!(
        said("dark: 300ms", "dark: 300"),
        "error: `timeline[0].dark` cannot be `300`
  --> whole.yaml:17:46
   | expected a whole number with ms, s, m or h, such as 300ms"
    );
    let text = said("host: b, move: home", "host: b, moved: home");
    assert!(text.contains("nothing happens in this row") && text.contains("whole.yaml:18"), "{text}");
    assert!(text.contains("did you mean `move`?"), "{text}");
}

#[test]
fn unknown_names_come_with_a_suggestion() {
    assert!(said("a: { at: home }", "a: { at: hom }").contains("did you mean `home`?"));
    assert!(said("move: hotspot", "move: hotpot").contains("did you mean `hotspot`?"));
    assert!(said("{ traffic: shell,", "{ traffic: shel,").contains("`shel` is no traffic"));
    assert!(said("from: b, to: a", "from: bob, to: a").contains("`bob` is no host"));
}

#[test]
fn what_is_impossible_is_refused() {
    assert!(said("{ at: 10s, host: b", "{ at: 4s, host: b").contains("before the row above it"));
    assert!(said("attach: cafe", "attach: hotspot").contains("a is in hotspot already"));
    assert!(said("host: b, plug: home", "host: b, move: home").contains("only `plug` ends that"));
    assert!(said("network: cafe, nat", "network: home, nat").contains("has no NAT"));
    assert!(said("host: s, kill", "host: a, start").contains("a runs already"));
    assert!(said("{ traffic: call, lost: 15 }", "{ traffic: call, intact: true }").contains("no checksum"));
    assert!(said("{ host: a, forged: 0 }", "{ host: a }").contains("expects nothing"));
    assert!(said("from: b, to: a", "from: s, to: a").contains("s is a service"));
}

#[test]
fn a_row_beside_bare_says_how_much_worse_a_traffic_may_be() {
    let row = "{ traffic: call, beside: bare, lost: 0.5%, stall: 60ms, settles: 2s }";
    let scenario = parsed(&WHOLE.replace("{ traffic: call, lost: 15 }", row));
    let Expectation::Beside(row) = &scenario.expect[2] else { panic!("{:?}", scenario.expect[2]) };
    assert_eq!(
        (row.lost, row.stall),
        (Some(unit::Share(5000)), Some(Allowance::More(Duration::from_millis(60))))
    );
    assert_eq!(row.settles, Duration::from_secs(2));
    let row = "{ traffic: shell, beside: bare, stall: 1.2x, seeds: 20 }";
    let scenario = parsed(&WHOLE.replace("{ traffic: call, lost: 15 }", row));
    assert_eq!((scenario.has_bare_twin(), scenario.bare_seeds()), (true, 20));
}

#[test]
fn nonsense_beside_bare_is_refused() {
    let said = |row: &str| said("{ traffic: call, lost: 15 }", row);
    assert!(said("{ traffic: call, beside: naked, lost: 1% }").contains("expected one of: bare"));
    assert!(said("{ traffic: call, beside: bare, lost: 15 }").contains("expected a share"));
    assert!(said("{ traffic: call, beside: bare, stall: 60 }").contains("or a factor such as 1.2x"));
    assert!(said("{ traffic: call, beside: bare }").contains("expects nothing"));
    assert!(said("{ traffic: call, beside: bare, rate: 0.9x }").contains("a rate of its own"));
    assert!(said("{ traffic: shell, beside: bare, lost: 1% }").contains("TCP loses nothing"));
    assert!(said("{ traffic: call, beside: bare, lost: 1%, seeds: 20 }").contains("about a stall"));
    assert!(said("{ traffic: call, beside: bare, lost: 1%, opens: 2s }").contains("`opens`"));
}

#[test]
fn the_bare_twin_has_no_tunnel_no_service_no_nat_and_stays_where_it_is() {
    let row = "{ traffic: call, beside: bare, lost: 1% }";
    let twin = parsed(&WHOLE.replace("{ traffic: call, lost: 15 }", row)).bare_twin();
    assert!(twin.hosts.values().all(|host| host.role == Role::Bare) && !twin.hosts.contains_key("s"));
    assert!(twin.networks.values().all(|network| network.nat == Nat::None));
    assert!(
        matches!(&twin.timeline[..], [Event { deed: Deed::ChangeLink { .. }, .. }]),
        "{:?}",
        twin.timeline
    );
    assert_eq!((twin.traffic.len(), twin.has_bare_twin()), (3, false));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = WHOLE.replace("dark: 300ms", "dark: x").replace("lost: 15", "lost: x");
    let mistakes = Scenario::parse(Path::new("whole.yaml"), &text).unwrap_err();
    assert_eq!(mistakes.all.len(), 2, "{mistakes}");
}

#[test]
fn a_repeated_row_takes_its_targets_in_turn() {
    let text = WHOLE.replace(
        "  - { at: 8s,  host: a, attach: cafe }\n",
        "  - { at: 6s, host: a, move: [home, hotspot], every: 1s, times: 3 }\n",
    );
    let scenario = parsed(&text);
    let moves: Vec<_> = scenario
        .timeline
        .iter()
        .filter_map(|event| match &event.deed {
            Deed::Move { host, to, .. } if host == "a" => Some((event.at.as_secs(), to.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(moves, [(5, "hotspot"), (6, "home"), (7, "hotspot"), (8, "home")]);
}

#[test]
fn a_spread_is_drawn_by_the_seed_and_stays_in_its_bounds() {
    let scenario = parsed(&WHOLE.replace("dark: 300ms }", "dark: 300ms, spread: 2s }"));
    let at = |seed| {
        let drawn = scenario.drawn(seed);
        drawn.timeline.iter().find(|event| event.deed.host() == Some("a")).unwrap().at
    };
    assert_eq!(at(7), at(7));
    let times: std::collections::BTreeSet<_> = (0..100).map(at).collect();
    assert!(times.len() > 90);
    assert!(times.iter().all(|at| (5..=7).contains(&at.as_secs())), "{times:?}");
}

#[test]
fn what_is_no_scenario_is_refused_with_its_reason() {
    let refused = |text| Scenario::parse(Path::new("x.yaml"), text).unwrap_err().to_string();
    assert!(refused("").contains("says nothing"));
    assert!(refused("a: [").contains("not YAML"));
    assert!(refused("name: x\nname: y\n").contains("stands here twice"));
    assert!(refused("- a\n").contains("no mapping"));
    assert!(Scenario::load(Path::new("/nowhere.yaml")).unwrap_err().to_string().contains("cannot be read"));
}
