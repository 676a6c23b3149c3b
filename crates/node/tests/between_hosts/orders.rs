//! Suspended and resumed on order, as scripts and sleep hooks do it.

use crate::world::{HostId, World, at, ms, peer, secret, secs, udp};
use stead_node::{
    Arrival, Cause, Condition, Discard, FlowCursor, Happening, Obeyed, Order, Outbound, Suspension,
    UnknownPeer,
};

const ORDERED: Condition = Condition::Held(Suspension::Ordered);

/// One sends numbers to the other, one every 20 ms.
fn tick(world: &mut World, (from, to): (HostId, HostId), first: u16, count: u16) {
    for n in first..first + count {
        world.send(from, to, &n.to_be_bytes());
        world.run_for(ms(20));
    }
}

fn order(world: &mut World, host: HostId, names: &[String]) -> Result<Vec<Obeyed>, UnknownPeer> {
    let now = world.now;
    world.node(host).handle_order(Order::Suspend, names, now)
}

fn numbers(world: &World, host: HostId) -> Vec<u16> {
    let payloads = world.received(host);
    payloads[1..].iter().map(|payload| u16::from_be_bytes([payload[0], payload[1]])).collect()
}

#[test]
fn nothing_leaves_while_suspended_on_order_and_what_was_held_goes_first() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    assert!(world.order(bob, Order::Suspend).changed);
    assert_eq!(world.status(bob).condition, ORDERED);
    let before = world.trace.len();
    tick(&mut world, (bob, alice), 0, 100);
    let from_bob = world.trace[before..].iter().filter(|flight| flight.source == at("10.0.0.2"));
    assert_eq!(from_bob.count(), 0, "played dead");
    assert_eq!(world.status(bob).held.packets, 100);

    let resumed = world.order(bob, Order::Resume);
    assert!(resumed.changed);
    assert_eq!(resumed.suspended.map(|(why, _)| why), Some(Suspension::Resuming), "until the peer confirms");
    world.run_for(world.delay * 2);
    assert_eq!(world.status(bob).condition, Condition::Proven, "one round trip");
    tick(&mut world, (bob, alice), 100, 10);
    world.run_for(ms(100));
    assert_eq!(numbers(&world, alice), (0..110).collect::<Vec<_>>());
    assert_eq!(world.status(bob).handshakes, 1, "the session is kept");
}

#[test]
fn the_other_end_suspends_too_and_both_go_on_within_two_round_trips() {
    let (mut world, alice, bob) = World::connected_pair();
    world.order(bob, Order::Suspend);
    tick(&mut world, (alice, bob), 0, 100);
    assert_eq!(world.status(alice).condition, Condition::Held(Suspension::Silent));

    world.run_for(secs(60));
    let resumed = world.now;
    world.order(bob, Order::Resume);
    world.run_for(world.delay * 4);
    assert_eq!(world.status(alice).condition, Condition::Proven);
    assert_eq!(world.status(bob).condition, Condition::Proven);
    world.run_for(ms(400));
    let first = *world.received_at(bob).iter().find(|at| **at > resumed).expect("something came");
    assert!(first - resumed <= world.delay * 5, "what alice held came {:?} later", first - resumed);
    assert_eq!(numbers(&world, bob), (0..100).collect::<Vec<_>>());
}

#[test]
fn an_order_given_twice_changes_nothing_and_says_so() {
    let (mut world, alice, bob) = World::connected_pair();
    assert!(!world.order(bob, Order::Resume).changed, "nothing was suspended");
    world.order(bob, Order::Suspend);
    let since = world.status(bob).held_since;
    world.run_for(secs(5));
    let again = world.order(bob, Order::Suspend);
    assert!(!again.changed);
    assert_eq!((again.suspended.map(|(_, since)| since), world.status(bob).held_since), (since, since));

    world.order(bob, Order::Resume);
    world.run_for(ms(50));
    assert!(!world.order(bob, Order::Resume).changed);
    world.send(bob, alice, b"on");
    world.run_for(ms(50));
    assert_eq!(world.texts(alice, 1), ["on"]);
}

#[test]
fn an_order_for_a_peer_that_is_not_there_does_nothing_for_the_others() {
    let (mut world, _, bob) = World::connected_pair();
    let names = ["alice".to_owned(), "alcie".to_owned()];
    let unknown = order(&mut world, bob, &names).unwrap_err();
    assert_eq!((unknown.name.as_str(), unknown.peers.as_slice()), ("alcie", &names[..1]));
    assert_eq!(world.status(bob).condition, Condition::Proven);

    let key = [secret(1).public_key().to_string()];
    let obeyed = order(&mut world, bob, &key).expect("its key names it");
    assert_eq!(obeyed[0].peer, "alice");
}

