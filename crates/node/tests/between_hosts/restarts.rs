//! What goes on when one end starts anew, or both start at once, or there is no network to start with.

use crate::world::{HostId, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Discard};

/// Both know where the other is.
fn acquainted() -> (World, HostId, HostId) {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[at("10.0.0.2")])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    (world, alice, bob)
}

#[test]
fn both_ask_for_a_session_at_the_same_moment_and_both_are_served() {
    let (mut world, alice, bob) = acquainted();
    world.send(alice, bob, b"from alice");
    world.send(bob, alice, b"from bob");
    world.run_for(ms(100));

    assert_eq!(world.texts(alice, 0), ["from bob"]);
    assert_eq!(world.texts(bob, 0), ["from alice"]);
    world.run_for(secs(60));
    assert_eq!(world.initiations(), 2, "neither asks again");
}

#[test]
fn after_both_asked_at_once_either_can_move_and_move_again() {
    let (mut world, alice, bob) = acquainted();
    world.send(alice, bob, b"from alice");
    world.send(bob, alice, b"from bob");
    world.run_for(ms(100));
    for place in 3..6 {
        world.move_to(bob, &[&format!("10.7.0.{place}")]);
        world.run_for(ms(200));
        world.move_to(alice, &[&format!("10.8.0.{place}")]);
        world.run_for(ms(200));
    }

    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.7.0.5"), at("10.8.0.5")));
    assert_eq!(world.drops(alice, Discard::StaleUpdate) + world.drops(bob, Discard::StaleUpdate), 0);
    assert_eq!(world.initiations(), 2);
}

#[test]
fn updates_in_whatever_session_they_come_keep_their_order() {
    // Alice's response is late, so the ends disagree about which of the two sessions is the newer one.
    let (mut world, alice, bob) = acquainted();
    world.disorder = Some(Box::new(|flight| {
        let late = flight.datagram[0] == 2 && flight.source == at("10.0.0.1");
        vec![if late { ms(70) } else { ms(10) }]
    }));
    world.send(alice, bob, b"from alice");
    world.send(bob, alice, b"from bob");
    world.run_for(ms(35));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(1));
    world.move_to(bob, &["10.7.0.3"]);
    world.run_for(secs(1));

    assert_eq!(world.remote(alice), at("10.7.0.3"));
    assert_eq!(world.drops(alice, Discard::StaleUpdate), 0);
}

#[test]
fn a_restarted_host_with_something_to_send_is_heard_at_once() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.run_for(secs(5));
    world.restart(bob);
    let restarted = world.now;
    world.send(bob, alice, b"back again");
    world.run_for(ms(200));

    assert_eq!(world.texts(alice, 1), ["back again"]);
    assert_eq!(*world.received_at(alice).last().unwrap() - restarted, world.delay * 3);
    world.send(alice, bob, b"welcome");
    world.run_for(ms(200));
    assert_eq!(world.texts(bob, 1), ["welcome"]);
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(200));
    assert_eq!(world.remote(alice), at("10.7.0.2"), "its updates are newer than those before the restart");
}

#[test]
fn a_restarted_host_with_nothing_to_send_is_found_when_its_silence_is_noticed() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(5));
    world.restart(bob);
    let restarted = world.now;
    for n in 0..40_u8 {
        world.send(alice, bob, &[n]);
        world.run_for(ms(50));
    }

    let gap = world.received_at(bob)[1] - restarted;
    assert!(gap <= ms(900), "unanswered packets, unanswered challenges, and a handshake; not {gap:?}");
    assert_eq!(world.texts(bob, 1).len(), 40 - 12, "those sent before the doubt are lost");
    assert!(world.drops(bob, Discard::UnknownSession) > 0);
}

#[test]
fn both_restart_at_the_same_moment_and_go_on_with_the_next_packet() {
    let (mut world, alice, bob) = acquainted();
    world.send(bob, alice, b"hello");
    world.run_for(secs(5));
    world.restart(alice);
    world.restart(bob);
    let restarted = world.now;
    for n in 0..40_u8 {
        world.send(alice, bob, &[n]);
        world.send(bob, alice, &[n]);
        world.run_for(ms(20));
    }

    assert_eq!((world.received(alice).len(), world.received(bob).len()), (1 + 40, 40), "and nothing is lost");
    let first = world.received_at(alice)[1] - restarted;
    assert!(first <= world.delay * 4, "{first:?}");
}

#[test]
fn a_restarted_host_that_moved_before_finds_its_peer_and_moves_again() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(1));
    world.restart(bob);
    world.send(bob, alice, b"again");
    world.run_for(ms(200));
    world.move_to(bob, &["10.8.0.2"]);
    world.run_for(ms(200));
    world.send(alice, bob, b"found");
    world.run_for(ms(200));

    assert_eq!(world.texts(bob, 1), ["found"]);
    assert_eq!(world.remote(alice), at("10.8.0.2"));
}

