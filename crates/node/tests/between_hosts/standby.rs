//! Make before break: hosts in two networks, of which the second is ready when the first goes.

use crate::world::{Flight, Further, HostId, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Happening};
use stead_wire::time::Duration;

const HOME: &str = "10.0.0.2";
const CAFE: &str = "10.7.0.2";
const PHONE: &str = "10.8.0.2";

fn beside(standby: &[&'static str]) -> Further {
    Further { standby: standby.to_vec(), metered: Vec::new() }
}

/// As a phone's network is: there, but dear.
fn dear(standby: &[&'static str], metered: &[&'static str]) -> Further {
    Further { standby: standby.to_vec(), metered: metered.to_vec() }
}

/// Bob is at home, with a second network beside it that both have proven.
fn pair_with_standby() -> (World, HostId, HostId) {
    let (mut world, alice, bob) = World::connected_pair();
    world.attach_to(bob, &[HOME], &beside(&[PHONE]), Cause::Changed);
    world.run_for(ms(100));
    (world, alice, bob)
}

/// Both send a packet every 5 ms for `duration`; each names its number.
fn converse(world: &mut World, (alice, bob): (HostId, HostId), duration: Duration) -> u32 {
    let end = world.now + duration;
    let mut number = 0_u32;
    while world.now < end {
        world.send(alice, bob, &number.to_be_bytes());
        world.send(bob, alice, &number.to_be_bytes());
        number += 1;
        world.run_for(ms(5));
    }
    number
}

fn suspensions(world: &World, host: HostId) -> usize {
    world.happenings(host).iter().filter(|what| matches!(what, Happening::Suspended { .. })).count()
}

fn through(flight: &Flight, place: &str) -> bool {
    flight.source == at(place) || flight.destination == at(place)
}

/// Datagrams since `from` that came from or went to a place.
fn datagrams(world: &World, place: &str, from: usize) -> usize {
    world.trace[from..].iter().filter(|flight| through(flight, place)).count()
}

#[test]
fn a_second_network_is_proven_by_both_ends_when_it_comes_up() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    let before = world.trace.len();
    world.attach_to(bob, &[HOME], &beside(&[PHONE]), Cause::Changed);
    world.run_for(ms(100));

    let (ours, theirs) = (world.status(bob).standby, world.status(alice).standby);
    assert_eq!((ours.len(), theirs.len()), (1, 1), "{ours:?} {theirs:?}");
    assert_eq!((ours[0].local, ours[0].remote), (Some(PHONE.parse().unwrap()), at("10.0.0.1")));
    assert_eq!(ours[0].rtt, Some(ms(20)));
    assert_eq!(theirs[0].remote, at(PHONE));
    assert!(ours[0].proven.is_some() && theirs[0].proven.is_some());
    assert_eq!(datagrams(&world, PHONE, before), 3, "asked, answered and asked back, answered");
    assert_eq!((world.remote(alice), suspensions(&world, alice)), (at(HOME), 0), "nothing has moved");
}

#[test]
fn a_standby_path_costs_nothing_while_nobody_speaks_and_little_while_somebody_does() {
    let (mut world, alice, bob) = pair_with_standby();
    world.run_for(secs(60));
    let before = world.trace.len();
    world.run_for(secs(3600));
    assert_eq!(world.trace.len(), before, "an idle pair is silent");

    for _ in 0..600 {
        world.send(bob, alice, b"tick");
        world.run_for(ms(500));
    }
    let asked = datagrams(&world, PHONE, before);
    assert!((3 * 9..=3 * 14).contains(&asked), "{asked} datagrams in five minutes");
}

#[test]
fn when_the_network_in_use_goes_packets_flow_over_the_other_at_once() {
    let (mut world, alice, bob) = pair_with_standby();
    converse(&mut world, (alice, bob), secs(1));
    let (heard, sent) = (world.received(alice).len(), world.received(bob).len());
    world.move_to(bob, &[PHONE]);
    let moved = world.now;
    let number = converse(&mut world, (alice, bob), secs(1));
    world.run_for(ms(100));

    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (0, 0));
    let first = world.received_at(alice).into_iter().find(|at| *at > moved + world.delay).unwrap();
    assert!(first - moved <= world.delay + ms(5), "no round trip is waited for: {:?}", first - moved);
    assert!(world.received(alice).len() - heard >= number as usize, "nothing of the mover's is lost");
    let lost = number as usize - (world.received(bob).len() - sent).min(number as usize);
    assert!(lost <= 4, "what was on its way to the old place, and what went until the update came: {lost}");
    assert_eq!((world.remote(alice), world.initiations()), (at(PHONE), 1));
    assert_eq!((world.status(alice).moves_remote, world.status(bob).moves_local), (1, 1));
}

