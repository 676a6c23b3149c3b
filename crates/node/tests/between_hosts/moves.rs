//! Moves of one end while the other can be reached: seed 001 figures 8 and 9, seed 002 claims 1 to 19.

use crate::world::{HostId, PORT, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Condition, Discard, Happening, Mover, Suspension};

/// Alice has both families; bob starts with IPv4. Both know each other after a packet each way.
fn dual_stack_pair() -> (World, HostId, HostId) {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1", "2001:db8::1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(bob, alice, b"hello");
    world.run_for(ms(200));
    world.send(alice, bob, b"hello yourself");
    world.run_for(ms(200));
    (world, alice, bob)
}

#[test]
fn figure_9_one_update_one_acknowledgement_and_both_resume() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.trace.len();
    world.move_to(bob, &["10.7.0.2"]);
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Moving));
    world.run_for(ms(100));

    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert!(world.status(alice).path.expect("a path").validated);
    assert_eq!(world.status(bob).condition, Condition::Proven);
    assert_eq!(world.trace.len() - before, 3, "CU, CUA, and the echo of the CUA's challenge");
    assert_eq!(world.initiations(), 1, "a move costs no handshake");
    assert_eq!((world.status(alice).moves_remote, world.status(bob).moves_local), (1, 1));
}

#[test]
fn the_migrator_resumes_after_one_round_trip_and_the_non_migrator_half_a_one_later() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    let moved = world.now;
    world.move_to(bob, &["10.7.0.2"]);
    world.send(bob, alice, b"from the new place");
    world.run_for(ms(12));
    world.send(alice, bob, b"to the new place");
    world.run_for(ms(200));

    let arrived = |host| *world.received_at(host).last().expect("something") - moved;
    assert_eq!(arrived(alice), world.delay * 3, "there, back, and the packet itself");
    assert_eq!(arrived(bob), world.delay * 4, "the echo has to reach alice first");
}

#[test]
fn the_table_keeps_the_original_specification_and_moves_the_current_one() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.connections(alice)[0].row;
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    let after = world.connections(alice)[0].row;
    assert_eq!(after.original, before.original);
    assert_eq!(after.token, before.token);
    assert_eq!((before.remote, after.remote), (at("10.0.0.2"), at("10.7.0.2")));
    assert_ne!(after.path, before.path);
    assert_eq!(after.moves, 1);
    assert_eq!(world.connections(bob)[0].row.local, Some(at("10.7.0.2")));
}

#[test]
fn packets_sent_during_a_move_are_held_and_arrive_in_order() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &[]);
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Detached));
    for n in 0..50_u8 {
        world.send(bob, alice, &[n]);
        world.run_for(ms(20));
    }
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    let received: Vec<u8> = world.received(alice)[1..].iter().map(|payload| payload[0]).collect();
    assert_eq!(received, (0..50).collect::<Vec<u8>>());
}

#[test]
fn a_mover_with_nothing_to_send_is_found_all_the_same() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(50));
    world.send(alice, bob, b"only alice talks");
    world.run_for(ms(50));
    assert_eq!(world.received(bob).last().unwrap(), b"only alice talks");
}

#[test]
fn from_ipv4_to_ipv6_and_back() {
    let (mut world, alice, bob) = dual_stack_pair();
    world.move_to(bob, &["2001:db8:7::2"]);
    world.send(bob, alice, b"over six");
    world.run_for(ms(100));
    assert_eq!(world.received(alice).last().unwrap(), b"over six");
    assert_eq!(world.remote(bob), at("2001:db8::1"), "learned from the attachment points alice told");
    assert_eq!(world.remote(alice), at("2001:db8:7::2"));

    world.move_to(bob, &["10.0.0.2"]);
    world.send(bob, alice, b"over four");
    world.run_for(ms(100));
    assert_eq!(world.received(alice).last().unwrap(), b"over four");
    assert_eq!(world.remote(alice), at("10.0.0.2"), "back where it was");
    assert_eq!(world.initiations(), 1);
}

#[test]
fn from_ipv6_to_another_ipv6() {
    let (mut world, alice, bob) = dual_stack_pair();
    for place in ["2001:db8:7::2", "2001:db8:8::2"] {
        world.move_to(bob, &[place]);
        world.send(alice, bob, b"x");
        world.run_for(ms(100));
        assert_eq!(world.remote(alice), at(place));
    }
}

