//! Paths over a service's relay: while no direct path is proven, and no longer.

use stead_node::Discard;

use crate::world::{Flight, HostId, Mapping, Nat, World, at, ms, peer, secret, secs};

/// Alice and bob, each behind a NAT of its own, and a service.
fn behind_nats(mapping: Mapping, relay: bool) -> (World, HostId, HostId) {
    let mut world = World::new();
    world.relay = relay;
    world.service(101, "203.0.113.1");
    let alice = world.host(1, &[], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &[], vec![peer("alice", secret(1).public_key(), &[])]);
    world.nat(alice, Some(Nat::new("198.51.100.1", mapping)));
    world.nat(bob, Some(Nat::new("198.51.100.2", mapping)));
    world.move_to(alice, &["10.0.0.1"]);
    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(secs(1));
    (world, alice, bob)
}

#[test]
fn two_cone_nats_are_opened_from_both_sides() {
    let (mut world, alice, bob) = behind_nats(Mapping::EndpointIndependent, false);
    world.send(alice, bob, b"through");
    world.run_for(secs(6));
    world.send(bob, alice, b"and back");
    world.run_for(secs(1));
    assert_eq!(
        (world.texts(bob, 0), world.texts(alice, 0)),
        (vec!["through".into()], vec!["and back".into()])
    );
    assert_eq!((world.status(alice).relayed, world.status(bob).relayed), (None, None));
}

#[test]
fn two_symmetric_nats_leave_the_relay_and_status_says_so() {
    let (mut world, alice, bob) = behind_nats(Mapping::AddressAndPortDependent, true);
    world.send(alice, bob, b"through");
    world.run_for(secs(2));
    world.send(bob, alice, b"and back");
    world.run_for(secs(2));

    assert_eq!(
        (world.texts(bob, 0), world.texts(alice, 0)),
        (vec!["through".into()], vec!["and back".into()])
    );
    for host in [alice, bob] {
        let relayed = world.status(host).relayed.expect("relayed");
        assert_eq!(relayed.by, "service101");
        assert!(relayed.since < world.now);
        assert_eq!(world.service_status(host)[0].slots, 1);
    }
    for n in 0..50_u8 {
        world.send(alice, bob, &[n]);
        world.run_for(ms(20));
    }
    assert_eq!(world.received(bob).len(), 51);
}

#[test]
fn a_relayed_move_costs_no_handshake() {
    let (mut world, alice, bob) = behind_nats(Mapping::AddressAndPortDependent, true);
    world.send(alice, bob, b"through");
    world.run_for(secs(2));
    world.send(bob, alice, b"and back");
    world.run_for(secs(2));
    let handshakes = world.status(alice).handshakes;

    world.nat(alice, Some(Nat::new("198.51.100.7", Mapping::AddressAndPortDependent)));
    world.move_to(alice, &["10.7.0.1"]);
    world.send(alice, bob, b"from elsewhere");
    world.run_for(secs(2));
    world.send(bob, alice, b"found you");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 1), ["from elsewhere"]);
    assert_eq!(world.texts(alice, 1), ["found you"]);
    assert_eq!(world.status(alice).handshakes, handshakes);
}

#[test]
fn a_service_that_may_not_relay_does_not() {
    let (mut world, alice, bob) = behind_nats(Mapping::AddressAndPortDependent, false);
    world.send(alice, bob, b"nobody carries this");
    world.run_for(secs(10));
    assert!(world.received(bob).is_empty());
    let relayed = world.trace.iter().filter(|flight| (0x11..=0x14).contains(&flight.datagram[0])).count();
    assert_eq!(relayed, 0);
}

/// Alice and bob in public, and between them a network that carries datagrams to the service only.
fn kept_apart() -> (World, HostId, HostId) {
    let mut world = World::new();
    world.service(101, "203.0.113.1");
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[])]);
    world.loses = Box::new(is_direct);
    world.run_for(secs(1));
    world.send(alice, bob, b"through");
    world.run_for(secs(3));
    world.send(bob, alice, b"and back");
    world.run_for(secs(1));
    (world, alice, bob)
}

#[test]
fn a_relay_that_dies_is_replaced_by_one_that_answers() {
    let mut world = World::new();
    world.service(101, "203.0.113.1");
    world.service(102, "203.0.113.2");
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[])]);
    world.loses = Box::new(is_direct);
    world.run_for(secs(1));
    for round in 0..300_u16 {
        if round == 100 {
            assert_eq!(world.status(alice).relayed.expect("relayed").by, "service101");
            world.kill_service(0);
        }
        world.send(alice, bob, &round.to_be_bytes());
        world.send(bob, alice, &round.to_be_bytes());
        world.run_for(ms(20));
    }
    world.run_for(secs(1));
    for host in [alice, bob] {
        assert_eq!(world.status(host).relayed.expect("relayed").by, "service102");
        assert_eq!(world.received(host).len(), 300, "nothing is lost");
    }
}

fn is_direct(flight: &Flight) -> bool {
    flight.source.port() != 51821 && flight.destination.port() != 51821
}

#[test]
fn where_direct_datagrams_are_dropped_the_relay_carries_and_a_direct_path_takes_over_later() {
    let (mut world, alice, bob) = kept_apart();
    assert_eq!(
        (world.texts(bob, 0), world.texts(alice, 0)),
        (vec!["through".into()], vec!["and back".into()])
    );
    assert!(world.status(alice).relayed.is_some() && world.status(bob).relayed.is_some());

    world.loses = Box::new(|_| false);
    for _ in 0..60 {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(secs(1));
    }
    assert_eq!((world.status(alice).relayed, world.status(bob).relayed), (None, None));
    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.0.0.2"), at("10.0.0.1")));
    assert_eq!((world.received(alice).len(), world.received(bob).len()), (61, 61));
    assert_eq!(world.status(alice).handshakes, 1, "changing paths is no handshake");
}

#[test]
fn a_move_of_either_side_gets_away_from_the_relay_at_once() {
    let (mut world, alice, bob) = kept_apart();
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.7.0.2"]);
    world.send(bob, alice, b"moved");
    world.run_for(secs(2));
    assert_eq!(world.texts(alice, 1), ["moved"]);
    assert_eq!((world.status(alice).relayed, world.status(bob).relayed), (None, None));
}

#[test]
fn nothing_enters_by_the_relay_that_the_service_did_not_relay() {
    let (mut world, alice, _) = kept_apart();
    let relayed = |flight: &&Flight| (0x11..=0x14).contains(&flight.datagram[0]);
    let to_alice = |flight: &&Flight| flight.destination == at("10.0.0.1");
    let flight = world.trace.iter().filter(relayed).find(to_alice).expect("something was relayed").clone();
    let before = world.drops(alice, Discard::UnknownRelay);

    world.inject(at("10.66.0.6"), flight.destination, flight.datagram.clone());
    let mut other_slot = flight.datagram.clone();
    other_slot[3] ^= 2;
    world.inject(flight.source, flight.destination, other_slot);
    let mut plain = flight.datagram.clone();
    plain[..4].copy_from_slice(&[4, 0, 0, 0]);
    world.inject("[100:0:0:1::1]:1".parse().unwrap(), flight.destination, plain);
    world.inject(flight.source, flight.destination, flight.datagram);
    world.run_for(secs(1));

    assert_eq!(world.drops(alice, Discard::UnknownRelay) - before, 2);
    assert_eq!(world.drops(alice, Discard::MadeUpSource), 1);
    assert_eq!(world.received(alice).len(), 1, "and what was relayed once is not taken twice");
}
