//! Moves while the network loses, delays, reorders and duplicates: in the end both agree, and what is sent then arrives.

use proptest::prelude::*;
use stead_node::{Discard, PeerKind};
use stead_wire::time::Duration;

use crate::world::{HostId, World, at, ms, peer, secret, secs};

/// One step of a story: bob moves to a place, and so much time passes.
#[derive(Clone, Debug)]
struct Step {
    place: u8,
    then: u64,
}

/// What the network does to each datagram, decided by a generator of its own so that shrinking keeps the rest.
#[derive(Clone, Debug)]
struct Network {
    seed: u64,
    loss_percent: u64,
    duplicate_percent: u64,
    longest: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (2..8_u8, prop_oneof![0..5_u64, 5..60_u64, 60..1500_u64]);
    prop::collection::vec(step.prop_map(|(place, then)| Step { place, then }), 1..8)
}

fn networks() -> impl Strategy<Value = Network> {
    (any::<u64>(), 0..40_u64, 0..50_u64, 2..120_u64).prop_map(
        |(seed, loss_percent, duplicate_percent, longest)| Network {
            seed,
            loss_percent,
            duplicate_percent,
            longest,
        },
    )
}

impl Network {
    fn fate(&self) -> impl FnMut() -> Vec<Duration> + use<> {
        let Self { mut seed, loss_percent, duplicate_percent, longest } = *self;
        move || {
            let mut draw = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % below
            };
            if draw(100) < loss_percent {
                return Vec::new();
            }
            let copies = 1 + usize::from(draw(100) < duplicate_percent);
            (0..copies).map(|_| ms(1 + draw(longest))).collect()
        }
    }
}

fn place(number: u8) -> String {
    format!("10.7.0.{number}")
}

fn story(world: &mut World, (alice, bob): (HostId, HostId), steps: &[Step], network: &Network) {
    let mut fate = network.fate();
    world.disorder = Some(Box::new(move |_| fate()));
    for step in steps {
        world.move_to(bob, &[&place(step.place)]);
        world.send(bob, alice, b"while moving");
        world.send(alice, bob, b"while moving");
        world.run_for(ms(step.then));
    }
    // The last place is kept, and the network is well again.
    world.run_for(secs(2));
    world.disorder = None;
    world.run_for(secs(20));
}

/// Both agree on the path, and everything sent from now on arrives.
fn assert_settled(world: &mut World, (alice, bob): (HostId, HostId), last: &str) {
    assert_eq!(world.remote(alice), at(last));
    assert_eq!(world.remote(bob), at("10.0.0.1"));
    assert!(world.status(alice).path.unwrap().validated);
    let before = (world.received(alice).len(), world.received(bob).len());
    for n in 0..20_u8 {
        world.send(bob, alice, &[b'a' + n]);
        world.send(alice, bob, &[b'a' + n]);
        world.run_for(ms(30));
    }
    world.run_for(ms(100));
    let expected: Vec<String> = (b'a'..b'a' + 20).map(|byte| char::from(byte).to_string()).collect();
    assert_eq!(world.texts(alice, before.0), expected);
    assert_eq!(world.texts(bob, before.1), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_network_does_during_moves_both_agree_in_the_end(
        steps in steps(),
        network in networks(),
    ) {
        let (mut world, alice, bob) = World::connected_pair();
        story(&mut world, (alice, bob), &steps, &network);
        assert_settled(&mut world, (alice, bob), &place(steps.last().unwrap().place));
    }

    #[test]
    fn late_and_doubled_datagrams_alone_cost_no_handshake_and_no_packet(
        steps in steps(),
        network in networks(),
    ) {
        let network = Network { loss_percent: 0, longest: network.longest.min(60), ..network };
        let (mut world, alice, bob) = World::connected_pair();
        story(&mut world, (alice, bob), &steps, &network);
        assert_settled(&mut world, (alice, bob), &place(steps.last().unwrap().place));
        prop_assert_eq!(world.initiations(), 1);
        prop_assert_eq!(world.drops(alice, Discard::ForgedTransport) + world.drops(bob, Discard::ForgedTransport), 0);
        prop_assert_eq!(world.status(alice).kind, PeerKind::Enhanced);
    }

    #[test]
    fn two_that_never_met_meet_whatever_the_network_does(steps in steps(), network in networks()) {
        let mut world = World::new();
        let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
        let bob = world.host(2, &["10.7.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
        let mut fate = network.fate();
        world.disorder = Some(Box::new(move |_| fate()));
        for step in &steps {
            world.move_to(bob, &[&place(step.place)]);
            world.send(bob, alice, b"hello?");
            world.run_for(ms(step.then));
        }
        world.disorder = None;
        // Longer than any retry of a handshake, and long enough to learn what the other speaks.
        for _ in 0..22 {
            world.send(bob, alice, b"hello?");
            world.run_for(secs(1));
        }
        assert_settled(&mut world, (alice, bob), &place(steps.last().unwrap().place));
    }
}