#[test]
fn the_other_end_may_move_too_one_after_the_other() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    world.move_to(alice, &["10.8.0.1"]);
    world.run_for(ms(100));
    world.send(bob, alice, b"a");
    world.send(alice, bob, b"b");
    world.run_for(ms(100));
    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.7.0.2"), at("10.8.0.1")));
    assert_eq!(world.received(alice).last().unwrap(), b"a");
    assert_eq!(world.received(bob).last().unwrap(), b"b");
}

#[test]
fn a_changed_port_alone_is_noticed_by_data_and_believed_after_a_request() {
    let (mut world, alice, bob) = World::connected_pair();
    world.rebind_port(bob, 40_000);
    world.send(bob, alice, b"still me");
    world.run_for(ms(10));
    assert_eq!(world.remote(alice), at("10.0.0.2"), "one packet moves nothing");
    world.run_for(ms(100));

    let rebound = "10.0.0.2:40000".parse().unwrap();
    assert_eq!(world.remote(alice), rebound);
    assert_eq!(world.status(alice).public, Some(false), "it claims another port");
    world.send(alice, bob, b"so it is");
    world.run_for(ms(100));
    assert_eq!(world.received(bob).last().unwrap(), b"so it is");
    assert_eq!(world.initiations(), 1);
}

#[test]
fn a_move_survives_any_single_loss() {
    // The move takes three datagrams; lose each in turn.
    for lost in 0..3 {
        let (mut world, alice, bob) = World::connected_pair();
        let mut seen = 0;
        world.loses = Box::new(move |_| {
            seen += 1;
            seen == lost + 1
        });
        world.move_to(bob, &["10.7.0.2"]);
        world.run_for(secs(3));
        world.send(alice, bob, b"there?");
        world.run_for(ms(100));
        assert_eq!(world.remote(alice), at("10.7.0.2"), "datagram {lost} lost");
        assert_eq!(world.received(bob).last().unwrap(), b"there?", "datagram {lost} lost");
    }
}

#[test]
fn a_move_survives_heavy_loss() {
    let (mut world, alice, bob) = World::connected_pair();
    let mut state = 12_345_u32;
    world.loses = Box::new(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24 < 77
    });
    for place in 3..20 {
        world.move_to(bob, &[&format!("10.7.0.{place}")]);
        world.run_for(secs(5));
        assert_eq!(world.remote(alice), at(&format!("10.7.0.{place}")));
    }
}

#[test]
fn an_older_update_never_undoes_a_newer_one_whatever_the_order() {
    let (mut world, alice, bob) = World::connected_pair();
    // The first move's update is caught and kept; only the second move's arrives.
    let before = world.trace.len();
    world.loses = Box::new(|_| true);
    world.move_to(bob, &["10.7.0.2"]);
    let first = world.trace[before].clone();
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.8.0.2"]);
    world.run_for(ms(200));
    assert_eq!(world.remote(alice), at("10.8.0.2"));

    world.inject(first.source, first.destination, first.datagram);
    world.run_for(secs(10));
    assert_eq!(world.remote(alice), at("10.8.0.2"));
    assert_eq!(world.drops(alice, Discard::StaleUpdate), 1);
}

#[test]
fn replayed_and_forged_updates_change_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(200));
    let connections = world.connections(alice)[0].row;
    let elsewhere = "203.0.113.5:999".parse().unwrap();
    for flight in world.trace.clone() {
        world.inject(elsewhere, flight.destination, flight.datagram.clone());
        let mut forged = flight.datagram;
        let last = forged.len() - 1;
        forged[last] ^= 1;
        world.inject(elsewhere, flight.destination, forged);
    }
    let before = world.trace.len();
    world.run_for(secs(1));
    assert_eq!(world.bytes_to(elsewhere, before), 0);
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert_eq!(world.connections(alice)[0].row.remote, connections.remote);
    assert_eq!(world.connections(alice)[0].row.moves, connections.moves);
}

