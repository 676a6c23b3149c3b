//! Terms: peers that are able to go on with more than a plain WireGuard session agree on it inside the session, and
//! lose nothing by it, whatever becomes of the messages that agree.

use crate::world::{HostId, World, ms, secs};
use stead_node::Happening;
use stead_noise::cipher::Cipher;
use stead_wire::message::{Message, SessionIndex};
use stead_wire::options::Capabilities;

const AES: Capabilities = Capabilities::FAST_AES;
const NONE: Capabilities = Capabilities::NONE;

/// A packet each way, and time to agree.
fn met(alice: Capabilities, bob: Capabilities) -> (World, HostId, HostId) {
    let (mut world, alice, bob) = World::pair_able(alice, bob);
    world.send(bob, alice, b"hello");
    world.run_for(ms(200));
    world.send(alice, bob, b"hello yourself");
    world.run_for(ms(200));
    (world, alice, bob)
}

fn ciphers(world: &World, hosts: [HostId; 2]) -> [Option<Cipher>; 2] {
    hosts.map(|host| world.status(host).cipher)
}

fn both(cipher: Cipher) -> [Option<Cipher>; 2] {
    [Some(cipher); 2]
}

/// A packet each way every 100 ms.
fn converse(world: &mut World, [alice, bob]: [HostId; 2], rounds: u32) {
    for round in 0..rounds {
        world.send(bob, alice, &round.to_be_bytes());
        world.send(alice, bob, &round.to_be_bytes());
        world.run_for(ms(100));
    }
}

#[test]
fn peers_that_both_have_aes_go_on_with_it_without_another_handshake() {
    let (mut world, alice, bob) = met(AES, AES);
    assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::Aes256Gcm));
    converse(&mut world, [alice, bob], 10);

    assert_eq!((world.received(alice).len(), world.received(bob).len()), (11, 11));
    assert_eq!(
        (world.initiations(), world.status(alice).handshakes, world.status(bob).handshakes),
        (1, 1, 1)
    );
    for host in [alice, bob] {
        let agreed = Happening::TermsAgreed { cipher: Cipher::Aes256Gcm, partial_checksums: false };
        assert_eq!(world.happenings(host).iter().filter(|what| **what == agreed).count(), 1);
    }
}

#[test]
fn where_one_has_no_aes_or_wants_none_both_stay_with_wireguard_s_cipher() {
    for (one, other) in [(AES, NONE), (NONE, AES), (NONE, NONE)] {
        let (mut world, alice, bob) = met(one, other);
        world.run_for(secs(20));
        let before = world.trace.len();
        world.run_for(secs(20));
        assert_eq!(world.trace.len(), before, "and nothing is offered");
        assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::ChaCha20Poly1305));
    }
}

#[test]
fn what_only_one_is_able_to_is_no_term() {
    let (world, alice, bob) = met(AES | Capabilities::PARTIAL_CHECKSUMS, Capabilities::PARTIAL_CHECKSUMS);
    assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::ChaCha20Poly1305));
    let agreed = Happening::TermsAgreed { cipher: Cipher::ChaCha20Poly1305, partial_checksums: true };
    assert!(world.happenings(alice).contains(&agreed));
}

#[test]
fn whichever_datagram_of_the_meeting_is_lost_they_agree_and_lose_nothing_afterwards() {
    for lost in 0..14 {
        let (mut world, alice, bob) = World::pair();
        let mut sent = 0;
        world.loses = Box::new(move |_| {
            sent += 1;
            sent == lost + 1
        });
        // An initiation is sent again after 5 s; until then alice does not know where bob is.
        converse(&mut world, [alice, bob], 70);
        assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::Aes256Gcm), "without datagram {lost}");
        let counts = |world: &World| [alice, bob].map(|host| world.received(host).len());
        let before = counts(&world);
        converse(&mut world, [alice, bob], 30);
        assert_eq!(counts(&world), before.map(|count| count + 30), "without datagram {lost}");
        assert!(before[0] >= 69, "without datagram {lost}: {before:?} of 70");
    }
}

#[test]
fn every_rekey_leads_back_to_the_same_terms_and_loses_nothing() {
    let (mut world, alice, bob) = met(AES, AES);
    converse(&mut world, [alice, bob], 6000);

    assert_eq!((world.received(alice).len(), world.received(bob).len()), (6001, 6001));
    assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::Aes256Gcm));
    let handshakes = world.status(alice).handshakes;
    assert!(
        (5..=7).contains(&handshakes),
        "one every 120 s, not {handshakes}: a twin is as old as its parent"
    );
}

#[test]
fn whoever_suppresses_the_offers_gains_nothing_but_wireguard_s_cipher() {
    let (mut world, alice, bob) = World::pair();
    // Messages of options alone, as long as an offer.
    world.loses = Box::new(|flight| flight.datagram.len() == 48);
    converse(&mut world, [alice, bob], 100);

    assert_eq!(ciphers(&world, [alice, bob]), both(Cipher::ChaCha20Poly1305));
    assert_eq!(world.received(alice).len(), 100);
}

#[test]
fn a_replayed_offer_changes_nothing() {
    let (mut world, alice, bob) = met(AES, AES);
    let sessions = |world: &World| [alice, bob].map(|host| world.status(host).session);
    let before = sessions(&world);
    for flight in world.trace.clone() {
        world.inject(flight.source, flight.destination, flight.datagram);
    }
    world.run_for(secs(1));
    assert_eq!(sessions(&world), before);
    converse(&mut world, [alice, bob], 10);
    assert_eq!((world.received(alice).len(), world.received(bob).len()), (11, 11));
}

#[test]
fn twins_have_names_of_their_own_and_the_parent_s_are_used_no_more() {
    let (mut world, alice, bob) = met(AES, AES);
    let names: Vec<SessionIndex> =
        [alice, bob].map(|host| world.status(host).session.map(SessionIndex).unwrap()).to_vec();
    let before = world.trace.len();
    converse(&mut world, [alice, bob], 20);
    for flight in &world.trace[before..] {
        let Ok(Message::Transport(transport)) = Message::decode(&flight.datagram) else {
            panic!("a handshake")
        };
        assert!(names.contains(&transport.receiver));
    }
}
