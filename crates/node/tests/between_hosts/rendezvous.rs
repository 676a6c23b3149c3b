//! Finding each other by a subscribe-notify service: seed 001 figures 10 to 18, with the real service.

use stead_node::{Cause, Happening};

use crate::world::{HostId, Mapping, Nat, World, at, ms, peer, secret, secs};

pub(crate) const SERVICE: &str = "203.0.113.1";

/// Alice at 10.0.0.1 and bob at 10.0.0.2, who know each other's keys and `services`, and nothing else.
fn strangers(services: &[&str]) -> (World, HostId, HostId) {
    let mut world = World::new();
    for (number, address) in (101..).zip(services) {
        world.service(number, address);
    }
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[])]);
    (world, alice, bob)
}

/// As [`strangers`], after a packet each way.
pub(crate) fn acquainted(services: &[&str]) -> (World, HostId, HostId) {
    let (mut world, alice, bob) = strangers(services);
    world.run_for(secs(1));
    world.send(alice, bob, b"hello");
    world.run_for(ms(500));
    world.send(bob, alice, b"hello yourself");
    world.run_for(secs(10));
    assert_eq!((world.received(alice).len(), world.received(bob).len()), (1, 1));
    (world, alice, bob)
}

/// Datagrams that went to a service since `from` in the trace.
fn to_service(world: &World, from: usize) -> usize {
    world.trace[from..].iter().filter(|flight| flight.destination.port() == 51821).count()
}

#[test]
fn two_nodes_that_know_only_keys_and_a_service_find_each_other() {
    let (mut world, alice, bob) = strangers(&[SERVICE]);
    world.run_for(secs(1));
    let asked = world.now;
    world.send(alice, bob, b"hello");
    world.run_for(secs(1));

    assert_eq!(world.texts(bob, 0), ["hello"]);
    let took = world.received_at(bob)[0] - asked;
    assert!(took <= world.delay * 5, "look-up, handshake, packet: {took:?}");
    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.0.0.2"), at("10.0.0.1")));
    assert_eq!(world.status(alice).relayed, None);
}

#[test]
fn a_packet_sent_before_the_service_answered_is_held_and_arrives() {
    let (mut world, alice, bob) = strangers(&[SERVICE]);
    world.send(alice, bob, b"early");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 0), ["early"]);
}

#[test]
fn a_packet_for_a_peer_that_nobody_finds_is_given_up_in_time() {
    let (mut world, alice, _) = strangers(&[SERVICE]);
    world.prompt = true;
    world.kill_service(0);
    let nobody = world.host(3, &["10.0.0.3"], vec![peer("bob", secret(9).public_key(), &[])]);
    world.send_packet(
        nobody,
        &crate::world::udp(
            world.virtual_address(alice),
            secret(9).public_key().virtual_address(),
            b"anyone there?",
        ),
    );
    assert_eq!(world.status(nobody).held.packets, 1);
    world.run_for(secs(91));
    assert_eq!(world.status(nobody).held.packets, 0);
    assert_eq!(world.drops(nobody, stead_node::Discard::HeldTooLong), 1);
    assert_eq!(world.drops(nobody, stead_node::Discard::NoEndpoint), 0);
}

#[test]
fn figure_12_both_move_at_once_and_meet_again() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    let moved = world.now;
    world.move_to(alice, &["10.7.0.1"]);
    world.move_to(bob, &["10.8.0.2"]);
    world.send(alice, bob, b"where are you?");
    world.send(bob, alice, b"and you?");
    world.run_for(secs(2));

    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.8.0.2"), at("10.7.0.1")));
    assert_eq!(
        (world.texts(alice, 1), world.texts(bob, 1)),
        (vec!["and you?".into()], vec!["where are you?".into()])
    );
    for host in [alice, bob] {
        let stall = *world.received_at(host).last().unwrap() - moved;
        assert!(stall <= world.delay * 8, "publication, notification, CU, CUA, echo: {stall:?}");
    }
    assert_eq!(world.status(alice).handshakes, 1, "no handshake for a move");
}

