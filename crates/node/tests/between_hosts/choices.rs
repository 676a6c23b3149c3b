//! Several paths between two hosts: both ends have to end on the same one, and stay there.

use std::net::IpAddr;

use crate::world::{Flight, HostId, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Condition};
use stead_wire::time::Duration;

const ALICE: [&str; 2] = ["10.0.0.1", "2001:db8::1"];
const BOB: [&str; 2] = ["10.0.0.2", "2001:db8::2"];

/// Both have both families and know all of each other's addresses.
fn dual_stack_pair() -> (World, HostId, HostId) {
    let mut world = World::new();
    let alice = world.host(1, &ALICE, vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &BOB, vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(bob, alice, b"hello");
    world.run_for(ms(200));
    world.send(alice, bob, b"hello yourself");
    world.run_for(secs(3));
    (world, alice, bob)
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 4 } else { 6 }
}

fn moves(world: &World, host: HostId) -> u64 {
    world.status(host).moves_local + world.status(host).moves_remote
}

/// Everything sent during `duration` arrives, and nobody moves any more.
fn assert_calm(world: &mut World, (alice, bob): (HostId, HostId), duration: Duration) {
    let before = (world.received(alice).len(), world.received(bob).len());
    let moved = (moves(world, alice), moves(world, bob));
    let (end, mut sent) = (world.now + duration, 0);
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(20));
        sent += 1;
    }
    world.run_for(ms(300));
    assert_eq!((world.received(alice).len() - before.0, world.received(bob).len() - before.1), (sent, sent));
    assert_eq!((moves(world, alice), moves(world, bob)), moved, "nobody moved");
}

#[test]
fn an_update_that_arrives_late_over_another_path_holds_nothing() {
    let (mut world, alice, bob) = dual_stack_pair();
    world.disorder =
        Some(Box::new(|flight: &Flight| vec![if flight.source.is_ipv4() { ms(10) } else { ms(90) }]));
    world.move_to(bob, &["10.7.0.2", "2001:db8:7::2"]);
    world.run_for(ms(60));
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    for _ in 0..20 {
        world.run_for(ms(10));
        assert!(!matches!(world.status(alice).condition, Condition::Held(_)), "at {:?}", world.now);
    }
    assert_calm(&mut world, (alice, bob), secs(5));
    assert_eq!(world.remote(alice), at("10.7.0.2"));
}

#[test]
fn both_choose_at_once_and_find_different_paths_first_but_end_on_one() {
    // Alice's first updates come through over IPv4 only, bob's over IPv6 only. Then, the other way round.
    for (alice_loses, bob_loses) in [(6, 4), (4, 6)] {
        for later in [0, 3, 9, 11, 15, 19, 21, 30] {
            let (mut world, alice, bob) = dual_stack_pair();
            let (began, first) = (world.now, ms(later));
            world.loses = Box::new(move |flight| {
                let early = flight.sent <= began + first;
                let alices = ALICE.iter().any(|ip| at(ip) == flight.source);
                early && family(flight.source.ip()) == if alices { alice_loses } else { bob_loses }
            });
            world.attach(alice, &ALICE, Cause::Woke);
            world.run_for(first);
            world.attach(bob, &BOB, Cause::Woke);
            world.run_for(ms(400));
            // If they disagree while they are idle, the first packets tell.
            world.send(alice, bob, b"there?");
            world.send(bob, alice, b"there?");
            world.run_for(ms(200));
            assert_calm(&mut world, (alice, bob), secs(5));
            let families = (family(world.remote(alice).ip()), family(world.remote(bob).ip()));
            assert_eq!(families.0, families.1, "{alice_loses}, {bob_loses}, {later} ms apart");
            assert_eq!(world.initiations(), 1);
        }
    }
}

#[test]
fn a_path_that_ends_silently_is_left_for_another_that_works() {
    let (mut world, alice, bob) = dual_stack_pair();
    world.loses = Box::new(|flight| flight.source.is_ipv4());
    let ended = world.now;
    for _ in 0..100 {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(20));
    }
    for host in [alice, bob] {
        let resumed = world.received_at(host).into_iter().find(|at| *at > ended + ms(10)).unwrap() - ended;
        assert!(resumed <= ms(1200), "{resumed:?}");
    }
    assert_eq!((world.remote(alice), world.remote(bob)), (at("2001:db8::2"), at("2001:db8::1")));
    assert_calm(&mut world, (alice, bob), secs(5));
    assert_eq!(world.initiations(), 1);
}
