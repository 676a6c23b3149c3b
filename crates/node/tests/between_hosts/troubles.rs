//! Moves at bad moments: during handshakes, rekeys and other moves, while asleep, behind a NAT that forgets.

use crate::world::{HostId, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Condition, Discard, Mover, Suspension};
use stead_wire::time::Duration;

/// Bob asks; alice is 10 ms away.
#[test]
fn a_move_during_the_first_handshake_costs_no_retry_timeout() {
    for after in [1, 5, 9, 11, 15, 19, 21, 29, 31, 35, 60] {
        let (mut world, alice, bob) = World::pair();
        world.send(bob, alice, b"first");
        world.run_for(ms(after));
        world.move_to(bob, &["10.7.0.2"]);
        world.run_for(ms(300));
        assert_eq!(world.texts(alice, 0), ["first"], "moved after {after} ms");
        world.send(alice, bob, b"answer");
        world.run_for(ms(300));
        assert_eq!(world.texts(bob, 0), ["answer"], "moved after {after} ms");
        assert_eq!(world.remote(alice), at("10.7.0.2"), "moved after {after} ms");
    }
}

/// The two are connected, and the initiation that renews their session has just been sent.
fn renewing(alice_begins: bool) -> (World, HostId, HostId) {
    let (mut world, alice, bob) = World::connected_pair();
    if alice_begins {
        // Whoever began the session renews it: let bob forget it, so that alice begins the next one.
        world.restart(bob);
        for _ in 0..30 {
            world.send(alice, bob, b"hello?");
            world.run_for(secs(1));
        }
    }
    let (initiations, initiator) = (world.initiations(), if alice_begins { alice } else { bob });
    for _ in 0..1300 {
        world.send(if initiator == alice { bob } else { alice }, initiator, b"tick");
        world.send(initiator, if initiator == alice { bob } else { alice }, b"tock");
        if world.initiations() > initiations {
            return (world, alice, bob);
        }
        world.run_for(ms(100));
    }
    panic!("nobody renewed the session");
}

#[test]
fn a_move_during_a_rekey_loses_nothing_whoever_began_it_and_whenever() {
    for alice_begins in [false, true] {
        for after in [0, 1, 9, 11, 19, 21, 29, 31, 45] {
            let (mut world, alice, bob) = renewing(alice_begins);
            world.run_for(ms(after));
            world.move_to(bob, &["10.7.0.2"]);
            world.send(bob, alice, b"moved");
            world.run_for(ms(300));
            world.send(alice, bob, b"seen");
            world.run_for(ms(300));

            let label = format!("alice begins: {alice_begins}, moved after {after} ms");
            assert_eq!(world.texts(alice, 0).last().unwrap(), "moved", "{label}");
            assert_eq!(world.texts(bob, 0).last().unwrap(), "seen", "{label}");
            assert_eq!(world.remote(alice), at("10.7.0.2"), "{label}");
            world.run_for(secs(20));
            assert_eq!(world.status(bob).condition, Condition::Proven, "{label}");
        }
    }
}

#[test]
fn a_move_in_the_middle_of_another_ends_at_the_last_place() {
    for after in [1, 9, 11, 19, 21, 29, 31, 39] {
        let (mut world, alice, bob) = World::connected_pair();
        world.move_to(bob, &["10.7.0.2"]);
        world.send(bob, alice, b"one");
        world.run_for(ms(after));
        world.move_to(bob, &["10.8.0.2"]);
        world.send(bob, alice, b"two");
        world.run_for(ms(400));
        world.send(alice, bob, b"three");
        world.run_for(ms(100));

        assert_eq!(world.remote(alice), at("10.8.0.2"), "after {after} ms");
        assert_eq!(world.texts(bob, 1), ["three"], "after {after} ms");
        assert_eq!(world.texts(alice, 1), ["one", "two"], "after {after} ms");
        assert_eq!(world.initiations(), 1);
        assert_eq!(world.drops(alice, Discard::StaleUpdate), 0);
    }
}

#[test]
fn a_second_announcement_has_as_much_time_as_the_first() {
    // Nothing returns to the first place, and the second is announced just before alice gives the first one up.
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = Box::new(|flight| flight.destination == at("10.7.0.2"));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(2950));
    world.move_to(bob, &["10.8.0.2"]);
    world.delay = ms(120);
    world.run_for(ms(10 + 2 * 120 + 20));

    assert_eq!(world.remote(alice), at("10.8.0.2"), "one round trip, though it is longer than what was left");
    let rtt = world.status(alice).path.unwrap().rtt;
    assert!(rtt.is_none_or(|rtt| rtt <= ms(250)), "{rtt:?}");
}

#[test]
fn a_mover_whose_every_echo_is_lost_is_found_though_nobody_has_anything_to_send() {
    let (mut world, alice, bob) = World::connected_pair();
    let moved = world.now;
    world.loses = Box::new(move |flight| {
        let elsewhere = flight.source == at("10.7.0.2") || flight.destination == at("10.7.0.2");
        elsewhere && flight.sent > moved + ms(15) && flight.sent < moved + secs(4)
    });
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(8));
    assert_eq!(world.remote(alice), at("10.7.0.2"));
}

#[test]
fn a_session_that_has_to_be_renewed_while_packets_are_held_is_renewed() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(100));
    world.send(bob, alice, b"young");
    world.run_for(secs(15));
    world.move_to(bob, &[]);
    for n in 0..70_u8 {
        world.send(bob, alice, &[b'a' + n % 26]);
        world.send(alice, bob, &[b'a' + n % 26]);
        world.run_for(secs(1));
    }
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Detached));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(1));

    assert_eq!(world.texts(alice, 2).len(), 70, "all that was held");
    world.send(alice, bob, b"found");
    world.run_for(secs(1));
    assert_eq!(world.texts(bob, 0).last().unwrap(), "found");
}