#[test]
fn both_move_back_and_forth_and_meet_each_time() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    for round in 0..6_u8 {
        world.move_to(alice, &[if round % 2 == 0 { "10.7.0.1" } else { "10.0.0.1" }]);
        world.run_for(ms(u64::from(round) * 7));
        world.move_to(bob, &[if round % 2 == 0 { "10.8.0.2" } else { "10.0.0.2" }]);
        world.run_for(ms(400));
        world.send(alice, bob, &[round]);
        world.run_for(ms(500));
        assert_eq!(world.received(bob).last().unwrap(), &[round]);
    }
}

#[test]
fn a_service_that_starts_anew_is_told_all_again_once_it_is_missed() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    world.kill_service(0);
    world.start_service(0);
    world.move_to(alice, &["10.7.0.1"]);
    world.move_to(bob, &["10.8.0.2"]);
    world.send(alice, bob, b"after the restart");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 1), ["after the restart"]);
    for host in [alice, bob] {
        let service = &world.service_status(host)[0];
        assert_eq!((service.registered, service.handshakes), (1, 2));
    }
}

#[test]
fn a_service_that_comes_back_after_an_hour_is_registered_with_within_a_minute() {
    let (mut world, alice, _) = strangers(&[SERVICE]);
    world.kill_service(0);
    world.run_for(secs(3600));
    assert!(world.trace.len() < 400, "some patience: {} datagrams", world.trace.len());
    assert!(world.happenings(alice).contains(&Happening::ServiceSilent));
    world.start_service(0);
    world.run_for(secs(70));
    assert_eq!(world.service_status(alice)[0].registered, 1);
}

#[test]
fn of_two_services_one_that_answers_suffices() {
    let (mut world, alice, bob) = strangers(&["203.0.113.9", SERVICE]);
    world.kill_service(0);
    world.run_for(secs(1));
    world.send(alice, bob, b"hello");
    world.run_for(secs(1));
    assert_eq!(world.texts(bob, 0), ["hello"]);
    world.send(bob, alice, b"hello yourself");
    world.run_for(secs(1));

    world.move_to(alice, &["10.7.0.1"]);
    world.move_to(bob, &["10.8.0.2"]);
    world.send(alice, bob, b"again");
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 1), ["again"]);
    let answered: Vec<bool> =
        world.service_status(alice).iter().map(|service| service.last_answered.is_some()).collect();
    assert_eq!(answered, [false, true]);
}

#[test]
fn what_a_service_said_means_nothing_when_it_is_replayed_or_comes_from_elsewhere() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    world.move_to(alice, &["10.7.0.1"]);
    world.move_to(bob, &["10.8.0.2"]);
    world.run_for(secs(5));
    world.send(alice, bob, b"settled");
    world.run_for(secs(5));
    let before = (world.remote(alice), world.remote(bob), world.status(alice).moves_remote);
    let said: Vec<_> = world.trace.iter().filter(|flight| flight.source.port() == 51821).cloned().collect();
    assert!(said.len() > 4);
    for flight in &said {
        for (source, home) in [(flight.source, true), (at("10.66.0.6"), false)] {
            let destination = if flight.destination.ip() == at("10.0.0.1").ip() || home {
                at("10.7.0.1")
            } else {
                at("10.8.0.2")
            };
            world.inject(source, destination, flight.datagram.clone());
        }
    }
    world.run_for(secs(5));

    assert_eq!((world.remote(alice), world.remote(bob), world.status(alice).moves_remote), before);
    assert_eq!(world.status(alice).handshakes, 1);
    assert_eq!(world.service_status(alice)[0].handshakes, 1);
}

#[test]
fn an_idle_public_node_says_nothing_between_two_sessions() {
    let (mut world, alice, _) = strangers(&[SERVICE]);
    world.run_for(secs(10));
    let before = world.trace.len();
    world.run_for(secs(130));
    assert_eq!(world.trace.len() - before, 0, "nothing is due before the session is renewed");
    world.run_for(secs(600));
    let sent = to_service(&world, before);
    assert!(sent <= 2 * 4 * 3, "two nodes, four renewals, three datagrams each: {sent}");
    assert_eq!(world.service_status(alice)[0].registered, 1);
    assert_eq!(world.service_status(alice)[0].public, Some(true));
}

