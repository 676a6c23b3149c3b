use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::scenario::Deed;

#[test]
fn every_episode_reads_as_a_scenario_without_mistakes() {
    for seed in 1..=300 {
        let text = draw(seed).to_yaml();
        let read = Scenario::parse(Path::new("episode.yaml"), &text);
        let read = read.unwrap_or_else(|mistakes| panic!("seed {seed}: {mistakes}\n{text}"));
        assert_eq!(read.to_yaml(), text);
    }
}

#[test]
fn a_seed_draws_the_same_episode_and_another_seed_another() {
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).timeline, draw(8).timeline);
}

#[test]
fn a_hundred_episodes_have_every_trouble_and_every_network() {
    let episodes: Vec<Scenario> = (1..=100).map(draw).collect();
    let deeds = episodes.iter().flat_map(|episode| &episode.timeline);
    let kinds: BTreeSet<String> = deeds
        .map(|event| match &event.deed {
            Deed::ChangeLink { change, .. } => {
                let [loss, mtu] = [change.up.loss.or(change.down.loss).is_some(), change.up.mtu.is_some()];
                format!("loss {loss}, mtu {mtu}")
            }
            Deed::Kill { host } => format!("kill {host}"),
            deed => format!("{deed:?}").split_once(' ').map(|(kind, _)| kind.to_owned()).unwrap_or_default(),
        })
        .collect();
    let expected = [
        "Freeze",
        "Move",
        "Plug",
        "RebindNat",
        "RebootNat",
        "Start",
        "Unplug",
        "kill a",
        "kill b",
        "kill s",
        "loss false, mtu true",
        "loss true, mtu false",
    ];
    assert_eq!(kinds, expected.map(str::to_owned).into());
    let nats: BTreeSet<_> =
        episodes.iter().flat_map(|episode| episode.networks.values().map(|network| network.nat)).collect();
    assert_eq!(nats.len(), 5);
}

#[test]
fn no_trouble_happens_to_the_flow_that_tells_when_the_machine_starved() {
    for episode in (1..=100).map(draw) {
        let quiet = ["x", "y", ground::QUIET];
        let touched = |event: &Event| {
            event.deed.host().or(event.deed.network()).is_some_and(|name| quiet.contains(&name))
        };
        assert!(!episode.timeline.iter().any(touched));
    }
}
