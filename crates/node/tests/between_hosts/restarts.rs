//! What goes on when one end starts anew, or both start at once, or there is no network to start with.

use crate::world::{Flight, HostId, Mapping, Nat, World, at, ms, peer, secret, secs};
use core::net::{IpAddr, SocketAddr};
use stead_lct::OriginalSpecification;
use stead_node::{Cause, Discard};
use stead_wire::ip::{IpHeaders, Protocol};
use stead_wire::tcp::{BareAcknowledgement, Segment, Sequence};
use stead_wire::time::Instant;

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
    assert_eq!(world.texts(bob, 1).len(), 40 - 7, "those sent before the doubt are lost");
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
    let here = world.virtual_address(bob);
    let connection = |port, remote: IpAddr| OriginalSpecification {
        local: SocketAddr::new(here.into(), port),
        remote: SocketAddr::new(remote, 22),
        protocol: Protocol::TCP,
    };
    let survivors = [(1, there.into()), (2, there.into()), (3, "192.0.2.9".parse().unwrap())];
    world.node(bob).handle_survivors(&survivors.map(|(port, remote)| connection(port, remote)), now);
    // The world lets out what a node has to say when it hands it something.
    world.attach(bob, &["10.0.0.2"], Cause::Start);
    world.run_for(ms(100));
    world.send(alice, bob, b"where was I");
    world.run_for(ms(100));

    let texts = world.texts(bob, 1);
    assert!(
        texts.iter().any(|text| text == "where was I"),
        "alice knows of no place where bob could be: {texts:?}"
    );
    assert_eq!(world.initiations() - before, 1);
}

/// A server that knows its laptop by its key alone, and the laptop behind a NAT whose mapping a keepalive keeps.
fn server_and_laptop() -> (World, HostId, HostId) {
    let mut world = World::new();
    let server = world.host(1, &["10.0.0.1"], vec![peer("laptop", secret(2).public_key(), &[])]);
    let mut settings = peer("server", secret(1).public_key(), &[at("10.0.0.1")]);
    settings.persistent_keepalive = Some(secs(25));
    let laptop = world.host(2, &["192.168.0.2"], vec![settings]);
    world.nat(laptop, Some(Nat::new("203.0.113.9", Mapping::AddressAndPortDependent)));
    world.send(laptop, server, b"hello");
    world.run_for(secs(40));
    assert_eq!(world.texts(server, 0), ["hello"]);
    (world, server, laptop)
}

#[test]
fn a_restarted_server_that_remembers_has_its_idle_laptop_back_at_once() {
    let (mut world, server, laptop) = server_and_laptop();
    let before = world.initiations();
    world.restart_with_memory(server);
    world.run_for(ms(100));
    assert_eq!(
        (world.initiations() - before, world.status(server).handshakes),
        (1, 1),
        "it asked where it was"
    );

    world.send(server, laptop, b"there you are");
    world.run_for(ms(100));
    assert_eq!(world.texts(laptop, 0), ["there you are"]);
}

#[test]
fn without_memory_it_has_to_wait_for_the_laptop() {
    let (mut world, server, laptop) = server_and_laptop();
    world.restart(server);
    world.send(server, laptop, b"where are you");
    world.run_for(secs(60));

    assert_eq!((world.received(laptop).len(), world.drops(server, Discard::NoEndpoint)), (0, 1));
}

#[test]
fn a_silent_peer_is_called_less_and_less_often_and_found_within_four_keepalive_intervals() {
    let (mut world, server, laptop) = server_and_laptop();
    let there = world.remote(server);
    world.loses = Box::new(|_| true);
    let (began, first) = (world.now, world.trace.len());
    world.restart_with_memory(server);
    world.run_for(secs(1800));
    let asks = |flight: &&Flight| flight.datagram[0] == 1 && flight.source == at("10.0.0.1");
    let asked: Vec<Instant> = world.trace[first..].iter().filter(asks).map(|flight| flight.sent).collect();
    let late: Vec<_> = asked.iter().filter(|at| **at >= began + secs(600)).copied().collect();
    assert_eq!(asked[0], began);
    assert!(late.len() <= 13, "one in 100 s in twenty minutes, not {}", late.len());
    let longest = late.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= secs(101), "{longest:?}");
    assert!(world.trace[first..].iter().filter(asks).all(|flight| flight.destination == there));

    world.loses = Box::new(|_| false);
    world.run_for(secs(101));
    assert_eq!(world.status(server).handshakes, 1, "and then it is there");
    world.send(server, laptop, b"at last");
    world.run_for(ms(200));
    assert_eq!(world.texts(laptop, 0), ["at last"]);
}

#[test]
fn a_packet_for_a_silent_peer_has_it_asked_at_once() {
    let (mut world, server, laptop) = server_and_laptop();
    world.loses = Box::new(|_| true);
    world.restart_with_memory(server);
    world.run_for(secs(700));
    let before = world.initiations();
    world.send(server, laptop, b"now");
    world.loses = Box::new(|_| false);
    world.run_for(secs(6));

    assert!(world.initiations() > before);
    assert_eq!(world.texts(laptop, 0), ["now"]);
}

