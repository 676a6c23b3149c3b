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
    a_constant_round_trip_of_1_s,
    a_latency_that_rises_suspends_nothing,
    a_network_that_lets_nothing_through_for_8_s,
    a_path_that_narrows_to_1280,
    a_restarted_server_and_its_idle_laptop,
    a_round_trip_that_steps_to_1500_ms,
    a_silence_that_leaves_an_orphaned_handshake,
    a_silence_under_load_is_noticed,
    abandoned_attachment_point,
    both_behind_nat,
    both_behind_nat_one_moves,
    both_behind_symmetric_nat,
    both_restart_at_once,
    claims_01_to_11_migrator,
    claims_12_to_19_non_migrator,
    crossed_handshakes,
    crossed_handshakes_through_ten_minutes,
    direct_and_back_to_the_relay,
    figure_08_one_public_peer_moves,
    figure_09_the_peer_is_told_directly,
    figure_11_both_move_at_once,
    figure_11_both_move_into_each_others_network,
    figure_13_the_other_is_behind_nat,
    figure_15_both_move_one_behind_nat,
    figure_17_a_local_change_is_told_to_every_peer,
    figure_18_a_private_peer_that_could_not_be_notified,
    figure_19_public_then_private_then_public,
    figure_21_not_vc_enhanced_peer,
    killed_while_the_peer_is_away,
    moves_every_3_s,
    no_common_family_after_a_move,
    no_common_family_while_relayed,
    outage_of_1200_s,
    outage_of_1_s,
    outage_of_300_s,
    outage_of_30_s,
    outage_of_30_s_during_a_call,
    outage_of_5_s,
    outage_of_60_s,
    outage_unnoticed_then_a_keystroke,
    relay_gives_way_to_a_direct_path,
    replay_01_both_move_and_are_nowhere_for_3_s,
    replay_01_both_move_behind_nat,
    replay_01_both_move_from_v4_to_v6,
    replay_01_both_move_while_one_of_two_services_is_down,
    replay_01_both_move_while_one_of_two_services_moves_too,
    replay_01_both_move_while_the_service_restarts,
    replay_01_both_move_with_10_percent_loss,
    replay_01_both_move_with_30_percent_loss,
    replay_02_a_move_during_a_rekey,
    replay_02_a_move_during_another_move,
    replay_02_a_move_during_the_handshake,
    replay_02_back_and_forth_within_two_seconds,
    replay_02_back_to_an_address_that_another_host_owns_now,
    replay_03_somebody_can_delay,
    replay_03_somebody_can_forge,
    replay_03_somebody_can_replay,
    replay_03_somebody_can_resource,
    replay_07_a_mapping_expires,
    replay_07_a_nat_rebinds_every_two_seconds,
    replay_07_a_nat_reboots,
    replay_07_a_one_way_path,
    replay_08_a_long_sleep,
    replay_08_sleep_and_wake_elsewhere,
    replay_09_a_better_network_appears,
    replay_09_the_same_address_again,
    replay_10_an_outage_of_30_s,
    replay_10_an_outage_of_5_s,
    replay_10_an_outage_of_600_s,
    replay_11_a_narrower_path_after_a_move,
    replay_11_a_phone_network_of_1280,
    replay_13_killed_and_started_again,
    replay_13_killed_and_started_again_elsewhere,
    replay_14_the_relay_restarts,
    replay_16_one_connection_through_many_moves,
    silences_of_a_second,
    ten_minutes_of_10_percent_loss,
    ten_minutes_of_30_percent_loss,
    ten_minutes_with_pauses_of_250_ms,
    the_same_network_again_after_2_s,
    the_service_restarts_and_hardly_anything_is_said,
    the_service_restarts_between_two_publications,
    two_nodes_that_know_keys_and_a_service,
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
fn every_scenario_in_the_directory_is_played() {
    let files = fs::read_dir(directory()).expect("the directory is part of the project");
    let names: BTreeSet<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_suffix(".yaml")?.replace('-', "_")))
        .collect();
    assert_eq!(names, NAMES.iter().map(|name| (*name).to_owned()).collect());
}

/// How many seeds each scenario is played with here.
const SEEDS: u64 = 3;