#[test]
fn a_better_network_is_moved_to_once_it_is_proven_and_nobody_notices() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(1));
    world.attach_to(bob, &[CAFE], &beside(&[HOME]), Cause::Changed);
    let number = converse(&mut world, (alice, bob), secs(1)) as usize;
    world.run_for(ms(100));

    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (0, 0));
    assert_eq!(
        (world.received(alice).len(), world.received(bob).len()),
        (1 + 200 + number, 1 + 200 + number)
    );
    assert_eq!((world.remote(alice), world.status(bob).path.unwrap().local), (at(CAFE), Some(at(CAFE))));
    assert_eq!((world.status(alice).moves_remote, world.status(bob).moves_local), (1, 1));
}

#[test]
fn packets_keep_their_order_over_a_move_between_paths_of_one_length() {
    let (mut world, alice, bob) = pair_with_standby();
    world.attach_to(bob, &[PHONE], &beside(&[HOME]), Cause::Changed);
    let number = converse(&mut world, (alice, bob), ms(500));
    world.run_for(ms(100));
    let expected: Vec<Vec<u8>> = (0..number).map(|n| n.to_be_bytes().to_vec()).collect();
    for host in [alice, bob] {
        assert_eq!(world.received(host)[1..], expected, "in order, and each once");
    }
}

#[test]
fn a_better_network_that_leads_nowhere_is_not_moved_to() {
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = Box::new(|flight| through(flight, CAFE));
    world.attach_to(bob, &[CAFE], &beside(&[HOME]), Cause::Changed);
    let number = converse(&mut world, (alice, bob), secs(10)) as usize;
    world.run_for(ms(100));
    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (0, 0));
    assert_eq!((world.received(alice).len(), world.received(bob).len()), (1 + number, 1 + number));
    assert_eq!(world.remote(alice), at(HOME));

    // A captive portal was passed, or a NAT came up.
    world.loses = Box::new(|_| false);
    converse(&mut world, (alice, bob), secs(30));
    assert_eq!((world.remote(alice), suspensions(&world, alice)), (at(CAFE), 0));
}

#[test]
fn a_leap_to_a_path_that_died_since_its_proof_is_held_and_comes_back() {
    let (mut world, alice, bob) = pair_with_standby();
    world.loses = Box::new(|flight| through(flight, PHONE));
    world.move_to(bob, &[PHONE]);
    let moved = world.now;
    converse(&mut world, (alice, bob), ms(500));
    assert_eq!(suspensions(&world, bob), 1, "within half a second it is known");
    world.loses = Box::new(|_| false);
    converse(&mut world, (alice, bob), secs(1));

    assert_eq!(world.remote(alice), at(PHONE));
    let last = *world.received_at(bob).last().unwrap();
    assert!(last - moved > secs(1), "it flows again");
}

#[test]
fn a_path_that_falls_silent_without_a_word_is_left_for_the_other() {
    let (mut world, alice, bob) = pair_with_standby();
    converse(&mut world, (alice, bob), secs(1));
    let silent = world.now;
    // The cable is in, but nothing passes.
    world.loses = Box::new(|flight| through(flight, HOME));
    converse(&mut world, (alice, bob), secs(5));
    for host in [alice, bob] {
        let resumed = world.received_at(host).into_iter().find(|at| *at > silent + ms(20)).unwrap() - silent;
        assert!(resumed <= ms(1000), "{resumed:?}");
    }
    assert_eq!(world.remote(alice), at(PHONE));

    // The preferred one works again, and is moved to without anybody noticing.
    world.loses = Box::new(|_| false);
    let (alices, bobs) = (suspensions(&world, alice), suspensions(&world, bob));
    converse(&mut world, (alice, bob), secs(40));
    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (alices, bobs));
    assert_eq!(world.remote(alice), at(HOME));
}

#[test]
fn both_leap_at_the_same_moment_and_find_each_other() {
    let (mut world, alice, bob) = pair_with_standby();
    world.attach_to(alice, &["10.0.0.1"], &beside(&["10.9.0.1"]), Cause::Changed);
    world.run_for(ms(100));
    converse(&mut world, (alice, bob), secs(1));
    world.move_to(alice, &["10.9.0.1"]);
    world.move_to(bob, &[PHONE]);
    converse(&mut world, (alice, bob), secs(2));
    assert_eq!((world.remote(alice), world.remote(bob)), (at(PHONE), at("10.9.0.1")));
    world.run_for(ms(100));
    let (before, number) = (world.received(alice).len(), converse(&mut world, (alice, bob), secs(1)));
    world.run_for(ms(100));
    assert_eq!(world.received(alice).len() - before, number as usize);
    assert_eq!(world.initiations(), 1);
}

