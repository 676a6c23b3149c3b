//! A slice of the soak: fixed seeds, long enough to meet every kind of trouble, in both worlds.
//! `stead-rig soak` plays as many episodes as one likes.

use std::time::Duration;

use stead_rig::run::{PlayError, play};
use stead_rig::scenario::WorldKind;
use stead_rig::soak::{Breach, draw, judge};

/// Plays episodes from `first` until they have taken `least` on the world's own clock.
fn keeps_every_promise(world: WorldKind, first: u64, least: Duration) {
    let mut played = Duration::ZERO;
    let mut broken = Vec::new();
    for seed in first.. {
        if played >= least {
            break;
        }
        let episode = draw(seed);
        let measured = match play(&episode, world, seed) {
            Ok(played) => played.measured,
            Err(PlayError::Unavailable(reason)) => return stead_rig::requirements::skip("soak", &reason),
            Err(PlayError::Broken(reason)) => panic!("{reason}"),
        };
        played += measured.ended;
        let told = |breach: &Breach| {
            let (kind, traffic, seen) = (breach.kind.broken(), &breach.traffic, &breach.seen);
            format!(
                "{kind} {traffic}: {seen}\n  again: stead-rig soak --seed {seed} --episodes 1 --world {}",
                world.name()
            )
        };
        broken.extend(judge(&episode, &measured).iter().map(told));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn minutes_of_random_trouble_break_no_promise_in_virtual_time() {
    keeps_every_promise(WorldKind::Sim, SIM_SEED, Duration::from_secs(120));
}

#[test]
fn minutes_of_random_trouble_break_no_promise_on_this_kernel() {
    keeps_every_promise(WorldKind::Netns, NETNS_SEED, Duration::from_secs(90));
}

/// The first seeds.
const SIM_SEED: u64 = 1;
const NETNS_SEED: u64 = 1;
