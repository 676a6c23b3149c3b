//! Handshakes that both sides begin at once: whatever becomes of their messages, both sides go on with AES, each in a
//! session that the other one has.

use proptest::prelude::*;
use stead_node::Discard;
use stead_noise::cipher::Cipher;
use stead_wire::time::Duration;

use crate::world::{Flight, HostId, World, at, ms, peer, secret};

/// Length of a datagram with nothing but a cipher upgrade's offer or answer.
const OFFER_LEN: usize = 48;

/// Two hosts that know where the other is, and begin a handshake in the same moment.
fn crossing() -> (World, [HostId; 2]) {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[at("10.0.0.2")])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    (world, [alice, bob])
}

/// A packet each way every `pause`.
fn converse(world: &mut World, [alice, bob]: [HostId; 2], rounds: u32, pause: Duration) {
    for round in 0..rounds {
        world.send(alice, bob, &round.to_be_bytes());
        world.send(bob, alice, &round.to_be_bytes());
        world.run_for(pause);
    }
}

fn ciphers(world: &World, hosts: [HostId; 2]) -> [Option<Cipher>; 2] {
    hosts.map(|host| world.status(host).cipher)
}

fn dropped(world: &World, hosts: [HostId; 2], reason: Discard) -> u64 {
    hosts.iter().map(|host| world.drops(*host, reason)).sum()
}

/// Both seal with AES, and all that is sent from now on arrives.
fn assert_agreed(world: &mut World, hosts: [HostId; 2], story: &str) {
    assert_eq!(ciphers(world, hosts), [Some(Cipher::Aes256Gcm); 2], "{story}");
    assert_heard(world, hosts, story);
}

/// All that is sent from now on arrives.
fn assert_heard(world: &mut World, hosts: [HostId; 2], story: &str) {
    let before = hosts.map(|host| world.received(host).len());
    let unknown = dropped(world, hosts, Discard::UnknownSession);
    converse(world, hosts, 20, ms(50));
    world.run_for(ms(200));
    assert_eq!(hosts.map(|host| world.received(host).len()), before.map(|count| count + 20), "{story}");
    assert_eq!(dropped(world, hosts, Discard::UnknownSession), unknown, "{story}");
}

#[test]
fn after_crossed_handshakes_both_go_on_with_aes_and_nothing_is_unsolicited() {
    let (mut world, hosts) = crossing();
    converse(&mut world, hosts, 10, ms(50));

    assert_eq!(world.initiations(), 2, "they did cross");
    assert_eq!(dropped(&world, hosts, Discard::UnsolicitedTwin), 0);
    assert_agreed(&mut world, hosts, "undisturbed");
    assert_eq!(hosts.map(|host| world.received(host).len()), [30, 30]);
}

#[test]
fn whichever_datagram_of_crossed_handshakes_is_lost_or_doubled_both_go_on_with_aes() {
    for doubled in [false, true] {
        for which in 0..24 {
            let (mut world, hosts) = crossing();
            let mut sent = 0;
            world.disorder = Some(Box::new(move |_| {
                sent += 1;
                match (sent == which + 1, doubled) {
                    (true, false) => Vec::new(),
                    (true, true) => vec![ms(10), ms(35), ms(1200)],
                    (false, _) => vec![ms(10)],
                }
            }));
            converse(&mut world, hosts, 70, ms(100));
            assert_agreed(&mut world, hosts, &format!("datagram {which}, doubled: {doubled}"));
        }
    }
}

#[test]
fn an_offer_whose_answer_is_lost_is_answered_again_in_either_of_two_crossed_sessions() {
    for answering in ["10.0.0.1", "10.0.0.2"] {
        let (mut world, hosts) = crossing();
        let mut spared = false;
        // Of each side's messages of that length the first is its own offer.
        world.loses = Box::new(move |flight: &Flight| {
            let upgrade = flight.datagram.len() == OFFER_LEN && flight.source == at(answering);
            let first = upgrade && !spared;
            spared |= upgrade;
            upgrade && !first && flight.sent < stead_wire::time::Instant::from_micros(3_500_000)
        });
        converse(&mut world, hosts, 60, ms(100));
        assert_eq!(dropped(&world, hosts, Discard::UnsolicitedTwin), 0, "{answering}");
        assert_agreed(&mut world, hosts, answering);
    }
}

#[test]
fn rekeys_of_crossed_handshakes_do_not_cross_and_every_session_is_upgraded() {
    let (mut world, hosts) = crossing();
    converse(&mut world, hosts, 20, ms(100));
    let before = world.initiations();
    for minute in 0..10 {
        converse(&mut world, hosts, 120, ms(500));
        assert_agreed(&mut world, hosts, &format!("minute {minute}"));
    }
    let renewals = world.initiations() - before;
    assert!((4..=6).contains(&renewals), "one every 120 s, not {renewals}");
    assert_eq!(dropped(&world, hosts, Discard::UnsolicitedTwin), 0);
}

#[test]
fn where_initiations_take_seconds_every_session_is_upgraded() {
    let (mut world, hosts) = crossing();
    world.disorder =
        Some(Box::new(|flight: &Flight| vec![ms(if flight.datagram[0] == 1 { 2600 } else { 10 })]));
    for minute in 0..10 {
        converse(&mut world, hosts, 120, ms(500));
        assert_agreed(&mut world, hosts, &format!("minute {minute}"));
    }
}

#[test]
fn a_pair_whose_offers_failed_tries_again() {
    let (mut world, hosts) = crossing();
    world.loses = Box::new(|flight: &Flight| {
        flight.datagram.len() == OFFER_LEN && flight.sent < stead_wire::time::Instant::from_micros(21_000_000)
    });
    converse(&mut world, hosts, 40, ms(500));
    assert_eq!(ciphers(&world, hosts), [Some(Cipher::ChaCha20Poly1305); 2]);

    converse(&mut world, hosts, 40, ms(500));
    assert_agreed(&mut world, hosts, "after 20 s without");
}

/// What the network does to each datagram, decided by a generator of its own so that shrinking keeps the rest.
fn disorder(seed: u64, (loss, doubling, longest): (u64, u64, u64)) -> impl FnMut(&Flight) -> Vec<Duration> {
    let mut state = seed;
    move |_| {
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        if draw(100) < loss {
            return Vec::new();
        }
        let copies = 1 + u64::from(draw(100) < doubling);
        (0..copies).map(|_| ms(1 + draw(longest))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_disorder_of_crossed_handshakes_both_seal_in_sessions_that_the_other_has(
        seed in any::<u64>(),
        (loss, doubling, longest) in (prop_oneof![Just(0), 0..50_u64], 0..50_u64, 2..400_u64),
        disturbed in 100..4000_u64,
        apart in 0..400_u64,
    ) {
        let (mut world, hosts) = crossing();
        world.disorder = Some(Box::new(disorder(seed, (loss, doubling, longest))));
        world.send(hosts[0], hosts[1], b"first");
        world.run_for(ms(apart));
        converse(&mut world, hosts, 20, ms(disturbed / 20));
        world.disorder = None;
        // Longer than a handshake's retry and the longest pause between offers until then.
        converse(&mut world, hosts, 60, ms(200));
        assert_heard(&mut world, hosts, "when all is quiet");
        // A loss may have taken the word of what the peers are able to.
        if loss == 0 {
            prop_assert_eq!(ciphers(&world, hosts), [Some(Cipher::Aes256Gcm); 2]);
        }
    }
}
