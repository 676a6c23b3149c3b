//! A host whose own filter lets the tunnel's old 5-tuple pass and no other (seed 002 claims 6 and 7).

use crate::world::{HostId, World, at, ms, secs};
use stead_node::{Condition, Happening, Suspension};

/// Bob's host lets nothing out but from `old`, until `until`.
fn pinned(world: &mut World, until: u64) {
    let opens = world.now + secs(until);
    world.refuses = Box::new(move |flight| flight.source == at("10.7.0.2") && flight.sent < opens);
}

fn tick(world: &mut World, (from, to): (HostId, HostId), numbers: core::ops::Range<u16>) {
    for n in numbers {
        world.send(from, to, &n.to_be_bytes());
        world.run_for(ms(20));
    }
}

fn numbers(world: &World, host: HostId) -> Vec<u16> {
    world.received(host)[1..].iter().map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])).collect()
}

#[test]
fn a_rule_that_comes_three_seconds_after_the_move_costs_nothing_but_those() {
    let (mut world, alice, bob) = World::connected_pair();
    pinned(&mut world, 3);
    let opens = world.now + secs(3);
    world.move_to(bob, &["10.7.0.2"]);
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Refused));
    let refusal = world.status(bob).refusal.expect("it is told");
    assert_eq!((refusal.ends.local, refusal.ends.remote), (Some(at("10.7.0.2")), at("10.0.0.1")));
    tick(&mut world, (bob, alice), 0..200);
    world.run_for(ms(200));

    assert_eq!(numbers(&world, alice), (0..200).collect::<Vec<_>>(), "nothing lost");
    let first = *world.received_at(alice).iter().find(|at| **at > opens).expect("it goes on");
    assert!(first - opens <= world.delay * 3 + ms(25), "after {:?}", first - opens);
    assert_eq!((world.status(bob).refusal, world.status(bob).handshakes), (None, 1));
    assert!(world.refusals < 300, "{} system calls", world.refusals);
    let told = world.happenings(bob).into_iter().filter(|it| matches!(it, Happening::Refused { .. }));
    assert_eq!(told.count(), 1, "once");
}

#[test]
fn a_filter_that_closes_while_traffic_flows_is_noticed_at_the_first_datagram() {
    let (mut world, alice, bob) = World::connected_pair();
    let (closes, opens) = (world.now + secs(1), world.now + secs(2));
    world.refuses = Box::new(move |flight| {
        flight.source == at("10.0.0.2") && flight.sent >= closes && flight.sent < opens
    });
    tick(&mut world, (bob, alice), 0..60);
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Refused));
    tick(&mut world, (bob, alice), 60..120);
    world.run_for(ms(500));
    assert_eq!(numbers(&world, alice), (0..120).collect::<Vec<_>>(), "what was refused is sent again");
}

#[test]
fn a_filter_that_never_opens_is_asked_seldom_in_the_end() {
    let (mut world, _, bob) = World::connected_pair();
    pinned(&mut world, 100_000);
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(60));
    let before = world.refusals;
    world.run_for(secs(60));
    assert!(world.refusals - before < 150, "{} in a minute", world.refusals - before);
    assert_eq!(world.status(bob).condition, Condition::Held(Suspension::Refused));
}