#[test]
fn a_packet_sent_before_there_was_any_network_goes_when_there_is_one() {
    let (mut world, alice, bob) = acquainted();
    world.attach(bob, &[], Cause::Changed);
    world.send(bob, alice, b"early");
    world.run_for(secs(300));
    assert_eq!(world.texts(alice, 0), [""; 0]);

    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(ms(100));
    assert_eq!(world.texts(alice, 0), ["early"]);
}

#[test]
fn persistent_keepalive_begins_when_the_network_comes_and_not_an_interval_later() {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let mut settings = peer("alice", secret(1).public_key(), &[at("10.0.0.1")]);
    settings.persistent_keepalive = Some(secs(25));
    let bob = world.host(2, &[], vec![settings]);
    world.run_for(secs(3));
    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(ms(100));

    assert_eq!(world.status(alice).handshakes, 1);
    assert_eq!(world.remote(alice), at("10.0.0.2"));
}

#[test]
fn a_clock_that_jumps_by_a_day_fires_each_timer_once() {
    let (mut world, alice, bob) = World::connected_pair();
    world.send(bob, alice, b"before");
    world.run_for(ms(50));
    let before = world.trace.len();
    world.now += secs(86_400);
    world.run_for(ms(100));
    let sent = world.trace.len() - before;
    assert!(sent <= 8, "a handshake from either side and no burst, not {sent} datagrams");

    world.send(bob, alice, b"after");
    world.run_for(ms(200));
    assert_eq!(world.texts(alice, 1), ["before", "after"]);
}

#[test]
fn a_host_restarted_with_its_clock_set_back_is_asked_in_its_stead() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.run_for(secs(5));
    world.calendar_behind = secs(3600);
    world.restart(bob);
    let restarted = world.now;
    world.send(bob, alice, b"back again, an hour ago");
    world.run_for(secs(1));

    assert_eq!(world.texts(alice, 1), ["back again, an hour ago"]);
    let took = *world.received_at(alice).last().unwrap() - restarted;
    assert_eq!(took, world.delay * 5, "refused, asked, answered, confirmed, and the packet itself");
    world.send(alice, bob, b"welcome");
    world.run_for(ms(200));
    assert_eq!(world.texts(bob, 1), ["welcome"]);
    for place in ["10.7.0.2", "10.7.0.3"] {
        world.move_to(bob, &[place]);
        world.run_for(ms(500));
        assert_eq!(world.remote(alice), at(place), "its updates are heard, too");
    }
}

#[test]
fn initiations_replayed_cost_a_datagram_now_and_then_to_the_peer_and_none_to_the_attacker() {
    let (mut world, alice, bob) = World::connected_pair();
    let old = world.trace.iter().find(|flight| flight.datagram[0] == 1).expect("bob asked").clone();
    for n in 0..15 {
        world.run_for(secs(10));
        world.send(bob, alice, &[n]);
    }
    assert!(world.status(alice).handshakes >= 2, "there is a newer one");
    let (attacker, before) = (at("6.6.6.6"), world.trace.len());
    for _ in 0..200 {
        world.inject(attacker, at("10.0.0.1"), old.datagram.clone());
        world.run_for(ms(100));
    }

    assert_eq!(world.bytes_to(attacker, before), 0);
    let asked: Vec<_> = world.trace[before..].iter().filter(|flight| flight.datagram[0] == 1).collect();
    assert!(asked.iter().all(|flight| flight.destination == at("10.0.0.2")));
    assert_eq!(asked.len(), 4, "one in five seconds");
    assert_eq!(world.remote(alice), at("10.0.0.2"));
    world.send(alice, bob, b"still here");
    world.run_for(ms(100));
    assert_eq!(world.texts(bob, 1), ["still here"]);
}

#[test]
fn a_copy_of_the_newest_initiation_asks_nobody() {
    let (mut world, alice, _) = World::connected_pair();
    let initiation = world.trace.iter().find(|flight| flight.datagram[0] == 1).expect("bob asked").clone();
    world.inject(initiation.source, initiation.destination, initiation.datagram);
    world.run_for(secs(1));

    assert_eq!((world.initiations(), world.drops(alice, Discard::ReplayedHandshake)), (1, 1));
}

#[test]
fn connections_that_outlived_both_programs_bring_them_together_though_only_the_other_has_something_to_say() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(5));
    world.restart(alice);
    world.restart(bob);
    let (before, now, there) = (world.initiations(), world.now, world.virtual_address(alice));
    world.node(bob).handle_survivors(&[there.into(), there.into(), "192.0.2.9".parse().unwrap()], now);
    // The world lets out what a node has to say when it hands it something.
    world.attach(bob, &["10.0.0.2"], Cause::Start);
    world.run_for(ms(100));
    world.send(alice, bob, b"where was I");
    world.run_for(ms(100));

    assert_eq!(world.texts(bob, 1), ["where was I"], "alice knows of no place where bob could be");
    assert_eq!(world.initiations() - before, 1);
}
