//! Every scenario of `tests/scenarios`, in both worlds: in virtual time with a few seeds, and in network namespaces
//! with the real program. `stead-rig sweep` plays them with as many seeds as one likes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stead_rig::run::{PlayError, Played, play};
use stead_rig::scenario::{Scenario, WorldKind};

/// Names each scenario once; its file's name has hyphens for underscores.
macro_rules! scenarios {
    ($($name:ident,)+) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        mod sim {
            $(#[test] fn $name() { super::holds_in_virtual_time(stringify!($name)); })+
        }

        mod netns {
            $(#[test] fn $name() { super::holds_on_this_kernel(stringify!($name)); })+
        }
    };
}

scenarios! {
    figure_09_the_peer_is_told_directly,
    figure_21_not_vc_enhanced_peer,
    without_a_tunnel_a_move_ends_a_connection,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn load(name: &str) -> Scenario {
    let file = directory().join(format!("{}.yaml", name.replace('_', "-")));
    Scenario::load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn holds_in_virtual_time(name: &str) {
    let scenario = load(name);
    if !scenario.runs_in(WorldKind::Sim) {
        return;
    }
    for seed in 1..=SEEDS {
        assert_held(&play(&scenario, WorldKind::Sim, seed).expect("the simulator needs nothing"));
    }
}

fn holds_on_this_kernel(name: &str) {
    let scenario = load(name);
    if !scenario.runs_in(WorldKind::Netns) {
        return;
    }
    match play(&scenario, WorldKind::Netns, 1) {
        Ok(played) => assert_held(&played),
        Err(PlayError::Unavailable(reason)) => stead_rig::requirements::skip(name, &reason),
        Err(PlayError::Broken(reason)) => panic!("{reason}"),
    }
}

fn assert_held(played: &Played) {
    let missed: Vec<String> = played
        .verdicts
        .iter()
        .filter(|verdict| !verdict.held)
        .map(|verdict| format!("  line {}: {}, but: {}", verdict.line, verdict.expected, verdict.found))
        .collect();
    assert!(
        missed.is_empty(),
        "{}\n{}\nagain: {}\n{}",
        played.name,
        missed.join("\n"),
        played.command(),
        played.measured.notes.join("\n")
    );
}

#[test]
fn every_scenario_in_the_directory_is_read_without_a_mistake() {
    let files = fs::read_dir(directory()).expect("the directory is part of the project");
    let names: BTreeSet<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_suffix(".yaml")?.replace('-', "_")))
        .collect();
    names.iter().for_each(|name| drop(load(name)));
    assert!(NAMES.iter().all(|name| names.contains(*name)));
}

/// How many seeds each scenario is played with here.
const SEEDS: u64 = 3;