#[test]
fn a_node_behind_a_nat_keeps_its_mapping_and_knows_that_it_is_private() {
    let (mut world, alice, _) = strangers(&[SERVICE]);
    world.nat(alice, Some(Nat::new("198.51.100.1", Mapping::EndpointIndependent)));
    world.attach(alice, &["10.0.0.1"], Cause::Woke);
    world.run_for(secs(10));
    assert_eq!(world.service_status(alice)[0].public, Some(false));
    assert_eq!(world.service_status(alice)[0].apparent.unwrap().to_string(), "198.51.100.1:40000");

    let before = world.trace.len();
    world.run_for(secs(100));
    assert_eq!(to_service(&world, before), 4, "one every 25 s");
    world.reboot_nat(alice);
    world.run_for(secs(26));
    assert_eq!(world.service_status(alice)[0].apparent.unwrap().to_string(), "198.51.100.1:40101");
}

#[test]
fn figure_16_a_private_node_and_a_public_one_move_at_once() {
    let (mut world, alice, bob) = strangers(&[SERVICE]);
    world.nat(alice, Some(Nat::new("198.51.100.1", Mapping::EndpointIndependent)));
    world.attach(alice, &["10.0.0.1"], Cause::Woke);
    world.run_for(secs(1));
    world.send(alice, bob, b"hello");
    world.run_for(ms(500));
    world.send(bob, alice, b"hello yourself");
    world.run_for(secs(5));
    world.nat(alice, Some(Nat::new("198.51.100.2", Mapping::EndpointIndependent)));
    world.move_to(alice, &["192.168.0.7"]);
    world.move_to(bob, &["10.8.0.2"]);
    world.send(bob, alice, b"to the new place");
    world.send(alice, bob, b"from the new place");
    world.run_for(secs(2));
    assert_eq!(
        (world.texts(alice, 1), world.texts(bob, 1)),
        (vec!["to the new place".into()], vec!["from the new place".into()])
    );
    assert_eq!(world.status(alice).relayed, None);
}

#[test]
fn a_node_that_ends_in_good_order_ends_its_subscriptions() {
    let (mut world, alice, bob) = acquainted(&[SERVICE]);
    assert_eq!(world.subscriptions(0), 2);
    world.end(bob);
    world.run_for(ms(100));
    assert_eq!(world.subscriptions(0), 1, "alice's");
    assert_eq!(world.service_status(alice)[0].registered, 1);
}

/// Alice says that she stays; both know where she is.
fn with_a_server(staying: bool) -> (World, HostId, HostId) {
    let mut world = World::new();
    world.service(101, SERVICE);
    world.staying.extend(staying.then_some(1));
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(bob, alice, b"hello");
    world.run_for(ms(500));
    world.send(alice, bob, b"hello yourself");
    world.run_for(secs(10));
    (world, alice, bob)
}

#[test]
fn a_public_peer_that_stays_needs_no_subscription() {
    let (world, _, bob) = with_a_server(true);
    let at_service = &world.service_status(bob)[0];
    assert_eq!((at_service.registered, at_service.peers), (0, 0));
    assert_eq!(world.subscriptions(0), 1, "hers for bob, who moves");

    let (world, _, bob) = with_a_server(false);
    assert_eq!((world.service_status(bob)[0].registered, world.subscriptions(0)), (1, 2));
}

#[test]
fn a_peer_that_stays_is_told_of_moves_itself_and_the_service_of_none() {
    let (mut world, alice, bob) = with_a_server(true);
    let before = world.trace.len();
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(1));
    world.send(alice, bob, b"found");
    world.run_for(ms(200));

    assert_eq!(world.texts(bob, 1), ["found"]);
    let publications = world.trace[before..]
        .iter()
        .filter(|flight| flight.source == at("10.7.0.2") && flight.destination.port() == 51821)
        .count();
    assert_eq!(publications, 0);
}

#[test]
fn a_peer_that_stays_and_is_not_found_is_asked_for_at_the_service_again() {
    let (mut world, alice, bob) = with_a_server(true);
    // Somebody moved the server all the same, and then the laptop moves too.
    world.move_to(alice, &["10.9.0.1"]);
    world.move_to(bob, &["10.7.0.2"]);
    world.send(bob, alice, b"where are you");
    world.run_for(secs(3));

    assert_eq!(world.texts(alice, 1), ["where are you"]);
    assert_eq!((world.remote(alice), world.remote(bob)), (at("10.7.0.2"), at("10.9.0.1")));
    world.run_for(secs(10));
    assert_eq!(world.service_status(bob)[0].peers, 0, "found, it needs none again");
}
