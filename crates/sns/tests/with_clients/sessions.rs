//! Handshakes, sessions and where a client is.

use std::collections::BTreeSet;

use stead_sns::{Discard, Happening, Quotas, Settings};
use stead_wire::options::{Marks, VcOption, Wishes};

use crate::world::{World, at, ms, secret, secs, settings};

const HOME: &str = "192.0.2.1:51820";
const OFFICE: &str = "198.51.100.2:51820";
const CAFE: &str = "203.0.113.3:51820";

#[test]
fn any_key_is_served_unless_a_list_says_whose() {
    let mut world =
        World::of(Settings { clients: Some(BTreeSet::from([secret(0).public_key()])), ..settings() });
    let (listed, other) = (world.stranger(HOME), world.stranger(OFFICE));

    world.connect(listed);
    world.initiate(other);

    assert!(world.client(other).session.is_none());
    assert_eq!(world.client(other).bytes_in, 0, "no answer at all");
    assert_eq!(world.drops(Discard::NotServed), 1);
}

#[test]
fn a_replayed_initiation_is_not_answered() {
    let mut world = World::new();
    let a = world.stranger(HOME);
    world.connect(a);
    let (_, initiation) = world.sent[0].clone();
    let before = world.client(a).bytes_in;

    world.inject(at(HOME), initiation);

    assert_eq!(world.drops(Discard::ReplayedHandshake), 1);
    assert_eq!(world.client(a).bytes_in, before);
}

#[test]
fn a_handshake_that_is_never_used_leaves_nothing_behind() {
    let mut world = World::new();
    let a = world.stranger(HOME);
    world.initiate(a);
    assert_eq!((world.status().clients.knocking, world.status().clients.confirmed), (1, 0));

    world.run_for(secs(10));

    assert_eq!(world.status().clients.knocking, 0);
    assert_eq!(world.happened(a), []);
}

#[test]
fn a_client_keeps_its_subscriptions_over_rekeys() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    for _ in 0..4 {
        world.run_for(secs(120));
        world.connect(a);
        world.connect(b);
    }

    world.publish(b, a, 9, Marks::MOVED);

    assert_eq!(world.notifications(a).last(), Some(&(world.now, 9, at(OFFICE))));
    assert_eq!(world.happened(a), [Happening::Arrived { from: at(HOME) }]);
}

#[test]
fn a_restarted_service_knows_nothing_and_is_told_everything_again_in_one_round_trip_after_a_handshake() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    world.acquaint(a, b);

    world.service = World::new().service;
    world.send(a, &[]);
    assert_eq!(world.drops(Discard::UnknownSession), 1, "silence tells the client");

    world.run_for(ms(20));
    world.connect(a);
    world.subscribe(a, b, Wishes::NONE);
    world.connect(b);
    world.subscribe(b, a, Wishes::NONE);
    world.publish(b, a, 2, Marks::MOVED);
    assert_eq!(world.notifications(a).last(), Some(&(world.now, 2, at(OFFICE))));
}

#[test]
fn a_client_that_moves_is_believed_when_its_new_address_echoed_and_gets_little_before() {
    let mut world = World::new();
    let a = world.public(HOME);
    world.client(a).polite = false;
    world.relocate(a, CAFE);
    let (bytes_in, bytes_out) = (world.client(a).bytes_in, world.client(a).bytes_out);
    for _ in 0..20 {
        let keepalive = world.sealed(a, &[]);
        world.inject(at(CAFE), keepalive);
        world.run_for(ms(10));
    }

    let client = world.client(a);
    assert!(client.bytes_in - bytes_in <= 3 * (client.bytes_out - bytes_out));
    let challenges: BTreeSet<_> = client
        .heard
        .iter()
        .filter_map(|(_, option)| if let VcOption::PathChallenge(it) = option { Some(*it) } else { None })
        .collect();
    assert_eq!(challenges.len(), 1);
    assert!(matches!(world.happened(a).last(), Some(Happening::Moved { .. })));
}

#[test]
fn a_copied_datagram_from_elsewhere_moves_nobody_and_is_not_heard_twice() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    let copies: Vec<_> = world.sent.iter().filter(|(from, _)| *from == at(HOME)).cloned().collect();

    for (_, copy) in copies {
        world.inject(at(CAFE), copy);
    }

    assert_eq!(world.happened(a).len(), 1, "it arrived and did not move");
    world.publish(b, a, 2, Marks::MOVED);
    assert_eq!(world.notifications(a).last(), Some(&(world.now, 2, at(OFFICE))));
}