#[test]
fn a_mover_without_connections_but_with_persistent_keepalive_is_found() {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let mut settings = peer("alice", secret(1).public_key(), &[at("10.0.0.1")]);
    settings.persistent_keepalive = Some(secs(25));
    let bob = world.host(2, &["10.0.0.2"], vec![settings]);
    world.run_for(secs(60));
    assert!(world.connections(bob).is_empty());
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    world.send(alice, bob, b"hello");
    world.run_for(ms(200));

    assert_eq!(world.texts(bob, 0), ["hello"]);
    assert_eq!(world.remote(alice), at("10.7.0.2"));
}

#[test]
fn a_nat_that_rebinds_every_five_seconds_costs_the_other_side_one_packet_each_time() {
    let (mut world, alice, bob) = World::connected_pair();
    for round in 0..12_u16 {
        world.rebind_port(bob, 40_000 + round);
        for _ in 0..100 {
            world.send(bob, alice, b"up");
            world.send(alice, bob, b"down");
            world.run_for(ms(50));
        }
    }

    assert_eq!(world.texts(alice, 1).len(), 1200, "nothing of the sender behind the NAT is lost");
    let arrivals = world.received_at(bob);
    let gap = arrivals[1..].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(gap <= ms(100), "one packet of the other side's goes astray, and no more: {gap:?}");
    assert_eq!(world.initiations(), 1);
}

#[test]
fn a_host_that_wakes_behind_a_nat_that_forgot_it_is_reachable_at_once() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(60));
    world.rebind_port(bob, 40_000);
    world.attach(bob, &["10.0.0.2"], Cause::Woke);
    world.run_for(ms(100));
    world.send(alice, bob, b"good morning");
    world.run_for(ms(100));

    assert_eq!(world.texts(bob, 1), ["good morning"]);
    assert_eq!(world.initiations(), 1);
}

#[test]
fn an_address_that_comes_up_beside_the_one_in_use_moves_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    world.attach(bob, &["10.0.0.2", "10.9.0.2"], Cause::Changed);
    world.run_for(ms(100));
    assert_eq!(world.status(bob).moves_local, 0);

    // The peer uses our second address: what happens to a third is none of its concern.
    world.inject_as(alice, bob, at("10.9.0.2"));
    world.run_for(ms(100));
    let path = world.status(bob).path.unwrap();
    let before = world.trace.len();
    world.attach(bob, &["10.0.0.2", "10.9.0.2", "10.5.0.2"], Cause::Changed);
    assert_eq!(world.status(bob).path.unwrap(), path);
    assert_ne!(world.status(bob).condition, Condition::Held(Suspension::Moving));
    assert!(world.trace.len() - before <= 1, "the new point is told, no more");
}

#[test]
fn data_overtaken_by_a_move_does_not_call_the_mover_back() {
    // Both of bob's addresses work all the time; data from the old one arrives after the move.
    let (mut world, alice, bob) = World::connected_pair();
    world.disorder = Some(Box::new(|flight| {
        let data = flight.datagram.len() > 150 && flight.source == at("10.0.0.2");
        vec![if data { ms(80) } else { ms(10) }]
    }));
    world.send(bob, alice, &[b'x'; 200]);
    world.attach(bob, &["10.7.0.2", "10.0.0.2"], Cause::Changed);
    world.run_for(secs(5));

    assert_eq!(world.texts(alice, 1).len(), 1, "it arrives");
    assert_eq!((world.remote(alice), world.status(alice).moves_remote), (at("10.7.0.2"), 1));
    assert_eq!(world.status(bob).moves_local, 1);
}

#[test]
fn a_response_from_an_address_that_nobody_asked_does_not_move_an_enhanced_peer() {
    let (mut world, alice, bob) = World::connected_pair();
    for _ in 0..119 {
        world.send(bob, alice, b"tick");
        world.run_for(secs(1));
    }
    world.run_for(ms(700));
    // Somebody on the path is faster than alice, and sends her response on from a victim's address.
    let victim = "203.0.113.5:999".parse().unwrap();
    world.loses = Box::new(|flight| flight.datagram[0] == 2);
    let before = world.trace.len();
    world.send(bob, alice, b"this one renews");
    world.run_for(ms(15));
    let response = world.trace[before..].iter().find(|flight| flight.datagram[0] == 2).unwrap().clone();
    world.inject(victim, response.destination, response.datagram);
    world.run_for(ms(100));
    for _ in 0..20 {
        world.send(bob, alice, &[0; 1000]);
        world.run_for(ms(50));
    }

    assert_eq!(world.remote(bob), at("10.0.0.1"));
    assert_eq!(world.bytes_to(victim, before), 0);
    assert_eq!(world.texts(alice, 0).len(), 1 + 119 + 1 + 20);
}

#[test]
fn who_moved_is_told_right_for_every_kind_of_move() {
    let (mut world, alice, bob) = World::connected_pair();
    let movers = |world: &World, host| {
        let told = world.happenings(host).into_iter().filter_map(|what| match what {
            stead_node::Happening::PathMoved { from: Some(_), who, .. } => Some(who),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(movers(&world, bob), [Mover::Us]);
    assert_eq!(movers(&world, alice), [Mover::Peer]);
}