#[test]
fn an_update_re_sourced_by_an_attacker_gets_three_bytes_per_byte_and_no_path() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.trace.len();
    world.loses = Box::new(|flight| flight.source == at("10.7.0.2"));
    world.move_to(bob, &["10.7.0.2"]);
    let update = world.trace[before].clone();
    // The attacker is on the path and faster: the first copy that alice sees comes from a victim's address.
    let victim = "203.0.113.5:999".parse().unwrap();
    world.inject(victim, update.destination, update.datagram.clone());
    world.run_for(ms(90));
    let reflected = world.bytes_to(victim, before);
    assert!(reflected > 0 && reflected <= 3 * update.datagram.len(), "{reflected} bytes");
    assert_ne!(world.remote(alice), victim);

    // Bob repeats his update, and is believed.
    world.loses = Box::new(|_| false);
    world.run_for(secs(2));
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert!(world.bytes_to(victim, before) <= 3 * update.datagram.len());
}

#[test]
fn data_re_sourced_by_an_attacker_moves_nothing_and_costs_little() {
    let (mut world, alice, bob) = World::connected_pair();
    let victim = "203.0.113.5:999".parse().unwrap();
    let before = world.trace.len();
    let mut injected = 0;
    for n in 0..50_u8 {
        world.loses = Box::new(|_| true);
        world.send(bob, alice, &[n; 100]);
        let flight = world.trace.last().unwrap().clone();
        world.loses = Box::new(|_| false);
        injected += flight.datagram.len();
        world.inject(victim, flight.destination, flight.datagram);
        world.run_for(ms(50));
    }
    assert_eq!(world.remote(alice), at("10.0.0.2"));
    assert!(world.bytes_to(victim, before) <= 3 * injected);
    world.send(alice, bob, b"still here");
    world.run_for(ms(100));
    assert_eq!(world.received(bob).last().unwrap(), b"still here");
}

#[test]
fn a_move_that_is_never_proven_leaves_the_old_path() {
    let (mut world, alice, bob) = World::connected_pair();
    // Updates get through, but nothing ever reaches the new place.
    world.loses = Box::new(|flight| flight.destination == at("10.7.0.2"));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(50));
    assert_eq!(world.status(alice).condition, Condition::Held(Suspension::PeerMoving));
    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(secs(10));
    world.send(alice, bob, b"back");
    world.run_for(ms(100));
    assert_eq!(world.remote(alice), at("10.0.0.2"));
    assert_eq!(world.received(bob).last().unwrap(), b"back");
}

#[test]
fn waking_where_it_slept_a_host_makes_sure_of_its_path_without_holding_anything() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(60));
    let before = world.trace.len();
    world.attach(bob, &["10.0.0.2"], Cause::Woke);
    assert_ne!(world.status(bob).condition, Condition::Held(Suspension::Moving));
    world.run_for(ms(100));
    assert!(world.trace.len() > before, "it asked");
    assert_eq!(world.remote(alice), at("10.0.0.2"));
}

#[test]
fn after_an_outage_longer_than_the_session_the_handshake_comes_from_the_new_place() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(30));
    world.move_to(bob, &[]);
    world.run_for(secs(1000));
    world.send(bob, alice, b"what did I miss?");
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(1));
    assert_eq!(world.received(alice).last().unwrap(), b"what did I miss?");
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert_eq!(world.initiations(), 2);
    assert_eq!((world.status(bob).moves_local, world.status(alice).moves_remote), (1, 1));
}

#[test]
fn a_peer_without_connections_is_told_with_the_next_packet() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(170));
    world.send(bob, alice, b"keeps the session in use");
    world.run_for(secs(185));
    assert!(world.connections(bob).is_empty(), "the connection ended by silence");
    world.send(bob, alice, b"new session");
    world.run_for(secs(1));

    let events = world.happenings(bob).len();
    world.move_to(bob, &["10.7.0.2"]);
    world.send(bob, alice, b"from elsewhere");
    world.run_for(ms(100));
    assert_eq!(world.received(alice).last().unwrap(), b"from elsewhere");
    assert!(
        world.happenings(bob)[events..]
            .iter()
            .any(|what| matches!(what, Happening::PathMoved { who: Mover::Us, .. }))
    );
}

#[test]
fn back_and_forth_within_two_seconds() {
    let (mut world, alice, bob) = World::connected_pair();
    for place in ["10.7.0.2", "10.0.0.2", "10.7.0.2", "10.0.0.2"] {
        world.move_to(bob, &[place]);
        world.run_for(ms(400));
        world.send(alice, bob, place.as_bytes());
        world.run_for(ms(50));
        assert_eq!(world.received(bob).last().unwrap(), place.as_bytes());
    }
    assert_eq!(world.status(bob).moves_local, 4);
    assert_eq!(world.remote(alice).port(), PORT);
}
