//! What the services cost and what they are asked for: nothing for an ordinary move of the peer, and again and again
//! while a peer is looked for.

use crate::rendezvous::{SERVICE, acquainted};
use crate::world::{Flight, HostId, Mapping, Nat, World, at, ms, peer, secret, secs};
use stead_node::Cause;

const SERVICE_PORT: u16 = 51821;

/// Datagrams between the service and a host at `ip`, either way.
fn with_service(world: &World, ip: &str, from: usize) -> usize {
    let ip = at(ip).ip();
    let of = |flight: &&Flight| {
        (flight.source.ip() == ip && flight.destination.port() == SERVICE_PORT)
            || (flight.destination.ip() == ip && flight.source.port() == SERVICE_PORT)
    };
    world.trace[from..].iter().filter(of).count()
}

/// Alice, who looks for bob: nothing that bob sends or is sent arrives.
fn alice_looks_for_bob() -> (World, HostId) {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    let gone = at("10.0.0.2");
    world.loses = Box::new(move |flight| flight.source == gone || flight.destination == gone);
    world.move_to(alice, &["10.7.0.1"]);
    world.send(alice, bob, b"where are you?");
    (world, alice)
}

#[test]
fn figure_08_an_ordinary_move_of_a_public_peer_costs_the_other_side_nothing_at_the_service() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    let before = world.trace.len();
    for n in 0..100_u8 {
        if n == 25 {
            world.move_to(bob, &[]);
        }
        if n == 30 {
            world.move_to(bob, &["10.8.0.2"]);
        }
        world.send(bob, alice, &[n]);
        world.send(alice, bob, &[n]);
        world.run_for(ms(20));
    }
    world.run_for(secs(5));

    assert_eq!((world.remote(alice), world.received(alice).len()), (at("10.8.0.2"), 101));
    assert_eq!(with_service(&world, "10.0.0.1", before), 0, "the peer that stays asks nobody");
    let mover = with_service(&world, "10.8.0.2", before);
    assert!(mover <= 4, "publication, receipt, and the proof of the new address: {mover}");
}

#[test]
fn a_move_that_two_round_trips_do_not_prove_is_looked_up() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    let before = world.trace.len();
    let new = at("10.8.0.2");
    // The peer's update arrives, and nothing that answers it.
    world.loses = Box::new(move |flight| flight.destination == new && flight.source.port() != SERVICE_PORT);
    world.move_to(bob, &["10.8.0.2"]);
    world.send(bob, alice, b"here I am");
    world.run_for(ms(150));
    assert_eq!(with_service(&world, "10.0.0.1", before), 0);
    world.run_for(ms(400));
    assert!(with_service(&world, "10.0.0.1", before) > 0);
}

#[test]
fn a_service_that_starts_anew_during_a_search_is_told_all_again_within_a_second() {
    let (mut world, alice) = alice_looks_for_bob();
    world.run_for(ms(1700));
    assert_eq!(world.service_status(alice)[0].handshakes, 1);
    world.kill_service(0);
    world.start_service(0);
    world.run_for(ms(800));
    let service = &world.service_status(alice)[0];
    assert_eq!((service.registered, service.handshakes), (1, 2));
}

#[test]
fn a_service_that_was_away_is_found_within_half_a_second_while_a_search_is_young() {
    for away in [700, 3300, 7900] {
        let (mut world, alice) = alice_looks_for_bob();
        world.run_for(ms(500));
        world.kill_service(0);
        world.run_for(ms(away));
        let before = world.trace.len();
        world.start_service(0);
        world.run_for(ms(450));
        assert_eq!(world.service_status(alice)[0].handshakes, 2, "away for {away} ms");
        assert!(with_service(&world, "10.7.0.1", before) > 0);
    }
}

#[test]
fn a_service_that_answers_handshakes_and_nothing_else_is_asked_less_and_less() {
    let (mut world, _) = alice_looks_for_bob();
    let before = world.trace.len();
    let gone = at("10.0.0.2");
    world.loses = Box::new(move |flight| {
        let mute = flight.source.port() == SERVICE_PORT && flight.datagram[0] == 4;
        mute || flight.source == gone || flight.destination == gone
    });
    world.run_for(secs(25));
    let asked: Vec<u8> = world.trace[before..]
        .iter()
        .filter(|flight| flight.source == at("10.7.0.1") && flight.destination.port() == SERVICE_PORT)
        .map(|flight| flight.datagram[0])
        .collect();
    let initiations = asked.iter().filter(|kind| **kind == 1).count();
    assert!((3..=9).contains(&initiations), "{initiations} initiations in 25 s");
    assert!(asked.len() < 80, "{} datagrams in 25 s", asked.len());
}

#[test]
fn news_of_a_place_that_is_asked_already_has_it_asked_again() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    world.nat(alice, Some(Nat::new("198.51.100.1", Mapping::EndpointIndependent)));
    world.attach(alice, &["10.0.0.1"], Cause::Woke);
    world.send(alice, bob, b"from behind a NAT");
    world.run_for(secs(5));
    world.loses =
        Box::new(|flight| flight.source.port() != SERVICE_PORT && flight.destination.port() != SERVICE_PORT);
    let began = world.now;
    world.attach(bob, &["10.0.0.2"], Cause::Woke);
    world.run_for(ms(500));
    world.attach(bob, &["10.0.0.2"], Cause::Woke);
    world.run_for(secs(2));

    let asked_again = |flight: &&Flight| {
        let since = flight.sent - began;
        flight.destination == at("10.0.0.2") && since > ms(900) && since < ms(1500)
    };
    assert!(world.trace.iter().filter(asked_again).count() >= 4, "a burst, not the end of the last one");
}

#[test]
fn a_nat_that_rebinds_soon_after_a_move_is_published_as_soon_as_that_may_be() {
    let mut world = World::new();
    world.service(101, SERVICE);
    let peers = vec![peer("bob", secret(2).public_key(), &[]), peer("carol", secret(3).public_key(), &[])];
    let alice = world.host(1, &[], peers);
    let bob = world.host(2, &[], vec![peer("alice", secret(1).public_key(), &[])]);
    world.nat(alice, Some(Nat::new("198.51.100.1", Mapping::EndpointIndependent)));
    world.nat(bob, Some(Nat::new("198.51.100.2", Mapping::EndpointIndependent)));
    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(secs(15));
    let moved = world.now;
    world.move_to(alice, &["10.0.0.1"]);
    world.run_for(secs(2));

    world.reboot_nat(alice);
    let nobody = secret(3).public_key().virtual_address();
    let packet = crate::world::udp(world.virtual_address(alice), nobody, b"anyone there?");
    world.send_packet(alice, &packet);
    world.run_for(secs(12));

    let told = world.trace.iter().filter(|flight| {
        let since = flight.sent - moved;
        let to_bob = flight.destination.ip() == at("198.51.100.2").ip();
        flight.source.port() == SERVICE_PORT && to_bob && since >= secs(10) && since < ms(10_300)
    });
    assert!(told.count() > 0, "bob hears of the new place");
}
