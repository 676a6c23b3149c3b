//! A slice of the soak: fixed seeds, some minutes of each world.
//! `stead-rig soak` plays as many episodes as one likes.

use stead_rig::run::{PlayError, play};
use stead_rig::scenario::WorldKind;
use stead_rig::soak::{Breach, draw, judge};

fn keeps_every_promise(world: WorldKind, seeds: &[u64]) {
    let mut broken = Vec::new();
    for seed in seeds.iter().copied() {
        let episode = draw(seed);
        let measured = match play(&episode, world, seed) {
            Ok(played) => played.measured,
            Err(PlayError::Unavailable(reason)) => return stead_rig::requirements::skip("soak", &reason),
            Err(PlayError::Broken(reason)) => panic!("{reason}"),
        };
        let told = |breach: &Breach| {
            let (kind, traffic, seen) = (breach.kind.broken(), &breach.traffic, &breach.seen);
            let world = world.name();
            format!(
                "{kind} {traffic}: {seen}\n  again: stead-rig soak --seed {seed} --episodes 1 --world {world}"
            )
        };
        broken.extend(judge(&episode, &measured).iter().map(told));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn minutes_of_random_trouble_break_no_promise_in_virtual_time() {
    keeps_every_promise(WorldKind::Sim, &SIM_SEEDS);
}

#[test]
fn minutes_of_random_trouble_break_no_promise_on_this_kernel() {
    keeps_every_promise(WorldKind::Netns, &NETNS_SEEDS);
}

#[test]
fn the_slice_takes_minutes_and_no_longer() {
    let minutes = |seeds: &[u64]| seeds.iter().map(|seed| draw(*seed).ends.as_secs_f64() / 60.0).sum::<f64>();
    assert!(minutes(&SIM_SEEDS) >= 2.0, "{}", minutes(&SIM_SEEDS));
    assert!((1.0..2.5).contains(&minutes(&NETNS_SEEDS)), "{}", minutes(&NETNS_SEEDS));
}

/// Episodes that keep every promise today; one that a mend has made whole belongs here.
const SIM_SEEDS: [u64; 3] = [1, 7, 8];
/// Two minutes on the clock.
const NETNS_SEEDS: [u64; 2] = [1, 8];
