//! Datagrams of a size that their path does not take.

use crate::ground::{Pair, ms, secs};
use stead_sim::{Action, Family, LinkPlan, TrafficKind, TrafficPlan};

/// Datagrams of 1360 bytes that may not be cut, over a path that takes 1300 in all, after a few short ones.
fn told(family: Option<Family>, seed: u64) -> (Pair, usize) {
    let mut pair = Pair::new(seed);
    let link = LinkPlan { mtu: 1300, ..LinkPlan::default() };
    pair.world.plan(ms(0), Action::ChangeLink { network: pair.home, up: link, down: link });
    pair.call(pair.a, pair.b, secs(9));
    let kind = TrafficKind::UdpTicker { every: ms(20), lasts: secs(6), size: 1360, dont_fragment: true };
    let (name, from, to) = ("long".to_owned(), pair.a, pair.b);
    let long = pair.world.traffic(TrafficPlan { name, kind, from, to, start: secs(2), over: family });
    pair.world.run_until(secs(12));
    (pair, long)
}

#[test]
fn the_sender_of_datagrams_that_are_too_long_and_may_not_be_cut_is_told_within_two_seconds() {
    for family in [None, Some(Family::V4)] {
        for seed in 1..=10 {
            let (pair, long) = told(family, seed);
            let outcome = pair.world.outcome(long);
            let after = outcome.told.map(|told| told - secs(2));
            assert!(after.is_some_and(|after| after <= secs(2)), "{family:?}, seed {seed}: {after:?}");
            assert!(outcome.refused > 150, "{family:?}, seed {seed}: {}", outcome.refused);
            pair.sound();
        }
    }
}

#[test]
fn datagrams_as_long_as_the_path_takes_arrive_whole() {
    let mut pair = Pair::new(1);
    let kind = TrafficKind::UdpTicker { every: ms(20), lasts: secs(6), size: 1360, dont_fragment: true };
    let (name, from, to) = ("long".to_owned(), pair.a, pair.b);
    let long = pair.world.traffic(TrafficPlan { name, kind, from, to, start: secs(2), over: None });
    pair.world.run_until(secs(10));

    pair.whole(long);
    assert_eq!((pair.world.outcome(long).sent, pair.world.outcome(long).refused), (300, 0));
}