#[test]
fn what_is_remembered_is_a_hint_and_a_wrong_one_gets_an_initiation_now_and_then_and_nothing_else() {
    let mut world = World::new();
    let mut remembered = peer("bob", secret(2).public_key(), &[]);
    remembered.remembered = vec![at("6.6.6.6")];
    let alice = world.host(1, &["10.0.0.1"], vec![remembered]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(alice, bob, b"to nobody yet");
    world.run_for(secs(8));
    let data = |flight: &&Flight| flight.destination == at("6.6.6.6") && flight.datagram[0] != 1;
    assert_eq!(world.trace.iter().filter(data).count(), 0);
    world.send(bob, alice, b"here I am");
    world.run_for(secs(1));

    assert_eq!(
        (world.texts(alice, 0), world.texts(bob, 0)),
        (vec!["here I am".to_owned()], vec!["to nobody yet".to_owned()])
    );
    let points: Vec<_> = world.node(alice).proven_points().map(|(_, points)| points.to_vec()).collect();
    assert_eq!(points, [[at("10.0.0.2"), at("6.6.6.6")]]);
}

#[test]
fn a_peer_that_lived_repeats_what_its_host_acknowledged_to_one_that_was_started_anew() {
    let (mut world, alice, bob) = World::connected_pair();
    let (here, there) = (world.virtual_address(alice), world.virtual_address(bob));
    let acknowledgement = BareAcknowledgement {
        from: SocketAddr::new(here.into(), 22),
        to: SocketAddr::new(there.into(), 4000),
        sequence: Sequence(7000),
        acknowledgement: Sequence(9000),
        window: 300,
        timestamps: None,
    };
    let packet = acknowledgement.encode().unwrap();
    world.send_packet(alice, &packet);
    world.run_for(ms(200));
    let known = world.packets(bob).len();
    world.restart(bob);
    world.send(bob, alice, b"another program");
    world.run_for(ms(200));

    assert_eq!(world.packets(bob)[known..], [packet], "number for number, with its window");
}

#[test]
fn a_mere_renewal_of_the_session_repeats_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    let (here, there) = (world.virtual_address(alice), world.virtual_address(bob));
    let acknowledgement = BareAcknowledgement {
        from: SocketAddr::new(here.into(), 22),
        to: SocketAddr::new(there.into(), 4000),
        sequence: Sequence(7000),
        acknowledgement: Sequence(9000),
        window: 300,
        timestamps: None,
    };
    world.send_packet(alice, &acknowledgement.encode().unwrap());
    for n in 0..40 {
        world.run_for(secs(10));
        world.send(bob, alice, &[n]);
    }
    assert!(world.status(alice).handshakes >= 3);
    assert_eq!(world.packets(bob).len(), 2, "a greeting and one acknowledgement");
}

#[test]
fn a_connection_that_outlived_its_program_is_asked_for_its_numbers_and_woken() {
    let (mut world, alice, bob) = World::connected_pair();
    let (here, there) = (world.virtual_address(bob), world.virtual_address(alice));
    let connection = OriginalSpecification {
        local: SocketAddr::new(here.into(), 4000),
        remote: SocketAddr::new(there.into(), 22),
        protocol: Protocol::TCP,
    };
    world.restart(bob);
    let known = world.packets(bob).len();
    let now = world.now;
    world.node(bob).handle_survivors(&[connection], now);
    world.attach(bob, &["10.0.0.2"], Cause::Start);
    world.run_for(ms(10));
    let asks = world.packets(bob)[known..].to_vec();
    assert_eq!(asks.len(), 1, "this host's TCP");
    let segment = |packet: &[u8]| Segment::read(packet, &IpHeaders::parse(packet).unwrap()).unwrap();
    assert_eq!(IpHeaders::parse(&asks[0]).unwrap().tuple.source, connection.remote);
    assert_eq!(segment(&asks[0]).payload_len, 0);

    let numbers = |from, to, sequence, acknowledgement| {
        let (sequence, acknowledgement) = (Sequence(sequence), Sequence(acknowledgement));
        let told = BareAcknowledgement { from, to, sequence, acknowledgement, window: 9, timestamps: None };
        told.encode().unwrap()
    };
    world.send_packet(bob, &numbers(connection.local, connection.remote, 5000, 800));
    world.run_for(ms(300));
    let came = world.packets(alice);
    assert_eq!(segment(&came[came.len() - 2]).sequence, Sequence(5000), "the peer hears the numbers");
    let probe = segment(came.last().unwrap());
    assert_eq!(probe.sequence, Sequence(5000_u32.wrapping_sub(1 << 30)), "and is asked for its own");
    assert_eq!(probe.acknowledgement, Sequence(800));

    let known = world.packets(bob).len();
    world.send_packet(alice, &numbers(connection.remote, connection.local, 800, 4900));
    world.run_for(secs(5));
    let woken = world.packets(bob)[known + 1..].to_vec();
    assert_eq!(woken.len(), 10, "ten times and no more");
    assert!(
        woken.iter().all(|packet| packet[6] == 58 && packet[40..42] == [1, 0]),
        "no route to destination"
    );
    assert!(woken.iter().all(|packet| packet[48 + 44..48 + 48] == 4900_u32.to_be_bytes()));
}
