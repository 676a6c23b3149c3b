//! Moves behind NATs, with a service that tells: seed 001 figures 13 to 19, and both behind NATs.

use crate::world::{HostId, Mapping, Nat, World, at, ms, peer, secret, secs};
use stead_node::{Condition, Happening, Suspension};
use stead_wire::time::Instant;

/// Alice and bob, each behind a NAT of its kind or public, and a service. They know nothing of each other but keys.
fn pair(alices: Option<Mapping>, bobs: Option<Mapping>) -> (World, HostId, HostId) {
    let mut world = World::new();
    world.service(101, "203.0.113.1");
    let alice = world.host(1, &[], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &[], vec![peer("alice", secret(1).public_key(), &[])]);
    world.nat(alice, alices.map(|mapping| Nat::new("198.51.100.1", mapping)));
    world.nat(bob, bobs.map(|mapping| Nat::new("198.51.100.2", mapping)));
    world.move_to(alice, &["10.0.0.1"]);
    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(secs(1));
    (world, alice, bob)
}

/// As [`pair`], after a packet each way and a while.
fn acquainted(alices: Option<Mapping>, bobs: Option<Mapping>) -> (World, HostId, HostId) {
    let (mut world, alice, bob) = pair(alices, bobs);
    world.send(alice, bob, b"hello");
    world.run_for(secs(1));
    world.send(bob, alice, b"hello yourself");
    world.run_for(secs(8));
    assert_eq!((world.received(alice).len(), world.received(bob).len()), (1, 1));
    (world, alice, bob)
}

fn next_arrival(world: &World, host: HostId, after: Instant) -> Instant {
    world.received_at(host).into_iter().find(|at| *at >= after).expect("something arrived")
}

const CONE: Option<Mapping> = Some(Mapping::EndpointIndependent);
const SYMMETRIC: Option<Mapping> = Some(Mapping::AddressAndPortDependent);
const PUBLIC: Option<Mapping> = None;

#[test]
fn every_pair_of_nats_connects_within_a_second_and_directly_where_that_is_possible() {
    for alices in [PUBLIC, CONE, SYMMETRIC] {
        for bobs in [PUBLIC, CONE, SYMMETRIC] {
            let (mut world, alice, bob) = pair(alices, bobs);
            let asked = world.now;
            world.send(alice, bob, b"through");
            world.run_for(secs(2));
            let took = next_arrival(&world, bob, asked) - asked;
            world.send(bob, alice, b"and back");
            world.run_for(secs(2));
            assert_eq!(world.texts(alice, 0), ["and back"], "{alices:?}, {bobs:?}");
            assert!(took <= ms(600), "{alices:?}, {bobs:?}: {took:?}");
            // A NAT that maps by destination lets in nobody whose own port it could not know.
            let hard =
                [(SYMMETRIC, SYMMETRIC), (SYMMETRIC, CONE), (CONE, SYMMETRIC)].contains(&(alices, bobs));
            for host in [alice, bob] {
                assert_eq!(world.status(host).relayed.is_some(), hard, "{alices:?}, {bobs:?}");
            }
        }
    }
}

#[test]
fn whoever_moves_behind_whatever_nat_is_found_again() {
    for alices in [PUBLIC, CONE, SYMMETRIC] {
        for bobs in [PUBLIC, CONE, SYMMETRIC] {
            for both in [false, true] {
                let (mut world, alice, bob) = acquainted(alices, bobs);
                let moved = world.now;
                world.nat(alice, alices.map(|mapping| Nat::new("198.51.100.11", mapping)));
                world.move_to(alice, &["10.7.0.1"]);
                if both {
                    world.nat(bob, bobs.map(|mapping| Nat::new("198.51.100.12", mapping)));
                    world.move_to(bob, &["10.8.0.2"]);
                }
                world.send(alice, bob, b"where are you?");
                world.send(bob, alice, b"and you?");
                world.run_for(secs(3));

                let case = format!("{alices:?}, {bobs:?}, both: {both}");
                assert_eq!(world.texts(bob, 1), ["where are you?"], "{case}");
                // What was sent to where alice had just left is lost.
                assert!(!both || world.texts(alice, 1) == ["and you?"], "{case}");
                let limit = if alices == PUBLIC && bobs == PUBLIC { ms(100) } else { ms(1000) };
                assert!(next_arrival(&world, bob, moved) - moved <= limit, "{case}");
                assert_eq!(world.status(alice).handshakes, 1, "{case}");
                world.send(bob, alice, b"found");
                world.run_for(secs(1));
                assert_eq!(world.texts(alice, 1).last().unwrap(), "found", "{case}");
            }
        }
    }
}

#[test]
fn figure_14_a_private_peer_asks_the_public_one_that_moved() {
    let (mut world, alice, bob) = acquainted(CONE, PUBLIC);
    let moved = world.now;
    world.move_to(bob, &["10.8.0.2"]);
    world.send(bob, alice, b"from the new place");
    world.run_for(ms(500));
    assert_eq!(world.texts(alice, 1), ["from the new place"]);
    let took = next_arrival(&world, alice, moved) - moved;
    assert!(took <= world.delay * 8, "publication, notification, CUR, CU, and the packet: {took:?}");
    assert_eq!(world.remote(alice), at("10.8.0.2"));
}

