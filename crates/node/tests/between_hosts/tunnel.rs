//! The tunnel between two nodes that stay where they are: handshakes, rekeys, keepalives, strangers.

use crate::world::{HostId, World, at, ms, peer, secret, secs, udp};
use stead_node::{Condition, Discard, PeerKind};
use stead_wire::time::Duration;

#[test]
fn the_first_packet_makes_a_session_and_arrives_and_so_does_the_answer() {
    let (mut world, alice, bob) = World::pair();
    world.send(bob, alice, b"ping");
    world.run_for(ms(100));
    world.send(alice, bob, b"pong");
    world.run_for(ms(100));

    assert_eq!(world.received(alice), [b"ping"]);
    assert_eq!(world.received(bob), [b"pong"]);
    assert_eq!(world.initiations(), 1);
    assert_eq!(world.status(alice).handshakes, 1);
    assert_eq!(world.status(bob).condition, Condition::Proven);
}

#[test]
fn both_learn_from_the_first_packet_that_the_other_is_vc_enhanced() {
    let (world, alice, bob) = World::connected_pair();
    assert_eq!(world.status(alice).kind, PeerKind::Enhanced);
    assert_eq!(world.status(bob).kind, PeerKind::Enhanced);
    assert_eq!(world.status(alice).public, Some(true), "bob is where he says he is");
}

#[test]
fn a_connection_has_one_entry_on_either_side_with_the_same_token() {
    let (world, alice, bob) = World::connected_pair();
    let (ours, theirs) = (world.connections(alice), world.connections(bob));
    assert_eq!((ours.len(), theirs.len()), (1, 1));
    assert_eq!(ours[0].row.original.local, theirs[0].row.original.remote);
    assert_eq!(ours[0].row.token, theirs[0].row.token);
    assert_eq!(ours[0].row.moves, 0);
    assert_eq!(ours[0].row.remote, at("10.0.0.2"));
    assert_eq!((ours[0].row.inbound.packets, ours[0].row.outbound.packets), (1, 1));
}

#[test]
fn ten_minutes_of_traffic_lose_nothing_through_every_rekey() {
    let (mut world, alice, bob) = World::connected_pair();
    let rounds = 6000_u32;
    for round in 0..rounds {
        world.send(bob, alice, &round.to_be_bytes());
        world.send(alice, bob, &round.to_be_bytes());
        world.run_for(ms(100));
    }
    assert_eq!(world.received(alice).len() as u32, 1 + rounds);
    assert_eq!(world.received(bob).len() as u32, 1 + rounds);
    let handshakes = world.status(alice).handshakes;
    assert!((5..=7).contains(&handshakes), "one every 120 s, not {handshakes}");
}

#[test]
fn a_receiver_that_has_nothing_to_say_sends_keepalives_and_no_more() {
    let (mut world, alice, bob) = World::connected_pair();
    let before = world.trace.len();
    world.send(bob, alice, b"one way");
    world.run_for(secs(60));
    let from_alice = world.trace[before..].iter().filter(|f| f.source == at("10.0.0.1")).count();
    assert!((1..=2).contains(&from_alice), "a keepalive, and perhaps an echo; not {from_alice}");
    assert_eq!(world.initiations(), 1, "an answered peer needs no new handshake");
}

#[test]
fn an_idle_pair_is_silent() {
    let (mut world, ..) = World::connected_pair();
    world.run_for(secs(30));
    let before = world.trace.len();
    world.run_for(secs(3600));
    assert_eq!(world.trace.len(), before);
}

#[test]
fn an_unanswered_handshake_is_retried_for_ninety_seconds_and_then_given_up() {
    let (mut world, alice, bob) = World::pair();
    world.loses = Box::new(|_| true);
    world.send(bob, alice, b"anybody?");
    world.run_for(secs(300));
    let tries = world.initiations();
    assert!((15..=19).contains(&tries), "18 tries of 5 s with jitter, not {tries}");
    assert_eq!(world.drops(bob, Discard::HeldTooLong), 1);
}

#[test]
fn persistent_keepalive_keeps_a_silent_path_open() {
    let mut world = World::new();
    world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let mut alice = peer("alice", secret(1).public_key(), &[at("10.0.0.1")]);
    alice.persistent_keepalive = Some(Duration::from_secs(25));
    world.host(2, &["10.0.0.2"], vec![alice]);
    world.run_for(secs(100));
    let sent = world.trace.iter().filter(|flight| flight.source == at("10.0.0.2")).count();
    assert!((4..=7).contains(&sent), "a handshake and one message every 25 s, not {sent}");
}

