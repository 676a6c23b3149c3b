//! A peer that is not VC enhanced: nothing VC goes to it, and it roams as WireGuard says.

use crate::wireguard::Plain;
use crate::world::{HostId, World, at, ms, peer, secret, secs};
use stead_node::{Cause, Condition, Discard, Mover, PeerKind};

/// A node at 10.0.0.1 and a plain peer at 10.0.0.9, the only peer of either, after a packet each way.
fn pair() -> (World, HostId) {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("phone", secret(9).public_key(), &[at("10.0.0.9")])]);
    world.plain = Some(Plain::new(9, 1, at("10.0.0.9")));
    send(&mut world, alice, b"hello");
    answer(&mut world, b"hello yourself");
    (world, alice)
}

/// The node sends a packet.
fn send(world: &mut World, alice: HostId, payload: &[u8]) {
    let packet =
        crate::world::udp(world.virtual_address(alice), secret(9).public_key().virtual_address(), payload);
    world.send_packet(alice, &packet);
    world.run_for(ms(100));
}

/// The plain peer sends a packet to wherever it believes the node to be.
fn answer(world: &mut World, payload: &[u8]) {
    let plain = world.plain.as_ref().expect("a plain peer");
    let (from, to, sealed) = (plain.address, plain.endpoint.expect("a contact"), plain.seal(payload));
    world.inject(from, to, sealed);
    world.run_for(ms(100));
}

/// Packets until the node knows that the peer is plain.
fn negotiated() -> (World, HostId) {
    let (mut world, alice) = pair();
    for _ in 0..12 {
        send(&mut world, alice, b"are you enhanced?");
        answer(&mut world, b"what?");
        world.run_for(ms(800));
    }
    assert_eq!(world.status(alice).kind, PeerKind::Plain);
    (world, alice)
}

fn plain(world: &mut World) -> &mut Plain {
    world.plain.as_mut().expect("a plain peer")
}

#[test]
fn options_ride_only_on_real_packets_and_only_until_the_peer_is_known_to_be_plain() {
    let (mut world, alice) = negotiated();
    let seen = plain(&mut world).options_seen();
    assert!((1..=5).contains(&seen.len()), "a handful of probes, not {}", seen.len());
    assert!(seen.iter().all(|on_packet| *on_packet), "each beside a packet");

    for n in 0..200_u32 {
        send(&mut world, alice, &n.to_be_bytes());
        answer(&mut world, b"yes");
        world.run_for(secs(1));
    }
    world.move_to(alice, &["10.7.0.1"]);
    world.attach(alice, &["10.7.0.1"], Cause::Woke);
    world.run_for(secs(60));
    assert_eq!(plain(&mut world).options_seen().len(), seen.len(), "nothing VC ever after");
}

#[test]
fn a_packet_without_room_carries_no_probe() {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("phone", secret(9).public_key(), &[at("10.0.0.9")])]);
    world.plain = Some(Plain::new(9, 1, at("10.0.0.9")));
    send(&mut world, alice, &[7; 1420 - 48]);
    send(&mut world, alice, &[7; 1420 - 48 - 1]);

    assert_eq!(plain(&mut world).opened.len(), 2);
    assert_eq!(plain(&mut world).options_seen(), []);
    let longest = world.trace.iter().map(|flight| flight.datagram.len()).max();
    assert_eq!(longest, Some(1420 + 32), "no datagram exceeds the tunnel's MTU and its own overhead");

    send(&mut world, alice, b"small");
    assert_eq!(plain(&mut world).options_seen(), [true]);
}

#[test]
fn a_plain_peer_that_moves_is_followed_at_its_first_message() {
    let (mut world, alice) = negotiated();
    plain(&mut world).address = at("10.7.0.9");
    answer(&mut world, b"from elsewhere");
    assert_eq!(world.remote(alice), at("10.7.0.9"));

    send(&mut world, alice, b"found you");
    assert_eq!(plain(&mut world).payloads().last().unwrap(), b"found you");
    assert_eq!(world.status(alice).moves_remote, 1);
}

#[test]
fn a_message_that_was_overtaken_does_not_move_a_plain_peer_back() {
    let (mut world, alice) = negotiated();
    let late = plain(&mut world).seal(b"sent before the move");
    plain(&mut world).address = at("10.7.0.9");
    answer(&mut world, b"from elsewhere");
    world.inject(at("10.0.0.9"), at("10.0.0.1"), late);
    world.run_for(ms(100));

    assert_eq!(world.texts(alice, 0).last().unwrap(), "sent before the move", "delivered all the same");
    assert_eq!(world.remote(alice), at("10.7.0.9"));
}

#[test]
fn when_we_move_a_plain_peer_follows_us_though_nobody_has_anything_to_send() {
    let (mut world, alice) = negotiated();
    world.move_to(alice, &["10.7.0.1"]);
    assert_ne!(world.status(alice).condition, Condition::Held(stead_node::Suspension::Moving));
    world.run_for(ms(100));
    assert_eq!(plain(&mut world).endpoint, Some(at("10.7.0.1")));

    answer(&mut world, b"there you are");
    assert_eq!(world.texts(alice, 0).last().unwrap(), "there you are");
    let moved = world.happenings(alice).into_iter().rev().find_map(|what| match what {
        stead_node::Happening::PathMoved { who, .. } => Some(who),
        _ => None,
    });
    assert_eq!(moved, Some(Mover::Us));
}

#[test]
fn a_plain_peer_may_begin_and_be_answered() {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("phone", secret(9).public_key(), &[])]);
    world.plain = Some(Plain::new(9, 1, at("10.0.0.9")));
    let initiation = world.plain_initiation();
    world.inject(at("10.0.0.9"), at("10.0.0.1"), initiation);
    world.run_for(ms(100));
    answer(&mut world, b"first");
    send(&mut world, alice, b"second");

    assert_eq!(world.texts(alice, 0), ["first"]);
    assert_eq!(plain(&mut world).payloads(), [b"second"]);
    assert_eq!(world.status(alice).handshakes, 1);
}

#[test]
fn malformed_options_and_plaintexts_of_an_authenticated_peer_are_counted_and_change_nothing() {
    let (mut world, alice) = negotiated();
    let path = world.status(alice).path;
    // An options-only message begins with a kind whose high nibble is neither 4 nor 6.
    for plaintext in [
        &[0xe1, 1][..],
        &[0xe1, 0],
        &[0xe1, 200, 1, 2, 3],
        &[0xff; 64],
        &[0x45; 8],
        &[0x60; 39],
        &[0x45, 0, 0xff, 0xff, 0, 0, 0, 0],
    ] {
        let sealed = plain(&mut world).seal_plaintext(plaintext);
        world.inject(at("10.0.0.9"), at("10.0.0.1"), sealed);
    }
    world.run_for(secs(5));

    assert_eq!(world.status(alice).path, path);
    assert_eq!(world.status(alice).kind, PeerKind::Plain, "garbage is no option");
    let counted =
        world.drops(alice, Discard::MalformedOptions) + world.drops(alice, Discard::MalformedPlaintext);
    assert!(counted >= 6, "{counted}");
    answer(&mut world, b"and on");
    assert_eq!(world.texts(alice, 0).last().unwrap(), "and on");
}