#[test]
fn both_find_something_better_at_the_same_moment_and_agree() {
    for key in [1, 2] {
        let (mut world, alice, bob) = World::connected_pair();
        converse(&mut world, (alice, bob), secs(1));
        world.attach_to(alice, &["10.9.0.1"], &beside(&["10.0.0.1"]), Cause::Changed);
        world.run_for(ms(key));
        world.attach_to(bob, &[CAFE], &beside(&[HOME]), Cause::Changed);
        let number = converse(&mut world, (alice, bob), secs(5)) as usize;
        world.run_for(ms(100));
        assert_eq!((world.remote(alice), world.remote(bob)), (at(CAFE), at("10.9.0.1")));
        assert_eq!((world.received(alice).len(), world.received(bob).len()), (201 + number, 201 + number));
    }
}

#[test]
fn a_metered_network_is_neither_asked_nor_told_of_while_another_leads_there() {
    let (mut world, alice, bob) = World::connected_pair();
    world.attach_to(bob, &[HOME], &dear(&[PHONE], &[PHONE]), Cause::Changed);
    converse(&mut world, (alice, bob), secs(60));
    assert_eq!(datagrams(&world, PHONE, 0), 0);
    assert!(!world.status(alice).candidates.contains(&at(PHONE)));
    assert!(world.status(bob).standby.is_empty());
}

#[test]
fn a_metered_network_is_used_when_nothing_else_leads_there_and_left_as_soon_as_something_does() {
    let (mut world, alice, bob) = World::connected_pair();
    world.attach_to(bob, &[HOME], &dear(&[PHONE], &[PHONE]), Cause::Changed);
    converse(&mut world, (alice, bob), secs(1));
    world.attach_to(bob, &[PHONE], &dear(&[], &[PHONE]), Cause::Changed);
    converse(&mut world, (alice, bob), secs(1));
    assert_eq!(world.remote(alice), at(PHONE));

    // Whatever the system's default route says.
    world.attach_to(bob, &[PHONE], &dear(&[CAFE], &[PHONE]), Cause::Changed);
    converse(&mut world, (alice, bob), secs(1));
    assert_eq!(world.remote(alice), at(CAFE));
    let before = world.trace.len();
    converse(&mut world, (alice, bob), secs(40));
    assert_eq!(datagrams(&world, PHONE, before), 0, "and is not asked any more");
}

#[test]
fn a_metered_network_is_the_last_resort_when_the_other_is_silent() {
    let (mut world, alice, bob) = World::connected_pair();
    world.attach_to(bob, &[HOME], &dear(&[PHONE], &[PHONE]), Cause::Changed);
    converse(&mut world, (alice, bob), secs(1));
    let silent = world.now;
    world.loses = Box::new(|flight| through(flight, HOME));
    converse(&mut world, (alice, bob), secs(5));
    assert_eq!(world.remote(alice), at(PHONE));
    let resumed = world.received_at(alice).into_iter().find(|at| *at > silent + ms(20)).unwrap() - silent;
    assert!(resumed <= ms(2000), "{resumed:?}");

    world.loses = Box::new(|_| false);
    converse(&mut world, (alice, bob), secs(40));
    assert_eq!(world.remote(alice), at(HOME), "back when that works again");
}

#[test]
fn whoever_forwards_a_question_becomes_no_path_and_gets_three_bytes_per_byte() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.trace.len();
    world.loses = Box::new(|flight| flight.source == at(PHONE));
    world.attach_to(bob, &[HOME], &beside(&[PHONE]), Cause::Changed);
    world.run_for(ms(1));
    let question = world.trace[before..].iter().find(|flight| flight.source == at(PHONE)).unwrap().clone();
    let victim = "203.0.113.5:999".parse().unwrap();
    world.inject(victim, question.destination, question.datagram.clone());
    world.run_for(secs(3));

    assert!(world.bytes_to(victim, before) <= 3 * question.datagram.len());
    assert!(world.status(alice).standby.iter().all(|path| path.proven.is_none()));
    assert!(world.status(bob).standby.iter().all(|path| path.proven.is_none()));
    world.move_to(bob, &[PHONE]);
    world.run_for(ms(100));
    assert_ne!(world.remote(alice), victim);
}

#[test]
fn a_host_that_stays_where_it_is_keeps_no_path_ready() {
    let mut world = World::new();
    world.staying.push(1);
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &[HOME], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(bob, alice, b"hello");
    world.run_for(ms(200));
    world.send(alice, bob, b"hello yourself");
    world.run_for(ms(200));
    world.attach_to(alice, &["10.0.0.1"], &beside(&["10.0.1.1"]), Cause::Changed);
    world.attach_to(bob, &[HOME], &beside(&[PHONE]), Cause::Changed);
    world.run_for(ms(200));

    let begins: Vec<_> = world.status(alice).standby.iter().map(|path| path.remote).collect();
    assert_eq!(begins, [at(PHONE)], "only that to bob's second network, which bob asked for");
    assert_eq!(datagrams(&world, "10.0.1.1", 0), 0);
    assert_eq!(world.status(bob).standby.len(), 1, "bob moves, and keeps his");
}
