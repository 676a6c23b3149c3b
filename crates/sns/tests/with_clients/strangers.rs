//! What strangers, replays and malformed messages can cause: nothing.

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_sns::Discard;
use stead_wire::options::VcOption;

use crate::world::{World, at, ms, secs, service_secret};

const HOME: &str = "192.0.2.1:51820";

#[test]
fn who_does_not_know_the_services_key_hears_nothing() {
    let mut world = World::new();
    let a = world.stranger(HOME);
    let mut initiation = world.initiation(a);
    initiation[50] ^= 1;
    world.inject(at(HOME), initiation.clone());
    assert_eq!(world.drops(Discard::WrongMac1), 1);

    let mac1 = Mac1Key::for_receiver(&service_secret().public_key());
    seal_mac1(&mut initiation, &mac1);
    world.inject(at(HOME), initiation);

    assert_eq!((world.drops(Discard::ForgedHandshake), world.client(a).bytes_in), (1, 0));
}

#[test]
fn noise_of_every_length_and_kind_is_dropped_without_a_word() {
    let mut world = World::new();
    let a = world.stranger(HOME);
    for kind in 0..=255_u8 {
        for len in [0, 1, 3, 4, 31, 32, 64, 92, 148, 1500] {
            let mut noise = vec![kind; len];
            if len >= 4 {
                noise[1..4].fill(0);
            }
            world.inject(at(HOME), noise);
        }
    }

    assert_eq!(world.client(a).bytes_in, 0);
    assert_eq!((world.status().clients.knocking, world.status().subscriptions), (0, 0));
}

#[test]
fn under_a_flood_of_initiations_a_client_gets_in_by_a_cookie() {
    let mut world = World::new();
    let attackers: Vec<_> = (0..10).map(|n| world.stranger(&format!("203.0.113.{n}:1"))).collect();
    for _ in 0..40 {
        for attacker in &attackers {
            // Never opens the cookie replies that it gets.
            world.client(*attacker).deaf = true;
            world.run_for(ms(1));
            world.initiate(*attacker);
        }
    }
    assert!(world.drops(Discard::CookieRequired) > 0);

    let honest = world.stranger(HOME);
    world.initiate(honest);
    assert!(world.client(honest).session.is_none(), "a cookie came instead");
    world.run_for(ms(1));
    world.connect(honest);

    assert_eq!(world.status().clients.confirmed, 1);
}

#[test]
fn a_forged_or_replayed_message_changes_nothing() {
    let mut world = World::new();
    let a = world.public(HOME);
    let sealed = world.sealed(a, &[VcOption::Claimed(at(HOME))]);
    for at_byte in 16..sealed.len() {
        let mut forged = sealed.clone();
        forged[at_byte] ^= 1;
        world.inject(at("203.0.113.7:7"), forged);
    }
    assert_eq!(world.drops(Discard::ForgedTransport), sealed.len() as u64 - 16);

    world.inject(at(HOME), sealed.clone());
    world.inject(at("203.0.113.7:7"), sealed);

    assert_eq!((world.drops(Discard::ReplayedTransport), world.happened(a).len()), (1, 1));
}

#[test]
fn a_client_that_sends_packets_or_nonsense_is_ignored() {
    let mut world = World::new();
    let a = world.public(HOME);
    let heard = world.client(a).heard.len();
    for plaintext in [&[0x45; 40][..], &[0x60; 60], &[0x70, 0], &[0x70, 3, 1], &[0x10, 1]] {
        let sealed = world.sealed_bytes(a, plaintext);
        world.inject(at(HOME), sealed);
    }

    assert_eq!(world.drops(Discard::Packet) + world.drops(Discard::MalformedOptions), 5);
    assert_eq!((world.client(a).heard.len(), world.status().subscriptions), (heard, 0));
}

#[test]
fn a_session_past_its_life_is_closed_to_its_client_too() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.stranger("198.51.100.2:1"));
    world.subscribe(a, b, stead_wire::options::Wishes::NONE);
    world.now += secs(180);

    world.send(a, &[]);

    assert_eq!(world.drops(Discard::ExpiredSession), 1);
}
