//! The relay: for pairs that asked for it, between proven addresses, within bounds.

use stead_sns::{Discard, Happening, RelayLimits, Settings};
use stead_wire::options::{Lease, Reason, RelaySlot, Subscription, VcOption, Wishes};
use stead_wire::relayed;

use crate::world::{Id, World, at, ms, secs, settings};

const HOME: &str = "192.0.2.1:51820";
const OFFICE: &str = "198.51.100.2:51820";
const CAFE: &str = "203.0.113.3:51820";

/// Two clients behind NATs, of which the first asked for a slot.
fn pair(settings: Settings) -> (World, Id, Id) {
    let mut world = World::of(settings);
    let (a, b) = (world.private(HOME), world.private(OFFICE));
    world.acquaint(a, b);
    world.subscribe(a, b, Wishes::RELAY);
    (world, a, b)
}

/// A WireGuard data message of `len` bytes in `slot`.
fn message(slot: RelaySlot, len: usize) -> Vec<u8> {
    let mut message = vec![7; len];
    message[..4].copy_from_slice(&[4, 0, 0, 0]);
    assert!(relayed::wrap(&mut message, slot));
    message
}

#[test]
fn both_sides_learn_the_slot_when_one_asked_and_messages_pass_unchanged_both_ways() {
    let (mut world, a, b) = pair(settings());
    let slot = world.slot(a).expect("asked");
    assert_eq!(world.slot(b), Some(slot), "told without having asked");

    world.inject(at(HOME), message(slot, 100));
    world.inject(at(OFFICE), message(slot, 64));

    assert_eq!(world.client(b).relayed, [message(slot, 100)]);
    assert_eq!(world.client(a).relayed, [message(slot, 64)]);
    assert_eq!(world.happened(a).last(), Some(&Happening::Relaying));
    let relay = world.status().relay.unwrap();
    assert_eq!((relay.slots, relay.active, relay.datagrams, relay.bytes), (1, 1, 2, 164));
}

#[test]
fn nobody_gets_a_slot_who_did_not_ask_or_whose_peer_is_not_there() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.private(OFFICE));
    world.subscribe(a, b, Wishes::RELAY);
    assert_eq!(world.slot(a), None, "alone");

    let (c, d) = (world.private(CAFE), world.private("203.0.113.9:1"));
    world.acquaint(c, d);
    assert_eq!((world.slot(c), world.slot(d)), (None, None), "nobody asked");
}

#[test]
fn a_service_without_a_relay_grants_no_slot_and_carries_nothing() {
    let (mut world, a, b) = pair(Settings { relay: None, ..settings() });
    let granted = world.subscribed(a).unwrap();
    assert!(granted.present && granted.slot.is_none());
    assert_eq!(world.declined(a), [Reason::RelayOff], "the subscription stands");

    world.inject(at(HOME), message(RelaySlot::new(1).unwrap(), 100));

    assert_eq!(world.client(b).relayed, Vec::<Vec<u8>>::new());
    assert_eq!((world.drops(Discard::RelayStranger), world.status().relay), (1, None));
}

#[test]
fn only_the_proven_addresses_of_the_pair_may_send_in_its_slot() {
    let (mut world, a, b) = pair(settings());
    let slot = world.slot(a).unwrap();
    let third = world.private(CAFE);

    for stranger in [CAFE, "192.0.2.1:51821", "203.0.113.77:1"] {
        world.inject(at(stranger), message(slot, 100));
    }
    world.inject(at(HOME), message(RelaySlot::new(slot.number() + 1).unwrap(), 100));

    for id in [a, b, third] {
        assert_eq!(world.client(id).relayed, Vec::<Vec<u8>>::new());
    }
    assert_eq!(world.drops(Discard::RelayStranger), 4);
}