#[test]
fn a_packet_whose_source_is_another_peer_s_is_dropped_and_one_for_nobody_too() {
    let (mut world, alice, bob) = World::connected_pair();
    let stranger = "fd00::1".parse().unwrap();
    let forged = udp(stranger, world.virtual_address(alice), b"I am someone else");
    world.send_packet(bob, &forged);
    let nowhere = udp(world.virtual_address(bob), stranger, b"who?");
    world.send_packet(bob, &nowhere);
    world.run_for(ms(100));
    assert_eq!(world.received(alice).len(), 1, "only the first hello");
    assert_eq!(world.drops(alice, Discard::ForeignSource), 1);
    assert_eq!(world.drops(bob, Discard::NoRoute), 1);
}

#[test]
fn replayed_datagrams_are_dropped_and_counted() {
    let (mut world, alice, bob) = World::connected_pair();
    world.send(bob, alice, b"once");
    world.run_for(ms(100));
    for flight in world.trace.clone() {
        world.inject(flight.source, flight.destination, flight.datagram);
    }
    world.run_for(secs(2));
    let received = world.received(alice).len();
    let path = world.status(alice).path;
    world.run_for(secs(1));
    assert_eq!(world.received(alice).len(), received);
    assert!(world.drops(alice, Discard::ReplayedTransport) >= 2);
    assert_eq!(world.drops(alice, Discard::ReplayedHandshake), 1);
    assert_eq!(world.status(alice).path, path);
}

#[test]
fn strangers_get_no_answer_whatever_they_send() {
    let (mut world, alice, _) = World::connected_pair();
    let stranger = "203.0.113.9:9".parse().unwrap();
    let genuine: Vec<Vec<u8>> = world.trace.iter().map(|flight| flight.datagram.clone()).collect();
    let before = world.trace.len();
    for datagram in &genuine {
        for len in 0..datagram.len() {
            world.inject(stranger, at("10.0.0.1"), datagram[..len].to_vec());
        }
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            world.inject(stranger, at("10.0.0.1"), flipped);
        }
        world.inject(stranger, at("10.0.0.1"), vec![0xff; 2000]);
    }
    world.run_for(ms(20));
    assert_eq!(world.bytes_to(stranger, before), 0);
    assert_eq!(world.remote(alice), at("10.0.0.2"));
    for reason in
        [Discard::MalformedDatagram, Discard::WrongMac1, Discard::UnknownSession, Discard::ForgedTransport]
    {
        assert!(world.drops(alice, reason) > 0, "{reason}");
    }
}

#[test]
fn under_load_a_stranger_needs_a_cookie_and_a_real_peer_gets_through() {
    let (mut world, alice, bob) = World::pair();
    world.prompt = true;
    world.loses = Box::new(|_| true);
    world.send(bob, alice, b"hello");
    let initiation = world.trace[0].datagram.clone();
    world.loses = Box::new(|_| false);
    // Genuine mac1, but each fails deeper in: this is what a flood by someone who knows the key looks like.
    for n in 0..2000_u32 {
        let source = format!("203.0.{}.{}:4000", n / 250, n % 250 + 1).parse().unwrap();
        world.inject(source, at("10.0.0.1"), initiation.clone());
    }
    world.run_for(secs(1));
    assert!(world.drops(alice, Discard::CookieRequired) > 1000);
    let replies = world.trace.iter().filter(|flight| flight.datagram[0] == 3).count() as u64;
    assert_eq!(replies, world.drops(alice, Discard::CookieRequired));

    world.run_for(secs(20));
    assert_eq!(world.received(alice), [b"hello"], "bob's retry got through");
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let run = || {
        let (mut world, alice, bob) = World::connected_pair();
        world.move_to(bob, &["10.9.0.2"]);
        world.send(alice, bob, b"again");
        world.run_for(secs(200));
        world.trace
    };
    assert_eq!(run(), run());
}

/// Bob's first packet is at alice's application, and her node has not yet read that this confirms the session.
fn until_heard(world: &mut World, host: HostId) {
    while world.received(host).is_empty() {
        world.run_for(Duration::from_micros(10));
    }
}

#[test]
fn an_application_that_answers_before_the_node_has_seen_the_session_confirmed_starts_no_handshake() {
    let (mut world, alice, bob) = World::pair();
    world.send(bob, alice, b"hello");
    until_heard(&mut world, alice);
    world.send(alice, bob, b"hello yourself");
    world.run_for(secs(1));

    assert_eq!(world.texts(bob, 0), ["hello yourself"]);
    assert_eq!(world.initiations(), 1, "bob's");
}

#[test]
fn a_host_whose_response_was_lost_asks_for_a_session_itself_after_a_quarter_of_a_second() {
    let (mut world, alice, bob) = World::pair();
    world.send(bob, alice, b"hello");
    world.loses = Box::new(|flight| flight.datagram[0] == 2);
    world.run_for(ms(12));
    world.loses = Box::new(|_| false);
    world.send(alice, bob, b"early");
    let asked = world.now;
    world.run_for(secs(1));

    assert_eq!(world.texts(bob, 0), ["early"]);
    let took = *world.received_at(bob).last().unwrap() - asked;
    assert!(took < ms(300), "{took:?}");
}