#[test]
fn neither_a_move_nor_a_wake_ends_the_suspension_and_the_resumption_tells_of_the_move() {
    let (mut world, alice, bob) = World::connected_pair();
    world.order(bob, Order::Suspend);
    world.send(bob, alice, b"held");
    world.move_to(bob, &[]);
    world.run_for(secs(30));
    world.move_to(bob, &["10.7.0.2"]);
    world.attach(bob, &["10.7.0.2"], Cause::Woke);
    world.run_for(secs(30));
    assert_eq!(world.status(bob).condition, ORDERED);

    world.order(bob, Order::Resume);
    world.run_for(ms(100));
    assert_eq!(world.remote(alice), at("10.7.0.2"));
    assert_eq!(world.texts(alice, 1), ["held"]);
    assert_eq!((world.status(bob).moves_local, world.status(alice).moves_remote), (1, 1));
}

#[test]
fn resumed_without_a_network_it_goes_on_when_there_is_one() {
    let (mut world, alice, bob) = World::connected_pair();
    world.order(bob, Order::Suspend);
    world.send(bob, alice, b"held");
    world.move_to(bob, &[]);
    let resumed = world.order(bob, Order::Resume);
    assert_eq!(resumed.suspended.map(|(why, _)| why), Some(Suspension::Detached));
    world.run_for(secs(2));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    assert_eq!(world.texts(alice, 1), ["held"]);
}

#[test]
fn a_suspension_longer_than_the_session_costs_a_handshake_and_nothing_else() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.order(bob, Order::Suspend);
    world.send(bob, alice, b"held");
    world.run_for(secs(1200));
    assert_eq!((world.status(bob).condition, world.status(bob).held.packets), (ORDERED, 1));

    let resumed = world.now;
    world.order(bob, Order::Resume);
    world.run_for(ms(100));
    assert_eq!(world.texts(alice, 1), ["held"]);
    assert_eq!(*world.received_at(alice).last().unwrap() - resumed, world.delay * 3);
}

#[test]
fn a_peer_that_moved_meanwhile_is_found_where_it_said_it_is() {
    let (mut world, alice, bob) = World::connected_pair();
    world.order(alice, Order::Suspend);
    world.send(alice, bob, b"held");
    world.run_for(secs(1));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(secs(300));
    // Bob's session may have ended meanwhile; what he said of his place has not.
    let resumed = world.now;
    world.order(alice, Order::Resume);
    world.run_for(secs(2));
    assert_eq!(world.texts(bob, 1), ["held"]);
    let took = *world.received_at(bob).last().unwrap() - resumed;
    assert!(took <= world.delay * 5, "found after {took:?}");
    assert_eq!(world.remote(alice), at("10.7.0.2"));
}

#[test]
fn a_peer_suspended_before_it_was_ever_met_is_met_when_resumed() {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
    let bob = world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
    world.order(bob, Order::Suspend);
    world.send(bob, alice, b"early");
    world.run_for(secs(200));
    assert!(world.trace.is_empty());

    world.order(bob, Order::Resume);
    world.run_for(ms(100));
    assert_eq!(world.texts(alice, 0), ["early"]);
}

#[test]
fn what_asks_us_meanwhile_is_counted_and_not_answered() {
    let (mut world, alice, bob) = World::connected_pair();
    world.order(alice, Order::Suspend);
    world.restart(bob);
    world.send(bob, alice, b"after the restart");
    world.run_for(secs(4));
    assert_eq!(world.drops(alice, Discard::Suspended), 1);

    world.order(alice, Order::Resume);
    world.run_for(secs(8));
    assert_eq!(world.texts(alice, 1), ["after the restart"]);
}

#[test]
fn the_log_tells_of_both_orders() {
    let (mut world, _, bob) = World::connected_pair();
    world.prompt = true;
    let before = world.happenings(bob).len();
    world.order(bob, Order::Suspend);
    world.run_for(secs(1));
    world.order(bob, Order::Resume);
    world.run_for(ms(100));
    let told = &world.happenings(bob)[before..];
    assert_eq!(told[0], Happening::Suspended { why: Suspension::Ordered });
    assert!(
        matches!(told[1], Happening::Resumed { after, .. } if after == secs(1) + world.delay * 2),
        "{told:?}"
    );
}

#[test]
fn workers_send_nothing_before_all_that_was_held_has_left_the_node() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.order(bob, Order::Suspend);
    tick(&mut world, (bob, alice), 0, 10);
    world.order(bob, Order::Resume);
    world.run_for(world.delay);
    let newer = udp(world.virtual_address(bob), world.virtual_address(alice), b"newer");
    let now = world.now;
    let confirmation = world.trace.last().expect("alice confirms").clone();
    assert_eq!(confirmation.destination, at("10.0.0.2"));
    let arrival = Arrival { source: confirmation.source, local: Some(confirmation.destination.ip()) };

    let node = world.node(bob);
    let path = node.packet_path();
    let waits = || {
        let verdict = path.outbound(&mut FlowCursor::default(), &newer, (1, newer.len()), now);
        matches!(verdict, Outbound::Hold)
    };
    node.handle_datagram(arrival, &mut confirmation.datagram.clone(), now);
    assert!(waits(), "what was held is in the node still");
    let mut left = 0;
    while node.poll_transmit().is_some() {
        left += 1;
        assert!(waits(), "after {left} datagrams");
    }
    assert!(left >= 10, "{left}");
    assert!(!waits());
}