#[test]
fn an_older_message_that_arrives_late_from_the_old_address_moves_nobody_back() {
    let mut world = World::new();
    let a = world.public(HOME);
    let late = world.sealed(a, &[]);
    world.relocate(a, CAFE);
    world.send(a, &[]);

    world.inject(at(HOME), late);

    assert_eq!(world.happened(a).len(), 2, "arrived, moved once");
}

#[test]
fn when_full_an_idle_client_makes_room_and_one_with_a_lease_does_not() {
    let quotas = Quotas { clients: 2, ..Quotas::default() };
    let mut world = World::of(Settings { quotas, ..settings() });
    let (keeper, idle) = (world.public(HOME), world.public(OFFICE));
    world.subscribe(keeper, idle, Wishes::NONE);

    let newcomer = world.public(CAFE);
    assert_eq!(world.happened(idle).last(), Some(&Happening::Left));
    world.subscribe(newcomer, keeper, Wishes::NONE);

    let refused = world.stranger("203.0.113.9:1");
    world.connect(refused);
    assert_eq!(world.drops(Discard::ClientsFull), 1);
    assert_eq!(world.happened(refused), []);
    assert_eq!(world.status().clients.confirmed, 2);
    assert_eq!(world.happened(keeper), [Happening::Arrived { from: at(HOME) }]);
}

#[test]
fn one_address_has_only_so_many_clients_and_ports_and_hosts_of_a_64_are_the_same_address() {
    let quotas = Quotas { clients_per_address: 2, ..Quotas::default() };
    let mut world = World::of(Settings { quotas, ..settings() });
    for point in ["[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::3]:1", "[2001:db8:0:1::1]:1"] {
        world.public(point);
    }

    assert_eq!(world.drops(Discard::AddressFull), 1);
    assert_eq!(world.status().clients.confirmed, 3);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut world = World::new();
        let (a, b) = (world.private(HOME), world.public(OFFICE));
        world.acquaint(a, b);
        world.publish(b, a, 2, Marks::MOVED);
        world.run_for(secs(200));
        (world.sent, world.clients.into_iter().map(|client| client.heard).collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_first_message_from_elsewhere_than_the_handshake_proves_nothing() {
    let mut world = World::new();
    let a = world.stranger(HOME);
    world.client(a).polite = false;
    world.initiate(a);
    world.relocate(a, CAFE);
    world.send(a, &[]);

    let challenged = |(_, option): &(_, VcOption)| matches!(option, VcOption::PathChallenge(_));
    assert!(world.client(a).heard.iter().any(challenged));
}

#[test]
fn to_an_unproven_address_go_at_most_three_bytes_per_byte_however_much_is_asked_for() {
    let mut world = World::new();
    let a = world.public(HOME);
    let peers: Vec<_> = (0..10).map(|n| world.public(&format!("10.0.0.{n}:1"))).collect();
    for peer in &peers {
        world.subscribe(*peer, a, Wishes::NONE);
        world.publish(*peer, a, 1, Marks::NONE);
    }
    world.client(a).polite = false;
    world.relocate(a, CAFE);
    (world.client(a).bytes_in, world.client(a).bytes_out) = (0, 0);
    for peer in &peers {
        world.subscribe(a, *peer, Wishes::WATCH);
    }
    world.run_for(secs(10));

    let client = world.client(a);
    assert!(client.bytes_in > 0 && client.bytes_in <= 3 * client.bytes_out);
    assert!(world.drops(Discard::AmplificationLimit) > 0, "and it wanted more");
}

#[test]
fn an_address_has_room_again_when_its_clients_have_gone() {
    let quotas = Quotas { clients_per_address: 1, ..Quotas::default() };
    let mut world = World::of(Settings { quotas, ..settings() });
    world.public(HOME);
    world.run_for(secs(181));

    let next = world.public("192.0.2.1:2");

    assert_eq!(world.happened(next).len(), 1);
}

#[test]
fn a_client_that_moved_counts_for_its_new_address_once_that_is_proven() {
    let quotas = Quotas { clients_per_address: 1, ..Quotas::default() };
    let mut world = World::of(Settings { quotas, ..settings() });
    let a = world.public(HOME);
    world.client(a).polite = false;
    world.relocate(a, CAFE);
    world.send(a, &[]);
    let early = world.public("192.0.2.1:2");
    assert_eq!(world.happened(early), [], "not proven yet");

    world.client(a).polite = true;
    world.send(a, &[]);

    let (there, here) = (world.public("203.0.113.3:2"), world.public("192.0.2.1:3"));
    assert_eq!((world.happened(there).len(), world.happened(here).len()), (0, 1));
}
