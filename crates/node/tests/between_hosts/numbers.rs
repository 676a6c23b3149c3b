//! Many peers, full tables, shared keys: what depends on how many there are and on what both must know.

use crate::world::{World, at, ms, peer, secret, secs};
use stead_node::{Condition, Discard, PeerSettings};
use stead_noise::keys::{PresharedKey, StaticSecret};

fn shared(number: u8) -> Option<PresharedKey> {
    Some(PresharedKey::from_bytes([number; 32]))
}

/// Two hosts with these preshared keys; bob has sent a packet.
fn with_keys(ours: Option<PresharedKey>, theirs: Option<PresharedKey>) -> World {
    let mut world = World::new();
    let bob = PeerSettings { preshared_key: ours, ..peer("bob", secret(2).public_key(), &[]) };
    let alice =
        PeerSettings { preshared_key: theirs, ..peer("alice", secret(1).public_key(), &[at("10.0.0.1")]) };
    let one = world.host(1, &["10.0.0.1"], vec![bob]);
    let other = world.host(2, &["10.0.0.2"], vec![alice]);
    world.send(other, one, b"secret");
    world
}

#[test]
fn with_the_same_preshared_key_there_is_a_session() {
    let mut world = with_keys(shared(7), shared(7));
    world.run_for(ms(100));
    assert_eq!(world.texts(crate::world::HostId(0), 0), ["secret"]);
}

#[test]
fn with_different_preshared_keys_there_is_none_and_asking_ends() {
    for (ours, theirs) in [(shared(7), shared(8)), (shared(7), None), (None, shared(8))] {
        let mut world = with_keys(ours, theirs);
        let (alice, bob) = (crate::world::HostId(0), crate::world::HostId(1));
        world.run_for(secs(100));
        assert_eq!(world.texts(alice, 0), [""; 0]);
        assert!((17..=19).contains(&world.initiations()), "one every 5 s for 90 s: {}", world.initiations());
        assert_eq!(world.drops(bob, Discard::ForgedHandshake) as usize, world.initiations());
        assert_eq!(world.drops(bob, Discard::HeldTooLong), 1);
        assert_eq!(world.status(bob).condition, Condition::NoSession);
        assert_eq!(world.status(alice).handshakes, 0);

        let before = world.trace.len();
        world.run_for(secs(600));
        assert_eq!(world.trace.len(), before, "and then silence");
    }
}

#[test]
fn among_a_thousand_peers_each_is_itself() {
    let key = |n: u16| {
        let mut bytes = [9; 32];
        bytes[1..3].copy_from_slice(&n.to_be_bytes());
        StaticSecret::from_random(bytes).public_key()
    };
    let mut peers: Vec<PeerSettings> =
        (0..1000).map(|n| peer(&format!("peer {n}"), key(n), &[at("10.99.0.1")])).collect();
    peers.insert(0, peer("bob", secret(2).public_key(), &[]));
    peers[500] = peer("carol", secret(3).public_key(), &[]);
    let mut world = World::new();
    let hub = world.host(1, &["10.0.0.1"], peers);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("hub", secret(1).public_key(), &[at("10.0.0.1")])]);
    let carol = world.host(3, &["10.0.0.3"], vec![peer("hub", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.send(bob, hub, b"bob");
    world.send(carol, hub, b"carol");
    world.run_for(ms(100));
    world.send(hub, bob, b"to bob");
    world.send(hub, carol, b"to carol");
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    world.move_to(hub, &["10.8.0.1"]);
    world.run_for(ms(100));
    world.send(hub, bob, b"still bob");
    world.send(hub, carol, b"still carol");
    world.run_for(ms(100));

    assert_eq!(world.texts(hub, 0), ["bob", "carol"]);
    assert_eq!(world.texts(bob, 0).last().unwrap(), "still bob");
    assert_eq!(world.texts(carol, 0), ["to carol", "still carol"]);
    let to_others = world.trace.iter().filter(|flight| flight.destination == at("10.99.0.1")).count();
    assert_eq!(to_others, 0, "a move is told to those who must hear of it");
}

#[test]
fn a_full_table_makes_room_and_traffic_goes_on() {
    let (mut world, alice, bob) = World::connected_pair();
    let (from, to) = (world.virtual_address(bob), world.virtual_address(alice));
    for port in 1000..1300_u16 {
        let mut packet = crate::world::udp(from, to, b"x");
        packet[40..42].copy_from_slice(&port.to_be_bytes());
        world.send_packet(bob, &packet);
        world.run_for(ms(20));
    }
    assert_eq!(world.received(alice).len(), 301, "every packet arrived");
    assert_eq!((world.connections(alice).len(), world.connections(bob).len()), (64, 64));

    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    assert!(world.connections(alice).iter().all(|connection| connection.row.remote == at("10.7.0.2")));
}
