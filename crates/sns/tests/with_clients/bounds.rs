//! Whatever comes, memory stays within the quotas, and answers to strangers within what they sent.

use proptest::prelude::*;
use stead_sns::{Quotas, RelayLimits, Settings};
use stead_wire::options::{
    Lease, Marks, Publication, Receipt, RelaySlot, Sealed, Subscription, Topic, VcOption, Wishes,
};
use stead_wire::relayed;

use crate::world::{Id, World, at, ms, settings};

const QUOTAS: Quotas = Quotas {
    clients: 6,
    clients_per_address: 4,
    subscriptions: 20,
    subscriptions_per_client: 7,
    subscriptions_per_address: 15,
};

/// Something that somebody does.
#[derive(Clone, Debug)]
enum Act {
    Connect(usize),
    Send(usize, Vec<VcOption>),
    Garbage(usize, Vec<u8>),
    Move(usize, u8),
    Deafen(usize, bool),
    Replay(usize, u8),
    Relay(usize, u32),
    Stranger(u8, Vec<u8>),
    Wait(u64),
}

const HOSTS: usize = 12;

fn topic() -> impl Strategy<Value = Topic> {
    (0..30_u8).prop_map(|n| Topic([n; 16]))
}

fn option() -> impl Strategy<Value = VcOption> {
    prop_oneof![
        4 => (topic(), 0..700_u16, any::<u8>()).prop_map(|(topic, lease, wishes)| {
            let (lease, wishes) = (Lease::from_secs(lease), Wishes::from_bits(wishes));
            VcOption::Subscription(Subscription { topic, lease, wishes })
        }),
        4 => (topic(), 0..9_u64, any::<u8>()).prop_map(|(topic, number, marks)| {
            let sealed = Sealed::new(&[7; 60]).expect("short");
            VcOption::Publication(Publication { topic, number, marks: Marks::from_bits(marks), sealed })
        }),
        1 => (topic(), 0..9_u64).prop_map(|(topic, number)| VcOption::Notified(Receipt { topic, number })),
        1 => (0..9_u8).prop_map(|n| VcOption::Claimed(at(&format!("10.0.0.{n}:1")))),
        1 => any::<[u8; 8]>()
            .prop_map(|token| VcOption::PathResponse(stead_wire::options::ChallengeToken(token))),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        3 => (0..HOSTS).prop_map(Act::Connect),
        8 => (0..HOSTS, proptest::collection::vec(option(), 0..5)).prop_map(|(n, it)| Act::Send(n, it)),
        1 => (0..HOSTS, bytes()).prop_map(|(n, it)| Act::Garbage(n, it)),
        2 => (0..HOSTS, any::<u8>()).prop_map(|(n, place)| Act::Move(n, place)),
        1 => (0..HOSTS, any::<bool>()).prop_map(|(n, deaf)| Act::Deafen(n, deaf)),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(n, place)| Act::Replay(n, place)),
        1 => (0..HOSTS, 1..20_u32).prop_map(|(n, slot)| Act::Relay(n, slot)),
        1 => (any::<u8>(), bytes()).prop_map(|(n, it)| Act::Stranger(n, it)),
        4 => (0..200_000_u64).prop_map(Act::Wait),
    ]
}

fn place(n: u8) -> String {
    format!("192.0.2.{}:{}", n % 3, 1000 + u16::from(n))
}

fn perform(world: &mut World, act: Act) {
    match act {
        Act::Connect(n) => {
            world.run_for(ms(1));
            world.initiate(Id(n));
            if world.clients[n].session.is_some() {
                world.send(Id(n), &[]);
            }
        }
        Act::Send(n, options) if world.clients[n].session.is_some() => world.send(Id(n), &options),
        Act::Garbage(n, bytes) if world.clients[n].session.is_some() => {
            let sealed = world.sealed_bytes(Id(n), &bytes);
            world.inject(world.clients[n].at, sealed);
        }
        Act::Send(..) | Act::Garbage(..) => {}
        Act::Move(n, to) => world.relocate(Id(n), &place(to)),
        Act::Deafen(n, deaf) => world.client(Id(n)).deaf = deaf,
        Act::Replay(n, from) => {
            if let Some((_, datagram)) = world.sent.get(n % world.sent.len().max(1)).cloned() {
                world.inject(at(&place(from)), datagram);
            }
        }
        Act::Relay(n, slot) => {
            let mut message = vec![0; 60];
            message[0] = 4;
            relayed::wrap(&mut message, RelaySlot::new(slot).expect("a slot"));
            world.inject(world.clients[n].at, message);
        }
        Act::Stranger(n, bytes) => world.inject(at(&place(n)), bytes),
        Act::Wait(millis) => world.run_for(ms(millis)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_quota_is_ever_exceeded_and_when_all_fall_silent_nothing_is_left(
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let relay = Some(RelayLimits { rate: 1000, burst: 1000, total: 2000 });
        let mut world = World::of(Settings { quotas: QUOTAS, relay, ..settings() });
        for n in 0..HOSTS {
            world.stranger(&place(n as u8));
        }
        for act in acts {
            perform(&mut world, act);
            let status = world.status();
            prop_assert!(status.clients.confirmed <= QUOTAS.clients);
            prop_assert!(status.subscriptions <= QUOTAS.subscriptions);
            prop_assert!(status.clients.knocking <= HOSTS);
            prop_assert!(status.pairs * 2 <= status.subscriptions);
            prop_assert!(status.relay.is_none_or(|relay| relay.slots <= status.pairs));
        }

        world.clients.iter_mut().for_each(|client| client.deaf = true);
        world.run_for(ms(1_000_000));
        let status = world.status();
        prop_assert_eq!((status.clients.confirmed, status.clients.knocking, status.subscriptions), (0, 0, 0));
        prop_assert_eq!(status.relay.map(|relay| relay.slots), Some(0));
        prop_assert_eq!(world.service.poll_timeout(), None);
    }
}

#[test]
fn a_flood_of_fresh_keys_that_never_finish_leaves_a_bounded_number_behind() {
    let mut world = World::new();
    let victim = world.private("192.0.2.1:1");
    let peer = world.public("198.51.100.2:1");
    world.acquaint(victim, peer);
    // Each second as many as pass without a cookie.
    for n in 0..6000_u32 {
        let stranger = world.stranger(&format!("10.{}.{}.1:1", n >> 8, n & 255));
        world.client(stranger).deaf = true;
        if n % 240 == 0 {
            world.run_for(ms(1000));
        }
        let initiation = world.initiation(stranger);
        world.inject(world.clients[stranger.0].at, initiation);
        assert!(world.status().clients.knocking <= 4096);
    }

    assert!(world.status().clients.knocking > 1000, "the flood got through");
    assert_eq!(world.status().subscriptions, 2, "who was there before is still there");
    world.publish(peer, victim, 2, Marks::MOVED);
    assert_eq!(world.notifications(victim).last().map(|(_, number, _)| *number), Some(2));
}