#[test]
fn a_nat_that_forgot_its_host_is_opened_by_the_service_though_only_the_other_side_talks() {
    let (mut world, alice, bob) = acquainted(PUBLIC, CONE);
    world.run_for(secs(20));
    world.reboot_nat(bob);
    let end = world.now + secs(40);
    let rebooted = world.now;
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.run_for(ms(50));
    }
    let resumed = next_arrival(&world, bob, rebooted) - rebooted;
    assert!(resumed <= secs(27), "bob's next keepalive to the service, and a little; not {resumed:?}");
    assert_eq!(world.status(alice).condition, Condition::Proven);
}

#[test]
fn a_relay_is_left_when_a_move_makes_a_direct_path_possible() {
    let (mut world, alice, bob) = acquainted(SYMMETRIC, SYMMETRIC);
    assert!(world.status(alice).relayed.is_some());
    world.nat(alice, None);
    world.move_to(alice, &["10.7.0.1"]);
    world.send(alice, bob, b"public now");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 1), ["public now"]);
    for host in [alice, bob] {
        assert_eq!(world.status(host).relayed, None);
    }
    assert_eq!(world.status(alice).handshakes, 1);
}

#[test]
fn a_relay_is_left_when_a_nat_becomes_another_and_nobody_is_told() {
    let (mut world, alice, bob) = acquainted(SYMMETRIC, SYMMETRIC);
    world.nat(alice, Some(Nat::new("198.51.100.1", Mapping::EndpointIndependent)));
    world.nat(bob, Some(Nat::new("198.51.100.2", Mapping::EndpointIndependent)));
    let end = world.now + secs(60);
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(100));
    }
    for host in [alice, bob] {
        assert_eq!(world.status(host).relayed, None);
    }
    // And there it stays.
    let before = (world.status(alice).moves_remote, world.status(bob).moves_remote);
    let end = world.now + secs(60);
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(100));
    }
    assert_eq!((world.status(alice).moves_remote, world.status(bob).moves_remote), before);
    assert_eq!(world.status(alice).relayed, None);
}

#[test]
fn an_idle_relayed_pair_tries_nothing() {
    let (mut world, alice, bob) = acquainted(SYMMETRIC, SYMMETRIC);
    world.run_for(secs(60));
    let before = world.trace.len();
    world.run_for(secs(60));
    let between = world.trace[before..].iter().filter(|flight| flight.destination.port() != 51821);
    let direct = between.filter(|flight| flight.source.port() != 51821).count();
    assert_eq!(direct, 0, "between {alice:?} and {bob:?}");
}

#[test]
fn a_direct_path_that_works_is_not_left_for_a_relay() {
    let (mut world, alice, bob) = acquainted(CONE, CONE);
    let end = world.now + secs(30);
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(50));
    }
    for host in [alice, bob] {
        assert_eq!(world.status(host).relayed, None);
        let told = world.happenings(host);
        let held = |what: &Happening| matches!(what, Happening::Suspended { why: Suspension::Silent });
        assert!(!told.iter().any(held));
    }
}

#[test]
fn an_abandoned_attachment_point_that_a_third_host_takes_gets_nothing_that_is_not_its_own() {
    let (mut world, alice, bob) = acquainted(PUBLIC, PUBLIC);
    let carol = world.host(3, &[], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.move_to(bob, &["10.8.0.2"]);
    world.move_to(carol, &["10.0.0.2"]);
    for n in 0..20_u8 {
        world.send(alice, bob, &[n]);
        world.send(bob, alice, &[n]);
        world.run_for(ms(20));
    }
    world.run_for(secs(1));
    assert!(world.received(carol).is_empty());
    assert_eq!(world.remote(alice), at("10.8.0.2"));
    assert_eq!(world.received(alice).len(), 1 + 20);
    assert!(world.received(bob).len() > 20 - 2, "at most what was on its way to the old place");
}

#[test]
fn both_move_to_networks_of_the_other_family() {
    let mut world = World::new();
    world.service(101, "203.0.113.1");
    world.service(102, "2001:db8:53::1");
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[])]);
    world.run_for(secs(1));
    world.send(alice, bob, b"over four");
    world.run_for(secs(1));
    world.move_to(alice, &["2001:db8:7::1"]);
    world.move_to(bob, &["2001:db8:8::2"]);
    world.send(alice, bob, b"over six");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 0), ["over four", "over six"]);
    assert_eq!(world.status(alice).handshakes, 1);
}

#[test]
fn a_relay_that_starts_anew_is_missed_as_soon_as_nothing_comes_back_over_it() {
    let (mut world, alice, bob) = acquainted(SYMMETRIC, SYMMETRIC);
    world.kill_service(0);
    world.start_service(0);
    let restarted = world.now;
    for _ in 0..200 {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(50));
    }
    for host in [alice, bob] {
        let resumed = next_arrival(&world, host, restarted + world.delay * 3) - restarted;
        assert!(resumed <= secs(4), "{resumed:?}");
        assert!(world.status(host).relayed.is_some());
        assert_eq!(world.status(host).handshakes, 1);
    }
}

#[test]
fn a_mover_whose_every_datagram_somebody_forwards_faster_is_found_all_the_same() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.trace.len();
    world.move_to(bob, &["10.7.0.2"]);
    // What bob sends arrives first from an address where nobody is; his own copies are replays by then.
    let attacker = "203.0.113.5:999".parse().unwrap();
    let mut forwarded = before;
    for _ in 0..80 {
        while forwarded < world.trace.len() {
            let flight = world.trace[forwarded].clone();
            if flight.source == at("10.7.0.2") {
                world.delay = ms(9);
                world.inject(attacker, flight.destination, flight.datagram);
                world.delay = ms(10);
            }
            forwarded += 1;
        }
        world.run_for(ms(1));
    }
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert!(world.status(alice).path.unwrap().validated);
}