#[test]
fn after_a_move_the_relay_goes_on_once_the_new_address_is_proven() {
    let (mut world, a, b) = pair(settings());
    let slot = world.slot(a).unwrap();
    world.client(b).polite = false;
    world.relocate(b, CAFE);
    world.send(b, &[]);
    world.inject(at(HOME), message(slot, 100));
    world.inject(at(CAFE), message(slot, 100));
    assert_eq!(world.client(b).relayed.len() + world.client(a).relayed.len(), 0, "nothing on its word alone");

    world.client(b).polite = true;
    world.send(b, &[]);
    world.inject(at(HOME), message(slot, 100));
    world.inject(at(CAFE), message(slot, 100));

    assert_eq!((world.client(b).relayed.len(), world.client(a).relayed.len()), (1, 1));
}

#[test]
fn a_client_that_fell_silent_gets_nothing_relayed() {
    let (mut world, a, _) = pair(settings());
    let slot = world.slot(a).unwrap();
    world.run_for(secs(170));
    world.connect(a);
    world.run_for(secs(11));

    world.inject(at(HOME), message(slot, 100));

    assert_eq!(world.drops(Discard::RelayUnreachable), 1);
}

#[test]
fn a_side_that_may_have_missed_its_slot_is_told_again_when_something_comes_for_it() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.private(OFFICE));
    world.acquaint(a, b);
    world.client(b).deaf = true;
    world.subscribe(a, b, Wishes::RELAY);
    world.client(b).deaf = false;
    assert_eq!(world.slot(b), None);
    let slot = world.slot(a).unwrap();

    world.run_for(ms(150));
    for _ in 0..50 {
        world.inject(at(HOME), message(slot, 100));
    }

    assert_eq!((world.slot(b), world.client(b).relayed.len()), (Some(slot), 50));
    let told = world
        .client(b)
        .heard
        .iter()
        .filter(|(_, it)| matches!(it, VcOption::Subscribed(it) if it.slot.is_some()));
    assert_eq!(told.count(), 1, "not with every message");
}

#[test]
fn a_pair_sends_no_more_than_it_may() {
    let limits = RelayLimits { rate: 10_000, burst: 5_000, total: 1_000_000 };
    let (mut world, a, b) = pair(Settings { relay: Some(limits), ..settings() });
    let slot = world.slot(a).unwrap();
    for _ in 0..1000 {
        world.inject(at(HOME), message(slot, 1000));
        world.run_for(ms(1));
    }

    let carried = world.client(b).relayed.len();
    assert!((14..=15).contains(&carried), "5 at once and 10 in the second: {carried}");
    assert_eq!(world.drops(Discard::RelayLimit), 1000 - carried as u64);
}

#[test]
fn the_slot_ends_with_either_subscription_and_the_next_pair_may_have_it() {
    let (mut world, a, b) = pair(settings());
    let slot = world.slot(a).unwrap();
    let topic = world.topic(b, a);
    let ended = Subscription { topic, lease: Lease::ENDED, wishes: Wishes::NONE };
    world.send(b, &[VcOption::Subscription(ended)]);
    world.inject(at(HOME), message(slot, 100));
    assert_eq!((world.client(b).relayed.len(), world.status().relay.unwrap().slots), (0, 0));

    let (c, d) = (world.private(CAFE), world.private("203.0.113.9:1"));
    world.acquaint(c, d);
    world.subscribe(c, d, Wishes::RELAY);
    assert_eq!(world.slot(c), Some(slot));
    world.inject(at(HOME), message(slot, 100));
    assert_eq!(world.client(d).relayed.len(), 0, "whose slot it was has no part in it");
}

#[test]
fn what_is_no_wireguard_message_is_not_carried() {
    let (mut world, a, b) = pair(settings());
    let slot = world.slot(a).unwrap();
    for (kind, len) in [(0x11, 100), (0x12, 148), (0x13, 65), (0x14, 31)] {
        let mut bytes = message(slot, len);
        bytes[0] = kind;
        world.inject(at(HOME), bytes);
    }

    assert_eq!((world.client(b).relayed.len(), world.drops(Discard::MalformedDatagram)), (0, 4));
}
